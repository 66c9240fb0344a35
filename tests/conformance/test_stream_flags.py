"""MSG_ flags and SO_RCVLOWAT on connected streams."""

from __future__ import annotations

import select
import socket
import struct

import pytest

from simnet.api import Network, Socket
from tests.conformance.kinds import (
    CONNECTION_PAIRS,
    PATIENCE,
    SEQPACKET_PAIRS,
    STREAM_PAIRS,
    TCP_PAIRS,
    UNIX_STREAM_PAIRS,
    each,
)
from tests.conformance.outcomes import outcome, readiness, wait_for

DONTWAIT, ERRQUEUE, NOSIGNAL = socket.MSG_DONTWAIT, socket.MSG_ERRQUEUE, socket.MSG_NOSIGNAL
PEEK, TRUNC, WAITALL = socket.MSG_PEEK, socket.MSG_TRUNC, socket.MSG_WAITALL
SO_RCVLOWAT = (socket.SOL_SOCKET, socket.SO_RCVLOWAT)
SO_RCVTIMEO = (socket.SOL_SOCKET, socket.SO_RCVTIMEO)
RESET_ON_CLOSE = (socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
SHORT = 0.05  # seconds: long enough to see that a call waits

Pair = tuple[Socket, Socket]


@each(CONNECTION_PAIRS)
def test_peeking_takes_nothing(net: Network, pair: Pair) -> None:
    """MSG_PEEK shows the same bytes again and again, however many it asks for."""
    a, b = pair
    a.send(b"abc")
    assert [b.recv(2, PEEK), b.recv(10, PEEK), b.recv(10)] == [b"ab", b"abc", b"abc"]


@each(CONNECTION_PAIRS)
def test_peeking_shows_the_end(net: Network, pair: Pair) -> None:
    """MSG_PEEK gives b'' at the end, as often as asked."""
    a, b = pair
    a.close()
    assert [b.recv(10, PEEK), b.recv(10, PEEK), b.recv(10)] == [b"", b"", b""]


@each(STREAM_PAIRS)
def test_peeking_sees_across_several_sends(net: Network, pair: Pair) -> None:
    """Bytes of two sends are peeked at as one run on TCP and on a unix stream alike."""
    a, b = pair
    a.send(b"abc")
    a.send(b"def")
    assert [b.recv(10, PEEK), b.recv(10)] == [b"abcdef", b"abcdef"]


@each(CONNECTION_PAIRS)
def test_peeking_waits_for_data(net: Network, pair: Pair) -> None:
    """A blocking MSG_PEEK returns when data comes, and leaves it."""
    a, b = pair
    task = net.spawn(b.recv, 10, PEEK)
    assert not task.join(SHORT)
    a.send(b"data")
    assert task.result(PATIENCE) == b"data"
    assert b.recv(10) == b"data"


@each(CONNECTION_PAIRS)
def test_dontwait_makes_one_call_non_blocking(net: Network, pair: Pair) -> None:
    """MSG_DONTWAIT on a blocking socket: EAGAIN without data, else the data."""
    a, b = pair
    assert outcome(b.recv, 10, DONTWAIT) == "EAGAIN"
    assert a.send(b"data", DONTWAIT) == 4
    assert b.recv(10, DONTWAIT) == b"data"


@each(CONNECTION_PAIRS)
def test_nosignal_changes_nothing_else(net: Network, pair: Pair) -> None:
    """MSG_NOSIGNAL sends as usual, and EPIPE is still raised."""
    a, b = pair
    assert a.send(b"data", NOSIGNAL) == 4
    assert b.recv(10, NOSIGNAL) == b"data"
    a.shutdown(socket.SHUT_WR)
    assert outcome(a.send, b"x", NOSIGNAL) == "EPIPE"


@each(STREAM_PAIRS)
def test_waitall_waits_for_everything(net: Network, pair: Pair) -> None:
    """A blocking MSG_WAITALL returns when the whole count has come."""
    a, b = pair
    a.send(b"abc")
    task = net.spawn(b.recv, 6, WAITALL)
    assert not task.join(SHORT)
    a.send(b"defg")
    assert task.result(PATIENCE) == b"abcdef"
    assert b.recv(10) == b"g"


@each(SEQPACKET_PAIRS)
def test_waitall_is_content_with_one_message(net: Network, pair: Pair) -> None:
    """A message is whole, however short."""
    a, b = pair
    a.send(b"abc")
    assert b.recv(6, WAITALL) == b"abc"


@each(TCP_PAIRS)
def test_waitall_with_peek_waits_on_tcp(net: Network, pair: Pair) -> None:
    """It waits for the whole count and takes nothing."""
    a, b = pair
    a.send(b"abc")
    task = net.spawn(b.recv, 6, WAITALL | PEEK)
    assert not task.join(SHORT)
    a.send(b"def")
    assert task.result(PATIENCE) == b"abcdef"
    assert b.recv(10) == b"abcdef"


@each(UNIX_STREAM_PAIRS)
def test_waitall_with_peek_does_not_wait_on_unix(net: Network, pair: Pair) -> None:
    """It returns what is there."""
    a, b = pair
    a.send(b"abc")
    assert b.recv(6, WAITALL | PEEK) == b"abc"
    assert b.recv(6) == b"abc"


@each(STREAM_PAIRS)
@pytest.mark.parametrize("timeout", [0, PATIENCE], ids=["non-blocking", "with-timeout"])
def test_waitall_does_not_wait_unless_the_socket_blocks(
    net: Network, pair: Pair, timeout: float
) -> None:
    """With any timeout it returns the partial data at once."""
    a, b = pair
    a.send(b"abc")
    b.settimeout(timeout)
    wait_for(net, b, select.POLLIN)
    assert b.recv(6, WAITALL) == b"abc"


@each(STREAM_PAIRS)
def test_waitall_with_dontwait_does_not_wait(net: Network, pair: Pair) -> None:
    """MSG_DONTWAIT wins."""
    a, b = pair
    a.send(b"abc")
    assert b.recv(6, WAITALL | DONTWAIT) == b"abc"


@each(STREAM_PAIRS)
def test_the_end_cuts_waitall_short(net: Network, pair: Pair) -> None:
    """When the peer closes, what had come is returned, then the end."""
    a, b = pair
    a.send(b"abc")
    task = net.spawn(b.recv, 6, WAITALL)
    assert not task.join(SHORT)
    a.close()
    assert task.result(PATIENCE) == b"abc"
    assert b.recv(6, WAITALL) == b""


@each(STREAM_PAIRS)
def test_the_own_shutdown_cuts_waitall_short(net: Network, pair: Pair) -> None:
    """shutdown(RD) gives the waiting call what had come."""
    a, b = pair
    a.send(b"abc")
    task = net.spawn(b.recv, 6, WAITALL)
    assert not task.join(SHORT)
    b.shutdown(socket.SHUT_RD)
    assert task.result(PATIENCE) == b"abc"


@each(TCP_PAIRS)
def test_a_reset_cuts_waitall_short(net: Network, pair: Pair) -> None:
    """The partial data is returned, the next call gives ECONNRESET, then the end."""
    a, b = pair
    a.send(b"abc")
    task = net.spawn(b.recv, 6, WAITALL)
    assert not task.join(SHORT)
    a.setsockopt(*RESET_ON_CLOSE)
    a.close()
    assert task.result(PATIENCE) == b"abc"
    assert [outcome(b.recv, 1) for _ in range(2)] == ["ECONNRESET", b""]


@each(STREAM_PAIRS)
def test_so_rcvtimeo_cuts_waitall_short(net: Network, pair: Pair) -> None:
    """After the timeout the partial data is returned; without any it is EAGAIN."""
    a, b = pair
    b.setsockopt(*SO_RCVTIMEO, struct.pack("ll", 0, 50_000))
    a.send(b"abc")
    assert b.recv(6, WAITALL) == b"abc"
    assert outcome(b.recv, 6, WAITALL) == "EAGAIN"


@each(TCP_PAIRS)
def test_trunc_discards_on_tcp(net: Network, pair: Pair) -> None:
    """MSG_TRUNC takes bytes without copying them: only the count means something."""
    a, b = pair
    a.send(b"abcd")
    assert len(b.recv(3, TRUNC)) == 3
    assert b.recv(10) == b"d"


@each(UNIX_STREAM_PAIRS)
def test_trunc_means_nothing_on_a_unix_stream(net: Network, pair: Pair) -> None:
    """The bytes are received as usual."""
    a, b = pair
    a.send(b"abcd")
    assert [b.recv(3, TRUNC), b.recv(10)] == [b"abc", b"d"]


@each(SEQPACKET_PAIRS)
def test_trunc_tells_the_length_of_a_message(net: Network, pair: Pair) -> None:
    """The result is as long as the message was, but only its beginning is real."""
    a, b = pair
    a.send(b"0123456789")
    data = b.recv(4, TRUNC)
    assert (data[:4], len(data)) == (b"0123", 10)


@each(SEQPACKET_PAIRS)
def test_recvmsg_flags_a_message_that_was_cut(net: Network, pair: Pair) -> None:
    """MSG_TRUNC is set if the message did not fit; MSG_EOR never is."""
    a, b = pair
    a.send(b"0123456789")
    a.send(b"0123")
    assert b.recvmsg(4)[:3] == (b"0123", [], TRUNC)
    assert b.recvmsg(4)[:3] == (b"0123", [], 0)


@each(TCP_PAIRS)
def test_the_error_queue_of_tcp_is_empty(net: Network, pair: Pair) -> None:
    """MSG_ERRQUEUE is EAGAIN, in blocking mode too, and leaves the data."""
    a, b = pair
    a.send(b"data")
    assert outcome(b.recv, 10, ERRQUEUE) == "EAGAIN"
    assert b.recv(10) == b"data"


@each(UNIX_STREAM_PAIRS)
def test_unix_streams_ignore_the_error_queue_flag(net: Network, pair: Pair) -> None:
    """MSG_ERRQUEUE receives the data."""
    a, b = pair
    a.send(b"data")
    assert outcome(b.recv, 10, ERRQUEUE) == b"data"


@each(TCP_PAIRS)
def test_a_low_water_mark_holds_back_readiness(net: Network, pair: Pair) -> None:
    """With SO_RCVLOWAT 4, three bytes do not poll readable, but may be received; four do."""
    a, b = pair
    b.setsockopt(*SO_RCVLOWAT, 4)
    a.send(b"abc")
    assert readiness(net, b) == "OUT"
    assert b.recv(10, DONTWAIT) == b"abc"
    a.send(b"defg")
    wait_for(net, b, select.POLLIN)
    assert b.recv(10) == b"defg"


@each(TCP_PAIRS)
def test_the_end_is_readable_below_the_low_water_mark(net: Network, pair: Pair) -> None:
    """A FIN makes the socket readable, however little there is."""
    a, b = pair
    b.setsockopt(*SO_RCVLOWAT, 4)
    a.send(b"abc")
    a.shutdown(socket.SHUT_WR)
    assert readiness(net, b) == "IN|OUT|RDHUP"
    assert [b.recv(10), b.recv(10)] == [b"abc", b""]


@each(TCP_PAIRS)
def test_a_blocking_tcp_recv_wants_the_low_water_mark_afresh(net: Network, pair: Pair) -> None:
    """After three bytes came, the fourth alone does not wake it; four new ones do."""
    a, b = pair
    b.setsockopt(*SO_RCVLOWAT, 4)
    a.send(b"abc")
    task = net.spawn(b.recv, 20)
    assert not task.join(SHORT)
    a.send(b"d")
    assert not task.join(SHORT)
    a.send(b"efgh")
    assert task.result(PATIENCE) == b"abcdefgh"


@each(UNIX_STREAM_PAIRS)
def test_unix_poll_ignores_the_low_water_mark(net: Network, pair: Pair) -> None:
    """Three bytes are readable, but a blocking recv() waits for the fourth."""
    a, b = pair
    b.setsockopt(*SO_RCVLOWAT, 4)
    a.send(b"abc")
    assert readiness(net, b) == "IN|OUT"
    task = net.spawn(b.recv, 20)
    assert not task.join(SHORT)
    a.send(b"d")
    assert task.result(PATIENCE) == b"abcd"
