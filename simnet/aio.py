"""asyncio on a simulated host: the standard library's own selector event loop over simulated parts.

`base_events`, `selector_events` and `unix_events` of this version of Python are executed a second
time over the simulated `socket` and `selectors`, as `socket.py` is (stdlib.py); tasks, futures,
streams, transports and TLS are the real ones and notice nothing. Time is the world's. What asyncio
keeps for each thread (the running loop, the hooks of asynchronous generators) is put aside whenever
another task of the world runs, so that several hosts may each run a loop.

Not modelled, and refused with an error: subprocesses, pipes of the real system, executors whose
threads or processes are real. Calls that would go to a thread (`run_in_executor(None, ...)`,
`to_thread`, looking up names) go to a task of the world. Signals reach the process, not a host: a
loop that handles them hears those of alarms (alarms.py) in virtual time, and others when they come.
"""

from __future__ import annotations

import concurrent.futures
import contextlib
import contextvars
import heapq
import math
import os
import stat
from asyncio import events, tasks
from collections.abc import Callable
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar

from simnet import alarms, keepers, stdlib, threads, times, tls
from simnet.current import current_host, the_host
from simnet.descriptor_calls.dispatch import is_simulated
from simnet.errors import Unsupported
from simnet.ordered import OrderedSet, OrderedWeakSet
from simnet.tasks import TaskExit

if TYPE_CHECKING:
    from simnet.host import Host

T = TypeVar("T")


class _Os(stdlib.Os):
    """`os` as the event loop uses it: names of unix sockets are the host's."""

    @staticmethod
    def stat(path: Any, **kwargs: Any) -> Any:
        kind, number = the_host().files.status(os.fspath(path))
        modes = {"socket": stat.S_IFSOCK, "directory": stat.S_IFDIR, "file": stat.S_IFREG}
        return SimpleNamespace(st_mode=modes[kind] | 0o755, st_ino=number)

    @staticmethod
    def remove(path: Any, **kwargs: Any) -> None:
        the_host().files.unlink(os.fspath(path))

    unlink = remove


class Task(tasks.Task[T]):
    """A task; sets of all tasks, or of those that are done, have the same order in every run."""

    def __hash__(self) -> int:
        loop: Any = self.get_loop()
        # A program may have a class of loops of its own, or a mock of one.
        scheduler = loop._host.scheduler if isinstance(loop, EventLoop) else None
        return threads.number_of(self, scheduler)


def _copy(name: str, **siblings: Any) -> Any:
    replaced = {
        "socket": stdlib.module,
        "selectors": stdlib.selectors,
        "signal": alarms.module,
        "ssl": tls.module,
        "os": _Os(),
        "threading": threads.threading,
        "time": times.module,
    }
    replaced |= {f".{sibling}": module for sibling, module in siblings.items()}
    return stdlib.execute(f"asyncio.{name}", replaced)


base_events = _copy("base_events", tasks=SimpleNamespace(**{**vars(tasks), "Task": Task}))
base_events.set = OrderedSet
base_events.weakref = SimpleNamespace(WeakSet=OrderedWeakSet)
selector_events = _copy("selector_events", base_events=base_events)
unix_events = _copy("unix_events", base_events=base_events, selector_events=selector_events)
_LONGEST_WAIT = base_events.MAXIMUM_SELECT_TIMEOUT
_SelectorEventLoop: Any = unix_events._UnixSelectorEventLoop


_RUNNING_LOOP = keepers.Thing(events._get_running_loop, events._set_running_loop, None)


_task_numbers = threads.Count(1)


def _of_caller(handle: Any) -> Any:
    """A handle or task that says, in debug mode, who called the loop, and not this module."""
    if getattr(handle, "_source_traceback", None):
        del handle._source_traceback[-1]
    return handle


class EventLoop(_SelectorEventLoop):  # type: ignore[misc]
    """An event loop of a host; what it calls back runs on that host."""

    _task_factory: Any
    _signal_handlers: Any
    _transports: Any
    # Whether somebody ended it from outside.
    _ended = True
    _default_executor: concurrent.futures.Executor | None

    def __init__(self, selector: Any = None, *, host: Host | None = None) -> None:
        self._host = host or the_host()
        self._on_host(super().__init__, selector)
        self._ended = False
        self._clock_resolution = 1e-9

    def __repr__(self) -> str:
        state = "closed" if self.is_closed() else "running" if self.is_running() else "idle"
        return f"<event loop of host {self._host.name!r} {state}>"

    def time(self) -> float:
        """The host's monotonic clock, in seconds."""
        return self._host.clock.now_ns * (1 + self._host.clock_drift) / 1e9

    def run_forever(self) -> None:
        task = self._host.scheduler.current
        keeper = keepers.TaskKeeper(task, _RUNNING_LOOP, keepers.ASYNC_GENERATORS)
        keeper.begin()
        try:
            if task.ending:
                # What asyncio would do at its end is not done any more.
                raise TaskExit
            super().run_forever()
        except TaskExit:
            self._end_where_it_stands()
            raise
        finally:
            keeper.end()

    def _end_where_it_stands(self) -> None:
        """The world or the host has ended the task: nothing that is left complains of it later."""
        self._ended = True
        for sig in list(self._signal_handlers):
            with contextlib.suppress(Exception):
                self.remove_signal_handler(sig)
        for transport in list(self._transports.values()):
            inner = getattr(transport._protocol, "_app_transport", None)
            if inner is not None:
                inner._closed = True
            # It is about to close, and has lost its connection: so asyncio itself has it.
            transport._closing = True
            transport._conn_lost += 1
            sock, transport._sock = transport._sock, None
            if sock is not None:
                sock.close()
        for left in tasks.all_tasks(self):
            left._log_destroy_pending = False  # type: ignore[attr-defined]
            with contextlib.suppress(BaseException):
                left.get_coro().close()

    def call_exception_handler(self, context: dict[str, Any]) -> None:
        failure = context.get("exception")
        if not isinstance(failure, TaskExit):
            super().call_exception_handler(context)
        elif "handle" in context:
            # A callback was ended with the task that runs this loop: that is not its failure.
            raise failure

    def create_task(self, coro: Any, **kwargs: Any) -> Any:
        if kwargs.get("name") is None and self._task_factory is None:
            # asyncio itself counts through all worlds.
            kwargs["name"] = f"Task-{_task_numbers.of(self._host.scheduler)}"
        return _of_caller(super().create_task(coro, **kwargs))

    def __del__(self) -> None:
        if not self._ended:
            super().__del__()

    def _run_once(self) -> None:
        """One round; the superclass alone cares for cancelled timers and debugging."""
        if self._timer_cancelled_count or self._debug:
            super()._run_once()
            return
        ready, timers = self._ready, self._scheduled
        timeout = None
        if ready or self._stopping:
            timeout = 0
        elif timers:
            timeout = min(max(0, timers[0]._when - self.time()), _LONGEST_WAIT)
        found = self._selector.select(timeout)
        if found:
            self._process_events(found)
        if timers:
            self._timers_to_ready()
        for _ in range(len(ready)):
            handle = ready.popleft()
            if not handle._cancelled:
                handle._run()

    def _timers_to_ready(self) -> None:
        timers = self._scheduled
        now = self.time() + self._clock_resolution
        while timers and timers[0]._when < now:
            timer = heapq.heappop(timers)
            timer._scheduled = False
            self._ready.append(timer)

    # What is called back runs on the host

    def _context(self, context: contextvars.Context | None) -> contextvars.Context | None:
        if context is None:
            if current_host.get(None) is self._host:
                return None
            context = contextvars.copy_context()
        if context.get(current_host) is not self._host:
            context.run(current_host.set, self._host)
        return context

    def call_soon(
        self, callback: Any, *args: Any, context: contextvars.Context | None = None
    ) -> Any:
        if context is None or context.get(current_host) is not self._host:
            context = self._context(context)
        if self._debug or self._closed:
            return _of_caller(super().call_soon(callback, *args, context=context))
        handle = events.Handle(callback, args, self, context)
        self._ready.append(handle)
        return handle

    def call_at(
        self, when: float, callback: Any, *args: Any, context: contextvars.Context | None = None
    ) -> Any:
        if when == math.inf:
            # Never; asyncio would wake up once a day to see whether it has come to that.
            return events.TimerHandle(when, callback, args, self, self._context(context))
        return _of_caller(super().call_at(when, callback, *args, context=self._context(context)))

    def call_soon_threadsafe(
        self, callback: Any, *args: Any, context: contextvars.Context | None = None
    ) -> Any:
        context = self._context(context)
        return _of_caller(super().call_soon_threadsafe(callback, *args, context=context))

    def _on_host(self, method: Callable[..., T], *args: Any) -> T:
        token = current_host.set(self._host)
        try:
            return method(*args)
        finally:
            current_host.reset(token)

    def add_reader(self, fd: Any, callback: Any, *args: Any) -> Any:
        return self._on_host(super().add_reader, fd, callback, *args)

    def add_writer(self, fd: Any, callback: Any, *args: Any) -> Any:
        return self._on_host(super().add_writer, fd, callback, *args)

    def add_signal_handler(self, sig: int, callback: Any, *args: Any) -> Any:
        return self._on_host(super().add_signal_handler, sig, callback, *args)

    # Executors are tasks of the world

    def run_in_executor(self, executor: Any, func: Callable[..., Any], *args: Any) -> Any:
        if executor is None:
            if self._default_executor is None:
                pool = threads.futures.ThreadPoolExecutor(thread_name_prefix="asyncio")
                self._default_executor = pool
        else:
            self._check_executor(executor)
        return self._on_host(super().run_in_executor, executor, func, *args)

    def set_default_executor(self, executor: Any) -> None:
        self._check_executor(executor)
        self._default_executor = executor

    def _check_executor(self, executor: Any) -> None:
        if not isinstance(executor, threads.futures.ThreadPoolExecutor):
            _refuse(
                f"{type(executor).__name__} runs code in threads or processes of the real system",
                "pass None, or simnet.threads.futures.ThreadPoolExecutor()",
            )

    async def connect_read_pipe(self, protocol_factory: Any, pipe: Any) -> Any:
        self._check_pipe(pipe)
        return await super().connect_read_pipe(protocol_factory, pipe)

    async def connect_write_pipe(self, protocol_factory: Any, pipe: Any) -> Any:
        self._check_pipe(pipe)
        return await super().connect_write_pipe(protocol_factory, pipe)

    def _check_pipe(self, pipe: Any) -> None:
        fileno = getattr(pipe, "fileno", None)
        if fileno is None or not is_simulated(fileno()):
            _refuse(
                "this pipe belongs to the real system",
                "use one of os.pipe() in a patched program, or a socketpair",
            )

    # Refused

    async def subprocess_exec(self, *args: Any, **kwargs: Any) -> NoReturn:
        _refuse("a subprocess would run in the real system, on the real network")

    async def subprocess_shell(self, *args: Any, **kwargs: Any) -> NoReturn:
        _refuse("a subprocess would run in the real system, on the real network")


class _Local(threads.threading.local):  # type: ignore[misc, name-defined]
    """What the policy keeps for each thread, as that of asyncio.events."""

    _loop = None
    _set_called = False


# What the copies give to programs that do not name a host.
unix_events._UnixDefaultEventLoopPolicy._Local = _Local
unix_events._UnixDefaultEventLoopPolicy._loop_factory = EventLoop
for _name in ("_UnixSelectorEventLoop", "SelectorEventLoop", "EventLoop"):
    if hasattr(unix_events, _name):
        setattr(unix_events, _name, EventLoop)


def _refuse(why: str, instead: str = "") -> NoReturn:
    raise Unsupported(why + (f"; {instead}" if instead else ""))
