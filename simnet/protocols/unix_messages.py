"""Unix sockets that keep message boundaries: datagram and seqpacket.

Not modelled: that MSG_PEEK with SO_PEEK_OFF passes over an empty message the second time.
"""

from __future__ import annotations

import errno
from collections.abc import Sequence

from simnet import constants
from simnet.errors import os_error
from simnet.protocols import unix_ancillary
from simnet.protocols.base import RCV_SHUTDOWN, Ancillary, Received
from simnet.protocols.unix_ancillary import NO_CREDENTIALS, Credentials, Rights
from simnet.protocols.unix_base import (
    CLOSED,
    DATA_READY,
    ESTABLISHED,
    WRITE_BITS,
    Piece,
    UnixEndpoint,
)
from simnet.protocols.unix_connection import UnixConnection
from simnet.protocols.unix_memory import PLAIN, PLAIN_COST, message_cost
from simnet.protocols.unix_names import UnixAddress
from simnet.readiness import EVERYTHING, POLLHUP, Pollable

MSG_OOB = constants.MSG_OOB
MSG_PEEK = constants.MSG_PEEK
MSG_TRUNC = constants.MSG_TRUNC


class UnixMessages(UnixEndpoint):
    """Whole messages, one per call. A datagram goes to the peer, or to an address."""

    __slots__ = ()

    def send_now(self, data: bytes) -> int | None:
        peer = self.peer
        if peer is None or self.shut or peer.shut or self.error or peer.peer is not self:
            return None
        used = self.used
        size = len(data)
        if used >= self.sndbuf or size > PLAIN or self.passcred or peer.passcred:
            return None
        cost = PLAIN_COST[size]
        self.used = used + cost
        peer.queue.append((data, cost, self, None, None))
        if peer.waiters:
            peer.notify(DATA_READY)
        return size

    def recv_now(self, size: int) -> bytes | None:
        queue = self.queue
        if not queue or self.error or self.passcred or self.peek_off >= 0 or self.peer_wait:
            return None
        data, cost, sender, _, rights = queue[0]
        if rights or len(data) > size:
            return None
        queue.popleft()
        sender.used -= cost
        if sender.waiters:
            sender.write_space()
        return data

    def send(
        self,
        data: bytes | memoryview,
        flags: int,
        address: UnixAddress = None,
        ancillary: Sequence[Ancillary] = (),
    ) -> int | None:
        """unix_dgram_sendmsg. None: no room in the send buffer, or in the receiver's queue."""
        credentials, rights = self._outgoing(ancillary)
        if flags & MSG_OOB:
            raise os_error(errno.EOPNOTSUPP)
        if address is not None and not address:
            raise os_error(errno.EINVAL)
        self._autobind_for_credentials()
        size = len(data)
        if size > self.sndbuf - 32:
            raise os_error(errno.EMSGSIZE)
        if not self._may_allocate():
            return None
        sent = None
        try:
            sent = self._deliver(bytes(data), address, credentials, rights)
        finally:
            if sent is None:
                # What was allocated is freed, which looks like new room to those who wait for it.
                self.charge_back(0)
        return sent

    def _deliver(
        self,
        data: bytes,
        address: UnixAddress,
        credentials: Credentials | None,
        rights: Rights | None,
    ) -> int | None:
        receiver = self._receiver(address)
        if receiver.peer is not None and receiver.peer is not self:
            raise os_error(errno.EPERM)
        if receiver.dead:
            self._bury(receiver)
        if receiver.shut & RCV_SHUTDOWN:
            raise os_error(errno.EPIPE)
        if rights is not None and not receiver.passrights:
            raise os_error(errno.EPERM)
        if self._must_wait_for(receiver):
            if receiver is self.peer:
                self._relay_through(receiver)
            return None
        self._enqueue(receiver, data, message_cost(len(data)), credentials, rights)
        return len(data)

    def _receiver(self, address: UnixAddress) -> UnixEndpoint:
        if address is not None:
            return self.names.find(address, self.type)
        if self.peer is None:
            raise os_error(errno.ENOTCONN)
        return self.peer

    def _bury(self, receiver: UnixEndpoint) -> None:
        """The peer turns out to be closed: a datagram socket forgets it."""

    def _must_wait_for(self, receiver: UnixEndpoint) -> bool:
        """Whether the receiver's queue is full for others than its own peer."""
        return receiver is not self and receiver.peer is not self and receiver.receiver_full

    def _relay_through(self, receiver: UnixEndpoint) -> None:
        """When the receiver reads, wake those who wait for this socket to become writable."""
        if self.relayed_by is None:
            self.relayed_by = receiver.waiting_peers()
            self.relayed_by.relays[self] = None

    def send_waits_on(self, address: UnixAddress = None) -> Pollable:
        try:
            receiver = self._receiver(address)
        except OSError:
            return self
        if self.used < self.sndbuf and self._must_wait_for(receiver):
            return receiver.waiting_peers()
        return self

    def recv(self, size: int, flags: int, ancillary_size: int = 0) -> Received | None:
        """unix_dgram_recvmsg. A pending error comes before the messages."""
        if flags & MSG_OOB:
            raise os_error(errno.EOPNOTSUPP)
        self.raise_pending()
        peek = bool(flags & MSG_PEEK)
        found = self._peeked() if peek else self._first()
        if found is None:
            return self._nothing()
        piece, skip = found
        if self.peer_wait is not None:
            self.peer_wait.wake()
        whole = len(piece[0]) - skip
        data = piece[0][skip : skip + size] if skip or whole > size else piece[0]
        rights = self._detach(piece, len(data), peek)
        credentials = piece[3] or NO_CREDENTIALS if self.passcred else None
        items, cut = unix_ancillary.incoming(credentials, rights, ancillary_size)
        if len(data) < whole:
            cut |= MSG_TRUNC
        length = whole if flags & MSG_TRUNC else len(data)
        return Received(data, items, cut, piece[2].name, length)

    def _first(self) -> tuple[Piece, int] | None:
        return (self.queue.popleft(), 0) if self.queue else None

    def _peeked(self) -> tuple[Piece, int] | None:
        """The message at SO_PEEK_OFF, and how much of it was seen already."""
        offset = max(0, self.peek_off)
        for piece in self.queue:
            if not offset or offset < len(piece[0]):
                return piece, offset
            offset -= len(piece[0])
        return None

    def _detach(self, piece: Piece, count: int, peek: bool) -> Rights | None:
        """The passed sockets, held for the caller; the message is done with unless it stays."""
        rights = piece[4]
        if peek:
            if self.peek_off >= 0:
                self.peek_off += count
            unix_ancillary.hold(rights)
            return rights
        self._peek_back(len(piece[0]))
        unix_ancillary.dequeue(rights)
        piece[2].charge_back(piece[1])
        return rights

    def _nothing(self) -> Received | None:
        """What a receive gives without a message: it waits, even after SHUT_RD."""
        return None

    def poll(self) -> int:
        """unix_dgram_poll."""
        bits = super().poll()
        if self._connection_closed():
            bits |= POLLHUP
        if self.writable:
            peer = self.peer
            if peer is None or peer.peer is self or not peer.receiver_full or peer.dead:
                bits |= WRITE_BITS
            else:
                self._relay_through(peer)
        return bits

    def _connection_closed(self) -> bool:
        return False


class UnixDatagram(UnixMessages):
    """SOCK_DGRAM. The peer only says where messages go, and who may send."""

    __slots__ = ()

    def input_length(self) -> int:
        return len(self.queue[0][0]) if self.queue else 0

    def connect(self, address: UnixAddress) -> bool:
        """Take a peer, or another one. EPERM if it is connected to somebody else."""
        if not address:
            raise os_error(errno.EINVAL)
        self._autobind_for_credentials()
        peer = self.names.find(address, self.type)
        if peer.peer is not None and peer.peer is not self:
            raise os_error(errno.EPERM)
        self.state = peer.state = ESTABLISHED
        self._change_peer(peer)
        return True

    def disconnect(self) -> None:
        """Have no peer any more."""
        self._change_peer(None)

    def _change_peer(self, peer: UnixEndpoint | None) -> None:
        old, self.peer = self.peer, peer
        if old is None:
            return
        if peer is None:
            self.state = CLOSED
        self._forsake(old)
        if old is not peer:
            self._drop_messages_of(old)

    def _forsake(self, old: UnixEndpoint) -> None:
        """Wait for the old peer no more (unix_dgram_peer_wake_disconnect_wakeup)."""
        if self.relayed_by is not None and self.relayed_by is old.peer_wait:
            self._relay_no_more()
        self.notify(WRITE_BITS)

    def _drop_messages_of(self, old: UnixEndpoint) -> None:
        """unix_dgram_disconnected: what the old peer sent is lost, and it is told so."""
        if self.queue:
            self.purge()
            if self.peer_wait is not None:
                self.peer_wait.wake(EVERYTHING)
            if not old.dead and old.peer is self:
                old.fail(errno.ECONNRESET)
        if old.peer is None:
            old.state = CLOSED

    def _bury(self, receiver: UnixEndpoint) -> None:
        """The peer has closed: be told once, and have no peer any more."""
        self.peer = None
        self.state = CLOSED
        self._forsake(receiver)
        self._drop_messages_of(receiver)
        raise os_error(errno.ECONNREFUSED)


class UnixSeqpacket(UnixConnection, UnixMessages):
    """SOCK_SEQPACKET: the connection of a stream with the messages of a datagram socket."""

    __slots__ = ()

    def send(
        self,
        data: bytes | memoryview,
        flags: int,
        address: UnixAddress = None,
        ancillary: Sequence[Ancillary] = (),
    ) -> int | None:
        """A pending error comes first; an address is ignored."""
        self.raise_pending()
        if self.state != ESTABLISHED:
            raise os_error(errno.ENOTCONN)
        return super().send(data, flags, None, ancillary)

    def send_waits_on(self, address: UnixAddress = None) -> Pollable:
        return self

    def recv(self, size: int, flags: int, ancillary_size: int = 0) -> Received | None:
        if self.state != ESTABLISHED:
            raise os_error(errno.ENOTCONN)
        return super().recv(size, flags, ancillary_size)

    def _nothing(self) -> Received | None:
        """The end of the messages is seen without waiting."""
        return Received(b"") if self.shut & RCV_SHUTDOWN else None

    def _connection_closed(self) -> bool:
        return self.state == CLOSED
