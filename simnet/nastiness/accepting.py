"""Connections that come late to accept(), or have gone before it."""

from __future__ import annotations

import errno
from functools import partial
from typing import Any

from simnet.clock import SECOND_NS
from simnet.errors import os_error
from simnet.nastiness.base import DELAYS_NS, OpenVariation
from simnet.protocols.base import Endpoint
from simnet.protocols.tcp import Tcp

DELAYED_ACCEPTS, ABORTED_ACCEPTS = "delayed_accepts", "aborted_accepts"
# accept(2), under ERRORS: what a program should treat like EAGAIN.
_ABORTED = (
    errno.ECONNABORTED,
    errno.EPROTO,
    errno.ENETDOWN,
    errno.ENOPROTOOPT,
    errno.EHOSTDOWN,
    errno.ENONET,
    errno.EHOSTUNREACH,
    errno.EOPNOTSUPP,
    errno.ENETUNREACH,
)


class DelayedAccepts(OpenVariation, Tcp):
    """A connection that its client has, and the listener does not have yet.

    For the client it is there with the SYN|ACK; for the server with the acknowledgement of that,
    which may be late (RFC 9293, section 3.5). Until then accept() waits, poll() says nothing, and
    data may be under way. Where two are late, the second may come first. A full queue takes it when
    the client answers the repeated SYN|ACK, a second later. Not of unix sockets, where connect()
    itself puts it into the queue.
    """

    def connection_complete(self, child: Tcp) -> None:
        if self.incoming is None or not self.strikes(DELAYED_ACCEPTS, 3):
            super().connection_complete(child)
            return
        self.incoming[child.connection] = child
        delay_ns = self.one_of(DELAYED_ACCEPTS, DELAYS_NS)
        self.clock.call_after(delay_ns, partial(self._complete, child))

    def _complete(self, child: Tcp) -> None:
        if self.incoming is None or self.incoming.get(child.connection) is not child:
            # The listener or the connection has gone.
            return
        if self.accept_queue_is_full():
            self.clock.call_after(SECOND_NS, partial(self._complete, child))
        else:
            super().connection_complete(child)


class AbortedAccepts(OpenVariation, Tcp):
    """An accept() that fails, because a connection has gone before it.

    POSIX: ECONNABORTED, "A connection has been aborted". accept(2): "Linux accept() passes
    already-pending network errors on the new socket as an error code from accept(). [...] For
    reliable operation the application should detect the network errors defined for the protocol
    after accept() and treat them like EAGAIN by retrying." The connection that has gone is a
    stranger's (a port scanner's, a load balancer's); the program's own is the next in line. (A
    client of one's own that is reset is a fault: World.fault.) Not of unix sockets.
    """

    def accept(self) -> tuple[Endpoint, Any] | None:
        if self.accept_queue and self.strikes(ABORTED_ACCEPTS, 4):
            raise os_error(self.one_of(ABORTED_ACCEPTS, _ABORTED))
        return super().accept()
