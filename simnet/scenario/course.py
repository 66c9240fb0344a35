"""The course of a story, as far as it can be known before it is told.

Which partitions are in force, what is held back, which hosts are down; and what of it only a
simulator can do.
"""

from __future__ import annotations

from collections.abc import Iterator

from simnet.scenario import patterns
from simnet.scenario.expressions import strings_in
from simnet.scenario.model import Step, UserProgram
from simnet.scenario.places import Mistake, Place, nearest
from simnet.scenario.setting import (
    Crash,
    Drop,
    Happening,
    Heal,
    Hold,
    LinkPlan,
    Links,
    Names,
    Partition,
    Release,
    Restart,
    Setting,
    Wait,
)
from simnet.scenario.ways import Way

# What takes longer than this in all, in seconds, is told in virtual time only.
LONGEST_REAL_S = 5.0
# The conditions of links that are no matter of chance or of time.
_CERTAIN = ("mtu",)


class Course:
    """Follows the events of a story in the order in which they are told."""

    def __init__(self, setting: Setting | None) -> None:
        self._host_of = {
            actor: host.name
            for host in (setting.hosts if setting is not None else ())
            for actor in host.actors
        }
        # What began where: ("partition", "a <-> b") or ("hold", ...).
        self._in_force: dict[tuple[str, str], Place] = {}
        # Hosts that are down, and those of which nobody can tell.
        self._down: dict[str, Place] = {}
        self._uncertain: set[str] = set()

    def actors_of(self, host: str) -> list[str]:
        """Who acts on a host."""
        return [actor for actor, on in self._host_of.items() if on == host]

    def follow(self, happening: Happening) -> Iterator[Mistake]:
        """What is wrong with an event at this point."""
        event, where = happening.event, happening.where
        match event:
            case Partition(way):
                yield from self._begin("partition", way, where)
            case Hold(way):
                yield from self._begin("hold", way, where)
            case Heal(way):
                yield from self._end("partition", "heal", way, where)
            case Release(way):
                yield from self._end("hold", "release", way, where)
            case Crash(host) | Restart(host) if happening.scheduled:
                self._uncertain.add(host)
            case Crash(host):
                if host in self._down and host not in self._uncertain:
                    line = self._down[host].line
                    yield Mistake(where, f"the host '{host}' is down since line {line}")
                self._down[host] = where
                self._uncertain.discard(host)
            case Restart(host):
                if host not in self._down and host not in self._uncertain:
                    yield Mistake(
                        where, f"the host '{host}' is up: 'crash: {host}' must come first"
                    )
                self._down.pop(host, None)
                self._uncertain.discard(host)

    def _begin(self, what: str, way: Way, where: Place) -> Iterator[Mistake]:
        key = what, str(way)
        if key in self._in_force:
            yield Mistake(
                where, f"'{what}: {way}' is in force since line {self._in_force[key].line}"
            )
        self._in_force[key] = where

    def _end(self, what: str, word: str, way: Way, where: Place) -> Iterator[Mistake]:
        if self._in_force.pop((what, str(way)), None) is None:
            known = [text for kind, text in self._in_force if kind == what]
            near = nearest(str(way), known)
            expected = f"expected the way of an earlier '{what}'"
            yield Mistake(where, f"nothing to {word}: {expected}, found '{way}'{near}")

    def absent(self, actor: str) -> str | None:
        """Why an actor cannot act, if it is on a host that is down."""
        host = self._host_of.get(actor)
        if host is None or host not in self._down or host in self._uncertain:
            return None
        line = self._down[host].line
        return f"the host '{host}' is down since line {line}: expected 'restart: {host}' first"


# What only a simulator can do


def sim_only(
    reason: str | None,
    setting: Setting | None,
    steps: tuple[Step | Happening, ...],
    program: UserProgram | None = None,
) -> tuple[str, ...]:
    """What of a story needs a simulator, in words, each once."""
    words: dict[str, None] = {} if reason is None else {reason: None}
    if program is not None:
        words |= dict.fromkeys(_of_program(program))
    if setting is not None:
        words |= dict.fromkeys(_of_setting(setting))
    hosts = {host.name for host in setting.hosts} if setting is not None else set()
    for step in steps:
        words |= dict.fromkeys(_of_step(step, hosts) if isinstance(step, Step) else _of_event(step))
    seconds = sum(map(_seconds, steps))
    if seconds > LONGEST_REAL_S:
        words[f"{seconds:g} seconds"] = None
    return tuple(words)


def _of_program(program: UserProgram) -> Iterator[str]:
    if program.nasty:
        yield "nasty"
    if any((program.decisions or {}).values()):
        yield "decisions"
    if program.decisions is None and program.policy not in (None, "fifo"):
        yield "policy"


def _of_setting(setting: Setting) -> Iterator[str]:
    for host in setting.hosts:
        if host.clock_offset:
            yield "clock offset"
        if host.clock_drift:
            yield "clock drift"
    if setting.names:
        yield "names"
    yield from _of_links(setting.links)


def _of_links(links: tuple[LinkPlan, ...]) -> Iterator[str]:
    for plan in links:
        yield from (name for name in plan.conditions if name not in _CERTAIN)


def _of_event(happening: Happening) -> Iterator[str]:
    match happening.event:
        case Links(changes):
            yield from _of_links(changes)
        case Names():
            yield "names"
        case Hold() | Release():
            yield "hold"
        case Drop():
            yield "drop"
    if happening.scheduled:
        yield "after" if happening.after is not None else "at"


def _of_step(step: Step, hosts: set[str]) -> Iterator[str]:
    if step.call is not None and hosts:
        # Their names mean something in a world of their own only.
        said = (*step.call.arguments, *step.call.keywords.values())
        if any(hosts & set(strings_in(expression)) for expression in said):
            yield "names"
    if isinstance(step.takes, patterns.Exactly):
        yield "exact times"


def _seconds(step: Step | Happening) -> float:
    """How long a step takes at least, as far as it says."""
    if isinstance(step, Step):
        return 0.0 if step.takes is None else patterns.bounds(step.takes)[0]
    return step.event.seconds if isinstance(step.event, Wait) else 0.0
