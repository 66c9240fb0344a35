"""YAML text as nodes that know their place, or a list of what is wrong with it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from simnet.scenario.places import Malformed, Mistake, Place

_RESOLVED = {f"tag:yaml.org,2002:{kind}" for kind in ("int", "float", "bool", "null")}
_PLAIN = _RESOLVED | {f"tag:yaml.org,2002:{kind}" for kind in ("str", "timestamp", "value")}
_PLAIN |= {"tag:yaml.org,2002:map", "tag:yaml.org,2002:seq", "tag:yaml.org,2002:merge"}

# No expectation needs more brackets in brackets than this.
DEEPEST = 50


def compose(file: str, path: str) -> yaml.Node:
    """The root node of a file, which mistakes call `path`; Malformed if there is none."""
    text = _read(file, path)
    try:
        _check_events(path, text)
        node = yaml.compose(text, yaml.SafeLoader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        place = _place(path, mark) if mark else Place(path)
        raise _malformed(place, f"not YAML: {error.problem or error.context}") from error
    except yaml.reader.ReaderError as error:
        place = _at_offset(path, text, int(error.position))
        raise _malformed(place, "not YAML: a character that it does not allow") from error
    if node is None:
        raise _malformed(
            Place(path), "the file is empty: expected a scenario with name, shows, ..."
        )
    _check_tags(path, node)
    return node


def place(path: str, node: yaml.Node) -> Place:
    """Where a node begins."""
    return _place(path, node.start_mark)


def text_place(path: str, node: yaml.ScalarNode) -> tuple[Place, bool]:
    """Where the text of a scalar begins, and whether columns within it can be counted."""
    where = _place(path, node.start_mark)
    exact = node.start_mark.line == node.end_mark.line and node.style in (None, "'", '"')
    quoted = node.style in ("'", '"')
    return Place(path, where.line, where.column + quoted), exact


def plain(node: yaml.ScalarNode) -> Any:
    """The value of a scalar: a number, true or false, null, or text."""
    if node.tag not in _RESOLVED:
        return node.value
    try:
        return yaml.SafeLoader("").construct_object(node)
    except (ValueError, yaml.YAMLError, KeyError):
        return node.value


def describe(node: yaml.Node) -> str:
    """A node in words, for a mistake."""
    if isinstance(node, yaml.ScalarNode):
        return f"'{node.value}'" if node.value else "nothing"
    if isinstance(node, yaml.SequenceNode):
        return f"a list of {len(node.value)}"
    return "a mapping"


def _read(file: str, path: str) -> str:
    try:
        data = Path(file).read_bytes()
    except OSError as error:
        raise _malformed(Place(path), f"cannot be read: {error.strerror}") from error
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        before = data[: error.start].decode("utf-8-sig", errors="replace")
        where = _at_offset(path, before, len(before))
        raise _malformed(
            where, f"expected UTF-8, found the byte 0x{data[error.start]:02x}"
        ) from error


def _check_events(path: str, text: str) -> None:
    """What has to be found before nodes are made: they could be endless."""
    depth = 0
    for event in yaml.parse(text, yaml.SafeLoader):
        if isinstance(event, yaml.AliasEvent):
            raise _malformed(_place(path, event.start_mark), "aliases are not used in scenarios")
        depth += isinstance(event, yaml.CollectionStartEvent)
        depth -= isinstance(event, yaml.CollectionEndEvent)
        if depth > DEEPEST:
            text = f"not a scenario: nested more than {DEEPEST} deep"
            raise _malformed(_place(path, event.start_mark), text)


def _check_tags(path: str, root: yaml.Node) -> None:
    mistakes, waiting = [], [root]
    while waiting:
        node = waiting.pop()
        if node.tag not in _PLAIN:
            where = _place(path, node.start_mark)
            mistakes.append(Mistake(where, f"the tag '{node.tag}' is not used in scenarios"))
        elif isinstance(node, yaml.SequenceNode):
            waiting.extend(node.value)
        elif isinstance(node, yaml.MappingNode):
            waiting.extend(part for pair in node.value for part in pair)
    if mistakes:
        raise Malformed(mistakes)


def _place(path: str, mark: Any) -> Place:
    return Place(path, mark.line + 1, mark.column + 1)


def _at_offset(path: str, text: str, offset: int) -> Place:
    before = text[:offset]
    return Place(path, before.count("\n") + 1, len(before) - (before.rfind("\n") + 1) + 1)


def _malformed(where: Place, text: str) -> Malformed:
    return Malformed([Mistake(where, text)])
