"""Values of Python survive in YAML, whatever they look like; what would not is refused by name."""

from __future__ import annotations

import json
import math
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import example, given
from hypothesis import strategies as st

from simnet.scenario import nodes
from simnet.scenario.layout import WIDTH, Unwritable, entries
from simnet.scenario.values import Unreadable, from_node, from_plain, to_plain
from tests.scenario.drawn import texts
from tests.scenario.test_literals import ATOMS, kinds

KEYS = texts | st.sampled_from(["bytes", "hex", "tuple", "dict", "repeat", "times"])
VALUES = st.recursive(
    ATOMS | texts | st.floats(),
    lambda inner: st.one_of(
        st.lists(inner, max_size=4),
        st.lists(inner, max_size=4).map(tuple),
        st.dictionaries(KEYS, inner, max_size=3),
    ),
    max_leaves=20,
)


def written(value: object) -> str:
    """The text of a file with a value."""
    return "\n".join(entries({"with": {"value": to_plain(value)}})) + "\n"


def read(text: str) -> object:
    """The value in the text of a file."""

    def note(node: yaml.Node, text: str) -> Exception:
        return AssertionError(f"{nodes.place('x', node)}: {text}")

    (((_, inner),),) = [yaml.compose(text, yaml.SafeLoader).value]
    (((_, value),),) = [inner.value]
    return from_node(value, note)


def exact(value: object) -> Any:
    """A value in a form that tells 1 from True and 1.0, and nan from nothing."""
    if isinstance(value, dict):
        return [(key, exact(part)) for key, part in value.items()]
    if isinstance(value, list | tuple):
        return type(value), [exact(part) for part in value]
    return kinds(value)


@example(math.nan)
@example([-0.0, math.inf, -math.inf, 1e-7, 1e22])
@example(10**5000)
@example({"bytes": b"\n", "dict": {"dict": {"hex": "00"}}})
@example({"x" * 2000: "y" * 2000, "": {"a\nb": "  "}})
@example({"repeat": "x", "times": 3})
@example(["word " * 100, "\U0001f600" * 9, "\ud83d\ude00", list(range(100))])
@given(VALUES)
def test_a_value_is_the_same_in_a_file(value: object) -> None:
    """Of the same kind in every part, and written the same again."""
    text = written(value)
    again = read(text)
    assert exact(again) == exact(value)
    assert written(again) == text
    assert text.encode()


@given(VALUES)
def test_a_plain_value_is_the_same_in_json(value: object) -> None:
    """It is made of what JSON has; and it says its value without YAML."""
    plain = to_plain(value)
    assert exact(from_plain(json.loads(json.dumps(plain)))) == exact(value)


@given(st.lists(st.text(max_size=300) | st.binary(max_size=300)))
def test_lines_have_room(value: list[object]) -> None:
    """Long texts and bytes go on in the next line."""
    assert all(len(line) <= WIDTH for line in written(value).splitlines())


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (["a\r", "\n"], 'value: ["a\\r", "\\n"]'),
        ([b"a\r", b"\n", b""], r"""value: [{bytes: 'a\r'}, {bytes: '\n'}, {bytes: ""}]"""),
        (b"hello", "value: {bytes: hello}"),
        (b"\x00\xff", "value: {hex: 00 ff}"),
        (b"x" * 70000, "value: {repeat: {bytes: x}, times: 70000}"),
        ((1, "yes", None), 'value: {tuple: [1, "yes", null]}'),
        ({"bytes": 3}, "value: {dict: {bytes: 3}}"),
        ({"no": 1e3, "b": {}}, 'value: {"no": 1000.0, b: {}}'),
        (
            b"GET / HTTP/1.1\r\nHost: example.org\r\nAccept: text/plain, text/html, */*\r\n\r\n",
            "value:\n    bytes:\n"
            "      - 'GET / HTTP/1.1\\r\\n'\n"
            "      - 'Host: example.org\\r\\n'\n"
            "      - 'Accept: text/plain, text/html, */*\\r\\n'\n"
            "      - '\\r\\n'",
        ),
    ],
    ids=lambda value: str(value)[:20],
)
def test_a_value_looks_as_one_would_write_it(value: object, text: str) -> None:
    """Short, and without quotes where they are not needed."""
    lines = written(value).splitlines()
    assert "\n".join(lines) in (f"with: {{{text}}}", f"with:\n  {text}")


class Mine:
    """A class of somebody's."""


RECURSIVE: list[object] = []
RECURSIVE.append(RECURSIVE)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (
            {"a": [1, Mine()]},
            "chunks['a'][1]: an object of class 'Mine' cannot be written: expected",
        ),
        ([{1: 2}], "chunks[0]: the key 1 cannot be written: expected text"),
        (({2},), "chunks[0]: an object of class 'set' cannot be written"),
        (socket.AF_INET, "chunks: an object of class 'AddressFamily' cannot be written"),
        (RECURSIVE, "chunks cannot be written: it is nested too deep"),
    ],
    ids=["a class", "a key", "a set", "an enumeration", "a circle"],
)
def test_what_cannot_be_written_is_named(value: object, text: str) -> None:
    """With its place in the value, and before anything is written."""
    with pytest.raises(Unwritable) as caught:
        to_plain(value, "chunks")
    assert str(caught.value).startswith(text)


def test_the_deepest_value_can_be_read(tmp_path: Path) -> None:
    """What may be written is not too deep for a file."""
    deepest: object = b"\n"
    value: object = deepest
    while True:
        try:
            to_plain((value,))
        except Unwritable:
            break
        value = (value,)
    path = tmp_path / "deep.yaml"
    path.write_text(written(value), encoding="utf-8")
    nodes.compose(str(path), "deep.yaml")
    assert read(written(value)) == value


@pytest.mark.parametrize(
    ("text", "mistake"),
    [
        ("{bytes: 'a\\d'}", "1:17: there is no escape \\d in bytes"),
        ("{bytes: 'a\\'}", "1:17: there is no escape \\ in bytes"),
        (
            "{bytes: ü}",
            "1:17: expected ASCII and escapes such as \\xff, in single quotes, found 'ü'",
        ),
        ("{bytes: 12}", "1:17: expected text, found 12: put it in quotes"),
        ("[1, {bytes: [a, {b: c}]}]", "1:25: expected text, found {'b': 'c'}"),
        ("{hex: 0g}", "1:15: expected hexadecimal digits, found '0g'"),
        ("{tuple: 3}", "1:17: expected a list of the tuple's parts, found 3"),
        ("{dict: 3}", "1:16: expected a mapping, found 3"),
        ("{repeat: 3, times: 3}", "1:18: expected text or bytes, found 3"),
        ("{repeat: x, times: -1}", "1:28: expected a whole number from 0 on, found -1"),
        ("{repeat: x, times: 1000000000}", "1:28: that is longer than 67108864 in all"),
        ("{1: 2}", "1:10: expected text as the key, found 1: put it in quotes"),
        ("{[1]: 2}", "1:10: expected text as the key, found a list of 1"),
        ("{a: 1, a: 2}", "1:16: the key 'a' is there already"),
    ],
)
def test_what_cannot_be_read_is_named(text: str, mistake: str) -> None:
    """With its place in the file."""
    with pytest.raises(AssertionError) as caught:
        read(f"w: {{ v: {text}}}")
    assert str(caught.value) == f"x:{mistake}"


def test_a_plain_value_that_cannot_be_read_is_named() -> None:
    """With its place in the value."""
    with pytest.raises(Unreadable) as caught:
        from_plain({"a": [{"tuple": [{"hex": "z"}]}]})
    assert str(caught.value).startswith("the value['a'][0]['tuple'][0]['hex']: expected")


def test_a_value_is_written_the_same_by_every_process() -> None:
    """No hash has a say in it."""
    program = (
        "from simnet.scenario.layout import entries\n"
        "from simnet.scenario.values import to_plain\n"
        "value = {'b': 1, 'a': ('x', b'\\xff' * 9, {'hex': 1}), '\\u0378': '\\U0001fae8'}\n"
        "print(ascii(entries({'with': to_plain(value)})))\n"
    )
    texts = {
        subprocess.run(
            [sys.executable, "-c", program],
            env={"PYTHONHASHSEED": seed, "PYTHONPATH": ":".join(sys.path)},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("1", "2")
    }
    assert len(texts) == 1
