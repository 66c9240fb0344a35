"""connect() and connect_ex() of connection-oriented sockets, blocking and not."""

from __future__ import annotations

import select
import socket
from collections.abc import Callable
from functools import partial

import pytest

from simnet.api import Network, Socket
from tests.conformance.kinds import (
    CONNECTION_NAMES,
    PATIENCE,
    STREAM_NAMES,
    TCP_NAMES,
    UNIX_NAMES,
    Named,
    each,
)
from tests.conformance.outcomes import outcome, readiness, wait_for

SO_ERROR = (socket.SOL_SOCKET, socket.SO_ERROR)
WILDCARDS = {socket.AF_INET: "0.0.0.0", socket.AF_INET6: "::"}
UNIX_CONNECTION_NAMES = [n for n in CONNECTION_NAMES if n in UNIX_NAMES]

Keep = Callable[[Socket], Socket]


def non_blocking(net: Network, named: Named) -> Socket:
    """A new socket in non-blocking mode."""
    sock = named.socket(net)
    sock.setblocking(False)
    return sock


@each(CONNECTION_NAMES, argument="named")
def test_a_connection_knows_both_its_addresses(
    net: Network, keep: Keep, named: Named, listener: Socket
) -> None:
    """Each end's peer name is the other end's own name, and accept() tells it."""
    client = keep(named.socket(net))
    assert client.connect(listener.getsockname()) is None
    server, address = listener.accept()
    with server:
        assert client.getpeername() == server.getsockname() == listener.getsockname()
        assert server.getpeername() == client.getsockname() == address


@each(CONNECTION_NAMES, argument="named")
def test_connect_ex_returns_zero_on_success(
    net: Network, keep: Keep, named: Named, listener: Socket
) -> None:
    """connect_ex() of an accepted attempt is 0, and 106 when repeated."""
    client = keep(named.socket(net))
    assert client.connect_ex(listener.getsockname()) == 0
    assert outcome(client.connect, listener.getsockname()) == "EISCONN"


@each(CONNECTION_NAMES, argument="named")
def test_a_bound_client_keeps_its_name(
    net: Network, keep: Keep, named: Named, listener: Socket
) -> None:
    """A client that was bound before connecting is known to the server by that name."""
    client = keep(named.bound(net))
    name = client.getsockname()
    client.connect(listener.getsockname())
    server, address = listener.accept()
    with server:
        assert address == server.getpeername() == client.getsockname() == name


@each(CONNECTION_NAMES, argument="named")
def test_a_socket_that_does_not_listen_refuses(net: Network, keep: Keep, named: Named) -> None:
    """Bound but not listening is refused; so is the second try."""
    target = keep(named.bound(net))
    client = keep(named.socket(net))
    assert outcome(client.connect, target.getsockname()) == "ECONNREFUSED"
    assert client.connect_ex(target.getsockname()) == 111


@each(CONNECTION_NAMES, argument="named")
def test_a_refused_socket_may_connect_later(net: Network, keep: Keep, named: Named) -> None:
    """The same socket connects once the target listens."""
    target = keep(named.bound(net))
    client = keep(named.socket(net))
    assert outcome(client.connect, target.getsockname()) == "ECONNREFUSED"
    assert readiness(net, client) == "OUT|HUP"
    target.listen(1)
    assert outcome(client.connect, target.getsockname()) is None


@each(TCP_NAMES, argument="named")
def test_a_refused_tcp_socket_has_a_port_and_may_still_be_bound(
    net: Network, keep: Keep, named: Named
) -> None:
    """After a refusal the socket has the wildcard address with a port, yet bind() works."""
    target = keep(named.bound(net))
    client = keep(named.socket(net))
    assert outcome(client.connect, target.getsockname()) == "ECONNREFUSED"
    host, port = client.getsockname()[:2]
    assert host == WILDCARDS[named.family]
    assert port > 0
    assert outcome(client.bind, named.fresh_address(net)) is None


@each(TCP_NAMES, argument="named")
def test_a_refused_tcp_socket_keeps_the_name_it_was_bound_to(
    net: Network, keep: Keep, named: Named
) -> None:
    """A refusal does not take away a name that bind() gave."""
    target = keep(named.bound(net))
    client = keep(named.bound(net))
    name = client.getsockname()
    assert outcome(client.connect, target.getsockname()) == "ECONNREFUSED"
    assert client.getsockname() == name


@each(STREAM_NAMES, argument="named")
def test_connecting_a_listener_fails(net: Network, keep: Keep, named: Named) -> None:
    """A listening TCP socket counts as connected; a listening unix socket is just invalid."""
    listener, other = keep(named.listening(net)), keep(named.listening(net))
    expected = "EISCONN" if named in TCP_NAMES else "EINVAL"
    assert outcome(listener.connect, other.getsockname()) == expected


@each(UNIX_CONNECTION_NAMES, argument="named")
def test_a_non_blocking_unix_connect_completes_at_once(
    net: Network, keep: Keep, named: Named, listener: Socket
) -> None:
    """It succeeds or fails in the call; it is never in progress."""
    client = keep(non_blocking(net, named))
    assert outcome(client.connect, listener.getsockname()) is None
    assert outcome(client.connect, listener.getsockname()) == "EISCONN"


@each(UNIX_CONNECTION_NAMES, argument="named")
def test_a_non_blocking_unix_connect_is_refused_at_once(
    net: Network, keep: Keep, named: Named
) -> None:
    """The refusal is the call's own error and leaves nothing in SO_ERROR."""
    target = keep(named.bound(net))
    client = keep(non_blocking(net, named))
    assert outcome(client.connect, target.getsockname()) == "ECONNREFUSED"
    assert client.getsockopt(*SO_ERROR) == 0


@each(TCP_NAMES, argument="named")
def test_a_non_blocking_tcp_connect_is_in_progress_then_writable(
    net: Network, keep: Keep, named: Named, listener: Socket
) -> None:
    """EINPROGRESS even when the peer is there; then writable, without an error."""
    client = keep(non_blocking(net, named))
    assert outcome(client.connect, listener.getsockname()) == "EINPROGRESS"
    wait_for(net, client, select.POLLOUT)
    assert readiness(net, client) == "OUT"
    assert client.getsockopt(*SO_ERROR) == 0
    assert client.getpeername() == listener.getsockname()


@each(TCP_NAMES, argument="named")
def test_after_an_asynchronous_success_connect_returns_once(
    net: Network, keep: Keep, named: Named, listener: Socket
) -> None:
    """The second connect() returns, the third says that the socket is connected."""
    client = keep(non_blocking(net, named))
    calls = [outcome(client.connect, listener.getsockname())]
    wait_for(net, client, select.POLLOUT)
    calls += [outcome(client.connect, listener.getsockname()) for _ in range(3)]
    assert calls == ["EINPROGRESS", None, "EISCONN", "EISCONN"]


@each(TCP_NAMES, argument="named")
def test_connect_with_a_timeout_also_returns_once_more(
    net: Network, keep: Keep, named: Named, listener: Socket
) -> None:
    """In timeout mode connect_ex() gives 0 twice, then EISCONN."""
    client = keep(named.socket(net))
    client.settimeout(PATIENCE)
    codes = [client.connect_ex(listener.getsockname()) for _ in range(3)]
    assert codes == [0, 0, 106]


@each(TCP_NAMES, argument="named")
def test_a_non_blocking_refusal_shows_as_readable_and_writable(
    net: Network, keep: Keep, named: Named
) -> None:
    """Every bit but PRI; select() reports it to readers and writers, not as exceptional."""
    target = keep(named.bound(net))
    client = keep(non_blocking(net, named))
    assert outcome(client.connect, target.getsockname()) == "EINPROGRESS"
    wait_for(net, client, select.POLLOUT)
    assert readiness(net, client) == "IN|OUT|ERR|HUP|RDHUP"
    assert net.select([client], [client], [client], 0) == ([client], [client], [])


@each(TCP_NAMES, argument="named")
def test_reading_the_refusal_makes_the_next_connect_abort(
    net: Network, keep: Keep, named: Named
) -> None:
    """SO_ERROR gives ECONNREFUSED once; then one connect() fails, and the one after starts anew."""
    target = keep(named.bound(net))
    client = keep(non_blocking(net, named))
    client.connect_ex(target.getsockname())
    wait_for(net, client, select.POLLOUT)
    assert [client.getsockopt(*SO_ERROR) for _ in range(2)] == [111, 0]
    calls = [outcome(client.connect, target.getsockname()) for _ in range(2)]
    assert calls == ["ECONNABORTED", "EINPROGRESS"]


@each(TCP_NAMES, argument="named")
def test_an_unread_refusal_is_the_result_of_the_next_connect(
    net: Network, keep: Keep, named: Named
) -> None:
    """If SO_ERROR was not read, the next connect() reports it, and the one after starts anew."""
    target = keep(named.bound(net))
    client = keep(non_blocking(net, named))
    client.connect_ex(target.getsockname())
    wait_for(net, client, select.POLLOUT)
    calls = [outcome(client.connect, target.getsockname()) for _ in range(2)]
    assert calls == ["ECONNREFUSED", "EINPROGRESS"]


@each(TCP_NAMES, argument="named")
@pytest.mark.parametrize("call", ["recv", "send"])
def test_recv_or_send_takes_the_refusal(net: Network, keep: Keep, named: Named, call: str) -> None:
    """The first call reports ECONNREFUSED; then the socket is at its end."""
    target = keep(named.bound(net))
    client = keep(non_blocking(net, named))
    client.connect_ex(target.getsockname())
    wait_for(net, client, select.POLLOUT)
    first = {"recv": partial(client.recv, 1), "send": partial(client.send, b"x")}[call]
    assert outcome(first) == "ECONNREFUSED"
    assert outcome(client.recv, 1) == b""
    assert outcome(client.send, b"x") == "EPIPE"


@each(TCP_NAMES, argument="named")
def test_a_refused_connect_with_a_timeout_raises_the_refusal(
    net: Network, keep: Keep, named: Named
) -> None:
    """Timeout mode learns the outcome as blocking mode does, again and again."""
    target = keep(named.bound(net))
    client = keep(named.socket(net))
    client.settimeout(PATIENCE)
    calls = [outcome(client.connect, target.getsockname()) for _ in range(3)]
    assert calls == ["ECONNREFUSED", "ECONNABORTED", "ECONNREFUSED"]


def test_two_sockets_that_connect_to_each_other_are_both_refused(net: Network, keep: Keep) -> None:
    """On loopback the first SYN is answered before the second call: no simultaneous open."""
    a, b = (keep(TCP_NAMES[0].bound(net)) for _ in range(2))
    a.setblocking(False)
    b.setblocking(False)
    assert outcome(a.connect, b.getsockname()) == "EINPROGRESS"
    assert outcome(b.connect, a.getsockname()) == "EINPROGRESS"
    for sock in (a, b):
        wait_for(net, sock, select.POLLOUT)
        assert sock.getsockopt(*SO_ERROR) == 111


@each(TCP_NAMES, argument="named")
def test_a_socket_may_connect_to_itself(net: Network, keep: Keep, named: Named) -> None:
    """Its two names are equal and it hears what it says; a FIN to itself ends both halves."""
    sock = keep(named.bound(net))
    sock.connect(sock.getsockname())
    assert sock.getpeername() == sock.getsockname()
    assert sock.send(b"echo") == 4
    assert sock.recv(10) == b"echo"
    sock.shutdown(socket.SHUT_WR)
    assert sock.recv(10) == b""
    assert readiness(net, sock) == "IN|OUT|HUP|RDHUP"
    assert outcome(sock.getpeername) == "ENOTCONN"
    assert outcome(sock.send, b"x") == "EPIPE"


@each(TCP_NAMES, argument="named")
def test_a_self_connect_ends_in_time_wait(net: Network, keep: Keep, named: Named) -> None:
    """After a self-connection its port is not free, as it was the first side to close."""
    sock = keep(named.bound(net))
    name = sock.getsockname()
    sock.connect(name)
    sock.shutdown(socket.SHUT_WR)
    sock.close()
    again = keep(named.socket(net))
    assert outcome(again.bind, name) == "EADDRINUSE"


@pytest.mark.parametrize("host", ["", "0.0.0.0", "localhost"])
def test_connecting_to_the_wildcard_reaches_the_loopback(
    net: Network, keep: Keep, host: str
) -> None:
    """0.0.0.0 and '' stand for 127.0.0.1."""
    listener = keep(TCP_NAMES[0].listening(net))
    client = keep(TCP_NAMES[0].socket(net))
    client.connect((host, listener.getsockname()[1]))
    assert client.getpeername() == listener.getsockname()
    assert client.getsockname()[0] == "127.0.0.1"


@pytest.mark.parametrize("host", ["", "::", "::1"])
def test_connecting_to_the_ipv6_wildcard_reaches_its_loopback(
    net: Network, keep: Keep, host: str
) -> None:
    """:: and '' stand for ::1."""
    listener = keep(TCP_NAMES[1].listening(net))
    client = keep(TCP_NAMES[1].socket(net))
    client.connect((host, listener.getsockname()[1]))
    assert client.getpeername() == listener.getsockname()
    assert client.getsockname()[0] == "::1"


@each(TCP_NAMES, argument="named")
def test_connecting_to_port_zero_is_refused(net: Network, keep: Keep, named: Named) -> None:
    """Nothing listens on port 0."""
    client = keep(named.socket(net))
    assert outcome(client.connect, named.fresh_address(net)) == "ECONNREFUSED"


@pytest.mark.parametrize("host", ["224.0.0.1", "255.255.255.255"])
def test_tcp_cannot_connect_to_many(net: Network, keep: Keep, host: str) -> None:
    """Multicast and broadcast addresses are unreachable for TCP."""
    client = keep(TCP_NAMES[0].socket(net))
    assert outcome(client.connect, (host, 9)) == "ENETUNREACH"


def test_an_ipv6_socket_reaches_an_ipv4_listener(net: Network, keep: Keep) -> None:
    """A v4-mapped address connects, and both names are shown mapped."""
    listener = keep(TCP_NAMES[0].listening(net))
    client = keep(TCP_NAMES[1].socket(net))
    client.connect(("::ffff:127.0.0.1", listener.getsockname()[1]))
    names = client.getsockname()[0], client.getpeername()[0]
    assert names == ("::ffff:127.0.0.1", "::ffff:127.0.0.1")
    server, address = listener.accept()
    with server:
        assert address == ("127.0.0.1", client.getsockname()[1])


def test_an_ipv6_only_socket_does_not_reach_ipv4(net: Network, keep: Keep) -> None:
    """With IPV6_V6ONLY a v4-mapped address is unreachable."""
    listener = keep(TCP_NAMES[0].listening(net))
    client = keep(TCP_NAMES[1].socket(net))
    client.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
    address = ("::ffff:127.0.0.1", listener.getsockname()[1])
    assert outcome(client.connect, address) == "ENETUNREACH"


@each(TCP_NAMES, argument="named")
def test_two_connections_cannot_have_the_same_four_names(
    net: Network, keep: Keep, named: Named
) -> None:
    """One local port may have many peers, but each of them only once."""
    one, other = keep(named.listening(net)), keep(named.listening(net))
    a, b = keep(named.socket(net)), keep(named.socket(net))
    for sock in (a, b):
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    a.bind(named.fresh_address(net))
    b.bind(a.getsockname())
    assert outcome(a.connect, one.getsockname()) is None
    assert outcome(b.connect, one.getsockname()) == "EADDRNOTAVAIL"
    assert outcome(b.connect, other.getsockname()) is None
    assert a.getsockname() == b.getsockname()


@each(TCP_NAMES, argument="named")
def test_each_client_gets_a_port_of_its_own(net: Network, keep: Keep, named: Named) -> None:
    """Unbound clients of one server have different ports."""
    listener = keep(named.listening(net, 20))
    ports = set()
    for _ in range(10):
        client = keep(named.socket(net))
        client.connect(listener.getsockname())
        ports.add(client.getsockname()[1])
    assert len(ports) == 10
