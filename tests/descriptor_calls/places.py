"""The two sides of a comparison, and everything that a descriptor may refer to, on each.

A body runs twice: with the real functions on real sockets and pipes, and with the replacements on
simulated ones. What comes out must be equal: results, and errors with their text.
"""

from __future__ import annotations

import fcntl
import io
import os
import re
import select
import socket
import struct
from collections.abc import Callable
from contextlib import ExitStack, suppress
from types import SimpleNamespace
from typing import Any

import attrs

from simnet import World, stdlib
from simnet.descriptor_calls import REPLACED

F_SETPIPE_SZ, F_GETPIPE_SZ, SIOCATMARK, FIGETBSZ = 1031, 1032, 0x8905, 2
INT = struct.Struct("=i")


@attrs.frozen
class Place:
    """One side of a comparison: the modules that a body calls."""

    os: Any
    fcntl: Any
    io: Any
    socket: Any
    select: Any


def replaced(module: Any, name: str) -> Any:
    """A module as it is in a patched program."""
    return SimpleNamespace(**{**vars(module), **REPLACED[name]})


REAL = Place(os, fcntl, io, socket, select)
SIMULATED = Place(
    replaced(os, "os"), replaced(fcntl, "fcntl"), replaced(io, "io"), stdlib.module, stdlib.select
)


def outcome(function: Callable[..., Any], *args: Any, **named: Any) -> Any:
    """What a call gives, or how it fails; without the numbers of descriptors."""
    try:
        result = function(*args, **named)
        if isinstance(result, io.IOBase):
            return re.sub(r"\d+", "N", repr(result))
        return result
    except Exception as error:
        text = re.sub(r"\d+$", "N", str(error))
        return type(error).__name__, getattr(error, "errno", None), text


def both(body: Callable[[Place], Any]) -> tuple[Any, Any]:
    """What a body gives on the kernel, and on the simulator."""
    on_kernel = body(REAL)
    with World().host("localhost"):
        return on_kernel, body(SIMULATED)


# Everything that a descriptor may refer to


class Kinds:
    """Makers of a descriptor of each kind, non-blocking where that matters; all is closed later."""

    def __init__(self, at: Place, stack: ExitStack) -> None:
        self.at = at
        self.stack = stack

    def _socket(self, *args: Any, **named: Any) -> Any:
        sock = self.stack.enter_context(self.at.socket.socket(*args, **named))
        sock.setblocking(False)
        return sock

    def pair(self, kind: int = socket.SOCK_STREAM) -> tuple[Any, Any]:
        """Two unix sockets."""
        pair = self.at.socket.socketpair(socket.AF_UNIX, kind)
        for sock in pair:
            self.stack.enter_context(sock)
            sock.setblocking(False)
        return pair  # type: ignore[no-any-return]

    def tcp_pair(self) -> tuple[Any, Any, Any]:
        """A connection: client, server, and the listener."""
        listener = self.stack.enter_context(self.at.socket.create_server(("127.0.0.1", 0)))
        client = self._socket()
        client.setblocking(True)
        client.connect(listener.getsockname())
        server, _ = listener.accept()
        self.stack.enter_context(server)
        for sock in (client, server):
            sock.setblocking(False)
        return client, server, listener

    def pipe(self, flags: int = os.O_NONBLOCK | os.O_CLOEXEC) -> tuple[int, int]:
        """Two ends of a pipe."""
        ends: tuple[int, int] = self.at.os.pipe2(flags)
        for end in ends:
            self.stack.callback(self.close, end)
        return ends

    def close(self, number: int) -> None:
        """Close it if it is open."""
        with suppress(OSError):
            self.at.os.close(number)

    def unix(self) -> int:
        return self.pair()[0].fileno()  # type: ignore[no-any-return]

    def seqpacket(self) -> int:
        return self.pair(socket.SOCK_SEQPACKET)[0].fileno()  # type: ignore[no-any-return]

    def tcp(self) -> int:
        return self.tcp_pair()[0].fileno()  # type: ignore[no-any-return]

    def fresh_tcp(self) -> int:
        return self._socket().fileno()  # type: ignore[no-any-return]

    def listener(self) -> int:
        return self.tcp_pair()[2].fileno()  # type: ignore[no-any-return]

    def udp(self) -> int:
        return self._socket(type=socket.SOCK_DGRAM).fileno()  # type: ignore[no-any-return]

    def read_end(self) -> int:
        return self.pipe()[0]

    def write_end(self) -> int:
        return self.pipe()[1]

    def packets(self) -> int:
        return self.pipe(os.O_NONBLOCK | os.O_DIRECT)[1]

    def epoll(self) -> int:
        poller = self.at.select.epoll()
        self.stack.callback(poller.close)
        return poller.fileno()  # type: ignore[no-any-return]

    def counter(self) -> int:
        number: int = self.at.os.eventfd(3, os.EFD_NONBLOCK)
        self.stack.callback(self.close, number)
        return number

    def closed(self) -> int:
        ends = self.pipe()
        for end in ends:
            self.at.os.close(end)
        return ends[0]


KINDS = (
    *("unix", "seqpacket", "tcp", "fresh_tcp", "listener", "udp"),
    *("read_end", "write_end", "packets", "epoll", "counter", "closed"),
)


class Named:
    """An object with fileno()."""

    def __init__(self, number: int) -> None:
        self.number = number
        self.asked = 0

    def fileno(self) -> int:
        """The number; once."""
        self.asked += 1
        assert self.asked == 1
        return self.number
