"""Pipes: a ring of pages between an end to read and an end to write (Linux's fs/pipe.c).

A page takes what fits behind the bytes that are in it already; with O_DIRECT each page is a packet.
So a write of at most a page goes whole or not at all, and a full pipe may hold fewer bytes than its
pages have. Readers and writers wait in lines of their own.

Not modelled: SIGPIPE (Python ignores it), O_ASYNC, O_NOTIFICATION_PIPE, the limit on the pages of
all pipes of a user, and that reading and writing change the times that fstat(2) shows.
"""

from __future__ import annotations

import errno
import os
import stat
from abc import abstractmethod
from collections import deque
from collections.abc import Sequence
from typing import TYPE_CHECKING

import attrs

from simnet.errors import os_error
from simnet.protocols.opened import Inode, Opened
from simnet.readiness import (
    EVERYTHING,
    POLLERR,
    POLLHUP,
    POLLIN,
    POLLOUT,
    POLLRDNORM,
    POLLWRNORM,
)

if TYPE_CHECKING:
    from simnet.host import Host

PAGE = 4096
# PIPE_DEF_BUFFERS, and fs.pipe-max-size.
DEFAULT_PAGES = 16
MAX_SIZE = 1 << 20
_LARGEST_REQUEST = 1 << 31

_READ_BITS = POLLIN | POLLRDNORM
_WRITE_BITS = POLLOUT | POLLWRNORM


@attrs.define
class _Page:
    """One slot of the ring: what was written to the page, and how much of that is read."""

    data: bytearray
    # Whether more may be put behind it (PIPE_BUF_FLAG_CAN_MERGE), and whether a read ends with it.
    open: bool
    packet: bool = False
    start: int = 0

    @property
    def left(self) -> int:
        """Bytes that nobody has read."""
        return len(self.data) - self.start

    def takes(self, count: int) -> bool:
        """Whether so much more fits behind what was written to it."""
        return self.open and len(self.data) + count <= PAGE


class PipeEnd(Opened):
    """One end. Both share the ring; each has its own flags, and those who wait for it."""

    __slots__ = ("other", "pages", "ring")

    kind = "pipe"
    default_mode = stat.S_IFIFO | 0o600
    mode = ""

    def __init__(self, host: Host) -> None:
        super().__init__(host)
        self.ring: deque[_Page] = deque()
        # How many pages the ring may have.
        self.pages = DEFAULT_PAGES
        self.other: PipeEnd | None = None

    def __repr__(self) -> str:
        return f"<{self.mode} end #{self.number} of a pipe>"

    def close(self) -> None:
        """Whoever waits at the other end learns it."""
        other, self.other = self.other, None
        if other is not None:
            other.other = None
            other.notify(EVERYTHING)

    @property
    def full(self) -> bool:
        """Whether no page is free."""
        return len(self.ring) >= self.pages

    def input_length(self) -> int:
        return sum(page.left for page in self.ring)

    @property
    def size(self) -> int:
        """F_GETPIPE_SZ."""
        return self.pages * PAGE

    def resize(self, size: int) -> int:
        """F_SETPIPE_SZ: the new size, rounded up; EINVAL, EPERM, EBUSY."""
        size &= 0xFFFFFFFF
        if size > _LARGEST_REQUEST:
            raise os_error(errno.EINVAL)
        pages = 1
        while pages * PAGE < size:
            pages *= 2
        if pages > self.pages and pages * PAGE > MAX_SIZE:
            raise os_error(errno.EPERM)
        if pages < len(self.ring):
            raise os_error(errno.EBUSY)
        self.pages = pages
        if self.other is not None:
            self.other.pages = pages
        self.writer_has_room()
        return self.size

    @abstractmethod
    def writer_has_room(self) -> None:
        """Wake who waits to write."""


class ReadEnd(PipeEnd):
    """The end to read."""

    __slots__ = ()

    mode = "read"
    access = os.O_RDONLY

    def read(self, size: int) -> bytes | None:
        """What is there, b'' after the last writer, None if one has to wait (pipe_read)."""
        if not size:
            return b""
        ring = self.ring
        if not ring:
            return b"" if self.other is None else None
        was_full = self.full
        parts = []
        while ring and size:
            page = ring[0]
            part = bytes(page.data[page.start : page.start + size])
            parts.append(part)
            size -= len(part)
            page.start += len(part)
            if page.packet:
                ring.popleft()
                break
            if not page.left:
                ring.popleft()
        if was_full and not self.full:
            self.writer_has_room()
        return b"".join(parts)

    def peek(self, size: int) -> list[bytes]:
        """Page by page what is there, left in place."""
        found = []
        for page in self.ring:
            if size <= 0:
                break
            part = bytes(page.data[page.start : page.start + size])
            size -= len(part)
            found.append(part)
        return found

    def writer_has_room(self) -> None:
        if self.other is not None:
            self.other.notify(_WRITE_BITS)

    def poll(self) -> int:
        bits = _READ_BITS if self.ring else 0
        return bits if self.other is not None else bits | POLLHUP


class WriteEnd(PipeEnd):
    """The end to write."""

    __slots__ = ()

    mode = "write"
    access = os.O_WRONLY

    def __init__(self, host: Host, reader: ReadEnd) -> None:
        super().__init__(host)
        self.ring = reader.ring
        self.other = reader
        reader.other = self

    def write(self, data: bytes | memoryview, resumes: bool = False) -> int | None:
        """How much of the data fits, None if nothing does; EPIPE without a reader (pipe_write).

        One that `resumes` has waited, and begins with a page of its own.
        """
        size = len(data)
        if not size:
            return 0
        reader = self.other
        if reader is None:
            raise os_error(errno.EPIPE)
        ring = self.ring
        sent = 0
        rest = size % PAGE
        if rest and ring and not resumes and ring[-1].takes(rest):
            ring[-1].data += data[:rest]
            sent = rest
        while sent < size and not self.full:
            piece = data[sent : sent + PAGE]
            packet = bool(self.extra_flags & os.O_DIRECT)
            ring.append(_Page(bytearray(piece), not packet, packet))
            sent += len(piece)
        if sent or self.nonblocking:
            # A try in vain is news to who watches for edges.
            reader.notify(_READ_BITS)
        return sent or None

    def splice(self, pages: Sequence[bytes]) -> None:
        """Take pages that others have filled, for which there is room."""
        for page in pages:
            self.ring.append(_Page(bytearray(page), False))
        if pages and self.other is not None:
            self.other.notify(_READ_BITS)

    @property
    def room(self) -> int:
        """How many pages are free."""
        return max(0, self.pages - len(self.ring))

    def writer_has_room(self) -> None:
        self.notify(_WRITE_BITS)

    def poll(self) -> int:
        bits = 0 if self.full else _WRITE_BITS
        return bits if self.other is not None else bits | POLLERR


def create(host: Host) -> tuple[ReadEnd, WriteEnd]:
    """pipe(2): the end to read and the end to write."""
    read_end, write_end = host.pipe_kinds
    reader = read_end(host)
    writer = write_end(host, reader)
    _, uid, gid = host.credentials()
    now_ns = host.clock.now_ns
    inode = Inode(PipeEnd.default_mode, uid, gid, reader.number, now_ns, now_ns)
    reader.inode = writer.inode = inode
    return reader, writer
