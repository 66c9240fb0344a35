"""The selectors module's selector: events in every state, keys, the map, waiting."""

from __future__ import annotations

import select
import selectors
from contextlib import ExitStack

import pytest

from simnet.api import Network
from tests.conformance.kinds import ALL_PAIRS, PATIENCE, Kind, each
from tests.conformance.ready_bits import in_every_state, stand

READ, WRITE = selectors.EVENT_READ, selectors.EVENT_WRITE


@pytest.fixture
def selector(net: Network, sockets: ExitStack) -> selectors.BaseSelector:
    """A selector of the network, closed at the end of the case."""
    return sockets.enter_context(net.selector())


@pytest.mark.parametrize("asked", [READ, WRITE, READ | WRITE], ids=["read", "write", "both"])
@in_every_state
def test_events(
    net: Network,
    sockets: ExitStack,
    selector: selectors.BaseSelector,
    family: str,
    state: str,
    bits: int,
    asked: int,
) -> None:
    """POLLHUP and POLLERR count as whatever was asked for."""
    sock = stand(sockets, net, family, state)
    key = selector.register(sock, asked)
    either = bool(bits & (select.POLLHUP | select.POLLERR))
    events = READ * bool(either or bits & select.POLLIN)
    events |= WRITE * bool(either or bits & select.POLLOUT)
    assert selector.select(0) == ([(key, events & asked)] if events & asked else [])


def test_a_key_says_what_was_registered(
    net: Network, sockets: ExitStack, selector: selectors.BaseSelector
) -> None:
    """register() gives (fileobj, fd, events, data), which get_key() finds by object and number."""
    a, _ = map(sockets.enter_context, net.socketpair())
    key = selector.register(a, READ, data="mine")
    assert key == (a, a.fileno(), READ, "mine")
    assert selector.get_key(a) == selector.get_key(a.fileno()) == key
    assert list(selector.get_map()) == [a.fileno()]


def test_registering_twice_is_a_key_error(
    net: Network, sockets: ExitStack, selector: selectors.BaseSelector
) -> None:
    """A descriptor is registered once; unknown ones are KeyError too."""
    a, b = map(sockets.enter_context, net.socketpair())
    selector.register(a, READ)
    with pytest.raises(KeyError, match="is already registered"):
        selector.register(a.fileno(), WRITE)
    for call in (selector.unregister, selector.get_key):
        with pytest.raises(KeyError):
            call(b)
    with pytest.raises(KeyError):
        selector.modify(b, READ)


@pytest.mark.parametrize("events", [0, 4, -1])
def test_events_are_read_and_write(
    net: Network, sockets: ExitStack, selector: selectors.BaseSelector, events: int
) -> None:
    """Other events are ValueError."""
    a, _ = map(sockets.enter_context, net.socketpair())
    with pytest.raises(ValueError, match="Invalid events"):
        selector.register(a, events)


def test_a_closed_socket_is_not_registered(net: Network, selector: selectors.BaseSelector) -> None:
    """A closed socket has no descriptor: ValueError."""
    sock = net.socket()
    sock.close()
    with pytest.raises(ValueError, match="Invalid file descriptor"):
        selector.register(sock, READ)


def test_modify_changes_events_and_data(
    net: Network, sockets: ExitStack, selector: selectors.BaseSelector
) -> None:
    """modify() replaces events and data of a registered object."""
    a, _ = map(sockets.enter_context, net.socketpair())
    selector.register(a, READ, "old")
    assert selector.select(0) == []
    key = selector.modify(a, WRITE, "new")
    assert selector.select(0) == [(key, WRITE)]
    assert key.data == "new"


def test_unregister_forgets(
    net: Network, sockets: ExitStack, selector: selectors.BaseSelector
) -> None:
    """unregister() returns the key, and the object is not reported any more."""
    a, _ = map(sockets.enter_context, net.socketpair())
    key = selector.register(a, WRITE)
    assert selector.unregister(a) == key
    assert selector.select(0) == []


def test_a_socket_may_be_unregistered_after_close(
    net: Network, selector: selectors.BaseSelector
) -> None:
    """A closed socket is found by the object that was registered."""
    a, b = net.socketpair()
    with a, b:
        key = selector.register(a, READ)
    assert selector.select(0) == []
    assert selector.unregister(a) == key


@pytest.mark.parametrize("timeout", [0, -1, -0.5])
def test_no_time_does_not_wait(
    net: Network, sockets: ExitStack, selector: selectors.BaseSelector, timeout: float
) -> None:
    """A timeout of zero or less just looks."""
    a, _ = map(sockets.enter_context, net.socketpair())
    selector.register(a, READ)
    assert selector.select(timeout) == []


def test_a_timeout_is_waited_for(net: Network, selector: selectors.BaseSelector) -> None:
    """select(timeout) with nothing ready returns when that time has passed."""
    start = net.monotonic()
    assert selector.select(0.02) == []
    assert net.monotonic() - start >= 0.02


@each(ALL_PAIRS)
@pytest.mark.parametrize("timeout", [None, PATIENCE])
def test_data_wakes_a_waiting_selector(
    net: Network,
    sockets: ExitStack,
    selector: selectors.BaseSelector,
    kind: Kind,
    timeout: float | None,
) -> None:
    """A select() that waits ends when data arrives."""
    a, b = map(sockets.enter_context, kind.make(net))
    key = selector.register(b, READ)
    task = net.spawn(selector.select, timeout)
    assert not task.join(0.01)
    a.send(b"x")
    assert task.result(PATIENCE) == [(key, READ)]


def test_a_closed_selector_is_of_no_use(net: Network, sockets: ExitStack) -> None:
    """After close() there is no map, and its methods fail."""
    a, _ = map(sockets.enter_context, net.socketpair())
    with net.selector() as selector:
        selector.register(a, READ)
    assert selector.get_map() is None
    with pytest.raises(RuntimeError, match="Selector is closed"):
        selector.get_key(a)
    with pytest.raises((KeyError, RuntimeError, TypeError)):
        selector.unregister(a)
