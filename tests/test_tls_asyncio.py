"""asyncio's TLS on simulated hosts: slow lines, resets, and timeouts that pass in virtual time."""

from __future__ import annotations

import asyncio
import socket
import ssl
import struct
import sys
from collections.abc import Iterator
from typing import Any

import pytest

from simnet import tls
from simnet.host import Host
from simnet.world import World
from tests.conformance.tls_pairs import TLS12, client_context, receive, server_context
from tests.test_aio import echo, run

DATA = bytes(range(256)) * 2000


@pytest.fixture
def world() -> Iterator[World]:
    """A world that leaves nothing behind."""
    with World() as world:
        yield world
        assert list(world.leftovers()) == []


@pytest.fixture
def hosts(world: World) -> tuple[Host, Host]:
    """A server and a client on a slow line: 100 kB a second, 50 ms."""
    server, client = world.host("server"), world.host("client")
    world.link(server, client, latency=0.05, bandwidth=800_000)
    return server, client


def reset(transport: Any) -> None:
    """End the connection under a transport with a reset."""
    sock = transport.get_extra_info("socket")
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    transport.abort()


async def serve_one(handle: Any, **options: Any) -> None:
    """Serve one connection over TLS."""
    served = asyncio.Event()

    async def handle_it(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await handle(reader, writer)
        finally:
            served.set()

    context = server_context(None, "server")
    async with await asyncio.start_server(handle_it, "", 443, ssl=context, **options):
        await served.wait()


async def connect(**options: Any) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """A connection over TLS to the server, which listens by then."""
    await asyncio.sleep(0.001)
    return await asyncio.open_connection("server", 443, ssl=client_context(), **options)


async def close(writer: asyncio.StreamWriter) -> None:
    """Close, and wait for that."""
    writer.close()
    await writer.wait_closed()


def test_much_data_over_a_slow_line(hosts: tuple[Host, Host]) -> None:
    """There and back, with writers that wait for room."""
    task = hosts[0].spawn(run, hosts[0], lambda: serve_one(echo))

    async def main() -> bytes:
        reader, writer = await connect()

        async def write() -> None:
            for start in range(0, len(DATA), 10_000):
                writer.write(DATA[start : start + 10_000])
                await writer.drain()

        writing = asyncio.ensure_future(write())
        data = await reader.readexactly(len(DATA))
        await writing
        await close(writer)
        return data

    assert run(hosts[1], main) == DATA
    assert hosts[0].world.now > len(DATA) / 100_000
    task.join()


def test_a_reset_half_way(hosts: tuple[Host, Host]) -> None:
    """The reader gets the error, as it does without TLS."""

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(DATA)
        await reader.readexactly(1)
        reset(writer.transport)

    task = hosts[0].spawn(run, hosts[0], lambda: serve_one(handle))

    async def main() -> bytes:
        reader, writer = await connect()
        begun = await reader.readexactly(1000)
        writer.write(b"x")
        with pytest.raises(ConnectionResetError):
            await reader.readexactly(len(DATA))
        writer.transport.abort()
        return begun

    assert run(hosts[1], main) == DATA[:1000]
    task.join()


def test_a_reset_within_the_handshake(hosts: tuple[Host, Host]) -> None:
    """open_connection() fails with it."""

    def serve() -> None:
        with hosts[0].create_server(("", 443)) as listener:
            conn, _ = listener.accept()
            conn.recv(1)
            conn.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            conn.close()

    task = hosts[0].spawn(serve)

    async def main() -> None:
        with pytest.raises(ConnectionResetError):
            await connect()

    run(hosts[1], main)
    task.result()


def test_a_handshake_times_out_at_the_client(hosts: tuple[Host, Host]) -> None:
    """After the seconds that it was given, on the world's clock."""
    with hosts[0].create_server(("", 443)):

        async def main() -> None:
            with pytest.raises(ConnectionError, match=r"SSL handshake is taking longer than 600"):
                await connect(ssl_handshake_timeout=600.0)

        run(hosts[1], main)
    assert 600 < hosts[0].world.now < 601


def test_a_handshake_times_out_at_the_server(hosts: tuple[Host, Host]) -> None:
    """The client, which says nothing, is sent away."""

    async def serve() -> None:
        context = server_context(None, "server")
        options: Any = {"ssl": context, "ssl_handshake_timeout": 600.0}
        async with await asyncio.start_server(echo, "", 443, **options):
            await asyncio.sleep(1000)

    task = hosts[0].spawn(run, hosts[0], serve)
    hosts[1].sleep(0.001)
    with hosts[1].create_connection(("server", 443)) as sock:
        assert sock.recv(1) == b""
        assert 600 < hosts[1].world.now < 601
    task.join()


@pytest.mark.skipif(sys.version_info < (3, 11), reason="ssl_shutdown_timeout is new in 3.11")
def test_a_goodbye_times_out(hosts: tuple[Host, Host]) -> None:
    """The peer never answers it."""

    def serve() -> None:
        with hosts[0].create_server(("", 443)) as listener, tls.installed():
            conn, _ = listener.accept()
            with server_context(None, "server").wrap_socket(conn, server_side=True):
                hosts[0].sleep(2000)

    task = hosts[0].spawn(serve)

    async def main() -> None:
        _, writer = await connect(ssl_shutdown_timeout=600.0)
        with pytest.raises(TimeoutError, match="SSL shutdown timed out"):
            await close(writer)

    run(hosts[1], main)
    assert 600 < hosts[1].world.now < 601
    task.join()


def test_asyncio_talks_to_a_socket_that_blocks(hosts: tuple[Host, Host]) -> None:
    """Pump and protocol understand each other, to the goodbye."""

    def serve() -> bytes:
        with hosts[0].create_server(("", 443)) as listener, tls.installed():
            conn, _ = listener.accept()
            with server_context(TLS12, "server").wrap_socket(conn, server_side=True) as server:
                server.sendall(DATA)
                data = receive(server, len(DATA) + 1)
                server.unwrap()
                return data

    task = hosts[0].spawn(serve)

    async def main() -> bytes:
        reader, writer = await connect()
        data = await reader.readexactly(len(DATA))
        writer.write(data)
        await close(writer)
        return data

    assert run(hosts[1], main) == DATA
    assert task.result() == DATA


def test_a_wrapped_socket_is_refused(hosts: tuple[Host, Host]) -> None:
    """asyncio does its own TLS; a simulated SSLSocket is none of its business either."""
    a, b = hosts[0].socketpair()
    with tls.installed(), b:
        wrapped = client_context().wrap_socket(
            a, server_hostname="server", do_handshake_on_connect=False
        )

    async def main() -> None:
        loop = asyncio.get_running_loop()
        wrapped.setblocking(False)
        with pytest.raises(TypeError, match="Socket cannot be of type SSLSocket"):
            await loop.create_connection(asyncio.Protocol, sock=wrapped)
        with pytest.raises(TypeError, match="Socket cannot be of type SSLSocket"):
            await loop.sock_recv(wrapped, 1)

    with wrapped:
        run(hosts[0], main)


def test_a_certificate_that_is_refused(hosts: tuple[Host, Host]) -> None:
    """The client says why; the server's handler is never called."""
    called: list[None] = []

    async def serve() -> None:
        context = server_context(None, "server")
        async with await asyncio.start_server(lambda *_: called.append(None), "", 443, ssl=context):
            await asyncio.sleep(10)

    task = hosts[0].spawn(run, hosts[0], serve)

    async def main() -> None:
        await asyncio.sleep(0.001)
        stranger = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        with pytest.raises(ssl.SSLCertVerificationError, match="unable to get local issuer"):
            await asyncio.open_connection("server", 443, ssl=stranger)

    run(hosts[1], main)
    task.join()
    assert called == []
