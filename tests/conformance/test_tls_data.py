"""TLS: data between two wrapped sockets, in every mode, and who they say they are."""

from __future__ import annotations

import random
import select
import socket
import ssl
import struct
import tempfile
from collections.abc import Callable
from typing import Any

import pytest

from tests.conformance.kinds import PATIENCE, Kind
from tests.conformance.tls_pairs import (
    TLS,
    TLS12,
    TLS13,
    TRANSPORTS,
    client_context,
    receive,
    said,
    server_context,
    versions,
)

transports = pytest.mark.parametrize("kind", TRANSPORTS, ids=lambda kind: kind.name)


def pattern(size: int) -> bytes:
    """Bytes that show where they belong."""
    return random.Random(7).randbytes(size)


# Data


@versions
@transports
@pytest.mark.parametrize("size", [1, 16384, 16385, 300_000])
def test_data_arrives(secure: TLS, version: ssl.TLSVersion, kind: Kind, size: int) -> None:
    """Both ways, whatever records it takes."""
    a, b = secure.pair(version, kind=kind)
    for sender, receiver in ((a, b), (b, a)):
        task = secure.net.spawn(sender.sendall, pattern(size))
        assert receive(receiver, size) == pattern(size)
        task.result(PATIENCE)


@versions
def test_both_send_at_once(secure: TLS, version: ssl.TLSVersion) -> None:
    """A reader and a writer at each end, all at work together."""
    a, b = secure.pair(version)
    size = 1_000_000
    writers = [secure.net.spawn(end.sendall, pattern(size)) for end in (a, b)]
    readers = [secure.net.spawn(receive, end, size) for end in (a, b)]
    assert [reader.result(PATIENCE) == pattern(size) for reader in readers] == [True, True]
    for writer in writers:
        writer.result(PATIENCE)


@versions
def test_a_receive_gives_at_most_a_record(secure: TLS, version: ssl.TLSVersion) -> None:
    """What is left of a record is pending; the next record is not."""
    a, b = secure.pair(version)
    a.sendall(b"first")
    a.sendall(b"second")
    assert b.recv(2) == b"fi"
    assert b.pending() == 3
    assert b.recv(100) == b"rst"
    assert b.pending() == 0
    assert b.recv(100) == b"second"


@versions
def test_nothing_is_read_ahead(secure: TLS, version: ssl.TLSVersion) -> None:
    """select() sees the second record after the first has been read."""
    a, b = secure.pair(version)
    a.sendall(b"first")
    a.sendall(b"second")
    assert b.recv(100) == b"first"
    assert secure.net.select([b], [], [], PATIENCE) == ([b], [], [])
    assert b.recv(100) == b"second"
    assert secure.net.select([b], [], [], 0) == ([], [], [])


@versions
def test_an_empty_write_is_nothing(secure: TLS, version: ssl.TLSVersion) -> None:
    """No record goes out."""
    a, b = secure.pair(version)
    assert (a.send(b""), a.write(b"")) == (0, 0)
    a.sendall(b"")
    a.sendall(b"x")
    assert b.recv(10) == b"x"


@versions
def test_buffers_are_filled(secure: TLS, version: ssl.TLSVersion) -> None:
    """recv_into() and read() into a buffer, and reads of nothing."""
    a, b = secure.pair(version)
    a.sendall(b"0123456789")
    room = bytearray(4)
    assert b.recv_into(room) == 4
    assert b.recv_into(room, 2) == 2
    assert room == b"4523"
    assert b.read(3, room) == 3
    assert b.read(100, room) == 1
    assert room == b"9783"
    assert (b.recv_into(bytearray(0)), b.recv(0), b.read(0)) == (0, b"", b"")


@versions
@pytest.mark.parametrize(
    "data", [b"abcd", bytearray(b"abcd"), memoryview(b"abcd"), memoryview(b"abcd").cast("H")]
)
def test_any_bytes_can_be_sent(secure: TLS, version: ssl.TLSVersion, data: Any) -> None:
    """The count is in bytes."""
    a, b = secure.pair(version)
    assert a.send(data) == 4
    assert b.recv(10) == b"abcd"


def test_wrong_arguments_are_refused(secure: TLS) -> None:
    """In the words of the C code."""
    a, _ = secure.pair()
    with pytest.raises(TypeError, match="a bytes-like object is required, not 'str'"):
        a.write("text")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="size should not be negative"):
        a.read(-1)
    with pytest.raises(TypeError, match=r"read\(\) argument 2 must be read-write bytes-like"):
        a.read(10, b"abc")  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="'str' object cannot be interpreted as an integer"):
        a.read("1")  # type: ignore[arg-type]


@versions
def test_files_work_over_it(secure: TLS, version: ssl.TLSVersion) -> None:
    """makefile(), line by line."""
    a, b = secure.pair(version)
    with a.makefile("rwb") as left, b.makefile("rw", encoding="utf-8", newline="\n") as right:
        left.write(b"question\n")
        left.flush()
        assert right.readline() == "question\n"
        right.write("answer\n")
        right.flush()
        assert left.readline() == b"answer\n"


@versions
def test_a_file_can_be_sent(secure: TLS, version: ssl.TLSVersion) -> None:
    """sendfile(), piece by piece, encrypted."""
    a, b = secure.pair(version)
    with tempfile.TemporaryFile() as file:
        file.write(pattern(50_000))
        task = secure.net.spawn(a.sendfile, file, 10, 40_000)
        assert receive(b, 40_000) == pattern(50_000)[10:40_010]
        assert task.result(PATIENCE) == 40_000


def test_calls_without_tls_are_refused(secure: TLS) -> None:
    """What would go past the encryption."""
    a, _ = secure.pair()
    refused: list[Callable[[], Any]] = [a.dup, a.recvmsg, a.sendmsg, a.recvmsg_into]
    for call in refused:
        with pytest.raises(NotImplementedError):
            call()
    not_allowed: list[tuple[Callable[..., Any], tuple[Any, ...]]] = [
        (a.recvfrom, (1,)),
        (a.recvfrom_into, (bytearray(1),)),
        (a.sendto, (b"x", ("127.0.0.1", 1))),
        (a.send, (b"x", socket.MSG_OOB)),
        (a.sendall, (b"x", socket.MSG_OOB)),
        (a.recv, (1, socket.MSG_PEEK)),
        (a.recv_into, (bytearray(1), 1, socket.MSG_PEEK)),
    ]
    for method, arguments in not_allowed:
        with pytest.raises(ValueError, match="not allowed"):
            method(*arguments)


# Modes


@versions
def test_a_socket_that_must_not_wait_says_so(secure: TLS, version: ssl.TLSVersion) -> None:
    """SSLWantReadError, again and again, until there is a record."""
    a, b = secure.pair(version)
    if version is TLS13:
        # The tickets come first.
        b.sendall(b"hello")
        assert a.recv(5) == b"hello"
    a.setblocking(False)
    for _ in range(3):
        assert said(a.recv, 10) == "SSLWantReadError: The operation did not complete (read)"
    b.sendall(b"x")
    secure.net.select([a], [], [], PATIENCE)
    assert a.recv(10) == b"x"


@versions
def test_a_write_is_tried_again(secure: TLS, version: ssl.TLSVersion) -> None:
    """SSLWantWriteError until the socket has taken all of it; nothing is lost or doubled."""
    a, b = secure.pair(version)
    a.setblocking(False)
    data = pattern(8 << 20)
    text = "SSLWantWriteError: The operation did not complete (write)"
    assert [said(a.send, data), said(a.send, data)] == [text, text]
    reader = secure.net.spawn(receive, b, len(data))
    while True:
        secure.net.select([], [a], [], PATIENCE)
        answer = said(a.send, data)
        if answer != text:
            break
    assert answer == len(data)
    assert reader.result(PATIENCE) == data
    assert said(a.send, b"more") == 4
    assert b.recv(10) == b"more"


@versions
def test_a_shorter_write_is_no_retry(secure: TLS, version: ssl.TLSVersion) -> None:
    """OpenSSL refuses it, and everything after it."""
    a, _ = secure.pair(version, ragged=False)
    a.setblocking(False)
    ended = "SSLEOFError: EOF occurred in violation of protocol"
    assert said(a.send, bytes(8 << 20)).startswith("SSLWantWriteError")
    assert said(a.send, b"x") == "SSLError: [SSL: BAD_LENGTH] bad length"
    assert said(a.send, bytes(8 << 20)) == ended
    assert said(a.recv, 1) == ended
    assert said(a.unwrap) == "SSLError: [SSL: SHUTDOWN_WHILE_IN_INIT] shutdown while in init"


@versions
def test_reading_goes_on_beside_a_write_that_waits(secure: TLS, version: ssl.TLSVersion) -> None:
    """A full socket can still be read."""
    a, b = secure.pair(version)
    a.setblocking(False)
    assert said(a.send, bytes(8 << 20)).startswith("SSLWantWriteError")
    b.sendall(b"x")
    secure.net.select([a], [], [], PATIENCE)
    assert a.recv(10) == b"x"
    assert said(a.recv, 10) == "SSLWantReadError: The operation did not complete (read)"


@versions
def test_a_timeout_strikes(secure: TLS, version: ssl.TLSVersion) -> None:
    """Reading, writing and unwrapping each say so in their own words."""
    a, b = secure.pair(version)
    a.settimeout(0.05)
    assert said(a.recv, 1) == "TimeoutError: The read operation timed out"
    assert said(a.sendall, bytes(8 << 20)) == "TimeoutError: The write operation timed out"
    b.settimeout(0.05)
    assert said(b.unwrap).startswith("SSLError: [SSL: APPLICATION_DATA_AFTER_CLOSE_NOTIFY]")
    c, _ = secure.pair(version)
    c.settimeout(0.05)
    assert said(c.unwrap) == "TimeoutError: The read operation timed out"


@versions
def test_a_call_after_a_timeout_goes_on(secure: TLS, version: ssl.TLSVersion) -> None:
    """Nothing of what came meanwhile is lost."""
    a, b = secure.pair(version)
    a.settimeout(0.02)
    assert said(a.recv, 1) == "TimeoutError: The read operation timed out"
    b.sendall(b"late")
    a.settimeout(PATIENCE)
    assert a.recv(10) == b"late"


def test_the_kernels_own_timeout_does_not_count(secure: TLS) -> None:
    """With SO_RCVTIMEO a socket that blocks is read again and again, but unwrapped only once."""
    a, b = secure.pair(TLS12)
    a.settimeout(None)
    a.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, struct.pack("ll", 0, 10_000))
    task = secure.net.spawn(a.recv, 10)
    assert not task.join(0.1)
    b.sendall(b"late")
    assert task.result(PATIENCE) == b"late"
    assert said(a.unwrap) == "SSLWantReadError: The operation did not complete (read)"


def test_a_poller_waits_for_a_wrapped_socket(secure: TLS) -> None:
    """It has the descriptor of the socket that it wraps."""
    a, b = secure.pair()
    poller = secure.net.poll()
    poller.register(b, select.POLLIN)
    assert poller.poll(0) == []
    a.sendall(b"x")
    assert poller.poll(PATIENCE * 1000) == [(b.fileno(), select.POLLIN)]


# Who they are


@versions
def test_both_know_what_was_agreed(secure: TLS, version: ssl.TLSVersion) -> None:
    """Version, cipher, protocol, certificate."""
    client, server = client_context(version), server_context(version)
    client.set_alpn_protocols(["h2", "http/1.1"])
    server.set_alpn_protocols(["http/1.1"])
    a, b = secure.pair(client=client, server=server)
    assert a.version() == b.version() == version.name.replace("_", ".")
    assert a.cipher() == b.cipher() is not None
    assert a.selected_alpn_protocol() == b.selected_alpn_protocol() == "http/1.1"
    assert a.compression() is b.compression() is None
    assert (a.server_side, b.server_side) == (False, True)
    assert (a.server_hostname, b.server_hostname) == ("localhost", None)
    assert (a.context, b.context) == (client, server)
    certificate = a.getpeercert()
    assert certificate is not None
    assert ("DNS", "localhost") in certificate["subjectAltName"]
    assert b.getpeercert() is None
    assert a.getpeercert(True) is not None
    assert a.shared_ciphers() is None or version is TLS12
    assert b.shared_ciphers()
    binding = a.get_channel_binding("tls-unique")
    assert binding == b.get_channel_binding("tls-unique")
    assert len(binding or b"") == (12 if version is TLS12 else 48)
    assert (a.session_reused, b.session_reused) == (False, False)


@versions
def test_the_certificates_can_be_seen(secure: TLS, version: ssl.TLSVersion) -> None:
    """The chain, as sent and as verified (methods of SSLSocket since Python 3.13)."""
    a, _ = secure.pair(version)
    inner: Any = a._sslobj  # type: ignore[attr-defined]
    assert len(inner.get_unverified_chain()) == 1
    assert len(inner.get_verified_chain()) == 2


def test_it_is_an_ssl_socket(secure: TLS) -> None:
    """By its class, and by how it shows itself."""
    a, _ = secure.pair()
    assert type(a) is secure.module.SSLSocket
    assert isinstance(a, secure.module.socket)
    assert isinstance(a.context, ssl.SSLContext)
    assert repr(a).startswith("<ssl.SSLSocket fd=")
