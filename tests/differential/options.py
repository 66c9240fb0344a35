"""Which options the programs set and read, by family and type."""

from __future__ import annotations

import select
import socket
from functools import cache

Setting = tuple[int, int, int | bytes]

SOL, TCP, IP, IPV6 = socket.SOL_SOCKET, socket.IPPROTO_TCP, socket.IPPROTO_IP, socket.IPPROTO_IPV6
RESET = (SOL, socket.SO_LINGER, b"\x01\0\0\0\0\0\0\0")  # struct linger {on, 0 seconds}
# A linger of more than 0 seconds would make close() wait; SO_REUSEPORT spreads by a random hash.
_ANY: list[Setting] = [
    (SOL, socket.SO_REUSEADDR, 1),
    (SOL, socket.SO_REUSEADDR, 0),
    (SOL, socket.SO_KEEPALIVE, 1),
    (SOL, socket.SO_BROADCAST, 1),
    (SOL, socket.SO_OOBINLINE, 1),
    RESET,
    (SOL, socket.SO_LINGER, bytes(8)),
    (SOL, socket.SO_RCVLOWAT, 4),
    (SOL, socket.SO_RCVLOWAT, 0),
    (SOL, socket.SO_PRIORITY, 6),
]
# TCP's own buffer sizes change what fits in ways that do not repeat: only large ones there.
_LARGE: list[Setting] = [(SOL, socket.SO_SNDBUF, 100_000), (SOL, socket.SO_RCVBUF, 100_000)]
_SMALL: list[Setting] = [
    (SOL, buffer, size)
    for buffer in (socket.SO_SNDBUF, socket.SO_RCVBUF)
    for size in (0, 4096, 30_000)
]
# A datagram that MSG_MORE began counts against UDP's send buffer in a way that is not modelled: no
# small ones there.
_UDP = _LARGE[:1] + [setting for setting in _SMALL if setting[1] == socket.SO_RCVBUF]
_TCP: list[Setting] = [
    (TCP, socket.TCP_NODELAY, 1),
    (TCP, socket.TCP_KEEPIDLE, 7),
    (TCP, socket.TCP_KEEPINTVL, 8),
    (TCP, socket.TCP_KEEPCNT, 9),
    (TCP, socket.TCP_KEEPCNT, 128),
    (TCP, socket.TCP_USER_TIMEOUT, 1000),
    (TCP, socket.TCP_SYNCNT, 3),
]
_IP: list[Setting] = [
    (IP, socket.IP_TTL, 33),
    (IP, socket.IP_TTL, 0),
    (IP, socket.IP_TOS, 0x10),
    (IP, socket.IP_MULTICAST_TTL, 2),
    (IP, socket.IP_MULTICAST_LOOP, 0),
]
_IPV6: list[Setting] = [
    (IPV6, socket.IPV6_V6ONLY, 1),
    (IPV6, socket.IPV6_V6ONLY, 0),
    (IPV6, socket.IPV6_UNICAST_HOPS, 33),
    (IPV6, socket.IPV6_MULTICAST_HOPS, 2),
    (IPV6, socket.IPV6_MULTICAST_LOOP, 0),
]
_UNIX: list[Setting] = [(SOL, socket.SO_PASSCRED, 1), (SOL, socket.SO_PASSCRED, 0)]
ERROR = (SOL, socket.SO_ERROR)
_READ_ONLY: list[tuple[int, ...]] = [
    ERROR,
    ERROR,
    (SOL, socket.SO_ACCEPTCONN),
    (SOL, socket.SO_TYPE),
    (SOL, socket.SO_DOMAIN),
    (SOL, socket.SO_PROTOCOL),
    (SOL, socket.SO_PEERCRED, 12),
    (SOL, socket.SO_LINGER, 8),
]
EPOLL_MASKS = [
    mask | way
    for way in (0, select.EPOLLET, select.EPOLLONESHOT)
    for mask in (
        select.EPOLLIN,
        select.EPOLLIN | select.EPOLLOUT | select.EPOLLRDHUP | select.EPOLLPRI,
        select.EPOLLOUT,
        0,
    )
] + [select.EPOLLIN | select.EPOLLEXCLUSIVE]


@cache
def settable(kind: tuple[int, int]) -> list[Setting]:
    """(level, option, value) for sockets of a family and type."""
    family, type = kind
    if family == socket.AF_UNIX:
        return _ANY + _UNIX + _SMALL
    found = _ANY + _IP if family == socket.AF_INET else _ANY + _IPV6
    return found + (_TCP + _LARGE if type == socket.SOCK_STREAM else _UDP)


@cache
def readable(kind: tuple[int, int]) -> list[tuple[int, ...]]:
    """The arguments of getsockopt for sockets of a family and type."""
    return _READ_ONLY + list(dict.fromkeys((level, name) for level, name, _ in settable(kind)))
