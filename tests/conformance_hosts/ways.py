"""Helpers of the cases: connections between hosts, how long calls take, calls side by side."""

from __future__ import annotations

import socket
from collections.abc import Callable, Sequence
from typing import Any

from simnet.api import Network, Socket
from tests.conformance.outcomes import outcome

PATIENCE = 40.0  # seconds: no case waits that long
DGRAM = socket.SOCK_DGRAM
TCP, SOL = socket.IPPROTO_TCP, socket.SOL_SOCKET

Keep = Callable[[Socket], Socket]
Timed = tuple[Any, float]


def address_of(host: Any) -> str:
    """The first address of a host."""
    first: str = host.addresses[0]
    return first


def stream(keep: Keep, host: Network, timeout: float | None = PATIENCE) -> Socket:
    """A TCP socket of a host, which waits with patience."""
    sock = keep(host.socket())
    sock.settimeout(timeout)
    return sock


def connected(keep: Keep, client: Network, server: Network) -> tuple[Socket, Socket]:
    """The two ends of a connection over which a byte has gone each way; nobody listens any more."""
    with server.create_server(("", 0)) as listener:
        listener.settimeout(PATIENCE)
        one = stream(keep, client)
        one.connect((address_of(server), listener.getsockname()[1]))
        other = keep(listener.accept()[0])
    other.settimeout(PATIENCE)
    one.sendall(b"?")
    assert other.recv(10) == b"?"
    other.sendall(b"!")
    assert one.recv(10) == b"!"
    client.sleep(0.06)  # until nothing is unacknowledged
    return one, other


def datagrams(keep: Keep, host: Network, port: int = 0, timeout: float = PATIENCE) -> Socket:
    """A UDP socket of a host, bound to a port of every address."""
    sock = keep(host.socket(type=DGRAM))
    sock.bind(("", port))
    sock.settimeout(timeout)
    return sock


def timed(host: Network, call: Callable[..., Any], *args: Any) -> Timed:
    """What a call gave, and how many seconds that took."""
    begun = host.monotonic()
    gave = outcome(call, *args)
    return gave, host.monotonic() - begun


class about:
    """Roughly so many seconds: not earlier, and later by as much as the backend may be late.

    The kernel's timers are late by some percent, and its machine may be busy; virtual time is not.
    """

    late = 0.0

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, float):
            return NotImplemented
        return self.seconds * 0.95 - 0.05 <= other <= self.seconds * 1.05 + self.late

    def __repr__(self) -> str:
        return f"about {self.seconds} s"


def side_by_side(host: Network, calls: Sequence[Callable[[], Any]]) -> list[Any]:
    """What several calls return that wait at the same time."""
    tasks = [host.spawn(call) for call in calls]
    return [task.result(PATIENCE) for task in tasks]
