"""What is mutated, and what is not drawn because no test of behaviour could see the difference."""

from __future__ import annotations

import ast
import re

FILES = (
    "simnet/protocols/*.py",
    "simnet/socket*.py",
    "simnet/receiving.py",
    "simnet/sending.py",
    "simnet/blocking.py",
    "simnet/ports.py",
    "simnet/pollers.py",
)
TESTS = ("tests/conformance", "tests/conformance_hosts", "tests/protocols", "tests/properties")

# Functions of these names, with the reason.
FUNCTIONS = {
    "__repr__": "a report for people; the standard library's own repr is tested instead",
    "state_name": "a word in reports",
    "describe": "a word in reports",
}

# Statements whose text begins with these, with the reason. (Strings, annotations and imports have
# no mutants.)
STATEMENTS = {
    r"assert ": "an assertion tells the type checker what is so; it never fails",
    r"if TYPE_CHECKING:": "never executed",
    r"__slots__ = ": "memory, not behaviour",
    r"_?[A-Za-z]+ = TypeVar\(": "for the type checker",
    r"self\._record\(": "the trace, which no program on the network sees; it has its own tests",
    r"(self\._)?recent\.append\(": "the trace",
    r"self\._recent\.append\(": "the trace",
    r"self\._note_failure\(": "the trace",
    r"if len\(recent\) >= BLOCK:": "when the trace is packed: speed",
    r"self\._home\.trace\.": "the trace",
    r"self\.look_for_quick_path\(\)": "finding the short cut: speed, and the segments do the same",
}

_STATEMENTS = re.compile("|".join(STATEMENTS))


def is_left_out(node: ast.stmt) -> bool:
    """Whether a statement (with all inside it) has no mutants."""
    is_docstring = isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
    return is_docstring or bool(_STATEMENTS.match(ast.unparse(node)))
