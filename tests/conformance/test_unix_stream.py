"""Unix streams where they differ from TCP: queues, backlogs, shutdown, resets, urgent data."""

from __future__ import annotations

import errno
import socket
from contextlib import ExitStack

import pytest

from simnet.api import Network, Socket
from tests.conformance.kinds import (
    PATIENCE,
    SEQPACKET_NAMES,
    SEQPACKET_PAIRS,
    STREAM_NAMES,
    UNIX_NAMES,
    UNIX_STREAM_PAIRS,
    Kind,
    Named,
    each,
)
from tests.conformance.outcomes import drain, fill, outcome, readiness
from tests.conformance.unix_sockets import opened, unix

LISTENING = [named for named in STREAM_NAMES + SEQPACKET_NAMES if named in UNIX_NAMES]
CONNECTIONS = UNIX_STREAM_PAIRS + SEQPACKET_PAIRS


def client(sockets: ExitStack, net: Network, named: Named, timeout: float | None = 0) -> Socket:
    """A fresh socket of the kind in that mode."""
    sock = sockets.enter_context(named.socket(net))
    sock.settimeout(timeout)
    return sock


@each(LISTENING, argument="named")
@pytest.mark.parametrize("backlog", [-1, 0, 1, 2, 5, 10])
def test_a_backlog_of_n_holds_n_and_one(
    net: Network, sockets: ExitStack, named: Named, backlog: int
) -> None:
    """listen(n) lets n + 1 clients connect; the next non-blocking connect is EAGAIN."""
    listener = sockets.enter_context(named.listening(net, backlog))
    room = max(backlog, 0) + 1
    clients = [client(sockets, net, named) for _ in range(room + 1)]
    results = [outcome(c.connect, listener.getsockname()) for c in clients]
    assert results == [None] * room + ["EAGAIN"]


@each(LISTENING, argument="named")
def test_a_refused_place_may_be_asked_for_again(
    net: Network, sockets: ExitStack, named: Named
) -> None:
    """After EAGAIN the socket is as before, and connects once there is a place."""
    listener = sockets.enter_context(named.listening(net, 0))
    first, second = client(sockets, net, named), client(sockets, net, named)
    first.connect(listener.getsockname())
    assert second.connect_ex(listener.getsockname()) == errno.EAGAIN
    assert readiness(net, second) == "OUT|HUP"
    listener.accept()[0].close()
    assert outcome(second.connect, listener.getsockname()) is None


@each(LISTENING, argument="named")
def test_a_full_backlog_comes_before_being_connected(
    net: Network, sockets: ExitStack, named: Named
) -> None:
    """A second connect is EAGAIN while the listener is full, and EISCONN when it is not."""
    listener = sockets.enter_context(named.listening(net, 0))
    sock = client(sockets, net, named)
    sock.connect(listener.getsockname())
    assert outcome(sock.connect, listener.getsockname()) == "EAGAIN"
    listener.accept()[0].close()
    assert outcome(sock.connect, listener.getsockname()) == "EISCONN"


@each(LISTENING, argument="named")
def test_a_timeout_does_not_wait_for_a_place(
    net: Network, sockets: ExitStack, named: Named
) -> None:
    """In timeout mode a connect to a full backlog fails with EAGAIN at once."""
    listener = sockets.enter_context(named.listening(net, 0))
    client(sockets, net, named).connect(listener.getsockname())
    late = client(sockets, net, named, PATIENCE)
    assert outcome(late.connect, listener.getsockname()) == "EAGAIN"


@each(LISTENING, argument="named")
def test_a_blocking_connect_waits_for_a_place(
    net: Network, sockets: ExitStack, named: Named
) -> None:
    """A blocking connect to a full backlog goes through when a connection is accepted."""
    listener = sockets.enter_context(named.listening(net, 0))
    first = client(sockets, net, named)
    first.connect(listener.getsockname())
    late = client(sockets, net, named, None)
    task = net.spawn(late.connect, listener.getsockname())
    assert not task.join(0.02)
    listener.accept()[0].close()
    assert task.result(PATIENCE) is None
    conn, _ = listener.accept()
    with conn:
        late.send(b"in")
        assert conn.recv(10) == b"in"


@each(LISTENING, argument="named")
def test_a_waiting_connect_is_refused_when_the_listener_closes(
    net: Network, sockets: ExitStack, named: Named
) -> None:
    """A connect that waits for a place gets ECONNREFUSED when the listener closes."""
    listener = sockets.enter_context(named.listening(net, 0))
    client(sockets, net, named).connect(listener.getsockname())
    late = client(sockets, net, named, None)
    task = net.spawn(outcome, late.connect, listener.getsockname())
    assert not task.join(0.02)
    listener.close()
    assert task.result(PATIENCE) == "ECONNREFUSED"


@each(LISTENING, argument="named")
def test_a_larger_backlog_makes_room(net: Network, sockets: ExitStack, named: Named) -> None:
    """A second listen() changes the backlog of a listening socket."""
    listener = sockets.enter_context(named.listening(net, 0))
    client(sockets, net, named).connect(listener.getsockname())
    late = client(sockets, net, named)
    assert outcome(late.connect, listener.getsockname()) == "EAGAIN"
    listener.listen(1)
    assert outcome(late.connect, listener.getsockname()) is None


@each(LISTENING, argument="named")
def test_closing_a_listener_resets_those_who_wait(
    net: Network, sockets: ExitStack, named: Named
) -> None:
    """A client that was never accepted gets ECONNRESET once and then b''."""
    listener = sockets.enter_context(named.listening(net))
    waiting = client(sockets, net, named)
    waiting.connect(listener.getsockname())
    listener.close()
    assert readiness(net, waiting) == "IN|OUT|ERR|HUP|RDHUP"
    assert [outcome(waiting.recv, 1) for _ in range(3)] == ["ECONNRESET", b"", b""]
    assert outcome(waiting.send, b"x") == "EPIPE"


@each(LISTENING, argument="named")
def test_a_dead_client_is_still_accepted(net: Network, sockets: ExitStack, named: Named) -> None:
    """accept() gives a connection whose client wrote and closed; its data is there."""
    listener = sockets.enter_context(named.listening(net))
    gone = client(sockets, net, named)
    gone.connect(listener.getsockname())
    gone.send(b"farewell")
    gone.close()
    conn, _ = listener.accept()
    with conn:
        assert [conn.recv(20), conn.recv(20)] == [b"farewell", b""]
        assert outcome(conn.send, b"x") == "EPIPE"


@each(LISTENING, argument="named")
@pytest.mark.parametrize("how", [socket.SHUT_RD, socket.SHUT_RDWR], ids=["RD", "RDWR"])
def test_a_listener_shut_for_receiving_refuses(
    net: Network, sockets: ExitStack, named: Named, how: int
) -> None:
    """After SHUT_RD a connect is ECONNREFUSED; a blocking accept is EINVAL, another EAGAIN."""
    listener = sockets.enter_context(named.listening(net))
    listener.shutdown(how)
    assert outcome(client(sockets, net, named).connect, listener.getsockname()) == "ECONNREFUSED"
    assert listener.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN) == 1
    assert outcome(listener.accept) == "EINVAL"
    listener.setblocking(False)
    assert outcome(listener.accept) == "EAGAIN"


@each(LISTENING, argument="named")
def test_shutdown_wakes_a_waiting_accept(net: Network, sockets: ExitStack, named: Named) -> None:
    """An accept() that waits gives EINVAL when another task shuts the listener down."""
    listener = sockets.enter_context(named.listening(net))
    task = net.spawn(outcome, listener.accept)
    assert not task.join(0.02)
    listener.shutdown(socket.SHUT_RDWR)
    assert task.result(PATIENCE) == "EINVAL"


@each(LISTENING, argument="named")
def test_what_a_listener_cannot_do(net: Network, sockets: ExitStack, named: Named) -> None:
    """A listening unix socket neither connects, sends nor receives."""
    listener = sockets.enter_context(named.listening(net))
    other = sockets.enter_context(named.listening(net))
    assert outcome(listener.connect, other.getsockname()) == "EINVAL"
    assert outcome(listener.send, b"x") == "ENOTCONN"
    assert outcome(listener.getpeername) == "ENOTCONN"
    assert outcome(listener.recv, 1) == ("EINVAL" if named in STREAM_NAMES else "ENOTCONN")


@each(CONNECTIONS)
def test_what_a_connection_cannot_do(net: Network, sockets: ExitStack, kind: Kind) -> None:
    """A connected unix socket neither listens, accepts nor connects again."""
    a, b = opened(sockets, net, kind)
    for sock in (a, b):
        assert outcome(sock.listen, 1) == "EINVAL"
        assert outcome(sock.accept) == "EINVAL"
        assert outcome(sock.connect, "/nowhere/at/all") == "ENOENT"


def test_an_unconnected_stream_says_so_in_its_own_words(net: Network, sockets: ExitStack) -> None:
    """Without a peer: send is ENOTCONN, recv EINVAL, sendto EOPNOTSUPP, shutdown succeeds."""
    sock = unix(sockets, net, socket.SOCK_STREAM)
    assert outcome(sock.send, b"x") == "ENOTCONN"
    assert outcome(sock.recv, 1) == "EINVAL"
    assert outcome(sock.sendto, b"x", "/nowhere") == "EOPNOTSUPP"
    assert outcome(sock.accept) == "EINVAL"
    assert outcome(sock.getpeername) == "ENOTCONN"
    assert outcome(sock.shutdown, socket.SHUT_RDWR) is None


@each(UNIX_STREAM_PAIRS)
def test_a_connected_stream_takes_no_address(net: Network, sockets: ExitStack, kind: Kind) -> None:
    """sendto() on a connected unix stream is EISCONN."""
    a, _ = opened(sockets, net, kind)
    assert outcome(a.sendto, b"x", "/nowhere") == "EISCONN"


@each(UNIX_STREAM_PAIRS)
def test_sends_join_in_the_stream(net: Network, sockets: ExitStack, kind: Kind) -> None:
    """Several sends may be read at once, and one send in pieces."""
    a, b = opened(sockets, net, kind)
    for part in (b"ab", b"cd", b"", b"ef"):
        a.send(part)
    assert [b.recv(3), b.recv(2), b.recv(100)] == [b"abc", b"de", b"f"]


@each(UNIX_STREAM_PAIRS)
def test_a_full_queue_is_read_back_whole(net: Network, sockets: ExitStack, kind: Kind) -> None:
    """What a stream took until EAGAIN arrives, all of it and in order."""
    a, b = opened(sockets, net, kind)
    a.send(b"first")
    taken = fill(a, bytes(range(256)) * 100)
    data = drain(b)
    assert data[:5] == b"first"
    assert len(data) == 5 + taken
    assert data[5:] == (bytes(range(256)) * (taken // 256 + 1))[:taken]


@each(UNIX_STREAM_PAIRS)
def test_data_comes_before_a_reset(net: Network, sockets: ExitStack, kind: Kind) -> None:
    """A peer that closed with unread data: what it sent, then ECONNRESET once, then b''."""
    a, b = opened(sockets, net, kind)
    b.send(b"unread")
    a.send(b"last")
    a.close()
    assert [outcome(b.recv, 10) for _ in range(3)] == [b"last", "ECONNRESET", b""]


@each(UNIX_STREAM_PAIRS)
def test_a_send_does_not_eat_the_reset(net: Network, sockets: ExitStack, kind: Kind) -> None:
    """After a reset send() is EPIPE, and recv() still reports ECONNRESET once."""
    a, b = opened(sockets, net, kind)
    b.send(b"unread")
    a.close()
    assert [outcome(b.send, b"x") for _ in range(2)] == ["EPIPE", "EPIPE"]
    assert [outcome(b.recv, 10) for _ in range(2)] == ["ECONNRESET", b""]


@each(CONNECTIONS)
def test_the_pending_error_is_read_once(net: Network, sockets: ExitStack, kind: Kind) -> None:
    """SO_ERROR gives ECONNRESET once, and takes it from recv()."""
    a, b = opened(sockets, net, kind)
    b.send(b"unread")
    a.close()
    errors = [b.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) for _ in range(2)]
    assert errors == [errno.ECONNRESET, 0]
    assert outcome(b.recv, 10) == b""


@each(UNIX_STREAM_PAIRS)
def test_a_closed_peer_breaks_the_pipe_at_once(
    net: Network, sockets: ExitStack, kind: Kind
) -> None:
    """The very first send() after the peer's close is EPIPE, and recv() gives b''."""
    a, b = opened(sockets, net, kind)
    a.close()
    assert outcome(b.send, b"x") == "EPIPE"
    assert b.recv(1) == b""


@each(CONNECTIONS)
def test_linger_does_not_reset(net: Network, sockets: ExitStack, kind: Kind) -> None:
    """SO_LINGER of 0 seconds changes nothing on a unix connection."""
    a, b = opened(sockets, net, kind)
    a.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    a.send(b"last")
    a.close()
    assert [outcome(b.recv, 10) for _ in range(2)] == [b"last", b""]


@each(CONNECTIONS)
def test_shutting_reading_breaks_the_peers_pipe(
    net: Network, sockets: ExitStack, kind: Kind
) -> None:
    """After SHUT_RD the peer's send is EPIPE; what was queued is still read, then b''."""
    a, b = opened(sockets, net, kind)
    a.send(b"early")
    b.shutdown(socket.SHUT_RD)
    assert outcome(a.send, b"late") == "EPIPE"
    assert [b.recv(10), b.recv(10)] == [b"early", b""]
    b.send(b"back")
    assert a.recv(10) == b"back"


@each(CONNECTIONS)
def test_shutting_writing_ends_the_peers_reading(
    net: Network, sockets: ExitStack, kind: Kind
) -> None:
    """After SHUT_WR the peer reads what was sent, then b''; the other way stays open."""
    a, b = opened(sockets, net, kind)
    a.send(b"last")
    a.shutdown(socket.SHUT_WR)
    assert outcome(a.send, b"x") == "EPIPE"
    assert [b.recv(10), b.recv(10)] == [b"last", b""]
    b.send(b"back")
    assert a.recv(10) == b"back"


@each(CONNECTIONS)
@pytest.mark.parametrize("how", [socket.SHUT_RD, socket.SHUT_WR, socket.SHUT_RDWR])
def test_a_repeated_shutdown_succeeds(
    net: Network, sockets: ExitStack, kind: Kind, how: int
) -> None:
    """shutdown() again, and after the peer closed, succeeds; a bad `how` is EINVAL."""
    a, b = opened(sockets, net, kind)
    assert [outcome(a.shutdown, how) for _ in range(2)] == [None, None]
    b.close()
    assert outcome(a.shutdown, how) is None
    assert outcome(a.shutdown, 3) == "EINVAL"


@each(CONNECTIONS)
def test_a_waiting_recv_ends_with_shutdown(net: Network, sockets: ExitStack, kind: Kind) -> None:
    """A recv() that waits gives b'' when another task shuts the socket down."""
    a, _ = opened(sockets, net, kind)
    a.settimeout(None)
    task = net.spawn(a.recv, 1)
    assert not task.join(0.02)
    a.shutdown(socket.SHUT_RD)
    assert task.result(PATIENCE) == b""


@each(CONNECTIONS)
def test_a_waiting_send_breaks_when_the_peer_closes(
    net: Network, sockets: ExitStack, kind: Kind
) -> None:
    """A send() that waits for room ends with ECONNRESET when its data was not read; then EPIPE."""
    a, b = opened(sockets, net, kind)
    fill(a)
    a.settimeout(None)
    task = net.spawn(outcome, a.send, b"x" * 1024)
    assert not task.join(0.02)
    b.close()
    assert task.result(PATIENCE) == "ECONNRESET"
    assert outcome(a.send, b"x") == "EPIPE"


@each(UNIX_STREAM_PAIRS)
def test_the_low_water_mark_does_not_delay_readiness(
    net: Network, sockets: ExitStack, kind: Kind
) -> None:
    """SO_RCVLOWAT does not keep a unix stream from polling readable."""
    a, b = opened(sockets, net, kind)
    b.setsockopt(socket.SOL_SOCKET, socket.SO_RCVLOWAT, 4)
    a.send(b"1")
    assert readiness(net, b) == "IN|OUT"


@each(CONNECTIONS)
def test_a_dissolved_connection_is_no_option(net: Network, sockets: ExitStack, kind: Kind) -> None:
    """connect(AF_UNSPEC) is EINVAL on a unix connection."""
    a, _ = opened(sockets, net, kind)
    assert outcome(net.disconnect, a) == "EINVAL"
