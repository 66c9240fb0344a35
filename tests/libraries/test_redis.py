"""redis-py, blocking and asyncio, with a small server."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any

import pytest
import redis
import redis.asyncio
from redis.asyncio.retry import Retry as AsyncRetry
from redis.backoff import ConstantBackoff, NoBackoff
from redis.retry import Retry

from tests.libraries.resp_server import Server, Store
from tests.libraries.ways import Place, Simulated


@contextmanager
def serving(place: Place) -> Iterator[tuple[Store, int]]:
    """A server; what it keeps, and its port."""
    with place.server:
        server = Server((place.bind, 0))
    with place.serving(server):
        yield server.store, server.server_address[1]


@contextmanager
def client(place: Place, port: int, **options: Any) -> Iterator[Any]:
    """A client with a pool of connections."""
    made = redis.Redis(host=place.address, port=port, **options)
    with made:
        yield made


ONCE = Retry(NoBackoff(), 0)


# Blocking


def test_values_lists_and_errors(place: Place) -> None:
    """Over the version of the protocol that the client prefers."""
    with serving(place) as (_, port), client(place, port) as db:
        assert db.ping()
        assert db.set("key", b"\0\r\n" * 10_000)
        assert db.get("key") == b"\0\r\n" * 10_000
        assert db.get("none") is None
        assert [db.incr("count") for _ in range(3)] == [1, 2, 3]
        with pytest.raises(redis.ResponseError, match="not an integer"):
            db.incr("key")
        assert db.rpush("list", "a", "b") == 2
        assert tuple(db.blpop("list", timeout=1)) == (b"list", b"a")


def test_the_older_protocol(place: Place) -> None:
    """RESP 2, with text instead of bytes."""
    with serving(place) as (store, port):
        with client(place, port, protocol=2, decode_responses=True) as db:
            db.set("key", "värde")
            assert db.get("key") == "värde"
            assert db.get("none") is None
            assert b"HELLO" not in store.commands


def test_a_pipeline_is_a_transaction(place: Place) -> None:
    """Several commands, one answer; without one they share round trips only."""
    with serving(place) as (store, port), client(place, port) as db:
        with db.pipeline() as pipe:
            assert pipe.incr("a").incr("a").get("a").execute() == [1, 2, b"2"]
        with db.pipeline(transaction=False) as pipe:
            assert pipe.incr("a").get("a").execute() == [3, b"3"]
        assert store.commands.count(b"EXEC") == 1


def test_a_subscriber_hears_what_others_publish(place: Place) -> None:
    """A thread listens, as long as it likes."""
    heard: list[bytes] = []
    with serving(place) as (_, port), client(place, port) as db:
        with db.pubsub(ignore_subscribe_messages=True) as subscriber:
            subscriber.subscribe("news")
            assert subscriber.get_message(timeout=10) is None  # it has subscribed

            def listen() -> None:
                for message in subscriber.listen():
                    heard.append(message["data"])
                    if message["data"] == b"end":
                        break

            listening = threading.Thread(target=listen)
            listening.start()
            for message in ("one", "two", "end"):
                assert db.publish("news", message) == 1
            listening.join(10)
    assert heard == [b"one", b"two", b"end"]


def test_whoever_waits_for_an_item_gets_it(place: Place) -> None:
    """BLPOP waits at the server, while another connection of the pool is used."""
    got: list[Any] = []
    with serving(place) as (store, port), client(place, port) as db:
        waiting = threading.Thread(target=lambda: got.append(db.blpop("list")))
        waiting.start()
        while b"BLPOP" not in store.commands:
            time.sleep(0.01)
        db.rpush("list", "item")
        waiting.join(10)
    assert [tuple(item) for item in got] == [(b"list", b"item")]


def test_a_pool_runs_out(place: Place) -> None:
    """A connection more than there may be; one is waited for in vain."""
    with serving(place) as (_, port):
        pool = redis.BlockingConnectionPool(
            host=place.address, port=port, max_connections=1, timeout=0.05
        )
        connection = pool.get_connection()
        with pytest.raises(redis.ConnectionError, match="No connection available"):
            pool.get_connection()
        pool.release(connection)
        assert pool.get_connection() is connection
        pool.release(connection)
        pool.disconnect()


def test_a_reset_is_tried_again(place: Place) -> None:
    """On a new connection, as often as the client is told; then it is an error."""
    with serving(place) as (store, port):
        with client(place, port, retry=Retry(NoBackoff(), 2)) as db:
            db.set("key", "value")
            with pytest.raises(redis.ConnectionError):
                db.execute_command("RESET")
            assert store.commands.count(b"RESET") == 3
            assert db.get("key") == b"value"


def test_each_command_takes_a_round_trip(simulated: Simulated) -> None:
    """A pipeline takes one for all of them."""
    simulated.slow(latency=0.25)
    with serving(simulated) as (_, port), client(simulated, port) as db:
        db.ping()
        begun = time.monotonic()
        for _ in range(10):
            db.incr("a")
        assert time.monotonic() - begun == 5.0
        with db.pipeline() as pipe:
            for _ in range(5):
                pipe.incr("a")
            pipe.execute()
        assert time.monotonic() - begun == 5.5


def test_an_answer_that_does_not_come_times_out(simulated: Simulated) -> None:
    """Exactly; with retries as often as told, and what lies between them passes too."""
    simulated.slow(latency=0.25)
    with serving(simulated) as (_, port):
        with client(simulated, port, socket_timeout=20, retry=ONCE) as db:
            db.ping()
            begun = time.monotonic()
            with pytest.raises(redis.TimeoutError):
                db.execute_command("HANG")
            assert time.monotonic() - begun == 20
        again = Retry(ConstantBackoff(7), 2)
        with client(simulated, port, socket_timeout=20, retry=again, protocol=2) as db:
            db.ping()
            begun = time.monotonic()
            with pytest.raises(redis.TimeoutError):
                db.execute_command("HANG")
            # Three attempts, and for the later two a new connection with its two greetings.
            assert time.monotonic() - begun == 3 * 20 + 2 * 7 + 2 * 3 * 0.5


def test_a_server_that_crashes_and_returns(simulated: Simulated) -> None:
    """The client's next command finds that out, and is tried again on the new server."""
    world = simulated.world
    with simulated.server:
        server = Server(("", 6379))
    simulated.serve(server.serve_forever)
    with client(simulated, 6379, retry=Retry(ConstantBackoff(1), 5)) as db:
        db.set("key", "value")
        world.crash("server")
        world.restart("server")

        def start_again() -> None:
            time.sleep(2.5)
            with Server(("", 6379)) as server:
                servers.append(server)
                server.serve_forever()

        servers: list[Server] = []
        serving = simulated.serve(start_again)
        begun = time.monotonic()
        assert db.get("key") is None
        assert time.monotonic() - begun == 3.0
    servers[0].shutdown()
    serving.join()


# asyncio


@asynccontextmanager
async def aclient(place: Place, port: int, **options: Any) -> AsyncIterator[Any]:
    """The client of asyncio."""
    made = redis.asyncio.Redis(host=place.address, port=port, **options)
    async with made:
        yield made


def test_asyncio_values_and_pipelines(place: Place) -> None:
    """Many tasks share a pool."""

    async def main(port: int) -> None:
        async with aclient(place, port) as db:
            assert await db.set("key", b"x" * 100_000)
            assert await db.get("key") == b"x" * 100_000
            counts = await asyncio.gather(*(db.incr("count") for _ in range(20)))
            assert sorted(counts) == list(range(1, 21))
            async with db.pipeline() as pipe:
                assert await pipe.incr("a").get("a").execute() == [1, b"1"]

    with serving(place) as (_, port):
        asyncio.run(main(port))


def test_asyncio_subscriptions(place: Place) -> None:
    """A task listens."""

    async def listen(subscriber: Any) -> list[bytes]:
        heard = []
        async for message in subscriber.listen():
            heard.append(message["data"])
            if heard[-1] == b"end":
                return heard
        raise AssertionError("it was told to go on")

    async def main(port: int) -> None:
        async with aclient(place, port) as db, db.pubsub() as subscriber:
            await subscriber.subscribe("news")
            assert (await subscriber.get_message(timeout=10))["type"] == "subscribe"
            listening = asyncio.create_task(listen(subscriber))
            for message in ("one", "end"):
                assert await db.publish("news", message) == 1
            assert await asyncio.wait_for(listening, 10) == [b"one", b"end"]

    with serving(place) as (_, port):
        asyncio.run(main(port))


def test_asyncio_timeouts_and_resets(simulated: Simulated) -> None:
    """Exactly, and tried again."""

    async def main(port: int) -> None:
        once = AsyncRetry(NoBackoff(), 0)
        async with aclient(simulated, port, socket_timeout=20, retry=once) as db:
            await db.ping()
            begun = time.monotonic()
            with pytest.raises(redis.TimeoutError):
                await db.execute_command("HANG")
            assert time.monotonic() - begun == 20
            with pytest.raises(redis.ConnectionError):
                # Two seconds for a new connection and its greetings, half a one for the command.
                await db.execute_command("RESET")
            with pytest.raises(asyncio.TimeoutError):
                await asyncio.wait_for(db.blpop("none", timeout=60), 5)
            assert time.monotonic() - begun == 20 + 2.5 + 5

    simulated.slow(latency=0.25)
    with serving(simulated) as (_, port):
        asyncio.run(main(port))
