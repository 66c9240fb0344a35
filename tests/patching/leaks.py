"""What is left of a patch, as a script: paths from modules to something of the simulator, as JSON.

python leaks.py [planted]

It follows every reference that the garbage collector knows of, from every module but the
simulator's own, and knows nothing of how a patch finds its places.
"""

from __future__ import annotations

import asyncio
import colorsys
import concurrent.futures
import functools
import gc
import http.client
import importlib
import itertools
import json
import logging.handlers
import queue
import sched
import selectors
import signal
import socket
import socketserver
import sys
import threading
import time
from collections import deque
from types import FunctionType, ModuleType
from typing import Any

from simnet import World, times

OWN = ("simnet", "realnet", "greenlet")
PARTIAL = functools.partial(time.monotonic)
LOCAL = threading.local()
ROUNDS, WINDOWS = 80, 3


class Clocked:
    """Holds functions as a user's class does."""

    clock = time.monotonic
    sleep = staticmethod(time.sleep)

    def __init__(self, now: Any = time.time, *, wait: Any = time.sleep) -> None:
        self.now, self.wait = now, wait


def is_ours(value: Any) -> bool:
    """Whether it is a function, class or module of the simulator, or an object of its classes."""
    if isinstance(value, FunctionType):
        name = value.__globals__.get("__name__")
    elif isinstance(value, ModuleType):
        name = vars(value).get("__name__")
    elif isinstance(value, type):
        return any(is_ours(each) for each in vars(value).values() if type(each) is FunctionType)
    else:
        return False
    return isinstance(name, str) and name.partition(".")[0] == "simnet"


def leaks() -> list[str]:
    """Where something of the simulator is reachable from, shortest paths first."""
    gc.collect()
    found: list[str] = []
    seen = {id(sys.modules), id(globals())}
    ours = {id(vars(m)) for name, m in sys.modules.items() if name.partition(".")[0] in OWN}
    seen |= ours
    waiting: deque[tuple[Any, str]] = deque()
    for name, module in list(sys.modules.items()):
        if name.partition(".")[0] not in OWN and vars(module) is not globals():
            waiting.append((vars(module), name))
    while waiting:
        holder, path = waiting.popleft()
        for value in gc.get_referents(holder):
            if id(value) in seen:
                continue
            if type(holder) is not value:
                seen.add(id(value))
            here = f"{path} > {type(value).__name__} {getattr(value, '__qualname__', '')}"
            if type(holder) is value:
                # A lock, say, that a module made when it was imported: it serves real threads.
                continue
            if is_ours(value):
                found.append(here)
            elif not isinstance(value, ModuleType):
                waiting.append((value, here))
    return found


def program() -> None:
    """Uses much of what is simulated, and imports a module that takes it."""
    LOCAL.value = object()
    with socketserver.TCPServer(("", 0), socketserver.BaseRequestHandler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.1,))
        thread.start()
        socket.create_connection(("localhost", server.server_address[1])).close()
        server.shutdown()
        thread.join()
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        pool.submit(time.sleep, 1).result()
    scheduler = sched.scheduler()
    scheduler.enter(1, 1, print, kwargs={"end": ""})
    scheduler.run()
    selectors.DefaultSelector().close()
    listener = logging.handlers.QueueListener(queue.Queue())
    listener.start()
    listener.stop()
    threading.Timer(1, print, kwargs={"end": ""}).start()
    asyncio.run(asyncio.wait_for(asyncio.to_thread(time.sleep, 1), 5))
    Clocked().wait(1)
    for name in ("ftplib", "xmlrpc.server", "imaplib", "multiprocessing.pool"):
        sys.modules.pop(name, None)
        importlib.import_module(name)
    importlib.reload(http.client)


def hooks() -> list[str]:
    """What the interpreter calls, and whom; threads and greenlets."""
    everything: list[Any] = [sys.meta_path, sys.path_hooks, gc.callbacks, sys.gettrace()]
    everything += [sys.getprofile(), sys.get_asyncgen_hooks(), sys.excepthook, sys.unraisablehook]
    everything += [threading.excepthook, len(sys._current_frames())]
    everything += [signal.getsignal(number) for number in sorted(signal.valid_signals())]
    return [*map(repr, everything), repr(signal.set_wakeup_fd(-1))]


def once() -> None:
    """A world, a patch, the program."""
    with World() as world, world.patch(entropy=True):
        program()


def growth() -> int:
    """How many more objects there are after many patches: the least of a few times.

    The interpreter makes some hundreds now and then, for itself; a leak is there every time.
    """

    def patch() -> None:
        with World() as world, world.patch():
            threading.Thread(target=time.sleep, args=(1,)).start()
            time.sleep(2)
            LOCAL.value = object()

    def objects_after(patches: int) -> int:
        for _ in range(patches):
            patch()
        gc.collect()
        return len(gc.get_objects())

    counts = [objects_after(20), *(objects_after(ROUNDS) for _ in range(WINDOWS))]
    return min(later - earlier for earlier, later in itertools.pairwise(counts))


def main(planted: bool) -> dict[str, Any]:
    """Everything that there is to tell; or whether the walk finds what is put somewhere."""
    if planted:
        vars(colorsys)["table"] = {"there": [times.sleep]}
        return {"leaks": leaks()}
    once()
    first, before = leaks(), hooks()
    once()
    watching = time.monotonic() + 10
    while len(sys._current_frames()) > 1 and time.monotonic() < watching:
        time.sleep(0.01)
    return {"leaks": leaks(), "first": first, "hooks": [before, hooks()], "grown": growth()}


if __name__ == "__main__":
    print(json.dumps(main("planted" in sys.argv)))
