"""What every descriptor refers to: an open file description, shared by all descriptors of it."""

from __future__ import annotations

import errno
import os
from typing import TYPE_CHECKING

import attrs

from simnet.errors import os_error
from simnet.readiness import Pollable

if TYPE_CHECKING:
    from simnet.host import Host


@attrs.define
class Inode:
    """What fchmod(2) and fchown(2) change, as fstat(2) shows it: of a socket, or of both ends."""

    mode: int
    uid: int
    gid: int
    # Tells it from others (st_ino).
    number: int
    # When it was made and last changed, in virtual nanoseconds; None, for sockets: never.
    made_ns: int | None
    changed_ns: int | None


class Opened(Pollable):
    """Something open: an endpoint, an end of a pipe, a poller, a counter."""

    __slots__ = ("extra_flags", "host", "inode", "nonblocking", "number", "references")

    # What it is for calls that ask nothing of it: "socket", "pipe", "epoll", "eventfd".
    kind = ""
    # What fstat(2) says of one that nobody has changed.
    default_mode = 0
    # How it was opened.
    access = os.O_RDWR

    def __init__(self, host: Host) -> None:
        super().__init__()
        self.host = host
        self.number = host.next_socket_number()
        # O_NONBLOCK belongs to the open description, so that dup()ed descriptors share it.
        self.nonblocking = False
        # Descriptors (and messages in flight) that keep it open.
        self.references = 0
        # Flags of F_SETFL without a meaning here, which F_GETFL shows again.
        self.extra_flags = 0
        self.inode: Inode | None = None

    def hold(self) -> None:
        """One more descriptor, or message in flight, refers to it."""
        self.references += 1

    def release(self) -> None:
        """One fewer does; without any it is closed."""
        self.references -= 1
        if self.references == 0:
            self.close()

    def close(self) -> None:
        """The last descriptor has gone."""
        raise os_error(errno.EOPNOTSUPP)

    def the_inode(self) -> Inode:
        """What fstat(2) shows; made when it is first asked for."""
        if self.inode is None:
            _, uid, gid = self.host.credentials()
            made_ns = None if self.kind == "socket" else 0
            self.inode = Inode(self.default_mode, uid, gid, self.number, made_ns, made_ns)
        return self.inode

    @property
    def may_read(self) -> bool:
        """Whether read(2) may be called at all (EBADF otherwise)."""
        return self.access != os.O_WRONLY

    @property
    def may_write(self) -> bool:
        """Whether write(2) may be."""
        return self.access != os.O_RDONLY

    def is_interrupted(self) -> bool:
        """Whether a signal ends the blocking call that has moved some bytes, and has to wait."""
        return False

    # ioctl(2)

    def input_length(self) -> int:
        """FIONREAD."""
        raise os_error(errno.ENOTTY)

    def output_length(self) -> int:
        """TIOCOUTQ."""
        raise os_error(errno.ENOTTY)

    def at_mark(self) -> bool:
        """SIOCATMARK."""
        raise os_error(errno.ENOTTY)
