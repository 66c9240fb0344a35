"""Who waits for what, and where: the report of a world's tasks.

It names each task with its host, its call, what it waits for and its line, and circles among tasks
that hold locks of one another.
"""

from __future__ import annotations

from types import FrameType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from simnet.scheduler import Scheduler, SimTask

# Modules whose frames a report leaves out: it names the line of the user's code.
_HIDDEN = "simnet."


def outside(frame: FrameType | None) -> FrameType | None:
    """The innermost frame from there on that is not the simulator's own."""
    while frame is not None and str(frame.f_globals.get("__name__", "")).startswith(_HIDDEN):
        frame = frame.f_back
    return frame


def report(scheduler: Scheduler, running: FrameType | None) -> str:
    """Every task of a world, one line each; the one that runs only if its frame is given."""
    tasks = (scheduler.main, *scheduler.tasks)
    lines = [f"at {scheduler.clock.now_ns / 1e9:g} s:"]
    for task in tasks:
        runs = task is scheduler.current
        if not runs or running is not None:
            lines.append(f"  {_describe(task, running if runs else task.frame())}")
    for task in scheduler.failed:
        lines.append(f"  (task {task.name!r} has ended: {task.exception_text()})")
    lines += [f"  locked in a circle: {circle}" for circle in _circles(tasks)]
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


def _circles(tasks: tuple[SimTask, ...]) -> list[str]:
    """Tasks that wait for locks of one another, as 'a' -> 'b' -> 'a'."""
    found: list[str] = []
    seen: set[SimTask] = set()
    for task in tasks:
        chain: list[SimTask] = []
        following: SimTask | None = task
        while following is not None and following not in seen:
            seen.add(following)
            chain.append(following)
            subject = following.waiting[1] if following.waiting is not None else None
            following = getattr(subject, "holder", None)
        if following in chain:
            circle = [*chain[chain.index(following) :], following]
            found.append(" -> ".join(repr(each.name) for each in circle))
    return found
