"""A base class for stateful tests: a network to which things happen between the steps of a test.

Not modelled: steps at the same time. A step may leave tasks running; they run on while time passes
in a later one.
"""

from __future__ import annotations

import sys
from collections.abc import Collection, Mapping
from contextlib import ExitStack
from typing import Any, ClassVar

from hypothesis import note
from hypothesis import strategies as st
from hypothesis.errors import HypothesisException
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    initialize,
    multiple,
    precondition,
    rule,
)
from hypothesis.strategies import SearchStrategy

from simnet.host import Host
from simnet.policies import Policy
from simnet.scenario.places import Place
from simnet.scenario.setting import Event, Happening, Restart, Setting
from simnet.scenario.stage import ManyHosts
from simnet.sources import Drawn
from simnet.strategies.bounds import chosen
from simnet.strategies.conditions import link_conditions
from simnet.strategies.faults import DRAWN, FAMILIES, Fault, Ground, of_family, some_of
from simnet.strategies.schedules import decisions
from simnet.strategies.topologies import Conditions, topologies
from simnet.strategies.worlds import stage_of
from simnet.world import World

# How much of the trace a failure shows.
_TAIL = 20


class NetworkStateMachine(RuleBasedStateMachine):
    """Draws a network first, and then faults and the passing of time between the user's own rules.

    A subclass adds its rules and its invariants, which Hypothesis checks after each step; what it
    needs at first (servers, say) it makes in `begin`. `a_host` is the bundle of hosts:

        class Mail(NetworkStateMachine):
            topology = topologies(names=["server", "client"])
            spare = ["client"]

            def begin(self):
                self.hosts["server"].spawn(serve)

            @rule(host=NetworkStateMachine.a_host)
            def look(self, host): ...

    Whole families of faults are on or off in each example. Shrinks toward the plainest topology,
    and steps without a fault. A failure shows the sockets and the last events of the world.
    """

    topology: ClassVar[SearchStrategy[Setting]] = topologies()
    """Draws hosts and links."""
    faults: ClassVar[Collection[str]] = FAMILIES
    """The families of faults that may happen (those of `fault_schedules`); (): none."""
    spare: ClassVar[Collection[str]] = ()
    """The names of hosts that do not crash."""
    links: ClassVar[Conditions] = link_conditions()
    """Draws the conditions of links that change."""
    longest: ClassVar[float] = 60.0
    """How many seconds pass in a step at most; 0: time passes in the user's own rules alone."""
    schedule: ClassVar[bool] = False
    """Whether Hypothesis decides who runs next and which packets are harmed, not the seed."""
    policy: ClassVar[Policy | None] = None
    """The policy of the world's scheduler, which is asked at switch points, too; None: at waits."""
    must_close: ClassVar[bool] = False
    """Whether a socket or a task that is left after `finish` is a failure."""

    a_host = Bundle("a_host")

    world: World
    """The world; it is there when `begin` is called."""
    setting: Setting
    """What was drawn of it."""

    def __init__(self) -> None:
        super().__init__()
        self.hosts: Mapping[str, Host] = {}
        self.happened: list[Happening] = []
        """What happened to the network so far, with the time at which it did."""
        self.in_force: list[Fault] = []
        """The faults that have begun and not ended."""
        self._families: Mapping[str, SearchStrategy[Fault]] = {}
        self._stage: ManyHosts | None = None
        self._until_the_end = ExitStack()

    # For subclasses

    def begin(self) -> None:
        """The hosts are there: start what the test needs on them.

        What it starts runs until it waits before the first step.
        """

    def restarted(self, host: Host) -> None:
        """A host that had crashed is up again, with nothing running: start what it needs."""

    def finish(self) -> None:
        """The last step has passed: close what is open. It is not called after a failure."""

    def make_whole(self) -> None:
        """End every fault that is in force: from now on, what should happen in the end must."""
        for fault in list(self.in_force):
            self._end(fault)

    def pass_time(self, seconds: float) -> None:
        """Let tasks run for so long."""
        self.world.run(until=self.world.now + seconds)

    # Rules

    @initialize(
        target=a_host,
        setting=st.runner().flatmap(lambda self: self.topology),
        families=st.runner().flatmap(lambda self: some_of(chosen("faults", self.faults, FAMILIES))),
        source=st.runner().flatmap(lambda self: decisions() if self.schedule else st.none()),
    )
    def network(self, setting: Setting, families: tuple[str, ...], source: Drawn | None) -> Any:
        """There is a world."""
        ground = Ground.of(setting, self.spare)
        self.setting = setting
        self.world, self._stage = stage_of(setting, policy=self.policy, decisions=source)
        self._until_the_end.callback(self.world.close)
        self.hosts = self.world.hosts
        self._families = {
            family: of_family(family, ground, self.links)
            for family in families
            if ground.possible(family)
        }
        self.begin()
        self.pass_time(0)
        return multiple(*self.hosts.values())

    @precondition(lambda self: self.longest > 0)
    @rule(seconds=st.runner().flatmap(lambda self: _seconds(self.longest)))
    def time_passes(self, seconds: float) -> None:
        """Tasks run on, and packets arrive."""
        self.pass_time(seconds)

    @precondition(lambda self: self._families)
    @rule(fault=st.runner().flatmap(lambda self: self._any_fault()))
    def fault_begins(self, fault: Fault) -> None:
        """Something goes wrong; where that is in force already, nothing more does."""
        if any(fault.claims & other.claims for other in self.in_force):
            return
        self._happens(fault.begins)
        if fault.ends is not None:
            self.in_force.append(fault)

    @precondition(lambda self: self.in_force)
    @rule(fault=st.runner().flatmap(lambda self: st.sampled_from(self.in_force)))
    def fault_ends(self, fault: Fault) -> None:
        """A partition heals, a host restarts, a link is as it was."""
        self._end(fault)

    def _any_fault(self) -> SearchStrategy[Fault]:
        return st.sampled_from(list(self._families)).flatmap(self._families.__getitem__)

    def _end(self, fault: Fault) -> None:
        assert fault.ends is not None
        self.in_force.remove(fault)
        self._happens(fault.ends)
        if isinstance(fault.ends, Restart):
            self.restarted(self.hosts[fault.ends.host])
            self.pass_time(0)

    def _happens(self, event: Event) -> None:
        assert self._stage is not None
        where = Place(DRAWN, len(self.happened) + 1)
        self._stage.happen(Happening(where, event))
        self.happened.append(Happening(where, event, at=self.world.now))

    # The end

    def teardown(self) -> None:
        """Close the world; a failure shows what it was like. Who overrides it calls this, too."""
        error = sys.exc_info()[1]
        with self._until_the_end:
            if self._stage is None:
                return
            if error is None:
                self.finish()
                left = self.world.leftovers()
                if self.must_close and left:
                    raise AssertionError("\n  ".join(["left open:", *left]))
            elif isinstance(error, Exception) and not isinstance(error, HypothesisException):
                note(self._picture())

    def _picture(self) -> str:
        assert self._stage is not None
        parts = {
            "what happened to it": list(map(str, self.happened)),
            "sockets": str(self.world.netstat()).splitlines(),
            "left open": list(self.world.leftovers()),
            "the last events": list(self._stage.trace_tail())[-_TAIL:],
        }
        lines = [f"The world after {self.world.now:g} seconds"]
        for title, part in parts.items():
            if part:
                lines += [f"{title}:", *(f"  {line}" for line in part)]
        return "\n".join(lines)


def _seconds(most: float) -> SearchStrategy[float]:
    return st.integers(1, max(1, int(most * 1000))).map(lambda milliseconds: milliseconds / 1000)
