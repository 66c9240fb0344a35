"""Reading and writing: what read(2), write(2) and their kin do with what a descriptor refers to.

A read of a socket is a recv() without flags, a write a send(), and both appear so in the trace;
pipes and counters have theirs here. Who may wait does.
"""

from __future__ import annotations

import errno
import struct
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from simnet import blocking, sockets
from simnet.descriptors import Descriptor
from simnet.errors import name_of, os_error
from simnet.protocols.base import Endpoint
from simnet.protocols.counters import Counter
from simnet.protocols.opened import Opened
from simnet.protocols.pipes import ReadEnd, WriteEnd
from simnet.readiness import READABLE, WRITABLE
from simnet.trace import RECV, SEND

T = TypeVar("T")

VALUE = struct.Struct("=Q")


class _Borrowed(sockets.socket):
    """A socket object for the length of a call. The descriptor is not its own."""

    __slots__ = ()

    def __init__(self, descriptor: Descriptor) -> None:
        endpoint = descriptor.endpoint
        assert isinstance(endpoint, Endpoint)
        self._descriptor = descriptor
        self._home = endpoint.host
        self._recent = endpoint.host.trace.recent
        self._timeout_ns = None
        self._family, self._type, self._proto = endpoint.family, endpoint.type, endpoint.proto

    def __del__(self) -> None:
        """Nothing is closed."""


def read(descriptor: Descriptor, size: int) -> bytes:
    """read(2)."""
    thing = readable(descriptor.endpoint)
    if isinstance(thing, Endpoint):
        # The kernel does not ask a socket for no bytes.
        return _Borrowed(descriptor).recv(size) if size else b""
    if isinstance(thing, ReadEnd):
        data = _waiting(thing, lambda: thing.read(size), READABLE, "read")
        note(thing, RECV, len(data))
        return data
    if isinstance(thing, Counter):
        if size < VALUE.size:
            raise os_error(errno.EINVAL)
        return VALUE.pack(take(thing))
    raise os_error(errno.EINVAL)


def write(descriptor: Descriptor, data: Any) -> int:
    """write(2)."""
    thing = writable(descriptor.endpoint)
    if isinstance(thing, Endpoint):
        return _Borrowed(descriptor).send(data)
    view = memoryview(data).cast("B")
    if isinstance(thing, WriteEnd):
        return _write_pipe(thing, view)
    if isinstance(thing, Counter):
        if len(view) != VALUE.size:
            raise os_error(errno.EINVAL)
        return add(thing, *VALUE.unpack(view))
    raise os_error(errno.EINVAL)


def readv(descriptor: Descriptor, buffers: Sequence[Any]) -> int:
    """readv(2)."""
    thing = readable(descriptor.endpoint)
    views = [memoryview(buffer).cast("B") for buffer in buffers]
    size = sum(map(len, views))
    if thing.kind == "epoll":
        raise os_error(errno.EINVAL)
    data = read(descriptor, size) if size else b""
    rest = data
    for view in views:
        part, rest = rest[: len(view)], rest[len(view) :]
        view[: len(part)] = part
    return len(data)


def writev(descriptor: Descriptor, buffers: Sequence[Any]) -> int:
    """writev(2). Of a counter each buffer is a write of its own."""
    thing = writable(descriptor.endpoint)
    views = [memoryview(buffer).cast("B") for buffer in buffers]
    if isinstance(thing, (Endpoint, WriteEnd)):
        data = b"".join(views)
        return write(descriptor, data) if data else 0
    if thing.kind == "epoll":
        raise os_error(errno.EINVAL)
    return sum(write(descriptor, view) for view in views)


def readable(thing: Any) -> Opened:
    """EBADF for what was opened to write only."""
    assert isinstance(thing, Opened)
    if not thing.may_read:
        raise os_error(errno.EBADF)
    return thing


def writable(thing: Any) -> Opened:
    """EBADF for what was opened to read only."""
    assert isinstance(thing, Opened)
    if not thing.may_write:
        raise os_error(errno.EBADF)
    return thing


def take(counter: Counter) -> int:
    """Read a counter's value."""
    value = _waiting(counter, counter.take, READABLE, "eventfd_read")
    note(counter, RECV, VALUE.size)
    return value


def add(counter: Counter, value: int) -> int:
    """Add to a counter's value."""
    count = _waiting(counter, lambda: counter.add(value), WRITABLE, "eventfd_write")
    note(counter, SEND, count)
    return count


def note(thing: Opened, what: int | str, *details: Any) -> None:
    """An event for the trace."""
    thing.host.trace.append((what, thing.number, *details))


def _waiting(thing: Opened, attempt: Callable[[], T | None], mask: int, call: str) -> T:
    """A call that waits unless O_NONBLOCK is set, and whose failure is in the trace."""
    try:
        if not thing.nonblocking:
            return blocking.until_result(thing, attempt, mask, None, call, thing)
        result = attempt()
        if result is None:
            raise blocking.would_block(thing.host.scheduler)
        return result
    except OSError as error:
        note(thing, call, name_of(error.errno or 0))
        raise


def _write_pipe(end: WriteEnd, data: memoryview) -> int:
    """All of the data, unless O_NONBLOCK is set or the last reader goes."""
    sent = 0
    with blocking.held(end):
        while True:
            rest, resumes = data[sent:], bool(sent)
            try:
                sent += _waiting(end, lambda: end.write(rest, resumes), WRITABLE, "write")  # noqa: B023
            except OSError:
                if not sent:
                    raise
                break
            if sent == len(data) or end.nonblocking or end.is_interrupted():
                break
    note(end, SEND, sent)
    return sent
