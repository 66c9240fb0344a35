"""What became of an exploration: in which ways runs failed, and where the first one went wrong."""

from __future__ import annotations

import attrs

from simnet.exploring.partings import Parting, diff
from simnet.exploring.runs import Run

# How many decisions before the first different one are shown.
_SHOWN = 5


@attrs.frozen
class Way:
    """One way of failing: its signature, the first run that failed so, and how many did."""

    signature: str
    first: Run
    count: int


@attrs.frozen
class Report:
    """All runs of an exploration, in their order."""

    runs: tuple[Run, ...] = attrs.field(repr=False)

    @property
    def failures(self) -> tuple[Run, ...]:
        """The runs that failed."""
        return tuple(each for each in self.runs if each.failed)

    @property
    def ways(self) -> tuple[Way, ...]:
        """The different ways in which runs failed, the earliest first."""
        by_signature: dict[str, list[Run]] = {}
        for each in self.failures:
            by_signature.setdefault(each.signature, []).append(each)
        return tuple(Way(name, runs[0], len(runs)) for name, runs in by_signature.items())

    @property
    def compared(self) -> tuple[Run, Run] | None:
        """A run that passed, and the first that failed: the last before it, or the next after it.

        None if no run passed, or none failed.
        """
        ended = [each.failed for each in self.runs]
        if all(ended) or not any(ended):
            return None
        first = ended.index(True)
        passed = first - 1 if first else ended.index(False)
        return self.runs[passed], self.runs[first]

    def parting(self) -> Parting | None:
        """Where a passing run and the first failing one part, if there are both."""
        return None if self.compared is None else diff(*self.compared, before=_SHOWN)

    def _named(self, run: Run) -> str:
        """By its number too: all schedules are of one seed."""
        number = next(n for n, each in enumerate(self.runs, 1) if each is run)
        return f"run {number} (seed {run.seed})"

    def __str__(self) -> str:
        failures = self.failures
        lines = [f"{len(self.runs)} runs: {len(failures)} failed, in {len(self.ways)} ways"]
        for way in self.ways:
            seed, error = way.first.seed, way.first.failure
            text = str(error).partition("\n")[0]
            lines.append(f"  {way.signature}: {way.count} times, first with seed {seed}: {text}")
        found = self.parting()
        if found is not None and self.compared is not None:
            passed, failed = map(self._named, self.compared)
            lines.append(f"one: {passed}, which passed; other: {failed}, which failed")
            lines.append(str(found))
        return "\n".join(lines)
