"""http.client and http.server."""

from __future__ import annotations

import http.client
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from tests.libraries.ways import Place


class Handler(BaseHTTPRequestHandler):
    """Says hello, and gives back what is posted."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self.answer(b"hello from " + self.path.encode())

    def do_POST(self) -> None:
        self.answer(self.rfile.read(int(self.headers["Content-Length"])))

    def answer(self, body: bytes) -> None:
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args: object) -> None:
        """Say nothing."""


def test_a_connection_is_kept_for_several_requests(place: Place) -> None:
    """Headers, bodies, keep-alive."""
    with place.server:
        server = ThreadingHTTPServer((place.bind, 0), Handler)
    with place.serving(server):
        conn = http.client.HTTPConnection(place.address, server.server_port, timeout=10)
        for path in ("/a", "/b"):
            conn.request("GET", path)
            assert conn.getresponse().read() == b"hello from " + path.encode()
        conn.request("POST", "/c", body=b"x" * 100_000)
        assert conn.getresponse().read() == b"x" * 100_000
        conn.close()
