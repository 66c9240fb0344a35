"""The simulator alone: many hosts and many segments over links with latency, in virtual time.

Each benchmark is a function of a size, which returns the world that it has run. Times are those of
the process, without what else runs on the machine.
"""

from __future__ import annotations

import gc
import socket
import statistics
import time
import tracemalloc
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from math import log

import attrs

from simnet import World
from simnet.api import Socket
from simnet.host import Host

MEGABYTE = 1_000_000
SIZES = (125, 250, 500, 1000)
CONNECTIONS = 10


def _accept_all(host: Host, handle: Callable[[Socket], object]) -> None:
    """Serve every connection in a task of its own."""

    def serve() -> None:
        with host.create_server(("", 80), backlog=100) as listener:
            while True:
                connection, _ = listener.accept()
                host.spawn(handle, connection)

    host.spawn(serve)


def _echo(connection: Socket) -> None:
    with connection:
        while data := connection.recv(4096):
            connection.sendall(data)


def _swallow(connection: Socket) -> None:
    with connection:
        while connection.recv(65536):
            pass


def transfer(megabytes: int) -> World:
    """So much data over one connection, with a latency of 10 ms."""
    world = World()
    server, client = world.host("server"), world.host("client")
    world.link(server, client, latency=0.01)
    _accept_all(server, _swallow)
    client.sleep(0)
    with client.create_connection(("server", 80)) as sock:
        sock.sendall(bytes(megabytes * MEGABYTE))
    world.run()
    return world


def echoes(rounds: int) -> World:
    """So many times 64 bytes there and back over each of 100 connections, 10 ms apart."""
    world = World()
    server, client = world.host("server"), world.host("client")
    world.link(server, client, latency=0.01)
    _accept_all(server, _echo)

    def talk() -> None:
        with client.create_connection(("server", 80)) as sock:
            for _ in range(rounds):
                sock.sendall(b"x" * 64)
                sock.recv(64)

    for _ in range(100):
        client.spawn(talk)
    world.run()
    return world


def idle_hour(connections: int) -> World:
    """An hour of virtual time, in which that many connections are kept alive every minute."""
    world = World()
    server, client = world.host("server"), world.host("client")
    world.link(server, client, latency=0.01)
    with ExitStack() as kept, server.create_server(("", 80), backlog=connections) as listener:
        for _ in range(connections):
            sock = kept.enter_context(client.create_connection(("server", 80)))
            connection = kept.enter_context(listener.accept()[0])
            for end in (sock, connection):
                end.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
                end.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, 60)
        world.run(until=world.now + 3600)
    return world


def many_hosts(count: int) -> World:
    """That many hosts, with 10 connections each to its neighbour: opened, echoed over, closed."""
    world = World()
    world.default_link(latency=0.01)
    hosts = [world.host(f"host{number}") for number in range(count)]

    def talk(host: Host, ip: str) -> None:
        with host.create_connection((ip, 80)) as sock:
            sock.sendall(b"x" * 64)
            assert sock.recv(64) == b"x" * 64

    for host in hosts:
        _accept_all(host, _echo)
    for host, peer in zip(hosts, [*hosts[1:], hosts[0]], strict=True):
        for _ in range(CONNECTIONS):
            host.spawn(talk, host, peer.addresses[0])
    world.run()
    return world


@attrs.frozen
class Run:
    """One run: seconds of the processor, seconds of virtual time, and segments delivered."""

    seconds: float
    virtual: float
    segments: int


def timed(function: Callable[[int], World], size: int) -> Run:
    """Run it once. The garbage collector runs before, and not meanwhile."""
    gc.collect()
    gc.disable()
    try:
        before = time.process_time()
        world = function(size)
        seconds = time.process_time() - before
        run = Run(seconds, world.now, world.wire.packets_sent)
        world.close()
    finally:
        gc.enable()
    return run


def median(function: Callable[[int], World], size: int, rounds: int) -> Run:
    """The run of the median time."""
    runs = sorted((timed(function, size) for _ in range(rounds)), key=lambda run: run.seconds)
    return runs[len(runs) // 2]


def memory(count: int) -> int:
    """Bytes that a world of that many hosts has taken at most, by tracemalloc."""
    gc.collect()
    tracemalloc.start()
    try:
        many_hosts(count).close()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@attrs.frozen
class Fit:
    """A power of the size that measurements follow: 1 is linear growth."""

    exponent: float

    @classmethod
    def of(cls, sizes: Sequence[float], values: Sequence[float]) -> Fit:
        """By least squares of the logarithms."""
        slope, _ = statistics.linear_regression([*map(log, sizes)], [*map(log, values)])
        return cls(slope)


@attrs.frozen
class Measured:
    """A line of the table: what, its value with its unit, and the floor if there is one."""

    name: str
    value: str
    floor: str = ""
    met: bool | None = None


def measure(rounds: int, scale: float = 1.0) -> list[Measured]:
    """All lines of the table."""

    def scaled(size: int) -> int:
        return max(1, round(size * scale))

    lines = []
    for name, function, size in (
        ("segments of a transfer over a link of 10 ms", transfer, scaled(50)),
        ("segments of 100 echoing connections over a link of 10 ms", echoes, scaled(200)),
    ):
        run = median(function, size, rounds)
        rate = run.segments / run.seconds
        floor = 150_000 if function is transfer else None
        lines.append(
            Measured(
                name,
                f"{rate:,.0f} per second",
                f"{floor:,}" if floor else "",
                rate >= floor if floor else None,
            )
        )
    run = median(idle_hour, scaled(100), rounds)
    name = f"an hour of {scaled(100)} connections with keepalive, {run.segments:,} segments"
    lines.append(Measured(name, f"{run.seconds:.2f} s", "1 s", run.seconds < 1))
    sizes = [scaled(size) for size in SIZES]
    times = [median(many_hosts, size, rounds).seconds for size in sizes]
    peaks = [memory(size) for size in sizes]
    for size, seconds, peak in zip(sizes, times, peaks, strict=True):
        name = f"{size:,} hosts, {CONNECTIONS} connections each"
        lines.append(Measured(name, f"{seconds:.2f} s, {peak / MEGABYTE:.1f} MB"))
    if len(set(sizes)) > 1:
        fit = (
            f"time {Fit.of(sizes, times).exponent:.2f}, memory {Fit.of(sizes, peaks).exponent:.2f}"
        )
        lines.append(Measured("growth with the number of hosts, as a power of it", fit))
    return lines
