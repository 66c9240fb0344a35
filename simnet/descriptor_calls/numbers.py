"""Descriptors themselves: closing them, making more of them, and what is kept beside them."""

from __future__ import annotations

import errno
import os
from contextlib import suppress
from typing import Any

from simnet import blocking
from simnet.arguments import c_int, plain_int
from simnet.current import the_host
from simnet.descriptor_calls import moving
from simnet.descriptor_calls.dispatch import (
    UNKNOWN,
    ask_the_real_one,
    entry,
    in_place_of,
    is_simulated,
    replacement,
    the_opened,
)
from simnet.descriptors import FIRST, Descriptor
from simnet.errors import SimnetError, os_error
from simnet.protocols import pipes
from simnet.protocols.base import Endpoint
from simnet.protocols.counters import Counter

_real_closerange = os.closerange
_real_dup2 = os.dup2
_real_eventfd = os.eventfd
_real_pipe = os.pipe
_real_pipe2 = os.pipe2
# EFD_SEMAPHORE and every bit that means nothing.
_NO_FLAGS = 0x3FFFFFFF


def close(descriptor: Descriptor) -> None:
    """close(2), which waits if SO_LINGER says so."""
    thing = the_opened(descriptor)
    moving.note(thing, "close")
    thing.hold()
    try:
        thing.host.descriptors.close(descriptor.number)
    finally:
        thing.release()
    if isinstance(thing, Endpoint):
        blocking.linger(thing, None)


def duplicate(descriptor: Descriptor) -> int:
    """dup(2), not to be inherited."""
    return _install(descriptor, False)


def duplicate_from(descriptor: Descriptor, least: int, inheritable: bool) -> int:
    """F_DUPFD: the lowest free number from one on.

    A program that asks for a small number gets the first simulated one: all of them are larger.
    """
    table = the_host().descriptors
    assert descriptor.endpoint is not None
    if 0 <= least < table.limit:
        least = FIRST
    return table.install_from(least, descriptor.endpoint, inheritable).number


def _install(descriptor: Descriptor, inheritable: bool) -> int:
    assert descriptor.endpoint is not None
    return the_host().descriptors.install(descriptor.endpoint, inheritable).number


def _dup2(*args: Any, **named: Any) -> int:
    """dup2(fd, fd2, inheritable=True)"""
    given = dict(zip(("fd", "fd2"), args, strict=False)) | named
    if not is_simulated(given.get("fd")) and not is_simulated(given.get("fd2")):
        return _real_dup2(*args, **named)
    found = ask_the_real_one(_real_dup2, args, named)
    return _dup2_simulated(*args, **named) if found is UNKNOWN else int(found)


def _dup2_simulated(fd: int, fd2: int, inheritable: Any = True) -> int:
    """dup2(2) between simulated numbers. One can not become the other kind."""
    if not is_simulated(fd):
        raise SimnetError(
            f"dup2({fd}, {fd2}): a descriptor of the operating system cannot get a simulated number"
        )
    descriptor = entry(fd)
    if fd2 < 0:
        raise os_error(errno.EBADF)
    if not is_simulated(fd2):
        raise SimnetError(
            f"dup2({fd}, {fd2}): a simulated descriptor cannot get a number that the operating "
            "system knows; use the number that os.dup() gives"
        )
    if fd == fd2:
        if not inheritable:
            raise os_error(errno.EINVAL)
        return int(fd2)
    assert descriptor.endpoint is not None
    table = the_host().descriptors
    return table.install_at(int(fd2), descriptor.endpoint, bool(inheritable)).number


def _closerange(*args: Any, **named: Any) -> None:
    """Close both kinds in a range; those that are not open are passed over."""
    if named or len(args) != 2 or not is_simulated(args[1]):
        _real_closerange(*args, **named)
        return
    fd_low, fd_high = map(c_int, args)
    if fd_low < FIRST:
        _real_closerange(fd_low, FIRST)
    table = the_host().descriptors
    for number in table.numbers():
        if fd_low <= number < fd_high:
            close(table.get(number))


def get_inheritable(descriptor: Descriptor) -> bool:
    """Whether FD_CLOEXEC is not set."""
    return descriptor.inheritable


def set_inheritable(descriptor: Descriptor, inheritable: Any) -> None:
    """Set or clear FD_CLOEXEC."""
    descriptor.inheritable = bool(c_int(inheritable))


def get_blocking(descriptor: Descriptor) -> bool:
    """Whether O_NONBLOCK is not set."""
    return not the_opened(descriptor).nonblocking


def set_blocking(descriptor: Descriptor, blocks: Any) -> None:
    """Set or clear O_NONBLOCK."""
    the_opened(descriptor).nonblocking = not blocks


# Making new ones


def _pipe(*args: Any, **named: Any) -> tuple[int, int]:
    """pipe()"""
    return _real_pipe(*args, **named) if args or named else _make_pipe(os.O_CLOEXEC)


def _pipe2(*args: Any, **named: Any) -> tuple[int, int]:
    """pipe2(flags)"""
    # What has the wrong number of arguments makes no pipe.
    wrong = named or len(args) != 1
    return _real_pipe2(*args, **named) if wrong else _make_pipe(c_int(args[0]))


def _make_pipe(flags: int) -> tuple[int, int]:
    """pipe2(2), in the current host."""
    if flags & ~(os.O_CLOEXEC | os.O_NONBLOCK | os.O_DIRECT):
        # O_EXCL is O_NOTIFICATION_PIPE, which the kernel may be built without.
        raise os_error(errno.ENOPKG if flags == os.O_EXCL else errno.EINVAL)
    host = the_host()
    host.require_up()
    numbers: list[int] = []
    reader, writer = pipes.create(host)
    try:
        for end in (reader, writer):
            end.nonblocking = bool(flags & os.O_NONBLOCK)
            descriptor = host.descriptors.install(end, not flags & os.O_CLOEXEC)
            numbers.append(descriptor.number)
    except OSError:
        for number in numbers:
            host.descriptors.close(number)
        raise
    writer.extra_flags = flags & os.O_DIRECT
    moving.note(reader, "pipe", writer.number, host.name)
    return numbers[0], numbers[1]


def _eventfd(*args: Any, **named: Any) -> int:
    """eventfd(initval, flags=EFD_CLOEXEC)"""
    given = dict(zip(("initval", "flags"), args, strict=False))
    unknown = named.keys() - {"initval", "flags"} | given.keys() & named.keys()
    if len(args) <= 2 and not unknown:
        # With flags that no kernel takes the real one only looks at the arguments.
        refused = {**given, **named, "flags": _NO_FLAGS}
        with suppress(OSError):
            _real_eventfd(**refused)
        flags = plain_int({"flags": os.EFD_CLOEXEC, **given, **named}["flags"])
        return _make_counter({**given, **named}["initval"], flags)
    return _real_eventfd(*args, **named)


def _make_counter(initval: int, flags: int) -> int:
    """eventfd(2), in the current host."""
    if flags & ~(os.EFD_CLOEXEC | os.EFD_NONBLOCK | os.EFD_SEMAPHORE):
        raise os_error(errno.EINVAL)
    host = the_host()
    host.require_up()
    counter = Counter(host, initval, bool(flags & os.EFD_SEMAPHORE))
    counter.nonblocking = bool(flags & os.EFD_NONBLOCK)
    descriptor = host.descriptors.install(counter, not flags & os.EFD_CLOEXEC)
    moving.note(counter, "eventfd", initval, host.name)
    return descriptor.number


def _eventfd_read(descriptor: Descriptor) -> int:
    data = moving.read(descriptor, moving.VALUE.size)
    if len(data) != moving.VALUE.size:
        # What is no counter may give less; the C library leaves the error to chance then.
        raise os_error(errno.EINVAL)
    return int(moving.VALUE.unpack(data)[0])


def _eventfd_write(descriptor: Descriptor, value: int) -> None:
    moving.write(descriptor, moving.VALUE.pack(value))


REPLACED = {
    "close": replacement(os.close, close),
    "closerange": in_place_of(os.closerange, _closerange),
    "dup": replacement(os.dup, duplicate),
    "dup2": in_place_of(os.dup2, _dup2),
    "get_inheritable": replacement(os.get_inheritable, get_inheritable),
    "set_inheritable": replacement(os.set_inheritable, set_inheritable),
    "get_blocking": replacement(os.get_blocking, get_blocking),
    "set_blocking": replacement(os.set_blocking, set_blocking),
    "pipe": in_place_of(os.pipe, _pipe),
    "pipe2": in_place_of(os.pipe2, _pipe2),
    "eventfd": in_place_of(os.eventfd, _eventfd),
    "eventfd_read": replacement(os.eventfd_read, _eventfd_read),
    "eventfd_write": replacement(os.eventfd_write, _eventfd_write),
}
