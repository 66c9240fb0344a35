"""websockets: its blocking and its asyncio clients and servers, each with each."""

from __future__ import annotations

import asyncio
import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
import websockets
import websockets.asyncio.client
import websockets.asyncio.server
import websockets.sync.client
import websockets.sync.server

from tests.libraries.ways import Place, Simulated


def answer(connection: websockets.sync.server.ServerConnection) -> None:
    """Everything twice."""
    try:
        for message in connection:
            connection.send(message * 2)
    except websockets.ConnectionClosedError:
        pass


async def answer_in_a_loop(connection: websockets.asyncio.server.ServerConnection) -> None:
    """Likewise."""
    try:
        async for message in connection:
            await connection.send(message * 2)
    except websockets.ConnectionClosedError:
        pass


def stop(place: Place, server: websockets.sync.server.Server, thread: threading.Thread) -> None:
    """End a blocking server; up to version 16 nobody closes the pipe that wakes it."""
    with place.server:
        server.shutdown()
        thread.join()
        for name in ("shutdown_watcher", "shutdown_notifier"):
            if isinstance(getattr(server, name, None), int):
                os.close(getattr(server, name))


@contextmanager
def serving(place: Place) -> Iterator[str]:
    """The blocking server, a thread for each connection; its URL."""
    with place.server:
        server = websockets.sync.server.serve(answer, place.bind, 0)
    thread = place.serve(server.serve_forever)
    try:
        yield f"ws://{place.address}:{server.socket.getsockname()[1]}"
    finally:
        stop(place, server, thread)


@contextmanager
def serving_in_a_loop(place: Place) -> Iterator[str]:
    """The server of asyncio, in a thread of its host; its URL."""

    async def serve() -> None:
        nonlocal stop
        stop = asyncio.get_running_loop().create_future()
        async with websockets.asyncio.server.serve(answer_in_a_loop, place.ip, 0) as server:
            (sock,) = server.sockets
            ports.append(sock.getsockname()[1])
            await stop

    stop: asyncio.Future[None]
    ports: list[int] = []
    thread = place.serve(asyncio.run, serve())
    while not ports:
        time.sleep(0.01)
    try:
        yield f"ws://{place.address}:{ports[0]}"
    finally:
        stop.get_loop().call_soon_threadsafe(stop.set_result, None)
        thread.join()


def talk(url: str) -> None:
    """The blocking client."""
    with websockets.sync.client.connect(url) as connection:
        for message in ("a", "b" * 100_000, b"\0\1"):
            connection.send(message)
            assert connection.recv(timeout=20) == message * 2
        connection.ping().wait(20)


async def talk_in_a_loop(url: str) -> None:
    """The client of asyncio, several times."""

    async def one() -> None:
        async with websockets.asyncio.client.connect(url) as connection:
            for message in ("a", "b" * 100_000, b"\0\1"):
                await connection.send(message)
                assert await connection.recv() == message * 2
            await (await connection.ping())

    await asyncio.gather(*(one() for _ in range(5)))


def test_threads_with_threads(place: Place) -> None:
    """Texts, bytes, pings."""
    with serving(place) as url:
        talk(url)


def test_threads_with_a_loop(place: Place) -> None:
    """The client blocks."""
    with serving_in_a_loop(place) as url:
        talk(url)


def test_a_loop_with_threads(place: Place) -> None:
    """The server blocks."""
    with serving(place) as url:
        asyncio.run(talk_in_a_loop(url))


def test_a_loop_with_a_loop(place: Place) -> None:
    """In another thread; for the simulator, on another host."""
    with serving_in_a_loop(place) as url:
        asyncio.run(talk_in_a_loop(url))


def test_a_slow_link(simulated: Simulated) -> None:
    """Round trips to connect, for the handshake, for each message; one more to close."""
    simulated.slow(latency=0.25)
    with serving(simulated) as url:
        with websockets.sync.client.connect(url) as connection:
            assert time.monotonic() == 1.0
            connection.send("a")
            assert connection.recv() == "aa"
            assert time.monotonic() == 1.5
        assert time.monotonic() == 2.0


def test_a_message_that_does_not_come_in_time(simulated: Simulated) -> None:
    """Exactly for the blocking client; a loop's poller counts in milliseconds."""
    with serving(simulated) as url, websockets.sync.client.connect(url) as connection:
        with pytest.raises(TimeoutError):
            connection.recv(timeout=7)
        assert time.monotonic() == 7.0

    async def main() -> None:
        async with websockets.asyncio.client.connect(url) as connection:
            begun = time.monotonic()
            with pytest.raises(asyncio.TimeoutError):
                await asyncio.wait_for(connection.recv(), 7)
            assert time.monotonic() - begun == pytest.approx(7, abs=0.002)

    with serving_in_a_loop(simulated) as url:
        asyncio.run(main())


def test_the_handshake_times_out(simulated: Simulated) -> None:
    """A host that says nothing at all."""
    simulated.world.unknown = "silence"
    with pytest.raises(TimeoutError):
        websockets.sync.client.connect("ws://192.0.2.1/", open_timeout=3)
    assert time.monotonic() == 3.0

    async def main() -> None:
        with pytest.raises(asyncio.TimeoutError):
            await websockets.asyncio.client.connect("ws://192.0.2.1/", open_timeout=4)

    asyncio.run(main())
    assert time.monotonic() == pytest.approx(7, abs=0.002)


def test_a_partition_is_noticed_by_pings(simulated: Simulated) -> None:
    """Every 20 s, and 20 s for the answer; then up to 10 s for a closing handshake."""

    def blocking(url: str) -> None:
        with websockets.sync.client.connect(url) as connection:
            with simulated.world.partition("client"):
                connection.recv()

    def in_a_loop(url: str) -> None:
        async def main() -> None:
            async with websockets.asyncio.client.connect(url) as connection:
                with simulated.world.partition("client"):
                    await connection.recv()

        asyncio.run(main())

    for server, client in ((serving, blocking), (serving_in_a_loop, in_a_loop)):
        with server(simulated) as url:
            begun = time.monotonic()
            with pytest.raises(websockets.ConnectionClosedError, match="keepalive ping timeout"):
                client(url)
            assert time.monotonic() - begun == pytest.approx(50, abs=1)
            time.sleep(60)


def test_a_reset_half_way(simulated: Simulated) -> None:
    """The server's machine fails and returns, and knows nothing of the connection."""
    with simulated.server:
        server = websockets.sync.server.serve(answer, "", 80)
    simulated.spawn(server.serve_forever)
    with websockets.sync.client.connect("ws://server/") as connection:
        connection.send("a")
        assert connection.recv() == "aa"
        simulated.world.crash("server")
        simulated.world.restart("server")
        connection.send("b")
        with pytest.raises(websockets.ConnectionClosedError, match="no close frame") as caught:
            connection.recv()
        assert isinstance(caught.value.__cause__, ConnectionResetError)


def test_a_client_that_connects_again(simulated: Simulated) -> None:
    """The asyncio client's own loop over connections backs off while nobody listens."""

    async def main() -> list[str]:
        got = []
        async for connection in websockets.asyncio.client.connect("ws://server/"):
            try:
                while len(got) < 2:
                    await connection.send("a")
                    got.append(await connection.recv())
                    simulated.world.crash("server")
                    simulated.world.restart("server")
                    asyncio.get_running_loop().call_later(8, serve)
                break
            except websockets.ConnectionClosed:
                continue
        await connection.close()
        return got

    def serve() -> None:
        async def body() -> None:
            async with websockets.asyncio.server.serve(answer_in_a_loop, "10.0.0.1", 80):
                await asyncio.sleep(60)

        tasks.append(simulated.spawn(asyncio.run, body()))

    tasks: list[object] = []
    serve()
    assert asyncio.run(main()) == ["aa", "aa"]
    assert 8 < time.monotonic() < 60
    simulated.world.crash("server")
