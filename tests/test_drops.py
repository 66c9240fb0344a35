"""Chosen packets are lost: those of a kind, on one way, and no more than were asked for."""

from __future__ import annotations

from typing import Any

import pytest

from simnet import World
from simnet.drops import KINDS
from simnet.wire import ACK, FIN, PSH, RST, SYN, Datagram, Packet, Segment, Unreachable

A4, B4, A6, B6 = ("10.0.0.1", 1), ("10.0.0.2", 2), ("fd00::1", 1), ("fd00::2", 2)


def segment(flags: int, payload: bytes = b"") -> Segment:
    """A segment with those flags."""
    return Segment(A4, B4, 0, 0, flags, 0, payload)


PACKETS: dict[str, tuple[Packet, set[str]]] = {
    "SYN": (segment(SYN), {"SYN"}),
    "SYN|ACK": (segment(SYN | ACK), {"SYN|ACK"}),
    "pure ACK": (segment(ACK), {"ACK"}),
    "data": (segment(ACK | PSH, b"x"), {"data"}),
    "the last data": (segment(FIN | ACK | PSH, b"x"), {"data", "FIN"}),
    "FIN": (segment(FIN | ACK), {"FIN"}),
    "RST": (segment(RST), {"RST"}),
    "RST with ACK": (segment(RST | ACK), {"RST"}),
    "datagram": (Datagram(A4, B4, b"x"), {"UDP"}),
    "IPv6": (Datagram(A6, B6, b"x"), {"UDP", "IPv6"}),
    "refusal": (Unreachable(A4, B4, 111, Datagram(B4, A4, b"x")), {"ICMP"}),
}


@pytest.mark.parametrize(("packet", "kinds"), PACKETS.values(), ids=PACKETS)
def test_a_packet_is_of_its_kinds(packet: Packet, kinds: set[str]) -> None:
    """And of no other, but that every packet is of any kind."""
    assert {name for name, fits in KINDS.items() if fits(packet)} == kinds | {"any"}


@pytest.fixture
def world() -> World:
    """Two hosts."""
    world = World()
    world.host("a", ip=A4[0])
    world.host("b", ip=B4[0])
    return world


def exchange(world: World, sent: int) -> list[bytes]:
    """What arrives at b of so many numbered datagrams from a."""
    a, b = world.hosts["a"], world.hosts["b"]
    inbox: Any = b.socket(type=2)
    inbox.bind(B4)
    outbox = a.socket(type=2)
    for number in range(sent):
        outbox.sendto(b"%d" % number, B4)
    world.run()
    inbox.setblocking(False)
    found = []
    try:
        while True:
            found.append(inbox.recv(9))
    except BlockingIOError:
        return found
    finally:
        inbox.close()
        outbox.close()


def test_the_next_so_many_are_lost(world: World) -> None:
    """Then everything arrives again, and the way is ideal as before."""
    world.drop("a", "b", packets="UDP", count=2)
    assert not world.link_between("a", "b").ideal
    assert exchange(world, 4) == [b"2", b"3"]
    assert world.link_between("a", "b").ideal


def test_other_kinds_and_ways_are_left_alone(world: World) -> None:
    """A fault waits for its packet."""
    world.drop("a", "b", packets="FIN")
    world.drop("b", "a", packets="UDP")
    assert exchange(world, 2) == [b"0", b"1"]
    assert not world.link_between("a", "b").ideal


def test_it_can_be_taken_off(world: World) -> None:
    """It is a fault like others."""
    with world.drop("a", "b", packets="any"):
        pass
    world.drop("a", "b", packets="any").remove()
    assert exchange(world, 1) == [b"0"]


def test_the_trace_says_why(world: World) -> None:
    """A dropped packet is recorded with its reason."""
    world.drop("a", "b", packets="any")
    exchange(world, 1)
    assert [record[4] for record in world.trace if record[1] == "dropped"] == ["drop"]


def test_impossible_wishes_are_refused(world: World) -> None:
    """The kinds are named."""
    with pytest.raises(ValueError, match=r"packets is one of SYN, .*any, not 'fin'"):
        world.drop("a", "b", packets="fin")
    with pytest.raises(ValueError, match="count is from 1 on, not 0"):
        world.drop("a", "b", packets="FIN", count=0)
