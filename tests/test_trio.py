"""trio on simulated hosts: its own streams, scopes and threads, in virtual time."""

from __future__ import annotations

import asyncio
import errno
import signal
import socket
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator
from typing import Any

import pytest
import sniffio
import trio
import trio.testing
import trustme
from trio._core import _run as trio_run_module

from simnet.errors import Deadlock, ForeignThread, SimnetError, Unsupported
from simnet.host import Host
from simnet.trio_loop import wrap
from simnet.world import World

if sys.version_info < (3, 11):
    from exceptiongroup import ExceptionGroup


@pytest.fixture
def world() -> Iterator[World]:
    """A world that leaves nothing behind."""
    with World() as world:
        yield world
        assert list(world.leftovers()) == []


@pytest.fixture
def host(world: World) -> Host:
    """A host alone."""
    return world.host("alone")


@pytest.fixture
def hosts(world: World) -> tuple[Host, Host]:
    """A server and a client, 50 ms apart."""
    server, client = world.host("server"), world.host("client")
    world.link(server, client, latency=0.05)
    return server, client


async def echo(stream: trio.abc.Stream) -> None:
    """Send back what comes, until it ends."""
    async with stream:
        async for data in stream:
            await stream.send_all(data)


async def serve_one(
    handler: Callable[[Any], Awaitable[object]] = echo, port: int = 80, pause: float = 0
) -> None:
    """Serve one connection."""
    (listener,) = await trio.open_tcp_listeners(port, host="0.0.0.0")
    async with listener:
        stream = await listener.accept()
    await trio.sleep(pause)
    await handler(stream)


async def open_stream(port: int = 80) -> trio.SocketStream:
    """A connection to the server, once it listens."""
    await trio.sleep(0.001)
    return await trio.open_tcp_stream("server", port)


# Time


def test_an_hour_passes_at_once(host: Host) -> None:
    """trio.sleep waits in virtual time, to the nanosecond."""

    async def main(seconds: float) -> tuple[float, float]:
        before = trio.current_time()
        await trio.sleep(seconds)
        return before, trio.current_time()

    assert host.trio_run(main, 3600) == (0.0, 3600.0)
    assert host.world.now == 3600


def test_a_scope_is_cancelled_in_virtual_time(host: Host) -> None:
    """move_on_after and fail_after, on something that never comes."""

    async def main() -> None:
        with trio.move_on_after(10) as scope:
            await trio.sleep_forever()
        assert scope.cancelled_caught
        with pytest.raises(trio.TooSlowError), trio.fail_after(20):
            await trio.Event().wait()

    host.trio_run(main)
    assert host.world.now == 30


def test_a_run_may_wait_for_longer_than_trio_does_at_once(host: Host) -> None:
    """Trio wakes up once a day; nobody notices."""
    host.trio_run(trio.sleep, 1_000_000)
    assert host.world.now == 1_000_000


def test_time_is_the_hosts_own(world: World) -> None:
    """A clock that is fast makes sleeps short."""
    fast = world.host("fast", clock_drift=1.0)
    fast.trio_run(trio.sleep, 10)
    assert world.now == pytest.approx(5)


def test_a_run_waits_until_its_tasks_are_idle(host: Host) -> None:
    """wait_all_tasks_blocked, at once and after a cushion of virtual time."""
    seen: list[str] = []

    async def worker() -> None:
        await trio.sleep(0.5)
        seen.append("worked")
        await trio.sleep(10)

    async def main() -> None:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(worker)
            await trio.testing.wait_all_tasks_blocked()
            seen.append("blocked")
            await trio.testing.wait_all_tasks_blocked(1)
            seen.append("idle")

    host.trio_run(main)
    assert seen == ["blocked", "worked", "idle"]
    assert host.world.now == 10.5


# What can never happen


async def waits_in_vain() -> None:
    """Wait for ever."""
    await trio.sleep_forever()


def test_a_run_that_can_never_go_on_is_a_deadlock(host: Host) -> None:
    """The report names each task of trio and its line."""

    async def main() -> None:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(waits_in_vain)
            nursery.start_soon(trio.Event().wait, name="for an event")

    with pytest.raises(Deadlock) as caught:
        host.trio_run(main)
    (line,) = (line for line in str(caught.value).splitlines() if "'main'" in line)
    assert "waits_in_vain at " in line
    assert line.count("test_trio.py:") == 2
    assert "for an event" in line
    assert "run_sync_soon" not in line


def test_tasks_clean_up_in_a_deadlock(host: Host) -> None:
    """They are cancelled, and may take their time."""
    seen: list[str] = []

    async def main() -> None:
        try:
            await trio.sleep_forever()
        finally:
            with trio.CancelScope(shield=True):
                await trio.sleep(5)
            seen.append("cleaned up")

    with pytest.raises(Deadlock):
        host.trio_run(main)
    assert seen == ["cleaned up"]
    assert host.world.now == 5


def test_a_task_that_will_not_be_cancelled_is_left_where_it_stands(host: Host) -> None:
    """A deadlock within the deadlock ends the run."""

    async def main() -> None:
        with trio.CancelScope(shield=True):
            await trio.sleep_forever()

    with pytest.raises(Deadlock):
        host.trio_run(main)
    host.trio_run(trio.sleep, 1)


def test_a_clock_makes_any_run_of_trio_a_simulated_one(host: Host) -> None:
    """Also one that somebody else starts."""
    trio.run(trio.sleep, 60, clock=host.trio_clock())
    assert host.world.now == 60
    with pytest.raises(Deadlock):
        trio.run(trio.sleep_forever, clock=host.trio_clock())


def test_a_deadlock_cannot_be_swallowed(host: Host) -> None:
    """A main task that makes nothing of being cancelled does not end well."""

    async def main() -> str:
        with trio.CancelScope() as scope:
            try:
                await trio.sleep_forever()
            except BaseException:
                scope.cancel()
        return "fine"

    with pytest.raises(Deadlock):
        host.trio_run(main)


def test_an_error_of_the_world_ends_the_run(host: Host) -> None:
    """What World.after calls, and fails, is told to whoever waits outside all tasks."""

    def fail() -> None:
        raise ZeroDivisionError("by chance")

    host.world.after(2, fail)
    with pytest.raises(ZeroDivisionError, match="by chance"):
        host.trio_run(trio.sleep, 5)
    assert host.world.now == 2


def test_an_error_of_the_program_is_its_own(host: Host) -> None:
    """It comes as from trio.run."""

    async def main() -> None:
        await trio.sleep(1)
        raise ValueError("mine")

    with pytest.raises(ValueError, match="mine"):
        host.trio_run(main)


# Streams


def test_streams_talk_over_a_slow_link(hosts: tuple[Host, Host]) -> None:
    """Each host runs trio, as a task of the world; two round trips pass."""
    server, client = hosts
    task = server.spawn(server.trio_run, serve_one)

    async def main() -> bytes:
        async with await open_stream() as stream:
            await stream.send_all(b"hello")
            return bytes(await stream.receive_some(5))

    assert client.trio_run(main) == b"hello"
    task.result()
    assert 0.2 <= client.world.now < 0.31


def test_two_runs_take_turns_in_one_thread(hosts: tuple[Host, Host]) -> None:
    """The current task, the current time and the library's name are each run's own."""
    seen: list[str] = []

    async def tick(name: str, pause: float) -> None:
        own = trio.lowlevel.current_trio_token()
        for _ in range(5):
            await trio.sleep(pause)
            assert trio.lowlevel.current_trio_token() is own
            assert trio.lowlevel.current_task().name.endswith(".tick")
            assert sniffio.current_async_library() == "trio"
            seen.append(name)

    tasks = [
        host.spawn(host.trio_run, tick, host.name, pause)
        for host, pause in zip(hosts, (0.2, 0.3), strict=True)
    ]
    for task in tasks:
        task.result()
    assert seen.count("server") == seen.count("client") == 5
    assert seen[:3] == ["server", "client", "server"]
    with pytest.raises(RuntimeError, match="must be called from async context"):
        trio.lowlevel.current_task()
    with pytest.raises(sniffio.AsyncLibraryNotFoundError):
        sniffio.current_async_library()


def test_trio_runs_beside_code_that_blocks(hosts: tuple[Host, Host]) -> None:
    """The server is trio's, the client a plain socket."""
    server, client = hosts
    task = server.spawn(server.trio_run, serve_one)
    client.sleep(0.001)
    with client.create_connection(("server", 80)) as sock:
        sock.sendall(b"x" * 100_000)
        sock.shutdown(socket.SHUT_WR)
        assert b"".join(iter(lambda: sock.recv(65536), b"")) == b"x" * 100_000
    task.result()


def test_trio_runs_beside_asyncio(hosts: tuple[Host, Host]) -> None:
    """The server is trio's, the client asyncio's; neither notices the other."""
    server, client = hosts
    task = server.spawn(server.trio_run, serve_one)

    async def main() -> bytes:
        await asyncio.sleep(0.001)
        reader, writer = await asyncio.open_connection("server", 80)
        writer.write(b"hello\n")
        line = await reader.readline()
        writer.close()
        await writer.wait_closed()
        assert sniffio.current_async_library() == "asyncio"
        return line

    loop = client.event_loop()
    assert loop.run_until_complete(main()) == b"hello\n"
    loop.close()
    task.result()


def test_trio_is_a_guest_of_asyncio(hosts: tuple[Host, Host]) -> None:
    """start_guest_run, on a simulated loop: both go on in virtual time."""
    server, client = hosts
    task = server.spawn(server.trio_run, serve_one)

    async def guest() -> bytes:
        await trio.sleep(2)
        async with await open_stream() as stream:
            await stream.send_all(b"hello")
            return bytes(await stream.receive_some())

    async def main() -> bytes:
        loop = asyncio.get_running_loop()
        done: asyncio.Future[Any] = loop.create_future()
        trio.lowlevel.start_guest_run(
            guest,
            run_sync_soon_threadsafe=loop.call_soon_threadsafe,
            done_callback=done.set_result,
            host_uses_signal_set_wakeup_fd=True,
            clock=client.trio_clock(),
        )
        await asyncio.sleep(1)
        assert loop.time() == 1
        result: bytes = (await done).unwrap()
        return result

    loop = client.event_loop()
    assert loop.run_until_complete(main()) == b"hello"
    loop.run_until_complete(loop.shutdown_default_executor())
    loop.close()
    task.result()
    assert 2.2 <= client.world.now < 2.31


def test_a_reset_half_way_breaks_the_stream(hosts: tuple[Host, Host]) -> None:
    """What had arrived is handed over first."""
    server, client = hosts

    async def half(stream: trio.SocketStream) -> None:
        await stream.send_all(b"half")
        await trio.sleep(1)
        stream.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        await stream.aclose()

    async def main() -> None:
        async with await open_stream() as stream:
            assert await stream.receive_some() == b"half"
            with pytest.raises(trio.BrokenResourceError) as caught:
                await stream.receive_some()
            assert isinstance(caught.value.__cause__, ConnectionResetError)

    task = server.spawn(server.trio_run, serve_one, half)
    client.trio_run(main)
    task.result()
    assert 1.1 <= client.world.now < 1.3


def test_a_receive_times_out_in_virtual_time(hosts: tuple[Host, Host]) -> None:
    """And the stream is as good as before: what came meanwhile is not lost."""
    server, client = hosts

    async def late(stream: trio.SocketStream) -> None:
        await trio.sleep(60)
        await stream.send_all(b"late")
        await stream.aclose()

    async def main() -> bytes:
        async with await open_stream() as stream:
            before = trio.current_time()
            with trio.move_on_after(30) as scope:
                await stream.receive_some()
            assert scope.cancelled_caught
            assert trio.current_time() == before + 30
            return bytes(await stream.receive_some())

    task = server.spawn(server.trio_run, serve_one, late)
    assert client.trio_run(main) == b"late"
    task.result()


def test_a_send_that_is_cancelled_has_sent_a_beginning(hosts: tuple[Host, Host]) -> None:
    """Nothing is doubled and nothing is lost in between."""
    server, client = hosts
    data = bytes(range(256)) * 40_000
    received: list[bytes] = []

    async def read(stream: trio.SocketStream) -> None:
        async with stream:
            async for part in stream:
                received.append(bytes(part))

    async def main() -> None:
        async with await open_stream() as stream:
            with trio.move_on_after(10) as scope:
                await stream.send_all(data)
            assert scope.cancelled_caught
            await stream.send_eof()
            # It reads to the end, and closes.
            assert await stream.receive_some() == b""

    task = server.spawn(server.trio_run, serve_one, read, 80, 20)
    client.trio_run(main)
    task.result()
    got = b"".join(received)
    assert 0 < len(got) < len(data)
    assert data.startswith(got)


def test_a_socket_that_is_closed_wakes_who_waits_for_it(hosts: tuple[Host, Host]) -> None:
    """With trio's own error, as notify_closing has it."""
    server, client = hosts

    async def receive(stream: trio.SocketStream) -> None:
        with pytest.raises(trio.ClosedResourceError):
            await stream.receive_some()

    async def main() -> None:
        stream = await open_stream()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(receive, stream)
            await trio.sleep(1)
            await stream.aclose()

    task = server.spawn(server.trio_run, serve_one)
    client.trio_run(main)
    task.result()


def test_two_tasks_may_not_receive_at_once(host: Host) -> None:
    """BusyResourceError, as on the kernel."""

    async def main() -> None:
        left, right = map(wrap, host.socketpair())
        with left, right:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(left.recv, 1)
                await trio.testing.wait_all_tasks_blocked()
                with pytest.raises(trio.BusyResourceError):
                    await left.recv(1)
                nursery.cancel_scope.cancel()

    host.trio_run(main)


def test_a_connection_is_refused(hosts: tuple[Host, Host]) -> None:
    """open_tcp_stream says so with the kernel's error within."""
    _, client = hosts

    async def main() -> None:
        with pytest.raises(OSError, match="all attempts to connect") as caught:
            await trio.open_tcp_stream("server", 81)
        assert isinstance(caught.value.__cause__, ExceptionGroup)
        (attempt,) = caught.value.__cause__.exceptions
        assert isinstance(attempt, ConnectionRefusedError)
        with pytest.raises(socket.gaierror):
            await trio.open_tcp_stream("nobody", 80)

    client.trio_run(main)


def test_happy_eyeballs_take_the_address_that_answers(world: World) -> None:
    """The first one is silent; the second is tried after a quarter of a second."""
    server, client = world.host("server"), world.host("client")
    world.unknown = "silence"
    world.names.add("api", ["203.0.113.1", server])

    async def main() -> float:
        stream = await trio.open_tcp_stream("api", 80)
        await stream.aclose()
        return trio.current_time()

    task = server.spawn(server.trio_run, serve_one)
    client.sleep(0)
    assert client.trio_run(main) == pytest.approx(0.25)
    task.result()


def test_names_take_their_time_and_may_be_given_up(world: World) -> None:
    """A name with a delay does not hold up the other tasks."""
    host = world.host("alone")
    world.names.add("slow", host, delay=3)

    async def main() -> None:
        with trio.move_on_after(1) as scope:
            await trio.socket.getaddrinfo("slow", 80)
        assert scope.cancelled_caught
        assert trio.current_time() == 1
        found = await trio.socket.getaddrinfo("slow", 80, type=socket.SOCK_STREAM)
        assert [address for *_, address in found] == [("10.0.0.1", 80)]
        assert trio.current_time() == 4
        named = await trio.socket.getnameinfo(("10.0.0.1", 80), socket.NI_NUMERICSERV)
        assert named == ("alone", "80")

    host.trio_run(main)


def test_tls_runs_over_a_simulated_connection(hosts: tuple[Host, Host]) -> None:
    """trio.SSLStream, both sides."""
    server, client = hosts
    authority = trustme.CA()
    served = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("server").configure_cert(served)
    trusting = ssl.create_default_context()
    authority.configure_trust(trusting)

    async def secure(stream: trio.SocketStream) -> None:
        await echo(trio.SSLStream(stream, served, server_side=True))

    async def main() -> bytes:
        await trio.sleep(0.001)
        stream = await trio.open_ssl_over_tcp_stream("server", 80, ssl_context=trusting)
        async with stream:
            await stream.send_all(b"secret")
            return bytes(await stream.receive_some())

    task = server.spawn(server.trio_run, serve_one, secure)
    assert client.trio_run(main) == b"secret"
    task.result()


def test_unix_sockets_have_the_hosts_names(host: Host) -> None:
    """A listener by hand, and open_unix_socket."""

    async def serve(listener: Any) -> None:
        sock, _ = await listener.accept()
        await echo(trio.SocketStream(sock))

    async def main() -> bytes:
        with trio.socket.socket(trio.socket.AF_UNIX) as listener:
            await listener.bind("/run/echo")
            listener.listen()
            async with trio.open_nursery() as nursery:
                nursery.start_soon(serve, listener)
                async with await trio.open_unix_socket("/run/echo") as stream:
                    await stream.send_all(b"here")
                    return bytes(await stream.receive_some())

    assert host.trio_run(main) == b"here"


# Every method of a socket


def test_datagrams_go_both_ways(hosts: tuple[Host, Host]) -> None:
    """sendto with a name, recvfrom, recvfrom_into, sendmsg and recvmsg."""
    server, client = hosts

    async def serve() -> None:
        with trio.socket.socket(type=trio.socket.SOCK_DGRAM) as sock:
            await sock.bind(("", 53))
            data, address = await sock.recvfrom(100)
            await sock.sendto(data, 0, address)
            buffer = bytearray(100)
            count, address = await sock.recvfrom_into(buffer)
            await sock.sendmsg([buffer[:count]], [], 0, address)

    async def main() -> None:
        await trio.sleep(0.001)
        with trio.socket.socket(type=trio.socket.SOCK_DGRAM) as sock:
            await sock.sendto(b"one", ("server", 53))
            assert await sock.recvfrom(100) == (b"one", ("10.0.0.1", 53))
            await sock.connect(("server", 53))
            await sock.send(b"two")
            data, _, flags, address = await sock.recvmsg(2)
            assert (data, address) == (b"tw", ("10.0.0.1", 53))
            assert flags & socket.MSG_TRUNC

    task = server.spawn(server.trio_run, serve)
    client.trio_run(main)
    task.result()


def test_a_socket_has_every_method(host: Host) -> None:
    """Those of trio's class that have not been seen above."""

    async def main() -> None:
        left, right = map(wrap, host.socketpair())
        with left, right:
            assert not right.is_readable()
            assert await left.sendmsg([b"ab", b"cd"]) == 4
            assert right.is_readable()
            buffer, other = bytearray(1), bytearray(2)
            assert await right.recv_into(buffer) == 1
            assert (await right.recvmsg_into([other]))[0] == 2
            assert (buffer, other) == (b"a", b"bc")
            twin = left.dup()
            assert isinstance(twin, trio.socket.SocketType)
            await twin.send(b"e")
            twin.close()
            assert await right.recv(10) == b"de"
            await left.wait_writable()
            assert left.family == socket.AF_UNIX
            assert left.type == socket.SOCK_STREAM
            assert left.proto == 0
            assert left.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN) == 0
            left.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 5000)
            assert left.getsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4)[0:2] == b"\x10\x27"
            left.set_inheritable(True)
            assert left.get_inheritable()
            assert left.getsockname() == right.getpeername() == ""
            assert not left.did_shutdown_SHUT_WR
            left.shutdown(socket.SHUT_WR)
            assert left.did_shutdown_SHUT_WR
            assert await right.recv(1) == b""
            assert repr(left).startswith("<trio.socket.socket fd=")
            number = left.detach()
            assert left.fileno() == -1
            host.socket(fileno=number).close()

    host.trio_run(main)


def test_an_error_comes_at_once(host: Host) -> None:
    """accept() on what does not listen does not wait."""

    async def main() -> None:
        with trio.socket.socket() as sock:
            with pytest.raises(OSError, match="Invalid argument") as caught:
                await sock.accept()
            assert caught.value.errno == errno.EINVAL

    host.trio_run(main)


def test_a_connect_that_is_cancelled_closes_its_socket(world: World) -> None:
    """As trio has it: nobody knows what state it is in."""
    host = world.host("alone")
    world.unknown = "silence"

    async def main() -> None:
        with trio.socket.socket() as sock:
            with trio.move_on_after(1):
                await sock.connect(("203.0.113.1", 80))
            assert sock.fileno() == -1

    host.trio_run(main)
    assert world.now == 1


# trio's own conformance checks

MAKERS = ("unix", "loopback", "segments", "link")


def pair_of(kind: str, world: World) -> tuple[Any, Any]:
    """Two sockets that are connected."""
    first = world.hosts["alone"]
    if kind == "unix":
        return first.socketpair()
    second = world.hosts["other"] if kind == "link" else first
    with second.create_server(("", 0)) as listener:
        left = first.create_connection((second.name, listener.getsockname()[1]))
        right, _ = listener.accept()
    return left, right


@pytest.mark.parametrize("kind", MAKERS)
@pytest.mark.parametrize(
    "check", [trio.testing.check_two_way_stream, trio.testing.check_half_closeable_stream]
)
def test_streams_keep_trios_contract(check: Callable[..., Awaitable[None]], kind: str) -> None:
    """Both directions, and with streams that are clogged at first."""
    with World(shortcut=kind != "segments") as world:
        host, other = world.host("alone"), world.host("other")
        world.link(host, other, latency=0.01, bandwidth=100_000_000)

        async def make() -> tuple[trio.SocketStream, trio.SocketStream]:
            left, right = pair_of(kind, world)
            return trio.SocketStream(wrap(left)), trio.SocketStream(wrap(right))

        async def make_clogged() -> tuple[trio.SocketStream, trio.SocketStream]:
            left, right = pair_of(kind, world)
            for sock in (left, right):
                sock.setblocking(False)
                clog(sock, host)
            return trio.SocketStream(wrap(left)), trio.SocketStream(wrap(right))

        host.trio_run(check, make, make_clogged)
        assert list(world.leftovers()) == []


def clog(sock: Any, host: Host) -> None:
    """Send until nothing more goes, also after what was sent has arrived."""
    try:
        while True:
            sock.send(bytes(65536))
    except BlockingIOError:
        host.sleep(1)
    try:
        sock.send(b"x")
    except BlockingIOError:
        return
    clog(sock, host)


# Threads


def test_a_worker_thread_is_a_task_of_the_world(hosts: tuple[Host, Host]) -> None:
    """It may block in virtual time, while the other tasks go on."""
    server, client = hosts
    task = server.spawn(server.trio_run, serve_one)
    ticks: list[float] = []

    def blocking() -> bytes:
        client.sleep(1)
        with client.create_connection(("server", 80)) as sock:
            sock.sendall(b"from a thread")
            return bytes(sock.recv(100))

    async def tick() -> None:
        while True:
            ticks.append(trio.current_time())
            await trio.sleep(0.5)

    async def main() -> bytes:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(tick)
            data = await trio.to_thread.run_sync(blocking)
            nursery.cancel_scope.cancel()
        return data

    assert client.trio_run(main) == b"from a thread"
    task.result()
    assert ticks[:3] == [0, 0.5, 1]


def test_a_worker_thread_calls_back_into_trio(host: Host) -> None:
    """from_thread.run and run_sync, in virtual time; errors pass both ways."""

    async def slowly(value: int) -> int:
        await trio.sleep(value)
        return value

    def work() -> list[Any]:
        with pytest.raises(ZeroDivisionError):
            trio.from_thread.run_sync(divmod, 1, 0)
        trio.from_thread.check_cancelled()
        return [trio.from_thread.run(slowly, 3), trio.from_thread.run_sync(trio.current_time)]

    async def main() -> list[Any]:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(trio.sleep, 1)
            return await trio.to_thread.run_sync(work)

    assert host.trio_run(main) == [3, 3.0]


def test_a_worker_thread_has_a_name(host: Host) -> None:
    """Reports name it; trio says in it who started it."""

    first, second = host.socketpair()

    def in_vain() -> None:
        first.recv(1)

    async def main() -> None:
        await trio.to_thread.run_sync(in_vain, thread_name="a worker")

    with pytest.raises(Deadlock, match="'a worker' on host 'alone': recv"):
        host.trio_run(main)
    # A worker cannot be cancelled: it is still there.
    assert "a worker" in str(host.world.leftovers())
    second.send(b"x")
    host.world.run()
    first.close()
    second.close()


def test_worker_threads_know_each_their_own_caller(host: Host) -> None:
    """What trio keeps for a thread is each worker's own."""

    def work(pause: float) -> str:
        host.sleep(pause)
        return trio.from_thread.run_sync(lambda: trio.lowlevel.current_task().name)

    async def ask(names: dict[float, str], pause: float) -> None:
        names[pause] = await trio.to_thread.run_sync(work, pause)

    async def main() -> dict[float, str]:
        names: dict[float, str] = {}
        async with trio.open_nursery() as nursery:
            for pause in (0.3, 0.1, 0.2):
                nursery.start_soon(ask, names, pause, name=f"asks after {pause}")
        return names

    assert host.trio_run(main) == {pause: f"asks after {pause}" for pause in (0.1, 0.2, 0.3)}


def test_a_worker_thread_is_told_of_cancellation(host: Host) -> None:
    """check_cancelled, and abandon_on_cancel."""
    ended: list[float] = []

    def work() -> None:
        while True:
            host.sleep(1)
            trio.from_thread.check_cancelled()

    def abandoned() -> None:
        host.sleep(100)
        ended.append(host.world.now)

    async def main() -> None:
        with trio.move_on_after(2.5):
            await trio.to_thread.run_sync(work)
        assert trio.current_time() == 3
        with trio.move_on_after(1):
            await trio.to_thread.run_sync(abandoned, abandon_on_cancel=True)
        assert trio.current_time() == 4

    host.trio_run(main)
    assert not ended
    host.world.run()
    assert ended == [103]


def test_the_number_of_worker_threads_is_limited(host: Host) -> None:
    """By trio's own limiter."""

    async def main() -> float:
        limiter = trio.CapacityLimiter(2)
        async with trio.open_nursery() as nursery:
            for _ in range(4):
                nursery.start_soon(lambda: trio.to_thread.run_sync(host.sleep, 1, limiter=limiter))
        return trio.current_time()

    assert host.trio_run(main) == 2


def test_other_tasks_of_the_world_call_into_trio(hosts: tuple[Host, Host]) -> None:
    """run_sync_soon and from_thread, with the token of the run."""
    other, host = hosts
    seen: list[Any] = []
    token: list[trio.lowlevel.TrioToken] = []

    def call() -> None:
        other.sleep(5)
        token[0].run_sync_soon(seen.append, "soon")
        other.sleep(5)
        seen.append(trio.from_thread.run(waits, trio_token=token[0]))

    async def waits() -> float:
        await trio.sleep(5)
        event.set()
        return trio.current_time()

    async def main() -> None:
        token.append(trio.lowlevel.current_trio_token())
        await event.wait()

    event = trio.Event()
    task = other.spawn(call)
    host.trio_run(main)
    task.result()
    assert seen == ["soon", 15.0]


def test_a_real_thread_may_not_call_into_a_simulated_run(host: Host) -> None:
    """It is told so, and trio goes on."""
    told: list[BaseException] = []

    def call(token: trio.lowlevel.TrioToken) -> None:
        try:
            token.run_sync_soon(print)
        except ForeignThread as error:
            told.append(error)

    async def main() -> None:
        thread = threading.Thread(target=call, args=[trio.lowlevel.current_trio_token()])
        thread.start()
        thread.join()
        await trio.sleep(1)

    host.trio_run(main)
    assert len(told) == 1


# Refused


def test_processes_are_refused(host: Host) -> None:
    """run_process and open_process say why."""

    async def main() -> None:
        with pytest.raises(Unsupported, match="subprocess would run in the real system"):
            await trio.run_process(["true"])
        with pytest.raises(Unsupported, match="subprocess would run in the real system"):
            await trio.lowlevel.open_process(["cat"], stdin=subprocess.PIPE)

    host.trio_run(main)


def test_waiting_for_a_real_descriptor_is_refused(host: Host) -> None:
    """The error says what to do instead."""

    async def main() -> None:
        left, right = trio.socket.socketpair()
        with left, right:
            with pytest.raises(Unsupported, match="wrap"):
                await left.recv(1)
        with pytest.raises(Unsupported, match="0 belongs to the real system"):
            await trio.lowlevel.wait_readable(0)

    host.trio_run(main)


def test_a_host_that_is_down_runs_nothing(host: Host) -> None:
    """Restart it first."""
    host.world.crash(host)
    with pytest.raises(trio.TrioInternalError) as caught:
        host.trio_run(trio.sleep, 1)
    assert isinstance(caught.value.__cause__, SimnetError)


# Ends


def test_a_crash_ends_the_run_of_its_host(hosts: tuple[Host, Host]) -> None:
    """Its tasks get to their finally clauses, but may not wait there; the world goes on."""
    server, client = hosts
    seen: list[str] = []

    async def serve() -> None:
        try:
            await trio.serve_tcp(echo, 80)
        finally:
            seen.append("finally")
            with trio.CancelScope(shield=True):
                await trio.sleep(1)
            seen.append("waited")

    task = server.spawn(server.trio_run, serve)
    client.sleep(1)
    client.world.crash(server)
    client.world.run()
    assert task.done
    assert seen == ["finally"]


def test_a_world_that_is_closed_ends_its_runs() -> None:
    """Without a word; each task of trio cleans up."""
    seen: list[str] = []

    async def serve() -> None:
        try:
            await trio.serve_tcp(echo, 80)
        finally:
            seen.append("ended")

    with World() as world:
        host = world.host("alone")
        host.spawn(host.trio_run, serve)
        host.sleep(1)
    assert seen == ["ended"]
    assert list(world.leftovers()) == []


def test_generators_are_closed_at_the_end_of_their_own_run(hosts: tuple[Host, Host]) -> None:
    """The hooks for asynchronous generators are each run's own."""
    seen: list[tuple[str, str]] = []

    async def numbers(name: str) -> AsyncGenerator[int, None]:
        try:
            for number in range(10):
                yield number
                await trio.sleep(1)
        finally:
            seen.append((name, trio.lowlevel.current_task().name))

    async def main(name: str) -> None:
        generator = numbers(name)
        assert await generator.__anext__() == 0
        await trio.sleep(2)
        kept.append(generator)

    kept: list[Any] = []
    tasks = [host.spawn(host.trio_run, main, host.name) for host in hosts]
    for task in tasks:
        task.result()
    assert sorted(name for name, _ in seen) == ["client", "server"]


# Ctrl-C


def test_an_interrupt_reaches_the_main_task(host: Host) -> None:
    """KeyboardInterrupt comes out of the run, and the handler is as before."""
    before = signal.getsignal(signal.SIGINT)

    async def main() -> None:
        await trio.sleep(1)
        signal.raise_signal(signal.SIGINT)
        await trio.sleep(1)

    with pytest.raises(KeyboardInterrupt):
        host.trio_run(main)
    assert signal.getsignal(signal.SIGINT) is before
    assert host.world.now == 1


def test_an_interrupt_in_the_midst_of_trio_waits_for_a_checkpoint(host: Host) -> None:
    """Protected code is not torn, and a run that waits is woken."""
    seen: list[str] = []

    @trio.lowlevel.enable_ki_protection
    def protected() -> None:
        signal.raise_signal(signal.SIGINT)
        seen.append("whole")

    async def main() -> None:
        protected()
        seen.append("not yet")
        await trio.sleep_forever()

    with pytest.raises(KeyboardInterrupt):
        host.trio_run(main)
    assert seen == ["whole", "not yet"]


def test_an_interrupt_in_another_task_ends_the_run_that_waits_for_it(
    hosts: tuple[Host, Host],
) -> None:
    """The tasks of trio clean up."""
    other, host = hosts
    seen: list[str] = []

    def interrupted() -> None:
        other.sleep(1)
        signal.raise_signal(signal.SIGINT)

    async def main() -> None:
        try:
            await trio.sleep(10)
        finally:
            seen.append("cleaned up")

    other.spawn(interrupted)
    with pytest.raises(KeyboardInterrupt):
        host.trio_run(main)
    assert seen == ["cleaned up"]


# Other runs of trio


def test_real_runs_of_trio_are_left_alone(host: Host) -> None:
    """At the same time in another thread, and afterwards in this one."""

    async def real() -> str:
        left, right = trio.socket.socketpair()
        with left, right:
            await left.send(b"x")
            assert await right.recv(1) == b"x"
        before = time.monotonic()
        await trio.sleep(0.01)
        assert time.monotonic() - before >= 0.01
        await trio.run_process(["true"])
        return await trio.to_thread.run_sync(
            lambda: trio.from_thread.run_sync(threading.current_thread().name.upper)
        )

    async def main() -> None:
        thread = threading.Thread(target=lambda: names.append(trio.run(real)))
        thread.start()
        thread.join()
        await trio.sleep(1)

    names: list[str] = []
    seams = dict(vars(trio_run_module))
    host.trio_run(main)
    names.append(trio.run(real))
    assert len(names) == 2
    assert all("TRIO" in name or "RUN_SYNC" in name for name in names)
    assert dict(vars(trio_run_module)) == seams


# Who goes first


def order(seed: int) -> list[int]:
    """The order in which tasks run that are ready together."""
    seen: list[int] = []

    async def step(number: int) -> None:
        for _ in range(5):
            await trio.lowlevel.checkpoint()
            seen.append(number)

    async def main() -> None:
        async with trio.open_nursery() as nursery:
            for number in range(5):
                nursery.start_soon(step, number)

    with World(seed=seed) as world:
        world.host("alone").trio_run(main)
    return seen


def test_the_seed_decides_who_goes_first() -> None:
    """The same seed gives the same order, another one another."""
    assert order(1) == order(1)
    assert len({tuple(order(seed)) for seed in range(5)}) == 5
