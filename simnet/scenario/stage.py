"""What a story is played on: one host, or a world of several; and how its events come about."""

from __future__ import annotations

import socket as _socket
import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import ExitStack
from itertools import permutations
from typing import Any, Protocol

from simnet.api import Network, Topology
from simnet.scenario.setting import (
    Crash,
    Drop,
    Happening,
    Heal,
    Hold,
    LinkPlan,
    Links,
    NamePlan,
    Names,
    Partition,
    Release,
    Restart,
    Setting,
    Wait,
)
from simnet.scenario.ways import Way


class CannotHappen(Exception):
    """An event that makes no sense at the instant at which it should happen."""


class Stage(Protocol):
    """Where the actors of a story act."""

    def network(self, actor: str) -> Network:
        """The host that an actor is on."""

    def now(self) -> float:
        """Seconds of the clock that `takes` is about."""

    def stamp(self) -> str:
        """The time since the story began, for reports; nothing where it does not matter."""

    def happen(self, happening: Happening) -> None:
        """Bring an event about, now or later; CannotHappen says why it cannot."""

    def down(self, actor: str) -> bool:
        """Whether an actor's host has crashed."""

    def trace_tail(self) -> Sequence[str]:
        """The backend's own last events."""

    def close(self) -> None:
        """End everything."""


def _tail_of(network: Network) -> Sequence[str]:
    tail: Callable[[], Sequence[str]] | None = getattr(network, "trace_tail", None)
    return tail() if tail is not None else ()


class OneHost:
    """The sockets of one host; nothing happens to it but that time passes."""

    def __init__(self, network: Network) -> None:
        self._network = network

    def network(self, actor: str) -> Network:
        return self._network

    def now(self) -> float:
        return self._network.monotonic()

    def stamp(self) -> str:
        return ""

    def happen(self, happening: Happening) -> None:
        assert isinstance(happening.event, Wait)
        self._network.sleep(happening.event.seconds)

    def down(self, actor: str) -> bool:
        return False

    def trace_tail(self) -> Sequence[str]:
        return _tail_of(self._network)

    def close(self) -> None:
        # Calls that the story leaves blocked are no reason to warn.
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ResourceWarning)
            self._network.close()


class ManyHosts:
    """A world of several hosts.

    It is asked for what the contract has. Only one with virtual time is asked for more, as stories
    for simulators need it: every condition of links, `link_between` with `hold` and `release`,
    `drop`, `at` and `after`, `names`, and clocks that are off.
    """

    def __init__(self, world: Topology, setting: Setting, virtual: bool) -> None:
        self._world: Any = world
        self._virtual = virtual
        self._down: set[str] = set()
        # The ways that have conditions of their own.
        self._own_links: set[tuple[str, str]] = set()
        self._partitions: dict[str, ExitStack] = {}
        self._hosts: dict[str, Network] = {}
        self._host_of = {actor: host.name for host in setting.hosts for actor in host.actors}
        for plan in setting.hosts:
            clock: Mapping[str, float] = {
                name: value
                for name, value in (
                    ("clock_offset", plan.clock_offset),
                    ("clock_drift", plan.clock_drift),
                )
                if value
            }
            self._hosts[plan.name] = world.host(plan.name, ip=plan.ips, **clock)
            if plan.limits:
                world.limit(plan.name, **plan.limits)
        if setting.unknown is not None:
            world.unknown = setting.unknown
        self._link(setting.links)
        self._name(setting.names)
        self._began = self.now()

    def network(self, actor: str) -> Network:
        return self._hosts[self._host_of[actor]]

    def now(self) -> float:
        if self._virtual:
            return float(self._world.now)
        return self._any_host.monotonic() if self._hosts else 0.0

    def stamp(self) -> str:
        return f"{self.now() - self._began:.3f}s "

    @property
    def _any_host(self) -> Network:
        return next(iter(self._hosts.values()))

    def down(self, actor: str) -> bool:
        return self._host_of[actor] in self._down

    def trace_tail(self) -> Sequence[str]:
        hosts = list(self._world.hosts.values())
        return _tail_of(hosts[0]) if hosts else ()

    def close(self) -> None:
        self._world.close()

    def happen(self, happening: Happening) -> None:
        if happening.after is not None:
            self._world.after(happening.after, self._perform, happening)
        elif happening.at is not None:
            if happening.at < self.now():
                raise _cannot(happening, f"it is {self.now():g} seconds already")
            self._world.at(happening.at, self._perform, happening)
        else:
            self._perform(happening)

    def _perform(self, happening: Happening) -> None:
        event, world = happening.event, self._world
        match event:
            case Wait(seconds) if self._virtual:
                world.run(until=world.now + seconds)
            case Wait(seconds):
                self._any_host.sleep(seconds)
            case Partition(way):
                one_way = not way.both_ways
                partition = world.partition(way.sources, way.targets, one_way=one_way)
                self._partitions[str(way)] = ExitStack()
                self._partitions[str(way)].enter_context(partition)
            case Heal(way):
                if str(way) not in self._partitions:
                    raise _cannot(happening, "that partition is not in force")
                self._partitions.pop(str(way)).close()
            case Hold(way):
                for link in self._links_of(way):
                    link.hold()
            case Release(way):
                for link in self._links_of(way):
                    link.release()
            case Links(changes):
                self._link(changes)
            case Names(changes):
                self._name(changes)
            case Drop(source, target, packets, count):
                world.drop(source, target, packets=packets, count=count)
            case Crash(host):
                if host in self._down:
                    raise _cannot(happening, "the host is down already")
                self._down.add(host)
                world.crash(host)
            case Restart(host):
                if host not in self._down:
                    raise _cannot(happening, "the host is up")
                world.restart(host)
                self._down.discard(host)

    def _links_of(self, way: Way) -> list[Any]:
        return [self._world.link_between(*pair) for pair in way.directions()]

    def _link(self, plans: Iterable[LinkPlan]) -> None:
        # What is said of all comes first: a link that changes something keeps the rest of it.
        for plan in sorted(plans, key=lambda plan: plan.way is not None):
            if plan.way is None and self._virtual:
                self._world.default_link(**plan.conditions)
                continue
            if plan.way is not None:
                pairs = list(plan.way.directions())
                self._own_links |= set(pairs)
            else:
                pairs = [
                    pair for pair in permutations(self._hosts, 2) if pair not in self._own_links
                ]
            for source, target in pairs:
                self._world.link(source, target, symmetric=False, **plan.conditions)

    def _name(self, plans: Iterable[NamePlan]) -> None:
        for plan in plans:
            names = self._world.names
            if plan.fails is not None:
                names.fail(plan.name, getattr(_socket, plan.fails), delay=plan.delay)
            else:
                names.add(plan.name, plan.ips, delay=plan.delay)


def staged(
    world: Topology, setting: Setting, virtual: bool, happenings: Iterable[Happening] = ()
) -> ManyHosts:
    """Hosts and links in a new world, and what happens to them; it is closed if that cannot be."""
    try:
        stage = ManyHosts(world, setting, virtual)
        for happening in happenings:
            stage.happen(happening)
    except BaseException:
        world.close()
        raise
    return stage


def _cannot(happening: Happening, why: str) -> CannotHappen:
    return CannotHappen(f"line {happening.where.line}: {happening}: {why}")
