"""Unix sockets that keep message boundaries, and who is woken when a full receiver reads."""

from __future__ import annotations

import errno
import socket
from collections import deque

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simnet.protocols.unix import UnixEndpoint
from simnet.protocols.unix_memory import message_cost
from simnet.readiness import POLLIN, POLLOUT, READABLE, WRITABLE
from tests.protocols.unix_stand_in import DGRAM, SEQPACKET, StandIn, Waiter, pair, unix

STEPS = st.lists(
    st.tuples(
        st.sampled_from(["send", "recv", "peek"]),
        st.one_of(st.integers(0, 50), st.integers(0, 5000), st.sampled_from([2240, 2241, 20000])),
    ),
    max_size=60,
)


@given(st.sampled_from([DGRAM, SEQPACKET]), st.sampled_from([4608, 30000]), STEPS, st.booleans())
def test_messages_arrive_whole_and_room_comes_back(
    type: int, sndbuf: int, steps: list[tuple[str, int]], short_cut: bool
) -> None:
    """One send is one receive, in order; what is in use is the cost of what is queued."""
    a, b = pair(type)
    a.sndbuf = sndbuf
    queued: deque[bytes] = deque()
    for number, (step, size) in enumerate(steps):
        if step == "send" and size <= sndbuf - 32:
            data = bytes([number % 251]) * size
            fits = a.used < sndbuf
            sent = a.send_now(data) if short_cut else None
            sent = a.send(data, 0) if sent is None else sent
            assert sent == (size if fits else None)
            if fits:
                queued.append(data)
        elif step == "peek":
            seen = b.recv(size, socket.MSG_PEEK)
            assert (seen.data if seen else None) == (queued[0][:size] if queued else None)
        elif step == "recv":
            got = b.recv_now(size) if short_cut else None
            if got is None:
                received = b.recv(size, 0)
                got = received.data if received else None
            assert got == (queued.popleft()[:size] if queued else None)
        assert a.used == sum(message_cost(len(message)) for message in queued)
        assert bool(b.poll() & POLLIN) == bool(queued)


def full_receiver(host: StandIn) -> tuple[UnixEndpoint, UnixEndpoint]:
    """A named receiver with eleven messages of a stranger's, and the stranger."""
    receiver, stranger = unix(DGRAM, host), unix(DGRAM, host)
    receiver.bind(b"\0full")
    for _ in range(11):
        assert stranger.send(b"x", 0, b"\0full") == 1
    return receiver, stranger


def test_a_blocked_sender_waits_for_room_at_the_receiver() -> None:
    """An unconnected sender is writable, so that it waits on the receiver's queue instead."""
    host = StandIn()
    receiver, stranger = full_receiver(host)
    assert stranger.send(b"x", 0, b"\0full") is None
    assert stranger.poll() & POLLOUT
    room = stranger.send_waits_on(b"\0full")
    assert room is not stranger
    assert not room.poll()
    first, second = Waiter(WRITABLE), Waiter(WRITABLE)
    room.add_waiter(first)
    room.add_waiter(second)
    receiver.recv(1, 0)
    assert room.poll() & POLLOUT
    assert (first.woken, second.woken) == (1, 0)
    receiver.recv(1, 0)
    assert (first.woken, second.woken) == (1, 1)


@pytest.mark.parametrize("how", ["read", "close"])
def test_a_connected_sender_is_relayed_to(how: str) -> None:
    """A poller of a sender whose receiver is full is woken when that reads, or closes."""
    host = StandIn()
    receiver, _ = full_receiver(host)
    sender = unix(DGRAM, host)
    sender.connect(b"\0full")
    waiter = Waiter(WRITABLE, exclusive=False)
    sender.add_waiter(waiter)
    assert not sender.poll() & POLLOUT
    receiver.recv(1, 0) if how == "read" else receiver.release()
    assert waiter.woken == 1
    assert sender.poll() & POLLOUT


def test_a_sender_that_leaves_is_relayed_to_no_more() -> None:
    """A closed or reconnected sender does not stay with its old receiver."""
    host = StandIn()
    receiver, _ = full_receiver(host)
    sender, other = unix(DGRAM, host), unix(DGRAM, host)
    other.bind(b"\0other")
    sender.connect(b"\0full")
    sender.poll()
    assert list(receiver.waiting_peers().relays) == [sender]
    sender.connect(b"\0other")
    assert not receiver.waiting_peers().relays


def test_changing_the_peer_resets_the_old_one() -> None:
    """Messages of the old peer are lost, and it gets ECONNRESET if it is connected back."""
    host = StandIn()
    a, b = pair(DGRAM, host)
    other = unix(DGRAM, host)
    other.bind(b"\0other")
    b.send(b"lost", 0)
    waiter = Waiter(READABLE)
    b.add_waiter(waiter)
    a.connect(b"\0other")
    assert b.used == 0
    assert waiter.woken == 1
    with pytest.raises(ConnectionResetError):
        b.recv(10, 0)


def test_the_true_length_of_a_cut_message() -> None:
    """MSG_TRUNC asks for it; the flag tells that the data is cut."""
    a, b = pair(SEQPACKET)
    a.send(b"0123456789", 0)
    assert b.recv(4, socket.MSG_TRUNC | socket.MSG_PEEK) == (
        b"0123",
        [],
        socket.MSG_TRUNC,
        None,
        10,
    )
    assert b.recv(4, 0) == (b"0123", [], socket.MSG_TRUNC, None, 4)


def test_the_end_of_messages() -> None:
    """After SHUT_RD seqpacket sees the end at once; a datagram socket only if it would block."""
    for type, ends in ((SEQPACKET, True), (DGRAM, False)):
        _, b = pair(type)
        b.shutdown(socket.SHUT_RD)
        assert (b.recv(1, 0) is not None) == ends
        assert b.blocking_recv_ended()


def test_the_order_of_complaints() -> None:
    """EMSGSIZE comes before the missing peer, and that before nothing."""
    sock = unix(DGRAM)
    for data, number in ((bytes(300_000), errno.EMSGSIZE), (b"x", errno.ENOTCONN)):
        with pytest.raises(OSError, match=str(number)):
            sock.send(data, 0)
    sock.shutdown(socket.SHUT_WR)
    with pytest.raises(BrokenPipeError):
        sock.send(b"x", 0)
