"""Hypothesis is an extra: only those who draw need it."""

from __future__ import annotations

import doctest
import subprocess
import sys
import warnings
from importlib import import_module
from pathlib import Path

import hypothesis
import pytest
from hypothesis.errors import NonInteractiveExampleWarning

from simnet import strategies


def run(code: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)


@pytest.mark.parametrize(
    "module", ["simnet", "simnet.world", "simnet.patching.patch", "simnet.cli", "simnet.sources"]
)
def test_nothing_else_imports_hypothesis(module: str) -> None:
    """Whoever simulates need not have it."""
    ran = run(f"import sys, {module}; print('hypothesis' in sys.modules)")
    assert ran.stdout == "False\n", ran.stderr


def test_without_hypothesis_the_error_names_the_extra() -> None:
    """It says what to install."""
    ran = run("import sys; sys.modules['hypothesis'] = None\nfrom simnet import strategies")
    assert "ModuleNotFoundError: simnet.strategies needs Hypothesis" in ran.stderr
    assert "pip install 'simnet[hypothesis]'" in ran.stderr


DRAWING = [
    name for name in strategies.__all__ if name not in ("FAULT_FAMILIES", "NetworkStateMachine")
]


@pytest.mark.parametrize("name", DRAWING)
def test_the_documentation_says_what_a_strategy_shrinks_toward(name: str) -> None:
    """And the examples in it run."""
    documentation = getattr(strategies, name).__doc__ or ""
    assert "Shrinks toward" in documentation or name == "world_of"
    names = {
        "hypothesis": hypothesis,
        "simnet": import_module("simnet"),
        "strategies": strategies,
    }
    import_module("simnet.policies")
    import_module("simnet.scenario.writer")
    examples = doctest.DocTestParser().get_examples(documentation)
    assert examples
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", NonInteractiveExampleWarning)
        for example in examples:
            exec(example.source, names)


@pytest.mark.parametrize("name", DRAWING)
def test_the_readme_lists_every_strategy(name: str) -> None:
    """In its table; `world_of` stands beside it."""
    readme = (Path(__file__).parent.parent.parent / "README.md").read_text()
    assert f"`{name}(" in readme
