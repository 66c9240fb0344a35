"""Megabytes between the simulator's TCP and the kernel's, over links good and bad."""

from __future__ import annotations

import random
from collections.abc import Iterable

import pytest

from simnet.faults import Delivery
from simnet.links import Link
from simnet.wire import FIN, SYN, Packet, Segment
from tests.tun.meeting import Meeting
from tests.tun.ways import SERVERS, connected, exchange, nothing_is_left

DATA = random.Random(1).randbytes(1 << 20)

LINKS: dict[str, dict[str, float]] = {
    "ideal": {},
    "long": {"latency": 0.01, "jitter": 0.002},
    "narrow": {"latency": 0.002, "bandwidth": 50e6, "queue": 20},
    "lossy": {"latency": 0.001, "loss": 0.02},
    "reordering": {"latency": 0.001, "reorder": 0.05},
    "duplicating": {"latency": 0.001, "duplicate": 0.1},
    "bad": {"latency": 0.002, "loss": 0.02, "reorder": 0.02, "duplicate": 0.02},
}


CALLS = [*((link, "ours") for link in LINKS), ("ideal", "kernel"), ("bad", "kernel")]


@pytest.mark.parametrize(("link", "server"), CALLS)
def test_a_megabyte_each_way_arrives_intact(meeting: Meeting, link: str, server: str) -> None:
    """At the same time, whoever has called; then both ends close cleanly."""
    meeting.world.link("ours", "kernel", **LINKS[link])
    theirs, mine = connected(meeting, server)
    assert exchange(meeting, theirs, mine, DATA, DATA[::-1]) == (DATA, DATA[::-1])
    assert nothing_is_left(meeting)


def test_megabytes_over_a_bad_link(meeting: Meeting) -> None:
    """More than a window, a buffer or a wrap of small numbers could hide."""
    meeting.world.link("ours", "kernel", **LINKS["bad"])
    theirs, mine = connected(meeting, "ours")
    assert exchange(meeting, theirs, mine, DATA * 3, DATA * 3) == (DATA * 3, DATA * 3)
    assert nothing_is_left(meeting)


@pytest.mark.parametrize("mtu", [1300, 576])
def test_segments_fit_a_way_that_is_narrower(meeting: Meeting, mtu: int) -> None:
    """A router's 'too big' is understood by both: ours by the kernel, its by us."""
    meeting.world.link("ours", "kernel", mtu=mtu, latency=0.001)
    theirs, mine = connected(meeting, "kernel")
    assert exchange(meeting, theirs, mine, DATA, DATA) == (DATA, DATA)


def test_ipv6_carries_it_too(meeting: Meeting) -> None:
    """The same protocol over another one."""
    meeting.world.link("ours", "kernel", latency=0.001, loss=0.01, duplicate=0.01)
    for server in SERVERS:
        theirs, mine = connected(meeting, server, version=6)
        assert exchange(meeting, theirs, mine, DATA, DATA) == (DATA, DATA)
    assert nothing_is_left(meeting)


class LoseOnce:
    """A fault that swallows the first segment of each of some kinds, of both directions."""

    def __init__(self, *kinds: str) -> None:
        self.kinds = kinds
        self.lost: set[tuple[str, str]] = set()

    def __call__(self, packet: Packet, link: Link) -> Iterable[Delivery]:
        kind = kind_of(packet)
        if kind in self.kinds and (link.name, kind) not in self.lost:
            self.lost.add((link.name, kind))
            return ()
        return (Delivery(packet),)

    @property
    def has_lost_everything(self) -> bool:
        """Whether one of every kind was there, in both directions."""
        return len(self.lost) == 2 * len(self.kinds)


def kind_of(packet: Packet) -> str:
    """What a segment is for."""
    if not isinstance(packet, Segment):
        return ""
    if packet.flags & (SYN | FIN):
        return "SYN" if packet.flags & SYN else "FIN"
    return "data" if packet.payload else "ACK"


@pytest.mark.parametrize("server", SERVERS)
def test_any_segment_of_the_handshake_may_be_lost(meeting: Meeting, server: str) -> None:
    """The SYN, then its answer, then the last acknowledgement; it takes two seconds."""
    meeting.world.link("ours", "kernel", latency=0.001)
    last = LoseOnce("ACK")
    with meeting.world.fault(LoseOnce("SYN")) as syns, meeting.world.fault(last):
        theirs, mine = connected(meeting, server)
        assert syns.function.has_lost_everything  # type: ignore[attr-defined]
    assert last.lost
    assert exchange(meeting, theirs, mine, b"there", b"back") == (b"there", b"back")
    assert nothing_is_left(meeting)


@pytest.mark.parametrize("server", SERVERS)
def test_any_later_segment_may_be_lost(meeting: Meeting, server: str) -> None:
    """The first data, an acknowledgement, the end: of both directions."""
    meeting.world.link("ours", "kernel", latency=0.001)
    theirs, mine = connected(meeting, server)
    with meeting.world.fault(LoseOnce("data", "ACK", "FIN")) as losses:
        assert exchange(meeting, theirs, mine, b"there", b"back") == (b"there", b"back")
        assert nothing_is_left(meeting)
        assert losses.function.has_lost_everything  # type: ignore[attr-defined]
