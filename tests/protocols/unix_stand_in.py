"""What the tests of unix endpoints share: a host that is only what an endpoint asks for."""

from __future__ import annotations

import socket
from typing import Any

from simnet.files import Files
from simnet.protocols.unix import TYPES as KINDS
from simnet.protocols.unix import UnixEndpoint, UnixNames, connect_pair, create
from simnet.protocols.unix_connection import UnixConnection

STREAM, DGRAM, SEQPACKET = (
    int(socket.SOCK_STREAM),
    int(socket.SOCK_DGRAM),
    int(socket.SOCK_SEQPACKET),
)
TYPES = {"stream": STREAM, "dgram": DGRAM, "seqpacket": SEQPACKET}


class StandIn:
    """A host without a world."""

    def __init__(self) -> None:
        self.numbers = 0
        self.files = Files()
        self.unix_names = UnixNames(self.files)
        self.unix_kinds = KINDS

    def next_socket_number(self) -> int:
        self.numbers += 1
        return self.numbers

    def credentials(self) -> tuple[int, int, int]:
        return (7, 1000, 1000)


def unix(type: int, host: Any = None) -> UnixEndpoint:
    """A new endpoint with one descriptor."""
    chosen: Any = host or StandIn()
    endpoint = create(chosen, type)
    endpoint.hold()
    return endpoint


def pair(type: int, host: Any = None) -> tuple[UnixEndpoint, UnixEndpoint]:
    """Two new endpoints, connected."""
    host = host or StandIn()
    a, b = unix(type, host), unix(type, host)
    connect_pair(a, b)
    return a, b


def listener(type: int, host: Any, backlog: int = 0) -> UnixConnection:
    """A listening endpoint with an abstract name."""
    endpoint = unix(type, host)
    assert isinstance(endpoint, UnixConnection)
    endpoint.bind(None)
    endpoint.listen(backlog)
    return endpoint


class Waiter:
    """Counts how often it is woken."""

    def __init__(self, mask: int, exclusive: bool = True) -> None:
        self.mask = mask
        self.exclusive = self.in_line = exclusive
        self.woken = 0

    def wake(self, bits: int) -> None:
        self.woken += 1
