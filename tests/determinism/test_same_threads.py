"""Who goes first among threads and event loops of a patched program is a function of the seed."""

from __future__ import annotations

from typing import Any

import pytest

from tests.determinism.processes import INTERPRETERS, run
from tests.determinism.threads import tell


@pytest.fixture(scope="module")
def told() -> dict[str, dict[str, Any]]:
    """The stories in this process."""
    return tell()


@pytest.mark.parametrize("hash_seed", ["1", "4294967295"])
def test_every_process_tells_the_same(told: dict[str, Any], hash_seed: str) -> None:
    """With every hash seed, to the nanosecond; names, identities and random numbers too."""
    assert run("threads.py", hash_seed=hash_seed) == told


def test_a_second_run_in_the_same_process_tells_the_same(told: dict[str, Any]) -> None:
    """Nothing is left of the first that the second could notice."""
    assert tell() == told


@pytest.mark.parametrize("python", INTERPRETERS)
def test_every_python_puts_the_same_on_the_wire(told: dict[str, Any], python: str) -> None:
    """Of threads; the order in which asyncio takes its turns may differ between versions."""
    assert run("threads.py", python=python)["threads"]["digest"] == told["threads"]["digest"]


def test_the_stories_have_what_chance_can_do(told: dict[str, Any]) -> None:
    """So that the runs that are compared are whole."""
    texts = {name: "\n".join(story["transcript"]) for name, story in told.items()}
    assert "server ends" in texts["threads"]
    assert "has the lock for" in texts["threads"]
    assert "cut off" in texts["asyncio"]
    assert "answered" in texts["asyncio"]
    assert texts["asyncio"].count("heard") == 12


def test_another_seed_tells_another_story(told: dict[str, Any]) -> None:
    """The seed matters wherever chance does."""
    for name, story in tell(seed=1).items():
        assert story["digest"] != told[name]["digest"]
        assert story["transcript"] != told[name]["transcript"]
