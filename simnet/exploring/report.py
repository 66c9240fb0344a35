"""What became of an exploration: in which ways runs failed, and where the first one went wrong."""

from __future__ import annotations

from collections.abc import Sequence

import attrs

from simnet.decisions import Decision
from simnet.exploring.runs import Run

# How many decisions before the first different one are shown.
_SHOWN = 5


@attrs.frozen
class Parting:
    """The first decision that two runs do not share."""

    place: int
    before: tuple[Decision, ...]
    one: Decision | None
    other: Decision | None

    def __str__(self) -> str:
        lines = [f"the runs part at decision {self.place + 1}; before it:"]
        lines += [f"    {decision}" for decision in self.before] or ["    (none)"]
        lines.append(f"  one:   {self.one or '(it has ended)'}")
        lines.append(f"  other: {self.other or '(it has ended)'}")
        return "\n".join(lines)


def parting(one: Sequence[Decision], other: Sequence[Decision]) -> Parting | None:
    """Where the decisions of two runs part; None if they are the same."""
    shared = min(len(one), len(other))
    place = next((each for each in range(shared) if one[each] != other[each]), shared)
    if place == len(one) == len(other):
        return None
    before = tuple(one[max(0, place - _SHOWN) : place])
    following = [each[place] if place < len(each) else None for each in (one, other)]
    return Parting(place, before, *following)


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

    def parting(self) -> Parting | None:
        """Where the first failing run parts from the last passing one before it, if both exist."""
        passing: Run | None = None
        for each in self.runs:
            if each.failed:
                if passing is None:
                    return None
                return parting(passing.decisions, each.decisions)
            passing = each
        return None

    def __str__(self) -> str:
        failures = self.failures
        lines = [f"{len(self.runs)} runs: {len(failures)} failed, in {len(self.ways)} ways"]
        for way in self.ways:
            seed, error = way.first.seed, way.first.failure
            text = str(error).partition("\n")[0]
            lines.append(f"  {way.signature}: {way.count} times, first with seed {seed}: {text}")
        found = self.parting()
        if found is not None:
            lines += ["the last run that passed before (one), and the first that failed (other):"]
            lines.append(str(found))
        return "\n".join(lines)
