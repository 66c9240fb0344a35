"""IP addresses: their internal form, and the questions asked of them.

Internally an address is `(ip, port)` with the IP as canonical text. An IPv4 address is dotted quad
everywhere, also on an IPv6 socket, where users see it mapped (`::ffff:1.2.3.4`). A scope, where an
IPv6 address needs one, follows it after '%', as a number.
"""

from __future__ import annotations

import ipaddress
import socket
from functools import lru_cache
from typing import Any

IP = str
InetAddress = tuple[str, int]

ANY4 = "0.0.0.0"
ANY6 = "::"
LOOPBACK4 = "127.0.0.1"
LOOPBACK6 = "::1"
BROADCAST4 = "255.255.255.255"
_MAPPED = "::ffff:"


def is_ipv4(ip: IP) -> bool:
    """Whether it is an IPv4 address."""
    return ":" not in ip


@lru_cache(maxsize=4096)
def is_any(ip: IP) -> bool:
    """Whether it is a wildcard address."""
    return ip in (ANY4, ANY6)


@lru_cache(maxsize=4096)
def is_loopback(ip: IP) -> bool:
    """127/8 or ::1."""
    return ip.startswith("127.") if is_ipv4(ip) else ip == LOOPBACK6


@lru_cache(maxsize=4096)
def is_multicast(ip: IP) -> bool:
    """224/4 or ff00::/8."""
    return ipaddress.ip_address(ip.partition("%")[0]).is_multicast


@lru_cache(maxsize=4096)
def is_of_interface(ip: IP) -> bool:
    """A group of one interface (ff01::/16 and its like): it leaves no host."""
    return is_multicast(ip) and not is_ipv4(ip) and packed(ip)[1] & 0xF == 1


def wildcard(family: int) -> IP:
    """The wildcard address of a family."""
    return ANY4 if family == socket.AF_INET else ANY6


@lru_cache(maxsize=4096)
def numeric(text: str, family: int) -> IP | None:
    """A numeric address of that family in internal form, or None if it is not one.

    AF_INET6 takes a mapped IPv4 address, and a scope as '%number'.
    """
    if family == socket.AF_INET:
        try:
            return socket.inet_ntop(family, socket.inet_pton(family, text))
        except (OSError, ValueError):
            return None
    base, percent, scope = text.partition("%")
    if percent and not scope.isdecimal():
        return None
    try:
        canonical = socket.inet_ntop(family, socket.inet_pton(family, base))
    except (OSError, ValueError):
        return None
    if canonical.startswith(_MAPPED) and "." in canonical:
        return canonical[len(_MAPPED) :]
    return with_scope(canonical, int(scope) if percent else 0)


def with_scope(ip: IP, scope_id: int) -> IP:
    """An address of a link or an interface with its scope; other addresses have none."""
    return f"{ip}%{scope_id}" if scope_id and _needs_scope(ip) else ip


@lru_cache(maxsize=4096)
def _needs_scope(ip: IP) -> bool:
    """fe80::/10, and groups of one interface or link (__ipv6_addr_needs_scope_id)."""
    first, second = packed(ip)[:2]
    if first == 0xFF:
        return second & 0xF in (1, 2)
    return first == 0xFE and second & 0xC0 == 0x80


def present(address: InetAddress, family: int) -> tuple[Any, ...]:
    """An internal address as users of a socket of that family see it."""
    if family == socket.AF_INET:
        return address
    ip, port = address
    if is_ipv4(ip):
        return (_MAPPED + ip, port, 0, 0)
    base, _, scope = ip.partition("%")
    return (base, port, 0, int(scope or 0))


@lru_cache(maxsize=4096)
def packed(ip: IP) -> bytes:
    """The 4 or 16 bytes of an address."""
    family = socket.AF_INET if is_ipv4(ip) else socket.AF_INET6
    return socket.inet_pton(family, ip.partition("%")[0])


@lru_cache(maxsize=4096)
def network_of(ip: IP, prefix: int) -> ipaddress.IPv4Network | ipaddress.IPv6Network:
    """The subnet that an address with a prefix length lies in."""
    return ipaddress.ip_network(f"{ip.partition('%')[0]}/{prefix}", strict=False)
