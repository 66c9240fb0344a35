"""Kinds: a description and a maker. Test bodies ask for a kind of socket, never for a family.

A wrapper makes a new kind out of another (its two ends swapped, an option set), so that one body
covers many situations.
"""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterable
from typing import Any

import attrs
import pytest

from simnet.api import Address, Network, Socket

# What a test waits for before it gives up on the kernel; virtual time costs nothing.
PATIENCE = 5.0


@attrs.frozen
class Kind:
    """A connected pair: its name, its family and type, and how to make one."""

    name: str
    family: int
    type: int
    make: Callable[[Network], tuple[Socket, Socket]]


@attrs.frozen
class Named:
    """An unconnected socket of a family and type, and fresh addresses that it may bind to."""

    name: str
    family: int
    type: int
    fresh_address: Callable[[Network], Address]

    def socket(self, net: Network) -> Socket:
        """A new socket of this kind."""
        return net.socket(self.family, self.type)

    def bound(self, net: Network) -> Socket:
        """A new socket that has a name."""
        sock = self.socket(net)
        sock.bind(self.fresh_address(net))
        return sock

    def listening(self, net: Network, backlog: int = 8) -> Socket:
        """A new socket that accepts connections."""
        sock = self.bound(net)
        sock.listen(backlog)
        return sock


def unix_path(net: Network) -> str:
    """A path in a directory of its own."""
    return f"{net.files.tempdir()}/s"


STREAM_NAMES = [
    Named("tcp4", socket.AF_INET, socket.SOCK_STREAM, lambda net: ("127.0.0.1", 0)),
    Named("tcp6", socket.AF_INET6, socket.SOCK_STREAM, lambda net: ("::1", 0)),
    Named("unix-stream-path", socket.AF_UNIX, socket.SOCK_STREAM, unix_path),
    Named("unix-stream-abstract", socket.AF_UNIX, socket.SOCK_STREAM, lambda net: ""),
]
SEQPACKET_NAMES = [
    Named("unix-seqpacket-path", socket.AF_UNIX, socket.SOCK_SEQPACKET, unix_path),
    Named("unix-seqpacket-abstract", socket.AF_UNIX, socket.SOCK_SEQPACKET, lambda net: ""),
]
DATAGRAM_NAMES = [
    Named("udp4", socket.AF_INET, socket.SOCK_DGRAM, lambda net: ("127.0.0.1", 0)),
    Named("udp6", socket.AF_INET6, socket.SOCK_DGRAM, lambda net: ("::1", 0)),
    Named("unix-dgram-path", socket.AF_UNIX, socket.SOCK_DGRAM, unix_path),
    Named("unix-dgram-abstract", socket.AF_UNIX, socket.SOCK_DGRAM, lambda net: ""),
]
TCP_NAMES = STREAM_NAMES[:2]
UDP_NAMES = DATAGRAM_NAMES[:2]
_NAMES = STREAM_NAMES + SEQPACKET_NAMES + DATAGRAM_NAMES
UNIX_NAMES = [named for named in _NAMES if named.family == socket.AF_UNIX]
CONNECTION_NAMES = STREAM_NAMES + SEQPACKET_NAMES
ALL_NAMES = CONNECTION_NAMES + DATAGRAM_NAMES


def accepted(named: Named) -> Kind:
    """The pair (connecting end, accepted end) over a listener that is closed again."""

    def make(net: Network) -> tuple[Socket, Socket]:
        listener = named.listening(net)
        client = named.socket(net)
        client.connect(listener.getsockname())
        server, _ = listener.accept()
        listener.close()
        return client, server

    return Kind(named.name, named.family, named.type, make)


def cross_connected(named: Named) -> Kind:
    """Two datagram sockets, each bound and connected to the other."""

    def make(net: Network) -> tuple[Socket, Socket]:
        a, b = named.bound(net), named.bound(net)
        a.connect(b.getsockname())
        b.connect(a.getsockname())
        return a, b

    return Kind(named.name, named.family, named.type, make)


def unix_pair(name: str, type: int) -> Kind:
    """socketpair() of unix sockets."""
    return Kind(name, socket.AF_UNIX, type, lambda net: net.socketpair(socket.AF_UNIX, type))


def reversed_kind(kind: Kind) -> Kind:
    """The same pair with its ends swapped."""

    def make(net: Network) -> tuple[Socket, Socket]:
        a, b = kind.make(net)
        return b, a

    return attrs.evolve(kind, name=f"{kind.name}-reversed", make=make)


def with_option(kind: Kind, level: int, option: int, value: int, text: str) -> Kind:
    """The same pair with an option set on both ends."""

    def make(net: Network) -> tuple[Socket, Socket]:
        pair = kind.make(net)
        for sock in pair:
            sock.setsockopt(level, option, value)
        return pair

    return attrs.evolve(kind, name=f"{kind.name}-{text}", make=make)


def with_both_directions(kinds: Iterable[Kind]) -> list[Kind]:
    """Each kind and its reverse."""
    return [each for kind in kinds for each in (kind, reversed_kind(kind))]


TCP_PAIRS = [accepted(named) for named in TCP_NAMES]
UNIX_STREAM_PAIRS = [
    *(accepted(named) for named in STREAM_NAMES if named.family == socket.AF_UNIX),
    unix_pair("unix-stream-pair", socket.SOCK_STREAM),
]
STREAM_PAIRS = TCP_PAIRS + UNIX_STREAM_PAIRS
SEQPACKET_PAIRS = [
    *(accepted(named) for named in SEQPACKET_NAMES),
    unix_pair("unix-seqpacket-pair", socket.SOCK_SEQPACKET),
]
UDP_PAIRS = [cross_connected(named) for named in UDP_NAMES]
UNIX_DATAGRAM_PAIRS = [
    *(cross_connected(named) for named in DATAGRAM_NAMES if named.family == socket.AF_UNIX),
    unix_pair("unix-dgram-pair", socket.SOCK_DGRAM),
]
DATAGRAM_PAIRS = UDP_PAIRS + UNIX_DATAGRAM_PAIRS
CONNECTION_PAIRS = STREAM_PAIRS + SEQPACKET_PAIRS
MESSAGE_PAIRS = SEQPACKET_PAIRS + DATAGRAM_PAIRS
ALL_PAIRS = CONNECTION_PAIRS + DATAGRAM_PAIRS


def each(*groups: Iterable[Any], argument: str = "kind") -> pytest.MarkDecorator:
    """Run the case once for each kind of the groups."""
    kinds = [kind for group in groups for kind in group]
    return pytest.mark.parametrize(argument, kinds, ids=[kind.name for kind in kinds])


def unused_port(net: Network, type: int) -> int:
    """A port that is free on every address, for cases that bind several addresses to one port.

    What bind() chooses for one address may be held on another one, by the remnants of earlier
    connections for instance. The dual wildcard overlaps them all.
    """
    with net.socket(socket.AF_INET6, type) as sock:
        sock.bind(("::", 0))
        port: int = sock.getsockname()[1]
        return port


@attrs.frozen
class Option:
    """A socket option: who has it, its value on a fresh socket, what each value reads back as."""

    name: str
    level: int
    number: int
    kinds: list[Named]
    default: Any
    sets: dict[int, int | str] = attrs.field(factory=dict)
    privileged: bool = False  # whether setting it takes a capability


def each_option(options: Iterable[Option]) -> pytest.MarkDecorator:
    """Run the case for each option on each kind of socket that has it, as `named` and `option`."""
    rows = [(named, option) for option in options for named in option.kinds]
    return pytest.mark.parametrize(
        ("named", "option"), rows, ids=[f"{o.name}-{n.name}" for n, o in rows]
    )
