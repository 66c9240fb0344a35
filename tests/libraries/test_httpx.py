"""httpx, blocking and asyncio, with uvicorn, in a thread and in a loop of its own."""

from __future__ import annotations

import asyncio
import socket
import struct
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any

import httpx
import pytest
import uvicorn

from simnet.errors import Unsupported
from tests.libraries.ways import Place, Simulated


class App:
    """An application of the ASGI kind; it says of itself whether it has begun and ended."""

    def __init__(self) -> None:
        self.life: list[str] = []

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "lifespan":
            while "lifespan.shutdown" not in self.life:
                message = await receive()
                self.life.append(message["type"])
                await send({"type": f"{message['type']}.complete"})
            return
        page = getattr(self, f"page_{scope['path'].strip('/')}", self.page_hello)
        await page(scope, receive, send)

    async def page_hello(self, scope: Any, receive: Any, send: Any) -> None:
        await answer(send, b"hello from " + scope["path"].encode())

    async def page_echo(self, scope: Any, receive: Any, send: Any) -> None:
        body, more = b"", True
        while more:
            message = await receive()
            body += message.get("body", b"")
            more = message.get("more_body", False)
        await answer(send, body)

    async def page_pause(self, scope: Any, receive: Any, send: Any) -> None:
        await asyncio.sleep(10)
        await answer(send, b"late")

    async def page_chunks(self, scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        for chunk in (b"one", b"two", b"three"):
            await send({"type": "http.response.body", "body": chunk, "more_body": True})
            await asyncio.sleep(10)
        await send({"type": "http.response.body"})

    async def page_cut(self, scope: Any, receive: Any, send: Any) -> None:
        headers = [(b"content-length", b"2000")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": b"x" * 1000, "more_body": True})
        raise RuntimeError("half way")


async def answer(send: Any, body: bytes) -> None:
    """A whole answer."""
    headers = [(b"content-length", b"%d" % len(body))]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body})


def make_server(place: Place, app: Any, **options: Any) -> tuple[uvicorn.Server, socket.socket]:
    """A server and its socket; connections that are accepted are reset when they are closed."""
    with place.server:
        # asyncio switches Nagle's algorithm off for sockets that say that they are of TCP.
        sock = socket.socket(proto=socket.IPPROTO_TCP)
        sock.bind((place.bind, 0))
        sock.listen()
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    config = uvicorn.Config(app, log_config=None, ws="none", **options)
    return uvicorn.Server(config), sock


def url_of(place: Place, sock: socket.socket) -> str:
    """Where a client finds it."""
    return f"http://{place.address}:{sock.getsockname()[1]}"


@contextmanager
def serving(place: Place, app: Any = None, **options: Any) -> Iterator[str]:
    """uvicorn in a thread of the server; its URL."""
    server, sock = make_server(place, app or App(), **options)
    url = url_of(place, sock)
    thread = place.serve(server.run, [sock])
    try:
        yield url
    finally:
        server.should_exit = True
        thread.join()


# Blocking


def test_a_client_keeps_its_connection(place: Place) -> None:
    """The application lives as long as the server."""
    app = App()
    with serving(place, app) as url, httpx.Client(base_url=url) as client:
        assert client.get("/a").text == "hello from /a"
        response = client.post("/echo", content=b"x" * 300_000)
        assert len(response.content) == 300_000
        assert response.http_version == "HTTP/1.1"
        assert response.headers["server"] == "uvicorn"
        assert app.life == ["lifespan.startup"]
    assert app.life == ["lifespan.startup", "lifespan.shutdown"]


def test_nobody_listens(place: Place) -> None:
    """Any more."""
    with serving(place) as url:
        pass
    with pytest.raises(httpx.ConnectError, match="Connection refused"):
        httpx.get(url)


def test_a_reset_half_way(place: Place) -> None:
    """What came before it is read."""
    with serving(place) as url, httpx.stream("GET", f"{url}/cut") as response:
        content = response.iter_raw(1000)
        assert next(content) == b"x" * 1000
        with pytest.raises(httpx.ReadError, match="reset"):
            next(content)


def test_a_slow_link(simulated: Simulated) -> None:
    """One round trip to connect and one to ask; then only one; pieces when they are sent."""
    simulated.slow(latency=0.25)
    with serving(simulated) as url, httpx.Client(base_url=url) as client:
        assert client.get("/a").elapsed.total_seconds() == 1.0
        assert client.get("/b").elapsed.total_seconds() == 0.5
        assert client.get("/pause", timeout=11).elapsed.total_seconds() == 10.5
        with client.stream("GET", "/chunks", timeout=11) as response:
            seen = [(chunk, round(time.monotonic(), 2)) for chunk in response.iter_raw()]
    assert seen == [(b"one", 12.5), (b"two", 22.5), (b"three", 32.5)]


def test_timeouts_of_a_client(simulated: Simulated) -> None:
    """To connect, to read, to write, to get a connection out of the pool."""
    simulated.world.unknown = "silence"
    timeout = httpx.Timeout(None, connect=3, read=5, write=7, pool=11)
    limits = httpx.Limits(max_connections=1)
    with serving(simulated) as url, httpx.Client(timeout=timeout, limits=limits) as client:
        with pytest.raises(httpx.ConnectTimeout):
            client.get("http://192.0.2.1/")
        assert time.monotonic() == 3.0
        with pytest.raises(httpx.ReadTimeout):
            client.get(f"{url}/pause")
        assert time.monotonic() == 8.0
        with client.stream("GET", f"{url}/chunks"):
            begun = time.monotonic()
            with pytest.raises(httpx.PoolTimeout):
                client.get(f"{url}/a")
            assert time.monotonic() - begun == 11.0
        assert client.get(f"{url}/a").text == "hello from /a"
        with simulated.world.partition("client"):
            begun = time.monotonic()
            with pytest.raises(httpx.WriteTimeout):
                client.post(f"{url}/echo", content=b"x" * 50_000_000)
            assert time.monotonic() - begun == pytest.approx(7, abs=0.01)


def test_a_server_closes_what_rests(simulated: Simulated) -> None:
    """After its own timeout; the client makes a new connection."""

    def connections() -> list[str]:
        sockets = simulated.world.netstat("server")
        return [each.remote for each in sockets if each.protocol == "tcp" and each.state == "ESTAB"]

    with serving(simulated, timeout_keep_alive=60) as url:
        limits = httpx.Limits(keepalive_expiry=None)
        with httpx.Client(base_url=url, limits=limits) as client:
            client.get("/a")
            first = connections()
            time.sleep(59)
            client.get("/b")
            assert connections() == first
            time.sleep(61)
            assert connections() == []
            assert client.get("/c").text == "hello from /c"
            assert connections() != first


# asyncio


def test_requests_at_the_same_time(place: Place) -> None:
    """Of one loop of the client, over several connections."""

    async def main(url: str) -> list[str]:
        async with httpx.AsyncClient(base_url=url) as client:
            answers = await asyncio.gather(*(client.get(f"/{n}") for n in range(10)))
            assert (await client.post("/echo", content=b"x" * 300_000)).content == b"x" * 300_000
            return [each.text for each in answers]

    with serving(place) as url:
        assert asyncio.run(main(url)) == [f"hello from /{n}" for n in range(10)]


@asynccontextmanager
async def serving_here(place: Place, app: Any) -> AsyncIterator[str]:
    """uvicorn in the loop that runs."""
    server, sock = make_server(place, app)
    url = url_of(place, sock)
    task = asyncio.create_task(server.serve([sock]))
    try:
        yield url
    finally:
        server.should_exit = True
        await task


def test_both_in_one_loop(place: Place) -> None:
    """On one machine: the server's signal handlers are there for as long as it serves."""

    async def main() -> str:
        async with serving_here(place, App()) as url:
            async with httpx.AsyncClient(base_url=url.replace("server", "localhost")) as client:
                return (await client.get("/a")).text

    with place.server:
        assert asyncio.run(main()) == "hello from /a"


def test_a_loop_of_its_own_on_each_host(simulated: Simulated) -> None:
    """Both run at the same time, over a slow link; the server stops at an instant."""
    simulated.slow(latency=0.25)
    server, sock = make_server(simulated, App())
    url = url_of(simulated, sock)

    async def serve() -> float:
        asyncio.get_running_loop().call_later(60, setattr, server, "should_exit", True)
        await server.serve([sock])
        return time.monotonic()

    async def ask() -> float:
        async with httpx.AsyncClient(base_url=url, timeout=20) as client:
            answers = await asyncio.gather(*(client.get("/pause") for _ in range(20)))
            assert {each.text for each in answers} == {"late"}
            return time.monotonic()

    serving = simulated.spawn(asyncio.run, serve())
    assert asyncio.run(ask()) == 11.0
    serving.join()
    # uvicorn looks every tenth of a second whether it is to stop, and waits for its connections.
    assert 60 <= serving.result() < 60.3


def test_timeouts_and_a_reset_in_a_loop(simulated: Simulated) -> None:
    """The loop's poller counts in milliseconds, and rounds up."""
    simulated.world.unknown = "silence"

    async def main(url: str) -> None:
        timeout = httpx.Timeout(None, connect=3, read=5)
        async with httpx.AsyncClient(timeout=timeout) as client:
            with pytest.raises(httpx.ConnectTimeout):
                await client.get("http://192.0.2.1/")
            assert time.monotonic() == pytest.approx(3, abs=0.002)
            with pytest.raises(httpx.ReadTimeout):
                await client.get(f"{url}/pause")
            assert time.monotonic() == pytest.approx(8, abs=0.004)
            async with client.stream("GET", f"{url}/cut") as response:
                with pytest.raises(httpx.ReadError):
                    await response.aread()
            with pytest.raises(asyncio.TimeoutError):
                await asyncio.wait_for(client.get(f"{url}/pause"), 2)

    with serving(simulated) as url:
        asyncio.run(main(url))


def test_a_server_that_crashes_and_returns(simulated: Simulated) -> None:
    """An upload is reset half way, but the client goes on to read what it may have been told."""
    server, sock = make_server(simulated, App())
    url = url_of(simulated, sock)
    simulated.spawn(server.run, [sock])

    def body() -> Iterator[bytes]:
        yield b"x" * 1000
        simulated.world.crash("server")
        simulated.world.restart("server")
        for _ in range(100):
            yield b"x" * 1000
            time.sleep(0.1)

    with httpx.Client() as client:
        assert client.get(f"{url}/a").is_success
        with pytest.raises(httpx.RemoteProtocolError, match="disconnected"):
            client.post(f"{url}/echo", content=body())
        with pytest.raises(httpx.ConnectError, match="refused"):
            client.get(f"{url}/a")


def test_uvloop_is_not_looked_for(simulated: Simulated) -> None:
    """ "auto" takes asyncio's own loop; who insists is told why not."""
    config = uvicorn.Config(App(), loop="uvloop", log_config=None)
    with pytest.raises((ImportError, Unsupported), match="libuv"):
        config.get_loop_factory()
    assert "uvloop" not in str(uvicorn.Config(App(), log_config=None).get_loop_factory())
