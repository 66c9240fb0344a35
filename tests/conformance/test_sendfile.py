"""sendfile(): a file, from memory or from disk, into a stream."""

from __future__ import annotations

import io
import socket
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from simnet.api import Network
from tests.conformance.kinds import (
    DATAGRAM_PAIRS,
    PATIENCE,
    STREAM_PAIRS,
    Kind,
    each,
)
from tests.conformance.outcomes import outcome, recv_exactly
from tests.conformance.patient import opened


@pytest.mark.parametrize("source", ["bytes", "file"])
@pytest.mark.parametrize(
    ("offset", "count", "expected"),
    [
        (0, None, b"0123456789"),
        (4, None, b"456789"),
        (0, 3, b"012"),
        (2, 3, b"234"),
        (8, 100, b"89"),
    ],
)
@each(STREAM_PAIRS)
def test_a_part_of_a_file_is_sent(
    net: Network,
    sockets: ExitStack,
    tmp_path: Path,
    kind: Kind,
    source: str,
    offset: int,
    count: int | None,
    expected: bytes,
) -> None:
    """sendfile() sends from offset, count bytes or to the end, and leaves the file there."""
    a, b = opened(sockets, net, kind)
    with content(source, tmp_path, b"0123456789") as file:
        assert a.sendfile(file, offset, count) == len(expected)
        assert file.tell() == offset + len(expected)
    a.close()
    assert recv_exactly(b, 100) == expected


def content(source: str, tmp_path: Path, data: bytes) -> Any:
    """A binary file that has these bytes, in memory or on disk."""
    if source == "bytes":
        return io.BytesIO(data)
    path = tmp_path / "content"
    path.write_bytes(data)
    return path.open("rb")


@each(STREAM_PAIRS)
@pytest.mark.parametrize("source", ["bytes", "file"])
def test_a_large_file_is_sent_whole(
    net: Network, sockets: ExitStack, tmp_path: Path, kind: Kind, source: str
) -> None:
    """sendfile() waits for a slow reader, in blocking and in timeout mode."""
    a, b = opened(sockets, net, kind)
    data = bytes(range(256)) * 4096
    with content(source, tmp_path, data) as file:
        task = net.spawn(a.sendfile, file)
        assert recv_exactly(b, len(data)) == data
        assert task.result(PATIENCE) == len(data)


@each(STREAM_PAIRS)
@pytest.mark.parametrize("source", ["bytes", "file"])
def test_a_file_that_nobody_reads_times_out(
    net: Network, sockets: ExitStack, tmp_path: Path, kind: Kind, source: str
) -> None:
    """sendfile() raises TimeoutError when the peer takes no more."""
    a, _ = opened(sockets, net, kind)
    a.settimeout(0.05)
    with content(source, tmp_path, bytes(32 << 20)) as file:
        with pytest.raises(TimeoutError, match="timed out"):
            a.sendfile(file)


def test_sendfile_checks_its_arguments(net: Network, sockets: ExitStack) -> None:
    """The file is binary, the count a positive int, the socket a blocking stream."""
    a, _ = map(sockets.enter_context, net.socketpair())
    for count, error in ((0, ValueError), (-1, ValueError), (1.5, TypeError), ("1", TypeError)):
        with pytest.raises(error, match="count must be a positive integer"):
            a.sendfile(io.BytesIO(b"x"), count=count)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="file should be opened in binary mode"):
        a.sendfile(TextFile())  # type: ignore[arg-type]
    a.setblocking(False)
    with pytest.raises(ValueError, match="non-blocking sockets are not supported"):
        a.sendfile(io.BytesIO(b"x"))


class TextFile(io.BytesIO):
    """A file that says it is text."""

    mode = "r"


@each(DATAGRAM_PAIRS)
def test_sendfile_is_for_streams(net: Network, sockets: ExitStack, kind: Kind) -> None:
    """sendfile() on a datagram socket is ValueError."""
    a, _ = opened(sockets, net, kind)
    with pytest.raises(ValueError, match="only SOCK_STREAM type sockets are supported"):
        a.sendfile(io.BytesIO(b"x"))


@each(STREAM_PAIRS)
@pytest.mark.parametrize("source", ["bytes", "file"])
def test_sendfile_to_a_closed_connection(
    net: Network, sockets: ExitStack, tmp_path: Path, kind: Kind, source: str
) -> None:
    """sendfile() after SHUT_WR is EPIPE."""
    a, _ = opened(sockets, net, kind)
    a.shutdown(socket.SHUT_WR)
    with content(source, tmp_path, b"x") as file:
        assert outcome(a.sendfile, file) == "EPIPE"


@each(STREAM_PAIRS)
@pytest.mark.parametrize("source", ["bytes", "file"])
@pytest.mark.parametrize("offset", [10, 50])
def test_nothing_is_left_to_send(
    net: Network, sockets: ExitStack, tmp_path: Path, kind: Kind, source: str, offset: int
) -> None:
    """sendfile() from the end of the file, or from beyond, sends nothing and returns 0."""
    a, b = opened(sockets, net, kind)
    with content(source, tmp_path, b"0123456789") as file:
        assert a.sendfile(file, offset) == 0
    a.close()
    assert b.recv(1) == b""
