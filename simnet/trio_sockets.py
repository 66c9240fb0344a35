"""trio's sockets over simulated ones, and its look-ups of names on a simulated host.

The class is trio's own: each call is tried at once, and after EAGAIN waits with
`trio.lowlevel.wait_readable` or `wait_writable`. What is different is whose methods are called.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

import trio
import trio._socket as _socket

from simnet.readiness import ALWAYS, POLLIN

if TYPE_CHECKING:
    from simnet.host import Host


class SocketType(_socket._SocketType):
    """A trio socket over a simulated one."""

    _sock: Any

    def __init__(self, sock: Any) -> None:
        # The original one accepts only the real class.
        sock.setblocking(False)
        self._sock = sock
        self._did_shutdown_SHUT_WR = False

    async def _nonblocking_helper(  # type: ignore[override]
        self,
        wait: Callable[[Any], Awaitable[None]],
        method: Callable[..., Any],
        *args: Any,
        **kwargs: Any,
    ) -> Any:
        simulated = getattr(type(self._sock), method.__name__)
        return await super()._nonblocking_helper(wait, simulated, *args, **kwargs)

    async def accept(self) -> tuple[SocketType, Any]:
        """Like socket.accept, but async."""
        sock, address = await self._accept()
        return SocketType(sock), address

    def dup(self) -> SocketType:
        """Same as socket.dup."""
        return SocketType(self._sock.dup())

    def is_readable(self) -> bool:
        """Whether there is something to read."""
        opened = self._sock._descriptor.endpoint
        return opened is not None and bool(opened.poll() & (POLLIN | ALWAYS))


class SocketFactory(trio.abc.SocketFactory):
    """Makes the sockets of a host."""

    def __init__(self, host: Host) -> None:
        self._host = host

    def socket(self, family: int = -1, type: int = -1, proto: int = -1) -> SocketType:
        """A socket of the host."""
        return SocketType(self._host.socket(family, type, proto))


class HostnameResolver(trio.abc.HostnameResolver):
    """Looks names up as the host does, which may take its time."""

    def __init__(self, host: Host) -> None:
        self._host = host

    async def getaddrinfo(
        self, host: Any, port: Any, family: int = 0, type: int = 0, proto: int = 0, flags: int = 0
    ) -> Any:
        """As trio.socket.getaddrinfo, once it is known that the host is a name."""
        look_up = self._host.getaddrinfo
        return await trio.to_thread.run_sync(
            look_up, host, port, family, type, proto, flags, abandon_on_cancel=True
        )

    async def getnameinfo(self, sockaddr: Any, flags: int) -> tuple[str, str]:
        """As trio.socket.getnameinfo."""
        look_up = self._host.getnameinfo
        return await trio.to_thread.run_sync(look_up, sockaddr, flags, abandon_on_cancel=True)
