"""Switch points: where a policy may let another task run, although nobody has to wait.

Before every call of a socket or of a file over one, of a lock, a condition, an event, a semaphore,
a barrier or a queue, and before every look at readiness. What the standard library does within such
a call is one step: its own locks are no switch points. Methods are wrapped as long as a world with
such a policy is open: otherwise they cost nothing. Sleeping is waiting, and needs none.
"""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from simnet import locks, pollers, stdlib, threads
from simnet.current import host_or_none

_SOCKET_CALLS = (
    *("accept", "bind", "close", "connect", "connect_ex", "detach", "dup", "getpeername"),
    *(
        "getsockname",
        "getsockopt",
        "listen",
        "recv",
        "recv_into",
        "recvfrom",
        "recvfrom_into",
        "recvmsg",
    ),
    *("recvmsg_into", "send", "sendall", "sendfile", "sendmsg", "sendto", "setsockopt", "shutdown"),
)
_LOCK_CALLS = ("acquire", "release", "locked", "__enter__", "__exit__")
_QUEUE_CALLS = ("empty", "full", "get", "get_nowait", "join", "put", "put_nowait", "qsize")
_TARGETS: tuple[tuple[Any, tuple[str, ...]], ...] = (
    (stdlib.module.socket, _SOCKET_CALLS),
    (stdlib.module.SocketIO, ("close", "readinto", "write")),
    (locks.lock, _LOCK_CALLS),
    (locks.RLock, _LOCK_CALLS),
    (pollers, ("wait_for_any",)),
    (
        threads.threading.Condition,
        ("__enter__", "__exit__", "notify", "notify_all", "wait", "wait_for"),
    ),
    (threads.threading.Event, ("clear", "is_set", "set", "wait")),
    (threads.threading.Semaphore, ("__enter__", "__exit__", "acquire", "release")),
    (threads.threading.Barrier, ("abort", "reset", "wait")),
    (threads.threading.Thread, ("is_alive", "join", "start")),
    (threads.queue.Queue, (*_QUEUE_CALLS, "task_done")),
    (threads.queue.SimpleQueue, tuple(n for n in _QUEUE_CALLS if n not in ("full", "join"))),
)
# What these modules call is no step of its own; those that are executed a second time are of them.
_OURS = "simnet."

# How many want them now, and what was there before the first.
_users = 0
_replaced: list[tuple[Any, str, Any]] = []


def _switching(call: str, function: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(function)
    def switching(*args: Any, **kwargs: Any) -> Any:
        caller = sys._getframe(1).f_globals.get("__name__", "")
        host = None if caller.startswith(_OURS) else host_or_none()
        if host is None:
            return function(*args, **kwargs)
        scheduler = host.scheduler
        task = scheduler.current
        # What waits within is another call in another version of Python, of another thing: it is
        # this one that reports name.
        outer, task.calling = task.calling, (call, args[0])
        try:
            scheduler.switch_point(call, args[0])
            return function(*args, **kwargs)
        finally:
            task.calling = outer

    return switching


def install() -> None:
    """From now on calls are switch points of worlds whose policy preempts, until `uninstall`."""
    global _users
    _users += 1
    if _users > 1:
        return
    try:
        for target, names in _TARGETS:
            own = vars(target)
            for name in names:
                wrapped = _switching(name, getattr(target, name))
                _replaced.append((target, name, own.get(name)))
                setattr(target, name, wrapped)
    except BaseException:
        uninstall()
        raise


def uninstall() -> None:
    """Put the methods back, if nobody else wants switch points; once for each `install`."""
    global _users
    _users -= 1
    if _users:
        return
    while _replaced:
        target, name, before = _replaced.pop()
        if before is None:
            delattr(target, name)
        else:
            setattr(target, name, before)


@contextmanager
def installed() -> Iterator[None]:
    """Within a block, calls are switch points: for many worlds after one another."""
    install()
    try:
        yield
    finally:
        uninstall()
