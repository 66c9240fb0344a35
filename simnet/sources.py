"""Who may decide in the seed's place: a record of an earlier run, or Hypothesis.

Both say only where a run deviates from the plainest one: stream -> place in it (0, 1, 2, ...) ->
choice, all but the plainest. A run may be longer or shorter than a record, and have fewer to choose
among at a place: then the last of them is chosen.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any

from simnet.decisions import Decision, Question

if TYPE_CHECKING:
    from hypothesis.strategies import DataObject, SearchStrategy

# Stream -> place in it -> choice: what is not named is the plainest.
Deviations = Mapping[str, Mapping[int, int]]
_PLAINEST: Mapping[int, int] = {}


class BySeed:
    """Lets the seed decide, and keeps what it decided."""

    def __init__(self) -> None:
        self.log: list[Decision] = []

    def begin(self, end_run: Callable[[BaseException], None]) -> None:
        """The seed can always decide."""

    def choose(self, question: Question, by_seed: Callable[[], int]) -> int:
        """What the seed chooses."""
        choice = self._decide(question, by_seed)
        self.log.append(question.answered(choice))
        return choice

    def _decide(self, question: Question, by_seed: Callable[[], int]) -> int:
        return by_seed()


class Recorded(BySeed):
    """Decides as an earlier run did."""

    def __init__(self, choices: Deviations | Iterable[Decision]) -> None:
        super().__init__()
        self._record = choices if isinstance(choices, Mapping) else by_stream(choices)
        for stream, plan in self._record.items():
            _check(stream, plan)
        self._places = _Places()

    def _decide(self, question: Question, by_seed: Callable[[], int]) -> int:
        place = self._places.next(question.stream)
        choice = self._record.get(question.stream, _PLAINEST).get(place, 0)
        return min(choice, question.count - 1)


def _check(stream: str, plan: object) -> None:
    if not isinstance(plan, Mapping):
        raise TypeError(f"choices of {stream!r} are a mapping of places to choices, not {plan!r}")
    for each in (number for pair in plan.items() for number in pair):
        if not isinstance(each, int) or each < 0:
            raise ValueError(f"places and choices of {stream!r} are integers from 0, not {each!r}")


class Drawn(BySeed):
    """Hypothesis decides: it draws how each stream deviates, and shrinks toward the plainest run.

    It draws plans (plans.py), not choices: a few draws for each stream, and one or two more for
    each deviation.
    """

    def __init__(self, data: DataObject) -> None:
        # Here: who does not use it need not have Hypothesis.
        from simnet.plans import Plan

        super().__init__()
        self._data = data
        self._new_plan = Plan
        self._plans: dict[str, Plan] = {}
        self._places = _Places()
        self._end_run: Callable[[BaseException], None] | None = None
        self._ended = False

    def begin(self, end_run: Callable[[BaseException], None]) -> None:
        """Hypothesis may have had enough at any draw, which is not for the task that decides."""
        self._end_run = end_run

    def _decide(self, question: Question, by_seed: Callable[[], int]) -> int:
        if self._ended:
            return 0
        plan = self._plans.get(question.stream)
        if plan is None:
            plan = self._plans[question.stream] = self._new_plan(self._draw)
        try:
            return plan.choice(self._places.next(question.stream), question)
        except BaseException as enough:
            if self._end_run is None:
                raise
            self._ended = True
            self._end_run(enough)
            return 0

    def _draw(self, strategy: SearchStrategy[Any], label: str) -> Any:
        return self._data.draw(strategy, label=label)


class _Places:
    """Counts the choices of each stream."""

    def __init__(self) -> None:
        self._next: dict[str, int] = {}

    def next(self, stream: str) -> int:
        """The place of the choice that is made now."""
        place = self._next.get(stream, 0)
        self._next[stream] = place + 1
        return place


def by_stream(decisions: Iterable[Decision]) -> dict[str, dict[int, int]]:
    """The choices of each stream by their places, all but the plainest."""
    choices: dict[str, dict[int, int]] = {}
    places = _Places()
    for decision in decisions:
        place = places.next(decision.stream)
        if decision.choice:
            choices.setdefault(decision.stream, {})[place] = decision.choice
    return choices
