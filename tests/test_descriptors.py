"""Descriptors: the lowest free number first, far above the operating system's."""

from __future__ import annotations

import array
import errno
import os
import socket
import sys
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simnet.descriptors import FIRST, DescriptorTable
from simnet.host import Host
from simnet.world import World


class Thing:
    """Something open, that counts who refers to it."""

    def __init__(self) -> None:
        self.references = 0

    def hold(self) -> None:
        """One more."""
        self.references += 1

    def release(self) -> None:
        """One fewer."""
        self.references -= 1


@given(st.lists(st.integers(-5, 5), max_size=40))
def test_a_new_descriptor_has_the_lowest_free_number(plan: list[int]) -> None:
    """Against a plain set; a negative number opens, another closes one of those that are open."""
    table = DescriptorTable(limit=100)
    model: set[int] = set()
    for choice in plan:
        if choice < 0 or not model:
            lowest = next(n for n in range(FIRST, FIRST + 100) if n not in model)
            assert table.install(Thing()).number == lowest
            model.add(lowest)
        else:
            number = sorted(model)[choice % len(model)]
            table.close(number)
            model.remove(number)
        assert table.numbers() == sorted(model)


@given(st.lists(st.tuples(st.sampled_from(["first", "from", "at", "close"]), st.integers(0, 9))))
def test_a_descriptor_may_be_asked_for_by_its_number(plan: list[tuple[str, int]]) -> None:
    """Against a plain dictionary: the lowest from a number on, or in the place of another."""
    table = DescriptorTable(limit=100)
    model: dict[int, Thing] = {}
    for what, offset in plan:
        thing, number = Thing(), FIRST + offset
        if what == "first":
            made = table.install(thing).number
            assert made == next(n for n in range(FIRST, FIRST + 200) if n not in model)
        elif what == "from":
            made = table.install_from(number, thing, False).number
            assert made == next(n for n in range(number, FIRST + 200) if n not in model)
        elif what == "at":
            made = table.install_at(number, thing, True).number
            assert made == number
            assert number not in model or not model[number].references
        else:
            if number in model:
                table.close(number)
                assert not model.pop(number).references
            continue
        model[made] = thing
        assert table.numbers() == sorted(model)
        assert all(table.get(n).endpoint is each and each.references for n, each in model.items())


def test_no_number_is_beyond_the_limit() -> None:
    """EBADF for dup2(), EINVAL for F_DUPFD, as the kernel has it; EMFILE when none is left."""
    table = DescriptorTable(limit=2)
    thing = Thing()
    for number in (FIRST - 1, FIRST + 2):
        with pytest.raises(OSError, match="Bad file descriptor"):
            table.install_at(number, thing, False)
        with pytest.raises(OSError, match="Invalid argument"):
            table.install_from(number, thing, False)
    table.install_at(FIRST + 1, thing, False)
    with pytest.raises(OSError, match="Too many open files"):
        table.install_from(FIRST + 1, thing, False)
    assert thing.references == 1


def test_a_simulated_descriptor_means_nothing_to_the_operating_system() -> None:
    """A program that gives it to the real kernel fails, and harms nothing."""
    number = DescriptorTable(limit=1).install(Thing()).number
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(number)


def test_too_many_descriptors_are_emfile() -> None:
    """Until one is closed."""
    table = DescriptorTable(limit=1)
    first = table.install(Thing())
    with pytest.raises(OSError, match="Too many open files") as caught:
        table.install(Thing())
    assert caught.value.errno == errno.EMFILE
    table.close(first.number)
    assert table.install(Thing()).number == first.number


def test_a_descriptor_holds_what_it_refers_to() -> None:
    """Two of them twice, and closed ones not."""
    table = DescriptorTable(limit=9)
    thing = Thing()
    first, second = table.install(thing), table.install(thing)
    assert thing.references == 2
    table.close(first.number)
    assert thing.references == 1
    table.close(second.number)
    assert thing.references == 0


@pytest.mark.parametrize("call", [DescriptorTable.get, DescriptorTable.close])
def test_a_number_that_is_not_open_is_ebadf(call: object) -> None:
    """To look at and to close, a second time too."""
    table = DescriptorTable(limit=9)
    number = table.install(Thing()).number
    table.close(number)
    with pytest.raises(OSError, match="Bad file descriptor") as caught:
        call(table, number)  # type: ignore[operator]
    assert caught.value.errno == errno.EBADF


def test_whoever_kept_a_closed_descriptor_sees_that_it_is_closed() -> None:
    """Also when the number is in use again."""
    table = DescriptorTable(limit=9)
    kept = table.install(Thing())
    table.close(kept.number)
    again = table.install(Thing())
    assert again.number == kept.number
    assert kept.endpoint is None
    assert table.get(again.number) is again


# Where there is none left, on a host


@pytest.fixture
def host() -> Iterator[Host]:
    """A host that has all descriptors that it may have, once `exhaust` is called."""
    with World() as world:
        yield world.host("h")


def exhaust(host: Host, free: int = 0) -> None:
    """As many may be open as are, and so many more."""
    host.descriptors.limit = len(host.descriptors.numbers()) + free


FULL = "Too many open files"
KINDS = pytest.mark.parametrize("family", [socket.AF_INET, socket.AF_UNIX], ids=["tcp", "unix"])


@KINDS
def test_a_connection_that_finds_no_descriptor_is_accepted_later(host: Host, family: int) -> None:
    """It stays the first in line."""
    address: Any = ("127.0.0.1", 80) if family == socket.AF_INET else "\0name"
    with host.socket(family) as listener:
        listener.bind(address)
        listener.listen()
        clients = [host.socket(family) for _ in range(2)]
        for number, client in enumerate(clients):
            client.connect(address)
            client.send(bytes([number]))
        exhaust(host)
        with pytest.raises(OSError, match=FULL):
            listener.accept()
        exhaust(host, free=2)
        for number in range(2):
            with listener.accept()[0] as server, clients[number]:
                assert server.recv(1) == bytes([number])
                server.send(b"x")
                assert clients[number].recv(1) == b"x"


@pytest.mark.parametrize("timeout", [None, 0])
def test_accept_finds_a_descriptor_before_it_looks_for_a_connection(
    host: Host, timeout: float | None
) -> None:
    """It fails at once, though nobody is there; with a timeout of Python's it waits first."""
    with host.create_server(("", 80)) as listener:
        exhaust(host)
        listener.settimeout(timeout)
        with pytest.raises(OSError, match=FULL):
            listener.accept()
        listener.settimeout(1)
        with pytest.raises(TimeoutError):
            listener.accept()


def test_a_pair_of_sockets_is_made_whole_or_not_at_all(host: Host) -> None:
    """The first is closed when there is no descriptor for the second, and nobody complains."""
    exhaust(host, free=1)
    with pytest.raises(OSError, match=FULL):
        host.socketpair()
    assert not host.leftovers()


def test_passed_descriptors_that_find_no_place_are_lost(host: Host) -> None:
    """Those after the first that finds none; MSG_CTRUNC says so."""
    one, other = host.socketpair()
    with one, other:
        passed = array.array("i", [one.fileno()] * 3)
        one.sendmsg([b"x"], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, passed)])
        exhaust(host, free=1)
        data, ((_, _, numbers),), flags, _ = other.recvmsg(10, 100)
        assert (data, len(numbers), flags) == (b"x", 4, socket.MSG_CTRUNC)
        host.socket(fileno=int.from_bytes(numbers, sys.byteorder)).close()
