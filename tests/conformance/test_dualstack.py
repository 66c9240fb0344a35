"""IPv6 sockets that serve IPv4 peers: mapped addresses, and IPV6_V6ONLY, which stops it."""

from __future__ import annotations

from collections.abc import Callable
from socket import (
    AF_INET,
    AF_INET6,
    IPPROTO_IPV6,
    IPV6_V6ONLY,
    SO_REUSEADDR,
    SOCK_DGRAM,
    SOCK_STREAM,
    SOL_SOCKET,
)

import pytest

from simnet.api import Network, Socket
from tests.conformance.kinds import unused_port
from tests.conformance.outcomes import outcome, readiness

Keep = Callable[[Socket], Socket]
MAPPED = "::ffff:127.0.0.1"
each_type = pytest.mark.parametrize("type", [SOCK_STREAM, SOCK_DGRAM], ids=["tcp", "udp"])


def port_of(sock: Socket) -> int:
    """The port that a socket is bound to."""
    port: int = sock.getsockname()[1]
    return port


@pytest.fixture
def make(net: Network, keep: Keep) -> Callable[..., Socket]:
    """`make(type, family, host, v6only)` is a socket, bound (and listening) if there is a host."""

    def build(
        type: int, family: int = AF_INET6, host: str | None = None, v6only: int = 0, port: int = 0
    ) -> Socket:
        sock = keep(net.socket(family, type))
        if family == AF_INET6:
            sock.setsockopt(IPPROTO_IPV6, IPV6_V6ONLY, v6only)
        if host is not None:
            sock.bind((host, port or unused_port(net, type)))
            if type == SOCK_STREAM:
                sock.listen()
        return sock

    return build


def test_a_dual_listener_sees_mapped_addresses(make: Callable[..., Socket], keep: Keep) -> None:
    """accept, getpeername and getsockname show the IPv4 client inside IPv6."""
    listener = make(SOCK_STREAM, host="::")
    client = make(SOCK_STREAM, AF_INET)
    client.connect(("127.0.0.1", port_of(listener)))
    accepted, address = listener.accept()
    keep(accepted)
    assert accepted.family == AF_INET6
    assert address == accepted.getpeername() == (MAPPED, port_of(client), 0, 0)
    assert accepted.getsockname() == (MAPPED, port_of(listener), 0, 0)
    assert client.getpeername() == ("127.0.0.1", port_of(listener))
    client.send(b"x")
    assert accepted.recv(1) == b"x"


def test_a_dual_listener_sees_ipv6_clients_as_they_are(
    make: Callable[..., Socket], keep: Keep
) -> None:
    """Their address is ::1."""
    listener, client = make(SOCK_STREAM, host="::"), make(SOCK_STREAM)
    client.connect(("::1", port_of(listener)))
    accepted, address = listener.accept()
    keep(accepted)
    assert address == ("::1", port_of(client), 0, 0)


def test_a_dual_datagram_socket_sees_mapped_addresses(
    make: Callable[..., Socket],
) -> None:
    """A reply to one reaches the IPv4 peer."""
    server, client = make(SOCK_DGRAM, host="::"), make(SOCK_DGRAM, AF_INET, "127.0.0.1")
    client.sendto(b"question", ("127.0.0.1", port_of(server)))
    data, address = server.recvfrom(100)
    assert (data, address) == (b"question", (MAPPED, port_of(client), 0, 0))
    server.sendto(b"answer", address)
    assert client.recvfrom(100) == (b"answer", ("127.0.0.1", port_of(server)))


@each_type
def test_an_ipv6_socket_connects_to_a_mapped_address(
    make: Callable[..., Socket], type: int
) -> None:
    """The names of both its ends are mapped."""
    server, client = make(type, AF_INET, "127.0.0.1"), make(type)
    client.connect((MAPPED, port_of(server)))
    assert client.getpeername() == (MAPPED, port_of(server), 0, 0)
    assert client.getsockname()[0] == MAPPED


def test_an_ipv6_socket_sends_to_a_mapped_address(make: Callable[..., Socket]) -> None:
    """The receiver sees an ordinary IPv4 sender."""
    server, client = make(SOCK_DGRAM, AF_INET, "127.0.0.1"), make(SOCK_DGRAM)
    client.sendto(b"x", (MAPPED, port_of(server)))
    assert server.recvfrom(1) == (b"x", ("127.0.0.1", port_of(client)))
    assert client.getsockname()[0] == "::"


@each_type
def test_a_v6only_socket_cannot_reach_mapped_addresses(
    make: Callable[..., Socket], type: int
) -> None:
    """ENETUNREACH."""
    server, client = make(type, AF_INET, "127.0.0.1"), make(type, v6only=1)
    assert outcome(client.connect, (MAPPED, port_of(server))) == "ENETUNREACH"


def test_a_v6only_socket_cannot_send_to_mapped_addresses(make: Callable[..., Socket]) -> None:
    """ENETUNREACH."""
    server, client = make(SOCK_DGRAM, AF_INET, "127.0.0.1"), make(SOCK_DGRAM, v6only=1)
    assert outcome(client.sendto, b"x", (MAPPED, port_of(server))) == "ENETUNREACH"


@each_type
def test_a_v6only_socket_cannot_be_bound_to_a_mapped_address(
    make: Callable[..., Socket], type: int
) -> None:
    """EINVAL."""
    assert outcome(make(type, v6only=1).bind, (MAPPED, 0)) == "EINVAL"


def test_a_v6only_listener_refuses_ipv4(make: Callable[..., Socket]) -> None:
    """ECONNREFUSED, while IPv6 is served."""
    listener = make(SOCK_STREAM, host="::", v6only=1)
    port = port_of(listener)
    assert outcome(make(SOCK_STREAM, AF_INET).connect, ("127.0.0.1", port)) == "ECONNREFUSED"
    assert outcome(make(SOCK_STREAM).connect, ("::1", port)) is None


def test_a_v6only_datagram_socket_does_not_hear_ipv4(
    net: Network, make: Callable[..., Socket]
) -> None:
    """The sender is told that nobody is there."""
    server, client = make(SOCK_DGRAM, host="::", v6only=1), make(SOCK_DGRAM, AF_INET)
    client.connect(("127.0.0.1", port_of(server)))
    client.send(b"x")
    assert outcome(client.send, b"x") == "ECONNREFUSED"
    assert readiness(net, server) == "OUT"


def test_a_listener_on_the_ipv6_loopback_refuses_ipv4(make: Callable[..., Socket]) -> None:
    """Only the wildcard is dual."""
    listener = make(SOCK_STREAM, host="::1")
    client = make(SOCK_STREAM, AF_INET)
    assert outcome(client.connect, ("127.0.0.1", port_of(listener))) == "ECONNREFUSED"


def test_a_listener_on_a_mapped_address_serves_ipv4_only(make: Callable[..., Socket]) -> None:
    """It is an IPv4 listener in all but its family."""
    listener = make(SOCK_STREAM, host=MAPPED)
    port = port_of(listener)
    assert listener.getsockname() == (MAPPED, port, 0, 0)
    assert outcome(make(SOCK_STREAM).connect, ("::1", port)) == "ECONNREFUSED"
    assert outcome(make(SOCK_STREAM, AF_INET).connect, ("127.0.0.1", port)) is None


@pytest.mark.parametrize(
    ("destination", "error"), [(MAPPED, "ENETUNREACH"), ("::1", None)], ids=["mapped", "ipv6"]
)
def test_a_socket_bound_to_the_ipv6_loopback_speaks_ipv6_only(
    make: Callable[..., Socket], destination: str, error: str | None
) -> None:
    """Connecting it to a mapped address is refused at once."""
    listener, client = make(SOCK_STREAM, host="::"), make(SOCK_STREAM)
    client.bind(("::1", 0))
    assert outcome(client.connect, (destination, port_of(listener))) == error


@pytest.mark.parametrize("destination", [MAPPED, "::1"], ids=["mapped", "ipv6"])
def test_a_socket_bound_to_a_mapped_address_speaks_ipv4_only(
    make: Callable[..., Socket], destination: str
) -> None:
    """::1 is of another family."""
    listener, client = make(SOCK_STREAM, host="::"), make(SOCK_STREAM)
    client.bind((MAPPED, 0))
    expected = None if destination == MAPPED else "EAFNOSUPPORT"
    assert outcome(client.connect, (destination, port_of(listener))) == expected


def test_a_dual_listener_and_an_ipv4_one_cannot_share(make: Callable[..., Socket]) -> None:
    """In either order; with V6ONLY they can, and each serves its own."""
    dual = make(SOCK_STREAM, host="::")
    late = make(SOCK_STREAM, AF_INET)
    assert outcome(late.bind, ("0.0.0.0", port_of(dual))) == "EADDRINUSE"
    dual.close()
    six = make(SOCK_STREAM, host="::", v6only=1)
    four = make(SOCK_STREAM, AF_INET, "0.0.0.0", port=port_of(six))
    for family, host in ((AF_INET, "127.0.0.1"), (AF_INET6, "::1")):
        make(SOCK_STREAM, family).connect((host, port_of(six)))
    for listener, host in ((four, "127.0.0.1"), (six, "::1")):
        conn, address = listener.accept()
        conn.close()
        assert address[0] == host


def test_a_specific_ipv4_datagram_socket_beats_the_dual_wildcard(
    make: Callable[..., Socket],
) -> None:
    """With SO_REUSEADDR on both; the wildcard gets the rest."""
    dual, four = make(SOCK_DGRAM), make(SOCK_DGRAM, AF_INET)
    for sock in (dual, four):
        sock.setsockopt(SOL_SOCKET, SO_REUSEADDR, 1)
    dual.bind(("::", 0))  # overlaps every address, so that the port is free on all
    four.bind(("127.0.0.1", port_of(dual)))
    sender = make(SOCK_DGRAM, AF_INET)
    sender.sendto(b"four", ("127.0.0.1", port_of(dual)))
    sender.sendto(b"dual", ("127.0.0.2", port_of(dual)))
    assert (four.recv(10), dual.recv(10)) == (b"four", b"dual")


def test_a_refusal_crosses_the_stacks(make: Callable[..., Socket]) -> None:
    """An IPv6 datagram socket learns that an IPv4 port is closed."""
    server, client = make(SOCK_DGRAM, AF_INET, "127.0.0.1"), make(SOCK_DGRAM)
    client.connect((MAPPED, port_of(server)))
    server.close()
    assert [outcome(client.send, b"x") for _ in range(3)] == [1, "ECONNREFUSED", 1]


def test_connecting_a_dual_stream_to_a_closed_ipv4_port_is_refused(
    make: Callable[..., Socket],
) -> None:
    """As over IPv4."""
    listener = make(SOCK_STREAM, AF_INET, "127.0.0.1")
    port = port_of(listener)
    listener.close()
    assert outcome(make(SOCK_STREAM).connect, (MAPPED, port)) == "ECONNREFUSED"


def test_the_largest_datagram_to_a_mapped_address_is_that_of_ipv4(
    make: Callable[..., Socket],
) -> None:
    """65507 bytes."""
    server, client = make(SOCK_DGRAM, AF_INET, "127.0.0.1"), make(SOCK_DGRAM)
    address = (MAPPED, port_of(server))
    assert outcome(client.sendto, bytes(65508), address) == "EMSGSIZE"
    assert client.sendto(bytes(65507), address) == 65507


def test_a_disconnected_dual_socket_is_a_fresh_one(
    net: Network, make: Callable[..., Socket]
) -> None:
    """After a mapped peer a datagram socket may have one of IPv6."""
    four, six = make(SOCK_DGRAM, AF_INET, "127.0.0.1"), make(SOCK_DGRAM, host="::1")
    client = make(SOCK_DGRAM)
    client.connect((MAPPED, port_of(four)))
    net.disconnect(client)
    assert outcome(client.getpeername) == "ENOTCONN"
    assert client.getsockname()[0] == "::"
    client.connect(six.getsockname())
    assert client.getsockname()[0] == "::1"
