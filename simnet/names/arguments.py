"""The arguments of the resolver's functions, checked as CPython's C module does it."""

from __future__ import annotations

import sys
from operator import index
from typing import Any

_UINT_MAX = 2**32 - 1
_ULONG_MAX = 2**64 - 1


def host_argument(host: Any) -> str | None:
    """The host of getaddrinfo(): text goes through IDNA; a NUL ends it, as in C."""
    if host is None:
        return None
    if isinstance(host, str):
        host = host.encode("idna")
    elif not isinstance(host, bytes):
        raise TypeError("getaddrinfo() argument 1 must be string or None")
    return str(host.partition(b"\0")[0], "latin-1")


def port_argument(port: Any) -> str | None:
    """The port of getaddrinfo(), as the text that the C library gets."""
    if port is None:
        return None
    if type(port) is int:
        if sys.version_info < (3, 12) and not -(2**63) <= port < 2**63:
            raise OverflowError("Python int too large to convert to C long")
        return str(port)
    if isinstance(port, str):
        port = port.encode()
    elif not isinstance(port, bytes):
        raise OSError("Int or String expected")
    return str(port.partition(b"\0")[0], "latin-1")


def encoded(call: str, name: Any) -> str:
    """A name as the format 'et' with the codec 'idna' takes it."""
    expected = f"{call}() argument 1 must be"
    if isinstance(name, str):
        raw = name.encode("idna")
    elif isinstance(name, (bytes, bytearray)):
        raw = bytes(name)
    else:
        given = "None" if name is None else type(name).__name__
        raise TypeError(f"{expected} str, bytes or bytearray, not {given}")
    if b"\0" in raw:
        given = type(name).__name__
        raise TypeError(f"{expected} encoded string without null bytes, not {given}")
    return raw.decode("latin-1")


def check_text(call: str, position: int, value: Any) -> None:
    """An argument of the format 's'."""
    if not isinstance(value, str):
        given = "None" if value is None else type(value).__name__
        raise TypeError(f"{call}() argument {position} must be str, not {given}")
    if "\0" in value:
        raise ValueError("embedded null character")


def interface_index(number: Any) -> int:
    """The index of an interface; what is too large was cut off before Python 3.13."""
    if not isinstance(number, int):
        raise TypeError("an integer is required")
    if number < 0:
        raise OverflowError("can't convert negative value to unsigned int")
    if number > _ULONG_MAX:
        raise OverflowError("Python int too large to convert to C unsigned long")
    if sys.version_info >= (3, 13) and number > _UINT_MAX:
        raise OverflowError("index is too large")
    return number & _UINT_MAX


def sockaddr_argument(sockaddr: Any) -> tuple[str, int, int, int]:
    """(host, port, flow information, scope)."""
    if not isinstance(sockaddr, tuple):
        raise TypeError("getnameinfo() argument 1 must be a tuple")
    if not 2 <= len(sockaddr) <= 4 or not isinstance(sockaddr[0], str):
        raise TypeError("getnameinfo(): illegal sockaddr argument")
    if "\0" in sockaddr[0]:
        raise ValueError("embedded null character")
    port = index(sockaddr[1])
    if not -(2**31) <= port < 2**31:
        bound = "greater than maximum" if port > 0 else "less than minimum"
        raise OverflowError(f"signed integer is {bound}")
    flowinfo, scope = (*(index(part) & _UINT_MAX for part in sockaddr[2:]), 0, 0)[:2]
    return sockaddr[0], port, flowinfo, scope
