"""Unix sockets that connect: what streams and seqpacket sockets have in common."""

from __future__ import annotations

import errno
from collections import deque

from simnet.errors import os_error
from simnet.protocols.base import RCV_SHUTDOWN, SEND_SHUTDOWN
from simnet.protocols.unix_base import (
    CLOSED,
    DATA_READY,
    ESTABLISHED,
    LISTENING,
    SHUTDOWN_MASK,
    UnixEndpoint,
)
from simnet.protocols.unix_memory import SOMAXCONN
from simnet.protocols.unix_names import UnixAddress
from simnet.readiness import EVERYTHING


class UnixConnection(UnixEndpoint):
    """A socket that listens, accepts and connects. Connecting is done at once or not at all."""

    __slots__ = ()

    def listen(self, backlog: int) -> None:
        """Queue up to backlog + 1 connections. Only a socket with a name may (EINVAL)."""
        if self.name is None or self.state == ESTABLISHED:
            raise os_error(errno.EINVAL)
        if not 0 <= backlog <= SOMAXCONN:
            backlog = SOMAXCONN
        grows = backlog > self.max_backlog
        self.max_backlog = backlog
        if self.state == CLOSED:
            self.state = LISTENING
            self.backlog = deque()
        self.peercred = self.host.credentials()
        if grows and self.peer_wait is not None:
            self.peer_wait.wake(EVERYTHING)

    def accept(self) -> tuple[UnixEndpoint, UnixAddress] | None:
        """The oldest connection, dead or alive, and its client's name."""
        if self.state != LISTENING:
            raise os_error(errno.EINVAL)
        self.raise_pending()
        if not self.backlog:
            return None
        assert isinstance(self.backlog, deque)
        server = self.backlog.popleft()
        if self.peer_wait is not None:
            self.peer_wait.wake()
        return server, server.getpeername()

    def put_back(self, child: UnixEndpoint) -> None:
        assert isinstance(self.backlog, deque)
        self.backlog.appendleft(child)

    def connect(self, address: UnixAddress) -> bool:
        """Connect to a listener: True. EAGAIN if its queue is full; the socket stays as it was."""
        if not address:
            raise os_error(errno.EINVAL)
        self._autobind_for_credentials()
        listener = self.names.find(address, self.type)
        if listener.state != LISTENING or listener.shut & RCV_SHUTDOWN:
            raise os_error(errno.ECONNREFUSED)
        if listener.receiver_full:
            raise os_error(errno.EAGAIN)
        if self.state != CLOSED:
            raise os_error(errno.EISCONN if self.state == ESTABLISHED else errno.EINVAL)
        server = type(self)(self.host, self.family, self.type, listener.proto)
        server.peer, self.peer = self, server
        server.state = self.state = ESTABLISHED
        server.peercred, self.peercred = self.host.credentials(), listener.peercred
        # An accepted socket reports its listener's name without holding it.
        server.name = listener.name
        server.passcred, server.passrights = listener.passcred, listener.passrights
        assert isinstance(listener.backlog, deque)
        listener.backlog.append(server)
        listener.notify(DATA_READY)
        return True

    def disconnect(self) -> None:
        """A connection cannot be dissolved (measured on Linux 6.18)."""
        raise os_error(errno.EINVAL)

    def _leave(self, peer: UnixEndpoint, unaccepted: bool) -> None:
        """The peer reads no more and writes no more; with data unread here it is reset."""
        peer.shut = SHUTDOWN_MASK
        if unaccepted or self._unread():
            peer.error = errno.ECONNRESET
        peer.state_changed()

    def _unread(self) -> bool:
        """A first piece that is empty does not count: a taken urgent byte, or an empty message."""
        queue = self.queue
        return len(queue) > 1 or bool(queue and queue[0][0])

    def _shut_peer(self, peer: UnixEndpoint, mode: int) -> None:
        """What one end does not read the other cannot write, and the other way round."""
        if mode & RCV_SHUTDOWN:
            peer.shut |= SEND_SHUTDOWN
        if mode & SEND_SHUTDOWN:
            peer.shut |= RCV_SHUTDOWN
        peer.state_changed()
