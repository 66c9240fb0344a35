"""A run is a function of its seed: not of the process, the hash seed or the Python version."""

from __future__ import annotations

from typing import Any

import pytest

from tests.determinism.processes import INTERPRETERS, SCENARIOS, run
from tests.determinism.program import Story

each_interpreter = pytest.mark.parametrize("python", INTERPRETERS)
each_hash_seed = pytest.mark.parametrize("hash_seed", ["1", "4294967295"])


@pytest.fixture(scope="module")
def story() -> dict[str, Any]:
    """The program in this process."""
    return Story(seed=0).run()


@pytest.fixture(scope="module")
def replayed() -> Any:
    """The scenarios in a process of this interpreter."""
    return run("replay.py", *SCENARIOS)


@each_interpreter
@each_hash_seed
def test_every_process_gives_the_same_run(
    story: dict[str, Any], python: str, hash_seed: str
) -> None:
    """The digest, and what every task saw, on every interpreter and with every hash seed."""
    assert run("program.py", python=python, hash_seed=hash_seed) == story


@each_interpreter
@each_hash_seed
def test_every_process_replays_scenarios_alike(replayed: Any, python: str, hash_seed: str) -> None:
    """Each scenario has the same outcomes and the same digest."""
    assert run("replay.py", *SCENARIOS, python=python, hash_seed=hash_seed) == replayed


def test_every_scenario_is_replayed_to_its_end(replayed: Any) -> None:
    """So that the runs that are compared are whole."""
    assert len(replayed) == len(SCENARIOS)
    assert {each["status"] for each in replayed.values()} == {"ok"}


def test_one_process_gives_the_same_run_twice(story: dict[str, Any]) -> None:
    """Nothing of a world is left for the next."""
    assert Story(seed=0).run() == story


def test_the_program_closes_what_it_opens(story: dict[str, Any]) -> None:
    """So that the runs that are compared are whole."""
    assert not story["left"]
    assert story["transcript"]


def test_another_seed_gives_another_run() -> None:
    """The seed matters where something is left to chance: who goes next, which port."""
    runs = [Story(seed=seed).run() for seed in range(5)]
    assert len({each["digest"] for each in runs}) == 5
    assert len({tuple(each["transcript"]) for each in runs}) == 5


def test_an_idle_host_changes_nothing(story: dict[str, Any]) -> None:
    """Each host draws from streams of its own name."""
    assert Story(seed=0, idle_host=True).run() == story


def test_recording_changes_no_outcome(story: dict[str, Any]) -> None:
    """With every segment recorded, every task sees what it saw without."""
    recorded = Story(seed=0, record=True).run()
    assert recorded["transcript"] == story["transcript"]
    assert recorded["digest"] != story["digest"]
