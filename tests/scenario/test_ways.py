"""Ways between hosts, and what is wrong with those that are none."""

from __future__ import annotations

import pytest

from simnet.scenario import ways
from simnet.scenario.places import Place
from simnet.scenario.ways import Way

HOSTS = ("a", "b", "c")
WHERE = Place("story.yaml", 3, 5)

GOOD = {
    "a -> b": Way(("a",), ("b",), False),
    "a <-> b": Way(("a",), ("b",), True),
    "a, b -> c": Way(("a", "b"), ("c",), False),
    "a<->b,c": Way(("a",), ("b", "c"), True),
}


@pytest.mark.parametrize(("text", "way"), GOOD.items())
def test_a_way_is_understood(text: str, way: Way) -> None:
    """One arrow, names on both sides, blanks or none."""
    assert ways.read(text, WHERE, True, HOSTS) == (way, [])


@pytest.mark.parametrize("way", GOOD.values(), ids=str)
def test_a_way_in_words_is_read_back(way: Way) -> None:
    """Its text means the same way."""
    assert ways.read(str(way), WHERE, True, HOSTS)[0] == way


BAD = {
    "no arrow": ("a b", "5: expected a way such as 'client -> server'"),
    "the wrong arrow": ("a <- b", "5: expected a way such as 'client -> server'"),
    "two arrows": ("a -> b -> c", "5: expected a way such as 'client -> server'"),
    "nobody on a side": ("a ->", "9: expected a host's name, found nothing"),
    "nobody between commas": ("a,,b -> c", "7: expected a host's name, found nothing"),
    "two names in one": ("a b -> c", "5: expected a host's name, found 'a b'"),
    "an unknown host": ("a -> d", "10: unknown host 'd': expected a, b or c"),
    "a host on both sides": ("a, b -> a", "13: the host 'a' is named twice"),
}


@pytest.mark.parametrize(("text", "expected"), BAD.values(), ids=BAD)
def test_a_mistake_is_at_its_column(text: str, expected: str) -> None:
    """The place is that of the name, not of the whole."""
    way, mistakes = ways.read(text, WHERE, True, HOSTS)
    assert way is None
    assert [str(mistake).startswith(f"story.yaml:3:{expected}") for mistake in mistakes] == [True]


def test_where_columns_cannot_be_counted_the_beginning_is_named() -> None:
    """Text over several lines has one place."""
    _, (mistake,) = ways.read("a -> nobody", WHERE, False, HOSTS)
    assert mistake.where == WHERE


def test_the_directions_of_a_way() -> None:
    """Each pair from one side to the other, and back where both ways are meant."""
    assert list(GOOD["a, b -> c"].directions()) == [("a", "c"), ("b", "c")]
    assert list(GOOD["a <-> b"].directions()) == [("a", "b"), ("b", "a")]
