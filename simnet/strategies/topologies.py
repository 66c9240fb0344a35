"""Hosts, the ways between them, and what these are like: the setting of a story.

Not drawn: hosts with several interfaces, names beside those of the hosts, addresses that nobody
has (a host that is not there is a name that the caller leaves out).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import combinations, product

from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from simnet.scenario.document import OPTIONS
from simnet.scenario.setting import HostPlan, LinkPlan, Setting
from simnet.scenario.setting_reader import DEFAULT, DETAILS, EVENTS
from simnet.scenario.ways import Way
from simnet.strategies.bounds import check_between, check_range, without_repeats
from simnet.strategies.conditions import link_conditions
from simnet.strategies.making import made
from simnet.strategies.values import check_versions

Conditions = SearchStrategy[dict[str, float]]
NAMES = tuple("abcdefghijklmnopqrstuvwxyz")
# A host is an actor in a story of its own name.
_WORDS = {DEFAULT, *EVENTS, *OPTIONS, *DETAILS}

_BOTH, _THERE, _BACK = range(3)
# How the host of a number is addressed, of each version: all neighbours, or each in a subnet of
# its own, with a router between.
_BESIDE: dict[int, Callable[[int], str]] = {
    4: lambda number: f"10.0.0.{number}",
    6: lambda number: f"fd00::{number:x}",
}
_APART: dict[int, Callable[[int], str]] = {
    4: lambda number: f"10.{number}.0.1/16",
    6: lambda number: f"fd00:{number:x}::1",
}


def check_names(names: Sequence[str]) -> Sequence[str]:
    """Names that hosts of a scenario can have, each once."""
    for name in names:
        if not name.isidentifier() or name in _WORDS:
            raise ValueError(f"names: {name!r} cannot be a host's name in a scenario")
    return without_repeats("names", names)


def ways(
    names: Sequence[str], both_ways: bool | None = None, groups: bool = True
) -> SearchStrategy[Way]:
    """A way between two hosts, or between two groups of them.

    `both_ways`: whether it means both directions; None: either. Without `groups` it is between two
    hosts only. Shrinks toward both ways between the first two hosts. ValueError for fewer than two
    names.

    >>> str(strategies.ways(["a", "b", "c"]).example())
    'a, c <-> b'
    """
    if len(names) < 2:
        raise ValueError(f"a way needs two hosts, not {list(names)!r}")
    directions = {None: (_BOTH, _THERE, _BACK), True: (_BOTH,), False: (_THERE, _BACK)}[both_ways]
    pairs = list(product(directions, combinations(range(len(names)), 2)))
    # Where each of the others is, as the digits of one number: nowhere, or on one of the sides.
    # Few draws each shrink better than many.
    others = len(names) - 2
    codes = st.integers(0, 3**others - 1) if groups else st.just(0)

    def way(pair: tuple[int, tuple[int, int]], code: int) -> Way:
        direction, (one, other) = pair
        sides = [code // 3**place % 3 for place in range(others)]
        sides.insert(one, 1)
        sides.insert(other, 2)
        first, second = (
            tuple(name for name, on in zip(names, sides, strict=True) if on == side)
            for side in (1, 2)
        )
        if direction == _BACK:
            first, second = second, first
        return Way(first, second, direction == _BOTH)

    return made(way, st.sampled_from(pairs), codes)


@st.composite
def _topology(
    draw: st.DrawFn,
    counts: SearchStrategy[int],
    names: Sequence[str],
    links: Conditions | None,
    versions: Sequence[int],
    clocks: tuple[SearchStrategy[float], SearchStrategy[float]],
    limits: Conditions | None,
    seeds: SearchStrategy[int],
) -> Setting:
    count = draw(counts)
    addressing = draw(st.sampled_from((_BESIDE, _APART)))
    hosts = tuple(
        HostPlan(
            name,
            ips=tuple(addressing[version](number) for version in versions),
            actors=(name,),
            clock_offset=draw(clocks[0]),
            clock_drift=draw(clocks[1]),
            limits=draw(limits) if limits is not None else {},
        )
        for number, name in enumerate(names[:count], start=1)
    )
    return Setting(hosts, _plans(draw, links, names[:count]), seed=draw(seeds))


def _plans(draw: st.DrawFn, links: Conditions | None, names: Sequence[str]) -> tuple[LinkPlan, ...]:
    """What is said of all links, and of some of them."""
    if links is None or len(names) < 2:
        return ()
    said: dict[Way | None, dict[str, float]] = {None: draw(links)}
    own = ways(names, groups=False)
    # So many, and then each of them: this is what can shrink, however much is drawn for each.
    for _ in range(draw(st.integers(0, len(names)))):
        way = draw(own)
        said[way] = draw(links)
    return tuple(LinkPlan(way, conditions) for way, conditions in said.items() if conditions)


def topologies(
    min_hosts: int | None = None,
    max_hosts: int | None = None,
    *,
    names: Sequence[str] | None = None,
    links: Conditions | None = link_conditions(),  # noqa: B008 - a strategy never changes
    versions: Sequence[int] = (4,),
    max_clock_offset: float = 0.0,
    max_clock_drift: float = 0.0,
    limits: Conditions | None = None,
    seeds: SearchStrategy[int] = st.integers(0, 2**16),  # noqa: B008
) -> SearchStrategy[Setting]:
    """Hosts and links: a `Setting`, as scenarios have it; `world_of` makes a world of one.

    `names` are those of the hosts, the first so many of them; without bounds all of them. Without
    names there are 2 to 5 hosts, "a" to "e". `links` draws conditions, for all links and for some
    of them (None: all are ideal), `limits` settings of each host's kernel (None: as they are).
    Every host has an address of each of the `versions`, in one subnet or each in its own. Clocks
    are off by up to `max_clock_offset` seconds, either way, and gain or lose up to
    `max_clock_drift` seconds each second. `seeds` draws the seed of what is left to chance.

    Shrinks toward two neighbours (or the fewest) with right clocks and ideal links, and seed 0.
    ValueError for bounds that nothing fits, and for names that hosts of scenarios cannot have.

    >>> strategies.topologies(names=["client", "server"], links=None).example().hosts[0]
    HostPlan(name='client', ips=('10.0.0.1',), actors=('client',), ...)
    """
    known = NAMES if names is None else check_names(names)
    least = min_hosts if min_hosts is not None else (2 if names is None else len(known))
    most = max_hosts if max_hosts is not None else (max(5, least) if names is None else len(known))
    check_range("hosts", least, most, 1, len(known))
    check_versions(versions)
    check_between("max_clock_offset", max_clock_offset, 0, 10_000_000)
    check_between("max_clock_drift", max_clock_drift, 0, 0.999)
    clocks = _either_way(max_clock_offset), _either_way(max_clock_drift)
    counts = st.integers(least, most)
    return _topology(counts, known, links, versions, clocks, limits, seeds)


def _either_way(most: float) -> SearchStrategy[float]:
    """From -most to most, in thousandths of the most, around 0."""
    if not most:
        return st.just(0.0)
    return st.integers(-1000, 1000).map(lambda part: round(part * most / 1000, 9))
