"""The segments of a connection as they cross the way between two hosts, to be compared.

On the kernel a packet socket hears them at the client's interface (packet(7)); in the simulator a
fault that lets everything pass. Sequence numbers count from the first of each direction.
"""

from __future__ import annotations

import socket
import struct
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager

import attrs

import realnet
from simnet.api import Network, Topology
from simnet.codec import decode
from simnet.faults import Delivery
from simnet.wire import ACK, FIN, RST, SYN, URG, Packet, Segment
from simnet.world import World

_EVERY_PROTOCOL, _IPV4 = 3, 0x0800  # linux/if_ether.h
_TIMESTAMPS = 35  # SO_TIMESTAMPNS
# PSH is left out: where the kernel sets it says how its buffers were cut.
_FLAGS = ((SYN, "SYN"), (FIN, "FIN"), (RST, "RST"), (ACK, "ACK"), (URG, "URG"))

Heard = list[tuple[float, Packet]]


@attrs.frozen
class Seen:
    """One segment: when, since the first, and what it said."""

    after: float = attrs.field(eq=False)
    text: str


@contextmanager
def listening(topology: Topology, client: Network) -> Iterator[Heard]:
    """What crosses the way to and from a host, with the time: complete at the end of the block."""
    heard: Heard = []
    if isinstance(topology, World):
        with topology.fault(_listener(topology, heard)):
            yield heard
        return
    assert isinstance(client, realnet.Host)
    with client:
        ear = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(_EVERY_PROTOCOL))
    with ear:
        ear.bind(("eth0", _EVERY_PROTOCOL))
        ear.setsockopt(socket.SOL_SOCKET, _TIMESTAMPS, 1)
        ear.setblocking(False)
        time.sleep(0.05)  # the kernel begins to take time stamps a little later
        yield heard
        heard += _read(ear)


def _listener(world: World, heard: Heard) -> Callable[[Packet, object], Iterable[Delivery]]:
    def listen(packet: Packet, link: object) -> Iterable[Delivery]:
        heard.append((world.now, packet))
        return (Delivery(packet),)

    return listen


def _read(ear: socket.socket) -> Iterator[tuple[float, Packet]]:
    while True:
        try:
            data, ancillary, _, address = ear.recvmsg(65536, 128)
        except BlockingIOError:
            return
        if address[1] == _IPV4:
            ((_, _, stamp),) = ancillary
            seconds, nanoseconds = struct.unpack("qq", stamp)
            # The device leaves the checksum to the other end.
            yield seconds + nanoseconds / 1e9, decode(data, verify=False)


def described(heard: Heard, client: str) -> list[Seen]:
    """The segments among what was heard, as seen from a client with that address."""
    begun: float | None = None
    first: dict[bool, int] = {}
    seen = []
    for when, packet in heard:
        if not isinstance(packet, Segment):
            continue
        ours = packet.source[0] == client
        begun = when if begun is None else begun
        first.setdefault(ours, packet.seq)
        flags = "|".join(name for bit, name in _FLAGS if packet.flags & bit)
        seq = packet.seq - first[ours] & 0xFFFFFFFF
        ack = packet.ack - first.get(not ours, 0) & 0xFFFFFFFF if packet.flags & ACK else "-"
        size = f" mss {packet.mss}" if packet.mss else ""
        text = (
            f"{'->' if ours else '<-'} {flags} seq={seq} len={len(packet.payload)} ack={ack}{size}"
        )
        seen.append(Seen(when - begun, text))
    return seen
