"""Virtual time: order, cancelling, and what counts as something still to come."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from simnet.clock import SECOND_NS, Alarm, Clock, nanoseconds

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


# Alarms


class Bell:
    """An alarm that notes when it rings."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.alarm = Alarm(self.clock, lambda: self.rung.append(self.clock.now_ns))
        self.rung: list[int] = []

    def run(self) -> list[int]:
        """Let all timers fire; when it rang."""
        while self.clock.fire_next():
            pass
        return self.rung


# What is done with an alarm: let time pass, set it to so much later, or clear it.
ACTIONS = st.lists(
    st.one_of(
        st.tuples(st.just("wait"), DELAYS),
        st.tuples(st.just("set"), DELAYS),
        st.tuples(st.just("clear"), st.just(0)),
        st.tuples(st.just("stop"), st.just(0)),
    ),
    max_size=40,
)


@given(ACTIONS, st.booleans())
def test_an_alarm_rings_once_at_the_instant_set_last(
    actions: list[tuple[str, int]], background: bool
) -> None:
    """However often it is put off, brought forward, cleared or stopped; and then no more."""
    bell = Bell()
    expected: list[int] = []
    due: int | None = None
    for what, delay in actions:
        now = bell.clock.now_ns
        if what == "set":
            due = now + delay
            bell.alarm.set(due, background=background)
        elif what == "clear":
            due = None
            bell.alarm.clear()
        elif what == "stop":
            due = None
            bell.alarm.stop()
        else:
            until = now + delay
            while (following := bell.clock.next_ns()) is not None and following <= until:
                bell.clock.fire_next()
            bell.clock.now_ns = until
            if due is not None and due <= until:
                expected.append(due)
                due = None
        assert bell.alarm.due_ns == due
        assert bell.clock.expects_something == (due is not None and not background)
    if due is not None:
        expected.append(due)
    assert bell.run() == expected
    assert bell.alarm.due_ns is None
    assert not bell.clock.expects_something


@given(st.lists(DELAYS, min_size=1, max_size=50))
def test_putting_an_alarm_off_costs_no_timer(delays: list[int]) -> None:
    """However often: one timer at a time looks again when the earlier instant is there."""
    bell = Bell()
    for i, delay in enumerate(sorted(delays)):
        bell.alarm.set(delay + i)
    fired = 0
    while bell.clock.fire_next():
        fired += 1
    assert fired <= 2
    assert bell.rung == [max(delays) + len(delays) - 1]


def test_an_alarm_may_be_set_again_when_it_rings() -> None:
    """As every timer that repeats itself does."""
    clock = Clock()
    rung: list[int] = []

    def ring() -> None:
        rung.append(clock.now_ns)
        if len(rung) < 4:
            alarm.set(clock.now_ns + 5)

    alarm = Alarm(clock, ring)
    alarm.set(1)
    while clock.fire_next():
        pass
    assert rung == [1, 6, 11, 16]


def test_a_cleared_alarm_is_no_reason_to_let_time_pass() -> None:
    """Its timer may still be there, and fires for nothing."""
    bell = Bell()
    bell.alarm.set(10)
    assert bell.clock.expects_something
    bell.alarm.clear()
    assert not bell.clock.expects_something
    bell.alarm.set(20)
    assert bell.clock.expects_something
    assert bell.run() == [20]


def test_an_alarm_may_turn_into_a_background_one_and_back() -> None:
    """What was set last counts, also when an older timer still looks after it."""
    bell = Bell()
    bell.alarm.set(10)
    bell.alarm.set(20, background=True)
    assert not bell.clock.expects_something
    bell.clock.fire_next()
    assert not bell.clock.expects_something
    bell.alarm.set(30)
    assert bell.clock.expects_something
    assert bell.run() == [30]


def test_an_awaited_alarm_lets_time_pass_until_it_is_settled() -> None:
    """Settled: its last ringing brought nothing about, and nothing has happened since."""
    clock = Clock()
    alarm = Alarm(clock, lambda: None)
    alarm.set(10, background=True, awaited=True)
    assert clock.expects_something
    assert clock.may_change_something
    alarm.set(20, background=True, awaited=True, settled=True)
    assert not clock.expects_something
    assert not clock.may_change_something
    clock.round += 1
    assert clock.expects_something
    assert clock.may_change_something


def test_a_settled_alarm_stays_so_while_it_is_put_off() -> None:
    """Also when its timer looks again."""
    clock = Clock()
    alarm = Alarm(clock, lambda: None)
    alarm.set(10, background=True, awaited=True)
    alarm.set(20, background=True, awaited=True, settled=True)
    clock.fire_next()
    assert clock.now_ns == 10
    assert not clock.may_change_something
    clock.round += 1
    assert clock.expects_something


def test_a_background_alarm_that_is_not_settled_may_change_something() -> None:
    """A reader who waits for ever may be told by it: it is not a deadlock yet."""
    clock = Clock()
    alarm = Alarm(clock, lambda: None)
    alarm.set(10, background=True)
    assert not clock.expects_something
    assert clock.may_change_something


def test_other_timers_count_whatever_is_settled() -> None:
    """One that is not settled is enough."""
    clock = Clock()
    alarm = Alarm(clock, lambda: None)
    alarm.set(10, background=True, settled=True)
    assert not clock.may_change_something
    timer = clock.call_after(100, lambda: None)
    assert clock.may_change_something
    timer.cancel()
    assert not clock.may_change_something
