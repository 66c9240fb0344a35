"""Where choices come from: named streams, each apart from the others.

By default a seed derives them. Only `random.Random.getrandbits` is used: its output is the same on
every supported Python version. A `Source` may decide in the seed's place (a recorded list, a
Hypothesis `data` object: sources.py); numbers that only tell things apart (ports, sequence numbers)
are always the seed's.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from typing import Protocol

import attrs


@attrs.frozen
class Option:
    """One of the tasks among which a scheduler chooses, and what it is about to do."""

    task: int
    name: str
    # The call; None before its first.
    call: str | None = None

    def __str__(self) -> str:
        return f"{self.name!r} " + ("begins" if self.call is None else f"in {self.call}")


# Each with what its call is a call of.
Options = Sequence[tuple[Option, object]]


@attrs.frozen
class Question:
    """A choice that is to be made: in which stream, and among how many."""

    stream: str
    count: int
    # Of a scheduler: the tasks to choose among, and whether the first of them was running.
    options: tuple[Option, ...] = ()
    running: bool = False
    # What the options' calls are calls of. A decision does not keep them: they keep their world.
    subjects: tuple[object, ...] = ()

    def answered(self, choice: int) -> Decision:
        """As it was decided."""
        return Decision(self.stream, self.count, choice, self.options, self.running)


@attrs.frozen
class Decision:
    """One choice that was made; 0 is the plainest."""

    stream: str
    count: int
    choice: int
    options: tuple[Option, ...] = ()
    running: bool = False

    def __str__(self) -> str:
        if not self.options:
            return f"{self.stream}: {self.choice} of {self.count}"
        chosen = self.options[self.choice]
        others = [str(each) for each in self.options if each is not chosen]
        how = "goes on" if self.running and not self.choice else "runs"
        return f"{chosen} {how}, not {' or '.join(others)}"


class Source(Protocol):
    """Decides in the place of the seed."""

    def begin(self, end_run: Callable[[BaseException], None]) -> None:
        """A world begins; `end_run` ends its run with an exception, whichever task runs."""

    def choose(self, question: Question, by_seed: Callable[[], int]) -> int:
        """An integer in range(question.count); `by_seed` says what the seed would choose."""


class Stream:
    """The choices of one consumer, by a seed."""

    def __init__(self, seed: object, name: str) -> None:
        # Seeding with a string goes through SHA-512, which no hash seed can change.
        self._bits = random.Random(f"{seed}/{name}").getrandbits

    def below(self, count: int) -> int:
        """An integer in range(count); 0 is the plainest choice."""
        width = count.bit_length()
        value = self._bits(width)
        while value >= count:
            value = self._bits(width)
        return value

    def decide(
        self, by_policy: Callable[[], int], options: Callable[[], Options], running: bool
    ) -> int:
        """Which of some options, by a policy; of a running task, the first is to go on."""
        return by_policy()

    def chance(self, probability: float) -> bool:
        """Whether something of that probability happens; 0 bits mean that it does not."""
        return self._bits(32) >= round((1 - probability) * 2**32)

    def bits(self, width: int) -> int:
        """An integer of that many random bits."""
        return self._bits(width)


class DecidedStream(Stream):
    """The choices of one consumer, by a source."""

    def __init__(self, seed: object, name: str, source: Source) -> None:
        super().__init__(seed, name)
        self._name = name
        self._source = source

    def below(self, count: int) -> int:
        if count == 1:
            return 0
        return self._choose(count, lambda: Stream.below(self, count))

    def decide(
        self, by_policy: Callable[[], int], options: Callable[[], Options], running: bool
    ) -> int:
        among, subjects = zip(*options(), strict=True)
        question = Question(self._name, len(among), among, running, subjects)
        return self._source.choose(question, by_policy)

    def chance(self, probability: float) -> bool:
        if probability in (0, 1):
            return bool(probability)
        by_seed = super().chance
        return bool(self._choose(2, lambda: int(by_seed(probability))))

    def bits(self, width: int) -> int:
        return self._choose(1 << width, lambda: self._bits(width))

    def _choose(self, count: int, by_seed: Callable[[], int]) -> int:
        return self._source.choose(Question(self._name, count), by_seed)


class Decisions:
    """The streams of one world, by name."""

    def __init__(self, seed: object, source: Source | None = None) -> None:
        self.seed = seed
        self.source = source
        self._streams: dict[str, Stream] = {}

    def stream(self, name: str) -> Stream:
        """The decisions of that name; the same object each time."""
        if name not in self._streams:
            if self.source is None:
                self._streams[name] = Stream(self.seed, name)
            else:
                self._streams[name] = DecidedStream(self.seed, name, self.source)
        return self._streams[name]

    def numbers(self, name: str) -> Stream:
        """Random numbers of that name that decide nothing: always the seed's."""
        if name not in self._streams:
            self._streams[name] = Stream(self.seed, name)
        return self._streams[name]
