"""The options of IPPROTO_IP and IPPROTO_IPV6, as tables (see `option_tables`).

An IPv6 socket has those of IPPROTO_IP as well.
"""

from __future__ import annotations

import errno
import socket
from functools import partial
from socket import IPPROTO_IP, IPPROTO_IPV6

from simnet.errors import os_error
from simnet.options import actions as act
from simnet.options import multicast
from simnet.options.values import (
    INT,
    IP_INT,
    IP_INT_OF_SOME_BYTES,
    IPV6_INT,
    LAX_IPV6_INT,
    Accept,
    Form,
    Kind,
    Option,
    Place,
    always,
    boolean,
    keep,
    kept,
    raw_of_at_least,
    row,
    within,
)
from simnet.protocols.base import Endpoint

INET, TCP, UDP = Kind.INET, Kind.TCP, Kind.UDP
V4, V6, TCP6, UDP6 = Kind.TCP4 | Kind.UDP4, Kind.V6, Kind.TCP6, Kind.UDP6

# Options that the module `socket` does not name on every version.
IP_PKTINFO, IP_RECVTTL = 8, 12
IP_MTU_DISCOVER, IP_RECVERR, IP_MTU, IP_BIND_ADDRESS_NO_PORT, IP_MULTICAST_ALL = 10, 11, 14, 24, 49
IPV6_MTU_DISCOVER, IPV6_RECVERR, IPV6_MULTICAST_ALL = 23, 25, 29

ANCILLARY = "ancillary items about what arrived"
ERRORS = "a queue of errors, and errors of unconnected sockets"
MTU_DISCOVERY = "segments that may be cut on their way"
WAY = "treatment on the way"
HOPS = "a limit to the number of hops"


def hops(level: int, number: int) -> Place:
    """A time to live; -1 is the host's default."""

    def read(endpoint: Endpoint) -> int:
        value: int = endpoint.settings.kept.get((level, number), -1)
        return endpoint.host.limits.default_ttl if value == -1 else value

    return Place(read, lambda endpoint, value: keep(endpoint, (level, number), value))


def _fails(read: Form, error: int) -> Form:
    """What streams answer to settings of groups, whatever the value."""

    def parse(data: bytes | None, length: int) -> int:
        raise os_error(error)

    return Form(parse, read.render)


def _traffic_class(mask: int) -> Accept:
    """TCP keeps the two lowest bits for itself (ECN)."""
    return lambda value: within(-1, 255, minus_one=0)(value) & mask


def _nothing(endpoint: Endpoint, value: object) -> None:
    """A value that was refused before it came here."""


_row, _kept = partial(row, IPPROTO_IP), partial(kept, IPPROTO_IP)
_SOME = IP_INT_OF_SOME_BYTES

IP_OPTIONS: tuple[Option, ...] = (
    _row("IP_HDRINCL", socket.IP_HDRINCL, INET, always(0), form=IP_INT),
    _row("IP_MTU", IP_MTU, INET, act.MTU, form=IP_INT),
    _row(
        "IP_MULTICAST_IF",
        socket.IP_MULTICAST_IF,
        UDP,
        multicast.INTERFACE,
        form=multicast.INTERFACE_ADDRESS,
    ),
    _row(
        "IP_MULTICAST_IF",
        socket.IP_MULTICAST_IF,
        TCP,
        Place(lambda _: 0, _nothing),
        form=_fails(INT, errno.EINVAL),
    ),
    _row(
        "IP_ADD_MEMBERSHIP",
        socket.IP_ADD_MEMBERSHIP,
        UDP,
        multicast.JOIN,
        form=multicast.MEMBERSHIP,
    ),
    _row(
        "IP_DROP_MEMBERSHIP",
        socket.IP_DROP_MEMBERSHIP,
        UDP,
        multicast.LEAVE,
        form=multicast.MEMBERSHIP,
    ),
    *(
        _row(name, number, TCP, Place(None, _nothing), form=_fails(INT, errno.EPROTO))
        for name, number in (
            ("IP_ADD_MEMBERSHIP", socket.IP_ADD_MEMBERSHIP),
            ("IP_DROP_MEMBERSHIP", socket.IP_DROP_MEMBERSHIP),
        )
    ),
    _row("IP_MULTICAST_ALL", IP_MULTICAST_ALL, UDP, multicast.field("all"), within(0, 1), _SOME),
    _row("IP_TOS", socket.IP_TOS, INET, act.TOS, form=IP_INT, lacks=WAY),
    _row(
        "IP_TTL",
        socket.IP_TTL,
        INET,
        hops(IPPROTO_IP, socket.IP_TTL),
        within(1, 255, minus_one=-1),
        _SOME,
        lacks=HOPS,
    ),
    _row(
        "IP_MULTICAST_TTL",
        socket.IP_MULTICAST_TTL,
        TCP,
        act.STREAM_GROUP_HOPS4,
        form=_fails(IP_INT, errno.EINVAL),
    ),
    _kept(
        "IP_MULTICAST_TTL",
        socket.IP_MULTICAST_TTL,
        UDP,
        1,
        within(0, 255, minus_one=1),
        HOPS,
        _SOME,
    ),
    # What goes out through the loopback comes back whatever this says (measured).
    _kept(
        "IP_MULTICAST_LOOP",
        socket.IP_MULTICAST_LOOP,
        INET,
        1,
        boolean,
        "",
        _SOME,
    ),
    *(
        _kept(name, number, kind, 0, boolean, lacks, IP_INT)
        for kind, lacks in ((UDP, ""), (TCP, ANCILLARY))
        for name, number in (
            ("IP_PKTINFO", IP_PKTINFO),
            ("IP_RECVTTL", IP_RECVTTL),
            ("IP_RECVTOS", socket.IP_RECVTOS),
        )
    ),
    _kept("IP_RECVOPTS", socket.IP_RECVOPTS, INET, 0, boolean, ANCILLARY, IP_INT),
    _kept("IP_RETOPTS", socket.IP_RETOPTS, INET, 0, boolean, ANCILLARY, IP_INT),
    _kept("IP_RECVERR", IP_RECVERR, INET, 0, boolean, ERRORS, IP_INT),
    *(
        _kept("IP_MTU_DISCOVER", IP_MTU_DISCOVER, kind, 1, within(0, 5), lacks, IP_INT)
        for kind, lacks in ((UDP, ""), (TCP, MTU_DISCOVERY))
    ),
    _kept(
        "IP_TRANSPARENT",
        socket.IP_TRANSPARENT,
        INET,
        0,
        boolean,
        "addresses that are not the host's",
        _SOME,
    ),
    _kept(
        "IP_BIND_ADDRESS_NO_PORT",
        IP_BIND_ADDRESS_NO_PORT,
        INET,
        0,
        boolean,
        "choosing the port only when connecting",
        IP_INT,
    ),
    *(
        _kept("IP_MULTICAST_ALL", IP_MULTICAST_ALL, kind, default, within(0, 1), "groups", _SOME)
        for kind, default in ((Kind.TCP4, 1), (Kind.TCP6, 0))
    ),
)

_row, _kept = partial(row, IPPROTO_IPV6), partial(kept, IPPROTO_IPV6)

IPV6_OPTIONS: tuple[Option, ...] = (
    _row("IPV6_V6ONLY", socket.IPV6_V6ONLY, V6, act.V6ONLY, boolean, IPV6_INT),
    _row(
        "IPV6_PATHMTU",
        socket.IPV6_PATHMTU,
        V6,
        act.PATHMTU,
        form=Form(raw_of_at_least(32), act.path_mtu_information),
    ),
    _row(
        "IPV6_MULTICAST_IF",
        socket.IPV6_MULTICAST_IF,
        UDP6,
        multicast.INTERFACE6,
        form=IPV6_INT,
    ),
    _row(
        "IPV6_MULTICAST_IF",
        socket.IPV6_MULTICAST_IF,
        TCP6,
        act.STREAM_GROUP_INTERFACE,
        form=IPV6_INT,
    ),
    _row(
        "IPV6_MULTICAST_HOPS",
        socket.IPV6_MULTICAST_HOPS,
        TCP6,
        act.STREAM_GROUP_HOPS6,
        form=IPV6_INT,
    ),
    *(
        _row(name, number, V6, place, form=multicast.MEMBERSHIP6)
        for name, number, place in (
            ("IPV6_JOIN_GROUP", socket.IPV6_JOIN_GROUP, multicast.JOIN6),
            ("IPV6_LEAVE_GROUP", socket.IPV6_LEAVE_GROUP, multicast.LEAVE6),
        )
    ),
    _row(
        "IPV6_MULTICAST_ALL", IPV6_MULTICAST_ALL, UDP6, multicast.field("all6"), boolean, IPV6_INT
    ),
    # A source address for all that is sent: its structure is checked, and then it is not there.
    _row(
        "IPV6_PKTINFO",
        socket.IPV6_PKTINFO,
        V6,
        Place(None, act.refuse),
        form=Form(raw_of_at_least(20), IPV6_INT.render),
    ),
    _row(
        "IPV6_UNICAST_HOPS",
        socket.IPV6_UNICAST_HOPS,
        V6,
        hops(IPPROTO_IPV6, socket.IPV6_UNICAST_HOPS),
        within(-1, 255),
        IPV6_INT,
        lacks=HOPS,
    ),
    _kept(
        "IPV6_MULTICAST_HOPS",
        socket.IPV6_MULTICAST_HOPS,
        UDP6,
        1,
        within(0, 255, minus_one=1),
        HOPS,
        IPV6_INT,
    ),
    _kept(
        "IPV6_MULTICAST_LOOP",
        socket.IPV6_MULTICAST_LOOP,
        V6,
        1,
        within(0, 1),
        "",
        IPV6_INT,
    ),
    *(
        _kept("IPV6_TCLASS", socket.IPV6_TCLASS, kind, 0, _traffic_class(mask), WAY, IPV6_INT)
        for kind, mask in ((UDP6, 0xFF), (TCP6, 0xFC))
    ),
    _kept("IPV6_DONTFRAG", socket.IPV6_DONTFRAG, V6, 0, boolean, "", LAX_IPV6_INT),
    *(
        _kept("IPV6_MTU_DISCOVER", IPV6_MTU_DISCOVER, kind, 1, within(0, 5), lacks, IPV6_INT)
        for kind, lacks in ((UDP6, ""), (TCP6, MTU_DISCOVERY))
    ),
    _kept("IPV6_RECVERR", IPV6_RECVERR, V6, 0, boolean, ERRORS, IPV6_INT),
    *(
        _kept(name, getattr(socket, name), kind, 0, boolean, lacks, IPV6_INT)
        for kind, lacks in ((UDP6, ""), (TCP6, ANCILLARY))
        for name in ("IPV6_RECVTCLASS", "IPV6_RECVHOPLIMIT", "IPV6_RECVPKTINFO")
    ),
    *(
        _kept(name, getattr(socket, name), V6, 0, boolean, ANCILLARY, IPV6_INT)
        for name in (
            "IPV6_RECVHOPOPTS",
            "IPV6_RECVRTHDR",
            "IPV6_RECVDSTOPTS",
            "IPV6_RECVPATHMTU",
        )
    ),
)
