"""Two hosts and the link between them, for tests that watch single packets on their way."""

from __future__ import annotations

import socket
from collections import Counter
from typing import Any

from simnet.host import Host
from simnet.links import Link
from simnet.wire import ACK, FIN, RST, SYN, Datagram, Packet, Segment
from simnet.world import World

PORT = 9
HEADERS = 28  # of IPv4 and UDP


class Journeys:
    """Datagrams from host `a` to host `b`, where somebody listens."""

    def __init__(self, seed: int = 0, **conditions: Any) -> None:
        self.world = World(seed, record=True)
        self.a: Host = self.world.host("a", ip=["10.0.0.1", "fd00::1"])
        self.b: Host = self.world.host("b", ip=["10.0.0.2", "fd00::2"])
        self.link: Link = self.world.link(self.a, self.b, symmetric=False, **conditions)
        # Somebody who hears them: otherwise each would be answered.
        self.box = self.b.create_endpoint(socket.AF_INET, socket.SOCK_DGRAM, 0)
        self.box.bind(("0.0.0.0", PORT))

    def datagram(self, payload: bytes | int) -> Datagram:
        """A datagram from `a` to `b`; a number counts for so many bytes."""
        data = bytes(payload) if isinstance(payload, int) else payload
        return Datagram(("10.0.0.1", PORT), ("10.0.0.2", PORT), data)

    def send(self, *payloads: bytes | int) -> None:
        """Send them, one after the other, in this instant."""
        self.put(*map(self.datagram, payloads))

    def put(self, *packets: Packet) -> None:
        """Put packets on their way."""
        for packet in packets:
            self.world.wire.transmit(self.a, packet)
        self.world.wire.flush()

    def arrivals(self) -> list[tuple[float, bytes]]:
        """Let everything happen; when each datagram arrived at `b`, in seconds, and its data."""
        self.world.run()
        return self.arrived()

    def arrived(self) -> list[tuple[float, bytes]]:
        """What has arrived so far."""
        sent, found = {}, []
        for now_ns, what, *details in self.world.trace:
            if what == "sent" and details[2] == "b":
                sent[details[0]] = details[6]
            elif what == "arrived" and details[1] == "b":
                found.append((now_ns / 1e9, sent[details[0]]))
        return found

    def order(self) -> list[bytes]:
        """The data alone, in the order of arrival."""
        return [data for _, data in self.arrivals()]

    def reasons(self) -> list[str]:
        """Why packets were dropped, in order."""
        return [record[4] for record in self.world.trace if record[1] == "dropped"]


def counts(world: World) -> Counter[str]:
    """How many packets were sent, arrived, were dropped and doubled, in a world that records."""
    return Counter(record[1] for record in world.trace)


def in_flight(world: World) -> int:
    """How many packets are on their way on all links."""
    return sum(len(link.in_flight) for link in world.wire.links())


def segment(kind: int, payload: bytes = b"") -> Segment:
    """A segment from `a` to `b` with these flags."""
    return Segment(("10.0.0.1", PORT), ("10.0.0.2", PORT), 1, 2, kind, 100, payload)


# Every kind of segment that TCP sends.
SEGMENTS = {
    "SYN": segment(SYN)._replace(mss=1460, wscale=8),
    "SYN|ACK": segment(SYN | ACK)._replace(mss=1460, wscale=8),
    "pure ACK": segment(ACK),
    "data": segment(ACK, b"data"),
    "window update": segment(ACK)._replace(window=200),
    "probe": segment(ACK)._replace(seq=0),
    "FIN": segment(FIN | ACK),
    "RST": segment(RST),
}
