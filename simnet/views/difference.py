"""Where two runs part: the first event that is not the same in both, and what led to it.

Worlds that record are compared from their first event on. Others keep their last few thousand: if
the runs part before these, that is all that can be said of them, and it is said.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import attrs

from simnet.trace import BLOCK, TIME, Record, Trace, describe

if TYPE_CHECKING:
    from simnet.world import World

# How much of a longer piece of data is shown.
_SHOWN = 24
# What the details of records are: of a packet, of a state.
_SENT = ("number", "sender", "receiver", "protocol", "from", "to")
_STATE = ("host", "socket", "local address", "remote address", "state")
_FIELDS = {
    "TCP": ("seq", "ack", "flags", "window", "payload", "urgent", "mss", "wscale", "hops"),
    "UDP": ("payload", "tos", "hops", "interface", "looped"),
    "ICMP": ("error", "about", "mtu"),
}


@attrs.frozen
class Difference:
    """The first event that two runs do not share."""

    # How many records came before it, in both alike; time that passes is a record too.
    place: int
    # The last events before it, with their times in ns; empty if the runs part before what is kept.
    before: tuple[Record, ...] = ()
    # What came next in either, with its time in ns; None where the run has ended.
    one: Record | None = None
    other: Record | None = None
    # How many records from the beginning on could not be looked at.
    unknown: int = 0

    def __str__(self) -> str:
        if self.unknown:
            return (
                f"the runs part somewhere in their first {self.unknown} records, which are not"
                " kept: make the worlds with record=True"
            )
        lines = [f"the runs part after {self.place} records that are the same; the last of them:"]
        lines += [f"    {_words(record)}" for record in self.before]
        lines += ["then", f"  one:   {_words(self.one)}", f"  other: {_words(self.other)}"]
        found = _differing(self.one, self.other)
        if found:
            lines.append(f"which differ in {', '.join(found)}")
        return "\n".join(lines)


def diff(one: World | Trace, other: World | Trace, *, before: int = 10) -> Difference | None:
    """Where two runs part, with so many events before; None if they are the same.

    Takes worlds or their traces. Either both record or neither does (ValueError): a world that
    records tells more.
    """
    first, second = _trace(one), _trace(other)
    if first.recording is not second.recording:
        raise ValueError("one of the worlds records and the other does not: make both alike")
    if first.digest() == second.digest():
        return None
    (left, here), (right, there) = first.window(), second.window()
    start = max(left, right)
    known = first.digest_before(start)
    if known is None or known != second.digest_before(start):
        return Difference(start, unknown=start)
    here, there = here[start - left :], there[start - right :]
    same = next(
        (i for i, (a, b) in enumerate(zip(here, there, strict=False)) if a != b),
        min(len(here), len(there)),
    )
    began_ns = first.time_before(start)
    tail = _dated(here[:same], began_ns)[-before:] if before > 0 else []
    now_ns = first.time_before(start + same)
    return Difference(
        start + same, tuple(tail), _next(here, same, now_ns), _next(there, same, now_ns)
    )


def _trace(run: Any) -> Trace:
    trace = run if isinstance(run, Trace) else getattr(run, "trace", None)
    if not isinstance(trace, Trace):
        raise TypeError(f"a run is a World or a Trace, not {run!r}")
    return trace


def _dated(records: list[Record], now_ns: int) -> list[Record]:
    dated: list[Record] = []
    for record in records:
        if record[0] == TIME:
            now_ns = record[1]
        else:
            dated.append((now_ns, *record))
    return dated


def _next(records: list[Record], place: int, now_ns: int) -> Record | None:
    """The event of a place, or the one that follows when time has passed."""
    following = records[place : place + BLOCK]
    dated = _dated(following, now_ns)
    if dated:
        return dated[0]
    return (_dated_end(following, now_ns), "nothing more") if following else None


def _dated_end(records: list[Record], now_ns: int) -> int:
    return next((record[1] for record in reversed(records) if record[0] == TIME), now_ns)


def _words(record: Record | None) -> str:
    if record is None:
        return "the end"
    return describe(tuple(_short(field) for field in record))


def _short(field: Any) -> Any:
    if isinstance(field, bytes) and len(field) > _SHOWN:
        return f"{field[:_SHOWN]!r}... ({len(field)} bytes)"
    return field


def _differing(one: Record | None, other: Record | None) -> list[str]:
    """The details in which two events of the same kind differ."""
    if one is None or other is None or one[1] != other[1] or len(one) != len(other):
        return []
    found = ["time"] if one[0] != other[0] else []
    names: tuple[str, ...] = _STATE if one[1] == "state" else ()
    if one[1] == "sent":
        names = (*_SENT, *_FIELDS.get(one[5], ()))
    for index, (a, b) in enumerate(zip(one[2:], other[2:], strict=True)):
        if a == b:
            continue
        name = names[index] if index < len(names) else f"detail {index + 1}"
        if isinstance(a, bytes) and isinstance(b, bytes):
            at = next((i for i, (x, y) in enumerate(zip(a, b, strict=False)) if x != y), None)
            name += f" (from byte {min(len(a), len(b)) if at is None else at} on)"
        found.append(name)
    return found
