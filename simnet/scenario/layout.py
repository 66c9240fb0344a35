"""YAML text as a person would write it: short things on one line, quotes only where needed.

Values are None, bool, int, float, str, `Bare`, lists and mappings; there are no tags, no aliases
and no comments. A text is the same on every version of Python. `nodes` reads what this writes.
"""

from __future__ import annotations

import math
import re
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import attrs
import yaml

# Lines are not longer than this, unless a key is.
WIDTH = 100
# YAML finds keys of up to 1024 characters (1.2, section 7.4.2); longer ones need a mark.
_LONGEST_KEY = 100
# Python does not write integers of more digits than 4300 as decimals.
_LARGEST_DECIMAL = 10**4000

_RESOLVER: Any = yaml.resolver.Resolver()
_INDICATORS = "-?:,[]{}#&*!|>'\"%@`"
_NOT_PLAIN = re.compile(r": | #|:$|^ | $")
# (PyYAML ends a text in brackets at a question mark.)
_NOT_PLAIN_IN_FLOW = re.compile(r"[,?\[\]{}]")
_ESCAPES = {
    '"': r"\"",
    "\\": r"\\",
    "\0": r"\0",
    "\a": r"\a",
    "\b": r"\b",
    "\t": r"\t",
    "\n": r"\n",
    "\v": r"\v",
    "\f": r"\f",
    "\r": r"\r",
    "\x1b": r"\e",
}


class Unwritable(ValueError):
    """Something that no scenario file can say."""


@attrs.frozen
class Bare:
    """Text that is read as text whatever it looks like, so that `80` and `yes` need no quotes."""

    text: str


def is_shown(character: str) -> bool:
    """Whether a character may stand for itself, on every version of Python.

    Their ideas of Unicode differ, but each knows version 3.2 (for the names of hosts). Marks that
    belong to the character before them are escaped.
    """
    if character.isascii():
        return " " <= character <= "~"
    return unicodedata.ucd_3_2_0.category(character)[0] not in "CMZ"


def escaped(character: str) -> str:
    """A character that is not shown, as YAML and Python both write it."""
    number = ord(character)
    if number < 0x100:
        return f"\\x{number:02x}"
    return f"\\u{number:04x}" if number < 0x10000 else f"\\U{number:08x}"


# Scalars


def scalar(value: Any, *, flow: bool = False) -> str:
    """A single value on one line; in brackets (`flow`), more texts need quotes."""
    match value:
        case None:
            return "null"
        case bool():
            return "true" if value else "false"
        case int():
            return str(value) if abs(value) < _LARGEST_DECIMAL else hex(value)
        case float():
            return _real(value)
        case Bare(text):
            return text if _may_be_plain(text, flow) else _quoted(text)
        case str():
            is_plain = _may_be_plain(value, flow) and not _looks_like_more(value)
            return value if is_plain else _quoted(value)
    raise Unwritable(f"{value!r} is no YAML")


def _real(value: float) -> str:
    if math.isnan(value):
        return ".nan"
    if math.isinf(value):
        return ".inf" if value > 0 else "-.inf"
    text = repr(value)
    # YAML 1.1 wants a point in every float.
    return text if "." in text else text.replace("e", ".0e")


def _may_be_plain(text: str, flow: bool) -> bool:
    """Whether it can stand there without quotes."""
    if not text or _NOT_PLAIN.search(text) or not all(map(is_shown, text)):
        return False
    if text[0] in _INDICATORS and not re.match(r"-[0-9.]", text):
        return False
    return not (flow and _NOT_PLAIN_IN_FLOW.search(text))


def _looks_like_more(text: str) -> bool:
    """Whether somebody would take it for a number, a date, true, null, or text with escapes."""
    if "\\" in text:
        return True
    if _RESOLVER.resolve(yaml.ScalarNode, text, (True, False)) != "tag:yaml.org,2002:str":
        return True
    try:
        float(text)
    except ValueError:
        return False
    return True


def _quoted(text: str) -> str:
    if ('"' in text or "\\" in text) and all(map(is_shown, text)):
        return "'" + text.replace("'", "''") + "'"
    return f'"{"".join(_units(text))}"'


def _units(text: str) -> Iterator[str]:
    """The characters between double quotes, each as it is written there."""
    for character in text:
        if character in _ESCAPES:
            yield _ESCAPES[character]
        else:
            yield character if is_shown(character) else escaped(character)


# Collections on one line


def flow(value: Any) -> str:
    """A value on one line."""
    if isinstance(value, Mapping):
        inner = (f"{scalar(key, flow=True)}: {flow(part)}" for key, part in value.items())
        return f"{{{', '.join(inner)}}}"
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(flow, value))}]"
    return scalar(value, flow=True)


# On as many lines as it takes


def entries(mapping: Mapping[Any, Any], pad: str = "", *, opened: bool = False) -> list[str]:
    """The lines of a mapping; `opened`: its values are not put on one line each."""
    return [
        line
        for key, value in mapping.items()
        for line in _after(_key(key, pad), value, pad, opened=opened)
    ]


def items(sequence: Sequence[Any], pad: str = "") -> list[str]:
    """The lines of a list."""
    return [line for value in sequence for line in _after(f"{pad}-", value, pad)]


def dashed(lines: list[str], pad: str) -> list[str]:
    """The lines of a mapping or a list as an item of a list; they are indented for it."""
    return [f"{pad}- {lines[0][len(pad) + 2 :]}", *lines[1:]]


def _key(key: Any, pad: str) -> str:
    text = scalar(key)
    return f"{pad}{text}:" if len(text) <= _LONGEST_KEY else f"{pad}? {text}\n{pad}:"


def _after(head: str, value: Any, pad: str, *, opened: bool = False) -> list[str]:
    """A value behind a key or a dash that stands in the column of `pad`."""
    is_collection = isinstance(value, Mapping | list | tuple)
    if not (opened and value and is_collection):
        line = f"{head} {flow(value) if is_collection else scalar(value)}"
        if len(line) <= WIDTH or value in ([], (), {}):
            return [line]
    if not is_collection:
        return _long_text(head, value, pad) if isinstance(value, str | Bare) else [line]
    inner = pad + "  "
    if not opened and _all_numbers(value):
        return _filled(head, flow(value), inner)
    lines = entries(value, inner) if isinstance(value, Mapping) else items(value, inner)
    return dashed(lines, pad) if head == f"{pad}-" else [head, *lines]


def _all_numbers(value: Any) -> bool:
    parts = [*value, *value.values()] if isinstance(value, Mapping) else value
    return all(isinstance(part, int | float) for part in parts)


def _filled(head: str, text: str, pad: str) -> list[str]:
    """A long list of numbers, in brackets over several lines."""
    parts = re.split(r"(?<=,) ", text)
    first, *more = _joined(parts, WIDTH - len(head) - 1, WIDTH - len(pad))
    return [f"{head} {first}", *(pad + line for line in more)]


def _long_text(head: str, value: str | Bare, pad: str) -> list[str]:
    """Folded where spaces allow it, or else between quotes with broken lines."""
    inner = pad + "  "
    room = max(20, WIDTH - len(inner))
    text = value.text if isinstance(value, Bare) else value
    if all(map(is_shown, text)) and text == text.strip():
        lines = _folded(text, room)
        if max(map(len, lines)) <= room:
            return [
                f"{head} {'>' if isinstance(value, Bare) else '>-'}",
                *(inner + x for x in lines),
            ]
    # A backslash at the end of a line joins it with the next, whose first blank needs one too.
    lines = [f'{head} "']
    for unit in _units(text):
        if len(lines[-1]) + len(unit) >= max(WIDTH, len(inner) + 20):
            lines[-1] += "\\"
            lines.append(inner + ("\\" if unit == " " else ""))
        lines[-1] += unit
    lines[-1] += '"'
    return lines


def paragraph(head: str, text: str, pad: str = "") -> list[str]:
    """Prose on lines of its own, however short."""
    inner = pad + "  "
    lines = _folded(text, WIDTH - len(inner))
    if all(map(is_shown, text)) and max(map(len, lines)) <= WIDTH - len(inner):
        return [f"{head} >", *(inner + line for line in lines)]
    return _after(head, Bare(text), pad)


def _folded(text: str, room: int) -> list[str]:
    """Lines that make the text again when they are joined with a blank."""
    return _joined(re.split(r"(?<=[^ ]) (?=[^ ])", text), room, room)


def _joined(words: list[str], first: int, room: int) -> list[str]:
    """As many words in a line as there is room for, in the first line and in the others."""
    lines = [words[0]]
    for word in words[1:]:
        if len(lines[-1]) + 1 + len(word) <= (first if len(lines) == 1 else room):
            lines[-1] += f" {word}"
        else:
            lines.append(word)
    return lines
