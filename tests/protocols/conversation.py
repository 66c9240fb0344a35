"""What two TCPs say to each other, as lines to compare; and a peer whose lines are written by hand.

A line is `who: FLAGS first(length) ack acknowledged`, with sequence numbers that count from the
speaker's and the listener's initial ones, as packetdrill and tcpdump show them.
"""

from __future__ import annotations

import select
import socket
from collections.abc import Callable, Iterator
from typing import Any

from simnet.addresses import InetAddress
from simnet.api import Socket
from simnet.host import Host
from simnet.interfaces import parse
from simnet.protocols.tcp_states import State
from simnet.wire import ACK, SYN, Packet, Segment
from simnet.world import World

SPACE = 1 << 32
Keep = Callable[[Socket], Socket]
Limit = Callable[..., None]

IN, OUT, ERR, HUP, RDHUP = (
    select.POLLIN,
    select.POLLOUT,
    select.POLLERR,
    select.POLLHUP,
    select.POLLRDHUP,
)


def bits(host: Host, sock: Socket) -> int:
    """What poll says of a socket."""
    poll = host.poll()
    poll.register(sock, IN | OUT | RDHUP)
    return sum(found for _, found in poll.poll(0))


def segments(world: World) -> Iterator[tuple[int, Segment]]:
    """The segments that were sent in a world that records, each with its time in nanoseconds."""
    for now_ns, what, *details in world.trace:
        if what == "sent" and details[3] == "TCP":
            yield now_ns, Segment(*details[4:])


def conversation(world: World, timed: bool = False) -> list[str]:
    """Every segment as a line; `timed` ones begin with the milliseconds since the world began."""
    lines = []
    initial: dict[InetAddress, int] = {}
    for now_ns, segment in segments(world):
        source, destination = segment.source, segment.destination
        flags = segment.describe().split()[0]
        if "SYN" in flags:
            initial[source] = segment.seq
        seq = (segment.seq - initial[source]) % SPACE
        line = f"{world.name_of(source[0])}: {flags} {seq}({len(segment.payload)})"
        if "ACK" in flags:
            line += f" ack {(segment.ack - initial[destination]) % SPACE}"
        lines.append(f"{now_ns / 1e6:g} {line}" if timed else line)
    return lines


def state_of(sock: Socket) -> State:
    """The state of a connection, as TCP_INFO shows it."""
    info = sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 1)
    assert isinstance(info, bytes)
    return State(info[0])


def states_on(host: Host) -> list[State]:
    """The states of all connections of a host, those that no descriptor refers to included."""
    return [bound.state for bound in host.tcp_ports.connections.values()]  # type: ignore[attr-defined]


class Peer(Host):
    """A machine with one port, that says only what it is told to, and notes what it hears."""

    ip = "10.9.9.9"
    port = 80
    address = (ip, port)

    def __init__(self, world: World, host: Host, iss: int = 1000) -> None:
        super().__init__(world, "peer", parse(self.ip))
        self.host = host
        self.seq = iss
        self.ack = 0
        self.heard: list[Segment] = []
        self.times: list[float] = []
        self.other = (host.addresses[0], 0)
        world.wire.attach(self)

    def deliver(self, packet: Packet) -> None:
        """Something arrived."""
        assert isinstance(packet, Segment)
        self.heard.append(packet)
        self.times.append(self.world.now)
        self.other = packet.source
        if packet.flags & SYN or packet.seq == self.ack:
            self.ack = (packet.seq + packet.length) % SPACE

    def say(self, flags: int, payload: bytes = b"", **changes: Any) -> list[Segment]:
        """Send a segment, in order unless `changes` say otherwise; return what it answers."""
        ack = self.ack if flags & ACK else 0
        plain = Segment(self.address, self.other, self.seq, ack, flags, 65535, payload)
        segment = plain._replace(**changes)
        if segment.seq == self.seq:
            self.seq = (self.seq + segment.length) % SPACE
        before = len(self.heard)
        self.host.deliver(segment)
        self.world.wire.flush()
        return self.heard[before:]

    def last(self) -> Segment:
        """What was heard last."""
        return self.heard[-1]

    # Meeting

    def greeted_by(self, sock: Socket) -> None:
        """A socket of the host's starts to connect to this peer."""
        sock.setblocking(False)
        assert sock.connect_ex(self.address) != 0

    def accept(self, sock: Socket) -> None:
        """It connects, and this peer agrees."""
        self.greeted_by(sock)
        self.say(SYN | ACK, mss=1460)

    def connect(self, listener: Socket) -> Socket:
        """This peer connects to a listener of the host's."""
        self.other = listener.getsockname()
        self.say(SYN, mss=1460)
        self.say(ACK)
        conn, address = listener.accept()
        assert address == self.address
        conn.setblocking(False)
        return conn


def times(peer: Peer, since: int = 0) -> list[float]:
    """When the peer heard something, in seconds, to the millisecond."""
    return [round(seconds, 3) for seconds in peer.times[since:]]
