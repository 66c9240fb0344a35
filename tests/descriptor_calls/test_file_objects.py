"""open(), fdopen() and FileIO over simulated descriptors, beside the same over real ones."""

from __future__ import annotations

import io
import os
from contextlib import ExitStack
from typing import Any

import pytest

from simnet import World
from tests.descriptor_calls.places import SIMULATED, Kinds, Place, both, outcome

MODES = [
    "r",
    "w",
    "a",
    "x",
    "rb",
    "wb",
    "ab",
    "xb",
    "r+b",
    "w+b",
    "+rb",
    "b+r",
    "r+",
    "rt",
    "U",
    "",
]


def described(file: Any) -> Any:
    """What a raw file says of itself."""
    questions = ("readable", "writable", "seekable", "isatty", "tell", "truncate")
    answers = [outcome(getattr(file, question)) for question in questions]
    return file.mode, file.closefd, file.closed, answers


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("buffering", [-1, 0, 1, 7])
@pytest.mark.parametrize("kind", ["unix", "read_end", "write_end", "counter"])
@pytest.mark.filterwarnings("ignore:line buffering", "ignore:'U' mode is deprecated")
def test_open_makes_the_same_objects(kind: str, buffering: int, mode: str) -> None:
    """In every mode, with every kind of buffer."""

    def body(at: Place) -> Any:
        with ExitStack() as stack:
            fd = getattr(Kinds(at, stack), kind)()
            try:
                file = at.io.open(fd, mode, buffering, closefd=False)
            except (OSError, ValueError) as error:
                return outcome(at.io.open, fd, mode, buffering, closefd=False), str(error)
            with file:
                lines = getattr(file, "line_buffering", None)
                raw = getattr(getattr(file, "buffer", file), "raw", file)
                return type(file).__name__.replace("Simulated", ""), lines, described(raw)

    on_kernel, simulated = both(body)
    assert simulated == on_kernel


@pytest.mark.parametrize("mode", [*MODES, "rw", "z"])
def test_raw_files_are_made_alike(mode: str) -> None:
    """By FileIO itself, which keeps the mode in words of its own."""

    def body(at: Place) -> Any:
        with ExitStack() as stack:
            fd = Kinds(at, stack).unix()
            try:
                file = at.io.FileIO(fd, mode, False)
            except ValueError as error:
                return str(error)
            with file:
                assert repr(file) == f"<_io.FileIO name={fd} mode='{file.mode}' closefd=False>"
                assert isinstance(file, (io.FileIO, at.io.FileIO))
            return described(at.io.FileIO(file=fd, mode=mode, closefd=False)), repr(file)

    on_kernel, simulated = both(body)
    assert simulated == on_kernel


def test_text_goes_through_a_pipe_line_by_line() -> None:
    """Written with fdopen(), read with open(); closing closes the descriptors."""

    def body(at: Place) -> Any:
        with ExitStack() as stack:
            reader, writer = Kinds(at, stack).pipe(os.O_CLOEXEC)
            with at.os.fdopen(writer, "w", encoding="utf-8", newline="\r\n") as file:
                print("first ä", "second", sep="\n", file=file)
            with at.io.open(reader, encoding="utf-8") as file:
                lines = list(file)
            return lines, outcome(at.os.fstat, reader), outcome(at.os.fstat, writer)

    on_kernel, simulated = both(body)
    assert simulated == on_kernel
    assert simulated[0] == ["first ä\n", "second\n"]


def test_raw_reads_and_writes_say_none_when_they_must_not_wait() -> None:
    """And what they can do otherwise."""

    def body(at: Place) -> Any:
        with ExitStack() as stack:
            reader, writer = Kinds(at, stack).pipe()
            into, out = at.io.FileIO(writer, "w", False), at.io.FileIO(reader, closefd=False)
            buffer = bytearray(4)
            seen = [
                outcome(function, *arguments)
                for function, *arguments in (
                    (out.read, 5),
                    (out.read,),
                    (out.readall,),
                    (out.readinto, buffer),
                    (into.write, b"0123456789" * 10_000),
                    (into.write, memoryview(b"x")),
                    (out.readinto, buffer),
                    (out.read, 3),
                    (out.readline,),
                    (out.readall,),
                    (into.write, b"more"),
                    (out.read, None),
                    (into.write, "text"),
                    (into.read, 1),
                    (out.write, b"x"),
                    (into.seek, 0),
                    (out.readinto, b"read-only"),
                    (into.writelines, [b"a", b"b"]),
                    (out.readlines,),
                )
            ]
            at.os.close(reader)
            seen += [outcome(into.write, b"x"), outcome(out.read, 1), bytes(buffer)]
            for file in (into, out):
                file.close()
                seen += [outcome(file.fileno), outcome(file.read, 1), repr(file), file.closed]
            return seen

    on_kernel, simulated = both(body)
    assert simulated == on_kernel


def test_a_buffer_that_cannot_be_flushed_says_so() -> None:
    """As BlockingIOError, with the count of what was written."""

    def body(at: Place) -> Any:
        with ExitStack() as stack:
            reader, writer = Kinds(at, stack).pipe()
            with at.io.open(writer, "wb", closefd=False) as file:
                seen = [outcome(file.write, b"x" * 70_000), outcome(file.flush)]
                at.os.read(reader, 10_000)
                return [*seen, outcome(file.flush)]

    on_kernel, simulated = both(body)
    assert simulated == on_kernel


def test_a_reader_waits_in_virtual_time() -> None:
    """For all that it was asked for."""
    world = World()
    host = world.host("a")
    with host:
        reader, writer = SIMULATED.os.pipe()

    def write() -> None:
        with SIMULATED.io.open(writer, "wb", 0) as file:
            for piece in (b"abc", b"def"):
                host.sleep(1)
                file.write(piece)

    host.spawn(write)
    with host, SIMULATED.io.open(reader, "rb") as file:
        assert file.read(4) == b"abcd"
        assert world.now == 2
        assert file.read() == b"ef"


@pytest.mark.parametrize("mode", ["rb", "wb", "w"])
def test_a_file_that_is_left_open_warns_and_is_closed(mode: str) -> None:
    """By whoever collects it."""
    world = World()
    with world.host("a"):
        ends = SIMULATED.os.pipe()
        end = ends["r" not in mode]
        file = SIMULATED.io.open(end, mode)
        left = [file]
        del file
        with pytest.warns(ResourceWarning, match="unclosed file <_io"):
            left.clear()
        assert outcome(SIMULATED.os.close, end)[0] == "OSError"
        SIMULATED.os.close(ends["r" in mode])


def test_a_file_over_a_number_that_is_not_open_is_ebadf() -> None:
    """Whoever makes it."""

    def body(at: Place) -> Any:
        with ExitStack() as stack:
            number = Kinds(at, stack).closed()
            makers = at.io.open, at.io.FileIO, at.os.fdopen
            return [outcome(make, number) for make in makers]

    on_kernel, simulated = both(body)
    assert simulated == on_kernel


def test_a_class_of_the_programs_own_takes_what_is_real_only() -> None:
    """A subclass of FileIO works on files; a simulated number is one that it does not know."""

    class Own(SIMULATED.io.FileIO):  # type: ignore[misc, name-defined]
        """One."""

    with Own(os.devnull) as file:
        assert file.read() == b""
        assert isinstance(file, Own)
        assert issubclass(Own, SIMULATED.io.FileIO)
    with World().host("a"), ExitStack() as stack:
        with pytest.raises(OSError, match="Bad file descriptor"):
            Own(Kinds(SIMULATED, stack).read_end())
        assert not isinstance(object(), Own)
