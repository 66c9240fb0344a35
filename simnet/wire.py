"""What crosses a link, and the way from one host to another.

Packets are frozen values with the fields of the real protocols. On an ideal path (no latency, no
fault) a packet arrives within the system call that sent it, as on the kernel's loopback: packets
wait in one queue, which is emptied at the end of the call, so that no endpoint is entered while it
is in the middle of something. Other paths are links (links.py), one for each direction between two
hosts, made when they are first used.

Every host reaches every other: those of its own subnets directly, the others through a router that
nobody sees except in what it says of addresses that nobody has.
"""

from __future__ import annotations

import errno
import ipaddress
from collections import deque
from collections.abc import Callable, Iterator
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

from simnet.addresses import (
    BROADCAST4,
    IP,
    InetAddress,
    is_ipv4,
    is_multicast,
    is_of_interface,
)
from simnet.clock import SECOND_NS, Clock
from simnet.decisions import Decisions
from simnet.errors import name_of
from simnet.faults import Chain
from simnet.links import IDEAL, Conditions, Link
from simnet.trace import Trace

if TYPE_CHECKING:
    from simnet.host import Host

FIN = 0x01
SYN = 0x02
RST = 0x04
PSH = 0x08
ACK = 0x10
URG = 0x20

_FLAG_NAMES = ((SYN, "SYN"), (FIN, "FIN"), (RST, "RST"), (PSH, "PSH"), (ACK, "ACK"), (URG, "URG"))


# The first interfaces of a host, by index: its loopback, and the way to other hosts.
LO, ETH0 = 1, 2

# Who answers for addresses that nobody has: addresses set apart for documentation (RFC 5737, 3849).
ROUTER4, ROUTER6 = ("192.0.2.1", 0), ("2001:db8::1", 0)
# A path may take less, but nobody believes it (net.ipv4.route.min_pmtu).
SMALLEST_PATH_MTU = 552
# How long a host looks for a neighbour before it gives up (net.ipv4.neigh.*.mcast_solicit times
# retrans_time_ms).
NEIGHBOUR_TIMEOUT_NS = 3 * SECOND_NS


def flag_names(flags: int) -> str:
    """The flags of a segment in words."""
    return "|".join(name for bit, name in _FLAG_NAMES if flags & bit)


class Segment(NamedTuple):
    """A TCP segment (RFC 9293, section 3.1). Sequence numbers are 32 bits wide."""

    source: InetAddress
    destination: InetAddress
    seq: int
    ack: int
    flags: int
    # As on the wire: to be shifted by the scale that the sender announced, except on a SYN.
    window: int
    payload: bytes = b""
    urgent: int = 0
    # Options of a SYN: maximum segment size, and window scale (None: not offered).
    mss: int = 0
    wscale: int | None = None
    # The hop limit of the IP header, where it matters.
    hops: int = 64

    @property
    def length(self) -> int:
        """The sequence space that it takes: its bytes, and one each for SYN and FIN."""
        return len(self.payload) + bool(self.flags & SYN) + bool(self.flags & FIN)

    def describe(self) -> str:
        """For traces and reports."""
        numbers = f"seq={self.seq} ack={self.ack} win={self.window} len={len(self.payload)}"
        return f"{flag_names(self.flags)} {numbers}"

    @property
    def size(self) -> int:
        """Bytes with the headers of IP and TCP."""
        size = (40 if "." in self.source[0] else 60) + len(self.payload)
        if self.flags & SYN:
            size += (4 if self.mss else 0) + (4 if self.wscale is not None else 0)
        return size

    @property
    def uncut(self) -> int:
        """Bytes that must cross in one piece: path MTU discovery sets IP's DF flag.

        On a path that takes less than segments are ever cut to, Linux leaves it to fragments.
        """
        size = len(self.payload) + (40 if "." in self.source[0] else 60)
        if self.flags & SYN:
            size = self.size
        return size if size > SMALLEST_PATH_MTU else 0

    def record(self, payload: bytes | int) -> tuple[Any, ...]:
        """For the trace: the kind, and every field."""
        return ("TCP", *self[:6], payload, *self[7:])


class Datagram(NamedTuple):
    """A UDP datagram (RFC 768), with what matters of its IP header."""

    source: InetAddress
    destination: InetAddress
    payload: bytes
    # The type of service or traffic class, and the time to live or hop limit.
    tos: int = 0
    hops: int = 64
    # To groups and to everybody: the sender's interface that it goes out through, by index, and
    # whether the sender's own host hears it there too (IP_MULTICAST_LOOP).
    interface: int = 0
    looped: bool = True
    # The largest fragment that its sender cuts it into, in bytes with the IP header, and that no
    # router may cut; 0 where routers may.
    piece: int = 0

    @property
    def size(self) -> int:
        """Bytes with the headers of IP and UDP."""
        return (28 if "." in self.source[0] else 48) + len(self.payload)

    @property
    def uncut(self) -> int:
        """Bytes that must cross in one piece: 0 if routers may cut it as they like."""
        return min(self.size, self.piece)

    def record(self, payload: bytes | int) -> tuple[Any, ...]:
        """For the trace: the kind, and every field."""
        return (
            "UDP",
            self.source,
            self.destination,
            payload,
            self.tos,
            self.hops,
            self.interface,
            int(self.looped),
            self.piece,
        )


class Unreachable(NamedTuple):
    """ICMP or ICMPv6 'destination unreachable' (RFC 792, RFC 4443), about a packet of ours.

    `source` is who sends it; `error` is the errno that Linux reports for its code. EMSGSIZE stands
    for 'fragmentation needed' and 'packet too big', with the MTU of the next hop.
    """

    source: InetAddress
    destination: InetAddress
    error: int
    about: Segment | Datagram
    mtu: int = 0

    @property
    def uncut(self) -> int:
        """Bytes that must cross in one piece: it is small enough for any link."""
        return 0

    @property
    def payload(self) -> bytes:
        """What it quotes is in `about`."""
        return b""

    @property
    def size(self) -> int:
        """Bytes with the headers of IP and ICMP, and what it quotes (RFC 1812, RFC 4443)."""
        if is_ipv4(self.source[0]):
            return min(28 + self.about.size, 576)
        return min(48 + self.about.size, 1280)

    def record(self, payload: bytes | int) -> tuple[Any, ...]:
        """For the trace: the kind, who says what to whom, and about which packet."""
        quoted = self.about.payload
        about = self.about.record(quoted if isinstance(payload, bytes) else len(quoted))
        return ("ICMP", self.source, self.destination, name_of(self.error), about, self.mtu)


Packet = Segment | Datagram | Unreachable
Network = ipaddress.IPv4Network | ipaddress.IPv6Network


class Wire:
    """The ways between the hosts of a world."""

    def __init__(
        self, clock: Clock, decisions: Decisions, trace: Trace, shortcut: bool = True
    ) -> None:
        self.clock = clock
        self.decisions = decisions
        self.trace = trace
        # Whether every packet is kept: then nothing may go past the links.
        self.recording = trace.recording
        # Whether the short cut may be taken: off, every byte crosses as a packet.
        self.shortcut = shortcut and not trace.recording
        self.default_conditions = IDEAL
        # Errno that a router answers for addresses that nobody has; 0: nothing.
        self.unknown_error = errno.EHOSTUNREACH
        # Faults on every link, before the links' own.
        self.faults = Chain(self.everything_changed)
        # Grows with every change of what all links depend on.
        self.version = 0
        # What becomes of an exception in somebody's fault function.
        self.fault_failed: Callable[[Exception], None] = _raise
        self._hosts: dict[IP, Host] = {}
        # The members of each subnet, with the index of their interface.
        self._subnets: dict[Network, dict[Host, int]] = {}
        self._links: dict[tuple[Host, Host], Link] = {}
        # What arrives at the next flush.
        self.queue: deque[tuple[Host, Packet, int]] = deque()
        self._busy = False
        self._sent = 0

    # Hosts

    def attach(self, host: Host) -> None:
        """Make a host known by its addresses, which no other has."""
        for interface in host.interfaces:
            for ip, network in interface.addresses:
                self._hosts[ip] = host
                self._subnets.setdefault(network, {})[host] = interface.index

    def owner(self, ip: IP) -> Host | None:
        """The host that has an address of its own."""
        return self._hosts.get(ip)

    def host_at(self, ip: IP, sender: Host) -> Host | None:
        """Who receives what `sender` sends to an address."""
        return sender if sender.is_local(ip) else self._hosts.get(ip)

    def neighbours(self, host: Host, index: int, ip: IP) -> Iterator[tuple[Host, int]]:
        """The other hosts that hear what one sends to a group, or to everybody, on an interface.

        Each once, with its own interface; a subnet's broadcast address means that subnet alone.
        """
        found: dict[Host, int] = {}
        for interface in host.interfaces:
            if interface.index == index:
                for _, network in interface.addresses:
                    if is_multicast(ip) or ip in (BROADCAST4, str(network.broadcast_address)):
                        found.update(self._subnets[network])
        found.pop(host, None)
        yield from found.items()

    # Links

    def link(self, source: Host, target: Host) -> Link:
        """The link of one direction; made when it is first asked for."""
        link = self._links.get((source, target))
        if link is None:
            link = self._links[source, target] = Link(self, source, target)
        return link

    def link_to(self, sender: Host, ip: IP) -> Link | None:
        """The link on the way to an address; None if that is the sender's own or nobody's."""
        link = sender.links.get(ip)
        if link is None:
            target = self.host_at(ip, sender)
            if target is None or target is sender:
                return None
            link = sender.links[ip] = self.link(sender, target)
        return link

    def ideal_target(self, sender: Host, ip: IP) -> Host | None:
        """Who has an address, if nothing can happen on the way there and back and nobody looks."""
        if not self.shortcut or not sender.up:
            return None
        link = sender.links.get(ip)
        if link is None:
            if sender.is_local(ip):
                return sender
            link = self.link_to(sender, ip)
            if link is None:
                return None
        target = link.target
        return target if link.ideal and self.link(target, sender).ideal and target.up else None

    def links(self) -> list[Link]:
        """Those that exist, in the order in which they were made."""
        return list(self._links.values())

    def path_changed(self, source: Host, target: Host) -> None:
        """Something is different between two hosts: nobody may go past the link any more."""
        for host in (source, target):
            host.leave_short_cuts()

    def everything_changed(self) -> None:
        """Something is different for every link."""
        self.version += 1
        for host in dict.fromkeys(self._hosts.values()):
            host.leave_short_cuts()

    def set_default(self, conditions: Conditions) -> None:
        """The conditions of links without their own."""
        self.default_conditions = conditions
        self.everything_changed()

    # Packets

    def transmit(self, sender: Host, packet: Packet) -> None:
        """Put a packet on its way; on an ideal path it arrives at the next flush."""
        if not sender.up:
            return
        ip = packet.destination[0]
        link = sender.links.get(ip)
        if link is not None:
            link.send(packet)
        elif sender.is_local(ip):
            number = self.note_sent(sender, sender, packet) if self.recording else 0
            self.queue.append((sender, packet, number))
        elif not sender.is_unicast(ip):
            self._transmit_to_many(sender, packet)
        else:
            link = self.link_to(sender, ip)
            if link is not None:
                link.send(packet)
            else:
                self._transmit_to_nobody(sender, packet)

    def _transmit_to_many(self, sender: Host, packet: Packet) -> None:
        """To a group or to everybody: the sender itself, and its neighbours."""
        if not isinstance(packet, Datagram):
            return
        if packet.looped:
            number = self.note_sent(sender, sender, packet) if self.recording else 0
            self.queue.append((sender, packet, number))
        ip = packet.destination[0]
        if packet.interface != LO and packet.hops and not is_of_interface(ip):
            for host, index in self.neighbours(sender, packet.interface or ETH0, ip):
                self.link(sender, host).send(packet._replace(interface=index))

    def _transmit_to_nobody(self, sender: Host, packet: Packet) -> None:
        number = self.note_sent(sender, None, packet)
        self.note_dropped(number, f"{sender.name}->", "no host")
        error = self.unknown_error if sender.unknown_error is None else sender.unknown_error
        if not error:
            return
        if sender.is_neighbour(packet.destination[0]):
            give_up = partial(self._tell, sender, packet, errno.EHOSTUNREACH)
            self.clock.call_after(NEIGHBOUR_TIMEOUT_NS, give_up)
        else:
            self.turn_back(sender, packet, error)

    def _tell(self, sender: Host, packet: Packet, error: int) -> None:
        self.turn_back(sender, packet, error)
        self.flush()

    def turn_back(self, sender: Host, packet: Packet, error: int, mtu: int = 0) -> None:
        """A router tells the sender that a packet cannot go on."""
        if isinstance(packet, (Segment, Datagram)):
            router = ROUTER4 if is_ipv4(packet.source[0]) else ROUTER6
            answer = Unreachable(router, packet.source, error, packet, mtu)
            number = self.note_sent(sender, sender, answer) if self.recording else 0
            self.queue.append((sender, answer, number))

    def pass_on(self, target: Host, packet: Packet, number: int) -> None:
        """It arrives at the next flush."""
        self.queue.append((target, packet, number))

    def arrive(self, link: Link, number: int, packet: Packet) -> None:
        """It has come to the end of its link; everything that this brings about happens now."""
        target = link.target
        if not target.up:
            self.note_dropped(number, link.name, "down")
            return
        self.trace.append(("arrived", number, target.name))
        target.deliver(packet)
        self.flush()

    def flush(self) -> None:
        """Deliver everything that is to arrive now, and what that brings about."""
        if self._busy or not self.queue:
            return
        self._busy = True
        queue = self.queue
        try:
            while queue:
                host, packet, number = queue.popleft()
                if not host.up:
                    self.note_dropped(number, f"->{host.name}", "down")
                    continue
                if number:
                    self.trace.append(("arrived", number, host.name))
                host.deliver(packet)
        finally:
            self._busy = False

    # The trace

    @property
    def packets_sent(self) -> int:
        """How many were not on an ideal path, where nobody counts."""
        return self._sent

    def note_sent(self, source: Host, target: Host | None, packet: Packet) -> int:
        """A packet is under way; the number by which the trace knows it."""
        self._sent = number = self._sent + 1
        to = "" if target is None else target.name
        record: tuple[Any, ...]
        if self.recording:
            record = ("sent", number, source.name, to, *packet.record(packet.payload))
        elif isinstance(packet, Segment):
            # Numbers, flags and window: to hash every field would take longer than the rest.
            length = len(packet.payload)
            record = ("segment", number, source.name, to, *packet[2:6], length)
        else:
            record = ("sent", number, source.name, to, *packet.record(len(packet.payload)))
        self.trace.append(record)
        return number

    def note_duplicated(self, number: int, where: str, reason: str) -> None:
        """It will arrive once more."""
        self.trace.append(("duplicated", number, where, reason))

    def note_state(
        self, host: Host, number: int, local: InetAddress, remote: InetAddress | None, state: str
    ) -> None:
        """A TCP socket, or what stands in for one, is in another state now."""
        if self.recording:
            self.trace.append(("state", host.name, number, local, remote, state))

    def note_dropped(self, number: int, where: str, reason: str) -> None:
        """It will not arrive."""
        self.trace.append(("dropped", number, where, reason))


def _raise(exc: Exception) -> None:
    raise exc
