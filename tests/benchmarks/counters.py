"""Counters that are right: one replicated on three hosts, and one over asyncio's streams.

The first has threads, datagrams, timeouts and links that lose, and its reports are compared between
versions of Python; the second is the same coroutines in simnet and in simloop. Every seed runs to
the end.
"""

from __future__ import annotations

import asyncio
import importlib
import socket
from collections.abc import Coroutine
from typing import Any

from simnet.host import Host
from simnet.threads import queue, threading
from simnet.world import World

PORT = 7000
ADDITIONS = 3


def replicated(world: World) -> None:
    """Each of three hosts adds to a counter, and tells the others until they have said so."""
    hosts = [world.host(name) for name in "abc"]
    world.default_link(latency=0.01, jitter=0.02, loss=0.05)
    replicas = [Replica(host, [each for each in hosts if each is not host]) for host in hosts]
    with hosts[0] as here:
        for replica in replicas:
            replica.start()
        for replica in replicas:
            replica.finished.wait()
        here.sleep(1)
        for replica in replicas:
            assert replica.value == ADDITIONS * len(hosts), replica.value
            replica.sock.close()


class Replica:
    """What was added is a set of names, so that nothing counts twice."""

    def __init__(self, host: Host, others: list[Host]) -> None:
        self.host, self.others = host, [str(other.addresses[0]) for other in others]
        self.added: set[bytes] = set()
        self.answers: queue.SimpleQueue[bytes] = queue.SimpleQueue()
        with host:
            self.lock, self.finished = threading.Lock(), threading.Event()
            self.sock = host.socket(type=socket.SOCK_DGRAM)
            self.sock.bind(("", PORT))

    def start(self) -> None:
        """Two threads: one hears, the other tells."""
        with self.host:
            threading.Thread(target=self.hear, name=f"{self.host.name} hears", daemon=True).start()
            threading.Thread(target=self.tell, name=f"{self.host.name} tells").start()

    @property
    def value(self) -> int:
        """How much was added."""
        with self.lock:
            return len(self.added)

    def hear(self) -> None:
        """Keep what others add, and hand on what they answer."""
        while True:
            message, sender = self.sock.recvfrom(100)
            kind, _, name = message.partition(b" ")
            if kind == b"kept":
                self.answers.put(name + b" " + sender[0].encode())
                continue
            with self.lock:
                self.added.add(name)
            self.sock.sendto(b"kept " + name, sender)

    def tell(self) -> None:
        """Add, and repeat it until each of the others has kept it."""
        for number in range(ADDITIONS):
            name = f"{self.host.name}{number}".encode()
            with self.lock:
                self.added.add(name)
            missing = {name + b" " + ip.encode(): ip for ip in self.others}
            while missing:
                for ip in missing.values():
                    self.sock.sendto(b"add " + name, (ip, PORT))
                try:
                    while missing:
                        missing.pop(self.answers.get(timeout=0.1), None)
                except queue.Empty:
                    continue
        self.finished.set()


# asyncio


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
