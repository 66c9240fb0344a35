"""TLS: how a connection ends, and what is left after."""

from __future__ import annotations

import gc
import socket
import ssl
from typing import Any

import pytest

from tests.conformance.kinds import PATIENCE
from tests.conformance.tls_pairs import TLS, TLS12, TLS13, failure, reset, said, versions

EOF = "EOF occurred in violation of protocol"
RAGGED = f"SSLEOFError: [SSL: UNEXPECTED_EOF_WHILE_READING] {EOF}"
DEAD = f"SSLEOFError: {EOF}"
NO_MORE = "SSLError: [SSL: SHUTDOWN_WHILE_IN_INIT] shutdown while in init"


def end_plainly(secure: TLS, sock: ssl.SSLSocket) -> None:
    """End the stream under TLS, without a word."""
    secure.raw(sock).shutdown(socket.SHUT_WR)


# An orderly end


@versions
def test_both_say_goodbye(secure: TLS, version: ssl.TLSVersion) -> None:
    """unwrap() at both ends gives the plain sockets back, and what follows is plain."""
    a, b = secure.pair(version)
    task = secure.net.spawn(b.unwrap)
    plain_a, plain_b = a.unwrap(), task.result(PATIENCE)
    assert (plain_a, plain_b) == (a, b)
    plain_a.sendall(b"in the clear")
    assert plain_b.recv(100) == b"in the clear"
    assert (a.version(), a.cipher(), a.pending()) == (None, None, 0)


@versions
def test_what_follows_a_goodbye_is_not_swallowed(secure: TLS, version: ssl.TLSVersion) -> None:
    """The peer's plain data may come in one piece with its goodbye."""
    a, b = secure.pair(version)
    b.settimeout(0.02)
    assert said(b.unwrap) == "TimeoutError: The read operation timed out"
    secure.raw(b).send(b"in the clear")
    assert a.unwrap().recv(100) == b"in the clear"


@versions
def test_a_goodbye_ends_the_stream(secure: TLS, version: ssl.TLSVersion) -> None:
    """The reader gets an end of file, each time, and may still send before it answers."""
    a, b = secure.pair(version)
    task = secure.net.spawn(a.unwrap)
    assert (b.recv(10), b.recv(10)) == (b"", b"")
    assert b.unwrap() is b
    assert task.result(PATIENCE) is a


@versions
def test_nothing_is_written_after_a_goodbye(secure: TLS, version: ssl.TLSVersion) -> None:
    """One's own ends one's writing."""
    a, _ = secure.pair(version)
    a.settimeout(0.02)
    assert said(a.unwrap) == "TimeoutError: The read operation timed out"
    assert said(a.send, b"x") == "SSLError: [SSL: PROTOCOL_IS_SHUTDOWN] protocol is shutdown"


@versions
def test_data_instead_of_a_goodbye(secure: TLS, version: ssl.TLSVersion) -> None:
    """A record that nobody will read is an error of unwrap()."""
    a, b = secure.pair(version)
    b.sendall(b"unread")
    assert said(a.unwrap).startswith("SSLError: [SSL: APPLICATION_DATA_AFTER_CLOSE_NOTIFY]")


@versions
def test_unwrapping_without_waiting(secure: TLS, version: ssl.TLSVersion) -> None:
    """SSLWantReadError until the peer has answered."""
    a, b = secure.pair(version)
    if version is TLS13:
        b.sendall(b"x")
        assert a.recv(1) == b"x"
    a.setblocking(False)
    text = "SSLWantReadError: The operation did not complete (read)"
    assert [said(a.unwrap), said(a.unwrap)] == [text, text]
    assert b.unwrap() is b
    secure.net.select([a], [], [], PATIENCE)
    assert a.unwrap() is a


@versions
def test_unwrapping_a_socket_that_is_full(secure: TLS, version: ssl.TLSVersion) -> None:
    """The goodbye waits behind the rest of a write."""
    a, _ = secure.pair(version)
    a.setblocking(False)
    assert said(a.send, bytes(8 << 20)).startswith("SSLWantWriteError")
    assert said(a.unwrap) == "SSLWantWriteError: The operation did not complete (write)"


def test_unwrapping_twice_is_refused(secure: TLS) -> None:
    """As is unwrapping what was never wrapped."""
    a, b = secure.pair()
    task = secure.net.spawn(b.unwrap)
    a.unwrap()
    task.result(PATIENCE)
    with pytest.raises(ValueError, match="No SSL wrapper around"):
        a.unwrap()


# An end without a goodbye


@versions
@pytest.mark.parametrize("ragged", [True, False])
def test_an_end_without_a_goodbye(secure: TLS, version: ssl.TLSVersion, ragged: bool) -> None:
    """An end of file if ragged ends are suppressed, else an error; then everything is over."""
    a, b = secure.pair(version, ragged=ragged)
    end_plainly(secure, b)
    assert said(a.recv, 10) == (b"" if ragged else RAGGED)
    assert said(a.recv, 10) == (b"" if ragged else DEAD)
    assert said(a.send, b"some data") == DEAD
    assert said(a.unwrap) == NO_MORE
    alert = "SSLError: [SSL: TLSV1_ALERT_DECODE_ERROR] tlsv1 alert decode error"
    assert said(b.recv, 10) == alert


@versions
def test_unwrapping_ends_without_an_answer(secure: TLS, version: ssl.TLSVersion) -> None:
    """The peer has ended, without a word."""
    a, b = secure.pair(version)
    end_plainly(secure, b)
    assert said(a.unwrap) == RAGGED
    assert (b.recv(10), b.recv(10)) == (b"", b"")
    closed = "SSLZeroReturnError: TLS/SSL connection has been closed (EOF)"
    assert said(b.unwrap) == closed


@versions
@pytest.mark.parametrize("size", [3, 20])
def test_an_end_within_a_record(secure: TLS, version: ssl.TLSVersion, size: int) -> None:
    """In its head, or in its body."""
    a, b = secure.pair(version, ragged=False)
    secure.raw(b).send((b"\x17\x03\x03\x00\x30" + bytes(100))[:size])
    end_plainly(secure, b)
    assert said(a.recv, 10) == RAGGED


@versions
def test_a_record_in_pieces(secure: TLS, version: ssl.TLSVersion) -> None:
    """What has come of one is kept between calls that do not wait."""
    a, b = secure.pair(version)
    b.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    if version is TLS13:
        # The tickets come first.
        b.sendall(b"x")
        assert a.recv(1) == b"x"
    a.setblocking(False)
    for piece in (b"\x17\x03", b"\x03\x00", b"\x20" + bytes(10)):
        secure.raw(b).send(piece)
        secure.net.select([a], [], [], PATIENCE)
        assert said(a.recv, 10).startswith("SSLWantReadError")
        assert secure.net.select([a], [], [], 0) == ([], [], [])
    secure.raw(b).send(bytes(22))
    secure.net.select([a], [], [], PATIENCE)
    assert said(a.recv, 10).startswith("SSLError: [SSL: DECRYPTION_FAILED_OR_BAD_RECORD_MAC]")


@versions
def test_something_else_than_a_record(secure: TLS, version: ssl.TLSVersion) -> None:
    """Refused as soon as its head has come; the peer is told."""
    a, b = secure.pair(version)
    secure.raw(b).send(b"\x99plain")
    assert said(a.recv, 10).startswith("SSLError: [SSL")
    assert said(b.recv, 10).startswith("SSLError: [SSL: ")


@versions
def test_an_alert_does_not_wait_for_room(secure: TLS, version: ssl.TLSVersion) -> None:
    """With a timeout, an error is told at once although the peer cannot be told."""
    a, b = secure.pair(version)
    a.setblocking(False)
    assert said(a.send, bytes(8 << 20)).startswith("SSLWantWriteError")
    a.settimeout(600)
    secure.raw(b).send(b"\x99plain")
    task = secure.net.spawn(said, a.recv, 10)
    assert task.result(PATIENCE).startswith("SSLError: [SSL")


# A reset


@versions
@pytest.mark.parametrize("ragged", [True, False])
def test_reading_meets_a_reset(secure: TLS, version: ssl.TLSVersion, ragged: bool) -> None:
    """ConnectionResetError; an end of file before Python 3.12.3."""
    a, b = secure.pair(version, ragged=ragged)
    reset(a)
    secure.net.select([b], [], [], PATIENCE)
    assert said(b.recv, 10) == failure(
        "ConnectionResetError: [Errno 104] Connection reset by peer", b"" if ragged else DEAD
    )
    assert said(b.recv, 10) == (b"" if ragged else RAGGED)


@versions
def test_writing_meets_a_reset(secure: TLS, version: ssl.TLSVersion) -> None:
    """ConnectionResetError, then EPIPE; an end of file before Python 3.12.3."""
    a, b = secure.pair(version, ragged=False)
    # Reading nothing is no end of file.
    assert (b.recv(0), b.recv_into(bytearray(0))) == (b"", 0)
    reset(a)
    secure.net.select([b], [], [], PATIENCE)
    assert said(b.send, b"x") == failure(
        "ConnectionResetError: [Errno 104] Connection reset by peer", DEAD
    )
    for _ in range(2):
        assert said(b.send, b"x") == failure("BrokenPipeError: [Errno 32] Broken pipe", DEAD)
    assert said(b.recv, 1) == RAGGED


@versions
def test_unwrapping_meets_a_reset(secure: TLS, version: ssl.TLSVersion) -> None:
    """The error is told as it is."""
    a, b = secure.pair(version)
    reset(a)
    secure.net.select([b], [], [], PATIENCE)
    assert said(b.unwrap) == "ConnectionResetError: [Errno 104] Connection reset by peer"


@versions
def test_a_task_that_reads_is_ended_by_a_reset(secure: TLS, version: ssl.TLSVersion) -> None:
    """It waits, and then it does not."""
    a, b = secure.pair(version)
    b.settimeout(None)
    task = secure.net.spawn(said, b.recv, 10)
    assert not task.join(0.02)
    reset(a)
    assert task.result(PATIENCE) == failure(
        "ConnectionResetError: [Errno 104] Connection reset by peer", b""
    )


@versions
def test_writing_after_a_goodbye_meets_a_reset(secure: TLS, version: ssl.TLSVersion) -> None:
    """The connection has been closed, whatever the system call says."""
    a, b = secure.pair(version)
    a.settimeout(0.02)
    assert said(a.unwrap) == "TimeoutError: The read operation timed out"
    reset(a)
    assert b.recv(10) == b""
    closed = "SSLZeroReturnError: TLS/SSL connection has been closed (EOF)"
    assert [said(b.send, b"x"), said(b.send, b"x"), said(b.unwrap)] == [closed] * 3


# Closing and shutting down


@versions
@pytest.mark.parametrize("patience", [None, 1.0])
def test_a_closed_socket(secure: TLS, version: ssl.TLSVersion, patience: float | None) -> None:
    """Its methods say so; what was driven says so in its own words."""
    a, _ = secure.pair(version)
    a.settimeout(patience)
    inner: Any = a._sslobj  # type: ignore[attr-defined]
    a.close()
    assert a.fileno() == -1
    assert said(a.read, 10) == "ValueError: Read on closed or unwrapped SSL socket."
    assert said(a.write, b"x") == "ValueError: Write on closed or unwrapped SSL socket."
    assert said(a.recv, 10) == said(a.send, b"x") == "OSError: [Errno 9] Bad file descriptor"
    assert (a.version(), a.cipher(), a.pending()) == (None, None, 0)
    assert said(inner.read, 10) == failure("OSError: [Errno 9] Bad file descriptor", DEAD)
    assert said(inner.write, b"x") == (
        failure("OSError: [Errno 9] Bad file descriptor", DEAD)
        if patience is None
        else "SSLError: ('Underlying socket has been closed.',)"
    )
    assert said(inner.do_handshake) is None
    assert said(inner.shutdown) == "SSLError: Underlying socket connection gone"


def test_a_socket_that_is_no_more(secure: TLS) -> None:
    """What it drove outlives it, but does nothing."""
    a, _ = secure.pair()
    inner: Any = a._sslobj  # type: ignore[attr-defined]
    assert inner.owner is a
    secure.opened.close()
    del a
    gc.collect()
    gone = "SSLError: Underlying socket connection gone"
    assert (said(inner.read, 10), said(inner.write, b"x")) == (gone, gone)
    assert (said(inner.do_handshake), said(inner.shutdown)) == (gone, gone)
    assert inner.owner is None


@versions
@pytest.mark.parametrize("how", [socket.SHUT_RD, socket.SHUT_WR, socket.SHUT_RDWR])
def test_shutting_down_ends_tls(secure: TLS, version: ssl.TLSVersion, how: int) -> None:
    """The socket is a plain one from then on; the peer hears no goodbye."""
    a, b = secure.pair(version, ragged=False)
    a.shutdown(how)
    assert a.version() is None
    with pytest.raises(ValueError, match="No SSL wrapper around"):
        a.unwrap()
    if how != socket.SHUT_RD:
        assert said(b.recv, 10) == RAGGED


@versions
def test_closing_does_not_say_goodbye(secure: TLS, version: ssl.TLSVersion) -> None:
    """close() is the kernel's alone."""
    a, b = secure.pair(version, ragged=False)
    if version is TLS12:
        a.close()
        assert said(b.recv, 10) == RAGGED
    else:
        # The client has not read its tickets.
        b.sendall(b"x")
        assert a.recv(1) == b"x"
        a.close()
        assert said(b.recv, 10) == RAGGED
