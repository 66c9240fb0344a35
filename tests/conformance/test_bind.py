"""bind(): which addresses may be bound, and which pairs of sockets may share a port.

Two rules, measured apart and found to hold together: addresses overlap or they do not (a table),
and overlapping ones may share a port or not, by their options (another table).
"""

from __future__ import annotations

import socket
from collections.abc import Callable
from itertools import product
from socket import (
    AF_INET,
    AF_INET6,
    IPPROTO_IPV6,
    SO_REUSEADDR,
    SO_REUSEPORT,
    SOCK_DGRAM,
    SOCK_STREAM,
    SOL_SOCKET,
)

import attrs
import pytest

from simnet.api import Network, Socket
from tests.conformance.kinds import TCP_NAMES, UDP_NAMES, Named, each, unused_port
from tests.conformance.outcomes import outcome

Keep = Callable[[Socket], Socket]


@attrs.frozen
class Place:
    """An address to bind to, and whether an IPv6 socket leaves IPv4 alone."""

    name: str
    family: int
    host: str
    v6only: bool = False

    def socket(self, net: Network, type: int) -> Socket:
        """A socket that can be bound here."""
        sock = net.socket(self.family, type)
        if self.v6only:
            sock.setsockopt(IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        return sock


LO = Place("127.0.0.1", AF_INET, "127.0.0.1")
LO2 = Place("127.0.0.2", AF_INET, "127.0.0.2")
ANY4 = Place("any4", AF_INET, "0.0.0.0")
LO6 = Place("::1", AF_INET6, "::1")
DUAL = Place("dual", AF_INET6, "::")
ANY6 = Place("any6-v6only", AF_INET6, "::", v6only=True)
MAPPED = Place("mapped", AF_INET6, "::ffff:127.0.0.1")
MAPPED_ANY = Place("mapped-any", AF_INET6, "::ffff:0.0.0.0")
PLACES = [LO, LO2, ANY4, LO6, DUAL, ANY6, MAPPED, MAPPED_ANY]
# The pairs that never conflict, in either order; all the others do.
APART = [
    {LO, LO2},
    {LO2, MAPPED},
    *({LO6, other} for other in (LO, LO2, ANY4, MAPPED, MAPPED_ANY)),
    *({ANY6, other} for other in (LO, LO2, ANY4, MAPPED, MAPPED_ANY)),
]
PAIRS = list(product(PLACES, PLACES))
OVERLAPPING = [pair for pair in PAIRS if set(pair) not in APART]
each_pair = pytest.mark.parametrize(
    ("first", "second"), PAIRS, ids=[f"{a.name}-{b.name}" for a, b in PAIRS]
)
some_pairs = pytest.mark.parametrize(
    ("first", "second"),
    [(LO, LO), (ANY4, LO), (LO, ANY4), (ANY4, ANY4), (LO6, LO6), (DUAL, ANY4), (ANY4, DUAL)],
    ids=lambda place: place.name,
)
each_type = pytest.mark.parametrize("type", [SOCK_STREAM, SOCK_DGRAM], ids=["tcp", "udp"])
# What the first socket has set, and the second.
NONE: tuple[int, ...] = ()
RA, RP, BOTH = (SO_REUSEADDR,), (SO_REUSEPORT,), (SO_REUSEADDR, SO_REUSEPORT)
NOT_SHARING = [(NONE, NONE), (RA, NONE), (NONE, RA), (RP, NONE), (NONE, RP), (RA, RP), (RP, RA)]
OPTION_NAMES = {NONE: "none", RA: "reuseaddr", RP: "reuseport", BOTH: "both"}


def each_options(*rows: tuple[tuple[int, ...], tuple[int, ...]]) -> pytest.MarkDecorator:
    """Run the case for each pair of what the first and the second socket have set."""
    ids = [f"{OPTION_NAMES[a]}-{OPTION_NAMES[b]}" for a, b in rows]
    return pytest.mark.parametrize(("mine", "yours"), rows, ids=ids)


@attrs.frozen
class Rivals:
    """Two sockets; the second is about to ask for the first one's port."""

    first: Socket
    second: Socket
    host: str

    def bind(self) -> object:
        """The outcome of the second bind."""
        return outcome(self.second.bind, (self.host, self.first.getsockname()[1]))


@pytest.fixture
def rivals(net: Network, keep: Keep) -> Callable[..., Rivals]:
    """Make the two sockets, with their options; the first is bound."""

    def make(
        first: Place,
        second: Place,
        type: int,
        mine: tuple[int, ...] = NONE,
        yours: tuple[int, ...] = NONE,
    ) -> Rivals:
        a, b = keep(first.socket(net, type)), keep(second.socket(net, type))
        for sock, options in ((a, mine), (b, yours)):
            for option in options:
                sock.setsockopt(SOL_SOCKET, option, 1)
        a.bind((first.host, unused_port(net, type)))
        return Rivals(a, b, second.host)

    return make


@each_type
@each_pair
def test_overlapping_addresses_cannot_share_a_port(
    rivals: Callable[..., Rivals], first: Place, second: Place, type: int
) -> None:
    """EADDRINUSE exactly for those that a datagram or a connection could not tell apart."""
    expected = "EADDRINUSE" if (first, second) in OVERLAPPING else None
    assert rivals(first, second, type).bind() == expected


@each_type
@each_options(*NOT_SHARING)
@some_pairs
def test_an_option_on_one_socket_only_is_not_enough(
    rivals: Callable[..., Rivals], first: Place, second: Place, type: int, mine: tuple[int, ...],
    yours: tuple[int, ...],
) -> None:  # fmt: skip
    """Both must have the same one."""
    assert rivals(first, second, type, mine, yours).bind() == "EADDRINUSE"


@each_options((RA, RA), (BOTH, RA), (RA, BOTH), (RP, RP), (BOTH, BOTH), (RP, BOTH))
@some_pairs
def test_udp_shares_a_port_by_either_option(
    rivals: Callable[..., Rivals], first: Place, second: Place, mine: tuple[int, ...],
    yours: tuple[int, ...],
) -> None:  # fmt: skip
    """SO_REUSEADDR on both, or SO_REUSEPORT on both."""
    assert rivals(first, second, SOCK_DGRAM, mine, yours).bind() is None


@each_options((RA, RA), (BOTH, RA), (RA, BOTH))
@some_pairs
def test_tcp_shares_a_port_by_reuseaddr_until_one_listens(
    rivals: Callable[..., Rivals], first: Place, second: Place, mine: tuple[int, ...],
    yours: tuple[int, ...],
) -> None:  # fmt: skip
    """Both may be bound, one may listen, and then the other may not."""
    pair = rivals(first, second, SOCK_STREAM, mine, yours)
    assert pair.bind() is None
    pair.second.listen()
    assert outcome(pair.first.listen) == "EADDRINUSE"
    pair.second.close()
    assert outcome(pair.first.listen) is None


@each_options((RA, RA), (BOTH, RA), (RA, BOTH))
@some_pairs
def test_reuseaddr_does_not_share_the_port_of_a_tcp_listener(
    rivals: Callable[..., Rivals], first: Place, second: Place, mine: tuple[int, ...],
    yours: tuple[int, ...],
) -> None:  # fmt: skip
    """EADDRINUSE at bind already."""
    pair = rivals(first, second, SOCK_STREAM, mine, yours)
    pair.first.listen()
    assert pair.bind() == "EADDRINUSE"


@each_options((RP, RP), (BOTH, RP), (BOTH, BOTH))
@some_pairs
def test_reuseport_shares_the_port_of_a_tcp_listener(
    rivals: Callable[..., Rivals], first: Place, second: Place, mine: tuple[int, ...],
    yours: tuple[int, ...],
) -> None:  # fmt: skip
    """Both listen."""
    pair = rivals(first, second, SOCK_STREAM, mine, yours)
    pair.first.listen()
    assert pair.bind() is None
    assert outcome(pair.second.listen) is None


@each_type
def test_a_closed_sockets_port_is_free_at_once(net: Network, keep: Keep, type: int) -> None:
    """Nothing was connected, so that nothing remains."""
    with LO.socket(net, type) as sock:
        sock.bind((LO.host, 0))
        address = sock.getsockname()
    keep(LO.socket(net, type)).bind(address)


@pytest.mark.parametrize("family", [AF_INET, AF_INET6], ids=["v4", "v6"])
def test_tcp_and_udp_have_ports_of_their_own(net: Network, keep: Keep, family: int) -> None:
    """The same address and port serve both."""
    host = "127.0.0.1" if family == AF_INET else "::1"
    tcp, udp = keep(net.socket(family, SOCK_STREAM)), keep(net.socket(family, SOCK_DGRAM))
    tcp.bind((host, 0))
    udp.bind(tcp.getsockname())
    assert udp.getsockname() == tcp.getsockname()


@pytest.mark.parametrize("again", ["same", "other", "any-port"])
@each(TCP_NAMES, UDP_NAMES, argument="named")
def test_a_socket_is_bound_once(net: Network, named: Named, keep: Keep, again: str) -> None:
    """EINVAL for a second bind, to its own address too."""
    sock, other = keep(named.bound(net)), keep(named.bound(net))
    host, port = other.getsockname()[:2]
    other.close()
    address = {"same": sock.getsockname(), "other": (host, port), "any-port": (host, 0)}[again]
    assert outcome(sock.bind, address) == "EINVAL"


@each(TCP_NAMES, UDP_NAMES, argument="named")
def test_a_bind_that_failed_may_be_tried_again(net: Network, named: Named, keep: Keep) -> None:
    """EADDRINUSE leaves the socket unbound."""
    taken, sock = keep(named.bound(net)), keep(named.socket(net))
    assert outcome(sock.bind, taken.getsockname()) == "EADDRINUSE"
    assert sock.getsockname()[1] == 0
    sock.bind(named.fresh_address(net))
    assert sock.getsockname()[1] != 0


@pytest.mark.parametrize("host", ["127.0.0.1", "127.0.0.2", "127.1.2.3", "127.255.255.254"])
@each_type
def test_every_address_in_127_is_the_host(net: Network, keep: Keep, type: int, host: str) -> None:
    """It may be bound, and read back."""
    sock = keep(net.socket(AF_INET, type))
    sock.bind((host, 0))
    assert sock.getsockname()[0] == host


@pytest.mark.parametrize(
    ("family", "host"),
    [(AF_INET, "203.0.113.9"), (AF_INET6, "2001:db8::9"), (AF_INET6, "::2"),
     (AF_INET6, "::ffff:203.0.113.9")],
)  # fmt: skip
@each_type
def test_an_address_of_another_host_cannot_be_bound(
    net: Network, keep: Keep, type: int, family: int, host: str
) -> None:
    """EADDRNOTAVAIL, and the socket may still be bound elsewhere."""
    sock = keep(net.socket(family, type))
    assert outcome(sock.bind, (host, 0)) == "EADDRNOTAVAIL"
    sock.bind(("127.0.0.1" if family == AF_INET else "::1", 0))


@each_type
def test_the_names_of_the_wildcard_and_of_the_loopback(net: Network, keep: Keep, type: int) -> None:
    """'' is the wildcard; 'localhost' the loopback; '<broadcast>' all ones."""
    for host, address in (("", "0.0.0.0"), ("localhost", "127.0.0.1"), ("127.1", "127.0.0.1")):
        sock = keep(net.socket(AF_INET, type))
        sock.bind((host, 0))
        assert sock.getsockname()[0] == address
    sock = keep(net.socket(AF_INET6, type))
    sock.bind(("", 0))
    assert sock.getsockname()[0] == "::"


@each_type
def test_an_ipv6_name_has_four_parts(net: Network, keep: Keep, type: int) -> None:
    """Flow information and scope follow; of a loopback address both read as zero."""
    sock = keep(net.socket(AF_INET6, type))
    sock.bind(("::1", 0, 7, 0))
    host, port, flow, scope = sock.getsockname()
    assert (host, port != 0, flow, scope) == ("::1", True, 0, 0)


@each_type
def test_bytes_are_a_host_too(net: Network, keep: Keep, type: int) -> None:
    """As str, and bytearray."""
    for host in (b"127.0.0.1", bytearray(b"127.0.0.1")):
        sock = keep(net.socket(AF_INET, type))
        sock.bind((host, 0))
        assert sock.getsockname()[0] == "127.0.0.1"


@each(TCP_NAMES, UDP_NAMES, argument="named")
def test_a_closed_socket_cannot_be_bound(net: Network, named: Named) -> None:
    """EBADF."""
    sock = named.socket(net)
    sock.close()
    assert outcome(sock.bind, named.fresh_address(net)) == "EBADF"


@pytest.mark.parametrize("option", [SO_REUSEADDR, SO_REUSEPORT], ids=["reuseaddr", "reuseport"])
@each_type
def test_an_option_that_was_set_after_binding_counts(
    rivals: Callable[..., Rivals], type: int, option: int
) -> None:
    """Each bind looks at what the other socket has set now."""
    pair = rivals(LO, LO, type, NONE, (option,))
    pair.first.setsockopt(SOL_SOCKET, option, 1)
    assert pair.bind() is None


@pytest.mark.parametrize(
    ("type", "option", "expected"),
    [
        (SOCK_STREAM, SO_REUSEADDR, "EADDRINUSE"),
        (SOCK_DGRAM, SO_REUSEADDR, "EADDRINUSE"),
        (SOCK_DGRAM, SO_REUSEPORT, "EADDRINUSE"),
        (SOCK_STREAM, SO_REUSEPORT, None),
    ],
    ids=["tcp-reuseaddr", "udp-reuseaddr", "udp-reuseport", "tcp-reuseport"],
)
def test_an_option_that_was_taken_back_does_not_count(
    rivals: Callable[..., Rivals], type: int, option: int, expected: str | None
) -> None:
    """Except SO_REUSEPORT of TCP, whose port remembers it from when it was bound."""
    pair = rivals(LO, LO, type, (option,), (option,))
    pair.first.setsockopt(SOL_SOCKET, option, 0)
    assert pair.bind() == expected
