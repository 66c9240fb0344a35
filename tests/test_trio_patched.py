"""trio in a patched program: nothing in it knows that it is simulated."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Iterator

import pytest
import trio
import trio.testing
from trio._core import _run as trio_run_module

from simnet.descriptors import FIRST
from simnet.errors import Deadlock, Unsupported
from simnet.host import Host
from simnet.world import World

REAL_RUN = dict(vars(trio_run_module))
# A patch does not look into lists.
REAL_THREAD = (threading.Thread,)
# (In tuples nothing is replaced.)
REAL_TIME = (time.monotonic,)


@pytest.fixture
def hosts() -> Iterator[tuple[Host, Host]]:
    """A server and a client, on which the program runs, 50 ms apart."""
    with World() as world:
        server, client = world.host("server"), world.host("client")
        world.link(server, client, latency=0.05)
        with world.patch(client):
            yield server, client
        assert list(world.leftovers()) == []


async def echo(stream: trio.abc.Stream) -> None:
    """Send back what comes, until it ends."""
    async with stream:
        async for data in stream:
            await stream.send_all(data)


async def serve_one() -> None:
    """Serve one connection."""
    (listener,) = await trio.open_tcp_listeners(80, host="0.0.0.0")
    async with listener:
        stream = await listener.accept()
    await echo(stream)


async def ask() -> bytes:
    """What the server says to hello."""
    await trio.sleep(0.001)
    async with await trio.open_tcp_stream("server", 80) as stream:
        await stream.send_all(b"hello")
        return bytes(await stream.receive_some())


def test_two_hosts_run_trio(hosts: tuple[Host, Host]) -> None:
    """trio.run as it stands, on the current host of each."""
    server, client = hosts
    task = server.spawn(trio.run, serve_one)
    assert trio.run(ask) == b"hello"
    task.result()
    assert 0.2 <= client.world.now < 0.31


def test_trio_runs_in_a_thread(hosts: tuple[Host, Host]) -> None:
    """Beside another run in another thread, and a server of blocking code."""

    def serve() -> None:
        with socket.create_server(("", 80)) as listener:
            for _ in range(2):
                sock, _ = listener.accept()
                with sock:
                    sock.sendall(sock.recv(100))

    server, _ = hosts
    task = server.spawn(serve)
    answers: list[bytes] = []
    runs = [threading.Thread(target=lambda: answers.append(trio.run(ask))) for _ in range(2)]
    for thread in runs:
        thread.start()
    for thread in runs:
        thread.join()
    task.result()
    assert answers == [b"hello", b"hello"]


def test_sockets_of_the_program_are_trios_too(hosts: tuple[Host, Host]) -> None:
    """socketpair, from_stdlib_socket, and waiting for a descriptor."""

    async def main() -> None:
        left, right = trio.socket.socketpair()
        with left, right:
            await left.send(b"x")
            assert await right.recv(1) == b"x"
        first, second = socket.socketpair()
        with trio.socket.from_stdlib_socket(first) as sock, second:
            assert await sock.send(b"ab") == 2
            await trio.lowlevel.wait_readable(second)
            assert second.recv(2) == b"ab"
            second.send(b"c")
            await trio.lowlevel.wait_readable(sock.fileno())
            assert sock.is_readable()
            assert (await sock.recvfrom(2))[0] == b"c"

    trio.run(main)


def test_an_hour_passes_at_once(hosts: tuple[Host, Host]) -> None:
    """In trio, in its threads, and for everybody who asks for the time."""

    async def main() -> float:
        before = time.monotonic()
        await trio.sleep(1800)
        await trio.to_thread.run_sync(time.sleep, 1800)
        return time.monotonic() - before

    assert trio.run(main) == pytest.approx(3600)


def test_threads_call_back(hosts: tuple[Host, Host]) -> None:
    """trio.from_thread waits in virtual time."""

    async def slowly() -> float:
        await trio.sleep(5)
        return trio.current_time()

    async def main() -> float:
        return await trio.to_thread.run_sync(trio.from_thread.run, slowly)

    assert trio.run(main) == 5


def test_threads_are_those_of_the_program(hosts: tuple[Host, Host]) -> None:
    """With a name, and without a say in what becomes of signals."""

    async def receive() -> None:
        with trio.open_signal_receiver(signal.SIGUSR1) as received:
            signal.raise_signal(signal.SIGUSR1)
            async for number in received:
                assert number == signal.SIGUSR1
                break

    def in_a_thread() -> str:
        with pytest.raises(RuntimeError, match="main thread"):
            trio.run(receive)
        return threading.current_thread().name

    async def main() -> str:
        await receive()
        return await trio.to_thread.run_sync(in_a_thread, thread_name="a worker")

    assert trio.run(main) == "a worker"


def test_a_deadlock_is_raised_as_it_is(hosts: tuple[Host, Host]) -> None:
    """Not as an internal error of trio."""
    with pytest.raises(Deadlock, match="trio"):
        trio.run(trio.sleep_forever)


def test_a_clock_that_the_program_makes_is_used(hosts: tuple[Host, Host]) -> None:
    """With trio's own test clock, time in trio is its own; the world's stands still."""

    async def main() -> float:
        await trio.sleep(3600)
        return trio.current_time()

    assert trio.run(main, clock=trio.testing.MockClock(autojump_threshold=0)) == 3600
    assert hosts[0].world.now < 1


def test_threads_of_other_runs_are_simulated_too(hosts: tuple[Host, Host]) -> None:
    """Those that trio itself keeps for later: they are of one patch alone."""

    async def main() -> str:
        return await trio.to_thread.run_sync(lambda: threading.current_thread().name)

    clock = trio.testing.MockClock(rate=1)
    before = hosts[0].world.now
    assert trio.run(main, clock=clock).startswith("<lambda> from")
    # It is kept for ten seconds.
    hosts[0].world.run()
    assert hosts[0].world.now == before + 10


def test_threads_are_not_kept_for_the_real_system() -> None:
    """Nor is one of the real system used for a world."""

    async def main() -> bool:
        return await trio.to_thread.run_sync(
            lambda: isinstance(threading.current_thread(), REAL_THREAD[0])
        )

    assert trio.run(main)
    with World() as world, world.patch():
        assert not trio.run(main, clock=trio.testing.MockClock(rate=1))
    assert trio.run(main)


def test_processes_are_refused(hosts: tuple[Host, Host]) -> None:
    """They would be on the real network."""

    async def main() -> None:
        with pytest.raises(Unsupported, match="subprocess"):
            await trio.run_process(["true"])

    trio.run(main)


def test_an_interrupt_reaches_the_main_task(hosts: tuple[Host, Host]) -> None:
    """Ctrl-C is trio's, as on the real system."""

    async def main() -> None:
        await trio.sleep(1)
        signal.raise_signal(signal.SIGINT)
        await trio.sleep(1)

    with pytest.raises(KeyboardInterrupt):
        trio.run(main)
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_trio_may_keep_the_real_system() -> None:
    """With `ignore`: its sockets and its time are real ones."""

    async def main() -> None:
        left, right = trio.socket.socketpair()
        with left, right:
            assert left.fileno() < FIRST
            await left.send(b"x")
            assert await right.recv(1) == b"x"
        await trio.sleep(0.01)

    with World() as world, world.patch(ignore=["trio"]):
        before = REAL_TIME[0]()
        trio.run(main)
        assert REAL_TIME[0]() - before >= 0.01
        assert world.now == 0


def test_trio_is_given_back() -> None:
    """After the patch, runs are real ones."""
    with World() as world, world.patch():
        trio.run(trio.sleep, 10)
    assert dict(vars(trio_run_module)) == REAL_RUN

    async def main() -> None:
        left, right = trio.socket.socketpair()
        with left, right:
            await left.send(b"x")
            assert await right.recv(1) == b"x"
        before = REAL_TIME[0]()
        await trio.sleep(0.01)
        assert REAL_TIME[0]() - before >= 0.01

    trio.run(main)


PROGRAM = textwrap.dedent("""
    from simnet import World
    world = World()
    server, client = world.host("server"), world.host("client")
    with world.patch(client):
        import anyio
        import trio

        async def serve():
            (listener,) = await trio.open_tcp_listeners(80, host="0.0.0.0")
            async with listener:
                stream = await listener.accept()
            async with stream:
                await stream.send_all(b"hello")

        async def ask(backend):
            await anyio.sleep(1)
            async with await anyio.connect_tcp("server", 80) as stream:
                return await stream.receive()

        for backend in ("asyncio", "trio"):
            server.spawn(trio.run, serve)
            assert anyio.run(ask, backend, backend=backend) == b"hello"
        assert 2 <= world.now < 2.1
    world.close()

    async def main():
        left, right = trio.socket.socketpair()
        with left, right:
            await left.send(b"x")
            assert await trio.to_thread.run_sync(len, await right.recv(1)) == 1

    trio.run(main)
    import simnet.trio_seams, threading
    assert not isinstance(trio._core._run._r, simnet.trio_seams._Dice)
    assert trio._core._thread_cache.Thread is threading.Thread
""")


def test_trio_may_be_imported_within_the_patch() -> None:
    """It is simulated at once, and real afterwards."""
    ran = subprocess.run(
        [sys.executable, "-W", "error", "-c", PROGRAM], capture_output=True, text=True, timeout=60
    )
    assert ran.returncode == 0, ran.stderr
    assert not ran.stderr
