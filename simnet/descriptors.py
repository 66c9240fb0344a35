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

    __slots__ = ("_free", "_limit", "_next", "_open")

    def __init__(self, limit: int) -> None:
        self._open: dict[int, Descriptor] = {}
        self._free: list[int] = []
        self._next = FIRST
        self._limit = limit

    def install(self, endpoint: Open, inheritable: bool = False) -> Descriptor:
        """A new descriptor for it; EMFILE when there are too many."""
        if len(self._open) >= self._limit:
            raise os_error(errno.EMFILE)
        if self._free:
            number = heapq.heappop(self._free)
        else:
            number = self._next
            self._next += 1
        descriptor = self._open[number] = Descriptor(number, endpoint, inheritable)
        endpoint.hold()
        return descriptor

    def get(self, number: int) -> Descriptor:
        """The entry of a number; EBADF if it is not open."""
        descriptor = self._open.get(number)
        if descriptor is None:
            raise os_error(errno.EBADF)
        return descriptor

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
