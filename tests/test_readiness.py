"""Who is woken: every poller, the first of the blocked calls, and all of them at the end."""

from __future__ import annotations

import attrs
import pytest

from simnet.readiness import (
    EVERYTHING,
    POLLERR,
    POLLHUP,
    POLLIN,
    POLLOUT,
    POLLRDHUP,
    READABLE,
    WRITABLE,
    Pollable,
)


class Thing(Pollable):
    """Something that is as ready as it is told."""

    def __init__(self) -> None:
        super().__init__()
        self.bits = 0

    def poll(self) -> int:
        return self.bits


@attrs.define(eq=False)
class Someone:
    """A waiter that notes its name when it is woken."""

    name: str
    mask: int
    exclusive: bool
    woken: list[str]

    @property
    def in_line(self) -> bool:
        """As tasks do."""
        return self.exclusive

    def wake(self, bits: int) -> None:
        """Note it."""
        self.woken.append(self.name)


@pytest.fixture
def thing() -> Thing:
    """Something to wait for."""
    return Thing()


@pytest.fixture
def woken() -> list[str]:
    """Who was woken, in order."""
    return []


def reader(name: str, woken: list[str]) -> Someone:
    """A call blocked in recv."""
    return Someone(name, READABLE, True, woken)


def writer(name: str, woken: list[str]) -> Someone:
    """A call blocked in send."""
    return Someone(name, WRITABLE, True, woken)


def poller(name: str, woken: list[str], mask: int = EVERYTHING) -> Someone:
    """A call of select or poll, or an epoll registration."""
    return Someone(name, mask, False, woken)


def wait(thing: Thing, *waiters: Someone) -> None:
    """They come in this order."""
    for waiter in waiters:
        thing.add_waiter(waiter)


def test_one_blocked_call_is_woken_the_longest_waiting(thing: Thing, woken: list[str]) -> None:
    """The others go on waiting, each for its own turn."""
    wait(thing, *(reader(name, woken) for name in "abc"))
    thing.notify(POLLIN)
    assert woken == ["a"]
    thing.notify(POLLIN)
    assert woken == ["a", "b"]


def test_every_poller_is_woken_every_time(thing: Thing, woken: list[str]) -> None:
    """Before the blocked calls, the latest first, as the kernel's line has them; and again."""
    wait(thing, poller("p", woken), reader("a", woken), poller("q", woken), reader("b", woken))
    thing.notify(POLLIN)
    assert woken == ["q", "p", "a"]
    thing.notify(POLLIN)
    assert woken == ["q", "p", "a", "q", "p", "b"]


@pytest.mark.parametrize("bits", [POLLERR, POLLHUP, POLLRDHUP, EVERYTHING])
def test_the_end_wakes_all_who_wait_for_input(thing: Thing, woken: list[str], bits: int) -> None:
    """Nobody is left behind on what will never bring anything again."""
    wait(thing, *(reader(name, woken) for name in "abc"))
    thing.notify(bits)
    assert woken == ["a", "b", "c"]


def test_input_does_not_wake_a_writer_nor_room_a_reader(thing: Thing, woken: list[str]) -> None:
    """Each waits for its own."""
    wait(thing, writer("w", woken), reader("r", woken))
    thing.notify(POLLIN)
    assert woken == ["r"]
    thing.notify(POLLOUT)
    assert woken == ["r", "w"]


def test_input_and_room_at_once_wake_one_of_each(thing: Thing, woken: list[str]) -> None:
    """A reader served does not stand in the way of a writer."""
    wait(thing, reader("r", woken), reader("s", woken), writer("w", woken), writer("x", woken))
    thing.notify(POLLIN | POLLOUT)
    assert woken == ["r", "w"]


def test_a_lone_waiter_is_left_alone_by_what_it_does_not_wait_for(
    thing: Thing, woken: list[str]
) -> None:
    """And is still there for the rest."""
    wait(thing, poller("p", woken, POLLOUT))
    thing.notify(POLLIN)
    assert woken == []
    thing.notify(POLLOUT)
    assert woken == ["p"]


def test_what_is_left_is_handed_on_to_the_next(thing: Thing, woken: list[str]) -> None:
    """A blocked call that took only a part does not strand the others."""
    wait(thing, poller("p", woken), reader("a", woken), reader("b", woken))
    thing.bits = POLLIN
    thing.hand_on()
    assert woken == ["a"]


def test_nothing_left_wakes_nobody(thing: Thing, woken: list[str]) -> None:
    """The next one waits for more."""
    wait(thing, reader("a", woken))
    thing.hand_on()
    assert woken == []
    thing.notify(POLLIN)
    assert woken == ["a"]


def test_room_left_is_handed_to_a_writer_past_the_readers(thing: Thing, woken: list[str]) -> None:
    """The first whom it serves, not the first in line."""
    wait(thing, reader("r", woken), writer("w", woken))
    thing.bits = POLLOUT
    thing.hand_on()
    assert woken == ["w"]


def test_a_waiter_that_left_is_woken_no_more(thing: Thing, woken: list[str]) -> None:
    """Leaving twice is harmless, and so is notifying nobody."""
    gone = reader("a", woken)
    thing.remove_waiter(gone)
    thing.notify(POLLIN)
    thing.hand_on()
    wait(thing, gone)
    thing.remove_waiter(gone)
    thing.remove_waiter(gone)
    thing.notify(EVERYTHING)
    assert woken == []
