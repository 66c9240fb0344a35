"""The byte queue of a stream: what has arrived and was not read, in order.

Chunks are kept as they came. Reading a whole chunk copies nothing; reading a part of one moves an
offset, so that many small reads of a large chunk stay linear.
"""

from __future__ import annotations

from collections import deque


class ByteQueue:
    """Bytes in order."""

    __slots__ = ("chunks", "length", "offset")

    def __init__(self) -> None:
        self.chunks: deque[bytes] = deque()
        self.length = 0
        # How much of the first chunk is read already.
        self.offset = 0

    def append(self, data: bytes) -> None:
        """Add at the end."""
        if data:
            self.chunks.append(data)
            self.length += len(data)

    def peek(self, size: int, start: int = 0) -> bytes:
        """Up to `size` bytes from `start` on, left in place."""
        parts = []
        skip = self.offset + start
        for chunk in self.chunks:
            if size <= 0:
                break
            if skip >= len(chunk):
                skip -= len(chunk)
                continue
            part = chunk[skip : skip + size]
            skip = 0
            size -= len(part)
            parts.append(part)
        return parts[0] if len(parts) == 1 else b"".join(parts)

    def take(self, size: int) -> bytes:
        """Up to `size` bytes from the front, removed."""
        chunks = self.chunks
        if not self.offset and chunks and len(chunks[0]) <= size:
            first = chunks.popleft()
            self.length -= len(first)
            if len(first) == size or not chunks:
                return first
            rest = self.peek(size - len(first))
            self.drop(len(rest))
            return first + rest
        if chunks and self.offset + size < len(chunks[0]):
            # The commonest: a part of the first chunk.
            start = self.offset
            self.offset = start + size
            self.length -= size
            return chunks[0][start : start + size]
        data = self.peek(size)
        self.drop(len(data))
        return data

    def drop(self, count: int) -> None:
        """Remove that many bytes from the front (all, if there are fewer)."""
        count = min(count, self.length)
        self.length -= count
        count += self.offset
        chunks = self.chunks
        while chunks and count >= len(chunks[0]):
            count -= len(chunks.popleft())
        self.offset = count

    def clear(self) -> None:
        """Forget everything."""
        self.chunks.clear()
        self.length = self.offset = 0


# For whoever may never have anything to queue: shared, and never appended to.
EMPTY = ByteQueue()
