"""`simnet.explore`: races are found, told, and replayed."""

from __future__ import annotations

import gc
import subprocess
import sys
import weakref
from typing import Any

import pytest

import simnet
from simnet.exploring.exhaustive import Exhaustive
from simnet.exploring.explore import explore, replay
from simnet.policies import Fifo, Pct, Policy, Uniform
from simnet.threads import threading
from simnet.world import World
from tests.exploring.races import RACES, Race, lost_update, run_together

POLICIES: dict[str, Policy] = {"uniform": Uniform(), "pct": Pct(depth=2, steps=30)}


@pytest.fixture(params=RACES, ids=lambda race: race.name)
def race(request: pytest.FixtureRequest) -> Race:
    """Each planted race."""
    found: Race = request.param
    return found


@pytest.mark.parametrize("name", POLICIES)
def test_a_race_is_found_within_so_many_seeds(race: Race, name: str) -> None:
    """And the first run that fails says what went wrong, and on which line."""
    seeds = getattr(race, name)
    report = explore(race.program, range(seeds), policy=POLICIES[name], failures=1)
    (way,) = report.ways
    assert way.signature.startswith(f"{race.failure} at races.py:")
    assert len(report.runs) <= seeds


def test_a_race_is_among_all_schedules_with_one_preemption(race: Race) -> None:
    """Which are few."""
    report = explore(race.program, policy=Exhaustive(preemptions=1))
    assert len(report.runs) <= race.schedules
    assert {way.signature.partition(" ")[0] for way in report.ways} == {race.failure}


def test_without_preemption_the_races_are_not_seen(race: Race) -> None:
    """Which is why there are policies."""
    assert not explore(race.program, range(20), policy=Fifo()).failures
    assert not explore(race.program, policy=Exhaustive(preemptions=0)).failures


@pytest.mark.parametrize("name", POLICIES)
def test_a_failing_run_is_replayed_by_its_seed_and_by_its_decisions(race: Race, name: str) -> None:
    """With the same decisions, in the same number of steps, to the same end."""
    policy = POLICIES[name]
    failed = explore(race.program, range(100), policy=policy, failures=1).failures[0]
    (again,) = explore(race.program, [failed.seed], policy=policy).runs
    replayed = replay(race.program, failed.decisions, seed=failed.seed, policy=policy)
    for run in (again, replayed):
        assert run == failed
        assert run.signature == failed.signature


def test_only_what_a_run_decided_is_needed_to_replay_it(race: Race) -> None:
    """Under another seed the decisions lead to the same end."""
    failed = explore(race.program, range(100), policy=Uniform(), failures=1).failures[0]
    other = replay(race.program, failed.decisions, seed="another", policy=Uniform())
    assert other.signature == failed.signature


def test_sleep_sets_leave_out_no_failure(race: Race) -> None:
    """They run fewer schedules, and find the same ways of failing."""
    pruned = explore(race.program, policy=Exhaustive(preemptions=2))
    whole = explore(race.program, policy=Exhaustive(preemptions=2, prune=False))
    assert len(pruned.runs) < len(whole.runs)
    assert {way.signature for way in pruned.ways} == {way.signature for way in whole.ways}


def test_all_schedules_are_different(race: Race) -> None:
    """None is run twice."""
    runs = explore(race.program, policy=Exhaustive(preemptions=2)).runs
    assert len({run.decisions for run in runs}) == len(runs)


def test_all_orders_of_steps_are_among_all_schedules() -> None:
    """Two threads of two steps each: six orders, with as many preemptions as it takes."""
    orders: set[str] = set()

    def program(world: World) -> None:
        with world.host("h"):
            lock = threading.Lock()
            seen: list[str] = []

            def two_steps(name: str) -> None:
                for _ in range(2):
                    with lock:
                        seen.append(name)

            run_together(lambda: two_steps("a"), lambda: two_steps("b"))
            orders.add("".join(seen))

    explore(program, policy=Exhaustive(preemptions=3))
    assert orders == {"aabb", "abab", "abba", "baab", "baba", "bbaa"}


def test_the_report_says_where_a_passing_and_a_failing_run_part() -> None:
    """By the first decision that is not the same: which tasks there were, and which ran."""
    report = explore(lost_update, range(20), policy=Uniform())
    found = report.parting()
    assert found is not None
    assert found.one is not None
    assert found.other is not None
    assert found.one.options == found.other.options
    assert found.one.choice != found.other.choice
    text = str(report)
    assert text.startswith(f"20 runs: {len(report.failures)} failed, in 1 ways\n")
    assert f"the runs part at decision {found.place + 1}; before it:" in text
    assert "AssertionError at races.py:" in text


def test_an_exception_of_a_task_that_nobody_asks_for_fails_a_run() -> None:
    """As world.run() would raise it."""

    def program(world: World) -> None:
        host = world.host("h")

        def fail() -> None:
            raise ValueError("unseen")

        host.spawn(fail)
        host.sleep(1)

    (run,) = explore(program, [0]).runs
    assert run.signature.startswith("ValueError at test_explore.py:")
    assert run.virtual_seconds == 1


def test_an_interruption_is_the_users() -> None:
    """It ends the exploration."""

    def program(world: World) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        explore(program, [0])


def test_options_are_the_worlds() -> None:
    """Each run's."""
    seen: list[bool] = []

    def program(world: World) -> None:
        seen.append(world.trace.recording)

    explore(program, range(3), record=True)
    assert seen == [True] * 3


def test_calls_are_themselves_again_afterwards() -> None:
    """No method of sockets or locks stays wrapped, also after an error."""
    from simnet import locks, stdlib

    before = locks.lock.acquire, stdlib.module.socket.accept, vars(stdlib.module.socket).get("recv")
    explore(lost_update, range(3))
    after = locks.lock.acquire, stdlib.module.socket.accept, vars(stdlib.module.socket).get("recv")
    assert before == after


def test_reports_are_the_same_in_every_process() -> None:
    """And under every hash seed."""
    code = (
        "import simnet; from tests.exploring.races import lost_update; "
        "from simnet.policies import Pct; "
        "print(simnet.explore(lost_update, range(60), policy=Pct(2, 30)))"
    )
    texts = set()
    for hash_seed in ("0", "1"):
        done = subprocess.run(
            [sys.executable, "-c", code],
            env={"PYTHONHASHSEED": hash_seed, "PYTHONPATH": ":".join(sys.path)},
            capture_output=True,
            text=True,
            check=True,
        )
        texts.add(done.stdout)
    (text,) = texts
    assert text == f"{simnet.explore(lost_update, range(60), policy=Pct(2, 30))}\n"


@pytest.mark.parametrize("bad", [{"depth": 0}, {"steps": "many"}])
def test_bad_policies_are_errors(bad: dict[str, Any]) -> None:
    """With the name of what is wrong."""
    with pytest.raises(ValueError, match="whole number from 1 on"):
        Pct(**bad)


def test_a_condition_and_its_lock_are_no_two_things() -> None:
    """What one thread does under the one, and another under the other, comes in every order."""
    orders: set[str] = set()

    def program(world: World) -> None:
        with world.host("h"):
            lock = threading.Lock()
            condition = threading.Condition(lock)
            seen: list[str] = []

            def twice(held: Any, name: str) -> None:
                for _ in range(2):
                    with held:
                        seen.append(name)

            run_together(lambda: twice(condition, "a"), lambda: twice(lock, "b"))
            orders.add("".join(seen))

    explore(program, policy=Exhaustive(preemptions=3))
    assert orders == {"aabb", "abab", "abba", "baab", "baba", "bbaa"}


def test_a_run_that_passed_does_not_keep_its_world() -> None:
    """Of which there would be thousands: decisions name tasks and calls, and hold neither."""
    worlds: list[weakref.ref[World]] = []

    def program(world: World) -> None:
        worlds.append(weakref.ref(world))
        host = world.host("h")
        with host:
            one, other = host.socketpair()
            with one, other:
                run_together(lambda: one.sendall(b"x"), lambda: other.recv(1))

    report = explore(program, range(5))
    assert not report.failures
    assert all(run.decisions for run in report.runs)
    gc.collect()
    assert [world() for world in worlds] == [None] * 5
