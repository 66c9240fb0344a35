"""What can happen to a packet on its way: an ordered chain of faults.

A fault is a function from a packet and the link that it is about to cross to deliveries: none (it
is lost), one, or several; each may come later, or carry another packet. Those built in are written
the same way as a user's own:

    def no_fins(packet, link):
        return [] if packet.flags & FIN else [Delivery(packet)]

    with world.fault(no_fins):
        ...
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from types import TracebackType
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from typing_extensions import Self

    from simnet.host import Host
    from simnet.links import Link
    from simnet.wire import Packet


class Delivery(NamedTuple):
    """A packet that goes on, so many seconds later than it would have.

    With a delay others overtake it; without one the order is kept.
    """

    packet: Packet
    delay: float = 0.0


FaultFunction = Callable[[Any, "Link"], Iterable[Delivery]]


class Fault:
    """A fault in force, until it is removed; as a context manager it takes itself off."""

    def __init__(self, chain: Chain, function: FaultFunction) -> None:
        self.function = function
        # What the trace says of a packet that it swallows.
        self.reason = getattr(function, "__name__", type(function).__name__)
        self._chain = chain

    def remove(self) -> None:
        """End it; harmless when it has ended."""
        self._chain.remove(self)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
        /,
    ) -> None:
        self.remove()

    def __repr__(self) -> str:
        return f"<fault {self.reason}>"


class Chain:
    """Faults in the order in which they were added."""

    def __init__(self, changed: Callable[[], None]) -> None:
        self._faults: dict[Fault, None] = {}
        self._changed = changed

    def __iter__(self) -> Iterator[Fault]:
        return iter(self._faults)

    def add(self, function: FaultFunction) -> Fault:
        """Put a fault behind those that are there."""
        if not callable(function):
            raise TypeError(f"a fault is a function of a packet and a link, not {function!r}")
        fault = Fault(self, function)
        self._faults[fault] = None
        self._changed()
        return fault

    def remove(self, fault: Fault) -> None:
        """Take it off; harmless if it is not there."""
        if fault in self._faults:
            del self._faults[fault]
            self._changed()


# Those built in


def loss(probability: float) -> FaultFunction:
    """Packets vanish."""

    def loss(packet: Packet, link: Link) -> Iterable[Delivery]:
        return () if link.chance("loss", probability) else (Delivery(packet),)

    return loss


def corrupt(probability: float) -> FaultFunction:
    """Packets are damaged on the way: their checksum is wrong, and the receiver drops them."""

    def corrupt(packet: Packet, link: Link) -> Iterable[Delivery]:
        return () if link.chance("corrupt", probability) else (Delivery(packet),)

    return corrupt


def duplicate(probability: float) -> FaultFunction:
    """Packets arrive twice."""

    def duplicate(packet: Packet, link: Link) -> Iterable[Delivery]:
        copies = 1 + link.chance("duplicate", probability)
        return (Delivery(packet),) * copies

    return duplicate


def reorder(probability: float) -> FaultFunction:
    """Packets come later, by up to the link's latency (at least 1 ms): others overtake them."""

    def reorder(packet: Packet, link: Link) -> Iterable[Delivery]:
        if not link.chance("reorder", probability):
            return (Delivery(packet),)
        longest = max(link.conditions.latency, 0.001)
        return (Delivery(packet, longest * link.fraction("reorder")),)

    return reorder


def partition(one: frozenset[Host], other: frozenset[Host], both_ways: bool) -> FaultFunction:
    """Nothing gets from some hosts to some others."""

    def partition(packet: Packet, link: Link) -> Iterable[Delivery]:
        source, target = link.source, link.target
        cut = source in one and target in other
        cut = cut or (both_ways and source in other and target in one)
        return () if cut else (Delivery(packet),)

    return partition
