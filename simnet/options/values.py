"""The words that the tables of socket options are written in: kinds, forms, places, rows.

A `Form` is how a value crosses the system call: what lengths are taken and given, and which errors
the wrong ones get. A `Place` is where the value lives. A row is an `Option`.
"""

from __future__ import annotations

import enum
import errno
import socket
import struct
from collections.abc import Callable
from typing import Any

import attrs

from simnet.errors import os_error
from simnet.protocols.base import Endpoint

INT_SIZE = 4
INT_MAX = 2**31 - 1
_INTERFACE_NAME_SIZE = 16


class Kind(enum.Flag):
    """What sockets an option is for."""

    TCP4 = enum.auto()
    TCP6 = enum.auto()
    UDP4 = enum.auto()
    UDP6 = enum.auto()
    UNIX = enum.auto()

    TCP = TCP4 | TCP6
    UDP = UDP4 | UDP6
    V6 = TCP6 | UDP6
    INET = TCP | UDP
    ALL = INET | UNIX


def kind_of(endpoint: Endpoint) -> Kind:
    """The kind of a socket, as its family and type tell."""
    if endpoint.family == socket.AF_UNIX:
        return Kind.UNIX
    if endpoint.is_stream:
        return Kind.TCP4 if endpoint.family == socket.AF_INET else Kind.TCP6
    return Kind.UDP4 if endpoint.family == socket.AF_INET else Kind.UDP6


# Forms. What is set arrives as bytes, or None for a null pointer, and a length.


@attrs.frozen
class Form:
    """How a value is read from the caller's bytes, and written to a buffer of some length."""

    parse: Callable[[bytes | None, int], Any]
    render: Callable[[Any, int], bytes]


def _parse_int(data: bytes | None, length: int) -> int:
    if length < INT_SIZE:
        raise os_error(errno.EINVAL)
    if data is None:
        raise os_error(errno.EFAULT)
    return int(struct.unpack_from("i", data)[0])


def _render_int(value: int, length: int) -> bytes:
    return struct.pack("i", value)[:length]


def _parse_ip_int(data: bytes | None, length: int) -> int:
    if not length:
        return 0
    if data is None:
        raise os_error(errno.EFAULT)
    return _parse_int(data, length) if length >= INT_SIZE else data[0]


def _parse_ip_int_of_some_bytes(data: bytes | None, length: int) -> int:
    if not length:
        raise os_error(errno.EINVAL)
    return _parse_ip_int(data, length)


def _render_ip_int(value: int, length: int) -> bytes:
    if length < INT_SIZE and 0 <= value <= 255:
        return bytes([value])
    return _render_int(value, length)


def _parse_ipv6_int(data: bytes | None, length: int) -> int:
    if length < INT_SIZE:
        raise os_error(errno.EINVAL)
    return 0 if data is None else _parse_int(data, length)


def _parse_lax_ipv6_int(data: bytes | None, length: int) -> int:
    return 0 if length < INT_SIZE else _parse_ipv6_int(data, length)


def structure(layout: str) -> Form:
    """A structure at SOL_SOCKET: no shorter when set, cut to the buffer when read."""
    size = struct.calcsize(layout)

    def parse(data: bytes | None, length: int) -> tuple[int, ...]:
        _parse_int(data, length)
        if data is None or length < size:
            raise os_error(errno.EINVAL)
        return struct.unpack_from(layout, data)

    return Form(parse, lambda value, length: struct.pack(layout, *value)[:length])


def name_of_at_most(size: int) -> Callable[[bytes | None, int], str]:
    """A parser of a name that ends at a NUL or at `size` bytes."""

    def parse(data: bytes | None, length: int) -> str:
        if length and data is None:
            raise os_error(errno.EFAULT)
        return (data or b"")[:size].partition(b"\0")[0].decode("latin-1")

    return parse


def _parse_some_name(data: bytes | None, length: int) -> str:
    if not length:
        raise os_error(errno.EINVAL)
    return name_of_at_most(_INTERFACE_NAME_SIZE - 1)(data, length)


def _render_interface(name: str, length: int) -> bytes:
    if name and length < _INTERFACE_NAME_SIZE:
        raise os_error(errno.EINVAL)
    return name.encode("latin-1") + b"\0" if name else b""


def raw_of_at_least(size: int, error: int = errno.EINVAL) -> Callable[[bytes | None, int], bytes]:
    """A parser of bytes that are checked further on."""

    def parse(data: bytes | None, length: int) -> bytes:
        if length < size:
            raise os_error(error)
        if data is None:
            raise os_error(errno.EFAULT)
        return data

    return parse


def _cut(value: bytes, length: int) -> bytes:
    return value[:length]


# SOL_SOCKET, IPPROTO_TCP and IPPROTO_UDP: four bytes or more.
INT = Form(_parse_int, _render_int)
# IPPROTO_IP: from one byte on, or from none.
IP_INT = Form(_parse_ip_int, _render_ip_int)
IP_INT_OF_SOME_BYTES = Form(_parse_ip_int_of_some_bytes, _render_ip_int)
# IPPROTO_IPV6: a null pointer is 0; some options take a short value for 0 as well.
IPV6_INT = Form(_parse_ipv6_int, _render_int)
LAX_IPV6_INT = Form(_parse_lax_ipv6_int, _render_int)
LINGER = structure("ii")
TIMEVAL = structure("ll")
UCRED = structure("iii")
INTERFACE = Form(name_of_at_most(_INTERFACE_NAME_SIZE - 1), _render_interface)
ALGORITHM = Form(_parse_some_name, lambda name, length: name.encode().ljust(16, b"\0")[:length])
BYTES = Form(raw_of_at_least(INT_SIZE), _cut)


# Places


@attrs.frozen
class Place:
    """Where a value lives: how it is read from an endpoint and put there.

    Without `read` the option cannot be read; without `write` it cannot be set (ENOPROTOOPT both).
    """

    read: Callable[[Endpoint], Any] | None = None
    write: Callable[[Endpoint, Any], None] | None = None


def setting(name: str) -> Place:
    """A field of the endpoint's settings."""
    return Place(
        lambda endpoint: getattr(endpoint.settings, name),
        lambda endpoint, value: endpoint.set(**{name: value}),
    )


def attribute(name: str) -> Place:
    """An attribute of the endpoint itself."""
    return Place(
        lambda endpoint: getattr(endpoint, name),
        lambda endpoint, value: setattr(endpoint, name, value),
    )


def keep(endpoint: Endpoint, key: tuple[int, int], value: Any) -> None:
    """Store a value that nothing but options consults."""
    endpoint.set(kept={**endpoint.settings.kept, key: value})


def kept_at(key: tuple[int, int], default: Any) -> Place:
    """A value that is stored, and nothing more."""
    return Place(
        lambda endpoint: endpoint.settings.kept.get(key, default),
        lambda endpoint, value: keep(endpoint, key, value),
    )


def always(value: Any) -> Place:
    """A value that nothing changes."""
    return Place(lambda endpoint: value)


def refused(error: int) -> Place:
    """An option that the protocol answers with an error, for reading and for setting."""

    def fail(*_: Any) -> None:
        raise os_error(error)

    return Place(fail, fail)


# Normalisers: what is kept of a value that was set, or its error


Accept = Callable[[Any], Any]


def unchanged(value: Any) -> Any:
    """Any value."""
    return value


def boolean(value: int) -> int:
    """1 for all but 0."""
    return int(bool(value))


def within(low: int, high: int, **replacements: int) -> Accept:
    """The values of a range, EINVAL for others; `minus_one=` is what -1 means."""

    def accept(value: int) -> int:
        if value == -1 and "minus_one" in replacements:
            return replacements["minus_one"]
        if not low <= value <= high:
            raise os_error(errno.EINVAL)
        return value

    return accept


# Rows


@attrs.frozen
class Option:
    """A row of a table: one option, for the kinds of sockets that have it in this way."""

    level: int
    name: str
    number: int
    kinds: Kind
    place: Place
    form: Form = INT
    accept: Accept = unchanged
    # For an option that is stored and read back and does nothing more: what it would do.
    lacks: str = ""


def row(
    level: int,
    name: str,
    number: int,
    kinds: Kind,
    place: Place,
    accept: Accept = unchanged,
    form: Form = INT,
    lacks: str = "",
) -> Option:
    """An option that lives in a place of its own."""
    return Option(level, name, number, kinds, place, form, accept, lacks)


def kept(
    level: int,
    name: str,
    number: int,
    kinds: Kind,
    default: Any,
    accept: Accept,
    lacks: str,
    form: Form = INT,
) -> Option:
    """An option that is stored and read back, and does nothing more."""
    return Option(
        level, name, number, kinds, kept_at((level, number), default), form, accept, lacks
    )
