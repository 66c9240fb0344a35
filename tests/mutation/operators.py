"""The mutants of a source text: each is one small edit, found in the syntax tree."""

from __future__ import annotations

import ast
import copy
import difflib
import hashlib
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

import attrs

from tests.mutation import rules

# What one edit puts in place of a node.
Edit = tuple[ast.AST, str]

_COMPARISONS: dict[type, type] = {
    ast.Lt: ast.LtE,
    ast.LtE: ast.Lt,
    ast.Gt: ast.GtE,
    ast.GtE: ast.Gt,
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
    ast.Is: ast.IsNot,
    ast.IsNot: ast.Is,
    ast.In: ast.NotIn,
    ast.NotIn: ast.In,
}
_ARITHMETIC: dict[type, type] = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.FloorDiv,
    ast.FloorDiv: ast.Mult,
    ast.Mod: ast.Mult,
    ast.LShift: ast.RShift,
    ast.RShift: ast.LShift,
    ast.BitAnd: ast.BitOr,
    ast.BitOr: ast.BitAnd,
}
_FLAG = re.compile(r"POLL[A-Z]+|(\w+\.)?MSG_[A-Z]+|(RCV|SEND)_SHUTDOWN|ACK|FIN|PSH|RST|SYN|URG")
_REMOVABLE = (ast.Expr, ast.Assign, ast.AugAssign, ast.Delete, ast.Raise, ast.Continue, ast.Break)


def _common(a: list[str], b: list[str]) -> int:
    """How many first items are the same."""
    pairs = zip(a, b, strict=False)
    return next((n for n, (x, y) in enumerate(pairs) if x != y), min(len(a), len(b)))


@attrs.frozen
class Mutant:
    """One changed text of a file. What identifies it stays true when lines move."""

    path: str
    function: str
    lines: range  # of the statement, or of its head
    source: str = attrs.field(repr=False)
    mutated: str = attrs.field(repr=False)
    nth: int = 1  # among those of the function that change equal lines equally

    @property
    def change(self) -> tuple[str, str]:
        """The lines that differ, before and after."""
        before, after = self.source.splitlines(), self.mutated.splitlines()
        start = _common(before, after)
        end = _common(before[start:][::-1], after[start:][::-1])
        texts = (lines[start : len(lines) - end] for lines in (before, after))
        old, new = (" ".join(line.strip() for line in lines) for lines in texts)
        return old, new

    @property
    def identity(self) -> tuple[str, str, str, str, int]:
        """(path, function, the changed lines before, and after, which of the equal ones)."""
        return self.path, self.function, *self.change, self.nth

    @property
    def diff(self) -> str:
        """As `diff -u` shows it."""
        before, after = self.source.splitlines(), self.mutated.splitlines()
        return "\n".join(list(difflib.unified_diff(before, after, lineterm="", n=2))[2:])


def _with(node: Any, **changes: Any) -> str:
    changed = copy.copy(node)
    for name, value in changes.items():
        setattr(changed, name, value)
    return ast.unparse(changed)


def _of_expression(node: ast.AST) -> Iterator[Edit]:
    if isinstance(node, ast.Compare):
        for index, op in enumerate(node.ops):
            ops = [*node.ops]
            ops[index] = _COMPARISONS[type(op)]()
            yield node, _with(node, ops=ops)
    elif isinstance(node, ast.BoolOp):
        yield node, _with(node, op=ast.Or() if isinstance(node.op, ast.And) else ast.And())
        for index in range(len(node.values)):
            left = node.values[:index] + node.values[index + 1 :]
            yield node, _with(node, values=left) if len(left) > 1 else f"({ast.unparse(left[0])})"
    elif isinstance(node, ast.BinOp) and type(node.op) in _ARITHMETIC:
        yield node, _with(node, op=_ARITHMETIC[type(node.op)]())
    elif isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
        yield node, f"({ast.unparse(node.operand)})"
    elif isinstance(node, ast.Constant) and isinstance(node.value, bool):
        yield node, repr(not node.value)
    elif isinstance(node, ast.Constant) and isinstance(node.value, int):
        yield node, repr(node.value + 1)
        if node.value > 0:
            yield node, repr(node.value - 1)
    elif isinstance(node, (ast.Name, ast.Attribute)) and isinstance(node.ctx, ast.Load):
        name = ast.unparse(node)
        if name.startswith("errno."):
            yield node, "errno.ENOTCONN" if name == "errno.EINVAL" else "errno.EINVAL"
        elif _FLAG.fullmatch(name):
            yield node, "0"


def _of_statement(node: ast.stmt) -> Iterator[Edit]:
    if isinstance(node, (ast.If, ast.While)) and not isinstance(node.test, ast.Constant):
        yield node.test, f"not ({ast.unparse(node.test)})"
    elif isinstance(node, ast.Return) and node.value and ast.unparse(node.value) != "None":
        yield node.value, "None"
    if isinstance(node, ast.AugAssign) and type(node.op) in _ARITHMETIC:
        yield node, _with(node, op=_ARITHMETIC[type(node.op)]())
    local = isinstance(node, ast.Assign) and isinstance(node.targets[0], (ast.Name, ast.Tuple))
    # Without a local variable's assignment a test fails for sure: nothing to learn from it.
    if isinstance(node, _REMOVABLE) and not local:
        yield node, "pass"


def _head(node: ast.stmt) -> range:
    body = getattr(node, "body", None)
    end = body[0].lineno - 1 if body else node.end_lineno or node.lineno
    return range(node.lineno, max(end, node.lineno) + 1)


class _Finder:
    """Walks one file; knows the function and the statement around each node."""

    def __init__(self, path: str, source: str) -> None:
        self.path = path
        self.source = source
        self.bytes = source.encode()
        starts = [0]
        for line in self.bytes.splitlines(keepends=True):
            starts.append(starts[-1] + len(line))
        self.starts = starts

    def mutant(self, edit: Edit, names: tuple[str, ...], lines: range) -> Mutant:
        node: Any = edit[0]
        start = self.starts[node.lineno - 1] + node.col_offset
        end = self.starts[node.end_lineno - 1] + node.end_col_offset
        mutated = self.bytes[:start] + edit[1].encode() + self.bytes[end:]
        return Mutant(self.path, ".".join(names), lines, self.source, mutated.decode())

    def statements(self, body: list[Any], names: tuple[str, ...]) -> Iterator[Mutant]:
        for node in body:
            if isinstance(node, (ast.FunctionDef, ast.ClassDef)):
                if node.name not in rules.FUNCTIONS:
                    yield from self.statements(node.body, (*names, node.name))
            elif not rules.is_left_out(node):
                yield from self._statement(node, names)

    def _statement(self, node: Any, names: tuple[str, ...]) -> Iterator[Mutant]:
        lines = _head(node)
        for edit in _of_statement(node):
            yield self.mutant(edit, names, lines)
        for name, value in ast.iter_fields(node):
            if name in ("body", "orelse", "finalbody"):
                yield from self.statements(value, names)
            elif name == "handlers":
                for handler in value:
                    yield from self.statements(handler.body, names)
            elif name != "annotation":
                for part in value if isinstance(value, list) else [value]:
                    for inner in ast.walk(part) if isinstance(part, ast.AST) else ():
                        for edit in _of_expression(inner):
                            yield self.mutant(edit, names, lines)


def mutants_of(path: str, source: str) -> list[Mutant]:
    """All mutants of one file, in the order of its lines."""
    found = _Finder(path, source).statements(ast.parse(source).body, ())
    seen: Counter[tuple[str, str, str]] = Counter()
    result = []
    for mutant in {mutant.mutated: mutant for mutant in found}.values():
        key = (mutant.function, *mutant.change)
        seen[key] += 1
        result.append(attrs.evolve(mutant, nth=seen[key]))
    return result


def draw(population: Sequence[Mutant], sample: int, seed: int) -> list[Mutant]:
    """A random sample in which a mutant's place depends on itself only: it outlives changes."""

    def lot(mutant: Mutant) -> str:
        return hashlib.sha256(repr((seed, mutant.identity)).encode()).hexdigest()

    return sorted(population, key=lot)[:sample]
