"""A literal is the expression that has the value."""

from __future__ import annotations

import math
import socket
from operator import mul
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simnet.scenario.expressions import check, evaluate
from simnet.scenario.layout import Unwritable
from simnet.scenario.literals import literal
from simnet.scenario.vocabulary import as_bytes

ENCODABLE = st.one_of(
    *(st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False), st.text()),
    st.binary(),
    st.builds(mul, st.binary(min_size=1, max_size=9), st.integers(0, 99)),
    st.builds(mul, st.text(min_size=1, max_size=9), st.integers(0, 99)),
)
# With halves of characters, which are no UTF-8.
ATOMS = ENCODABLE | st.text(st.characters(exclude_categories=()))


def nested(atoms: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """Lists and tuples of such values, too."""
    return st.recursive(
        atoms, lambda inner: st.lists(inner, max_size=4) | st.lists(inner, max_size=4).map(tuple)
    )


def kinds(value: object) -> Any:
    """The classes within a value: 1 is no True, and 0.0 no -0.0."""
    if isinstance(value, list | tuple):
        return type(value), [kinds(part) for part in value]
    return type(value), str(value) if isinstance(value, float) else value


@given(nested(ATOMS))
def test_a_literal_has_its_value(value: object) -> None:
    """It is of the notation, and evaluates to an equal value of the same kind."""
    expression = literal(value)
    assert not list(check(expression, {}))
    assert evaluate(expression, {}) == value
    assert kinds(evaluate(expression, {})) == kinds(value)


@given(nested(ENCODABLE))
def test_a_payload_has_its_bytes(value: object) -> None:
    """Text that stands for bytes is sent as just those."""
    expression = literal(value, payload=True)
    assert not list(check(expression, {}))
    assert _flat(as_bytes(evaluate(expression, {}))) == _flat(as_bytes(value))


def _flat(value: Any) -> Any:
    return [_flat(part) for part in value] if isinstance(value, list | tuple) else value


def test_a_number_that_is_none_is_a_literal() -> None:
    """As a difference, for there is no word for it."""
    assert math.isnan(evaluate(literal(math.nan), {}))


@pytest.mark.parametrize(
    ("value", "text", "payload"),
    [
        (b"GET /\r\n", r'b"GET /\r\n"', r'"GET /\r\n"'),
        ("ü".encode(), 'hex("c3 bc")', '"ü"'),
        (b"\x00\xff", 'hex("00 ff")', 'hex("00 ff")'),
        (b"caf\xe9 au lait", r'b"caf\xe9 au lait"', r'b"caf\xe9 au lait"'),
        (b"x" * 70000, 'b"x" * 70000', '"x" * 70000'),
        ("ab" * 100, '"ab" * 100', '"ab" * 100'),
        ('say "it\'s"', r'''"say \"it's\""''', r'''"say \"it's\""'''),
        (["a", ("b",), b"c"], '["a", ("b",), b"c"]', '["a", ("b",), "c"]'),
        (True, "True", "True"),
        (-1.5, "-1.5", "-1.5"),
        (socket.AF_INET6, "AF_INET6", "AF_INET6"),
    ],
    ids=str,
)
def test_a_literal_looks_as_one_would_write_it(value: object, text: str, payload: str) -> None:
    """Text wherever text will do, digits where it would be escapes."""
    assert str(literal(value)) == text
    assert str(literal(value, payload=True)) == payload


@pytest.mark.parametrize("value", [object(), {1}, bytearray(b"x"), [Path("x")], list(range(600))])
def test_what_has_no_literal_is_refused(value: object) -> None:
    """Objects of other classes, and what is too large to be read again."""
    with pytest.raises(Unwritable):
        literal(value)
