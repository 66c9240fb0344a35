"""A watch over the world's thread: code that keeps the world from running for too long.

A thread of the real system looks on. When no task has run for so many seconds of the wall clock,
it writes to standard error where every task stands, and raises Stuck in the world's thread: also
where that hangs in a call of the real system, which a signal interrupts. It has no say in what
happens otherwise, and holds its peace while a debugger is at work.
"""

from __future__ import annotations

# Not signal.signal(): it cannot show a handler that is a function of ours (Python 3.10 and 3.11
# take any object for the name of a new enumeration).
import _signal  # type: ignore[import-not-found]
import _thread
import ctypes
import signal
import sys
import threading
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

from simnet.errors import Stuck
from simnet.scheduler import Scheduler

# Nobody uses it: the C library keeps the first ones for itself, and programs begin at SIGRTMIN.
_SIGNAL = signal.SIGRTMAX - 1
_DEBUGGERS = frozenset(("IPython", "bdb", "debugpy", "pdb", "pydevd"))
_acquire = type(_thread.allocate_lock()).acquire


class _Watch:
    """One watched stretch of a program."""

    def __init__(self, scheduler: Scheduler, seconds: float) -> None:
        self._scheduler = scheduler
        self._seconds = seconds
        self._watched = threading.get_ident()
        self._by_signal = threading.current_thread() is threading.main_thread()
        self._over = _thread.allocate_lock()
        self._over.acquire()
        self._barks = False

    def begin(self) -> None:
        """Start the watching thread."""
        if self._by_signal:
            if not _watches:
                _before[:] = [_signal.signal(_SIGNAL, _interrupted)]
            _watches.append(self)
        _thread.start_new_thread(self._look_on, ())

    def end(self) -> None:
        """Let the thread end."""
        self._over.release()
        if self._by_signal:
            _watches.remove(self)
            if not _watches:
                _signal.signal(_SIGNAL, _before.pop())

    def _look_on(self) -> None:
        steps = self._scheduler.steps
        while not _acquire(self._over, True, self._seconds):
            if steps == self._scheduler.steps and not self._debugging():
                self._bark()
            steps = self._scheduler.steps

    def _debugging(self) -> bool:
        frame = sys._current_frames().get(self._watched)
        while frame is not None:
            if str(frame.f_globals.get("__name__", "")).partition(".")[0] in _DEBUGGERS:
                return True
            frame = frame.f_back
        return False

    def _bark(self) -> None:
        report = stacks(self._scheduler, sys._current_frames().get(self._watched))
        print(f"{self._words()}\n{report}", file=sys.__stderr__, flush=True)
        if self._by_signal:
            self._barks = True
            signal.pthread_kill(self._watched, _SIGNAL)
        else:
            # Raised when its next bytecode runs; a hanging call is not interrupted.
            ctypes.pythonapi.PyThreadState_SetAsyncExc(
                ctypes.c_ulong(self._watched), ctypes.py_object(Stuck)
            )

    def _words(self) -> str:
        return f"no task of the world has run for {self._seconds:g} s of the wall clock"

    def interrupt(self) -> None:
        """In the world's thread: raise what there is to be told, if this one has told it."""
        if not self._barks:
            return
        self._barks = False
        scheduler = self._scheduler
        running = scheduler.current.name
        raise Stuck(
            f"{self._words()}: {running!r} computes, or hangs in a call of the real system; "
            f"world.patch(watchdog=...) allows longer, None for ever; {scheduler.report()}"
        )


# Those of the main thread, which need not end in order, and the handler that was there before.
_watches: list[_Watch] = []
_before: list[Any] = []


def _interrupted(number: int, frame: object) -> None:
    for watch in _watches:
        watch.interrupt()


def stacks(scheduler: Scheduler, running: FrameType | None) -> str:
    """The stack of every task, the innermost call last."""
    parts = []
    for task in (scheduler.main, *scheduler.tasks):
        frame: Any = running
        if task is not scheduler.current:
            frame = None if task.greenlet is None else task.greenlet.gr_frame
        lines = traceback.format_stack(frame) if frame is not None else ["  (has not begun)\n"]
        parts.append(f"{task!r}:\n" + "".join(lines))
    return "".join(parts)


@contextmanager
def watch(scheduler: Scheduler, seconds: float | None) -> Iterator[None]:
    """Watch the world of a scheduler within a block; None: do not."""
    if seconds is None:
        yield
        return
    watched = _Watch(scheduler, seconds)
    watched.begin()
    try:
        yield
    finally:
        watched.end()
