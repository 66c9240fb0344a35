"""What a returned value may be asked to look like: exact, a size, a beginning, anything."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterable

import attrs

from simnet.api import Socket
from simnet.scenario.expressions import CannotEvaluate, Expression, Names, evaluate
from simnet.scenario.model import Pattern
from simnet.scenario.outcomes import show

Plain = str | int | float | bool | None


def _is_bytes(value: object) -> bool:
    return isinstance(value, bytes | bytearray | memoryview)


def _equal(expected: object, value: object) -> bool:
    """Equality, where bytes may be written as text, and True is not 1."""
    if _is_bytes(value):
        expected = expected.encode() if isinstance(expected, str) else expected
        return bool(expected == value)
    if isinstance(expected, bool) or isinstance(value, bool):
        return expected is value
    if isinstance(expected, list | tuple) and isinstance(value, list | tuple):
        return len(expected) == len(value) and all(map(_equal, expected, value))
    return bool(expected == value)


def _size(value: object) -> float | None:
    """A number itself, or the length of anything that has one."""
    if isinstance(value, bool):
        return None
    if isinstance(value, int | float):
        return value
    return len(value) if hasattr(value, "__len__") else None


@attrs.frozen
class Exactly:
    """This plain value; text stands for its UTF-8 bytes too."""

    value: Plain

    def matches(self, value: object, names: Names) -> bool:
        return _equal(self.value, value)

    def __str__(self) -> str:
        return show(self.value)


@attrs.frozen
class Items:
    """A tuple or list whose items match one by one."""

    items: tuple[Pattern, ...]

    def matches(self, value: object, names: Names) -> bool:
        return (
            isinstance(value, list | tuple)
            and len(value) == len(self.items)
            and all(item.matches(part, names) for item, part in zip(self.items, value, strict=True))
        )

    def __str__(self) -> str:
        return f"[{', '.join(map(str, self.items))}]"


@attrs.frozen
class Is:
    """The value of an expression."""

    expression: Expression

    def matches(self, value: object, names: Names) -> bool:
        return _equal(evaluate(self.expression, names), value)

    def __str__(self) -> str:
        return str(self.expression)


@attrs.frozen
class Sized:
    """A number, or the length of something, in a range; either bound may be missing."""

    words: str
    low: Expression | None = None
    high: Expression | None = None
    of_bytes: bool = False

    def matches(self, value: object, names: Names) -> bool:
        size = _size(value)
        if size is None or (self.of_bytes and not _is_bytes(value)):
            return False
        return (self.low is None or bool(size >= evaluate(self.low, names))) and (
            self.high is None or bool(size <= evaluate(self.high, names))
        )

    def __str__(self) -> str:
        return self.words


@attrs.frozen
class StartsWith:
    """Bytes or text with this beginning."""

    text: str

    def matches(self, value: object, names: Names) -> bool:
        if isinstance(value, bytes | bytearray):
            return value.startswith(self.text.encode())
        return isinstance(value, str) and value.startswith(self.text)

    def __str__(self) -> str:
        return f"something that starts with {self.text!r}"


@attrs.frozen
class Contains:
    """A list with such an item."""

    item: Pattern

    def matches(self, value: object, names: Names) -> bool:
        return isinstance(value, list | tuple) and any(
            self.item.matches(part, names) for part in value
        )

    def __str__(self) -> str:
        return f"a list that contains {self.item}"


@attrs.frozen
class Not:
    """Anything but that."""

    other: Pattern

    def matches(self, value: object, names: Names) -> bool:
        return not self.other.matches(value, names)

    def __str__(self) -> str:
        return f"anything but {self.other}"


def _is_address(value: object) -> bool:
    return _is_bytes(value) or isinstance(value, str | tuple)


ANY: dict[str, Callable[[object], bool]] = {
    "value": lambda value: True,
    "number": lambda value: isinstance(value, int | float) and not isinstance(value, bool),
    "text": lambda value: isinstance(value, str),
    "bytes": _is_bytes,
    "address": _is_address,
    "socket": lambda value: isinstance(value, Socket),
    "file": lambda value: isinstance(value, io.IOBase),
}


@attrs.frozen
class Any_:
    """Any value of a kind."""

    kind: str

    def matches(self, value: object, names: Names) -> bool:
        return ANY[self.kind](value)

    def __str__(self) -> str:
        return f"any {self.kind}"


def _size_words(name: str) -> Callable[..., Pattern]:
    def make(*bounds: Expression) -> Pattern:
        words = f"{name} {' and '.join(map(str, bounds))}"
        match name:
            case "at least":
                return Sized(words, low=bounds[0])
            case "at most":
                return Sized(words, high=bounds[0])
            case "bytes":
                return Sized(f"{bounds[0]} bytes", low=bounds[0], high=bounds[0], of_bytes=True)
            case _:
                return Sized(words, low=bounds[0], high=bounds[1])

    return make


def bounds(pattern: Pattern) -> tuple[float, float | None]:
    """The least and the largest number that fits (None: any); CannotEvaluate if it is no range.

    Only what can be computed without names has bounds.
    """
    match pattern:
        case Exactly(int() | float() as value) if not isinstance(value, bool):
            return value, value
        case Sized(low=low, high=high, of_bytes=False):
            least = 0.0 if low is None else evaluate(low, {})
            most = None if high is None else evaluate(high, {})
            if all(isinstance(bound, int | float | None) for bound in (least, most)):
                return least, most
    raise CannotEvaluate(f"{pattern} is not a range of numbers")


# word: (how many expressions it takes, maker)
OF_EXPRESSIONS: dict[str, tuple[int, Callable[..., Pattern]]] = {
    "is": (1, Is),
    "at least": (1, _size_words("at least")),
    "at most": (1, _size_words("at most")),
    "bytes": (1, _size_words("bytes")),
    "between": (2, _size_words("between")),
}
OF_PATTERNS: dict[str, Callable[[Pattern], Pattern]] = {"contains": Contains, "not": Not}
WORDS = (*OF_EXPRESSIONS, *OF_PATTERNS, "starts with", "any")


def expressions_in(pattern: Pattern | None) -> Iterable[Expression]:
    """The expressions that a pattern will evaluate."""
    match pattern:
        case Is(expression):
            yield expression
        case Sized(low=low, high=high):
            yield from filter(None, (low, high))
        case Contains(inner) | Not(inner):
            yield from expressions_in(inner)
        case Items(items):
            for item in items:
                yield from expressions_in(item)
