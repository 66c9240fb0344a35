"""Values of Python as expressions of a scenario: `literal(b"abc")` is what a call is given.

Only values that the notation of calls has a literal for: None, bools, numbers, text, bytes, tuples
and lists, and the constants of the socket module. Results of earlier steps have names instead.
"""

from __future__ import annotations

import enum
import math
from collections.abc import Iterable, Mapping
from contextlib import suppress
from typing import Any

from simnet.scenario.expressions import Expression, parse
from simnet.scenario.layout import Unwritable, escaped, is_shown
from simnet.scenario.places import Mistake, Place
from simnet.scenario.vocabulary import CONSTANTS

# Text and bytes of at least this length may be a short part again and again.
_LONG = 40
_LONGEST_PART = 8
_ESCAPES = {'"': r"\"", "\\": r"\\", "\t": r"\t", "\n": r"\n", "\r": r"\r"}
# Python does not read integers of more digits than 4300 as decimals.
_LARGEST_DECIMAL = 10**4000


def literal(value: object, where: Place | None = None, *, payload: bool = False) -> Expression:
    """The expression that has this value; Unwritable if there is none.

    `payload`: it stands where text is taken for its UTF-8 bytes, as in send().
    """
    text = _written(value, payload)
    parsed = parse(text, where or Place("a literal"))
    if isinstance(parsed, Mistake):
        raise Unwritable(parsed.text)
    return parsed


def _written(value: Any, payload: bool) -> str:
    match value:
        case None | bool():
            return str(value)
        case enum.Enum() if CONSTANTS.get(value.name) == value:
            return value.name
        case int() if type(value) is int:
            return str(value) if abs(value) < _LARGEST_DECIMAL else hex(value)
        case float() if type(value) is float:
            return _real(value)
        case str() | bytes() if type(value) in (str, bytes):
            return _text(value, payload)
        case list() if type(value) is list:
            return f"[{', '.join(_written(part, payload) for part in value)}]"
        case tuple() if type(value) is tuple:
            inner = ", ".join(_written(part, payload) for part in value)
            return f"({inner},)" if len(value) == 1 else f"({inner})"
    raise Unwritable(f"an object of class '{type(value).__qualname__}' is no literal: {value!r}")


def _real(value: float) -> str:
    if math.isnan(value):
        return "1e999 - 1e999"
    if math.isinf(value):
        return "1e999" if value > 0 else "-1e999"
    return repr(value)


def _text(value: str | bytes, payload: bool) -> str:
    part = repeated_part(value)
    if part is not None:
        return f"{_text(part, payload)} * {len(value) // len(part)}"
    if isinstance(value, str):
        return _in_quotes(map(_character, value))
    if payload:
        with suppress(UnicodeDecodeError):
            units = [_character(character) for character in value.decode()]
            if not is_gibberish(units):
                return _in_quotes(units)
    units = [byte_unit(byte, _ESCAPES) for byte in value]
    return f'hex("{value.hex(" ")}")' if is_gibberish(units) else f"b{_in_quotes(units)}"


def _in_quotes(units: Iterable[str]) -> str:
    return f'"{"".join(units)}"'


def _character(character: str) -> str:
    if character in _ESCAPES:
        return _ESCAPES[character]
    return character if is_shown(character) else escaped(character)


def byte_unit(byte: int, escapes: Mapping[str, str]) -> str:
    """A byte as Python writes it between quotes."""
    character = chr(byte)
    if character in escapes:
        return escapes[character]
    return character if byte < 0x80 and is_shown(character) else escaped(character)


def is_gibberish(units: list[str]) -> bool:
    """Whether most of it are numbers, so that all of it may as well be."""
    return 2 * sum(len(unit) > 2 for unit in units) > len(units)


def repeated_part(value: str | bytes) -> str | bytes | None:
    """What a long text or bytes is made of, again and again; None if it is not."""
    if len(value) < _LONG:
        return None
    for length in range(1, _LONGEST_PART + 1):
        times, rest = divmod(len(value), length)
        if not rest and value == value[:length] * times:
            return value[:length]
    return None
