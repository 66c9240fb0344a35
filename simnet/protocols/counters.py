"""eventfd(2): a counter behind a descriptor (Linux's fs/eventfd.c)."""

from __future__ import annotations

import errno
from typing import TYPE_CHECKING

from simnet.errors import os_error
from simnet.protocols.opened import Opened
from simnet.readiness import POLLIN, POLLOUT

if TYPE_CHECKING:
    from simnet.host import Host

# The largest value is never reached: it would be a number that cannot be told from an overflow.
LIMIT = (1 << 64) - 1


class Counter(Opened):
    """A counter: reading takes its value (with EFD_SEMAPHORE one of it), writing adds to it."""

    __slots__ = ("semaphore", "value")

    kind = "eventfd"
    default_mode = 0o600

    def __init__(self, host: Host, value: int, semaphore: bool) -> None:
        super().__init__(host)
        self.value = value
        self.semaphore = semaphore

    def __repr__(self) -> str:
        return f"<event counter #{self.number} at {self.value}>"

    def close(self) -> None:
        """Nobody else refers to it."""

    def take(self) -> int | None:
        """The value, or one of it; None while it is 0."""
        if not self.value:
            return None
        taken = 1 if self.semaphore else self.value
        self.value -= taken
        self.notify(POLLOUT)
        return taken

    def add(self, value: int) -> int | None:
        """Count up: 8, the bytes written, or None while there is no room; EINVAL for 2^64 - 1."""
        if value == LIMIT:
            raise os_error(errno.EINVAL)
        if self.value + value >= LIMIT:
            return None
        self.value += value
        self.notify(POLLIN)
        return 8

    def poll(self) -> int:
        return (POLLIN if self.value else 0) | (POLLOUT if self.value < LIMIT - 1 else 0)
