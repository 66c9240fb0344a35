"""Objects made before the patch: what they do in the world's thread while it is in force.

A lock, taken or free, makes tasks wait in virtual time, so that events, conditions and queues over
it do; one that nobody in the world will give back is a Deadlock that names it. A real queue waits
likewise. `datetime.now` and its kin follow the host's clock. In other threads all of them do what
they always did, and locks keep tasks and those threads apart as before.
"""

from __future__ import annotations

import _queue
import _thread
import concurrent.futures._base
import datetime
import queue
import threading
from collections.abc import Callable
from typing import Any
from weakref import WeakKeyDictionary

from simnet import locks, times
from simnet.clock import nanoseconds
from simnet.current import in_foreign_thread, the_host
from simnet.patching.c_methods import Methods, namespace
from simnet.patching.guards import called_by_tools
from simnet.patching.places import Place, in_dict
from simnet.readiness import POLLIN, Pollable

_Lock: type = type(_thread.allocate_lock())
_lock_methods = dict(namespace(_Lock))
_rlock_methods = dict(namespace(_thread.RLock))
_queue_methods = dict(namespace(_queue.SimpleQueue))


class _Waited(Pollable):
    """An old object that somebody waits for; it reports itself as what it is."""

    __slots__ = ("_ready", "_what")

    def __init__(self, what: object, ready: Callable[[], bool]) -> None:
        super().__init__()
        self._what = repr(what)
        self._ready = ready

    def poll(self) -> int:
        return POLLIN if self._ready() else 0

    def __repr__(self) -> str:
        return f"{self._what} made before the patch"


_waited: WeakKeyDictionary[Any, _Waited] = WeakKeyDictionary()


def _notify(old: Any) -> None:
    if _waited:
        waited = _waited.get(old)
        if waited is not None:
            waited.notify(POLLIN)


def _wait(
    old: Any, attempt: Callable[[], Any], ready: Callable[[], bool], timeout: float, call: str
) -> Any:
    """Try until it succeeds or the time is over (then what the last attempt gave)."""
    host = the_host()
    waited = _waited.get(old)
    if waited is None:
        waited = _waited[old] = _Waited(old, ready)
    deadline_ns = None if timeout < 0 else host.deadline(nanoseconds(timeout))
    try:
        while True:
            in_time = host.scheduler.wait(waited, POLLIN, deadline_ns, call, waited)
            result = attempt()
            if result or not in_time:
                return result
    finally:
        if not waited.waiters:
            _waited.pop(old, None)


def _acquire(self: Any, blocking: bool = True, timeout: float = -1) -> bool:
    """acquire(blocking=True, timeout=-1) -> bool"""
    acquire = _lock_methods["acquire"]
    if in_foreign_thread():
        return acquire(self, blocking, timeout)  # type: ignore[no-any-return]
    locks.check_arguments(blocking, timeout)
    if acquire(self, False):
        return True
    if called_by_tools():
        # They wait for threads of the real system.
        return acquire(self, blocking, timeout)  # type: ignore[no-any-return]
    if not blocking or timeout == 0:
        the_host().scheduler.relax()
        return acquire(self, False)  # type: ignore[no-any-return]

    def attempt() -> bool:
        return acquire(self, False)  # type: ignore[no-any-return]

    def ready() -> bool:
        return not _lock_methods["locked"](self)

    return _wait(self, attempt, ready, timeout, "acquire")  # type: ignore[no-any-return]


def _enter(self: Any) -> bool:
    return _acquire(self)


def _release(self: Any) -> None:
    """release()"""
    _lock_methods["release"](self)
    if not in_foreign_thread():
        _notify(self)


def _exit(self: Any, *args: object) -> None:
    _release(self)


# Locks that their holder may take again: to the real one all tasks are one thread, so that a
# simulated one tells them apart; the real one is taken as often, to keep other threads out.


_rlocks: WeakKeyDictionary[Any, locks.RLock] = WeakKeyDictionary()


def _simulated(rlock: Any) -> locks.RLock:
    simulated = _rlocks.get(rlock)
    if simulated is None:
        simulated = _rlocks[rlock] = locks.RLock()
        if _rlock_methods["_is_owned"](rlock):
            simulated.taken_by_main()
    return simulated


def _rlock_acquire(self: Any, blocking: bool = True, timeout: float = -1) -> bool:
    """acquire(blocking=True, timeout=-1) -> bool"""
    acquire = _rlock_methods["acquire"]
    if in_foreign_thread():
        return acquire(self, blocking, timeout)  # type: ignore[no-any-return]
    locks.check_arguments(blocking, timeout)
    simulated = _simulated(self)
    if not simulated.acquire(blocking, timeout):
        return False
    taken: bool = acquire(self, blocking, timeout)
    if not taken:
        # Another thread of the real system holds it.
        simulated.release()
    return taken


def _rlock_enter(self: Any) -> bool:
    return _rlock_acquire(self)


def _rlock_release(self: Any) -> None:
    """release()"""
    if not in_foreign_thread():
        _simulated(self).release()
    _rlock_methods["release"](self)


def _rlock_exit(self: Any, *args: object) -> None:
    _rlock_release(self)


def _rlock_is_owned(self: Any) -> bool:
    if in_foreign_thread():
        return _rlock_methods["_is_owned"](self)  # type: ignore[no-any-return]
    return _simulated(self)._is_owned()


def _rlock_recursion_count(self: Any) -> int:
    if in_foreign_thread():
        return _rlock_methods["_recursion_count"](self)  # type: ignore[no-any-return]
    return _simulated(self)._recursion_count()


def _rlock_release_save(self: Any) -> Any:
    if in_foreign_thread():
        return _rlock_methods["_release_save"](self)
    state = _simulated(self)._release_save()
    for _ in range(state[0]):
        _rlock_methods["release"](self)
    return state


def _rlock_acquire_restore(self: Any, state: Any) -> None:
    if in_foreign_thread():
        _rlock_methods["_acquire_restore"](self, state)
        return
    _simulated(self)._acquire_restore(state)
    for _ in range(state[0]):
        _rlock_methods["acquire"](self)


def _put(self: Any, item: Any, block: bool = True, timeout: float | None = None) -> None:
    """put(item, block=True, timeout=None)"""
    _queue_methods["put"](self, item, block, timeout)
    if not in_foreign_thread():
        _notify(self)


def _put_nowait(self: Any, item: Any) -> None:
    """put_nowait(item)"""
    _put(self, item)


def _get(self: Any, block: bool = True, timeout: float | None = None) -> Any:
    """get(block=True, timeout=None)"""
    get = _queue_methods["get"]
    if in_foreign_thread() or not block or not self.empty() or called_by_tools():
        return get(self, block, timeout)
    if timeout is not None and timeout < 0:
        raise ValueError("'timeout' must be a non-negative number")

    def filled() -> bool:
        return not self.empty()

    _wait(self, filled, filled, -1 if timeout is None else timeout, "get")
    return get(self, False)


def _now(cls: type[datetime.datetime], tz: datetime.tzinfo | None = None) -> datetime.datetime:
    """Returns new datetime object representing current time local to tz."""
    seconds, microseconds = divmod(times.time_ns() // 1000, 1_000_000)
    return cls.fromtimestamp(seconds, tz).replace(microsecond=microseconds)


def _utcnow(cls: type[datetime.datetime]) -> datetime.datetime:
    """Return a new datetime representing UTC day and time."""
    return _now(cls, datetime.timezone.utc).replace(tzinfo=None)


def _today(cls: type[datetime.date]) -> datetime.date:
    """Current date or datetime: same as self.__class__.fromtimestamp(time.time())."""
    if issubclass(cls, datetime.datetime):
        return _now(cls)
    return cls.fromtimestamp(times.time())


# Programs pickle them, with what they hold for a clock.
for _method in (_now, _utcnow, _today):
    _method.__name__ = _method.__qualname__ = _method.__name__.strip("_")

METHODS = (
    Methods(
        _Lock,
        {
            "acquire": _acquire,
            "acquire_lock": _acquire,
            "__enter__": _enter,
            "release": _release,
            "release_lock": _release,
            "__exit__": _exit,
        },
    ),
    Methods(
        _thread.RLock,
        {
            "acquire": _rlock_acquire,
            "__enter__": _rlock_enter,
            "release": _rlock_release,
            "__exit__": _rlock_exit,
            "_is_owned": _rlock_is_owned,
            "_recursion_count": _rlock_recursion_count,
            "_release_save": _rlock_release_save,
            "_acquire_restore": _rlock_acquire_restore,
        },
    ),
    Methods(
        _queue.SimpleQueue,
        {"put": _put, "put_nowait": _put_nowait, "get": _get},
    ),
    Methods(
        datetime.datetime,
        {"now": classmethod(_now), "utcnow": classmethod(_utcnow)},
    ),
    Methods(datetime.date, {"today": classmethod(_today)}),
)


def places() -> list[tuple[Place, Any]]:
    """Where classes of the real modules, whose objects live on, read the time for timeouts."""
    return [
        (in_dict(vars(threading), "_time"), times.monotonic),
        (in_dict(vars(queue), "time"), times.monotonic),
        (in_dict(vars(concurrent.futures._base), "time"), times.module),
    ]


def forget() -> None:
    """The patch ends: who holds what is again for the real system to say."""
    _rlocks.clear()
    _waited.clear()
