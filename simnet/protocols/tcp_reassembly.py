"""What arrived before its turn: kept until what is missing comes (tcp_data_queue_ofo).

The window bounds it: whatever lies in it was offered room. What overlaps is kept once, as it
arrived first.
"""

from __future__ import annotations

from bisect import bisect_right


class OutOfOrder:
    """Runs of bytes beyond the next one expected, and where the stream ends if that is known."""

    __slots__ = ("_ends", "_runs", "_starts", "fin_seq")

    def __init__(self) -> None:
        # In order and apart from each other: first sequence numbers, those after the last, bytes.
        self._starts: list[int] = []
        self._ends: list[int] = []
        self._runs: list[bytes] = []
        # The sequence number of the peer's FIN.
        self.fin_seq: int | None = None

    def __bool__(self) -> bool:
        return bool(self._starts) or self.fin_seq is not None

    @property
    def runs(self) -> list[tuple[int, int]]:
        """Each run as (first, the one after its last)."""
        return list(zip(self._starts, self._ends, strict=True))

    def keep(self, seq: int, payload: bytes) -> None:
        """Keep bytes for later."""
        end = seq + len(payload)
        index = bisect_right(self._starts, seq)
        if index and self._ends[index - 1] > seq:
            seq = self._ends[index - 1]
        while seq < end:
            following = self._starts[index] if index < len(self._starts) else end
            if seq < following:
                part = payload[seq - end : min(following, end) - end or None]
                self._starts.insert(index, seq)
                self._ends.insert(index, seq + len(part))
                self._runs.insert(index, part)
                index += 1
            if index >= len(self._starts):
                return
            seq = max(seq, self._ends[index])
            index += 1

    def take(self, seq: int) -> bytes:
        """The next bytes in order, removed; none if they are missing still."""
        while self._starts and self._starts[0] <= seq:
            self._starts.pop(0)
            end = self._ends.pop(0)
            run = self._runs.pop(0)
            if end > seq:
                return run[seq - end :]
        return b""
