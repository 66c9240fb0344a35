"""What all unix sockets share: a name, a peer, a queue of what has arrived, and who waits for room.

The structure and the order of checks follow Linux's `net/unix/af_unix.c`. Data goes straight into
the receiver's queue, while its memory is charged to the sender (see `unix_memory`).

A queued piece is a plain tuple: (data, its cost, its sender, credentials or None, passed sockets or
None). Making one is most of what a small send costs.
"""

from __future__ import annotations

import errno
from collections import deque
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from simnet.errors import os_error
from simnet.protocols import unix_ancillary
from simnet.protocols.base import RCV_SHUTDOWN, SEND_SHUTDOWN, Ancillary, Endpoint
from simnet.protocols.unix_ancillary import Credentials, Rights
from simnet.protocols.unix_memory import MAX_DATAGRAMS
from simnet.protocols.unix_names import UnixAddress, UnixNames
from simnet.readiness import (
    EVERYTHING,
    POLLERR,
    POLLHUP,
    POLLIN,
    POLLOUT,
    POLLPRI,
    POLLRDBAND,
    POLLRDHUP,
    POLLRDNORM,
    POLLWRBAND,
    POLLWRNORM,
    Pollable,
)

if TYPE_CHECKING:
    from simnet.files import SocketFile
    from simnet.host import Host

Piece = tuple[bytes, int, "UnixEndpoint", Credentials | None, Rights | None]

CLOSED, ESTABLISHED, LISTENING = range(3)
_STATE_NAMES = ("UNCONN", "ESTAB", "LISTEN")
SHUTDOWN_MASK = RCV_SHUTDOWN | SEND_SHUTDOWN
NO_PEER: Credentials = (0, -1, -1)

READ_BITS = POLLIN | POLLRDNORM
WRITE_BITS = POLLOUT | POLLWRNORM | POLLWRBAND
# What sock_def_readable announces.
DATA_READY = POLLIN | POLLPRI | POLLRDNORM | POLLRDBAND

_NONE_WAITING: Sequence[Any] = ()


class PeerWait(Pollable):
    """Those who wait for room in the queue of a socket (peer_wait): connects and datagram senders.

    Blocked calls wait here themselves; a socket that is polled for writing is relayed to once.
    """

    __slots__ = ("owner", "relays")

    def __init__(self, owner: UnixEndpoint) -> None:
        super().__init__()
        self.owner = owner
        self.relays: dict[UnixEndpoint, None] = {}

    def poll(self) -> int:
        """Writable once a waiting call would not wait any more."""
        owner = self.owner
        waits = owner.receiver_full and not owner.dead and not owner.shut & RCV_SHUTDOWN
        return 0 if waits else WRITE_BITS

    def wake(self, bits: int = WRITE_BITS) -> None:
        """There is room for one (or, with EVERYTHING, reason for all to look again)."""
        relays, self.relays = self.relays, {}
        for relay in relays:
            relay.relayed_by = None
            relay.notify(WRITE_BITS)
        self.notify(bits)

    def __repr__(self) -> str:
        return f"<room in the queue of {self.owner!r}>"


class UnixEndpoint(Endpoint):
    """The kernel half of a unix socket of any type."""

    __slots__ = (
        "backlog",
        "dead",
        "file",
        "max_backlog",
        "name",
        "names",
        "passcred",
        "passrights",
        "peek_off",
        "peer",
        "peer_wait",
        "peercred",
        "queue",
        "relayed_by",
        "state",
        "used",
    )

    def __init__(self, host: Host, family: int, type: int, proto: int) -> None:
        super().__init__(host, family, type, proto)
        self.names: UnixNames = host.unix_names
        self.name: UnixAddress = None
        # The file that the name leads to it through.
        self.file: SocketFile | None = None
        self.state = CLOSED
        # The other end; it stays known after it has closed.
        self.peer: UnixEndpoint | None = None
        self.dead = False
        self.queue: deque[Piece] = deque()
        # Connections that were not accepted yet.
        self.backlog: Sequence[UnixEndpoint] | deque[UnixEndpoint] = _NONE_WAITING
        self.max_backlog = MAX_DATAGRAMS
        # The cost of what it sent and nobody has read.
        self.used = 0
        self.peer_wait: PeerWait | None = None
        # Where it waits for its peer to read, as a socket that is polled for writing.
        self.relayed_by: PeerWait | None = None
        # SO_PASSCRED, SO_PASSRIGHTS, SO_PEEK_OFF, SO_PEERCRED.
        self.passcred = False
        self.passrights = True
        self.peek_off = -1
        self.peercred = NO_PEER

    # Life

    def close(self) -> None:
        """The last reference has gone (unix_release_sock). This is when cycles are collected."""
        self._end(unaccepted=False)
        if self.names.in_flight:
            unix_ancillary.collect(self.names.in_flight)

    def _end(self, unaccepted: bool) -> None:
        self.names.forget(self)
        self.dead = True
        self.shut = SHUTDOWN_MASK
        self.state = CLOSED
        peer, self.peer = self.peer, None
        if self.peer_wait is not None:
            self.peer_wait.wake(EVERYTHING)
        if peer is not None:
            self._leave(peer, unaccepted)
        self._relay_no_more()
        backlog, self.backlog = self.backlog, _NONE_WAITING
        for waiting in backlog:
            waiting._end(unaccepted=True)
        self.purge()

    def _leave(self, peer: UnixEndpoint, unaccepted: bool) -> None:
        """Tell the peer; a datagram socket does not."""

    def purge(self) -> None:
        """Forget what has arrived."""
        queue = self.queue
        while queue:
            unix_ancillary.discard(queue.popleft())

    # Names

    def bind(self, address: UnixAddress) -> None:
        self.names.bind(self, address)

    def getsockname(self) -> UnixAddress:
        return self.name

    def getpeername(self) -> UnixAddress:
        if self.peer is None:
            raise os_error(errno.ENOTCONN)
        return self.peer.name

    def _autobind_for_credentials(self) -> None:
        """A socket that wants credentials gets a name, so that it can be answered."""
        if self.passcred and self.name is None:
            self.names.autobind(self)

    # Waiting

    def connect_waits_on(self, address: UnixAddress) -> Pollable:
        """Room in the listener's queue; itself if the next try will not wait."""
        return self._room_at(address)

    def _room_at(self, address: UnixAddress) -> Pollable:
        try:
            return self.names.find(address, self.type).waiting_peers()
        except OSError:
            return self

    def waiting_peers(self) -> PeerWait:
        """Those who wait for room here."""
        if self.peer_wait is None:
            self.peer_wait = PeerWait(self)
        return self.peer_wait

    @property
    def receiver_full(self) -> bool:
        """Whether connects, or senders that it is not connected to, must wait."""
        return len(self.queue) + len(self.backlog) > self.max_backlog

    def _relay_no_more(self) -> None:
        if self.relayed_by is not None:
            self.relayed_by.relays.pop(self, None)
            self.relayed_by = None

    # Sending and receiving, the common parts

    def _may_allocate(self) -> bool:
        """Whether there is room for one more piece (sock_alloc_send_pskb)."""
        self.raise_pending()
        if self.shut & SEND_SHUTDOWN:
            raise os_error(errno.EPIPE)
        return self.used < self.sndbuf

    def _enqueue(
        self,
        to: UnixEndpoint,
        data: bytes,
        cost: int,
        credentials: Credentials | None,
        rights: Rights | None,
    ) -> None:
        """Put a piece into the queue of a socket, and wake it."""
        if rights is not None:
            if not to.passrights:
                raise os_error(errno.EPERM)
            unix_ancillary.enqueue(rights)
        if credentials is None and (self.passcred or to.passcred):
            credentials = self.host.credentials()
        self.used += cost
        to.queue.append((data, cost, self, credentials, rights))
        if to.waiters:
            to.notify(DATA_READY)

    def _outgoing(self, ancillary: Sequence[Ancillary]) -> tuple[Credentials | None, Rights | None]:
        if not ancillary:
            return None, None
        return unix_ancillary.outgoing(ancillary, self.host.credentials())

    def charge_back(self, cost: int) -> None:
        """A piece that it sent is read or dropped: there is room again (sock_wfree)."""
        self.used -= cost
        if self.waiters:
            self.write_space()

    def _peek_back(self, count: int) -> None:
        """SO_PEEK_OFF after that much was read."""
        if self.peek_off >= 0:
            self.peek_off = max(0, self.peek_off - count)

    # ioctl(2)

    def input_length(self) -> int:
        """unix_inq_len: all of a connection, the next message of datagrams."""
        if self.state == LISTENING:
            raise os_error(errno.EINVAL)
        return sum(len(piece[0]) for piece in self.queue)

    def output_length(self) -> int:
        """unix_outq_len: by what it costs."""
        return self.used

    def at_mark(self) -> bool:
        raise os_error(errno.EOPNOTSUPP)

    # Ending and readiness

    def shutdown(self, how: int) -> None:
        if not 0 <= how <= 2:
            raise os_error(errno.EINVAL)
        self.shut |= how + 1
        peer = self.peer
        self.state_changed()
        if peer is not None:
            self._shut_peer(peer, how + 1)

    def _shut_peer(self, peer: UnixEndpoint, mode: int) -> None:
        """Tell the peer; a datagram socket does not."""

    @property
    def writable(self) -> bool:
        """unix_writable: at most a quarter of the send buffer is in use."""
        return self.used * 4 <= self.sndbuf and self.state != LISTENING

    def write_space(self) -> None:
        """Room came back, or SO_SNDBUF changed: wake who waits for it, if it is enough."""
        if self.writable:
            self.notify(WRITE_BITS)

    def poll(self) -> int:
        """What unix_poll and unix_dgram_poll have in common: everything but writing."""
        bits = 0
        if self.error:
            bits |= POLLERR
        if self.shut == SHUTDOWN_MASK:
            bits |= POLLHUP
        if self.shut & RCV_SHUTDOWN:
            bits |= POLLRDHUP | READ_BITS
        if self.queue or self.backlog:
            bits |= READ_BITS
        return bits

    @property
    def listening(self) -> bool:
        return self.state == LISTENING

    @property
    def state_name(self) -> str:
        return _STATE_NAMES[self.state]


def connect_pair(a: UnixEndpoint, b: UnixEndpoint) -> None:
    """Make two new sockets each other's peer (unix_socketpair)."""
    for one, other in ((a, b), (b, a)):
        one.peer = other
        one.state = ESTABLISHED
        one.peercred = one.host.credentials()
