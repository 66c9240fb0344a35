"""The append-only record of what happened in a world.

A record is a tuple: (virtual time in ns, what happened, who or which socket, details...), made of
integers, strings, bytes, None and tuples of them. The last few thousand are kept for reports, all
of them if the world records. The digest covers every record, kept or not.

Records of data moved hold its length, not its content, unless the world records.
"""

from __future__ import annotations

import hashlib
import marshal
from collections.abc import Iterator
from typing import Any

Record = tuple[Any, ...]

# What happens most often is written as a number, which is cheaper to hash than a word.
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

    __slots__ = ("_hash", "_kept", "_previous", "append", "recent", "recording")

    def __init__(self, recording: bool = False) -> None:
        self.recording = recording
        self._hash = hashlib.blake2b(digest_size=16)
        self.recent: list[Record] = []
        self._previous: list[Record] = []
        self._kept: list[Record] = []
        self.append = self.recent.append

    def fold(self) -> None:
        """Hash full blocks and let go of what is not kept. Cheap when there is nothing to do."""
        recent = self.recent
        while len(recent) >= BLOCK:
            self._previous = recent[:BLOCK]
            del recent[:BLOCK]
            self._hash.update(_encode(self._previous))
            if self.recording:
                self._kept.extend(self._previous)

    def digest(self) -> str:
        """A stable hash of all records so far, as 32 hexadecimal digits."""
        self.fold()
        tail = self._hash.copy()
        tail.update(_encode(self.recent))
        return tail.hexdigest()

    def records(self) -> list[Record]:
        """All records if the world records, else the last few thousand."""
        self.fold()
        return [*(self._kept if self.recording else self._previous), *self.recent]

    def __iter__(self) -> Iterator[Record]:
        return iter(self.records())

    def tail(self, count: int = 20) -> list[str]:
        """The last records as lines of text."""
        return [describe(record) for record in self.records()[-count:]]


def describe(record: Record) -> str:
    """A record as a line: seconds, then its fields."""
    now_ns, what, *details = record
    return " ".join([f"{now_ns / 1e9:.6f}s", str(_WORDS.get(what, what)), *map(str, details)])
