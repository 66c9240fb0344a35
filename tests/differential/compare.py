"""Run a program on two backends, find the first step that differs, and shorten the program.

A stalled machine can make the kernel answer differently from one run to the next (a delayed
acknowledgement, another process's port). That is handled here and nowhere else: a difference counts
only if no re-run of the program, on fresh networks, makes the backends agree.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from importlib.metadata import entry_points
from typing import Any

import attrs

from simnet.api import Network
from tests.differential.program import Data, Outcome, Step, run_program
from tests.differential.render import render

RERUNS = 5

Factory = Callable[[], Network]
Steps = tuple[Step, ...]


@cache
def factory(name: str) -> Factory:
    """What makes a fresh network of the backend that a package registered under this name."""
    (entry,) = entry_points(group="simnet.backends", name=name)
    made: Factory = entry.load()
    return made


@attrs.frozen
class Pair:
    """The backend under test and the referee, by a name to print and a way to make each."""

    subject: str
    referee: str
    make_subject: Factory
    make_referee: Factory

    @classmethod
    def named(cls, subject: str, referee: str) -> Pair:
        """Two registered backends."""
        return cls(subject, referee, factory(subject), factory(referee))


@attrs.frozen
class Difference:
    """A program whose last step gave one thing on the subject and another on the referee."""

    pair: Pair
    steps: Steps
    subject: tuple[Outcome, ...]
    referee: tuple[Outcome, ...]

    def source(self) -> str:
        """The program as Python that runs on either backend, the last step marked."""
        return render(
            self.steps,
            self.referee,
            {
                self.pair.subject + " (subject)": self.subject[-1],
                self.pair.referee: self.referee[-1],
            },
        )


def first_difference(pair: Pair, steps: Steps) -> Difference | None:
    """Run once on each; the program up to the first step that differs, if one does."""
    subject = run_program(pair.make_subject(), steps)
    referee = run_program(pair.make_referee(), steps)
    for index, (ours, theirs) in enumerate(zip(subject, referee, strict=True)):
        if ours != theirs:
            end = index + 1
            return Difference(pair, steps[:end], tuple(subject[:end]), tuple(referee[:end]))
    return None


def lasting_difference(pair: Pair, steps: Steps) -> Difference | None:
    """The first difference, if it is there in every one of several runs."""
    found = first_difference(pair, steps)
    for _ in range(RERUNS):
        if found is None:
            return None
        found = first_difference(pair, found.steps)
    return found


def shortest(difference: Difference) -> Difference:
    """Drop and simplify steps for as long as a difference stays."""
    best, tried = difference, True
    while tried:
        tried = False
        for index in reversed(range(len(best.steps))):
            if index >= len(best.steps):
                continue
            for candidate in _smaller(best.steps, index):
                found = lasting_difference(best.pair, candidate)
                if found is not None:
                    best, tried = found, True
                    break
    return best


def _smaller(steps: Steps, index: int) -> list[Steps]:
    """Without one step; without it and what depends on it; on another socket; plainer in it."""
    step = steps[index]
    candidates = [
        steps[:index] + steps[index + 1 :],
        _without(steps, index),
        *((*steps[:index], other, *steps[index + 1 :]) for other in _elsewhere(steps, index)),
        *((*steps[:index], other, *steps[index + 1 :]) for other in _plainer(step)),
    ]
    return [candidate for candidate in dict.fromkeys(candidates) if _sound(candidate)]


def _without(steps: Steps, index: int) -> Steps:
    """The program without a step and without what needs a variable of it, and so on."""
    gone = set(steps[index].into)
    kept = []
    for step in steps[index + 1 :]:
        if step.needs() & gone:
            gone.update(step.into)
        else:
            kept.append(step)
    return (*steps[:index], *kept)


def _elsewhere(steps: Steps, index: int) -> list[Step]:
    """The step on a socket that was made earlier than its own; an epoll object has no equal."""
    step, earlier = steps[index], [each for each in steps[:index] if each.call != "epoll"]
    made = [name for each in earlier for name in each.into]
    if step.on not in made:
        return []
    return [attrs.evolve(step, on=name) for name in made[: made.index(step.on)]]


def _plainer(step: Step) -> list[Step]:
    """The step with a number halved or cleared, or with less data."""
    results: list[Step] = []
    for place, arg in enumerate(step.args):
        for value in _plainer_values(step.call, arg):
            args = (*step.args[:place], value, *step.args[place + 1 :])
            results.append(attrs.evolve(step, args=args))
    return results


def _plainer_values(call: str, arg: Any) -> list[Any]:
    if isinstance(arg, Data) and arg.size > 1:
        return [attrs.evolve(arg, size=1), attrs.evolve(arg, size=arg.size // 2)]
    if call in {"recv", "recvfrom", "recvmsg", "recv_into", "send", "sendall"} and (
        isinstance(arg, int) and arg > 1
    ):
        return [0]
    return []


def _sound(steps: Steps) -> bool:
    """Whether every variable is made before it is used, and something is left."""
    made: set[str] = set()
    for step in steps:
        if not step.needs() <= made:
            return False
        made.update(step.into)
    return bool(steps)
