"""The simulated `select` module: select, poll and epoll over endpoints.

Argument errors and results are those of CPython's selectmodule.c; what is ready when is the
kernel's (select.c, eventpoll.c). Not modelled: FD_SETSIZE (simulated descriptors are far above it),
EPOLLWAKEUP's effect, busy polling.
"""

from __future__ import annotations

import errno
import functools
import select as _real
from collections.abc import Callable, Iterable
from operator import itemgetter
from selectors import EVENT_READ as _READ
from selectors import EVENT_WRITE as _WRITE
from types import TracebackType
from typing import TYPE_CHECKING, Any

from simnet.arguments import masked_uint, plain_int
from simnet.current import the_host
from simnet.descriptors import Descriptor
from simnet.errors import os_error
from simnet.poller_arguments import (
    descriptor_number,
    epoll_timeout_ns,
    poll_mask,
    poll_timeout_ns,
    select_timeout_ns,
)
from simnet.protocols.opened import Opened
from simnet.readiness import (
    ALWAYS,
    EVERYTHING,
    POLLERR,
    POLLHUP,
    POLLIN,
    POLLNVAL,
    POLLOUT,
    POLLPRI,
    POLLRDBAND,
    POLLRDNORM,
    POLLWRBAND,
    POLLWRNORM,
    Pollable,
)
from simnet.signatures import by_name, expects, one_argument

if TYPE_CHECKING:
    from simnet.host import Host

# What select(2) calls readable, writable and exceptional (POLLIN_SET, POLLOUT_SET, POLLEX_SET).
_SELECT_IN = POLLRDNORM | POLLRDBAND | POLLIN | POLLHUP | POLLERR
_SELECT_OUT = POLLWRBAND | POLLWRNORM | POLLOUT | POLLERR
_SELECT_EX = POLLPRI


def _deadline_ns(host: Host, timeout_ns: int | None) -> int | None:
    return None if timeout_ns is None else host.deadline(timeout_ns)


def _look_up(host: Host, number: int) -> Pollable:
    # Whatever has a descriptor can be waited for.
    return host.descriptors.get(number).endpoint  # type: ignore[return-value]


def wait_for_any(
    host: Host,
    pollables: Iterable[Pollable],
    look: Any,
    deadline_ns: int | None,
    call: str,
    subject: object = None,
) -> Any:
    """Call `look()` until it finds something; wait in between for any of the pollables.

    What it found last, which is empty once the deadline has passed.
    """
    found = look()
    scheduler = host.scheduler
    if found:
        return found
    if deadline_ns is not None and deadline_ns <= host.clock.now_ns:
        scheduler.relax()
        return look()
    watched = list(dict.fromkeys(pollables))
    task = scheduler.current
    task.mask = EVERYTHING
    task.exclusive = False
    for pollable in watched:
        # What is watched stays open until the call returns, whoever closes it meanwhile.
        pollable.hold()
        pollable.add_waiter(task)
    try:
        while True:
            in_time = scheduler.suspend(deadline_ns, call, subject)
            found = look()
            if found or not in_time:
                return found
            task.mask = EVERYTHING
            task.exclusive = False
    finally:
        for pollable in watched:
            pollable.remove_waiter(task)
            pollable.release()


# select


@expects(3, 4)
def select(
    rlist: Iterable[Any],
    wlist: Iterable[Any],
    xlist: Iterable[Any],
    timeout: float | None = None,
    /,
) -> tuple[list[Any], list[Any], list[Any]]:
    """select(rlist, wlist, xlist[, timeout]) -> (rlist, wlist, xlist)"""
    host = the_host()
    deadline_ns = _deadline_ns(host, select_timeout_ns(timeout))
    groups = []
    for objects, mask in ((rlist, _SELECT_IN), (wlist, _SELECT_OUT), (xlist, _SELECT_EX)):
        try:
            members = list(objects)
        except TypeError:
            raise TypeError("arguments 1-3 must be sequences") from None
        numbered = [(obj, descriptor_number(obj)) for obj in members]
        if isinstance(objects, (set, frozenset)):
            # The order of a set is another in every run.
            numbered.sort(key=itemgetter(1))
        groups.append((numbered, mask))
    pollables = {number: _look_up(host, number) for members, _ in groups for _, number in members}

    def look() -> tuple[list[Any], list[Any], list[Any]] | None:
        bits = {number: pollable.poll() for number, pollable in pollables.items()}
        ready = [
            [obj for obj, number in members if bits[number] & mask] for members, mask in groups
        ]
        return (ready[0], ready[1], ready[2]) if any(ready) else None

    return wait_for_any(host, pollables.values(), look, deadline_ns, "select") or ([], [], [])


# poll


class Poll:
    """What select.poll() gives: descriptors and the bits of interest in each."""

    _host: Host
    _interests: dict[int, int]
    _running: bool

    def __new__(cls) -> Poll:
        """There is a function that makes them."""
        raise TypeError("cannot create 'select.poll' instances")

    def __init_subclass__(cls) -> None:
        raise TypeError("type 'select.poll' is not an acceptable base type")

    @expects(1, 2)
    def register(self, fd: Any, eventmask: int = POLLIN | POLLPRI | POLLOUT, /) -> None:
        """Watch a descriptor, or change what for."""
        number, mask = descriptor_number(fd), poll_mask(eventmask)
        self._interests[number] = mask

    @expects(2, 2)
    def modify(self, fd: Any, eventmask: int, /) -> None:
        """Change what a descriptor is watched for; ENOENT if it is not watched."""
        number, mask = descriptor_number(fd), poll_mask(eventmask)
        if number not in self._interests:
            raise os_error(errno.ENOENT)
        self._interests[number] = mask

    @one_argument
    def unregister(self, fd: Any, /) -> None:
        """Watch it no more; KeyError if it is not watched."""
        del self._interests[descriptor_number(fd)]

    def poll(self, timeout: float | None = None, /) -> list[tuple[int, int]]:
        """Wait for `timeout` milliseconds at most; (descriptor, bits) of each that is ready."""
        host = self._host
        deadline_ns = _deadline_ns(host, poll_timeout_ns(timeout))
        if self._running:
            raise RuntimeError("concurrent poll() invocation")
        self._running = True
        try:
            return wait_for_any(host, self._pollables(), self._look, deadline_ns, "poll") or []
        finally:
            self._running = False

    def _pollables(self) -> Iterable[Pollable]:
        for number in self._interests:
            try:
                yield _look_up(self._host, number)
            except OSError:
                continue

    def _look(self) -> list[tuple[int, int]]:
        found = []
        for number, mask in self._interests.items():
            try:
                bits = _look_up(self._host, number).poll() & (mask | ALWAYS)
            except OSError:
                bits = POLLNVAL
            if bits:
                found.append((number, bits))
        return found


Poll.__name__ = Poll.__qualname__ = "poll"
Poll.__module__ = "select"


def _poll() -> Poll:
    made: Poll = object.__new__(Poll)
    made._host, made._interests, made._running = the_host(), {}, False
    return made


# As the function in C: no method where a class keeps it.
poll = staticmethod(functools.wraps(_real.poll)(_poll))


# epoll

EPOLLEXCLUSIVE = 1 << 28
EPOLLWAKEUP = 1 << 29
EPOLLONESHOT = 1 << 30
EPOLLET = 1 << 31
_PRIVATE = EPOLLEXCLUSIVE | EPOLLWAKEUP | EPOLLONESHOT | EPOLLET
_EXCLUSIVE_OK = POLLIN | POLLOUT | ALWAYS | EPOLLEXCLUSIVE | EPOLLWAKEUP | EPOLLET


class _Item:
    """One registration: an open object under a descriptor number, and the interest in it."""

    __slots__ = ("events", "in_line", "mask", "number", "owner", "target")

    exclusive = False

    def __init__(self, owner: _Epoll, number: int, target: Pollable, events: int) -> None:
        self.owner = owner
        self.number = number
        self.target = target
        self.watch(events)

    def watch(self, events: int) -> None:
        """Be interested in these from now on."""
        self.events = events
        self.mask = events & ~_PRIVATE
        self.in_line = bool(events & EPOLLEXCLUSIVE)

    def wake(self, bits: int) -> None:
        """Something happened that it is interested in (ep_poll_callback)."""
        owner = self.owner
        owner.ready[self] = None
        if owner.waiters:
            owner.notify(POLLIN | POLLRDNORM)


class _Epoll(Opened):
    """The kernel half of an epoll descriptor: registrations, and which may be ready, in order."""

    __slots__ = ("items", "ready")

    family = 0
    kind = "epoll"
    default_mode = 0o600

    def __init__(self, host: Host) -> None:
        super().__init__(host)
        self.items: dict[tuple[int, Pollable], _Item] = {}
        self.ready: dict[_Item, None] = {}

    def close(self) -> None:
        """The last descriptor has gone: nothing is watched any more."""
        for item in self.items.values():
            item.target.remove_waiter(item)
        self.items.clear()
        self.ready.clear()

    def poll(self) -> int:
        ready = any(item.target.poll() & item.mask for item in self._live(tuple(self.ready)))
        return POLLIN | POLLRDNORM if ready else 0

    def _live(self, items: Iterable[_Item]) -> Iterable[_Item]:
        """Registrations end with the last descriptor of what they watch."""
        for item in items:
            if getattr(item.target, "references", 1):
                yield item
            else:
                self.forget(item)

    def forget(self, item: _Item) -> None:
        """Take a registration back."""
        self.items.pop((item.number, item.target), None)
        self.ready.pop(item, None)
        item.target.remove_waiter(item)

    def drop_dead(self) -> None:
        """Take back the registrations of what has been closed."""
        for _ in self._live(tuple(self.items.values())):
            pass

    def control(self, operation: str, number: int, events: int) -> None:
        """epoll_ctl(2)."""
        target = _look_up(self.host, number)
        if target is self:
            raise os_error(errno.EINVAL)
        self.drop_dead()
        key = number, target
        item = self.items.get(key)
        if events & EPOLLEXCLUSIVE:
            unfit = events & ~_EXCLUSIVE_OK or isinstance(target, _Epoll)
            if operation == "modify" or unfit:
                raise os_error(errno.EINVAL)
        if operation == "add":
            if isinstance(target, _Epoll):
                self._check_nesting(target)
            if item is not None:
                raise os_error(errno.EEXIST)
            item = self.items[key] = _Item(self, number, target, events | ALWAYS)
            target.add_waiter(item)
        elif item is None:
            raise os_error(errno.ENOENT)
        elif operation == "delete":
            self.forget(item)
            return
        else:
            if item.events & EPOLLEXCLUSIVE:
                raise os_error(errno.EINVAL)
            item.watch(events | ALWAYS)
        bits = target.poll() & item.mask
        if bits:
            item.wake(bits)

    def _check_nesting(self, target: _Epoll, depth: int = 1) -> None:
        if any(item.target is self for item in target.items.values()):
            raise os_error(errno.ELOOP)
        if depth > 4:
            raise os_error(errno.EINVAL)
        for item in target.items.values():
            if isinstance(item.target, _Epoll):
                self._check_nesting(item.target, depth + 1)

    def collect(self, limit: int) -> list[tuple[int, int]]:
        """Up to `limit` ready registrations, the first to become ready first (ep_send_events).

        Level-triggered ones go to the end of the line and are looked at again next time.
        """
        ready = self.ready
        found: list[tuple[int, int]] = []
        for item in tuple(ready):
            if len(found) >= limit:
                break
            del ready[item]
            target = item.target
            if not getattr(target, "references", 1):
                self.forget(item)
                continue
            bits = target.poll() & item.mask
            if not bits:
                continue
            found.append((item.number, bits))
            if item.events & EPOLLONESHOT:
                item.watch(item.events & _PRIVATE)
            elif not item.events & EPOLLET:
                ready[item] = None
        return found


_CLOSED = Descriptor(-1, None)


class epoll:
    """select.epoll([sizehint=-1, flags=0])"""

    @by_name("epoll", "sizehint", "flags")
    def __init__(self, sizehint: int = -1, flags: int = 0) -> None:
        sizehint, flags = plain_int(sizehint), plain_int(flags)
        if sizehint < -1 or sizehint == 0:
            raise ValueError("negative sizehint")
        if flags & ~_real.EPOLL_CLOEXEC:
            raise OSError("invalid flags")
        host = the_host()
        self._host = host
        self._descriptor = host.descriptors.install(_Epoll(host))

    @classmethod
    @one_argument
    def fromfd(cls, fd: int, /) -> epoll:
        """An object for an epoll descriptor that is open already."""
        self = cls.__new__(cls)
        self._host = the_host()
        self._descriptor = self._host.descriptors.get(plain_int(fd))
        return self

    def _kernel(self) -> _Epoll:
        self._check_open()
        opened = self._descriptor.endpoint
        if opened is None:
            raise os_error(errno.EBADF)
        if not isinstance(opened, _Epoll):
            raise os_error(errno.EINVAL)
        return opened

    @by_name("register", "fd", "eventmask", required=1)
    def register(self, fd: Any, eventmask: int = POLLIN | POLLPRI | POLLOUT) -> None:
        """Watch a descriptor; EEXIST if it is watched already."""
        number, events = descriptor_number(fd), masked_uint(eventmask)
        self._kernel().control("add", number, events)

    @by_name("modify", "fd", "eventmask", required=2)
    def modify(self, fd: Any, eventmask: int) -> None:
        """Change what a descriptor is watched for."""
        number, events = descriptor_number(fd), masked_uint(eventmask)
        self._kernel().control("modify", number, events)

    @by_name("unregister", "fd", required=1)
    def unregister(self, fd: Any) -> None:
        """Watch it no more."""
        number = descriptor_number(fd)
        self._kernel().control("delete", number, 0)

    def poll(self, timeout: float | None = None, maxevents: int = -1) -> list[tuple[int, int]]:
        """Wait for `timeout` seconds at most; (descriptor, bits) of up to `maxevents`."""
        maxevents = plain_int(maxevents)
        kernel = self._kernel()
        deadline_ns = _deadline_ns(self._host, epoll_timeout_ns(timeout))
        if maxevents == -1:
            maxevents = 0x7FFFFFFF
        elif maxevents < 1:
            raise ValueError(f"maxevents must be greater than 0, got {maxevents}")

        def look() -> list[tuple[int, int]]:
            return kernel.collect(maxevents)

        return wait_for_any(self._host, [kernel], look, deadline_ns, "epoll") or []

    def close(self) -> None:
        """Close the descriptor; no harm is done if it was closed already."""
        descriptor, self._descriptor = self._descriptor, _CLOSED
        if descriptor.endpoint is not None:
            self._host.descriptors.close(descriptor.number)

    @property
    def closed(self) -> bool:
        """Whether it is."""
        return self._descriptor.number < 0

    def _check_open(self) -> None:
        if self.closed:
            raise ValueError("I/O operation on closed epoll object")

    def fileno(self) -> int:
        """The descriptor."""
        self._check_open()
        return self._descriptor.number

    def __enter__(self) -> epoll:
        self._check_open()
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None = None,
        exc: BaseException | None = None,
        traceback: TracebackType | None = None,
    ) -> None:
        self.close()

    def __del__(self) -> None:
        if hasattr(self, "_descriptor") and self._descriptor.endpoint is not None:
            self.close()


# selectors.EpollSelector

# A timeout, in seconds, that is certainly no error.
_A_DAY = 24 * 3600


def looks_first(waits: Callable[[Any, Any], Any]) -> Callable[..., Any]:
    """EpollSelector.select, with a short way where nobody has to wait: what event loops do."""

    @functools.wraps(waits)
    def select(self: Any, timeout: float | None = None) -> Any:
        poller: Any = self._selector
        kernel = poller._descriptor.endpoint if poller.__class__ is epoll else None
        if kernel.__class__ is not _Epoll or not (timeout is None or timeout <= _A_DAY):
            return waits(self, timeout)
        keys = self._fd_to_key
        found = kernel.collect(len(keys) or 1) if kernel.ready else None
        if not found:
            if timeout is None or timeout > 0:
                return waits(self, timeout)
            poller._host.scheduler.relax()
            if not kernel.ready:
                return []
            found = kernel.collect(len(keys) or 1)
        ready = []
        for number, bits in found:
            key = keys.get(number)
            if key is not None:
                events = _READ if bits & ~POLLOUT else 0
                if bits & ~POLLIN:
                    events |= _WRITE
                ready.append((key, events & key.events))
        return ready

    return select
