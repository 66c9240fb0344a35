"""asyncio on simulated hosts: its own loop, streams, transports and calls, in virtual time."""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextvars
import gc
import math
import signal
import socket
import ssl
import sys
import threading
import traceback
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from typing import Any, TypeVar

import pytest
import trustme

from simnet import alarms, threads
from simnet.aio import base_events
from simnet.errors import Deadlock, NoCurrentHost, Unsupported
from simnet.host import Host
from simnet.world import World

T = TypeVar("T")


def run(host: Host, main: Callable[[], Coroutine[Any, Any, T]]) -> T:
    """As asyncio.run, on a host."""
    loop = host.event_loop()
    try:
        return loop.run_until_complete(main())
    finally:
        loop.run_until_complete(_cancel_the_rest())
        loop.run_until_complete(loop.shutdown_asyncgens())
        loop.run_until_complete(loop.shutdown_default_executor())
        loop.close()


async def _cancel_the_rest() -> None:
    others = asyncio.all_tasks() - {asyncio.current_task()}
    for task in others:
        task.cancel()
    await asyncio.gather(*others, return_exceptions=True)


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
    """Two hosts, 50 ms apart."""
    server, client = world.host("server"), world.host("client")
    world.link(server, client, latency=0.05)
    return server, client


async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Send back what comes, until it ends."""
    while data := await reader.read(1000):
        writer.write(data)
        await writer.drain()
    writer.close()
    await writer.wait_closed()


async def serve_one(port: int = 80) -> None:
    """Serve one connection."""
    served = asyncio.Event()

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await echo(reader, writer)
        served.set()

    async with await asyncio.start_server(handle, "", port):
        await served.wait()


# Time


def test_an_hour_passes_at_once(host: Host) -> None:
    """asyncio.sleep waits in virtual time."""

    async def main() -> float:
        loop = asyncio.get_running_loop()
        before = loop.time()
        await asyncio.sleep(3600)
        return loop.time() - before

    assert 3600 <= run(host, main) < 3600.01


def test_a_timeout_strikes_in_virtual_time(host: Host) -> None:
    """asyncio.wait_for, on something that never comes."""

    async def main() -> None:
        with pytest.raises(asyncio.TimeoutError):
            await asyncio.wait_for(asyncio.Event().wait(), 600)

    run(host, main)
    assert 600 <= host.world.now < 600.01


def test_timers_fire_in_their_order(host: Host) -> None:
    """call_later and call_at, and call_soon before them."""
    seen: list[str] = []

    async def main() -> None:
        loop = asyncio.get_running_loop()
        loop.call_later(0.2, seen.append, "second")
        loop.call_at(loop.time() + 0.1, seen.append, "first")
        loop.call_soon(seen.append, "soon")
        await asyncio.sleep(0.3)

    run(host, main)
    assert seen == ["soon", "first", "second"]


def test_names_of_tasks_count_from_the_beginning_in_each_world() -> None:
    """A name that was given stays."""

    async def name() -> str:
        task = asyncio.current_task()
        assert task is not None
        return task.get_name()

    async def names() -> list[str]:
        tasks = [asyncio.create_task(name()), asyncio.create_task(name(), name="mine")]
        return [await name(), *await asyncio.gather(*tasks)]

    for _ in range(2):
        with World() as world:
            assert run(world.host("alone"), names) == ["Task-1", "Task-2", "mine"]


def test_a_loop_that_can_never_go_on_is_a_deadlock(host: Host) -> None:
    """The loop waits for nothing that could happen; the report names its call."""
    loop = host.event_loop()
    with pytest.raises(Deadlock, match="epoll"):
        loop.run_until_complete(asyncio.Event().wait())
    loop.run_until_complete(_cancel_the_rest())
    loop.close()


def test_to_sleep_for_ever_is_a_deadlock(host: Host) -> None:
    """Nothing can come of a timer that never fires, and it may be cancelled."""
    loop = host.event_loop()
    with pytest.raises(Deadlock):
        loop.run_until_complete(asyncio.sleep(math.inf))
    loop.run_until_complete(_cancel_the_rest())
    loop.close()
    assert host.world.now == 0


# Streams and transports


def test_streams_talk_over_a_link(hosts: tuple[Host, Host]) -> None:
    """Each host runs a loop of its own, as a task of the world."""
    server, client = hosts
    task = server.spawn(run, server, serve_one)

    async def main() -> bytes:
        await asyncio.sleep(0.001)
        reader, writer = await asyncio.open_connection("server", 80)
        writer.write(b"hello")
        data = await reader.readexactly(5)
        writer.close()
        await writer.wait_closed()
        return data

    assert run(client, main) == b"hello"
    task.result()
    # The handshake takes one round trip, and the answer another.
    assert client.world.now >= 0.2


def test_two_loops_take_turns_in_one_thread(hosts: tuple[Host, Host]) -> None:
    """The running loop is each task's own, and so is the current task."""
    seen: list[tuple[str, bool]] = []

    def body(host: Host, pause: float) -> None:
        async def main() -> None:
            for _ in range(5):
                await asyncio.sleep(pause)
                loop = asyncio.get_running_loop()
                current = asyncio.current_task()
                assert current is not None
                seen.append((host.name, f"host {host.name!r}" in repr(loop)))

        run(host, main)

    tasks = [host.spawn(body, host, pause) for host, pause in zip(hosts, (0.2, 0.3), strict=True)]
    for task in tasks:
        task.result()
    assert {name for name, _ in seen} == {"server", "client"}
    assert all(own for _, own in seen)
    with pytest.raises(RuntimeError, match="no running event loop"):
        asyncio.get_running_loop()


def test_a_loop_runs_beside_blocking_code(hosts: tuple[Host, Host]) -> None:
    """The server is asyncio's, the client a plain socket."""
    server, client = hosts
    task = server.spawn(run, server, serve_one)
    client.sleep(0.001)
    with client.create_connection(("server", 80)) as sock:
        sock.sendall(b"x" * 100_000)
        sock.shutdown(socket.SHUT_WR)
        assert b"".join(iter(lambda: sock.recv(65536), b"")) == b"x" * 100_000
    task.result()


def test_datagram_endpoints_exchange_datagrams(hosts: tuple[Host, Host]) -> None:
    """create_datagram_endpoint, bound and connected."""
    server, client = hosts

    class Echo(asyncio.DatagramProtocol):
        def connection_made(self, transport: Any) -> None:
            self.transport = transport

        def datagram_received(self, data: bytes, addr: Any) -> None:
            self.transport.sendto(data.upper(), addr)

    async def serve() -> None:
        loop = asyncio.get_running_loop()
        transport, _ = await loop.create_datagram_endpoint(Echo, local_addr=("0.0.0.0", 53))
        await asyncio.sleep(1)
        transport.close()

    async def ask() -> bytes:
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[bytes] = loop.create_future()

        class Client(asyncio.DatagramProtocol):
            def datagram_received(self, data: bytes, addr: Any) -> None:
                answer.set_result(data)

        transport, _ = await loop.create_datagram_endpoint(Client, remote_addr=("server", 53))
        transport.sendto(b"question")
        try:
            return await answer
        finally:
            transport.close()

    task = server.spawn(run, server, serve)
    client.sleep(0.01)
    assert run(client, ask) == b"QUESTION"
    task.result()


def test_unix_servers_take_names_of_the_host(host: Host) -> None:
    """start_unix_server binds a simulated name, also over one that was left behind."""

    async def main() -> list[bytes]:
        answers = []
        for _ in range(2):
            server = await asyncio.start_unix_server(echo, "/run/service")
            reader, writer = await asyncio.open_unix_connection("/run/service")
            writer.write(b"hello")
            answers.append(await reader.readexactly(5))
            writer.close()
            await writer.wait_closed()
            server.close()
            await server.wait_closed()
        return answers

    assert run(host, main) == [b"hello", b"hello"]


def test_plain_sockets_work_in_a_loop(host: Host) -> None:
    """sock_connect, sock_accept, sock_sendall, sock_recv and sock_recv_into."""

    async def main() -> bytes:
        loop = asyncio.get_running_loop()
        with host.create_server(("127.0.0.1", 0)) as listener, host.socket() as client:
            listener.setblocking(False)
            client.setblocking(False)
            accepting = asyncio.ensure_future(loop.sock_accept(listener))
            await loop.sock_connect(client, listener.getsockname())
            server, _ = await accepting
            with server:
                await loop.sock_sendall(client, b"hello")
                buffer = bytearray(5)
                await loop.sock_recv_into(server, buffer)
                await loop.sock_sendall(server, bytes(buffer).upper())
                return await loop.sock_recv(client, 100)

    assert run(host, main) == b"HELLO"


def test_a_file_is_sent_over_a_transport(host: Host, tmp_path: Any) -> None:
    """loop.sendfile, from a real file."""
    path = tmp_path / "data"
    path.write_bytes(b"0123456789" * 10_000)

    async def main() -> bytes:
        received: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()

        async def take(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            received.set_result(await reader.read(-1))
            writer.close()

        async with await asyncio.start_server(take, "127.0.0.1", 8000):
            _, writer = await asyncio.open_connection("127.0.0.1", 8000)
            with path.open("rb") as file:
                await asyncio.get_running_loop().sendfile(writer.transport, file)
            writer.close()
            await writer.wait_closed()
            return await received

    assert run(host, main) == path.read_bytes()


def test_a_refused_connection_raises(host: Host) -> None:
    """ConnectionRefusedError from create_connection."""

    async def main() -> None:
        with pytest.raises(ConnectionRefusedError):
            await asyncio.open_connection("127.0.0.1", 1)

    run(host, main)


def test_a_reset_reaches_the_reader(hosts: tuple[Host, Host]) -> None:
    """ConnectionResetError half-way through a transfer."""
    server, client = hosts

    def abort() -> None:
        with server.create_server(("", 80)) as listener:
            conn, _ = listener.accept()
            conn.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
            conn.recv(3)
            conn.close()

    task = server.spawn(abort)

    async def main() -> None:
        await asyncio.sleep(0.01)
        reader, writer = await asyncio.open_connection("server", 80)
        writer.write(b"hello")
        with pytest.raises(ConnectionResetError):
            await reader.readexactly(10)
        writer.close()

    run(client, main)
    task.result()


def contexts() -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """TLS for the server "server", and for clients that trust it."""
    authority = trustme.CA()
    for_server = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("server").configure_cert(for_server)
    for_client = ssl.create_default_context()
    authority.configure_trust(for_client)
    return for_server, for_client


def test_tls_runs_over_simulated_transports(hosts: tuple[Host, Host]) -> None:
    """From the start of a connection."""
    server, client = hosts
    for_server, for_client = contexts()

    async def serve() -> None:
        async with await asyncio.start_server(echo, "", 443, ssl=for_server):
            await asyncio.sleep(10)

    async def ask() -> tuple[bytes, str]:
        await asyncio.sleep(0.01)
        reader, writer = await asyncio.open_connection("server", 443, ssl=for_client)
        writer.write(b"secret")
        answer = await reader.readexactly(6)
        version = writer.get_extra_info("ssl_object").version()
        writer.close()
        await writer.wait_closed()
        return answer, version

    task = server.spawn(run, server, serve)
    assert run(client, ask) == (b"secret", "TLSv1.3")
    task.result()


class Lines(asyncio.Protocol):
    """Keeps what it receives."""

    def __init__(self) -> None:
        self.transport: Any = None
        self.lines: asyncio.Queue[bytes] = asyncio.Queue()

    def connection_made(self, transport: Any) -> None:
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        self.lines.put_nowait(data)


def test_a_connection_may_go_on_in_tls(hosts: tuple[Host, Host]) -> None:
    """start_tls on both sides, after a word in the clear."""
    server, client = hosts
    for_server, for_client = contexts()

    async def serve() -> None:
        loop = asyncio.get_running_loop()
        protocol = Lines()
        listening = await loop.create_server(lambda: protocol, "", 25)
        assert await protocol.lines.get() == b"STARTTLS"
        protocol.transport.write(b"go on")
        secured = await loop.start_tls(protocol.transport, protocol, for_server, server_side=True)
        assert secured is not None
        secured.write((await protocol.lines.get()).upper())
        await asyncio.sleep(1)
        secured.close()
        listening.close()

    async def ask() -> bytes:
        await asyncio.sleep(0.01)
        loop = asyncio.get_running_loop()
        transport, protocol = await loop.create_connection(Lines, "server", 25)
        transport.write(b"STARTTLS")
        assert await protocol.lines.get() == b"go on"
        secured = await loop.start_tls(transport, protocol, for_client, server_hostname="server")
        assert secured is not None
        secured.write(b"hello")
        answer = await protocol.lines.get()
        secured.close()
        await asyncio.sleep(1)
        return answer

    task = server.spawn(run, server, serve)
    assert run(client, ask) == b"HELLO"
    task.result()


def test_a_certificate_for_another_name_is_refused(hosts: tuple[Host, Host]) -> None:
    """The client checks whom it speaks with, as ever."""
    server, client = hosts
    for_server, for_client = contexts()

    async def serve() -> None:
        async with await asyncio.start_server(echo, "", 443, ssl=for_server):
            await asyncio.sleep(10)

    async def ask() -> None:
        await asyncio.sleep(0.01)
        with pytest.raises(ssl.SSLCertVerificationError, match="mismatch"):
            await asyncio.open_connection(
                "server", 443, ssl=for_client, server_hostname="elsewhere"
            )

    task = server.spawn(run, server, serve)
    run(client, ask)
    task.result()


# Watching descriptors


def test_readers_and_writers_are_called_on_the_host(host: Host) -> None:
    """add_reader and add_writer, from outside every host; the callback may make sockets."""
    loop = host.event_loop()
    a, b = host.socketpair()
    with a, b:
        a.setblocking(False)
        seen: list[bytes] = []
        done = loop.create_future()

        def readable() -> None:
            seen.append(a.recv(100))
            loop.remove_reader(a)
            loop.add_writer(a, writable)

        def writable() -> None:
            a.send(b"answer")
            loop.remove_writer(a)
            done.set_result(None)

        loop.add_reader(a, readable)
        loop.call_soon(b.send, b"question")
        loop.run_until_complete(done)
        assert seen == [b"question"]
        assert b.recv(100) == b"answer"
    loop.close()


# Names, executors, threads


def test_names_are_looked_up_in_the_world(hosts: tuple[Host, Host]) -> None:
    """getaddrinfo and getnameinfo of the loop."""
    server, client = hosts

    async def main() -> tuple[Any, Any]:
        loop = asyncio.get_running_loop()
        found = await loop.getaddrinfo("server", 80, type=socket.SOCK_STREAM)
        return found[0][4], await loop.getnameinfo((server.addresses[0], 80))

    assert run(client, main) == ((server.addresses[0], 80), ("server", "http"))


def test_what_would_go_to_a_thread_is_a_task_of_the_host(hosts: tuple[Host, Host]) -> None:
    """It may block in virtual time, and the loop goes on meanwhile."""
    _, client = hosts

    def blocking(seconds: float) -> str:
        client.sleep(seconds)
        return client.gethostname()

    async def main() -> tuple[str, str, float]:
        loop = asyncio.get_running_loop()
        in_executor = loop.run_in_executor(None, blocking, 10)
        in_thread = asyncio.ensure_future(asyncio.to_thread(blocking, 5))
        await asyncio.sleep(1)
        meanwhile = loop.time()
        return await in_executor, await in_thread, meanwhile

    one, two, meanwhile = run(client, main)
    assert one == two == "client"
    assert meanwhile < 2
    assert client.world.now >= 10


def test_an_exception_comes_back_from_an_executor(host: Host) -> None:
    """As from a thread pool."""

    async def main() -> None:
        with pytest.raises(ZeroDivisionError):
            await asyncio.get_running_loop().run_in_executor(None, lambda: 1 // 0)

    run(host, main)


def test_a_simulated_pool_may_be_named(host: Host) -> None:
    """In place of the default one, or for one call."""
    with host, threads.futures.ThreadPoolExecutor() as pool:

        async def main() -> tuple[int, int]:
            loop = asyncio.get_running_loop()
            loop.set_default_executor(pool)
            named = await loop.run_in_executor(pool, lambda: 42)
            return named, await loop.run_in_executor(None, lambda: 43)

        assert run(host, main) == (42, 43)


def test_another_task_may_call_a_loop(host: Host) -> None:
    """call_soon_threadsafe wakes a loop that waits."""
    loop = host.event_loop()
    woken = loop.create_future()

    def later() -> None:
        host.sleep(7)
        loop.call_soon_threadsafe(woken.set_result, "woken")

    host.spawn(later)
    assert loop.run_until_complete(woken) == "woken"
    assert 7 <= host.world.now < 7.01
    loop.close()


def test_contexts_are_kept(host: Host) -> None:
    """A context variable of the caller is seen by callbacks and tasks."""
    variable: contextvars.ContextVar[str] = contextvars.ContextVar("variable", default="unset")

    async def main() -> str:
        return variable.get()

    token = variable.set("set outside")
    try:
        assert run(host, main) == "set outside"
    finally:
        variable.reset(token)
    context = contextvars.copy_context()
    context.run(variable.set, "of its own")
    loop = host.event_loop()
    seen: list[tuple[str, str]] = []
    loop.call_soon(lambda: seen.append((variable.get(), host.gethostname())), context=context)
    loop.call_later(0.1, loop.stop)
    loop.run_forever()
    loop.close()
    assert seen == [("of its own", "alone")]


def test_asynchronous_generators_end_with_their_loop(host: Host) -> None:
    """The hooks of the thread are the loop's while it runs, and given back."""
    before = sys.get_asyncgen_hooks()
    ended: list[bool] = []

    async def numbers() -> AsyncIterator[int]:
        try:
            yield 1
            yield 2
        finally:
            ended.append(True)

    async def main() -> None:
        async for _ in numbers():
            await asyncio.sleep(1)
            break

    run(host, main)
    assert ended == [True]
    assert sys.get_asyncgen_hooks() == before


def test_a_task_of_a_loop_of_the_programs_own_goes_into_sets(host: Host) -> None:
    """It is numbered as those of simulated loops are."""

    async def nothing() -> None:
        pass

    coroutine = nothing()
    loop = base_events.BaseEventLoop()
    made = loop.create_task(coroutine)
    assert made in {made}
    assert hash(made) < 1000
    made._log_destroy_pending = False
    coroutine.close()
    loop.close()


def test_in_debug_mode_a_handle_says_who_made_it(host: Host) -> None:
    """The line of the program, as asyncio has it: not one of the simulator's."""
    loop = host.event_loop()
    loop.set_debug(True)
    made = (
        loop.call_soon(print),
        loop.call_later(1, print),
        loop.call_at(1, print),
        loop.call_soon_threadsafe(print),
    )
    here = traceback.extract_stack()[-1]
    for handle in made:
        last = handle._source_traceback[-1]  # type: ignore[attr-defined]
        assert (last.filename, last.name) == (here.filename, here.name)
    loop.close()


# Signals


def test_a_loop_hears_an_alarm_in_virtual_time(host: Host) -> None:
    """Again and again, until its handler is removed; then the old one is back."""
    heard: list[float] = []
    before = signal.getsignal(signal.SIGALRM)

    async def main() -> None:
        loop = asyncio.get_running_loop()
        loop.add_signal_handler(signal.SIGALRM, lambda: heard.append(loop.time()))
        alarms.setitimer(signal.ITIMER_REAL, 60, 30)
        await asyncio.sleep(100)
        alarms.setitimer(signal.ITIMER_REAL, 0)
        assert loop.remove_signal_handler(signal.SIGALRM)
        assert not loop.remove_signal_handler(signal.SIGALRM)

    try:
        run(host, main)
    finally:
        signal.signal(signal.SIGALRM, before)
    assert heard == [60, 90]


def test_a_loop_of_a_task_hears_a_signal_that_the_program_sends(host: Host) -> None:
    """Through the descriptor that it is woken by."""
    before = signal.getsignal(signal.SIGUSR1)

    async def main() -> float:
        loop = asyncio.get_running_loop()
        heard = asyncio.Event()
        loop.add_signal_handler(signal.SIGUSR1, heard.set)
        loop.call_later(5, signal.raise_signal, signal.SIGUSR1)
        await asyncio.wait_for(heard.wait(), 3600)
        return loop.time()

    try:
        assert host.spawn(run, host, main).result() == 5
    finally:
        signal.signal(signal.SIGUSR1, before)


# What is refused


def test_what_would_reach_the_real_system_is_refused(host: Host) -> None:
    """Subprocesses, pipes, real threads: each says why."""
    before = set(threading.enumerate())

    async def main() -> None:
        loop = asyncio.get_running_loop()
        with pytest.raises(Unsupported, match="subprocess"):
            await asyncio.create_subprocess_exec("true")
        with pytest.raises(Unsupported, match="subprocess"):
            await asyncio.create_subprocess_shell("true")
        with pytest.raises(Unsupported, match="socketpair"):
            await loop.connect_read_pipe(asyncio.Protocol, None)
        with pytest.raises(Unsupported, match="socketpair"):
            await loop.connect_write_pipe(asyncio.BaseProtocol, None)
        with concurrent.futures.ThreadPoolExecutor(1) as pool:
            with pytest.raises(Unsupported, match="ThreadPoolExecutor"):
                await loop.run_in_executor(pool, print)
            with pytest.raises(Unsupported, match="pass None"):
                loop.set_default_executor(pool)

    run(host, main)
    assert set(threading.enumerate()) <= before


# Ended from outside


@pytest.mark.parametrize("crash", [False, True], ids=["the world closes", "the host crashes"])
def test_a_loop_that_is_ended_complains_of_nothing(
    crash: bool, host: Host, caplog: pytest.LogCaptureFixture, recwarn: pytest.WarningsRecorder
) -> None:
    """Its tasks and transports end where they stand, and what they try last goes nowhere."""
    ended: list[str] = []

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await reader.read()
        except BaseException as exc:
            ended.append(type(exc).__name__)
            writer.write(b"farewell")
            await writer.drain()

    async def serve() -> None:
        asyncio.get_running_loop().add_signal_handler(signal.SIGUSR1, ended.append, "by a signal")
        async with await asyncio.start_server(answer, "", 80) as server:
            await server.serve_forever()

    def body(server: Host) -> None:
        try:
            run(server, serve)
        except Exception as exc:
            ended.append(repr(exc))

    with World() as world:
        server, client = world.host("server"), world.host("client")
        server.spawn(body, server)
        client.sleep(1)
        with client.create_connection(("server", 80)) as conn:
            client.sleep(1)
            if crash:
                world.crash("server")
                assert world.leftovers(server) == []
                conn.settimeout(1)
                with pytest.raises(TimeoutError):
                    conn.recv(1)
            else:
                world.close()
    gc.collect()
    assert ended == ["GeneratorExit"]
    assert signal.getsignal(signal.SIGUSR1) == signal.SIG_DFL
    assert caplog.records == []
    assert [str(each.message) for each in recwarn] == []


@pytest.mark.parametrize("in_a_task", [False, True], ids=["in a callback", "in a coroutine"])
def test_a_loop_may_be_ended_in_the_middle_of_a_callback(
    in_a_task: bool, caplog: pytest.LogCaptureFixture, recwarn: pytest.WarningsRecorder
) -> None:
    """What finds nothing gives others their turn, and one of them may end the world."""

    def look() -> None:
        seen.append("begins")
        one.setblocking(False)
        one.recv(1)

    async def serve() -> None:
        if in_a_task:
            look()
        else:
            asyncio.get_running_loop().call_soon(look)
        await asyncio.sleep(3600)

    def end() -> None:
        while not seen:
            host.sleep(0)
        world.close()

    seen: list[str] = []
    with World(policy="fifo") as world:
        host = world.host("host")
        one, other = host.socketpair()
        with one, other:
            host.spawn(run, host, serve)
            host.spawn(end)
            host.sleep(1)
    gc.collect()
    assert seen == ["begins"]
    assert caplog.records == []
    assert [str(each.message) for each in recwarn] == []


def test_a_loop_goes_on_where_another_host_crashes() -> None:
    """By a coroutine's own hand, or at an instant: the running loop is that of who runs."""

    async def serve() -> None:
        await asyncio.sleep(3600)

    async def main() -> None:
        loop = asyncio.get_running_loop()
        world.crash("first")
        assert asyncio.get_running_loop() is loop
        world.at(10, seen.append, world)
        world.at(10, lambda: seen.append(asyncio._get_running_loop()))
        world.at(10, world.crash, "second")
        await asyncio.sleep(20)
        assert asyncio.get_running_loop() is loop

    seen: list[Any] = []
    with World() as world:
        for name in ("first", "second"):
            host = world.host(name)
            host.spawn(run, host, serve)
        client = world.host("client")
        client.sleep(1)
        run(client, main)
        assert seen == [world, None]
        assert world.now == 21


# The world's loop


def test_a_world_gives_the_loop_of_its_current_or_only_host(world: World) -> None:
    """With several, one has to be meant."""
    with pytest.raises(NoCurrentHost):
        world.event_loop()
    world.host("a")
    loop = world.event_loop()
    assert "'a'" in repr(loop)
    loop.close()
    b = world.host("b")
    with pytest.raises(NoCurrentHost, match="2 hosts"):
        world.event_loop()
    with b:
        loop = world.event_loop()
    assert "'b'" in repr(loop)
    loop.close()
    assert "closed" in repr(loop)


@pytest.mark.skipif(sys.version_info < (3, 11), reason="asyncio.Runner is new in Python 3.11")
def test_a_runner_takes_the_loop_as_its_factory(host: Host) -> None:
    """As the documentation of asyncio has it."""

    async def main() -> str:
        await asyncio.sleep(1)
        return await asyncio.to_thread(host.gethostname)

    with asyncio.Runner(loop_factory=host.event_loop) as runner:
        assert runner.run(main()) == "alone"


def test_equal_runs_have_equal_digests() -> None:
    """A loop decides nothing by itself."""

    def digest() -> str:
        with World(seed=3) as world:
            server, client = world.host("server"), world.host("client")
            world.link(server, client, latency=0.01, jitter=0.01, loss=0.05)

            async def many() -> None:
                async def one() -> None:
                    reader, writer = await asyncio.open_connection("server", 80)
                    writer.write(b"x" * 5000)
                    await reader.readexactly(5000)
                    writer.close()

                await asyncio.gather(*(one() for _ in range(10)))

            async def serve() -> None:
                async with await asyncio.start_server(echo, "", 80):
                    await asyncio.sleep(1000)

            task = server.spawn(run, server, serve)
            client.sleep(0.1)
            run(client, many)
            task.result()
            return world.trace.digest()

    assert digest() == digest()


def test_tasks_that_are_left_are_cancelled_in_the_same_order_in_every_run() -> None:
    """asyncio.run() goes through the set of them; asyncio.wait() gives sets of them."""

    def order() -> list[str]:
        cancelled: list[str] = []

        async def wait(name: str) -> None:
            try:
                await asyncio.sleep(10)
            except asyncio.CancelledError:
                cancelled.append(name)
                raise

        async def main() -> list[str]:
            tasks = [asyncio.create_task(wait(str(n)), name=str(n)) for n in range(50)]
            runs.append(tasks)  # their addresses are not used again
            done, pending = await asyncio.wait(tasks, timeout=1)
            assert not done
            for task in asyncio.all_tasks() - {asyncio.current_task()}:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            return [task.get_name() for task in pending]

        with World() as world:
            return [*run(world.host("a"), main), *cancelled]

    runs: list[Any] = []
    assert order() == order() == order()
