"""select(): the three lists in every state, their order, what may be in them, timeouts."""

from __future__ import annotations

import math
import select
import socket
from contextlib import ExitStack
from typing import Any

import pytest

from simnet.api import Network
from tests.conformance.kinds import ALL_PAIRS, CONNECTION_NAMES, PATIENCE, Kind, Named, each
from tests.conformance.outcomes import outcome
from tests.conformance.ready_bits import in_every_state, stand

READ = select.POLLIN | select.POLLHUP | select.POLLERR
WRITE = select.POLLOUT | select.POLLERR


@in_every_state
def test_the_three_lists(
    net: Network, sockets: ExitStack, family: str, state: str, bits: int
) -> None:
    """Readable is POLLIN, POLLHUP or POLLERR; writable POLLOUT or POLLERR; exceptional POLLPRI."""
    sock = stand(sockets, net, family, state)
    readable, writable, exceptional = net.select([sock], [sock], [sock], 0)
    assert readable == ([sock] if bits & READ else [])
    assert writable == ([sock] if bits & WRITE else [])
    assert exceptional == ([sock] if bits & select.POLLPRI else [])


@each(ALL_PAIRS)
def test_selecting_changes_nothing(net: Network, sockets: ExitStack, kind: Kind) -> None:
    """select() says the same until the data is read."""
    a, b = map(sockets.enter_context, kind.make(net))
    a.send(b"x")
    assert net.select([b], [], [], PATIENCE) == ([b], [], [])
    assert net.select([b], [], [], 0) == ([b], [], [])
    b.recv(1)
    assert net.select([b], [], [], 0) == ([], [], [])


def test_results_come_in_the_order_of_the_arguments(net: Network, sockets: ExitStack) -> None:
    """Each list keeps the order in which its members were given."""
    pairs = [net.socketpair() for _ in range(4)]
    ends = [sockets.enter_context(end) for pair in pairs for end in pair]
    order = [ends[i] for i in (5, 0, 7, 2)]
    assert net.select([], order, [], 0) == ([], order, [])


def test_the_members_themselves_come_back(net: Network, sockets: ExitStack) -> None:
    """A number, a socket and an object with fileno() are given back as they were given."""
    a, _ = map(sockets.enter_context, net.socketpair())
    holder = Holder(a.fileno())
    members = [a.fileno(), a, holder]
    assert net.select([], members, [], 0) == ([], members, [])


def test_a_member_may_be_there_twice(net: Network, sockets: ExitStack) -> None:
    """A member that is given twice comes back twice."""
    a, _ = map(sockets.enter_context, net.socketpair())
    assert net.select([], [a, a], [], 0) == ([], [a, a], [])


@pytest.mark.parametrize("container", [list, tuple, iter, set, lambda s: dict.fromkeys(s)])
def test_any_iterable_will_do(net: Network, sockets: ExitStack, container: Any) -> None:
    """The three arguments may be any iterables; the results are lists."""
    a, b = map(sockets.enter_context, net.socketpair())
    readable, writable, exceptional = net.select(container([]), container([a, b]), container([]), 0)
    assert (readable, exceptional) == ([], [])
    assert isinstance(writable, list)
    assert {sock.fileno() for sock in writable} == {a.fileno(), b.fileno()}


class Holder:
    """An object that has a fileno() method, and maybe a wrong one."""

    def __init__(self, number: Any) -> None:
        self.number = number

    def fileno(self) -> Any:
        return self.number


@pytest.mark.parametrize("wrong", ["text", None, 1.5, object(), Holder("3")])
def test_a_member_has_a_descriptor(net: Network, wrong: object) -> None:
    """What is no number and has no fileno() that gives one is TypeError."""
    for lists in (([wrong], [], []), ([], [wrong], []), ([], [], [wrong])):
        with pytest.raises(TypeError, match="fileno"):
            net.select(*lists, 0)


@pytest.mark.parametrize("position", [0, 1, 2])
@pytest.mark.parametrize("wrong", [1, None], ids=["int", "None"])
def test_each_argument_is_iterable(net: Network, position: int, wrong: Any) -> None:
    """A list that is none is TypeError."""
    lists: list[Any] = [[], [], []]
    lists[position] = wrong
    with pytest.raises(TypeError):
        net.select(*lists, 0)


def test_negative_numbers_are_refused(net: Network) -> None:
    """A negative number, such as a closed socket's, is ValueError."""
    sock = net.socket()
    sock.close()
    for wrong in (-1, sock):
        with pytest.raises(ValueError, match="cannot be a negative integer"):
            net.select([wrong], [], [], 0)


def test_a_number_that_is_not_open_is_bad(net: Network) -> None:
    """A descriptor that was closed is EBADF, in any list, even if others are ready."""
    a, b = net.socketpair()
    with a, b:
        gone = a.fileno()
        a.close()
        assert outcome(net.select, [gone], [], [], 0) == "EBADF"
        assert outcome(net.select, [], [], [gone], 0) == "EBADF"
        assert outcome(net.select, [], [b, gone], [], 0) == "EBADF"


def test_selecting_nothing_waits(net: Network) -> None:
    """Without members select() just waits for the time given."""
    start = net.monotonic()
    assert net.select([], [], [], 0.02) == ([], [], [])
    assert net.monotonic() - start >= 0.02


@pytest.mark.parametrize("timeout", [0, 0.0, 0.001, 0.0000001])
def test_what_is_not_ready_in_time_is_not_listed(
    net: Network, sockets: ExitStack, timeout: float
) -> None:
    """Any number of seconds is a timeout."""
    a, _ = map(sockets.enter_context, net.socketpair())
    assert net.select([a], [], [], timeout) == ([], [], [])


@pytest.mark.parametrize("timeout", [-1, -0.001])
def test_a_negative_timeout_is_refused(net: Network, timeout: float) -> None:
    """Other than poll(), select() takes no negative timeout."""
    with pytest.raises(ValueError, match="timeout must be non-negative"):
        net.select([], [], [], timeout)


@pytest.mark.parametrize(
    ("timeout", "error"),
    [("1", TypeError), (math.nan, ValueError), (math.inf, OverflowError), (1e300, OverflowError)],
)
def test_a_timeout_is_a_number_of_seconds(
    net: Network, timeout: Any, error: type[Exception]
) -> None:
    """A timeout that is no number, or too large, is refused."""
    with pytest.raises(error):
        net.select([], [], [], timeout)


@pytest.mark.parametrize("timeout", [None, PATIENCE])
@each(ALL_PAIRS)
def test_data_wakes_a_waiting_select(
    net: Network, sockets: ExitStack, kind: Kind, timeout: float | None
) -> None:
    """A select() that waits ends when data arrives."""
    a, b = map(sockets.enter_context, kind.make(net))
    task = net.spawn(net.select, [b], [], [], timeout)
    assert not task.join(0.01)
    a.send(b"x")
    assert task.result(PATIENCE) == ([b], [], [])


@each(CONNECTION_NAMES, argument="named")
def test_a_client_wakes_a_select_of_the_listener(
    net: Network, sockets: ExitStack, named: Named
) -> None:
    """A listener becomes readable when somebody connects."""
    listener = sockets.enter_context(named.listening(net))
    task = net.spawn(net.select, [listener], [], [])
    assert not task.join(0.01)
    sockets.enter_context(named.socket(net)).connect(listener.getsockname())
    assert task.result(PATIENCE) == ([listener], [], [])


def test_one_of_many_wakes_a_waiting_select(net: Network, sockets: ExitStack) -> None:
    """Only the member that is ready is listed."""
    pairs = [
        tuple(map(sockets.enter_context, net.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)))
        for _ in range(50)
    ]
    task = net.spawn(net.select, [b for _, b in pairs], [], [])
    assert not task.join(0.01)
    pairs[31][0].send(b"x")
    assert task.result(PATIENCE) == ([pairs[31][1]], [], [])
