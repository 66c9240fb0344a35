"""epoll: the bits in every state, and how an interest is registered, changed and forgotten."""

from __future__ import annotations

import math
import select
from contextlib import ExitStack
from typing import Any

import pytest

from simnet.api import Network, Socket
from tests.conformance.kinds import ALL_PAIRS, PATIENCE, Kind, each
from tests.conformance.outcomes import outcome
from tests.conformance.ready_bits import ALL_BITS, ALWAYS, in_every_state, stand

READ, WRITE = select.EPOLLIN, select.EPOLLOUT


@pytest.fixture
def epoll(net: Network, sockets: ExitStack) -> Any:
    """An epoll object, closed at the end of the case."""
    return sockets.enter_context(net.epoll())


@pytest.fixture
def ends(net: Network, sockets: ExitStack) -> tuple[Socket, Socket]:
    """A connected pair, non-blocking."""
    a, b = map(sockets.enter_context, net.socketpair())
    a.setblocking(False)
    b.setblocking(False)
    return a, b


@in_every_state
def test_all_bits(
    net: Network, sockets: ExitStack, epoll: Any, family: str, state: str, bits: int
) -> None:
    """Asked for everything, epoll gives the bits that poll() gives."""
    sock = stand(sockets, net, family, state)
    epoll.register(sock, ALL_BITS)
    assert epoll.poll(0) == ([(sock.fileno(), bits)] if bits else [])


@in_every_state
def test_only_what_is_asked(
    net: Network, sockets: ExitStack, epoll: Any, family: str, state: str, bits: int
) -> None:
    """Each bit is given only if asked for, but EPOLLERR and EPOLLHUP always are."""
    sock = stand(sockets, net, family, state)
    epoll.register(sock, 0)
    for mask in (0, READ, WRITE, select.EPOLLPRI, select.EPOLLRDHUP):
        epoll.modify(sock, mask)
        seen = bits & (mask | ALWAYS)
        assert epoll.poll(0) == ([(sock.fileno(), seen)] if seen else [])


@in_every_state
def test_an_edge_is_told_once(
    net: Network, sockets: ExitStack, epoll: Any, family: str, state: str, bits: int
) -> None:
    """With EPOLLET the bits of the state are given once, and no more while nothing happens."""
    sock = stand(sockets, net, family, state)
    epoll.register(sock, ALL_BITS | select.EPOLLET)
    assert epoll.poll(0) == ([(sock.fileno(), bits)] if bits else [])
    assert epoll.poll(0) == []


def test_the_default_mask(epoll: Any, ends: tuple[Socket, Socket]) -> None:
    """register() without a mask asks for EPOLLIN, EPOLLPRI and EPOLLOUT."""
    a, b = ends
    b.send(b"x")
    b.close()
    epoll.register(a)
    assert epoll.poll(0) == [(a.fileno(), READ | WRITE | select.EPOLLHUP)]


@each(ALL_PAIRS)
def test_a_level_is_told_until_it_ends(
    net: Network, sockets: ExitStack, epoll: Any, kind: Kind
) -> None:
    """Without EPOLLET a readable socket is reported until it is read."""
    a, b = map(sockets.enter_context, kind.make(net))
    epoll.register(b, READ)
    a.send(b"x")
    assert epoll.poll(PATIENCE) == epoll.poll(0) == [(b.fileno(), READ)]
    b.recv(1)
    assert epoll.poll(0) == []


def test_a_descriptor_is_registered_once(epoll: Any, ends: tuple[Socket, Socket]) -> None:
    """register() again is EEXIST; modify() and unregister() of a stranger ENOENT."""
    a, b = ends
    epoll.register(a, READ)
    assert outcome(epoll.register, a, WRITE) == "EEXIST"
    assert outcome(epoll.modify, b, READ) == "ENOENT"
    assert outcome(epoll.unregister, b) == "ENOENT"


def test_a_forgotten_descriptor_may_come_back(epoll: Any, ends: tuple[Socket, Socket]) -> None:
    """unregister() forgets, so that register() works again."""
    a, _ = ends
    epoll.register(a, WRITE)
    epoll.unregister(a)
    assert epoll.poll(0) == []
    assert outcome(epoll.unregister, a) == "ENOENT"
    epoll.register(a, WRITE)
    assert epoll.poll(0) == [(a.fileno(), WRITE)]


def test_modify_changes_the_mask(epoll: Any, ends: tuple[Socket, Socket]) -> None:
    """modify() replaces the mask."""
    a, _ = ends
    epoll.register(a, READ)
    assert epoll.poll(0) == []
    epoll.modify(a, WRITE)
    assert epoll.poll(0) == [(a.fileno(), WRITE)]


@pytest.mark.parametrize("method", ["register", "modify", "unregister"])
def test_a_number_that_is_not_open_is_bad(epoll: Any, method: str) -> None:
    """A descriptor that is not open is EBADF, whatever is asked."""
    arguments = [READ] if method != "unregister" else []
    assert outcome(getattr(epoll, method), 1 << 20, *arguments) == "EBADF"


@pytest.mark.parametrize("method", ["register", "modify", "unregister"])
def test_a_closed_socket_has_no_descriptor(net: Network, epoll: Any, method: str) -> None:
    """A closed socket's fileno() is -1: ValueError."""
    sock = net.socket()
    sock.close()
    arguments = [READ] if method != "unregister" else []
    with pytest.raises(ValueError, match="cannot be a negative integer"):
        getattr(epoll, method)(sock, *arguments)


@pytest.mark.parametrize("wrong", ["text", None, 1.5, object()])
def test_only_descriptors_are_registered(epoll: Any, wrong: object) -> None:
    """What is no number and has no fileno() is TypeError."""
    with pytest.raises(TypeError, match="fileno"):
        epoll.register(wrong, READ)


@pytest.mark.parametrize("mask", ["IN", None, 1.5])
def test_a_mask_is_a_number(epoll: Any, ends: tuple[Socket, Socket], mask: Any) -> None:
    """A mask that is no number is TypeError."""
    a, _ = ends
    with pytest.raises(TypeError):
        epoll.register(a, mask)


def test_a_mask_keeps_its_low_32_bits(epoll: Any, ends: tuple[Socket, Socket]) -> None:
    """Bits above the 32nd are dropped; all bits at once are EINVAL, as EPOLLEXCLUSIVE is there."""
    a, _ = ends
    assert outcome(epoll.register, a, -1) == "EINVAL"
    epoll.register(a, (1 << 32) | WRITE)
    assert epoll.poll(0) == [(a.fileno(), WRITE)]


def test_closing_the_last_descriptor_forgets(epoll: Any, ends: tuple[Socket, Socket]) -> None:
    """A closed socket is not reported, and its number may be registered for its successor."""
    a, b = ends
    epoll.register(a, WRITE)
    epoll.register(b, WRITE)
    a.close()
    assert epoll.poll(0) == [(b.fileno(), WRITE | select.EPOLLHUP)]


def test_an_interest_is_in_the_open_socket(epoll: Any, ends: tuple[Socket, Socket]) -> None:
    """While a dup() is open, a closed descriptor is still reported, under its old number."""
    a, b = ends
    number = a.fileno()
    epoll.register(a, READ)
    with a.dup():
        a.close()
        b.send(b"x")
        assert epoll.poll(0) == [(number, READ)]
        assert outcome(epoll.unregister, number) == "EBADF"
    assert epoll.poll(0) == []


def test_a_dup_is_registered_apart(epoll: Any, ends: tuple[Socket, Socket]) -> None:
    """A descriptor and its dup() are two interests, each with its mask."""
    a, _ = ends
    with a.dup() as copy:
        epoll.register(a, READ | WRITE)
        epoll.register(copy, WRITE)
        assert sorted(epoll.poll(0)) == sorted([(a.fileno(), WRITE), (copy.fileno(), WRITE)])


def test_a_number_used_again_is_another_socket(
    net: Network, sockets: ExitStack, epoll: Any
) -> None:
    """A new socket that got an old number does not inherit its interest."""
    a, b = net.socketpair()
    with a, b:
        epoll.register(a, WRITE)
        epoll.register(b, WRITE)
    for sock in net.socketpair():
        sockets.enter_context(sock)
        assert outcome(epoll.unregister, sock) == "ENOENT"
    assert epoll.poll(0) == []


def test_descriptors_are_told_as_they_became_ready(net: Network, sockets: ExitStack) -> None:
    """Other than poll(), epoll lists sockets in the order in which they became ready."""
    epoll = sockets.enter_context(net.epoll())
    pairs = [tuple(map(sockets.enter_context, net.socketpair())) for _ in range(5)]
    for _, b in pairs:
        epoll.register(b, READ)
    order = [3, 0, 4, 1, 2]
    for number in order:
        pairs[number][0].send(b"x")
    assert [number for number, _ in epoll.poll(0)] == [pairs[n][1].fileno() for n in order]


def test_what_is_ready_at_once_is_told_as_registered(net: Network, sockets: ExitStack) -> None:
    """Sockets that are ready when registered are listed in the order of registration."""
    epoll = sockets.enter_context(net.epoll())
    ends = [sockets.enter_context(end) for _ in range(3) for end in net.socketpair()]
    order = [ends[i] for i in (4, 1, 5, 0)]
    for sock in order:
        epoll.register(sock, WRITE)
    assert [number for number, _ in epoll.poll(0)] == [sock.fileno() for sock in order]


def test_a_small_answer_takes_turns(net: Network, sockets: ExitStack) -> None:
    """With maxevents every ready socket has its turn."""
    epoll = sockets.enter_context(net.epoll())
    ends = [sockets.enter_context(end) for _ in range(2) for end in net.socketpair()]
    for sock in ends:
        epoll.register(sock, WRITE)
    a, b, c, d = (sock.fileno() for sock in ends)
    told = [[number for number, _ in epoll.poll(0, 3)] for _ in range(4)]
    assert told == [[a, b, c], [d, a, b], [c, d, a], [b, c, d]]


@pytest.mark.parametrize("maxevents", [0, -2])
def test_an_answer_has_room_for_one(epoll: Any, maxevents: int) -> None:
    """maxevents is positive, or -1 for the default: otherwise ValueError."""
    with pytest.raises(ValueError, match="maxevents must be greater than 0"):
        epoll.poll(0, maxevents)
    assert epoll.poll(0, -1) == []


def test_timeouts_may_be_given_by_name(epoll: Any) -> None:
    """poll() takes timeout and maxevents as keywords."""
    assert epoll.poll(timeout=0, maxevents=1) == []


@pytest.mark.parametrize("timeout", [0.02, 0.0195])
def test_a_timeout_is_waited_for(net: Network, epoll: Any, timeout: float) -> None:
    """epoll's timeouts are seconds, rounded up to milliseconds."""
    start = net.monotonic()
    assert epoll.poll(timeout) == []
    assert net.monotonic() - start >= timeout


@pytest.mark.parametrize("timeout", [None, -1, -0.001])
def test_no_timeout_waits_for_as_long_as_it_takes(
    net: Network, epoll: Any, ends: tuple[Socket, Socket], timeout: float | None
) -> None:
    """None and every negative number wait until something is ready."""
    a, b = ends
    epoll.register(a, READ)
    task = net.spawn(epoll.poll, timeout)
    assert not task.join(0.01)
    b.send(b"x")
    assert task.result(PATIENCE) == [(a.fileno(), READ)]


@pytest.mark.parametrize(
    ("timeout", "error"), [("1", TypeError), (1e300, OverflowError), (math.nan, ValueError)]
)
def test_a_timeout_is_a_number_of_seconds(epoll: Any, timeout: Any, error: type[Exception]) -> None:
    """A timeout that is no number, or too large, is refused."""
    with pytest.raises(error):
        epoll.poll(timeout)


def test_a_registration_wakes_a_waiting_poll(
    net: Network, epoll: Any, ends: tuple[Socket, Socket]
) -> None:
    """A socket that is registered while another task waits ends the wait if it is ready."""
    a, _ = ends
    task = net.spawn(epoll.poll, PATIENCE)
    assert not task.join(0.01)
    epoll.register(a, WRITE)
    assert task.result(PATIENCE) == [(a.fileno(), WRITE)]


def test_a_modification_wakes_a_waiting_poll(
    net: Network, epoll: Any, ends: tuple[Socket, Socket]
) -> None:
    """modify() to something that is ready ends another task's wait."""
    a, _ = ends
    epoll.register(a, READ)
    task = net.spawn(epoll.poll, PATIENCE)
    assert not task.join(0.01)
    epoll.modify(a, WRITE)
    assert task.result(PATIENCE) == [(a.fileno(), WRITE)]


@each(ALL_PAIRS)
def test_data_wakes_a_waiting_poll(
    net: Network, sockets: ExitStack, epoll: Any, kind: Kind
) -> None:
    """A poll that waits ends when data arrives."""
    a, b = map(sockets.enter_context, kind.make(net))
    epoll.register(b, READ)
    task = net.spawn(epoll.poll, PATIENCE)
    assert not task.join(0.01)
    a.send(b"x")
    assert task.result(PATIENCE) == [(b.fileno(), READ)]


def test_an_epoll_object_closes(net: Network) -> None:
    """closed, fileno() and every method say that an epoll object was closed; twice is harmless."""
    epoll = net.epoll()
    assert (epoll.closed, epoll.fileno() >= 0) == (False, True)
    epoll.close()
    epoll.close()
    assert epoll.closed
    for call in (epoll.fileno, epoll.poll, lambda: epoll.register(0, READ), epoll.__enter__):
        with pytest.raises(ValueError, match="I/O operation on closed epoll object"):
            call()


def test_a_with_block_closes(net: Network) -> None:
    """An epoll object is a context manager."""
    with net.epoll() as epoll:
        assert not epoll.closed
    assert epoll.closed


@pytest.mark.parametrize("sizehint", [0, -2])
def test_a_size_hint_is_positive(net: Network, sizehint: int) -> None:
    """epoll(sizehint) is -1 or positive: otherwise ValueError."""
    with pytest.raises(ValueError, match="negative sizehint"):
        net.epoll(sizehint)


def test_flags_are_cloexec_or_nothing(net: Network) -> None:
    """The only flag is EPOLL_CLOEXEC; another is an OSError without an errno."""
    net.epoll(1, select.EPOLL_CLOEXEC).close()
    with pytest.raises(OSError, match="invalid flags"):
        net.epoll(-1, 12345)
