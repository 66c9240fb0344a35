"""The standard library's socket, counted: its network sees it open and sees it close."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING, Any
from weakref import WeakSet

from simnet import api

if TYPE_CHECKING:
    from typing_extensions import Self


class Socket(socket.socket):
    """`socket.socket`, whose `accept` and `dup` hand the counting on."""

    __slots__ = ("_open",)
    _open: WeakSet[Socket]

    def counted_in(self, open_sockets: WeakSet[Socket]) -> Self:
        """Join the sockets that the network reports as left over while they are open."""
        self._open = open_sockets
        open_sockets.add(self)
        return self

    def accept(self) -> tuple[Socket, Any]:
        """As `socket.socket.accept`, with a socket of this class (the original names its own)."""
        conn, address = super().accept()
        mine = type(self)(conn.family, conn.type, conn.proto, conn.detach())
        mine.settimeout(socket.getdefaulttimeout())
        return mine.counted_in(self._open), address

    def dup(self) -> Self:
        """As `socket.socket.dup`."""
        return super().dup().counted_in(self._open)


api.Socket.register(Socket)
