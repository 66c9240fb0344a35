"""sendfile(2), splice(2) and copy_file_range(2): bytes from one descriptor to another.

A real file may stand at the one end. Not modelled: a real pipe or socket there (EINVAL), and that
pages are shared and not copied.
"""

from __future__ import annotations

import errno
import os
import stat
from typing import Any

from simnet import blocking
from simnet.descriptor_calls import moving
from simnet.descriptor_calls.dispatch import (
    UNKNOWN,
    ask_the_real_one,
    entry,
    in_place_of,
    is_simulated,
    opened,
)
from simnet.descriptors import Descriptor
from simnet.errors import os_error
from simnet.protocols.base import Endpoint
from simnet.protocols.opened import Opened
from simnet.protocols.pipes import PAGE, ReadEnd, WriteEnd
from simnet.readiness import READABLE, WRITABLE
from simnet.trace import RECV, SEND

# The real ones: `os` itself may be patched by the time they are called.
_fstat, _lseek = os.fstat, os.lseek
_pread, _pwrite, _write = os.pread, os.pwrite, os.write
_real_sendfile = os.sendfile
_real_splice = os.splice
_real_copy_file_range = os.copy_file_range

# So much is moved from a file to a socket at once; the caller asks again.
_CHUNK = 1 << 20


def _sendfile(*args: Any, **named: Any) -> int:
    """sendfile(out_fd, in_fd, offset, count)"""
    out_fd, in_fd = _two(args, named, "out_fd", "in_fd")
    if not is_simulated(out_fd) and not is_simulated(in_fd):
        return _real_sendfile(*args, **named)
    found = ask_the_real_one(_real_sendfile, args, named)
    if found is not UNKNOWN:
        return int(found)
    values = dict(zip(("out_fd", "in_fd", "offset", "count"), args, strict=False)) | named
    offset, count = values["offset"], values["count"]
    if is_simulated(in_fd):
        _refuse_as_source(in_fd, out_fd, offset)
    target = moving.writable(entry(out_fd).endpoint)
    if target.kind not in ("socket", "pipe") or not stat.S_ISREG(_fstat(in_fd).st_mode):
        raise os_error(errno.EINVAL)
    if not count:
        return 0
    start = _lseek(in_fd, 0, os.SEEK_CUR) if offset is None else offset
    sent = _from_file(entry(out_fd), in_fd, start, count, nonblocking=False)
    if offset is None:
        _lseek(in_fd, start + sent, os.SEEK_SET)
    return sent


def _refuse_as_source(in_fd: int, out_fd: int, offset: int | None) -> None:
    """Only what can be mapped can be sent from (ESPIPE, EBADF, EINVAL, in the kernel's order)."""
    moving.readable(opened(in_fd))
    if offset is not None:
        raise os_error(errno.ESPIPE)
    if is_simulated(out_fd):
        moving.writable(opened(out_fd))
    else:
        _fstat(out_fd)
    raise os_error(errno.EINVAL)


def _two(args: tuple[Any, ...], named: dict[str, Any], first: str, second: str) -> tuple[Any, Any]:
    """The two descriptors of a call, or what is in their places."""
    return (
        args[0] if args else named.get(first),
        args[1] if len(args) > 1 else named.get(second),
    )


def _from_file(descriptor: Descriptor, file: int, start: int, count: int, nonblocking: bool) -> int:
    """From a real file to a socket or a pipe; 0 at its end."""
    target = descriptor.endpoint
    if isinstance(target, WriteEnd):
        room = _wait_for_room(target, nonblocking)
        # The pages of the file itself go into the ring.
        count = min(count, room * PAGE - start % PAGE)
        data = _pread(file, count, start)
        first = PAGE - start % PAGE
        pages = [data[:first]] if data else []
        pages += [data[at : at + PAGE] for at in range(first, len(data), PAGE)]
        return _splice_in(target, pages)
    data = _pread(file, min(count, _CHUNK), start)
    return moving.write(descriptor, data) if data else 0


def _splice_in(target: WriteEnd, pages: list[bytes]) -> int:
    target.splice(pages)
    count = sum(map(len, pages))
    moving.note(target, SEND, count)
    return count


def _wait_for_room(end: WriteEnd, nonblocking: bool) -> int:
    """The free pages of a pipe, once there are any: EPIPE, EAGAIN."""

    def attempt() -> int | None:
        if end.other is None:
            raise os_error(errno.EPIPE)
        return end.room or None

    if not nonblocking and not end.nonblocking:
        return blocking.until_result(end, attempt, WRITABLE, None, "splice", end)
    room = attempt()
    if room is None:
        raise blocking.would_block(end.host.scheduler)
    return room


# splice


def _splice(*args: Any, **named: Any) -> int:
    """splice(src, dst, count, offset_src=None, offset_dst=None, flags=0)"""
    src, dst = _two(args, named, "src", "dst")
    if not is_simulated(src) and not is_simulated(dst):
        return _real_splice(*args, **named)
    found = ask_the_real_one(_real_splice, args, named)
    if found is not UNKNOWN:
        return int(found)
    return _splice_simulated(*args, **named)


def _splice_simulated(
    src: int,
    dst: int,
    count: int,
    offset_src: int | None = None,
    offset_dst: int | None = None,
    flags: int = 0,
) -> int:
    source = moving.readable(opened(src)) if is_simulated(src) else None
    target = moving.writable(opened(dst)) if is_simulated(dst) else None
    for thing, offset in ((source, offset_src), (target, offset_dst)):
        if thing is not None and thing.kind == "pipe" and offset is not None:
            raise os_error(errno.ESPIPE)
    _check_ends(source, src, offset_src, target, dst, offset_dst)
    nonblocking = bool(flags & os.SPLICE_F_NONBLOCK)
    if isinstance(source, ReadEnd):
        return _out_of_pipe(source, dst, count, offset_dst, nonblocking)
    assert isinstance(target, WriteEnd)
    if source is not None:
        return _socket_to_pipe(entry(src), target, count, nonblocking)
    start = _lseek(src, 0, os.SEEK_CUR) if offset_src is None else offset_src
    moved = _from_file(entry(dst), src, start, count, nonblocking)
    if offset_src is None:
        _lseek(src, start + moved, os.SEEK_SET)
    return moved


def _check_ends(
    source: Opened | None,
    src: int,
    offset_src: int | None,
    target: Opened | None,
    dst: int,
    offset_dst: int | None,
) -> None:
    """EINVAL unless one is a pipe, and the other a socket, another pipe, or a real file."""
    pipes = [thing for thing in (source, target) if thing is not None and thing.kind == "pipe"]
    fit = bool(pipes)
    for thing, number, offset in ((source, src, offset_src), (target, dst, offset_dst)):
        if thing is None:
            fit = fit and stat.S_ISREG(_fstat(number).st_mode)
        elif isinstance(thing, Endpoint):
            fit = fit and offset is None
        else:
            fit = fit and thing.kind == "pipe"
    same = isinstance(source, ReadEnd) and isinstance(target, WriteEnd)
    if not fit or (same and source.ring is target.ring):  # type: ignore[union-attr]
        raise os_error(errno.EINVAL)


def _out_of_pipe(
    source: ReadEnd, dst: int, count: int, offset_dst: int | None, nonblocking: bool
) -> int:
    """What is in a pipe goes on; it stays there as far as it does not get through."""

    def attempt() -> bool | None:
        return True if source.ring or source.other is None else None

    if nonblocking or source.nonblocking:
        if attempt() is None:
            raise blocking.would_block(source.host.scheduler)
    else:
        blocking.until_result(source, attempt, READABLE, None, "splice", source)
    pages = source.peek(count)
    if not pages:
        return 0
    if not is_simulated(dst):
        data = b"".join(pages)
        moved = _write(dst, data) if offset_dst is None else _pwrite(dst, data, offset_dst)
    else:
        target = entry(dst).endpoint
        if isinstance(target, WriteEnd):
            moved = _splice_in(target, pages[: _wait_for_room(target, nonblocking)])
        else:
            moved = moving.write(entry(dst), b"".join(pages))
    left = moved
    while left:
        left -= len(source.read(left) or b"")
    moving.note(source, RECV, moved)
    return moved


def _socket_to_pipe(source: Descriptor, target: WriteEnd, count: int, nonblocking: bool) -> int:
    room = _wait_for_room(target, nonblocking)
    data = moving.read(source, min(count, room * PAGE))
    return _splice_in(target, [data[at : at + PAGE] for at in range(0, len(data), PAGE)])


# copy_file_range


def _copy_range(*args: Any, **named: Any) -> int:
    """copy_file_range(src, dst, count, offset_src=None, offset_dst=None)"""
    numbers = _two(args, named, "src", "dst")
    if not any(map(is_simulated, numbers)):
        return _real_copy_file_range(*args, **named)
    found = ask_the_real_one(_real_copy_file_range, args, named)
    if found is not UNKNOWN:
        return int(found)
    for number in numbers:
        if is_simulated(number):
            opened(number)
        else:
            _fstat(number)
    # Only regular files have ranges.
    raise os_error(errno.EINVAL)


REPLACED = {
    "sendfile": in_place_of(os.sendfile, _sendfile),
    "splice": in_place_of(os.splice, _splice),
    "copy_file_range": in_place_of(os.copy_file_range, _copy_range),
}
