"""The standard library's threads over simulated primitives: `threading`, `queue`, thread pools.

`threading.py`, `_threading_local.py`, `queue.py` and `concurrent.futures` of this version of Python
are executed a second time over the simulated `_thread` (locks.py) and `time` (times.py): a thread
is a task of the current host's world, a lock makes a task wait, timeouts pass in virtual time.
Exceptions (`queue.Empty`, `concurrent.futures.CancelledError`, ...) are the real classes.

Not modelled: process pools, `settrace` and `setprofile` of `threading` and of `sys` for one thread
alone (tasks share one thread of the operating system, and what one sets is there for all), stack
sizes.
"""

from __future__ import annotations

import concurrent.futures
import concurrent.futures._base as _real_base
import contextvars
import functools
import logging
import os
import queue as _real_queue
import sys
import threading as _real_threading
import time as _real_time
from collections.abc import Callable, Iterator, MutableMapping
from itertools import count
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

from simnet import locks, stdlib, times
from simnet.arguments import duration_ns
from simnet.current import host_or_none
from simnet.ordered import OrderedSet
from simnet.tasks import TaskExit

if TYPE_CHECKING:
    from simnet.scheduler import Scheduler
    from simnet.tasks import SimTask

# What a host says of its processors: pools of threads are sized by it, the same on every machine.
_PROCESSORS = 4


class _Os:
    """`os` as modules with threads use it."""

    def __getattr__(self, name: str) -> Any:
        return getattr(os, name)

    @staticmethod
    def cpu_count() -> int:
        return _PROCESSORS

    process_cpu_count = cpu_count

    @staticmethod
    def register_at_fork(**callbacks: Callable[[], object]) -> None:
        """Simulated threads do not outlive a fork."""


class _Threads(MutableMapping[Any, Any]):
    """A table of threads, apart for each world: a world that ends leaves some that never began."""

    def __init__(self, name: str, outside: dict[Any, Any]) -> None:
        self._name = name
        self._outside = outside

    def _here(self) -> dict[Any, Any]:
        host = host_or_none()
        if host is None:
            return self._outside
        tables = host.scheduler.threads
        threads = tables.get(self._name)
        if threads is None:
            threads = tables[self._name] = dict(self._outside)
        return threads

    def __getitem__(self, key: Any) -> Any:
        return self._here()[key]

    def __setitem__(self, key: Any, thread: Any) -> None:
        self._here()[key] = thread

    def __delitem__(self, key: Any) -> None:
        del self._here()[key]

    def __iter__(self) -> Iterator[Any]:
        return iter(list(self._here()))

    def __len__(self) -> int:
        return len(self._here())


class Count:
    """Gives numbers for names, from the first one in each world, so that runs are alike."""

    def __init__(self, first: int) -> None:
        self._first = first
        self._outside = count(first)
        self._by_world: WeakKeyDictionary[Scheduler, count[int]] = WeakKeyDictionary()

    def __call__(self) -> int:
        host = host_or_none()
        return next(self._outside) if host is None else self.of(host.scheduler)

    def of(self, scheduler: Scheduler) -> int:
        """The next number in the world of a scheduler."""
        numbers = self._by_world.get(scheduler)
        if numbers is None:
            numbers = self._by_world[scheduler] = count(self._first)
        return next(numbers)


_numbers = Count(1)


def number_of(obj: Any, scheduler: Scheduler | None = None) -> int:
    """A hash for what programs keep in sets: that by address is another in every run.

    It counts, in the current world or that of the scheduler, who was first asked for it.
    """
    try:
        return obj._number_in_sets  # type: ignore[no-any-return]
    except AttributeError:
        number = _numbers() if scheduler is None else _numbers.of(scheduler)
        obj._number_in_sets = number
        return number


class _Holder:
    """What a task's thread locals hang on."""


_holders: WeakKeyDictionary[SimTask, _Holder] = WeakKeyDictionary()
_outside = _Holder()


def _current_holder() -> _Holder:
    host = host_or_none()
    return _outside if host is None else _holders.setdefault(host.scheduler.current, _Holder())


def _monotonic() -> float:
    """What timeouts are told by; outside every host, of objects that were made in one, real."""
    return _real_time.monotonic() if host_or_none() is None else times.monotonic()


_clock: Any = SimpleNamespace(**{**vars(times.module), "monotonic": _monotonic})


def _make_threading() -> Any:
    holding = SimpleNamespace(current_thread=_current_holder, RLock=locks.RLock)
    thread_module: Any = locks.module
    thread_module._local = stdlib.execute("_threading_local", {"threading": holding}).local
    thread_module._local.__module__, thread_module._local.__qualname__ = "_thread", "_local"
    thread_module._local.__reduce_ex__ = locks.refuse_copy
    replaced = {"_thread": locks.module, "time": _clock, "os": _Os()}
    copy: Any = stdlib.execute("threading", replaced)
    simulated = copy.current_thread

    def current_thread() -> Any:
        """The thread that calls; one that is no task of a world is the real one."""
        if host_or_none() is None and locks.get_ident() != locks.MAIN_IDENT:
            return _real_threading.current_thread()
        return simulated()

    current_thread.__module__ = "threading"
    copy.current_thread = current_thread
    if hasattr(copy, "_maintain_shutdown_locks"):
        # (Up to Python 3.12.) The interpreter does not wait for tasks when it ends; a search
        # through the locks of all threads, at the beginning and end of each, is what would be left.
        copy._maintain_shutdown_locks = copy._shutdown_locks.clear
    copy._active = _Threads("active", dict(copy._active))
    copy._limbo = _Threads("limbo", {})
    copy._counter = Count(1)
    copy.Thread.__hash__ = number_of
    # Who stands for a task that is no Thread goes with its world (Python 3.13 removes it earlier).
    copy._DeleteDummyThreadOnDel = lambda thread: None
    return copy


# Outside every host, wherever this module is imported: the main thread is that of every world.
threading = contextvars.Context().run(_make_threading)


def _make_queue() -> Any:
    replaced = {"threading": threading, "time": _clock, "_queue": None}
    copy: Any = stdlib.execute("queue", replaced)
    copy.SimpleQueue = _make_simple_queue(copy._PySimpleQueue)
    for name in ("Empty", "Full", "ShutDown"):
        if hasattr(_real_queue, name):
            setattr(copy, name, getattr(_real_queue, name))
    for name in ("get", "put"):
        setattr(copy.Queue, name, _giving_way(getattr(copy.Queue, name)))
    return copy


def _giving_way(method: Callable[..., Any]) -> Callable[..., Any]:
    """A method of queues that, in vain, lets others have their turn: programs repeat it."""

    @functools.wraps(method)
    def call(*args: Any, **kwargs: Any) -> Any:
        try:
            return method(*args, **kwargs)
        except (_real_queue.Empty, _real_queue.Full):
            host = host_or_none()
            if host is not None:
                host.scheduler.relax()
            raise

    return call


def _make_simple_queue(base: Any) -> type:
    class SimpleQueue(base):  # type: ignore[misc]
        """Simple, unbounded FIFO queue."""

        __module__ = "_queue"
        __qualname__ = "SimpleQueue"
        __reduce_ex__ = locks.refuse_copy

        def get(self, block: bool = True, timeout: float | None = None) -> Any:
            if not block:
                return super().get(False)
            if timeout is not None and duration_ns(timeout) < 0:
                raise ValueError("'timeout' must be a non-negative number")
            return super().get(True, timeout)

    return SimpleQueue


queue = _make_queue()


class Future(concurrent.futures.Future):  # type: ignore[type-arg]
    """A future whose result is waited for in virtual time."""

    def __init__(self) -> None:
        super().__init__()
        self._condition = threading.Condition()

    __hash__ = number_of


class _Logger:
    """What `concurrent.futures` complains to, but not of tasks that their world has ended."""

    def __init__(self, logger: logging.Logger) -> None:
        self._logger = logger

    def __getattr__(self, name: str) -> Any:
        return getattr(self._logger, name)

    def critical(self, *args: Any, **kwargs: Any) -> None:
        if not isinstance(sys.exc_info()[1], TaskExit):
            self._logger.critical(*args, **kwargs)


def _make_futures() -> tuple[Any, Any]:
    """`concurrent.futures`, with a pool whose threads are tasks."""
    replaced: dict[str, Any] = {"threading": threading, "time": _clock, "queue": queue}
    replaced["os"] = _Os()
    base: Any = stdlib.execute("concurrent.futures._base", replaced)
    base.set = OrderedSet
    for name, value in vars(_real_base).items():
        if isinstance(value, type) and issubclass(value, Exception):
            setattr(base, name, value)
    base.LOGGER = _Logger(base.LOGGER)
    base.Future = Future
    base.Executor = concurrent.futures.Executor
    replaced["concurrent.futures"] = SimpleNamespace(_base=base)
    pool: Any = stdlib.execute("concurrent.futures.thread", replaced)
    pool.set = OrderedSet
    pool.ThreadPoolExecutor._counter = Count(0)
    return base, pool


base, pool = _make_futures()
# What `concurrent.futures` itself shows of them.
futures = SimpleNamespace(
    Future=Future,
    ThreadPoolExecutor=pool.ThreadPoolExecutor,
    wait=base.wait,
    as_completed=base.as_completed,
)
