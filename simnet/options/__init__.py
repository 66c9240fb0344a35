"""Socket options: getsockopt(2) and setsockopt(2), as the kernel answers them.

What there is stands in tables (`option_tables`, `option_tables_ip`). Some options are stored and
read back faithfully, but what they would do is not modelled: `kept_options()` lists them, with what
they lack. An option that is in no table is answered as by a kernel without it: ENOPROTOOPT.
Not there at all, among others: packet filters, timestamps, zero copy, repair mode, signatures,
fast open by clients, segmentation offload, source filters of groups.

Python's own checks of arguments (types, the length of a buffer) are made above this module.
"""

from __future__ import annotations

import errno
import socket
import struct
from collections.abc import Mapping

from simnet.errors import os_error
from simnet.options.tables import SOCKET, TCP_OPTIONS, UDP_OPTIONS
from simnet.options.tables_ip import IP_OPTIONS, IPV6_OPTIONS
from simnet.options.values import INT, INT_SIZE, Kind, Option, kind_of
from simnet.protocols.base import Endpoint

OPTIONS: tuple[Option, ...] = (
    *SOCKET,
    *TCP_OPTIONS,
    *UDP_OPTIONS,
    *IP_OPTIONS,
    *IPV6_OPTIONS,
)
_SINGLE_KINDS = (Kind.TCP4, Kind.TCP6, Kind.UDP4, Kind.UDP6, Kind.UNIX)
_BY_KIND: dict[tuple[Kind, int, int], Option] = {
    (kind, option.level, option.number): option
    for option in OPTIONS
    for kind in _SINGLE_KINDS
    if kind & option.kinds
}


def kept_options() -> Mapping[str, str]:
    """The options that are only stored and read back: name, and what is not modelled."""
    return {option.name: option.lacks for option in OPTIONS if option.lacks}


def getsockopt(endpoint: Endpoint, level: int, name: int, buflen: int | None = None) -> int | bytes:
    """The value as an int, or with a length as the bytes that the kernel writes."""
    kind = kind_of(endpoint)
    option = _BY_KIND.get((kind, level, name))
    if option is None or option.place.read is None:
        raise os_error(_unreadable(kind, level))
    data = option.form.render(option.place.read(endpoint), buflen or INT_SIZE)
    if buflen:
        return data
    return int(struct.unpack("i", data[:INT_SIZE].ljust(INT_SIZE, b"\0"))[0])


def setsockopt(
    endpoint: Endpoint,
    level: int,
    name: int,
    value: int | bytes | None,
    optlen: int | None = None,
) -> None:
    """Set it from an int, from bytes, or from a null pointer (None) and a length."""
    if isinstance(value, int):
        value = struct.pack("i", value)
    length = (optlen or 0) if value is None else len(value)
    kind = kind_of(endpoint)
    option = _BY_KIND.get((kind, level, name))
    if option is None or option.place.write is None:
        raise _not_settable(kind, level, value, length)
    option.place.write(endpoint, option.accept(option.form.parse(value, length)))


def _own_level(kind: Kind) -> int:
    return socket.IPPROTO_TCP if kind & Kind.TCP else socket.IPPROTO_UDP


def _unreadable(kind: Kind, level: int) -> int:
    """Why an option cannot be read: the layers differ in what they say to a foreign level."""
    if level == socket.SOL_SOCKET:
        return errno.ENOPROTOOPT
    if kind & Kind.UNIX:
        return errno.EOPNOTSUPP
    if kind & Kind.V6 or level in (_own_level(kind), socket.IPPROTO_IP):
        return errno.ENOPROTOOPT
    return errno.EOPNOTSUPP


def _not_settable(kind: Kind, level: int, data: bytes | None, length: int) -> OSError:
    """Why it cannot be set: some layers look at the length before the name."""
    if level != socket.SOL_SOCKET and kind & Kind.UNIX:
        return os_error(errno.EOPNOTSUPP)
    if level in (socket.SOL_SOCKET, _own_level(kind)):
        INT.parse(data, length)
    return os_error(errno.ENOPROTOOPT)
