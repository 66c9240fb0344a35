"""One host's network calls, made to the operating system."""

from __future__ import annotations

import contextlib
import ctypes
import os
import select
import selectors
import socket
import time
import warnings
from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager
from socket import SOCK_STREAM
from types import TracebackType
from typing import TYPE_CHECKING, Any
from weakref import WeakSet

from realnet.files import Files
from realnet.sockets import Socket
from realnet.tasks import ThreadTask
from simnet import api

if TYPE_CHECKING:
    from typing_extensions import Self

# struct sockaddr with sa_family AF_UNSPEC: connect(2), "may dissolve the association".
_UNSPEC = bytes(16)


class Network(api.Network):
    """`simnet.api.Network` on the kernel this program runs on. Threads may share it."""

    files: Files

    def __init__(self) -> None:
        self.files = Files()
        self._sockets: WeakSet[Socket] = WeakSet()
        self._tasks: list[ThreadTask] = []
        self._libc = ctypes.CDLL(None, use_errno=True)

    def _here(self) -> AbstractContextManager[None]:
        """Where the calls are made that depend on the machine: a subclass may go elsewhere."""
        return contextlib.nullcontext()

    # Sockets

    def _count(self, sock: socket.socket) -> Socket:
        """The same socket as an object of the counted class."""
        timeout = sock.gettimeout()
        mine = Socket(sock.family, sock.type, sock.proto, sock.detach())
        mine.settimeout(timeout)
        return mine.counted_in(self._sockets)

    def socket(
        self, family: int = -1, type: int = -1, proto: int = -1, fileno: int | None = None
    ) -> Any:
        with self._here():
            return Socket(family, type, proto, fileno).counted_in(self._sockets)

    def socketpair(
        self, family: int | None = None, type: int = SOCK_STREAM, proto: int = 0
    ) -> tuple[Any, Any]:
        with self._here():
            a, b = socket.socketpair(family, type, proto)
        return self._count(a), self._count(b)

    def create_connection(self, address: Any, *args: Any, **kwargs: Any) -> Any:
        with self._here():
            return self._count(socket.create_connection(address, *args, **kwargs))

    def create_server(self, address: Any, **kwargs: Any) -> Any:
        with self._here():
            return self._count(socket.create_server(address, **kwargs))

    def has_dualstack_ipv6(self) -> bool:
        with self._here():
            return socket.has_dualstack_ipv6()

    def disconnect(self, sock: api.Socket) -> None:
        if self._libc.connect(sock.fileno(), _UNSPEC, len(_UNSPEC)) != 0:
            number = ctypes.get_errno()
            raise OSError(number, os.strerror(number))

    def credentials(self) -> tuple[int, int, int]:
        return os.getpid(), os.getuid(), os.getgid()

    # Names

    def getaddrinfo(self, host: Any, port: Any, *args: Any, **kwargs: Any) -> Any:
        with self._here():
            return socket.getaddrinfo(host, port, *args, **kwargs)

    def getnameinfo(self, sockaddr: Any, flags: int, /) -> tuple[str, str]:
        return socket.getnameinfo(sockaddr, flags)

    def gethostbyname(self, hostname: str, /) -> str:
        return socket.gethostbyname(hostname)

    def gethostbyname_ex(self, hostname: str, /) -> tuple[str, list[str], list[str]]:
        return socket.gethostbyname_ex(hostname)

    def gethostbyaddr(self, ip_address: str, /) -> tuple[str, list[str], list[str]]:
        return socket.gethostbyaddr(ip_address)

    def gethostname(self) -> str:
        return socket.gethostname()

    def getfqdn(self, name: str = "") -> str:
        return socket.getfqdn(name)

    def getservbyname(self, servicename: str, *protocolname: str) -> int:
        return socket.getservbyname(servicename, *protocolname)

    def getservbyport(self, port: int, *protocolname: str) -> str:
        return socket.getservbyport(port, *protocolname)

    def if_nameindex(self) -> list[tuple[int, str]]:
        with self._here():
            return socket.if_nameindex()

    # Readiness

    def select(
        self,
        rlist: Iterable[Any],
        wlist: Iterable[Any],
        xlist: Iterable[Any],
        timeout: float | None = None,
        /,
    ) -> tuple[list[Any], list[Any], list[Any]]:
        return select.select(rlist, wlist, xlist, timeout)

    def poll(self) -> Any:
        return select.poll()

    def epoll(self, sizehint: int = -1, flags: int = 0) -> Any:
        # Not counted: it takes no weak reference, and closes itself when it is collected.
        return select.epoll(sizehint, flags)

    def selector(self) -> selectors.BaseSelector:
        return selectors.DefaultSelector()

    # Time and tasks

    def sleep(self, seconds: float, /) -> None:
        time.sleep(seconds)

    def monotonic(self) -> float:
        return time.monotonic()

    def time(self) -> float:
        return time.time()

    def spawn(
        self, function: Callable[..., Any], /, *args: Any, name: str | None = None
    ) -> ThreadTask:
        def run() -> Any:
            with self._here():
                return function(*args)

        task = ThreadTask(run, (), name or f"task-{len(self._tasks) + 1}")
        self._tasks.append(task)
        return task

    # Ending

    def leftovers(self) -> Sequence[str]:
        sockets = sorted((s for s in self._sockets if s.fileno() != -1), key=Socket.fileno)
        return [
            *(repr(s) for s in sockets),
            *(f"<running task {task.name!r}>" for task in self._tasks if not task.done),
        ]

    def close(self) -> None:
        left = self.leftovers()
        self._end_everything()
        self.files.remove_tempdirs()
        if left:
            warnings.warn("left open: " + "; ".join(left), ResourceWarning, stacklevel=2)

    def _end_everything(self) -> None:
        """Close what is open, which ends the tasks that wait for it."""
        for sock in list(self._sockets):
            if sock.fileno() != -1:
                _wake(sock)
                sock.close()
        for task in self._tasks:
            task.join(1.0)
        self._tasks.clear()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
        /,
    ) -> None:
        return None


def _wake(sock: socket.socket) -> None:
    """Shut a socket down, which wakes threads blocked in it; close() alone does not."""
    with contextlib.suppress(OSError):  # not connected, or gone already
        sock.shutdown(socket.SHUT_RDWR)
