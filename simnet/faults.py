"""What can happen to a packet on its way: an ordered chain of faults.

A fault is a function from a packet and the link that it is about to cross to deliveries: none (it
is lost), one, or several; each may come later, or carry another packet. It is asked when the packet
is sent, or, if that is wanted, when it arrives. Those built in are written the same way as a user's
own:

    def no_fins(packet, link):
        fin = isinstance(packet, Segment) and packet.flags & FIN
        return [] if fin else [Delivery(packet)]

    with world.fault(no_fins):
        ...
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
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
    """A fault in force, until it is removed; as a context manager it takes itself off.

    It is asked when a packet is sent, or when it arrives, or both; and only on the links that it
    concerns, so that it costs the others nothing.
    """

    def __init__(
        self,
        chain: Chain,
        function: FaultFunction,
        on_sending: bool,
        on_arrival: bool,
        concerns: Callable[[Link], bool] | None,
    ) -> None:
        self.function = function
        # What the trace says of a packet that it swallows.
        self.reason = getattr(function, "__name__", type(function).__name__)
        self.on_sending = on_sending
        self.on_arrival = on_arrival
        self._concerns = concerns
        self._chain = chain

    @property
    def in_force(self) -> bool:
        """Whether it has not been removed."""
        return self in self._chain

    def concerns(self, link: Link) -> bool:
        """Whether it is asked on a link."""
        return self._concerns is None or self._concerns(link)

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

    def __contains__(self, fault: Fault) -> bool:
        return fault in self._faults

    def add(
        self,
        function: FaultFunction,
        *,
        on_sending: bool = True,
        on_arrival: bool = False,
        concerns: Callable[[Link], bool] | None = None,
    ) -> Fault:
        """Put a fault behind those that are there."""
        if not callable(function):
            raise TypeError(f"a fault is a function of a packet and a link, not {function!r}")
        fault = Fault(self, function, on_sending, on_arrival, concerns)
        self._faults[fault] = None
        self._changed()
        return fault

    def remove(self, fault: Fault) -> None:
        """Take it off; harmless if it is not there."""
        if fault in self._faults:
            del self._faults[fault]
            self._changed()


def deliveries(fault: FaultFunction, packet: Packet, link: Link) -> list[Delivery]:
    """What a fault makes of a packet; TypeError or ValueError if it answers with something else."""
    answer = fault(packet, link)
    if not isinstance(answer, Iterable):
        raise TypeError(f"{_name(fault)} gave {answer!r}, not a list of Delivery")
    found = list(answer)
    for each in found:
        if not isinstance(each, Delivery):
            raise TypeError(f"{_name(fault)} gave {each!r}, not a Delivery")
        if not 0 <= each.delay < float("inf"):
            raise ValueError(f"{_name(fault)} delays by {each.delay!r}, not by seconds from 0 on")
    return found


def _name(fault: FaultFunction) -> str:
    return f"the fault {getattr(fault, '__name__', type(fault).__name__)}"


# Those built in


def _some_piece(link: Link, packet: Packet, name: str, probability: float) -> bool:
    """Whether something happens to one of the fragments that a packet crosses a link in."""
    return any(link.chance(name, probability) for _ in range(link.fragments(packet)))


def loss(probability: float) -> FaultFunction:
    """Packets vanish."""

    def loss(packet: Packet, link: Link) -> Iterable[Delivery]:
        return () if _some_piece(link, packet, "loss", probability) else (Delivery(packet),)

    return loss


def corrupt(probability: float) -> FaultFunction:
    """Packets are damaged on the way: they arrive, and the receiver drops them by their checksum.

    To be asked on arrival.
    """

    def corrupt(packet: Packet, link: Link) -> Iterable[Delivery]:
        return () if _some_piece(link, packet, "corrupt", probability) else (Delivery(packet),)

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


def partition(packet: Packet, link: Link) -> Iterable[Delivery]:
    """Nothing gets through, and what is on its way is lost: to be asked on sending and arrival."""
    return ()


def separates(side: Mapping[Host, int], one_way: bool) -> Callable[[Link], bool]:
    """Which links a partition concerns: those from one side to another; the rest have no side.

    With a single side, it is everybody else that it is parted from. One way: only links from a
    lower side to a higher one.
    """
    alone = len(set(side.values())) == 1

    def concerns(link: Link) -> bool:
        source, target = side.get(link.source), side.get(link.target)
        if alone and one_way:
            return source is not None and target is None
        if alone:
            return source != target
        if source is None or target is None:
            return False
        return source < target if one_way else source != target

    return concerns
