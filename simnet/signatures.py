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

Method = TypeVar("Method", bound=Callable[..., Any])


def no_arguments(function: Method) -> Method:
    """A method without arguments (METH_NOARGS)."""

    @functools.wraps(function)
    def counted(self: Any, *args: Any, **named: Any) -> Any:
        if args or named:
            raise _refusal(function, "takes no arguments", args, named)
        return function(self)

    return counted  # type: ignore[return-value]


def one_argument(function: Method) -> Method:
    """A method of one argument (METH_O)."""

    @functools.wraps(function)
    def counted(self: Any, *args: Any, **named: Any) -> Any:
        if len(args) != 1 or named:
            raise _refusal(function, "takes exactly one argument", args, named)
        return function(self, args[0])

    return counted  # type: ignore[return-value]


def _refusal(function: Any, takes: str, args: Any, named: Any) -> TypeError:
    if named:
        return TypeError(f"{function.__qualname__}() takes no keyword arguments")
    return TypeError(f"{function.__qualname__}() {takes} ({len(args)} given)")


def not_none(name: str, rest: tuple[Any, ...]) -> TypeError:
    """The error of a call with arguments, on the hot path, of a method without."""
    return TypeError(f"{name}() takes no arguments ({len(rest)} given)")


def wrong_one(name: str, first: Any, rest: tuple[Any, ...]) -> TypeError:
    """The error of a call, on the hot path, with other than the one argument."""
    given = 0 if first is MISSING else 1 + len(rest)
    return TypeError(f"{name}() takes exactly one argument ({given} given)")


def takes(least: int, most: int) -> Callable[[Method], Method]:
    """A method of so many arguments, none of them by name (PyArg_ParseTuple)."""

    def decorate(function: Method) -> Method:
        name = function.__name__

        @functools.wraps(function)
        def counted(self: Any, *args: Any, **named: Any) -> Any:
            if named:
                raise TypeError(f"{name}() takes no keyword arguments")
            if not least <= len(args) <= most:
                raise wrong_count(name, least, most, len(args))
            return function(self, *args)

        return counted  # type: ignore[return-value]

    return decorate


def expects(least: int, most: int) -> Callable[[Method], Method]:
    """A function of so many arguments, none of them by name (_PyArg_CheckPositional)."""

    def decorate(function: Method) -> Method:
        name = function.__name__
        own = function.__code__.co_argcount - most

        @functools.wraps(function)
        def counted(*args: Any, **named: Any) -> Any:
            given = len(args) - own
            if named:
                raise TypeError(f"{function.__qualname__}() takes no keyword arguments")
            if not least <= given <= most:
                limit = least if given < least else most
                which = "" if least == most else "at least " if given < least else "at most "
                plural = "" if limit == 1 else "s"
                raise TypeError(f"{name} expected {which}{limit} argument{plural}, got {given}")
            return function(*args)

        return counted  # type: ignore[return-value]

    return decorate


def by_name(name: str, *parameters: str, required: int = 0) -> Callable[[Method], Method]:
    """A method whose arguments may also be given by name (_PyArg_UnpackKeywords)."""

    def decorate(function: Method) -> Method:
        @functools.wraps(function)
        def counted(self: Any, *args: Any, **named: Any) -> Any:
            given = len(args) + len(named)
            if given > len(parameters):
                raise wrong_count(name, 0, len(parameters), given)
            for position, parameter in enumerate(parameters[:required], 1):
                if position > len(args) and parameter not in named:
                    raise _missing(name, parameter, position)
            return function(self, *args, **named)

        return counted  # type: ignore[return-value]

    return decorate


def _missing(name: str, parameter: str, position: int) -> TypeError:
    return TypeError(f"{name}() missing required argument '{parameter}' (pos {position})")


def wrong_count(name: str, least: int, most: int, given: int) -> TypeError:
    """The error of a call with too few or too many arguments."""
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
        raise _missing(name, "buffer", 1)
    if rest:
        raise wrong_count(name, 1, 3, 3 + len(rest))
