"""Waiting: the one place where a call that cannot proceed becomes one that waits.

Two goals conflict: look as if the call blocked, and report its errors at once. So each call is tried,
and while it gives None it waits for news of the endpoint and is tried again. Three modes:

* non-blocking: EAGAIN, after others had their turn;
* a Python timeout: wait until the endpoint polls ready, then try (`sock_call_ex` of CPython); the
  descriptor itself is non-blocking, so the kernel's own waiting rules do not apply;
* blocking: wait inside the call, by the kernel's rules (SO_RCVTIMEO and SO_SNDTIMEO, MSG_WAITALL,
  SO_RCVLOWAT, whole sends).

A call that waits keeps its endpoint open: close() from elsewhere does not wake it, as on Linux.
"""

from __future__ import annotations

import errno
from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar

from simnet import constants
from simnet.errors import os_error
from simnet.protocols.base import Endpoint, Received
from simnet.readiness import EVERYTHING, READABLE, WRITABLE, Pollable

if TYPE_CHECKING:
    from simnet.scheduler import Scheduler

T = TypeVar("T")


def wait(
    endpoint: Endpoint,
    mask: int,
    deadline_ns: int | None,
    call: str,
    subject: object,
    on: Pollable | None = None,
) -> bool:
    """Wait for news of the endpoint (or of `on`); False when the deadline has passed."""
    endpoint.hold()
    try:
        return endpoint.host.scheduler.wait(on or endpoint, mask, deadline_ns, call, subject)
    finally:
        (on or endpoint).hand_on()
        endpoint.release()


def timed(
    endpoint: Endpoint,
    attempt: Callable[[], T | None],
    mask: int,
    deadline_ns: int,
    call: str,
    subject: object,
) -> T:
    """A call of a socket with a Python timeout."""
    if not endpoint.poll() & mask:
        _wait_or_time_out(endpoint, mask, deadline_ns, call, subject)
    while True:
        result = attempt()
        if result is not None:
            endpoint.hand_on()
            return result
        # Ready in vain: wait for something new, not for readiness, which may well persist.
        _wait_or_time_out(endpoint, mask, deadline_ns, call, subject)


def _wait_or_time_out(
    endpoint: Endpoint, mask: int, deadline_ns: int, call: str, subject: object
) -> None:
    while wait(endpoint, mask, deadline_ns, call, subject):
        if endpoint.poll() & mask:
            return
    if not endpoint.poll() & mask:
        raise TimeoutError("timed out")


def would_block(scheduler: Scheduler) -> OSError:
    """EAGAIN for a call that must not wait, once others have had their turn."""
    scheduler.relax()
    return os_error(errno.EAGAIN)


def until_result(
    endpoint: Endpoint,
    attempt: Callable[[], T | None],
    mask: int,
    limit_ns: int | None,
    call: str,
    subject: object,
) -> T:
    """A blocking call that ends with its first result; EAGAIN when the kernel's limit passes."""
    deadline_ns = _deadline(endpoint, limit_ns)
    while True:
        result = attempt()
        if result is not None:
            endpoint.hand_on()
            return result
        if not wait(endpoint, mask, deadline_ns, call, subject):
            raise os_error(errno.EAGAIN)


def receive_plainly(endpoint: Endpoint, size: int, subject: object) -> bytes | None:
    """A blocking receive without flags or options; None when it turns out not to be so plain."""
    scheduler = endpoint.host.scheduler
    while endpoint.must_wait():
        scheduler.wait_for_input(endpoint, subject)
        data = endpoint.recv_now(size)
        if data is not None:
            if endpoint.waiters:
                endpoint.hand_on()
            return data
    return None


def receive(
    endpoint: Endpoint, size: int, flags: int, ancillary_size: int, call: str, subject: object
) -> Received:
    """A blocking receive: waits for the first bytes, and with MSG_WAITALL for all of them."""
    deadline_ns = _deadline(endpoint, endpoint.settings.rcvtimeo_ns)
    # In one call the kernel waits until this much has come (sock_rcvlowat).
    target = size if flags & constants.MSG_WAITALL else min(endpoint.rcvlowat, size)
    peek = flags & constants.MSG_PEEK
    so_far: Received | None = None
    while True:
        left = size if so_far is None or peek else size - so_far.length
        try:
            part = endpoint.recv(left, flags, ancillary_size)
        except OSError:
            if so_far is not None and so_far.length:
                return so_far
            raise
        if part is None and endpoint.blocking_recv_ended():
            # Only a call that would wait notices that receiving was shut down (datagram.c).
            part = Received(b"")
        if part is not None:
            so_far = part if so_far is None or peek else _joined(so_far, part)
            enough = so_far.length >= target or so_far.ancillary or part.length == 0
            if enough or not endpoint.is_stream or not endpoint.may_bring_more():
                endpoint.hand_on()
                return so_far
        if not wait(endpoint, READABLE, deadline_ns, call, subject):
            if so_far is not None:
                return so_far
            raise os_error(errno.EAGAIN)


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
    while True:
        try:
            count = attempt(sent)
        except OSError:
            if sent:
                return sent
            raise
        if count is not None:
            sent += count
            if sent >= total or not endpoint.is_stream:
                endpoint.hand_on()
                return sent
        room = endpoint.send_waits_on(address)
        if not wait(endpoint, WRITABLE, deadline_ns, call, subject, room):
            if sent:
                return sent
            raise os_error(errno.EAGAIN)


def linger(endpoint: Endpoint, subject: object) -> None:
    """close() with SO_LINGER waits until the peer has everything, or for so many seconds."""
    seconds = endpoint.settings.linger_s
    if not endpoint.lingers() or not seconds:
        return
    deadline_ns = endpoint.host.scheduler.deadline(seconds)
    while endpoint.lingers():
        if not endpoint.host.scheduler.wait(endpoint, EVERYTHING, deadline_ns, "close", subject):
            return


def _deadline(endpoint: Endpoint, limit_ns: int | None) -> int | None:
    return None if limit_ns is None else endpoint.host.clock.now_ns + limit_ns
