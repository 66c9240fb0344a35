"""Nothing is left of a patch: judged from outside, in a process of its own."""

from __future__ import annotations

from typing import Any

import pytest

from tests.determinism.processes import INTERPRETERS, run
from tests.patching.leaks import ROUNDS

SCRIPT = "../patching/leaks.py"


@pytest.fixture(scope="module", params=INTERPRETERS)
def told(request: pytest.FixtureRequest) -> Any:
    """What the script tells."""
    return run(SCRIPT, python=request.param)


def test_nothing_of_the_simulator_is_reachable_from_a_module(told: Any) -> None:
    """By any reference that the collector knows of; also from what was imported meanwhile."""
    assert told["leaks"] == told["first"] == []


def test_no_hook_handler_or_thread_is_left(told: Any) -> None:
    """Those of the interpreter are who they were."""
    before, after = told["hooks"]
    assert after == before


def test_memory_does_not_grow(told: Any) -> None:
    """Not even one object for each of many patches (a few of the interpreter's may stay)."""
    assert told["grown"] < ROUNDS


def test_the_walk_finds_what_there_is() -> None:
    """A function of the simulator in a dictionary of a module."""
    found = run(SCRIPT, "planted")["leaks"]
    assert len(found) == 1
    assert found[0].startswith("colorsys > ")
