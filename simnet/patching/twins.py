"""What stands in for what: modules of the standard library and their simulated twins.

A module as a whole is replaced (`sys.modules["socket"]`, and every name that holds it), and so is
each of its functions and classes, wherever somebody holds one. The real modules stay as they are:
test tools and other threads go on using them.
"""

from __future__ import annotations

import _queue
import _socket
import _thread
import asyncio.base_events
import asyncio.selector_events
import asyncio.unix_events
import concurrent.futures._base
import concurrent.futures.thread
import queue
import select
import selectors
import signal
import socket
import ssl
import threading
import time
from collections.abc import Iterator
from types import (
    BuiltinFunctionType,
    BuiltinMethodType,
    FunctionType,
    MethodDescriptorType,
    ModuleType,
)
from typing import Any

from simnet import aio, alarms, locks, stdlib, threads, times, tls

_REPLACEABLE = (FunctionType, BuiltinFunctionType, BuiltinMethodType, type)
_METHODS = (FunctionType, MethodDescriptorType)


def _make_queue_module() -> ModuleType:
    module = ModuleType("_queue", "Simulated queues.")
    module.__dict__.update({"SimpleQueue": threads.queue.SimpleQueue, "Empty": _queue.Empty})
    return module


# Each real module with its twin.
MODULES: tuple[tuple[ModuleType, ModuleType], ...] = (
    (_socket, stdlib.c_module),
    (socket, stdlib.module),
    (select, stdlib.select),
    (selectors, stdlib.selectors),
    (ssl, tls.module),
    (time, times.module),
    (signal, alarms.module),
    (_thread, locks.module),
    (threading, threads.threading),
    (_queue, _make_queue_module()),
    (queue, threads.queue),
    (concurrent.futures._base, threads.base),
    (concurrent.futures.thread, threads.pool),
    (asyncio.base_events, aio.base_events),
    (asyncio.selector_events, aio.selector_events),
    (asyncio.unix_events, aio.unix_events),
)


class Twins:
    """Real objects and what stands in for them, both ways."""

    def __init__(self) -> None:
        self._twin: dict[int, Any] = {}
        # By twin: the real objects that it stands in for, by name.
        self._real: dict[int, dict[str, Any]] = {}
        self._keep: list[tuple[Any, Any]] = []
        self._classes: list[tuple[type, type]] = []

    def add(self, name: str, real: Any, twin: Any) -> None:
        """One stands in for the other."""
        if id(real) not in self._twin:
            self._keep.append((real, twin))
            if isinstance(real, type) and isinstance(twin, type):
                self._classes.append((real, twin))
            self._twin[id(real)] = twin
        self._real.setdefault(id(twin), {}).setdefault(name, real)

    def add_modules(self, real: ModuleType, twin: ModuleType) -> None:
        """A module, with its functions and classes."""
        self.add(real.__name__, real, twin)
        # Who asks where a module comes from (importlib.util.find_spec, inspect) asks the twin.
        twin.__spec__ = real.__spec__
        for name, value in vars(real).items():
            other = vars(twin).get(name, value)
            if other is value or name.startswith("__") or value is threading.local:
                # (The class of thread-local objects knows tasks itself: thread_locals.py.)
                continue
            if isinstance(value, _REPLACEABLE):
                self.add(name, value, other)

    def add_methods(self, real: type, twin: type) -> None:
        """The methods of a class, as functions that are called with an object of it."""
        for name, method in vars(real).items():
            if isinstance(method, _METHODS) and not name.startswith("__"):
                self.add(name, method, getattr(twin, name, method))

    def reals(self) -> Iterator[Any]:
        """Everything that something stands in for."""
        return (real for real, _ in self._keep)

    def twins(self) -> Iterator[Any]:
        """Everything that stands in for something."""
        return (twin for _, twin in self._keep)

    def classes(self) -> Iterator[tuple[type, type]]:
        """Each real class with the class that stands in for it."""
        return iter(self._classes)

    def twin_of(self, real: Any) -> Any:
        """What stands in for an object; itself if nothing does."""
        return self._twin.get(id(real), real)

    def is_twin(self, value: Any) -> bool:
        """Whether an object stands in for something."""
        return id(value) in self._real

    def real_of(self, twin: Any, name: str) -> Any:
        """What a twin stands in for; of several the one of that name."""
        reals = self._real.get(id(twin))
        if reals is None:
            return twin
        return reals.get(name) or next(iter(reals.values()))
