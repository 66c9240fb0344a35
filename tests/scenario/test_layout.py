"""The text is YAML of the same data, for any reader of YAML, in lines that fit on a page."""

from __future__ import annotations

from typing import Any

import pytest
import yaml
from hypothesis import example, given
from hypothesis import strategies as st

from simnet.scenario.layout import WIDTH, Bare, Unwritable, entries, paragraph
from tests.scenario.drawn import texts

SCALARS = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | texts
DATA = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=5)
        | st.dictionaries(st.integers() | texts, inner, max_size=4)
        | st.lists(st.integers(10**9, 10**20), max_size=40)
    ),
    max_leaves=20,
)


def text_of(data: Any, *, opened: bool = False) -> str:
    """The text of a file."""
    return "".join(f"{line}\n" for line in entries(data, opened=opened))


@example({"x" * 2000: "y" * 2000, "a\n" * 200: {"b " * 200: ["c" * 200]}}, True)
@example({"a": [" " + "word " * 40, "word " * 40]}, False)
@example({"": [[], {}, [[[]]], [{}, [{"a": ["b" * 90] * 3}]]]}, False)
@given(st.dictionaries(texts, DATA, min_size=1, max_size=4), st.booleans())
def test_the_text_is_read_as_the_same_data(data: dict[str, Any], opened: bool) -> None:
    """By a reader that knows nothing of scenarios; keys in their order."""
    again = yaml.safe_load(text_of(data, opened=opened))
    assert again == data
    assert list(again) == list(data)


@given(st.dictionaries(st.text(max_size=20), DATA, min_size=1, max_size=4))
def test_lines_fit(data: dict[str, Any]) -> None:
    """Numbers go on in the next line, and so do texts; only a key cannot be broken."""
    keys = max(map(len, _keys(data)))
    lines = text_of(data).splitlines()
    assert keys * 10 > WIDTH // 2 or all(len(line) <= WIDTH for line in lines)


def _keys(data: Any) -> list[str]:
    if isinstance(data, dict):
        return [repr(key) for key in data] + [x for part in data.values() for x in _keys(part)]
    return [x for part in data for x in _keys(part)] if isinstance(data, list) else []


def test_many_numbers_stand_side_by_side() -> None:
    """Not each on a line of its own."""
    first, *more = text_of({"a": {"scheduler": dict.fromkeys(range(100, 140), 1)}}).splitlines()
    assert first == "a:"
    assert [line[:22] for line in more] == [
        "  scheduler: {100: 1, ",
        "    110: 1, 111: 1, 11",
        "    122: 1, 123: 1, 12",
        "    134: 1, 135: 1, 13",
    ]


def test_what_is_opened_has_a_line_for_each_part() -> None:
    """Hosts stand below each other, however short they are."""
    assert text_of({"hosts": {"a": {"ip": "10.0.0.1"}}, "seed": 7}, opened=True) == (
        "hosts:\n  a: {ip: 10.0.0.1}\nseed: 7\n"
    )


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("plain words, in a line", "plain words, in a line"),
        ("yes", '"yes"'),
        ("80", '"80"'),
        ("1e3", '"1e3"'),
        ("2020-01-01", '"2020-01-01"'),
        ("10.0.0.1", "10.0.0.1"),
        ("IN|OUT", "IN|OUT"),
        ("a: b", '"a: b"'),
        ('"a"', "'\"a\"'"),
        (r"a\d", r"'a\d'"),
        ("a\n", r'"a\n"'),
        ("ü", "ü"),
        ("\ud800", r'"\ud800"'),
        # Unicode 15, which Python 3.10 does not know; and a mark without its letter.
        ("\U0001fae8", r'"\U0001fae8"'),
        ("\u0301", r'"\u0301"'),
        (Bare("yes"), "yes"),
        (Bare("80"), "80"),
        (Bare('f("a", 1)'), 'f("a", 1)'),
        (Bare('{"a"}'), "'{\"a\"}'"),
        (1e16, "1.0e+16"),
        (float("-inf"), "-.inf"),
        (True, "true"),
        (None, "null"),
    ],
    ids=repr,
)
def test_a_value_has_quotes_only_where_it_needs_them(value: object, text: str) -> None:
    """And is the same on every version of Python."""
    assert text_of({"a": value}) == f"a: {text}\n"


def test_prose_is_folded() -> None:
    """Into lines, however short it is; what cannot be folded is quoted."""
    assert paragraph("shows:", "Something.") == ["shows: >", "  Something."]
    assert paragraph("shows:", "word " * 30 + "end") == [
        "shows: >",
        "  " + "word " * 18 + "word",
        "  " + "word " * 11 + "end",
    ]
    assert paragraph("shows:", "a\0b") == [r'shows: "a\0b"']


def test_what_is_no_yaml_is_refused() -> None:
    """An object of some class has no text."""
    with pytest.raises(Unwritable, match="is no YAML"):
        entries({"a": {"b": object()}})
