"""`simnet.shrink`: the least that a run has to decide otherwise than the plainest, and fails alike.

Hypothesis shrinks, as it does in `simnet.fuzz`, in two searches; the smaller run is the answer. One
keeps only some stretches of what the run decided otherwise: it has a beginning, which is all of it,
also where a failure is rare. The other draws plans from nothing (plans.py): where it finds the
failure, it may find it earlier, and by decisions that the run never made.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from random import Random
from typing import Any

import attrs
from hypothesis import HealthCheck, Phase, find, settings
from hypothesis import strategies as st
from hypothesis.errors import NoSuchExample
from hypothesis.strategies import SearchStrategy

from simnet.exploring.runs import Program, Run, in_a_row, run
from simnet.policies import Policy, Uniform
from simnet.sources import BySeed, Drawn, Recorded, by_stream

# A decision that is not the plainest: its stream, its place there, the choice.
Deviation = tuple[str, int, int]


def shrink(
    program: Program,
    failed: Run,
    *,
    policy: Policy | str | None = None,
    examples: int = 300,
    **options: Any,
) -> Run:
    """The smallest run found that fails in the same way, by its signature.

    `policy` and `options` as in the run that failed. Each of two searches tries so many `examples`
    before it finds the failure, and some more to shrink it. The answer is the run itself where
    nothing smaller fails so. ValueError for a run that has not failed, or that does not fail again.
    """
    if not failed.failed:
        raise ValueError("this run has not failed: there is nothing to shrink")
    policy = policy or Uniform()
    judge = _Judge(program, failed, policy, options)
    if not judge.fails(Recorded(failed.decisions)):
        raise ValueError(
            f"decided alike, the program does not end with {failed.signature}: is the policy that"
            " of the run, and does the program depend on nothing but its world?"
        )
    deviations = _deviations(failed)
    if deviations:
        kept = _stretches(len(deviations)).map(lambda found: _only(deviations, found))
        with in_a_row(policy):
            judge.search(kept, Recorded, examples)
            judge.search(st.data(), Drawn, examples)
    return judge.best


@attrs.define
class _Judge:
    """Runs the program, and keeps the smallest run that fails in the same way."""

    _program: Program
    best: Run
    _policy: Policy | str
    _options: dict[str, Any]

    def fails(self, source: BySeed) -> bool:
        """Whether it fails so where a source decides."""
        found = run(self._program, self.best.seed, self._policy, source, self._options)
        if found.signature != self.best.signature:
            return False
        if _size(found) < _size(self.best):
            self.best = found
        return True

    def search(
        self, strategy: SearchStrategy[Any], source: Callable[[Any], BySeed], examples: int
    ) -> None:
        """Let Hypothesis find a failing example, and shrink it."""
        quiet = settings(
            max_examples=examples,
            database=None,
            deadline=None,
            phases=[Phase.generate, Phase.shrink],
            suppress_health_check=list(HealthCheck),
        )
        with suppress(NoSuchExample):
            find(strategy, lambda each: self.fails(source(each)), settings=quiet, random=Random(0))


def _deviations(failed: Run) -> list[Deviation]:
    return [
        (stream, place, choice)
        for stream, choices in by_stream(failed.decisions).items()
        for place, choice in choices.items()
    ]


def _size(run: Run) -> tuple[int, int, int]:
    """Few decisions that are not the plainest, early ones, and small choices."""
    deviations = _deviations(run)
    places = sum(place for _, place, _ in deviations)
    return len(deviations), places, sum(choice for _, _, choice in deviations)


def _stretches(count: int) -> SearchStrategy[list[tuple[int, int]]]:
    """Stretches of so many things: where each begins, and how long it is."""
    return st.lists(st.tuples(st.integers(0, count - 1), st.integers(1, count)), max_size=16)


def _only(
    deviations: Sequence[Deviation], stretches: Sequence[tuple[int, int]]
) -> dict[str, dict[int, int]]:
    """The decisions that lie in one of the stretches."""
    found: dict[str, dict[int, int]] = {}
    for start, length in stretches:
        for stream, place, choice in deviations[start : start + length]:
            found.setdefault(stream, {})[place] = choice
    return found
