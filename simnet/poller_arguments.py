"""Arguments of the select module's calls: checked and converted as selectmodule.c does it."""

from __future__ import annotations

from typing import Any

from simnet.arguments import duration_ns, plain_int
from simnet.clock import MILLISECOND_NS, SECOND_NS

_INT_MAX = 0x7FFFFFFF
_ULONG_MAX = 0xFFFFFFFFFFFFFFFF
_USHORT_MAX = 0xFFFF


def descriptor_number(obj: Any) -> int:
    """The descriptor of an int or of an object with fileno() (PyObject_AsFileDescriptor)."""
    if isinstance(obj, int):
        number = plain_int(obj)
    else:
        method = getattr(obj, "fileno", None)
        if method is None:
            raise TypeError("argument must be an int, or have a fileno() method.")
        answer = method()
        if answer.__class__ is int and 0 <= answer <= _INT_MAX:
            return answer
        if not isinstance(answer, int):
            raise TypeError("fileno() returned a non-integer")
        number = plain_int(answer)
    if number < 0:
        raise ValueError(f"file descriptor cannot be a negative integer ({number})")
    return number


def poll_mask(value: Any) -> int:
    """Bits of poll(): an unsigned short."""
    if not isinstance(value, int):
        raise TypeError("an integer is required")
    if value < 0:
        raise ValueError("value must be positive")
    if value > _ULONG_MAX:
        raise OverflowError("Python int too large to convert to C unsigned long")
    if value > _USHORT_MAX:
        raise OverflowError("Python int too large for C unsigned short")
    return int(value)


def select_timeout_ns(timeout: Any) -> int | None:
    """The timeout of select(), in seconds, as nanoseconds."""
    if timeout is None:
        return None
    nanoseconds = _duration_ns(timeout, "timeout must be a float or None")
    if nanoseconds < 0:
        raise ValueError("timeout must be non-negative")
    return nanoseconds


def poll_timeout_ns(timeout: Any) -> int | None:
    """The timeout of poll(), in milliseconds; a negative one, however small, means for ever."""
    if timeout is None:
        return None
    nanoseconds = _duration_ns(timeout, "timeout must be an integer or None", MILLISECOND_NS)
    sign = -1 if nanoseconds < 0 else 1
    return _whole_milliseconds(sign * -(-abs(nanoseconds) // MILLISECOND_NS))


def epoll_timeout_ns(timeout: Any) -> int | None:
    """The timeout of epoll.poll(), in seconds; one above -1 ms means not at all."""
    if timeout is None:
        return None
    nanoseconds = _duration_ns(timeout, "timeout must be an integer or None")
    return _whole_milliseconds(-(-nanoseconds // MILLISECOND_NS))


def _whole_milliseconds(milliseconds: int) -> int | None:
    if not -_INT_MAX - 1 <= milliseconds <= _INT_MAX:
        raise OverflowError("timeout is too large")
    return None if milliseconds < 0 else milliseconds * MILLISECOND_NS


def _duration_ns(timeout: Any, wrong_type: str, unit_ns: int = SECOND_NS) -> int:
    try:
        return duration_ns(timeout, unit_ns)
    except TypeError:
        raise TypeError(wrong_type) from None
