"""How calls wait: a scripted endpoint, whose answers and news the test decides."""

from __future__ import annotations

import contextlib
import errno
from collections.abc import Callable, Iterator

import pytest

from simnet import blocking, constants
from simnet.clock import SECOND_NS
from simnet.errors import os_error
from simnet.host import Host
from simnet.protocols.base import Endpoint, Received
from simnet.readiness import POLLIN, POLLOUT, READABLE
from simnet.world import World


class Scripted(Endpoint):
    """A stream that receives what it is fed, and has room for what it is given room for."""

    def __init__(self, host: Host) -> None:
        super().__init__(host, constants.AF_INET, constants.SOCK_STREAM, 0)
        self.data = b""
        self.room = 0
        self.ended = False
        self.closed = False
        self.hold()

    def feed(self, data: bytes) -> None:
        """Something arrives."""
        self.data += data
        self.notify(POLLIN)

    def make_room(self, room: int) -> None:
        """Something was taken by the peer."""
        self.room += room
        self.notify(POLLOUT)

    def poll(self) -> int:
        return (POLLIN if self.data or self.ended else 0) | (POLLOUT if self.room else 0)

    def recv(self, size: int, flags: int, ancillary_size: int = 0) -> Received | None:
        if self.error:
            self.raise_pending()
        if not self.data:
            return Received(b"") if self.ended else None
        part = self.data[:size]
        if not flags & constants.MSG_PEEK:
            self.data = self.data[size:]
        return Received(part, length=len(part))

    def may_bring_more(self) -> bool:
        return not self.ended

    def recv_goes_on(self) -> bool:
        return not self.error

    def take(self, count: int) -> int | None:
        """As much of a send as there is room for."""
        if self.error:
            self.raise_pending()
        taken = min(count, self.room)
        self.room -= taken
        return taken or None

    def close(self) -> None:
        self.closed = True


@pytest.fixture
def world() -> Iterator[World]:
    """A world that is closed in the end."""
    with World() as world:
        yield world


@pytest.fixture
def end(world: World) -> Scripted:
    """An endpoint of the test's."""
    return Scripted(world.host("alpha"))


@pytest.fixture
def later(end: Scripted) -> Callable[[float, Callable[[], object]], None]:
    """`later(seconds, what)` does something at that time."""

    def later(seconds: float, what: Callable[[], object]) -> None:
        end.host.clock.call_after(int(seconds * SECOND_NS), what)

    return later


Later = Callable[[float, Callable[[], object]], None]


def receive(end: Scripted, size: int = 100, flags: int = 0) -> bytes:
    """A blocking receive."""
    return blocking.receive(end, size, flags, 0, "recv", end).data


def send(end: Scripted, total: int) -> int:
    """A blocking send."""
    return blocking.send(end, lambda sent: end.take(total - sent), total, None, "send", end)


def timed(end: Scripted, seconds: float) -> Received:
    """A receive with a Python timeout."""
    deadline_ns = end.host.scheduler.deadline(seconds)
    return blocking.timed(end, lambda: end.recv(100, 0), READABLE, deadline_ns, "recv", end)


# Receiving


def test_what_is_there_is_taken_at_once(end: Scripted, world: World) -> None:
    """No time passes."""
    end.feed(b"here")
    assert receive(end) == b"here"
    assert world.now == 0


def test_a_receive_waits_for_the_first_bytes(end: Scripted, later: Later, world: World) -> None:
    """And not for the rest."""
    later(1, lambda: end.feed(b"first"))
    later(2, lambda: end.feed(b"second"))
    assert receive(end) == b"first"
    assert world.now == 1


def test_waitall_waits_for_all(end: Scripted, later: Later, world: World) -> None:
    """In as many parts as they come."""
    for second, part in enumerate((b"ab", b"cd", b"ef"), 1):
        later(second, lambda part=part: end.feed(part))  # type: ignore[misc]
    assert receive(end, 5, constants.MSG_WAITALL) == b"abcde"
    assert world.now == 3


def test_waitall_gives_what_came_before_the_end(end: Scripted, later: Later) -> None:
    """The end is for the next call."""
    later(1, lambda: end.feed(b"ab"))
    later(2, lambda: (setattr(end, "ended", True), end.state_changed()))
    assert receive(end, 5, constants.MSG_WAITALL) == b"ab"
    assert receive(end, 5, constants.MSG_WAITALL) == b""


def test_waitall_gives_what_came_before_an_error(end: Scripted, later: Later) -> None:
    """The error is for the next call."""
    later(1, lambda: end.feed(b"ab"))
    later(2, lambda: end.fail(errno.ECONNRESET))
    assert receive(end, 5, constants.MSG_WAITALL) == b"ab"
    with pytest.raises(ConnectionResetError):
        receive(end)


def test_peeking_with_waitall_sees_the_whole(end: Scripted, later: Later) -> None:
    """And leaves it."""
    later(1, lambda: end.feed(b"ab"))
    later(2, lambda: end.feed(b"cd"))
    flags = constants.MSG_WAITALL | constants.MSG_PEEK
    assert receive(end, 4, flags) == b"abcd"
    assert receive(end, 4) == b"abcd"


def test_what_arrives_during_the_call_is_not_waited_for(end: Scripted, world: World) -> None:
    """Reading makes room, which the peer may fill at once: nobody announces that again."""
    pieces = [b"cd", b"ef"]
    plain = end.recv

    def refilled(size: int, flags: int, ancillary_size: int = 0) -> Received | None:
        received = plain(size, flags)
        if pieces:
            end.feed(pieces.pop(0))
        return received

    end.recv = refilled  # type: ignore[method-assign]
    end.feed(b"ab")
    assert receive(end, 6, constants.MSG_WAITALL) == b"abcdef"
    assert world.now == 0


def test_the_kernels_own_limit_is_eagain(end: Scripted, world: World) -> None:
    """SO_RCVTIMEO."""
    end.set(rcvtimeo_ns=3 * SECOND_NS)
    with pytest.raises(BlockingIOError):
        receive(end)
    assert world.now == 3


def test_the_kernels_own_limit_keeps_what_came(end: Scripted, later: Later, world: World) -> None:
    """A part is better than an error."""
    end.set(rcvtimeo_ns=3 * SECOND_NS)
    later(1, lambda: end.feed(b"ab"))
    assert receive(end, 5, constants.MSG_WAITALL) == b"ab"
    assert world.now == 3


# Sending


def test_a_send_waits_until_all_is_taken(end: Scripted, later: Later, world: World) -> None:
    """Part by part."""
    for second in (1, 2, 3):
        later(second, lambda: end.make_room(4))
    assert send(end, 10) == 10
    assert world.now == 3
    assert end.room == 2


def test_a_send_that_fails_half_way_tells_how_far_it_came(end: Scripted, later: Later) -> None:
    """The error is for the next call."""
    later(1, lambda: end.make_room(4))
    later(2, lambda: end.fail(errno.ECONNRESET))
    assert send(end, 10) == 4


def test_a_send_that_fails_at_once_raises(end: Scripted, later: Later) -> None:
    """There is no progress to tell."""
    later(1, lambda: end.fail(errno.EPIPE))
    with pytest.raises(BrokenPipeError):
        send(end, 10)


@pytest.mark.parametrize(("room", "sent"), [(4, 4), (0, None)])
def test_a_send_has_a_limit_of_the_kernels_too(
    end: Scripted, world: World, room: int, sent: int | None
) -> None:
    """SO_SNDTIMEO: the count, or EAGAIN without one."""
    end.set(sndtimeo_ns=2 * SECOND_NS)
    end.room = room
    outcome: int | None = None
    with contextlib.suppress(BlockingIOError):
        outcome = send(end, 10)
    assert outcome == sent
    assert world.now == 2


# Python's timeouts


def test_a_timeout_is_no_errno(end: Scripted, world: World) -> None:
    """TimeoutError('timed out'), exactly then."""
    with pytest.raises(TimeoutError, match=r"^timed out$") as caught:
        timed(end, 2.5)
    assert caught.value.errno is None
    assert world.now == 2.5


def test_news_in_time_is_no_timeout(end: Scripted, later: Later, world: World) -> None:
    """Also at the last moment."""
    later(2.4, lambda: end.feed(b"x"))
    assert timed(end, 2.5).data == b"x"
    assert world.now == 2.4


def test_news_in_vain_does_not_prolong_the_timeout(
    end: Scripted, later: Later, world: World
) -> None:
    """Somebody else was faster: the wait goes on until the same deadline."""
    for second in (1, 2):
        later(second, lambda: end.notify(POLLIN))
    with pytest.raises(TimeoutError):
        timed(end, 2.5)
    assert world.now == 2.5


# Who else waits


def test_a_call_that_waits_keeps_its_endpoint_open(end: Scripted, world: World) -> None:
    """As close() from elsewhere does not wake it, on Linux."""
    task = end.host.spawn(receive, end)
    world.run(until=1)
    end.release()
    assert not end.closed
    end.feed(b"after all")
    assert task.result() == b"after all"
    assert end.closed


def test_who_takes_a_part_wakes_the_next(end: Scripted, world: World) -> None:
    """Two that wait, one arrival that is enough for both."""
    tasks = [end.host.spawn(receive, end, 2) for _ in range(2)]
    world.run(until=1)
    end.feed(b"abcd")
    assert sorted(task.result() for task in tasks) == [b"ab", b"cd"]


def test_a_call_that_would_block_lets_others_run(end: Scripted) -> None:
    """Before long, if not the first time: the seed picks who is next. And it is EAGAIN."""
    task = end.host.spawn(end.feed, b"x")
    errors = [blocking.would_block(end.host.scheduler) for _ in range(20)]
    assert task.done
    assert {error.args for error in errors} == {os_error(errno.EAGAIN).args}


# Lingering


def test_closing_waits_while_it_lingers(end: Scripted, later: Later, world: World) -> None:
    """Until everything is delivered, or the seconds are over."""
    end.set(linger_s=5)
    left = [True]
    end.lingers = lambda: bool(left)  # type: ignore[method-assign]
    later(2, lambda: (left.clear(), end.state_changed()))
    blocking.linger(end, None)
    assert world.now == 2
    left.append(True)
    blocking.linger(end, None)
    assert world.now == 7


@pytest.mark.parametrize("seconds", [None, 0])
def test_closing_does_not_wait_unless_told(
    end: Scripted, world: World, seconds: int | None
) -> None:
    """SO_LINGER off, or for no time."""
    end.set(linger_s=seconds)
    end.lingers = lambda: True  # type: ignore[method-assign]
    blocking.linger(end, None)
    assert world.now == 0
