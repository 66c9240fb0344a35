"""Ancillary items of IP level on UDP: what sendmsg() may say, and what recvmsg() tells.

Kinds of destinations: IPv4, IPv6, and IPv4 from a socket of IPv6. Options that ask for items are
cases of `test_options_ip`.
"""

from __future__ import annotations

import socket
import struct
from collections.abc import Callable
from socket import (  # fmt: skip
    AF_INET,
    AF_INET6,
    IPPROTO_IP,
    IPPROTO_IPV6,
    IPPROTO_TCP,
    IPPROTO_UDP,
    SOL_SOCKET,
    inet_aton,
    inet_pton,
)
from typing import Any

import pytest

from simnet.api import Network, Socket
from tests.conformance.outcomes import outcome

Keep = Callable[[Socket], Socket]
Item = tuple[int, int, bytes]
IP_PKTINFO, IP_RECVTTL, IPV6_DONTFRAG = 8, 12, 62  # not in the module `socket` of every version
LO = 1  # the loopback's index
V4, V6, MAPPED = "127.0.0.1", "::1", "::ffff:127.0.0.1"
DESTINATIONS = pytest.mark.parametrize("destination", [V4, V6, MAPPED])


def number(value: int) -> bytes:
    """An int as items have it."""
    return struct.pack("i", value)


def from4(source: str, index: int = 0) -> bytes:
    """struct in_pktinfo for sending."""
    return number(index) + inet_aton(source) + bytes(4)


def from6(source: str, index: int = 0) -> bytes:
    """struct in6_pktinfo."""
    return inet_pton(AF_INET6, source) + number(index)


class Line:
    """A sender, and a receiver that is told everything about what arrives."""

    def __init__(self, net: Network, keep: Keep, destination: str) -> None:
        self.four = "." in destination
        self.receiver = keep(net.socket(AF_INET if self.four else AF_INET6, socket.SOCK_DGRAM))
        self.receiver.bind((V4 if self.four else V6, 0))
        asked = (IP_RECVTTL, socket.IP_RECVTOS)
        if not self.four:
            asked = (socket.IPV6_RECVHOPLIMIT, socket.IPV6_RECVTCLASS)
        for option in asked:
            level = IPPROTO_IP if self.four else IPPROTO_IPV6
            self.receiver.setsockopt(level, option, 1)
        self.sender = keep(
            net.socket(AF_INET6 if ":" in destination else AF_INET, socket.SOCK_DGRAM)
        )
        self.address = destination, self.receiver.getsockname()[1]

    def send(self, *items: Item) -> Any:
        """(hops, traffic class) of a datagram sent with the items, or the error of sending it."""
        error = outcome(self.sender.sendmsg, [b"x"], items, 0, self.address)
        if isinstance(error, str):
            return error
        return tuple(value[0] for _, _, value in self.receiver.recvmsg(10, 100)[1])


@pytest.fixture
def line(net: Network, keep: Keep) -> Callable[[str], Line]:
    """`line(destination)` is a fresh sender with its receiver."""
    return lambda destination: Line(net, keep, destination)


OF_IP: list[tuple[int, bytes, Any]] = [
    (socket.IP_TOS, number(5), (64, 5)),
    (socket.IP_TOS, b"\5", (64, 5)),
    (socket.IP_TOS, b"", "EINVAL"),
    (socket.IP_TOS, b"\5\0", "EINVAL"),
    (socket.IP_TOS, number(256), "EINVAL"),
    (socket.IP_TOS, number(-1), "EINVAL"),
    (socket.IP_TTL, number(5), (5, 0)),
    (socket.IP_TTL, b"\5", "EINVAL"),
    (socket.IP_TTL, number(0), "EINVAL"),
    (socket.IP_TTL, number(256), "EINVAL"),
    (socket.IP_TTL, number(-1), "EINVAL"),
    (IP_PKTINFO, from4("127.0.0.9"), (64, 0)),
    (IP_PKTINFO, from4("0.0.0.0", LO), (64, 0)),
    (IP_PKTINFO, from4("0.0.0.0", 9999), "ENODEV"),
    (IP_PKTINFO, from4("203.0.113.9"), "ENETUNREACH"),
    (IP_PKTINFO, from4("0.0.0.0") + b"x", "EINVAL"),
    (IP_PKTINFO, b"123", "EINVAL"),
    (99, b"", "EINVAL"),
]
OF_IPV6: list[tuple[int, bytes, Any]] = [
    (socket.IPV6_TCLASS, number(5), (64, 5)),
    (socket.IPV6_TCLASS, number(-1), (64, 255)),
    (socket.IPV6_TCLASS, number(-2), "EINVAL"),
    (socket.IPV6_TCLASS, number(256), "EINVAL"),
    (socket.IPV6_TCLASS, b"\5", "EINVAL"),
    (socket.IPV6_TCLASS, number(5) + b"x", "EINVAL"),
    (socket.IPV6_HOPLIMIT, number(5), (5, 0)),
    (socket.IPV6_HOPLIMIT, number(0), (0, 0)),
    (socket.IPV6_HOPLIMIT, number(-1), (64, 0)),
    (socket.IPV6_HOPLIMIT, number(256), "EINVAL"),
    (socket.IPV6_HOPLIMIT, b"1", "EINVAL"),
    (socket.IPV6_PKTINFO, from6("::1"), (64, 0)),
    (socket.IPV6_PKTINFO, from6("::1") + b"x", (64, 0)),
    (socket.IPV6_PKTINFO, from6("::", LO), (64, 0)),
    (socket.IPV6_PKTINFO, from6("::", 9999), "ENODEV"),
    (socket.IPV6_PKTINFO, from6("2001:db8::1"), "EINVAL"),
    (socket.IPV6_PKTINFO, from6("::ffff:127.0.0.9"), "EINVAL"),
    (socket.IPV6_PKTINFO, b"12", "EINVAL"),
    (IPV6_DONTFRAG, number(1), (64, 0)),
    (IPV6_DONTFRAG, number(2), "EINVAL"),
    (99, b"", "EINVAL"),
]
OF_SOCKETS: list[tuple[int, int, bytes, Any]] = [
    (SOL_SOCKET, 1, b"", None),
    (SOL_SOCKET, 2, b"", None),
    (SOL_SOCKET, socket.SO_PRIORITY, number(1), None),
    (SOL_SOCKET, socket.SO_PRIORITY, b"1", "EINVAL"),
    (SOL_SOCKET, 99, b"", "EINVAL"),
    (IPPROTO_TCP, 1, b"", None),
    (99, 1, b"", None),
]


@pytest.mark.parametrize("destination", [V4, MAPPED])
@pytest.mark.parametrize(("kind", "data", "expected"), OF_IP)
def test_items_for_an_ipv4_destination(
    line: Callable[[str], Line], destination: str, kind: int, data: bytes, expected: Any
) -> None:
    """They are of IPPROTO_IP, from either family; the length must fit exactly."""
    assert line(destination).send((IPPROTO_IP, kind, data)) == expected


@pytest.mark.parametrize(("kind", "data", "expected"), OF_IPV6)
def test_items_for_an_ipv6_destination(
    line: Callable[[str], Line], kind: int, data: bytes, expected: Any
) -> None:
    """-1 is the default number of hops, but a traffic class of all bits."""
    assert line(V6).send((IPPROTO_IPV6, kind, data)) == expected


@DESTINATIONS
@pytest.mark.parametrize(("level", "kind", "data", "error"), OF_SOCKETS)
def test_items_of_other_levels_for_a_datagram(
    line: Callable[[str], Line], destination: str, level: int, kind: int, data: bytes, error: Any
) -> None:
    """SOL_SOCKET is checked, the rest does not matter."""
    assert line(destination).send((level, kind, data)) == (error or (64, 0))


@DESTINATIONS
def test_items_of_udp_are_checked(line: Callable[[str], Line], destination: str) -> None:
    """EINVAL for what UDP does not know."""
    assert line(destination).send((IPPROTO_UDP, 99, b"")) == "EINVAL"


@pytest.mark.parametrize(
    ("destination", "item"),
    [
        (V4, (IPPROTO_IPV6, 99, b"")),
        (V4, (IPPROTO_IPV6, socket.IPV6_PKTINFO, b"12")),
        (V6, (IPPROTO_IP, 99, b"")),
        (MAPPED, (IPPROTO_IPV6, 99, b"")),
        (MAPPED, (IPPROTO_IPV6, socket.IPV6_HOPLIMIT, number(5))),
    ],
    ids=str,
)
def test_items_of_the_other_version_do_not_matter(
    line: Callable[[str], Line], destination: str, item: Item
) -> None:
    """Wrong ones neither: what counts is the destination, not the socket's family."""
    assert line(destination).send(item) == (64, 0)


@pytest.mark.parametrize(
    ("source", "expected"),
    [("::ffff:127.0.0.9", (64, 0)), ("::1", "EINVAL"), ("::", "EINVAL")],
)
def test_a_source_for_an_ipv4_destination_may_be_a_mapped_address(
    line: Callable[[str], Line], source: str, expected: Any
) -> None:
    """IPV6_PKTINFO counts there, with a mapped address only."""
    assert line(MAPPED).send((IPPROTO_IPV6, socket.IPV6_PKTINFO, from6(source))) == expected


def test_a_datagram_comes_from_the_address_that_its_item_names(
    line: Callable[[str], Line],
) -> None:
    """IP_PKTINFO chooses among the host's addresses, for one datagram."""
    four = line(V4)
    for items in ([(IPPROTO_IP, IP_PKTINFO, from4("127.0.0.9"))], []):
        four.sender.sendmsg([b"x"], items, 0, four.address)
    assert [four.receiver.recvfrom(10)[1][0] for _ in range(2)] == ["127.0.0.9", "127.0.0.1"]


@DESTINATIONS
def test_options_come_before_and_after_an_overriding_item(
    line: Callable[[str], Line], destination: str
) -> None:
    """An item holds for its datagram only, also while the same destination is in use."""
    way = line(destination)
    level, hops, name = IPPROTO_IP, socket.IP_TTL, socket.IP_TTL
    if not way.four:
        level, hops, name = IPPROTO_IPV6, socket.IPV6_HOPLIMIT, socket.IPV6_UNICAST_HOPS
    seen = [way.send()]
    way.sender.setsockopt(level, name, 9)
    seen += [way.send(), way.send((level, hops, number(7))), way.send()]
    assert seen == [(64, 0), (9, 0), (7, 0), (9, 0)]


@DESTINATIONS
def test_the_first_part_of_a_datagram_says_what_its_header_is(
    line: Callable[[str], Line], destination: str
) -> None:
    """With MSG_MORE, items of later parts are not even looked at."""
    way = line(destination)
    level, kind = (IPPROTO_IP, socket.IP_TOS) if way.four else (IPPROTO_IPV6, socket.IPV6_TCLASS)
    way.sender.sendmsg([b"a"], [(level, kind, number(8))], socket.MSG_MORE, way.address)
    way.sender.sendmsg([b"b"], [(level, 99, b"")], socket.MSG_MORE)
    way.sender.sendmsg([b"c"], [(level, kind, number(12))])
    data, items, _, _ = way.receiver.recvmsg(10, 100)
    assert (data, [value[0] for _, _, value in items]) == (b"abc", [64, 8])


@DESTINATIONS
def test_what_is_said_before_a_wrong_item(line: Callable[[str], Line], destination: str) -> None:
    """No destination comes first; a shut direction comes later."""
    way = line(destination)
    wrong = [(IPPROTO_IP if way.four else IPPROTO_IPV6, 99, b"")]
    assert outcome(way.sender.sendmsg, [b"x"], wrong) == "EDESTADDRREQ"
    way.sender.connect(way.address)
    way.sender.shutdown(socket.SHUT_WR)
    assert outcome(way.sender.sendmsg, [b"x"], wrong) == "EINVAL"
    assert outcome(way.sender.sendmsg, [b"x"]) == "EPIPE"


def test_packet_information_of_ipv4_comes_first(line: Callable[[str], Line]) -> None:
    """The interface, the address to answer from, the destination; then hops and type of service."""
    way = line(V4)
    way.receiver.setsockopt(IPPROTO_IP, IP_PKTINFO, 1)
    way.sender.sendmsg([b"x"], [], 0, way.address)
    items = way.receiver.recvmsg(10, 100)[1]
    assert items == [
        (IPPROTO_IP, IP_PKTINFO, number(LO) + inet_aton(V4) * 2),
        (IPPROTO_IP, socket.IP_TTL, number(64)),
        (IPPROTO_IP, socket.IP_TOS, b"\0"),
    ]


def test_a_datagram_of_ipv4_on_a_socket_of_ipv6(net: Network, keep: Keep) -> None:
    """It has packet information of both kinds, and no hop limit or traffic class of IPv6."""
    receiver, sender = (keep(net.socket(f, socket.SOCK_DGRAM)) for f in (AF_INET6, AF_INET))
    receiver.bind(("::", 0))
    for option in (socket.IPV6_RECVTCLASS, socket.IPV6_RECVHOPLIMIT, socket.IPV6_RECVPKTINFO):
        receiver.setsockopt(IPPROTO_IPV6, option, 1)
    for option in (IP_PKTINFO, IP_RECVTTL, socket.IP_RECVTOS):
        receiver.setsockopt(IPPROTO_IP, option, 1)
    sender.sendto(b"x", (V4, receiver.getsockname()[1]))
    assert receiver.recvmsg(10, 200)[1] == [
        (IPPROTO_IPV6, socket.IPV6_PKTINFO, from6("::ffff:127.0.0.1", LO)),
        (IPPROTO_IP, IP_PKTINFO, number(LO) + inet_aton(V4) * 2),
        (IPPROTO_IP, socket.IP_TTL, number(64)),
        (IPPROTO_IP, socket.IP_TOS, b"\0"),
    ]


def test_a_datagram_to_a_group_has_one_hop(net: Network, keep: Keep) -> None:
    """And its packet information names the group as the destination."""
    member, sender = (keep(net.socket(AF_INET, socket.SOCK_DGRAM)) for _ in range(2))
    member.bind(("", 0))
    group = inet_aton("239.1.2.3")
    member.setsockopt(IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, group + inet_aton(V4))
    for option in (IP_PKTINFO, IP_RECVTTL):
        member.setsockopt(IPPROTO_IP, option, 1)
    sender.setsockopt(IPPROTO_IP, socket.IP_MULTICAST_IF, inet_aton(V4))
    sender.sendto(b"x", ("239.1.2.3", member.getsockname()[1]))
    assert member.recvmsg(10, 100)[1] == [
        (IPPROTO_IP, IP_PKTINFO, number(LO) + inet_aton(V4) + group),
        (IPPROTO_IP, socket.IP_TTL, number(1)),
    ]


def test_items_stay_with_a_datagram_that_is_peeked_at(line: Callable[[str], Line]) -> None:
    """They come again with the datagram itself."""
    way = line(V4)
    way.sender.sendmsg([b"x"], [(IPPROTO_IP, socket.IP_TTL, number(7))], 0, way.address)
    peeked = way.receiver.recvmsg(10, 100, socket.MSG_PEEK)
    assert peeked[1][0] == (IPPROTO_IP, socket.IP_TTL, number(7))
    assert way.receiver.recvmsg(10, 100) == peeked


@pytest.mark.parametrize(
    ("item", "expected"),
    [
        ((IPPROTO_IP, 99, b""), 1),
        ((IPPROTO_IPV6, 99, b""), 1),
        ((IPPROTO_UDP, 99, b""), 1),
        ((SOL_SOCKET, socket.SO_PRIORITY, number(1)), 1),
        ((SOL_SOCKET, 99, b""), "EINVAL"),
    ],
    ids=str,
)
@pytest.mark.parametrize("host", [V4, V6])
def test_a_stream_looks_at_items_of_sockets_only(
    net: Network, keep: Keep, host: str, item: Item, expected: Any
) -> None:
    """Of what level the others are does not matter."""
    server = keep(net.create_server((host, 0), family=AF_INET6 if ":" in host else AF_INET))
    client = keep(net.create_connection(server.getsockname()[:2]))
    assert outcome(client.sendmsg, [b"x"], [item]) == expected
