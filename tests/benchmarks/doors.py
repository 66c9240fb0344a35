"""Unmodified code on the simulator: asyncio streams, http, and the cost of patching.

The asyncio rows run the same coroutines on the kernel's loopback, on the simulator, and on two
other event loops that live in memory, where they are installed (the extra `bench`): a server and a
client in one loop, without delays. What differs: async-solipsism moves bytes between two queues,
without a network, hosts or names; simloop hands them to the protocol at the other end as events of
its loop, and keeps a trace of everything that it runs.
"""

from __future__ import annotations

import asyncio
import http.client
import http.server
import importlib.util
import json
import pkgutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from statistics import median
from typing import Any

import attrs

from simnet import World
from tests.benchmarks import measure
from tests.benchmarks.bodies import MESSAGE, Operation

MODULES = 500
# Real packages, so that there is something to search in when a program is patched.
_PACKAGES = ("asyncio", "ctypes", "email", "html", "http", "importlib", "json", "logging")
_PACKAGES += ("multiprocessing", "unittest", "urllib", "wsgiref", "xml", "xmlrpc", "click", "rich")


# asyncio streams


@attrs.frozen
class Loop:
    """An event loop, and where in it a server may listen."""

    loop: Any
    host: str = "127.0.0.1"
    port: int = 0


def _kernel_loop() -> Loop:
    return Loop(asyncio.new_event_loop())


def _simulated_loop() -> Loop:
    return Loop(World().host("localhost").event_loop())


def _async_solipsism() -> Loop:
    module = importlib.import_module("async_solipsism")
    return Loop(module.EventLoop(), "localhost", 80)


def _simloop() -> Loop:
    # "driver" is the host of the code that is outside all of its hosts.
    return Loop(importlib.import_module("simloop").SimLoop(), "driver", 80)


LOOPS: dict[str, Callable[[], Loop]] = {
    "kernel": _kernel_loop,
    "async-solipsism": _async_solipsism,
    "simloop": _simloop,
    "simulator": _simulated_loop,
}


async def _answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(4096):
        writer.write(data)
        await writer.drain()
    writer.close()


async def _talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, times: int) -> None:
    for _ in range(times):
        writer.write(MESSAGE)
        await writer.drain()
        await reader.readexactly(len(MESSAGE))


async def _connected(
    made: Loop,
) -> tuple[asyncio.Server, asyncio.StreamReader, asyncio.StreamWriter]:
    server = await asyncio.start_server(_answer, made.host, made.port)
    port = made.port or server.sockets[0].getsockname()[1]
    return server, *await asyncio.open_connection(made.host, port)


async def _end(server: asyncio.Server, writer: asyncio.StreamWriter) -> None:
    writer.close()
    await writer.wait_closed()
    server.close()
    await server.wait_closed()
    await asyncio.sleep(0.01)  # so that the answering task sees the end


@contextmanager
def streams(make: Callable[[], Loop]) -> Iterator[Operation]:
    """64 bytes there and back over asyncio's streams, client and server in one loop."""
    made = make()
    loop = made.loop
    asyncio.set_event_loop(loop)
    try:
        server, reader, writer = loop.run_until_complete(_connected(made))
        yield lambda times: loop.run_until_complete(_talk(reader, writer, times))
        loop.run_until_complete(_end(server, writer))
    finally:
        asyncio.set_event_loop(None)
        loop.close()


# http.client and http.server


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    # The head and the body are two segments: the second would wait for the first's acknowledgement.
    disable_nagle_algorithm = True

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", str(len(MESSAGE)))
        self.end_headers()
        self.wfile.write(MESSAGE)

    def log_message(self, format: str, *args: Any) -> None:
        """Not to the terminal."""


@contextmanager
def _served() -> Iterator[Operation]:
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    client = http.client.HTTPConnection("127.0.0.1", server.server_address[1])

    def run(times: int) -> None:
        for _ in range(times):
            client.request("GET", "/")
            client.getresponse().read()

    try:
        yield run
    finally:
        client.close()
        server.shutdown()
        thread.join()
        server.server_close()


@contextmanager
def requests(simulated: bool) -> Iterator[Operation]:
    """Requests over one kept connection, to a server with a thread for each."""
    patched: AbstractContextManager[Any] = nullcontext()
    if simulated:
        # What takes the time keeps the real clock.
        patched = World().patch(ignore=["tests.benchmarks.measure"])
    with patched, _served() as operation:
        yield operation


# Rows of the table


@attrs.frozen
class Row:
    """What is compared: seconds for one operation, a number per round, and the floor."""

    name: str
    other: list[float]
    simulator: list[float]
    floor: float

    def ratio(self, summary: Callable[[list[float]], float] = median) -> float:
        """How many times faster the simulator is."""
        return summary(self.other) / summary(self.simulator)


Opened = Callable[[], AbstractContextManager[Operation]]


def in_turns(
    ways: dict[str, Opened], rounds: int, times: int, clock: Callable[[], float]
) -> dict[str, list[float]]:
    """Rounds of each, in turns: a fresh network, a warm-up, and the timing."""
    taken: dict[str, list[float]] = {name: [] for name in ways}
    for number in range(rounds):
        for name in list(ways)[:: 1 if number % 2 else -1]:
            with ways[name]() as operation:
                operation(times // 3 + 1)
                taken[name].append(measure.timed(operation, times, clock))
    return taken


def installed(name: str) -> bool:
    """Whether an event loop can be made here."""
    modules = {"async-solipsism": "async_solipsism", "simloop": "simloop"}
    return name not in modules or importlib.util.find_spec(modules[name]) is not None


def compare(rounds: int, scale: float) -> tuple[list[Row], list[str]]:
    """The rows that compare, and notes on those that are left out."""

    def opened(name: str) -> Opened:
        return lambda: streams(LOOPS[name])

    loops = {name: opened(name) for name in LOOPS if installed(name)}
    notes = [
        f"{name} is not installed (the extra `bench`; simloop needs Python 3.12): no row."
        for name in LOOPS
        if name not in loops
    ]
    # Nothing waits for another thread in these.
    taken = in_turns(loops, rounds, max(1, round(2000 * scale)), time.process_time)
    rows = [
        Row(f"asyncio streams echo of 64 bytes; {name}", taken[name], taken["simulator"], floor)
        for name, floor in (("kernel", 2.5), ("async-solipsism", 1), ("simloop", 1))
        if name in taken
    ]
    ways: dict[str, Opened] = {
        "kernel": lambda: requests(simulated=False),
        "simulator": lambda: requests(simulated=True),
    }
    taken = in_turns(ways, rounds, max(1, round(1000 * scale)), time.perf_counter)
    name = "http.client and http.server, a request; kernel"
    rows.append(Row(name, taken["kernel"], taken["simulator"], 3))
    return rows, notes


# The cost of patching


@attrs.frozen
class Cost:
    """Seconds that something takes, a number per round, and the most that it may."""

    name: str
    seconds: list[float]
    floor: float | None


def load_modules(count: int) -> int:
    """Load modules until there are that many; how many there are then."""
    for package in _PACKAGES:
        path = importlib.import_module(package).__path__
        for found in pkgutil.walk_packages(path, f"{package}."):
            if len(sys.modules) >= count:
                return len(sys.modules)
            if not found.name.endswith("__main__") and "win" not in found.name.lower():
                importlib.import_module(found.name)
    return len(sys.modules)


def enter_and_leave() -> float:
    """Seconds to patch the program and to give everything back."""
    with World() as world:
        world.host("localhost")
        before = time.process_time()
        with world.patch():
            pass
        return time.process_time() - before


def sleep_for_an_hour() -> float:
    """Seconds that a test takes in which an hour passes, its world included."""
    before = time.process_time()
    with World() as world, world.patch():
        time.sleep(3600)
    return time.process_time() - before


def in_a_new_process() -> None:
    """Print, as JSON: how many modules are loaded, the first time and those that follow."""
    loaded = load_modules(MODULES)
    first = enter_and_leave()
    later = [enter_and_leave() for _ in range(10)]
    print(json.dumps([loaded, first, later, [sleep_for_an_hour() for _ in range(10)]]))


def costs(rounds: int) -> list[Cost]:
    """What patching costs, in processes of their own with so many modules."""
    firsts: list[float] = []
    entering: list[float] = []
    sleeping: list[float] = []
    loaded = 0
    code = "from tests.benchmarks import doors; doors.in_a_new_process()"
    for _ in range(rounds):
        run = subprocess.run([sys.executable, "-c", code], stdout=subprocess.PIPE, check=True)
        loaded, first, later, asleep = json.loads(run.stdout)
        firsts.append(first)
        entering += later
        sleeping += asleep
    with_modules = f"entering and leaving patch() with {loaded} modules"
    return [
        Cost(f"{with_modules}, the first time in a process", firsts, None),
        Cost(with_modules, entering, 0.005),
        Cost("a test with time.sleep(3600), making its world included", sleeping, 0.005),
    ]
