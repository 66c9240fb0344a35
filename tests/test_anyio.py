"""anyio on simulated hosts, on both of its backends: patched, unmodified; or with options alone."""

from __future__ import annotations

import socket
import ssl
import time
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import anyio
import anyio.from_thread
import pytest
import trustme
from anyio.abc import SocketAttribute, SocketStream
from anyio.streams.tls import TLSListener

from simnet.errors import Deadlock, Unsupported
from simnet.host import Host
from simnet.world import World

BACKENDS = ("asyncio", "trio")


@pytest.fixture(params=BACKENDS)
def backend(request: pytest.FixtureRequest) -> str:
    """What anyio runs on."""
    return str(request.param)


@pytest.fixture
def hosts() -> Iterator[tuple[Host, Host]]:
    """A server and a client, 50 ms apart, and nothing left behind."""
    with World() as world:
        server, client = world.host("server"), world.host("client")
        world.link(server, client, latency=0.05)
        yield server, client
        assert list(world.leftovers()) == []


@pytest.fixture
def patched(hosts: tuple[Host, Host]) -> Iterator[tuple[Host, Host]]:
    """The same, and the program is patched: it runs on the client."""
    with hosts[1].world.patch(hosts[1]):
        yield hosts


async def echo(stream: Any) -> None:
    """Send back what comes, until it ends."""
    async with stream:
        async for data in stream:
            await stream.send(data)


async def serve(
    handler: Callable[[Any], Awaitable[None]] = echo, context: ssl.SSLContext | None = None
) -> None:
    """Serve until the first connection has ended."""
    done = anyio.Event()

    async def handle(stream: Any) -> None:
        await handler(stream)
        done.set()

    listener: Any = await anyio.create_tcp_listener(local_host="0.0.0.0", local_port=80)
    if context is not None:
        listener = TLSListener(listener, context)
    async with listener, anyio.create_task_group() as group:
        group.start_soon(listener.serve, handle)
        await done.wait()
        group.cancel_scope.cancel()


def run_on(host: Host, backend: str, function: Callable[..., Any], *args: Any) -> Any:
    """Run it on another host than the patched one, as a task."""
    task = host.spawn(lambda: anyio.run(function, *args, backend=backend))
    time.sleep(0.001)
    return task


# Patched


def test_two_hosts_talk_over_a_slow_link(patched: tuple[Host, Host], backend: str) -> None:
    """Each runs anyio; two round trips pass."""
    server, client = patched
    task = run_on(server, backend, serve)

    async def main() -> bytes:
        async with await anyio.connect_tcp("server", 80) as stream:
            await stream.send(b"hello")
            assert stream.extra(SocketAttribute.remote_address) == ("10.0.0.1", 80)
            return await stream.receive()

    assert anyio.run(main, backend=backend) == b"hello"
    task.result()
    assert 0.2 <= client.world.now < 0.4


@pytest.mark.parametrize("other", BACKENDS)
def test_the_two_backends_talk(patched: tuple[Host, Host], backend: str, other: str) -> None:
    """Of one world, and at the same time in one thread."""
    server, _ = patched
    task = run_on(server, other, serve)

    async def main() -> bytes:
        async with await anyio.connect_tcp("server", 80) as stream:
            await stream.send(b"hello")
            return await stream.receive()

    assert anyio.run(main, backend=backend) == b"hello"
    task.result()


def test_a_timeout_strikes_in_virtual_time(patched: tuple[Host, Host], backend: str) -> None:
    """move_on_after and fail_after; the stream goes on afterwards."""
    server, _ = patched

    async def late(stream: SocketStream) -> None:
        async with stream:
            await anyio.sleep(60)
            await stream.send(b"late")

    async def main() -> bytes:
        async with await anyio.connect_tcp("server", 80) as stream:
            before = anyio.current_time()
            with anyio.move_on_after(30) as scope:
                await stream.receive()
            assert scope.cancelled_caught
            assert 30 <= anyio.current_time() - before < 30.01
            with pytest.raises(TimeoutError), anyio.fail_after(1):
                await stream.receive()
            return await stream.receive()

    task = run_on(server, backend, serve, late)
    assert anyio.run(main, backend=backend) == b"late"
    task.result()


def test_a_reset_half_way_breaks_the_stream(patched: tuple[Host, Host], backend: str) -> None:
    """With anyio's own error."""
    server, _ = patched

    async def half(stream: SocketStream) -> None:
        await stream.send(b"half")
        await anyio.sleep(1)
        raw = stream.extra(SocketAttribute.raw_socket)
        raw.setsockopt(1, 13, b"\1\0\0\0\0\0\0\0")  # SO_LINGER
        await anyio.aclose_forcefully(stream)

    async def main() -> None:
        async with await anyio.connect_tcp("server", 80) as stream:
            assert await stream.receive() == b"half"
            with pytest.raises(anyio.BrokenResourceError):
                await stream.receive()

    task = run_on(server, backend, serve, half)
    anyio.run(main, backend=backend)
    task.result()


def test_a_send_that_is_cancelled_has_sent_a_beginning(
    patched: tuple[Host, Host], backend: str
) -> None:
    """Nothing is doubled and nothing is lost in between."""
    server, _ = patched
    data = bytes(range(256)) * 40_000

    def read_late() -> bytes:
        with socket.create_server(("", 80)) as listener:
            sock, _ = listener.accept()
        with sock:
            time.sleep(20)
            return b"".join(iter(lambda: sock.recv(65536), b""))

    async def main() -> None:
        async with await anyio.connect_tcp("server", 80) as stream:
            with anyio.move_on_after(10) as scope:
                await stream.send(data)
            assert scope.cancelled_caught
            await stream.send_eof()
            with pytest.raises(anyio.EndOfStream):
                await stream.receive()

    task = server.spawn(read_late)
    time.sleep(0.001)
    anyio.run(main, backend=backend)
    received = task.result()
    # asyncio's transport goes on with what it was given; trio stops at once.
    assert len(received) == len(data) if backend == "asyncio" else 0 < len(received) < len(data)
    assert data.startswith(received)


def test_tls_runs_over_a_simulated_connection(patched: tuple[Host, Host], backend: str) -> None:
    """A TLS listener, and connect_tcp with tls."""
    server, _ = patched
    authority = trustme.CA()
    served = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("server").configure_cert(served)
    trusting = ssl.create_default_context()
    authority.configure_trust(trusting)

    async def answer(stream: Any) -> None:
        async with stream:
            await stream.send(await stream.receive())

    async def main() -> bytes:
        async with await anyio.connect_tcp("server", 80, ssl_context=trusting) as stream:
            await stream.send(b"secret")
            return await stream.receive()

    task = run_on(server, backend, serve, answer, served)
    assert anyio.run(main, backend=backend) == b"secret"
    task.result()


def test_datagrams_go_both_ways(patched: tuple[Host, Host], backend: str) -> None:
    """create_udp_socket and create_connected_udp_socket."""
    server, _ = patched

    async def answer() -> None:
        async with await anyio.create_udp_socket(local_host="0.0.0.0", local_port=53) as sock:
            data, (host, port) = await sock.receive()
            await sock.sendto(data, host, port)

    async def main() -> bytes:
        async with await anyio.create_connected_udp_socket("server", 53) as sock:
            await sock.send(b"datagram")
            return await sock.receive()

    task = run_on(server, backend, answer)
    assert anyio.run(main, backend=backend) == b"datagram"
    task.result()


def test_threads_are_tasks_of_the_world(patched: tuple[Host, Host], backend: str) -> None:
    """to_thread and from_thread, in virtual time; the loop goes on meanwhile."""
    ticks: list[float] = []

    async def slowly() -> str:
        await anyio.sleep(1)
        return "slowly"

    def work() -> list[Any]:
        time.sleep(2)
        anyio.from_thread.check_cancelled()
        return [anyio.from_thread.run(slowly), anyio.from_thread.run_sync(len, ticks)]

    async def tick() -> None:
        while True:
            await anyio.sleep(0.4)
            ticks.append(anyio.current_time())

    async def main() -> list[Any]:
        async with anyio.create_task_group() as group:
            group.start_soon(tick)
            result = await anyio.to_thread.run_sync(work)
            group.cancel_scope.cancel()
        return result

    assert anyio.run(main, backend=backend) == ["slowly", 7]


def test_a_portal_reaches_a_loop_in_another_thread(
    patched: tuple[Host, Host], backend: str
) -> None:
    """start_blocking_portal: the loop runs in a thread, a task of the world."""
    with anyio.from_thread.start_blocking_portal(backend) as portal:
        before = time.monotonic()
        portal.call(anyio.sleep, 3)
        assert 3 <= time.monotonic() - before < 3.1


def test_a_program_that_can_never_go_on_is_a_deadlock(
    patched: tuple[Host, Host], backend: str
) -> None:
    """The same on both."""
    cleaned: list[str] = []

    async def main() -> None:
        try:
            await anyio.sleep_forever()
        finally:
            cleaned.append("up")

    with pytest.raises(Deadlock):
        anyio.run(main, backend=backend)
    assert cleaned == ["up"]


# Not patched: options of anyio.run


def options(host: Host, backend: str) -> dict[str, Any]:
    """What makes the loop one of a host."""
    if backend == "trio":
        return {"clock": host.trio_clock()}
    return {"loop_factory": host.event_loop}


def test_clients_need_no_patch(hosts: tuple[Host, Host], backend: str) -> None:
    """connect_tcp, connected UDP sockets and timeouts."""
    server, client = hosts

    def answer() -> None:
        with server.create_server(("", 80)) as listener:
            sock, _ = listener.accept()
            with sock, server.socket(type=2) as box:
                box.bind(("", 53))
                sock.sendall(sock.recv(100))
                box.sendto(*box.recvfrom(100))

    async def main() -> None:
        await anyio.sleep(0.001)
        async with await anyio.connect_tcp("server", 80) as stream:
            await stream.send(b"hello")
            assert await stream.receive() == b"hello"
            async with await anyio.create_connected_udp_socket("server", 53) as sock:
                await anyio.sleep(0.1)
                await sock.send(b"datagram")
                assert await sock.receive() == b"datagram"
        with anyio.move_on_after(60) as scope:
            await anyio.Event().wait()
        assert scope.cancelled_caught

    task = server.spawn(answer)
    anyio.run(main, backend=backend, backend_options=options(client, backend))
    task.result()
    assert client.world.now > 60


def test_threads_need_no_patch_on_trio(hosts: tuple[Host, Host]) -> None:
    """anyio's own threads, on asyncio, do."""
    _, client = hosts

    def work() -> float:
        client.sleep(2)
        return anyio.from_thread.run_sync(anyio.current_time)

    async def main() -> float:
        return await anyio.to_thread.run_sync(work)

    assert anyio.run(main, backend="trio", backend_options=options(client, "trio")) == 2


def test_listeners_need_a_patch(hosts: tuple[Host, Host]) -> None:
    """anyio makes their sockets itself; waiting for a real one is refused."""
    _, client = hosts

    async def main() -> None:
        async with await anyio.create_tcp_listener(local_host="127.0.0.1") as listener:
            with pytest.raises(Unsupported, match="belongs to the real system"):
                await listener.listeners[0].accept()

    anyio.run(main, backend="trio", backend_options=options(client, "trio"))
