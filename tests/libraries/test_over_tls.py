"""The same clients and servers over TLS."""

from __future__ import annotations

import asyncio
import http.client
import imaplib
import poplib
import smtplib
import socket
import socketserver
import ssl
import time
import urllib.error
import urllib.request
import xmlrpc.client
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from xmlrpc.server import SimpleXMLRPCServer

import attrs
import pytest
import redis
import redis.asyncio

from tests.conformance.tls_pairs import authority, client_context, server_context
from tests.libraries import resp_server, test_http, test_mail
from tests.libraries.test_h11_h2 import LONG, h2_ask, h2_server
from tests.libraries.ways import Place, Simulated


@attrs.frozen
class Contexts:
    """Of the server and of its clients, who trust the server's authority."""

    server: Any
    client: Any


@pytest.fixture
def contexts() -> Contexts:
    """Made inside the program (keys differ from run to run, so that these are no stories)."""
    return Contexts(server_context(None, "server", "127.0.0.1"), client_context())


@contextmanager
def serving(place: Place, server: Any, contexts: Contexts) -> Iterator[int]:
    """A server of socketserver's kind over TLS; its port."""
    with place.server:
        server.socket = contexts.server.wrap_socket(server.socket, server_side=True)
    with place.serving(server):
        yield server.server_address[1]


@contextmanager
def http_server(place: Place, contexts: Contexts) -> Iterator[int]:
    """The pages of test_http."""
    with place.server:
        server = test_http.Server((place.bind, 0), test_http.Handler)
    with serving(place, server, contexts) as port:
        yield port


@contextmanager
def connected(
    place: Place, contexts: Contexts, timeout: float = 10
) -> Iterator[http.client.HTTPSConnection]:
    """A client of it."""
    with http_server(place, contexts) as port:
        conn = http.client.HTTPSConnection(
            place.address, port, timeout=timeout, context=contexts.client
        )
        try:
            yield conn
        finally:
            conn.close()


# HTTP


def test_https_keeps_a_connection(place: Place, contexts: Contexts) -> None:
    """Headers, bodies, keep-alive."""
    with connected(place, contexts) as conn:
        assert test_http.get(conn, "/a") == b"hello from /a"
        conn.request("POST", "/c", body=LONG)
        assert conn.getresponse().read() == LONG
        assert isinstance(conn.sock, ssl.SSLSocket)
        assert conn.sock.version() == "TLSv1.3"


def test_https_is_reset_half_way(place: Place, contexts: Contexts) -> None:
    """What had arrived before is read."""
    with connected(place, contexts) as conn:
        conn.request("GET", "/broken")
        response = conn.getresponse()
        assert response.read(100_000) == b"x" * 100_000
        conn.sock.sendall(b"!")
        # Versions of OpenSSL differ in whether they tell a reset from an end.
        with pytest.raises((ConnectionResetError, http.client.IncompleteRead)):
            response.read()
        response.close()


def test_https_over_a_slow_link(simulated: Simulated, contexts: Contexts) -> None:
    """Round trips to connect, for the handshake, for the headers and for the page.

    Nagle's algorithm holds that back until the headers are acknowledged, which takes another 40 ms.
    """
    simulated.slow(latency=0.25)
    with connected(simulated, contexts) as conn:
        conn.connect()
        assert time.monotonic() == 1.0
        test_http.get(conn, "/a")
        assert time.monotonic() == 2.04


def test_https_times_out(simulated: Simulated, contexts: Contexts) -> None:
    """In the handshake, and later; exactly."""
    with simulated.server:
        silent = socket.create_server(("", 443))
    conn = http.client.HTTPSConnection("server", 443, timeout=25, context=contexts.client)
    with silent, pytest.raises(TimeoutError, match="handshake"):
        conn.connect()
    assert time.monotonic() == 25
    with connected(simulated, contexts, timeout=30) as conn:
        conn.request("GET", "/never")
        with pytest.raises(TimeoutError):
            conn.getresponse()
        assert time.monotonic() == 55


def test_urlopen_over_tls(place: Place, contexts: Contexts) -> None:
    """A page that has moved; a server that nobody vouches for."""
    with http_server(place, contexts) as port:
        url = f"https://{place.address}:{port}"
        with urllib.request.urlopen(
            f"{url}/moved", timeout=10, context=contexts.client
        ) as response:
            assert response.read() == b"hello from /new"
        with pytest.raises(urllib.error.URLError) as refused:
            urllib.request.urlopen(url, timeout=10)
        assert isinstance(refused.value.reason, ssl.SSLCertVerificationError)


def test_xmlrpc_over_tls(place: Place, contexts: Contexts) -> None:
    """The same procedures."""
    with place.server:
        server = SimpleXMLRPCServer((place.bind, 0), logRequests=False)
    server.register_function(pow)
    with serving(place, server, contexts) as port:
        url = f"https://{place.address}:{port}"
        with xmlrpc.client.ServerProxy(url, context=contexts.client) as proxy:
            assert proxy.pow(2, 10) == 1024


def test_h2_is_agreed_upon(place: Place, contexts: Contexts) -> None:
    """ALPN says that both know it; bodies beyond its windows."""
    contexts.server.set_alpn_protocols(["http/1.1", "h2"])
    contexts.client.set_alpn_protocols(["h2"])

    class Http2(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            assert self.request.selected_alpn_protocol() == "h2"
            h2_server(self.request)

    with place.server:
        server = socketserver.ThreadingTCPServer((place.bind, 0), Http2)
    with serving(place, server, contexts) as port:
        with socket.create_connection((place.address, port), 10) as plain:
            with contexts.client.wrap_socket(plain, server_hostname=place.address) as sock:
                requests = {"/a": LONG, "/b": b"hello"}
                assert h2_ask(sock, requests) == requests


# Mail


def test_a_mail_session_starts_tls(place: Place, contexts: Contexts) -> None:
    """A plain connection at first: STARTTLS."""
    with test_mail.mail_server(place, tls_context=contexts.server) as (server, port):
        with smtplib.SMTP(place.address, port, timeout=10) as client:
            assert client.starttls(context=contexts.client)[0] == 220
            client.send_message(test_mail.MESSAGE)
    assert len(server.kept) == 1


def test_mailboxes_over_tls(place: Place, contexts: Contexts) -> None:
    """poplib and imaplib."""
    with place.server:
        servers = [
            socketserver.ThreadingTCPServer((place.bind, 0), script)
            for script in (test_mail.Pop, test_mail.Imap)
        ]
    with serving(place, servers[0], contexts) as port:
        box = poplib.POP3_SSL(place.address, port, timeout=10, context=contexts.client)
        assert box.stat() == (2, 320)
        box.quit()
    with serving(place, servers[1], contexts) as port:
        with imaplib.IMAP4_SSL(
            place.address, port, timeout=10, ssl_context=contexts.client
        ) as inbox:
            assert inbox.login("ann", "secret")[0] == "OK"


# Stores


def test_redis_over_tls(place: Place, contexts: Contexts, tmp_path: Path) -> None:
    """Blocking, and asyncio."""
    trusted = str(tmp_path / "authority.pem")
    authority().cert_pem.write_to_path(trusted)
    with place.server:
        server = resp_server.Server((place.bind, 0))
    with serving(place, server, contexts) as port:
        options = {"host": place.address, "port": port, "ssl": True, "ssl_ca_certs": trusted}

        async def main() -> None:
            async with redis.asyncio.Redis(**options) as db:
                assert await db.get("key") == LONG

        with redis.Redis(**options) as db:
            db.set("key", LONG)
            assert db.get("key") == LONG
        asyncio.run(main())
