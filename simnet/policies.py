"""Who runs next: policies of the scheduler.

Without a policy a world lets the seed pick, evenly, among the tasks that are ready, and a task runs
until it has to wait. A policy may also be asked before every call that others could notice (switch
points: switch_points.py), and let another task run there.

* `Fifo`: the first to become ready; never at a switch point.
* `Uniform`: evenly, at switch points too.
* `Pct`: priorities, which change a few times (Burckhardt, Kothari, Musuvathi, Nagarakatte: A
  Randomized Scheduler with Probabilistic Guarantees of Finding Bugs, ASPLOS 2010): a bug that takes
  `depth` ordering constraints among n tasks in k steps is found with probability 1/(n k^(depth-1)).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Protocol, cast

import attrs

from simnet.decisions import Stream

if TYPE_CHECKING:
    from simnet.tasks import SimTask


class Picker(Protocol):
    """A policy at work in one world."""

    preempts: bool
    """Whether it is asked at switch points."""

    def pick(self, tasks: Sequence[SimTask], running: bool) -> int:
        """Which of the tasks runs; if one is running, it is the first."""

    def gives_way(self, task: SimTask) -> None:
        """A task found nothing to do, and will try again."""


class Policy(Protocol):
    """How the scheduler of a world picks."""

    def start(self, numbers: Stream) -> Picker:
        """Begin in a world, with random numbers of its seed."""


@attrs.frozen
class Fifo:
    """The first to become ready runs, until it has to wait: the plainest schedule."""

    def start(self, numbers: Stream) -> Picker:
        return _First()


class _First:
    preempts = False

    def pick(self, tasks: Sequence[SimTask], running: bool) -> int:
        return 0

    def gives_way(self, task: SimTask) -> None:
        """It stands behind the others already."""


@attrs.frozen
class Uniform:
    """Any task that is ready, with equal chances, also in the place of one that is running."""

    def start(self, numbers: Stream) -> Picker:
        return _Even(numbers)


class _Even:
    preempts = True

    def __init__(self, numbers: Stream) -> None:
        self._numbers = numbers

    def pick(self, tasks: Sequence[SimTask], running: bool) -> int:
        return self._numbers.below(len(tasks))

    def gives_way(self, task: SimTask) -> None:
        """Chances stay equal."""


def _positive(instance: object, attribute: attrs.Attribute[int], value: int) -> None:
    if not isinstance(value, int) or value < 1:
        raise ValueError(f"{attribute.name} is a whole number from 1 on, not {value!r}")


@attrs.frozen
class Pct:
    """The task of the highest priority; priorities are random, and change at `depth` - 1 steps.

    `steps`: how many picks a run has, about; the changes fall among so many.
    """

    depth: int = attrs.field(default=3, validator=_positive)
    steps: int = attrs.field(default=100, validator=_positive)

    def start(self, numbers: Stream) -> Picker:
        return _ByPriority(numbers, self.depth, self.steps)


class _ByPriority:
    preempts = True

    def __init__(self, numbers: Stream, depth: int, steps: int) -> None:
        self._numbers = numbers
        # At which steps the running task falls to a priority below all others, one for each change.
        self._changes = {numbers.below(steps) + 1: lowered for lowered in range(depth - 1)}
        self._lowest = 0
        self._step = 0
        self._priorities: dict[int, int] = {}

    def pick(self, tasks: Sequence[SimTask], running: bool) -> int:
        self._step += 1
        for task in tasks:
            if task.number not in self._priorities:
                self._priorities[task.number] = self._numbers.bits(32)
        if running and self._step in self._changes:
            self.gives_way(tasks[0])
        priorities = [self._priorities[task.number] for task in tasks]
        return priorities.index(max(priorities))

    def gives_way(self, task: SimTask) -> None:
        self._lowest -= 1
        self._priorities[task.number] = self._lowest


_KINDS: dict[str, Any] = {"fifo": Fifo, "uniform": Uniform, "pct": Pct}
_WRITTEN = re.compile(r"(\w+)\s*(?:\(([^()]*)\))?")


def read(text: str) -> Policy:
    """The policy of a text: "fifo", "uniform", "pct" or "pct(3, 100)"; ValueError for another."""
    found = _WRITTEN.fullmatch(text.strip())
    kind = _KINDS.get(found[1].lower()) if found is not None else None
    if found is None or kind is None:
        raise ValueError(f"expected {', '.join(_KINDS)} or 'pct(DEPTH, STEPS)', found {text!r}")
    numbers = [each.strip() for each in (found[2] or "").split(",") if each.strip()]
    try:
        policy: Policy = kind(*map(int, numbers))
    except (TypeError, ValueError) as error:
        raise ValueError(f"{text!r} is no policy: {error}") from None
    return policy


def write(policy: Policy) -> str:
    """The text of a policy; ValueError for one that has none."""
    for name, kind in _KINDS.items():
        if type(policy) is kind:
            numbers = attrs.astuple(cast(Any, policy))
            return f"{name}({', '.join(map(str, numbers))})" if numbers else name
    raise ValueError(f"{policy!r} cannot be written: only {', '.join(_KINDS)} can")
