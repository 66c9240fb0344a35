r"""The same, mended: a \n that comes first after a \r belongs to it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any


class Lines:
    """Makes lines of data that comes in pieces."""

    def __init__(self) -> None:
        self._unfinished = b""
        self._after_return = False

    def feed(self, data: bytes) -> list[bytes]:
        """The lines that are complete now, without their ends."""
        if self._after_return and data.startswith(b"\n"):
            data = data[1:]
            self._after_return = False
        if data:
            self._after_return = data.endswith(b"\r")
        lines = (self._unfinished + data).splitlines(keepends=True)
        complete = not lines or lines[-1].endswith((b"\r", b"\n"))
        self._unfinished = b"" if complete else lines.pop()
        return [line.rstrip(b"\r\n") for line in lines]

    def end(self) -> list[bytes]:
        """What is left when no more data will come."""
        return [self._unfinished] if self._unfinished else []


def read(conn: Any) -> Iterator[bytes]:
    """The lines that a peer sends, until it closes."""
    lines = Lines()
    while data := conn.recv(4096):
        yield from lines.feed(data)
    yield from lines.end()
