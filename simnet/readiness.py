"""Readiness: the bits of poll(2), and who is woken when they change.

A blocked call is woken one at a time, in the order of arrival, as accept(2) and UDP receives are on
Linux (measured on 6.18; TCP receives of several threads vary there, so any order is lawful). When
it is done it hands on what is left to the next. Pollers are all woken.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Protocol

POLLIN = 0x001
POLLPRI = 0x002
POLLOUT = 0x004
POLLERR = 0x008
POLLHUP = 0x010
POLLNVAL = 0x020
POLLRDNORM = 0x040
POLLRDBAND = 0x080
POLLWRNORM = 0x100
POLLWRBAND = 0x200
POLLRDHUP = 0x2000

# What poll(2) reports whether asked for or not.
ALWAYS = POLLERR | POLLHUP
# What a state change of a socket announces: everything may be different now.
EVERYTHING = 0xFFFF
# What ends a wait for input and a wait for room.
READABLE = POLLIN | POLLRDNORM | POLLRDHUP | POLLERR | POLLHUP
WRITABLE = POLLOUT | POLLWRNORM | POLLERR | POLLHUP

_ENDS_ALL_WAITS = POLLERR | POLLHUP | POLLRDHUP


class Waiter(Protocol):
    """Something to wake."""

    @property
    def mask(self) -> int:
        """The bits that it waits for."""

    @property
    def exclusive(self) -> bool:
        """Whether it is one blocked call among others, of which one is woken at a time."""

    @property
    def in_line(self) -> bool:
        """Whether it stands behind those that do not, in the order of arrival."""

    def wake(self, bits: int) -> None:
        """Something in `bits` happened, and it intersects `mask`."""


class Pollable(ABC):
    """A thing that can be waited for: it has readiness bits, and waiters."""

    __slots__ = ("waiters",)

    def __init__(self) -> None:
        # A dict for its order; made when the first waiter comes, since most sockets never wait.
        self.waiters: dict[Waiter, None] | None = None

    @abstractmethod
    def poll(self) -> int:
        """The bits that are set now."""

    def hold(self) -> None:
        """Keep it open, where that means anything."""

    def release(self) -> None:
        """Let go of it again."""

    def add_waiter(self, waiter: Waiter) -> None:
        """Wake this one from now on."""
        if self.waiters is None:
            self.waiters = {}
        self.waiters[waiter] = None

    def remove_waiter(self, waiter: Waiter) -> None:
        """Wake it no more; harmless if it is gone."""
        if self.waiters:
            self.waiters.pop(waiter, None)

    def notify(self, bits: int) -> None:
        """Wake who waits for one of the bits: every poller, and the first of the blocked calls.

        Bits that end every wait (an error, a hang-up) wake all blocked calls.
        """
        waiters = self.waiters
        if not waiters:
            return
        if len(waiters) == 1:
            (waiter,) = waiters
            if waiter.mask & bits:
                if waiter.exclusive:
                    waiters.clear()
                waiter.wake(bits)
            return
        one_is_enough = not bits & _ENDS_ALL_WAITS
        served = 0
        # Pollers stand before blocked calls in the kernel's line, the latest first.
        pollers = [waiter for waiter in reversed(waiters) if not waiter.in_line]
        line = [waiter for waiter in waiters if waiter.in_line]
        for waiter in (*pollers, *line):
            if not waiter.mask & bits:
                continue
            if waiter.exclusive:
                if one_is_enough and served & waiter.mask & bits:
                    continue
                served |= waiter.mask
                waiters.pop(waiter, None)
            waiter.wake(bits)

    def hand_on(self) -> None:
        """A blocked call is done: wake the next one if there is something left for it."""
        if not self.waiters:
            return
        bits = 0
        for waiter in tuple(self.waiters):
            if waiter.exclusive:
                bits = bits or self.poll()
                if waiter.mask & bits:
                    self.waiters.pop(waiter, None)
                    waiter.wake(bits)
                    return
