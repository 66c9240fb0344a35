"""`simnet.shrink`: the least schedule that fails in the same way."""

from __future__ import annotations

from itertools import pairwise

import pytest

import simnet
from simnet.exploring.runs import Run
from simnet.policies import Fifo, Pct, Policy, Uniform
from simnet.sources import by_stream
from simnet.threads import threading
from simnet.world import World
from tests.exploring.bugs import BUGS, Bug
from tests.exploring.races import run_together

LOST_UPDATE = BUGS[0]
SHRUNK = ("lost_update", "accept_after_close", "both_attempts_lost", "answer_to_another_request")


@pytest.mark.parametrize(
    "bug", [bug for bug in BUGS if bug.name in SHRUNK], ids=lambda bug: bug.name
)
def test_what_a_seed_finds_shrinks_to_little_more_than_is_needed(bug: Bug) -> None:
    """In the same way of failing, and it is replayed by what is decided alone."""
    failed = simnet.explore(bug.program, range(200), failures=1).failures[0]
    shrunk = simnet.shrink(bug.program, failed, examples=100)
    assert shrunk.signature == failed.signature
    decisions = by_stream(shrunk.decisions)
    assert bug.cost(decisions, None) <= 2 * bug.minimum
    assert simnet.replay(bug.program, decisions).signature == failed.signature


def rare(world: World) -> None:
    """Fails only where a thread is stopped at each of three places in turn."""
    with world.host("h"):
        lock = threading.Lock()
        seen: list[int] = []

        def mark(number: int) -> None:
            for _ in range(10):
                with lock:
                    seen.append(number)

        run_together(lambda: mark(1), lambda: mark(2))
        turns = sum(one != other for one, other in pairwise(seen))
        assert turns < 9


@pytest.mark.parametrize("policy", [Uniform(), Pct(12, 40)])
def test_a_failure_that_is_not_found_again_is_shrunk_all_the_same(policy: Policy) -> None:
    """From the run that failed: what is decided otherwise is some of what it decided."""
    failed = simnet.explore(rare, range(1000), policy=policy, failures=1).failures[0]
    shrunk = simnet.shrink(rare, failed, policy=policy, examples=20)
    assert shrunk.signature == failed.signature
    before, after = (by_stream(run.decisions)["scheduler"] for run in (failed, shrunk))
    assert len(after) < len(before)


def test_the_same_run_shrinks_to_the_same() -> None:
    """Nothing is left to chance."""
    bug = LOST_UPDATE
    failed = simnet.explore(bug.program, range(100), failures=1).failures[0]
    assert simnet.shrink(bug.program, failed) == simnet.shrink(bug.program, failed)


def test_a_run_is_told_by_what_is_not_the_plainest() -> None:
    """With the tasks by their names."""
    bug = LOST_UPDATE
    failed = simnet.explore(bug.program, range(100), failures=1).failures[0]
    first, told, *deviations = str(simnet.shrink(bug.program, failed)).splitlines()
    assert first == f"{failed.signature}: an update was lost"
    assert told.endswith(" decisions, 2 of them not the plainest:")
    assert len(deviations) == 2
    assert all("'increment' in " in line for line in deviations)


def failing(world: World) -> None:
    """Fails whatever is decided."""
    raise KeyError


def test_where_nothing_needs_deciding_nothing_is_left() -> None:
    """The plainest run fails as well."""
    failed = simnet.explore(failing, [0], policy=Fifo()).failures[0]
    assert simnet.shrink(failing, failed, policy=Fifo()) == failed
    assert str(failed).endswith("seed 0, 0 decisions, 0 of them not the plainest")


def test_what_has_not_failed_is_not_shrunk() -> None:
    """It is an error that says so."""
    passed = simnet.explore(lambda world: None, [0]).runs[0]
    with pytest.raises(ValueError, match="nothing to shrink"):
        simnet.shrink(lambda world: None, passed)


def test_a_failure_that_does_not_come_again_is_an_error() -> None:
    """A program that is not what its world makes of it, or another policy."""
    failed: Run = simnet.explore(failing, [0]).failures[0]
    with pytest.raises(ValueError, match="depend on nothing but its world"):
        simnet.shrink(lambda world: None, failed)
