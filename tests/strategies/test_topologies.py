"""Hosts, and the ways between them."""

from __future__ import annotations

from itertools import permutations
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simnet import strategies as net
from simnet.scenario.setting import HostPlan, Setting
from simnet.scenario.ways import Way
from simnet.strategies.faults import Ground
from tests.strategies.plainest import plainest
from tests.strategies.written import reread, story_of

SOME = settings(max_examples=30, deadline=None)
RICH = net.topologies(
    versions=(4, 6), max_clock_offset=60, max_clock_drift=0.01, limits=net.host_limits()
)


@SOME
@given(RICH)
def test_a_world_takes_every_setting(setting: Setting) -> None:
    """Its hosts have their addresses, and its links their conditions."""
    with net.world_of(setting) as world:
        assert world.seed == setting.seed
        for plan in setting.hosts:
            host = world.hosts[plan.name]
            assert host.addresses == tuple(ip.partition("/")[0] for ip in plan.ips)
            assert all(getattr(host.limits, name) == plan.limits[name] for name in plan.limits)
        for pair in permutations(world.hosts, 2):
            said = Ground.of(setting).conditions(*pair)
            there = world.link_between(*pair).conditions
            unlimited = {"bandwidth": there.bandwidth or 10**10}
            assert {name: getattr(there, name) for name in said} | unlimited == said


@SOME
@given(setting=RICH)
def test_a_scenario_file_can_say_every_setting(
    tmp_path_factory: pytest.TempPathFactory, setting: Setting
) -> None:
    """And says the same."""
    assert reread(story_of(setting), tmp_path_factory.getbasetemp()).setting == setting


@SOME
@given(net.topologies(2, 3, links=None))
def test_all_hosts_reach_each_other(setting: Setting) -> None:
    """Whether they are neighbours or not."""
    with net.world_of(setting) as world:
        for one, other in permutations(world.hosts.values(), 2):
            with other.create_server((other.name, 80)), one.create_connection((other.name, 80)):
                pass


def test_they_shrink_toward_two_neighbours() -> None:
    """Their clocks are right, and their links ideal."""
    two = tuple(HostPlan(name, (f"10.0.0.{n}",), (name,)) for n, name in ((1, "a"), (2, "b")))
    assert plainest(RICH).links == ()
    assert plainest(net.topologies()) == Setting(two)
    assert plainest(net.topologies(1, 4)).hosts == two[:1]


def test_names_are_those_of_the_hosts() -> None:
    """All of them, or the first so many."""
    names = ["client", "server", "proxy"]
    assert [host.name for host in plainest(net.topologies(names=names)).hosts] == names
    few = net.topologies(2, names=names)
    assert [host.name for host in plainest(few).hosts] == names[:2]


@SOME
@given(st.data(), st.booleans() | st.none(), st.booleans())
def test_a_way_is_between_two_groups(
    data: st.DataObject, both_ways: bool | None, groups: bool
) -> None:
    """Nobody is on two sides, and both ways is as asked for."""
    way = data.draw(net.ways("abcde", both_ways, groups))
    assert way.sources
    assert way.targets
    assert not set(way.sources) & set(way.targets)
    assert both_ways in (way.both_ways, None)
    assert groups or len(way.sources) == len(way.targets) == 1


def test_ways_shrink_toward_both_ways_between_the_first_two() -> None:
    """And every way there is can be found."""
    assert plainest(net.ways("abc")) == Way(("a",), ("b",), True)
    assert plainest(net.ways("abc", False)) == Way(("a",), ("b",), False)
    for source, target in permutations("abc", 2):
        wanted = Way((source,), (target,), False)
        assert plainest(net.ways("abc"), lambda way, wanted=wanted: way == wanted)
    groups = Way(("a",), ("b", "c"), True)
    assert plainest(net.ways("abc"), lambda way: way == groups)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: net.topologies(3, 2), "min_hosts=3 is above max_hosts=2"),
        (lambda: net.topologies(0), "min_hosts is from 1"),
        (lambda: net.topologies(max_hosts=99), "max_hosts is from 1 up to 26, not 99"),
        (lambda: net.topologies(2, names=["a"]), "min_hosts=2 is above max_hosts=1"),
        (lambda: net.topologies(names=["a", "a"]), "names: 'a' is there twice"),
        (lambda: net.topologies(names=["a b"]), "names: 'a b' cannot be a host's name"),
        (lambda: net.topologies(names=["crash"]), "names: 'crash' cannot be a host's name"),
        (lambda: net.topologies(versions=(4, 4)), "versions is"),
        (lambda: net.topologies(max_clock_drift=1), "max_clock_drift is from 0 up to 0.999"),
        (lambda: net.topologies(max_clock_offset=-1), "max_clock_offset is from 0"),
    ],
)
def test_impossible_bounds_are_told_at_once(make: Any, message: str) -> None:
    """Before anything is drawn."""
    with pytest.raises(ValueError, match=message):
        make()
