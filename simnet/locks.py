"""The module `_thread` of a simulated host: threads are tasks, and locks make them wait.

Where no host is current (while modules are imported, say, or in a module that was imported in a
patched program, when the patch is over) locks do among threads of the real system what real ones
do. Not modelled: stack sizes (taken and kept,
without an effect on tasks), threads that outlive their world.
"""

from __future__ import annotations

import _thread as _real
import contextvars
import functools
import signal
import sys
import threading as _real_threading
import time
import traceback
from collections.abc import Callable
from types import FunctionType, ModuleType
from typing import TYPE_CHECKING, Any, NoReturn, SupportsIndex
from weakref import WeakKeyDictionary

from simnet.arguments import c_int
from simnet.clock import nanoseconds
from simnet.current import host_or_none, in_foreign_thread, the_host
from simnet.errors import SimnetError
from simnet.readiness import POLLIN, Pollable
from simnet.tasks import TaskExit

if TYPE_CHECKING:
    from simnet.tasks import SimTask

TIMEOUT_MAX: float = _real.TIMEOUT_MAX
# What the code outside all tasks has as its identity; tasks count from there.
MAIN_IDENT = 1
_main_ident = _real_threading.main_thread().ident


def _task() -> SimTask | None:
    """The task that runs, if a host is current."""
    host = host_or_none()
    return None if host is None else host.scheduler.current


def get_ident() -> int:
    """get_ident() -> integer"""
    task = _task()
    if task is not None:
        return MAIN_IDENT + task.number
    ident = _real.get_ident()
    return MAIN_IDENT if ident == _main_ident and not in_foreign_thread() else ident


class _Free(Pollable):
    """What somebody waits for who finds a lock taken."""

    __slots__ = ("_lock",)

    def __init__(self, lock: lock) -> None:
        super().__init__()
        self._lock = lock

    def poll(self) -> int:
        return 0 if self._lock.locked() else POLLIN


# A real lock that is free: it says what is wrong with arguments, in this Python's own words.
_sample = _real.allocate_lock()
_acquire_sample, _release_sample = type(_sample).acquire, type(_sample).release
# Lets threads of the real system take simulated locks one after the other.
_guard = _real.allocate_lock()


def check_arguments(blocking: bool, timeout: float) -> None:
    """What acquire() may be given: TypeError, ValueError, OverflowError."""
    plain = timeout == -1 and isinstance(blocking, bool)
    if not plain and _acquire_sample(_sample, blocking, timeout):
        _release_sample(_sample)


def refuse_copy(self: Any, protocol: SupportsIndex = 0, /) -> NoReturn:
    """Helper for pickle."""
    cls = type(self)
    raise TypeError(f"cannot pickle '{cls.__module__}.{cls.__qualname__}' object")


class lock:
    """A lock; whoever waits for it gets it in turn."""

    __slots__ = ("__weakref__", "_free", "_gates", "_taken", "holder")

    if sys.version_info < (3, 13):

        def __new__(cls) -> lock:
            """There is a function that makes them."""
            raise TypeError("cannot create '_thread.lock' instances")

    def __init__(self) -> None:
        self._taken = False
        self._free: _Free | None = None
        # Where threads of the real system wait: locks of theirs, which are taken.
        self._gates: list[Any] | None = None
        # Who took it, for reports.
        self.holder: SimTask | None = None

    def __init_subclass__(cls) -> None:
        raise TypeError("type '_thread.lock' is not an acceptable base type")

    def acquire(self, blocking: bool = True, timeout: float = -1) -> bool:
        """acquire(blocking=True, timeout=-1) -> bool"""
        check_arguments(blocking, timeout)
        task = _task()
        if task is None:
            return self._acquire_outside(blocking, timeout)
        if self._taken and not self._wait(task, blocking, timeout):
            return False
        self._taken = True
        self.holder = task
        return True

    def _acquire_outside(self, blocking: bool, timeout: float) -> bool:
        """As a thread of the real system, of which there may be several, and in real time."""
        deadline = time.monotonic() + timeout
        while True:
            _acquire_sample(_guard)
            try:
                if not self._taken:
                    self._taken = True
                    return True
            finally:
                _release_sample(_guard)
            left = deadline - time.monotonic()
            if not blocking or (timeout >= 0 and left <= 0):
                return False
            by_task = self.holder is not None and not in_foreign_thread()
            if timeout < 0 and (by_task or len(sys._current_frames()) == 1):
                raise SimnetError(
                    "a simulated lock is taken, and outside every simulated host there is no "
                    "thread that could give it back"
                )
            self._wait_outside(-1 if timeout < 0 else left)

    def _wait_outside(self, seconds: float) -> None:
        """Until somebody gives it back, maybe, in so many seconds of the real system."""
        gate = _real.allocate_lock()
        _acquire_sample(gate)
        if self._gates is None:
            self._gates = []
        gates = self._gates
        gates.append(gate)
        # Who gives it back looks at the gates afterwards.
        if self._taken:
            _acquire_sample(gate, True, seconds)
        if gate in gates:
            gates.remove(gate)

    def _wait(self, task: SimTask, blocking: bool, timeout: float) -> bool:
        """Until it is free; False if that takes too long."""
        scheduler = task.scheduler
        if not blocking or timeout == 0:
            scheduler.relax()
            return not self._taken
        deadline_ns = None
        if timeout > 0:
            deadline_ns = scheduler.clock.now_ns + nanoseconds(timeout)
        if self._free is None:
            self._free = _Free(self)
        while self._taken:
            if not scheduler.wait(self._free, POLLIN, deadline_ns, "acquire", self):
                return not self._taken
        return True

    def release(self) -> None:
        """release()"""
        if not self._taken:
            raise RuntimeError("release unlocked lock")
        self._taken = False
        self.holder = None
        if self._free is not None:
            self._free.notify(POLLIN)
        if self._gates:
            _release_sample(self._gates.pop(0))

    def locked(self) -> bool:
        """locked() -> bool"""
        return self._taken

    def _is_owned(self) -> bool:
        # Asked by conditions, which would otherwise try to take it: a chance for others to run,
        # also when the collector closes something that has a queue.
        return self._taken

    def _at_fork_reinit(self) -> None:
        self._taken = False
        self._free = None

    acquire_lock, release_lock, locked_lock = acquire, release, locked
    __reduce_ex__ = refuse_copy

    def __enter__(self) -> bool:
        return self.acquire()

    def __exit__(self, *args: object) -> None:
        self.release()

    def __repr__(self) -> str:
        if not self._taken:
            return f"<unlocked _thread.lock object at {id(self):#x}>"
        by = "" if self.holder is None else f" held by {self.holder.name!r}"
        return f"<locked _thread.lock object{by} at {id(self):#x}>"


def _allocate_lock() -> lock:
    made: lock = object.__new__(lock)
    made.__init__()  # type: ignore[misc]
    return made


# As the function in C: no method where a class keeps it.
allocate_lock = staticmethod(functools.wraps(_real.allocate_lock)(_allocate_lock))


class RLock:
    """A lock that its holder may take again."""

    __slots__ = ("__weakref__", "_count", "_lock", "_owner")

    def __init__(self, *ignored: object, **as_well: object) -> None:
        # The real one takes any arguments, too.
        self._lock = _allocate_lock()
        self._owner: int | None = None
        self._count = 0

    @property
    def holder(self) -> SimTask | None:
        """Who took it, for reports."""
        return self._lock.holder

    def taken_by_main(self) -> None:
        """The code outside all tasks holds it, for longer than anybody counts."""
        self._lock.acquire(False)
        self._owner, self._count = MAIN_IDENT, sys.maxsize

    def acquire(self, blocking: bool = True, timeout: float = -1) -> bool:
        """acquire(blocking=True, timeout=-1) -> bool"""
        check_arguments(blocking, timeout)
        me = get_ident()
        if self._owner == me:
            self._count += 1
            return True
        if not self._lock.acquire(blocking, timeout):
            return False
        self._owner, self._count = me, 1
        return True

    def release(self) -> None:
        """release()"""
        if self._owner != get_ident():
            raise RuntimeError("cannot release un-acquired lock")
        self._count -= 1
        if not self._count:
            self._owner = None
            self._lock.release()

    def locked(self) -> bool:
        """locked() -> bool"""
        return self._lock.locked()

    def _is_owned(self) -> bool:
        return self._owner == get_ident()

    def _recursion_count(self) -> int:
        return self._count if self._is_owned() else 0

    def _release_save(self) -> tuple[int, int | None]:
        if not self._count:
            raise RuntimeError("cannot release un-acquired lock")
        state = self._count, self._owner
        self._count, self._owner = 0, None
        self._lock.release()
        return state

    def _acquire_restore(self, state: tuple[int, int | None]) -> None:
        self._lock.acquire()
        self._count, self._owner = state

    def _at_fork_reinit(self) -> None:
        self._lock._at_fork_reinit()
        self._count, self._owner = 0, None

    __reduce_ex__ = refuse_copy

    def __enter__(self) -> bool:
        return self.acquire()

    def __exit__(self, *args: object) -> None:
        self.release()

    def __repr__(self) -> str:
        state = "locked" if self._lock.locked() else "unlocked"
        held = f"owner={self._owner or 0} count={self._count}"
        return f"<{state} _thread.RLock object {held} at {id(self):#x}>"


# Programs ask whether a lock is the one that signal handlers may take (trio does).
for _cls in (lock, RLock):
    _cls.__module__ = _real.__name__


# Threads


class _Sentinels:
    """Locks that are given back when a thread ends (threads join on them up to Python 3.12)."""

    def __init__(self) -> None:
        self._locks: WeakKeyDictionary[SimTask, lock] = WeakKeyDictionary()

    def make(self) -> lock:
        sentinel = _allocate_lock()
        task = _task()
        if task is not None:
            self._locks[task] = sentinel
        return sentinel

    def release(self, task: SimTask) -> None:
        sentinel = self._locks.pop(task, None)
        if sentinel is not None and sentinel.locked():
            sentinel.release()


_sentinels = _Sentinels()


class _Unraisable:
    """Something whose end raises what nobody can catch."""

    def __del__(self) -> None:
        raise RuntimeError


@functools.cache
def _unraisable_type() -> Callable[[tuple[Any, ...]], Any]:
    """What the interpreter gives to sys.unraisablehook: it takes nothing else, and names it not."""
    seen: list[type] = []
    before, sys.unraisablehook = sys.unraisablehook, lambda told: seen.append(type(told))
    try:
        _Unraisable()
    finally:
        sys.unraisablehook = before
    return seen[0]


def _begin(
    function: Callable[..., object], args: tuple[Any, ...], kwargs: dict[str, Any]
) -> SimTask:
    host = the_host()

    def run() -> None:
        task = host.scheduler.current
        try:
            function(*args, **kwargs)
        except (SystemExit, TaskExit):
            pass
        except Exception as exc:
            what, who = "Exception ignored in thread started by", function
            if sys.version_info >= (3, 13):
                what, who = f"{what} {function!r}", None  # type: ignore[assignment]
            told = (type(exc), exc, exc.__traceback__, what, who)
            sys.unraisablehook(_unraisable_type()(told))
        finally:
            _sentinels.release(task)

    # What starts a Thread is a method of it, and reports name it as the program does.
    name = getattr(getattr(function, "__self__", None), "name", None)
    # A thread begins with no context variable set, but of the same host.
    return contextvars.Context().run(
        functools.partial(host.spawn, run, name=name if isinstance(name, str) else None)
    )


def start_new_thread(
    function: Callable[..., object], args: tuple[Any, ...], kwargs: Any = None, /
) -> int:
    """start_new_thread(function, args[, kwargs]) -> identity"""
    if not callable(function):
        raise TypeError("first arg must be callable")
    if not isinstance(args, tuple):
        raise TypeError("2nd arg must be a tuple")
    return MAIN_IDENT + _begin(function, args, kwargs or {}).number


class _ThreadHandle:
    """A thread to be joined (Python 3.13)."""

    def __init__(self) -> None:
        self.ident: int | None = None
        self._task: SimTask | None = None
        self._done = False

    def _set_done(self) -> None:
        if self.ident is None:
            raise RuntimeError("thread not started")
        self._done = True

    def is_done(self) -> bool:
        """Whether it has ended."""
        return self._done or (self._task is not None and self._task.done)

    def join(self, timeout: float | None = None) -> None:
        """Wait for its end, for so many seconds at most."""
        if self._task is not None:
            if self._task is _task():
                raise RuntimeError("Cannot join current thread")
            self._task.join(None if timeout is None or timeout < 0 else timeout)
        elif self.ident is None and not self._done:
            raise RuntimeError("thread not started")

    def __repr__(self) -> str:
        return f"<_ThreadHandle object: ident={self.ident}>"


def start_joinable_thread(
    function: Callable[[], object], handle: _ThreadHandle | None = None, daemon: bool = True
) -> _ThreadHandle:
    """start_joinable_thread(function[, handle[, daemon]]) -> handle"""
    handle = handle or _ThreadHandle()
    if handle._task is not None:
        raise RuntimeError("thread already started")
    handle._task = _begin(function, (), {})
    handle.ident = MAIN_IDENT + handle._task.number
    return handle


def _make_thread_handle(ident: int) -> _ThreadHandle:
    handle = _ThreadHandle()
    handle.ident = ident
    return handle


def _excepthook(args: Any, /) -> None:
    """Handle an uncaught exception of a thread as the process does: as a rule, print it.

    One that only ends the thread is none. Test tools have a hook of their own there.
    """
    if args.exc_type is SystemExit or issubclass(args.exc_type, TaskExit):
        return
    hook = _real_threading.excepthook
    if hook is not _real._excepthook or args.thread is not None or sys.stderr is None:
        hook(args)
        return
    # It would name the thread of the operating system.
    print(f"Exception in thread {get_ident()}:", file=sys.stderr, flush=True)
    traceback.print_exception(args.exc_type, args.exc_value, args.exc_traceback, file=sys.stderr)


def _interrupt_main(signum: int = signal.SIGINT, /) -> None:
    """Simulate the arrival of the given signal in the main thread."""
    if not 0 < c_int(signum) < signal.NSIG:
        raise ValueError("signal number out of range")
    handler = signal.getsignal(signum)
    if not callable(handler):
        return
    scheduler = the_host().scheduler
    if scheduler.current is scheduler.main:
        handler(signum, None)
    else:
        scheduler.call_in_main(lambda: handler(signum, None))


def _exit() -> NoReturn:
    raise SystemExit


def _stack_size(size: int = 0, /) -> int:
    return _real.stack_size(size)


def make_module() -> ModuleType:
    """A module `_thread` whose threads are tasks."""
    module = ModuleType("_thread", "Threads and locks of simulated hosts.")
    module.__dict__.update(
        {
            "error": RuntimeError,
            "LockType": lock,
            "lock": lock,
            "allocate_lock": allocate_lock,
            "allocate": allocate_lock,
            "RLock": RLock,
            "TIMEOUT_MAX": TIMEOUT_MAX,
            "get_ident": get_ident,
            "get_native_id": get_ident,
            "start_new_thread": start_new_thread,
            "start_new": start_new_thread,
            "start_joinable_thread": start_joinable_thread,
            "_ThreadHandle": _ThreadHandle,
            "_make_thread_handle": _make_thread_handle,
            "_get_main_thread_ident": lambda: MAIN_IDENT,
            "_is_main_interpreter": lambda: True,
            "daemon_threads_allowed": lambda: True,
            "_shutdown": lambda: None,
            "_set_sentinel": _sentinels.make,
            "_count": lambda: len(the_host().scheduler.tasks),
            "stack_size": _stack_size,
            "exit": _exit,
            "exit_thread": _exit,
            "interrupt_main": _interrupt_main,
            "_excepthook": _excepthook,
            "_ExceptHookArgs": _real._ExceptHookArgs,
        }
    )
    for value in vars(module).values():
        # What asks where something is from looks for `_thread` (threading.__all__ is made so).
        if isinstance(value, (type, FunctionType)) and value.__module__ == __name__:
            value.__module__ = "_thread"
    return module


module = make_module()
