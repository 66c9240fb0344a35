"""Open files of the machine, passed in messages of unix sockets (unix(7))."""

from __future__ import annotations

import array
import os
import socket
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, suppress

import pytest

from simnet.api import Ancillary, Network, Socket
from tests.conformance.kinds import Kind, each
from tests.conformance.outcomes import outcome
from tests.conformance.test_unix_ancillary import HEADER, ROOM, UNIX_PAIRS, rights
from tests.conformance.unix_sockets import opened


def numbers(items: list[Ancillary]) -> list[int]:
    """The descriptors in received ancillary items."""
    found = array.array("i")
    for _, _, data in items:
        found.frombytes(data)
    return list(found)


def receive(sock: Socket, space: int = ROOM, flags: int = 0) -> list[int]:
    """The descriptors of one message, received."""
    return numbers(sock.recvmsg(ROOM, space, flags)[1])


def ended(read_end: int) -> bool:
    """Whether nobody has the other end of a pipe any more."""
    try:
        return os.read(read_end, 1) == b""
    except BlockingIOError:
        return False


@pytest.fixture
def pipe() -> Iterator[tuple[int, int]]:
    """The ends of a pipe of the machine; reading does not wait."""
    ends = os.pipe2(os.O_NONBLOCK)
    yield ends
    for end in ends:
        with suppress(OSError):
            os.close(end)


@each(UNIX_PAIRS)
def test_who_receives_an_open_file_reads_on_in_it(
    net: Network, sockets: ExitStack, kind: Kind
) -> None:
    """It is the same open file, by another number: its position is shared."""
    a, b = opened(sockets, net, kind)
    with tempfile.TemporaryFile() as file:
        file.write(b"0123456789")
        file.flush()
        os.lseek(file.fileno(), 3, os.SEEK_SET)
        assert a.sendmsg([b"x"], rights(file.fileno())) == 1
        (number,) = receive(b)
        assert number != file.fileno()
        assert os.read(number, 2) == b"34"
        assert os.read(file.fileno(), 2) == b"56"
        os.close(number)
        assert os.read(file.fileno(), 1) == b"7"


@each(UNIX_PAIRS)
def test_a_file_in_a_message_stays_open(
    net: Network, sockets: ExitStack, kind: Kind, pipe: tuple[int, int]
) -> None:
    """Its sender may close it, and each look at the message gives another number for it."""
    a, b = opened(sockets, net, kind)
    a.sendmsg([b"x"], rights(pipe[1]))
    os.close(pipe[1])
    assert not ended(pipe[0])
    (first,) = receive(b, flags=socket.MSG_PEEK)
    (second,) = receive(b)
    assert first != second
    os.write(second, b"?")
    assert os.read(pipe[0], 1) == b"?"
    os.close(first)
    assert not ended(pipe[0])
    os.close(second)
    assert ended(pipe[0])


@each(UNIX_PAIRS)
def test_a_file_that_nobody_takes_out_is_closed(
    net: Network, sockets: ExitStack, kind: Kind, pipe: tuple[int, int]
) -> None:
    """With the socket in whose queue it lies, by a plain recv(), or where the room is too small."""
    a, b = opened(sockets, net, kind)
    copies = [os.dup(pipe[1]) for _ in range(2)]
    a.sendmsg([b"x"], rights(*copies))
    for copy in copies:
        os.close(copy)
    (number,) = receive(b, HEADER + 4)
    os.close(number)
    a.sendmsg([b"x"], rights(pipe[1]))
    assert b.recv(1) == b"x"
    a.sendmsg([b"x"], rights(pipe[1]))
    os.close(pipe[1])
    assert not ended(pipe[0])
    b.close()
    assert ended(pipe[0])


@each(UNIX_PAIRS)
def test_a_refused_message_keeps_no_file_open(
    net: Network, sockets: ExitStack, kind: Kind, pipe: tuple[int, int]
) -> None:
    """One number that is not open, and nothing is passed."""
    a, _ = opened(sockets, net, kind)
    assert outcome(a.sendmsg, [b"x"], rights(pipe[1], 1 << 20)) == "EBADF"
    os.close(pipe[1])
    assert ended(pipe[0])


@each(UNIX_PAIRS)
@pytest.mark.parametrize("flags", [0, socket.MSG_CMSG_CLOEXEC], ids=["kept", "closed"])
def test_programs_that_are_started_inherit_a_received_file(
    net: Network, sockets: ExitStack, kind: Kind, pipe: tuple[int, int], flags: int
) -> None:
    """Unless the receiver says otherwise."""
    a, b = opened(sockets, net, kind)
    a.sendmsg([b"x"], rights(pipe[1]))
    (number,) = receive(b, flags=flags)
    assert os.get_inheritable(number) is not bool(flags)
    os.close(number)
