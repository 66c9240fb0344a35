"""Calls that would block although something is there, and readiness although nothing is."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from simnet.nastiness.base import SocketVariation
from simnet.protocols.base import Ancillary, Endpoint, Received
from simnet.protocols.tcp import Tcp
from simnet.protocols.tcp_states import ESTABLISHED, LISTEN
from simnet.protocols.udp import Udp
from simnet.readiness import (
    POLLERR,
    POLLHUP,
    POLLIN,
    POLLOUT,
    POLLRDHUP,
    POLLRDNORM,
    POLLWRNORM,
)

WOULD_BLOCK = "would_block"
_DATA_READY = POLLIN | POLLRDNORM
_ROOM = POLLOUT | POLLWRNORM
# The end of the data, or an error, is there for good.
_FINAL = POLLERR | POLLHUP | POLLRDHUP


class WouldBlock(SocketVariation):
    """An inet socket that does not keep what readiness has promised.

    Reading: poll() says that there is something, and there is nothing: a packet had come, and is
    found to be broken when it is read. select(2), under BUGS: "may report a socket file descriptor
    as 'ready for reading', while nevertheless a subsequent read blocks [...] when data has arrived
    but upon examination has the wrong checksum and is discarded. There may be other circumstances".
    So recv() without O_NONBLOCK waits, and with it is EAGAIN.

    With O_NONBLOCK, recv() and send() may also be EAGAIN although there are data, or room: what was
    sent has not quite arrived, and memory is short for a moment. A call with a Python timeout goes
    on waiting, and is told when that is over, as an edge-triggered epoll is.

    Never where the end, an error, or (by MSG_PEEK or FIONREAD) the very data were seen. Not of unix
    sockets and pipes: nothing on their way can break, and event loops wake themselves through them.
    """

    # Whether what poll() has seen is broken; until the next read finds that out.
    _ghost = False

    def poll(self) -> int:
        bits = super().poll()  # type: ignore[safe-super]
        if bits & (POLLIN | _FINAL):
            return bits
        if not self._ghost and self._may_hear():
            self._ghost = self.strikes(WOULD_BLOCK, 8, "poll")
        return bits | _DATA_READY if self._ghost else bits

    def _may_hear(self) -> bool:
        """Whether a packet may come for it."""
        raise NotImplementedError

    def recv(self, size: int, flags: int, ancillary_size: int = 0) -> Received | None:
        self._ghost = False
        if not self.would_wait(flags) and not self.told and self._is_ready_for(POLLIN, "recv"):
            self.later(_DATA_READY)
            return None
        return super().recv(size, flags, ancillary_size)

    def send(
        self,
        data: bytes | memoryview,
        flags: int,
        address: Any = None,
        ancillary: Sequence[Ancillary] = (),
    ) -> int | None:
        if not self.would_wait(flags) and self._is_ready_for(POLLOUT, "send"):
            self.later(_ROOM)
            return None
        return super().send(data, flags, address, ancillary)

    def _is_ready_for(self, bit: int, call: str) -> bool:
        """Whether a call that would go on is to be refused."""
        bits = super().poll()  # type: ignore[safe-super]
        return bool(bits & bit) and not bits & _FINAL and self.strikes(WOULD_BLOCK, 6, call)


class TcpWouldBlock(WouldBlock, Tcp):
    """Of a listener too: accept(2), "There may not always be a connection waiting" after select."""

    def _may_hear(self) -> bool:
        return self.state in (ESTABLISHED, LISTEN)

    def accept(self) -> tuple[Endpoint, Any] | None:
        self._ghost = False
        if self.nonblocking and self.listening and self._is_ready_for(POLLIN, "accept"):
            self.later(_DATA_READY)
            return None
        return super().accept()


class UdpWouldBlock(WouldBlock, Udp):
    """The kernel looks at the checksum of a datagram when it is read, as of this one."""

    def _may_hear(self) -> bool:
        return bool(self.port)
