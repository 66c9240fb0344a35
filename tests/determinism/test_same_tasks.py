"""Who goes first among the tasks of trio and anyio is a function of the seed."""

from __future__ import annotations

from typing import Any

import pytest

from tests.determinism.processes import INTERPRETERS, run
from tests.determinism.tasks import tell


@pytest.fixture(scope="module")
def told() -> dict[str, dict[str, Any]]:
    """The stories in this process."""
    return tell()


@pytest.mark.parametrize("hash_seed", ["1", "4294967295"])
def test_every_process_tells_the_same(told: dict[str, Any], hash_seed: str) -> None:
    """With every hash seed, to the nanosecond; also twice in one process."""
    assert run("tasks.py", hash_seed=hash_seed) == told


@pytest.mark.parametrize("python", INTERPRETERS)
def test_every_python_tells_the_same_of_trio(told: dict[str, Any], python: str) -> None:
    """Its order is its own; asyncio's may differ between versions."""
    there = run("tasks.py", python=python)
    assert there["trio"] == told["trio"]
    assert there["anyio on trio"] == told["anyio on trio"]


def test_the_stories_have_what_chance_can_do(told: dict[str, Any]) -> None:
    """So that the runs that are compared are whole."""
    for story in told.values():
        assert not story["left"]
        text = "\n".join(story["transcript"])
        assert "cut off" in text
        assert "answered" in text
        assert "server ends" in text


def test_another_seed_tells_another_story(told: dict[str, Any]) -> None:
    """The seed matters wherever chance does."""
    for name, story in tell(seed=1).items():
        assert story["digest"] != told[name]["digest"]
        assert story["transcript"] != told[name]["transcript"]
