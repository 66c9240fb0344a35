"""The module `signal` of a simulated program: alarms in virtual time."""

from __future__ import annotations

import signal as real
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from simnet.alarms import module as signal
from simnet.errors import SimnetError
from simnet.host import Host
from simnet.world import World


class Rung(Exception):
    """Raised by a handler."""


@pytest.fixture
def host() -> Iterator[Host]:
    """A current host."""
    with World() as world, world.host("a") as host:
        yield host


@pytest.fixture
def rings() -> Iterator[list[float]]:
    """When SIGALRM was handled; the handler that was there is put back."""
    rings: list[float] = []
    before = real.getsignal(real.SIGALRM)
    yield rings
    real.signal(real.SIGALRM, before)


def test_an_alarm_rings_in_virtual_time_and_the_call_goes_on(
    host: Host, rings: list[float]
) -> None:
    """PEP 475: a handler that returns does not end the sleep."""
    signal.signal(signal.SIGALRM, lambda number, frame: rings.append(host.monotonic()))
    assert signal.alarm(3) == 0
    host.sleep(1)
    assert signal.alarm(5) == 2
    host.sleep(10)
    assert rings == [6]
    assert host.monotonic() == 11
    assert signal.alarm(0) == 0


def test_what_a_handler_raises_ends_the_wait(host: Host, rings: list[float]) -> None:
    """A blocked receive, say."""

    def ring(number: int, frame: object) -> None:
        raise Rung

    signal.signal(signal.SIGALRM, ring)
    one, other = host.socketpair()
    with one, other:
        signal.setitimer(signal.ITIMER_REAL, 0.25)
        with pytest.raises(Rung):
            one.recv(1)
    assert host.monotonic() == 0.25


def test_an_interval_rings_again_and_again(host: Host, rings: list[float]) -> None:
    """setitimer and getitimer say what is left."""
    signal.signal(signal.SIGALRM, lambda number, frame: rings.append(host.monotonic()))
    assert signal.setitimer(signal.ITIMER_REAL, 1, 2) == (0, 0)
    host.sleep(4)
    assert rings == [1, 3]
    assert signal.getitimer(signal.ITIMER_REAL) == (1, 2)
    assert signal.setitimer(signal.ITIMER_REAL, 0) == (1, 2)
    host.sleep(10)
    assert rings == [1, 3]
    with pytest.raises(signal.ItimerError):
        signal.setitimer(signal.ITIMER_REAL, -1)


def test_it_reaches_the_code_outside_all_tasks(host: Host, rings: list[float]) -> None:
    """Whoever runs; a world that runs until nothing is left goes on running."""
    names = []
    signal.signal(signal.SIGALRM, lambda *args: names.append(host.scheduler.current.name))
    task = host.spawn(host.sleep, 10)
    signal.alarm(5)
    host.world.run()
    assert names == ["main"]
    assert task.done
    assert host.monotonic() == 10


def test_pause_waits_for_it(host: Host, rings: list[float]) -> None:
    """As long as it takes."""
    signal.signal(signal.SIGALRM, lambda number, frame: None)
    signal.alarm(60)
    signal.pause()
    assert host.monotonic() == 60


def test_without_a_handler_it_is_an_error(host: Host, rings: list[float]) -> None:
    """The process would end; ignored, nothing happens."""
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    signal.alarm(1)
    with pytest.raises(SimnetError, match="SIGALRM has no handler"):
        host.sleep(2)
    signal.signal(signal.SIGALRM, signal.SIG_IGN)
    signal.alarm(1)
    host.sleep(2)


def test_bad_arguments(host: Host) -> None:
    """As the real function, in its words."""
    calls: list[Callable[[Any], object]] = [
        lambda signal: signal.alarm("x"),
        lambda signal: signal.alarm(2**70),
        lambda signal: signal.setitimer(signal.ITIMER_REAL, "x"),
        lambda signal: signal.setitimer(signal.ITIMER_REAL, float("nan")),
        lambda signal: signal.setitimer(signal.ITIMER_REAL, 2**70),
        lambda signal: signal.setitimer(signal.ITIMER_REAL, -1.0),
    ]
    for call in calls:
        told = []
        for module in (signal, real):
            with pytest.raises((TypeError, ValueError, OverflowError, OSError)) as caught:
                call(module)
            told.append((caught.type, str(caught.value)))
        assert told[0] == told[1]


def test_a_handler_gets_a_plain_number(host: Host) -> None:
    """Not a member of an enumeration, whose text is another."""
    seen: list[object] = []
    signal.signal(signal.SIGALRM, lambda number, frame: seen.append(number))
    signal.alarm(1)
    host.sleep(2)
    assert [type(number) for number in seen] == [int]


def test_timers_of_the_processor_are_the_real_ones(host: Host) -> None:
    """They count what the process computes."""
    assert signal.getitimer(signal.ITIMER_PROF) == real.getitimer(real.ITIMER_PROF)
    assert signal.raise_signal is real.raise_signal
