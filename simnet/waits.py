"""Who waits for what, and where: the report of a world's tasks.

It names each task with its host, its call, what it waits for and its line, and circles among tasks
that hold locks of one another.
"""

from __future__ import annotations

from types import FrameType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from simnet.scheduler import Scheduler
    from simnet.tasks import SimTask

# Modules whose frames a report leaves out: it names the line of the user's code.
_HIDDEN = "simnet."
# The standard library's, over simulated locks.
_THREADING = "simnet.stdlib_threading"


def outside(frame: FrameType | None) -> FrameType | None:
    """The innermost frame from there on that is not the simulator's own."""
    while frame is not None and str(frame.f_globals.get("__name__", "")).startswith(_HIDDEN):
        frame = frame.f_back
    return frame


def report(scheduler: Scheduler, running: FrameType | None) -> str:
    """Every task of a world, one line each; the one that runs only if its frame is given."""
    tasks = (scheduler.main, *scheduler.tasks)
    frames = {task: task.stack() for task in tasks}
    if running is None:
        del frames[scheduler.current]
    else:
        frames[scheduler.current] = running
    lines = [f"at {scheduler.clock.now_ns / 1e9:g} s:"]
    lines += [f"  {_describe(task, frame)}" for task, frame in frames.items()]
    for task in scheduler.failed:
        lines.append(f"  (task {task.name!r} has ended: {task.exception_text()})")
    lines += [f"  locked in a circle: {circle}" for circle in _circles(frames)]
    return "\n".join(lines)


def _describe(task: SimTask, innermost: FrameType | None) -> str:
    where = f" on host {task.host.name!r}" if task.host is not None else ""
    frame = outside(innermost)
    line = ""
    if frame is not None:
        line = f", at {frame.f_code.co_filename}:{frame.f_lineno} in {frame.f_code.co_name}"
    if task.waiting is None:
        return f"{task.name!r}{where}: runs{line}"
    call, subject = task.waiting
    about = "" if subject is None else f" {subject!r}"
    return f"{task.name!r}{where}: {call}{about}{line}"


def _circles(frames: dict[SimTask, FrameType | None]) -> list[str]:
    """Tasks that wait for locks of one another, as 'a' -> 'b' -> 'a'."""
    found: list[str] = []
    seen: set[SimTask] = set()
    for task in frames:
        chain: list[SimTask] = []
        following: SimTask | None = task
        while following is not None and following not in seen:
            seen.add(following)
            chain.append(following)
            subject = following.waiting[1] if following.waiting is not None else None
            following = getattr(subject, "holder", None)
        if following in chain:
            circle = [*chain[chain.index(following) :], following]
            if len(circle) > 2 or not _waits_for_notification(frames.get(task)):
                found.append(" -> ".join(repr(each.name) for each in circle))
    return found


def _waits_for_notification(frame: FrameType | None) -> bool:
    """Whether it waits as Condition.wait does: taking a lock of its own that others release."""
    while frame is not None and str(frame.f_globals.get("__name__", "")).startswith(_HIDDEN):
        if frame.f_globals["__name__"] == _THREADING and frame.f_code.co_name == "wait":
            return True
        frame = frame.f_back
    return False
