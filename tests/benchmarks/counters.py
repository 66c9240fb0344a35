"""A counter over asyncio's streams that is explored: the same coroutines in simnet and in simloop.

It is right: every seed runs to the end.
"""

from __future__ import annotations

import asyncio
import importlib
from collections.abc import Coroutine
from typing import Any

from simnet.host import Host
from simnet.world import World

PORT = 7000
ADDITIONS = 3


class Counter:
    """Counts what clients add over connections, one line each."""

    def __init__(self) -> None:
        self.value = 0

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection."""
        while line := await reader.readline():
            self.value += int(line)
            writer.write(b"%d\n" % self.value)
            await writer.drain()
        writer.close()

    async def serve(self, host: str) -> None:
        """For ten seconds."""
        async with await asyncio.start_server(self.answer, host, PORT):
            await asyncio.sleep(10)


async def add(host: str) -> None:
    """Some ones, over one connection."""
    reader, writer = await asyncio.open_connection(host, PORT)
    for _ in range(ADDITIONS):
        writer.write(b"1\n")
        await reader.readline()
    writer.close()


def on_simnet(world: World) -> None:
    """A loop on each host."""
    counter = Counter()
    server, *clients = (world.host(name) for name in ("counter", "a", "b"))
    world.default_link(latency=0.001, jitter=0.049)

    def run(host: Host, main: Coroutine[Any, Any, None]) -> None:
        loop = host.event_loop()
        try:
            loop.run_until_complete(main)
        finally:
            loop.close()

    tasks = [server.spawn(run, server, counter.serve("0.0.0.0"))]
    server.sleep(1)
    where = str(server.addresses[0])  # as simloop, without a thread that looks for a name
    tasks += [client.spawn(run, client, add(where)) for client in clients]
    for task in tasks:
        task.result()
    assert counter.value == ADDITIONS * len(clients)


async def _on_simloop() -> None:
    loop: Any = asyncio.get_running_loop()
    loop.net.set_defaults(latency=(0.001, 0.050))
    counter = Counter()
    serving = loop.net.host("counter").create_task(counter.serve("0.0.0.0"))
    await asyncio.sleep(1)
    adding = [loop.net.host(name).create_task(add("counter")) for name in ("a", "b")]
    await asyncio.gather(serving, *adding)
    assert counter.value == ADDITIONS * len(adding)


def explore_on_simloop(seeds: range) -> None:
    """One loop, with hosts in it; AssertionError if a seed fails."""
    report = importlib.import_module("simloop").explore(_on_simloop, seeds)
    assert report is None, report.render()
