"""The errors of the pump, word by word those of this interpreter's `_ssl`."""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from simnet import tls_errors
from tests.conformance.tls_pairs import client_context, reset, server_context


@pytest.fixture
def pair() -> Iterator[tuple[Any, Any]]:
    """Two wrapped real sockets that have shaken hands."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        a = socket.create_connection(listener.getsockname())
        b, _ = listener.accept()
    ends: list[ssl.SSLSocket] = []
    server = server_context()
    thread = threading.Thread(target=lambda: ends.append(server.wrap_socket(b, server_side=True)))
    thread.start()
    with client_context().wrap_socket(a, server_hostname="localhost") as client:
        thread.join()
        with ends[0]:
            yield client, ends[0]


def error_of(call: Callable[..., Any], *args: Any) -> OSError:
    """What a call raises."""
    with pytest.raises(OSError) as caught:  # noqa: PT011
        call(*args)
    return caught.value


def alike(made: OSError, real: OSError) -> bool:
    """Class, arguments and attributes."""

    def fields(error: Any) -> tuple[Any, ...]:
        return (
            type(error),
            error.args,
            str(error),
            getattr(error, "library", "none"),
            getattr(error, "reason", "none"),
        )

    return fields(made) == fields(real)


def fill(sock: Any) -> ssl.SSLError:
    """Write until that would have to wait; the complaint."""
    sock.setblocking(False)
    error = error_of(sock.write, bytes(16 << 20))
    assert isinstance(error, ssl.SSLError)
    return error


def test_a_call_is_unfinished(pair: tuple[Any, Any]) -> None:
    """Reading, writing, unwrapping, and within a handshake."""
    a, b = pair
    assert alike(tls_errors.unfinished("write", "write"), fill(a))
    b.setblocking(False)
    b.read(1)
    c, d = socket.socketpair()
    with (
        d,
        client_context().wrap_socket(
            c, server_hostname="localhost", do_handshake_on_connect=False
        ) as fresh,
    ):
        fresh.setblocking(False)
        for call, args in (("do_handshake", ()), ("read", (1,)), ("write", (b"x",))):
            real = error_of(getattr(fresh, call), *args)
            assert alike(tls_errors.unfinished(call, "read"), real)


def test_unwrapping_is_unfinished(pair: tuple[Any, Any]) -> None:
    """It waits for the peer's goodbye."""
    a, b = pair
    b.write(b"x")
    a.read(1)
    a.setblocking(False)
    assert alike(tls_errors.unfinished("shutdown", "read"), error_of(a.unwrap))


def test_a_call_times_out(pair: tuple[Any, Any]) -> None:
    """Each says what it did; the handshake says where."""
    a, b = pair
    for sock in pair:
        sock.settimeout(0.02)
    assert alike(tls_errors.timed_out("read", "read"), error_of(a.read))
    assert alike(tls_errors.timed_out("write", "write"), error_of(a.write, bytes(16 << 20)))
    b.read(1)
    c, d = socket.socketpair()
    c.settimeout(0.02)
    with c, d:
        real = error_of(lambda: client_context().wrap_socket(c, server_hostname="localhost"))
    assert alike(tls_errors.timed_out("do_handshake", "read"), real)


def test_unwrapping_times_out(pair: tuple[Any, Any]) -> None:
    """In the words of reading."""
    a, b = pair
    b.write(b"x")
    a.read(1)
    a.settimeout(0.02)
    assert alike(tls_errors.timed_out("shutdown", "read"), error_of(a.unwrap))


def test_a_retry_is_too_short(pair: tuple[Any, Any]) -> None:
    """An error of OpenSSL's."""
    a, _ = pair
    fill(a)
    assert alike(tls_errors.bad_length(), error_of(a.write, b"x"))


@pytest.mark.parametrize(("call", "args"), [("read", (1,)), ("write", (b"x",)), ("unwrap", ())])
def test_a_system_call_fails(pair: tuple[Any, Any], call: str, args: tuple[Any, ...]) -> None:
    """What has become of it differs between versions of Python."""
    a, b = pair
    reset(a)
    failed = ConnectionResetError(104, "Connection reset by peer")
    made = tls_errors.failed("shutdown" if call == "unwrap" else call, failed)
    b.suppress_ragged_eofs = False
    assert alike(made, error_of(getattr(b, call), *args))


def test_a_system_call_fails_after_a_goodbye(pair: tuple[Any, Any]) -> None:
    """The connection is closed."""
    a, b = pair
    a.settimeout(0.02)
    error_of(a.unwrap)
    reset(a)
    assert b.read(1) == b""
    assert alike(tls_errors.ended("write"), error_of(b.write, b"x"))


def test_a_socket_is_closed_or_gone(pair: tuple[Any, Any]) -> None:
    """The object under it says so."""
    a, _ = pair
    a.settimeout(1)
    inner = a._sslobj
    a.close()
    assert alike(tls_errors.closed(), error_of(inner.write, b"x"))
    assert alike(tls_errors.gone("shutdown"), error_of(inner.shutdown))
    sock = socket.socket()
    context: Any = client_context()
    inner = context._wrap_socket(sock, False, "localhost")
    sock.close()
    del sock
    for call, args in (("do_handshake", ()), ("read", (1,)), ("write", (b"x",)), ("shutdown", ())):
        assert alike(tls_errors.gone(call), error_of(getattr(inner, call), *args))
