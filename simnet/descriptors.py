"""Descriptors: small integers for open endpoints and pollers, the lowest free one first.

They start far above any number that the operating system hands out, so that a simulated one given
to the real kernel can only fail. All hosts of a world share one table, as the hosts of a world
share one program.
"""

from __future__ import annotations

import errno
import heapq
from typing import Protocol

from simnet.errors import os_error

FIRST = 1_000_000_000


class Open(Protocol):
    """What a descriptor may refer to."""

    def hold(self) -> None:
        """One more descriptor refers to it."""

    def release(self) -> None:
        """One fewer does."""


class Descriptor:
    """One entry of the table. Socket objects keep it: a number closed behind their back is seen."""

    __slots__ = ("endpoint", "inheritable", "number", "proto")

    def __init__(self, number: int, endpoint: Open | None, inheritable: bool = False) -> None:
        self.number = number
        self.endpoint = endpoint
        self.inheritable = inheritable
        # The protocol number that the latest socket object for it was made with, for reports.
        self.proto = -1


class DescriptorTable:
    """The open descriptors of a world."""

    __slots__ = ("_free", "_next", "_open", "limit")

    def __init__(self, limit: int) -> None:
        self._open: dict[int, Descriptor] = {}
        self._free: list[int] = []
        self._next = FIRST
        # How many may be open (RLIMIT_NOFILE).
        self.limit = limit

    def install(self, endpoint: Open, inheritable: bool = False) -> Descriptor:
        """A new descriptor for it; EMFILE when there are too many."""
        if len(self._open) >= self.limit:
            raise os_error(errno.EMFILE)
        free, number = self._free, -1
        while free and number < 0:
            number = heapq.heappop(free)
            if number in self._open:
                # Opened by its number meanwhile.
                number = -1
        if number < 0:
            number = self._next
            self._next += 1
        descriptor = self._open[number] = Descriptor(number, endpoint, inheritable)
        endpoint.hold()
        return descriptor

    def require_room(self) -> None:
        """EMFILE when as many are open as may be."""
        if len(self._open) >= self.limit:
            raise os_error(errno.EMFILE)

    def install_from(self, least: int, endpoint: Open, inheritable: bool) -> Descriptor:
        """A new descriptor, the lowest free one from a number on: EINVAL, EMFILE."""
        if not 0 <= least - FIRST < self.limit:
            raise os_error(errno.EINVAL)
        number = least
        while number in self._open:
            number += 1
        if number - FIRST >= self.limit:
            raise os_error(errno.EMFILE)
        return self.install_at(number, endpoint, inheritable)

    def install_at(self, number: int, endpoint: Open, inheritable: bool) -> Descriptor:
        """A descriptor of that number, in the place of what is open there; EBADF out of range."""
        if not 0 <= number - FIRST < self.limit:
            raise os_error(errno.EBADF)
        endpoint.hold()
        if number in self._open:
            self.close(number)
        for skipped in range(self._next, number):
            heapq.heappush(self._free, skipped)
        self._next = max(self._next, number + 1)
        descriptor = self._open[number] = Descriptor(number, endpoint, inheritable)
        return descriptor

    def get(self, number: int) -> Descriptor:
        """The entry of a number; EBADF if it is not open."""
        descriptor = self._open.get(number)
        if descriptor is None:
            raise os_error(errno.EBADF)
        return descriptor

    def find(self, number: int) -> Descriptor | None:
        """The entry of a number; None if it is not open."""
        return self._open.get(number)

    def close(self, number: int) -> None:
        """Close it; EBADF if it is not open."""
        descriptor = self._open.pop(number, None)
        if descriptor is None or descriptor.endpoint is None:
            raise os_error(errno.EBADF)
        heapq.heappush(self._free, number)
        endpoint, descriptor.endpoint = descriptor.endpoint, None
        endpoint.release()

    def numbers(self) -> list[int]:
        """The open numbers, in order."""
        return sorted(self._open)
