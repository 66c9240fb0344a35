"""MSG_OOB and SO_OOBINLINE: the urgent byte of TCP and unix streams."""

from __future__ import annotations

import select
import socket
from collections.abc import Callable

from simnet.api import Network, Socket
from tests.conformance.kinds import (
    CONNECTION_NAMES,
    SEQPACKET_PAIRS,
    STREAM_PAIRS,
    TCP_NAMES,
    TCP_PAIRS,
    UNIX_STREAM_PAIRS,
    Named,
    each,
)
from tests.conformance.outcomes import outcome, readiness, wait_for

OOB, PEEK, DONTWAIT = socket.MSG_OOB, socket.MSG_PEEK, socket.MSG_DONTWAIT
OOBINLINE = (socket.SOL_SOCKET, socket.SO_OOBINLINE)

Keep = Callable[[Socket], Socket]
Pair = tuple[Socket, Socket]


@each(STREAM_PAIRS)
def test_without_an_urgent_byte_oob_is_invalid(net: Network, pair: Pair) -> None:
    """recv(MSG_OOB) does not wait in the kernel, nor after the peer's close."""
    a, b = pair
    assert outcome(b.recv, 1, OOB) == "EINVAL"
    a.close()
    assert outcome(b.recv, 1, OOB) == "EINVAL"


@each(STREAM_PAIRS)
def test_a_timeout_waits_for_plain_data_before_it_asks(net: Network, pair: Pair) -> None:
    """In timeout mode recv(MSG_OOB) first waits until the socket is readable."""
    _, b = pair
    b.settimeout(0.05)
    assert outcome(b.recv, 1, OOB) == "TimeoutError"


@each(STREAM_PAIRS)
def test_an_urgent_byte_is_exceptional_and_the_last_of_its_send(net: Network, pair: Pair) -> None:
    """Poll says PRI, select says x, and the bytes before it are plain."""
    a, b = pair
    assert a.send(b"abC", OOB) == 3
    wait_for(net, b, select.POLLPRI)
    assert readiness(net, b) == "IN|PRI|OUT"
    assert net.select([b], [], [b], 0) == ([b], [], [b])
    assert b.recv(10, OOB) == b"C"
    assert b.recv(10) == b"ab"


@each(STREAM_PAIRS)
def test_an_urgent_byte_is_read_once(net: Network, pair: Pair) -> None:
    """The second recv(MSG_OOB) is EINVAL, and the stream goes on without it."""
    a, b = pair
    a.send(b"abC", OOB)
    a.send(b"de")
    assert [outcome(b.recv, 1, OOB) for _ in range(2)] == [b"C", "EINVAL"]
    assert [b.recv(10), b.recv(10)] == [b"ab", b"de"]


@each(STREAM_PAIRS)
def test_peeking_leaves_the_urgent_byte(net: Network, pair: Pair) -> None:
    """MSG_OOB with MSG_PEEK shows it, and it can still be read."""
    a, b = pair
    a.send(b"C", OOB)
    assert [b.recv(1, OOB | PEEK), b.recv(1, OOB)] == [b"C", b"C"]


@each(STREAM_PAIRS)
def test_receiving_stops_at_the_mark(net: Network, pair: Pair) -> None:
    """One recv() ends before the urgent byte; the next skips it, unread, and it is gone."""
    a, b = pair
    a.send(b"abC", OOB)
    a.send(b"de")
    assert b.recv(10) == b"ab"
    assert readiness(net, b) == "IN|PRI|OUT"
    assert b.recv(10) == b"de"
    assert readiness(net, b) == "OUT"
    assert outcome(b.recv, 1, OOB) == "EINVAL"


@each(STREAM_PAIRS)
def test_peeking_stops_at_the_mark(net: Network, pair: Pair) -> None:
    """MSG_PEEK ends there too and moves nothing."""
    a, b = pair
    a.send(b"abC", OOB)
    assert [b.recv(10, PEEK), b.recv(10, PEEK), b.recv(10), b.recv(1, OOB)] == [
        b"ab",
        b"ab",
        b"ab",
        b"C",
    ]


@each(TCP_PAIRS)
def test_a_tcp_socket_at_the_mark_is_not_readable(net: Network, pair: Pair) -> None:
    """With only the urgent byte left, PRI is set and IN is not."""
    a, b = pair
    a.send(b"abC", OOB)
    assert b.recv(10) == b"ab"
    assert readiness(net, b) == "PRI|OUT"


@each(UNIX_STREAM_PAIRS)
def test_a_unix_socket_at_the_mark_is_readable(net: Network, pair: Pair) -> None:
    """With only the urgent byte left, IN is set as well; it stays after the byte was read."""
    a, b = pair
    a.send(b"abC", OOB)
    assert b.recv(10) == b"ab"
    assert readiness(net, b) == "IN|PRI|OUT"
    assert b.recv(1, OOB) == b"C"
    assert readiness(net, b) == "IN|OUT"
    assert outcome(b.recv, 10, DONTWAIT) == "EAGAIN"


@each(STREAM_PAIRS)
def test_a_lone_urgent_byte_is_skipped_by_a_plain_recv(net: Network, pair: Pair) -> None:
    """recv() has nothing to give, and the byte is lost."""
    a, b = pair
    a.send(b"C", OOB)
    assert outcome(b.recv, 10, DONTWAIT) == "EAGAIN"
    assert outcome(b.recv, 1, OOB) == "EINVAL"
    assert readiness(net, b) == "OUT"


@each(STREAM_PAIRS)
def test_a_second_urgent_byte_makes_the_first_plain(net: Network, pair: Pair) -> None:
    """Only the last one is urgent; the earlier one is read with the stream."""
    a, b = pair
    a.send(b"aB", OOB)
    a.send(b"cD", OOB)
    assert b.recv(1, OOB) == b"D"
    assert b.recv(10) == b"aBc"
    assert outcome(b.recv, 10, DONTWAIT) == "EAGAIN"


@each(STREAM_PAIRS)
def test_an_inline_urgent_byte_is_read_with_the_stream(net: Network, pair: Pair) -> None:
    """With SO_OOBINLINE recv() stops before it, then begins with it; MSG_OOB is EINVAL."""
    a, b = pair
    b.setsockopt(*OOBINLINE, 1)
    a.send(b"abC", OOB)
    a.send(b"de")
    assert outcome(b.recv, 1, OOB) == "EINVAL"
    assert readiness(net, b) == "IN|PRI|OUT"
    assert b.recv(10) == b"ab"
    assert readiness(net, b) == "IN|PRI|OUT"
    assert b.recv(10) == b"Cde"
    assert readiness(net, b) == "OUT"


@each(STREAM_PAIRS)
def test_inline_may_be_switched_on_after_the_byte_came(net: Network, pair: Pair) -> None:
    """An urgent byte that was not read yet is then read with the stream."""
    a, b = pair
    a.send(b"C", OOB)
    b.setsockopt(*OOBINLINE, 1)
    assert outcome(b.recv, 10, DONTWAIT) == b"C"


@each(STREAM_PAIRS)
def test_an_unread_urgent_byte_does_not_hide_the_end(net: Network, pair: Pair) -> None:
    """After the peer's close recv() skips it and gives the end."""
    a, b = pair
    a.send(b"C", OOB)
    a.close()
    wait_for(net, b, select.POLLRDHUP)
    assert b.recv(10) == b""
    assert outcome(b.recv, 1, OOB) == "EINVAL"


@each(STREAM_PAIRS)
def test_recvmsg_flags_an_urgent_byte(net: Network, pair: Pair) -> None:
    """MSG_OOB is among the message flags of the urgent byte, not of plain data."""
    a, b = pair
    a.send(b"abC", OOB)
    assert b.recvmsg(10)[:3] == (b"ab", [], 0)
    assert b.recvmsg(1, 0, OOB)[:3] == (b"C", [], OOB)


@each(STREAM_PAIRS)
def test_an_urgent_byte_cannot_be_sent_after_shutdown(net: Network, pair: Pair) -> None:
    """EPIPE, as for plain data."""
    a, _ = pair
    a.shutdown(socket.SHUT_WR)
    assert outcome(a.send, b"x", OOB) == "EPIPE"


@each(TCP_PAIRS)
def test_no_bytes_at_all_may_be_urgent_on_tcp(net: Network, pair: Pair) -> None:
    """An empty urgent send does nothing."""
    a, b = pair
    assert outcome(a.send, b"", OOB) == 0
    assert readiness(net, b) == "OUT"


@each(UNIX_STREAM_PAIRS)
def test_an_empty_urgent_send_is_not_supported_on_unix(net: Network, pair: Pair) -> None:
    """EOPNOTSUPP: there must be a byte to be urgent."""
    a, _ = pair
    assert outcome(a.send, b"", OOB) == "EOPNOTSUPP"


@each(SEQPACKET_PAIRS)
def test_seqpacket_has_no_urgent_data(net: Network, pair: Pair) -> None:
    """EOPNOTSUPP both ways."""
    a, b = pair
    assert outcome(a.send, b"x", OOB) == "EOPNOTSUPP"
    assert outcome(b.recv, 1, OOB | DONTWAIT) == "EOPNOTSUPP"


@each(CONNECTION_NAMES[:4], argument="named")
def test_urgent_data_on_an_unconnected_stream(net: Network, keep: Keep, named: Named) -> None:
    """Receiving is EINVAL; sending fails as plain sending does."""
    sock = keep(named.socket(net))
    assert outcome(sock.recv, 1, OOB) == "EINVAL"
    assert outcome(sock.send, b"x", OOB) == ("EPIPE" if named in TCP_NAMES else "ENOTCONN")
