"""sendfile(), splice() and copy_file_range() among sockets, pipes and files."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from simnet import World, stdlib
from tests.descriptor_calls.places import REAL, SIMULATED, Kinds, Place, both, outcome

CONTENT = bytes(n % 251 for n in range(100_000))
NOTHING = 0, 0


@pytest.fixture
def file() -> Iterator[int]:
    """A real file with something in it; the calls are on its descriptor on both sides."""
    with tempfile.TemporaryFile() as opened:
        opened.write(CONTENT)
        opened.flush()
        yield opened.fileno()


class Ends:
    """Descriptors by name."""

    def __init__(self, at: Place, stack: ExitStack, file: int) -> None:
        self.at = at
        kinds = Kinds(at, stack)
        self.reader, self.writer = kinds.pipe()
        self.other_reader, self.other_writer = kinds.pipe()
        one, other = kinds.pair()
        self.sock, self.peer = one.fileno(), other.fileno()
        self.fresh = kinds.fresh_tcp()
        self.epoll = kinds.epoll()
        self.counter = kinds.counter()
        self.closed = kinds.closed()
        _, self.full = kinds.pipe()
        at.os.write(self.full, bytes(65536))
        unread, self.broken = kinds.pipe()
        at.os.close(unread)
        self.file = file
        self.bad = 999_999
        os.lseek(file, 0, os.SEEK_SET)
        at.os.write(self.writer, b"0123456789" * 5)
        at.os.write(self.peer, b"abcdefghij")

    def left(self, file: bool) -> list[Any]:
        """What has got where."""
        readers = self.reader, self.other_reader, self.sock, self.peer
        found = [outcome(self.at.os.read, reader, 1 << 20) for reader in readers]
        if file:
            found.append(os.lseek(self.file, 0, os.SEEK_CUR))
        return found


SENDFILE = [
    ("sock", "file", 0, 10),
    ("sock", "file", 50_000, 10),
    ("sock", "file", None, 10),
    ("sock", "file", 99_995, 10),
    ("sock", "file", 200_000, 10),
    ("sock", "file", -1, 10),
    ("sock", "file", 0, -1),
    ("sock", "file", 0, 0),
    ("fresh", "file", 0, 10),
    ("epoll", "file", 0, 10),
    ("counter", "file", 0, 8),
    ("closed", "file", 0, 10),
    ("bad", "file", 0, 10),
    ("writer", "file", 0, 10),
    ("writer", "file", 0, 100_000),
    ("writer", "file", 5, 100_000),
    ("writer", "file", None, 5000),
    ("full", "file", 0, 10),
    ("broken", "file", 0, 10),
    ("reader", "file", 0, 10),
    ("sock", "peer", 0, 10),
    ("sock", "peer", None, 10),
    ("file", "sock", 0, 10),
    ("file", "sock", None, 10),
    ("sock", "reader", None, 10),
    ("sock", "reader", 0, 10),
    ("file", "reader", None, 10),
    ("sock", "writer", None, 10),
    ("sock", "closed", 0, 10),
    ("sock", "bad", 0, 10),
    ("bad", "sock", None, 10),
]
SPLICE = [
    ("reader", "sock", 10),
    ("reader", "sock", 1000),
    ("reader", "other_writer", 10),
    ("reader", "writer", 10),
    ("reader", "file", 10),
    ("reader", "file", 10, None, 5),
    ("sock", "other_writer", 5),
    ("sock", "writer", 100),
    ("peer", "writer", 100),
    ("file", "other_writer", 100_000),
    ("file", "other_writer", 100_000, 4095),
    ("file", "writer", 10, 7),
    ("file", "reader", 10, 0),
    ("writer", "sock", 10),
    ("other_reader", "sock", 10),
    ("sock", "file", 10),
    ("sock", "peer", 10),
    ("file", "sock", 10),
    ("reader", "sock", 10, 0),
    ("sock", "writer", 10, 0),
    ("reader", "sock", 10, None, 0),
    ("reader", "sock", 0),
    ("bad", "closed", 0),
    ("reader", "sock", -1),
    ("reader", "sock", 10, None, None, 255),
    ("reader", "sock", 10, None, None, os.SPLICE_F_NONBLOCK | os.SPLICE_F_MORE),
    ("reader", "fresh", 10),
    ("epoll", "writer", 10),
    ("reader", "epoll", 10),
    ("counter", "writer", 8),
    ("reader", "full", 8),
    ("reader", "broken", 8),
    ("reader", "counter", 8),
    ("bad", "writer", 10),
    ("reader", "bad", 10),
    ("closed", "writer", 10),
    ("reader", "closed", 10),
]
COPY = [
    ("sock", "file", 10),
    ("file", "sock", 10),
    ("reader", "file", 10),
    ("file", "writer", 10),
    ("sock", "peer", 0),
    ("bad", "sock", 10),
    ("sock", "bad", 10),
    ("closed", "file", 10),
    ("file", "epoll", 10),
    ("file", "sock", -10),
]
CASES = [
    *(("sendfile", *case) for case in SENDFILE),
    *(("splice", *case) for case in SPLICE),
    *(("copy_file_range", *case) for case in COPY),
]


@pytest.mark.parametrize("case", CASES, ids=str)
def test_bytes_go_where_they_go_on_the_kernel(case: tuple[Any, ...], file: int) -> None:
    """Counts, errors, what arrives, and the file's position afterwards."""
    call, first, second, *rest = case

    def body(at: Place) -> Any:
        with ExitStack() as stack:
            ends = Ends(at, stack, file)
            numbers = getattr(ends, first), getattr(ends, second)
            return outcome(getattr(at.os, call), *numbers, *rest), ends.left(file=True)

    on_kernel, simulated = both(body)
    assert simulated == on_kernel


def test_arguments_have_names(file: int) -> None:
    """The same ones."""

    def body(at: Place) -> Any:
        with ExitStack() as stack:
            ends = Ends(at, stack, file)
            return (
                at.os.sendfile(out_fd=ends.sock, in_fd=file, offset=0, count=5),
                at.os.splice(src=ends.reader, dst=ends.sock, count=5, flags=0),
                outcome(at.os.splice, ends.reader, ends.sock, 5, nonsense=1),
                outcome(at.os.copy_file_range, src=ends.reader, dst=ends.sock, count=5),
                ends.left(file=False),
            )

    on_kernel, simulated = both(body)
    assert simulated == on_kernel


def test_a_splice_waits_for_bytes_and_for_room() -> None:
    """In a task, where neither end is non-blocking."""
    world = World()
    host = world.host("a")
    calls = SIMULATED.os
    with host:
        reader, writer = calls.pipe()
        full_reader, full_writer = calls.pipe()
        calls.write(full_writer, b"x" * 65536)

        def serve() -> None:
            host.sleep(1)
            calls.write(writer, b"hello")
            host.sleep(1)
            calls.read(full_reader, 65536)

        host.spawn(serve)
        assert calls.splice(reader, full_writer, 99) == 5
        assert world.now == 2
        assert calls.read(full_reader, 99) == b"hello"
        calls.close(writer)
        assert calls.splice(reader, full_writer, 99) == 0
        for number in (reader, full_reader, full_writer):
            calls.close(number)


def test_socket_objects_send_files_through_the_same_function(file: int) -> None:
    """sendfile() of a simulated socket, as socket.py has it."""
    with World().host("a") as host, open(file, "rb", closefd=False) as source:
        one, other = host.socketpair()
        with one, other:
            assert stdlib.module.socket.sendfile(one, source, 10, 500) == 500
            assert other.recv(999) == CONTENT[10:510]


def test_the_places_are_two(file: int) -> None:
    """The file is real on both sides, the rest is not."""
    with World().host("a"), ExitStack() as stack:
        assert Ends(REAL, stack, file).sock < Ends(SIMULATED, stack, file).sock
