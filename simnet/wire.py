"""What crosses a link, and the way from one host to another.

Packets are frozen values with the fields of the real protocols. On an ideal path (no latency, no
fault) a packet arrives within the system call that sent it, as on the kernel's loopback: packets
wait in one queue, which is emptied at the end of the call, so that no endpoint is entered while it
is in the middle of something.

Not modelled here: links between hosts with latency, loss and the like; IP fragmentation; checksums.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Any, NamedTuple

from simnet.addresses import BROADCAST4, IP, InetAddress, is_multicast
from simnet.errors import name_of

if TYPE_CHECKING:
    from simnet.host import Host

FIN = 0x01
SYN = 0x02
RST = 0x04
PSH = 0x08
ACK = 0x10
URG = 0x20

_FLAG_NAMES = ((SYN, "SYN"), (FIN, "FIN"), (RST, "RST"), (PSH, "PSH"), (ACK, "ACK"), (URG, "URG"))


# The interfaces of every host, by index: its loopback, and the way to other hosts.
LO, ETH0 = 1, 2


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
        names = "|".join(name for bit, name in _FLAG_NAMES if self.flags & bit)
        return f"{names} seq={self.seq} ack={self.ack} win={self.window} len={len(self.payload)}"

    def record(self) -> tuple[Any, ...]:
        """For the trace of a world that records."""
        return ("TCP", *self.source, *self.destination, self.describe(), self.payload)


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

    def record(self) -> tuple[Any, ...]:
        """For the trace of a world that records."""
        return ("UDP", *self.source, *self.destination, self.payload)


class Unreachable(NamedTuple):
    """ICMP or ICMPv6 'destination unreachable' (RFC 792, RFC 4443), about a packet of ours.

    `source` is who sends it; `error` is the errno that Linux reports for its code.
    """

    source: InetAddress
    destination: InetAddress
    error: int
    about: Segment | Datagram

    def record(self) -> tuple[Any, ...]:
        """For the trace of a world that records."""
        return ("ICMP", *self.source, *self.destination, name_of(self.error))


Packet = Segment | Datagram | Unreachable


class Wire:
    """The way between the hosts of a world."""

    __slots__ = ("_busy", "_hosts", "_queue", "ideal")

    def __init__(self) -> None:
        # Whether the short cut may be taken: off, every byte crosses as a packet.
        self.ideal = True
        self._hosts: dict[IP, Host] = {}
        self._queue: deque[tuple[Host, Packet]] = deque()
        self._busy = False

    def attach(self, ip: IP, host: Host) -> None:
        """An address of a host, and of no other."""
        self._hosts[ip] = host

    def owner(self, ip: IP) -> Host | None:
        """The host that has an address of its own."""
        return self._hosts.get(ip)

    def host_at(self, ip: IP, sender: Host) -> Host | None:
        """Who receives what `sender` sends to an address."""
        return sender if sender.is_local(ip) else self._hosts.get(ip)

    def transmit(self, sender: Host, packet: Packet) -> None:
        """Put a packet on its way; it arrives at the next flush."""
        ip = packet.destination[0]
        target = self.host_at(ip, sender)
        if target is not None:
            self._queue.append((target, packet))
        elif ip == BROADCAST4 or is_multicast(ip):
            self._transmit_to_many(sender, packet)

    def _transmit_to_many(self, sender: Host, packet: Packet) -> None:
        """To a group or to everybody. So far only the sender's own host is reached.

        The other hosts of its subnet belong here, once a link says who they are.
        """
        if isinstance(packet, Datagram) and packet.looped:
            self._queue.append((sender, packet))

    def flush(self) -> None:
        """Deliver everything that is on its way, and what that brings about."""
        if self._busy:
            return
        self._busy = True
        queue = self._queue
        try:
            while queue:
                host, packet = queue.popleft()
                host.deliver(packet)
        finally:
            self._busy = False
