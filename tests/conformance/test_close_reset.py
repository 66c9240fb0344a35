"""What close() does to the other end: end of file, or a reset, and what is still delivered."""

from __future__ import annotations

import select
import socket
import struct
from collections.abc import Callable

import pytest

from simnet.api import Network, Socket
from tests.conformance.kinds import (
    CONNECTION_NAMES,
    CONNECTION_PAIRS,
    PATIENCE,
    SEQPACKET_PAIRS,
    STREAM_PAIRS,
    TCP_PAIRS,
    UNIX_STREAM_PAIRS,
    Named,
    each,
)
from tests.conformance.outcomes import fill, outcome, readiness, recv_exactly

SO_ERROR = (socket.SOL_SOCKET, socket.SO_ERROR)
SHORT = 0.05  # seconds: long enough to see that a call waits
UNIX_PAIRS = UNIX_STREAM_PAIRS + SEQPACKET_PAIRS

Keep = Callable[[Socket], Socket]
Pair = tuple[Socket, Socket]


def reset(sock: Socket) -> None:
    """Close with SO_LINGER 0, which sends a reset (TCP only)."""
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    sock.close()


# A clean close


@each(CONNECTION_PAIRS)
def test_what_was_sent_before_close_is_delivered_first(net: Network, pair: Pair) -> None:
    """The peer reads all of it, then the end, again and again."""
    a, b = pair
    a.send(b"last words")
    a.close()
    assert [b.recv(100) for _ in range(3)] == [b"last words", b"", b""]


@each(TCP_PAIRS)
def test_a_tcp_peer_that_closed_is_readable_and_still_writable(net: Network, pair: Pair) -> None:
    """IN and RDHUP, without HUP: the own half is still open."""
    a, b = pair
    a.close()
    assert readiness(net, b) == "IN|OUT|RDHUP"
    assert b.recv(1) == b""
    assert b.getsockopt(*SO_ERROR) == 0
    assert outcome(b.getpeername) == b.getpeername()


@each(UNIX_PAIRS)
def test_a_unix_peer_that_closed_hangs_up(net: Network, pair: Pair) -> None:
    """IN, RDHUP and HUP at once, without an error; the peer's name stays known."""
    a, b = pair
    a.close()
    assert readiness(net, b) == "IN|OUT|HUP|RDHUP"
    assert b.recv(1) == b""
    assert b.getsockopt(*SO_ERROR) == 0
    assert outcome(b.getpeername) == b.getpeername()


@each(TCP_PAIRS)
def test_the_first_send_to_a_closed_tcp_peer_succeeds(net: Network, pair: Pair) -> None:
    """The reset that it provokes makes the next ones EPIPE; receiving stays at the end."""
    a, b = pair
    a.close()
    assert [outcome(b.send, b"x") for _ in range(3)] == [1, "EPIPE", "EPIPE"]
    assert outcome(b.recv, 1) == b""
    assert readiness(net, b) == "IN|OUT|HUP|RDHUP"
    assert b.getsockopt(*SO_ERROR) == 0
    assert outcome(b.getpeername) == "ENOTCONN"


@each(TCP_PAIRS)
def test_the_error_after_sending_to_a_closed_tcp_peer_is_epipe(net: Network, pair: Pair) -> None:
    """SO_ERROR has EPIPE, not ECONNRESET, unless a send took it; receiving does not take it."""
    a, b = pair
    a.close()
    b.send(b"x")
    assert readiness(net, b) == "IN|OUT|ERR|HUP|RDHUP"
    assert outcome(b.recv, 1) == b""
    assert [b.getsockopt(*SO_ERROR) for _ in range(2)] == [32, 0]
    assert readiness(net, b) == "IN|OUT|HUP|RDHUP"
    assert outcome(b.send, b"x") == "EPIPE"


@each(UNIX_PAIRS)
def test_sending_to_a_closed_unix_peer_is_epipe_at_once(net: Network, pair: Pair) -> None:
    """No first send succeeds, and no error is left behind."""
    a, b = pair
    a.close()
    assert [outcome(b.send, b"x") for _ in range(2)] == ["EPIPE", "EPIPE"]
    assert b.getsockopt(*SO_ERROR) == 0


# A reset: closed with unread data


@each(CONNECTION_PAIRS)
def test_closing_with_unread_data_resets(net: Network, pair: Pair) -> None:
    """recv() gives ECONNRESET once, then the end; send() gives EPIPE; ERR goes, HUP stays."""
    a, b = pair
    b.send(b"unread")
    a.close()
    assert readiness(net, b) == "IN|OUT|ERR|HUP|RDHUP"
    assert [outcome(b.recv, 1) for _ in range(2)] == ["ECONNRESET", b""]
    assert outcome(b.send, b"x") == "EPIPE"
    assert readiness(net, b) == "IN|OUT|HUP|RDHUP"


@each(CONNECTION_PAIRS)
def test_so_error_takes_the_reset(net: Network, pair: Pair) -> None:
    """Reading SO_ERROR consumes the ECONNRESET; the rest sees the end."""
    a, b = pair
    b.send(b"unread")
    a.close()
    assert [b.getsockopt(*SO_ERROR) for _ in range(2)] == [104, 0]
    assert outcome(b.recv, 1) == b""
    assert outcome(b.send, b"x") == "EPIPE"


@each(TCP_PAIRS, SEQPACKET_PAIRS)
def test_send_takes_the_reset(net: Network, pair: Pair) -> None:
    """The first send() reports ECONNRESET, the next EPIPE, and receiving is at its end."""
    a, b = pair
    b.send(b"unread")
    a.close()
    assert [outcome(b.send, b"x") for _ in range(2)] == ["ECONNRESET", "EPIPE"]
    assert outcome(b.recv, 1) == b""


@each(TCP_PAIRS)
def test_sending_nothing_takes_the_reset(net: Network, pair: Pair) -> None:
    """send(b'') reports what any send() would."""
    a, b = pair
    b.send(b"unread")
    a.close()
    assert [outcome(b.send, b"") for _ in range(2)] == ["ECONNRESET", "EPIPE"]


@each(UNIX_STREAM_PAIRS)
def test_send_on_a_unix_stream_leaves_the_reset_to_recv(net: Network, pair: Pair) -> None:
    """send() is EPIPE at once, and recv() still has ECONNRESET to report."""
    a, b = pair
    b.send(b"unread")
    a.close()
    assert [outcome(b.send, b"x") for _ in range(2)] == ["EPIPE", "EPIPE"]
    assert [outcome(b.recv, 1) for _ in range(2)] == ["ECONNRESET", b""]


@each(STREAM_PAIRS)
def test_data_from_before_the_reset_is_read_first(net: Network, pair: Pair) -> None:
    """What had arrived, then ECONNRESET once, then the end."""
    a, b = pair
    b.send(b"unread")
    a.send(b"last words")
    a.close()
    heard = [outcome(b.recv, 4) for _ in range(5)]
    assert heard == [b"last", b" wor", b"ds", "ECONNRESET", b""]


@each(SEQPACKET_PAIRS)
def test_seqpacket_reports_the_reset_before_the_data(net: Network, pair: Pair) -> None:
    """ECONNRESET comes first, then the message, then the end."""
    a, b = pair
    b.send(b"unread")
    a.send(b"last words")
    a.close()
    assert [outcome(b.recv, 100) for _ in range(3)] == ["ECONNRESET", b"last words", b""]


@each(TCP_PAIRS)
def test_a_reset_dissolves_the_names(net: Network, pair: Pair) -> None:
    """getpeername() is ENOTCONN after a TCP reset; the own name stays."""
    a, b = pair
    name = b.getsockname()
    reset(a)
    assert outcome(b.getpeername) == "ENOTCONN"
    assert b.getsockname() == name


@each(UNIX_PAIRS)
def test_a_unix_reset_leaves_the_names(net: Network, pair: Pair) -> None:
    """getpeername() still answers."""
    a, b = pair
    name = b.getpeername()
    b.send(b"unread")
    a.close()
    assert outcome(b.recv, 1) == "ECONNRESET"
    assert b.getpeername() == name


@each(TCP_PAIRS)
def test_linger_zero_resets_a_tcp_connection_after_its_data(net: Network, pair: Pair) -> None:
    """What had arrived is read, then ECONNRESET once, then the end, and sending is EPIPE."""
    a, b = pair
    a.send(b"last words")
    reset(a)
    assert [outcome(b.recv, 100) for _ in range(3)] == [b"last words", "ECONNRESET", b""]
    assert outcome(b.send, b"x") == "EPIPE"


@each(UNIX_PAIRS)
def test_linger_zero_does_nothing_on_unix_sockets(net: Network, pair: Pair) -> None:
    """The peer sees a clean end."""
    a, b = pair
    a.send(b"last words")
    reset(a)
    assert [outcome(b.recv, 100) for _ in range(2)] == [b"last words", b""]


@each(TCP_PAIRS)
def test_a_tcp_reset_after_the_end_is_never_shown_to_recv(net: Network, pair: Pair) -> None:
    """If the FIN came before the reset, recv() stays at the end, and send() gives EPIPE."""
    a, b = pair
    b.send(b"unread")
    a.shutdown(socket.SHUT_WR)
    a.close()
    assert [outcome(b.recv, 1) for _ in range(3)] == [b"", b"", b""]
    assert outcome(b.send, b"x") == "EPIPE"


@each(TCP_PAIRS)
def test_a_tcp_reset_after_the_end_is_epipe_in_so_error(net: Network, pair: Pair) -> None:
    """Poll shows the error; SO_ERROR names it EPIPE."""
    a, b = pair
    a.shutdown(socket.SHUT_WR)
    b.send(b"unread")
    a.close()
    assert readiness(net, b) == "IN|OUT|ERR|HUP|RDHUP"
    assert [b.getsockopt(*SO_ERROR) for _ in range(2)] == [32, 0]


@each(UNIX_PAIRS)
def test_a_unix_reset_after_the_end_is_still_shown(net: Network, pair: Pair) -> None:
    """shutdown(WR) first makes no difference to the reset."""
    a, b = pair
    b.send(b"unread")
    a.shutdown(socket.SHUT_WR)
    a.close()
    assert [outcome(b.recv, 1) for _ in range(3)] == ["ECONNRESET", b"", b""]


@each(TCP_PAIRS)
def test_data_for_a_closed_tcp_reader_resets_it(net: Network, pair: Pair) -> None:
    """After close(), data that still comes is answered with a reset, though a FIN went before."""
    a, b = pair
    a.close()
    assert b.send(b"too late") == 8
    assert outcome(b.send, b"x") == "EPIPE"


@each(TCP_PAIRS)
@pytest.mark.parametrize("end", ["reset", "closed"])
def test_a_finished_tcp_socket_cannot_be_used_again(net: Network, pair: Pair, end: str) -> None:
    """connect() is EISCONN and listen() EINVAL, though bind() works again."""
    a, b = pair
    name, own = a.getsockname(), b.getsockname()
    if end == "reset":
        reset(a)
    else:
        a.close()
        b.shutdown(socket.SHUT_WR)
    assert outcome(b.bind, (own[0], 0)) is None
    assert outcome(b.connect, name) == "EISCONN"
    assert outcome(b.listen, 1) == "EINVAL"
    assert outcome(b.accept) == "EINVAL"


# Who shares the socket


@each(CONNECTION_PAIRS)
def test_the_connection_lives_until_its_last_descriptor_closes(net: Network, pair: Pair) -> None:
    """Closing one of two dup()s tells the peer nothing."""
    a, b = pair
    with a.dup() as copy:
        a.close()
        copy.send(b"still here")
        assert b.recv(100) == b"still here"
    assert b.recv(100) == b""


@each(CONNECTION_PAIRS)
def test_closing_twice_is_harmless_and_then_everything_is_ebadf(net: Network, pair: Pair) -> None:
    """Calls on a closed socket fail with EBADF; its descriptor reads -1."""
    a, b = pair
    a.close()
    a.close()
    assert a.fileno() == -1
    calls = [
        outcome(a.send, b"x"),
        outcome(a.recv, 1),
        outcome(a.shutdown, socket.SHUT_WR),
        outcome(a.getsockname),
        outcome(a.getpeername),
        outcome(a.accept),
        outcome(a.listen, 1),
        outcome(a.getsockopt, *SO_ERROR),
        outcome(a.connect, ("127.0.0.1", 1) if a.family == socket.AF_INET else b.getsockname()),
    ]
    assert set(calls) == {"EBADF"}


@each(CONNECTION_PAIRS)
def test_closing_does_not_wake_a_task_in_recv(net: Network, pair: Pair) -> None:
    """The task waits on, and still gets what the peer sends."""
    a, b = pair
    task = net.spawn(b.recv, 10)
    assert not task.join(SHORT)
    b.close()
    assert not task.join(SHORT)
    a.send(b"late")
    assert task.result(PATIENCE) == b"late"


@each(CONNECTION_NAMES, argument="named")
def test_closing_does_not_wake_a_task_in_accept(
    net: Network, keep: Keep, named: Named, listener: Socket
) -> None:
    """The task waits on, and still accepts the next connection."""
    name = listener.getsockname()
    task = net.spawn(listener.accept)
    assert not task.join(SHORT)
    listener.close()
    assert not task.join(SHORT)
    keep(named.socket(net)).connect(name)
    task.result(PATIENCE)[0].close()


@each(TCP_PAIRS[:1], UNIX_STREAM_PAIRS[-1:])
def test_closing_is_seen_by_a_poll_that_waits_only_at_its_end(net: Network, pair: Pair) -> None:
    """poll() is not woken; when its time is up it reports NVAL."""
    _, b = pair
    poller, number = net.poll(), b.fileno()
    poller.register(b, select.POLLIN)
    task = net.spawn(poller.poll, 1000)
    assert not task.join(SHORT)
    b.close()
    assert not task.join(SHORT)
    assert task.result(PATIENCE) == [(number, select.POLLNVAL)]


@each(CONNECTION_PAIRS)
def test_the_peers_close_wakes_a_task_in_recv(net: Network, pair: Pair) -> None:
    """The waiting recv() returns the end."""
    a, b = pair
    task = net.spawn(b.recv, 10)
    assert not task.join(SHORT)
    a.close()
    assert task.result(PATIENCE) == b""


@each(TCP_PAIRS)
def test_a_reset_wakes_a_task_in_recv(net: Network, pair: Pair) -> None:
    """The waiting recv() raises ECONNRESET."""
    a, b = pair
    task = net.spawn(b.recv, 10)
    assert not task.join(SHORT)
    reset(a)
    assert outcome(task.result, PATIENCE) == "ECONNRESET"


@each(STREAM_PAIRS)
def test_close_delivers_what_is_queued_in_the_background(net: Network, pair: Pair) -> None:
    """Everything that send() took arrives after close(), then the end."""
    a, b = pair
    a.setblocking(False)
    total = fill(a, b"x" * 4096)
    a.close()
    assert recv_exactly(b, total) == b"x" * total
    assert b.recv(1) == b""
