"""Descriptors themselves: which number a new one gets, and what happens when there are too many."""

from __future__ import annotations

import errno
import fcntl
import os
from contextlib import ExitStack
from typing import Any

import pytest

from simnet import World
from simnet.descriptors import FIRST
from simnet.errors import NoCurrentHost, SimnetError
from tests.descriptor_calls.places import REAL, SIMULATED, Kinds, Named, Place, both, outcome


def numbered(at: Place, stack: ExitStack) -> Any:
    """What F_DUPFD and dup2() give, as distances from a number that is far from others in use."""
    read_end, write_end = Kinds(at, stack).pipe()
    base = 700 if at is REAL else FIRST + 700
    seen: list[Any] = []
    for number in (
        at.fcntl.fcntl(write_end, fcntl.F_DUPFD, base),
        at.fcntl.fcntl(write_end, fcntl.F_DUPFD_CLOEXEC, base),
        at.os.dup2(write_end, base + 7),
        at.fcntl.fcntl(write_end, fcntl.F_DUPFD, base + 6),
        at.fcntl.fcntl(write_end, fcntl.F_DUPFD, base + 6),
        at.os.dup2(write_end, base + 4, False),
        at.os.dup2(read_end, base + 4, inheritable=False),
        at.fcntl.fcntl(Named(write_end), fcntl.F_DUPFD, base),
    ):
        stack.callback(outcome, at.os.close, number)
        seen.append((number - base, at.os.get_inheritable(number)))
    at.os.write(base + 7, b"through another")
    seen.append(at.os.read(base + 4, 99))
    at.os.close(write_end)
    seen.append(outcome(at.os.read, read_end, 1))
    at.os.closerange(base, base + 9)
    seen.append([outcome(at.os.dup, base + n) for n in range(9)])
    seen.append(at.os.read(read_end, 1))
    return seen


def test_a_descriptor_can_be_given_a_number() -> None:
    """By dup2(), or the lowest free one from another on; each keeps the pipe open by itself."""

    def body(at: Place) -> Any:
        with ExitStack() as stack:
            return numbered(at, stack)

    on_kernel, simulated = both(body)
    assert simulated == on_kernel


def test_dup_gives_the_lowest_free_number() -> None:
    """So does F_DUPFD with a number that is meant for real descriptors."""
    with World().host("localhost"):
        end, _ = SIMULATED.os.pipe()
        assert SIMULATED.os.dup(end) == FIRST + 2
        assert SIMULATED.fcntl.fcntl(end, fcntl.F_DUPFD, 10) == FIRST + 3
        SIMULATED.os.close(FIRST + 2)
        assert SIMULATED.os.dup(end) == FIRST + 2


def test_a_range_may_hold_both_kinds() -> None:
    """Of what is open in it, the simulated ones are closed here."""
    with World().host("localhost"), ExitStack() as stack:
        kept, closed = Kinds(REAL, stack).read_end(), SIMULATED.os.eventfd(0)
        SIMULATED.os.closerange(FIRST - 5, FIRST + 5)
        assert outcome(SIMULATED.os.dup, closed)[1] == errno.EBADF
        assert os.fstat(kept)


@pytest.mark.parametrize("swapped", [False, True])
def test_one_kind_of_descriptor_cannot_get_a_number_of_the_other(swapped: bool) -> None:
    """dup2() onto standard output says what to do instead."""
    with World().host("localhost"), ExitStack() as stack:
        ends = Kinds(REAL, stack).read_end(), Kinds(SIMULATED, stack).read_end()
        with pytest.raises(SimnetError, match=r"dup2\(\d+, \d+\).* cannot get"):
            SIMULATED.os.dup2(*(reversed(ends) if swapped else ends))


def test_too_many_descriptors_are_emfile() -> None:
    """A pipe of which only one end would fit leaves nothing behind."""
    world = World()
    with world.host("localhost"):
        world.descriptors.limit = 4
        SIMULATED.os.pipe()
        SIMULATED.os.eventfd(0)
        with pytest.raises(OSError, match="Too many open files"):
            SIMULATED.os.pipe()
        assert len(world.descriptors.numbers()) == 3


def test_without_a_current_host_the_error_says_what_to_do() -> None:
    """For calls on a number, and for what makes one."""
    for call in (lambda: SIMULATED.os.read(FIRST, 1), SIMULATED.os.pipe):
        with pytest.raises(NoCurrentHost, match="use `with host:`"):
            call()
