"""Who may decide in the seed's place: a record of an earlier run, or Hypothesis.

A record has the choices of each stream in their order. A run that is replayed after a change of the
program may ask for more, or among fewer: then the plainest choice is made, or the last one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

from simnet.decisions import Decision, Option

if TYPE_CHECKING:
    from hypothesis.strategies import DataObject


class BySeed:
    """Lets the seed decide, and keeps what it decided."""

    def __init__(self) -> None:
        self.log: list[Decision] = []

    def begin(self, end_run: Callable[[BaseException], None]) -> None:
        """The seed can always decide."""

    def choose(
        self,
        stream: str,
        count: int,
        by_seed: Callable[[], int],
        options: tuple[Option, ...] = (),
        running: bool = False,
    ) -> int:
        """What the seed chooses."""
        choice = self._decide(stream, count, by_seed)
        self.log.append(Decision(stream, count, choice, options, running))
        return choice

    def _decide(self, stream: str, count: int, by_seed: Callable[[], int]) -> int:
        return by_seed()


class Recorded(BySeed):
    """Decides as an earlier run did."""

    def __init__(self, choices: Mapping[str, Sequence[int]] | Iterable[Decision]) -> None:
        super().__init__()
        if not isinstance(choices, Mapping):
            choices = by_stream(choices)
        self._left = {stream: iter(listed) for stream, listed in choices.items()}

    def _decide(self, stream: str, count: int, by_seed: Callable[[], int]) -> int:
        return min(next(self._left.get(stream, iter(())), 0), count - 1)


class Drawn(BySeed):
    """Hypothesis decides: a choice is a draw, and shrinks toward the plainest."""

    def __init__(self, data: DataObject) -> None:
        # Here: who does not use it need not have it.
        from hypothesis.strategies import integers

        self._integers = integers
        super().__init__()
        self._data = data
        self._end_run: Callable[[BaseException], None] | None = None
        self._ended = False

    def begin(self, end_run: Callable[[BaseException], None]) -> None:
        """Hypothesis may have had enough at any draw, which is not for the task that decides."""
        self._end_run = end_run

    def _decide(self, stream: str, count: int, by_seed: Callable[[], int]) -> int:
        if self._ended:
            return 0
        try:
            return self._data.draw(self._integers(0, count - 1))
        except BaseException as enough:
            if self._end_run is None:
                raise
            self._ended = True
            self._end_run(enough)
            return 0


def by_stream(decisions: Iterable[Decision]) -> dict[str, list[int]]:
    """The choices of each stream, in their order; zeros at the end need no saying."""
    choices: dict[str, list[int]] = {}
    for decision in decisions:
        choices.setdefault(decision.stream, []).append(decision.choice)
    for listed in choices.values():
        while listed and not listed[-1]:
            listed.pop()
    return {stream: listed for stream, listed in choices.items() if listed}
