"""Virtual time: order, cancelling, and what counts as something still to come."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from simnet.clock import SECOND_NS, Clock, nanoseconds

DELAYS = st.integers(0, 20)


@given(st.floats(0, 1e6))
def test_a_timeout_is_rounded_up_to_whole_nanoseconds(seconds: float) -> None:
    """It never fires early, and at most a nanosecond late."""
    assert 0 <= nanoseconds(seconds) - seconds * SECOND_NS <= 1


@given(st.integers(0, 10**6))
def test_whole_seconds_stay_exact(seconds: int) -> None:
    """Integers go through unchanged."""
    assert nanoseconds(seconds) == seconds * SECOND_NS


@given(st.lists(st.tuples(DELAYS, st.booleans()), max_size=300))
def test_timers_fire_in_order_of_time_and_then_of_setting(plan: list[tuple[int, bool]]) -> None:
    """Those that are cancelled never do, however many they are."""
    clock = Clock()
    fired: list[tuple[int, int]] = []
    timers = [
        clock.call_after(delay, lambda i=i: fired.append((clock.now_ns, i)))
        for i, (delay, _) in enumerate(plan)
    ]
    for timer, (_, cancelled) in zip(timers, plan, strict=True):
        if cancelled:
            timer.cancel()
    while clock.fire_next():
        pass
    kept = [(delay, i) for i, (delay, cancelled) in enumerate(plan) if not cancelled]
    assert fired == sorted(kept)
    assert not any(timer.pending for timer in timers)
    assert not clock.expects_something


@given(st.lists(DELAYS, max_size=50))
def test_the_next_instant_is_that_of_the_earliest_timer(delays: list[int]) -> None:
    """And asking moves nothing."""
    clock = Clock()
    for delay in delays:
        clock.call_after(delay, lambda: None)
    assert clock.next_ns() == (min(delays) if delays else None)
    assert clock.now_ns == 0


def test_a_past_instant_means_at_once_but_after_the_call() -> None:
    """Time never goes back."""
    clock = Clock()
    seen: list[int] = []
    clock.call_at(5, lambda: clock.call_at(1, lambda: seen.append(clock.now_ns)))
    clock.fire_next()
    assert seen == []
    clock.fire_next()
    assert seen == [5]


def test_a_background_timer_is_no_reason_to_let_time_pass() -> None:
    """It fires in its turn all the same."""
    clock = Clock()
    fired: list[str] = []
    clock.call_after(1, lambda: fired.append("background"), background=True)
    assert not clock.expects_something
    clock.call_after(2, lambda: fired.append("foreground"))
    assert clock.expects_something
    while clock.expects_something:
        clock.fire_next()
    assert fired == ["background", "foreground"]


def test_time_advances_to_the_next_timer_but_no_farther_than_it_may() -> None:
    """For loops that wait without saying so."""
    clock = Clock()
    fired: list[int] = []
    clock.call_after(15, lambda: fired.append(clock.now_ns))
    clock.advance(10)
    assert (clock.now_ns, fired) == (10, [])
    clock.advance(10)
    assert (clock.now_ns, fired) == (15, [15])
    clock.advance(10)
    assert clock.now_ns == 25


def test_cancelling_twice_or_after_firing_is_harmless() -> None:
    """The accounts stay right."""
    clock = Clock()
    first, second = clock.call_after(1, lambda: None), clock.call_after(2, lambda: None)
    second.cancel()
    second.cancel()
    assert clock.expects_something
    clock.fire_next()
    first.cancel()
    assert not clock.expects_something
    assert clock.next_ns() is None


def test_a_timer_that_cancels_another_of_the_same_instant_is_obeyed() -> None:
    """Order decides which of them lives."""
    clock = Clock()
    fired: list[str] = []
    clock.call_after(1, lambda: (fired.append("first"), second.cancel()))
    second = clock.call_after(1, lambda: fired.append("second"))
    while clock.fire_next():
        pass
    assert fired == ["first"]
