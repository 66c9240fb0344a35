"""tornado: web servers and clients, streams, WebSockets, on its own loop over asyncio's."""

from __future__ import annotations

import asyncio
import socket
import struct
import time
from collections.abc import Awaitable, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import pytest
import tornado.gen
import tornado.http1connection
import tornado.httpclient
import tornado.httpserver
import tornado.ioloop
import tornado.iostream
import tornado.netutil
import tornado.simple_httpclient
import tornado.tcpclient
import tornado.tcpserver
import tornado.web
import tornado.websocket

from tests.libraries.ways import Place, Simulated


class Hello(tornado.web.RequestHandler):
    """Says where it was asked, or what it was told."""

    def get(self, path: str) -> None:
        self.write(f"hello from /{path}")

    def post(self, path: str) -> None:
        self.write(self.request.body)


class Pause(tornado.web.RequestHandler):
    """Answers after ten seconds."""

    async def get(self) -> None:
        await tornado.gen.sleep(10)
        self.write("late")


class Chunks(tornado.web.RequestHandler):
    """A chunk every ten seconds."""

    async def get(self) -> None:
        for chunk in ("one", "two", "three"):
            self.write(chunk)
            await self.flush()
            await asyncio.sleep(10)


class Cut(tornado.web.RequestHandler):
    """Half of what was promised, and a reset as soon as the client has it."""

    async def get(self) -> None:
        self.set_header("Content-Length", "2000")
        self.write("x" * 1000)
        await self.flush()
        stream = self.request.connection.stream  # type: ignore[union-attr]
        linger = struct.pack("ii", 1, 0)
        stream.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        stream.close()


class Talk(tornado.websocket.WebSocketHandler):
    """Says everything twice."""

    async def on_message(self, message: str | bytes) -> None:
        await self.write_message(message * 2, binary=isinstance(message, bytes))


def make_app() -> tornado.web.Application:
    """All of them."""
    handlers: list[Any] = [("/pause", Pause), ("/chunks", Chunks), ("/cut", Cut), ("/talk", Talk)]
    return tornado.web.Application([*handlers, ("/(.*)", Hello)], log_function=lambda handler: None)


@contextmanager
def serving(
    place: Place, make: Callable[[], tornado.tcpserver.TCPServer] | None = None
) -> Iterator[int]:
    """A server in a loop of a thread of its host; its port."""

    async def serve() -> None:
        nonlocal stop
        server = make() if make is not None else tornado.httpserver.HTTPServer(make_app())
        (sock,) = tornado.netutil.bind_sockets(0, place.ip)
        server.add_sockets([sock])
        stop = asyncio.get_running_loop().create_future()
        ports.append(sock.getsockname()[1])
        await stop
        server.stop()
        if isinstance(server, tornado.httpserver.HTTPServer):
            await server.close_all_connections()

    stop: asyncio.Future[None]
    ports: list[int] = []
    thread = place.serve(asyncio.run, serve())
    while not ports:
        time.sleep(0.01)
    try:
        yield ports[0]
    finally:
        stop.get_loop().call_soon_threadsafe(stop.set_result, None)
        thread.join()


def test_a_client_that_blocks(place: Place) -> None:
    """It has a loop of its own inside."""
    with serving(place) as port:
        client = tornado.httpclient.HTTPClient()
        url = f"http://{place.ip}:{port}"
        assert client.fetch(f"{url}/a").body == b"hello from /a"
        assert client.fetch(f"{url}/", method="POST", body=b"x" * 300_000).body == b"x" * 300_000
        with pytest.raises(tornado.httpclient.HTTPClientError, match="405"):
            client.fetch(f"{url}/a", method="DELETE")
        client.close()


def test_a_client_in_a_loop(place: Place) -> None:
    """Several requests at the same time; then nobody listens any more."""

    async def main(port: int) -> None:
        client = tornado.httpclient.AsyncHTTPClient()
        urls = [f"http://{place.ip}:{port}/{n}" for n in range(10)]
        answers = await asyncio.gather(*map(client.fetch, urls))
        assert [each.body for each in answers] == [b"hello from /%d" % n for n in range(10)]

    async def refused(port: int) -> None:
        with pytest.raises(ConnectionRefusedError):
            await tornado.httpclient.AsyncHTTPClient().fetch(f"http://{place.ip}:{port}/")

    with serving(place) as port:
        asyncio.run(main(port))
    asyncio.run(refused(port))


def test_messages_both_ways(place: Place) -> None:
    """A WebSocket, closed by the client."""

    async def main(port: int) -> None:
        url = f"ws://{place.ip}:{port}/talk"
        connection = await tornado.websocket.websocket_connect(url)
        for message in ("a", "b" * 100_000, b"\0\1"):
            await connection.write_message(message, binary=isinstance(message, bytes))
            assert await connection.read_message() == message * 2
        connection.close(4000, "as you like")
        assert await connection.read_message() is None

    with serving(place) as port:
        asyncio.run(main(port))


def test_a_reset_half_way(simulated: Simulated) -> None:
    """The client of tornado 6.6 fails over it itself, on the kernel too, and times out."""

    async def main(port: int) -> None:
        chunks: list[bytes] = []
        failures = (
            tornado.simple_httpclient.HTTPTimeoutError,
            tornado.http1connection._QuietException,
        )
        with pytest.raises(failures):
            await tornado.httpclient.AsyncHTTPClient().fetch(
                f"http://server:{port}/cut", streaming_callback=chunks.append, request_timeout=20
            )
        assert b"".join(chunks) == b"x" * 1000

    with serving(simulated) as port:
        asyncio.run(main(port))
    assert time.monotonic() <= 20.1


class Shout(tornado.tcpserver.TCPServer):
    """Lines, in capitals."""

    async def handle_stream(self, stream: tornado.iostream.IOStream, address: Any) -> None:
        try:
            while True:
                await stream.write((await stream.read_until(b"\n")).upper())
        except tornado.iostream.StreamClosedError as closed:
            self.errors.append(closed.real_error)

    errors: list[BaseException | None]


def test_streams_without_a_protocol(place: Place) -> None:
    """A server of lines, and a client that resets the connection."""
    servers: list[Shout] = []

    def make() -> Shout:
        servers.append(Shout())
        servers[0].errors = []
        return servers[0]

    async def main(port: int) -> None:
        stream = await tornado.tcpclient.TCPClient().connect(place.ip, port)
        for line in (b"one\n", b"two\n"):
            await stream.write(line)
            assert await stream.read_until(b"\n") == line.upper()
        linger = struct.pack("ii", 1, 0)
        stream.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        stream.close()
        while not servers[0].errors:
            await asyncio.sleep(0.01)

    with serving(place, make) as port:
        asyncio.run(main(port))
    assert isinstance(servers[0].errors[0], ConnectionResetError)


def in_a_loop(place: Simulated, client: Callable[[str], Awaitable[None]]) -> None:
    """A server, and a client in a loop of its own."""
    with serving(place) as port:
        asyncio.run(client(f"http://server:{port}"))  # type: ignore[arg-type]


def test_a_slow_link(simulated: Simulated) -> None:
    """Round trips to connect and to ask; the library's own figures are the host's."""

    async def main(url: str) -> None:
        begun = time.monotonic()
        client = tornado.httpclient.AsyncHTTPClient()
        response = await client.fetch(f"{url}/a")
        assert response.request_time == pytest.approx(1, abs=0.001)
        response = await client.fetch(f"{url}/pause")
        assert response.request_time == pytest.approx(11, abs=0.001)
        seen: list[tuple[bytes, int]] = []
        await client.fetch(
            f"{url}/chunks",
            request_timeout=60,
            streaming_callback=lambda chunk: seen.append((chunk, round(time.monotonic() - begun))),
        )
        assert seen == [(b"one", 13), (b"two", 23), (b"three", 33)]

    simulated.slow(latency=0.25)
    in_a_loop(simulated, main)


def test_timeouts(simulated: Simulated) -> None:
    """To connect, of the whole, and of anything that is waited for."""
    simulated.world.unknown = "silence"

    async def main(url: str) -> None:
        client = tornado.httpclient.AsyncHTTPClient()
        begun = time.monotonic()
        with pytest.raises(tornado.simple_httpclient.HTTPTimeoutError, match="while connecting"):
            await client.fetch("http://192.0.2.1/", connect_timeout=3)
        assert time.monotonic() - begun == pytest.approx(3, abs=0.002)
        with pytest.raises(tornado.simple_httpclient.HTTPTimeoutError, match="during request"):
            await client.fetch(f"{url}/pause", request_timeout=5)
        assert time.monotonic() - begun == pytest.approx(8, abs=0.004)
        late = client.fetch(f"{url}/pause")
        with pytest.raises(tornado.gen.TimeoutError):
            await tornado.gen.with_timeout(timedelta(seconds=4), late)
        assert time.monotonic() - begun == pytest.approx(12, abs=0.006)
        assert (await late).body == b"late"
        # tornado 6.5 keeps what it has given up to connect, until that fails of itself.
        await asyncio.sleep(200)

    in_a_loop(simulated, main)


def test_a_server_that_crashes(simulated: Simulated) -> None:
    """A ping after 20 s, 20 s for its answer; 5 s for a closing handshake."""

    async def serve() -> None:
        app = make_app()
        app.listen(80)
        await asyncio.Event().wait()

    async def main() -> None:
        connection = await tornado.websocket.websocket_connect(
            "ws://server/talk", ping_interval=20, ping_timeout=20
        )
        await connection.write_message("a")
        assert await connection.read_message() == "aa"
        simulated.world.crash("server")
        begun = time.monotonic()
        assert await connection.read_message() is None
        assert time.monotonic() - begun == pytest.approx(45, abs=1)
        connection.close()

    simulated.spawn(asyncio.run, serve())
    time.sleep(1)
    asyncio.run(main())


def test_its_own_loop_in_each_thread(simulated: Simulated) -> None:
    """IOLoop.current() in two threads of the client: callbacks, and calls from outside."""

    def body(seconds: float) -> None:
        async def main() -> None:
            loop = tornado.ioloop.IOLoop.current()
            ticks: list[float] = []
            ticker = tornado.ioloop.PeriodicCallback(lambda: ticks.append(loop.time()), 1000)
            ticker.start()
            await tornado.gen.sleep(seconds)
            ticker.stop()
            seen[seconds] = len(ticks)
            with ThreadPoolExecutor(1) as pool:
                assert await loop.run_in_executor(pool, str, "from a thread") == "from a thread"

        loop = tornado.ioloop.IOLoop(make_current=False)
        loop.run_sync(main)
        loop.close(all_fds=True)

    seen: dict[float, int] = {}
    threads = [simulated.client.spawn(body, seconds) for seconds in (3.5, 5.5)]
    for thread in threads:
        thread.result()
    assert seen == {3.5: 3, 5.5: 5}
