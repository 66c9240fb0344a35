"""The append-only record of what happened in a world.

A record is a tuple: (what happened, who or which socket, details...), made of integers, strings,
bytes, None and tuples of them. Time is a record too, made when it moves, so that the commonest
records need not carry it. The last few thousand are kept for reports, all of them if the world
records. The digest covers every record, kept or not.

Records of data moved hold its length. A world that records has every packet with all its fields and
its payload ("sent"); one that does not has of a segment what varies most ("segment": numbers,
flags, window and length).
"""

from __future__ import annotations

import hashlib
import marshal
from collections.abc import Iterator
from typing import Any

Record = tuple[Any, ...]

# What happens most often is written as a number, which is cheaper to hash than a word.
TIME = 0
SEND = 1
RECV = 2
_WORDS = {SEND: "send", RECV: "recv"}

# Records are hashed in blocks of this many; the block before the current one is kept for reports.
BLOCK = 2048


def _encode(records: list[Record]) -> bytes:
    # Version 2 of the format has no references between objects, which would depend on reference
    # counts: equal records give equal bytes, on every Python version.
    return marshal.dumps(records, 2)


class Trace:
    """Records in order, and their digest."""

    __slots__ = (
        "_before",
        "_began_ns",
        "_forgotten",
        "_hash",
        "_kept",
        "_now_ns",
        "append",
        "recent",
        "recording",
    )

    def __init__(self, recording: bool = False) -> None:
        self.recording = recording
        self._hash = hashlib.sha256()
        # What is not hashed yet, and what is kept of the rest, with the time when that began.
        self.recent: list[Record] = []
        self._kept: list[Record] = []
        self._began_ns = 0
        # How many records are not kept any more, and the hash of those.
        self._forgotten = 0
        self._before = hashlib.sha256()
        self._now_ns = 0
        self.append = self.recent.append

    def time_moved(self, now_ns: int) -> None:
        """From now on it is later."""
        self._now_ns = now_ns
        self.recent.append((TIME, now_ns))
        if len(self.recent) >= BLOCK:
            self.fold()

    def fold(self) -> None:
        """Hash full blocks and let go of what is not kept. Cheap when there is nothing to do."""
        recent = self.recent
        while len(recent) >= BLOCK:
            block = recent[:BLOCK]
            del recent[:BLOCK]
            if self.recording:
                self._kept.extend(block)
            else:
                if self._began_ns != self._now_ns:
                    self._began_ns = _last_time(self._kept, self._began_ns)
                self._forgotten += len(self._kept)
                self._before = self._hash.copy()
                self._kept = block
            self._hash.update(_encode(block))

    def digest(self) -> str:
        """A stable hash of all records so far, as 64 hexadecimal digits."""
        self.fold()
        tail = self._hash.copy()
        tail.update(_encode(self.recent))
        return tail.hexdigest()

    def records(self) -> list[Record]:
        """(virtual time in ns, what, details...) of all records if the world records.

        Otherwise of the last few thousand.
        """
        self.fold()
        now_ns = self._began_ns
        dated: list[Record] = []
        for record in (*self._kept, *self.recent):
            if record[0] == TIME:
                now_ns = record[1]
            else:
                dated.append((now_ns, *record))
        return dated

    def window(self) -> tuple[int, list[Record]]:
        """How many records are not kept any more, and the rest, time among them."""
        self.fold()
        return self._forgotten, [*self._kept, *self.recent]

    def digest_before(self, place: int) -> str | None:
        """A hash of the records before a place, a multiple of BLOCK; None if too few are kept."""
        forgotten, records = self.window()
        if not forgotten <= place <= forgotten + len(records):
            return None
        before = self._before.copy()
        for start in range(0, place - forgotten, BLOCK):
            before.update(_encode(records[start : start + BLOCK]))
        return before.hexdigest()

    def time_before(self, place: int) -> int:
        """Virtual time, in ns, when the record of a place was made that is kept."""
        forgotten, records = self.window()
        return _last_time(records[: place - forgotten], self._began_ns)

    def __iter__(self) -> Iterator[Record]:
        return iter(self.records())

    def tail(self, count: int = 20) -> list[str]:
        """The last records as lines of text."""
        return [describe(record) for record in self.records()[-count:]]


def _last_time(records: list[Record], before_ns: int) -> int:
    return next((record[1] for record in reversed(records) if record[0] == TIME), before_ns)


def describe(record: Record) -> str:
    """A dated record as a line: seconds, then its fields."""
    now_ns, what, *details = record
    return " ".join([f"{now_ns / 1e9:.6f}s", str(_WORDS.get(what, what)), *map(str, details)])
