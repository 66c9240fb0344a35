"""Conditions of links and settings of kernels."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simnet import World
from simnet import strategies as net
from simnet.scenario.conditions import CONDITIONS, LIMITS
from tests.strategies.plainest import plainest

SOME = settings(max_examples=50, deadline=None)


@SOME
@given(net.link_conditions())
def test_every_link_takes_them(conditions: dict[str, Any]) -> None:
    """And scenarios do: each is a number of its kind in its range."""
    with World() as world:
        link = world.link(world.host("a"), world.host("b"), **conditions)
        assert {name: getattr(link.conditions, name) for name in conditions} == conditions
    for name, value in conditions.items():
        assert CONDITIONS[name].fits(value)
        assert isinstance(value, int) or not CONDITIONS[name].whole


@SOME
@given(net.host_limits())
def test_every_host_takes_its_limits(limits: dict[str, Any]) -> None:
    """And scenarios do."""
    with World() as world:
        world.host("a")
        world.limit("a", **limits)
        assert {name: getattr(world.hosts["a"].limits, name) for name in limits} == limits
    assert all(LIMITS[name].fits(value) for name, value in limits.items())


@SOME
@given(
    net.link_conditions(
        max_latency=0.05, max_jitter=0, min_bandwidth=5e5, max_loss=0.5, max_corrupt=0, max_mtu=1400
    )
)
def test_they_stay_within_what_was_asked_for(conditions: dict[str, float]) -> None:
    """A maximum of 0 leaves a condition out."""
    assert not {"jitter", "corrupt"} & conditions.keys()
    assert conditions.get("latency", 0) <= 0.05
    assert conditions.get("loss", 0) <= 0.5
    assert conditions.get("bandwidth", 5e5) >= 5e5
    assert conditions.get("mtu", 1400) <= 1400


def test_they_shrink_toward_an_ideal_link() -> None:
    """And each toward the mildest that is not ideal."""
    assert plainest(net.link_conditions()) == {}
    assert plainest(net.host_limits()) == {}
    mildest = {
        name: plainest(net.link_conditions(), lambda c, n=name: n in c) for name in CONDITIONS
    }
    assert mildest == {
        "latency": {"latency": 0.001},
        "jitter": {"jitter": 0.001},
        "bandwidth": {"bandwidth": 10**10},
        "queue": {"queue": 1000},
        "loss": {"loss": 0.01},
        "duplicate": {"duplicate": 0.01},
        "reorder": {"reorder": 0.01},
        "corrupt": {"corrupt": 0.01},
        "mtu": {"mtu": 1500},
    }


@SOME
@given(st.data())
def test_only_the_keys_that_were_asked_for_are_there(data: st.DataObject) -> None:
    """Of links and of kernels."""
    assert data.draw(net.link_conditions(["loss"])).keys() <= {"loss"}
    assert data.draw(net.host_limits(["somaxconn"])).keys() <= {"somaxconn"}


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: net.link_conditions(["delay"]), "keys: expected latency, .* or mtu, not 'delay'"),
        (lambda: net.link_conditions(["laency"]), "did you mean 'latency'"),
        (lambda: net.host_limits(["somaxcon"]), "did you mean 'somaxconn'"),
        (lambda: net.link_conditions(max_loss=1.5), "max_loss is from 0 up to 1, not 1.5"),
        (lambda: net.link_conditions(max_latency=-1), "max_latency is from 0"),
        (lambda: net.link_conditions(min_bandwidth=0), "min_bandwidth is from 1"),
        (lambda: net.link_conditions(min_mtu=100), "min_mtu is from 576"),
        (lambda: net.link_conditions(min_mtu=1400, max_mtu=1300), "min_mtu=1400 is above"),
    ],
)
def test_impossible_bounds_are_told_at_once(make: Any, message: str) -> None:
    """Before anything is drawn."""
    with pytest.raises(ValueError, match=message):
        make()
