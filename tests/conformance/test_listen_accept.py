"""listen() and accept(): the backlog, the order, what is inherited, and dead connections."""

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
    DATAGRAM_NAMES,
    PATIENCE,
    TCP_NAMES,
    UNIX_NAMES,
    Named,
    each,
)
from tests.conformance.outcomes import outcome, readiness, wait_for

SOL, TCP = socket.SOL_SOCKET, socket.IPPROTO_TCP
SO_ACCEPTCONN = (SOL, socket.SO_ACCEPTCONN)
UNIX_CONNECTION_NAMES = [n for n in CONNECTION_NAMES if n in UNIX_NAMES]
SHORT = 0.05  # seconds: long enough to see that a call waits
UNCONNECTED_RECV = {"": "ENOTCONN", "unix-stream": "EINVAL", "unix-seqpacket": "ENOTCONN"}
WILDCARDS = {socket.AF_INET: "0.0.0.0", socket.AF_INET6: "::"}

Keep = Callable[[Socket], Socket]


def client_of(net: Network, keep: Keep, named: Named, listener: Socket) -> Socket:
    """A socket that is connected to the listener."""
    client = keep(named.socket(net))
    client.connect(listener.getsockname())
    return client


def completes(net: Network, keep: Keep, named: Named, listener: Socket) -> bool:
    """Whether a non-blocking connect finds room in the backlog."""
    client = keep(named.socket(net))
    client.setblocking(False)
    client.connect_ex(listener.getsockname())
    return outcome(client.getpeername) != "ENOTCONN"


@each(CONNECTION_NAMES, argument="named")
@pytest.mark.parametrize(("backlog", "room"), [(-1, 1), (0, 1), (1, 2), (2, 3), (3, 4), (5, 6)])
def test_a_backlog_of_n_admits_n_plus_one(
    net: Network, keep: Keep, named: Named, backlog: int, room: int
) -> None:
    """listen(n) completes n + 1 connections, the next one has no room; -1 counts as 0."""
    listener = keep(named.listening(net, backlog))
    found = [completes(net, keep, named, listener) for _ in range(room + 1)]
    assert found == [True] * room + [False]


@each(CONNECTION_NAMES, argument="named")
def test_listening_again_changes_the_backlog(net: Network, keep: Keep, named: Named) -> None:
    """A second listen() is allowed and makes room."""
    listener = keep(named.listening(net, 0))
    assert completes(net, keep, named, listener)
    assert not completes(net, keep, named, listener)
    assert outcome(listener.listen, 3) is None
    assert completes(net, keep, named, listener)


@each(CONNECTION_NAMES, argument="named")
def test_connections_are_accepted_in_the_order_in_which_they_came(
    net: Network, keep: Keep, named: Named, listener: Socket
) -> None:
    """The oldest waiting connection is taken first."""
    for number in range(5):
        client_of(net, keep, named, listener).send(b"%d" % number)
    heard = [keep(listener.accept()[0]).recv(10) for _ in range(5)]
    assert heard == [b"0", b"1", b"2", b"3", b"4"]


@each(CONNECTION_NAMES, argument="named")
def test_accept_waits_for_a_connection(
    net: Network, keep: Keep, named: Named, listener: Socket
) -> None:
    """A blocking accept() returns when a client connects."""
    task = net.spawn(listener.accept)
    assert not task.join(SHORT)
    client_of(net, keep, named, listener)
    with task.result(PATIENCE)[0] as server:
        assert server.getsockname() == listener.getsockname()


@each(CONNECTION_NAMES, argument="named")
def test_accept_without_a_connection(net: Network, named: Named, listener: Socket) -> None:
    """Non-blocking it is EAGAIN; with a timeout it times out."""
    listener.settimeout(SHORT)
    with pytest.raises(TimeoutError, match=r"^timed out$"):
        listener.accept()
    listener.setblocking(False)
    assert outcome(listener.accept) == "EAGAIN"


@each(CONNECTION_NAMES, argument="named")
def test_so_rcvtimeo_ends_the_waiting_of_accept(
    net: Network, named: Named, listener: Socket
) -> None:
    """A blocking accept() gives EAGAIN after SO_RCVTIMEO."""
    listener.setsockopt(SOL, socket.SO_RCVTIMEO, struct.pack("ll", 0, 50_000))
    assert outcome(listener.accept) == "EAGAIN"


@each(CONNECTION_NAMES, argument="named")
def test_a_listener_is_readable_while_a_connection_waits(
    net: Network, keep: Keep, named: Named, listener: Socket
) -> None:
    """POLLIN as long as accept() would succeed, and never POLLOUT."""
    assert readiness(net, listener) == ""
    client_of(net, keep, named, listener)
    wait_for(net, listener, select.POLLIN)
    assert readiness(net, listener) == "IN"
    keep(listener.accept()[0])
    assert readiness(net, listener) == ""


@each(CONNECTION_NAMES, argument="named")
def test_two_accepting_tasks_get_one_connection_each(
    net: Network, keep: Keep, named: Named, listener: Socket
) -> None:
    """Each connection wakes one of them."""
    tasks = [net.spawn(listener.accept) for _ in range(2)]
    for text in (b"a", b"b"):
        client_of(net, keep, named, listener).send(text)
    servers = [keep(task.result(PATIENCE)[0]) for task in tasks]
    assert sorted(server.recv(10) for server in servers) == [b"a", b"b"]


@each(CONNECTION_NAMES, argument="named")
def test_accept_on_a_socket_that_does_not_listen_is_invalid(
    net: Network, keep: Keep, named: Named
) -> None:
    """Unbound or only bound: EINVAL."""
    assert outcome(keep(named.socket(net)).accept) == "EINVAL"
    assert outcome(keep(named.bound(net)).accept) == "EINVAL"


@each(CONNECTION_PAIRS)
def test_connected_sockets_neither_accept_nor_listen(
    net: Network, pair: tuple[Socket, Socket]
) -> None:
    """Both calls are EINVAL on either end."""
    assert [outcome(sock.accept) for sock in pair] == ["EINVAL", "EINVAL"]
    assert [outcome(sock.listen, 1) for sock in pair] == ["EINVAL", "EINVAL"]


@each(DATAGRAM_NAMES, argument="named")
def test_datagram_sockets_neither_listen_nor_accept(net: Network, keep: Keep, named: Named) -> None:
    """EOPNOTSUPP, bound or not."""
    for sock in (keep(named.socket(net)), keep(named.bound(net))):
        assert outcome(sock.listen, 1) == "EOPNOTSUPP"
        assert outcome(sock.accept) == "EOPNOTSUPP"


@each(TCP_NAMES, argument="named")
def test_listening_unbound_binds_a_tcp_socket(net: Network, keep: Keep, named: Named) -> None:
    """listen() before bind() picks the wildcard address and a port."""
    listener = keep(named.socket(net))
    listener.listen(1)
    host, port = listener.getsockname()[:2]
    assert host == WILDCARDS[named.family]
    client = keep(named.socket(net))
    assert outcome(client.connect, (host, port)) is None


@each(UNIX_CONNECTION_NAMES, argument="named")
def test_listening_unbound_is_invalid_for_unix(net: Network, keep: Keep, named: Named) -> None:
    """A unix socket needs a name first."""
    assert outcome(keep(named.socket(net)).listen, 1) == "EINVAL"


@each(CONNECTION_NAMES, argument="named")
def test_so_acceptconn_tells_a_listener(net: Network, keep: Keep, named: Named) -> None:
    """0 until listen(), 1 after; it cannot be set."""
    sock = keep(named.bound(net))
    assert sock.getsockopt(*SO_ACCEPTCONN) == 0
    sock.listen(1)
    assert sock.getsockopt(*SO_ACCEPTCONN) == 1
    assert outcome(sock.setsockopt, *SO_ACCEPTCONN, 0) == "ENOPROTOOPT"


@each(CONNECTION_NAMES, argument="named")
def test_a_listener_has_no_peer(net: Network, named: Named, listener: Socket) -> None:
    """Data calls on a listener fail as on an unconnected socket of its kind."""
    assert outcome(listener.getpeername) == "ENOTCONN"
    assert outcome(listener.recv, 1) == UNCONNECTED_RECV[named.name.rpartition("-")[0]]
    assert outcome(listener.send, b"x") == ("EPIPE" if named in TCP_NAMES else "ENOTCONN")


# Dead connections


@each(CONNECTION_NAMES, argument="named")
def test_a_client_that_has_left_is_still_accepted(
    net: Network, keep: Keep, named: Named, listener: Socket
) -> None:
    """accept() returns the connection, whose data and end are then read."""
    client = client_of(net, keep, named, listener)
    client.send(b"left")
    client.close()
    with listener.accept()[0] as server:
        assert server.recv(10) == b"left"
        assert server.recv(10) == b""


@each(TCP_NAMES, argument="named")
def test_a_client_that_has_reset_is_still_accepted_with_its_address(
    net: Network, keep: Keep, named: Named, listener: Socket
) -> None:
    """Never ECONNABORTED: the connection's own calls tell, once, and its data comes first."""
    client = client_of(net, keep, named, listener)
    name = client.getsockname()
    client.send(b"data")
    client.setsockopt(SOL, socket.SO_LINGER, struct.pack("ii", 1, 0))
    client.close()
    server, address = listener.accept()
    with server:
        assert address == name
        assert outcome(server.getpeername) == "ENOTCONN"
        heard = [outcome(server.recv, 10) for _ in range(3)]
        assert heard == [b"data", "ECONNRESET", b""]


@each(CONNECTION_NAMES, argument="named")
def test_closing_the_listener_resets_who_was_not_accepted(
    net: Network, keep: Keep, named: Named, listener: Socket
) -> None:
    """The client receives ECONNRESET once, then the end."""
    client = client_of(net, keep, named, listener)
    listener.close()
    wait_for(net, client, select.POLLIN)
    assert [outcome(client.recv, 1) for _ in range(2)] == ["ECONNRESET", b""]


@each(CONNECTION_NAMES, argument="named")
def test_sending_to_a_closed_listener(
    net: Network, keep: Keep, named: Named, listener: Socket
) -> None:
    """TCP and seqpacket report the reset, then EPIPE; a unix stream says EPIPE at once."""
    client = client_of(net, keep, named, listener)
    listener.close()
    wait_for(net, client, select.POLLIN)
    first = "EPIPE" if named.name.startswith("unix-stream") else "ECONNRESET"
    assert [outcome(client.send, b"x") for _ in range(2)] == [first, "EPIPE"]


@each(CONNECTION_NAMES, argument="named")
def test_accepted_connections_outlive_their_listener(
    net: Network, keep: Keep, named: Named, listener: Socket
) -> None:
    """Closing the listener does not touch what was accepted."""
    client = client_of(net, keep, named, listener)
    server = keep(listener.accept()[0])
    listener.close()
    client.send(b"still")
    assert server.recv(10) == b"still"


# Shutting a listener down


@each(TCP_NAMES, argument="named")
@pytest.mark.parametrize("how", [socket.SHUT_RD, socket.SHUT_RDWR])
def test_shutting_a_tcp_listener_for_reading_ends_listening(
    net: Network, keep: Keep, named: Named, listener: Socket, how: int
) -> None:
    """Waiting clients are reset, accept() is EINVAL, and listen() works again."""
    client = client_of(net, keep, named, listener)
    assert outcome(listener.shutdown, how) is None
    assert listener.getsockopt(*SO_ACCEPTCONN) == 0
    assert outcome(listener.accept) == "EINVAL"
    assert outcome(client.recv, 1) == "ECONNRESET"
    assert outcome(listener.listen, 1) is None
    client_of(net, keep, named, listener)


@each(TCP_NAMES, argument="named")
def test_a_shut_tcp_listener_keeps_only_a_port_that_it_asked_for(
    net: Network, keep: Keep, named: Named, listener: Socket
) -> None:
    """Listening again picks a new port if the kernel had picked the old one, else the same."""
    name = listener.getsockname()
    listener.shutdown(socket.SHUT_RD)
    assert listener.getsockname() == name
    with keep(named.socket(net)) as explicit:
        explicit.bind(name)
        explicit.listen(1)
        explicit.shutdown(socket.SHUT_RD)
        explicit.listen(1)
        assert explicit.getsockname() == name
        listener.listen(1)
        assert listener.getsockname() != name


@each(TCP_NAMES, argument="named")
def test_shutting_a_tcp_listener_for_writing_does_nothing(
    net: Network, keep: Keep, named: Named, listener: Socket
) -> None:
    """It still listens."""
    assert outcome(listener.shutdown, socket.SHUT_WR) is None
    client_of(net, keep, named, listener)
    with listener.accept()[0] as server:
        assert server.send(b"x") == 1


@each(UNIX_CONNECTION_NAMES, argument="named")
def test_shutting_a_unix_listener_leaves_it_half_listening(
    net: Network, keep: Keep, named: Named, listener: Socket
) -> None:
    """SO_ACCEPTCONN stays 1; accept() is EINVAL if it would block, EAGAIN if it may not."""
    assert outcome(listener.shutdown, socket.SHUT_RD) is None
    assert listener.getsockopt(*SO_ACCEPTCONN) == 1
    assert readiness(net, listener) == "IN|RDHUP"
    assert outcome(listener.accept) == "EINVAL"
    listener.setblocking(False)
    assert outcome(listener.accept) == "EAGAIN"
    client = keep(named.socket(net))
    assert outcome(client.connect, listener.getsockname()) == "ECONNREFUSED"


@each(CONNECTION_NAMES, argument="named")
def test_shutdown_wakes_a_task_in_accept(net: Network, named: Named, listener: Socket) -> None:
    """The waiting accept() ends with EINVAL."""
    task = net.spawn(listener.accept)
    assert not task.join(SHORT)
    listener.shutdown(socket.SHUT_RDWR)
    assert outcome(task.result, PATIENCE) == "EINVAL"


# What accept() hands on


@each(TCP_NAMES, argument="named")
@pytest.mark.parametrize(
    ("level", "option", "value"),
    [
        pytest.param(SOL, socket.SO_KEEPALIVE, 1, id="SO_KEEPALIVE"),
        pytest.param(SOL, socket.SO_OOBINLINE, 1, id="SO_OOBINLINE"),
        pytest.param(SOL, socket.SO_REUSEADDR, 1, id="SO_REUSEADDR"),
        pytest.param(SOL, socket.SO_BROADCAST, 1, id="SO_BROADCAST"),
        pytest.param(SOL, socket.SO_RCVLOWAT, 5, id="SO_RCVLOWAT"),
        pytest.param(SOL, socket.SO_SNDBUF, 40000, id="SO_SNDBUF"),
        pytest.param(SOL, socket.SO_RCVBUF, 40000, id="SO_RCVBUF"),
        pytest.param(SOL, socket.SO_LINGER, struct.pack("ii", 1, 3), id="SO_LINGER"),
        pytest.param(SOL, socket.SO_RCVTIMEO, struct.pack("ll", 7, 0), id="SO_RCVTIMEO"),
        pytest.param(SOL, socket.SO_SNDTIMEO, struct.pack("ll", 7, 0), id="SO_SNDTIMEO"),
        pytest.param(TCP, socket.TCP_NODELAY, 1, id="TCP_NODELAY"),
        pytest.param(TCP, socket.TCP_KEEPIDLE, 77, id="TCP_KEEPIDLE"),
    ],
)
def test_an_accepted_tcp_socket_inherits_the_option(
    net: Network,
    keep: Keep,
    named: Named,
    listener: Socket,
    level: int,
    option: int,
    value: int | bytes,
) -> None:
    """What was set on the listener reads the same on the accepted socket, and not on the client."""
    listener.setsockopt(level, option, value)
    client = client_of(net, keep, named, listener)
    server = keep(listener.accept()[0])
    expected = listener.getsockopt(level, option, 16)
    assert server.getsockopt(level, option, 16) == expected
    assert client.getsockopt(level, option, 16) != expected


@each(TCP_NAMES, argument="named")
def test_an_inherited_low_water_mark_holds_back_readiness(
    net: Network, keep: Keep, named: Named, listener: Socket
) -> None:
    """The accepted socket is not readable below it, so that a recv with a timeout waits."""
    listener.setsockopt(SOL, socket.SO_RCVLOWAT, 4)
    client = client_of(net, keep, named, listener)
    server = keep(listener.accept()[0])
    client.send(b"abc")
    server.settimeout(SHORT)
    assert outcome(server.recv, 10) == "TimeoutError"
    client.send(b"d")
    assert server.recv(10) == b"abcd"


def test_an_accepted_socket_shows_the_hops_of_the_peers_syn(net: Network, keep: Keep) -> None:
    """As its own for groups, which a stream has no other use for (tcp_v4_syn_recv_sock)."""
    listener, client = keep(net.create_server(("127.0.0.1", 0))), keep(net.socket())
    client.setsockopt(socket.IPPROTO_IP, socket.IP_TTL, 33)
    client.connect(listener.getsockname())
    server = keep(listener.accept()[0])
    assert server.getsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_TTL) == 33
    assert client.getsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_TTL) == 1


@each(UNIX_CONNECTION_NAMES, argument="named")
def test_an_accepted_unix_socket_inherits_credentials_but_no_buffer(
    net: Network, keep: Keep, named: Named, listener: Socket
) -> None:
    """SO_PASSCRED is handed on, SO_SNDBUF is not."""
    default = listener.getsockopt(SOL, socket.SO_SNDBUF)
    listener.setsockopt(SOL, socket.SO_PASSCRED, 1)
    listener.setsockopt(SOL, socket.SO_SNDBUF, 8192)
    client_of(net, keep, named, listener)
    server = keep(listener.accept()[0])
    assert server.getsockopt(SOL, socket.SO_PASSCRED) == 1
    assert server.getsockopt(SOL, socket.SO_SNDBUF) == default


@each(CONNECTION_NAMES, argument="named")
@pytest.mark.parametrize(
    "timeout", [0, PATIENCE, None], ids=["non-blocking", "timeout", "blocking"]
)
def test_an_accepted_socket_blocks_whatever_the_listener_does(
    net: Network, keep: Keep, named: Named, listener: Socket, timeout: float | None
) -> None:
    """Neither O_NONBLOCK nor the timeout is inherited; the descriptor is not inheritable."""
    client_of(net, keep, named, listener)
    listener.settimeout(timeout)
    server = keep(listener.accept()[0])
    assert server.gettimeout() is None
    assert server.getblocking()
    assert not server.get_inheritable()
