"""Waiting: the one place where a call that cannot proceed becomes one that waits.

Two goals conflict: look as if the call blocked, and report its errors at once. So each call is
tried, and while it gives None it waits for news of the endpoint and is tried again. Three modes:

* non-blocking: EAGAIN, after others had their turn;
* a Python timeout: wait until the endpoint polls ready, then try (`sock_call_ex` of CPython); the
  descriptor itself is non-blocking, so the kernel's own waiting rules do not apply;
* blocking: wait inside the call, by the kernel's rules (SO_RCVTIMEO and SO_SNDTIMEO, MSG_WAITALL,
  SO_RCVLOWAT, whole sends).

The plainest receive is the exception: it waits within the scheduler (`Scheduler.receive`).

A call that waits keeps its endpoint open: close() from elsewhere does not wake it, as on Linux.
"""

from __future__ import annotations

import errno
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, TypeVar

from simnet import constants
from simnet.errors import os_error
from simnet.protocols.base import Endpoint, Received
from simnet.protocols.opened import Opened
from simnet.readiness import EVERYTHING, POLLIN, READABLE, WRITABLE, Pollable

if TYPE_CHECKING:
    from simnet.scheduler import Scheduler

T = TypeVar("T")


@contextmanager
def held(endpoint: Opened) -> Iterator[None]:
    """Keep an endpoint open while a call of it waits, and then let the next caller look."""
    endpoint.hold()
    try:
        yield
    finally:
        endpoint.hand_on()
        endpoint.release()


def wait(
    endpoint: Opened,
    mask: int,
    deadline_ns: int | None,
    call: str,
    subject: object,
    on: Pollable | None = None,
) -> bool:
    """Wait for news of the endpoint (or of `on`); False when the deadline has passed."""
    return endpoint.host.scheduler.wait(on or endpoint, mask, deadline_ns, call, subject)


def timed(
    endpoint: Endpoint,
    attempt: Callable[[], T | None],
    mask: int,
    deadline_ns: int | None,
    call: str,
    subject: object,
) -> T:
    """A call of a socket with a Python timeout."""
    with held(endpoint):
        if not endpoint.poll() & mask:
            _wait_or_time_out(endpoint, mask, deadline_ns, call, subject)
        while True:
            result = attempt()
            if result is not None:
                return result
            # Ready in vain: wait for something new, not for readiness, which may well persist.
            _wait_or_time_out(endpoint, mask, deadline_ns, call, subject)


def _wait_or_time_out(
    endpoint: Endpoint, mask: int, deadline_ns: int | None, call: str, subject: object
) -> None:
    while wait(endpoint, mask, deadline_ns, call, subject):
        if endpoint.poll() & mask:
            return
    raise TimeoutError("timed out")


def would_block(scheduler: Scheduler) -> OSError:
    """EAGAIN for a call that must not wait, once others have had their turn."""
    scheduler.relax()
    return os_error(errno.EAGAIN)


def until_result(
    endpoint: Opened,
    attempt: Callable[[], T | None],
    mask: int,
    limit_ns: int | None,
    call: str,
    subject: object,
) -> T:
    """A blocking call that ends with its first result; EAGAIN when the kernel's limit passes."""
    deadline_ns = _deadline(endpoint, limit_ns)
    with held(endpoint):
        while True:
            result = attempt()
            if result is not None:
                return result
            if not wait(endpoint, mask, deadline_ns, call, subject):
                raise os_error(errno.EAGAIN)


def receive(
    endpoint: Endpoint, size: int, flags: int, ancillary_size: int, call: str, subject: object
) -> Received:
    """A blocking receive: waits for the first bytes, and with MSG_WAITALL for all of them."""
    deadline_ns = _deadline(endpoint, endpoint.settings.rcvtimeo_ns)
    # In one call the kernel waits until this much has come (sock_rcvlowat).
    target = size if flags & constants.MSG_WAITALL else min(endpoint.rcvlowat, size)
    so_far: Received | None = None
    with held(endpoint):
        while True:
            before = so_far
            so_far, ended = _receive_more(endpoint, so_far, size, flags, ancillary_size, target)
            if ended:
                return so_far or Received(b"")
            if so_far is not before and not flags & constants.MSG_PEEK and endpoint.poll() & POLLIN:
                # Reading made room, and the peer filled it at once.
                continue
            if so_far is not None and endpoint.is_interrupted():
                return so_far
            if not wait(endpoint, READABLE, deadline_ns, call, subject):
                if so_far is not None:
                    return so_far
                raise os_error(errno.EAGAIN)


def _receive_more(
    endpoint: Endpoint,
    so_far: Received | None,
    size: int,
    flags: int,
    ancillary_size: int,
    target: int,
) -> tuple[Received | None, bool]:
    """One more try of a blocking receive: what has come by now, and whether that ends it."""
    peek = flags & constants.MSG_PEEK
    if so_far is not None and not endpoint.recv_goes_on():
        return so_far, True
    left = size if so_far is None or peek else size - so_far.length
    try:
        part = endpoint.recv(left, flags, ancillary_size)
    except OSError:
        if so_far is not None:
            return so_far, True
        raise
    if part is None:
        if endpoint.blocking_recv_ended():
            # Only a call that would wait notices that receiving was shut down (datagram.c).
            return so_far or Received(b""), True
        return so_far, False
    whole = part if so_far is None or peek else _joined(so_far, part)
    enough = whole.length >= target or bool(whole.ancillary) or part.length == 0
    return whole, enough or not endpoint.is_stream or not endpoint.may_bring_more()


def _joined(first: Received, second: Received) -> Received:
    return first._replace(
        data=first.data + second.data,
        flags=first.flags | second.flags,
        length=first.length + second.length,
        ancillary=(*first.ancillary, *second.ancillary),
    )


def send(
    endpoint: Endpoint,
    attempt: Callable[[int], int | None],
    total: int,
    address: object,
    call: str,
    subject: object,
) -> int:
    """A blocking send: everything, or as much as went before the connection ended."""
    deadline_ns = _deadline(endpoint, endpoint.settings.sndtimeo_ns)
    sent = 0
    with held(endpoint):
        try:
            while True:
                count = attempt(sent)
                if count is not None:
                    sent += count
                    if sent >= total or not endpoint.is_stream or endpoint.is_interrupted():
                        return sent
                    continue
                room = endpoint.send_waits_on(address)
                if not wait(endpoint, WRITABLE, deadline_ns, call, subject, room):
                    raise os_error(errno.EAGAIN)
                if not endpoint.send_goes_on(sent):
                    return sent
        except OSError:
            if sent:
                return sent
            raise


def linger(endpoint: Endpoint, subject: object) -> None:
    """close() with SO_LINGER waits until the peer has everything, or for so many seconds."""
    seconds = endpoint.settings.linger_s
    if not endpoint.lingers() or not seconds:
        return
    deadline_ns = endpoint.host.scheduler.deadline(seconds)
    while endpoint.lingers():
        if not endpoint.host.scheduler.wait(endpoint, EVERYTHING, deadline_ns, "close", subject):
            return


def _deadline(endpoint: Opened, limit_ns: int | None) -> int | None:
    return None if limit_ns is None else endpoint.host.deadline(limit_ns)
