"""One run of an explored program: its decisions, and how it ended."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import attrs

from simnet import failures, switch_points
from simnet.decisions import Decision
from simnet.policies import Fifo, Policy, Uniform
from simnet.sources import BySeed, Deviations, Recorded
from simnet.world import World

Program = Callable[[World], object]


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
        return "" if self.failure is None else failures.signature(self.failure)

    def __str__(self) -> str:
        ended = "it passed"
        if self.failure is not None:
            ended = f"{self.signature}: {failures.headline(self.failure)}"
        deviations = [
            f"  decision {number}: {decision}"
            for number, decision in enumerate(self.decisions, 1)
            if decision.choice
        ]
        told = f"{len(self.decisions)} decisions, {len(deviations)} of them not the plainest"
        return "\n".join([ended, f"seed {self.seed}, {told}" + ":" * bool(deviations), *deviations])


def run(
    program: Program, seed: int | str, policy: Policy | str | None, source: BySeed, options: Any
) -> Run:
    """Run a program once in a new world, which is closed afterwards."""
    failure: BaseException | None = None
    world = World(seed, decisions=source, policy=policy, **options)
    try:
        program(world)
        world.raise_unseen()
    except Exception as error:
        failure = error
    finally:
        steps, now = world.scheduler.steps, world.now
        # What a run leaves open where it ends, servers above all, is no reason to warn.
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ResourceWarning)
            world.close()
    return Run(seed, tuple(source.log), steps, now, failure)


def in_a_row(policy: Policy | str | None) -> AbstractContextManager[None]:
    """Between runs in this block, methods stay wrapped as switch points (switch_points.py)."""
    never = policy is None or policy == "fifo" or isinstance(policy, Fifo)
    return nullcontext() if never else switch_points.installed()


def replay(
    program: Program,
    decisions: Deviations | Iterable[Decision],
    *,
    seed: int | str = 0,
    policy: Policy | str | None = None,
    **options: Any,
) -> Run:
    """Run a program as an earlier run decided; `seed`, `policy` and `options` as in that run.

    The policy says where it was asked: left out, it is Uniform(), as in `simnet.explore`.
    """
    return run(program, seed, policy or Uniform(), Recorded(decisions), options)
