"""Numbers of arguments, refused in the words of CPython's C functions.

A function in C is called in one of a few ways, each with its own words: METH_NOARGS and METH_O say
the class, PyArg_ParseTuple says the bare name. The methods on the hot path cannot afford a wrapper:
they collect what is too much in `*rest`, and look at it once their short cut did not apply.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, TypeVar

MISSING: Any = object()
_METH_NOARGS = (0, 0)
_METH_O = (1, 1)

Method = TypeVar("Method", bound=Callable[..., Any])


def takes(least: int, most: int) -> Callable[[Method], Method]:
    """A method of so many arguments, none of them by name."""

    def decorate(function: Method) -> Method:
        name = function.__name__

        @functools.wraps(function)
        def counted(self: Any, *args: Any, **named: Any) -> Any:
            if named:
                prefix = "socket." if (least, most) in (_METH_NOARGS, _METH_O) else ""
                raise TypeError(f"{prefix}{name}() takes no keyword arguments")
            if not least <= len(args) <= most:
                raise wrong_count(name, least, most, len(args))
            return function(self, *args)

        return counted  # type: ignore[return-value]

    return decorate


no_arguments = takes(*_METH_NOARGS)
one_argument = takes(*_METH_O)


def wrong_count(name: str, least: int, most: int, given: int) -> TypeError:
    """The error of a call with too few or too many arguments."""
    if (least, most) == _METH_NOARGS:
        return TypeError(f"socket.{name}() takes no arguments ({given} given)")
    if (least, most) == _METH_O:
        return TypeError(f"socket.{name}() takes exactly one argument ({given} given)")
    limit = least if given < least else most
    which = "exactly" if least == most else "at least" if given < least else "at most"
    plural = "" if limit == 1 else "s"
    return TypeError(f"{name}() takes {which} {limit} argument{plural} ({given} given)")


def flags_of(name: str, first: Any, rest: tuple[Any, ...]) -> Any:
    """The flags of a call `name(first[, flags])` on the hot path, not converted yet."""
    if first is MISSING or len(rest) > 1:
        raise wrong_count(name, 1, 2, 0 if first is MISSING else 1 + len(rest))
    return rest[0] if rest else 0


def check_buffer_call(name: str, buffer: Any, rest: tuple[Any, ...]) -> None:
    """Count the arguments of `name(buffer[, nbytes[, flags]])`, which may be given by name."""
    if buffer is MISSING:
        raise TypeError(f"{name}() missing required argument 'buffer' (pos 1)")
    if rest:
        raise wrong_count(name, 1, 3, 3 + len(rest))
