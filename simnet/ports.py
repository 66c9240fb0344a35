"""Ports: who is bound to which, who may share one, and which endpoint a packet is for.

One table per host and protocol. The rules are those of Linux's inet_csk_bind_conflict,
udp_lib_lport_inuse, and the lookups beside them; the matrix of cases is measured by the conformance
suite. Not modelled: devices (SO_BINDTODEVICE), users (SO_REUSEPORT asks for the same one).
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator
from typing import Protocol

from simnet.addresses import ANY4, ANY6, IP, InetAddress, is_any, is_ipv4
from simnet.constants import AF_INET
from simnet.decisions import Stream
from simnet.wire import Packet

# net.ipv4.ip_local_port_range.
EPHEMERAL = range(32768, 61000)


class Bound(Protocol):
    """What the table knows of its members."""

    @property
    def family(self) -> int:
        """AF_INET or AF_INET6."""

    @property
    def bound_ip(self) -> IP:
        """The local address, possibly a wildcard."""

    @property
    def v6only(self) -> bool:
        """Whether a wildcard IPv6 address leaves IPv4 out."""

    @property
    def reuses_address(self) -> bool:
        """SO_REUSEADDR: whether it would have an address that others have."""

    @property
    def shares_address(self) -> bool:
        """SO_REUSEADDR, where its state lets others have its address."""

    @property
    def shares_port(self) -> bool:
        """SO_REUSEPORT."""

    def receive(self, packet: Packet) -> None:
        """A packet arrived for it."""

    def vanish(self) -> None:
        """Its host has failed: it is gone, without a word."""


def overlap(new: Bound, holder: Bound) -> bool:
    """Whether two local addresses have one in common (inet_rcv_saddr_equal).

    An IPv6 address that bind() did not choose leaves the socket open to IPv4: to a new IPv4
    wildcard it is then an address like any other.
    """
    if covers(new, holder.bound_ip) or covers(holder, new.bound_ip):
        return True
    return new.bound_ip == ANY4 and new.family == AF_INET and not holder.v6only


def covers(bound: Bound, ip: IP) -> bool:
    """Whether something bound so receives what is sent to `ip`."""
    mine = bound.bound_ip
    if mine == ip:
        return True
    if mine == ANY4:
        return is_ipv4(ip)
    if mine == ANY6:
        return not (bound.v6only and is_ipv4(ip))
    return False


def conflicts(new: Bound, holder: Bound) -> bool:
    """Whether a new member cannot have the port that another holds."""
    if new.reuses_address and holder.shares_address:
        return False
    if new.shares_port and holder.shares_port:
        return False
    return overlap(new, holder)


class PortTable:
    """The ports of one host and protocol."""

    __slots__ = ("_by_port", "_next", "connections", "generation", "listeners")

    def __init__(self, stream: Stream) -> None:
        self._by_port: dict[int, dict[Bound, None]] = {}
        # Who accepts connections, by port: apart from the connections that share the port.
        self.listeners: dict[int, dict[Bound, None]] = {}
        # Endpoints with a peer, by (local, remote).
        self.connections: dict[tuple[InetAddress, InetAddress], Bound] = {}
        # Where to look for the next free port; the kernel's is random, ours starts at random.
        self._next = stream.below(len(EPHEMERAL) // 2) * 2
        # Grows with every change: what was looked up before it may be wrong now.
        self.generation = 0

    def changed(self) -> None:
        """Something that look-ups depend on has changed."""
        self.generation += 1

    def everybody(self) -> list[Bound]:
        """All who have a port or a connection, each once."""
        found = dict.fromkeys(each for members in self._by_port.values() for each in members)
        return list(found | dict.fromkeys(self.connections.values()))

    def members(self, port: int) -> Iterator[Bound]:
        """Who has a port, the latest first."""
        return reversed(self._by_port.get(port, {}))

    def is_free(self, bound: Bound, port: int) -> bool:
        """Whether it may have that port beside those who have it."""
        return not any(
            other is not bound and conflicts(bound, other) for other in self._by_port.get(port, ())
        )

    def add(self, bound: Bound, port: int) -> None:
        """Give it the port; whether it may is the caller's question."""
        self.generation += 1
        members = self._by_port.get(port)
        if members is None:
            self._by_port[port] = {bound: None}
        else:
            members[bound] = None

    def remove(self, bound: Bound, port: int) -> None:
        """Take the port back; harmless if it has not got it."""
        self.generation += 1
        members = self._by_port.get(port)
        if members is not None:
            members.pop(bound, None)
            if not members:
                del self._by_port[port]

    def free_port(self, acceptable: Callable[[int], bool], odd: bool) -> int | None:
        """An ephemeral port, unused or acceptable: odd ones first for bind, even for connect.

        The kernel prefers these halves so that the two do not get in each other's way (measured on
        Linux 6.18). None when all are taken.
        """
        count = len(EPHEMERAL)
        for half in (odd, not odd):
            for step in range(0, count, 2):
                port = EPHEMERAL[(self._next + step) % count] + half
                if port in EPHEMERAL and (port not in self._by_port or acceptable(port)):
                    self._next = (self._next + step + 2) % count
                    return port
        return None

    def next_port(self, odd: bool) -> int | None:
        """The one that `free_port` would look at first, if it is unused."""
        port = EPHEMERAL[self._next + odd]
        if port in self._by_port:
            return None
        self._next = (self._next + 2) % len(EPHEMERAL)
        return port

    def unused(self, port: int) -> bool:
        """Whether nobody has the port."""
        return port not in self._by_port

    def start_listening(self, bound: Bound, port: int) -> None:
        """It accepts connections from now on."""
        self.listeners.setdefault(port, {})[bound] = None

    def stop_listening(self, bound: Bound, port: int) -> None:
        """It does so no more; harmless if it never did."""
        members = self.listeners.get(port)
        if members is not None:
            members.pop(bound, None)
            if not members:
                del self.listeners[port]

    def listener(self, local: InetAddress, remote: InetAddress) -> Bound | None:
        """Who accepts a connection from `remote` to `local`."""
        members = self.listeners.get(local[1])
        if not members:
            return None
        if len(members) == 1:
            (only,) = members
            return only if only.bound_ip == local[0] or covers(only, local[0]) else None
        return best(members, local, remote, _any_listener)

    def receiver(
        self, local: InetAddress, remote: InetAddress, eligible: Callable[[Bound], int]
    ) -> Bound | None:
        """Who receives what `remote` sends to `local`, among the members that are eligible."""
        return best(self._by_port.get(local[1], {}), local, remote, eligible)


def _any_listener(bound: Bound) -> int:
    # An IPv4 listener comes before an IPv6 one that takes IPv4 too (inet_lookup's score).
    return 2 if is_ipv4(bound.bound_ip) else 1


def best(
    members: dict[Bound, None],
    local: InetAddress,
    remote: InetAddress,
    eligible: Callable[[Bound], int],
) -> Bound | None:
    """Of those who are bound so, the highest score above 0, and the latest among equals.

    Among equals that share the port with SO_REUSEPORT the two addresses decide; the kernel spreads
    connections by a hash too.
    """
    found: list[Bound] = []
    best_score = 0
    for bound in reversed(members):
        if not covers(bound, local[0]):
            continue
        score = eligible(bound)
        if score > 0:
            score += 100 * (not is_any(bound.bound_ip))
        if score > best_score:
            found, best_score = [bound], score
        elif score == best_score and found:
            found.append(bound)
    if len(found) > 1 and all(bound.shares_port for bound in found):
        flow = f"{remote} {local}".encode()
        return found[zlib.crc32(flow) % len(found)]
    return found[0] if found else None
