"""The byte queue against plain bytes, which it must be like in everything but cost."""

from __future__ import annotations

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from simnet.queues import ByteQueue

CHUNKS = st.binary(max_size=12)
SIZES = st.integers(0, 30)


class QueueLikeBytes(RuleBasedStateMachine):
    """Every call, on a queue and on the bytes that should be in it."""

    def __init__(self) -> None:
        super().__init__()
        self.queue = ByteQueue()
        self.model = b""

    @rule(data=CHUNKS)
    def append(self, data: bytes) -> None:
        """At the end."""
        self.queue.append(data)
        self.model += data

    @rule(size=SIZES)
    def take(self, size: int) -> None:
        """From the front, removed."""
        assert self.queue.take(size) == self.model[:size]
        self.model = self.model[size:]

    @rule(size=SIZES, start=SIZES)
    def peek(self, size: int, start: int) -> None:
        """Left in place."""
        assert self.queue.peek(size, start) == self.model[start : start + size]

    @rule(count=SIZES)
    def drop(self, count: int) -> None:
        """Unseen."""
        self.queue.drop(count)
        self.model = self.model[count:]

    @rule()
    def clear(self) -> None:
        """All of it."""
        self.queue.clear()
        self.model = b""

    @invariant()
    def knows_its_length(self) -> None:
        """And holds nothing when it is empty."""
        assert self.queue.length == len(self.model)
        assert self.model or not self.queue.chunks


TestQueueLikeBytes = QueueLikeBytes.TestCase
TestQueueLikeBytes.settings = settings(max_examples=50, stateful_step_count=25)


def test_reading_a_whole_chunk_copies_nothing() -> None:
    """What was written is what is read: the same object."""
    queue = ByteQueue()
    data = b"as it came"
    queue.append(data)
    assert queue.take(100) is data


def test_many_small_reads_of_a_large_chunk_keep_one_chunk() -> None:
    """A part that was read is an offset, not a copy of the rest."""
    queue = ByteQueue()
    data = bytes(range(256)) * 16
    queue.append(data)
    assert b"".join(queue.take(7) for _ in range(500)) == data[:3500]
    assert queue.chunks[0] is data
