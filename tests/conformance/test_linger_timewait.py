"""SO_LINGER, TIME_WAIT, and what SO_REUSEADDR allows beside them."""

from __future__ import annotations

import socket
import struct
from collections.abc import Callable

import pytest

from simnet.api import Address, Network, Socket
from tests.conformance.kinds import (
    ALL_PAIRS,
    CONNECTION_PAIRS,
    PATIENCE,
    TCP_NAMES,
    TCP_PAIRS,
    Named,
    each,
)
from tests.conformance.outcomes import fill, outcome, recv_exactly

SOL = socket.SOL_SOCKET
LINGER, REUSEADDR = (SOL, socket.SO_LINGER), (SOL, socket.SO_REUSEADDR)
SHORT = 0.05  # seconds: long enough to see that a call waits

Keep = Callable[[Socket], Socket]
Pair = tuple[Socket, Socket]


def linger(on: int, seconds: int) -> bytes:
    """struct linger."""
    return struct.pack("ii", on, seconds)


def reusing(sock: Socket, value: int = 1) -> Socket:
    """The socket, with SO_REUSEADDR set."""
    sock.setsockopt(*REUSEADDR, value)
    return sock


def server_pair(net: Network, named: Named, reuse: int) -> tuple[Address, Socket, Socket]:
    """(a server's address, a client, the accepted socket); nobody listens any more."""
    with reusing(named.socket(net), reuse) as listener:
        listener.bind(named.fresh_address(net))
        listener.listen(1)
        name = listener.getsockname()
        client = named.socket(net)
        client.connect(name)
        return name, client, listener.accept()[0]


def close_in_order(first: Socket, second: Socket) -> None:
    """Close one end, let the other see it, close the other."""
    first.close()
    assert second.recv(1) == b""
    second.close()


# SO_LINGER


@each(ALL_PAIRS)
def test_linger_is_off_at_first_and_reads_as_it_was_set(net: Network, pair: Pair) -> None:
    """Any non-zero switch reads 1; the seconds stay when it is switched off."""
    a, _ = pair
    assert a.getsockopt(*LINGER, 8) == linger(0, 0)
    a.setsockopt(*LINGER, linger(5, 7))
    assert a.getsockopt(*LINGER, 8) == linger(1, 7)
    a.setsockopt(*LINGER, linger(0, 9))
    assert a.getsockopt(*LINGER, 8) == linger(0, 7)


@each(ALL_PAIRS)
def test_linger_needs_both_numbers(net: Network, pair: Pair) -> None:
    """An int, or a struct cut short, is EINVAL."""
    a, _ = pair
    assert outcome(a.setsockopt, *LINGER, 1) == "EINVAL"
    assert outcome(a.setsockopt, *LINGER, b"1234567") == "EINVAL"


@each(CONNECTION_PAIRS)
def test_a_lingering_close_delivers(net: Network, pair: Pair) -> None:
    """With time to linger, close() delivers what was sent, then the end."""
    a, b = pair
    a.setsockopt(*LINGER, linger(1, 5))
    a.send(b"last words")
    a.close()
    assert [b.recv(100), b.recv(100)] == [b"last words", b""]


@each(TCP_PAIRS)
@pytest.mark.parametrize("timeout", [None, 0], ids=["blocking", "non-blocking"])
def test_a_lingering_close_waits_for_the_reader(
    net: Network, pair: Pair, timeout: float | None
) -> None:
    """close() waits while data is undelivered, on a non-blocking socket too."""
    a, b = pair
    a.setblocking(False)
    total = fill(a)
    a.settimeout(timeout)
    a.setsockopt(*LINGER, linger(1, 60))
    task = net.spawn(a.close)
    assert not task.join(SHORT)
    assert len(recv_exactly(b, total + 1)) == total
    assert task.join(PATIENCE)


@each(TCP_PAIRS)
def test_a_lingering_close_gives_up_waiting_but_not_the_data(net: Network, pair: Pair) -> None:
    """After its seconds close() returns, and everything is still delivered."""
    a, b = pair
    a.setblocking(False)
    total = fill(a)
    a.setsockopt(*LINGER, linger(1, 1))
    task = net.spawn(a.close)
    assert not task.join(SHORT)
    assert task.join(PATIENCE)
    assert len(recv_exactly(b, total + 1)) == total


@each(TCP_PAIRS)
def test_linger_zero_throws_undelivered_data_away(net: Network, pair: Pair) -> None:
    """The reader gets a part of what was queued, then ECONNRESET."""
    a, b = pair
    a.setblocking(False)
    total = fill(a)
    a.setsockopt(*LINGER, linger(1, 0))
    a.close()
    got = 0
    while isinstance(part := outcome(b.recv, 65536), bytes) and part:
        got += len(part)
    assert part == "ECONNRESET"
    assert got < total


# TIME_WAIT


@each(TCP_NAMES, argument="named")
@pytest.mark.parametrize("reuse", [(0, 0), (0, 1), (1, 0)], ids=["neither", "only-new", "only-old"])
def test_a_server_that_closed_first_leaves_its_port_taken(
    net: Network, keep: Keep, named: Named, reuse: tuple[int, int]
) -> None:
    """TIME_WAIT is with the side that closed first; SO_REUSEADDR on one side does not help."""
    name, client, server = server_pair(net, named, reuse[0])
    close_in_order(server, client)
    assert outcome(reusing(keep(named.socket(net)), reuse[1]).bind, name) == "EADDRINUSE"


@each(TCP_NAMES, argument="named")
def test_with_reuseaddr_on_both_the_port_is_free_beside_a_time_wait(
    net: Network, keep: Keep, named: Named
) -> None:
    """The new server may bind and listen, and be connected to."""
    name, client, server = server_pair(net, named, 1)
    close_in_order(server, client)
    again = reusing(keep(named.socket(net)))
    again.bind(name)
    again.listen(1)
    assert outcome(keep(named.socket(net)).connect, name) is None


@each(TCP_NAMES, argument="named")
@pytest.mark.parametrize("reuse", [0, 1])
def test_a_client_that_closed_first_leaves_the_servers_port_free(
    net: Network, keep: Keep, named: Named, reuse: int
) -> None:
    """The server's side ends without TIME_WAIT."""
    name, client, server = server_pair(net, named, 0)
    close_in_order(client, server)
    assert outcome(reusing(keep(named.socket(net)), reuse).bind, name) is None


@each(TCP_NAMES, argument="named")
def test_a_client_that_closed_first_leaves_its_own_port_taken(
    net: Network, keep: Keep, named: Named
) -> None:
    """Its TIME_WAIT holds the port against a bind() without SO_REUSEADDR."""
    _, client, server = server_pair(net, named, 0)
    name = client.getsockname()
    close_in_order(client, server)
    assert outcome(keep(named.socket(net)).bind, name) == "EADDRINUSE"


@each(TCP_NAMES, argument="named")
def test_a_reset_leaves_no_time_wait(net: Network, keep: Keep, named: Named) -> None:
    """The port of a server that reset its last connection is free."""
    name, client, server = server_pair(net, named, 0)
    server.setsockopt(*LINGER, linger(1, 0))
    server.close()
    client.close()
    assert outcome(keep(named.socket(net)).bind, name) is None


@each(TCP_NAMES, argument="named")
@pytest.mark.parametrize("first", ["client", "server"])
def test_the_same_four_names_may_connect_again_at_once(
    net: Network, keep: Keep, named: Named, listener: Socket, first: str
) -> None:
    """A TIME_WAIT of either side does not stop a new connection of the same two names."""
    client = reusing(named.bound(net))
    name = client.getsockname()
    client.connect(listener.getsockname())
    server = listener.accept()[0]
    close_in_order(*((client, server) if first == "client" else (server, client)))
    again = reusing(keep(named.socket(net)))
    again.bind(name)
    assert outcome(again.connect, listener.getsockname()) is None
    with listener.accept()[0] as server:
        assert server.getpeername() == name
        again.send(b"anew")
        assert server.recv(10) == b"anew"


# SO_REUSEADDR beside live sockets


@each(TCP_NAMES, argument="named")
@pytest.mark.parametrize("ended", ["open", "close-wait", "fin-wait"])
@pytest.mark.parametrize("reuse", [(0, 0), (0, 1), (1, 0)], ids=["neither", "only-new", "only-old"])
def test_an_accepted_socket_holds_the_servers_port(
    net: Network, keep: Keep, named: Named, reuse: tuple[int, int], ended: str
) -> None:
    """While one is left, open or half closed, the port is taken unless both have SO_REUSEADDR."""
    name, client, server = server_pair(net, named, reuse[0])
    with client, server:
        {"open": list, "close-wait": client.close, "fin-wait": server.close}[ended]()
        new = reusing(keep(named.socket(net)), reuse[1])
        assert outcome(new.bind, name) == "EADDRINUSE"


@each(TCP_NAMES, argument="named")
@pytest.mark.parametrize("ended", ["open", "close-wait", "fin-wait"])
def test_a_server_may_restart_beside_its_old_connections(
    net: Network, keep: Keep, named: Named, ended: str
) -> None:
    """With SO_REUSEADDR on both, bind() and listen() work."""
    name, client, server = server_pair(net, named, 1)
    with client, server:
        {"open": list, "close-wait": client.close, "fin-wait": server.close}[ended]()
        new = reusing(keep(named.socket(net)))
        assert outcome(new.bind, name) is None
        assert outcome(new.listen, 1) is None


@each(TCP_NAMES, argument="named")
def test_a_port_that_is_listened_on_cannot_be_bound(net: Network, keep: Keep, named: Named) -> None:
    """With SO_REUSEADDR on both too."""
    listener = reusing(keep(named.bound(net)))
    listener.listen(1)
    assert outcome(reusing(keep(named.socket(net))).bind, listener.getsockname()) == "EADDRINUSE"


@each(TCP_NAMES, argument="named")
def test_two_bound_sockets_may_share_a_port_but_only_one_may_listen(
    net: Network, keep: Keep, named: Named
) -> None:
    """With SO_REUSEADDR on both; the second listen() is EADDRINUSE."""
    a, b = (reusing(keep(named.socket(net))) for _ in range(2))
    a.bind(named.fresh_address(net))
    assert outcome(b.bind, a.getsockname()) is None
    assert outcome(b.listen, 1) is None
    assert outcome(a.listen, 1) == "EADDRINUSE"


@each(TCP_NAMES, argument="named")
def test_reuseaddr_counts_as_it_is_when_another_binds(
    net: Network, keep: Keep, named: Named
) -> None:
    """The bound socket may set it after its own bind()."""
    a = keep(named.bound(net))
    b = reusing(keep(named.socket(net)))
    assert outcome(b.bind, a.getsockname()) == "EADDRINUSE"
    reusing(a)
    assert outcome(b.bind, a.getsockname()) is None
