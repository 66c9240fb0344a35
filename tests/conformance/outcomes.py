"""What a call gave, as a value that can be compared: small helpers for the cases."""

from __future__ import annotations

import errno
import select
from collections.abc import Callable
from typing import Any

from simnet.api import Network, Socket
from tests.conformance.kinds import PATIENCE

# EOPNOTSUPP and ENOTSUP are one number on Linux; the manual pages say EOPNOTSUPP.
ERRORS = {**errno.errorcode, errno.EOPNOTSUPP: "EOPNOTSUPP"}
BITS = {
    select.POLLIN: "IN",
    select.POLLPRI: "PRI",
    select.POLLOUT: "OUT",
    select.POLLERR: "ERR",
    select.POLLHUP: "HUP",
    select.POLLNVAL: "NVAL",
    select.POLLRDHUP: "RDHUP",
}


def outcome(call: Callable[..., Any], *args: Any) -> Any:
    """The value of a call, or the name of its error: an errno name, else the exception's class."""
    try:
        return call(*args)
    except OSError as error:
        if error.errno is None:
            return type(error).__name__
        return ERRORS.get(error.errno, type(error).__name__)


def readiness(net: Network, sock: Socket) -> str:
    """The poll bits of a socket now, as 'IN|OUT', with every bit asked for."""
    poller = net.poll()
    poller.register(sock, select.POLLIN | select.POLLPRI | select.POLLOUT | select.POLLRDHUP)
    bits = dict(poller.poll(0)).get(sock.fileno(), 0)
    return "|".join(name for bit, name in BITS.items() if bits & bit)


def wait_for(net: Network, sock: Socket, mask: int) -> int:
    """Wait until a socket polls with one of the bits; return all bits it then has."""
    poller = net.poll()
    poller.register(sock, mask)
    ready = poller.poll(PATIENCE * 1000)
    assert ready, f"{sock!r} never became ready for {mask:#x}"
    return int(ready[0][1])


def fill(sock: Socket, chunk: bytes = b"x" * 1024, limit: int = 64 << 20) -> int:
    """Send on a non-blocking socket until it takes no more; return how many bytes it took."""
    total = 0
    while total < limit:
        try:
            total += sock.send(chunk)
        except BlockingIOError:
            return total
    raise AssertionError(f"{sock!r} took {total} bytes without an end")


def drain(sock: Socket, size: int = 65536) -> bytes:
    """Receive on a non-blocking socket until it has no more; return what came."""
    parts = []
    while True:
        try:
            part = sock.recv(size)
        except BlockingIOError:
            return b"".join(parts)
        if not part:
            return b"".join(parts)
        parts.append(part)


def recv_exactly(sock: Socket, count: int) -> bytes:
    """Receive that many bytes from a stream that blocks; fewer only if it ends."""
    parts = []
    while count:
        part = sock.recv(count)
        if not part:
            break
        parts.append(part)
        count -= len(part)
    return b"".join(parts)


def read_back(sock: Socket, level: int, option: int, value: Any) -> Any:
    """Set an option; the value that it then reads as, or the name of the error."""
    error = outcome(sock.setsockopt, level, option, value)
    return outcome(sock.getsockopt, level, option) if error is None else error
