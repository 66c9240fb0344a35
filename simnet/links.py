"""Links: one direction between two hosts, with its latency, its capacity and its faults.

A packet that is sent passes the world's faults, the link's own, and those that its conditions name
(loss, duplication, reordering); what is left waits its turn (bandwidth, queue), and arrives after
the latency, where it passes the faults that are asked on arrival (partitions, corruption). Order is
kept, also with jitter and when conditions change, except for what a fault delays.

Packets on the way keep the time of arrival that they had when they were sent; what a fault drops
then takes no capacity.

Not modelled: fragments as packets of their own (a datagram larger than the MTU crosses as one,
which takes as long as its bytes do and is lost if one of its fragments would be), framing below IP,
capacity that several links share.
"""

from __future__ import annotations

import difflib
import errno
import heapq
from collections import deque
from typing import TYPE_CHECKING, Any

import attrs

from simnet import faults
from simnet.clock import SECOND_NS, Timer, nanoseconds
from simnet.decisions import Stream
from simnet.faults import Chain, Fault, FaultFunction, deliveries

if TYPE_CHECKING:
    from simnet.host import Host
    from simnet.wire import Packet, Wire

# What every IPv4 link carries in one piece (RFC 791); the loopback has the largest.
_SMALLEST_MTU, _LARGEST_MTU = 68, 65536
# Of IPv6 and TCP, with the options that there are.
_LARGEST_HEADERS = 72
# Later than any packet arrives, and earlier.
_NEVER, _ALWAYS = 1 << 100, -1


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _rate(instance: Any, attribute: Any, value: Any) -> None:
    if value is not None and not (_is_number(value) and 0 < value < float("inf")):
        raise ValueError(
            f"{attribute.name} is a number of bits per second above 0, or None for no limit, "
            f"not {value!r}"
        )


def _count(instance: Any, attribute: Any, value: Any) -> None:
    if not (isinstance(value, int) and _is_number(value) and value >= 0):
        raise ValueError(f"{attribute.name} is a number of packets from 0 on, not {value!r}")


def _seconds(instance: Any, attribute: Any, value: Any) -> None:
    if not (_is_number(value) and 0 <= value < float("inf")):
        raise ValueError(f"{attribute.name} is a number of seconds from 0 on, not {value!r}")


def _probability(instance: Any, attribute: Any, value: Any) -> None:
    if not (_is_number(value) and 0 <= value <= 1):
        raise ValueError(f"{attribute.name} is a probability from 0 to 1, not {value!r}")


def _mtu(instance: Any, attribute: Any, value: Any) -> None:
    if not (isinstance(value, int) and _SMALLEST_MTU <= value <= _LARGEST_MTU):
        raise ValueError(f"mtu is from {_SMALLEST_MTU} to {_LARGEST_MTU} bytes, not {value!r}")


@attrs.frozen(kw_only=True)
class Conditions:
    """What a link is like; without any it is ideal: nothing takes time, and nothing is lost."""

    # Seconds that a packet takes, and how many more at most, drawn anew for each.
    latency: float = attrs.field(default=0.0, validator=_seconds)
    jitter: float = attrs.field(default=0.0, validator=_seconds)
    # Bits per second (None: no limit), and how many packets may wait while another one is sent.
    bandwidth: float | None = attrs.field(default=None, validator=_rate)
    queue: int = attrs.field(default=1000, validator=_count)
    # Probabilities, for each packet.
    loss: float = attrs.field(default=0.0, validator=_probability)
    duplicate: float = attrs.field(default=0.0, validator=_probability)
    reorder: float = attrs.field(default=0.0, validator=_probability)
    corrupt: float = attrs.field(default=0.0, validator=_probability)
    # The largest packet, in bytes with its IP header.
    mtu: int = attrs.field(default=1500, validator=_mtu)

    @property
    def takes_no_time(self) -> bool:
        """Whether packets arrive at once."""
        return not (self.latency or self.jitter or self.bandwidth)

    def on_sending(self) -> list[FaultFunction]:
        """The faults that the probabilities mean, in their order."""
        made = (
            (faults.loss, self.loss),
            (faults.duplicate, self.duplicate),
            (faults.reorder, self.reorder),
        )
        return [fault(probability) for fault, probability in made if probability]

    def on_arrival(self) -> list[FaultFunction]:
        """Those that are asked on arrival."""
        return [faults.corrupt(self.corrupt)] if self.corrupt else []

    def changed(self, changes: dict[str, Any]) -> Conditions:
        """The same with some of them changed.

        TypeError for an unknown one, ValueError for an impossible one.
        """
        known = list(attrs.fields_dict(Conditions))
        for name in changes:
            if name not in known:
                close = difflib.get_close_matches(name, known, 1)
                hint = f" (did you mean {close[0]!r}?)" if close else ""
                raise TypeError(f"a link has no {name!r}{hint}; it has {', '.join(known)}")
        return attrs.evolve(self, **changes)


IDEAL = Conditions()

# A packet on its way through faults: its number in the trace, itself, and how much later it comes.
_OnItsWay = tuple[int, "Packet", float]


class Link:
    """One direction between two hosts."""

    def __init__(self, wire: Wire, source: Host, target: Host) -> None:
        self.source = source
        self.target = target
        # For reports and traces.
        self.name = f"{source.name}->{target.name}"
        self.faults = Chain(self._changed)
        self._wire = wire
        self._clock = wire.clock
        self._own: Conditions | None = None
        self._streams: dict[str, Stream] = {}
        # What is in force, as of the wire's version: looked up anew when that has changed.
        self._version = -1
        self._ideal = self._instant = False
        self._chain: list[tuple[str, FaultFunction]] = []
        self._gates: list[tuple[str, FaultFunction]] = []
        # Neither faults nor turns to wait for; and the payload that is never too big for the MTU.
        self._plain = False
        self._small = 0
        self._latency_ns = self._jitter_ns = 0
        self._bandwidth: float | None = None
        self.mtu = IDEAL.mtu
        # On the way: (when it arrives, number, packet), in the order of arrival; and what a fault
        # delays, as a heap of (when it arrives, order, number, packet).
        self._flying: deque[tuple[int, int, Packet]] = deque()
        self._late: list[tuple[int, int, int, Packet]] = []
        self._delayed = 0
        # One timer, for the first of them; a packet that arrives before `_next_ns` moves it.
        self._timer: Timer | None = None
        self._next_ns = _NEVER
        self._last_arrival_ns = 0
        self._busy_until_ns = 0
        self._departures: deque[int] = deque()
        self._holding = False

    def __repr__(self) -> str:
        return f"<link {self.name}>"

    # Conditions

    @property
    def conditions(self) -> Conditions:
        """Its own conditions, or those of the world's default link."""
        return self._own if self._own is not None else self._wire.default_conditions

    def set(self, **conditions: Any) -> None:
        """Change the conditions that are named; the others stay as they are now.

        Packets on the way are not moved. TypeError for an unknown condition, ValueError for an
        impossible one.
        """
        self._own = self.conditions.changed(conditions)
        self._changed()

    def fault(self, function: FaultFunction, *, on_arrival: bool = False) -> Fault:
        """Add a fault of this direction alone; it is a context manager that takes itself off."""
        return self.faults.add(function, on_sending=not on_arrival, on_arrival=on_arrival)

    @property
    def ideal(self) -> bool:
        """Whether a packet arrives at once and as it was sent, and nobody looks."""
        if self._version != self._wire.version:
            self._look()
        return self._ideal

    def _changed(self) -> None:
        self._version = -1
        if self._ideal:
            # Only while it was ideal may somebody have gone past it.
            self._ideal = False
            self._wire.path_changed(self.source, self.target)

    def _look(self) -> None:
        conditions = self.conditions
        self._version = self._wire.version
        found = [fault for fault in (*self._wire.faults, *self.faults) if fault.concerns(self)]
        self._chain = [(each.reason, each.function) for each in found if each.on_sending]
        self._chain += [(each.__name__, each) for each in conditions.on_sending()]
        self._gates = [(each.reason, each.function) for each in found if each.on_arrival]
        self._gates += [(each.__name__, each) for each in conditions.on_arrival()]
        self._latency_ns = nanoseconds(conditions.latency)
        self._jitter_ns = nanoseconds(conditions.jitter)
        self._bandwidth = conditions.bandwidth
        self.mtu = conditions.mtu
        self._instant = (
            conditions.takes_no_time
            and conditions.mtu >= self.source.limits.mtu
            and not (self._holding or self._gates)
        )
        self._plain = not (self._instant or self._chain or self._bandwidth or self._jitter_ns)
        self._small = conditions.mtu - _LARGEST_HEADERS
        self._ideal = self._instant and not (
            self._chain or self._flying or self._late or self._wire.recording
        )

    # Decisions

    def chance(self, name: str, probability: float) -> bool:
        """Whether something of that probability happens now, from a stream of its own."""
        return self._stream(name).chance(probability)

    def fraction(self, name: str) -> float:
        """A number above 0 and up to 1."""
        return (self._stream(name).bits(32) + 1) / 2**32

    def fragments(self, packet: Packet) -> int:
        """How many fragments a packet crosses in: 1 unless it is larger than the MTU.

        Each has an IP header of its own, and all but the last carry a multiple of 8 bytes.
        """
        mtu = self.conditions.mtu
        if packet.size <= mtu:
            return 1
        header = 20 if "." in packet.source[0] else 48  # that of IPv6 with its fragment header
        room = mtu - header
        return 1 - (room - (packet.size - header)) // (room // 8 * 8)

    def _stream(self, name: str) -> Stream:
        stream = self._streams.get(name)
        if stream is None:
            stream = self._wire.decisions.stream(f"link {self.name}/{name}")
            self._streams[name] = stream
        return stream

    # Packets

    def send(self, packet: Packet) -> None:
        """Put a packet on its way."""
        wire = self._wire
        if self._version != wire.version:
            self._look()
        if self._ideal and self.target.up:
            wire.pass_on(self.target, packet, 0)
            return
        number = wire.note_sent(self.source, self.target, packet)
        if self._plain and (len(packet.payload) <= self._small or packet.uncut <= self.mtu):
            # As _dispatch() does, for the commonest kind of link.
            when_ns = self._clock.now_ns + self._latency_ns
            if when_ns < self._last_arrival_ns:
                when_ns = self._last_arrival_ns
            else:
                self._last_arrival_ns = when_ns
            self._flying.append((when_ns, number, packet))
            if when_ns < self._next_ns:
                self._wait_until(when_ns)
            return
        if not self._chain:
            self._dispatch(number, packet, 0)
            return
        for this, each, delay in self._what_is_left(self._chain, number, packet):
            self._dispatch(this, each, nanoseconds(delay))

    def _what_is_left(
        self, chain: list[tuple[str, FaultFunction]], number: int, packet: Packet
    ) -> list[_OnItsWay]:
        """Through a chain of faults, each of which sees what the one before lets pass."""
        wire = self._wire
        left: list[_OnItsWay] = [(number, packet, 0.0)]
        for reason, fault in chain:
            following: list[_OnItsWay] = []
            for this, before, delay in left:
                passed = 0
                try:
                    through = deliveries(fault, before, self)
                except Exception as exc:
                    wire.fault_failed(exc)
                    through = []
                for each, more in through:
                    if each is before:
                        passed += 1
                        if passed > 1:
                            wire.note_duplicated(this, self.name, reason)
                        following.append((this, each, delay + more))
                    else:
                        new = wire.note_sent(self.source, self.target, each)
                        following.append((new, each, delay + more))
                if not passed:
                    wire.note_dropped(this, self.name, reason)
            left = following
        return left

    def _dispatch(self, number: int, packet: Packet, delay_ns: int) -> None:
        if self._instant and not (delay_ns or self._flying):
            self._wire.pass_on(self.target, packet, number)
            return
        if packet.uncut > self.mtu:
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
            when_ns += -int(-packet.size * 8 * SECOND_NS // self._bandwidth)
            self._busy_until_ns = when_ns
            departed.append(when_ns)
        when_ns += self._latency_ns
        if self._jitter_ns:
            when_ns += self._stream("jitter").below(self._jitter_ns + 1)
        if delay_ns:
            when_ns += delay_ns
            self._delayed += 1
            heapq.heappush(self._late, (when_ns, self._delayed, number, packet))
        else:
            if when_ns < self._last_arrival_ns:
                when_ns = self._last_arrival_ns
            else:
                self._last_arrival_ns = when_ns
            self._flying.append((when_ns, number, packet))
        if when_ns < self._next_ns:
            self._wait_until(when_ns)

    def _wait_until(self, when_ns: int) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self._clock.call_at(when_ns, self._arrive)
        self._next_ns = when_ns

    def _wait_for_next(self) -> None:
        """Set the timer for the first that is on the way."""
        when_ns = min(
            self._flying[0][0] if self._flying else _NEVER,
            self._late[0][0] if self._late else _NEVER,
        )
        self._next_ns = _NEVER
        if when_ns != _NEVER:
            self._wait_until(when_ns)
        elif self.conditions.takes_no_time:
            # It may be ideal again.
            self._version = -1

    def _arrive(self) -> None:
        flying, late, now_ns, wire = self._flying, self._late, self._clock.now_ns, self._wire
        target, append = self.target, wire.trace.append
        self._timer = None
        # What is sent meanwhile need not set the timer.
        self._next_ns = _ALWAYS
        while not self._holding:
            if flying and flying[0][0] <= now_ns and not (late and late[0][0] < flying[0][0]):
                _, number, packet = flying.popleft()
            elif late and late[0][0] <= now_ns:
                _, _, number, packet = heapq.heappop(late)
            else:
                self._wait_for_next()
                return
            if self._version != wire.version:
                self._look()
            if not self._gates and target.up:
                # As Wire.arrive() does.
                append(("arrived", number, target.name))
                target.deliver(packet)
                if wire.queue:
                    wire.flush()
                continue
            for this, each, delay in self._what_is_left(self._gates, number, packet):
                if delay:
                    wire.fault_failed(ValueError("a fault on arrival cannot delay a packet"))
                wire.arrive(self, this, each)

    # Holding back

    def hold(self) -> None:
        """Hold back what is on the way, and whatever is sent from now on."""
        if self._holding:
            return
        self._holding = True
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._next_ns = _ALWAYS
        self._changed()

    def release(self) -> None:
        """Let go: what would have arrived meanwhile arrives now, in its order; the rest in time."""
        if self._holding:
            self._holding = False
            self._changed()
            self._wait_for_next()

    @property
    def in_flight(self) -> list[Packet]:
        """What is on the way or held back, in the order of arrival."""
        late = [(when_ns, number, packet) for when_ns, _, number, packet in sorted(self._late)]
        both = sorted([*self._flying, *late], key=lambda entry: entry[0])
        return [packet for _, _, packet in both]
