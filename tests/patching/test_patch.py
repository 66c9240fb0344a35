"""`world.patch()`: the standard library of a block is a simulated host's."""

from __future__ import annotations

import asyncio
import concurrent.futures
import datetime
import gc
import http.client
import importlib
import logging
import multiprocessing.dummy
import multiprocessing.pool
import pickle
import queue
import random
import select
import selectors
import signal
import socket
import socketserver
import sys
import threading
import time
from collections.abc import Iterator
from types import ModuleType
from typing import Any

import pytest

from simnet.clock import EPOCH
from simnet.errors import Deadlock, ForeignThread, NoCurrentHost, Unsupported
from simnet.patching.twins import MODULES
from simnet.world import World
from tests.patching.modules import Load

# Taken before any patch, as a user's modules do it.
from socket import socket as early_socket  # isort: skip
from time import monotonic as early_monotonic  # isort: skip
from time import sleep as early_sleep  # isort: skip

LOCK = threading.Lock()
RLOCK = threading.RLock()
EVENT = threading.Event()
QUEUE: queue.Queue[str] = queue.Queue()
SIMPLE: queue.SimpleQueue[str] = queue.SimpleQueue()
LOCAL = threading.local()


@pytest.fixture
def world() -> Iterator[World]:
    """A world without hosts."""
    with World() as world:
        yield world


def everything() -> dict[str, Any]:
    """What modules hold, name by name, of those that a patch changes."""
    found: dict[str, Any] = {}
    for name in ("asyncio", http.client.__name__, socketserver.__name__, "logging", __name__):
        for key, value in vars(sys.modules[name]).items():
            if not key.startswith("__"):
                found[f"{name}.{key}"] = value
    for name in ("_socket", "socket", "select", "selectors", "time", "threading", "_thread"):
        found[name] = sys.modules[name]
    found["datetime.now"] = datetime.datetime.now()
    return found


# The network


def test_blocking_code_and_threads_run_in_virtual_time(world: World) -> None:
    """A server in a thread, a client in the main one, an hour between question and answer."""

    def serve(listener: socket.socket) -> None:
        connection, _ = listener.accept()
        with connection:
            question = connection.recv(100)
            time.sleep(3600)
            connection.sendall(question.upper())

    with world.patch():
        with socket.create_server(("127.0.0.1", 0)) as listener:
            thread = threading.Thread(target=serve, args=(listener,))
            thread.start()
            with socket.create_connection(listener.getsockname()) as client:
                client.sendall(b"hello")
                assert client.recv(100) == b"HELLO"
            thread.join()
    assert world.now == 3600


def test_asyncio_runs_by_itself(world: World) -> None:
    """asyncio.run makes a simulated loop; names and threads go through tasks of the world."""

    async def main() -> str:
        async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            writer.write(await reader.readline())
            writer.close()
            await writer.wait_closed()

        async with await asyncio.start_server(echo, "localhost", 7):
            reader, writer = await asyncio.open_connection("localhost", 7)
            writer.write(b"hello\n")
            line = await reader.readline()
            writer.close()
            await writer.wait_closed()
            await asyncio.sleep(60)
            await asyncio.to_thread(time.sleep, 60)
            return line.decode()

    with world.patch():
        assert asyncio.run(main()) == "hello\n"
    assert world.now == 120


def test_a_loop_that_the_policy_makes_is_simulated_too(world: World) -> None:
    """Also the policy's class, and an explicit selector."""
    with world.patch():
        for make in (
            asyncio.new_event_loop,
            asyncio.SelectorEventLoop,
            lambda: asyncio.SelectorEventLoop(selectors.SelectSelector()),
        ):
            loop = make()
            loop.run_until_complete(asyncio.sleep(10))
            loop.close()
    assert world.now == 30
    policy = asyncio.get_event_loop_policy()
    assert not type(policy).__module__.startswith("simnet")


def test_references_taken_earlier_follow(world: World) -> None:
    """`from socket import socket` before the patch."""
    real = early_socket
    with world.patch():
        assert early_socket is socket.socket
        assert early_socket is not real
        with early_socket() as sock:
            assert type(sock) is socket.socket
        early_sleep(5)
        assert early_monotonic() == time.monotonic() == 5
    assert early_socket is real is socket.socket


def test_the_hosts_of_a_world_run_unmodified_code(world: World) -> None:
    """Code that is spawned on another host is on that host's network."""
    server, client = world.host("server", ip="10.0.0.1"), world.host("client", ip="10.0.0.2")
    world.link(client, server, latency=0.05)

    def serve() -> str:
        with socket.create_server(("", 80)) as listener:
            connection, address = listener.accept()
            connection.close()
            return f"{socket.gethostname()} saw {address[0]}"

    with world.patch(client):
        task = server.spawn(serve)
        time.sleep(0.01)
        with socket.create_connection(("server", 80)) as sock:
            assert sock.recv(1) == b""
        assert task.result() == "server saw 10.0.0.2"
        assert socket.gethostname() == "client"


def test_every_poller_and_module_is_a_twin(world: World) -> None:
    """Inside they work on simulated sockets only."""
    with world.patch():
        one, other = socket.socketpair()
        other.send(b"x")
        assert select.select([one], [], [], 1)[0] == [one]
        with selectors.DefaultSelector() as selector:
            selector.register(one, selectors.EVENT_READ)
            assert [key.fileobj for key, _ in selector.select()] == [one]
        poll = select.poll()
        poll.register(one, select.POLLIN)
        assert poll.poll() == [(one.fileno(), select.POLLIN)]
        one.close()
        other.close()
        import _socket

        assert _socket.socket is socket.socket.__mro__[1]


# Time


def test_dates_follow_the_clock_of_the_host(world: World) -> None:
    """datetime.now, utcnow, date.today, with and without a zone, in subclasses too."""
    host = world.host("late", clock_offset=-0.25)

    class Stamp(datetime.datetime):
        pass

    with world.patch(host):
        time.sleep(86400)
        utc = datetime.timezone.utc
        then = datetime.datetime.fromtimestamp(EPOCH + 86400 - 0.25, utc)
        assert datetime.datetime.now(utc) == then
        assert datetime.datetime.now().timestamp() == then.timestamp()
        assert datetime.date.today() == datetime.datetime.now().date()
        assert type(Stamp.now()) is Stamp
        assert type(datetime.datetime.today()) is datetime.datetime
        record = logging.LogRecord("name", 1, "path", 1, "text", (), None)
        assert record.created == pytest.approx(then.timestamp())
    assert datetime.datetime.now().year >= 2024


# What was made before


def test_locks_made_before_make_tasks_wait(world: World) -> None:
    """In virtual time, in turn, with a timeout."""
    with world.patch():

        def hold() -> None:
            with LOCK:
                time.sleep(10)

        threading.Thread(target=hold).start()
        time.sleep(1)
        assert not LOCK.acquire(False)
        assert not LOCK.acquire(timeout=2)
        assert time.monotonic() == 3
        assert LOCK.acquire()
        assert time.monotonic() == 10
        LOCK.release()


def test_reentrant_locks_made_before_tell_tasks_apart(world: World) -> None:
    """Though the operating system sees one thread."""
    with world.patch():
        order = []

        def hold(name: str) -> None:
            with RLOCK, RLOCK:
                order.append(name)
                time.sleep(1)
                order.append(name)

        threads = [threading.Thread(target=hold, args=(name,)) for name in "ab"]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert order in (["a", "a", "b", "b"], ["b", "b", "a", "a"])
    assert RLOCK.acquire(False)
    RLOCK.release()


def test_a_reentrant_lock_that_is_held_stays_held(world: World) -> None:
    """By the code outside all tasks, before, during and after."""
    with RLOCK:
        with world.patch():
            with RLOCK:
                pass
            taken: list[bool] = []
            thread = threading.Thread(target=lambda: taken.append(RLOCK.acquire(timeout=1)))
            thread.start()
            thread.join()
            assert taken == [False]


def test_conditions_events_and_queues_made_before_work(world: World) -> None:
    """They stand on locks."""
    with world.patch():

        def later() -> None:
            time.sleep(5)
            EVENT.set()
            QUEUE.put("queue")
            SIMPLE.put("simple")

        threading.Thread(target=later).start()
        assert not EVENT.wait(1)
        assert EVENT.wait()
        assert time.monotonic() == 5
        assert QUEUE.get(timeout=1) == "queue"
        assert SIMPLE.get(timeout=1) == "simple"
        with pytest.raises(queue.Empty):
            QUEUE.get(timeout=2)
        with pytest.raises(queue.Empty):
            SIMPLE.get(timeout=2)
        assert time.monotonic() == 9
    EVENT.clear()


def test_a_lock_taken_before_is_a_deadlock_that_names_it(world: World) -> None:
    """Nobody in the world will give it back; never a hang."""
    with LOCK, world.patch(), pytest.raises(Deadlock, match=r"lock.*made before the patch"):
        LOCK.acquire()


def test_thread_locals_made_before_are_apart_for_each_task(world: World) -> None:
    """And the code outside all tasks finds what it had."""
    LOCAL.value = "main"
    with world.patch():
        seen = []

        def look() -> None:
            seen.append(hasattr(LOCAL, "value"))

        thread = threading.Thread(target=look)
        thread.start()
        thread.join()
        assert seen == [False]
        assert LOCAL.value == "main"
    assert LOCAL.value == "main"


def test_classes_derived_before_are_simulated(load: Load, world: World) -> None:
    """Of threads and queues; they are as before afterwards."""
    module = load(
        "import threading, queue, time\n"
        "class Worker(threading.Thread):\n"
        "    def run(self): time.sleep(7); self.ident_seen = threading.get_ident()\n"
        "class Stack(queue.LifoQueue): pass\n"
    )
    bases = module.Worker.__bases__, module.Stack.__bases__
    with world.patch():
        worker = module.Worker()
        worker.start()
        worker.join()
        assert worker.ident_seen == worker.ident
        with pytest.raises(queue.Empty):
            module.Stack().get(timeout=3)
    assert world.now == 10
    assert (module.Worker.__bases__, module.Stack.__bases__) == bases


def test_thread_pools_of_multiprocessing_are_simulated(world: World) -> None:
    """They are threads; pools and processes of it are refused."""
    with world.patch():
        with multiprocessing.pool.ThreadPool(3) as pool:
            assert pool.map(abs, [-1, -2]) == [1, 2]
            with pytest.raises(multiprocessing.TimeoutError):
                pool.apply_async(time.sleep, (50,)).get(timeout=20)
            assert pool.apply_async(time.sleep, (50,)).get(timeout=51) is None
            assert world.now == 70
        with multiprocessing.dummy.Pool(2) as pool:
            assert pool.map(abs, [-1, -2]) == [1, 2]
        # The pipes that they have, of the simulated host, are closed where they are known.
        del pool
        gc.collect()
    assert world.leftovers() == []
    with multiprocessing.pool.ThreadPool(3) as pool:
        assert pool.map(abs, [-1, -2]) == [1, 2]


def test_a_thread_started_before_gets_a_clear_error(world: World) -> None:
    """For the network and for waiting; clocks and locks of its own are real."""
    results: list[Any] = []
    go, done = threading.Event(), threading.Event()

    def body() -> None:
        go.wait()
        for call in (socket.socket, lambda: time.sleep(1), threading.Thread(target=print).start):
            try:
                results.append(call())
            except Exception as error:
                results.append(error)
        results.append(time.time())
        results.append(threading.current_thread().name)
        done.set()

    thread = threading.Thread(target=body, name="earlier")
    thread.start()
    real_wait = done.wait
    with world.patch():
        go.set()
        while thread.is_alive():
            pass
    assert real_wait(10)
    thread.join()
    assert [type(error) for error in results[:3]] == [ForeignThread] * 3
    assert "'earlier' was started before the program was patched" in str(results[0])
    assert results[3] > EPOCH + 20 * 365 * 86400
    assert results[4] == "earlier"


# Beginning and ending


def test_everything_is_given_back(world: World) -> None:
    """Also after an error."""
    before = everything()
    patch = world.patch()
    patch.__enter__()
    assert everything() != before
    assert not patch.__exit__(ZeroDivisionError, ZeroDivisionError(), None)
    after = everything()
    assert after.pop("datetime.now") >= before.pop("datetime.now")
    assert after == before


def test_handlers_of_signals_are_those_that_were_given(world: World) -> None:
    """Also the one that a program puts back itself."""
    before = signal.getsignal(signal.SIGINT)
    with world.patch():
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.signal(signal.SIGINT, before)
    assert signal.getsignal(signal.SIGINT) is before


def test_who_took_a_twin_from_the_simulator_keeps_it(load: Load, world: World) -> None:
    """And a class derived from one."""
    from simnet import threads

    module = load("")
    module.Queue = threads.queue.Queue

    class Worker(threads.threading.Thread):  # type: ignore[misc, name-defined]
        pass

    with world.patch():
        pass
    assert module.Queue is threads.queue.Queue is not queue.Queue
    assert Worker.__bases__ == (threads.threading.Thread,)


def test_patches_nest(world: World) -> None:
    """Twice the same, and of different worlds; only the outermost end gives back."""
    real = socket.socket
    with World() as other, world.patch() as outer, world.patch(), other.patch() as inner:
        assert socket.gethostname() == "localhost"
        time.sleep(1)
        assert (world.now, other.now) == (0, 1)
        assert inner.world is other
        with world.patch():
            time.sleep(2)
        assert (world.now, other.now) == (2, 1)
        assert outer.world is world
        assert socket.socket is not real
    assert socket.socket is real


def test_modules_say_where_they_come_from(world: World) -> None:
    """importlib asks the module that is loaded."""
    import importlib.util

    expected = [importlib.util.find_spec(real.__name__) for real, _ in MODULES]
    with world.patch():
        assert [importlib.util.find_spec(real.__name__) for real, _ in MODULES] == expected


def test_clocks_can_be_pickled(world: World) -> None:
    """Inside for inside; what is read outside is the real one."""
    with world.patch():
        for clock in (datetime.datetime.now, time.time, time.monotonic):
            assert pickle.loads(pickle.dumps(clock)) == clock
        pickled = pickle.dumps(time.time)
    assert pickle.loads(pickled) is time.time


def test_patches_may_end_in_another_order(world: World) -> None:
    """The program is patched until the last of them ends; the latest that is left stands in."""
    before = everything()
    handlers = signal.getsignal(signal.SIGRTMAX - 1), random.Random.seed
    with World(seed=5) as other:
        first, second = world.patch(entropy=True), other.patch(entropy=True)
        state = random.getstate()
        first.__enter__()
        second.__enter__()
        early_sleep(5)
        first.__exit__(None, None, None)
        early_sleep(7)
        assert (world.now, other.now) == (0, 12)
        second.__exit__(None, None, None)
    assert random.getstate() == state
    assert (signal.getsignal(signal.SIGRTMAX - 1), random.Random.seed) == handlers
    after = everything()
    assert {name for name in before if after[name] is not before[name]} <= {"datetime.now"}


def test_a_patch_may_end_in_another_task(world: World) -> None:
    """Also in one of asyncio, whose context is another."""
    before = everything()
    host = world.host("h")
    patch = world.patch()
    host.spawn(patch.__enter__).result()
    early_sleep(5)
    host.spawn(patch.__exit__, None, None, None).result()
    assert world.now == 5

    patch = world.patch()

    async def begin_and_end() -> None:
        async def end() -> None:
            patch.__exit__(None, None, None)

        with host:
            patch.__enter__()
            early_sleep(5)
            await asyncio.create_task(end())

    loop = host.event_loop()
    loop.run_until_complete(begin_and_end())
    loop.close()
    assert world.now == 10
    after = everything()
    assert {name for name in before if after[name] is not before[name]} <= {"datetime.now"}


def test_a_patch_may_be_entered_again(world: World) -> None:
    """The world goes on where it was."""
    with world.patch():
        time.sleep(1)
    with world.patch():
        time.sleep(1)
        assert time.monotonic() == 2


def test_modules_imported_meanwhile_become_real(load: Load, world: World) -> None:
    """What they took from the twins is exchanged: names, defaults, base classes."""
    with world.patch():
        module = load(
            "import socket, threading, queue\n"
            "from time import perf_counter, monotonic, sleep\n"
            "from _thread import allocate_lock, LockType, get_native_id\n"
            "from concurrent.futures import ThreadPoolExecutor\n"
            "class Worker(threading.Thread): pass\n"
            "def wait(sleep=sleep): pass\n"
        )
        assert module.Worker.__bases__ != (threading._MainThread.__bases__,)
    import _thread

    assert module.socket is socket
    assert module.perf_counter is time.perf_counter
    assert module.monotonic is time.monotonic
    assert module.allocate_lock is _thread.allocate_lock
    assert module.LockType is _thread.LockType
    assert module.get_native_id is _thread.get_native_id
    assert module.ThreadPoolExecutor is concurrent.futures.ThreadPoolExecutor
    assert module.Worker.__bases__ == (threading.Thread,)
    assert module.wait.__defaults__ == (time.sleep,)
    worker = module.Worker(target=lambda: None)
    worker.start()
    worker.join()


def test_code_in_an_empty_context_is_on_the_patched_host(world: World) -> None:
    """A library may run callbacks in a context of its own."""
    import contextvars

    with world.patch():
        contextvars.Context().run(time.sleep, 4)
    assert world.now == 4


def test_which_host_runs_the_code_must_be_clear(world: World) -> None:
    """One is made, the only one is meant, the current one; else an error says so."""
    with world.patch() as host:
        assert host.name == "localhost"
    with World() as several:
        several.host("a")
        b = several.host("b")
        with pytest.raises(NoCurrentHost, match="a world of 2 hosts"), several.patch():
            pass
        with several.patch("b") as host:
            assert host is b
        with b, several.patch() as host:
            assert host is b
        with pytest.raises(ValueError, match="no host of this world"):
            several.patch("c")


def test_packages_may_be_left_alone(load: Load, world: World) -> None:
    """`ignore` names those that keep the real system."""
    load("from time import time", "kept")
    module = sys.modules["kept"]
    with world.patch(ignore=["kept"]):
        assert module.time() > EPOCH + 20 * 365 * 86400
        assert time.time() == EPOCH


@pytest.mark.parametrize("name", ["uvloop", "gevent", "gevent.monkey", "pycares"])
def test_loops_of_their_own_are_explained(
    world: World, name: str, load: Load, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where they were imported already."""
    present = ModuleType(name)
    present.is_anything_patched = lambda: False  # type: ignore[attr-defined]
    present.value = "at work"  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, name, present)
    users = load("def use(): return taken.value")
    users.taken = present
    with world.patch():
        with pytest.raises(ImportError, match="no simulated network can stand under"):
            importlib.import_module(name)
        with pytest.raises(Unsupported, match="no simulated network can stand under"):
            users.use()
    assert sys.modules[name] is present
    assert users.use() == "at work"


def test_a_program_that_gevent_has_patched_is_refused(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before anything is changed."""
    monkey = ModuleType("gevent.monkey")
    monkey.is_anything_patched = lambda: True  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "gevent.monkey", monkey)
    before = sys.modules["socket"]
    with pytest.raises(Unsupported, match="has patched this program"):
        with world.patch():
            pass
    assert sys.modules["socket"] is before


def test_a_patched_world_can_be_collected() -> None:
    """Nothing of the patch keeps it."""
    import weakref

    world = World()
    with world.patch():
        EVENT.wait(1)
        with RLOCK:
            pass
    gone = weakref.ref(world)
    world.close()
    del world
    gc.collect()
    assert gone() is None
