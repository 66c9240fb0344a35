"""Unix streams: bytes in order, room given back exactly, the short cut, the urgent byte."""

from __future__ import annotations

import errno
import socket
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simnet.protocols.unix_memory import piece_cost, piece_size
from simnet.readiness import POLLIN, POLLOUT, POLLPRI, READABLE, WRITABLE
from tests.protocols.unix_stand_in import STREAM, Waiter, pair, unix

SNDBUFS = st.sampled_from([4608, 8192, 40000, 212992])
STEPS = st.lists(
    st.tuples(
        st.sampled_from(["send", "recv", "peek"]),
        st.one_of(st.integers(1, 50), st.integers(1, 5000), st.sampled_from([2240, 2241, 70000])),
    ),
    max_size=60,
)


class Reference:
    """A stream as the accounting has it: the pieces, and how much of the first is read."""

    def __init__(self, sndbuf: int) -> None:
        self.sndbuf = sndbuf
        self.pieces: list[int] = []
        self.read = 0
        self.queued = bytearray()

    @property
    def used(self) -> int:
        return sum(map(piece_cost, self.pieces))

    def send(self, data: bytes) -> int:
        sent = 0
        while sent < len(data) and self.used < self.sndbuf:
            self.pieces.append(piece_size(len(data) - sent, self.sndbuf))
            sent += self.pieces[-1]
        self.queued += data[:sent]
        return sent

    def recv(self, size: int) -> bytes:
        data = bytes(self.queued[:size])
        del self.queued[:size]
        self.read += len(data)
        while self.pieces and self.read >= self.pieces[0]:
            self.read -= self.pieces.pop(0)
        return data


@given(SNDBUFS, STEPS, st.booleans())
def test_bytes_arrive_in_order_and_room_comes_back(
    sndbuf: int, steps: list[tuple[str, int]], short_cut: bool
) -> None:
    """What was sent was read or is queued, in order; what is in use is the cost of what is queued.

    With and without the short cut alike.
    """
    a, b = pair(STREAM)
    a.sndbuf = sndbuf
    reference = Reference(sndbuf)
    for number, (step, size) in enumerate(steps):
        if step == "send":
            data = bytes([number % 251]) * size
            sent = a.send_now(data) if short_cut else None
            sent = a.send(data, 0) if sent is None else sent
            assert (sent or 0) == reference.send(data)
        elif step == "peek":
            seen = b.recv(size, socket.MSG_PEEK)
            assert (seen.data if seen else b"") == reference.queued[:size]
        else:
            got = b.recv_now(size) if short_cut else None
            if got is None:
                received = b.recv(size, 0)
                got = received.data if received else b""
            assert got == reference.recv(size)
        assert a.used == reference.used
        assert bool(a.poll() & POLLOUT) == (reference.used * 4 <= sndbuf)
        assert bool(b.poll() & POLLIN) == bool(reference.queued)


def test_the_short_cut_declines_what_is_unusual() -> None:
    """An ended direction, credentials, a part of a piece, an urgent byte: not its business."""
    a, b = pair(STREAM)
    assert a.send_now(b"") is None
    assert a.send_now(bytes(2241)) is None
    assert b.recv_now(10) is None
    assert a.send_now(b"abc") == 3
    assert b.recv_now(2) is None
    a.send(b"d", socket.MSG_OOB)
    assert b.recv_now(10) is None
    b.passcred = True
    assert a.send_now(b"x") is None
    b.passcred = False
    b.shutdown(socket.SHUT_RD)
    assert a.send_now(b"x") is None


def test_a_full_buffer_is_not_an_error() -> None:
    """None says that a blocking caller would wait; the part that fits is taken first."""
    a, _ = pair(STREAM)
    a.sndbuf = 4608
    assert a.send(bytes(100_000), 0) == 4480
    assert a.send(b"x", 0) is None
    assert a.send_waits_on() is a


def test_a_waiting_sender_is_woken_at_a_quarter() -> None:
    """Reading wakes the sender only once the socket is writable."""
    a, b = pair(STREAM)
    a.sndbuf = 4608
    waiter = Waiter(WRITABLE)
    for _ in range(6):
        assert a.send(b"x", 0) == 1
    a.add_waiter(waiter)
    woken = []
    for _ in range(6):
        b.recv(1, 0)
        woken.append(waiter.woken)
    assert woken == [0, 0, 0, 0, 1, 1]


def test_a_waiting_reader_is_woken_by_either_send() -> None:
    """The short cut wakes as well."""
    a, b = pair(STREAM)
    sends: list[Callable[[], int | None]] = [lambda: a.send_now(b"x"), lambda: a.send(b"x", 0)]
    for send in sends:
        waiter = Waiter(READABLE)
        b.add_waiter(waiter)
        assert send() == 1
        assert waiter.woken == 1


def test_a_reader_may_hope_for_more_only_where_more_could_join() -> None:
    """Not past the urgent byte, and not after the end."""
    a, b = pair(STREAM)
    assert b.may_bring_more()
    a.send(b"xy", socket.MSG_OOB)
    received = b.recv(10, socket.MSG_WAITALL)
    assert received is not None
    assert received.data == b"x"
    assert not b.may_bring_more()
    b.recv(1, socket.MSG_OOB)
    a.release()
    assert not b.may_bring_more()


def test_a_read_that_wanted_more_swallows_the_error() -> None:
    """With MSG_WAITALL the reset that ends the bytes is not told again."""
    a, b = pair(STREAM)
    b.send(b"unread", 0)
    a.send(b"abc", 0)
    a.release()
    received = b.recv(10, socket.MSG_WAITALL)
    assert received is not None
    assert received.data == b"abc"
    assert b.error == 0


@pytest.mark.parametrize("inline", [False, True])
def test_the_urgent_byte(inline: bool) -> None:
    """A read stops before it; then it is passed over, or read as any other with SO_OOBINLINE."""
    a, b = pair(STREAM)
    b.set(oobinline=inline)
    a.send(b"abc", socket.MSG_OOB)
    a.send(b"def", 0)
    assert b.poll() & POLLPRI
    reads = [b.recv(10, 0) for _ in range(2)]
    assert [r.data for r in reads if r] == [b"ab", b"cdef" if inline else b"def"]
    assert not b.poll() & POLLPRI
    with pytest.raises(OSError, match=str(errno.EINVAL)):
        b.recv(1, socket.MSG_OOB)


def test_a_taken_urgent_byte_leaves_a_mark() -> None:
    """MSG_OOB takes it once; the room is given back when the read passes the mark."""
    a, b = pair(STREAM)
    a.send(b"abc", socket.MSG_OOB)
    taken = b.recv(1, socket.MSG_OOB)
    assert taken == (b"c", (), socket.MSG_OOB, None, 1)
    a.send(b"d", 0)
    assert [b.recv(10, 0).data, b.recv(10, 0).data] == [b"ab", b"d"]  # type: ignore[union-attr]
    assert a.used == 0


def test_what_an_unconnected_stream_answers() -> None:
    """ENOTCONN to send, EINVAL to recv."""
    sock = unix(STREAM)
    with pytest.raises(OSError, match=str(errno.ENOTCONN)):
        sock.send(b"x", 0)
    with pytest.raises(OSError, match=str(errno.EINVAL)):
        sock.recv(1, 0)
