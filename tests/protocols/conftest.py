"""A machine under test, and a peer that says what the test says."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import attrs
import pytest

from simnet.api import Socket
from simnet.host import Host
from simnet.world import World
from tests.protocols.conversation import Keep, Limit, Peer


@pytest.fixture
def keep() -> Iterator[Keep]:
    """`keep(sock)` is `sock`, closed in the end."""
    with ExitStack() as stack:
        yield stack.enter_context


@pytest.fixture
def world() -> Iterator[World]:
    """A world without short cuts."""
    with World(shortcut=False) as world:
        yield world


@pytest.fixture
def host(world: World) -> Host:
    """The machine under test."""
    return world.host("host")


@pytest.fixture
def limit(host: Host) -> Limit:
    """`limit(tcp_retries2=1)` changes limits of the machine under test."""

    def change(**limits: Any) -> None:
        host.limits = attrs.evolve(host.limits, **limits)

    return change


@pytest.fixture
def peer(world: World, host: Host) -> Peer:
    """The machine that says what the test says."""
    return Peer(world, host)


@pytest.fixture
def listener(host: Host, keep: Keep) -> Socket:
    """A server on the machine under test."""
    return keep(host.create_server((host.addresses[0], 8080)))


@pytest.fixture
def conn(peer: Peer, listener: Socket, keep: Keep) -> Socket:
    """A connection that the peer made to the server; non-blocking."""
    return keep(peer.connect(listener))


@pytest.fixture
def sock(host: Host, keep: Keep) -> Socket:
    """A fresh socket."""
    return keep(host.socket())
