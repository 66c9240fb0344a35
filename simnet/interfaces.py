"""A host's interfaces: its addresses, its subnets, and which way a packet goes.

Every host has a loopback and, if it has addresses, `eth0` and maybe more. What is in no subnet of
an interface goes to a router (a default route through the first interface with an address of that
version).

Not modelled: routing tables, link-local addresses that come by themselves, and addresses that
change while a host is up.
"""

from __future__ import annotations

import errno
import ipaddress
from collections.abc import Mapping, Sequence

import attrs

from simnet.addresses import (
    BROADCAST4,
    IP,
    is_any,
    is_ipv4,
    is_loopback,
    is_multicast,
    network_of,
    numeric,
)
from simnet.constants import AF_INET, AF_INET6
from simnet.errors import os_error
from simnet.wire import LO, Network

# How `ip=` of a host may be written: addresses, each with a prefix length or without, for one
# interface or by its name.
Addresses = str | Sequence[str] | Mapping[str, str | Sequence[str]]

# The length of an address's prefix where none is given: private blocks are one subnet each
# (RFC 1918), others have the usual lengths.
_BLOCKS = tuple(map(ipaddress.ip_network, ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16")))
_USUAL4, _USUAL6 = 24, 64


@attrs.frozen
class Interface:
    """One interface: its index and name, and its addresses, each with its subnet."""

    index: int
    name: str
    addresses: tuple[tuple[IP, Network], ...] = ()


LOOPBACK = Interface(LO, "lo")


def parse(addresses: Addresses) -> tuple[Interface, ...]:
    """The interfaces that `ip=` of a host means, after the loopback; ValueError says what is wrong.

    None of the addresses may be a loopback, a group, a wildcard or a broadcast address.
    """
    by_name = addresses if isinstance(addresses, Mapping) else {"eth0": addresses}
    interfaces, seen = [LOOPBACK], set[IP]()
    for name, texts in by_name.items():
        if not name or name in {interface.name for interface in interfaces}:
            raise ValueError(f"an interface needs a name of its own, not {name!r}")
        each = [texts] if isinstance(texts, str) else texts
        parsed = tuple(_parse_address(text) for text in each)
        for ip, _ in parsed:
            if ip in seen:
                raise ValueError(f"{ip} is there twice")
            seen.add(ip)
        if parsed:
            interfaces.append(Interface(len(interfaces) + 1, name, parsed))
    return tuple(interfaces)


def _parse_address(text: str) -> tuple[IP, Network]:
    bare, slash, length = text.partition("/")
    ip = numeric(bare, AF_INET) or numeric(bare, AF_INET6)
    if ip is None:
        raise ValueError(f"{text!r} is not an IPv4 or IPv6 address")
    if is_any(ip) or is_loopback(ip) or is_multicast(ip) or ip == BROADCAST4:
        raise ValueError(f"{ip} cannot be a host's address")
    if ip.startswith(("fe8", "fe9", "fea", "feb")):
        raise ValueError(f"{ip} is an address of one link only: these are not modelled")
    longest = 32 if is_ipv4(ip) else 128
    if slash and not (length.isdecimal() and int(length) <= longest):
        raise ValueError(f"{text!r}: a prefix length is from 0 to {longest}")
    network = network_of(ip, int(length) if slash else _usual_prefix(ip))
    if network.version == 4 and network.prefixlen < 31:
        if ip == str(network.network_address):
            raise ValueError(f"{ip} is the address of the subnet {network} itself")
        if ip == str(network.broadcast_address):
            raise ValueError(f"{ip} is the broadcast address of the subnet {network}")
    return ip, network


def _usual_prefix(ip: IP) -> int:
    if not is_ipv4(ip):
        return _USUAL6
    own = ipaddress.ip_address(ip)
    return next((block.prefixlen for block in _BLOCKS if own in block), _USUAL4)


class Addressing:
    """What a host knows of its own addresses and of the way to others."""

    def __init__(self, interfaces: Sequence[Interface]) -> None:
        self.interfaces = tuple(interfaces)
        self._networks = {ip: network for each in self.interfaces for ip, network in each.addresses}
        self._index = {ip: each.index for each in self.interfaces for ip, _ in each.addresses}
        self.addresses: tuple[IP, ...] = tuple(self._networks)
        # Ways to other addresses, by what they depend on: where they lead, from which address.
        self.routes: dict[tuple[IP, bool, IP], tuple[IP, IP]] = {}
        self._broadcasts = {BROADCAST4, "127.255.255.255"}
        for network in self._networks.values():
            if network.version == 4 and network.prefixlen < 31:
                self._broadcasts.add(str(network.broadcast_address))

    def is_local(self, ip: IP) -> bool:
        """Whether an address is this host's."""
        return ip in self._index or is_loopback(ip)

    def is_unicast(self, ip: IP) -> bool:
        """Whether an address means one host alone."""
        return not is_multicast(ip) and ip not in self._broadcasts

    def is_broadcast(self, ip: IP) -> bool:
        """Whether an address means every host of a subnet."""
        return ip in self._broadcasts

    def is_neighbour(self, ip: IP) -> bool:
        """Whether an address lies in a subnet of an interface."""
        return self._own_beside(ip) is not None

    def _own_beside(self, ip: IP) -> IP | None:
        """The first own address whose subnet an address lies in."""
        there = ipaddress.ip_address(ip.partition("%")[0])
        return next((own for own, network in self._networks.items() if there in network), None)

    def source_for(self, ip: IP) -> IP:
        """The address of ours to send from to that destination; ENETUNREACH if there is no way."""
        four = is_ipv4(ip)
        if is_loopback(ip):
            return "127.0.0.1" if four else "::1"
        if ip in self._index:
            return ip
        own = self._own_beside(ip) if len(self.addresses) > 1 else None
        own = own or self.own_address(four)
        if own is None:
            raise os_error(errno.ENETUNREACH)
        return own

    def own_address(self, four: bool) -> IP | None:
        """The first address of a version that other hosts know."""
        return next((own for own in self.addresses if is_ipv4(own) == four), None)

    def interface_of(self, ip: IP) -> int:
        """The index of the interface that has an address; 0 if the host has not got it."""
        return LO if is_loopback(ip) else self._index.get(ip, 0)

    def has_interface(self, index: int) -> bool:
        """Whether it has an interface of that index."""
        return any(index == interface.index for interface in self.interfaces)

    def interface_names(self) -> list[tuple[int, str]]:
        """Index and name of each."""
        return [(interface.index, interface.name) for interface in self.interfaces]

    def route_interface(self, ip: IP) -> int:
        """The index of the interface on the way to an address; 0 if there is none."""
        if is_any(ip) or is_loopback(ip):
            return LO
        own = self._own_beside(ip) or self.own_address(is_ipv4(ip))
        return 0 if own is None else self._index[own]
