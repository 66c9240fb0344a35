"""What travels beside the data of unix sockets: credentials, and references to open sockets.

In a queue a message carries `Credentials` or None, and the sockets passed with it or None. Each
passed socket is held once per message that it lies in; who takes the message out takes the hold.

Passed sockets that only wait in each other's queues are garbage; they are collected whenever a unix
socket is closed, as the kernel's `unix_gc` does (there for all programs of a machine, and a little
later).

Not modelled: SCM_PIDFD, SCM_SECURITY, and the limit on how many sockets may be in flight at once.
"""

from __future__ import annotations

import errno
from collections.abc import Container, Iterable, Sequence
from typing import TYPE_CHECKING, Any

from simnet import constants
from simnet.errors import os_error
from simnet.protocols.base import Ancillary

if TYPE_CHECKING:
    from simnet.protocols.unix_base import Piece, UnixEndpoint

# (pid, uid, gid)
Credentials = tuple[int, int, int]
# Whatever has hold() and release().
Rights = tuple[Any, ...]

SCM_RIGHTS = 1
SCM_CREDENTIALS = 2
# SCM_MAX_FD (Linux 6.18).
MAX_RIGHTS = 253
# What a message without credentials shows: no process, and the overflow user and group.
NO_CREDENTIALS: Credentials = (0, 65534, 65534)
# What the end of a stream shows.
END_CREDENTIALS: Credentials = (0, 0, 0)

# Sizes of struct cmsghdr, and of the whole control message with credentials, aligned.
_HEADER = 16
_CREDENTIALS_SPACE = 32


def outgoing(
    ancillary: Sequence[Ancillary], own: Credentials
) -> tuple[Credentials | None, Rights | None]:
    """Check what a program wants to send (scm_send); nothing is held yet."""
    credentials: Credentials | None = None
    rights: Rights = ()
    for level, kind, value in ancillary:
        if level != constants.SOL_SOCKET:
            continue
        if kind == SCM_RIGHTS:
            rights += tuple(value)
            if len(rights) > MAX_RIGHTS:
                raise os_error(errno.EINVAL)
        elif kind == SCM_CREDENTIALS:
            credentials = _checked(value, own)
        else:
            raise os_error(errno.EINVAL)
    return credentials, rights or None


def _checked(claimed: Credentials, own: Credentials) -> Credentials:
    """Who one may claim to be: oneself; root may claim any user. No other process exists."""
    pid, uid, gid = claimed
    root = own[1] == 0
    if pid != own[0]:
        raise os_error(errno.ESRCH if root else errno.EPERM)
    if -1 in (uid, gid):
        raise os_error(errno.EINVAL)
    if not root and (uid, gid) != own[1:]:
        raise os_error(errno.EPERM)
    return pid, uid, gid


def incoming(
    credentials: Credentials | None, rights: Rights | None, size: int
) -> tuple[list[Ancillary], int]:
    """The items that fit a control buffer of that size, and MSG_CTRUNC if some do not (scm_recv).

    Credentials that fit in part are given whole: who encodes them cuts them. Passed sockets that do
    not fit are let go.
    """
    if size == 0:
        drop(rights)
        return [], constants.MSG_CTRUNC if credentials or rights else 0
    items: list[Ancillary] = []
    flags = 0
    if credentials:
        if size >= _HEADER:
            items.append((constants.SOL_SOCKET, SCM_CREDENTIALS, credentials))
        if size < _HEADER + 12:
            flags = constants.MSG_CTRUNC
        size -= min(size, _CREDENTIALS_SPACE) if size >= _HEADER else 0
    if rights:
        fit = max(0, size - _HEADER) // 4
        if fit:
            items.append((constants.SOL_SOCKET, SCM_RIGHTS, rights[:fit]))
        if fit < len(rights):
            flags = constants.MSG_CTRUNC
            drop(rights[fit:])
    return items, flags


def hold(rights: Rights | None) -> None:
    """One more reference to each."""
    for each in rights or ():
        each.hold()


def drop(rights: Rights | None) -> None:
    """One fewer."""
    for each in rights or ():
        each.release()


def enqueue(rights: Rights | None) -> None:
    """They now lie in a message: the message holds them."""
    for each in rights or ():
        each.hold()
        count = _counts(each)
        if count is not None:
            count[each] = count.get(each, 0) + 1


def dequeue(rights: Rights | None) -> None:
    """They lie in the message no more; its hold is the caller's."""
    for each in rights or ():
        count = _counts(each)
        if count is not None:
            count[each] -= 1
            if not count[each]:
                del count[each]


def _counts(each: Any) -> dict[UnixEndpoint, int] | None:
    """The table of unix sockets in flight, if it is one."""
    names = getattr(each, "names", None)
    return None if names is None else names.in_flight


def collect(in_flight: dict[UnixEndpoint, int]) -> None:
    """Empty the queues of sockets that can be reached from nowhere but such queues (unix_gc)."""
    candidates = {e: n for e, n in in_flight.items() if e.references == n}
    for candidate in tuple(candidates):
        for child in _children(candidate):
            if child in candidates:
                candidates[child] -= 1
    reachable = [candidate for candidate, count in candidates.items() if count > 0]
    while reachable:
        survivor = reachable.pop()
        if candidates.pop(survivor, None) is not None:
            reachable.extend(_children(survivor))
    # The sockets of a cycle are emptied before one of them is closed, so that nothing unread resets
    # their peers. What they alone held goes the way of every close (Linux 6.18).
    below = {garbage: _below(garbage, candidates) for garbage in candidates}
    cycles = [
        garbage
        for garbage in candidates
        if all(above in below[garbage] for above in candidates if garbage in below[above])
    ]
    pieces = [piece for garbage in cycles for piece in _emptied(garbage)]
    for piece in pieces:
        discard(piece)


def _below(endpoint: UnixEndpoint, among: Container[UnixEndpoint]) -> Container[UnixEndpoint]:
    """Those that lie in its queue, or in the queues of those that do."""
    found: dict[UnixEndpoint, None] = {}
    waiting = [endpoint]
    while waiting:
        for child in _children(waiting.pop()):
            if child in among and child not in found:
                found[child] = None
                waiting.append(child)
    return found


def discard(piece: Piece) -> None:
    """Drop a piece: its sender has the room again, and nothing is passed with it any more."""
    piece[2].charge_back(piece[1])
    if piece[4]:
        dequeue(piece[4])
        drop(piece[4])


def _emptied(endpoint: UnixEndpoint) -> list[Piece]:
    """Take everything out of a queue, or out of those of the connections waiting at it."""
    pieces: list[Piece] = []
    for each in (endpoint, *endpoint.backlog):
        pieces += each.queue
        each.queue.clear()
    return pieces


def _children(endpoint: UnixEndpoint) -> Iterable[UnixEndpoint]:
    """The sockets that lie in the queue of one, or in those of connections waiting at it."""
    for queue in (endpoint.queue, *(waiting.queue for waiting in endpoint.backlog)):
        for piece in queue:
            yield from piece[4] or ()
