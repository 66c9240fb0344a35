"""aiohttp, client and server, each in a loop of its own, or both in one."""

from __future__ import annotations

import asyncio
import signal
import time
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from tests.libraries.ways import Place, Simulated

PORT = 8080


async def hello(request: web.Request) -> web.Response:
    return web.Response(text=f"hello from {request.path}")


async def echo(request: web.Request) -> web.Response:
    return web.Response(body=await request.read())


async def pause(request: web.Request) -> web.Response:
    await asyncio.sleep(10)
    return web.Response(text="late")


async def chunks(request: web.Request) -> web.StreamResponse:
    response = web.StreamResponse()
    await response.prepare(request)
    for chunk in (b"one", b"two", b"three"):
        await response.write(chunk)
        await asyncio.sleep(10)
    return response


async def cut(request: web.Request) -> web.StreamResponse:
    """Half of what was promised, and a reset as soon as the client has it."""
    response = web.StreamResponse(headers={"Content-Length": "2000"})
    await response.prepare(request)
    await response.write(b"x" * 1000)
    await asyncio.sleep(1)
    assert request.transport is not None
    request.transport.abort()
    return response


async def talk(request: web.Request) -> web.WebSocketResponse:
    """Says everything twice, until it is told to stop."""
    socket = web.WebSocketResponse(heartbeat=30)
    await socket.prepare(request)
    async for message in socket:
        if message.data == "stop":
            await socket.close(code=4000, message=b"as you like")
        else:
            await socket.send_str(message.data * 2)
    return socket


def make_app() -> web.Application:
    """All of them."""
    app = web.Application(client_max_size=10_000_000)
    app.add_routes([web.get(f"/{page.__name__}", page) for page in (pause, chunks, cut, talk)])
    app.add_routes([web.post("/echo", echo), web.get("/{name}", hello)])
    return app


@asynccontextmanager
async def serving_here(host: str) -> AsyncIterator[int]:
    """A server in the loop that runs; its port."""
    runner = web.AppRunner(make_app(), shutdown_timeout=1)
    await runner.setup()
    try:
        site = web.TCPSite(runner, host, 0)
        await site.start()
        yield runner.addresses[0][1]
    finally:
        await runner.cleanup()


async def serve(seconds: float = 3600) -> None:
    """A server for an hour."""
    runner = web.AppRunner(make_app(), shutdown_timeout=1)
    await runner.setup()
    await web.TCPSite(runner, "", PORT).start()
    await asyncio.sleep(seconds)
    await runner.cleanup()


def with_server(place: Simulated, client: Coroutine[Any, Any, None], seconds: float) -> None:
    """The server in its own loop, for so long, and a client in another."""
    task = place.spawn(asyncio.run, serve(seconds=seconds))
    time.sleep(0.5)
    asyncio.run(client)
    task.result()


def test_requests_in_one_loop(place: Place) -> None:
    """Several at the same time; connections are kept; bodies both ways."""

    async def main() -> None:
        async with serving_here("127.0.0.1") as port:
            async with aiohttp.ClientSession(f"http://127.0.0.1:{port}") as session:

                async def get(path: str) -> str:
                    async with session.get(path) as response:
                        assert response.status == 200
                        return await response.text()

                paths = [f"/{n}" for n in range(10)]
                answers = await asyncio.gather(*map(get, paths))
                assert answers == [f"hello from {path}" for path in paths]
                async with session.post("/echo", data=b"x" * 300_000) as response:
                    assert await response.read() == b"x" * 300_000
            with pytest.raises(aiohttp.ClientResponseError, match="404"):
                async with aiohttp.request("GET", f"http://127.0.0.1:{port}/a/b") as response:
                    response.raise_for_status()
        with pytest.raises(aiohttp.ClientConnectorError, match="Connect call failed"):
            async with aiohttp.request("GET", f"http://127.0.0.1:{port}/"):
                pass

    asyncio.run(main())


def test_messages_both_ways(place: Place) -> None:
    """A WebSocket; who closes it says why."""

    async def main() -> None:
        async with serving_here("127.0.0.1") as port, aiohttp.ClientSession() as session:
            async with session.ws_connect(f"ws://127.0.0.1:{port}/talk") as socket:
                for text in ("a", "b" * 100_000):
                    await socket.send_str(text)
                    assert await socket.receive_str() == text * 2
                await socket.send_str("stop")
                message = await socket.receive()
                assert (message.type, message.data) == (aiohttp.WSMsgType.CLOSE, 4000)
                assert message.extra == "as you like"

    asyncio.run(main())


def test_a_slow_link(simulated: Simulated) -> None:
    """A round trip to connect, one to ask; then one; pieces when they are sent."""

    async def client() -> None:
        async with aiohttp.ClientSession(f"http://server:{PORT}") as session:
            seen = []
            for path in ("/a", "/b"):
                begun = time.monotonic()
                async with session.get(path) as response:
                    assert await response.text() == f"hello from {path}"
                seen.append(round(time.monotonic() - begun, 3))
            assert seen == [1.0, 0.5]
            async with session.get("/chunks") as response:
                begun = time.monotonic()
                async for chunk in response.content.iter_any():
                    seen.append((chunk, round(time.monotonic() - begun)))
            assert seen[2:] == [(b"one", 0), (b"two", 10), (b"three", 20)]

    simulated.slow(latency=0.25)
    with_server(simulated, client(), seconds=60)


def test_timeouts_of_a_client(simulated: Simulated) -> None:
    """To connect, between two pieces, of the whole; a loop counts in milliseconds, and rounds up.

    aiohttp itself rounds timeouts above five seconds up, to whole seconds of the loop's clock.
    """

    async def expect(seconds: float, error: type[Exception], path: str, **timeout: float) -> None:
        begun = time.monotonic()
        with pytest.raises(error):
            async with session.get(path, timeout=aiohttp.ClientTimeout(**timeout)) as response:
                await response.read()
        assert time.monotonic() - begun == pytest.approx(seconds, abs=0.002)

    async def client() -> None:
        nonlocal session
        async with aiohttp.ClientSession() as session:
            url = f"http://server:{PORT}"
            unknown = "http://192.0.2.1/"
            await expect(3, aiohttp.ConnectionTimeoutError, unknown, sock_connect=3)
            await expect(3, aiohttp.ConnectionTimeoutError, unknown, connect=3)
            await expect(4, asyncio.TimeoutError, f"{url}/pause", total=4)
            await expect(4, aiohttp.SocketTimeoutError, f"{url}/pause", sock_read=4)
            await expect(4.5, asyncio.TimeoutError, f"{url}/chunks", total=4.5)
            async with session.get(f"{url}/chunks", timeout=aiohttp.ClientTimeout(60)) as response:
                assert await response.read() == b"onetwothree"

    session: Any = None
    simulated.world.unknown = "silence"
    with_server(simulated, client(), seconds=90)


def test_a_reset_half_way(simulated: Simulated) -> None:
    """What came before is read; the library has its own word for the rest."""

    async def client() -> None:
        async with aiohttp.ClientSession(f"http://server:{PORT}") as session:
            async with session.get("/cut") as response:
                assert await response.content.readexactly(1000) == b"x" * 1000
                with pytest.raises(aiohttp.ClientPayloadError):
                    await response.content.read()
            socket = await session.ws_connect("/talk", heartbeat=20)
            await socket.send_str("a")
            assert await socket.receive_str() == "aa"
            with simulated.world.partition("client"):
                begun = time.monotonic()
                message = await socket.receive()
                assert message.type == aiohttp.WSMsgType.ERROR
                # A ping after 20 s, and no pong in half the time of that.
                assert time.monotonic() - begun == pytest.approx(30, abs=1)

    with_server(simulated, client(), seconds=120)


def test_a_server_that_crashes_and_returns(simulated: Simulated) -> None:
    """A kept connection is found to be of no use; an idempotent request is sent once more."""

    async def client() -> None:
        async with aiohttp.ClientSession(f"http://server:{PORT}") as session:

            async def get() -> str:
                async with session.get("/a", timeout=aiohttp.ClientTimeout(4)) as response:
                    return await response.text()

            await get()
            simulated.world.crash("server")
            with pytest.raises(asyncio.TimeoutError):
                await get()
            simulated.world.restart("server")
            with pytest.raises(aiohttp.ClientConnectorError):
                await get()
            again = simulated.spawn(asyncio.run, serve(seconds=60))
            await asyncio.sleep(1)
            assert await get() == "hello from /a"
            simulated.world.crash("server")
            simulated.world.restart("server")
            assert again.done
            simulated.spawn(asyncio.run, serve(seconds=60))
            await asyncio.sleep(1)
            assert await get() == "hello from /a"
        await asyncio.sleep(70)

    simulated.spawn(asyncio.run, serve())
    time.sleep(1)
    asyncio.run(client())


def test_run_app_serves(simulated: Simulated) -> None:
    """With handlers of signals, which a crash of its host takes away."""
    task = simulated.spawn(
        lambda: web.run_app(make_app(), host="0.0.0.0", port=PORT, print=None, access_log=None)
    )
    time.sleep(1)

    async def client() -> str:
        async with aiohttp.request("GET", f"http://server:{PORT}/a") as response:
            return await response.text()

    assert asyncio.run(client()) == "hello from /a"
    assert not task.done
    simulated.world.crash("server")
    assert signal.getsignal(signal.SIGINT) == signal.default_int_handler
