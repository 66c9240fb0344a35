"""What a step gave: a value, an exception, or nothing yet; in words, and in a form to compare."""

from __future__ import annotations

import errno
import io
import re
import socket as _socket
from collections.abc import Iterator, Mapping
from typing import Any

import attrs

from simnet.api import Socket

# A longer payload is shown by its length and its first bytes.
_SHOWN = 60

EAI_NAMES: dict[int, str] = {
    int(number): name
    for name, number in vars(_socket).items()
    if name.startswith("EAI_") and isinstance(number, int)
}


@attrs.frozen
class Returned:
    """The call returned."""

    value: Any

    def __str__(self) -> str:
        return f"returns {show(self.value)}"


@attrs.frozen
class Raised:
    """The call raised."""

    error: BaseException

    def names(self) -> tuple[str, ...]:
        """What a scenario may call it: the errno's name if it has one, and its classes."""
        classes = [cls.__name__ for cls in type(self.error).__mro__ if cls is not object]
        return (*filter(None, [self._number()]), *classes)

    def _number(self) -> str | None:
        number = getattr(self.error, "errno", None)
        if number is None:
            return None
        names = EAI_NAMES if isinstance(self.error, _socket.gaierror) else errno.errorcode
        return names.get(number, f"errno {number}")

    def __str__(self) -> str:
        return f"raises {self.names()[0]} ({type(self.error).__name__}: {self.error})"


@attrs.frozen
class Blocked:
    """The call has not come back. `waited` seconds of the network's clock, if that was too long."""

    waited: float | None = None

    def __str__(self) -> str:
        return "blocks" if self.waited is None else f"still blocks after {self.waited:g} seconds"


@attrs.frozen
class Gone:
    """The call ended without a result, or was never made: its host is down."""

    def __str__(self) -> str:
        return "ends without a result: the host has crashed"


# A port in the text of an error that names an address.
_A_PORT = re.compile(r"', [1-9][0-9]*\)")

Outcome = Returned | Raised | Blocked | Gone


def show(value: Any) -> str:
    """A value in words; what differs from run to run (descriptors) is left out."""
    if isinstance(value, Socket):
        return "a socket"
    if isinstance(value, io.IOBase):
        return "a file"
    if isinstance(value, memoryview | bytearray):
        value = bytes(value)
    if isinstance(value, list | tuple):
        inner = ", ".join(map(show, value))
        if isinstance(value, list):
            return f"[{inner}]"
        return f"({inner},)" if len(value) == 1 else f"({inner})"
    if isinstance(value, str | bytes) and len(value) > _SHOWN:
        unit = "bytes" if isinstance(value, bytes) else "characters"
        return f"{value[:_SHOWN]!r}... ({len(value)} {unit})"
    if isinstance(value, int) and not isinstance(value, bool):
        return str(int(value))
    return repr(value)


def sockets_in(value: Any) -> Iterator[Any]:
    """The sockets and files that a result holds."""
    if isinstance(value, Socket | io.IOBase):
        yield value
    elif isinstance(value, list | tuple):
        for item in value:
            yield from sockets_in(item)


def canonical(outcome: Outcome, directories: Mapping[str, str]) -> str:
    """The outcome as text that is equal on two backends that behave alike.

    What no two runs share is left out: ports, descriptors, abstract names that were chosen by the
    network, and temporary directories (`directories` maps each to the name that stands for it).
    """
    match outcome:
        case Returned(value):
            return f"returns {_canonical(value, directories)}"
        case Raised(error):
            text = _A_PORT.sub("', a port)", str(error))
            for path, name in directories.items():
                text = text.replace(path, name)
            return f"raises {outcome.names()[0]} {type(error).__name__}: {text}"
        case Blocked():
            return "blocks"
        case Gone():
            return "ends"


def _canonical(value: Any, directories: Mapping[str, str]) -> str:
    match value:
        case str():
            for path, name in directories.items():
                value = value.replace(path, name)
            return repr(value)
        case bytes() if value.startswith(b"\0") and len(value) == 6:
            return "an abstract name"
        case (str() as host, int() as port, *rest) if port:
            return f"({host!r}, a port{''.join(f', {item!r}' for item in rest)})"
        case (_socket.SOL_SOCKET, _socket.SCM_RIGHTS, bytes() as data):
            return f"{len(data) // 4} descriptors"
        case list() | tuple():
            inner = ", ".join(_canonical(item, directories) for item in value)
            return f"{type(value).__name__}({inner})"
        case bytes() | bytearray() | memoryview():
            return repr(bytes(value))
        case _:
            return show(value)
