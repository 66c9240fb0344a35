"""The time-out that follows from measured round trips, against values worked out by hand."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simnet.protocols.tcp_rtt import (
    FALLBACK_RTO_US,
    FIRST_RTO_US,
    JIFFY_US,
    MAX_RTO_US,
    MIN_RTO_US,
    RoundTrip,
    patience_ns,
)

MS = 1000
SAMPLES = st.lists(st.integers(0, 200_000_000), min_size=1, max_size=50)


def after(*samples: int) -> RoundTrip:
    """An estimate after these round trips, each of which is of a window of its own."""
    round_trip = RoundTrip()
    for i, sample in enumerate(samples):
        round_trip.measured(sample, 2 * i + 1, 2 * i + 1)
    return round_trip


def jiffies(us: int) -> int:
    """Rounded up to what the kernel counts in."""
    return -(-us // JIFFY_US) * JIFFY_US


# By hand


def test_without_a_measurement_the_time_out_is_a_second() -> None:
    """RFC 6298, section 2.1."""
    assert RoundTrip().rto_us == FIRST_RTO_US == 1_000_000


def test_a_repeated_syn_makes_it_three_seconds() -> None:
    """RFC 6298, section 5.7; measured on Linux."""
    round_trip = RoundTrip()
    round_trip.fall_back()
    assert round_trip.rto_us == FALLBACK_RTO_US == 3_000_000
    assert round_trip.smoothed8 == 0


def test_the_first_measurement_after_that_counts_as_the_first() -> None:
    """Three seconds are forgotten."""
    round_trip = RoundTrip()
    round_trip.fall_back()
    round_trip.measured(100 * MS, 1, 1)
    assert round_trip.rto_us == 300 * MS


@pytest.mark.parametrize(
    ("sample", "time_out"),
    [
        # sample + max(2 * sample, 200 ms): the variation is half the first sample, and four times
        # that is added.
        (0, 204 * MS),
        (1, 204 * MS),
        (30 * MS, 232 * MS),
        (100 * MS, 300 * MS),
        (101 * MS, 304 * MS),
        (500 * MS, 1500 * MS),
        (50_000 * MS, MAX_RTO_US),
    ],
)
def test_the_first_round_trip(sample: int, time_out: int) -> None:
    """RFC 6298, section 2.2, with Linux's least variation, in whole jiffies."""
    assert after(sample).rto_us == time_out


def test_a_longer_round_trip_counts_for_an_eighth() -> None:
    """100 ms and then 500: smoothed 150; deviation 50 + (400 - 50) / 4 = 137.5, four times that."""
    round_trip = after(100 * MS, 500 * MS)
    assert round_trip.smoothed8 >> 3 == 150 * MS
    assert round_trip.variation == 550 * MS
    assert round_trip.rto_us == 700 * MS


def test_a_shorter_round_trip_hardly_widens_the_variation() -> None:
    """500 ms and then 100: the error of 400 less the deviation of 250 counts for an eighth."""
    round_trip = after(500 * MS, 100 * MS)
    assert round_trip.smoothed8 >> 3 == 450 * MS
    assert round_trip.variation == (4 * 250 + (400 - 250) // 8) * MS + 750
    assert round_trip.rto_us == jiffies(450 * MS + round_trip.variation)


def test_the_variation_falls_by_a_quarter_each_round_trip() -> None:
    """Of its distance to the largest deviation of the last one; that of the first is its own."""
    round_trip = after(1000 * MS)
    assert round_trip.variation == 2000 * MS
    seen = []
    for i in range(1, 4):
        # The largest deviations are 2000, 1125 and 843.75 ms.
        round_trip.measured(1000 * MS, 2 * i + 1, 2 * i + 1)
        seen.append(round_trip.variation // MS)
    assert seen == [2000, 1781, 1546]


def test_within_a_window_the_variation_only_grows() -> None:
    """It is looked at once in a round trip (rtt_seq)."""
    round_trip = RoundTrip()
    round_trip.measured(1000 * MS, 1, 100)
    for acked in range(2, 100):
        round_trip.measured(1000 * MS, acked, 100)
    assert round_trip.variation == 2000 * MS
    round_trip.measured(1000 * MS, 101, 200)
    for acked in range(102, 200):
        round_trip.measured(1000 * MS, acked, 200)
    assert round_trip.variation == 2000 * MS
    round_trip.measured(1000 * MS, 201, 300)
    assert round_trip.variation < 2000 * MS


# Laws


@given(SAMPLES)
def test_the_time_out_is_never_below_200_ms_nor_above_two_minutes(samples: list[int]) -> None:
    """TCP_RTO_MIN and TCP_RTO_MAX, in whole jiffies."""
    round_trip = RoundTrip()
    for i, sample in enumerate(samples):
        round_trip.measured(sample, i, i + 10)
        assert MIN_RTO_US < round_trip.rto_us <= MAX_RTO_US
        assert round_trip.rto_us % JIFFY_US == 0
        assert round_trip.variation >= MIN_RTO_US


@given(SAMPLES, st.integers(1, 100_000_000))
def test_a_steady_round_trip_is_learnt(samples: list[int], steady: int) -> None:
    """Whatever came before, the time-out becomes that and 200 ms."""
    round_trip = after(*samples)
    for i in range(300):
        round_trip.measured(steady, 1000 + i, 1000 + i)
    assert abs((round_trip.smoothed8 >> 3) - steady) <= 8
    assert abs(round_trip.rto_us - jiffies(steady + MIN_RTO_US)) <= JIFFY_US


@given(SAMPLES)
def test_the_smoothed_round_trip_lies_between_the_shortest_and_the_longest(
    samples: list[int],
) -> None:
    """It is a mean."""
    smoothed = after(*samples).smoothed8 >> 3
    assert max(1, min(samples)) - 8 <= smoothed <= max(1, *samples)


# Patience


@pytest.mark.parametrize(
    ("retries", "seconds"),
    [(0, 0.2), (1, 0.6), (2, 1.4), (3, 3.0), (8, 102.2), (9, 204.6), (10, 324.6), (15, 924.6)],
)
def test_patience_with_data(retries: int, seconds: float) -> None:
    """15 are the 924.6 s that the kernel's documentation names (tcp_retries2)."""
    assert patience_ns(retries) == round(seconds * 1e9)


@pytest.mark.parametrize(("retries", "seconds"), [(0, 1), (1, 3), (2, 7), (6, 127), (7, 247)])
def test_patience_with_a_syn(retries: int, seconds: int) -> None:
    """It begins with a second, and no step is longer than two minutes."""
    assert patience_ns(retries, FIRST_RTO_US) == seconds * 10**9
