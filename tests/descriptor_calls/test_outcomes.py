"""Every call on every kind of descriptor: the outcome is the kernel's."""

from __future__ import annotations

import array
import errno
import fcntl
import os
import re
import stat
import struct
import termios
from collections.abc import Callable
from contextlib import ExitStack
from typing import Any

import pytest

from simnet import World
from tests.descriptor_calls.places import (
    F_GETPIPE_SZ,
    F_SETPIPE_SZ,
    INT,
    KINDS,
    SIMULATED,
    SIOCATMARK,
    Kinds,
    Named,
    Place,
    both,
    outcome,
)


def record_lock(kind: int) -> bytes:
    """A struct flock."""
    return struct.pack("=hh4xqqi4x", kind, 0, 0, 0, 0)


def fcntl_case(command: int, argument: Any = 0) -> Callable[[Place, int], Any]:
    """A call of fcntl()."""
    return lambda at, fd: at.fcntl.fcntl(fd, command, argument)


def ioctl_case(request: int, argument: Any = b"\0\0\0\0") -> Callable[[Place, int], Any]:
    """A call of ioctl()."""
    return lambda at, fd: at.fcntl.ioctl(fd, request, argument)


CALLS: dict[str, Callable[[Place, int], Any]] = {
    # Moving bytes
    "read": lambda at, fd: at.os.read(fd, 8),
    "read nothing": lambda at, fd: at.os.read(fd, 0),
    "read too little": lambda at, fd: at.os.read(fd, 3),
    "read less than nothing": lambda at, fd: at.os.read(fd, -1),
    "write": lambda at, fd: at.os.write(fd, b"\1\0\0\0\0\0\0\0"),
    "write nothing": lambda at, fd: at.os.write(fd, b""),
    "write nine bytes": lambda at, fd: at.os.write(fd, b"123456789"),
    "write text": lambda at, fd: at.os.write(fd, "text"),
    "readv": lambda at, fd: at.os.readv(fd, [bytearray(3), bytearray(9)]),
    "readv nothing": lambda at, fd: at.os.readv(fd, []),
    "writev": lambda at, fd: at.os.writev(fd, [b"\1\0\0\0", b"\0\0\0\0"]),
    "writev two numbers": lambda at, fd: at.os.writev(fd, [b"\1\0\0\0\0\0\0\0"] * 2),
    "writev nothing": lambda at, fd: at.os.writev(fd, []),
    "pread": lambda at, fd: at.os.pread(fd, 1, 0),
    "pread from before": lambda at, fd: at.os.pread(fd, 1, -1),
    "pwrite": lambda at, fd: at.os.pwrite(fd, b"x", 0),
    "preadv": lambda at, fd: at.os.preadv(fd, [bytearray(1)], 0),
    "pwritev": lambda at, fd: at.os.pwritev(fd, [b"x"], 0),
    "eventfd_read": lambda at, fd: at.os.eventfd_read(fd),
    "eventfd_write": lambda at, fd: at.os.eventfd_write(fd, 5),
    "eventfd_write the most": lambda at, fd: at.os.eventfd_write(fd, (1 << 64) - 1),
    "eventfd_write too much": lambda at, fd: at.os.eventfd_write(fd, (1 << 64) - 2),
    "eventfd_write by name": lambda at, fd: at.os.eventfd_write(value=5, fd=fd),
    # What is known of it
    "fstat": lambda at, fd: known(at.os.fstat(fd)),
    "fstat by name": lambda at, fd: known(at.os.fstat(fd=fd)),
    "stat": lambda at, fd: known(at.os.stat(fd)),
    "fchmod": lambda at, fd: (at.os.fchmod(fd, 0o640), known(at.os.fstat(fd))),
    "chmod": lambda at, fd: (at.os.chmod(fd, 0o4755), known(at.os.fstat(fd))),
    "fchown": lambda at, fd: at.os.fchown(fd, -1, -1),
    "fchown to nobody": lambda at, fd: (
        at.os.fchown(fd, 65534, 65533),
        [(status.st_uid, status.st_gid) for status in [at.os.fstat(fd)]],
    ),
    "chown": lambda at, fd: at.os.chown(fd, -1, -1),
    "isatty": lambda at, fd: at.os.isatty(fd),
    "device_encoding": lambda at, fd: at.os.device_encoding(fd),
    "ttyname": lambda at, fd: at.os.ttyname(fd),
    "tcgetpgrp": lambda at, fd: at.os.tcgetpgrp(fd),
    "tcsetpgrp": lambda at, fd: at.os.tcsetpgrp(fd, 1),
    "get_terminal_size": lambda at, fd: at.os.get_terminal_size(fd),
    "lseek": lambda at, fd: at.os.lseek(fd, 0, os.SEEK_SET),
    "lseek nowhere": lambda at, fd: at.os.lseek(fd, 0, 77),
    "fpathconf": lambda at, fd: at.os.fpathconf(fd, "PC_PIPE_BUF"),
    "pathconf": lambda at, fd: at.os.pathconf(fd, "PC_NAME_MAX"),
    "fpathconf of nothing": lambda at, fd: at.os.fpathconf(fd, "PC_NOTHING"),
    "fstatvfs": lambda at, fd: at.os.fstatvfs(fd),
    "statvfs": lambda at, fd: at.os.statvfs(fd),
    # What only files and directories can do
    "ftruncate": lambda at, fd: at.os.ftruncate(fd, 0),
    "ftruncate to less": lambda at, fd: at.os.ftruncate(fd, -1),
    "truncate": lambda at, fd: at.os.truncate(fd, 0),
    "fsync": lambda at, fd: at.os.fsync(fd),
    "fsync of an object": lambda at, fd: at.os.fsync(Named(fd)),
    "fdatasync": lambda at, fd: at.os.fdatasync(fd),
    "fchdir": lambda at, fd: at.os.fchdir(fd),
    "chdir": lambda at, fd: at.os.chdir(fd),
    "listdir": lambda at, fd: at.os.listdir(fd),
    "scandir": lambda at, fd: at.os.scandir(fd),
    "posix_fadvise": lambda at, fd: at.os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_NORMAL),
    "posix_fadvise nonsense": lambda at, fd: at.os.posix_fadvise(fd, 0, 0, 99),
    "posix_fallocate": lambda at, fd: at.os.posix_fallocate(fd, 0, 10),
    "copy_file_range": lambda at, fd: at.os.copy_file_range(fd, fd, 5),
    "copy_file_range less": lambda at, fd: at.os.copy_file_range(fd, fd, -5),
    "os.lockf": lambda at, fd: at.os.lockf(fd, os.F_LOCK, 0),
    "os.lockf test": lambda at, fd: at.os.lockf(fd, os.F_TEST, 0),
    "os.lockf unlock": lambda at, fd: at.os.lockf(fd, os.F_ULOCK, 0),
    "os.lockf nonsense": lambda at, fd: at.os.lockf(fd, 99, 0),
    "lockf to write": lambda at, fd: at.fcntl.lockf(fd, fcntl.LOCK_EX),
    "lockf to read": lambda at, fd: at.fcntl.lockf(fd, fcntl.LOCK_SH | fcntl.LOCK_NB),
    "lockf unlock": lambda at, fd: at.fcntl.lockf(fd, fcntl.LOCK_UN),
    "lockf nonsense": lambda at, fd: at.fcntl.lockf(fd, 0),
    "lockf from nowhere": lambda at, fd: at.fcntl.lockf(fd, fcntl.LOCK_UN, 0, 0, 9),
    "F_GETLK": fcntl_case(fcntl.F_GETLK, record_lock(fcntl.F_WRLCK)),
    "F_GETLK unlocked": fcntl_case(fcntl.F_GETLK, record_lock(fcntl.F_UNLCK)),
    "F_SETLK to read": fcntl_case(fcntl.F_SETLK, record_lock(fcntl.F_RDLCK)),
    "F_SETLK to write": fcntl_case(fcntl.F_SETLKW, record_lock(fcntl.F_WRLCK)),
    "F_SETLK nonsense": fcntl_case(fcntl.F_SETLK, record_lock(9)),
    "F_SETLK from nowhere": fcntl_case(fcntl.F_SETLK, struct.pack("=hh28x", 0, 7)),
    "F_SETLK number": fcntl_case(fcntl.F_SETLK, 5),
    "flock nonsense": lambda at, fd: at.fcntl.flock(fd, 0),
    # Descriptors themselves
    "get_inheritable": lambda at, fd: at.os.get_inheritable(fd),
    "set_inheritable": lambda at, fd: (at.os.set_inheritable(fd, True), at.os.get_inheritable(fd)),
    "set_inheritable to text": lambda at, fd: at.os.set_inheritable(fd, "yes"),
    "get_blocking": lambda at, fd: at.os.get_blocking(fd),
    "set_blocking": lambda at, fd: (at.os.set_blocking(fd, True), at.os.get_blocking(fd)),
    "dup2 itself": lambda at, fd: at.os.dup2(fd, fd) == fd,
    "dup2 itself, not inherited": lambda at, fd: at.os.dup2(fd, fd, inheritable=False),
    "dup2 nowhere": lambda at, fd: at.os.dup2(fd, -1),
    "dup of too many": lambda at, fd: at.os.dup(fd, fd),
    # Flags
    "F_GETFD": fcntl_case(fcntl.F_GETFD),
    "F_SETFD": lambda at, fd: (at.fcntl.fcntl(fd, fcntl.F_SETFD, 6), at.os.get_inheritable(fd)),
    "F_GETFL": fcntl_case(fcntl.F_GETFL),
    "F_GETFL into a buffer": fcntl_case(fcntl.F_GETFL, b"12"),
    "F_GETFL into text": fcntl_case(fcntl.F_GETFL, "12"),
    "F_SETFL append": lambda at, fd: set_flags(at, fd, os.O_APPEND | os.O_NONBLOCK),
    "F_SETFL nothing": lambda at, fd: set_flags(at, fd, 0),
    "F_SETFL nonsense": lambda at, fd: set_flags(at, fd, 0x40000001),
    "F_SETFL direct": lambda at, fd: set_flags(at, fd, os.O_DIRECT),
    "F_DUPFD below 0": fcntl_case(fcntl.F_DUPFD, -1),
    "F_DUPFD above all": fcntl_case(fcntl.F_DUPFD, 0x7FFFFFFF),
    "F_SETPIPE_SZ small": fcntl_case(F_SETPIPE_SZ, 100),
    "F_SETPIPE_SZ 0": fcntl_case(F_SETPIPE_SZ, 0),
    "F_SETPIPE_SZ odd": fcntl_case(F_SETPIPE_SZ, 5000),
    "F_SETPIPE_SZ below 0": fcntl_case(F_SETPIPE_SZ, -5),
    "F_GETPIPE_SZ": fcntl_case(F_GETPIPE_SZ),
    "F_GET_SEALS": fcntl_case(1034),
    "fcntl nonsense": fcntl_case(9999),
    "fcntl text": lambda at, fd: at.fcntl.fcntl(fd, "text"),
    "fcntl of an object": lambda at, fd: at.fcntl.fcntl(Named(fd), fcntl.F_GETFL),
    # Queues
    "FIONREAD": ioctl_case(termios.FIONREAD),
    "FIONREAD short": ioctl_case(termios.FIONREAD, b"\0\0"),
    "FIONREAD long": ioctl_case(termios.FIONREAD, b"\1" * 8),
    "FIONREAD of an address": ioctl_case(termios.FIONREAD, 1),
    "TIOCOUTQ": ioctl_case(termios.TIOCOUTQ),
    "SIOCATMARK": ioctl_case(SIOCATMARK),
    "FIONBIO": lambda at, fd: (
        at.fcntl.ioctl(fd, termios.FIONBIO, INT.pack(0)),
        at.os.get_blocking(fd),
    ),
    "FIONBIO of an address": ioctl_case(termios.FIONBIO, 1),
    "FIOCLEX": lambda at, fd: (
        at.fcntl.ioctl(fd, termios.FIONCLEX),
        at.os.get_inheritable(fd),
        at.fcntl.ioctl(fd, termios.FIOCLEX, b"ab"),
        at.os.get_inheritable(fd),
    ),
    "TCGETS": ioctl_case(termios.TCGETS, b"\0" * 64),
    "ioctl 0": ioctl_case(0, 0),
    "ioctl in place": lambda at, fd: in_place(at, fd, bytearray(b"12345678")),
    "ioctl in an array": lambda at, fd: in_place(at, fd, array.array("i", [7])),
    "ioctl not in place": lambda at, fd: in_place(at, fd, bytearray(b"1234"), False),
    # Files over it
    "open as 'zz'": lambda at, fd: at.io.open(fd, "zz"),
    "open to read and write": lambda at, fd: at.io.open(fd, "r+b", closefd=False),
    "open text without buffer": lambda at, fd: at.io.open(fd, "r", 0, closefd=False),
    "open with encoding": lambda at, fd: at.io.open(fd, "rb", encoding="ascii"),
    "open with no such encoding": lambda at, fd: at.io.open(fd, encoding="?", closefd=False),
    "FileIO as 'rw'": lambda at, fd: at.io.FileIO(fd, "rw"),
    "fdopen too much": lambda at, fd: at.os.fdopen(fd, 1, 2, 3, 4, 5, 6, 7, 8),
}


def known(status: os.stat_result) -> Any:
    """What fstat() says that does not vary from run to run."""
    fields = ("st_mode", "st_nlink", "st_uid", "st_gid", "st_size", "st_blksize", "st_blocks")
    # The times of a new socket are what its memory held before.
    times = [] if stat.S_ISSOCK(status.st_mode) else [status.st_atime > 0, status.st_ctime > 0]
    return [getattr(status, name) for name in fields], times


def set_flags(at: Place, fd: int, flags: int) -> Any:
    """F_SETFL, and what F_GETFL says then."""
    return at.fcntl.fcntl(fd, fcntl.F_SETFL, flags), at.fcntl.fcntl(fd, fcntl.F_GETFL)


def in_place(at: Place, fd: int, buffer: Any, mutate: bool = True) -> Any:
    """FIONREAD with a buffer that may be written to."""
    result = at.fcntl.ioctl(fd, termios.FIONREAD, buffer, mutate)
    return result if isinstance(result, int) else bytes(result), bytes(buffer)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("call", CALLS)
def test_a_call_has_the_outcome_that_it_has_on_the_kernel(call: str, kind: str) -> None:
    """Of every kind of descriptor."""

    def body(at: Place) -> Any:
        with ExitStack() as stack:
            fd = getattr(Kinds(at, stack), kind)()
            return outcome(CALLS[call], at, fd)

    on_kernel, simulated = both(body)
    assert simulated == on_kernel


# Refused here


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "closed"])
@pytest.mark.parametrize(
    ("call", "error"),
    [
        (lambda at, fd: at.fcntl.fcntl(fd, fcntl.F_SETFL, os.O_ASYNC), errno.EOPNOTSUPP),
        (lambda at, fd: at.fcntl.fcntl(fd, fcntl.F_SETOWN, os.getpid()), errno.EINVAL),
        (lambda at, fd: at.fcntl.fcntl(fd, fcntl.F_SETFL, b"1234"), errno.EINVAL),
        (lambda at, fd: at.os.utime(fd), errno.EOPNOTSUPP),
    ],
    ids=["O_ASYNC", "F_SETOWN", "F_SETFL of a buffer", "utime"],
)
def test_what_is_not_modelled_is_refused(call: Any, error: int, kind: str) -> None:
    """Where the kernel would do it."""
    with World().host("localhost"), ExitStack() as stack:
        fd = getattr(Kinds(SIMULATED, stack), kind)()
        with pytest.raises(OSError, match=re.escape(os.strerror(error))) as caught:
            call(SIMULATED, fd)
        assert caught.value.errno == error


@pytest.mark.parametrize("operation", [fcntl.LOCK_EX, fcntl.LOCK_SH | fcntl.LOCK_NB])
def test_flock_is_granted_on_sockets_and_refused_on_pipes(operation: int) -> None:
    """The ends of a pipe would exclude each other, which is not modelled."""
    with World().host("localhost"), ExitStack() as stack:
        kinds = Kinds(SIMULATED, stack)
        assert SIMULATED.fcntl.flock(kinds.tcp(), operation) is None
        with pytest.raises(OSError, match="No locks available"):
            SIMULATED.fcntl.flock(kinds.read_end(), operation)
