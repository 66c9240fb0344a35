"""The notation of calls and arguments: a small part of Python, checked before anything runs.

Literals, tuples, lists, `+`, `*`, `|`, unary minus, the constants of the socket module, names of
earlier results, their attributes (`listener.address`) and the vocabulary's pure functions. Nothing
here reaches a network; what a word means is the vocabulary's business.
"""

from __future__ import annotations

import ast
import operator
import warnings
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import attrs

from simnet.scenario.places import Mistake, Place, nearest
from simnet.scenario.vocabulary import ATTRIBUTES, CONSTANTS, FUNCTIONS, PURE

Names = Mapping[str, Any]
Kinds = Mapping[str, str]

# A payload, or an expression, larger than this is a slip of the pen, not a scenario.
LARGEST = 64 << 20
LONGEST = 500

_BINARY: dict[type[ast.operator], Callable[[Any, Any], Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.BitOr: operator.or_,
}


class CannotEvaluate(Exception):
    """An argument that has no value, found only when the scenario runs."""


@attrs.frozen
class Expression:
    """A parsed expression and where its text begins.

    `exact` is false where columns cannot be counted: text over several lines.
    """

    text: str
    where: Place
    tree: ast.expr = attrs.field(eq=False, repr=False)
    exact: bool = True

    def __str__(self) -> str:
        return self.text

    def place(self, node: ast.expr | ast.keyword) -> Place:
        """Where a part of it stands in the file."""
        if not self.exact or node.lineno != 1:
            return self.where
        # ast counts columns in UTF-8 bytes.
        before = self.text.encode()[: node.col_offset].decode(errors="replace")
        return attrs.evolve(self.where, column=self.where.column + len(before))

    def part(self, node: ast.expr) -> Expression:
        """A part of it as an expression of its own."""
        text = ast.get_source_segment(self.text, node) or ast.unparse(node)
        return Expression(text, self.place(node), node, self.exact and node.lineno == 1)

    def mistake(self, node: ast.expr | ast.keyword, text: str) -> Mistake:
        """A mistake at a part of it."""
        return Mistake(self.place(node), text)


def parse(text: str, where: Place, exact: bool = True) -> Expression | Mistake:
    """Read an expression, or say where its syntax goes wrong."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")  # a doubtful escape in a string is a mistake here
            tree = ast.parse(text, mode="eval").body
    except SyntaxError as error:
        column = where.column
        if exact and error.lineno == 1 and error.offset:
            column += min(error.offset - 1, len(text))
        return Mistake(
            attrs.evolve(where, column=column), f"expected an expression: {error.msg}: {text}"
        )
    except (ValueError, RecursionError, MemoryError) as error:
        return Mistake(where, f"expected an expression: {error}")
    if sum(1 for _ in ast.walk(tree)) > LONGEST:
        return Mistake(where, f"expected an expression of at most {LONGEST} parts")
    return Expression(text, where, tree, exact)


def check(expression: Expression, kinds: Kinds) -> Iterator[Mistake]:
    """What is wrong with the expression, given the kinds of the names that exist by now."""
    yield from _check(expression, expression.tree, kinds)


def _check(expression: Expression, node: ast.expr, kinds: Kinds) -> Iterator[Mistake]:
    match node:
        case ast.Constant(value=None | bool() | int() | float() | str() | bytes()):
            return
        case ast.Name(id=word):
            if word not in kinds and word not in CONSTANTS:
                yield expression.mistake(node, undefined(word, kinds))
        case ast.Tuple(elts=parts) | ast.List(elts=parts):
            for part in parts:
                yield from _check(expression, part, kinds)
        case ast.BinOp(left=left, op=op, right=right) if type(op) in _BINARY:
            yield from _check(expression, left, kinds)
            yield from _check(expression, right, kinds)
        case ast.UnaryOp(op=ast.USub(), operand=operand):
            yield from _check(expression, operand, kinds)
        case ast.Attribute(value=ast.Name(id=word), attr=attribute):
            if word not in kinds:
                yield expression.mistake(node, undefined(word, kinds))
            elif kinds[word] not in ("socket", "unknown"):
                yield expression.mistake(node, f"'{word}' is a {kinds[word]}, not a socket")
            elif attribute not in ATTRIBUTES:
                near = nearest(attribute, ATTRIBUTES)
                yield expression.mistake(node, f"a socket has no attribute '{attribute}'{near}")
        case ast.Call(func=ast.Name(id=word)):
            if word not in PURE:
                text = f"unknown function '{word}' in an argument{nearest(word, PURE)}"
                if word in FUNCTIONS:
                    text = f"'{word}' must be a step of its own: give its result a name with 'as'"
                yield expression.mistake(node, text)
            yield from check_arguments(expression, node, kinds)
        case _:
            text = ast.unparse(node)
            yield expression.mistake(
                node, f"expected a literal, a name or a constant, found '{text}'"
            )


def check_arguments(expression: Expression, call: ast.Call, kinds: Kinds) -> Iterator[Mistake]:
    """What is wrong with the arguments of a call."""
    for argument in call.args:
        yield from _check(expression, argument, kinds)
    for keyword in call.keywords:
        if keyword.arg is None:
            yield expression.mistake(keyword, "expected name=value, found '**'")
        yield from _check(expression, keyword.value, kinds)


def strings_in(expression: Expression) -> Iterator[str]:
    """The texts that stand in an expression."""
    for node in ast.walk(expression.tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value


def undefined(word: str, kinds: Kinds) -> str:
    """What to say of a name that nothing has defined."""
    if word in FUNCTIONS or word in PURE:
        return f"'{word}' is a function: write {word}(...)"
    return f"'{word}' is not defined by an earlier step{nearest(word, [*kinds, *CONSTANTS])}"


def evaluate(expression: Expression, names: Names) -> Any:
    """The value of a checked expression; CannotEvaluate says why there is none."""
    try:
        return _evaluate(expression.tree, names)
    except Exception as error:
        raise CannotEvaluate(
            f"{expression} has no value: {type(error).__name__}: {error}"
        ) from error


def _evaluate(node: ast.expr, names: Names) -> Any:
    match node:
        case ast.Constant(value=value):
            return value
        case ast.Name(id=word):
            return names[word] if word in names else CONSTANTS[word]
        case ast.Tuple(elts=parts):
            return tuple(_evaluate(part, names) for part in parts)
        case ast.List(elts=parts):
            return [_evaluate(part, names) for part in parts]
        case ast.BinOp(left=left, op=op, right=right):
            return _combine(op, _evaluate(left, names), _evaluate(right, names))
        case ast.UnaryOp(operand=operand):
            return -_evaluate(operand, names)
        case ast.Attribute(value=ast.Name(id=word), attr=attribute):
            return ATTRIBUTES[attribute](names[word])
        case ast.Call(func=ast.Name(id=word), args=args, keywords=keywords):
            return PURE[word].run(
                *(_evaluate(arg, names) for arg in args),
                **{str(k.arg): _evaluate(k.value, names) for k in keywords},
            )
    raise TypeError(f"{ast.unparse(node)} is not part of the notation")


def _combine(op: ast.operator, left: Any, right: Any) -> Any:
    if isinstance(op, ast.Mult):
        for times, sized in ((left, right), (right, left)):
            is_repeat = isinstance(times, int) and isinstance(sized, str | bytes | list | tuple)
            if is_repeat and times * len(sized) > LARGEST:
                raise ValueError(f"more than {LARGEST} items")
    return _BINARY[type(op)](left, right)
