"""epoll's ways to tell: edges, one shot, exclusive waiters, and epoll inside epoll."""

from __future__ import annotations

import select
import socket
from contextlib import ExitStack
from typing import Any

import pytest

from simnet.api import Network, Socket
from tests.conformance.kinds import ALL_PAIRS, CONNECTION_PAIRS, PATIENCE, Kind, each
from tests.conformance.outcomes import fill, outcome

READ, WRITE, EDGE = select.EPOLLIN, select.EPOLLOUT, select.EPOLLET
ONE_SHOT, EXCLUSIVE = select.EPOLLONESHOT, select.EPOLLEXCLUSIVE


@pytest.fixture
def epoll(net: Network, sockets: ExitStack) -> Any:
    """An epoll object, closed at the end of the case."""
    return sockets.enter_context(net.epoll())


def pair(net: Network, sockets: ExitStack, kind: Kind) -> tuple[Socket, Socket]:
    """A connected pair, non-blocking."""
    a, b = map(sockets.enter_context, kind.make(net))
    a.setblocking(False)
    b.setblocking(False)
    return a, b


@each(ALL_PAIRS)
def test_each_arrival_is_an_edge(net: Network, sockets: ExitStack, epoll: Any, kind: Kind) -> None:
    """With EPOLLET every new segment or message is told, even if nothing was read between."""
    a, b = pair(net, sockets, kind)
    epoll.register(b, READ | EDGE)
    for _ in range(3):
        a.send(b"x")
        assert epoll.poll(PATIENCE) == [(b.fileno(), READ)]
        assert epoll.poll(0) == []


@each(ALL_PAIRS)
def test_a_partial_read_is_no_edge(
    net: Network, sockets: ExitStack, epoll: Any, kind: Kind
) -> None:
    """With EPOLLET reading a part of what is there does not tell of the rest."""
    a, b = pair(net, sockets, kind)
    epoll.register(b, READ | EDGE)
    a.send(b"one")
    a.send(b"two")
    assert epoll.poll(PATIENCE) == [(b.fileno(), READ)]
    b.recv(1)
    assert epoll.poll(0) == []


@each(ALL_PAIRS)
def test_modify_tells_an_edge_again(
    net: Network, sockets: ExitStack, epoll: Any, kind: Kind
) -> None:
    """With EPOLLET modify() tells of what is there, as register() does."""
    a, b = pair(net, sockets, kind)
    a.send(b"x")
    epoll.register(b, READ | EDGE)
    assert epoll.poll(PATIENCE) == [(b.fileno(), READ)]
    epoll.modify(b, READ | EDGE)
    assert epoll.poll(0) == [(b.fileno(), READ)]
    assert epoll.poll(0) == []


@each(CONNECTION_PAIRS)
def test_the_end_is_an_edge(net: Network, sockets: ExitStack, epoll: Any, kind: Kind) -> None:
    """With EPOLLET the peer's SHUT_WR is told once, with EPOLLRDHUP if asked for."""
    a, b = pair(net, sockets, kind)
    epoll.register(b, READ | select.EPOLLRDHUP | EDGE)
    a.shutdown(socket.SHUT_WR)
    assert epoll.poll(PATIENCE) == [(b.fileno(), READ | select.EPOLLRDHUP)]
    assert epoll.poll(0) == []


@each(CONNECTION_PAIRS)
def test_room_is_an_edge(net: Network, sockets: ExitStack, epoll: Any, kind: Kind) -> None:
    """With EPOLLET a sender that was full is told once the peer has read it all."""
    a, b = pair(net, sockets, kind)
    epoll.register(a, WRITE | EDGE)
    assert epoll.poll(0) == [(a.fileno(), WRITE)]
    fill(a, b"x" * 4096)
    while not (ready := epoll.poll(0)):
        with_data(net, b).recv(1 << 20)
    assert ready == [(a.fileno(), WRITE)]


def with_data(net: Network, sock: Socket) -> Socket:
    """The socket, once it is readable."""
    assert net.select([sock], [], [], PATIENCE)[0]
    return sock


@each(ALL_PAIRS)
def test_one_shot_is_told_once_until_it_is_armed_again(
    net: Network, sockets: ExitStack, epoll: Any, kind: Kind
) -> None:
    """With EPOLLONESHOT nothing more is told, new data included, before modify()."""
    a, b = pair(net, sockets, kind)
    epoll.register(b, READ | ONE_SHOT)
    a.send(b"x")
    assert epoll.poll(PATIENCE) == [(b.fileno(), READ)]
    a.send(b"y")
    assert epoll.poll(0) == []
    assert outcome(epoll.register, b, READ) == "EEXIST"
    epoll.modify(b, READ | ONE_SHOT)
    assert epoll.poll(PATIENCE) == [(b.fileno(), READ)]


@each(CONNECTION_PAIRS)
def test_a_spent_shot_tells_no_hang_up(
    net: Network, sockets: ExitStack, epoll: Any, kind: Kind
) -> None:
    """After its one shot a socket does not even report EPOLLHUP."""
    a, b = pair(net, sockets, kind)
    epoll.register(b, WRITE | ONE_SHOT)
    assert epoll.poll(0) == [(b.fileno(), WRITE)]
    b.shutdown(socket.SHUT_RDWR)
    a.close()
    assert epoll.poll(0) == []


def test_exclusive_goes_with_few_bits(net: Network, sockets: ExitStack, epoll: Any) -> None:
    """EPOLLEXCLUSIVE allows EPOLLIN, EPOLLOUT and EPOLLET beside it; EPOLLONESHOT is EINVAL."""
    a, b = map(sockets.enter_context, net.socketpair())
    for mask in (ONE_SHOT, select.EPOLLPRI, select.EPOLLRDHUP):
        assert outcome(epoll.register, a, READ | EXCLUSIVE | mask) == "EINVAL"
    assert outcome(epoll.register, a, READ | WRITE | EDGE | EXCLUSIVE) is None
    assert outcome(epoll.register, b, READ | EXCLUSIVE | select.EPOLLHUP) is None


def test_an_exclusive_interest_cannot_be_modified(
    net: Network, sockets: ExitStack, epoll: Any
) -> None:
    """modify() of an exclusive interest, or into one, is EINVAL; unregister() works."""
    a, b = map(sockets.enter_context, net.socketpair())
    epoll.register(a, READ | EXCLUSIVE)
    epoll.register(b, READ)
    assert outcome(epoll.modify, a, READ) == "EINVAL"
    assert outcome(epoll.modify, b, READ | EXCLUSIVE) == "EINVAL"
    assert outcome(epoll.unregister, a) is None


@each(ALL_PAIRS)
def test_an_exclusive_interest_is_told(
    net: Network, sockets: ExitStack, epoll: Any, kind: Kind
) -> None:
    """EPOLLEXCLUSIVE is level-triggered like any other interest."""
    a, b = pair(net, sockets, kind)
    epoll.register(b, READ | EXCLUSIVE)
    a.send(b"x")
    assert epoll.poll(PATIENCE) == epoll.poll(0) == [(b.fileno(), READ)]


def test_an_exclusive_event_wakes_somebody(net: Network, sockets: ExitStack) -> None:
    """Of several epolls that wait exclusively at least one is woken."""
    a, b = map(sockets.enter_context, net.socketpair())
    epolls = [sockets.enter_context(net.epoll()) for _ in range(3)]
    for epoll in epolls:
        epoll.register(b, READ | EXCLUSIVE)
    tasks = [net.spawn(epoll.poll, 0.5) for epoll in epolls]
    assert not any(task.join(0.02) for task in tasks)
    a.send(b"x")
    told = [task.result(PATIENCE) for task in tasks]
    assert [(b.fileno(), READ)] in told


def test_an_epoll_is_readable_when_it_has_something_to_tell(
    net: Network, sockets: ExitStack, epoll: Any
) -> None:
    """An epoll's own descriptor may be polled and selected: readable while something is ready."""
    a, b = map(sockets.enter_context, net.socketpair())
    epoll.register(b, READ)
    poller = net.poll()
    poller.register(epoll, select.POLLIN | select.POLLOUT)
    assert (poller.poll(0), net.select([epoll], [], [], 0)[0]) == ([], [])
    a.send(b"x")
    assert poller.poll(0) == [(epoll.fileno(), select.POLLIN)]
    assert net.select([epoll], [epoll], [epoll], 0) == ([epoll], [], [])
    b.recv(1)
    assert (poller.poll(0), net.select([epoll], [], [], 0)[0]) == ([], [])


def test_an_epoll_may_watch_another(net: Network, sockets: ExitStack, epoll: Any) -> None:
    """An epoll registered in another is ready for reading when it has something to tell."""
    outer = sockets.enter_context(net.epoll())
    a, b = map(sockets.enter_context, net.socketpair())
    outer.register(epoll, READ)
    epoll.register(b, READ)
    assert outer.poll(0) == []
    a.send(b"x")
    assert outer.poll(0) == [(epoll.fileno(), READ)]
    assert epoll.poll(0) == [(b.fileno(), READ)]
    b.recv(1)
    assert outer.poll(0) == []


def test_a_nested_event_wakes_the_outer_waiter(
    net: Network, sockets: ExitStack, epoll: Any
) -> None:
    """A wait on the outer epoll ends when a socket of the inner one becomes ready."""
    outer = sockets.enter_context(net.epoll())
    a, b = map(sockets.enter_context, net.socketpair())
    outer.register(epoll, READ)
    epoll.register(b, READ)
    task = net.spawn(outer.poll, PATIENCE)
    assert not task.join(0.01)
    a.send(b"x")
    assert task.result(PATIENCE) == [(epoll.fileno(), READ)]


def test_an_epoll_does_not_watch_itself(net: Network, sockets: ExitStack, epoll: Any) -> None:
    """Registering an epoll in itself is EINVAL; two in each other ELOOP."""
    other = sockets.enter_context(net.epoll())
    assert outcome(epoll.register, epoll, READ) == "EINVAL"
    epoll.register(other, READ)
    assert outcome(other.register, epoll, READ) == "ELOOP"


def test_an_epoll_does_not_watch_an_epoll_exclusively(
    net: Network, sockets: ExitStack, epoll: Any
) -> None:
    """EPOLLEXCLUSIVE on an epoll is EINVAL."""
    other = sockets.enter_context(net.epoll())
    assert outcome(epoll.register, other, READ | EXCLUSIVE) == "EINVAL"


def test_a_closed_epoll_is_forgotten_by_another(
    net: Network, sockets: ExitStack, epoll: Any
) -> None:
    """An inner epoll that closes is not reported any more."""
    a, _ = map(sockets.enter_context, net.socketpair())
    with net.epoll() as inner:
        inner.register(a, WRITE)
        epoll.register(inner, READ)
        assert epoll.poll(0) == [(inner.fileno(), READ)]
    assert epoll.poll(0) == []


def test_edges_of_a_dup_are_apart(net: Network, sockets: ExitStack, epoll: Any) -> None:
    """Two epolls on one socket each tell an edge of their own."""
    other = sockets.enter_context(net.epoll())
    a, b = map(sockets.enter_context, net.socketpair())
    epoll.register(b, READ | EDGE)
    other.register(b, READ | EDGE)
    a.send(b"x")
    assert epoll.poll(0) == other.poll(0) == [(b.fileno(), READ)]
    assert epoll.poll(0) == other.poll(0) == []


@pytest.mark.parametrize("flag", [EDGE, ONE_SHOT], ids=["edge", "one-shot"])
def test_only_one_waiter_is_told(net: Network, sockets: ExitStack, epoll: Any, flag: int) -> None:
    """An edge, or a shot, is told to one of two tasks that wait on the same epoll."""
    a, b = map(sockets.enter_context, net.socketpair())
    epoll.register(b, READ | flag)
    tasks = [net.spawn(epoll.poll, 0.5) for _ in range(2)]
    assert not any(task.join(0.02) for task in tasks)
    a.send(b"x")
    told = sorted(task.result(PATIENCE) for task in tasks)
    assert told == [[], [(b.fileno(), READ)]]
