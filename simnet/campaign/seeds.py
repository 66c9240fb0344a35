"""Which seeds a campaign runs, which of them are left, and how many are handed out at a time."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterable

# What a chunk is meant to take: long enough that handing it out costs little, short enough that
# the display moves and that little is lost with a worker.
CHUNK_SECONDS = 0.25
# A chunk is at most so many times as long as the one before: the first ones may not be typical.
_GROWTH = 8
_LONGEST = 10_000
# What fits a column of the store.
_LARGEST = 2**63 - 1
_WRITTEN = re.compile(r"(\d+)(?:-(\d+))?")


def read(text: str) -> range:
    """The seeds of a text: "1000" is 0 to 999, and "5-8" is 5, 6, 7 and 8."""
    found = _WRITTEN.fullmatch(text.strip())
    if found is None:
        raise ValueError(f"expected a number of seeds, or FIRST-LAST, found {text!r}")
    first, last = int(found[1]), found[2]
    seeds = range(first) if last is None else range(first, int(last) + 1)
    if not seeds:
        raise ValueError(f"there are no seeds in {text!r}")
    if seeds[-1] > _LARGEST:
        raise ValueError(f"a seed is at most {_LARGEST}")
    return seeds


def write(seeds: range) -> str:
    """The text of some seeds: "1000" or "5-8"."""
    return str(len(seeds)) if seeds.start == 0 else f"{seeds.start}-{seeds.stop - 1}"


class Left:
    """Seeds that nobody has run yet, in their order."""

    def __init__(self, gaps: Iterable[range]) -> None:
        self._gaps = deque(gaps)
        self.count = sum(map(len, self._gaps))

    def take(self, size: int, last: int | None = None) -> range | None:
        """The next ones, at most so many, and none after a `last` one; None if there are none."""
        if not self._gaps:
            return None
        gap = self._gaps.popleft()
        size = min(size, len(gap))
        if last is not None:
            size = min(size, last - gap.start + 1)
        if size < 1:
            self._gaps.appendleft(gap)
            return None
        if size < len(gap):
            self._gaps.appendleft(gap[size:])
        self.count -= size
        return gap[:size]

    def give_back(self, seeds: range) -> None:
        """These are to be run after all."""
        self._gaps = deque(sorted([*self._gaps, seeds], key=lambda gap: gap.start))
        self.count += len(seeds)


class Pace:
    """How many seeds make a chunk."""

    def __init__(self) -> None:
        self._size = 1
        self._each: float | None = None

    def learn(self, seeds: int, seconds: float) -> None:
        """So many seeds took so long."""
        each = max(seconds / seeds, 1e-6)
        self._each = each if self._each is None else 0.7 * self._each + 0.3 * each
        wanted = round(CHUNK_SECONDS / self._each)
        self._size = max(1, min(wanted, self._size * _GROWTH, _LONGEST))

    def size(self, left: int, hands: int) -> int:
        """The size of the next chunk; toward the end smaller, so that all end together."""
        return max(1, min(self._size, left // (2 * hands)))
