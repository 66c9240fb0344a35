"""Full buffers and empty ones: partial sends, waiting, waking, timeouts, and sudden ends."""

from __future__ import annotations

import select
import socket
import struct

import pytest

from simnet.api import Network, Socket
from tests.conformance.kinds import (
    CONNECTION_PAIRS,
    PATIENCE,
    STREAM_PAIRS,
    TCP_PAIRS,
    UNIX_STREAM_PAIRS,
    each,
    with_both_directions,
)
from tests.conformance.outcomes import fill, outcome, readiness, recv_exactly, wait_for

SOL = socket.SOL_SOCKET
SHORT = 0.05  # seconds: long enough to see that a call waits
SHORT_TIMEVAL = struct.pack("ll", 0, 50_000)
HUGE = bytes(range(251)) * 80_000  # 20 MB, more than any buffer here takes

Pair = tuple[Socket, Socket]


def writable_soon(net: Network, sock: Socket) -> bool:
    """Whether a socket becomes writable in a short while."""
    poller = net.poll()
    poller.register(sock, select.POLLOUT)
    return bool(poller.poll(SHORT * 1000))


def stuff(net: Network, sock: Socket) -> int:
    """Send until nothing more is taken, though acknowledgements make room; leave it blocking."""
    sock.setblocking(False)
    total = more = fill(sock)
    while more or writable_soon(net, sock):
        writable_soon(net, sock)
        more = fill(sock, b"x")
        total += more
    sock.setblocking(True)
    return total


def reset(sock: Socket) -> None:
    """Close with SO_LINGER 0, which sends a reset (TCP only)."""
    sock.setsockopt(SOL, socket.SO_LINGER, struct.pack("ii", 1, 0))
    sock.close()


# Receiving


@each(with_both_directions(CONNECTION_PAIRS))
def test_recv_waits_for_data(net: Network, pair: Pair) -> None:
    """A blocking recv() returns when the peer sends."""
    a, b = pair
    task = net.spawn(b.recv, 10)
    assert not task.join(SHORT)
    a.send(b"data")
    assert task.result(PATIENCE) == b"data"


@each(CONNECTION_PAIRS)
def test_poll_waits_for_data(net: Network, pair: Pair) -> None:
    """A task in poll() wakes when the peer sends."""
    a, b = pair
    task = net.spawn(wait_for, net, b, select.POLLIN)
    assert not task.join(SHORT)
    a.send(b"data")
    assert task.result(PATIENCE) == select.POLLIN


@each(CONNECTION_PAIRS)
def test_a_timeout_ends_recv(net: Network, pair: Pair) -> None:
    """TimeoutError('timed out') without an errno; later data is received as usual."""
    a, b = pair
    b.settimeout(SHORT)
    with pytest.raises(TimeoutError, match=r"^timed out$") as caught:
        b.recv(10)
    assert caught.value.errno is None
    a.send(b"data")
    assert b.recv(10) == b"data"


@each(CONNECTION_PAIRS)
def test_so_rcvtimeo_ends_recv(net: Network, pair: Pair) -> None:
    """A blocking recv() gives EAGAIN after SO_RCVTIMEO."""
    a, b = pair
    b.setsockopt(SOL, socket.SO_RCVTIMEO, SHORT_TIMEVAL)
    assert outcome(b.recv, 10) == "EAGAIN"
    a.send(b"data")
    assert b.recv(10) == b"data"


@each(CONNECTION_PAIRS)
def test_a_non_blocking_recv_does_not_wait(net: Network, pair: Pair) -> None:
    """EAGAIN, as often as it is asked."""
    _, b = pair
    b.setblocking(False)
    assert [outcome(b.recv, 10) for _ in range(2)] == ["EAGAIN", "EAGAIN"]
    with pytest.raises(BlockingIOError):
        b.recv_into(bytearray(10))


@each(STREAM_PAIRS)
def test_two_receivers_share_what_comes(net: Network, pair: Pair) -> None:
    """Every byte goes to one of the tasks that wait on the same stream."""
    a, b = pair
    tasks = [net.spawn(b.recv, 1) for _ in range(2)]
    a.send(b"xy")
    assert sorted(task.result(PATIENCE) for task in tasks) == [b"x", b"y"]


# Sending


@each(STREAM_PAIRS)
def test_a_peer_that_never_reads_stops_the_sender(net: Network, pair: Pair) -> None:
    """In the end send() is EAGAIN, and the sender does not poll writable."""
    a, b = pair
    total = stuff(net, a)
    assert total > 0
    assert readiness(net, a) == ""
    assert outcome(a.send, b"x", socket.MSG_DONTWAIT) == "EAGAIN"
    assert readiness(net, b) == "IN|OUT"


@each(STREAM_PAIRS)
def test_a_reader_that_drains_makes_the_sender_writable(net: Network, pair: Pair) -> None:
    """Nothing is lost, and after everything was read the sender goes on."""
    a, b = pair
    total = stuff(net, a)
    assert len(recv_exactly(b, total)) == total
    wait_for(net, a, select.POLLOUT)
    assert readiness(net, a) == "OUT"
    assert a.send(b"on") == 2
    assert b.recv(10) == b"on"


@each(STREAM_PAIRS)
def test_sending_nothing_works_on_a_full_stream(net: Network, pair: Pair) -> None:
    """send(b'') is 0 even if there is no room."""
    a, _ = pair
    stuff(net, a)
    assert outcome(a.send, b"", socket.MSG_DONTWAIT) == 0


@each(STREAM_PAIRS)
@pytest.mark.parametrize("timeout", [0, PATIENCE], ids=["non-blocking", "with-timeout"])
def test_a_huge_send_is_partial(net: Network, pair: Pair, timeout: float) -> None:
    """Without blocking mode send() takes what fits; the peer gets just that beginning."""
    a, b = pair
    a.settimeout(timeout)
    count = a.send(HUGE)
    assert 0 < count < len(HUGE)
    assert recv_exactly(b, count) == HUGE[:count]
    assert outcome(b.recv, 1, socket.MSG_DONTWAIT) == "EAGAIN"


@each(STREAM_PAIRS)
def test_a_huge_blocking_send_is_whole(net: Network, pair: Pair) -> None:
    """A blocking send() returns when the reader has made room for all of it."""
    a, b = pair
    task = net.spawn(a.send, HUGE)
    assert recv_exactly(b, len(HUGE)) == HUGE
    assert task.result(PATIENCE) == len(HUGE)


@each(STREAM_PAIRS)
def test_sendall_with_a_timeout_sends_everything_to_a_reader(net: Network, pair: Pair) -> None:
    """It waits for room again and again."""
    a, b = pair
    a.settimeout(4 * PATIENCE)
    task = net.spawn(a.sendall, HUGE)
    assert recv_exactly(b, len(HUGE)) == HUGE
    assert task.result(PATIENCE) is None


@each(STREAM_PAIRS)
def test_both_directions_at_once(net: Network, pair: Pair) -> None:
    """Two writers and two readers on one connection do not hinder each other."""
    half = HUGE[: len(HUGE) // 10]
    senders = [net.spawn(sock.sendall, half) for sock in pair]
    readers = [net.spawn(recv_exactly, sock, len(half)) for sock in pair]
    assert [task.result(2 * PATIENCE) == half for task in readers] == [True, True]
    assert [task.result(PATIENCE) for task in senders] == [None, None]


@each(STREAM_PAIRS)
@pytest.mark.parametrize("piece", [100, 3000])
def test_a_reader_of_small_pieces_does_not_stall(net: Network, pair: Pair, piece: int) -> None:
    """With small buffers the window opens again each time, until everything is through."""
    a, b = pair
    a.setsockopt(SOL, socket.SO_SNDBUF, 4096)
    b.setsockopt(SOL, socket.SO_RCVBUF, 4096)
    data = HUGE[:60_000]
    task = net.spawn(a.sendall, data)
    got = b""
    while len(got) < len(data):
        got += b.recv(piece)
    assert got == data
    assert task.result(PATIENCE) is None


@each(STREAM_PAIRS)
def test_a_blocking_send_waits_for_room(net: Network, pair: Pair) -> None:
    """On a full stream it returns once the peer has read."""
    a, b = pair
    total = stuff(net, a)
    task = net.spawn(a.send, b"on")
    assert not task.join(SHORT)
    assert recv_exactly(b, total + 2).endswith(b"on")
    assert task.result(PATIENCE) == 2


@each(STREAM_PAIRS)
def test_a_timeout_ends_send_and_sendall(net: Network, pair: Pair) -> None:
    """On a full stream both raise TimeoutError; sendall() may have sent a part."""
    a, _ = pair
    stuff(net, a)
    a.settimeout(SHORT)
    for call in (a.send, a.sendall):
        with pytest.raises(TimeoutError, match=r"^timed out$"):
            call(b"on")


@each(STREAM_PAIRS)
def test_so_sndtimeo_ends_send(net: Network, pair: Pair) -> None:
    """On a full stream EAGAIN after SO_SNDTIMEO; with some room the partial count."""
    a, b = pair
    a.setsockopt(SOL, socket.SO_SNDTIMEO, SHORT_TIMEVAL)
    count = a.send(HUGE)
    assert 0 < count < len(HUGE)
    stuff(net, a)
    assert outcome(a.send, b"on") == "EAGAIN"
    assert b.recv(3) == HUGE[:3]


@each(CONNECTION_PAIRS)
def test_the_two_directions_have_buffers_of_their_own(net: Network, pair: Pair) -> None:
    """One that is full does not stop the other."""
    a, b = pair
    stuff(net, a)
    assert b.send(b"back") == 4
    assert a.recv(10) == b"back"
    assert readiness(net, b) == "IN|OUT"


# Cut short


@each(TCP_PAIRS)
def test_the_peers_close_cuts_a_blocking_tcp_send_short(net: Network, pair: Pair) -> None:
    """send() returns what it got rid of; the next call is ECONNRESET, the one after EPIPE."""
    a, b = pair
    task = net.spawn(a.send, HUGE)
    assert not task.join(SHORT)
    b.close()
    assert 0 < task.result(PATIENCE) < len(HUGE)
    assert [outcome(a.send, b"x") for _ in range(2)] == ["ECONNRESET", "EPIPE"]


@each(UNIX_STREAM_PAIRS)
def test_the_peers_close_cuts_a_blocking_unix_send_short(net: Network, pair: Pair) -> None:
    """send() returns what it got rid of, and has used the reset up: then EPIPE, and the end."""
    a, b = pair
    task = net.spawn(a.send, HUGE)
    assert not task.join(SHORT)
    b.close()
    assert 0 < task.result(PATIENCE) < len(HUGE)
    assert [outcome(a.send, b"x") for _ in range(2)] == ["EPIPE", "EPIPE"]
    assert outcome(a.recv, 1) == b""


@each(TCP_PAIRS)
def test_a_reset_cuts_a_blocking_tcp_send_short(net: Network, pair: Pair) -> None:
    """send() returns what it got rid of; the next call is ECONNRESET, the one after EPIPE."""
    a, b = pair
    task = net.spawn(a.send, HUGE)
    assert not task.join(SHORT)
    reset(b)
    assert 0 < task.result(PATIENCE) < len(HUGE)
    assert [outcome(a.send, b"x") for _ in range(2)] == ["ECONNRESET", "EPIPE"]


@each(STREAM_PAIRS)
def test_the_peers_close_wakes_a_send_that_sent_nothing(net: Network, pair: Pair) -> None:
    """Without progress the waiting call itself raises ECONNRESET, on unix streams too."""
    a, b = pair
    stuff(net, a)
    task = net.spawn(a.send, b"x")
    assert not task.join(SHORT)
    b.close()
    assert outcome(task.result, PATIENCE) == "ECONNRESET"
    assert outcome(a.send, b"x") == "EPIPE"
    assert outcome(a.recv, 1) == b""


@each(STREAM_PAIRS)
def test_the_own_shutdown_wakes_send(net: Network, pair: Pair) -> None:
    """A task that waits for room gets EPIPE; what had been taken still arrives."""
    a, b = pair
    total = stuff(net, a)
    task = net.spawn(a.send, b"x")
    assert not task.join(SHORT)
    a.shutdown(socket.SHUT_WR)
    assert outcome(task.result, PATIENCE) == "EPIPE"
    assert len(recv_exactly(b, total + 1)) == total


@each(STREAM_PAIRS)
def test_the_peers_close_makes_a_full_sender_writable(net: Network, pair: Pair) -> None:
    """It polls as after any reset, so that it learns of the error."""
    a, b = pair
    stuff(net, a)
    b.close()
    wait_for(net, a, select.POLLOUT)
    assert readiness(net, a) == "IN|OUT|ERR|HUP|RDHUP"
    assert outcome(a.recv, 1) == "ECONNRESET"
