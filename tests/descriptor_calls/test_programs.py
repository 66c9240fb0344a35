"""Programs of the standard library, in a patched world whose descriptor calls are replaced."""

from __future__ import annotations

import asyncio
import fcntl
import io
import os
import selectors
import socket
import termios
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from simnet import World
from simnet.descriptors import FIRST


@pytest.fixture
def world() -> Iterator[World]:
    """A patched world."""
    world = World()
    with world.patch():
        yield world
    assert not world.leftovers()
    world.close()


def test_asyncio_reads_and_writes_pipes(world: World) -> None:
    """connect_read_pipe() and connect_write_pipe(), which ask for O_NONBLOCK and S_ISFIFO."""

    async def main() -> list[bytes]:
        loop = asyncio.get_running_loop()
        reader_end, writer_end = os.pipe()
        reader = asyncio.StreamReader()
        await loop.connect_read_pipe(
            lambda: asyncio.StreamReaderProtocol(reader), open(reader_end, "rb", 0)
        )
        transport, _ = await loop.connect_write_pipe(asyncio.Protocol, open(writer_end, "wb", 0))
        loop.call_later(3, transport.write, b"one\ntwo\n")
        loop.call_later(4, transport.write, b"x" * 200_000)
        loop.call_later(5, transport.close)
        lines = [await reader.readline(), await reader.readline()]
        assert loop.time() == pytest.approx(3, abs=1)
        return [*lines, await reader.read()]

    assert asyncio.run(main()) == [b"one\n", b"two\n", b"x" * 200_000]


def test_a_waker_of_a_selector_is_a_pipe(world: World) -> None:
    """As event loops of other libraries have it: a thread writes, select() returns."""
    reader, writer = os.pipe()
    for end in (reader, writer):
        flags = fcntl.fcntl(end, fcntl.F_GETFL)
        fcntl.fcntl(end, fcntl.F_SETFL, flags | os.O_NONBLOCK)
    with selectors.DefaultSelector() as selector:
        selector.register(reader, selectors.EVENT_READ, "waker")
        waker = threading.Timer(2, os.write, (writer, b"\0"))
        waker.start()
        assert [key.data for key, _ in selector.select()] == ["waker"]
        assert world.now == 2
        assert fcntl.ioctl(reader, termios.FIONREAD, b"\0\0\0\0") == b"\1\0\0\0"
        waker.join()
    with pytest.raises(BlockingIOError):
        os.read(reader, 1) and os.read(reader, 1)
    os.close(reader)
    os.close(writer)


def test_a_socket_is_handed_on_by_its_number(world: World) -> None:
    """detach(), dup() and fdopen(), and a socket made of a number again."""
    one, other = socket.socketpair()
    number = one.detach()
    assert number >= FIRST
    with os.fdopen(os.dup(number), "wb") as file:
        file.write(b"by a file\n")
    with other, other.makefile("rb") as lines, socket.socket(fileno=number) as again:
        again.sendall(b"by a socket\n")
        assert [lines.readline(), lines.readline()] == [b"by a file\n", b"by a socket\n"]


def test_real_files_are_as_ever(world: World, tmp_path: Any) -> None:
    """Nothing but simulated numbers is treated differently."""
    path = tmp_path / "file"
    path.write_text("text")
    with open(path, "r+b") as file:
        assert isinstance(file.raw, io.FileIO)
        assert os.pread(file.fileno(), 2, 1) == b"ex"
        assert os.fstat(file.fileno()).st_size == 4
        fcntl.flock(file, fcntl.LOCK_EX)
        os.ftruncate(file.fileno(), 1)
    assert path.read_text() == "t"
    assert os.stat in os.supports_fd
    assert os.stat in os.supports_follow_symlinks
