"""Values of Python in YAML without tags: what a program is called with, and back.

    null, true, 3, 0.5, .inf, text       as they are
    [1, 2]                               a list
    {tuple: [1, 2]}                      a tuple
    {bytes: 'GET /\\r\\n'}                 bytes, in Python's notation of them
    {hex: 00 ff}                         bytes, where most of them would be \\xff
    {repeat: x, times: 70000}            long text or bytes
    {name: value}                        a dict, whose keys are text
    {dict: {bytes: 3}}                   a dict that would look like one of the above

A list of such texts is one after the other. Objects of other classes cannot be written, nor those
of subclasses (a member of an enumeration, say), which would come back as something else.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

import yaml

from simnet.scenario import nodes
from simnet.scenario.expressions import LARGEST
from simnet.scenario.layout import Unwritable
from simnet.scenario.literals import byte_unit, is_gibberish, repeated_part

# None, bool, int, float, str, and lists and dicts of them.
Plain = Any
Path = tuple[str | int, ...]

_TAGGED = ({"tuple"}, {"bytes"}, {"hex"}, {"repeat", "times"}, {"dict"})
_EXPECTED = "None, a bool, an int, a float, a str, bytes, or a list, tuple or dict of those"
# Long bytes are cut into texts of this length.
_PIECE = 72
# Arguments stand within two mappings, and a value may need two more for itself.
_DEEPEST = nodes.DEEPEST - 4

_ESCAPES = {"\\": r"\\", "\t": r"\t", "\n": r"\n", "\r": r"\r"}
_UNIT = re.compile(r"\\x([0-9a-fA-F]{2})|\\([\\tnrabfv0'\"])|([^\\])", re.DOTALL)
_ESCAPED = dict(zip("\\tnrabfv0'\"", "\\\t\n\r\a\b\f\v\0'\"", strict=True))


class Unreadable(ValueError):
    """A part of a plain value that stands for nothing: where it is, and what was expected."""

    def __init__(self, path: Path, text: str) -> None:
        super().__init__(f"{place_in('the value', path)}: {text}")
        self.path = path
        self.text = text


def place_in(name: str, path: Path) -> str:
    """A part of a value, as Python would write it: `chunks[2]['a']`."""
    return name + "".join(f"[{key!r}]" for key in path)


# To plain values


def to_plain(value: object, name: str = "the value") -> Plain:
    """A value as YAML and JSON can say it; Unwritable names the part that they cannot."""
    return _plain(value, name, (), 0)


def _plain(value: Any, name: str, path: Path, depth: int) -> Plain:
    def inside(key: str | int, part: object, more: int) -> Plain:
        return _plain(part, name, (*path, key), depth + more)

    if depth > _DEEPEST:
        raise Unwritable(f"{name} cannot be written: it is nested too deep")
    kind = type(value)
    if value is None or kind in (bool, int, float):
        return value
    if kind is str or kind is bytes:
        part = repeated_part(value)
        if part is None:
            return _text(value)
        return {"repeat": _text(part), "times": len(value) // len(part)}
    if kind is list:
        return [inside(i, part, 1) for i, part in enumerate(value)]
    if kind is tuple:
        return {"tuple": [inside(i, part, 2) for i, part in enumerate(value)]}
    if kind is dict:
        for key in value:
            if type(key) is not str:
                text = f"the key {key!r} cannot be written: expected text"
                raise Unwritable(f"{place_in(name, path)}: {text}")
        looks_tagged = set(value) in _TAGGED
        plain = {key: inside(key, part, 1 + looks_tagged) for key, part in value.items()}
        return {"dict": plain} if looks_tagged else plain
    raise Unwritable(
        f"{place_in(name, path)}: an object of class '{kind.__qualname__}' cannot be written: "
        f"expected {_EXPECTED}"
    )


def _text(value: str | bytes) -> Plain:
    if isinstance(value, str):
        return value
    units = [byte_unit(byte, _ESCAPES) for byte in value]
    if not is_gibberish(units):
        return {"bytes": _pieces(units)}
    step = _PIECE // 3
    pieces = [value[at : at + step].hex(" ") for at in range(0, len(value), step)]
    return {"hex": pieces[0] if len(pieces) == 1 else pieces}


def _pieces(units: list[str]) -> str | list[str]:
    """One text if it is short; else several, that end where lines do."""
    text = "".join(units)
    if len(text) <= _PIECE:
        return text
    pieces = [""]
    for unit in units:
        if pieces[-1].endswith(r"\n") or len(pieces[-1]) + len(unit) > _PIECE:
            pieces.append("")
        pieces[-1] += unit
    return pieces


# From plain values


def from_plain(plain: Plain) -> object:
    """The value that a plain one stands for, or Unreadable."""
    return _value(plain, ())


def from_node(node: yaml.Node, note: Callable[[yaml.Node, str], Exception]) -> object:
    """The value that a node stands for; what is wrong is told to `note`, and what it gives raised.

    A reader's `note` remembers the mistake, with its place.
    """
    plain = _plain_of(node, note)
    try:
        return from_plain(plain)
    except Unreadable as error:
        raise note(_node_at(node, error.path), error.text) from error


def _plain_of(node: yaml.Node, note: Callable[[yaml.Node, str], Exception]) -> Plain:
    if isinstance(node, yaml.ScalarNode):
        return nodes.plain(node)
    if isinstance(node, yaml.SequenceNode):
        return [_plain_of(item, note) for item in node.value]
    found: dict[str, Plain] = {}
    for key, value in node.value:
        if not isinstance(key, yaml.ScalarNode):
            raise note(key, f"expected text as the key, found {nodes.describe(key)}")
        if not isinstance(nodes.plain(key), str):
            raise note(key, f"expected text as the key, found {key.value}: put it in quotes")
        if key.value in found:
            raise note(key, f"the key '{key.value}' is there already")
        found[key.value] = _plain_of(value, note)
    return found


def _node_at(node: yaml.Node, path: Path) -> yaml.Node:
    for key in path:
        if isinstance(node, yaml.SequenceNode):
            node = node.value[key]
        else:
            node = next(value for word, value in node.value if word.value == key)
    return node


def _value(plain: Plain, path: Path) -> Any:
    if isinstance(plain, list):
        return [_value(part, (*path, i)) for i, part in enumerate(plain)]
    if not isinstance(plain, Mapping):
        return plain
    if set(plain) == {"repeat", "times"}:
        return _repeated(plain, path)
    if set(plain) in _TAGGED:
        ((tag, inner),) = plain.items()
        return _TAGS[tag](inner, (*path, tag))
    return _dict(plain, path)


def _tuple(inner: Plain, path: Path) -> tuple[Any, ...]:
    if not isinstance(inner, list):
        raise Unreadable(path, f"expected a list of the tuple's parts, found {inner!r}")
    return tuple(_value(inner, path))


def _dict(inner: Plain, path: Path) -> dict[str, Any]:
    if not isinstance(inner, Mapping):
        raise Unreadable(path, f"expected a mapping, found {inner!r}")
    return {key: _value(part, (*path, key)) for key, part in inner.items()}


def _repeated(plain: Mapping[str, Plain], path: Path) -> str | bytes:
    part, times = _value(plain["repeat"], (*path, "repeat")), plain["times"]
    if not isinstance(part, str | bytes):
        raise Unreadable((*path, "repeat"), f"expected text or bytes, found {part!r}")
    if not isinstance(times, int) or isinstance(times, bool) or times < 0:
        raise Unreadable((*path, "times"), f"expected a whole number from 0 on, found {times!r}")
    if times * len(part) > LARGEST:
        raise Unreadable((*path, "times"), f"that is longer than {LARGEST} in all")
    return part * times


def _joined(inner: Plain, path: Path, read: Callable[[str, Path], bytes]) -> bytes:
    """The bytes of one text or of several."""
    if isinstance(inner, list):
        return b"".join(_joined(part, (*path, i), read) for i, part in enumerate(inner))
    if isinstance(inner, str):
        return read(inner, path)
    hint = "" if isinstance(inner, Mapping) else ": put it in quotes"
    raise Unreadable(path, f"expected text, found {inner!r}{hint}")


def _unescaped(text: str, path: Path) -> bytes:
    """The bytes that Python means by a text."""
    found, at = bytearray(), 0
    while at < len(text):
        unit = _UNIT.match(text, at)
        if unit is None:
            raise Unreadable(path, f"there is no escape {text[at : at + 2]} in bytes")
        digits, letter, character = unit.groups()
        byte = int(digits, 16) if digits else ord(_ESCAPED[letter] if letter else character)
        if not digits and byte > 0x7F:
            expected = "expected ASCII and escapes such as \\xff, in single quotes"
            raise Unreadable(path, f"{expected}, found '{character}'")
        found.append(byte)
        at = unit.end()
    return bytes(found)


def _unhexed(text: str, path: Path) -> bytes:
    try:
        return bytes.fromhex(text)
    except ValueError:
        raise Unreadable(path, f"expected hexadecimal digits, found '{text}'") from None


_TAGS: dict[str, Callable[[Plain, Path], Any]] = {
    "tuple": _tuple,
    "dict": _dict,
    "bytes": lambda inner, path: _joined(inner, path, _unescaped),
    "hex": lambda inner, path: _joined(inner, path, _unhexed),
}
