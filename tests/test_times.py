"""The module `time` of a simulated host."""

from __future__ import annotations

import time as real
from collections.abc import Iterator
from fractions import Fraction
from typing import Any

import pytest

from simnet.clock import EPOCH
from simnet.errors import NoCurrentHost
from simnet.host import Host
from simnet.times import module as time
from simnet.world import World


@pytest.fixture
def host() -> Iterator[Host]:
    """A current host."""
    with World() as world, world.host("a") as host:
        yield host


def test_sleeping_moves_every_clock(host: Host) -> None:
    """time, monotonic, perf_counter and their forms in nanoseconds agree."""
    time.sleep(3600)
    assert time.time() == EPOCH + 3600
    assert time.monotonic() == time.perf_counter() == 3600
    assert time.time_ns() == (EPOCH + 3600) * 10**9
    assert time.monotonic_ns() == time.perf_counter_ns() == 3600 * 10**9


def test_conversions_mean_the_hosts_now(host: Host) -> None:
    """gmtime() and its kin, without a time; with one they are the real ones."""
    time.sleep(60)
    assert time.gmtime() == real.gmtime(EPOCH + 60)
    assert time.localtime() == real.localtime(EPOCH + 60)
    assert time.ctime() == real.ctime(EPOCH + 60)
    assert time.asctime() == real.asctime(real.localtime(EPOCH + 60))
    assert time.strftime("%H:%M:%S") == real.strftime("%H:%M:%S", real.localtime(EPOCH + 60))
    assert time.gmtime(0) == real.gmtime(0)
    assert time.strftime("%Y", real.gmtime(0)) == "1970"


def test_clocks_of_a_host_may_be_wrong() -> None:
    """Its offset and drift show."""
    with World() as world, world.host("late", clock_offset=-10, clock_drift=0.5):
        time.sleep(3)
        assert time.monotonic() == pytest.approx(3)
        assert world.now == pytest.approx(2)
        assert time.time() == pytest.approx(EPOCH - 10 + 3)


def test_a_negative_sleep_is_an_error(host: Host) -> None:
    """As in the real module."""
    with pytest.raises(ValueError, match="non-negative"):
        time.sleep(-1)


@pytest.mark.parametrize(
    "length",
    [float("nan"), float("inf"), -float("inf"), 1e300, 2**70, -1, "x", None, Fraction(1, 9)],
)
def test_what_sleep_refuses_is_what_the_real_one_refuses(host: Host, length: Any) -> None:
    """In the same words."""
    told = []
    for sleep in (time.sleep, real.sleep):
        with pytest.raises((TypeError, ValueError, OverflowError)) as caught:
            sleep(length)
        told.append((caught.type, str(caught.value)))
    assert told[0] == told[1]


def test_outside_a_host_there_is_no_time() -> None:
    """The error says what to do."""
    with pytest.raises(NoCurrentHost, match="with host"):
        time.monotonic()
