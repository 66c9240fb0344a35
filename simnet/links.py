"""Links: one direction between two hosts, with its latency, its capacity and its faults.

A packet that is sent passes the world's faults, the link's own, and those that its conditions name
(loss, corruption, duplication, reordering); what is left waits its turn (bandwidth, queue), and
arrives after the latency. Order is kept, also with jitter, except for what a fault delays.

Not modelled: IP fragmentation (a datagram larger than the MTU crosses as one packet, which takes as
long as its bytes do), framing below IP, capacity that several links share.
"""

from __future__ import annotations

import errno
import heapq
from collections import deque
from typing import TYPE_CHECKING, Any

import attrs

from simnet import faults
from simnet.clock import SECOND_NS, Timer, nanoseconds
from simnet.decisions import Stream
from simnet.faults import Chain, Delivery, Fault, FaultFunction

if TYPE_CHECKING:
    from simnet.host import Host
    from simnet.wire import Packet, Wire

# Below this an IPv4 host need not be able to receive (RFC 791).
_SMALLEST_MTU, _LARGEST_MTU = 68, 65536


def _positive(instance: Any, attribute: Any, value: Any) -> None:
    if value is not None and not value > 0:
        raise ValueError(f"{attribute.name} must be above 0, not {value!r}")


def _not_negative(instance: Any, attribute: Any, value: float) -> None:
    if not 0 <= value < float("inf"):
        raise ValueError(f"{attribute.name} is a number of seconds from 0 on, not {value!r}")


def _probability(instance: Any, attribute: Any, value: float) -> None:
    if not 0 <= value <= 1:
        raise ValueError(f"{attribute.name} is a probability from 0 to 1, not {value!r}")


def _mtu(instance: Any, attribute: Any, value: int) -> None:
    if not _SMALLEST_MTU <= value <= _LARGEST_MTU:
        raise ValueError(f"mtu is from {_SMALLEST_MTU} to {_LARGEST_MTU} bytes, not {value!r}")


@attrs.frozen(kw_only=True)
class Conditions:
    """What a link is like; without any it is ideal: nothing takes time, and nothing is lost."""

    # Seconds that a packet takes, and how many more at most, drawn anew for each.
    latency: float = attrs.field(default=0.0, validator=_not_negative)
    jitter: float = attrs.field(default=0.0, validator=_not_negative)
    # Bits per second (None: no limit), and how many packets may wait for their turn.
    bandwidth: float | None = attrs.field(default=None, validator=_positive)
    queue: int = attrs.field(default=1000, validator=_positive)
    # Probabilities, for each packet.
    loss: float = attrs.field(default=0.0, validator=_probability)
    duplicate: float = attrs.field(default=0.0, validator=_probability)
    reorder: float = attrs.field(default=0.0, validator=_probability)
    corrupt: float = attrs.field(default=0.0, validator=_probability)
    # The largest packet, in bytes with its IP header.
    mtu: int = attrs.field(default=1500, validator=_mtu)

    @property
    def instant(self) -> bool:
        """Whether packets take no time."""
        return not (self.latency or self.jitter or self.bandwidth)

    def faults(self) -> list[FaultFunction]:
        """The faults that the probabilities mean, in their order."""
        made = (
            (faults.loss, self.loss),
            (faults.corrupt, self.corrupt),
            (faults.duplicate, self.duplicate),
            (faults.reorder, self.reorder),
        )
        return [fault(probability) for fault, probability in made if probability]


IDEAL = Conditions()


class Link:
    """One direction between two hosts."""

    def __init__(self, wire: Wire, source: Host, target: Host) -> None:
        self.source = source
        self.target = target
        self.faults = Chain(self._changed)
        self._wire = wire
        self._clock = wire.clock
        self._own: Conditions | None = None
        self._streams: dict[str, Stream] = {}
        # What is in force, as of the wire's version: looked up anew when that has changed.
        self._version = -1
        self._ideal = self._instant = False
        self._chain: list[tuple[str, FaultFunction]] = []
        self._latency_ns = self._jitter_ns = 0
        self._bandwidth: float | None = None
        self.mtu = 0
        # On the way: (when it arrives, order, number, packet), the earliest first.
        self._flying: list[tuple[int, int, int, Packet]] = []
        self._order = 0
        self._timer: Timer | None = None
        self._last_arrival_ns = 0
        self._busy_until_ns = 0
        self._departures: deque[int] = deque()
        self._held: list[tuple[int, Packet]] | None = None

    def __repr__(self) -> str:
        return f"<link {self.name}>"

    @property
    def name(self) -> str:
        """For reports and traces."""
        return f"{self.source.name}->{self.target.name}"

    # Conditions

    @property
    def conditions(self) -> Conditions:
        """Its own conditions, or those of the world's default link."""
        return self._own if self._own is not None else self._wire.default_conditions

    def set(self, **conditions: Any) -> None:
        """Change the conditions that are named; the others stay. Packets on the way are not moved.

        TypeError for an unknown one, ValueError for an impossible one.
        """
        self._own = attrs.evolve(self.conditions, **conditions)
        self._changed()

    def fault(self, function: FaultFunction) -> Fault:
        """Add a fault of this direction alone; it is a context manager that takes itself off."""
        return self.faults.add(function)

    @property
    def ideal(self) -> bool:
        """Whether a packet arrives at once and as it was sent, and nobody looks."""
        if self._version != self._wire.version:
            self._look()
        return self._ideal

    def _changed(self) -> None:
        self._version = -1
        self._wire.path_changed(self.source, self.target)

    def _look(self) -> None:
        conditions = self.conditions
        self._version = self._wire.version
        chain = [(fault.reason, fault.function) for fault in (*self._wire.faults, *self.faults)]
        chain += [(function.__name__, function) for function in conditions.faults()]
        self._chain = chain
        self._latency_ns = nanoseconds(conditions.latency)
        self._jitter_ns = nanoseconds(conditions.jitter)
        self._bandwidth = conditions.bandwidth
        self.mtu = conditions.mtu
        narrow = conditions.mtu < self.source.limits.mtu
        self._instant = conditions.instant and not narrow and self._held is None
        self._ideal = self._instant and not (chain or self._flying or self._wire.recording)

    # Decisions

    def chance(self, name: str, probability: float) -> bool:
        """Whether something of that probability happens now, from a stream of its own."""
        return self._stream(name).chance(probability)

    def fraction(self, name: str) -> float:
        """A number above 0 and up to 1."""
        return (self._stream(name).bits(32) + 1) / 2**32

    def _stream(self, name: str) -> Stream:
        stream = self._streams.get(name)
        if stream is None:
            stream = self._wire.decisions.stream(f"link {self.name}/{name}")
            self._streams[name] = stream
        return stream

    # Packets

    def send(self, packet: Packet) -> None:
        """Put a packet on its way."""
        if self._version != self._wire.version:
            self._look()
        wire = self._wire
        if self._ideal:
            wire.pass_on(self.target, packet, 0)
            return
        number = wire.note_sent(self.source, self.target, packet)
        if self._chain:
            for each, delay in self._what_is_left(packet, number):
                same = each is packet
                this = number if same else wire.note_sent(self.source, self.target, each)
                self._dispatch(this, each, nanoseconds(delay))
        else:
            self._dispatch(number, packet, 0)

    def _what_is_left(self, packet: Packet, number: int) -> list[Delivery]:
        """Through the chain of faults, each of which sees what the one before lets pass."""
        deliveries = [Delivery(packet)]
        for reason, fault in self._chain:
            following: list[Delivery] = []
            for before, delay in deliveries:
                through = list(fault(before, self))
                if not any(isinstance(each, Delivery) and each[0] is before for each in through):
                    self._wire.note_dropped(number, self.name, reason)
                for each in through:
                    if not isinstance(each, Delivery):
                        raise TypeError(f"the fault {reason} gave {each!r}, not a Delivery")
                    following.append(Delivery(each.packet, delay + each.delay))
            deliveries = following
            if not deliveries:
                break
        return deliveries

    def _dispatch(self, number: int, packet: Packet, delay_ns: int) -> None:
        if self._instant and not (delay_ns or self._flying):
            self._wire.pass_on(self.target, packet, number)
            return
        size = packet.size
        if size > self.mtu and packet.whole:
            self._wire.note_dropped(number, self.name, "too big")
            self._wire.turn_back(self.source, packet, errno.EMSGSIZE, self.mtu)
            return
        when_ns = self._clock.now_ns
        if self._bandwidth is not None:
            departed = self._departures
            while departed and departed[0] <= when_ns:
                departed.popleft()
            if len(departed) > self.conditions.queue:
                self._wire.note_dropped(number, self.name, "queue full")
                return
            when_ns = max(when_ns, self._busy_until_ns)
            when_ns += -int(-size * 8 * SECOND_NS // self._bandwidth)
            self._busy_until_ns = when_ns
            departed.append(when_ns)
        when_ns += self._latency_ns
        if self._jitter_ns:
            when_ns += self._stream("jitter").below(self._jitter_ns + 1)
        if delay_ns:
            when_ns += delay_ns
        elif when_ns < self._last_arrival_ns:
            when_ns = self._last_arrival_ns
        else:
            self._last_arrival_ns = when_ns
        if self._held is not None:
            self._held.append((number, packet))
            return
        self._order += 1
        heapq.heappush(self._flying, (when_ns, self._order, number, packet))
        timer = self._timer
        if timer is None:
            self._timer = self._clock.call_at(when_ns, self._arrive)
        elif when_ns < timer.when_ns:
            timer.cancel()
            self._timer = self._clock.call_at(when_ns, self._arrive)

    def _arrive(self) -> None:
        flying, now_ns, wire = self._flying, self._clock.now_ns, self._wire
        self._timer = None
        while flying and flying[0][0] <= now_ns:
            _, _, number, packet = heapq.heappop(flying)
            wire.arrive(self, number, packet)
        if flying:
            if self._timer is None:
                self._timer = self._clock.call_at(flying[0][0], self._arrive)
        elif self.conditions.instant:
            self._version = -1

    # Holding back

    def hold(self) -> None:
        """Hold back what is on the way, and whatever is sent from now on."""
        if self._held is None:
            self._held = [(number, packet) for _, _, number, packet in sorted(self._flying)]
            self._flying.clear()
            if self._timer is not None:
                self._timer.cancel()
                self._timer = None
            self._changed()

    def release(self) -> None:
        """Let go of what was held back: it arrives now, in the order in which it was sent."""
        held, self._held = self._held, None
        if held is None:
            return
        self._changed()
        now_ns = self._clock.now_ns
        for number, packet in held:
            self._order += 1
            heapq.heappush(self._flying, (now_ns, self._order, number, packet))
        if held:
            self._timer = self._clock.call_at(now_ns, self._arrive)

    @property
    def in_flight(self) -> list[Packet]:
        """What is on the way or held back, in the order of arrival."""
        return [*(entry[3] for entry in sorted(self._flying)), *(p for _, p in self._held or ())]
