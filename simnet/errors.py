"""Errors: the kernel's, by number and text, and the simulator's own."""

from __future__ import annotations

import errno
import os


class SimnetError(Exception):
    """The simulator was asked for something that it cannot do, or found a program at fault."""


class Deadlock(SimnetError):
    """Every task waits for something that can never happen. The message names each of them."""


class StepLimit(SimnetError):
    """The world took more steps than it was allowed; most likely a loop that makes no progress."""


class ForeignThread(SimnetError, RuntimeError):
    """A thread of the operating system called into a world that runs on another one."""


class NoCurrentHost(SimnetError, LookupError):
    """A simulated call was made outside every host."""


class Unsupported(SimnetError, NotImplementedError):
    """A simulated event loop cannot do this."""


class RealCall(SimnetError):
    """A patched program was about to reach the real network, or to leave the simulation."""


class Stuck(SimnetError):
    """Code kept the world from running for longer than its watchdog allows."""


class Unavailable(OSError):
    """A backend cannot be had on this machine, or by this user; the message says why."""


def os_error(number: int) -> OSError:
    """The exception for a failed system call, in the subclass that Python picks for the errno."""
    return OSError(number, os.strerror(number))


def name_of(number: int) -> str:
    """The symbolic name of an errno, such as 'ECONNREFUSED'."""
    return errno.errorcode.get(number, str(number))
