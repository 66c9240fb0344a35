"""Sets that keep an order, and where the copies of the standard library need one."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from simnet import World, threads
from simnet.ordered import OrderedSet, OrderedWeakSet


class Thing:
    """Something that can be referred to weakly."""


@pytest.mark.parametrize("kind", [OrderedSet, OrderedWeakSet])
def test_members_come_in_the_order_in_which_they_were_added(kind: type[OrderedSet]) -> None:
    """Each once; what is taken out and put in again comes last."""
    things = [Thing() for _ in range(20)]
    ordered = kind([*things, things[3]])
    assert list(ordered) == things
    ordered.discard(things[0])
    ordered.discard(things[0])
    assert things[0] not in ordered
    ordered.add(things[0])
    assert list(ordered) == [*things[1:], things[0]]
    assert list(ordered - kind(things[5:])) == [*things[1:5], things[0]]
    assert len(ordered) == 20
    again = ordered.copy()
    again.discard(things[1])
    assert (type(again), len(again), len(ordered)) == (kind, 19, 20)


def test_weak_members_go() -> None:
    """Nobody else has them."""
    things = [Thing() for _ in range(3)]
    ordered = OrderedWeakSet(things)
    del things[1]
    assert list(ordered) == things


def test_listening_sockets_are_opened_in_the_order_of_their_addresses() -> None:
    """Their numbers do not depend on the hashes of strings."""
    addresses = [f"10.0.0.{number}" for number in range(1, 13)]
    with World() as world:
        loop = world.host("server", ip=addresses).event_loop()
        listening = loop.create_server(asyncio.Protocol, addresses, 80)
        server = loop.run_until_complete(listening)
        found = [sock.getsockname()[0] for sock in server.sockets]
        server.close()
        loop.close()
    assert found == addresses


def test_asynchronous_generators_are_closed_in_the_order_of_their_beginning() -> None:
    """By the loop that ends."""
    ended: list[int] = []

    async def count(number: int) -> AsyncIterator[int]:
        try:
            yield number
        finally:
            ended.append(number)

    async def begin() -> list[AsyncIterator[int]]:
        begun = [count(number) for number in range(12)]
        for generator in begun:
            await generator.__anext__()
        return begun

    with World() as world:
        loop = world.host("localhost").event_loop()
        begun = loop.run_until_complete(begin())
        loop.run_until_complete(loop.shutdown_asyncgens())
        loop.close()
    assert ended == list(range(len(begun)))


def test_the_threads_of_a_pool_are_joined_in_the_order_of_their_beginning() -> None:
    """Whom the one waits for who shuts it down does not depend on places in memory."""
    with World() as world, world.host("localhost") as host:
        with threads.futures.ThreadPoolExecutor(12) as pool:
            waiting = [pool.submit(host.sleep, 1) for _ in range(12)]
            names = [thread.name for thread in pool._threads]
            done, _ = threads.futures.wait(waiting)
    assert names == sorted(names, key=lambda name: int(name.rpartition("_")[2]))
    assert len(done) == 12


def test_futures_that_are_done_come_in_an_order_of_those_given() -> None:
    """`as_completed` has several to choose from, and takes the last first."""
    with World() as world, world.host("localhost"):
        with threads.futures.ThreadPoolExecutor(3) as pool:
            done = [pool.submit(int, number) for number in range(12)]
            threads.futures.wait(done)
            found = [each.result() for each in threads.futures.as_completed(done)]
    assert found == list(reversed(range(12)))
