"""Signals that interrupt what waits, as far as Python lets a program see it.

PEP 475: the standard library calls again whatever ends with EINTR, and no InterruptedError gets out
(only a connect() that does not wait could raise one, and since it does not wait, no kernel
interrupts it). A call that has moved some bytes does not end with EINTR, but with their count: that
is seen, and is what strikes here. Signals come at any time and need no handler: stopping and
continuing the process (^Z, a debugger) interrupts too. All of this was measured on Linux 6.18.

Not modelled: handlers of the program, which would run meanwhile (nobody sends the signals that it
has them for), and that a receive with SO_RCVTIMEO begins its time anew.
"""

from __future__ import annotations

import errno

from simnet.errors import os_error
from simnet.nastiness.base import OpenVariation
from simnet.protocols.tcp import Tcp

INTERRUPTED = "interrupted"


class Interrupted(OpenVariation):
    """A stream, or an end of a pipe, whose calls end early.

    A send or write that waits for room ends with what went so far; a receive that waits for more
    (with MSG_WAITALL or SO_RCVLOWAT) with what has come.
    """

    def is_interrupted(self) -> bool:
        return super().is_interrupted() or self.strikes(INTERRUPTED, 4, "move")


class TcpInterrupted(Interrupted, Tcp):
    """Of TCP also what waits for the other end.

    A close() that waits because of SO_LINGER ends; the data goes on its way all the same.

    A connect() goes on in the background, and Python asks SO_ERROR how it ended (socketmodule.c,
    sock_connect_impl). That leaves traces: after a success the next connect() gives None once, and
    only then EISCONN; after a failure it is ECONNABORTED. For this there is a handler, of SIGCHLD
    say; without one the kernel begins the call anew.
    """

    def lingers(self) -> bool:
        return super().lingers() and not self.strikes(INTERRUPTED, 4, "close")

    def finish_connect(self) -> bool:
        done = super().finish_connect()
        if not done and self.strikes(INTERRUPTED, 4, "connect"):
            raise os_error(errno.EINTR)
        return done
