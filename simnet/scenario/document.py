"""YAML nodes into raw values, place by place. What they mean together is the parser's business.

cattrs walks from the node of a file to attrs values, by the types of their fields; each value keeps
its place, and a mistake in one does not hide the mistakes in the others.
"""

from __future__ import annotations

import operator
from collections.abc import Iterator
from contextlib import suppress
from functools import partial
from typing import Any, TypeVar

import attrs
import cattrs
import yaml

from simnet.scenario import nodes, patterns
from simnet.scenario.expressions import Expression, parse
from simnet.scenario.model import Pattern
from simnet.scenario.places import Mistake, Place, nearest, one_of

T = TypeVar("T")


@attrs.frozen
class Word:
    """Text and where it begins."""

    text: str
    where: Place
    exact: bool = True


@attrs.frozen
class Options:
    """What a step may say besides its call."""

    returns: Pattern | None = None
    raises: Word | None = None
    blocks: bool | None = None
    as_: tuple[Word, ...] | None = None


@attrs.frozen
class RawStep:
    """A step as it is written."""

    where: Place
    actor: str
    call: Word
    options: Options
    several_names: bool = False


@attrs.frozen
class Document:
    """A scenario file as it is written."""

    name: Word
    shows: Word
    actors: tuple[Word, ...]
    steps: tuple[RawStep, ...]


def _keys(cls: type) -> dict[str, attrs.Attribute[Any]]:
    return {field.name.rstrip("_"): field for field in attrs.fields(cls)}


OPTIONS = tuple(_keys(Options))
attrs.resolve_types(Options)
attrs.resolve_types(Document)


class Skip(Exception):
    """This part is wrong and the mistake is noted; go on with the next."""


class Reader:
    """Reads one file; `mistakes` is what was wrong with it."""

    def __init__(self, path: str, shown: str) -> None:
        self.path = shown
        self._file = path
        self.mistakes: list[Mistake] = []
        self._actors: tuple[str, ...] = ()
        self._converter = cattrs.Converter(detailed_validation=False)
        hooks: tuple[tuple[Any, Any], ...] = (
            (Document, self._mapping),
            (tuple[Word, ...], self._words),
            (tuple[RawStep, ...], self._steps),
            (Word, self._word),
            (Pattern, self._pattern),
        )
        self._converter.register_structure_hook(bool, self._bool)
        for kind, hook in hooks:
            self._converter.register_structure_hook_func(partial(operator.eq, kind), hook)

    def read(self) -> Document | None:
        """The file's content, if it has every part that it needs."""
        try:
            return self._converter.structure(nodes.compose(self._file, self.path), Document)
        except Skip:
            return None

    def place(self, node: yaml.Node) -> Place:
        """Where a node of this file begins."""
        return nodes.place(self.path, node)

    def note(self, where: yaml.Node | Place, text: str) -> Skip:
        """Remember a mistake."""
        place = where if isinstance(where, Place) else self.place(where)
        self.mistakes.append(Mistake(place, text))
        return Skip()

    def _structure(self, node: yaml.Node, kind: Any) -> Any:
        return self._converter.structure(node, kind)

    def _pairs(self, node: yaml.Node, what: str) -> Iterator[tuple[str, Any, yaml.Node]]:
        """Key, key node and value node; a key that comes twice is a mistake."""
        if not isinstance(node, yaml.MappingNode):
            raise self.note(node, f"expected {what} (a mapping), found {describe(node)}")
        seen: dict[str, int] = {}
        for key, value in node.value:
            if not isinstance(key, yaml.ScalarNode):
                self.note(key, f"expected a word as the key, found {describe(key)}")
            elif key.value in seen:
                self.note(key, f"the key '{key.value}' is in line {seen[key.value]} already")
            else:
                seen[key.value] = key.start_mark.line + 1
                yield key.value, key, value

    def _mapping(self, node: yaml.Node, cls: type[T]) -> T:
        """An attrs value from a mapping with a key for each field."""
        fields = _keys(cls)
        found: dict[str, yaml.Node] = {}
        for key, key_node, value in self._pairs(node, f"a scenario with {one_of(fields)}"):
            if key in fields:
                found[key] = value
            else:
                near = nearest(key, fields)
                self.note(key_node, f"unknown key '{key}': expected {one_of(fields)}{near}")
        values = {}
        for key, field in fields.items():
            if key in found:
                with suppress(Skip):
                    values[field.name] = self._structure(found[key], field.type)
            elif field.default is attrs.NOTHING:
                self.note(node, f"the key '{key}' is missing")
        for field in fields.values():
            if field.default is attrs.NOTHING and field.name not in values:
                if field.type is not Word:
                    raise Skip
                # A missing title hides no mistake in the steps.
                values[field.name] = Word("", self.place(node))
        return cls(**values)

    def _word(self, node: yaml.Node, _: Any = None) -> Word:
        if not isinstance(node, yaml.ScalarNode) or not node.value.strip():
            raise self.note(node, f"expected text, found {describe(node)}")
        where, exact = nodes.text_place(self.path, node)
        return Word(node.value.strip(), where, exact and node.value == node.value.strip())

    def _words(self, node: yaml.Node, _: Any) -> tuple[Word, ...]:
        if not isinstance(node, yaml.SequenceNode) or not node.value:
            raise self.note(
                node, f"expected a list of names such as [server, client], found {describe(node)}"
            )
        words = tuple(self._each(node, self._word))
        self._actors = self._actors or tuple(word.text for word in words)
        return words

    def _each(self, node: yaml.SequenceNode, read: Any) -> Iterator[Any]:
        for item in node.value:
            try:
                yield read(item)
            except Skip:
                continue

    def _bool(self, node: yaml.Node, _: Any = None) -> bool:
        if isinstance(node, yaml.ScalarNode) and nodes.plain(node) is True:
            return True
        raise self.note(node, f"expected true, found {describe(node)}")

    def _steps(self, node: yaml.Node, _: Any) -> tuple[RawStep, ...]:
        if not isinstance(node, yaml.SequenceNode) or not node.value:
            raise self.note(node, f"expected a list of steps, found {describe(node)}")
        return tuple(self._each(node, self._step))

    def _step(self, node: yaml.Node) -> RawStep:
        """One key is an actor, with its call; the others are options."""
        example = "a step such as 'client: conn.recv(100)'"
        calls: dict[str, yaml.Node] = {}
        options: dict[str, Any] = {}
        wrong = False
        for key, key_node, value in self._pairs(node, example):
            if key in OPTIONS:
                try:
                    options[_keys(Options)[key].name] = self._option(key, value)
                except Skip:
                    wrong = True
            elif key in self._actors:
                calls[key] = value
            elif self._actors:
                right = (*self._actors, *OPTIONS)
                self.note(
                    key_node,
                    f"unknown key '{key}': expected an actor ({one_of(self._actors)}) "
                    f"or {one_of(OPTIONS)}{nearest(key, right)}",
                )
                wrong = True
        if len(calls) > 1:
            raise self.note(node, f"expected one actor in a step, found {' and '.join(calls)}")
        if wrong:
            # What a half-understood step defines would otherwise look undefined later on.
            options = {"as_": options.get("as_")}
        if not calls:
            if wrong or not self._actors:
                raise Skip
            raise self.note(
                node, f"expected {example}, with one of the actors: {one_of(self._actors)}"
            )
        ((actor, call),) = calls.items()
        several = any(
            key.value == "as" and isinstance(value, yaml.SequenceNode) for key, value in node.value
        )
        return RawStep(self.place(node), actor, self._word(call), Options(**options), several)

    def _option(self, key: str, value: yaml.Node) -> Any:
        if key == "as":
            if isinstance(value, yaml.SequenceNode):
                return tuple(self._each(value, self._word))
            return (self._word(value),)
        return self._structure(value, _keys(Options)[key].type)

    def _pattern(self, node: yaml.Node, _: Any = None) -> Pattern:
        if isinstance(node, yaml.ScalarNode):
            return patterns.Exactly(nodes.plain(node))
        if isinstance(node, yaml.SequenceNode):
            return patterns.Items(tuple(self._pattern(item) for item in node.value))
        pairs = list(self._pairs(node, "a value"))
        if len(pairs) != 1:
            raise self.note(
                node, f"expected one of {one_of(patterns.WORDS)}, found {len(pairs)} keys"
            )
        ((word, key_node, value),) = pairs
        if word in patterns.OF_EXPRESSIONS:
            count, make = patterns.OF_EXPRESSIONS[word]
            return make(*self._operands(value, count))
        if word in patterns.OF_PATTERNS:
            return patterns.OF_PATTERNS[word](self._pattern(value))
        if word == "starts with":
            return patterns.StartsWith(self._word(value).text)
        if word == "any":
            kind = self._word(value)
            if kind.text not in patterns.ANY:
                near = nearest(kind.text, patterns.ANY)
                raise self.note(
                    value, f"expected {one_of(patterns.ANY)}, found '{kind.text}'{near}"
                )
            return patterns.Any_(kind.text)
        near = nearest(word, patterns.WORDS)
        raise self.note(
            key_node, f"unknown expectation '{word}': expected {one_of(patterns.WORDS)}{near}"
        )

    def _operands(self, node: yaml.Node, count: int) -> Iterator[Expression]:
        items = [node]
        if count > 1:
            if not isinstance(node, yaml.SequenceNode) or len(node.value) != count:
                raise self.note(node, f"expected a list of {count}, found {describe(node)}")
            items = node.value
        for item in items:
            word = self._word(item)
            parsed = parse(word.text, word.where, word.exact)
            if isinstance(parsed, Mistake):
                self.mistakes.append(parsed)
                raise Skip
            yield parsed


def describe(node: yaml.Node) -> str:
    """A node in words, for a mistake."""
    if isinstance(node, yaml.ScalarNode):
        return f"'{node.value}'" if node.value else "nothing"
    if isinstance(node, yaml.SequenceNode):
        return f"a list of {len(node.value)}"
    return "a mapping"
