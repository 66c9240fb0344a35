"""How a replaced function tells simulated descriptors from real ones, and answers for the first.

A number far above any real one, at a place where the function takes a descriptor, is simulated.
Everything else goes to the real function untouched.

For a simulated number the real function is called too, first: whatever it refuses or answers
before it looks at the descriptor (wrong arguments, a negative length, an operation that does not
exist) is then exactly what this version of Python and this kernel say. That it knows no such
descriptor is our turn.
"""

from __future__ import annotations

import errno
import functools
import os
from collections.abc import Callable
from typing import Any

from simnet.current import the_host
from simnet.descriptors import FIRST, Descriptor
from simnet.errors import os_error
from simnet.protocols.opened import Opened


def is_simulated(value: Any) -> bool:
    """Whether a value in the place of a descriptor is the number of a simulated one."""
    return isinstance(value, int) and value >= FIRST


def entry(number: int) -> Descriptor:
    """The entry of a simulated number in the current host's table; EBADF if it is not open."""
    return the_host().descriptors.get(number)


def the_opened(descriptor: Descriptor) -> Opened:
    """What an entry refers to."""
    thing = descriptor.endpoint
    assert isinstance(thing, Opened)
    return thing


def opened(number: int) -> Opened:
    """What a simulated number refers to; EBADF if it is not open."""
    return the_opened(entry(number))


def number_of(value: Any) -> Any:
    """The number of an int or of an object with fileno(); anything else as it is."""
    if not isinstance(value, int):
        method = getattr(value, "fileno", None)
        if method is not None:
            answer = method()
            # What is none is for the real function to refuse.
            return answer if isinstance(answer, int) else value
    return value


def in_place_of(real: Callable[..., Any], function: Callable[..., Any]) -> Any:
    """The replacement, under the name of the real function.

    A static method, so that it does not become a bound method where a class keeps it, as functions
    in C do not.
    """
    return staticmethod(functools.wraps(real)(function))


class _Unknown:
    """The real function got as far as the descriptor, and does not know it."""


UNKNOWN = _Unknown()


def ask_the_real_one(real: Callable[..., Any], args: Any, named: Any) -> Any:
    """What it answers although it does not know the descriptor; UNKNOWN if that stops it."""
    try:
        return real(*args, **named)
    except OSError as error:
        if error.errno != errno.EBADF:
            raise
        return UNKNOWN


def replacement(
    real: Callable[..., Any],
    answer: Callable[..., Any],
    parameter: str = "fd",
    by_object: bool = False,
) -> Any:
    """The replacement of a function whose first parameter is a descriptor.

    `answer` gets the entry of a simulated one and the other arguments. `by_object`: the parameter
    may be an object with fileno().
    """

    def call(*args: Any, **named: Any) -> Any:
        value: Any
        first = value = args[0] if args else named.get(parameter)
        if by_object and first.__class__ is not int:
            value = number_of(first)
        if not isinstance(value, int):
            return real(*args, **named)
        if value is not first:
            # fileno() is asked once.
            args, named = (value, *args[1:]), {k: v for k, v in named.items() if k != parameter}
        if value < FIRST:
            return real(*args, **named)
        try:
            return real(*args, **named)
        except OSError as error:
            if error.errno != errno.EBADF:
                raise
            descriptor = the_host().descriptors.find(value)
            if descriptor is None:
                # It is open nowhere: the error is right as it is.
                raise
        if not args:
            named = {name: given for name, given in named.items() if name != parameter}
        return answer(descriptor, *args[1:], **named)

    return in_place_of(real, call)


def named_error(number: int, path: Any) -> OSError:
    """An error that names the descriptor in the place of a path, as functions of paths give it."""
    return OSError(number, os.strerror(number), path)


def refusing(socket: int, pipe: int, other: int, *, names: bool = False) -> Callable[..., Any]:
    """An answer that is an error: of a socket, of a pipe, of anything else.

    `names`: with the number in it, in the place of a path.
    """

    def answer(descriptor: Descriptor, *_: Any, **__: Any) -> Any:
        number = {"socket": socket, "pipe": pipe}.get(the_opened(descriptor).kind, other)
        raise named_error(number, descriptor.number) if names else os_error(number)

    return answer
