"""Plans that Hypothesis draws: where a stream of choices deviates from the plainest, and how.

A stream is asked for choices without knowing for how many. So a plan is made window by window, as
far as a run comes: of places 0 and 1, then of as many as came before, 2 and 3, 4 to 7, 8 to 15, and
so on. Deviations are as likely early as late, at every scale; a run of 10,000 choices has 14
windows; and a deviation has a place of its own, so that leaving one out moves no other.

The first draw of a stream says how many deviations each window may have. None is one of the
answers: some runs have no loss, or no surprising schedule, and the more of the rest (Groce, Zhang,
Eide, Chen, Regehr: Swarm Testing, ISSTA 2012).

Measured against one list of places, and against bursts (a place and a length): races are found in a
third of the examples or less, and shrink to fewer deviations.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any

import attrs
from hypothesis import strategies as st

from simnet.decisions import Question

# At most so many deviations in a window, half of that in the middle, and five at most.
_DENSITIES = st.sampled_from((0, 2, 4, 8))
_FIRST_WINDOW = 2
# A choice is drawn as so many parts of the largest one: a stream may ask whether something happens,
# and then how much of it. Above 24 bits, Hypothesis would mostly draw numbers near 0.
_PARTS = 1 << 16

Draw = Callable[[st.SearchStrategy[Any], str], Any]


@attrs.define
class Plan:
    """The plan of one stream, as far as it was drawn."""

    _draw: Draw
    _density: int | None = None
    _end: int = 0
    _window: Mapping[int, int] = attrs.Factory(dict)

    def choice(self, place: int, question: Question) -> int:
        """What is chosen at a place, each of which is asked for once, in order; 0: the plainest."""
        if self._density is None:
            self._density = self._draw(_DENSITIES, f"deviations in {question.stream}")
        if not self._density:
            return 0
        if place == self._end:
            size = max(_FIRST_WINDOW, place)
            drawn = self._draw(_windows(size, self._density), f"{question.stream} from {place}")
            self._window = {place + inside: parts for inside, parts in drawn.items()}
            self._end += size
        return -(-self._window.get(place, 0) * (question.count - 1) // _PARTS)


@lru_cache(maxsize=1000)
def _windows(size: int, density: int) -> st.SearchStrategy[dict[int, int]]:
    """Places in a window, and parts of the largest choice."""
    deviations = st.tuples(st.integers(0, size - 1), st.integers(1, _PARTS))
    return st.lists(deviations, max_size=density).map(dict)
