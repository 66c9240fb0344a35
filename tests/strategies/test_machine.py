"""Stateful tests on a network to which things happen."""

from __future__ import annotations

import io
from collections import Counter
from contextlib import redirect_stdout
from typing import Any, ClassVar

import pytest
from hypothesis import HealthCheck, Phase, seed, settings
from hypothesis import strategies as st
from hypothesis.stateful import invariant, rule, run_state_machine_as_test

from simnet import Host, locks
from simnet.policies import Fifo, Uniform
from simnet.scenario.setting import Crash, Drop, Hold, Links, Names, Partition, Restart
from simnet.strategies import NetworkStateMachine, topologies

FAMILIES = (Partition, Crash, Drop, Hold, Links, Names)


def run(machine: type[NetworkStateMachine], examples: int = 15, steps: int = 12) -> None:
    """Run it, the same each time."""
    chosen = settings(
        max_examples=examples,
        stateful_step_count=steps,
        phases=[Phase.generate, Phase.shrink],
        database=None,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )
    run_state_machine_as_test(seed(0)(machine), settings=chosen)


def failure_of(machine: type[NetworkStateMachine], error: type[Exception], **options: int) -> str:
    """What is shown of its failure."""
    printed = io.StringIO()
    with pytest.raises(error) as caught, redirect_stdout(printed):
        run(machine, **options)
    # Before Python 3.11, exceptions have no notes: they are printed.
    return "\n".join([*getattr(caught.value, "__notes__", ()), printed.getvalue()])


class Small(NetworkStateMachine):
    """Two hosts, always the same."""

    topology = topologies(names=["client", "server"], links=None, seeds=st.just(0))


def test_rules_take_hosts_from_the_bundle() -> None:
    """Each of them, after `begin`."""
    seen: set[str] = set()

    class Machine(Small):
        def begin(self) -> None:
            self.begun = list(self.hosts)

        @rule(host=NetworkStateMachine.a_host)
        def look(self, host: Host) -> None:
            assert self.begun == ["client", "server"]
            assert self.world.hosts[host.name] is host
            seen.add(host.name)

    run(Machine)
    assert seen == {"client", "server"}


def test_a_host_without_faults_or_time_stays_as_it_is() -> None:
    """Each can be switched off."""

    class Machine(Small):
        faults = ()
        longest = 0

        @rule()
        def step(self) -> None:
            pass

        def finish(self) -> None:
            assert not self.happened
            assert self.world.now == 0

    run(Machine)


def test_each_family_is_often_absent_and_else_plentiful() -> None:
    """Swarm testing here, too."""
    present: Counter[type] = Counter()
    together: Counter[type] = Counter()
    examples = 50

    class Machine(NetworkStateMachine):
        topology = topologies(3, 3, links=None)

        def finish(self) -> None:
            found = Counter(type(happening.event) for happening in self.happened)
            present.update(found.keys())
            together.update(found)

    run(Machine, examples, 25)
    assert all(0.1 <= present[family] / examples <= 0.8 for family in FAMILIES)
    plenty = [together[family] / present[family] for family in FAMILIES]
    assert min(plenty) > 1.1
    assert sum(plenty) / len(plenty) > 1.7


def test_who_is_spared_does_not_crash_and_families_can_be_chosen() -> None:
    """By class attributes."""
    crashed: set[str] = set()

    class Machine(Small):
        faults: ClassVar[Any] = ["crashes"]
        spare: ClassVar[Any] = ["client"]

        def finish(self) -> None:
            for happening in self.happened:
                assert isinstance(happening.event, Crash | Restart)
                crashed.add(happening.event.host)

    run(Machine)
    assert crashed == {"server"}


def test_an_unknown_family_is_told() -> None:
    """With the nearest one."""

    class Machine(Small):
        faults: ClassVar[Any] = ["crash"]

    with pytest.raises(ValueError, match=r"faults: .* did you mean 'crashes'"):
        run(Machine)


def test_what_crashed_is_started_again() -> None:
    """`restarted` is called, and what it starts has begun when the next step comes."""
    restarts: list[str] = []

    class Machine(Small):
        faults: ClassVar[Any] = ["crashes"]
        spare: ClassVar[Any] = ["client"]

        def begin(self) -> None:
            self.restarted(self.hosts["server"])

        def restarted(self, host: Host) -> None:
            restarts.append(host.name)
            host.spawn(self.serve, host)

        def serve(self, host: Host) -> None:
            with host.create_server(("", 80)) as listener:
                while True:
                    listener.accept()[0].close()

        @rule()
        def ask(self) -> None:
            if not self.in_force:
                with self.hosts["client"].create_connection(("server", 80)):
                    pass

        def finish(self) -> None:
            self.make_whole()
            assert not self.in_force
            self.ask()

    run(Machine)
    assert len(restarts) > 15


def test_a_failure_shrinks_toward_the_plainest_network() -> None:
    """Of the faults, only the one that matters is left."""

    class Machine(NetworkStateMachine):
        @invariant()
        def nobody_is_cut_off(self) -> None:
            assert not any(isinstance(fault.begins, Partition) for fault in self.in_force)

    shown = failure_of(Machine, AssertionError, examples=100)
    assert "state.fault_begins(fault=<partition: a <-> b>)" in shown
    assert shown.count("state.fault_begins") == 1
    assert "state.time_passes" not in shown
    assert "links=()" in shown
    assert "name='c'" not in shown


def test_a_failure_shows_the_sockets_and_the_last_events() -> None:
    """And what happened to the network until then."""

    class Machine(Small):
        faults: ClassVar[Any] = ["holds"]
        left: Any = None

        @rule()
        def ask(self) -> None:
            with self.hosts["server"].create_server(("", 80)) as listener:
                with self.hosts["client"].create_connection(("server", 80), 5) as conn:
                    listener.accept()[0].close()
                    assert conn.recv(1) == b""

        @rule()
        def leave_open(self) -> None:
            if self.left is None:
                self.left = self.hosts["server"].create_server(("", 81))

    shown = failure_of(Machine, TimeoutError, examples=100)
    assert "The world after 5 seconds" in shown
    assert "what happened to it:\n  hold: client <-> server (at 0 seconds)" in shown
    assert "the last events:\n" in shown
    assert "connect" in shown


def test_what_is_left_open_is_closed_or_told() -> None:
    """As the machine says."""
    closed: list[bool] = []

    class Lax(Small):
        left: Any = None

        @rule()
        def leave_open(self) -> None:
            self.left = self.left or self.hosts["server"].socket()

        def teardown(self) -> None:
            super().teardown()
            closed.append(not self.world.leftovers())

    run(Lax)
    assert closed
    assert all(closed)

    class Strict(Lax):
        must_close = True

    with pytest.raises(AssertionError, match=r"left open:\n  <socket.socket "):
        run(Strict)

    class Tidy(Strict):
        def finish(self) -> None:
            if self.left is not None:
                self.left.close()

    run(Tidy)


class Racing(Small):
    """Two tasks, the first of which is the first to end in the plainest schedule."""

    faults = ()

    @rule()
    def race(self) -> None:
        ended: list[int] = []
        for number in (1, 2):
            self.hosts["server"].spawn(ended.append, number)
        self.pass_time(0)
        assert ended == [1, 2]


def test_hypothesis_may_decide_who_runs_next() -> None:
    """Then it finds the order that breaks what a policy never would."""

    class Fair(Racing):
        policy = Fifo()

    run(Fair)

    class Drawn(Racing):
        schedule = True

    shown = failure_of(Drawn, AssertionError)
    assert "state.race()" in shown
    assert shown.count("state.") == 3


class Counting(Small):
    """Two tasks that lose an update only if one runs between the other's steps."""

    faults = ()
    schedule = True

    @rule()
    def count(self) -> None:
        total, lock = [0], locks.allocate_lock()

        def add() -> None:
            with lock:
                seen = total[0]
            with lock:
                total[0] = seen + 1

        for _ in range(2):
            self.hosts["server"].spawn(add)
        self.pass_time(0)
        assert total == [2]


def test_with_a_policy_others_run_at_switch_points_too() -> None:
    """Without one only where a task waits."""
    run(Counting)

    class Preempted(Counting):
        policy = Uniform()

    assert "state.count()" in failure_of(Preempted, AssertionError)
    # Switch points are gone with the world.
    assert not hasattr(locks.lock.acquire, "__wrapped__")


class Quiet(Small):
    """A machine that pytest and unittest run, as those of Hypothesis itself."""

    @rule()
    def nothing_runs(self) -> None:
        assert not self.world.leftovers()


TestQuiet = Quiet.TestCase
TestQuiet.settings = settings(max_examples=5, stateful_step_count=5, deadline=None)
