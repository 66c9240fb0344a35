"""What others do around a patch: fakes from before it, and what is put back after it."""

from __future__ import annotations

import threading
import time
from typing import Any
from unittest import mock

import pytest

from simnet.errors import Deadlock
from simnet.world import World
from tests.patching.modules import Load

SOURCE = """
import time
from time import sleep

class Clock:
    now = staticmethod(time.monotonic)

def nap(seconds, sleep=time.sleep, *, again=time.sleep):
    sleep(seconds)

def remember(clock):
    def look():
        return clock()
    return look

look = remember(time.monotonic)
"""


def test_what_is_put_back_late_is_taken_away_on_request(load: Load) -> None:
    """A fake that was put in the place of a simulated function, and removed after the patch."""
    module = load(SOURCE)
    patches = [mock.patch.object(module, "sleep"), mock.patch.object(module.Clock, "now")]
    with World() as world:
        with world.patch():
            for each in patches:
                each.start()
        for each in patches:
            each.stop()
        assert module.sleep is not time.sleep  # what the program was left with
        world.give_back()
    assert module.sleep is time.sleep
    assert module.Clock.now is time.monotonic


def test_inside_a_patch_nothing_is_taken_away(load: Load) -> None:
    """It is in force."""
    module = load(SOURCE)
    with World() as world, world.patch():
        world.give_back()
        module.sleep(3600)
        assert world.now == 3600


def test_a_fake_that_was_there_before_stays(load: Load) -> None:
    """Also in a class, a default or a closure that an earlier patch has found."""
    module = load(SOURCE)
    with World() as world:
        with world.patch():
            module.nap(60)
            assert module.look() == module.Clock.now() == 60
    slept: list[float] = []
    module.nap.__defaults__ = (slept.append,)
    module.nap.__kwdefaults__ = {"again": slept.append}
    module.look.__closure__[0].cell_contents = "nothing".upper
    with mock.patch.object(module.Clock, "now", return_value="never"):
        with World() as world, world.patch():
            module.nap(60)
            assert world.now == 0
            assert module.Clock.now() == "never"
            assert module.look() == "NOTHING"
        assert module.Clock.now() == "never"
    assert slept == [60]
    assert module.nap.__kwdefaults__["again"] == slept.append


def test_places_that_are_gone_are_no_places(load: Load) -> None:
    """Defaults may be taken away, and closures emptied."""
    module = load(SOURCE)
    for _ in range(2):
        with World() as world, world.patch():
            assert module.Clock.now() == 0
        module.nap.__defaults__ = None
        del module.look.__closure__[0].cell_contents
    assert module.nap.__defaults__ is None
    with pytest.raises(NameError):
        module.look()


def test_test_tools_wait_for_real_threads_in_a_patched_program() -> None:
    """As pytest-timeout does for its timer: nobody in the world would release that lock."""
    tool: dict[str, Any] = {"__name__": "pytest_timeout"}
    exec("def take(lock): return lock.acquire(timeout=10)", tool)
    lock = threading.Lock()
    lock.acquire()
    before, go = threading.Lock(), threading.Lock()
    go.acquire()

    def release() -> None:
        go.acquire()
        lock.release()

    thread = threading.Thread(target=release)
    thread.start()
    with World() as world, world.patch():
        go.release()
        assert tool["take"](lock)
        assert world.now == 0
        before.acquire()
        with pytest.raises(Deadlock):
            before.acquire()
    thread.join()
