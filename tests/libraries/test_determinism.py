"""Each story of this package happens twice in the same way."""

from __future__ import annotations

import importlib
import inspect
import itertools
import pkgutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import tests.libraries
from tests.libraries import test_http
from tests.libraries.ways import Simulated

Digest = Callable[[Callable[[Simulated], None], int], str]


def stories() -> Iterator[Any]:
    """Every test that needs nothing but a place (those of TLS, whose keys differ, need more)."""
    for module in pkgutil.iter_modules(tests.libraries.__path__, "tests.libraries."):
        if not module.name.rpartition(".")[2].startswith("test_") or module.name == __name__:
            continue
        names = vars(importlib.import_module(module.name))
        for name, function in names.items():
            if not name.startswith("test_") or not inspect.isfunction(function):
                continue
            if set(inspect.signature(function).parameters) in ({"place"}, {"simulated"}):
                marks = getattr(function, "pytestmark", [])
                yield pytest.param(function, id=f"{module.name[16:]}-{name}", marks=marks)


@pytest.fixture
def digest(tmp_path: Path) -> Digest:
    """A run of a story with a seed: what it leaves in the trace, every packet with its bytes."""
    runs = itertools.count()

    def digest(story: Callable[[Simulated], None], seed: int) -> str:
        directory = tmp_path / f"run-{next(runs)}"
        directory.mkdir()
        simulated = Simulated(directory, seed, record=True)
        with simulated.patched():
            story(simulated)
        return simulated.world.trace.digest()

    return digest


@pytest.mark.parametrize("story", list(stories()))
def test_the_same_seed_gives_the_same_run(
    story: Callable[[Simulated], None], digest: Digest
) -> None:
    """Twice the same digest."""
    assert digest(story, 1) == digest(story, 1)


def test_another_seed_gives_another_run(digest: Digest) -> None:
    """Ports and sequence numbers are chosen by it."""
    story = test_http.test_a_connection_is_kept_for_several_requests
    assert digest(story, 1) != digest(story, 2)
