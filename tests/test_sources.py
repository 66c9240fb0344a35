"""Who may decide in the seed's place."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from simnet import switch_points
from simnet.decisions import Decision, Decisions, Option
from simnet.policies import Uniform
from simnet.sources import BySeed, Drawn, Recorded, by_stream
from simnet.world import World
from tests.exploring.races import lost_update

COUNTS = st.lists(st.integers(2, 9), max_size=20)


@given(st.integers(), COUNTS)
def test_what_the_seed_decides_is_kept_and_is_the_seeds(seed: int, counts: list[int]) -> None:
    """A source that only watches changes nothing."""
    watched, plain = BySeed(), Decisions(seed).stream("s")
    stream = Decisions(seed, watched).stream("s")
    expected = [plain.below(count) for count in counts]
    assert [stream.below(count) for count in counts] == expected
    assert watched.log == [
        Decision("s", count, choice) for count, choice in zip(counts, expected, strict=True)
    ]


@given(st.integers(), st.integers(), COUNTS)
def test_a_record_decides_as_it_was_decided(seed: int, other: int, counts: list[int]) -> None:
    """Whatever the seed now; streams keep their own orders."""
    first = BySeed()
    streams = [Decisions(seed, first).stream(name) for name in "ab"]
    made = [(stream.below(count), stream.chance(0.5)) for count in counts for stream in streams]
    for kept in (first.log, by_stream(first.log)):
        decisions = Decisions(other, Recorded(kept))
        again = [decisions.stream(name) for name in "ab"]
        assert made == [(s.below(count), s.chance(0.5)) for count in counts for s in again]


def test_beyond_its_end_a_record_chooses_the_plainest() -> None:
    """And the last that there is, where there are fewer to choose among."""
    stream = Decisions(0, Recorded({"s": [5, 1]})).stream("s")
    assert [stream.below(9), stream.below(9), stream.below(9), stream.chance(0.9)] == [5, 1, 0, 0]
    assert Decisions(0, Recorded({"s": [5]})).stream("s").below(3) == 2


def test_what_is_certain_is_not_decided() -> None:
    """Nor what has one choice only."""
    source = BySeed()
    stream = Decisions(0, source).stream("s")
    assert (stream.chance(0), stream.chance(1), stream.below(1)) == (False, True, 0)
    assert source.log == []


def test_numbers_that_tell_things_apart_are_always_the_seeds() -> None:
    """Ports and sequence numbers."""
    numbers = Decisions(3, Recorded({})).numbers("ports")
    assert numbers.bits(32) == Decisions(3).numbers("ports").bits(32)


def test_decisions_read_as_sentences() -> None:
    """In reports."""
    options = Option(1, "a", "recv"), Option(2, "b")
    assert str(Decision("link a->b/loss", 2, 1)) == "link a->b/loss: 1 of 2"
    assert str(Decision("scheduler", 2, 0, options, True)) == "'a' in recv goes on, not 'b' begins"
    assert str(Decision("scheduler", 2, 1, options)) == "'b' begins runs, not 'a' in recv"


def test_hypothesis_finds_a_race_and_shrinks_its_schedule() -> None:
    """None of the decisions that stay can be left out, and they replay the failure."""
    failing: list[list[Decision]] = []

    @settings(
        max_examples=200, derandomize=True, database=None, phases=[Phase.generate, Phase.shrink]
    )
    @given(st.data())
    def explore(data: Any) -> None:
        source = Drawn(data)
        with World(decisions=source, policy=Uniform()) as world, switch_points.installed():
            try:
                lost_update(world)
            except AssertionError:
                failing.append(source.log)
                raise

    with pytest.raises(AssertionError, match="an update was lost"):
        explore()

    def fails(choices: list[int]) -> bool:
        source = Recorded({"scheduler": choices})
        with World(decisions=source, policy=Uniform()) as world, switch_points.installed():
            try:
                lost_update(world)
            except AssertionError:
                return True
            return False

    choices = [decision.choice for decision in failing[-1]]
    assert fails(choices)
    for place in [place for place, choice in enumerate(choices) if choice]:
        assert not fails([*choices[:place], 0, *choices[place + 1 :]])
