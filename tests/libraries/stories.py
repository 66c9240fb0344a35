"""The tests of this package as stories, which run in any process: what they leave in the trace.

As a program it prints the digests of the stories that it is given by name, a line for each.
"""

from __future__ import annotations

import importlib
import inspect
import json
import pkgutil
import sys
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

import tests.libraries
from tests.libraries.ways import Simulated

# The modules that ask for stories.
_ABOUT_STORIES = ("test_bad_links", "test_determinism")

Story = Callable[[Simulated], None]


def stories() -> dict[str, Story]:
    """Every test that needs nothing but a place (those of TLS, whose keys differ, need more)."""
    found = {}
    for module in pkgutil.iter_modules(tests.libraries.__path__):
        if not module.name.startswith("test_") or module.name in _ABOUT_STORIES:
            continue
        for name, value in vars(importlib.import_module(f"tests.libraries.{module.name}")).items():
            if not name.startswith("test_") or not inspect.isfunction(value):
                continue
            if set(inspect.signature(value).parameters) in ({"place"}, {"simulated"}):
                found[f"{module.name}.{name}"] = value
    return found


def parameters(known: Mapping[str, Story]) -> list[Any]:
    """Their names as parameters of a test, with the marks that each has as a test."""
    return [
        pytest.param(name, marks=getattr(story, "pytestmark", [])) for name, story in known.items()
    ]


def digest(story: Story, seed: int = 1) -> str:
    """What a run with this seed leaves in the trace: every packet with its bytes, and when."""
    with tempfile.TemporaryDirectory() as directory:
        simulated = Simulated(Path(directory), seed, record=True)
        with simulated.patched():
            story(simulated)
    return simulated.world.trace.digest()


def digest_or_error(story: Story) -> str:
    """The digest; of a story that fails, how."""
    try:
        return digest(story)
    except Exception as error:
        return f"{type(error).__name__}: {error}"


if __name__ == "__main__":
    known = stories()
    for told in sys.argv[1:]:
        print(json.dumps([told, digest_or_error(known[told])]), flush=True)
