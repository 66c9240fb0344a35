"""What the unix cases share: the three types, and sockets that close at the end of a case."""

from __future__ import annotations

import socket
from contextlib import ExitStack

import pytest

from simnet.api import Address, Network, Socket
from tests.conformance.kinds import Kind

TYPES = {
    "stream": socket.SOCK_STREAM,
    "dgram": socket.SOCK_DGRAM,
    "seqpacket": socket.SOCK_SEQPACKET,
}
each_type = pytest.mark.parametrize("type", TYPES.values(), ids=TYPES)
each_listening_type = pytest.mark.parametrize(
    "type", [socket.SOCK_STREAM, socket.SOCK_SEQPACKET], ids=["stream", "seqpacket"]
)


def unix(sockets: ExitStack, net: Network, type: int) -> Socket:
    """A fresh unix socket, closed at the end of the case."""
    return sockets.enter_context(net.socket(socket.AF_UNIX, type))


def bound(sockets: ExitStack, net: Network, type: int, address: Address) -> Socket:
    """A unix socket with a name; one that can listen does."""
    sock = unix(sockets, net, type)
    sock.bind(address)
    if type != socket.SOCK_DGRAM:
        sock.listen(4)
    return sock


def opened(sockets: ExitStack, net: Network, kind: Kind) -> tuple[Socket, Socket]:
    """The two ends of a new pair, in non-blocking mode."""
    a, b = kind.make(net)
    for sock in (a, b):
        sockets.enter_context(sock).setblocking(False)
    return a, b
