"""Unix streams, with their urgent byte.

A write is cut into pieces; a read joins what is there, but never across passed sockets (they end
the read that brings them) nor, with SO_PASSCRED, across a change of credentials.

The urgent byte lies in the queue as a piece of its own. Taken with MSG_OOB it leaves an empty piece
behind as a mark: a read stops there once, and so does the end of the reading of what came before.

Not modelled: SO_INQ.
"""

from __future__ import annotations

import errno
from collections.abc import Sequence
from typing import TYPE_CHECKING

import attrs

from simnet import constants
from simnet.errors import os_error
from simnet.protocols import unix_ancillary
from simnet.protocols.base import RCV_SHUTDOWN, SEND_SHUTDOWN, Ancillary, Received
from simnet.protocols.unix_ancillary import END_CREDENTIALS, NO_CREDENTIALS, Credentials, Rights
from simnet.protocols.unix_base import (
    CLOSED,
    DATA_READY,
    ESTABLISHED,
    WRITE_BITS,
    Piece,
    UnixEndpoint,
)
from simnet.protocols.unix_connection import UnixConnection
from simnet.protocols.unix_memory import PLAIN, PLAIN_COST, piece_cost, piece_size
from simnet.protocols.unix_names import UnixAddress
from simnet.readiness import POLLHUP, POLLPRI

if TYPE_CHECKING:
    from simnet.host import Host

MSG_OOB = constants.MSG_OOB
MSG_PEEK = constants.MSG_PEEK
MSG_WAITALL = constants.MSG_WAITALL


@attrs.define
class _Reading:
    """What one receive call has gathered so far."""

    parts: list[bytes] = attrs.Factory(list)
    copied: int = 0
    address: UnixAddress = None
    rights: Rights | None = None
    # The sender's credentials, once a piece was read.
    credentials: Credentials | None = None
    credentials_known: bool = False

    def fits(self, piece: Piece) -> bool:
        """Whether the piece may be joined to what is there: never glue different writers."""
        return not self.credentials_known or piece[3] == self.credentials

    def add(self, piece: Piece, part: bytes, passcred: bool) -> None:
        """One more part of a piece."""
        if passcred and not self.credentials_known:
            self.credentials, self.credentials_known = piece[3], True
        self.address = piece[2].name
        self.parts.append(part)
        self.copied += len(part)


class UnixStream(UnixConnection):
    """SOCK_STREAM."""

    __slots__ = ("consumed", "urgent")

    def __init__(self, host: Host, family: int, type: int, proto: int) -> None:
        super().__init__(host, family, type, proto)
        # How much of the first piece was read.
        self.consumed = 0
        # The urgent byte that was not taken.
        self.urgent: Piece | None = None

    # Sending

    def send_now(self, data: bytes) -> int | None:
        peer = self.peer
        if peer is None or self.shut or peer.shut:
            return None
        used = self.used
        size = len(data)
        if used >= self.sndbuf or size > PLAIN or not size or self.passcred or peer.passcred:
            return None
        cost = PLAIN_COST[size]
        self.used = used + cost
        peer.queue.append((data, cost, self, None, None))
        if peer.waiters:
            peer.notify(DATA_READY)
        return size

    def send(
        self,
        data: bytes | memoryview,
        flags: int,
        address: UnixAddress = None,
        ancillary: Sequence[Ancillary] = (),
    ) -> int | None:
        """unix_stream_sendmsg. Passed sockets go with the first piece, or nowhere without one."""
        credentials, rights = self._outgoing(ancillary)
        size = len(data)
        urgent = bool(flags & MSG_OOB)
        if urgent and not size:
            raise os_error(errno.EOPNOTSUPP)
        if address is not None:
            connected = self.state == ESTABLISHED
            raise os_error(errno.EISCONN if connected else errno.EOPNOTSUPP)
        peer = self.peer
        if peer is None:
            raise os_error(errno.ENOTCONN)
        if self.shut & SEND_SHUTDOWN:
            raise os_error(errno.EPIPE)
        sent = 0
        while sent < size:
            rest = size - sent
            mark = urgent and rest == 1
            count = 1 if mark else piece_size(rest - urgent, self.sndbuf)
            if not self._may_allocate():
                return sent or None
            if peer.shut & RCV_SHUTDOWN:
                raise os_error(errno.EPIPE)
            whole = count == size and isinstance(data, bytes)
            piece = data if whole else bytes(data[sent : sent + count])
            assert isinstance(piece, bytes)
            self._enqueue(peer, piece, piece_cost(count), credentials, rights, urgent=mark)
            rights = None
            sent += count
        return sent

    def _enqueue(
        self,
        to: UnixEndpoint,
        data: bytes,
        cost: int,
        credentials: Credentials | None,
        rights: Rights | None,
        urgent: bool = False,
    ) -> None:
        """An urgent byte before this one becomes a byte like any other."""
        super()._enqueue(to, data, cost, credentials, rights)
        if urgent:
            assert isinstance(to, UnixStream)
            to.urgent = to.queue[-1]

    # Receiving

    def send_goes_on(self, sent: int) -> bool:
        # It waits while it allocates (sock_alloc_send_pskb), where a pending error comes first.
        self.raise_pending()
        return True

    def recv_now(self, size: int) -> bytes | None:
        queue = self.queue
        if len(queue) != 1 or self.consumed or self.urgent or self.passcred or self.peek_off >= 0:
            return None
        data, cost, sender, _, rights = queue[0]
        if rights or len(data) > size or not data or self.settings.rcvlowat > 1:
            return None
        queue.popleft()
        sender.used -= cost
        if sender.waiters:
            sender.write_space()
        return data

    def recv(self, size: int, flags: int, ancillary_size: int = 0) -> Received | None:
        """unix_stream_read_generic. What has arrived comes before a pending error."""
        if self.state != ESTABLISHED:
            raise os_error(errno.EINVAL)
        if flags & MSG_OOB:
            return self._recv_urgent(size, flags)
        reading = self._peek(size) if flags & MSG_PEEK else self._take(size)
        if not reading.parts:
            self.raise_pending()
            if not self.shut & RCV_SHUTDOWN:
                return None
            end = END_CREDENTIALS if self.passcred else None
            items, cut = unix_ancillary.incoming(end, None, ancillary_size)
            return Received(b"", items, cut, reading.address)
        wanted = size if flags & MSG_WAITALL else min(size, self.rcvlowat)
        if reading.copied < wanted and not (self.queue or reading.rights or flags & MSG_PEEK):
            self.error = 0  # a read that wanted more swallows it
        credentials = None
        if reading.credentials_known:
            credentials = reading.credentials or NO_CREDENTIALS
        items, cut = unix_ancillary.incoming(credentials, reading.rights, ancillary_size)
        data = reading.parts[0] if len(reading.parts) == 1 else b"".join(reading.parts)
        return Received(data, items, cut, reading.address, reading.copied)

    def may_bring_more(self) -> bool:
        """Not after an end or an error, nor past what made this read stop."""
        return not (self.queue or self.error or self.shut & RCV_SHUTDOWN)

    def _take(self, size: int) -> _Reading:
        reading = _Reading()
        while True:
            piece = self._front(bool(reading.copied))
            if piece is None or not reading.fits(piece):
                return reading
            data, rights = piece[0], piece[4]
            start = self.consumed
            part = data[start : start + size] if start or len(data) > size else data
            reading.add(piece, part, self.passcred)
            size -= len(part)
            self._peek_back(len(part))
            if rights:
                unix_ancillary.dequeue(rights)
                reading.rights = rights
            if start + len(part) < len(data):
                self.consumed = start + len(part)
                if rights:
                    self.queue[0] = (*piece[:4], None)
                return reading
            self._pop()
            if rights or not size:
                return reading

    def _pop(self) -> None:
        self.consumed = 0
        piece = self.queue.popleft()
        piece[2].charge_back(piece[1])

    def _front(self, copied: bool) -> Piece | None:
        """The piece to read next (manage_oob): none if the read stops, or has nothing."""
        queue = self.queue
        if not queue:
            return None
        piece = queue[0]
        if not piece[0]:
            if copied and self.urgent is None:
                return None
            unix_ancillary.discard(queue.popleft())
            if not queue:
                return None
            piece = queue[0]
        if piece is not self.urgent:
            return piece
        if copied:
            return None
        self.urgent = None
        if not self.oobinline:
            unix_ancillary.discard(queue.popleft())
        return queue[0] if queue else None

    # Peeking

    def _peek(self, size: int) -> _Reading:
        """Leave everything in place. The kernel looks at one piece more than it needs."""
        reading = _Reading()
        queue = self.queue
        skip = max(0, self.peek_off)
        index = 0
        while True:
            index = self._peek_front(index, bool(reading.copied))
            while index < len(queue) and skip >= self._left(index):
                skip -= self._left(index)
                index += 1
            if index >= len(queue):
                if not reading.copied:
                    reading.parts.clear()  # a peek of no bytes that ran into the urgent byte
                return reading
            if not reading.fits(queue[index]):
                return reading
            piece = queue[index]
            start = skip + (0 if index else self.consumed)
            part = piece[0][start : start + size]
            reading.add(piece, part, self.passcred)
            size -= len(part)
            if self.peek_off >= 0:
                self.peek_off += len(part)
            if piece[4]:
                unix_ancillary.hold(piece[4])
                reading.rights = piece[4]
                return reading
            skip = 0
            index += 1
            if index == len(queue):
                return reading

    def _left(self, index: int) -> int:
        return len(self.queue[index][0]) - (0 if index else self.consumed)

    def _peek_front(self, index: int, copied: bool) -> int:
        """As `_front`, for a peek at a place in the queue; the queue's length means none."""
        queue = self.queue
        none = len(queue)
        if index >= none:
            return none
        if not queue[index][0]:
            if copied and self.urgent is None:
                return none
            index += 1
        if index >= none or queue[index] is not self.urgent:
            return index
        if copied:
            return none
        return index if self.oobinline else index + 1

    # The urgent byte, and ioctl(2)

    def input_length(self) -> int:
        return super().input_length() - self.consumed

    def at_mark(self) -> bool:
        queue = self.queue
        if not queue:
            return False
        following = queue[1] if len(queue) > 1 else None
        taken = not queue[0][0] and (self.urgent is None or following is self.urgent)
        return queue[0] is self.urgent or taken

    def _recv_urgent(self, size: int, flags: int) -> Received:
        """unix_stream_recv_urg: one byte, out of its place. EINVAL if there is none, or inline."""
        urgent = self.urgent
        if urgent is None or self.oobinline:
            raise os_error(errno.EINVAL)
        if not flags & MSG_PEEK:
            self.urgent = None
            index = next(i for i, piece in enumerate(self.queue) if piece is urgent)
            self.queue[index] = (b"", *urgent[1:])
            if index and not self.queue[index - 1][0]:
                mark = self.queue[index - 1]
                del self.queue[index - 1]
                unix_ancillary.discard(mark)
        return Received(urgent[0][:size], (), MSG_OOB, None, 1)

    def purge(self) -> None:
        self.urgent = None
        self.consumed = 0
        super().purge()

    def poll(self) -> int:
        """unix_poll."""
        bits = super().poll()
        if self.state == CLOSED:
            bits |= POLLHUP
        if self.urgent is not None:
            bits |= POLLPRI
        if self.writable:
            bits |= WRITE_BITS
        return bits
