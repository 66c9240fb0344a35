"""TLS: how connections begin: handshakes, certificates, names, sessions, and what refuses them."""

from __future__ import annotations

import contextlib
import errno
import socket
import ssl
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.conformance.kinds import PATIENCE
from tests.conformance.tls_pairs import (
    TLS,
    TLS12,
    TLS13,
    authority,
    certificate,
    client_context,
    receive,
    reset,
    said,
    server_context,
    versions,
)

WANTS_READ = "SSLWantReadError: The operation did not complete (read)"


def shake_hands(secure: TLS, *ends: ssl.SSLSocket) -> None:
    """Take turns at a handshake without waiting, until both are done."""
    left = list(ends)
    while left:
        for end in tuple(left):
            with contextlib.suppress(ssl.SSLWantReadError):
                end.do_handshake()
                left.remove(end)
        if left:
            secure.net.select(left, [], [], 0.01)


def without_handshake(
    secure: TLS,
    version: ssl.TLSVersion | None = None,
    client: ssl.SSLContext | None = None,
    server: ssl.SSLContext | None = None,
) -> tuple[ssl.SSLSocket, ssl.SSLSocket]:
    """Two wrapped ends that have not shaken hands."""
    a, b = secure.plain()
    wrapped = (client or client_context(version)).wrap_socket(
        a, server_hostname="localhost", do_handshake_on_connect=False
    )
    served = (server or server_context(version)).wrap_socket(
        b, server_side=True, do_handshake_on_connect=False
    )
    return secure.keep(wrapped), secure.keep(served)


# When


@versions
def test_hands_are_shaken_later(secure: TLS, version: ssl.TLSVersion) -> None:
    """With do_handshake(), on sockets that do not wait."""
    a, b = without_handshake(secure, version)
    a.setblocking(False)
    b.setblocking(False)
    assert said(a.do_handshake) == WANTS_READ
    assert (a.version(), a.cipher()) == (None, None) or version is TLS13
    shake_hands(secure, a, b)
    assert a.version() == b.version() == version.name.replace("_", ".")
    assert (said(a.do_handshake), said(b.do_handshake)) == (None, None)


@versions
def test_hands_are_shaken_by_the_first_call(secure: TLS, version: ssl.TLSVersion) -> None:
    """Reading and writing do what is missing."""
    a, b = without_handshake(secure, version)
    task = secure.net.spawn(b.recv, 100)
    a.sendall(b"hello")
    assert task.result(PATIENCE) == b"hello"
    b.sendall(b"answer")
    assert a.recv(100) == b"answer"


@versions
def test_calls_before_a_handshake(secure: TLS, version: ssl.TLSVersion) -> None:
    """They cannot be done yet, or wait for it."""
    a, _ = without_handshake(secure, version)
    a.setblocking(False)
    assert said(a.recv, 1) == WANTS_READ
    assert said(a.send, b"x") == said(a.send, b"") == WANTS_READ
    assert said(a.unwrap) == "SSLError: [SSL: SHUTDOWN_WHILE_IN_INIT] shutdown while in init"
    assert said(a.getpeercert) == "ValueError: handshake not done yet"
    assert (a.version(), a.selected_alpn_protocol(), a.pending()) == (None, None, 0)


def test_a_handshake_that_would_have_to_wait(secure: TLS) -> None:
    """On a socket that does not wait it must be asked for."""
    a, _ = secure.plain()
    a.setblocking(False)
    with pytest.raises(ValueError, match="do_handshake_on_connect should not be specified"):
        client_context().wrap_socket(a, server_hostname="localhost")


def test_a_handshake_may_be_told_to_wait(secure: TLS) -> None:
    """do_handshake(block=True) on a socket that does not wait."""
    a, b = without_handshake(secure)
    a.setblocking(False)
    task = secure.net.spawn(b.do_handshake)
    a.do_handshake(block=True)
    task.result(PATIENCE)
    assert a.gettimeout() == 0


@versions
def test_a_handshake_waits_for_room(secure: TLS, version: ssl.TLSVersion) -> None:
    """A server's answer is long, and its socket small."""
    names = ("localhost", *(f"host-{number}.example" for number in range(4000)))
    a, b = without_handshake(secure, server=server_context(version, *names))
    b.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4608)
    a.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    a.setblocking(False)
    b.setblocking(False)
    assert said(a.do_handshake) == WANTS_READ
    secure.net.select([b], [], [], PATIENCE)
    text = "SSLWantWriteError: The operation did not complete (write)"
    assert [said(b.do_handshake), said(b.do_handshake), said(b.recv, 1)] == [text] * 3
    b.settimeout(0.02)
    assert said(b.do_handshake) == "TimeoutError: The handshake operation timed out"
    for sock in (a, b):
        sock.settimeout(PATIENCE)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 20)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
    task = secure.net.spawn(b.do_handshake)
    a.do_handshake()
    task.result(PATIENCE)
    assert a.version() == b.version() == version.name.replace("_", ".")


# What goes wrong


@versions
def test_nobody_answers(secure: TLS, version: ssl.TLSVersion) -> None:
    """The handshake times out, and the socket is closed."""
    a, _ = secure.plain()
    a.settimeout(0.05)
    context = client_context(version)
    with pytest.raises(TimeoutError, match=r"^_ssl\.c:\d+: The handshake operation timed out$"):
        context.wrap_socket(a, server_hostname="localhost")
    assert a.fileno() == -1


@versions
@pytest.mark.parametrize("patience", [None, PATIENCE])
def test_the_peer_goes_away(secure: TLS, version: ssl.TLSVersion, patience: float | None) -> None:
    """An end of file within the handshake, or a reset."""
    context = client_context(version)
    for leave, text in (
        (
            lambda sock: sock.shutdown(socket.SHUT_WR),
            "SSLEOFError: [SSL: UNEXPECTED_EOF_WHILE_READING] EOF occurred in violation of "
            "protocol",
        ),
        (reset, "ConnectionResetError: [Errno 104] Connection reset by peer"),
    ):
        a, b = secure.plain()
        a.settimeout(patience)
        task = secure.net.spawn(said, context.wrap_socket, a, False, True, True, "localhost")
        b.recv(1)
        leave(b)
        assert task.result(PATIENCE) == text


@versions
def test_the_peer_speaks_something_else(secure: TLS, version: ssl.TLSVersion) -> None:
    """Each side recognises HTTP without TLS."""
    a, b = secure.plain()
    b.sendall(b"HTTP/1.0 400 Bad Request\r\n\r\n")
    text = said(client_context(version).wrap_socket, a, False, True, True, "localhost")
    assert text in (
        "SSLError: [SSL: WRONG_VERSION_NUMBER] wrong version number",
        "SSLError: [SSL: RECORD_LAYER_FAILURE] record layer failure",
    )
    a, b = secure.plain()
    b.sendall(b"GET / HTTP/1.0\r\n\r\n")
    text = said(server_context(version).wrap_socket, a, True)
    assert text == "SSLError: [SSL: HTTP_REQUEST] http request"


def test_a_greeting_of_ssl_2_is_read_whole(secure: TLS) -> None:
    """Its head is shorter than a record's; nothing after it is taken from the socket."""
    a, b = secure.plain()
    body = b"\x01\x03\x03\x00\x03\x00\x00\x00\x10\x00\x00\x2f" + bytes(range(16))
    b.sendall((0x8000 | len(body)).to_bytes(2, "big") + body + b"after")
    context = server_context(TLS12)
    wrapped = context.wrap_socket(a, server_side=True, do_handshake_on_connect=False)
    secure.keep(wrapped).settimeout(0.05)
    first = said(wrapped.do_handshake)
    b.setblocking(False)
    answer = said(b.recv, 5)
    assert (first, answer) == (
        "SSLError: [SSL: NO_SHARED_CIPHER] no shared cipher",
        b"\x15\x03\x03\x00\x02",
    )
    assert secure.raw(wrapped).recv(100) == b"after"


@versions
def test_a_stranger_is_not_trusted(secure: TLS, version: ssl.TLSVersion) -> None:
    """The client says why, and the server hears of it."""
    client = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    a, b = secure.plain()
    task = secure.net.spawn(
        said, lambda: server_context(version).wrap_socket(b, server_side=True).recv(10)
    )
    with pytest.raises(ssl.SSLCertVerificationError) as caught:
        client.wrap_socket(a, server_hostname="localhost")
    assert caught.value.verify_message == "unable to get local issuer certificate"
    assert caught.value.reason == "CERTIFICATE_VERIFY_FAILED"
    assert task.result(PATIENCE) == (
        "SSLError: [SSL: TLSV1_ALERT_UNKNOWN_CA] tlsv1 alert unknown ca"
    )


@versions
def test_the_name_must_match(secure: TLS, version: ssl.TLSVersion) -> None:
    """The certificate is for somebody else."""
    a, b = secure.plain()
    task = secure.net.spawn(
        said, lambda: server_context(version).wrap_socket(b, server_side=True).recv(10)
    )
    with pytest.raises(ssl.SSLCertVerificationError, match="Hostname mismatch"):
        client_context(version).wrap_socket(a, server_hostname="elsewhere")
    alert = "SSLV3_ALERT_BAD_CERTIFICATE"
    assert task.result(PATIENCE) == (f"SSLError: [SSL: {alert}] {alert.lower().replace('_', ' ')}")


def test_versions_must_overlap(secure: TLS) -> None:
    """Both sides say so."""
    a, b = secure.plain()
    task = secure.net.spawn(said, server_context(TLS13).wrap_socket, b, True)
    answer = said(client_context(TLS12).wrap_socket, a, False, True, True, "localhost")
    assert answer == "SSLError: [SSL: TLSV1_ALERT_PROTOCOL_VERSION] tlsv1 alert protocol version"
    assert task.result(PATIENCE) == "SSLError: [SSL: UNSUPPORTED_PROTOCOL] unsupported protocol"


@pytest.mark.parametrize("leave", [reset, lambda sock: sock.close()], ids=["reset", "close"])
def test_a_client_need_not_wait_for_its_tickets(secure: TLS, leave: Callable[[Any], None]) -> None:
    """The server's handshake succeeds although nobody takes them."""
    a, b = without_handshake(secure, TLS13)
    a.setblocking(False)
    b.setblocking(False)
    assert (said(a.do_handshake), said(b.do_handshake)) == (WANTS_READ, WANTS_READ)
    a.do_handshake()
    leave(a)
    secure.net.select([b], [], [], PATIENCE)
    secure.net.sleep(0.01)
    assert said(b.do_handshake) is None
    assert b.version() == "TLSv1.3"


# Which sockets


@versions
def test_wrapping_first_and_connecting_later(secure: TLS, version: ssl.TLSVersion) -> None:
    """connect() shakes hands; accept() of a wrapped listener does so too."""
    listener = secure.keep(
        server_context(version).wrap_socket(
            secure.net.create_server(("127.0.0.1", 0)), server_side=True
        )
    )
    task = secure.net.spawn(listener.accept)
    client = secure.keep(
        client_context(version).wrap_socket(secure.net.socket(), server_hostname="localhost")
    )
    assert client.version() is None
    assert said(client.getpeercert).startswith("OSError: [Errno 107]")
    client.connect(listener.getsockname())
    server, address = task.result(PATIENCE)
    secure.keep(server)
    assert type(server) is type(client) is secure.module.SSLSocket
    assert address == client.getsockname()
    client.sendall(b"x")
    assert server.recv(1) == b"x"
    with pytest.raises(ValueError, match="attempt to connect already-connected SSLSocket"):
        client.connect(listener.getsockname())
    with pytest.raises(ValueError, match="can't connect in server-side mode"):
        server.connect(listener.getsockname())


def test_connecting_with_an_answer(secure: TLS) -> None:
    """connect_ex(): 0, or the error; after connect() was refused it can be tried again."""
    with secure.net.create_server(("127.0.0.1", 0)) as closed:
        nowhere = closed.getsockname()
    context = client_context()
    refused, client = (
        secure.keep(context.wrap_socket(secure.net.socket(), server_hostname="localhost"))
        for _ in range(2)
    )
    assert refused.connect_ex(nowhere) == errno.ECONNREFUSED
    with pytest.raises(ValueError, match="attempt to connect already-connected SSLSocket!"):
        refused.connect(nowhere)
    with pytest.raises(ConnectionRefusedError):
        client.connect(nowhere)
    with secure.net.create_server(("127.0.0.1", 0)) as listener:
        task = secure.net.spawn(
            lambda: server_context().wrap_socket(listener.accept()[0], server_side=True)
        )
        assert client.connect_ex(listener.getsockname()) == 0
        secure.keep(task.result(PATIENCE))
    assert client.version() == "TLSv1.3"


def test_connecting_without_waiting(secure: TLS) -> None:
    """EINPROGRESS; the handshake comes when it is asked for."""
    with secure.net.create_server(("127.0.0.1", 0)) as listener:
        client = secure.keep(
            client_context().wrap_socket(
                secure.net.socket(), server_hostname="localhost", do_handshake_on_connect=False
            )
        )
        client.setblocking(False)
        assert client.connect_ex(listener.getsockname()) == errno.EINPROGRESS
        secure.net.select([], [client], [], PATIENCE)
        server = secure.keep(
            server_context().wrap_socket(
                listener.accept()[0], server_side=True, do_handshake_on_connect=False
            )
        )
        server.setblocking(False)
        shake_hands(secure, client, server)
    assert client.version() == server.version() == "TLSv1.3"


def test_only_streams_are_wrapped(secure: TLS) -> None:
    """Datagrams are not."""
    sock = secure.keep(secure.net.socket(socket.AF_INET, socket.SOCK_DGRAM))
    with pytest.raises(NotImplementedError, match="only stream sockets are supported"):
        client_context().wrap_socket(sock, server_hostname="localhost")


def test_roles_must_fit(secure: TLS) -> None:
    """Names and sessions are a client's; and a client that checks names needs one."""
    a, _ = secure.plain()
    with pytest.raises(ValueError, match="check_hostname requires server_hostname"):
        client_context().wrap_socket(a)
    with pytest.raises(ValueError, match="server_hostname can only be specified in client mode"):
        server_context().wrap_socket(a, server_side=True, server_hostname="localhost")
    with pytest.raises(ssl.SSLError, match="Cannot create a client socket with a PROTOCOL_TLS_S"):
        server_context().wrap_socket(a, server_hostname="localhost")


def test_a_closed_socket_is_not_wrapped(secure: TLS) -> None:
    """EBADF."""
    a, _ = secure.plain()
    a.close()
    answer = said(client_context().wrap_socket, a, False, True, True, "localhost")
    assert answer == "OSError: [Errno 9] Bad file descriptor"


def test_data_that_came_before_a_reset_is_refused(secure: TLS) -> None:
    """A connection that has ended with data unread might pass them off as secure."""
    a, b = secure.plain()
    b.sendall(b"in the clear")
    secure.net.select([a], [], [], PATIENCE)
    reset(b)
    secure.net.sleep(0.01)
    answer = said(client_context().wrap_socket, a, False, True, True, "localhost")
    assert "Closed before TLS handshake with data in recv buffer." in answer
    assert a.fileno() == -1


def test_the_certificate_of_a_server_can_be_asked_for(secure: TLS) -> None:
    """ssl.get_server_certificate() makes its own connection."""
    with secure.net.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            with server_context().wrap_socket(listener.accept()[0], server_side=True) as server:
                # An end of file, or a reset, since the client leaves its tickets unread.
                said(server.recv, 1)

        task = secure.net.spawn(serve)
        with tempfile.TemporaryDirectory() as directory:
            trusted = Path(directory) / "ca.pem"
            authority().cert_pem.write_to_path(str(trusted))
            pem = secure.on_its_network(
                secure.module.get_server_certificate, listener.getsockname(), ca_certs=trusted
            )
        task.result(PATIENCE)
    parts = certificate("localhost", "127.0.0.1").cert_chain_pems[0].bytes().decode()
    assert pem.strip() == parts.strip()


def test_a_class_of_ones_own(secure: TLS) -> None:
    """SSLContext.sslsocket_class says what becomes of wrapped sockets."""

    class Loud(secure.module.SSLSocket):  # type: ignore[misc, name-defined]
        def shout(self, text: str) -> None:
            self.sendall(text.upper().encode())

    context = client_context()
    context.sslsocket_class = Loud
    a, b = secure.pair(client=context)
    assert type(a) is Loud
    a.shout("hello")
    assert b.recv(10) == b"HELLO"


# Names, sessions, certificates of clients


@versions
def test_a_server_has_several_names(secure: TLS, version: ssl.TLSVersion) -> None:
    """The callback is given the socket, and may change its context."""
    contexts = {name: server_context(version, name) for name in ("first", "second")}
    calls: list[tuple[Any, ...]] = []

    def choose(sock: Any, name: str, context: ssl.SSLContext) -> None:
        calls.append((type(sock), name, context))
        sock.context = contexts[name]

    server = server_context(version)
    server.sni_callback = choose
    for name in contexts:
        a, b = secure.pair(version, server=server, server_hostname=name)
        names = (a.getpeercert() or {})["subjectAltName"]
        assert names == (("DNS", name),)
        assert b.context is contexts[name]
    assert calls == [(secure.module.SSLSocket, name, server) for name in contexts]


@versions
def test_a_name_may_be_refused(secure: TLS, version: ssl.TLSVersion) -> None:
    """With the alert that the callback gives."""
    server = server_context(version)
    server.sni_callback = lambda sock, name, context: ssl.ALERT_DESCRIPTION_ACCESS_DENIED
    a, b = secure.plain()
    task = secure.net.spawn(said, server.wrap_socket, b, True)
    answer = said(client_context(version).wrap_socket, a, False, True, True, "localhost")
    assert answer == "SSLError: [SSL: TLSV1_ALERT_ACCESS_DENIED] tlsv1 alert access denied"
    assert task.result(PATIENCE) == "SSLError: [SSL: CALLBACK_FAILED] callback failed"


@versions
def test_a_session_is_resumed(secure: TLS, version: ssl.TLSVersion) -> None:
    """By a client that kept it; with TLS 1.3 it comes with the first data."""
    client, server = client_context(version), server_context(version)
    a, b = secure.pair(client=client, server=server)
    b.sendall(b"x")
    assert a.recv(1) == b"x"
    session = a.session
    assert session is not None
    c, d = secure.pair(client=client, server=server, session=session)
    assert (a.session_reused, c.session_reused, d.session_reused) == (False, True, True)
    with pytest.raises(ValueError, match="Cannot set session after handshake"):
        c.session = session


@versions
def test_a_client_shows_its_certificate(secure: TLS, version: ssl.TLSVersion) -> None:
    """When the server asks for one."""
    client, server = client_context(version), server_context(version)
    certificate("the-client").configure_cert(client)
    authority().configure_trust(server)
    server.verify_mode = ssl.CERT_REQUIRED
    a, b = secure.pair(client=client, server=server)
    assert ("DNS", "the-client") in (b.getpeercert() or {})["subjectAltName"]
    a.sendall(b"x")
    assert b.recv(1) == b"x"


@versions
def test_a_client_without_a_certificate_is_refused(secure: TLS, version: ssl.TLSVersion) -> None:
    """With TLS 1.3 it hears of it when it first reads."""
    server = server_context(version)
    authority().configure_trust(server)
    server.verify_mode = ssl.CERT_REQUIRED
    a, b = secure.plain()
    task = secure.net.spawn(said, server.wrap_socket, b, True)

    def ask() -> Any:
        client = client_context(version).wrap_socket(a, server_hostname="localhost")
        return secure.keep(client).recv(10)

    answer = said(ask)
    assert answer.startswith(
        "SSLError: [SSL: TLSV13_ALERT_CERTIFICATE_REQUIRED]"
        if version is TLS13
        else "SSLError: [SSL: SSLV3_ALERT_HANDSHAKE_FAILURE]"
    )
    assert task.result(PATIENCE) == (
        "SSLError: [SSL: PEER_DID_NOT_RETURN_A_CERTIFICATE] peer did not return a certificate"
    )


def test_a_certificate_is_asked_for_later(secure: TLS) -> None:
    """Post-handshake authentication of TLS 1.3."""
    client, server = client_context(TLS13), server_context(TLS13)
    certificate("the-client").configure_cert(client)
    client.post_handshake_auth = True
    authority().configure_trust(server)
    server.post_handshake_auth = True
    server.verify_mode = ssl.CERT_REQUIRED
    a, b = secure.pair(client=client, server=server)
    assert b.getpeercert() is None
    b.verify_client_post_handshake()
    b.sendall(b"who are you?")
    assert a.recv(100) == b"who are you?"
    a.sendall(b"me")
    assert b.recv(100) == b"me"
    assert ("DNS", "the-client") in (b.getpeercert() or {})["subjectAltName"]
    with pytest.raises(ssl.SSLError, match="NOT_SERVER"):
        a.verify_client_post_handshake()


@versions
def test_messages_can_be_watched(secure: TLS, version: ssl.TLSVersion) -> None:
    """The callback is given the socket and each message in its order."""
    seen: dict[str, list[str]] = {}

    def watch(sock: Any, direction: str, *rest: Any) -> None:
        assert type(sock) is secure.module.SSLSocket
        seen.setdefault("server" if sock.server_side else "client", []).append(direction)

    client, server = client_context(version), server_context(version)
    client._msg_callback = server._msg_callback = watch  # type: ignore[attr-defined]
    a, b = secure.pair(client=client, server=server)
    a.sendall(b"x")
    assert receive(b, 1) == b"x"
    assert {"read", "write"} == set(seen["client"]) == set(seen["server"])
    assert (seen["client"][0], seen["server"][0]) == ("write", "read")


class Wrapper:
    """Not a socket, but hands every call on to one."""

    def __init__(self, sock: Any) -> None:
        self._sock = sock

    def __getattr__(self, name: str) -> Any:
        return getattr(self._sock, name)


def test_what_hands_calls_on_to_a_socket_can_be_wrapped(secure: TLS) -> None:
    """It is only asked for what it takes to make another socket of its descriptor."""
    a, b = secure.plain()
    task = secure.net.spawn(lambda: server_context().wrap_socket(Wrapper(b), server_side=True))
    client = secure.keep(client_context().wrap_socket(Wrapper(a), server_hostname="localhost"))
    server = secure.keep(task.result(PATIENCE))
    client.sendall(b"through")
    assert receive(server, 7) == b"through"
    assert (a.fileno(), b.fileno()) == (-1, -1)
