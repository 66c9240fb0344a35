"""What code keeps for each thread, when threads are tasks that share one thread.

An event loop notes for its thread that it runs, hooks itself into the interpreter, answers Ctrl-C.
Several loops in one world take turns in the same thread of the operating system: what each has
noted is put aside whenever another task runs, and brought back when it runs again.

Not kept apart: what nobody names here, such as a library's own `threading.local`.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import attrs

if TYPE_CHECKING:
    from simnet.tasks import Keeper, SimTask


@attrs.frozen(eq=False)
class Thing:
    """Something that there is once for each thread: how to read and write it, what others see."""

    read: Callable[[], Any]
    write: Callable[[Any], object]
    outside: Any


def local(values: threading.local) -> Thing:
    """A thread-local object, of which others see nothing."""
    # In a patched program it belongs to the task already, and another one is current by the time
    # that this one is left: so it is asked for its values now.
    here = vars(values)

    def write(items: dict[str, Any]) -> None:
        here.clear()
        here.update(items)

    return Thing(here.copy, write, {})


ASYNC_GENERATORS = Thing(
    sys.get_asyncgen_hooks, lambda hooks: sys.set_asyncgen_hooks(*hooks), (None, None)
)


class TaskKeeper:
    """Keeps some things apart for one task, on top of what was kept apart for it already."""

    def __init__(self, task: SimTask, *things: Thing) -> None:
        self._task = task
        self._things = things
        self._beneath: Keeper | None = None
        self._aside: list[Any] = []

    def begin(self) -> None:
        """From now on."""
        self._beneath, self._task.keeper = self._task.keeper, self

    def end(self) -> None:
        """Not any more; others may have begun since, and go on."""
        above = self._task.keeper
        if above is self:
            self._task.keeper = self._beneath
        while isinstance(above, TaskKeeper):
            if above._beneath is self:
                above._beneath = self._beneath
            above = above._beneath

    def leave(self) -> None:
        """Another task is about to run."""
        self._aside = [thing.read() for thing in self._things]
        for thing in self._things:
            thing.write(thing.outside)
        if self._beneath is not None:
            self._beneath.leave()

    def enter(self) -> None:
        """This one runs again."""
        if self._beneath is not None:
            self._beneath.enter()
        for thing, value in zip(self._things, self._aside, strict=True):
            thing.write(value)
