"""YAML nodes into raw values, place by place. What they mean together is the parser's business.

cattrs walks from the node of a file to attrs values, by the types of their fields; each value keeps
its place, and a mistake in one does not hide the mistakes in the others.
"""

from __future__ import annotations

import operator
from collections.abc import Iterator
from contextlib import suppress
from functools import partial
from typing import Any, Literal, TypeVar, get_args

import attrs
import cattrs
import yaml

from simnet.scenario import nodes, patterns, program_reader
from simnet.scenario.expressions import CannotEvaluate, Expression, parse
from simnet.scenario.model import Pattern
from simnet.scenario.places import Mistake, Place, Skip, nearest, one_of
from simnet.scenario.program_reader import Arguments, Decisions, Names
from simnet.scenario.setting import Happening, HostPlan, LinkPlan, NamePlan
from simnet.scenario.setting_reader import DETAILS, EVENTS, SettingReader

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
    takes: Pattern | None = None
    as_: tuple[Word, ...] | None = None


@attrs.frozen
class RawStep:
    """A step as it is written."""

    where: Place
    actor: str
    call: Word
    options: Options
    several_names: bool = False


Seed = int | str
# What is said of addresses that nobody has.
Answer = Literal["unreachable", "network", "silence"]
RawSteps = tuple[RawStep | Happening, ...]


# What only a story about a program says.
OF_PROGRAMS = ("with", "policy", "nasty", "decisions", "found")


@attrs.frozen(kw_only=True)
class Document:
    """A scenario file as it is written: actors on one host, or several hosts with theirs.

    Or a program, on hosts of its own or of the file.
    """

    name: Word
    shows: Word
    sim_only: Word | None = None
    seed: Seed = 0
    hosts: tuple[HostPlan, ...] = ()
    links: tuple[LinkPlan, ...] = ()
    names: tuple[NamePlan, ...] = ()
    unknown_addresses: Answer | None = None
    actors: tuple[Word, ...] = ()
    program: Word | None = None
    with_: Arguments | None = None
    policy: Word | None = None
    nasty: Names | None = None
    decisions: Decisions | None = None
    found: Word | None = None
    steps: RawSteps = ()


def _keys(cls: type) -> dict[str, attrs.Attribute[Any]]:
    return {field.name.replace("_", " ").strip(): field for field in attrs.fields(cls)}


OPTIONS = tuple(_keys(Options))
attrs.resolve_types(Options)
attrs.resolve_types(Document)


class Reader:
    """Reads one file; `mistakes` is what was wrong with it."""

    def __init__(self, path: str, shown: str) -> None:
        self.path = shown
        self._file = path
        self.mistakes: list[Mistake] = []
        self._actors: list[str] = []
        self._setting = SettingReader(self)
        self._converter = cattrs.Converter(detailed_validation=False)
        hooks: tuple[tuple[Any, Any], ...] = (
            (Document, self._mapping),
            (tuple[Word, ...], self._actor_names),
            (tuple[HostPlan, ...], lambda node, _: self._setting.read_hosts(node)),
            (tuple[LinkPlan, ...], lambda node, _: self._setting.read_links(node)),
            (tuple[NamePlan, ...], lambda node, _: self._setting.read_names(node)),
            (Arguments, lambda node, _: program_reader.arguments(self, node)),
            (Names, lambda node, _: program_reader.names(self, node)),
            (Decisions, lambda node, _: program_reader.decisions(self, node)),
            (RawSteps, self._steps),
            (Word, self.word),
            (Seed, self._seed),
            (Answer, lambda node, _: self._setting.choice(node, get_args(Answer))),
            (Pattern, self._pattern),
        )
        self._converter.register_structure_hook(bool, self._bool)
        for kind, hook in hooks:
            self._converter.register_structure_hook_func(partial(operator.eq, kind), hook)

    def read(self) -> Document | None:
        """The file's content, if it has every part that it needs."""
        root = nodes.compose(self._file, self.path)
        if isinstance(root, yaml.MappingNode):
            self._check_cast(root)
        try:
            return self._converter.structure(root, Document)
        except Skip:
            return None

    def _check_cast(self, root: yaml.MappingNode) -> None:
        """Actors are named once: by themselves, or by their hosts; a program needs none."""
        given = {key.value: key for key, _ in root.value if isinstance(key, yaml.ScalarNode)}
        if "program" in given:
            if "actors" in given:
                self.note(given["actors"], "a 'program' has no actors: expected 'hosts', or none")
            for key in ("links", "names", "steps"):
                if key in given and "hosts" not in given:
                    self.note(given[key], f"'{key}' needs 'hosts' beside the 'program'")
            return
        for key in OF_PROGRAMS:
            if key in given:
                self.note(given[key], f"'{key}' is said of a 'program', and there is none")
        if "steps" not in given:
            self.note(root, "the key 'steps' is missing (or 'program', where a function is called)")
        if "hosts" not in given:
            if "actors" not in given:
                self.note(root, "the key 'actors' is missing (or 'hosts', where there are several)")
            for key in ("seed", "links", "names", "unknown addresses"):
                if key in given:
                    self.note(given[key], f"'{key}' needs 'hosts' instead of 'actors'")
        elif "actors" in given:
            text = "where there are 'hosts', each host names its 'actors'"
            self.note(given["actors"], text)

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

    def pairs(self, node: yaml.Node, what: str) -> Iterator[tuple[str, Any, yaml.Node]]:
        """Key, key node and value node; a key that comes twice is a mistake."""
        if not isinstance(node, yaml.MappingNode):
            raise self.note(node, f"expected {what} (a mapping), found {nodes.describe(node)}")
        seen: dict[str, int] = {}
        for key, value in node.value:
            if not isinstance(key, yaml.ScalarNode):
                self.note(key, f"expected a word as the key, found {nodes.describe(key)}")
            elif key.value in seen:
                self.note(key, f"the key '{key.value}' is in line {seen[key.value]} already")
            else:
                seen[key.value] = key.start_mark.line + 1
                yield key.value, key, value

    def _mapping(self, node: yaml.Node, cls: type[T]) -> T:
        """An attrs value from a mapping with a key for each field."""
        fields = _keys(cls)
        found: dict[str, yaml.Node] = {}
        for key, key_node, value in self.pairs(node, f"a scenario with {one_of(fields)}"):
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

    def word(self, node: yaml.Node, _: Any = None) -> Word:
        """Text that is not empty."""
        if not isinstance(node, yaml.ScalarNode) or not node.value.strip():
            raise self.note(node, f"expected text, found {nodes.describe(node)}")
        where, exact = nodes.text_place(self.path, node)
        return Word(node.value.strip(), where, exact and node.value == node.value.strip())

    def words(self, node: yaml.Node) -> tuple[Word, ...]:
        """A list of names."""
        if not isinstance(node, yaml.SequenceNode) or not node.value:
            example = "a list of names such as [server, client]"
            raise self.note(node, f"expected {example}, found {nodes.describe(node)}")
        return tuple(self._each(node, self.word))

    def add_actor(self, name: str, where: Place) -> None:
        """Somebody may act from now on."""
        if name in EVENTS or name in OPTIONS or name in DETAILS:
            self.note(where, f"'{name}' is a word of the language: an actor needs another name")
        elif name in self._actors:
            self.note(where, f"the actor '{name}' is named twice")
        else:
            self._actors.append(name)

    def _actor_names(self, node: yaml.Node, _: Any) -> tuple[Word, ...]:
        words = self.words(node)
        for word in words:
            self.add_actor(word.text, word.where)
        return words

    def _seed(self, node: yaml.Node, _: Any) -> Seed:
        value = nodes.plain(node) if isinstance(node, yaml.ScalarNode) else None
        if isinstance(value, Seed) and not isinstance(value, bool) and value != "":
            return value
        raise self.note(node, f"expected a number or a word, found {nodes.describe(node)}")

    def _each(self, node: yaml.SequenceNode, read: Any) -> Iterator[Any]:
        for item in node.value:
            try:
                yield read(item)
            except Skip:
                continue

    def _bool(self, node: yaml.Node, _: Any = None) -> bool:
        if isinstance(node, yaml.ScalarNode) and nodes.plain(node) is True:
            return True
        raise self.note(node, f"expected true, found {nodes.describe(node)}")

    def _steps(self, node: yaml.Node, _: Any) -> tuple[RawStep, ...]:
        if not isinstance(node, yaml.SequenceNode) or not node.value:
            raise self.note(node, f"expected a list of steps, found {nodes.describe(node)}")
        return tuple(self._each(node, self._step))

    def _step(self, node: yaml.Node) -> RawStep | Happening:
        """One key is an actor, with its call, or an event; the others say more about it."""
        example = "a step such as 'client: conn.recv(100)'"
        parts = {key: (key_node, value) for key, key_node, value in self.pairs(node, example)}
        heads = [key for key in parts if key in self._actors or key in EVENTS]
        if len(heads) > 1:
            raise self.note(
                node, f"expected one actor or one event in a step, found {' and '.join(heads)}"
            )
        if heads and heads[0] in EVENTS:
            return self._setting.read_event(node, parts)
        options: dict[str, Any] = {}
        wrong = False
        for key, (key_node, value) in parts.items():
            if key in OPTIONS:
                try:
                    options[_keys(Options)[key].name] = self._option(key, value)
                except Skip:
                    wrong = True
            elif key not in heads and self._actors:
                self.note(key_node, self._unknown_key(key))
                wrong = True
        if wrong:
            # What a half-understood step defines would otherwise look undefined later on.
            options = {"as_": options.get("as_")}
        if not heads:
            if wrong or not self._actors:
                raise Skip
            raise self.note(
                node, f"expected {example}, with one of the actors: {one_of(self._actors)}"
            )
        _, call = parts[heads[0]]
        several = "as" in parts and isinstance(parts["as"][1], yaml.SequenceNode)
        return RawStep(self.place(node), heads[0], self.word(call), Options(**options), several)

    def _unknown_key(self, key: str) -> str:
        events = EVENTS if self._setting.hosts else ("wait",)
        right = (*self._actors, *OPTIONS, *events)
        return (
            f"unknown key '{key}': expected an actor ({one_of(self._actors)}), an event "
            f"({one_of(events)}) or {one_of(OPTIONS)}{nearest(key, right)}"
        )

    def _option(self, key: str, value: yaml.Node) -> Any:
        if key == "as":
            if isinstance(value, yaml.SequenceNode):
                return tuple(self._each(value, self.word))
            return (self.word(value),)
        if key == "takes":
            return self._seconds(value)
        return self._structure(value, _keys(Options)[key].type)

    def _seconds(self, node: yaml.Node) -> Pattern:
        """How long something takes: a number, or bounds."""
        pattern = self._pattern(node)
        try:
            patterns.bounds(pattern)
        except CannotEvaluate as error:
            example = "a number of seconds, {at least: N}, {at most: N} or {between: [N, M]}"
            raise self.note(node, f"expected {example}, found {nodes.describe(node)}") from error
        return pattern

    def _pattern(self, node: yaml.Node, _: Any = None) -> Pattern:
        if isinstance(node, yaml.ScalarNode):
            return patterns.Exactly(nodes.plain(node))
        if isinstance(node, yaml.SequenceNode):
            return patterns.Items(tuple(self._pattern(item) for item in node.value))
        pairs = list(self.pairs(node, "a value"))
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
            if not isinstance(value, yaml.ScalarNode) or not value.value:
                raise self.note(value, f"expected text, found {nodes.describe(value)}")
            return patterns.StartsWith(value.value)
        if word == "any":
            kind = self.word(value)
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
                raise self.note(node, f"expected a list of {count}, found {nodes.describe(node)}")
            items = node.value
        for item in items:
            word = self.word(item)
            parsed = parse(word.text, word.where, word.exact)
            if isinstance(parsed, Mistake):
                self.mistakes.append(parsed)
                raise Skip
            yield parsed
