"""Twisted: servers and clients of its select reactor, one reactor for each host.

`twisted.internet.reactor` is one for the process, and cannot run again after it has stopped. Here
each test makes the reactors that it wants; in the last a program of its own uses the global one.
"""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from twisted.internet import defer, endpoints, error, protocol, selectreactor, threads
from twisted.protocols import basic, policies
from twisted.python import failure

from tests.libraries.ways import Place, Simulated

Reactor = Any


@contextmanager
def made_reactor() -> Iterator[Reactor]:
    """A reactor for one run; afterwards closed, as Twisted's own tests do it."""
    reactor = selectreactor.SelectReactor()
    try:
        yield reactor
    finally:
        for reader in list(reactor._internalReaders):
            reactor.removeReader(reader)
            reader.connectionLost(None)


class Shout(basic.LineReceiver, policies.TimeoutMixin):
    """Lines in capitals; who says nothing for a minute is let go."""

    factory: ServerFactory

    def connectionMade(self) -> None:
        self.callLater = self.factory.reactor.callLater
        self.setTimeout(60)

    def lineReceived(self, line: bytes) -> None:
        self.resetTimeout()
        if line == b"cut":
            self.sendLine(b"half")
            self.factory.reactor.callLater(1, self.transport.abortConnection)
        elif line == b"think":
            self.factory.reactor.callLater(3600, self.sendLine, b"THOUGHT")
            self.setTimeout(None)
        else:
            self.sendLine(line.upper())

    def connectionLost(self, reason: failure.Failure = protocol.connectionDone) -> None:
        self.setTimeout(None)
        self.factory.lost.append(reason.type)


class ServerFactory(protocol.Factory):
    """Of those."""

    protocol = Shout

    def __init__(self, reactor: Reactor) -> None:
        self.reactor = reactor
        self.lost: list[type] = []


@contextmanager
def serving(place: Place) -> Iterator[tuple[int, list[type]]]:
    """A reactor in a thread of the server; its port, and how it has lost its connections."""

    def serve() -> None:
        nonlocal stop
        with made_reactor() as reactor:
            factory = ServerFactory(reactor)
            port = reactor.listenTCP(0, factory, interface=place.ip)

            def close() -> None:
                port.stopListening().addCallback(lambda _: reactor.callLater(0.1, reactor.stop))

            def stop_from_outside() -> None:
                reactor.callFromThread(close)

            stop = stop_from_outside
            about.append((port.getHost().port, factory.lost))
            reactor.run(installSignalHandlers=False)

    stop: Callable[[], None]
    about: list[tuple[int, list[type]]] = []
    thread = place.serve(serve)
    while not about:
        time.sleep(0.01)
    try:
        yield about[0]
    finally:
        stop()
        thread.join()


class Ask(basic.LineReceiver):
    """Lines that can be waited for."""

    def __init__(self) -> None:
        self.lines: defer.DeferredQueue[bytes] = defer.DeferredQueue()
        self.lost: defer.Deferred[type] = defer.Deferred()

    def lineReceived(self, line: bytes) -> None:
        self.lines.put(line)

    def connectionLost(self, reason: failure.Failure = protocol.connectionDone) -> None:
        self.lost.callback(reason.type)


def run(main: Callable[[Reactor], Any]) -> Any:
    """A coroutine in a reactor of the client; what it returns, or the error that it raises."""
    with made_reactor() as reactor:
        result: list[Any] = []

        def ended(value: Any) -> None:
            result.append(value)
            reactor.callLater(0.1, reactor.stop)

        reactor.callWhenRunning(
            lambda: defer.ensureDeferred(main(reactor)).addBoth(ended)  # type: ignore[arg-type]
        )
        reactor.run(installSignalHandlers=False)
    if isinstance(result[0], failure.Failure):
        result[0].raiseException()
    return result[0]


def connect(reactor: Reactor, host: str, port: int, timeout: float = 30) -> Any:
    """A connection to a server of lines."""
    endpoint = endpoints.TCP4ClientEndpoint(reactor, host, port, timeout=timeout)  # type: ignore[arg-type]
    return endpoints.connectProtocol(endpoint, Ask())


def test_lines(place: Place) -> None:
    """Of several connections at the same time, closed by the client."""

    async def main(reactor: Reactor) -> list[bytes]:
        connections = await defer.gatherResults(
            [connect(reactor, place.ip, port) for _ in range(5)]
        )
        answers = []
        for number, connection in enumerate(connections):
            connection.sendLine(b"line %d" % number)
        for connection in connections:
            answers.append(await connection.lines.get())
            connection.transport.loseConnection()
            assert await connection.lost is error.ConnectionDone
        return answers

    with serving(place) as (port, lost):
        assert run(main) == [b"LINE %d" % number for number in range(5)]
    assert lost == [error.ConnectionDone] * 5


def test_a_reset_half_way(place: Place) -> None:
    """By the server; it is not clean for the client."""

    async def main(reactor: Reactor) -> None:
        connection = await connect(reactor, place.ip, port)
        connection.sendLine(b"cut")
        assert await connection.lines.get() == b"half"
        assert await connection.lost is error.ConnectionLost

    with serving(place) as (port, lost):
        run(main)
    assert lost == [error.ConnectionAborted]


def test_nobody_listens(place: Place) -> None:
    """Any more."""

    async def main(reactor: Reactor) -> None:
        await connect(reactor, place.ip, port)

    with serving(place) as (port, _):
        pass
    with pytest.raises(error.ConnectionRefusedError):
        run(main)


def test_names_and_calls_in_threads(place: Place) -> None:
    """The reactor's pool of threads looks names up, and runs what blocks."""

    async def main(reactor: Reactor) -> str:
        connection = await connect(reactor, place.address, port)
        connection.transport.loseConnection()
        await connection.lost
        name = await threads.deferToThreadPool(
            reactor, reactor.getThreadPool(), lambda: threading.current_thread().name
        )
        return name  # type: ignore[no-any-return]

    with serving(place) as (port, _):
        assert "PoolThread" in run(main)


def test_datagrams(place: Place) -> None:
    """There and back."""

    class Echo(protocol.DatagramProtocol):
        def datagramReceived(self, data: bytes, address: Any) -> None:
            assert self.transport is not None
            self.transport.write(data * 2, address)

    class Ping(protocol.DatagramProtocol):
        def __init__(self) -> None:
            self.got: defer.Deferred[bytes] = defer.Deferred()

        def datagramReceived(self, data: bytes, address: Any) -> None:
            self.got.callback(data)

    async def main(reactor: Reactor) -> bytes:
        echo = reactor.listenUDP(0, Echo(), interface="127.0.0.1")
        ping = Ping()
        port = reactor.listenUDP(0, ping, interface="127.0.0.1")
        ping.transport.write(b"ab", ("127.0.0.1", echo.getHost().port))
        got = await ping.got
        await defer.gatherResults([echo.stopListening(), port.stopListening()])
        return got

    assert run(main) == b"abab"


def test_a_slow_link(simulated: Simulated) -> None:
    """A round trip to connect, one for each line, an hour to think."""

    async def main(reactor: Reactor) -> None:
        begun = reactor.seconds()
        connection = await connect(reactor, "server", port)
        seen = [reactor.seconds() - begun]
        for line in (b"a", b"think"):
            connection.sendLine(line)
            await connection.lines.get()
            seen.append(reactor.seconds() - begun)
        assert seen == pytest.approx([0.5, 1, 3601.5], abs=0.001)
        connection.transport.loseConnection()
        await connection.lost

    simulated.slow(latency=0.25)
    with serving(simulated) as (port, _):
        run(main)


def test_timeouts(simulated: Simulated) -> None:
    """To connect; for a line, by the client; of a connection that rests, by the server."""
    simulated.world.unknown = "silence"

    async def main(reactor: Reactor) -> None:
        begun = reactor.seconds()
        with pytest.raises(error.TimeoutError):
            await connect(reactor, "192.0.2.1", 80, timeout=3)
        assert reactor.seconds() - begun == pytest.approx(3, abs=0.001)
        connection = await connect(reactor, "server", port)
        begun = reactor.seconds()
        with pytest.raises(defer.TimeoutError):
            await connection.lines.get().addTimeout(5, reactor)
        assert reactor.seconds() - begun == pytest.approx(5, abs=0.001)
        assert await connection.lost is error.ConnectionDone
        assert reactor.seconds() - begun == pytest.approx(60, abs=0.01)

    with serving(simulated) as (port, _):
        run(main)


def test_a_server_that_crashes_and_returns(simulated: Simulated) -> None:
    """The next line is answered with a reset."""

    async def main(reactor: Reactor) -> None:
        connection = await connect(reactor, "server", 80)
        connection.sendLine(b"a")
        assert await connection.lines.get() == b"A"
        simulated.world.crash("server")
        simulated.world.restart("server")
        connection.sendLine(b"b")
        assert await connection.lost is error.ConnectionLost

    def serve() -> None:
        with made_reactor() as reactor:
            reactor.listenTCP(80, ServerFactory(reactor))
            reactor.run(installSignalHandlers=False)

    simulated.serve(serve)
    time.sleep(1)
    run(main)


PROGRAM = """
import simnet

world = simnet.World(seed=1)
server, client = world.host("server"), world.host("client")
world.link(server, client, latency=0.25)
with world.patch(client):
    from twisted.internet import selectreactor
    selectreactor.install()
    from twisted.internet import defer, protocol, reactor, task
    from twisted.web import client as web

    def serve():
        from http.server import BaseHTTPRequestHandler, HTTPServer

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                body = b"hello from " + self.path.encode()
                self.send_response(200)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *args):
                pass

        HTTPServer(("", 80), Handler).handle_request()

    async def main(reactor):
        response = await web.Agent(reactor).request(b"GET", b"http://server/a")
        print((await web.readBody(response)).decode())
        await task.deferLater(reactor, 3600, lambda: None)
        print(round(world.now))

    server.spawn(serve)
    task.react(lambda reactor: defer.ensureDeferred(main(reactor)))
"""


def test_the_global_reactor() -> None:
    """A program that ends with it: signal handlers, an agent for the web, an hour's wait."""
    # readBody() warns of a transport of its own making.
    command = [sys.executable, "-W", "ignore:Using readBody:DeprecationWarning", "-c", PROGRAM]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, "hello from /a\n3601\n", "")
