"""h11 and h2, which know no sockets, driven over TCP as their documentation shows."""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import h2.config
import h2.connection
import h2.events
import h2.exceptions
import h11
import pytest

from tests.libraries.ways import Place, Simulated, reset

LONG = bytes(range(256)) * 1000


@contextmanager
def serving(place: Place, function: Callable[[socket.socket], None], clients: int) -> Iterator[int]:
    """A server that treats so many clients, one after the other; its port."""

    def serve() -> None:
        with listener:
            for _ in range(clients):
                sock, _ = listener.accept()
                with sock:
                    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                    function(sock)

    with place.server:
        listener = socket.create_server((place.bind, 0))
    thread = place.serve(serve)
    yield listener.getsockname()[1]
    thread.join()


# h11


def next_event(conn: h11.Connection, sock: socket.socket) -> Any:
    """What the other side does next."""
    while (event := conn.next_event()) is h11.NEED_DATA:
        conn.receive_data(sock.recv(2048))
    return event


def body(conn: h11.Connection, sock: socket.socket) -> bytes:
    """The data up to the end of a message."""
    parts = []
    while not isinstance(event := next_event(conn, sock), h11.EndOfMessage):
        parts.append(bytes(event.data))
    return b"".join(parts)


def h11_server(sock: socket.socket) -> None:
    """Gives back what comes, until the client has had enough."""
    conn = h11.Connection(h11.SERVER)
    while True:
        request = next_event(conn, sock)
        if isinstance(request, h11.ConnectionClosed):
            return
        data = body(conn, sock)
        if request.target == b"/slow":
            time.sleep(3600)
        headers = [("Content-Length", str(len(data)))]
        sock.sendall(conn.send(h11.Response(status_code=200, headers=headers)))
        if request.target == b"/half":
            sock.sendall(conn.send(h11.Data(data=data[: len(data) // 2])))
            reset(sock)
            return
        sock.sendall(conn.send(h11.Data(data=data)))
        sock.sendall(conn.send(h11.EndOfMessage()))
        conn.start_next_cycle()


class H11Client:
    """A client of it."""

    def __init__(self, place: Place, port: int, timeout: float = 10) -> None:
        self.conn = h11.Connection(h11.CLIENT)
        self.sock = socket.create_connection((place.address, port), timeout)

    def ask(self, target: str, data: bytes) -> bytes:
        headers = [("Host", "server"), ("Content-Length", str(len(data)))]
        request = h11.Request(method="POST", target=target, headers=headers)
        self.sock.sendall(self.conn.send(request))
        self.sock.sendall(self.conn.send(h11.Data(data=data)))
        self.sock.sendall(self.conn.send(h11.EndOfMessage()))
        assert next_event(self.conn, self.sock).status_code == 200
        answer = body(self.conn, self.sock)
        self.conn.start_next_cycle()
        return answer


def test_h11_messages_follow_each_other(place: Place) -> None:
    """On one connection, which the client closes."""
    with serving(place, h11_server, 1) as port:
        client = H11Client(place, port)
        with client.sock:
            assert client.ask("/", b"hello") == b"hello"
            assert client.ask("/", LONG) == LONG


def test_h11_breaks_off(place: Place) -> None:
    """Half of a body, and a reset."""
    with serving(place, h11_server, 1) as port:
        client = H11Client(place, port)
        with client.sock, pytest.raises(ConnectionResetError):
            client.ask("/half", LONG)


def test_h11_times_out_over_a_slow_link(simulated: Simulated) -> None:
    """The socket's timeout, exactly."""
    simulated.slow(latency=0.25)
    with serving(simulated, h11_server, 1) as port:
        client = H11Client(simulated, port, timeout=100)
        with client.sock:
            assert time.monotonic() == 0.5
            begun = time.monotonic()
            with pytest.raises(TimeoutError):
                client.ask("/slow", b"hello")
            assert time.monotonic() == begun + 100


# h2


def h2_server(sock: socket.socket) -> None:
    """Gives back the body of each request; several may be under way."""
    conn = h2.connection.H2Connection(h2.config.H2Configuration(client_side=False))
    conn.initiate_connection()
    sock.sendall(conn.data_to_send())
    bodies: dict[int, bytes] = {}
    paths: dict[int, bytes] = {}
    unsent: dict[int, bytes] = {}
    while data := sock.recv(65_536):
        for event in conn.receive_data(data):
            if isinstance(event, h2.events.RequestReceived):
                bodies[event.stream_id] = b""
                paths[event.stream_id] = dict(event.headers)[b":path"]
            elif isinstance(event, h2.events.DataReceived):
                bodies[event.stream_id] += event.data
                conn.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
            elif isinstance(event, h2.events.StreamEnded):
                conn.send_headers(event.stream_id, [(":status", "200")])
                unsent[event.stream_id] = bodies.pop(event.stream_id)
                if paths[event.stream_id] == b"/reset":
                    reset(sock)
                    return
                if paths[event.stream_id] == b"/slow":
                    time.sleep(3600)
        send_what_fits(conn, unsent)
        sock.sendall(conn.data_to_send())


def send_what_fits(conn: h2.connection.H2Connection, unsent: dict[int, bytes]) -> None:
    """Data of streams, as far as the other side's windows allow."""
    for stream, data in list(unsent.items()):
        while data:
            size = min(conn.local_flow_control_window(stream), conn.max_outbound_frame_size)
            if not size:
                break
            conn.send_data(stream, data[:size])
            data = data[size:]
        unsent[stream] = data
        if not data:
            conn.end_stream(stream)
            del unsent[stream]


def headers_for(path: str) -> list[tuple[str, str]]:
    """Of a request."""
    return [(":method", "POST"), (":path", path), (":authority", "server"), (":scheme", "http")]


def h2_ask(sock: socket.socket, requests: dict[str, bytes]) -> dict[str, bytes]:
    """Requests at the same time on one connection, and what they are answered with."""
    conn = h2.connection.H2Connection()
    conn.initiate_connection()
    unsent: dict[int, bytes] = {}
    paths: dict[int, str] = {}
    answers = dict.fromkeys(requests, b"")
    for path, data in requests.items():
        stream = conn.get_next_available_stream_id()
        conn.send_headers(stream, headers_for(path))
        unsent[stream], paths[stream] = data, path
    open_streams = set(paths)
    while open_streams:
        send_what_fits(conn, unsent)
        sock.sendall(conn.data_to_send())
        data = sock.recv(65_536)
        assert data
        for event in conn.receive_data(data):
            if isinstance(event, h2.events.DataReceived):
                answers[paths[event.stream_id]] += event.data
                conn.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
            elif isinstance(event, h2.events.StreamEnded):
                open_streams.remove(event.stream_id)
    return answers


def test_h2_streams_share_a_connection(place: Place) -> None:
    """Bodies beyond the windows of the protocol, both ways."""
    requests = {"/a": LONG, "/b": b"hello", "/c": LONG[::-1]}
    with serving(place, h2_server, 1) as port:
        with socket.create_connection((place.address, port), 10) as sock:
            assert h2_ask(sock, requests) == requests


def test_h2_is_reset(place: Place) -> None:
    """When it has read the request."""
    with serving(place, h2_server, 1) as port:
        with socket.create_connection((place.address, port), 10) as sock:
            with pytest.raises(ConnectionResetError):
                h2_ask(sock, {"/reset": b"hello"})


def test_h2_times_out_over_a_slow_link(simulated: Simulated) -> None:
    """A round trip to connect and one for the request; the answer does not come in time."""
    simulated.slow(latency=0.25)
    with serving(simulated, h2_server, 2) as port:
        with socket.create_connection(("server", port), 10) as sock:
            h2_ask(sock, {"/": b"hello"})
            assert time.monotonic() == 1.0
        with socket.create_connection(("server", port), 10) as sock:
            begun = time.monotonic()
            with pytest.raises(TimeoutError):
                h2_ask(sock, {"/slow": b"hello"})
            # Ten seconds after the server's settings, which came in a round trip.
            assert time.monotonic() == begun + 0.5 + 10


async def h2_ask_once(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bytes:
    """The same over streams of asyncio, for one request."""
    conn = h2.connection.H2Connection()
    conn.initiate_connection()
    conn.send_headers(1, headers_for("/"))
    conn.send_data(1, b"hello", end_stream=True)
    answer = b""
    while True:
        writer.write(conn.data_to_send())
        for event in conn.receive_data(await reader.read(65_536)):
            if isinstance(event, h2.events.DataReceived):
                answer += event.data
            elif isinstance(event, h2.events.StreamEnded):
                return answer


def test_h2_over_streams_of_asyncio(place: Place) -> None:
    """The client's loop, and a blocking server."""

    async def main(port: int) -> None:
        reader, writer = await asyncio.open_connection(place.address, port)
        assert await asyncio.wait_for(h2_ask_once(reader, writer), 10) == b"hello"
        writer.close()
        await writer.wait_closed()

    with serving(place, h2_server, 1) as port:
        asyncio.run(main(port))
