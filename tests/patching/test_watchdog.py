"""A watch over code that keeps the world from running."""

from __future__ import annotations

import os
import select
import signal
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from simnet.errors import Stuck
from simnet.world import World


@pytest.fixture
def world() -> Iterator[World]:
    """A world without hosts."""
    with World() as world:
        yield world


def spin_for_ever() -> None:
    """Computes, without a call that another task could run in."""
    while True:
        pass


def test_a_loop_that_never_waits_is_stopped(
    world: World, capfd: pytest.CaptureFixture[str]
) -> None:
    """The stacks of all tasks are shown, and the error says who and where."""
    host = world.host("a")
    with world.patch(watchdog=0.2):
        host.spawn(host.sleep, 10, name="sleeper")
        host.sleep(0.001)
        with pytest.raises(Stuck, match="'main' computes, or hangs") as caught:
            spin_for_ever()
    assert "spin_for_ever" in str(caught.value)
    shown = capfd.readouterr().err
    assert "no task of the world has run for 0.2 s" in shown
    assert "spin_for_ever" in shown
    assert "'sleeper'" in shown


def test_a_hanging_call_of_the_real_system_is_interrupted(world: World) -> None:
    """Which no other thread could do."""
    reading, writing = os.pipe()
    real_select = select.select
    try:
        with world.patch(watchdog=0.2), pytest.raises(Stuck):
            real_select([reading], [], [])
    finally:
        os.close(reading)
        os.close(writing)


def test_nothing_is_left_behind(world: World) -> None:
    """No signal handler; the thread ends."""
    number = signal.SIGRTMAX - 1
    before = signal.getsignal(number)
    with world.patch(watchdog=3600):
        assert signal.getsignal(number) is not before
    assert signal.getsignal(number) == before
    with world.patch(watchdog=None):
        assert signal.getsignal(number) == before


def test_it_works_in_any_thread() -> None:
    """A signal reaches only the main thread: elsewhere the exception is set from outside."""
    raised: list[Any] = []

    def body() -> None:
        try:
            with World() as world, world.patch(watchdog=0.2):
                spin_for_ever()
        except Stuck as stuck:
            raised.append(stuck)

    thread = threading.Thread(target=body)
    thread.start()
    thread.join()
    assert len(raised) == 1
