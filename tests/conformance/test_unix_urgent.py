"""Urgent data of unix streams: one byte beside the stream (MSG_OOB, Linux 5.15 and newer)."""

from __future__ import annotations

import socket
from contextlib import ExitStack

import pytest

from simnet.api import Network
from tests.conformance.kinds import UNIX_STREAM_PAIRS, Kind, each
from tests.conformance.outcomes import outcome, readiness
from tests.conformance.unix_sockets import opened


@each(UNIX_STREAM_PAIRS)
def test_the_last_byte_is_urgent(net: Network, sockets: ExitStack, kind: Kind) -> None:
    """send(MSG_OOB) makes its last byte urgent: recv(MSG_OOB) gives it once, then EINVAL."""
    a, b = opened(sockets, net, kind)
    assert a.send(b"abc", socket.MSG_OOB) == 3
    assert b.recv(10, socket.MSG_OOB) == b"c"
    assert outcome(b.recv, 10, socket.MSG_OOB) == "EINVAL"
    assert b.recv(10) == b"ab"


@each(UNIX_STREAM_PAIRS)
def test_reading_stops_before_the_urgent_byte(net: Network, sockets: ExitStack, kind: Kind) -> None:
    """recv() gives what came before the mark, then, unread, skips the urgent byte."""
    a, b = opened(sockets, net, kind)
    a.send(b"ab")
    a.send(b"c", socket.MSG_OOB)
    a.send(b"de")
    assert b.recv(10) == b"ab"
    assert b.recv(10) == b"de"
    assert outcome(b.recv, 1, socket.MSG_OOB) == "EINVAL"


@each(UNIX_STREAM_PAIRS)
def test_a_read_urgent_byte_leaves_no_gap(net: Network, sockets: ExitStack, kind: Kind) -> None:
    """Once the urgent byte was taken, reading still stops at its place."""
    a, b = opened(sockets, net, kind)
    a.send(b"ab")
    a.send(b"c", socket.MSG_OOB)
    a.send(b"de")
    assert b.recv(1, socket.MSG_OOB) == b"c"
    assert [b.recv(10), outcome(b.recv, 10)] == [b"ab", b"de"]


@each(UNIX_STREAM_PAIRS)
def test_without_urgent_data_there_is_none(net: Network, sockets: ExitStack, kind: Kind) -> None:
    """recv(MSG_OOB) is EINVAL when there is no urgent byte, whatever else there is."""
    a, b = opened(sockets, net, kind)
    assert outcome(b.recv, 1, socket.MSG_OOB) == "EINVAL"
    a.send(b"plain")
    assert outcome(b.recv, 1, socket.MSG_OOB) == "EINVAL"
    assert b.recv(10) == b"plain"


@each(UNIX_STREAM_PAIRS)
def test_an_urgent_byte_polls_as_priority(net: Network, sockets: ExitStack, kind: Kind) -> None:
    """POLLPRI is on while an urgent byte is unread; its place keeps POLLIN until a recv."""
    a, b = opened(sockets, net, kind)
    a.send(b"x", socket.MSG_OOB)
    assert readiness(net, b) == "IN|PRI|OUT"
    b.recv(1, socket.MSG_OOB)
    assert readiness(net, b) == "IN|OUT"
    assert outcome(b.recv, 10) == "EAGAIN"
    assert readiness(net, b) == "OUT"
    assert net.select([], [], [b], 0) == ([], [], [])


@each(UNIX_STREAM_PAIRS)
def test_a_peek_leaves_the_urgent_byte(net: Network, sockets: ExitStack, kind: Kind) -> None:
    """recv(MSG_OOB | MSG_PEEK) shows the urgent byte again and again."""
    a, b = opened(sockets, net, kind)
    a.send(b"x", socket.MSG_OOB)
    peek = socket.MSG_OOB | socket.MSG_PEEK
    assert [b.recv(1, peek), b.recv(1, peek), b.recv(1, socket.MSG_OOB)] == [b"x"] * 3


@each(UNIX_STREAM_PAIRS)
def test_a_second_urgent_byte_takes_the_place(net: Network, sockets: ExitStack, kind: Kind) -> None:
    """Only the newest urgent byte is urgent; the older one is plain data then."""
    a, b = opened(sockets, net, kind)
    a.send(b"ab", socket.MSG_OOB)
    a.send(b"cd", socket.MSG_OOB)
    assert b.recv(1, socket.MSG_OOB) == b"d"
    assert b.recv(10) == b"abc"


@each(UNIX_STREAM_PAIRS)
def test_urgent_data_in_line(net: Network, sockets: ExitStack, kind: Kind) -> None:
    """With SO_OOBINLINE the urgent byte is read in its place, and MSG_OOB is EINVAL."""
    a, b = opened(sockets, net, kind)
    b.setsockopt(socket.SOL_SOCKET, socket.SO_OOBINLINE, 1)
    a.send(b"ab")
    a.send(b"c", socket.MSG_OOB)
    a.send(b"de")
    assert outcome(b.recv, 1, socket.MSG_OOB) == "EINVAL"
    assert [outcome(b.recv, 10) for _ in range(3)] == [b"ab", b"cde", "EAGAIN"]


@each(UNIX_STREAM_PAIRS)
def test_an_urgent_send_of_nothing_is_nothing(net: Network, sockets: ExitStack, kind: Kind) -> None:
    """send(b'', MSG_OOB) is EOPNOTSUPP, and nothing is sent."""
    a, b = opened(sockets, net, kind)
    assert outcome(a.send, b"", socket.MSG_OOB) == "EOPNOTSUPP"
    assert readiness(net, b) == "OUT"


@each(UNIX_STREAM_PAIRS)
@pytest.mark.parametrize("closing", [False, True], ids=["open", "closed"])
def test_an_urgent_byte_before_the_end(
    net: Network, sockets: ExitStack, kind: Kind, closing: bool
) -> None:
    """An urgent byte that was left unread is skipped on the way to the end."""
    a, b = opened(sockets, net, kind)
    a.send(b"abc", socket.MSG_OOB)
    a.shutdown(socket.SHUT_WR)
    if closing:
        a.close()
    assert [outcome(b.recv, 10) for _ in range(2)] == [b"ab", b""]
