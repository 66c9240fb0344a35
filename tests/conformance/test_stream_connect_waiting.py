"""connect() that cannot finish: full backlogs, timeouts, and attempts that are called off."""

from __future__ import annotations

import select
import socket
import struct
from collections.abc import Callable

import pytest

from simnet.api import Network, Socket
from tests.conformance.kinds import (
    CONNECTION_NAMES,
    PATIENCE,
    TCP_NAMES,
    UNIX_NAMES,
    Named,
    each,
)
from tests.conformance.outcomes import outcome, readiness, wait_for

SO_ERROR = (socket.SOL_SOCKET, socket.SO_ERROR)
SO_SNDTIMEO = (socket.SOL_SOCKET, socket.SO_SNDTIMEO)
SO_ACCEPTCONN = (socket.SOL_SOCKET, socket.SO_ACCEPTCONN)
UNIX_CONNECTION_NAMES = [n for n in CONNECTION_NAMES if n in UNIX_NAMES]
SHORT = 0.05  # seconds: long enough to see that a call waits
SHORT_TIMEVAL = struct.pack("ll", 0, 50_000)

Keep = Callable[[Socket], Socket]


@pytest.fixture
def full(net: Network, keep: Keep, named: Named) -> Socket:
    """A listener whose backlog has no room for another connection."""
    listener = keep(named.listening(net, 0))
    keep(named.socket(net)).connect(listener.getsockname())
    return listener


@pytest.fixture
def connecting(net: Network, keep: Keep, named: Named, full: Socket) -> Socket:
    """A non-blocking socket whose connection attempt goes on."""
    sock = keep(named.socket(net))
    sock.setblocking(False)
    assert outcome(sock.connect, full.getsockname()) == "EINPROGRESS"
    return sock


@each(TCP_NAMES, argument="named")
def test_a_full_backlog_keeps_a_tcp_attempt_in_progress(
    net: Network, connecting: Socket, full: Socket
) -> None:
    """There is neither an error nor readiness, and another connect() is EALREADY."""
    assert readiness(net, connecting) == ""
    assert outcome(connecting.connect, full.getsockname()) == "EALREADY"
    assert connecting.getsockopt(*SO_ERROR) == 0


@each(TCP_NAMES, argument="named")
def test_an_attempt_goes_on_whatever_address_is_asked_for_next(
    net: Network, keep: Keep, named: Named, connecting: Socket
) -> None:
    """connect() elsewhere is EALREADY too."""
    other = keep(named.listening(net))
    assert outcome(connecting.connect, other.getsockname()) == "EALREADY"


@each(TCP_NAMES, argument="named")
@pytest.mark.parametrize(
    ("call", "expected"),
    [
        (lambda sock: sock.getpeername(), "ENOTCONN"),
        (lambda sock: sock.send(b"x"), "EAGAIN"),
        (lambda sock: sock.send(b""), "EAGAIN"),
        (lambda sock: sock.recv(1), "EAGAIN"),
        (lambda sock: sock.recv(1, socket.MSG_PEEK), "EAGAIN"),
        (lambda sock: sock.listen(1), "EINVAL"),
        (lambda sock: sock.accept(), "EINVAL"),
        (lambda sock: sock.bind(sock.getsockname()), "EINVAL"),
        (lambda sock: sock.getsockname()[1] > 0, True),
    ],
    ids=["getpeername", "send", "send-empty", "recv", "peek", "listen", "accept", "bind", "name"],
)
def test_calls_on_a_connecting_tcp_socket(
    connecting: Socket, call: Callable[[Socket], object], expected: object
) -> None:
    """It has a local name already, but nothing can be sent or received yet."""
    assert outcome(call, connecting) == expected


@each(TCP_NAMES, argument="named")
def test_the_freed_slot_goes_to_the_attempt_in_progress(
    net: Network, connecting: Socket, full: Socket
) -> None:
    """Once a connection was accepted, the waiting attempt completes (when its SYN is repeated)."""
    full.accept()[0].close()
    wait_for(net, connecting, select.POLLOUT)
    server, address = full.accept()
    with server:
        assert address == connecting.getsockname()


@each(TCP_NAMES, argument="named")
def test_closing_the_listener_refuses_the_attempt_in_progress(
    net: Network, connecting: Socket, full: Socket
) -> None:
    """The repeated SYN finds nobody and the attempt ends refused."""
    full.close()
    wait_for(net, connecting, select.POLLOUT)
    assert connecting.getsockopt(*SO_ERROR) == 111


@each(TCP_NAMES, argument="named")
@pytest.mark.parametrize("how", [socket.SHUT_RD, socket.SHUT_WR, socket.SHUT_RDWR])
def test_shutdown_calls_a_tcp_attempt_off(
    net: Network, connecting: Socket, full: Socket, how: int
) -> None:
    """Any shutdown() of a connecting socket resets it; then it may connect anew."""
    assert outcome(connecting.shutdown, how) is None
    assert readiness(net, connecting) == "OUT|ERR|HUP"
    assert [connecting.getsockopt(*SO_ERROR) for _ in range(2)] == [104, 0]
    assert outcome(connecting.connect, full.getsockname()) == "EINPROGRESS"
    assert outcome(connecting.connect, full.getsockname()) == "EALREADY"


@each(TCP_NAMES, argument="named")
def test_disconnect_calls_a_tcp_attempt_off(net: Network, connecting: Socket, full: Socket) -> None:
    """connect(AF_UNSPEC) of a connecting socket leaves ECONNRESET, and it may connect anew."""
    assert outcome(net.disconnect, connecting) is None
    assert readiness(net, connecting) == "OUT|ERR|HUP"
    assert connecting.getsockopt(*SO_ERROR) == 104
    assert outcome(connecting.connect, full.getsockname()) == "EINPROGRESS"


@each(TCP_NAMES, argument="named")
def test_closing_a_connecting_socket_leaves_nothing_to_accept(
    net: Network, connecting: Socket, full: Socket
) -> None:
    """Only the connection that completed is in the queue."""
    connecting.close()
    full.setblocking(False)
    full.accept()[0].close()
    assert outcome(full.accept) == "EAGAIN"


@each(CONNECTION_NAMES, argument="named")
def test_a_blocking_connect_waits_for_room(
    net: Network, keep: Keep, named: Named, full: Socket
) -> None:
    """connect() of a full backlog waits until something is accepted."""
    client = keep(named.socket(net))
    task = net.spawn(client.connect, full.getsockname())
    assert not task.join(SHORT)
    full.accept()[0].close()
    assert task.result(PATIENCE) is None
    full.accept()[0].close()


@each(CONNECTION_NAMES, argument="named")
def test_closing_the_listener_refuses_a_blocking_connect(
    net: Network, keep: Keep, named: Named, full: Socket
) -> None:
    """The waiting connect() ends with ECONNREFUSED."""
    client = keep(named.socket(net))
    task = net.spawn(client.connect, full.getsockname())
    assert not task.join(SHORT)
    full.close()
    assert outcome(task.result, PATIENCE) == "ECONNREFUSED"


@each(TCP_NAMES, argument="named")
def test_shutdown_wakes_a_blocking_tcp_connect(
    net: Network, keep: Keep, named: Named, full: Socket
) -> None:
    """The waiting connect() ends with ECONNRESET, and that error is then gone."""
    client = keep(named.socket(net))
    task = net.spawn(client.connect, full.getsockname())
    assert not task.join(SHORT)
    client.shutdown(socket.SHUT_RDWR)
    assert outcome(task.result, PATIENCE) == "ECONNRESET"
    assert readiness(net, client) == "OUT|HUP"
    assert outcome(client.recv, 1) == "ENOTCONN"


@each(UNIX_CONNECTION_NAMES, argument="named")
def test_shutdown_does_not_wake_a_blocking_unix_connect(
    net: Network, keep: Keep, named: Named, full: Socket
) -> None:
    """It waits for the listener alone."""
    client = keep(named.socket(net))
    task = net.spawn(client.connect, full.getsockname())
    assert not task.join(SHORT)
    client.shutdown(socket.SHUT_RDWR)
    assert not task.join(SHORT)
    full.close()
    assert outcome(task.result, PATIENCE) == "ECONNREFUSED"


@each(TCP_NAMES, argument="named")
def test_a_timed_out_tcp_connect_goes_on_underneath(
    net: Network, keep: Keep, named: Named, full: Socket
) -> None:
    """TimeoutError without an errno; the next connect() is EALREADY; in the end it succeeds."""
    client = keep(named.socket(net))
    client.settimeout(SHORT)
    with pytest.raises(TimeoutError, match=r"^timed out$") as caught:
        client.connect(full.getsockname())
    assert caught.value.errno is None
    assert client.connect_ex(full.getsockname()) == 114
    full.accept()[0].close()
    wait_for(net, client, select.POLLOUT)
    assert client.getpeername() == full.getsockname()


@each(TCP_NAMES, argument="named")
def test_connect_ex_reports_a_timeout_as_eagain(
    net: Network, keep: Keep, named: Named, full: Socket
) -> None:
    """11, not ETIMEDOUT; and 114 while the attempt goes on."""
    client = keep(named.socket(net))
    client.settimeout(SHORT)
    codes = [client.connect_ex(full.getsockname()) for _ in range(2)]
    assert codes == [11, 114]


@each(TCP_NAMES, argument="named")
def test_so_sndtimeo_ends_the_waiting_of_a_tcp_connect(
    net: Network, keep: Keep, named: Named, full: Socket
) -> None:
    """The blocking call gives EINPROGRESS after the timeout, and the attempt goes on."""
    client = keep(named.socket(net))
    client.setsockopt(*SO_SNDTIMEO, SHORT_TIMEVAL)
    calls = [outcome(client.connect, full.getsockname()) for _ in range(2)]
    assert calls == ["EINPROGRESS", "EALREADY"]


@each(UNIX_CONNECTION_NAMES, argument="named")
def test_so_sndtimeo_ends_the_waiting_of_a_unix_connect(
    net: Network, keep: Keep, named: Named, full: Socket
) -> None:
    """The blocking call gives EAGAIN after the timeout."""
    client = keep(named.socket(net))
    client.setsockopt(*SO_SNDTIMEO, SHORT_TIMEVAL)
    assert outcome(client.connect, full.getsockname()) == "EAGAIN"


@each(UNIX_CONNECTION_NAMES, argument="named")
@pytest.mark.parametrize("timeout", [0, PATIENCE], ids=["non-blocking", "with-timeout"])
def test_a_full_unix_backlog_is_eagain_and_nothing_is_lost(
    net: Network, keep: Keep, named: Named, full: Socket, timeout: float
) -> None:
    """Not EINPROGRESS, and a timeout does not make it wait; the socket may connect later."""
    client = keep(named.socket(net))
    client.settimeout(timeout)
    with pytest.raises(BlockingIOError):
        client.connect(full.getsockname())
    assert client.connect_ex(full.getsockname()) == 11
    assert readiness(net, client) == "OUT|HUP"
    full.accept()[0].close()
    assert outcome(client.connect, full.getsockname()) is None


@each(TCP_NAMES, argument="named")
def test_disconnect_resets_a_tcp_connection_and_frees_the_socket(
    net: Network, keep: Keep, named: Named, listener: Socket
) -> None:
    """Both ends see ECONNRESET once; the socket that was disconnected may connect anew."""
    client = keep(named.socket(net))
    client.connect(listener.getsockname())
    with listener.accept()[0] as server:
        assert outcome(net.disconnect, client) is None
        assert readiness(net, client) == "OUT|ERR|HUP"
        assert readiness(net, server) == "IN|OUT|ERR|HUP|RDHUP"
        assert [outcome(server.recv, 1) for _ in range(2)] == ["ECONNRESET", b""]
    assert outcome(client.getpeername) == "ENOTCONN"
    assert client.getsockopt(*SO_ERROR) == 104
    assert outcome(client.connect, listener.getsockname()) is None
    with listener.accept()[0] as server:
        assert client.send(b"anew") == 4
        assert server.recv(10) == b"anew"


@each(TCP_NAMES, argument="named")
def test_disconnect_frees_a_socket_whose_connection_has_ended(
    net: Network, keep: Keep, named: Named, listener: Socket
) -> None:
    """A finished TCP socket is EISCONN for connect() until AF_UNSPEC frees it."""
    client = keep(named.socket(net))
    client.connect(listener.getsockname())
    listener.accept()[0].close()
    assert client.recv(1) == b""
    client.shutdown(socket.SHUT_WR)
    assert outcome(client.connect, listener.getsockname()) == "EISCONN"
    assert outcome(client.listen, 1) == "EINVAL"
    assert outcome(net.disconnect, client) is None
    assert outcome(client.connect, listener.getsockname()) is None


@each(TCP_NAMES, argument="named")
def test_disconnect_ends_listening(net: Network, keep: Keep, named: Named) -> None:
    """The waiting clients are reset, and the socket may listen again."""
    listener = keep(named.listening(net))
    client = keep(named.socket(net))
    client.connect(listener.getsockname())
    assert outcome(net.disconnect, listener) is None
    assert listener.getsockopt(*SO_ACCEPTCONN) == 0
    assert readiness(net, listener) == "OUT|HUP"
    assert outcome(listener.accept) == "EINVAL"
    assert outcome(client.recv, 1) == "ECONNRESET"
    assert outcome(listener.listen, 1) is None


@each(TCP_NAMES, argument="named")
def test_disconnect_of_a_fresh_tcp_socket_does_nothing(
    net: Network, keep: Keep, named: Named, listener: Socket
) -> None:
    """It succeeds, and the socket can connect."""
    client = keep(named.socket(net))
    assert outcome(net.disconnect, client) is None
    assert outcome(client.connect, listener.getsockname()) is None


@each(UNIX_CONNECTION_NAMES, argument="named")
def test_unix_connections_cannot_be_dissolved(
    net: Network, keep: Keep, named: Named, listener: Socket
) -> None:
    """connect(AF_UNSPEC) is EINVAL, connected or not."""
    client = keep(named.socket(net))
    assert outcome(net.disconnect, client) == "EINVAL"
    client.connect(listener.getsockname())
    assert outcome(net.disconnect, client) == "EINVAL"
