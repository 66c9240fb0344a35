"""What a recorded trace tells, as values: packets and their fates, states, calls.

An instant is the place of a record in the trace: records of the same virtual time have an order.

Numbers of TCP are told relative to the first of their connection and direction, as captures show
them. A segment that brings nothing new in sequence is 'again'; a bare acknowledgement from before
the edge, which only asks for an answer, is a 'probe'.
"""

from __future__ import annotations

import errno
from typing import Any

import attrs

from simnet.addresses import InetAddress
from simnet.trace import RECV, SEND, Record, Trace
from simnet.wire import ACK, RST, SYN, Datagram, Packet, Segment, Unreachable, flag_names

_FAMILIES = {1: "unix", 2: "IPv4", 10: "IPv6"}
_TYPES = {1: "stream", 2: "datagram", 5: "seqpacket"}
_HOST_EVENTS = ("crash", "restart")
# Records that are of no interest between the packets, or told by others.
_QUIET = ("setsockopt", "duplicated")
_SPACE = 1 << 32


@attrs.frozen
class Loss:
    """A copy of a packet that did not arrive."""

    instant: int
    where: str
    reason: str


@attrs.frozen
class Passage:
    """One packet on its way from one host to another, or to itself."""

    number: int
    packet: Packet
    source: str
    # The empty name: nobody.
    target: str
    sent: int
    # When copies of it arrived, and what became of the others.
    arrived: tuple[int, ...]
    lost: tuple[Loss, ...]
    # '', 'again' or 'probe'.
    remark: str = ""
    # Which connection it belongs to (its ends in order), and its numbers relative to that.
    connection: tuple[InetAddress, InetAddress] | None = None
    seq: int = 0
    ack: int = 0
    # Whether it goes from the side that opened the connection.
    forward: bool = True


@attrs.frozen
class StateChange:
    """A TCP socket is in another state."""

    instant: int
    host: str
    socket: int
    local: InetAddress
    remote: InetAddress | None
    state: str


@attrs.frozen
class Happening:
    """A call of a program that has returned (with its socket), or what befell a host (0).

    Without a host: what befell the network.
    """

    instant: int
    host: str
    socket: int
    text: str


@attrs.frozen
class Story:
    """Everything that a trace tells."""

    # Virtual time in nanoseconds, of each instant.
    times_ns: tuple[int, ...]
    passages: tuple[Passage, ...]
    states: tuple[StateChange, ...]
    happenings: tuple[Happening, ...]


def read(trace: Trace) -> Story:
    """The story of a trace; ValueError if the world did not record it."""
    if not trace.recording:
        raise ValueError("the world keeps no packets: make it with World(record=True)")
    reader = _Reader()
    times = []
    for instant, (now_ns, *record) in enumerate(trace.records()):
        times.append(now_ns)
        reader.take(instant, tuple(record))
    return Story(tuple(times), reader.passages(), tuple(reader.states), tuple(reader.happenings))


def packet_of(record: Record) -> Packet:
    """The packet of its record."""
    kind, *fields = record
    if kind == "TCP":
        return Segment(*fields)
    if kind == "UDP":
        datagram = Datagram(*fields)
        return datagram._replace(looped=bool(datagram.looped))
    source, destination, error, about, mtu = fields
    quoted = packet_of(about)
    assert not isinstance(quoted, Unreachable)
    return Unreachable(source, destination, getattr(errno, error), quoted, mtu)


def label(passage: Passage) -> str:
    """A packet in few words."""
    packet = passage.packet
    length = len(packet.payload)
    if isinstance(packet, Datagram):
        return f"UDP {packet.source[1]} > {packet.destination[1]} len={length}"
    if isinstance(packet, Unreachable):
        name = errno.errorcode.get(packet.error, str(packet.error))
        return f"ICMP {name}" + (f" mtu={packet.mtu}" if packet.mtu else "")
    words = [flag_names(packet.flags) or "no flags", f"seq={passage.seq}"]
    if packet.flags & ACK:
        words.append(f"ack={passage.ack}")
    if length:
        words.append(f"len={length}")
    if not packet.flags & RST:
        words.append(f"win={packet.window}")
    if packet.mss:
        words.append(f"mss={packet.mss}")
    if passage.remark:
        words.append(f"({passage.remark})")
    return " ".join(words)


class _Reader:
    """Gathers records."""

    def __init__(self) -> None:
        self.states: list[StateChange] = []
        self.happenings: list[Happening] = []
        self._numbering = _Numbering()
        # By number: what is known when a packet is sent, and its fates.
        self._sent: dict[int, Passage] = {}
        self._arrived: dict[int, list[int]] = {}
        self._lost: dict[int, list[Loss]] = {}
        # On which host each socket is.
        self._hosts: dict[int, str] = {}

    def take(self, instant: int, record: Record) -> None:
        """One more record."""
        match record:
            case ("sent", number, source, target, *rest):
                passage = Passage(number, packet_of(tuple(rest)), source, target, instant, (), ())
                self._sent[number] = self._numbering.look(passage)
            case ("arrived", number, _):
                self._arrived.setdefault(number, []).append(instant)
            case ("dropped", number, where, reason):
                self._lost.setdefault(number, []).append(Loss(instant, where, reason))
            case ("state", host, number, local, remote, state):
                self._hosts[number] = host
                self.states.append(StateChange(instant, host, number, local, remote, state))
            case (what, host) if what in _HOST_EVENTS:
                self.happenings.append(Happening(instant, host, 0, what))
            case ("partition", named, one_way):
                self.happenings.append(Happening(instant, "", 0, _partition(named, one_way)))
            case ("heal",):
                self.happenings.append(Happening(instant, "", 0, "heal"))
            case (what, int() as number, *details) if what not in _QUIET:
                self._call(instant, what, number, details)

    def _call(self, instant: int, what: Any, number: int, details: list[Any]) -> None:
        if what == "socket" and len(details) == 3:
            family, kind, host = details
            self._hosts[number] = host
            details = [_FAMILIES.get(family, family), _TYPES.get(kind, kind)]
        if what == "pipe" and len(details) == 2:
            writer, host = details
            self._hosts[number] = self._hosts[writer] = host
            details = [f"#{writer}"]
        host = self._hosts.get(number, "")
        if what == "accept" and details and isinstance(details[0], int):
            self._hosts[details[0]] = host
            details = [f"#{details[0]}"]
        word = {SEND: "send", RECV: "recv"}.get(what, what)
        if what == "shutdown" and details in ([0], [1], [2]):
            details = [("reading", "writing", "both")[details[0]]]
        if host:
            text = " ".join(map(str, (word, *details)))
            self.happenings.append(Happening(instant, host, number, text))

    def passages(self) -> tuple[Passage, ...]:
        """All packets, in the order in which they were sent."""
        return tuple(
            attrs.evolve(
                passage,
                arrived=tuple(self._arrived.get(number, ())),
                lost=tuple(self._lost.get(number, ())),
            )
            for number, passage in self._sent.items()
        )


def _partition(named: tuple[tuple[str, int], ...], one_way: int) -> str:
    groups: dict[int, list[str]] = {}
    for host, group in named:
        groups.setdefault(group, []).append(host)
    sides = [" ".join(group) for group in groups.values()]
    if len(sides) == 1:
        sides.append("all others")
    return f"partition: {(' -> ' if one_way else ' | ').join(sides)}"


class _Direction:
    """What one side of a connection has sent."""

    def __init__(self, first: int) -> None:
        self.first = first
        # The furthest end, relative to that.
        self.edge = 0

    def relative(self, sequence: int) -> int:
        """A sequence number, counted from the first, and near the edge."""
        distance = (sequence - self.first - self.edge) % _SPACE
        return self.edge + (distance - _SPACE if distance >= _SPACE // 2 else distance)


class _Numbering:
    """Relative numbers, and what is sent again."""

    def __init__(self) -> None:
        self._directions: dict[tuple[InetAddress, InetAddress], _Direction] = {}
        self._opened_by: dict[tuple[InetAddress, InetAddress], InetAddress] = {}

    def look(self, passage: Passage) -> Passage:
        """The passage with what its place in the connection says."""
        packet = passage.packet
        if isinstance(packet, Unreachable):
            about = packet.about
            return attrs.evolve(passage, connection=_ends(about), forward=False)
        ends = _ends(packet)
        opener = self._opened_by.setdefault(ends, packet.source)
        if isinstance(packet, Datagram):
            return attrs.evolve(passage, connection=ends, forward=packet.source == opener)
        way, back = (packet.source, packet.destination), (packet.destination, packet.source)
        known = self._directions.get(way)
        if packet.flags & SYN and known and (packet.seq - known.first) % _SPACE:
            known = None
            if not packet.flags & ACK:
                # The same two ends, but another connection.
                self._directions.pop(back, None)
                self._opened_by[ends] = opener = packet.source
        if known is None:
            known = self._directions[way] = _Direction(packet.seq)
        other = self._directions.get(back)
        if other is None and packet.flags & ACK:
            other = self._directions[back] = _Direction(packet.ack)
        seq, length = known.relative(packet.seq), packet.length
        remark = ""
        if length and seq + length <= known.edge:
            remark = "again"
        elif not length and packet.flags == ACK and seq == known.edge - 1:
            remark = "probe"
        known.edge = max(known.edge, seq + length)
        return attrs.evolve(
            passage,
            remark=remark,
            connection=ends,
            seq=seq,
            ack=other.relative(packet.ack) if other and packet.flags & ACK else 0,
            forward=packet.source == opener,
        )


def _ends(packet: Segment | Datagram) -> tuple[InetAddress, InetAddress]:
    """The two ends, whichever way the packet goes."""
    one, other = packet.source, packet.destination
    return (one, other) if one <= other else (other, one)


def endpoint_text(address: InetAddress | None) -> str:
    """An address and port in one word."""
    if address is None:
        return "*"
    ip, port = address
    return f"[{ip}]:{port}" if ":" in ip else f"{ip}:{port}"
