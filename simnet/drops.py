"""Chosen packets that get lost: the next so many of a kind, on one way."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from simnet.addresses import is_ipv4
from simnet.faults import Delivery, Fault
from simnet.links import Link
from simnet.wire import ACK, FIN, RST, SYN, Datagram, Packet, Segment, Unreachable


def _segments(fits: Callable[[Segment], bool]) -> Callable[[Packet], bool]:
    return lambda packet: isinstance(packet, Segment) and fits(packet)


# What counts as what. A segment may be several of them: the last data may carry the FIN.
KINDS: dict[str, Callable[[Packet], bool]] = {
    "SYN": _segments(lambda segment: segment.flags & (SYN | ACK) == SYN),
    "SYN|ACK": _segments(lambda segment: segment.flags & (SYN | ACK) == SYN | ACK),
    # Acknowledgements, window updates and probes carry nothing, and no other flag.
    "ACK": _segments(
        lambda segment: segment.flags & (SYN | ACK | FIN | RST) == ACK and not segment.payload
    ),
    "data": _segments(lambda segment: bool(segment.payload)),
    "FIN": _segments(lambda segment: bool(segment.flags & FIN)),
    "RST": _segments(lambda segment: bool(segment.flags & RST)),
    "UDP": lambda packet: isinstance(packet, Datagram),
    "ICMP": lambda packet: isinstance(packet, Unreachable),
    "IPv6": lambda packet: not is_ipv4(packet.destination[0]),
    "any": lambda packet: True,
}


def drop(link: Link, packets: str, count: int) -> Fault:
    """Lose the next packets of a kind on a link; the fault takes itself off after the last."""
    if packets not in KINDS:
        raise ValueError(f"packets is one of {', '.join(KINDS)}, not {packets!r}")
    if count < 1:
        raise ValueError(f"count is from 1 on, not {count!r}")
    fits, left = KINDS[packets], count

    def drop(packet: Packet, link: Link) -> Iterable[Delivery]:
        nonlocal left
        if not left or not fits(packet):
            return (Delivery(packet),)
        left -= 1
        if not left:
            fault.remove()
        return ()

    fault = link.fault(drop)
    return fault
