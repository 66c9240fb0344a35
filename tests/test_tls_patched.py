"""TLS in a patched program: the standard library's own clients and servers, as they are."""

from __future__ import annotations

import asyncio
import http.client
import http.server
import ssl
import threading
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from simnet import tls
from simnet.host import Host
from simnet.world import World
from tests.conformance.tls_pairs import authority, client_context, server_context

# Made before any patch, as those that libraries make when they are imported.
SERVER = server_context(None, "server")
CLIENT = client_context()


class Handler(http.server.BaseHTTPRequestHandler):
    """Answers with the path."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def do_GET(self) -> None:
        """Answer, slowly if asked to."""
        body = self.path.encode() * 1000
        if self.path == "/never":
            threading.Event().wait(7200)
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Keep quiet."""


class Server(http.server.ThreadingHTTPServer):
    """Closes what a client leaves behind without a word."""

    def handle_error(self, request: object, client_address: object) -> None:
        """Keep quiet."""


@contextmanager
def serving(host: Host) -> Iterator[None]:
    """An HTTPS server on a host."""
    with host:
        server = Server(("", 443), Handler)
        server.socket = SERVER.wrap_socket(server.socket, server_side=True)
        thread = threading.Thread(target=server.serve_forever, args=(60.0,))
        thread.start()
    try:
        yield
    finally:
        with host:
            server.shutdown()
            thread.join()
            server.server_close()


@pytest.fixture
def world() -> Iterator[World]:
    """A patched world with a server, 50 ms from the client that the test runs on."""
    with World() as world:
        server, client = world.host("server"), world.host("client")
        world.link(server, client, latency=0.05)
        with world.patch(client), serving(server):
            yield world


def test_what_a_program_sees(world: World) -> None:
    """Its `ssl` is the twin; contexts and errors are the real ones."""
    assert ssl is tls.module
    assert CLIENT.sslsocket_class is ssl.SSLSocket
    assert isinstance(CLIENT, ssl.SSLContext)
    assert http.client.ssl is ssl  # type: ignore[attr-defined]


def test_everything_is_given_back() -> None:
    """After the patch wrapped sockets are real ones again."""
    before = ssl.SSLSocket
    with World() as world, world.patch():
        assert ssl.SSLSocket is not before
    assert ssl.SSLSocket is ssl.SSLContext.sslsocket_class is before
    assert "_wrap_socket" not in vars(ssl.SSLContext)


def test_https_keeps_alive(world: World) -> None:
    """http.client and a threading server: several requests on a connection."""
    connection = http.client.HTTPSConnection("server", context=CLIENT)
    before = world.now
    for path in ("/a", "/b", "/c"):
        connection.request("GET", path)
        assert connection.getresponse().read() == path.encode() * 1000
    assert type(connection.sock) is ssl.SSLSocket
    connection.close()
    # Connecting and shaking hands take a round trip each, and so does each request.
    assert world.now - before == pytest.approx(0.5)


def test_urllib_verifies_with_a_file(world: World, tmp_path: Path) -> None:
    """Contexts made inside the patch; a stranger is refused."""
    trusted = tmp_path / "ca.pem"
    authority().cert_pem.write_to_path(str(trusted))
    context = ssl.create_default_context(cafile=str(trusted))
    with urllib.request.urlopen("https://server/x", context=context) as answer:
        assert answer.read() == b"/x" * 1000
    with pytest.raises(OSError, match="CERTIFICATE_VERIFY_FAILED"):
        urllib.request.urlopen("https://server/x", context=ssl.create_default_context())
    pem = ssl.get_server_certificate(("server", 443), ca_certs=str(trusted))
    assert pem.startswith("-----BEGIN CERTIFICATE-----")


def test_an_answer_that_never_comes(world: World) -> None:
    """The client's timeout strikes in virtual time."""
    connection = http.client.HTTPSConnection("server", context=CLIENT, timeout=3600)
    connection.request("GET", "/never")
    before = world.now
    with pytest.raises(TimeoutError, match="The read operation timed out"):
        connection.getresponse()
    assert world.now == pytest.approx(before + 3600)
    connection.close()


def test_asyncio_beside_threads(world: World) -> None:
    """asyncio.run() and its streams, against the same server."""

    async def main() -> bytes:
        reader, writer = await asyncio.open_connection("server", 443, ssl=CLIENT)
        writer.write(b"GET /x HTTP/1.0\r\n\r\n")
        data = await reader.read()
        writer.close()
        await writer.wait_closed()
        return data

    assert asyncio.run(main()).endswith(b"/x" * 1000)
