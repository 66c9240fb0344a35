"""Names: getaddrinfo and its kin for one host, as glibc and CPython's C module answer them.

What is known: numeric addresses in every spelling, 'localhost', what the tables of names say of a
name (table.py), which may take time or be an error, and the hosts of the world. There is no DNS:
every other name is unknown at once. The order of checks and the
errors are those of glibc 2.39, with a hosts file that has 'localhost' for IPv4 only. Not modelled:
AI_ADDRCONFIG (a host has both families), internationalised canonical names.

Family and type are plain ints, as in `_socket`; the standard library's `socket.py` dresses them.
"""

from __future__ import annotations

import errno
import os
import socket
from collections.abc import Callable, Sequence
from operator import index
from typing import Any

from simnet.addresses import BROADCAST4, IP, LOOPBACK4
from simnet.errors import os_error
from simnet.names import services
from simnet.names.arguments import (
    check_text,
    encoded,
    host_argument,
    interface_index,
    port_argument,
    sockaddr_argument,
)
from simnet.names.rules import (
    AI_FLAGS,
    HOST_NOT_FOUND,
    INET,
    INET6,
    MAPPED,
    NI_FLAGS,
    NO_RECOVERY,
    UINT_MAX,
    UNSPEC,
    Address,
    choices_for,
    gai,
    herror,
    inet6,
    inet_aton,
    is_of_link,
    of_family,
    service_of,
    unnamed,
)
from simnet.names.table import Names

_LOCALHOST = "localhost"
_UNGIVEN: Any = object()

Found = tuple[int, int, int, str, tuple[Any, ...]]


class Resolver:
    """What one host knows of names."""

    def __init__(
        self,
        host_name: str,
        names: Callable[[str], Sequence[IP]],
        reverse: Callable[[IP], str | None] = lambda ip: None,
        interfaces: Callable[[], Sequence[tuple[int, str]]] = lambda: [(1, "lo")],
        tables: Sequence[Names] = (),
        wait: Callable[[float], None] = lambda seconds: None,
    ) -> None:
        self._host_name = host_name
        self._names = names
        self._reverse = reverse
        self._interfaces = interfaces
        # Asked in this order, before the hosts; and how to wait for an answer, in seconds.
        self._tables = tables
        self._wait = wait

    # Addresses of names

    def getaddrinfo(
        self,
        host: str | bytes | None,
        port: str | bytes | int | None,
        family: int = 0,
        type: int = 0,
        proto: int = 0,
        flags: int = 0,
    ) -> list[Found]:
        """getaddrinfo(3) behind `_socket.getaddrinfo`: the same arguments, rows and errors."""
        name, service = host_argument(host), port_argument(port)
        return self._find(name, service, index(family), index(type), index(proto), index(flags))

    def _find(
        self, name: str | None, service: str | None, family: int, type: int, proto: int, flags: int
    ) -> list[Found]:
        name = None if name == "*" else name
        service = None if service == "*" else service
        if name is None and service is None:
            raise gai(socket.EAI_NONAME)
        if flags & ~AI_FLAGS or (flags & socket.AI_CANONNAME and name is None):
            raise gai(socket.EAI_BADFLAGS)
        if family not in (UNSPEC, INET, INET6):
            raise gai(socket.EAI_FAMILY)
        choices = choices_for(service or None, type, proto, flags)
        addresses, canonical = self._addresses(name, family, flags)
        if not flags & socket.AI_CANONNAME:
            canonical = ""
        rows: list[Found] = []
        for where, text, scope in addresses:
            for kind, protocol, port in choices:
                address = (text, port) if where == INET else (text, port, 0, scope)
                rows.append((where, kind, protocol, "" if rows else canonical, address))
        return rows

    def _addresses(self, name: str | None, family: int, flags: int) -> tuple[list[Address], str]:
        """The addresses in the order of preference, and the canonical name."""
        if name is None:
            return unnamed(family, bool(flags & socket.AI_PASSIVE)), ""
        numeric = self._numeric(name, family, flags)
        if numeric is not None:
            return [numeric], name
        if flags & socket.AI_NUMERICHOST:
            raise gai(socket.EAI_NONAME)
        canonical, known = self._lookup(name)
        found = of_family(known, family, flags)
        if not found:
            raise gai(socket.EAI_NONAME)
        return found, canonical

    def _numeric(self, name: str, family: int, flags: int) -> Address | None:
        ipv4 = inet_aton(name)
        if ipv4 is not None:
            if family != INET6:
                return INET, ipv4, 0
            if flags & socket.AI_V4MAPPED:
                return INET6, MAPPED + ipv4, 0
            raise gai(socket.EAI_ADDRFAMILY)
        base, percent, scope = name.partition("%")
        ipv6 = inet6(base)
        if ipv6 is None:
            return None
        if family == INET:
            if not (ipv6.startswith(MAPPED) and "." in ipv6):
                raise gai(socket.EAI_ADDRFAMILY)
            return INET, ipv6[len(MAPPED) :], 0
        return INET6, ipv6, self._scope(ipv6, scope) if percent else 0

    def _scope(self, ip: IP, text: str) -> int:
        """A scope is an interface's name, for addresses of a link, or a number."""
        if is_of_link(ip):
            found = next((number for number, name in self._interfaces() if name == text), 0)
            if found:
                return found
        if not (text.isascii() and text.isdecimal()) or int(text) > UINT_MAX:
            raise gai(socket.EAI_NONAME)
        return int(text)

    def _lookup(self, name: str) -> tuple[str, Sequence[IP]]:
        """The canonical name and the addresses of a name; names do not care about case."""
        lower = name.lower()
        if lower == _LOCALHOST:
            return lower, [LOOPBACK4]
        entry = next(filter(None, (table.find(lower) for table in self._tables)), None)
        if entry is not None:
            if entry.delay:
                self._wait(entry.delay)
            return lower, entry.answer()
        for spelling in (name, lower):
            known = self._names(spelling)
            if known:
                return spelling, known
        if lower == self._host_name.lower():
            return self._host_name, [LOOPBACK4]
        return name, []

    # Names for sockets

    def resolve(self, host: str | bytes, family: int) -> IP:
        """The address that a socket of a family gets for a name, in internal form, without scope.

        What CPython's setipaddr does: '' is the wildcard and '<broadcast>' the broadcast address.
        """
        text = host.decode("latin-1") if isinstance(host, bytes) else host
        _, ip = self._set_ip_address(text, family)
        return ip[len(MAPPED) :] if ip.startswith(MAPPED) and "." in ip else ip

    def _set_ip_address(self, name: str, family: int) -> tuple[int, IP]:
        if not name:
            rows = self._find(None, "0", family, int(socket.SOCK_DGRAM), 0, socket.AI_PASSIVE)
            if len(rows) > 1:
                raise OSError("wildcard resolved to multiple address")
        elif name in ("<broadcast>", BROADCAST4):
            if family == INET6:
                raise OSError("address family mismatched")
            return INET, BROADCAST4
        else:
            rows = self._find(name, None, family, 0, 0, 0)
        return rows[0][0], rows[0][4][0]

    def gethostbyname(self, hostname: str, /) -> IP:
        """One IPv4 address."""
        return self._set_ip_address(encoded("gethostbyname", hostname), INET)[1]

    def gethostbyname_ex(self, hostname: str, /) -> tuple[str, list[str], list[IP]]:
        """The canonical name, aliases, and all IPv4 addresses."""
        name = encoded("gethostbyname_ex", hostname)
        self._set_ip_address(name, INET)
        if not name or name == "<broadcast>":
            raise herror(HOST_NOT_FOUND if name else NO_RECOVERY)
        rows, canonical = self._addresses(name, INET, 0)
        return canonical, [], [ip for _, ip, _ in rows]

    def gethostbyaddr(self, ip_address: str, /) -> tuple[str, list[str], list[IP]]:
        """The name of an address, which may itself be given by name."""
        _, ip = self._set_ip_address(encoded("gethostbyaddr", ip_address), UNSPEC)
        name = self._name_of(ip)
        if name is None:
            raise herror(HOST_NOT_FOUND)
        return name, [], [ip]

    def _name_of(self, ip: IP) -> str | None:
        return _LOCALHOST if ip == LOOPBACK4 else self._reverse(ip)

    # Names of addresses

    def getnameinfo(self, sockaddr: tuple[Any, ...], flags: int, /) -> tuple[str, str]:
        """The host and the service of an address, by name or by number."""
        flags = index(flags)
        host, port, flowinfo, scope = sockaddr_argument(sockaddr)
        if flowinfo > 0xFFFFF:
            raise OverflowError("getnameinfo(): flowinfo must be 0-1048575.")
        dgram = int(socket.SOCK_DGRAM)
        row = self._find(host, str(port), UNSPEC, dgram, 0, socket.AI_NUMERICHOST)[0]
        if row[0] == INET and len(sockaddr) != 2:
            raise OSError("IPv4 sockaddr must be 2 tuple")
        if flags & ~NI_FLAGS:
            raise gai(socket.EAI_BADFLAGS)
        name = None if flags & socket.NI_NUMERICHOST else self._name_of(row[4][0])
        if name is None:
            if flags & socket.NI_NAMEREQD:
                raise gai(socket.EAI_NONAME)
            name = self._with_scope(row[4][0], scope if row[0] == INET6 else 0)
        return name, service_of(row[4][1], flags)

    def _with_scope(self, ip: IP, scope: int) -> str:
        if not scope:
            return ip
        names = dict(self._interfaces()) if is_of_link(ip) else {}
        return f"{ip}%{names.get(scope, scope)}"

    # The host itself, services, protocols, interfaces

    def gethostname(self) -> str:
        """The host's own name."""
        return self._host_name

    def sethostname(self, name: str | bytes, /) -> None:
        """Refused, as to a process without the privilege: the world names its hosts."""
        os.fsencode(name)
        raise os_error(errno.EPERM)

    def getservbyname(self, servicename: str, protocolname: str = _UNGIVEN, /) -> int:
        """The port of a service, for the first protocol that has it unless one is named."""
        check_text("getservbyname", 1, servicename)
        service = services.by_name(servicename, _protocol("getservbyname", protocolname))
        if service is None:
            raise OSError("service/proto not found")
        return service.port

    def getservbyport(self, port: int, protocolname: str = _UNGIVEN, /) -> str:
        """The service of a port."""
        number = index(port)
        protocol = _protocol("getservbyport", protocolname)
        if not 0 <= number <= 0xFFFF:
            raise OverflowError("getservbyport: port must be 0-65535.")
        service = services.by_port(number, protocol)
        if service is None:
            raise OSError("port/proto not found")
        return service.name

    def getprotobyname(self, protocolname: str, /) -> int:
        """The number of a protocol."""
        check_text("getprotobyname", 1, protocolname)
        number = services.PROTOCOLS.get(protocolname)
        if number is None:
            raise OSError("protocol not found")
        return number

    def if_nameindex(self) -> list[tuple[int, str]]:
        """(index, name) of each interface."""
        return list(self._interfaces())

    def if_nametoindex(self, name: str | bytes, /) -> int:
        """The index of an interface."""
        text = os.fsdecode(name)
        for number, known in self._interfaces():
            if known == text:
                return number
        raise OSError("no interface with this name")

    def if_indextoname(self, number: int, /) -> str:
        """The name of an interface."""
        name = dict(self._interfaces()).get(interface_index(number))
        if name is None:
            raise os_error(errno.ENXIO)
        return name


def _protocol(call: str, name: Any) -> str | None:
    if name is _UNGIVEN:
        return None
    check_text(call, 2, name)
    return str(name)
