"""Groups: joining and leaving them, and which interface a socket sends to them through.

A socket remembers its memberships in `Udp.memberships`, as (group, index of the interface); the
host counts them all. Modelled after Linux's `igmp.c` and `mcast.c`. Not modelled: source filters,
messages of IGMP and MLD.
"""

from __future__ import annotations

import errno
import socket
import struct
from typing import Any, cast

import attrs

from simnet.addresses import ANY4, IP, is_any, is_multicast
from simnet.errors import os_error
from simnet.options.actions import has_interface
from simnet.options.values import Form, Place, raw_of_at_least
from simnet.protocols.base import Endpoint
from simnet.protocols.udp import Udp

_MREQ, _MREQN, _MREQ6 = 8, 12, 20


@attrs.frozen
class Request:
    """struct ip_mreqn: a group, and an interface by address or by index."""

    group: IP
    address: IP
    index: int


def _parse_membership(data: bytes | None, length: int) -> Request:
    raw = raw_of_at_least(_MREQ)(data, length)
    index = struct.unpack_from("i", raw, _MREQ)[0] if length >= _MREQN else 0
    return Request(socket.inet_ntoa(raw[:4]), socket.inet_ntoa(raw[4:8]), index)


def _parse_interface(data: bytes | None, length: int) -> Request:
    """An address alone, or a membership whose group does not matter."""
    raw = raw_of_at_least(4)(data, length)
    if length < _MREQ:
        return Request(ANY4, socket.inet_ntoa(raw[:4]), 0)
    return _parse_membership(raw, length)


def _parse_membership6(data: bytes | None, length: int) -> tuple[IP, int]:
    raw = raw_of_at_least(_MREQ6)(data, length)
    return socket.inet_ntop(socket.AF_INET6, raw[:16]), struct.unpack_from("i", raw, 16)[0]


def _find_device(endpoint: Endpoint, request: Request) -> int:
    """The index that a request means, 0 for none (ip_mc_find_dev)."""
    if request.index:
        return request.index if has_interface(endpoint, request.index) else 0
    if not is_any(request.address):
        return endpoint.host.interface_of(request.address)
    return endpoint.host.route_interface(request.group)


def _join(endpoint: Endpoint, request: Request) -> None:
    """ip_mc_join_group."""
    if not is_multicast(request.group):
        raise os_error(errno.EINVAL)
    index = _find_device(endpoint, request)
    if not index:
        raise os_error(errno.ENODEV)
    memberships = _memberships(endpoint)
    if (request.group, index) in memberships:
        raise os_error(errno.EADDRINUSE)
    joined = sum(":" not in group for group, _ in memberships)
    if joined >= endpoint.host.limits.igmp_max_memberships:
        raise os_error(errno.ENOBUFS)
    _enter(endpoint, request.group, index)


def _leave(endpoint: Endpoint, request: Request) -> None:
    """ip_mc_leave_group."""
    index = _find_device(endpoint, request)
    if not (index or request.index) and is_any(request.address):
        raise os_error(errno.ENODEV)
    if (request.group, index) not in _memberships(endpoint):
        raise os_error(errno.EADDRNOTAVAIL)
    _quit(endpoint, request.group, index)


def _join6(endpoint: Endpoint, request: tuple[IP, int]) -> None:
    """ipv6_sock_mc_join."""
    group, index = request
    if endpoint.is_stream:
        raise os_error(errno.EPROTO)
    if not _is_group6(group):
        raise os_error(errno.EINVAL)
    if _member6(endpoint, group, index):
        raise os_error(errno.EADDRINUSE)
    if not index:
        index = endpoint.host.route_interface(group)
    if not has_interface(endpoint, index):
        raise os_error(errno.ENODEV)
    _enter(endpoint, group, index)


def _leave6(endpoint: Endpoint, request: tuple[IP, int]) -> None:
    """ipv6_sock_mc_drop: index 0 is any interface."""
    group, index = request
    if endpoint.is_stream:
        raise os_error(errno.EPROTO)
    if not _is_group6(group):
        raise os_error(errno.EINVAL)
    found = _member6(endpoint, group, index)
    if not found:
        raise os_error(errno.EADDRNOTAVAIL)
    _quit(endpoint, group, found)


def _is_group6(group: IP) -> bool:
    return "." not in group and is_multicast(group)


def _member6(endpoint: Endpoint, group: IP, index: int) -> int:
    """The interface that the socket is in a group on, 0 for none; any if `index` is 0."""
    for joined, on in _memberships(endpoint):
        if joined == group and index in (0, on):
            return on
    return 0


def _memberships(endpoint: Endpoint) -> dict[tuple[IP, int], None]:
    return cast(Udp, endpoint).memberships or {}


def _enter(endpoint: Endpoint, group: IP, index: int) -> None:
    udp = cast(Udp, endpoint)
    udp.memberships = {**_memberships(endpoint), (group, index): None}
    udp.host.join_group(udp, group, index)


def _quit(endpoint: Endpoint, group: IP, index: int) -> None:
    udp = cast(Udp, endpoint)
    udp.memberships = {each: None for each in _memberships(endpoint) if each != (group, index)}
    udp.host.leave_group(udp, group, index)


def _change(endpoint: Endpoint, **changes: Any) -> None:
    udp = cast(Udp, endpoint)
    udp.multicast = attrs.evolve(udp.multicast, **changes)


def _set_interface(endpoint: Endpoint, request: Request) -> None:
    index = request.index
    if not index and not is_any(request.address):
        index = endpoint.host.interface_of(request.address)
        if not index:
            raise os_error(errno.EADDRNOTAVAIL)
    if index and not has_interface(endpoint, index):
        raise os_error(errno.EADDRNOTAVAIL)
    _change(endpoint, address=request.address, index=index)


def _set_interface6(endpoint: Endpoint, index: int) -> None:
    if index and not has_interface(endpoint, index):
        raise os_error(errno.ENODEV)
    _change(endpoint, index6=index)


def _cut_address(address: IP, length: int) -> bytes:
    return socket.inet_aton(address)[:length]


def field(name: str) -> Place:
    """A field of `Udp.multicast`."""
    return Place(
        lambda endpoint: int(getattr(cast(Udp, endpoint).multicast, name)),
        lambda endpoint, value: _change(endpoint, **{name: value}),
    )


MEMBERSHIP = Form(_parse_membership, _cut_address)
MEMBERSHIP6 = Form(_parse_membership6, _cut_address)
INTERFACE_ADDRESS = Form(_parse_interface, _cut_address)

JOIN = Place(None, _join)
LEAVE = Place(None, _leave)
JOIN6 = Place(None, _join6)
LEAVE6 = Place(None, _leave6)
INTERFACE = Place(lambda endpoint: cast(Udp, endpoint).multicast.address, _set_interface)
INTERFACE6 = Place(lambda endpoint: cast(Udp, endpoint).multicast.index6, _set_interface6)
