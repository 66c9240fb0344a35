"""Choices: named streams that a seed determines, each apart from the others."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from simnet.decisions import Decisions, Stream

SEEDS = st.one_of(st.integers(), st.text(max_size=10))
NAMES = st.text(max_size=10)


def drawn(stream: Stream, count: int = 20) -> list[int]:
    """The next choices of a stream."""
    return [stream.bits(32) for _ in range(count)]


@given(SEEDS, NAMES)
def test_seed_and_name_determine_a_stream(seed: int | str, name: str) -> None:
    """Whoever asks, and whenever."""
    assert drawn(Decisions(seed).stream(name)) == drawn(Decisions(seed).stream(name))


@given(SEEDS, NAMES, NAMES)
def test_a_consumer_does_not_disturb_another(seed: int | str, one: str, other: str) -> None:
    """Adding a link to a world changes no other link."""
    alone = drawn(Decisions(seed).stream(one))
    decisions = Decisions(seed)
    if one != other:
        drawn(decisions.stream(other))
    assert drawn(decisions.stream(one)) == alone


def test_another_seed_or_name_gives_other_choices() -> None:
    """The seed is used, and so is the name."""
    streams = [Stream(seed, name) for seed in (0, 1, "0 ") for name in ("a", "b")]
    assert len({tuple(drawn(stream)) for stream in streams}) == len(streams)


def test_a_name_has_one_stream() -> None:
    """Two that ask for it share it."""
    decisions = Decisions(0)
    assert decisions.stream("link") is decisions.stream("link")


@given(SEEDS, st.integers(1, 1000))
def test_a_choice_lies_below_its_count(seed: int | str, count: int) -> None:
    """Also where the count is no power of two."""
    stream = Stream(seed, "x")
    assert all(0 <= stream.below(count) < count for _ in range(20))


@given(st.integers(), st.integers(1, 9))
def test_every_choice_is_made_some_time(seed: int, count: int) -> None:
    """None is out of reach."""
    stream = Stream(seed, "x")
    assert {stream.below(count) for _ in range(count * 100)} == set(range(count))


def test_the_choices_are_the_same_on_every_python() -> None:
    """Written down once; the same on Python 3.10 to 3.13."""
    stream = Stream(7, "scheduler")
    assert [stream.below(6) for _ in range(12)] == [2, 5, 4, 1, 2, 4, 1, 2, 0, 2, 2, 0]
