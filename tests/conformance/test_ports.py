"""Ports: ephemeral ones, shared ones, and those that the remnant of a connection holds."""

from __future__ import annotations

import socket
import struct
from collections.abc import Callable
from socket import (
    AF_INET,
    MSG_DONTWAIT,
    SHUT_WR,
    SO_LINGER,
    SO_REUSEADDR,
    SO_REUSEPORT,
    SOCK_DGRAM,
    SOCK_STREAM,
    SOL_SOCKET,
)

import pytest

from simnet.api import Address, Network, Socket
from tests.conformance.kinds import TCP_NAMES, UDP_NAMES, Named, each, unused_port
from tests.conformance.outcomes import outcome

Keep = Callable[[Socket], Socket]
each_tcp = each(TCP_NAMES, argument="named")
each_udp = each(UDP_NAMES, argument="named")


def port_of(sock: Socket) -> int:
    """The port that a socket is bound to."""
    port: int = sock.getsockname()[1]
    return port


def count(sock: Socket) -> int:
    """How many datagrams wait, which are taken."""
    taken = 0
    while outcome(sock.recv, 100, MSG_DONTWAIT) != "EAGAIN":
        taken += 1
    return taken


@each_tcp
def test_bind_and_connect_choose_ports_of_different_parity(
    net: Network, named: Named, keep: Keep
) -> None:
    """bind(0) takes odd ports and connect() even ones, while there are any (Linux since 4.2)."""
    listener = keep(named.listening(net))
    clients = [keep(named.socket(net)) for _ in range(5)]
    for client in clients:
        client.connect(listener.getsockname())
    bound = [keep(named.bound(net)) for _ in range(5)]
    assert {port_of(sock) % 2 for sock in bound} == {1}
    assert {port_of(sock) % 2 for sock in clients} == {0}


@each(TCP_NAMES, UDP_NAMES, argument="named")
def test_chosen_ports_are_different_and_not_privileged(
    net: Network, named: Named, keep: Keep
) -> None:
    """No two sockets that are bound to port 0 get the same one."""
    ports = [port_of(keep(named.bound(net))) for _ in range(50)]
    assert len(set(ports)) == 50
    assert min(ports) >= 1024


@each_tcp
def test_listening_without_binding_chooses_a_port_on_the_wildcard(
    net: Network, named: Named, keep: Keep
) -> None:
    """Connections to it work."""
    listener, client = keep(named.socket(net)), keep(named.socket(net))
    listener.listen()
    assert listener.getsockname()[0] in ("0.0.0.0", "::")
    client.connect((named.fresh_address(net)[0], port_of(listener)))
    keep(listener.accept()[0])


def test_one_local_port_connects_to_two_destinations(net: Network, keep: Keep) -> None:
    """With SO_REUSEADDR, connections are told apart by all four numbers."""
    servers = [keep(TCP_NAMES[0].listening(net)) for _ in range(2)]
    clients = [keep(net.socket(AF_INET, SOCK_STREAM)) for _ in range(2)]
    port = 0
    for client, server in zip(clients, servers, strict=True):
        client.setsockopt(SOL_SOCKET, SO_REUSEADDR, 1)
        client.bind(("127.0.0.1", port))
        port = port_of(client)
        client.connect(server.getsockname())
    accepted = [keep(server.accept()[0]) for server in servers]
    assert {sock.getpeername() for sock in accepted} == {("127.0.0.1", port)}


def test_the_same_four_numbers_cannot_connect_twice(net: Network, keep: Keep) -> None:
    """EADDRNOTAVAIL, and the socket may connect elsewhere."""
    server, other = keep(TCP_NAMES[0].listening(net)), keep(TCP_NAMES[0].listening(net))
    clients = [keep(net.socket(AF_INET, SOCK_STREAM)) for _ in range(2)]
    port = 0
    for client in clients:
        client.setsockopt(SOL_SOCKET, SO_REUSEADDR, 1)
        client.bind(("127.0.0.1", port))
        port = port_of(client)
    clients[0].connect(server.getsockname())
    assert outcome(clients[1].connect, server.getsockname()) == "EADDRNOTAVAIL"
    assert outcome(clients[1].connect, other.getsockname()) is None


@pytest.mark.parametrize("option", [SO_REUSEADDR])
@each_udp
def test_a_datagram_for_a_shared_port_goes_to_the_socket_that_was_bound_last(
    net: Network, named: Named, keep: Keep, option: int
) -> None:
    """When it closes, the one before gets them again."""
    sockets, address = [], named.fresh_address(net)
    for _ in range(3):
        sock = keep(named.socket(net))
        sock.setsockopt(SOL_SOCKET, option, 1)
        sock.bind(address)
        sockets.append(sock)
        address = sock.getsockname()
    sender = keep(named.socket(net))
    sender.sendto(b"x", address)
    assert [count(sock) for sock in sockets] == [0, 0, 1]
    sockets.pop().close()
    sender.sendto(b"x", address)
    assert [count(sock) for sock in sockets] == [0, 1]


def shared(net: Network, keep: Keep, *addresses: Address) -> list[Socket]:
    """UDP sockets on one port, bound in this order."""
    sockets: list[Socket] = []
    port = unused_port(net, SOCK_DGRAM)
    for host in addresses:
        sock = keep(net.socket(AF_INET, SOCK_DGRAM))
        sock.setsockopt(SOL_SOCKET, SO_REUSEADDR, 1)
        sock.bind((host, port))
        sockets.append(sock)
    return sockets


@pytest.mark.parametrize("hosts", [("127.0.0.1", "0.0.0.0"), ("0.0.0.0", "127.0.0.1")])
def test_a_specific_address_beats_the_wildcard(
    net: Network, keep: Keep, hosts: tuple[str, str]
) -> None:
    """Whichever was bound last."""
    sockets = shared(net, keep, *hosts)
    sender = keep(net.socket(AF_INET, SOCK_DGRAM))
    sender.sendto(b"x", ("127.0.0.1", port_of(sockets[0])))
    sender.sendto(b"x", ("127.0.0.2", port_of(sockets[0])))
    sender.sendto(b"x", ("127.0.0.2", port_of(sockets[0])))
    counts = dict(zip(hosts, (count(sock) for sock in sockets), strict=True))
    assert counts == {"127.0.0.1": 1, "0.0.0.0": 2}


def test_a_connected_socket_beats_those_that_are_not(net: Network, keep: Keep) -> None:
    """For its peer's datagrams; those of others go to the last bound."""
    sockets = shared(net, keep, "127.0.0.1", "127.0.0.1", "127.0.0.1")
    peer, stranger = (keep(UDP_NAMES[0].bound(net)) for _ in range(2))
    sockets[0].connect(peer.getsockname())
    address = sockets[0].getsockname()
    peer.sendto(b"x", address)
    stranger.sendto(b"x", address)
    assert [count(sock) for sock in sockets] == [1, 0, 1]


@each_udp
def test_sockets_with_reuseport_share_the_senders(net: Network, named: Named, keep: Keep) -> None:
    """Each sender's datagrams stay with one of them, and none is lost."""
    sockets, address = [], named.fresh_address(net)
    for _ in range(2):
        sock = keep(named.socket(net))
        sock.setsockopt(SOL_SOCKET, SO_REUSEPORT, 1)
        sock.bind(address)
        sockets.append(sock)
        address = sock.getsockname()
    for _ in range(8):
        sender = keep(named.socket(net))
        for _ in range(3):
            sender.sendto(b"x", address)
        counts = [count(sock) for sock in sockets]
        assert sorted(counts) == [0, 3]


@each_tcp
def test_listeners_with_reuseport_share_the_connections(
    net: Network, named: Named, keep: Keep
) -> None:
    """Every connection waits at one of them."""
    first = keep(named.socket(net))
    first.setsockopt(SOL_SOCKET, SO_REUSEPORT, 1)
    first.bind(named.fresh_address(net))
    second = keep(named.socket(net))
    second.setsockopt(SOL_SOCKET, SO_REUSEPORT, 1)
    second.bind(first.getsockname())
    accepted = 0
    for listener in (first, second):
        listener.listen(20)
        listener.setblocking(False)
    for _ in range(10):
        keep(named.socket(net)).connect(first.getsockname())
    for listener in (first, second):
        while not isinstance(got := outcome(listener.accept), str):
            keep(got[0])
            accepted += 1
    assert accepted == 10


# What remains of a connection


def served(
    net: Network, named: Named, keep: Keep, reuse: int = 0
) -> tuple[Socket, Socket, Address]:
    """(client, accepted end, the address whose listener is closed again)."""
    listener = keep(named.socket(net))
    listener.setsockopt(SOL_SOCKET, SO_REUSEADDR, reuse)
    listener.bind(named.fresh_address(net))
    listener.listen()
    client = keep(named.socket(net))
    client.connect(listener.getsockname())
    accepted = keep(listener.accept()[0])
    address = listener.getsockname()
    listener.close()
    return client, accepted, address


def rebind(net: Network, named: Named, keep: Keep, address: Address, reuse: int) -> object:
    """The outcome of a new server's bind and listen."""
    sock = keep(named.socket(net))
    sock.setsockopt(SOL_SOCKET, SO_REUSEADDR, reuse)
    return outcome(sock.bind, address) or outcome(sock.listen)


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [(0, 0, "EADDRINUSE"), (0, 1, "EADDRINUSE"), (1, 0, "EADDRINUSE"), (1, 1, None)],
)
@pytest.mark.parametrize("remnant", ["established", "close-wait", "fin-wait", "time-wait"])
@each_tcp
def test_a_connections_remnant_holds_the_servers_port(
    net: Network, named: Named, keep: Keep, remnant: str, before: int, after: int,
    expected: str | None,
) -> None:  # fmt: skip
    """Unless SO_REUSEADDR was set on the old listener and is on the new one."""
    client, accepted, address = served(net, named, keep, before)
    if remnant == "close-wait":
        client.shutdown(SHUT_WR)
        assert accepted.recv(1) == b""
    elif remnant == "fin-wait":
        accepted.shutdown(SHUT_WR)
    elif remnant == "time-wait":
        accepted.close()
        assert client.recv(1) == b""
        client.close()
    assert rebind(net, named, keep, address, after) == expected


@each_tcp
def test_time_wait_is_the_burden_of_the_side_that_closed_first(
    net: Network, named: Named, keep: Keep
) -> None:
    """If the client closed first, the server's port is free."""
    client, accepted, address = served(net, named, keep)
    client.close()
    assert accepted.recv(1) == b""
    accepted.close()
    assert rebind(net, named, keep, address, 0) is None


@each_tcp
def test_a_reset_leaves_nothing_behind(net: Network, named: Named, keep: Keep) -> None:
    """SO_LINGER 0 at the server frees its port."""
    client, accepted, address = served(net, named, keep)
    accepted.setsockopt(SOL_SOCKET, SO_LINGER, struct.pack("ii", 1, 0))
    accepted.close()
    assert outcome(client.recv, 1) == "ECONNRESET"
    client.close()
    assert rebind(net, named, keep, address, 0) is None


@each_tcp
def test_unread_data_at_close_leaves_nothing_behind(net: Network, named: Named, keep: Keep) -> None:
    """It resets the connection."""
    client, accepted, address = served(net, named, keep)
    client.send(b"never read")
    accepted.close()
    assert outcome(client.recv, 1) == "ECONNRESET"
    client.close()
    assert rebind(net, named, keep, address, 0) is None


@each_tcp
def test_a_listener_alone_leaves_nothing_behind(net: Network, named: Named, keep: Keep) -> None:
    """Its port is free once it is closed."""
    with named.listening(net) as listener:
        address = listener.getsockname()
    assert rebind(net, named, keep, address, 0) is None


@each_tcp
def test_a_clients_port_in_time_wait_may_connect_again(
    net: Network, named: Named, keep: Keep
) -> None:
    """To the same server, from the same port, with SO_REUSEADDR."""
    listener = keep(named.listening(net))
    address = named.fresh_address(net)
    for _ in range(2):
        client = keep(named.socket(net))
        client.setsockopt(SOL_SOCKET, SO_REUSEADDR, 1)
        client.bind(address)
        address = client.getsockname()
        client.connect(listener.getsockname())
        accepted = keep(listener.accept()[0])
        assert accepted.getpeername() == address
        client.close()
        assert accepted.recv(1) == b""
        accepted.close()


@each_tcp
def test_a_socket_that_connects_to_itself_talks_to_itself(
    net: Network, named: Named, keep: Keep
) -> None:
    """Bound to a port, it connects to that port: name and peer are one."""
    sock = keep(named.bound(net))
    sock.connect(sock.getsockname())
    assert sock.getpeername() == sock.getsockname()
    sock.send(b"echo")
    assert sock.recv(10) == b"echo"
    sock.shutdown(SHUT_WR)
    assert sock.recv(10) == b""


@pytest.mark.parametrize("host", ["0.0.0.0", ""])
def test_connecting_to_the_wildcard_reaches_the_loopback(
    net: Network, keep: Keep, host: str
) -> None:
    """The peer's name is 127.0.0.1, and '::1' for IPv6."""
    for named, wildcard in zip(TCP_NAMES, (host, "::"), strict=True):
        listener, client = keep(named.listening(net)), keep(named.socket(net))
        client.connect((wildcard, port_of(listener)))
        assert client.getpeername() == listener.getsockname()


def test_a_client_of_another_loopback_address_comes_from_the_first(
    net: Network, keep: Keep
) -> None:
    """Connecting to 127.0.0.5 takes 127.0.0.1 as the local address, unless bound."""
    listener = keep(net.socket(AF_INET, SOCK_STREAM))
    listener.bind(("127.0.0.5", 0))
    listener.listen()
    client, bound = (keep(net.socket(AF_INET, SOCK_STREAM)) for _ in range(2))
    client.connect(listener.getsockname())
    assert client.getsockname()[0] == "127.0.0.1"
    bound.bind(("127.0.0.9", 0))
    bound.connect(listener.getsockname())
    addresses = []
    for _ in range(2):
        conn, (host, _port) = listener.accept()
        keep(conn)
        addresses.append((host, conn.getsockname()[0]))
    assert addresses == [("127.0.0.1", "127.0.0.5"), ("127.0.0.9", "127.0.0.5")]


@each_tcp
def test_port_zero_refuses(net: Network, named: Named, keep: Keep) -> None:
    """Connecting to it is ECONNREFUSED."""
    host = named.fresh_address(net)[0]
    assert outcome(keep(named.socket(net)).connect, (host, 0)) == "ECONNREFUSED"


def test_the_port_may_be_chosen_when_connecting(net: Network, keep: Keep) -> None:
    """With IP_BIND_ADDRESS_NO_PORT (24) bind() of port 0 keeps just the address."""
    listener, client = keep(TCP_NAMES[0].listening(net)), keep(net.socket(AF_INET, SOCK_STREAM))
    client.setsockopt(socket.IPPROTO_IP, 24, 1)
    client.bind(("127.0.0.3", 0))
    assert client.getsockname() == ("127.0.0.3", 0)
    client.connect(listener.getsockname())
    assert client.getsockname()[0] == "127.0.0.3"
    assert port_of(client) % 2 == 0
