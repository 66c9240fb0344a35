"""What every endpoint is: the kernel half of a socket, shared by all descriptors of it.

An endpoint never blocks. A call that would have to wait returns None; whoever wants to wait does
so on the endpoint's readiness and calls again. Failures raise OSError with the kernel's errno.
Data and addresses come checked and in their internal form:

* data is `bytes` (or a memoryview that the caller will not change);
* an inet address is an `InetAddress`; a unix address is `str`, `bytes` (abstract) or None.

The defaults here answer as a protocol that lacks the operation does: EOPNOTSUPP.
"""

from __future__ import annotations

import errno
import stat
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import attrs

from simnet import constants
from simnet.errors import os_error
from simnet.protocols.opened import Opened
from simnet.readiness import EVERYTHING, POLLERR, Pollable

if TYPE_CHECKING:
    from simnet.host import Host

# Bits of `Endpoint.shut`, as RCV_SHUTDOWN and SEND_SHUTDOWN of the kernel.
RCV_SHUTDOWN = 1
SEND_SHUTDOWN = 2

Ancillary = tuple[int, int, Any]


class Received(NamedTuple):
    """What one receive call gives."""

    data: bytes
    ancillary: Sequence[Ancillary] = ()
    flags: int = 0
    address: Any = None
    # What recv(2) returns: with MSG_TRUNC, more than the length of the data.
    length: int = 0


@attrs.frozen
class Settings:
    """Socket options that are set rarely and read on slow paths.

    A frozen value: sockets share the default, and an accepted socket shares its listener's.
    """

    reuseaddr: bool = False
    reuseport: bool = False
    keepalive: bool = False
    broadcast: bool = False
    oobinline: bool = False
    linger_s: int | None = None
    rcvtimeo_ns: int | None = None
    sndtimeo_ns: int | None = None
    rcvlowat: int = 1
    sndbuf_locked: bool = False
    rcvbuf_locked: bool = False
    # Options that no code here consults, by (level, name): what was set is what is read.
    kept: Mapping[tuple[int, int], Any] = attrs.field(factory=dict)


DEFAULT_SETTINGS = Settings()


class Endpoint(Opened):
    """The kernel half of a socket. One class per protocol refines it."""

    __slots__ = (
        "__weakref__",
        "error",
        "family",
        "proto",
        "rcvbuf",
        "settings",
        "shut",
        "sndbuf",
        "type",
    )

    # The length of the kernel's send and receive buffers before anyone sets them.
    default_sndbuf = 212992
    default_rcvbuf = 212992
    kind = "socket"
    default_mode = stat.S_IFSOCK | 0o777

    def __init__(self, host: Host, family: int, type: int, proto: int) -> None:
        # What the base class does, without a call: servers make many.
        self.waiters = None
        self.host = host
        self.number = host.next_socket_number()
        self.family: int = family
        self.type: int = type
        self.proto = proto
        self.nonblocking = False
        self.references = 0
        self.extra_flags = 0
        self.inode = None
        self.error = 0
        self.shut = 0
        self.sndbuf: int = self.default_sndbuf
        self.rcvbuf: int = self.default_rcvbuf
        self.settings: Settings = DEFAULT_SETTINGS

    @property
    def oobinline(self) -> bool:
        """SO_OOBINLINE."""
        return self.settings.oobinline

    @property
    def rcvlowat(self) -> int:
        """SO_RCVLOWAT."""
        return self.settings.rcvlowat

    def set(self, **changes: Any) -> None:
        """Change settings of this endpoint alone."""
        self.settings = attrs.evolve(self.settings, **changes)

    # Life

    def lingers(self) -> bool:
        """Whether a close() with SO_LINGER must wait (longer)."""
        return False

    # Names and connections

    def bind(self, address: Any) -> None:
        """Take a local name."""
        raise os_error(errno.EOPNOTSUPP)

    def listen(self, backlog: int) -> None:
        """Queue up to backlog + 1 complete connections from now on."""
        raise os_error(errno.EOPNOTSUPP)

    def accept(self) -> tuple[Endpoint, Any] | None:
        """The oldest complete connection and its peer's address."""
        raise os_error(errno.EOPNOTSUPP)

    def put_back(self, child: Any) -> None:
        """A connection found no descriptor: it is the next to be accepted again."""
        raise os_error(errno.EOPNOTSUPP)

    def connect(self, address: Any) -> bool:
        """Set the peer: True when that is done, False while it is in progress.

        EALREADY if it was in progress before this call. A unix stream whose listener is full
        raises EAGAIN instead; a blocking caller waits with `connect_waits_on`.
        """
        raise os_error(errno.EOPNOTSUPP)

    def connect_waits_on(self, address: Any) -> Pollable:
        """What a blocking connect waits for when it cannot proceed."""
        return self

    def finish_connect(self) -> bool:
        """The outcome of an attempt in progress: True, or False while it goes on, or its error."""
        return True

    def disconnect(self) -> None:
        """connect(2) with AF_UNSPEC."""
        raise os_error(errno.EOPNOTSUPP)

    def send_waits_on(self, address: Any = None) -> Pollable:
        """What a send that found no room waits for."""
        return self

    def send_goes_on(self, sent: int) -> bool:
        """A blocked send was woken: whether it tries again, or ends with its count so far.

        Raises what ends it with an error, where a first try would answer differently.
        """
        return True

    def recv_goes_on(self) -> bool:
        """A blocked receive that has some bytes was woken: whether it tries again."""
        return True

    def blocking_recv_ended(self) -> bool:
        """Whether a blocking receive that finds nothing returns b'' and does not wait."""
        return bool(self.shut & RCV_SHUTDOWN)

    def blocking_accept_ended(self) -> bool:
        """Whether a blocking accept that finds nothing is EINVAL and does not wait."""
        return bool(self.shut & RCV_SHUTDOWN)

    def getsockname(self) -> Any:
        """The local address, in its internal form."""
        raise os_error(errno.EOPNOTSUPP)

    def getpeername(self) -> Any:
        """The peer's address, in its internal form."""
        raise os_error(errno.ENOTCONN)

    # Data. The `_now` calls are short cuts: they serve the plain case or decline with None.

    def send_now(self, data: bytes) -> int | None:
        """Send all of the data if nothing at all stands in the way; otherwise do nothing."""
        return None

    def sendto_now(self, data: bytes, address: Any) -> int | None:
        """As `send_now`, to an address as the user wrote it."""
        return None

    def recvfrom_now(self, size: int) -> tuple[bytes, Any] | None:
        """As `recv_now`, with the sender's address as the user is to see it."""
        return None

    def must_wait(self) -> bool:
        """Whether a plain blocking receive would certainly wait; False if that is not plain."""
        return False

    def recv_now(self, size: int) -> bytes | None:
        """Receive if data is there and no option or flag is in force; otherwise do nothing."""
        return None

    def send(
        self,
        data: bytes | memoryview,
        flags: int,
        address: Any = None,
        ancillary: Sequence[Ancillary] = (),
    ) -> int | None:
        """Queue data for the peer, or for `address`; the count may be short on a stream."""
        raise os_error(errno.EOPNOTSUPP)

    def recv(self, size: int, flags: int, ancillary_size: int = 0) -> Received | None:
        """Take what has arrived. `ancillary_size` 0 is a call without a control buffer."""
        raise os_error(errno.EOPNOTSUPP)

    def may_bring_more(self) -> bool:
        """Whether a blocking receive that has some bytes may wait for more (MSG_WAITALL)."""
        return False

    def shutdown(self, how: int) -> None:
        """End receiving (0), sending (1) or both (2)."""
        raise os_error(errno.EOPNOTSUPP)

    # Errors and readiness

    def take_error(self) -> int:
        """SO_ERROR: the pending error, which is then gone."""
        error, self.error = self.error, 0
        return error

    def raise_pending(self) -> None:
        """Raise the pending error, if there is one, and forget it."""
        if self.error:
            raise os_error(self.take_error())

    def fail(self, number: int) -> None:
        """An error arrived from below: keep it for the next call."""
        self.error = number
        self.notify(POLLERR)

    def state_changed(self) -> None:
        """Wake all who wait, whatever for (sk_state_change)."""
        if self.waiters:
            self.notify(EVERYTHING)

    @property
    def is_stream(self) -> bool:
        """Whether it carries bytes and not messages."""
        return self.type == constants.SOCK_STREAM

    @property
    def listening(self) -> bool:
        """SO_ACCEPTCONN."""
        return False

    @property
    def state_name(self) -> str:
        """For reports."""
        return ""

    def __repr__(self) -> str:
        return f"<{type(self).__name__} #{self.number} {self.state_name}>"
