"""Readiness under its other names: POLLRDNORM, POLLWRNORM and the bands."""

from __future__ import annotations

import select
from contextlib import ExitStack

import pytest

from simnet.api import Network, Socket
from tests.conformance.kinds import ALL_PAIRS, CONNECTION_NAMES, PATIENCE, Named, each
from tests.conformance.ready_bits import in_every_state, stand

PATIENCE_MS = PATIENCE * 1000
NORM = select.POLLRDNORM | select.POLLWRNORM
Pair = tuple[Socket, Socket]


def seen(net: Network, sock: Socket, mask: int) -> int:
    """The bits of the mask that poll() gives for the socket now."""
    poller = net.poll()
    poller.register(sock, mask)
    return next((bits for _, bits in poller.poll(0)), 0)


@in_every_state
def test_norm_bits_go_with_in_and_out(
    net: Network, sockets: ExitStack, family: str, state: str, bits: int
) -> None:
    """POLLRDNORM is given just when POLLIN is, and POLLWRNORM just when POLLOUT is."""
    sock = stand(sockets, net, family, state)
    expected = (select.POLLRDNORM if bits & select.POLLIN else 0) | (
        select.POLLWRNORM if bits & select.POLLOUT else 0
    )
    assert seen(net, sock, NORM) & NORM == expected


@in_every_state
def test_the_bands(net: Network, sockets: ExitStack, family: str, state: str, bits: int) -> None:
    """No socket has POLLRDBAND; all but TCP's have POLLWRBAND just when they have POLLOUT."""
    sock = stand(sockets, net, family, state)
    writable = bits & select.POLLOUT and not family.startswith("tcp")
    assert not seen(net, sock, select.POLLRDBAND) & select.POLLRDBAND
    assert bool(seen(net, sock, select.POLLWRBAND) & select.POLLWRBAND) == bool(writable)


@each(ALL_PAIRS)
def test_data_wakes_who_waits_for_rdnorm(net: Network, pair: Pair) -> None:
    """A poll() that waits for POLLRDNORM alone returns when data comes."""
    a, b = pair
    poller = net.poll()
    poller.register(b, select.POLLRDNORM)
    task = net.spawn(poller.poll, PATIENCE_MS)
    assert not task.join(0.05)
    a.send(b"x")
    assert task.result(PATIENCE) == [(b.fileno(), select.POLLRDNORM)]


@each(CONNECTION_NAMES, argument="named")
def test_a_connection_wakes_who_waits_for_rdnorm(
    net: Network, named: Named, sockets: ExitStack, listener: Socket
) -> None:
    """A poll() of a listener that waits for POLLRDNORM alone returns when a connection comes."""
    poller = net.poll()
    poller.register(listener, select.POLLRDNORM)
    task = net.spawn(poller.poll, PATIENCE_MS)
    assert not task.join(0.05)
    sockets.enter_context(named.socket(net)).connect(listener.getsockname())
    assert task.result(PATIENCE) == [(listener.fileno(), select.POLLRDNORM)]


@pytest.mark.parametrize("mask", [select.POLLIN, select.POLLRDNORM, select.POLLRDHUP])
@each([kind for kind in ALL_PAIRS if kind.name.startswith(("tcp", "unix-s"))])
def test_the_peers_end_wakes_who_waits_for_any_sign_of_it(
    net: Network, pair: Pair, mask: int
) -> None:
    """close() of the peer is input, under each of its names."""
    a, b = pair
    poller = net.poll()
    poller.register(b, mask)
    task = net.spawn(poller.poll, PATIENCE_MS)
    assert not task.join(0.05)
    a.close()
    ((_, bits),) = task.result(PATIENCE)
    assert bits & mask
