"""What a datagram's IP header says, as ancillary items: set with sendmsg(), told by recvmsg().

Modelled after Linux's ip_cmsg_send, ip6_datagram_send_ctl, ip_cmsg_recv and ip6_datagram_recv_ctl.
Not modelled, and refused as what is unknown: options and extension headers, UDP_SEGMENT.
"""

from __future__ import annotations

import errno
import socket
import struct
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import attrs

from simnet import constants
from simnet.addresses import IP, is_any, is_ipv4, is_multicast, packed
from simnet.errors import os_error
from simnet.protocols.base import Ancillary
from simnet.wire import Datagram

if TYPE_CHECKING:
    from simnet.host import Host

# Options and items that the module `socket` does not name on every version.
_PKTINFO, _RECVTTL, _DONTFRAG = 8, 12, 62
_SCM_RIGHTS, _SCM_CREDENTIALS, _SCM_TIMESTAMPING, _SO_MARK = 1, 2, 37, 36
_INT = struct.Struct("i")
_IN_PKTINFO, _IN6_PKTINFO = struct.Struct("i4s4s"), struct.Struct("16si")
_IPV6_PKTINFO = (socket.IPPROTO_IPV6, socket.IPV6_PKTINFO)
_MAPPED = bytes(10) + b"\xff\xff"


@attrs.frozen
class Overrides:
    """What one call of sendmsg() says of its datagram's header; None is what the options say."""

    source: IP | None = None
    interface: int = 0
    tos: int | None = None
    hops: int | None = None
    dontfrag: bool | None = None


NO_OVERRIDES = Overrides()
_Found = dict[str, Any]


# Sending


def overrides(items: Sequence[Ancillary], ip: IP, family: int) -> Overrides:
    """The items for a datagram to that destination; those of other levels do not matter."""
    if not items:
        return NO_OVERRIDES
    found: _Found = {}
    for level, kind, data in items:
        if level == constants.SOL_SOCKET:
            check_socket_item(kind, data)
        elif level == constants.IPPROTO_UDP:
            raise os_error(errno.EINVAL)
        elif level == socket.IPPROTO_IP and is_ipv4(ip):
            found |= _ip_item(kind, data)
        elif level == socket.IPPROTO_IPV6 and not is_ipv4(ip):
            found |= _ipv6_item(kind, data)
        elif family == constants.AF_INET6 and (level, kind) == _IPV6_PKTINFO:
            found |= _mapped_source(data)
    return Overrides(**found)


def check_socket_item(kind: int, data: bytes) -> None:
    """Items of SOL_SOCKET are for unix sockets, or do not matter here; others are EINVAL."""
    if kind in (_SCM_RIGHTS, _SCM_CREDENTIALS):
        return
    if kind not in (socket.SO_PRIORITY, _SO_MARK, _SCM_TIMESTAMPING) or len(data) != _INT.size:
        raise os_error(errno.EINVAL)


def _number(data: bytes, low: int, high: int) -> int:
    if len(data) != _INT.size:
        raise os_error(errno.EINVAL)
    value: int = _INT.unpack(data)[0]
    if not low <= value <= high:
        raise os_error(errno.EINVAL)
    return value


def _ip_item(kind: int, data: bytes) -> _Found:
    if kind == socket.IP_TOS:
        return {"tos": data[0] if len(data) == 1 else _number(data, 0, 255)}
    if kind == socket.IP_TTL:
        return {"hops": _number(data, 1, 255)}
    if kind == _PKTINFO and len(data) == _IN_PKTINFO.size:
        index, source, _ = _IN_PKTINFO.unpack(data)
        return _source(socket.inet_ntoa(source), index)
    raise os_error(errno.EINVAL)


def _ipv6_item(kind: int, data: bytes) -> _Found:
    """-1 is the default, but for a traffic class it is all bits (measured on Linux 6.18)."""
    if kind == socket.IPV6_TCLASS:
        return {"tos": _number(data, -1, 255) & 0xFF}
    if kind == socket.IPV6_HOPLIMIT:
        hops = _number(data, -1, 255)
        return {} if hops < 0 else {"hops": hops}
    if kind == _DONTFRAG:
        return {"dontfrag": bool(_number(data, 0, 1))}
    if kind == socket.IPV6_PKTINFO and len(data) >= _IN6_PKTINFO.size:
        source, index = _IN6_PKTINFO.unpack_from(data)
        return _source(socket.inet_ntop(socket.AF_INET6, source), index)
    raise os_error(errno.EINVAL)


def _mapped_source(data: bytes) -> _Found:
    """IPV6_PKTINFO for a destination of IPv4: its address must be a mapped one."""
    if len(data) < _IN6_PKTINFO.size or not data.startswith(_MAPPED):
        raise os_error(errno.EINVAL)
    source, index = _IN6_PKTINFO.unpack_from(data)
    return _source(socket.inet_ntoa(source[12:]), index)


def _source(ip: IP, index: int) -> _Found:
    return {"source": None if is_any(ip) else ip, "interface": index}


def fields(kept: Mapping[tuple[int, int], Any], ip: IP, default_ttl: int) -> tuple[int, int]:
    """The type of service and the number of hops that a socket's options say for a destination."""
    if is_ipv4(ip):
        level, tos = socket.IPPROTO_IP, socket.IP_TOS
        one, many = socket.IP_TTL, socket.IP_MULTICAST_TTL
    else:
        level, tos = socket.IPPROTO_IPV6, socket.IPV6_TCLASS
        one, many = socket.IPV6_UNICAST_HOPS, socket.IPV6_MULTICAST_HOPS
    hops = kept.get((level, many), 1) if is_multicast(ip) else kept.get((level, one), -1)
    return kept.get((level, tos), 0), default_ttl if hops == -1 else hops


# Receiving


def arrived(
    kept: Mapping[tuple[int, int], Any], family: int, datagram: Datagram, host: Host
) -> Sequence[Ancillary]:
    """The items that a socket has asked for about a datagram, in the kernel's order.

    One of IPv4 on an IPv6 socket has the packet information of both.
    """

    def wants(level: int, option: int) -> bool:
        return bool(kept.get((level, option)))

    items: list[Ancillary] = []
    destination = datagram.destination[0]
    index = datagram.interface or host.interface_of(destination)
    four = is_ipv4(destination)
    level = socket.IPPROTO_IPV6
    if family == constants.AF_INET6 and wants(level, socket.IPV6_RECVPKTINFO):
        address = _MAPPED + packed(destination) if four else packed(destination)
        items.append((level, socket.IPV6_PKTINFO, _IN6_PKTINFO.pack(address, index)))
    if not four:
        if wants(level, socket.IPV6_RECVHOPLIMIT):
            items.append((level, socket.IPV6_HOPLIMIT, _INT.pack(datagram.hops)))
        if wants(level, socket.IPV6_RECVTCLASS):
            items.append((level, socket.IPV6_TCLASS, _INT.pack(datagram.tos)))
        return items
    level = socket.IPPROTO_IP
    if wants(level, _PKTINFO):
        local = _answering_address(datagram, host)
        info = _IN_PKTINFO.pack(index, packed(local), packed(destination))
        items.append((level, _PKTINFO, info))
    if wants(level, _RECVTTL):
        items.append((level, socket.IP_TTL, _INT.pack(datagram.hops)))
    if wants(level, socket.IP_RECVTOS):
        items.append((level, socket.IP_TOS, bytes([datagram.tos])))
    return items


def _answering_address(datagram: Datagram, host: Host) -> IP:
    """Where an answer would come from (fib_compute_spec_dst)."""
    source, destination = datagram.source[0], datagram.destination[0]
    if host.is_unicast(destination):
        return destination
    return source if is_any(source) else host.source_for(source)
