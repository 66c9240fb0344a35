"""Arguments of socket calls: checked and converted as CPython's socketmodule.c does it.

Each error has the class and the text of the C module, so that a program that is wrong on the real
socket is wrong here in the same words.
"""

from __future__ import annotations

import math
import os
import sys
from collections.abc import Callable, Iterable
from operator import index
from typing import Any

from simnet import constants
from simnet.addresses import IP, InetAddress, numeric, with_scope
from simnet.clock import SECOND_NS
from simnet.signatures import wrong_count

_INT_MAX = 0x7FFFFFFF
_UNIX_PATH_MAX = 108
# PyTime_t holds nanoseconds in 64 bits; the complaints changed in Python 3.11 and in 3.13.
_TIME_END = 1 << 63
_INT_TOO_LARGE = (
    "timestamp too large to convert to C "
    f"{'PyTime_t' if sys.version_info >= (3, 13) else '_PyTime_t'}"
)
_FLOAT_TOO_LARGE = (
    "timestamp out of range for platform time_t"
    if sys.version_info >= (3, 11)
    else "timestamp too large to convert to C _PyTime_t"
)

Resolve = Callable[[str, int], IP]


def c_int(value: Any) -> int:
    """An argument of C type int."""
    number = index(value)
    if -_INT_MAX - 1 <= number <= _INT_MAX:
        return number
    number = c_long(value)
    if number > _INT_MAX:
        raise OverflowError("signed integer is greater than maximum")
    raise OverflowError("signed integer is less than minimum")


def c_long(value: Any) -> int:
    """An argument of C type long."""
    return _fitting(value, "long", sys.maxsize)


def c_size(value: Any) -> int:
    """An argument of C type Py_ssize_t."""
    return _fitting(value, "ssize_t", sys.maxsize)


def plain_int(value: Any) -> int:
    """A C int that is the only argument of its function, which does its own conversion."""
    return _fitting(value, "int", _INT_MAX)


def _fitting(value: Any, c_type: str, most: int) -> int:
    number = index(value)
    if not -most - 1 <= number <= most:
        raise OverflowError(f"Python int too large to convert to C {c_type}")
    return number


def masked_uint(value: Any) -> int:
    """An argument of C type unsigned int, whose higher bits are dropped."""
    return index(value) & 0xFFFFFFFF


def truth(value: Any) -> bool:
    """The flag of setblocking(): an int before Python 3.12, anything since."""
    return bool(value if sys.version_info >= (3, 12) else c_long(value))


def byte_string(data: Any) -> bytes:
    """A bytes-like argument, as bytes of its own."""
    if data.__class__ is bytes:
        return data
    return bytes(view_of(data))


def view_of(data: Any) -> memoryview:
    """A bytes-like argument, as a flat view."""
    try:
        view = memoryview(data)
    except TypeError:
        raise TypeError(f"a bytes-like object is required, not '{type(data).__name__}'") from None
    if not view.c_contiguous:
        raise BufferError("memoryview: underlying buffer is not C-contiguous")
    return view.cast("B") if view.format != "B" or view.ndim != 1 else view


def _read_write(buffer: Any) -> memoryview | None:
    """A flat view of a buffer to receive into; None if it is none."""
    view: memoryview | None
    try:
        view = memoryview(buffer)
    except TypeError:
        view = None
    if view is None or view.readonly or not view.c_contiguous:
        return None
    return view.cast("B") if view.format != "B" or view.ndim != 1 else view


def writable_view(buffer: Any, call: str) -> memoryview:
    """The buffer of recv_into() or recvfrom_into()."""
    view = _read_write(buffer)
    if view is None:
        found = "None" if buffer is None else type(buffer).__name__
        raise TypeError(f"{call}() argument 1 must be read-write bytes-like object, not {found}")
    return view


def duration_ns(value: Any, unit_ns: int = SECOND_NS) -> int:
    """A number of seconds (or of another unit) in nanoseconds, rounded away from zero."""
    if isinstance(value, float):
        if math.isnan(value):
            raise ValueError("Invalid value NaN (not a number)")
        product = value * unit_ns
        if not -_TIME_END <= product < _TIME_END:
            raise OverflowError(_FLOAT_TOO_LARGE)
        return math.ceil(product) if product >= 0 else math.floor(product)
    nanoseconds = index(value) * unit_ns
    if not -_TIME_END <= nanoseconds < _TIME_END:
        raise OverflowError(_INT_TOO_LARGE)
    return nanoseconds


def timeout_ns(value: Any) -> int | None:
    """A timeout of a socket in nanoseconds; None for ever."""
    if value is None:
        return None
    nanoseconds = duration_ns(value)
    if nanoseconds < 0:
        raise ValueError("Timeout value out of range")
    return nanoseconds


def host_text(host: Any) -> str:
    """A host name: text, or the bytes of one (idna_converter)."""
    if isinstance(host, str):
        try:
            text = host if host.isascii() else host.encode("idna").decode("ascii")
        except UnicodeError:
            raise TypeError("encoding of hostname failed") from None
    elif isinstance(host, (bytes, bytearray)):
        text = bytes(host).decode("latin-1")
    else:
        raise TypeError(f"str, bytes or bytearray expected, not {type(host).__name__}")
    if "\0" in text:
        raise TypeError("host name must not contain null character")
    return text


def inet_address(address: Any, family: int, call: str, resolve: Resolve) -> InetAddress:
    """The address of an AF_INET or AF_INET6 socket in its internal form; names are resolved."""
    if address.__class__ is tuple and len(address) == 2:
        # The plainest form first: most addresses are a numeric host and a port.
        host, port = address
        if host.__class__ is str and port.__class__ is int and 0 <= port <= 0xFFFF:
            plain = numeric(host, family)
            if plain is not None:
                return plain, port
    kind = "AF_INET" if family == constants.AF_INET else "AF_INET6"
    if not isinstance(address, tuple):
        raise TypeError(f"{call}(): {kind} address must be tuple, not {type(address).__name__}")
    pair = family == constants.AF_INET
    if len(address) != 2 if pair else not 2 <= len(address) <= 4:
        raise TypeError(
            "AF_INET address must be a pair (host, port)"
            if pair
            else "AF_INET6 address must be a tuple (host, port[, flowinfo[, scopeid]])"
        )
    host = host_text(address[0])
    try:
        port = c_int(address[1])
    except OverflowError:
        raise OverflowError(f"{call}(): port must be 0-65535.") from None
    flowinfo, scope_id = (*(masked_uint(part) for part in address[2:]), 0, 0)[:2]
    ip = numeric(host, family) or resolve(host, family)
    if not 0 <= port <= 0xFFFF:
        raise OverflowError(f"{call}(): port must be 0-65535.")
    if flowinfo > 0xFFFFF:
        raise OverflowError(f"{call}(): flowinfo must be 0-1048575.")
    return with_scope(ip, scope_id), port


def unix_address(address: Any) -> str | bytes:
    """The name of an AF_UNIX socket in its internal form: '' asks for autobind."""
    raw = os.fsencode(address) if isinstance(address, str) else byte_string(address)
    if not raw or raw[0] == 0:
        if len(raw) > _UNIX_PATH_MAX:
            raise OSError("AF_UNIX path too long")
        return raw if raw else ""
    if len(raw) >= _UNIX_PATH_MAX:
        raise OSError("AF_UNIX path too long")
    return os.fsdecode(raw.partition(b"\0")[0])


def gather(buffers: Any) -> bytes:
    """The buffers of sendmsg(), as one."""
    try:
        parts = list(buffers)
    except TypeError:
        raise TypeError("sendmsg() argument 1 must be an iterable") from None
    for part in parts:
        if isinstance(part, str):
            view_of(part)
    return b"".join(byte_string(part) for part in parts)


def scatter_views(buffers: Any) -> list[memoryview]:
    """The buffers of recvmsg_into()."""
    complaint = "recvmsg_into() argument 1 must be an iterable"
    try:
        parts: Iterable[Any] = list(buffers)
    except TypeError:
        raise TypeError(complaint) from None
    views = []
    for part in parts:
        view = _read_write(part)
        if view is None:
            raise TypeError(f"{complaint} of single-segment read-write buffers")
        views.append(view)
    return views


def option_setting(arguments: tuple[Any, ...]) -> tuple[Any, ...]:
    """The arguments of setsockopt(): level, option, and an int, bytes, or None and a length.

    The C function tries these forms one after the other; what is left fails as bytes would.
    """
    given = len(arguments)
    if given == 4 and arguments[2] is None:
        try:
            return c_int(arguments[0]), c_int(arguments[1]), None, masked_uint(arguments[3])
        except (TypeError, OverflowError):
            pass
    if given != 3:
        raise wrong_count("setsockopt", 3, 3, given)
    level, option, value = c_int(arguments[0]), c_int(arguments[1]), arguments[2]
    if hasattr(value, "__index__"):
        try:
            return level, option, c_int(value)
        except OverflowError:
            pass
    return level, option, byte_string(value)
