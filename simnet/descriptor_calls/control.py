"""`fcntl`: flags, duplicates, the size of a pipe, queue lengths, and locks.

Not modelled, and refused: O_ASYNC and the signals that go with it (EOPNOTSUPP, ENOTTY, EINVAL),
leases, seals and hints (EINVAL), ioctls of interfaces (ENOTTY), flock() on pipes, whose ends would
exclude each other (ENOLCK). Record locks never conflict: all programs of a world are one process.
"""

from __future__ import annotations

import errno
import fcntl as _real
import os
import struct
import termios
from typing import Any

from simnet.descriptor_calls import numbers
from simnet.descriptor_calls.dispatch import replacement, the_opened
from simnet.descriptors import Descriptor
from simnet.errors import os_error
from simnet.protocols.pipes import PipeEnd

_INT = struct.Struct("=i")
# Commands that the modules of older versions of Python have no names for (linux/fcntl.h).
_F_SETPIPE_SZ, _F_GETPIPE_SZ = 1031, 1032
_SIOCATMARK = 0x8905
# Flags of F_SETFL that mean nothing here: they are shown again.
_KEPT = os.O_APPEND | os.O_NOATIME | os.O_DIRECT
# struct flock: type, whence, start, length, process.
_FLOCK = struct.Struct("=hh4xqqi4x")
_RECORD_LOCKS = (_real.F_SETLK, _real.F_SETLKW, _real.F_OFD_SETLK, _real.F_OFD_SETLKW)
_RECORD_QUERIES = (_real.F_GETLK, _real.F_OFD_GETLK)


# fcntl


def _fcntl(descriptor: Descriptor, cmd: int, arg: Any = 0, /) -> Any:
    if cmd in _RECORD_LOCKS or cmd in _RECORD_QUERIES:
        return _record_lock(descriptor, cmd, arg)
    function = _COMMANDS.get(cmd)
    if function is None:
        raise os_error(errno.EINVAL)
    if isinstance(arg, (bytes, str)):
        if cmd not in _ASK_ONLY:
            # The kernel would take the address of the buffer for the value.
            raise os_error(errno.EINVAL)
        function(descriptor, 0)
        return arg.encode() if isinstance(arg, str) else arg
    return function(descriptor, _as_int(arg))


def _as_int(value: int) -> int:
    """What C makes of it as a signed int."""
    return ((value & 0xFFFFFFFF) ^ 0x80000000) - 0x80000000


def _get_fd(descriptor: Descriptor, _: int) -> int:
    return 0 if descriptor.inheritable else _real.FD_CLOEXEC


def _set_fd(descriptor: Descriptor, flags: int) -> int:
    descriptor.inheritable = not flags & _real.FD_CLOEXEC
    return 0


def _get_flags(descriptor: Descriptor, _: int) -> int:
    thing = the_opened(descriptor)
    return thing.access | thing.extra_flags | (os.O_NONBLOCK if thing.nonblocking else 0)


def _set_flags(descriptor: Descriptor, flags: int) -> int:
    thing = the_opened(descriptor)
    if flags & os.O_DIRECT and thing.kind != "pipe":
        raise os_error(errno.EINVAL)
    if flags & os.O_ASYNC:
        raise os_error(errno.EOPNOTSUPP)
    thing.nonblocking = bool(flags & os.O_NONBLOCK)
    thing.extra_flags = flags & _KEPT
    return 0


def _duplicate(descriptor: Descriptor, least: int) -> int:
    return numbers.duplicate_from(descriptor, least, True)


def _duplicate_to_close(descriptor: Descriptor, least: int) -> int:
    return numbers.duplicate_from(descriptor, least, False)


def _pipe(descriptor: Descriptor) -> PipeEnd:
    thing = descriptor.endpoint
    if not isinstance(thing, PipeEnd):
        raise os_error(errno.EBADF)
    return thing


def _set_pipe_size(descriptor: Descriptor, size: int) -> int:
    return _pipe(descriptor).resize(size)


def _get_pipe_size(descriptor: Descriptor, _: int) -> int:
    return _pipe(descriptor).size


_COMMANDS = {
    _real.F_DUPFD: _duplicate,
    _real.F_DUPFD_CLOEXEC: _duplicate_to_close,
    _real.F_GETFD: _get_fd,
    _real.F_SETFD: _set_fd,
    _real.F_GETFL: _get_flags,
    _real.F_SETFL: _set_flags,
    _F_SETPIPE_SZ: _set_pipe_size,
    _F_GETPIPE_SZ: _get_pipe_size,
}
_ASK_ONLY = {_real.F_GETFD, _real.F_GETFL, _F_GETPIPE_SZ}


# Locks


def _record_lock(descriptor: Descriptor, cmd: int, arg: Any) -> bytes:
    """fcntl(2) with a struct flock."""
    if not isinstance(arg, bytes):
        raise os_error(errno.EFAULT)
    whole = arg[: _FLOCK.size].ljust(_FLOCK.size, b"\0")
    kind, whence, start, length, process = _FLOCK.unpack(whole)
    if whence not in (os.SEEK_SET, os.SEEK_CUR, os.SEEK_END):
        raise os_error(errno.EINVAL)
    if cmd in _RECORD_QUERIES:
        if kind not in (_real.F_RDLCK, _real.F_WRLCK):
            raise os_error(errno.EINVAL)
        free = _FLOCK.pack(_real.F_UNLCK, whence, start, length, process)
        return (free + arg[_FLOCK.size :])[: len(arg)]
    _check_lock(descriptor, kind)
    return arg


def _check_lock(descriptor: Descriptor, kind: int) -> None:
    """A lock to read needs a descriptor to read from, one to write a descriptor to write to."""
    thing = the_opened(descriptor)
    if kind not in (_real.F_RDLCK, _real.F_WRLCK, _real.F_UNLCK):
        raise os_error(errno.EINVAL)
    if kind == _real.F_RDLCK and not thing.may_read:
        raise os_error(errno.EBADF)
    if kind == _real.F_WRLCK and not thing.may_write:
        raise os_error(errno.EBADF)


def _fcntl_lockf(
    descriptor: Descriptor, cmd: int, len: int = 0, start: int = 0, whence: int = 0, /
) -> None:
    if whence not in (os.SEEK_SET, os.SEEK_CUR, os.SEEK_END):
        raise os_error(errno.EINVAL)
    if cmd & _real.LOCK_UN:
        kind = _real.F_UNLCK
    else:
        kind = _real.F_RDLCK if cmd & _real.LOCK_SH else _real.F_WRLCK
    _check_lock(descriptor, kind)


def _os_lockf(descriptor: Descriptor, command: int, length: int, /) -> None:
    locks = command in (os.F_LOCK, os.F_TLOCK)
    _check_lock(descriptor, _real.F_WRLCK if locks else _real.F_UNLCK)


def _flock(descriptor: Descriptor, operation: int, /) -> None:
    if the_opened(descriptor).kind == "pipe":
        raise os_error(errno.ENOLCK)


# ioctl


def _ioctl(descriptor: Descriptor, request: int, arg: Any = 0, mutate_flag: bool = True, /) -> Any:
    thing = the_opened(descriptor)
    request &= 0xFFFFFFFF
    if request in (termios.FIOCLEX, termios.FIONCLEX):
        descriptor.inheritable = request == termios.FIONCLEX
        return _answer(arg, mutate_flag, b"")
    if request == termios.FIONBIO:
        thing.nonblocking = _given(arg) != 0
        return _answer(arg, mutate_flag, b"")
    if thing.kind == "epoll":
        raise os_error(errno.EINVAL)
    if request == termios.FIONREAD:
        value = thing.input_length()
    elif request == termios.TIOCOUTQ:
        value = thing.output_length()
    elif request == _SIOCATMARK:
        value = int(thing.at_mark())
    else:
        raise os_error(errno.ENOTTY)
    _given(arg)
    return _answer(arg, mutate_flag, _INT.pack(value))


def _given(arg: Any) -> int:
    """The int in a buffer; a number in its place is an address that nothing is at."""
    if isinstance(arg, int):
        raise os_error(errno.EFAULT)
    data = arg.encode() if isinstance(arg, str) else bytes(memoryview(arg).cast("B"))
    return int(_INT.unpack(data[: _INT.size].ljust(_INT.size, b"\0"))[0])


def _answer(arg: Any, mutate_flag: bool, data: bytes) -> Any:
    """What ioctl() returns: 0, having changed a buffer that may be; or what is in a copy of it."""
    if isinstance(arg, int):
        return 0
    if isinstance(arg, str):
        arg = arg.encode()
    view = memoryview(arg).cast("B")
    if not view.readonly and mutate_flag:
        view[: len(data)] = data[: len(view)]
        return 0
    return (data + bytes(view)[len(data) :])[: len(view)]


REPLACED = {
    "fcntl": replacement(_real.fcntl, _fcntl, by_object=True),
    "ioctl": replacement(_real.ioctl, _ioctl, by_object=True),
    "flock": replacement(_real.flock, _flock, by_object=True),
    "lockf": replacement(_real.lockf, _fcntl_lockf, by_object=True),
}
OS_REPLACED = {"lockf": replacement(os.lockf, _os_lockf)}
