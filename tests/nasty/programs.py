"""Programs that do everything right: they loop, and try again what a kernel may refuse for now.

Each runs in a world with the hosts `client` and `server`, and fails if a byte is lost, doubled or
in the wrong place.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import gc
import http.client
import http.server
import select
import socket
import threading
import time
from collections.abc import Awaitable, Callable, Iterator
from typing import Any, TypeVar

import trio

from simnet.descriptor_calls import REPLACED
from simnet.world import World

T = TypeVar("T")

# More than a read or a write takes at once, and nothing that looks alike at two places.
DATA = b"".join(number.to_bytes(3, "big") for number in range(8000))
TRANSIENT = {
    *(errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM, errno.EAGAIN),
    *(errno.EADDRINUSE, errno.EADDRNOTAVAIL),
    # What accept(2) says should be treated like EAGAIN.
    *(errno.ECONNABORTED, errno.EPROTO, errno.ENETDOWN, errno.ENOPROTOOPT, errno.EHOSTDOWN),
    *(errno.ENONET, errno.EHOSTUNREACH, errno.EOPNOTSUPP, errno.ENETUNREACH),
}


def persistently(call: Callable[..., T], *arguments: Any, **named: Any) -> T:
    """Try again, a few times, what has run out for now."""
    for _ in range(20):
        try:
            return call(*arguments, **named)
        except OSError as error:
            if error.errno not in TRANSIENT:
                raise
    raise AssertionError(f"{call} never worked")


async def patiently(sleep: Callable[[float], Awaitable[None]], call: Any, *arguments: Any) -> Any:
    """The same for coroutines; their errors wrap others, and have no errno."""
    for _ in range(20):
        try:
            return await call(*arguments)
        except OSError:
            await sleep(0.01)
    raise AssertionError(f"{call} never worked")


def streams(world: World) -> None:
    """Threads that block: sendall() at one end, recv() until the end at the other, and back."""
    server, client = world.hosts["server"], world.hosts["client"]
    listener = persistently(server.create_server, ("", 80))

    def serve() -> None:
        with listener, persistently(listener.accept)[0] as conn:
            while data := conn.recv(5000):
                conn.sendall(data)

    serving = server.spawn(serve)
    with persistently(client.create_connection, ("server", 80)) as conn:

        def send() -> None:
            conn.sendall(DATA)
            conn.shutdown(socket.SHUT_WR)

        sending = client.spawn(send)
        assert b"".join(iter(lambda: conn.recv(3000), b"")) == DATA
        sending.result()
    serving.result()


def files(world: World) -> None:
    """makefile(), by lines, with a timeout, over TCP and over a pair of unix sockets."""
    server, client = world.hosts["server"], world.hosts["client"]
    listener = persistently(server.create_server, ("", 80))

    def serve() -> None:
        with listener, persistently(listener.accept)[0] as conn:
            answer(conn)

    def answer(conn: Any) -> None:
        conn.settimeout(60)
        with conn.makefile("rwb") as lines:
            for line in lines:
                lines.write(line.upper())
                lines.flush()

    def ask(conn: Any) -> None:
        with conn.makefile("rwb") as lines:
            for number in range(20):
                lines.write(b"line %d " % number + b"x" * number * 50 + b"\n")
                lines.flush()
                assert lines.readline() == b"LINE %d " % number + b"X" * number * 50 + b"\n"

    serving = server.spawn(serve)
    with persistently(client.create_connection, ("server", 80)) as conn:
        ask(conn)
    serving.result()
    one, other = persistently(client.socketpair)
    with other:
        answering = client.spawn(answer, other)
        with one:
            ask(one)
        answering.result()


def selecting(world: World, maker: str = "select") -> None:
    """One loop that never blocks moves data from a socket through another one and back."""
    net = world.hosts["client"]
    with persistently(net.create_server, ("127.0.0.1", 0)) as listener:
        listener.setblocking(False)
        one = persistently(net.create_connection, listener.getsockname())
        while True:
            net.select([listener], [], [])
            try:
                other = persistently(listener.accept)[0]
                break
            except AssertionError:
                continue
    with one, other:
        one.setblocking(False)
        other.setblocking(False)
        with _waiting(net, maker, one, other) as ready:
            arrived = _move(one, other, ready)
        assert arrived == DATA


_Ready = Callable[[bool], list[Any]]


def _move(one: Any, other: Any, ready: _Ready) -> bytes:
    unsent, arrived = DATA, b""
    while len(arrived) < len(DATA):
        for sock in ready(bool(unsent)):
            with contextlib.suppress(BlockingIOError):
                while sock is one and unsent:
                    unsent = unsent[one.send(unsent) :]
                while sock is other and len(arrived) < len(DATA):
                    arrived += other.recv(4096)
    return arrived


@contextlib.contextmanager
def _waiting(net: Any, maker: str, one: Any, other: Any) -> Iterator[_Ready]:
    """Which of two are ready, to be written to (if that is asked for) and to be read from."""
    if maker == "select":

        def by_select(writing: bool) -> list[Any]:
            readable, writable, _ = net.select([other], [one] if writing else [], [])
            return [*readable, *writable]

        yield by_select
        return
    poller = persistently(getattr(net, "poll" if maker == "poll" else "epoll"))
    edge = select.EPOLLET if maker == "edges" else 0
    poller.register(one, select.POLLOUT | edge)
    poller.register(other, select.POLLIN | edge)
    registered = True

    def by_poller(writing: bool) -> list[Any]:
        nonlocal registered
        if registered and not writing:
            poller.unregister(one)
            registered = False
        found = dict(poller.poll())
        return [sock for sock in (one, other) if sock.fileno() in found]

    yield by_poller
    if maker != "poll":
        poller.close()


def polling(world: World) -> None:
    """The same with poll()."""
    selecting(world, "poll")


def level_triggered(world: World) -> None:
    """The same with epoll."""
    selecting(world, "epoll")


def edge_triggered(world: World) -> None:
    """The same with EPOLLET: only what is new is told, so it reads and writes until EAGAIN."""
    selecting(world, "edges")


def datagrams(world: World) -> None:
    """Requests over UDP, repeated until their own answer has come."""
    server, client = world.hosts["server"], world.hosts["client"]
    receiver = persistently(server.socket, socket.AF_INET, socket.SOCK_DGRAM)
    receiver.bind(("", 9))

    def serve() -> None:
        with receiver:
            while True:
                data, address = receiver.recvfrom(100)
                persistently(receiver.sendto, data.upper(), address)
                if data == b"stop":
                    return

    serving = server.spawn(serve)
    with persistently(client.socket, socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.settimeout(1)
        for question in (*(b"question %d" % number for number in range(20)), b"stop"):
            while True:
                persistently(sock.sendto, question, ("10.0.0.2", 9))
                answer = sock.recv(100)
                if answer == question.upper():
                    break
    serving.result()


def pipes(world: World) -> None:
    """os.write() and os.read() in loops, of which either waits for the other."""
    net = world.hosts["client"]
    calls = REPLACED["os"]
    with net:
        reading, writing = persistently(calls["pipe"])

        def write() -> None:
            rest = DATA * 10
            while rest:
                rest = rest[calls["write"](writing, rest) :]
            calls["close"](writing)

        task = net.spawn(write)
        assert b"".join(iter(lambda: calls["read"](reading, 7000), b"")) == DATA * 10
        task.result()
        calls["close"](reading)


def asyncio_streams(world: World) -> None:
    """An echo by asyncio's streams, several connections at once."""
    server, client = world.hosts["server"], world.hosts["client"]

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(2000):
            writer.write(data)
            await writer.drain()
        writer.close()

    async def listen() -> asyncio.Server:
        server = await asyncio.start_server(answer, "0.0.0.0", 80)
        if not server.sockets:
            # Before Python 3.13 it passes over addresses for which socket() fails, also over all.
            raise OSError("it listens to nothing")
        return server

    async def serve() -> None:
        async with await patiently(asyncio.sleep, listen):
            await asyncio.sleep(100)

    async def ask(number: int) -> None:
        reader, writer = await patiently(asyncio.sleep, asyncio.open_connection, "10.0.0.2", 80)
        writer.write(DATA[number:])
        writer.write_eof()
        assert await reader.read() == DATA[number:]
        writer.close()

    async def ask_all() -> None:
        await asyncio.gather(*map(ask, range(3)))

    def run(host: Any, main: Callable[[], Any]) -> None:
        loop = persistently(host.event_loop)
        # What accept() says of strangers is told to nobody.
        loop.set_exception_handler(lambda *_: None)
        try:
            loop.run_until_complete(main())
            loop.run_until_complete(loop.shutdown_default_executor())
        finally:
            loop.close()

    serving = server.spawn(run, server, serve)
    client.sleep(1)
    run(client, ask_all)
    serving.result()


def trio_streams(world: World) -> None:
    """The same by trio's."""
    server, client = world.hosts["server"], world.hosts["client"]

    async def answer(stream: trio.SocketStream) -> None:
        async for data in stream:
            await stream.send_all(data)

    async def listen() -> Any:
        return await trio.open_tcp_listeners(80, host="0.0.0.0")

    async def serve() -> None:
        with trio.move_on_after(100):
            await trio.serve_listeners(answer, await patiently(trio.sleep, listen))

    async def ask() -> None:
        stream = await patiently(trio.sleep, trio.open_tcp_stream, "10.0.0.2", 80)
        async with stream, trio.open_nursery() as nursery:

            async def send() -> None:
                await stream.send_all(DATA)
                await stream.send_eof()

            nursery.start_soon(send)
            arrived = b""
            async for data in stream:
                arrived += data
            assert arrived == DATA

    serving = server.spawn(server.trio_run, serve)
    client.sleep(1)
    client.trio_run(ask)
    serving.result()


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args: Any) -> None:
        """Nothing."""


class _Server(http.server.ThreadingHTTPServer):
    def get_request(self) -> Any:
        # It trusts select() and blocks in accept(), where it cannot be told to stop.
        self.socket.settimeout(1)
        return super().get_request()


def requests(world: World) -> None:
    """http.client and http.server, patched in: some requests on one connection."""
    with world.patch("client"):
        server = persistently(_Server, ("127.0.0.1", 0), _Handler)
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        conn = http.client.HTTPConnection("127.0.0.1", server.server_port, timeout=100)
        persistently(conn.connect)
        for number in range(5):
            conn.request("POST", "/", DATA[number:])
            with conn.getresponse() as response:
                assert response.read() == DATA[number:]
        conn.close()
        time.sleep(1)
        server.shutdown()
        thread.join()
        server.server_close()


PROGRAMS = {
    each.__name__: each
    for each in (
        *(streams, files, selecting, polling, level_triggered, edge_triggered, datagrams, pipes),
        *(asyncio_streams, trio_streams, requests),
    )
}


def run(name: str, **options: Any) -> World:
    """Run a program in a world of its own; the hosts have a link that takes time."""
    world = World(**options)
    with world:
        server, client = world.host("server", ip="10.0.0.2"), world.host("client", ip="10.0.0.1")
        world.link(server, client, latency=0.01)
        PROGRAMS[name](world)
        world.run()
        if world.leftovers():
            # A loop that could not be made is closed by the collector alone, as asyncio has it.
            gc.collect()
        assert not world.leftovers()
    return world
