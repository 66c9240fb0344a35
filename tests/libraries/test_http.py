"""http.client, urllib.request and xmlrpc, with http.server and its kin."""

from __future__ import annotations

import http.client
import os
import socket
import time
import urllib.error
import urllib.request
import xmlrpc.client
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from http.server import (
    BaseHTTPRequestHandler,
    HTTPServer,
    SimpleHTTPRequestHandler,
    ThreadingHTTPServer,
)
from xmlrpc.server import SimpleXMLRPCRequestHandler, SimpleXMLRPCServer

import pytest

from tests.libraries.ways import Place, Simulated, reset


class Handler(BaseHTTPRequestHandler):
    """Says hello, gives back what is posted, and knows some pages."""

    protocol_version = "HTTP/1.1"
    timeout = 600  # for clients that vanish without a word

    def do_GET(self) -> None:
        page = getattr(self, f"page_{self.path.strip('/')}", None)
        if page is None:
            self.answer(b"hello from " + self.path.encode())
        else:
            page()

    def do_POST(self) -> None:
        self.answer(self.rfile.read(int(self.headers["Content-Length"])))

    def answer(self, body: bytes) -> None:
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def page_moved(self) -> None:
        """It is elsewhere."""
        self.send_response(302)
        self.send_header("Location", "/new")
        self.send_header("Content-Length", "0")
        self.end_headers()

    def page_broken(self) -> None:
        """Half of what was promised, and a reset."""
        self.send_response(200)
        self.send_header("Content-Length", "200000")
        self.end_headers()
        self.wfile.write(b"x" * 100_000)
        self.rfile.read(1)  # until the client has it
        self.close_connection = True
        reset(self.connection)  # as soon as the handler has closed its files

    def page_cut(self) -> None:
        """The same, at once."""
        self.send_response(200)
        self.send_header("Content-Length", "200000")
        self.end_headers()
        self.wfile.write(b"x" * 1000)
        self.close_connection = True
        reset(self.connection)

    def page_chunks(self) -> None:
        """A chunk every ten seconds."""
        self.send_response(200)
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        for chunk in (b"one", b"two", b"three"):
            self.wfile.write(b"%x\r\n%b\r\n" % (len(chunk), chunk))
            time.sleep(10)
        self.wfile.write(b"0\r\n\r\n")

    def page_never(self) -> None:
        """Nothing, for a day."""
        time.sleep(86_400)

    def log_message(self, *args: object) -> None:
        """Say nothing."""


class Server(ThreadingHTTPServer):
    """As it is, but the threads of requests are waited for at the end."""

    daemon_threads = False


@contextmanager
def serving(place: Place) -> Iterator[HTTPServer]:
    """A server of those pages."""
    with place.server:
        server = Server((place.bind, 0), Handler)
    with place.serving(server):
        yield server


@contextmanager
def connected(place: Place, timeout: float = 10) -> Iterator[http.client.HTTPConnection]:
    """A client of it."""
    with serving(place) as server:
        conn = http.client.HTTPConnection(place.address, server.server_port, timeout=timeout)
        try:
            yield conn
        finally:
            conn.close()


def get(conn: http.client.HTTPConnection, path: str) -> bytes:
    """A page."""
    conn.request("GET", path)
    return conn.getresponse().read()


# http.client


def test_a_connection_is_kept_for_several_requests(place: Place) -> None:
    """Headers, bodies, keep-alive."""
    with connected(place) as conn:
        assert get(conn, "/a") == b"hello from /a"
        sock = conn.sock
        assert get(conn, "/b") == b"hello from /b"
        conn.request("POST", "/c", body=b"x" * 100_000)
        assert conn.getresponse().read() == b"x" * 100_000
        assert conn.sock is sock


def test_a_body_in_chunks_both_ways(place: Place) -> None:
    """A generator of bytes as the body."""
    with connected(place) as conn:
        chunks = (b"x" * 1000 for _ in range(50))
        conn.request("POST", "/", body=chunks, headers={"Content-Length": "50000"})
        assert conn.getresponse().read() == b"x" * 50_000


def test_a_head_without_a_handler_is_answered_with_501(place: Place) -> None:
    """The server's own page of an error, and what it says of itself."""
    with connected(place) as conn:
        conn.request("DELETE", "/")
        response = conn.getresponse()
        assert response.status == 501
        assert b"Unsupported method ('DELETE')" in response.read()
        assert response.getheader("Server", "").startswith("BaseHTTP/")


def test_a_reset_half_way_is_an_error_of_the_read(place: Place) -> None:
    """What had arrived before is read."""
    with connected(place) as conn:
        conn.request("GET", "/broken")
        response = conn.getresponse()
        assert response.read(100_000) == b"x" * 100_000
        conn.sock.sendall(b"!")
        with pytest.raises(ConnectionResetError):
            response.read()
        response.close()


def test_a_slow_link_takes_round_trips_and_the_time_of_the_bytes(simulated: Simulated) -> None:
    """One to connect, one for the headers, one for the page.

    The server writes them apart, and Nagle's algorithm holds the second back until the first is
    acknowledged. At 1 Mbit/s a body of 125 kB takes over a second each way.
    """
    simulated.slow(latency=0.25, bandwidth=1_000_000)
    with connected(simulated) as conn:
        get(conn, "/a")
        assert 1.5 < time.monotonic() < 1.51
        begun = time.monotonic()
        conn.request("POST", "/c", body=b"x" * 125_000)
        assert len(conn.getresponse().read()) == 125_000
        assert 2.5 < time.monotonic() - begun < 6


def test_chunks_come_when_they_are_sent(simulated: Simulated) -> None:
    """Ten seconds apart; the first has waited for the acknowledgement of the headers."""
    simulated.slow(latency=0.25)
    with connected(simulated, timeout=11) as conn:
        conn.request("GET", "/chunks")
        response = conn.getresponse()
        seen = [(response.read1(100), time.monotonic()) for _ in range(3)]
        assert seen == [(b"one", 1.5), (b"two", 11.0), (b"three", 21.0)]
        assert response.read() == b""
        assert time.monotonic() == 31.0


def test_a_server_that_never_answers_times_out(simulated: Simulated) -> None:
    """Exactly."""
    simulated.slow(latency=0.25)
    with connected(simulated, timeout=30) as conn:
        conn.connect()
        conn.request("GET", "/never")
        with pytest.raises(TimeoutError):
            conn.getresponse()
        assert time.monotonic() == 30.5


def test_a_partition_times_out_and_heals(simulated: Simulated) -> None:
    """A new connection reaches the server when it does."""
    with connected(simulated, timeout=60) as conn:
        assert get(conn, "/a") == b"hello from /a"
        with simulated.world.partition("client"):
            conn.request("GET", "/b")
            with pytest.raises(TimeoutError):
                conn.getresponse()
            assert time.monotonic() == 60.0
            conn.close()
            with pytest.raises(TimeoutError):
                conn.connect()
            assert time.monotonic() == 120.0
        assert get(conn, "/c") == b"hello from /c"


def test_a_server_that_crashes_and_returns(simulated: Simulated) -> None:
    """It knows nothing of the old connection, and resets it."""
    with simulated.server:
        server = Server(("", 80), Handler)
    simulated.serve(server.serve_forever)
    conn = http.client.HTTPConnection("server", 80, timeout=60)
    assert get(conn, "/a") == b"hello from /a"
    simulated.world.crash("server")
    simulated.world.restart("server")
    with pytest.raises(ConnectionResetError):
        get(conn, "/b")
    conn.close()
    with pytest.raises(ConnectionRefusedError):
        get(conn, "/c")
    with serving(simulated) as server:
        again = http.client.HTTPConnection("server", server.server_port)
        assert get(again, "/d") == b"hello from /d"
        again.close()


def test_files_of_a_directory_are_served(place: Place) -> None:
    """Listed, sent, and not sent again to who has them."""
    (place.directory / "page.html").write_text("<p>hello" * 10_000)
    os.utime(place.directory / "page.html", (0, 0))

    class Files(SimpleHTTPRequestHandler):
        def log_message(self, *args: object) -> None:
            """Say nothing."""

    with place.server:
        handler = partial(Files, directory=str(place.directory))
        server = ThreadingHTTPServer((place.bind, 0), handler)
    with place.serving(server):
        conn = http.client.HTTPConnection(place.address, server.server_port, timeout=10)
        assert b"page.html" in get(conn, "/")
        conn.request("GET", "/page.html")
        response = conn.getresponse()
        assert response.read() == b"<p>hello" * 10_000
        assert response.getheader("Content-Type") == "text/html"
        since = response.getheader("Last-Modified")
        assert since == "Thu, 01 Jan 1970 00:00:00 GMT"
        conn.request("GET", "/page.html", headers={"If-Modified-Since": since})
        again = conn.getresponse()
        assert (again.status, again.read()) == (304, b"")
        conn.close()


# urllib.request


def test_urlopen_follows_a_redirection(place: Place) -> None:
    """Two requests, two connections."""
    with serving(place) as server:
        url = f"http://{place.address}:{server.server_port}"
        with urllib.request.urlopen(f"{url}/moved", timeout=10) as response:
            assert response.url == f"{url}/new"
            assert response.read() == b"hello from /new"
        with urllib.request.urlopen(f"{url}/x", data=b"a=1", timeout=10) as response:
            assert response.read() == b"a=1"


def test_urlopen_says_what_went_wrong(place: Place) -> None:
    """An error of the protocol, one of the network, one of the name."""
    with serving(place) as server:
        url = f"http://{place.address}:{server.server_port}"
        request = urllib.request.Request(f"{url}/x", method="DELETE")
        with pytest.raises(urllib.error.HTTPError, match="501") as unsupported:
            urllib.request.urlopen(request, timeout=10)
        unsupported.value.close()
    with pytest.raises(urllib.error.URLError) as refused:
        urllib.request.urlopen(url, timeout=10)
    assert isinstance(refused.value.reason, ConnectionRefusedError)


def test_urlopen_is_reset_half_way(place: Place) -> None:
    """What had arrived before is read."""
    with serving(place) as server:
        url = f"http://{place.address}:{server.server_port}"
        with urllib.request.urlopen(f"{url}/cut", timeout=10) as response:
            with pytest.raises((ConnectionResetError, http.client.IncompleteRead)):
                response.read()


def test_urlopen_over_a_slow_link(simulated: Simulated) -> None:
    """A connection for each request: a redirection costs as much as the page.

    At the end of a connection nothing is held back.
    """
    simulated.slow(latency=0.25)
    with serving(simulated) as server:
        with urllib.request.urlopen(f"http://server:{server.server_port}/moved") as response:
            assert response.read() == b"hello from /new"
        assert time.monotonic() == 1.0 + 1.0


def test_urlopen_times_out(simulated: Simulated) -> None:
    """While it connects, and while it waits."""
    simulated.world.unknown = "silence"
    with pytest.raises(urllib.error.URLError, match="timed out"):
        urllib.request.urlopen("http://192.0.2.1/", timeout=20)
    assert time.monotonic() == 20.0
    with serving(simulated) as server:
        with pytest.raises(TimeoutError):
            urllib.request.urlopen(f"http://server:{server.server_port}/never", timeout=7)
        assert time.monotonic() == 27.0
    with pytest.raises(urllib.error.URLError, match="Name or service not known"):
        urllib.request.urlopen("http://nobody/", timeout=20)


# xmlrpc


@contextmanager
def calculator(
    place: Place, handler: type[SimpleXMLRPCRequestHandler] = SimpleXMLRPCRequestHandler
) -> Iterator[str]:
    """A server of procedures; its URL."""
    with place.server:
        server = SimpleXMLRPCServer((place.bind, 0), handler, logRequests=False, allow_none=True)
    server.register_introspection_functions()
    server.register_function(pow)
    server.register_function(lambda a, b: a // b, "divide")
    server.register_function(time.sleep, "sleep")
    with place.serving(server):
        yield f"http://{place.address}:{server.server_address[1]}/"


def test_procedures_are_called_over_xml(place: Place) -> None:
    """Values, many calls in one, a fault."""
    with calculator(place) as url, xmlrpc.client.ServerProxy(url) as proxy:
        assert proxy.pow(2, 10) == 1024
        assert "divide" in proxy.system.listMethods()
        together = xmlrpc.client.MultiCall(proxy)
        together.pow(3, 3)
        together.divide(7, 2)
        with pytest.raises(xmlrpc.client.Fault, match="ZeroDivisionError"):
            proxy.divide(1, 0)


def test_procedures_over_a_slow_link_and_past_a_timeout(simulated: Simulated) -> None:
    """A connection for each call; its timeout is the default one of the module."""
    simulated.slow(latency=0.5)
    with calculator(simulated) as url, xmlrpc.client.ServerProxy(url, allow_none=True) as proxy:
        assert proxy.pow(2, 3) == 8
        assert time.monotonic() == 2.0
        assert proxy.sleep(3600) is None
        assert time.monotonic() == 3604.0
        socket.setdefaulttimeout(60)
        with pytest.raises(TimeoutError):
            proxy.sleep(3600)
        assert time.monotonic() == 3665.0


def test_a_call_that_is_reset_is_tried_once_more(place: Place) -> None:
    """By the client's transport."""

    class Fragile(SimpleXMLRPCRequestHandler):
        def do_POST(self) -> None:
            calls.append(self.path)
            if len(calls) != 2:
                reset(self.connection)
            else:
                super().do_POST()

    calls: list[str] = []
    with calculator(place, Fragile) as url, xmlrpc.client.ServerProxy(url) as proxy:
        assert proxy.pow(2, 5) == 32
        with pytest.raises((ConnectionResetError, http.client.RemoteDisconnected)):
            proxy.pow(2, 5)
    assert len(calls) == 4
