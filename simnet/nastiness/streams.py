"""Streams that move fewer bytes than they could: short reads and short sends."""

from __future__ import annotations

import os
from collections.abc import Sequence

from simnet import constants
from simnet.nastiness.base import InterruptedOnce, OpenVariation, SocketVariation
from simnet.protocols.base import Ancillary, Received
from simnet.protocols.pipes import ReadEnd, WriteEnd
from simnet.readiness import POLLIN, POLLOUT, POLLRDNORM, POLLWRNORM

SHORT_READS, SHORT_SENDS = "short_reads", "short_sends"
_DATA_READY = POLLIN | POLLRDNORM
_ROOM = POLLOUT | POLLWRNORM
# Writes of so many bytes or fewer go into a pipe whole (pipe(7), PIPE_BUF).
_ATOMIC = 4096
_WHOLE = constants.MSG_WAITALL | constants.MSG_OOB | constants.MSG_PEEK


class ShortReads(SocketVariation):
    """A read of a stream gives a part of what is there, 1 byte at least.

    The rest might have come a moment later, or a signal have ended the read (POSIX, read():
    "interrupted by a signal after it has successfully read some data, it shall return the number
    of bytes read"; recv(2): "normally return any data available, up to the requested amount"). So
    that nobody can tell, an edge-triggered epoll is told of the rest as of something new.

    Never less than SO_RCVLOWAT, nor than what MSG_PEEK or FIONREAD have shown; not with MSG_WAITALL
    (see interrupted) or MSG_OOB. Never of a datagram or of a packet: that would lose the rest. Not
    modelled: POLLRDHUP says that everything has come, and a read after it may be short all the
    same.
    """

    def recv(self, size: int, flags: int, ancillary_size: int = 0) -> Received | None:
        rest = False
        if not flags & _WHOLE:
            least = max(self.told, self.rcvlowat)
            most = min(size, self.input_there())
            if most > least and self.strikes(SHORT_READS, 3):
                size = least + self.below(SHORT_READS, most - least)
                rest = True
        received = super().recv(size, flags, ancillary_size)
        if rest and received is not None:
            self.notify(_DATA_READY)
        return received


class ShortReadsOfPipe(OpenVariation, ReadEnd):
    """The same of a pipe; a packet (O_DIRECT) is read whole."""

    told = 0

    def read(self, size: int) -> bytes | None:
        least = max(self.told, 1)
        most = min(size, super().input_length())
        short = most > least and not self.ring[0].packet and self.strikes(SHORT_READS, 3)
        if short:
            size = least + self.below(SHORT_READS, most - least)
        data = super().read(size)
        self.told = max(0, self.told - len(data or b""))
        if short:
            self.notify(_DATA_READY)
        return data

    def input_length(self) -> int:
        self.told = super().input_length()
        return self.told


class ShortSends(InterruptedOnce, SocketVariation):
    """A send on a stream takes a part of the data, 1 byte at least; sendall() sends the rest.

    Without O_NONBLOCK too: where memory is short the call waits in its middle, and a signal ends it
    with what went so far; no handler is needed, stopping and continuing the process (^Z, a
    debugger) is enough (measured on Linux 6.18; send(2), signal(7)). With O_NONBLOCK there is then
    just no room for more. Linux itself puts small pieces into a unix stream whole; POSIX does not
    say so.

    Never of a datagram, of a seqpacket, or of urgent data.
    """

    def send(
        self,
        data: bytes | memoryview,
        flags: int,
        address: object = None,
        ancillary: Sequence[Ancillary] = (),
    ) -> int | None:
        size = len(data)
        if size < 2 or flags & constants.MSG_OOB or not self.strikes(SHORT_SENDS, 3):
            return super().send(data, flags, address, ancillary)
        count = super().send(
            data[: 1 + self.below(SHORT_SENDS, size - 1)], flags, address, ancillary
        )
        if count and self.would_wait(flags):
            self._interrupted = True
        elif count:
            self.notify(_ROOM)
        return count


class ShortWritesToPipe(InterruptedOnce, WriteEnd):
    """The same of a pipe, for more than PIPE_BUF bytes: those may be cut (pipe(7)).

    With O_NONBLOCK as if the pipe were full, else by a signal (measured, as above).
    """

    def write(self, data: bytes | memoryview, resumes: bool = False) -> int | None:
        size = len(data)
        whole = size <= _ATOMIC or resumes or self.extra_flags & os.O_DIRECT
        if whole or not self.strikes(SHORT_SENDS, 3):
            return super().write(data, resumes)
        count = super().write(data[: 1 + self.below(SHORT_SENDS, size - 1)], resumes)
        self._interrupted = bool(count) and not self.nonblocking
        return count
