"""Options of IPPROTO_IP, IPPROTO_IPV6 and IPPROTO_UDP: defaults, values, lengths, ancillary items.

Values were measured on Linux 6.18 with its default settings. Groups have a file of their own.
"""

from __future__ import annotations

import socket
import struct
from collections.abc import Callable
from socket import IPPROTO_IP, IPPROTO_IPV6, IPPROTO_UDP
from typing import Any

import pytest

from simnet.api import Network, Socket
from tests.conformance.kinds import (
    TCP_NAMES,
    UDP_NAMES,
    UNIX_NAMES,
    Named,
    Option,
    each,
    each_option,
)
from tests.conformance.outcomes import outcome, read_back

MAX = 2**31 - 1
INET = TCP_NAMES + UDP_NAMES
TCP6, UDP6 = TCP_NAMES[1:], UDP_NAMES[1:]
INET4 = [TCP_NAMES[0], UDP_NAMES[0]]
INET6 = TCP6 + UDP6
BOOLEAN: dict[int, int | str] = {0: 0, 1: 1, 2: 1, 300: 1, -1: 1, MAX: 1}


def refused(*values: int, error: str = "EINVAL") -> dict[int, int | str]:
    """Values that fail."""
    return dict.fromkeys(values, error)


def kept(*values: int) -> dict[int, int | str]:
    """Values that read back unchanged."""
    return {value: value for value in values}


READ_ONLY = refused(0, 1, -1, error="ENOPROTOOPT")
HOPS = kept(1, 2, 100, 255) | {-1: 64} | refused(256, -2, MAX)
MULTICAST_HOPS = kept(0, 1, 2, 255) | {-1: 1} | refused(256, -2, MAX)


def ip(name: str, kinds: list[Named], default: Any, sets: dict[int, Any], **more: Any) -> Option:
    """A row for a constant of IPPROTO_IP."""
    return Option(name, IPPROTO_IP, getattr(socket, name), kinds, default, sets, **more)


def ipv6(name: str, kinds: list[Named], default: Any, sets: dict[int, Any]) -> Option:
    """A row for a constant of IPPROTO_IPV6."""
    return Option(name, IPPROTO_IPV6, getattr(socket, name), kinds, default, sets)


OPTIONS = [
    # TCP keeps the two lowest bits of the traffic class for itself.
    ip("IP_TOS", TCP_NAMES, 0, {0: 0, 1: 0, 3: 0, 5: 4, 100: 100, 255: 252, 300: 44, -1: 252}),
    ip("IP_TOS", UDP_NAMES, 0, {0: 0, 1: 1, 3: 3, 5: 5, 100: 100, 255: 255, 300: 44, -1: 255}),
    ip("IP_TTL", INET, 64, refused(0) | HOPS),
    ip("IP_HDRINCL", INET, 0, READ_ONLY),
    ip("IP_RECVTOS", INET, 0, BOOLEAN),
    Option("IP_PKTINFO", IPPROTO_IP, 8, INET, 0, BOOLEAN),
    Option("IP_RECVTTL", IPPROTO_IP, 12, INET, 0, BOOLEAN),
    ip("IP_RECVOPTS", INET, 0, BOOLEAN),
    ip("IP_RETOPTS", INET, 0, BOOLEAN),
    ip("IP_TRANSPARENT", INET, 0, BOOLEAN, privileged=True),
    Option("IP_BIND_ADDRESS_NO_PORT", IPPROTO_IP, 24, INET, 0, BOOLEAN),
    Option("IP_RECVERR", IPPROTO_IP, 11, INET, 0, BOOLEAN),
    ip("IP_MULTICAST_TTL", UDP_NAMES, 1, MULTICAST_HOPS),
    ip("IP_MULTICAST_TTL", TCP_NAMES, 1, refused(0, 1, -1)),
    ip("IP_MULTICAST_LOOP", INET, 1, BOOLEAN),
    ip("IP_MULTICAST_IF", UDP_NAMES, 0, {0: 0} | refused(-1, error="EADDRNOTAVAIL")),
    ip("IP_MULTICAST_IF", TCP_NAMES, 0, refused(0, 1, -1)),
    ip("IP_ADD_MEMBERSHIP", UDP_NAMES, "ENOPROTOOPT", refused(0, 1, -1)),
    ip("IP_DROP_MEMBERSHIP", UDP_NAMES, "ENOPROTOOPT", refused(0, 1, -1)),
    ip("IP_ADD_MEMBERSHIP", TCP_NAMES, "ENOPROTOOPT", refused(0, 1, -1, error="EPROTO")),
    ip("IP_DROP_MEMBERSHIP", TCP_NAMES, "ENOPROTOOPT", refused(0, 1, -1, error="EPROTO")),
    Option("IP_MTU", IPPROTO_IP, 14, INET, "ENOTCONN", READ_ONLY),
    Option("unknown-ip", IPPROTO_IP, 150, INET, "ENOPROTOOPT", READ_ONLY),
    Option("unknown-ip", IPPROTO_IP, 0, INET, "ENOPROTOOPT", READ_ONLY),
    ipv6("IPV6_V6ONLY", INET6, 0, BOOLEAN),
    ipv6("IPV6_UNICAST_HOPS", INET6, 64, kept(0) | HOPS),
    ipv6("IPV6_MULTICAST_HOPS", UDP6, 1, MULTICAST_HOPS),
    ipv6("IPV6_MULTICAST_HOPS", TCP6, 1, READ_ONLY),
    ipv6("IPV6_MULTICAST_LOOP", INET6, 1, kept(0, 1) | refused(2, 300, -1, MAX)),
    ipv6("IPV6_MULTICAST_IF", UDP6, 0, kept(0, 1) | refused(-1, MAX, error="ENODEV")),
    ipv6("IPV6_MULTICAST_IF", TCP6, 0, READ_ONLY),
    ipv6("IPV6_TCLASS", UDP6, 0, kept(0, 1, 3, 100, 255) | {-1: 0} | refused(256, -2, MAX)),
    ipv6("IPV6_TCLASS", TCP6, 0, {0: 0, 1: 0, 5: 4, 255: 252, -1: 0} | refused(256, -2, MAX)),
    ipv6("IPV6_DONTFRAG", INET6, 0, BOOLEAN),
    ipv6("IPV6_RECVTCLASS", INET6, 0, BOOLEAN),
    ipv6("IPV6_RECVHOPLIMIT", INET6, 0, BOOLEAN),
    ipv6("IPV6_RECVPKTINFO", INET6, 0, BOOLEAN),
    ipv6("IPV6_RECVHOPOPTS", INET6, 0, BOOLEAN),
    ipv6("IPV6_RECVRTHDR", INET6, 0, BOOLEAN),
    ipv6("IPV6_RECVDSTOPTS", INET6, 0, BOOLEAN),
    ipv6("IPV6_RECVPATHMTU", INET6, 0, BOOLEAN),
    Option("IPV6_RECVERR", IPPROTO_IPV6, 25, INET6, 0, BOOLEAN),
    ipv6("IPV6_JOIN_GROUP", INET6, "ENOPROTOOPT", refused(0, 1, -1)),
    ipv6("IPV6_LEAVE_GROUP", INET6, "ENOPROTOOPT", refused(0, 1, -1)),
    ipv6("IPV6_PKTINFO", INET6, "ENOPROTOOPT", refused(0, 1, -1)),
    ipv6("IPV6_CHECKSUM", INET6, "ENOPROTOOPT", READ_ONLY),
    ipv6("IPV6_NEXTHOP", INET6, "ENOPROTOOPT", READ_ONLY),
    ipv6("IPV6_HOPLIMIT", INET6, "ENOPROTOOPT", READ_ONLY),
    ipv6("IPV6_PATHMTU", INET6, "EINVAL", READ_ONLY),
    Option("unknown-ipv6", IPPROTO_IPV6, 150, INET6, "ENOPROTOOPT", READ_ONLY),
    Option("unknown-ipv6", IPPROTO_IPV6, 0, INET6, "ENOPROTOOPT", READ_ONLY),
    # A socket of IPv4 knows nothing of IPv6.
    ipv6("IPV6_V6ONLY", INET4, "EOPNOTSUPP", READ_ONLY),
    ipv6("IPV6_UNICAST_HOPS", INET4, "EOPNOTSUPP", READ_ONLY),
    Option("UDP_CORK", IPPROTO_UDP, 1, UDP_NAMES, 0, BOOLEAN),
    Option("unknown-udp", IPPROTO_UDP, 99, UDP_NAMES, "ENOPROTOOPT", READ_ONLY),
    Option("UDP_CORK", IPPROTO_UDP, 1, TCP_NAMES[:1], "EOPNOTSUPP", READ_ONLY),
    Option("UDP_CORK", IPPROTO_UDP, 1, TCP_NAMES[1:], "ENOPROTOOPT", READ_ONLY),
]
# Options whose value is a small int, as IPPROTO_IP reads and takes it: from one byte on.
IP_INTS = [
    option
    for option in OPTIONS
    if option.name in ("IP_TTL", "IP_TOS", "IP_RECVTOS", "IP_MULTICAST_LOOP")
]
IPV6_INTS = [
    option
    for option in OPTIONS
    if option.name in ("IPV6_UNICAST_HOPS", "IPV6_V6ONLY", "IPV6_RECVTCLASS", "IPV6_RECVPKTINFO")
    and option.kinds is INET6
]


@each_option(OPTIONS)
def test_a_fresh_socket_has_the_default(net: Network, named: Named, option: Option) -> None:
    """An option that was not set has the kernel's default, or the kernel's error."""
    with named.socket(net) as sock:
        assert outcome(sock.getsockopt, option.level, option.number) == option.default


@each_option(OPTIONS)
def test_a_value_reads_back_as_the_kernel_keeps_it(
    net: Network, named: Named, option: Option
) -> None:
    """Each option has its own range, and -1 often means the default."""
    if option.privileged and net.credentials()[1] != 0:
        pytest.skip("takes a privilege")
    got = {}
    for value in option.sets:
        with named.socket(net) as sock:
            got[value] = read_back(sock, option.level, option.number, value)
    assert got == option.sets


@pytest.mark.parametrize("level", [IPPROTO_IP, IPPROTO_IPV6, IPPROTO_UDP])
@each(UNIX_NAMES, argument="named")
def test_unix_sockets_have_no_options_of_the_internet(
    net: Network, named: Named, level: int
) -> None:
    """EOPNOTSUPP for every number, reading and setting."""
    with named.socket(net) as sock:
        for number in (1, 2, 26, 999):
            assert outcome(sock.getsockopt, level, number) == "EOPNOTSUPP"
            assert outcome(sock.setsockopt, level, number, 1) == "EOPNOTSUPP"


@each_option(IP_INTS)
def test_options_of_ip_are_read_as_one_byte_if_the_buffer_is_short(
    net: Network, named: Named, option: Option
) -> None:
    """A buffer of one to three bytes gets a single byte, a longer one an int."""
    with named.socket(net) as sock:
        got = {n: sock.getsockopt(option.level, option.number, n) for n in (1, 2, 3, 4, 8)}
    whole = struct.pack("i", option.default)
    assert got == {1: whole[:1], 2: whole[:1], 3: whole[:1], 4: whole, 8: whole}


@each_option([option for option in IP_INTS if option.name == "IP_TTL"])
def test_options_of_ip_are_set_from_one_byte_on(net: Network, named: Named, option: Option) -> None:
    """Up to three bytes only the first counts; four are an int; nothing is no TTL."""
    with named.socket(net) as sock:
        got = {
            value: read_back(sock, option.level, option.number, value)
            for value in (
                b"\5",
                b"\6\1",
                b"\7\1\1",
                b"\x08\0\0\0",
                b"\x09\0\0\0\1",
                b"\5\1\0\0",
                b"",
            )
        }
    assert list(got.values()) == [5, 6, 7, 8, 9, "EINVAL", "EINVAL"]


@each_option([option for option in IP_INTS if option.name == "IP_RECVTOS"])
def test_no_bytes_switch_an_option_of_ip_off(net: Network, named: Named, option: Option) -> None:
    """An empty value reads as zero."""
    with named.socket(net) as sock:
        assert read_back(sock, option.level, option.number, 1) == 1
        assert read_back(sock, option.level, option.number, b"") == 0


@each_option(IPV6_INTS)
def test_options_of_ipv6_are_ints(net: Network, named: Named, option: Option) -> None:
    """Reading cuts the int to the length; setting takes no less than four bytes."""
    whole = struct.pack("i", option.default)
    with named.socket(net) as sock:
        got = {n: sock.getsockopt(option.level, option.number, n) for n in (1, 2, 3, 4, 8)}
        short = [outcome(sock.setsockopt, option.level, option.number, bytes(n)) for n in range(4)]
    assert got == {n: whole[:n] for n in got}
    assert short == ["EINVAL"] * 4


@each(INET6, argument="named")
def test_v6only_cannot_change_once_bound(net: Network, named: Named) -> None:
    """EINVAL after bind(), for the same value too."""
    with named.bound(net) as sock:
        for value in (0, 1):
            assert outcome(sock.setsockopt, IPPROTO_IPV6, socket.IPV6_V6ONLY, value) == "EINVAL"


ANCILLARY = [
    # name of the switch, the item's type, the item's value
    ("IPV6_RECVTCLASS", "IPV6_TCLASS", struct.pack("i", 0)),
    ("IPV6_RECVHOPLIMIT", "IPV6_HOPLIMIT", struct.pack("i", 64)),
    ("IPV6_RECVPKTINFO", "IPV6_PKTINFO", socket.inet_pton(socket.AF_INET6, "::1") + b"\1\0\0\0"),
]


@pytest.mark.parametrize(("switch", "item", "value"), ANCILLARY, ids=[row[0] for row in ANCILLARY])
def test_an_ipv6_datagram_brings_the_items_that_were_asked_for(
    net: Network, keep: Callable[[Socket], Socket], switch: str, item: str, value: bytes
) -> None:
    """Traffic class, hop limit or packet information arrive as ancillary items."""
    receiver, sender = keep(UDP_NAMES[1].bound(net)), keep(UDP_NAMES[1].socket(net))
    receiver.setsockopt(IPPROTO_IPV6, getattr(socket, switch), 1)
    sender.sendto(b"x", receiver.getsockname())
    data, ancillary, flags, _ = receiver.recvmsg(10, 100)
    assert (data, flags) == (b"x", 0)
    assert ancillary == [(IPPROTO_IPV6, getattr(socket, item), value)]


def test_an_ipv6_datagram_brings_several_items_in_the_kernels_order(
    net: Network, keep: Callable[[Socket], Socket]
) -> None:
    """Packet information, hop limit, traffic class."""
    receiver, sender = keep(UDP_NAMES[1].bound(net)), keep(UDP_NAMES[1].socket(net))
    for switch, _, _ in ANCILLARY:
        receiver.setsockopt(IPPROTO_IPV6, getattr(socket, switch), 1)
    sender.setsockopt(IPPROTO_IPV6, socket.IPV6_TCLASS, 17)
    sender.setsockopt(IPPROTO_IPV6, socket.IPV6_UNICAST_HOPS, 9)
    sender.sendto(b"x", receiver.getsockname())
    _, ancillary, _, _ = receiver.recvmsg(10, 200)
    assert [(kind, value[:4]) for _, kind, value in ancillary] == [
        (socket.IPV6_PKTINFO, bytes(4)),
        (socket.IPV6_HOPLIMIT, struct.pack("i", 9)),
        (socket.IPV6_TCLASS, struct.pack("i", 17)),
    ]


@pytest.mark.parametrize("room", [0, 1, 12, 16, 17, 19, 20, 24, 100])
def test_ancillary_items_are_cut_to_the_room_for_them(
    net: Network, keep: Callable[[Socket], Socket], room: int
) -> None:
    """Without room for the item's header nothing comes; MSG_CTRUNC says that some was lost."""
    receiver, sender = keep(UDP_NAMES[1].bound(net)), keep(UDP_NAMES[1].socket(net))
    receiver.setsockopt(IPPROTO_IPV6, socket.IPV6_RECVHOPLIMIT, 1)
    sender.sendto(b"x", receiver.getsockname())
    _, ancillary, flags, _ = receiver.recvmsg(10, room)
    whole = struct.pack("i", 64)
    left = [(IPPROTO_IPV6, socket.IPV6_HOPLIMIT, whole[: max(0, room - 16)])]
    assert ancillary == (left if room >= 16 else [])
    assert flags == (0 if room >= 20 else socket.MSG_CTRUNC)


def test_an_ipv4_datagram_brings_its_type_of_service(
    net: Network, keep: Callable[[Socket], Socket]
) -> None:
    """IP_RECVTOS gives IP_TOS as a single byte."""
    receiver, sender = keep(UDP_NAMES[0].bound(net)), keep(UDP_NAMES[0].socket(net))
    receiver.setsockopt(IPPROTO_IP, socket.IP_RECVTOS, 1)
    sender.setsockopt(IPPROTO_IP, socket.IP_TOS, 0x28)
    sender.sendto(b"x", receiver.getsockname())
    assert receiver.recvmsg(10, 100)[1] == [(IPPROTO_IP, socket.IP_TOS, b"\x28")]


@each(UDP_NAMES, argument="named")
def test_nothing_is_brought_unasked(
    net: Network, named: Named, keep: Callable[[Socket], Socket]
) -> None:
    """A datagram has no ancillary items by default."""
    receiver, sender = keep(named.bound(net)), keep(named.socket(net))
    sender.sendto(b"x", receiver.getsockname())
    assert receiver.recvmsg(10, 100)[1:3] == ([], 0)


@pytest.mark.parametrize(
    ("level", "option", "item"),
    [
        (IPPROTO_IPV6, "IPV6_TCLASS", struct.pack("i", 5)),
        (IPPROTO_IPV6, "IPV6_HOPLIMIT", struct.pack("i", 5)),
    ],
    ids=["tclass", "hoplimit"],
)
def test_sendmsg_sets_a_field_for_one_datagram(
    net: Network, keep: Callable[[Socket], Socket], level: int, option: str, item: bytes
) -> None:
    """An ancillary item of the sender overrides its option, for that datagram only."""
    receiver, sender = keep(UDP_NAMES[1].bound(net)), keep(UDP_NAMES[1].socket(net))
    kind = getattr(socket, option)
    receiver.setsockopt(level, getattr(socket, option.replace("V6_", "V6_RECV")), 1)
    sender.sendmsg([b"x"], [(level, kind, item)], 0, receiver.getsockname())
    sender.sendto(b"y", receiver.getsockname())
    assert receiver.recvmsg(10, 100)[1] == [(level, kind, item)]
    assert receiver.recvmsg(10, 100)[1] != [(level, kind, item)]
