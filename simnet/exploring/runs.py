"""One run of an explored program: its decisions, and how it ended."""

from __future__ import annotations

import traceback
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import attrs

from simnet import switch_points
from simnet.decisions import Decision
from simnet.policies import Policy
from simnet.sources import BySeed, Recorded
from simnet.world import World

Program = Callable[[World], object]
# Frames of these packages are not where a program fails.
_OURS = "simnet"


@attrs.frozen
class Run:
    """One run: the seed of its world, what was decided, and the exception that ended it, if any."""

    seed: int | str
    decisions: tuple[Decision, ...] = attrs.field(repr=False)
    steps: int
    virtual_seconds: float
    failure: BaseException | None = attrs.field(default=None, eq=False)

    @property
    def failed(self) -> bool:
        """Whether an exception ended it."""
        return self.failure is not None

    @property
    def signature(self) -> str:
        """In which way it failed: the exception and the line of the program; "" if it passed."""
        if self.failure is None:
            return ""
        name = type(self.failure).__name__
        place = _place(self.failure)
        return f"{name} at {place}" if place else name


def _place(failure: BaseException) -> str:
    """The innermost line that is not the simulator's."""
    found = ""
    for frame, line in traceback.walk_tb(failure.__traceback__):
        if str(frame.f_globals.get("__name__", "")).partition(".")[0] != _OURS:
            file = frame.f_code.co_filename.rpartition("/")[2]
            found = f"{file}:{line} in {frame.f_code.co_name}"
    return found


def run(
    program: Program, seed: int | str, policy: Policy | None, source: BySeed, options: Any
) -> Run:
    """Run a program once in a new world, which is closed afterwards."""
    failure: BaseException | None = None
    world = World(seed, decisions=source, policy=policy, **options)
    with world, switch_points.installed():
        try:
            program(world)
            failure = _unseen(world)
        except Exception as error:
            failure = error
        steps, now = world.scheduler.steps, world.now
    return Run(seed, tuple(source.log), steps, now, failure)


def _unseen(world: World) -> BaseException | None:
    """The exception of a task that nobody asked for."""
    for task in world.scheduler.failed:
        failure = task.unseen_exception()
        if failure is not None:
            return failure
    return None


def replay(
    program: Program,
    decisions: Mapping[str, Sequence[int]] | Iterable[Decision],
    *,
    seed: int | str = 0,
    policy: Policy | None = None,
    **options: Any,
) -> Run:
    """Run a program as an earlier run decided; `policy` and `options` as in that run."""
    return run(program, seed, policy, Recorded(decisions), options)
