"""What a scenario file says of a user's program, from YAML nodes."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, NewType

import yaml

from simnet.scenario import values
from simnet.scenario.nodes import describe
from simnet.scenario.places import Skip

if TYPE_CHECKING:
    from simnet.scenario.document import Reader

Arguments = NewType("Arguments", Mapping[str, object])
Names = NewType("Names", tuple[str, ...])
Decisions = NewType("Decisions", Mapping[str, Mapping[int, int]])


def arguments(reader: Reader, node: yaml.Node) -> Arguments:
    """`NAME: VALUE` for each argument."""
    found: dict[str, object] = {}
    for name, key, value in reader.pairs(node, "arguments such as 'size: 100'"):
        if not name.isidentifier():
            reader.note(key, f"expected the name of an argument, found '{name}'")
        with suppress(Skip):
            found[name] = values.from_node(value, reader.note)
    return Arguments(found)


def names(reader: Reader, node: yaml.Node) -> Names:
    """A list of names, or one."""
    words = reader.words(node) if isinstance(node, yaml.SequenceNode) else (reader.word(node),)
    return Names(tuple(word.text for word in words))


def decisions(reader: Reader, node: yaml.Node) -> Decisions:
    """`STREAM: {PLACE: CHOICE, ...}` for each stream in which something is not the plainest."""
    found: dict[str, Mapping[int, int]] = {}
    example = "decisions such as 'scheduler: {12: 1}'"
    for stream, _, value in reader.pairs(node, example):
        choices: dict[int, int] = {}
        for place, key, choice in reader.pairs(value, "choices by their places, such as '12: 1'"):
            with suppress(Skip):
                if not place.isdecimal():
                    raise reader.note(key, f"expected a place from 0 on, found '{place}'")
                choices[int(place)] = _choice(reader, choice)
        found[stream] = choices
    return Decisions(found)


def _choice(reader: Reader, node: yaml.Node) -> int:
    if isinstance(node, yaml.ScalarNode) and node.value.isdecimal():
        return int(node.value)
    raise reader.note(node, f"expected a choice from 0 on, found {describe(node)}")
