"""Which seeds are handed out: each once, in order, in chunks that take about as long."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simnet.campaign.seeds import CHUNK_SECONDS, Left, Pace, read, write


@pytest.mark.parametrize(
    ("text", "seeds"),
    [("1", range(1)), ("1000", range(1000)), ("5-8", range(5, 9)), (" 7-7 ", range(7, 8))],
)
def test_seeds_are_a_number_or_from_one_to_another(text: str, seeds: range) -> None:
    """Both ends are meant; and they are written as they are read."""
    assert read(text) == seeds
    assert write(seeds) == text.strip()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "expected a number of seeds, or FIRST-LAST"),
        ("-5", "expected a number of seeds, or FIRST-LAST"),
        ("many", "expected a number of seeds, or FIRST-LAST"),
        ("0", "there are no seeds"),
        ("8-5", "there are no seeds"),
        (f"{2**63}-{2**63}", "a seed is at most"),
    ],
)
def test_what_says_no_seeds_is_told(text: str, said: str) -> None:
    """With what was expected."""
    with pytest.raises(ValueError, match=said):
        read(text)


sizes = st.integers(1, 30)


@given(st.sets(st.integers(0, 99)), st.data())
def test_each_seed_is_taken_once_and_in_order(seeds: set[int], data: st.DataObject) -> None:
    """Whatever the chunks, and also those that are given back in between."""
    left = Left([range(seed, seed + 1) for seed in sorted(seeds)])
    taken: list[int] = []
    while left.count:
        assert left.count == len(seeds) - len(taken)
        chunk = left.take(data.draw(sizes))
        assert chunk is not None
        if data.draw(st.booleans()):
            left.give_back(chunk)
        else:
            taken += chunk
    assert taken == sorted(seeds)
    assert left.take(1) is None


@given(st.integers(0, 99), sizes)
def test_none_is_taken_after_the_last_one_that_is_wanted(last: int, size: int) -> None:
    """Also if a chunk would reach beyond it."""
    left = Left([range(10), range(20, 100)])
    taken: list[int] = []
    while (chunk := left.take(size, last)) is not None:
        taken += chunk
    assert taken == [seed for seed in (*range(10), *range(20, 100)) if seed <= last]


def test_chunks_come_to_take_the_time_that_they_should() -> None:
    """The first is one seed; they grow, but not at once."""
    pace = Pace()
    sizes = []
    for _ in range(8):
        sizes.append(pace.size(10**6, 2))
        pace.learn(sizes[-1], sizes[-1] * 0.001)
    assert sizes[:3] == [1, 8, 64]
    assert sizes[-1] == CHUNK_SECONDS / 0.001
    pace.learn(1, 100)
    assert pace.size(10**6, 2) == 1


def test_toward_the_end_chunks_are_small_enough_for_all_hands() -> None:
    """So that none is at work alone for long."""
    pace = Pace()
    for _ in range(20):
        pace.learn(1000, 0.001)
    assert pace.size(100, 5) == 10
    assert pace.size(3, 5) == 1
