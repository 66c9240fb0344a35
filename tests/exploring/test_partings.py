"""`simnet.diff`: the first decision at which two runs part."""

from __future__ import annotations

import pytest

import simnet
from simnet.decisions import Decision
from simnet.exploring.partings import Parting, parting
from simnet.policies import Uniform
from simnet.world import World
from tests.exploring.races import lost_update

ZERO, ONE = (Decision("scheduler", 2, choice) for choice in (0, 1))


def test_decisions_that_are_alike_do_not_part() -> None:
    """And of which one goes on, they part where the other has ended."""
    assert parting([ONE, ZERO], [ONE, ZERO]) is None
    assert parting([ONE, ZERO], [ONE]) == Parting(1, (ONE,), ZERO, None)
    assert "other: (it has ended)" in str(parting([ONE, ZERO], [ONE]))


def test_so_many_decisions_before_are_shown_as_asked_for() -> None:
    """The last ones; none if none are wanted."""
    one, other = [ONE, ZERO, ONE, ZERO], [ONE, ZERO, ONE, ONE]
    assert parting(one, other, before=2) == Parting(3, (ZERO, ONE), ZERO, ONE)
    assert parting(one, other, before=0) == Parting(3, (), ZERO, ONE)
    assert parting(one, other) == Parting(3, (ONE, ZERO, ONE), ZERO, ONE)


def test_the_last_run_that_passed_and_the_first_that_failed_part_at_a_decision() -> None:
    """Which names the tasks there were to choose among, as the program names them."""
    report = simnet.explore(lost_update, range(20), policy=Uniform(), failures=1)
    passed, failed = report.runs[-2:]
    found = simnet.diff(passed, failed, before=5)
    assert found is not None
    assert found == report.parting()
    assert found.one is not None
    assert {option.name for option in found.one.options} <= {"main", "increment"}
    assert simnet.diff(failed, failed) is None


def test_a_failure_of_the_first_run_is_compared_with_the_next_that_passed() -> None:
    """Where no run passed, or none failed, there is nothing to compare."""
    seeds = range(20)
    runs = {run.seed: run for run in simnet.explore(lost_update, seeds).runs}
    failing, passing = ([s for s in seeds if runs[s].failed is failed] for failed in (True, False))
    report = simnet.explore(lost_update, [*failing[:2], *passing[:2]])
    assert report.compared == (runs[passing[0]], runs[failing[0]])
    one, other = f"run 3 (seed {passing[0]})", f"run 1 (seed {failing[0]})"
    assert f"one: {one}, which passed; other: {other}, which failed" in str(report)
    for seeds_alike in (failing, passing):
        assert simnet.explore(lost_update, seeds_alike).parting() is None


def test_a_run_and_a_world_cannot_be_compared() -> None:
    """They have nothing in common."""
    (run,) = simnet.explore(lost_update, [0]).runs
    with World() as world, pytest.raises(TypeError, match="compared with another one"):
        simnet.diff(run, world)  # type: ignore[call-overload]
