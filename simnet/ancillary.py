"""Ancillary data at the border: between what programs write and what endpoints pass on.

Programs name descriptors and pack structures; endpoints carry the open objects themselves, and
credentials as numbers. Truncation follows the kernel's put_cmsg() and scm_detach_fds().

Descriptors of the real system may be passed too (a program's files): whoever takes one out of its
message gets another real descriptor for the same open file.
"""

from __future__ import annotations

import errno
import os
import socket
import struct
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from simnet import constants
from simnet.arguments import byte_string, c_int
from simnet.descriptors import FIRST
from simnet.errors import os_error
from simnet.protocols.base import Ancillary, Endpoint
from simnet.protocols.ip_ancillary import check_socket_item

if TYPE_CHECKING:
    from simnet.host import Host

SCM_RIGHTS = 1
SCM_CREDENTIALS = 2
_HEADER = 16  # struct cmsghdr on a 64-bit machine
_UCRED = struct.Struct("3i")
Item = tuple[int, int, bytes]


class RealFile:
    """An open file of the real system in a message."""

    def __init__(self, number: int) -> None:
        self._copy = os.dup(number)
        self._references = 0

    def hold(self) -> None:
        """It lies in one more message."""
        self._references += 1

    def release(self) -> None:
        """In one fewer; without any it is closed."""
        self._references -= 1
        if not self._references:
            self._close()

    def another(self, inheritable: bool) -> int:
        """A new descriptor for it."""
        number = os.dup(self._copy)
        os.set_inheritable(number, inheritable)
        return number

    def _close(self) -> None:
        copy, self._copy = self._copy, -1
        os.close(copy)

    def __del__(self) -> None:
        # It was never sent.
        if getattr(self, "_copy", -1) >= 0:
            self._close()


def _opened(host: Host, number: int) -> Any:
    """What a number refers to; EBADF if it is not open."""
    return host.descriptors.get(number).endpoint if number >= FIRST else RealFile(number)


def _number_for(host: Host, opened: Any, inheritable: bool) -> int:
    if isinstance(opened, RealFile):
        return opened.another(inheritable)
    return host.descriptors.install(opened, inheritable).number


def _numbers_for(host: Host, passed: Iterable[Any], inheritable: bool) -> list[int]:
    """New descriptors for what was passed: those after the last that can be had are lost."""
    numbers: list[int] = []
    room = True
    for each in passed:
        if room:
            try:
                numbers.append(_number_for(host, each, inheritable))
            except OSError:
                room = False
        each.release()
    return numbers


def parse(ancdata: Any) -> list[Item]:
    """The argument of sendmsg(), checked as the C module does it."""
    try:
        items = list(ancdata)
    except TypeError:
        raise TypeError("sendmsg() argument 2 must be an iterable") from None
    parsed = []
    for item in items:
        _check_item(item)
        level, kind, data = item
        parsed.append((c_int(level), c_int(kind), byte_string(data)))
    return parsed


def _check_item(item: Any) -> None:
    wrong = "[sendmsg() ancillary data items]() argument must be "
    if not isinstance(item, Sequence) or isinstance(item, bytes):
        found = "None" if item is None else type(item).__name__
        raise TypeError(f"{wrong}3-item sequence, not {found}")
    if len(item) != 3:
        raise TypeError(f"{wrong}sequence of length 3, not {len(item)}")


def outgoing(endpoint: Endpoint, items: Iterable[Item]) -> Sequence[Ancillary]:
    """Descriptors become what they refer to; EBADF and EINVAL as scm_send() gives them."""
    result: list[Ancillary] = []
    for level, kind, data in items:
        if level == constants.SOL_SOCKET and endpoint.family == constants.AF_UNIX:
            if kind == SCM_RIGHTS:
                numbers = struct.unpack(f"{len(data) // 4}i", data[: len(data) // 4 * 4])
                opened = tuple(_opened(endpoint.host, number) for number in numbers)
                result.append((level, kind, opened))
                continue
            if kind == SCM_CREDENTIALS:
                if len(data) != _UCRED.size:
                    raise os_error(errno.EINVAL)
                result.append((level, kind, _UCRED.unpack(data)))
                continue
        if endpoint.is_stream and endpoint.family != constants.AF_UNIX:
            # TCP looks at none, and UDP at all in its own time.
            if level == constants.SOL_SOCKET:
                check_socket_item(kind, data)
            continue
        result.append((level, kind, data))
    return result


def incoming(
    host: Host, items: Iterable[Ancillary], space: int, inheritable: bool = True
) -> tuple[list[Item], int]:
    """What fits into a control buffer of `space` bytes, and MSG_CTRUNC if not everything did."""
    result: list[Item] = []
    flags = 0
    for level, kind, value in items:
        room = space - _HEADER
        if (level, kind) == (constants.SOL_SOCKET, SCM_RIGHTS):
            fitting, rest = value[: max(0, room // 4)], value[max(0, room // 4) :]
            for endpoint in rest:
                endpoint.release()
            numbers = _numbers_for(host, fitting, inheritable)
            if rest or len(numbers) < len(fitting):
                flags |= constants.MSG_CTRUNC
            if not numbers:
                continue
            data = struct.pack(f"{len(numbers)}i", *numbers)
        else:
            credentials = (level, kind) == (constants.SOL_SOCKET, SCM_CREDENTIALS)
            data = _UCRED.pack(*value) if credentials else bytes(value)
            if room < 0:
                flags |= constants.MSG_CTRUNC
                continue
            if room < len(data):
                flags |= constants.MSG_CTRUNC
                data = data[:room]
        result.append((level, kind, data))
        space -= min(space, socket.CMSG_SPACE(len(data)))
    return result, flags
