"""Where something stands in a file, and what is wrong there."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

import attrs


@attrs.frozen(order=True)
class Place:
    """A character of a file; line and column count from 1, as editors do."""

    path: str
    line: int = 1
    column: int = 1

    def __str__(self) -> str:
        return f"{self.path}:{self.line}:{self.column}"


@attrs.frozen
class Mistake:
    """One thing that is wrong with a file: where, and what was expected."""

    where: Place
    text: str

    def __str__(self) -> str:
        return f"{self.where}: {self.text}"


class Malformed(ValueError):
    """A scenario file that cannot be understood, with everything that is wrong with it."""

    def __init__(self, mistakes: Iterable[Mistake]) -> None:
        self.mistakes = sorted(set(mistakes), key=lambda mistake: (mistake.where, mistake.text))
        super().__init__("\n".join(map(str, self.mistakes)))


class Skip(Exception):
    """A part of a file is wrong and its mistake is noted; go on with the next."""


def nearest(word: str, right_words: Iterable[str]) -> str:
    """`; did you mean 'X'?` with the nearest right word, or nothing where none is near."""
    by_folded = {right.casefold(): right for right in right_words}
    close = difflib.get_close_matches(word.casefold(), by_folded, n=1)
    return f"; did you mean '{by_folded[close[0]]}'?" if close else ""


def one_of(words: Iterable[str]) -> str:
    """`a, b or c`."""
    *most, last = words
    return f"{', '.join(most)} or {last}" if most else last
