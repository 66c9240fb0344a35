"""poll(): the bits in every state, masks, timeouts, and the registered descriptors."""

from __future__ import annotations

import math
import select
import socket
from contextlib import ExitStack

import pytest

from simnet.api import Network
from tests.conformance.kinds import (
    ALL_PAIRS,
    CONNECTION_NAMES,
    CONNECTION_PAIRS,
    PATIENCE,
    Kind,
    Named,
    each,
)
from tests.conformance.outcomes import outcome
from tests.conformance.ready_bits import ALL_BITS, ALWAYS, in_every_state, stand

PATIENCE_MS = PATIENCE * 1000


@in_every_state
def test_all_bits(net: Network, sockets: ExitStack, family: str, state: str, bits: int) -> None:
    """Asked for everything, poll() gives the bits of the state."""
    sock = stand(sockets, net, family, state)
    poller = net.poll()
    poller.register(sock, ALL_BITS)
    assert poller.poll(0) == ([(sock.fileno(), bits)] if bits else [])


@in_every_state
def test_only_what_is_asked(
    net: Network, sockets: ExitStack, family: str, state: str, bits: int
) -> None:
    """Each bit is given only if asked for, but POLLERR and POLLHUP always are."""
    sock = stand(sockets, net, family, state)
    poller = net.poll()
    for mask in (0, select.POLLIN, select.POLLOUT, select.POLLPRI, select.POLLRDHUP):
        poller.register(sock, mask)
        seen = bits & (mask | ALWAYS)
        assert poller.poll(0) == ([(sock.fileno(), seen)] if seen else [])


@in_every_state
def test_the_default_mask(
    net: Network, sockets: ExitStack, family: str, state: str, bits: int
) -> None:
    """register() without a mask asks for POLLIN, POLLPRI and POLLOUT."""
    sock = stand(sockets, net, family, state)
    poller = net.poll()
    poller.register(sock.fileno())
    seen = bits & ~select.POLLRDHUP
    assert poller.poll(0) == ([(sock.fileno(), seen)] if seen else [])


@each(ALL_PAIRS)
def test_polling_changes_nothing(net: Network, sockets: ExitStack, kind: Kind) -> None:
    """poll() is level-triggered: it says the same until the data is read."""
    a, b = map(sockets.enter_context, kind.make(net))
    a.send(b"x")
    poller = net.poll()
    poller.register(b, select.POLLIN)
    expected = [(b.fileno(), select.POLLIN)]
    assert poller.poll(PATIENCE_MS) == poller.poll(0) == expected
    b.recv(1)
    assert poller.poll(0) == []


def test_results_come_in_the_order_of_registration(net: Network, sockets: ExitStack) -> None:
    """poll() lists descriptors as they were registered, whatever their numbers."""
    pairs = [net.socketpair() for _ in range(5)]
    ends = [sockets.enter_context(end) for pair in pairs for end in pair]
    order = [ends[i] for i in (7, 2, 9, 0, 4)]
    poller = net.poll()
    for sock in order:
        poller.register(sock, select.POLLOUT)
    assert [number for number, _ in poller.poll(0)] == [sock.fileno() for sock in order]


def test_registering_again_changes_the_mask(net: Network, sockets: ExitStack) -> None:
    """A second register() replaces the mask and keeps the place."""
    a, b = map(sockets.enter_context, net.socketpair())
    poller = net.poll()
    poller.register(a, select.POLLIN)
    poller.register(b, select.POLLOUT)
    poller.register(a, select.POLLOUT)
    assert poller.poll(0) == [(a.fileno(), select.POLLOUT), (b.fileno(), select.POLLOUT)]


def test_modify_changes_the_mask(net: Network, sockets: ExitStack) -> None:
    """modify() replaces the mask of what is registered."""
    a, _ = map(sockets.enter_context, net.socketpair())
    poller = net.poll()
    poller.register(a, select.POLLIN)
    assert poller.poll(0) == []
    poller.modify(a, select.POLLOUT)
    assert poller.poll(0) == [(a.fileno(), select.POLLOUT)]


def test_modify_of_a_stranger_is_not_found(net: Network, sockets: ExitStack) -> None:
    """modify() of what was never registered is ENOENT."""
    a, _ = map(sockets.enter_context, net.socketpair())
    assert outcome(net.poll().modify, a, select.POLLIN) == "ENOENT"


def test_unregister_forgets(net: Network, sockets: ExitStack) -> None:
    """unregister() takes a descriptor out; once more, or of a stranger, is KeyError."""
    a, b = map(sockets.enter_context, net.socketpair())
    poller = net.poll()
    poller.register(a, select.POLLOUT)
    poller.register(b, select.POLLOUT)
    poller.unregister(a)
    assert poller.poll(0) == [(b.fileno(), select.POLLOUT)]
    with pytest.raises(KeyError):
        poller.unregister(a)


def test_an_unregistered_descriptor_may_come_back(net: Network, sockets: ExitStack) -> None:
    """After unregister() a descriptor may be registered again, now as the last."""
    a, b = map(sockets.enter_context, net.socketpair())
    poller = net.poll()
    for sock in (a, b):
        poller.register(sock, select.POLLOUT)
    poller.unregister(a)
    poller.register(a, select.POLLOUT)
    assert [number for number, _ in poller.poll(0)] == [b.fileno(), a.fileno()]


def test_registering_needs_no_open_descriptor(net: Network) -> None:
    """A number that is not open may be registered; poll() then says POLLNVAL."""
    poller = net.poll()
    poller.register(1 << 20, select.POLLIN)
    assert poller.poll(None) == [(1 << 20, select.POLLNVAL)]


def test_a_closed_descriptor_is_invalid(net: Network) -> None:
    """POLLNVAL tells of a descriptor that was closed after it was registered, whatever the mask."""
    a, b = net.socketpair()
    with a, b:
        number = a.fileno()
        poller = net.poll()
        poller.register(a, 0)
    assert poller.poll(None) == [(number, select.POLLNVAL)]


@pytest.mark.parametrize("what", ["text", None, 1.5, object()], ids=str.__name__.format)
def test_only_descriptors_are_registered(net: Network, what: object) -> None:
    """What is no number and has no fileno() is TypeError."""
    poller = net.poll()
    for method in (poller.register, poller.unregister):
        with pytest.raises(TypeError, match="must be an int, or have a fileno"):
            method(what)
    with pytest.raises(TypeError, match="must be an int, or have a fileno"):
        poller.modify(what, 1)


def test_negative_descriptors_are_refused(net: Network) -> None:
    """A negative number is ValueError."""
    with pytest.raises(ValueError, match="cannot be a negative integer"):
        net.poll().register(-1)


def test_a_closed_socket_has_no_descriptor(net: Network) -> None:
    """A closed socket's fileno() is -1, so that registering it is ValueError."""
    sock = net.socket()
    sock.close()
    with pytest.raises(ValueError, match="cannot be a negative integer"):
        net.poll().register(sock)


@pytest.mark.parametrize(
    ("mask", "error"), [(-1, ValueError), (1 << 16, OverflowError), ("IN", TypeError)]
)
def test_a_mask_is_sixteen_bits(
    net: Network, sockets: ExitStack, mask: object, error: type[Exception]
) -> None:
    """An event mask that is no unsigned short is refused, by register() and by modify()."""
    sock = sockets.enter_context(net.socket())
    poller = net.poll()
    with pytest.raises(error):
        poller.register(sock, mask)
    poller.register(sock)
    with pytest.raises(error):
        poller.modify(sock, mask)


class Holder:
    """An object that has a fileno() method, and maybe a wrong one."""

    def __init__(self, number: object) -> None:
        self.number = number

    def fileno(self) -> object:
        return self.number


def test_anything_with_a_fileno_is_registered(net: Network, sockets: ExitStack) -> None:
    """An object whose fileno() gives the number stands for the descriptor."""
    a, _ = map(sockets.enter_context, net.socketpair())
    poller = net.poll()
    poller.register(Holder(a.fileno()), select.POLLOUT)
    assert poller.poll(0) == [(a.fileno(), select.POLLOUT)]
    poller.unregister(a)
    assert poller.poll(0) == []


def test_a_fileno_gives_a_number(net: Network) -> None:
    """A fileno() that returns something else is TypeError."""
    with pytest.raises(TypeError, match="fileno"):
        net.poll().register(Holder("3"))


def test_polling_nothing_waits(net: Network) -> None:
    """Without descriptors poll() just waits for the time given."""
    start = net.monotonic()
    assert net.poll().poll(20) == []
    assert net.monotonic() - start >= 0.02


@pytest.mark.parametrize("timeout", [0, 0.0, 0.4, 1, 1.5, 2.0])
def test_timeouts_are_numbers_of_milliseconds(
    net: Network, sockets: ExitStack, timeout: float
) -> None:
    """Any number is a timeout; what is not ready when it has passed is not listed."""
    a, _ = map(sockets.enter_context, net.socketpair())
    poller = net.poll()
    poller.register(a, select.POLLIN)
    assert poller.poll(timeout) == []


def test_a_fraction_of_a_millisecond_is_rounded_up(net: Network) -> None:
    """poll(1.2) waits two milliseconds, poll(0.1) one."""
    poller = net.poll()
    for asked, least in ((10.2, 0.011), (0.1, 0.001)):
        start = net.monotonic()
        poller.poll(asked)
        assert net.monotonic() - start >= least


@pytest.mark.parametrize("timeout", [None, -1, -0.5, -1000])
def test_no_timeout_waits_for_as_long_as_it_takes(
    net: Network, sockets: ExitStack, timeout: float | None
) -> None:
    """None and every negative number wait until something is ready."""
    a, b = map(sockets.enter_context, net.socketpair())
    poller = net.poll()
    poller.register(a, select.POLLIN)
    task = net.spawn(poller.poll, timeout)
    assert not task.join(0.01)
    b.send(b"x")
    assert task.result(PATIENCE) == [(a.fileno(), select.POLLIN)]


@pytest.mark.parametrize(
    ("timeout", "error"), [("1", TypeError), (1 << 40, OverflowError), (math.nan, ValueError)]
)
def test_a_timeout_is_an_int_of_milliseconds(
    net: Network, timeout: object, error: type[Exception]
) -> None:
    """A timeout that is no number, or too large, is refused."""
    with pytest.raises(error):
        net.poll().poll(timeout)


def test_a_poll_object_is_not_polled_twice_at_once(net: Network, sockets: ExitStack) -> None:
    """A second poll() of an object that is being polled is RuntimeError."""
    a, b = map(sockets.enter_context, net.socketpair())
    poller = net.poll()
    poller.register(a, select.POLLIN)
    task = net.spawn(poller.poll, PATIENCE_MS)
    assert not task.join(0.2)
    with pytest.raises(RuntimeError, match="concurrent poll"):
        poller.poll(0)
    b.send(b"x")
    assert len(task.result(PATIENCE)) == 1


@each(ALL_PAIRS)
def test_data_wakes_a_waiting_poll(net: Network, sockets: ExitStack, kind: Kind) -> None:
    """A poll() that waits ends when data arrives."""
    a, b = map(sockets.enter_context, kind.make(net))
    poller = net.poll()
    poller.register(b, select.POLLIN)
    task = net.spawn(poller.poll, PATIENCE_MS)
    assert not task.join(0.01)
    a.send(b"x")
    assert task.result(PATIENCE) == [(b.fileno(), select.POLLIN)]


@each(CONNECTION_PAIRS)
def test_the_peers_end_wakes_a_waiting_poll(net: Network, sockets: ExitStack, kind: Kind) -> None:
    """A poll() for POLLRDHUP ends when the peer shuts its sending side."""
    a, b = map(sockets.enter_context, kind.make(net))
    poller = net.poll()
    poller.register(b, select.POLLRDHUP)
    task = net.spawn(poller.poll, PATIENCE_MS)
    assert not task.join(0.01)
    a.shutdown(socket.SHUT_WR)
    assert task.result(PATIENCE) == [(b.fileno(), select.POLLRDHUP)]


@each(CONNECTION_PAIRS)
def test_ones_own_shutdown_wakes_a_waiting_poll(
    net: Network, sockets: ExitStack, kind: Kind
) -> None:
    """A poll() ends when another task shuts the polled socket down."""
    a, _ = map(sockets.enter_context, kind.make(net))
    poller = net.poll()
    poller.register(a, select.POLLIN)
    task = net.spawn(poller.poll, PATIENCE_MS)
    assert not task.join(0.01)
    a.shutdown(socket.SHUT_RDWR)
    ((number, bits),) = task.result(PATIENCE)
    assert (number, bits & select.POLLIN) == (a.fileno(), select.POLLIN)


@each(CONNECTION_NAMES, argument="named")
def test_a_client_wakes_a_poll_of_the_listener(
    net: Network, sockets: ExitStack, named: Named
) -> None:
    """A listener becomes readable when somebody connects."""
    listener = sockets.enter_context(named.listening(net))
    poller = net.poll()
    poller.register(listener, select.POLLIN)
    task = net.spawn(poller.poll, PATIENCE_MS)
    assert not task.join(0.01)
    client = sockets.enter_context(named.socket(net))
    client.connect(listener.getsockname())
    assert task.result(PATIENCE) == [(listener.fileno(), select.POLLIN)]


def test_closing_does_not_wake_a_waiting_poll(net: Network, sockets: ExitStack) -> None:
    """A descriptor closed under a poll() that waits shows, as POLLNVAL, only when time is up."""
    a, _ = map(sockets.enter_context, net.socketpair())
    number = a.fileno()
    poller = net.poll()
    poller.register(a, select.POLLIN)
    task = net.spawn(poller.poll, 500)
    assert not task.join(0.02)
    a.close()
    assert task.result(PATIENCE) == [(number, select.POLLNVAL)]
