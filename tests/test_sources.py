"""Who may decide in the seed's place."""

from __future__ import annotations

import re
from collections.abc import Callable
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
    """And wherever it says nothing; the last that there is, where there are fewer than it says."""
    stream = Decisions(0, Recorded({"s": {0: 5, 2: 1}})).stream("s")
    assert [stream.below(9) for _ in range(4)] == [5, 0, 1, 0]
    assert stream.chance(0.9) is False
    assert Decisions(0, Recorded({"s": {0: 5}})).stream("s").below(3) == 2


@given(st.integers(), COUNTS)
def test_a_record_says_only_what_is_not_the_plainest(seed: int, counts: list[int]) -> None:
    """Place by place, for each stream that has any."""
    first = BySeed()
    stream = Decisions(seed, first).stream("s")
    made = [stream.below(count) for count in counts]
    record = by_stream(first.log).get("s", {})
    assert record == {place: choice for place, choice in enumerate(made) if choice}


@pytest.mark.parametrize(
    ("bad", "error"),
    [
        ({"s": [5, 1]}, "choices of 's' are a mapping of places to choices, not [5, 1]"),
        ({"s": {0: -1}}, "places and choices of 's' are integers from 0, not -1"),
        ({"s": {"0": 1}}, "places and choices of 's' are integers from 0, not '0'"),
    ],
)
def test_a_bad_record_is_an_error(bad: Any, error: str) -> None:
    """At once, and with the name of the stream."""
    with pytest.raises((TypeError, ValueError), match=re.escape(error)):
        Recorded(bad)


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


QUICK = settings(
    max_examples=200, derandomize=True, database=None, phases=[Phase.generate, Phase.shrink]
)


def run_lost_update(source: BySeed) -> None:
    """In a world where a source decides, also at switch points."""
    with World(decisions=source, policy=Uniform()) as world, switch_points.installed():
        lost_update(world)


def test_hypothesis_finds_a_race_and_shrinks_its_schedule() -> None:
    """None of the decisions that stay can be left out, and they replay the failure."""
    failing: list[dict[int, int]] = []

    @QUICK
    @given(st.data())
    def explore(data: Any) -> None:
        source = Drawn(data)
        try:
            run_lost_update(source)
        except AssertionError:
            failing.append(by_stream(source.log)["scheduler"])
            raise

    with pytest.raises(AssertionError, match="an update was lost"):
        explore()

    smallest = failing[-1]
    assert len(smallest) == 2
    with pytest.raises(AssertionError, match="an update was lost"):
        run_lost_update(Recorded({"scheduler": smallest}))
    for place in smallest:
        run_lost_update(Recorded({"scheduler": {p: c for p, c in smallest.items() if p != place}}))


def choices(data: Any, counts: list[int]) -> list[int]:
    """What Hypothesis chooses in one stream."""
    stream = Decisions(0, Drawn(data)).stream("s")
    return [stream.below(count) for count in counts]


@settings(database=None)
@given(st.data(), st.lists(st.integers(2, 2**32), max_size=100))
def test_what_is_drawn_lies_below_its_count(data: Any, counts: list[int]) -> None:
    """Also where a stream has other counts later."""
    pairs = zip(choices(data, counts), counts, strict=True)
    assert all(0 <= choice < count for choice, count in pairs)


def smallest(enough: Callable[[list[int]], bool], counts: list[int]) -> list[int]:
    """The choices of the smallest example in which there are enough."""
    drawn: list[list[int]] = []

    @settings(QUICK, max_examples=1000)
    @given(st.data())
    def search(data: Any) -> None:
        drawn.append(choices(data, counts))
        assert not enough(drawn[-1])

    with pytest.raises(AssertionError):
        search()
    return drawn[-1]


@pytest.mark.parametrize("wanted", [1, 2, 3])
@pytest.mark.parametrize("start", [0, 10, 100])
def test_of_deviations_those_stay_that_are_needed(start: int, wanted: int) -> None:
    """Each in the least way; the others are left out, wherever they are."""
    found = smallest(lambda made: sum(map(bool, made[start:])) >= wanted, [9] * 200)
    assert [choice for choice in found if choice] == [1] * wanted
    assert not any(found[:start])


def test_the_plainest_run_is_the_smallest() -> None:
    """And it is among the examples."""
    assert not any(smallest(lambda made: True, [9, 2, 3] * 10))


def test_a_number_shrinks_to_little_more_than_is_needed() -> None:
    """As a delay does, which is one of many nanoseconds."""
    found = smallest(lambda made: made[0] >= 123_456_789, [10**9] * 4)
    assert 123_456_789 <= found[0] < 123_456_789 + 10**9 / 2**16
    assert found[1:] == [0, 0, 0]


def test_a_stream_may_ask_whether_and_then_how_much() -> None:
    """As reordering does: what is drawn fits each of its questions."""
    found = smallest(lambda made: made[0] == 1 and made[1] > 2**31, [2, 2**32])
    assert found[0] == 1
    assert 0 <= found[1] - 2**31 <= 2**16


def test_ten_thousand_choices_are_few_draws() -> None:
    """A long run does not overrun what Hypothesis allows, and is quick."""
    deviations: set[bool] = set()

    @settings(QUICK, max_examples=20)
    @given(st.data())
    def search(data: Any) -> None:
        deviations.add(any(choices(data, [9] * 10_000)[5000:]))

    search()
    assert deviations == {True, False}


def test_a_run_that_hypothesis_has_had_enough_of_ends() -> None:
    """The exception of a draw is for the code outside all tasks, not for the one that decides."""

    class Enough(BaseException):
        pass

    class Data:
        def draw(self, strategy: object, label: str) -> int:
            raise Enough

    with pytest.raises(Enough):
        run_lost_update(Drawn(Data()))  # type: ignore[arg-type]
    with pytest.raises(Enough):
        choices(Data(), [2])
