"""glibc's rules for names: what a service, a type and a family mean, and numeric addresses.

The order of checks is that of getaddrinfo.c and getnameinfo.c; measured with glibc 2.36 to 2.39.
"""

from __future__ import annotations

import re
import socket
from collections.abc import Iterable

import attrs

from simnet.addresses import ANY4, ANY6, IP, LOOPBACK4, LOOPBACK6, is_ipv4
from simnet.names import services

# The texts of glibc's gai_strerror and hstrerror.
EAI_TEXTS = {
    socket.EAI_BADFLAGS: "Bad value for ai_flags",
    socket.EAI_NONAME: "Name or service not known",
    socket.EAI_FAMILY: "ai_family not supported",
    socket.EAI_SOCKTYPE: "ai_socktype not supported",
    socket.EAI_SERVICE: "Servname not supported for ai_socktype",
    socket.EAI_ADDRFAMILY: "Address family for hostname not supported",
    socket.EAI_AGAIN: "Temporary failure in name resolution",
    socket.EAI_FAIL: "Non-recoverable failure in name resolution",
    socket.EAI_NODATA: "No address associated with hostname",
    socket.EAI_MEMORY: "Memory allocation failure",
}
HOST_NOT_FOUND, NO_RECOVERY = 1, 3
_HERROR_TEXTS = {HOST_NOT_FOUND: "Unknown host", NO_RECOVERY: "Unknown server error"}

AI_FLAGS = 0x7FF
NI_FLAGS = 0x7F
UNSPEC, INET, INET6 = 0, int(socket.AF_INET), int(socket.AF_INET6)
_SOCK_DCCP, _DCCP, _UDPLITE, _SCTP = 6, 33, 136, 132
UINT_MAX = 2**32 - 1
MAPPED = "::ffff:"


@attrs.frozen
class _Transport:
    """A row of glibc's gaih_inet_typeproto."""

    type: int
    proto: int
    name: str
    default: bool = False
    # A protocol that takes any number, and no service.
    raw: bool = False


_TRANSPORTS = (
    _Transport(int(socket.SOCK_STREAM), socket.IPPROTO_TCP, "tcp", default=True),
    _Transport(int(socket.SOCK_DGRAM), socket.IPPROTO_UDP, "udp", default=True),
    _Transport(_SOCK_DCCP, _DCCP, "dccp"),
    _Transport(int(socket.SOCK_DGRAM), _UDPLITE, "udplite"),
    _Transport(int(socket.SOCK_STREAM), _SCTP, "sctp"),
    _Transport(int(socket.SOCK_SEQPACKET), _SCTP, "sctp"),
    _Transport(int(socket.SOCK_RAW), 0, "raw", default=True, raw=True),
)

# (family, text, scope)
Address = tuple[int, str, int]
# (type, protocol, port)
_Choice = tuple[int, int, int]


def gai(number: int) -> socket.gaierror:
    """The error of getaddrinfo(3) and getnameinfo(3)."""
    return socket.gaierror(number, EAI_TEXTS[number])


def herror(number: int) -> socket.herror:
    """The error of gethostbyname(3) and gethostbyaddr(3)."""
    return socket.herror(number, _HERROR_TEXTS[number])


def choices_for(service: str | None, type: int, proto: int, flags: int) -> list[_Choice]:
    """What kinds of sockets are meant, and the port for each."""
    number: int | None = 0
    if service is not None:
        number = _strtoul(service)
        if number is None and flags & socket.AI_NUMERICSERV:
            raise gai(socket.EAI_NONAME)
    chosen: Iterable[_Transport]
    if type or proto:
        chosen = [_first_transport(type, proto)]
        if service is not None and chosen[0].raw:
            raise gai(socket.EAI_SERVICE)
    elif number is None or number < 0:
        chosen = [transport for transport in _TRANSPORTS if not transport.raw]
    else:
        chosen = [transport for transport in _TRANSPORTS if transport.default]
    found = []
    for transport in chosen:
        port = number
        if port is None or port < 0:
            known = services.by_name(service or "", transport.name)
            if known is None:
                continue
            port = known.port
        found.append((transport.type, proto if transport.raw else transport.proto, port & 0xFFFF))
    if not found:
        raise gai(socket.EAI_SERVICE)
    return found


def _first_transport(type: int, proto: int) -> _Transport:
    for transport in _TRANSPORTS:
        if type in (0, transport.type) and (transport.raw or proto in (0, transport.proto)):
            return transport
    raise gai(socket.EAI_SOCKTYPE if type else socket.EAI_SERVICE)


def _strtoul(text: str) -> int | None:
    """What glibc makes of a port: an int of 32 bits, or None if it is no number."""
    match = re.fullmatch(r"[ \t\n\v\f\r]*([+-]?)(\d+)", text, re.ASCII)
    if match is None:
        return None
    value = min(int(match[2]), 2**64 - 1)
    value = (-value if match[1] == "-" and value < 2**64 - 1 else value) & UINT_MAX
    return value - (value >> 31 << 32)


def unnamed(family: int, passive: bool) -> list[Address]:
    """Where to connect to, or bind to, without a name; in the order that glibc sorts them."""
    addresses = [(INET, ANY4, 0), (INET6, ANY6, 0)]
    if not passive:
        addresses = [(INET6, LOOPBACK6, 0), (INET, LOOPBACK4, 0)]
    return [address for address in addresses if family in (UNSPEC, address[0])]


def of_family(known: Iterable[IP], family: int, flags: int) -> list[Address]:
    """Those of a family, IPv6 first; IPv4 ones as mapped if asked for."""
    found = [ip.partition("%") for ip in known]
    ipv6 = [(INET6, ip, int(scope or 0)) for ip, _, scope in found if not is_ipv4(ip)]
    ipv4 = [(INET, ip, 0) for ip, _, _ in found if is_ipv4(ip)]
    if family == INET:
        return ipv4
    if family == UNSPEC:
        return ipv6 + ipv4
    if flags & socket.AI_V4MAPPED and (flags & socket.AI_ALL or not ipv6):
        return ipv6 + [(INET6, MAPPED + ip, 0) for _, ip, _ in ipv4]
    return ipv6


def service_of(port: int, flags: int) -> str:
    """A port as getnameinfo(3) shows it."""
    if not flags & socket.NI_NUMERICSERV:
        service = services.by_port(port, "udp" if flags & socket.NI_DGRAM else "tcp")
        if service is not None:
            return service.name
    return str(port)


def inet_aton(text: str) -> IP | None:
    """An IPv4 address in any of the notations of inet_aton(3), with nothing around it."""
    if not text.isascii() or any(character.isspace() for character in text):
        return None
    try:
        return socket.inet_ntoa(socket.inet_aton(text))
    except (OSError, ValueError):
        return None


def inet6(text: str) -> IP | None:
    """An IPv6 address without scope, in canonical form."""
    try:
        return socket.inet_ntop(socket.AF_INET6, socket.inet_pton(socket.AF_INET6, text))
    except (OSError, ValueError):
        return None


def is_of_link(ip: IP) -> bool:
    """fe80::/10, and ff02::/16 and its like: addresses that mean something on one link only."""
    raw = socket.inet_pton(socket.AF_INET6, ip)
    if raw[0] == 0xFF:
        return raw[1] & 0xF == 2
    return raw[0] == 0xFE and raw[1] & 0xC0 == 0x80
