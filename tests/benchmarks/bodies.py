"""What is timed: each benchmark is one function of a network, the same for both backends.

It prepares (not timed; the stack closes what it opens) and returns the operation, which is timed
for a number of repetitions.
"""

from __future__ import annotations

import itertools
import socket
from collections.abc import Callable
from contextlib import ExitStack

import attrs

from simnet.api import Network, Socket

Operation = Callable[[int], None]
Prepare = Callable[[Network, ExitStack], Operation]

MESSAGE = b"x" * 64
BULK = b"x" * 65536
RESET = b"\x01\0\0\0\0\0\0\0"  # struct linger: on, 0 seconds; no TIME_WAIT remains

# A fresh address for each listener: what an earlier round left in TIME_WAIT is out of the way.
_FRESH = (f"127.{a}.{b}.1" for a, b in itertools.product(range(1, 255), range(1, 255)))


@attrs.frozen
class Benchmark:
    """A row of the table. `repetitions` fixes their number; otherwise a round has a length."""

    name: str
    prepare: Prepare
    floor: float | None = None
    repetitions: int | None = None
    memory: bool = False


def _listener(net: Network, stack: ExitStack) -> Socket:
    return stack.enter_context(net.create_server((next(_FRESH), 0)))


def _connected(net: Network, stack: ExitStack) -> tuple[Socket, Socket]:
    listener = _listener(net, stack)
    client = stack.enter_context(net.socket())
    client.connect(listener.getsockname())
    server, _ = listener.accept()
    return client, stack.enter_context(server)


def _echo(client: Socket, server: Socket) -> Operation:
    def run(times: int) -> None:
        for _ in range(times):
            client.send(MESSAGE)
            server.send(server.recv(4096))
            client.recv(4096)

    return run


def tcp_echo(net: Network, stack: ExitStack) -> Operation:
    """64 bytes there and back over TCP, both ends in one task."""
    return _echo(*_connected(net, stack))


def socketpair_echo(net: Network, stack: ExitStack) -> Operation:
    """64 bytes there and back over a unix socket pair, in one task."""
    a, b = net.socketpair()
    return _echo(stack.enter_context(a), stack.enter_context(b))


def two_task_echo(net: Network, stack: ExitStack) -> Operation:
    """64 bytes there and back over TCP; the other end is a task of its own (a thread, really)."""
    client, server = _connected(net, stack)

    def serve() -> None:
        while data := server.recv(4096):
            server.send(data)

    task = net.spawn(serve)
    stack.callback(task.join)
    stack.callback(client.shutdown, socket.SHUT_WR)

    def run(times: int) -> None:
        for _ in range(times):
            client.send(MESSAGE)
            client.recv(4096)

    return run


def udp_echo(net: Network, stack: ExitStack) -> Operation:
    """64 bytes there and back in datagrams, with sendto and recvfrom."""
    a, b = (stack.enter_context(net.socket(type=socket.SOCK_DGRAM)) for _ in range(2))
    for sock in (a, b):
        sock.bind(("127.0.0.1", 0))
    address = b.getsockname()

    def run(times: int) -> None:
        for _ in range(times):
            a.sendto(MESSAGE, address)
            data, sender = b.recvfrom(4096)
            b.sendto(data, sender)
            a.recvfrom(4096)

    return run


def connect_accept_close(net: Network, stack: ExitStack) -> Operation:
    """A TCP connection opened, accepted, and closed at both ends."""
    listener = _listener(net, stack)
    address = listener.getsockname()

    def run(times: int) -> None:
        for _ in range(times):
            client = net.socket()
            client.connect(address)
            server, _ = listener.accept()
            client.close()
            server.close()

    return run


def bulk(net: Network, stack: ExitStack) -> Operation:
    """64 KiB over TCP: sendall, then recv until all is there."""
    client, server = _connected(net, stack)

    def run(times: int) -> None:
        for _ in range(times):
            client.sendall(BULK)
            left = len(BULK)
            while left:
                left -= len(server.recv(65536))

    return run


def select_over(count: int) -> Prepare:
    """select() over that many sockets, the last of which is ready."""

    def prepare(net: Network, stack: ExitStack) -> Operation:
        sockets = [stack.enter_context(net.socket(type=socket.SOCK_DGRAM)) for _ in range(count)]
        for sock in sockets:
            sock.bind(("127.0.0.1", 0))
        sockets[0].sendto(MESSAGE, sockets[-1].getsockname())

        def run(times: int) -> None:
            for _ in range(times):
                net.select(sockets, [], [], 1.0)

        return run

    return prepare


def idle_connections(net: Network, stack: ExitStack) -> Operation:
    """TCP connections that are opened, accepted and kept."""
    listener = _listener(net, stack)
    address = listener.getsockname()
    kept: list[Socket] = []

    def close() -> None:
        for sock in kept:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
            sock.close()

    stack.callback(close)

    def run(times: int) -> None:
        for _ in range(times):
            client = net.socket()
            kept.append(client)
            client.connect(address)
            kept.append(listener.accept()[0])

    return run


BENCHMARKS = [
    Benchmark("TCP echo of 64 bytes, one task", tcp_echo, floor=5),
    Benchmark("TCP echo of 64 bytes, two tasks", two_task_echo, floor=12),
    Benchmark("UDP echo of 64 bytes", udp_echo, floor=4),
    Benchmark("unix socketpair echo of 64 bytes", socketpair_echo, floor=2),
    Benchmark("TCP connect, accept, close", connect_accept_close, floor=4),
    Benchmark("TCP bulk, 64 KiB", bulk, floor=5),
    Benchmark("select over 2 sockets", select_over(2)),
    Benchmark("select over 1,000 sockets", select_over(1000)),
    Benchmark("10,000 idle connections, each", idle_connections, repetitions=10_000, memory=True),
]
