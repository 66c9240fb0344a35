"""Tasks: threads of control in a world, each a greenlet that its scheduler runs.

With the scheduler the only module that knows greenlets.
"""

from __future__ import annotations

import ctypes
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import TYPE_CHECKING, Any, NoReturn, Protocol

from greenlet import GreenletExit, getcurrent, greenlet

from simnet import api, waits
from simnet.readiness import EVERYTHING, Pollable

if TYPE_CHECKING:
    from simnet.host import Host
    from simnet.scheduler import Scheduler

# What ends a task where it stands: it passes through the code in it, and is no failure.
TaskExit = GreenletExit
# So often is a task told to end; each wait in a `finally` is one more.
ENDINGS = 100


class Keeper(Protocol):
    """Something that is kept for each thread, and has to be kept for each task instead."""

    def leave(self) -> None:
        """Another task is about to run."""

    def enter(self) -> None:
        """This one runs again."""


class SimTask(api.Task):
    """A thread of control in a world."""

    def __init__(self, scheduler: Scheduler, name: str, host: Host | None, number: int) -> None:
        self.name = name
        # Which it is in its world, in the order of their beginning; the main one is 0.
        self.number = number
        self.host = host
        self.greenlet: greenlet | Unstarted | None = None
        # As a waiter: which readiness bits it waits for, and whether it is one blocked call.
        self.mask = EVERYTHING
        self.exclusive = False
        self.scheduled = False
        # What it waits for, for reports: a call and its object.
        self.waiting: tuple[str, object] | None = None
        # The call that it is in, of those that are switch points while there are any, and of what.
        self.calling: tuple[str, object] | None = None
        self.scheduler = scheduler
        self._ended = _Ended()
        self._value: Any = None
        self._exception: BaseException | None = None
        self._exception_seen = False
        # Raised in it when it runs next, or called if it is a function.
        self.interruption: BaseException | Callable[[], object] | None = None
        # What the code in it keeps for its thread, to be put aside while others run.
        self.keeper: Keeper | None = None
        # It is being ended: it may clean up, but not wait any more.
        self.ending = False
        # How often it was told.
        self.endings = 0

    @property
    def in_line(self) -> bool:
        return self.exclusive

    def wake(self, bits: int) -> None:
        """Let it run again; it looks for itself what has changed."""
        if not self.scheduled:
            self.scheduled = True
            self.scheduler.ready.append(self)

    def wake_now(self) -> None:
        """As a timer's callback."""
        self.wake(EVERYTHING)

    @property
    def done(self) -> bool:
        return self._ended.happened

    def join(self, timeout: float | None = None) -> bool:
        deadline = None if timeout is None else self.scheduler.deadline(timeout)
        while not self.done:
            if not self.scheduler.wait(self._ended, EVERYTHING, deadline, "join", self):
                return self.done
        return True

    def result(self, timeout: float | None = None) -> Any:
        if not self.join(timeout):
            raise TimeoutError("timed out")
        if self._exception is not None:
            self._exception_seen = True
            raise self._exception
        return self._value

    @property
    def failed(self) -> bool:
        """Whether an exception ended it."""
        return self._exception is not None

    def exception_text(self) -> str:
        """The exception that ended it, on one line."""
        return "".join(traceback.format_exception_only(self._exception)).strip()

    def unseen_exception(self) -> BaseException | None:
        """The exception that ended it, unless somebody has asked for it; then it counts as seen."""
        if self._exception_seen:
            return None
        self._exception_seen = True
        return self._exception

    def run(self, function: Callable[..., Any], args: tuple[Any, ...]) -> None:
        """The body of its greenlet."""
        self.scheduled = False
        try:
            self._value = function(*args)
        except HostStopped:
            pass
        except GreenletExit:
            # The world is closed or was collected: end without a word.
            self._ended.happened = True
            return
        except Exception as exc:
            self._exception = exc
        except BaseException as exc:
            # KeyboardInterrupt and its like are for the program, not for who joins the task.
            self._exception = exc
            self._exception_seen = True
            self.scheduler.interrupt_main(exc)
        self.has_ended()
        if not self.ending:
            self.scheduler.task_ended(self)

    def has_ended(self) -> None:
        """Tell those who wait for it."""
        self._ended.happened = True
        self._ended.notify(EVERYTHING)

    def stack(self) -> FrameType | None:
        """Its innermost frame, unless it runs."""
        return self.greenlet.gr_frame if self.greenlet is not None else None

    def frame(self) -> FrameType | None:
        """The innermost frame of the user's code in it."""
        return waits.outside(self.stack())

    def __repr__(self) -> str:
        state = "done" if self.done else self.waiting[0] if self.waiting else "ready"
        return f"<task {self.name!r} {state}>"


class _Ended(Pollable):
    """Whether a task has ended, as something to wait for."""

    __slots__ = ("happened",)

    def __init__(self) -> None:
        super().__init__()
        self.happened = False

    def poll(self) -> int:
        return EVERYTHING if self.happened else 0


class HostStopped(GreenletExit):
    """Ends a task from within, whose host has failed."""


def end(task: SimTask) -> NoReturn:
    """End the running task, which waits although its time has come."""
    task.endings += 1
    if task.endings < ENDINGS:
        raise GreenletExit
    # Its code catches everything and goes on (Twisted's main loop): it is left where it stands, and
    # for ever, since the collector would only try to end it again.
    body = getcurrent()
    ctypes.pythonapi.Py_IncRef(ctypes.py_object(body))
    while True:
        assert body.parent is not None
        body.parent.switch()


@contextmanager
def aside(task: SimTask) -> Iterator[None]:
    """What is kept apart for a task is put aside in a block, in which other code runs."""
    keeper = task.keeper
    if keeper is None:
        yield
        return
    keeper.leave()
    try:
        yield
    finally:
        keeper.enter()


class Unstarted:
    """In the place of the greenlet of a task that has not begun."""

    gr_frame = None

    def __init__(self, task: SimTask, body: greenlet) -> None:
        self.task = task
        self.body = body

    def switch(self) -> None:
        """Begin."""
        self.task.scheduler.starter_of(self).switch()
