"""Who runs when."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, seed, settings

from simnet import World
from simnet import strategies as net
from simnet.policies import Fifo, Pct, Policy, Uniform
from simnet.sources import Drawn
from tests.strategies.plainest import plainest


def order(world: World) -> list[int]:
    """In which order three tasks come to their end, each of which waits for nothing."""
    ended: list[int] = []
    host = world.host("a")
    tasks = [host.spawn(ended.append, number) for number in range(3)]
    for task in tasks:
        task.join()
    return ended


@given(net.schedules())
def test_a_world_runs_under_every_policy(policy: Policy) -> None:
    """To the end."""
    with World(policy=policy) as world:
        assert sorted(order(world)) == [0, 1, 2]


def test_policies_shrink_toward_first_in_first_out() -> None:
    """And every kind is found."""
    assert plainest(net.schedules()) == Fifo()
    assert plainest(net.schedules(), lambda policy: isinstance(policy, Uniform)) == Uniform()
    assert plainest(net.schedules(), lambda policy: isinstance(policy, Pct)) == Pct(1, 1)
    deep = plainest(net.schedules(max_depth=3), lambda p: isinstance(p, Pct) and p.depth > 2)
    assert deep == Pct(3, 1)


def test_what_the_scheduler_does_is_drawn() -> None:
    """Most orders are found, and the plainest is the order of the beginning."""
    found: list[list[int]] = []

    @seed(0)
    @settings(database=None, deadline=None)
    @given(net.decisions())
    def collect(source: Drawn) -> None:
        with World(decisions=source) as world:
            found.append(order(world))

    collect()
    assert len(set(map(tuple, found))) >= 4
    # Hypothesis begins with the plainest.
    assert found[0] == [0, 1, 2]


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: net.schedules(max_depth=0), "max_depth is from 1 on, not 0"),
        (lambda: net.schedules(max_steps=0), "max_steps is from 1 on, not 0"),
    ],
)
def test_impossible_bounds_are_told_at_once(make: Any, message: str) -> None:
    """Before anything is drawn."""
    with pytest.raises(ValueError, match=message):
        make()
