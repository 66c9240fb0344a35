"""makefile(): file objects over sockets, their modes, their ends, and what errors do to them."""

from __future__ import annotations

import io
import socket
from contextlib import ExitStack

import pytest

from simnet.api import Network
from tests.conformance.kinds import (
    ALL_PAIRS,
    PATIENCE,
    STREAM_PAIRS,
    Kind,
    each,
)
from tests.conformance.outcomes import fill, outcome, recv_exactly
from tests.conformance.patient import opened

LINES = b"one\ntwo\r\nthree\rfour"


@pytest.mark.parametrize(
    ("mode", "buffering", "expected"),
    [
        ("r", None, io.TextIOWrapper),
        ("", None, io.TextIOWrapper),
        ("w", None, io.TextIOWrapper),
        ("rw", None, io.TextIOWrapper),
        ("rb", None, io.BufferedReader),
        ("b", None, io.BufferedReader),
        ("wb", None, io.BufferedWriter),
        ("rwb", None, io.BufferedRWPair),
        ("bwr", None, io.BufferedRWPair),
        ("rb", 0, socket.SocketIO),
        ("wb", 0, socket.SocketIO),
        ("rwb", 0, socket.SocketIO),
        ("rb", 1, io.BufferedReader),
        ("rb", -1, io.BufferedReader),
        ("wb", 5, io.BufferedWriter),
        ("r", 5, io.TextIOWrapper),
    ],
)
def test_the_mode_decides_the_file(
    net: Network, sockets: ExitStack, mode: str, buffering: int | None, expected: type
) -> None:
    """The file object is what open() gives for the mode, on a raw SocketIO."""
    a, _ = map(sockets.enter_context, net.socketpair())
    with a.makefile(mode, buffering) as file:
        assert type(file).__name__ == expected.__name__
        assert file.readable() == ("r" in mode or mode in ("", "b"))
        assert file.writable() == ("w" in mode)
        assert not file.seekable()
    assert file.closed


@pytest.mark.parametrize("mode", ["a", "x", "r+", "rt", "U", "q"])
def test_other_modes_are_refused(net: Network, sockets: ExitStack, mode: str) -> None:
    """Only r, w and b are modes."""
    a, _ = map(sockets.enter_context, net.socketpair())
    with pytest.raises(ValueError, match=r"invalid mode .* \(only r, w, b allowed\)"):
        a.makefile(mode)


def test_text_is_not_unbuffered(net: Network, sockets: ExitStack) -> None:
    """buffering=0 goes with binary modes only."""
    a, _ = map(sockets.enter_context, net.socketpair())
    with pytest.raises(ValueError, match="unbuffered streams must be binary"):
        a.makefile("r", 0)


def test_a_file_says_what_it_is(net: Network, sockets: ExitStack) -> None:
    """A raw file has the socket's descriptor, its number as name, and its mode."""
    a, _ = map(sockets.enter_context, net.socketpair())
    with a.makefile("rb", 0) as raw:
        assert (raw.fileno(), raw.name, raw.mode) == (a.fileno(), a.fileno(), "rb")
    assert (raw.name, raw.closed) == (-1, True)
    with pytest.raises(ValueError, match="I/O operation on closed"):
        raw.fileno()


@each(STREAM_PAIRS)
def test_a_file_reads_to_the_end(net: Network, sockets: ExitStack, kind: Kind) -> None:
    """read() gives everything that the peer sends before it ends."""
    a, b = opened(sockets, net, kind)
    with b.makefile("rb") as file:
        a.sendall(LINES)
        a.shutdown(socket.SHUT_WR)
        assert file.read() == LINES
        assert file.read() == b""


@each(STREAM_PAIRS)
def test_a_file_reads_lines(net: Network, sockets: ExitStack, kind: Kind) -> None:
    """readline() and iteration split at b'\\n' in binary mode."""
    a, b = opened(sockets, net, kind)
    a.sendall(LINES)
    a.close()
    with b.makefile("rb") as file:
        assert file.readline() == b"one\n"
        assert file.readline(2) == b"tw"
        assert list(file) == [b"o\r\n", b"three\rfour"]


@pytest.mark.parametrize(
    ("newline", "lines"),
    [
        (None, ["one\n", "two\n", "three\n", "four"]),
        ("", ["one\n", "two\r\n", "three\r", "four"]),
        ("\n", ["one\n", "two\r\n", "three\rfour"]),
        ("\r\n", ["one\ntwo\r\n", "three\rfour"]),
    ],
)
def test_text_lines_end_as_told(
    net: Network, sockets: ExitStack, newline: str | None, lines: list[str]
) -> None:
    """newline= has the meaning that it has for open()."""
    a, b = map(sockets.enter_context, net.socketpair())
    a.sendall(LINES)
    a.close()
    with b.makefile("r", newline=newline) as file:
        assert list(file) == lines


def test_text_is_encoded(net: Network, sockets: ExitStack) -> None:
    """encoding= and errors= have the meaning that they have for open()."""
    a, b = map(sockets.enter_context, net.socketpair())
    with a.makefile("w", encoding="latin-1", errors="replace", newline="\r\n") as file:
        assert (file.encoding, file.errors) == ("latin-1", "replace")
        assert file.write("gr\u00fc\u00df\u4f60\n") == 6
    a.close()
    assert recv_exactly(b, 100) == b"gr\xfc\xdf?\r\n"


def test_undecodable_text_is_an_error(net: Network, sockets: ExitStack) -> None:
    """A text file with a strict encoding raises UnicodeDecodeError."""
    a, b = map(sockets.enter_context, net.socketpair())
    a.sendall(b"\xff\n")
    with b.makefile("r", encoding="utf-8") as file:
        with pytest.raises(UnicodeDecodeError):
            file.readline()


@each(STREAM_PAIRS)
@pytest.mark.parametrize("buffering", [None, 0, 4])
def test_a_file_fills_a_buffer(
    net: Network, sockets: ExitStack, kind: Kind, buffering: int | None
) -> None:
    """readinto() fills a buffer of the caller's."""
    a, b = opened(sockets, net, kind)
    a.sendall(b"0123456789")
    room = bytearray(6)
    with b.makefile("rb", buffering) as file:
        assert file.readinto(room) == 6
        assert room == b"012345"
        assert file.read(4) == b"6789"


@each(STREAM_PAIRS)
def test_an_unbuffered_read_gives_what_there_is(
    net: Network, sockets: ExitStack, kind: Kind
) -> None:
    """With buffering=0 a read() takes one recv(); the socket gets the rest."""
    a, b = opened(sockets, net, kind)
    a.sendall(b"0123456789")
    with b.makefile("rb", 0) as file:
        assert file.read(4) == b"0123"
        assert b.recv(2) == b"45"
        assert file.read(100) == b"6789"


@each(STREAM_PAIRS)
def test_a_buffered_read_waits_for_all(net: Network, sockets: ExitStack, kind: Kind) -> None:
    """read(n) of a buffered file waits until it has n bytes or the end."""
    a, b = opened(sockets, net, kind)
    with b.makefile("rb") as file:
        task = net.spawn(file.read, 10)
        a.sendall(b"01234")
        assert not task.join(0.01)
        a.sendall(b"56789")
        assert task.result(PATIENCE) == b"0123456789"


@each(STREAM_PAIRS)
def test_a_buffered_file_takes_more_than_it_gives(
    net: Network, sockets: ExitStack, kind: Kind
) -> None:
    """What a buffered file has read ahead is not there for recv() any more; peek() shows it."""
    a, b = opened(sockets, net, kind)
    a.sendall(b"0123456789")
    with b.makefile("rb") as file:
        assert file.read(1) == b"0"
        b.setblocking(False)
        assert outcome(b.recv, 1) == "EAGAIN"
        assert file.peek()[:9] == b"123456789"
        assert file.read1() == b"123456789"


@each(STREAM_PAIRS)
def test_a_buffered_file_sends_when_flushed(net: Network, sockets: ExitStack, kind: Kind) -> None:
    """Written bytes go out with flush(), when they are many, or with close()."""
    a, b = opened(sockets, net, kind)
    b.setblocking(False)
    with a.makefile("wb", 8) as file:
        assert file.write(b"1234") == 4
        assert outcome(b.recv, 100) == "EAGAIN"
        file.flush()
        b.settimeout(PATIENCE)
        assert b.recv(100) == b"1234"
        file.write(b"12345678901234567890")
        assert b.recv(100)
        file.write(b"end")
    data = b.recv(100)
    assert data.endswith(b"end")


def test_line_buffered_text_is_sent_at_once(net: Network, sockets: ExitStack) -> None:
    """write() to an unbuffered binary file is one send()."""
    a, b = map(sockets.enter_context, net.socketpair())
    with a.makefile("wb", 0) as file:
        assert file.write(b"now") == 3
        assert b.recv(10) == b"now"


@each(STREAM_PAIRS)
def test_one_file_reads_and_writes(net: Network, sockets: ExitStack, kind: Kind) -> None:
    """Mode rw gives one file for both directions."""
    a, b = opened(sockets, net, kind)
    with a.makefile("rw", encoding="utf-8", newline="\n") as left:
        with b.makefile("rwb") as right:
            left.write("question\n")
            left.flush()
            assert right.readline() == b"question\n"
            right.write(b"answer\n")
            right.flush()
            assert left.readline() == "answer\n"


@pytest.mark.parametrize("mode", ["rb", "wb"])
def test_a_file_goes_one_way(net: Network, sockets: ExitStack, mode: str) -> None:
    """Reading a file of mode w, or writing one of mode r, is UnsupportedOperation."""
    a, _ = map(sockets.enter_context, net.socketpair())
    with a.makefile(mode) as file:
        with pytest.raises(io.UnsupportedOperation):
            file.write(b"x") if mode == "rb" else file.read(1)


@each(STREAM_PAIRS)
def test_the_connection_outlives_the_socket_object(
    net: Network, sockets: ExitStack, kind: Kind
) -> None:
    """After close() of the socket its files go on, and the peer sees the end with the last one."""
    a, b = opened(sockets, net, kind)
    reader, writer = a.makefile("rb"), a.makefile("wb")
    a.close()
    with reader:
        with writer:
            writer.write(b"still here")
        assert b.recv(100) == b"still here"
        b.setblocking(False)
        assert outcome(b.recv, 1) == "EAGAIN"
        b.send(b"answer")
        assert reader.read(6) == b"answer"
    b.settimeout(PATIENCE)
    assert b.recv(1) == b""


@each(STREAM_PAIRS)
def test_a_closed_socket_with_an_open_file(net: Network, sockets: ExitStack, kind: Kind) -> None:
    """close() with a file open: repr says [closed], the descriptor is open, send() still works."""
    a, b = opened(sockets, net, kind)
    number = a.fileno()
    with a.makefile("rb"):
        a.close()
        assert "[closed]" in repr(a)
        assert a.fileno() == number
        assert a.send(b"works") == 5
        assert b.recv(10) == b"works"
    assert a.fileno() == -1


@each(STREAM_PAIRS)
def test_the_socket_outlives_its_files(net: Network, sockets: ExitStack, kind: Kind) -> None:
    """Closing a file leaves the socket open."""
    a, b = opened(sockets, net, kind)
    a.makefile("rwb").close()
    a.send(b"open")
    assert b.recv(10) == b"open"


def test_a_closed_socket_has_files_that_fail(net: Network) -> None:
    """makefile() on a closed socket succeeds; reading from it is EBADF."""
    sock = net.socket()
    sock.close()
    with sock.makefile("rb") as file:
        assert outcome(file.read, 1) == "EBADF"


def test_a_closed_file_is_not_used(net: Network, sockets: ExitStack) -> None:
    """Every use of a closed file is ValueError."""
    a, _ = map(sockets.enter_context, net.socketpair())
    file = a.makefile("rwb", 0)
    file.close()
    file.close()
    for call, args in [(file.read, (1,)), (file.write, (b"x",)), (file.readline, ())]:
        with pytest.raises(ValueError, match="I/O operation on closed"):
            call(*args)


@each(ALL_PAIRS)
def test_a_file_of_a_non_blocking_socket(net: Network, sockets: ExitStack, kind: Kind) -> None:
    """With nothing there read() gives None; readline() b'' if buffered, and OSError if raw."""
    _, b = opened(sockets, net, kind)
    b.setblocking(False)
    with b.makefile("rb", 0) as raw:
        assert raw.read(4) is None
        assert raw.readinto(bytearray(4)) is None
        with pytest.raises(OSError, match="should have returned a bytes object"):
            raw.readline()
    with b.makefile("rb") as buffered:
        assert buffered.read(4) is buffered.read() is None
        assert buffered.readline() == buffered.read1() == b""


@each(STREAM_PAIRS)
def test_a_read_gives_what_a_non_blocking_socket_has(
    net: Network, sockets: ExitStack, kind: Kind
) -> None:
    """A buffered read() of more than there is gives what there is."""
    a, b = opened(sockets, net, kind)
    a.send(b"1234")
    assert net.select([b], [], [], PATIENCE)[0]
    b.setblocking(False)
    with b.makefile("rb") as file:
        assert file.read(10) == b"1234"
        assert file.read(10) is None


@each(STREAM_PAIRS)
def test_a_write_to_a_full_non_blocking_socket(
    net: Network, sockets: ExitStack, kind: Kind
) -> None:
    """A raw write() gives None; a buffered flush() or close() raises, and close() closes."""
    a, _ = opened(sockets, net, kind)
    a.setblocking(False)
    while fill(a):
        net.select([], [a], [], 0.05)
    with a.makefile("wb", 0) as raw:
        assert raw.write(b"x" * 1024) is None
    file = a.makefile("wb")
    file.write(b"x" * 1024)
    for call in (file.flush, file.close):
        with pytest.raises(BlockingIOError, match="write could not complete without blocking"):
            call()
    assert file.closed


@each(ALL_PAIRS)
@pytest.mark.parametrize("buffering", [None, 0])
def test_a_file_that_timed_out_is_spoilt(
    net: Network, sockets: ExitStack, kind: Kind, buffering: int | None
) -> None:
    """After a TimeoutError, reading again is OSError: data could have been lost."""
    a, b = opened(sockets, net, kind)
    b.settimeout(0.01)
    with b.makefile("rb", buffering) as file:
        with pytest.raises(TimeoutError, match="timed out"):
            file.read(4)
        a.send(b"late")
        with pytest.raises(OSError, match="cannot read from timed out object"):
            file.read(4)
