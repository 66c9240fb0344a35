"""Where two runs part: the first decision that they do not share, or the first event."""

from __future__ import annotations

from collections.abc import Sequence
from typing import overload

import attrs

from simnet.decisions import Decision
from simnet.exploring.runs import Run
from simnet.trace import Trace
from simnet.views import difference
from simnet.views.difference import Difference
from simnet.world import World


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


def parting(
    one: Sequence[Decision], other: Sequence[Decision], *, before: int = 10
) -> Parting | None:
    """Where decisions part; None if they are the same."""
    shared = min(len(one), len(other))
    place = next((each for each in range(shared) if one[each] != other[each]), shared)
    if place == len(one) == len(other):
        return None
    following = [each[place] if place < len(each) else None for each in (one, other)]
    return Parting(place, tuple(one[max(0, place - before) : place]), *following)


@overload
def diff(one: Run, other: Run, *, before: int = 10) -> Parting | None: ...


@overload
def diff(one: World | Trace, other: World | Trace, *, before: int = 10) -> Difference | None: ...


def diff(
    one: Run | World | Trace, other: Run | World | Trace, *, before: int = 10
) -> Parting | Difference | None:
    """Where two runs part, and as many steps before as asked for; None if they do not.

    Of runs of `simnet.explore`, the first decision that is not the same. Of worlds, or of their
    traces, the first event (ValueError if one world records and the other does not).
    """
    if isinstance(one, Run) and isinstance(other, Run):
        return parting(one.decisions, other.decisions, before=before)
    if isinstance(one, Run) or isinstance(other, Run):
        raise TypeError("a run of simnet.explore is compared with another one, not with a world")
    return difference.diff(one, other, before=before)
