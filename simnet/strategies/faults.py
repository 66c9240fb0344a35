"""What goes wrong with a network as time goes on: schedules of faults over virtual time.

A schedule is drawn in two steps. First, whole families of faults are switched on or off (swarm
testing: Groce, Zhang, Eide, Chen, Regehr: Swarm Testing, ISSTA 2012): where everything may happen
at once, most of it happens too seldom to do harm, or hides what something else does. Then the
faults are drawn among those that are on, each with its beginning and its end, so that removing one
removes both.

Not drawn: faults of chosen packets beyond the kinds that `World.drop` knows; changes of clocks.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any

import attrs
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from simnet.scenario.places import Place
from simnet.scenario.setting import (
    Crash,
    Drop,
    Event,
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
)
from simnet.scenario.setting_reader import FAILURES, PACKETS
from simnet.scenario.ways import Way
from simnet.strategies.bounds import check_between, chosen
from simnet.strategies.conditions import link_conditions
from simnet.strategies.making import made
from simnet.strategies.topologies import Conditions, check_names, ways

FAMILIES = ("partitions", "one_way", "crashes", "drops", "holds", "links", "names")
# Where events that are drawn stand.
DRAWN = "drawn"
# What part of the time a short fault may take.
_SHORT = 10
# What links are like of which nothing was said. A scenario has no word for a bandwidth without a
# limit, so a link that had none gets one that is never short.
PLAIN: Mapping[str, float] = {
    "latency": 0,
    "jitter": 0,
    "bandwidth": 10**10,
    "queue": 1000,
    "loss": 0,
    "duplicate": 0,
    "reorder": 0,
    "corrupt": 0,
    "mtu": 1500,
}


@attrs.frozen
class Ground:
    """What faults happen to: hosts by name, their links as they are, and who may crash."""

    hosts: tuple[str, ...]
    mortal: tuple[str, ...]
    setting: Setting | None = None

    @classmethod
    def of(cls, where: Setting | Sequence[str], spare: Collection[str] = ()) -> Ground:
        """Of a setting, or of names; ValueError for one that is spared but not there."""
        setting = where if isinstance(where, Setting) else None
        names = check_names(
            [host.name for host in where.hosts] if isinstance(where, Setting) else where
        )
        chosen("spare", spare, names)
        mortal = tuple(name for name in names if name not in spare)
        return cls(tuple(names), mortal, setting)

    def possible(self, family: str) -> bool:
        """Whether a family of faults finds anything to happen to."""
        if family == "crashes":
            return bool(self.mortal)
        return len(self.hosts) > 1 and (family != "names" or self.setting is not None)

    def conditions(self, source: str, target: str) -> Mapping[str, float]:
        """What a link is like before anything happens."""
        plans = self.setting.links if self.setting is not None else ()
        found = dict(PLAIN)
        for plan in sorted(plans, key=lambda plan: plan.way is not None):
            if plan.way is None or (source, target) in plan.way.directions():
                found |= plan.conditions
        return found

    def as_it_was(self, way: Way, conditions: Iterable[str]) -> Links:
        """Some conditions of a way, as they are before anything happens."""
        before = [
            (pair, {name: self.conditions(*pair)[name] for name in conditions})
            for pair in way.directions()
        ]
        if all(each == before[0][1] for _, each in before):
            return Links((LinkPlan(way, before[0][1]),))
        return Links(
            tuple(
                LinkPlan(Way((source,), (target,), False), each)
                for (source, target), each in before
            )
        )


# Faults


@attrs.frozen(repr=False)
class Fault:
    """What begins a fault, what ends it (None: it ends by itself), and what it claims meanwhile.

    No two faults claim the same at the same time.
    """

    begins: Event
    ends: Event | None
    claims: frozenset[object]

    def __repr__(self) -> str:
        return f"<{self.begins}>"

    def _repr_pretty_(self, printer: Any, cycle: bool) -> None:
        """As Hypothesis shows it."""
        printer.text(repr(self))


def partitions(ground: Ground, both_ways: bool) -> SearchStrategy[Fault]:
    """Nothing gets through between two groups; what was on its way is lost."""

    def fault(way: Way) -> Fault:
        return Fault(Partition(way), Heal(way), frozenset({("partition", str(way))}))

    return made(fault, ways(ground.hosts, both_ways))


def holds(ground: Ground) -> SearchStrategy[Fault]:
    """What is on its way between two hosts stays there until it is over."""

    def fault(way: Way) -> Fault:
        return Fault(
            Hold(way), Release(way), frozenset(("hold", *pair) for pair in way.directions())
        )

    return made(fault, ways(ground.hosts, groups=False))


def crashes(ground: Ground) -> SearchStrategy[Fault]:
    """A host stops, and comes up again with nothing running."""

    def fault(host: str) -> Fault:
        return Fault(Crash(host), Restart(host), frozenset({("crash", host)}))

    return made(fault, st.sampled_from(ground.mortal))


def drops(ground: Ground) -> SearchStrategy[Fault]:
    """One to three packets of a kind are lost."""

    def fault(way: Way, packets: str, count: int) -> Fault:
        drop = Drop(way.sources[0], way.targets[0], packets, count)
        return Fault(drop, None, frozenset())

    one_way = ways(ground.hosts, both_ways=False, groups=False)
    return made(fault, one_way, st.sampled_from(("any", *PACKETS[:-1])), st.integers(1, 3))


def changes(ground: Ground, conditions: Conditions) -> SearchStrategy[Fault]:
    """A link has other conditions for a while."""

    def fault(way: Way, changed: dict[str, float]) -> Fault:
        claims = frozenset(("link", *pair, name) for pair in way.directions() for name in changed)
        begins = Links((LinkPlan(way, changed),))
        return Fault(begins, ground.as_it_was(way, changed), claims)

    return made(fault, ways(ground.hosts, groups=False), conditions.filter(bool))


def failing_names(ground: Ground) -> SearchStrategy[Fault]:
    """Looking for a host fails, or takes its time."""
    assert ground.setting is not None
    ips = {
        host.name: tuple(ip.partition("/")[0] for ip in host.ips) for host in ground.setting.hosts
    }

    def fault(name: str, fails: str | None, delay: float) -> Fault:
        plan = NamePlan(name, () if fails else ips[name], fails, delay)
        return Fault(
            Names((plan,)), Names((NamePlan(name, ips[name]),)), frozenset({("name", name)})
        )

    failures = st.sampled_from((*FAILURES, None))
    delays = st.sampled_from((0.0, 0.1, 1.0, 5.0, 30.0))
    return made(fault, st.sampled_from(ground.hosts), failures, delays)


def of_family(family: str, ground: Ground, links: Conditions) -> SearchStrategy[Fault]:
    """The faults of one family."""
    makers: dict[str, Callable[[], SearchStrategy[Fault]]] = {
        "partitions": lambda: partitions(ground, True),
        "one_way": lambda: partitions(ground, False),
        "crashes": lambda: crashes(ground),
        "drops": lambda: drops(ground),
        "holds": lambda: holds(ground),
        "links": lambda: changes(ground, links),
        "names": lambda: failing_names(ground),
    }
    return makers[family]()


def some_of(families: Sequence[str]) -> SearchStrategy[tuple[str, ...]]:
    """Swarm: which families are on. Each is with equal chances, and none is the plainest."""

    def on(code: int) -> tuple[str, ...]:
        return tuple(family for place, family in enumerate(families) if code >> place & 1)

    return made(on, st.integers(0, 2 ** len(families) - 1))


# Schedules


@attrs.frozen
class _Lasting:
    """A fault from one instant to another, in milliseconds; None: for ever."""

    fault: Fault
    start: int
    end: int | None

    def clashes(self, earlier: _Lasting) -> bool:
        """Whether it claims what an earlier one has not let go of yet."""
        over = earlier.end is not None and earlier.end <= self.start
        return not over and bool(self.fault.claims & earlier.fault.claims)


@st.composite
def _lasting(draw: st.DrawFn, faults: SearchStrategy[Fault], until: int, heal: bool) -> _Lasting:
    fault = draw(faults)
    start = draw(st.integers(0, until - 1))
    # Rather short, so that there is room for others of the kind; but maybe as long as can be.
    rest = until - start
    lengths = st.one_of(st.integers(1, max(1, rest // _SHORT)), st.integers(1, rest))
    length = draw(lengths if heal else st.one_of(lengths, st.none()))
    end = start + length if length is not None and fault.ends is not None else None
    return _Lasting(fault, start, end)


@st.composite
def _schedule(
    draw: st.DrawFn, families: Mapping[str, SearchStrategy[_Lasting]], max_faults: int
) -> tuple[Happening, ...]:
    enabled = draw(some_of(tuple(families)))
    if not enabled:
        return ()
    # So many, and then each of them: Hypothesis takes out one whose every draw is not needed.
    count = draw(st.integers(0, max_faults))
    one = st.sampled_from(enabled).flatmap(families.__getitem__)
    return in_order([draw(one) for _ in range(count)])


def in_order(faults: Iterable[_Lasting]) -> tuple[Happening, ...]:
    """The events of those faults that do not clash with an earlier one, as time goes on."""
    kept: list[_Lasting] = []
    for fault in sorted(faults, key=lambda fault: fault.start):
        if not any(map(fault.clashes, kept)):
            kept.append(fault)
    # What ends at an instant makes room for what begins then.
    events = sorted(_events(kept), key=lambda event: event[:2])
    return tuple(
        Happening(Place(DRAWN, line), event, at=ms / 1000)
        for line, (ms, _, event) in enumerate(events, start=1)
    )


def _events(faults: Iterable[_Lasting]) -> Iterator[tuple[int, bool, Event]]:
    for each in faults:
        yield each.start, True, each.fault.begins
        if each.end is not None and each.fault.ends is not None:
            yield each.end, False, each.fault.ends


def fault_schedules(
    where: Setting | Sequence[str],
    until: float,
    families: Iterable[str] | None = None,
    *,
    heal: bool = True,
    spare: Collection[str] = (),
    links: Conditions = link_conditions(),  # noqa: B008 - a strategy never changes
    max_faults: int = 12,
) -> SearchStrategy[tuple[Happening, ...]]:
    """Faults of a network, as events of a scenario in the order of their time (`at`).

    `where` is the setting, or the names of its hosts; `until`, in seconds, is when the last event
    happens at the latest; times are whole milliseconds. The `families` (all that can happen here):

    * partitions, one_way: between two hosts or groups, in both directions or in one;
    * crashes: of a host that is not among `spare`, until it restarts;
    * drops: the next one to three packets of a kind;
    * holds: what is on its way stays there;
    * links: other conditions for a while, which `links` draws;
    * names: looking for a host fails or takes long (this needs a setting: it knows the addresses).

    Each example has some of them only, and of those rather many. Whatever begins ends: a partition
    is healed, a crashed host restarts, links and names are as they were (an unlimited bandwidth
    comes back as 10 Gbit/s). With `heal=False` some never end. A drop has no event that ends it:
    packets of a kind that had not come by then are lost later.

    Shrinks toward no fault at all, and else toward few faults that begin early and are over soon.
    ValueError for an unknown family, or if nothing of a family can happen here.

    >>> faults = strategies.fault_schedules(["a", "b"], until=10, families=["partitions"])
    >>> list(map(str, faults.example()))
    ['partition: a <-> b (at 0.004 seconds)', 'heal: a <-> b (at 2.1 seconds)']
    """
    ground = Ground.of(where, spare)
    check_between("until", until, 0.001, 10_000_000)
    check_between("max_faults", max_faults, 0, float("inf"))
    asked = FAMILIES if families is None else chosen("families", families, FAMILIES)
    possible = [family for family in asked if ground.possible(family)]
    if families is not None and len(possible) < len(asked):
        missing = next(family for family in asked if family not in possible)
        raise ValueError(f"families: nothing of {missing!r} can happen here")
    milliseconds = int(until * 1000)
    return _schedule(
        {
            family: _lasting(of_family(family, ground, links), milliseconds, heal)
            for family in possible
        },
        max_faults,
    )
