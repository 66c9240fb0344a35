"""The congestion window as a sequence of windows, and which segments are sent again."""

from __future__ import annotations

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from simnet.clock import MILLISECOND_NS, SECOND_NS, Clock
from simnet.protocols.tcp_flight import INITIAL_WINDOW, NO_THRESHOLD, Flight, Mode
from simnet.wire import ACK, PSH
from tests.properties.profiles import examples

MSS = 1000
# The first sequence number of the data.
START = 5001


@attrs.define
class Sender:
    """A sender with as much to say as the window lets out, in segments of a thousand bytes."""

    clock: Clock = attrs.Factory(Clock)
    flight: Flight = attrs.field(init=False)
    sent: int = 0
    acked: int = 0
    repeated: list[int] = attrs.Factory(list)
    rings: int = 0

    def __attrs_post_init__(self) -> None:
        self.flight = Flight(self.clock, self._ring)
        self.flight.round_trip.measured(100_000, START, START)

    def _ring(self) -> None:
        self.rings += 1

    @property
    def next(self) -> int:
        """The next sequence number."""
        return START + self.sent * MSS

    def send(self, most: int = 10**6) -> int:
        """Send what may be sent, the lost ones first; how many new segments went out."""
        while (segment := self.flight.next_to_repeat(MSS)) is not None:
            self.repeated.append((segment.seq - START) // MSS)
        before = self.sent
        while self.sent - before < most and self.flight.may_send():
            seq = self.next
            self.flight.add(seq, seq + MSS, ACK, bytes(MSS))
            self.sent += 1
        return self.sent - before

    def ack(self, count: int) -> None:
        """So many more segments have arrived, in order."""
        self.acked += count
        self.flight.acknowledged(START + self.acked * MSS, self.next)

    def duplicates(self, count: int) -> None:
        """The peer repeats its acknowledgement."""
        for _ in range(count):
            self.flight.duplicate(self.next)

    def time_out(self) -> None:
        """What the control block does when the alarm rings."""
        self.flight.struck(self.next)
        self.send(0)
        self.flight.time_outs += 1
        self.flight.backoff += 1

    def round_trip(self) -> None:
        """Everything that is out arrives, and is acknowledged segment by segment."""
        for _ in range(self.sent - self.acked):
            self.ack(1)
            self.send()

    def repetitions(self) -> list[int]:
        """Which segments were sent again since this was last asked."""
        found, self.repeated = self.repeated, []
        return found


@pytest.fixture
def sender() -> Sender:
    """A fresh connection that has sent its first window."""
    made = Sender()
    assert made.send() == INITIAL_WINDOW
    return made


def windows(sender: Sender, count: int) -> list[int]:
    """The window after each of so many round trips."""
    found = []
    for _ in range(count):
        sender.round_trip()
        found.append(sender.flight.window)
    return found


# Growing


def test_slow_start_doubles_the_window_with_each_round_trip(sender: Sender) -> None:
    """RFC 5681, section 3.1, from ten segments (RFC 6928)."""
    assert windows(sender, 4) == [20, 40, 80, 160]


def test_one_acknowledgement_for_two_segments_counts_twice(sender: Sender) -> None:
    """Segments are counted, not acknowledgements (RFC 3465)."""
    for _ in range(5):
        sender.ack(2)
        sender.send()
    assert sender.flight.window == 20


def test_slow_start_ends_at_the_threshold(sender: Sender) -> None:
    """What is acknowledged beyond it counts for congestion avoidance."""
    sender.flight.threshold = 15
    assert windows(sender, 3) == [15, 16, 17]


def test_congestion_avoidance_adds_one_segment_each_round_trip(sender: Sender) -> None:
    """RFC 5681, section 3.1."""
    sender.flight.threshold = sender.flight.window
    assert windows(sender, 6) == [11, 12, 13, 14, 15, 16]


def test_a_window_that_holds_nobody_back_does_not_grow() -> None:
    """A program that sends little learns nothing of the path (RFC 7661)."""
    sender = Sender()
    for _ in range(50):
        sender.send(1)
        sender.ack(1)
    assert sender.flight.window == INITIAL_WINDOW


def test_in_slow_start_the_window_may_be_twice_of_what_is_used() -> None:
    """And no more (tcp_is_cwnd_limited)."""
    sender = Sender()
    for _ in range(50):
        for _ in range(9):
            sender.send(1)
        for _ in range(9):
            sender.ack(1)
    assert sender.flight.window == 18


def test_the_window_lets_out_no_more_than_it_holds(sender: Sender) -> None:
    """Until something is acknowledged."""
    assert sender.send() == 0
    sender.ack(1)
    assert sender.send() == 2


# Fast retransmit


def test_the_third_duplicate_means_a_loss(sender: Sender) -> None:
    """The oldest segment is sent again at once, and the window is halved (RFC 5681, 3.2)."""
    sender.duplicates(2)
    sender.send()
    assert (sender.repetitions(), sender.flight.mode) == ([], Mode.OPEN)
    sender.duplicates(1)
    sender.send()
    assert (sender.repetitions(), sender.flight.mode) == ([0], Mode.RECOVERY)
    assert (sender.flight.window, sender.flight.threshold) == (5, 5)


def test_the_first_duplicates_let_new_segments_out(sender: Sender) -> None:
    """One each: limited transmit (RFC 3042)."""
    sender.duplicates(1)
    assert sender.send() == 1
    sender.duplicates(1)
    assert sender.send() == 1
    sender.duplicates(1)
    assert sender.send() == 0


@pytest.mark.parametrize("count", [1, 2, 3])
def test_there_cannot_be_more_duplicates_than_segments_that_arrived(count: int) -> None:
    """Of three in flight two can have arrived; other acknowledgements are doubles themselves."""
    sender = Sender()
    sender.send(count)
    sender.duplicates(10)
    assert sender.flight.mode is Mode.OPEN
    assert sender.flight.window == INITIAL_WINDOW


def test_four_segments_are_enough_for_fast_retransmit() -> None:
    """Three of them tell of the fourth; the window is what counts, not what is in flight."""
    sender = Sender()
    sender.send(4)
    sender.duplicates(3)
    sender.send(0)
    assert sender.repetitions() == [0]
    assert sender.flight.threshold == 5


def test_duplicates_during_recovery_let_new_segments_out(sender: Sender) -> None:
    """Each of them is a segment that has left the network."""
    sender.duplicates(3)
    sender.send()
    released = []
    for _ in range(6):
        sender.duplicates(1)
        released.append(sender.send())
    # Of ten one is lost and sent again, nine have arrived: four more fill the window of five.
    assert released == [0, 0, 1, 1, 1, 1]


def test_recovery_ends_with_what_was_sent_before_it(sender: Sender) -> None:
    """With half the window, and congestion avoidance from there."""
    sender.duplicates(9)
    sender.send()
    sender.ack(10)
    assert (sender.flight.mode, sender.flight.window) == (Mode.OPEN, 5)
    sender.send()
    assert windows(sender, 2) == [6, 7]


def test_a_partial_acknowledgement_repairs_one_hole(sender: Sender) -> None:
    """NewReno: the next segment is missing too (RFC 6582, section 3.2, step 3)."""
    sender.duplicates(6)
    sender.send()
    assert sender.repetitions() == [0]
    sender.ack(1)
    sender.send()
    assert (sender.repetitions(), sender.flight.mode) == ([1], Mode.RECOVERY)
    sender.ack(3)
    sender.send()
    assert (sender.repetitions(), sender.flight.mode) == ([4], Mode.RECOVERY)
    assert sender.flight.window == 5


def test_a_partial_acknowledgement_takes_what_it_covers_from_the_duplicates(
    sender: Sender,
) -> None:
    """All but the hole itself, which no duplicate told of (tcp_remove_reno_sacks)."""
    sender.duplicates(6)
    sender.send(0)
    sender.ack(1)
    assert sender.flight.duplicates == 6
    sender.send(0)
    sender.ack(3)
    assert sender.flight.duplicates == 4


def test_half_a_hole_is_not_repaired_twice(sender: Sender) -> None:
    """An acknowledgement in the middle of a segment says nothing new of what is missing."""
    sender.duplicates(3)
    sender.send(0)
    assert sender.repetitions() == [0]
    sender.flight.acknowledged(START + MSS // 2, sender.next)
    sender.send(0)
    assert sender.repetitions() == []
    assert sender.flight.sent[0].seq == START + MSS // 2
    assert len(sender.flight.sent[0].payload) == MSS // 2


def test_duplicates_of_what_was_repeated_in_vain_mean_nothing(sender: Sender) -> None:
    """Until something beyond it is acknowledged (RFC 6582, section 3.2, step 2)."""
    sender.time_out()
    for _ in range(5):
        sender.ack(2)
        sender.send()
    assert sender.acked == 10
    in_flight = len(sender.flight.sent)
    assert in_flight > 4
    sender.repetitions()
    sender.duplicates(4)
    assert (sender.send(), sender.repetitions()) == (0, [])
    assert sender.flight.mode is Mode.OPEN
    sender.ack(1)
    sender.send()
    sender.duplicates(3)
    sender.send(0)
    assert sender.repetitions() == [11]


# Time-outs


def test_a_time_out_begins_again_from_one_segment(sender: Sender) -> None:
    """Everything counts as lost (RFC 5681, section 3.1)."""
    sender.time_out()
    assert (sender.flight.window, sender.flight.threshold) == (1, 5)
    assert (sender.flight.mode, sender.flight.lost) == (Mode.LOSS, 10)
    assert sender.repetitions() == [0]


def test_after_a_time_out_slow_start_repeats_what_is_lost(sender: Sender) -> None:
    """Two segments for each acknowledgement, up to the threshold; then one more each window."""
    sender.time_out()
    sender.repetitions()
    seen = []
    for _ in range(4):
        sender.ack(1)
        sender.send()
        seen.append((sender.flight.window, sender.repetitions()))
    assert seen == [(2, [1, 2]), (3, [3, 4]), (4, [5, 6]), (5, [7, 8])]


def test_what_arrived_meanwhile_is_not_repeated(sender: Sender) -> None:
    """An acknowledgement that jumps ahead ends the loss; new segments follow."""
    sender.time_out()
    sender.repetitions()
    sender.ack(10)
    assert sender.flight.mode is Mode.OPEN
    assert sender.send() == sender.flight.window
    assert sender.repetitions() == []


def test_the_threshold_is_halved_once_for_each_loss(sender: Sender) -> None:
    """However often the time-out strikes (tcp_enter_loss)."""
    for _ in range(4):
        sender.time_out()
    assert sender.flight.threshold == 5


def test_a_time_out_in_the_middle_of_recovery_is_the_same_loss(sender: Sender) -> None:
    """Measured: the threshold stays at half the window before it."""
    sender.duplicates(3)
    sender.send(0)
    sender.time_out()
    assert (sender.flight.window, sender.flight.threshold) == (1, 5)


def test_a_new_loss_halves_the_threshold_anew(sender: Sender) -> None:
    """Something was acknowledged since, so that it is another one."""
    sender.time_out()
    for _ in range(4):
        sender.ack(1)
        sender.send()
    assert sender.flight.window == 5
    sender.time_out()
    assert (sender.flight.window, sender.flight.threshold) == (1, 2)


def test_the_threshold_is_two_segments_at_least() -> None:
    """RFC 5681, equation 4."""
    sender = Sender()
    sender.send(1)
    for _ in range(3):
        sender.flight.time_outs = 0
        sender.time_out()
    assert sender.flight.threshold == 2


# The time-out itself


def test_the_alarm_is_set_for_the_oldest_segment(sender: Sender) -> None:
    """300 ms of time-out after the first of them; anew with each acknowledgement of something."""
    clock = sender.clock
    assert sender.flight.alarm.due_ns == 300 * MILLISECOND_NS
    clock.advance(50 * MILLISECOND_NS)
    sender.ack(1)
    due_ns = sender.flight.alarm.due_ns
    assert due_ns is not None
    assert due_ns == clock.now_ns + sender.flight.time_out_ns()
    sender.duplicates(2)
    assert sender.flight.alarm.due_ns == due_ns
    sender.ack(9)
    assert sender.flight.alarm.due_ns is None


@pytest.mark.parametrize(
    ("backoff", "seconds"), [(0, 0.3), (1, 0.6), (5, 9.6), (9, 120), (40, 120)]
)
def test_the_time_out_doubles_up_to_two_minutes(backoff: int, seconds: float) -> None:
    """TCP_RTO_MAX."""
    sender = Sender()
    sender.flight.backoff = backoff
    assert sender.flight.time_out_ns() == seconds * SECOND_NS


def test_what_was_repeated_tells_nothing_of_the_round_trip(sender: Sender) -> None:
    """Karn's algorithm: nobody knows which of the two was acknowledged; the doubling stays."""
    before = sender.flight.round_trip.smoothed8
    sender.time_out()
    sender.clock.advance(SECOND_NS)
    sender.ack(1)
    assert (sender.flight.round_trip.smoothed8, sender.flight.backoff) == (before, 1)
    assert sender.flight.time_outs == 0
    sender.ack(9)
    sender.send(1)
    sender.ack(1)
    assert sender.flight.backoff == 0
    assert sender.flight.round_trip.smoothed8 != before


# Rest


def after_a_rest(window: int, seconds: float, threshold: int = NO_THRESHOLD) -> Flight:
    """A flight with a window of its own, when nothing was sent for so long."""
    sender = Sender()
    sender.send(1)
    sender.ack(1)
    sender.flight.window, sender.flight.threshold = window, threshold
    sender.clock.now_ns += int(seconds * SECOND_NS)
    sender.flight.rest()
    return sender.flight


@pytest.mark.parametrize(
    ("time_outs", "window"), [(0.9, 160), (1.5, 80), (2, 80), (2.1, 40), (3.5, 20), (1000, 10)]
)
def test_a_rest_halves_the_window_for_each_time_out_that_it_lasts(
    time_outs: float, window: int
) -> None:
    """Down to the initial window (RFC 2861, tcp_cwnd_restart)."""
    seconds = after_a_rest(160, 0).time_out_ns() / SECOND_NS
    assert after_a_rest(160, time_outs * seconds).window == window


def test_after_a_rest_slow_start_leads_back_to_three_quarters() -> None:
    """tcp_current_ssthresh: that much the path has taken."""
    flight = after_a_rest(80, 100, threshold=7)
    assert (flight.window, flight.threshold) == (10, 60)


def test_a_small_window_needs_no_rest(sender: Sender) -> None:
    """It is not made larger either."""
    assert after_a_rest(3, 100).window == 3


def test_a_repetition_is_no_rest(sender: Sender) -> None:
    """Something was sent then (lsndtime)."""
    sender.clock.now_ns += SECOND_NS
    sender.time_out()
    assert sender.flight.last_sent_ns == SECOND_NS


# Smaller segments


def test_a_shorter_path_sends_everything_again_in_pieces() -> None:
    """Of two parts each here, the last of which carries the flags."""
    sender = Sender()
    for flags in (ACK, ACK | PSH):
        sender.flight.add(sender.next, sender.next + MSS, flags, bytes(range(250)) * 4)
        sender.sent += 1
    sender.flight.smaller_segments(600)
    pieces = []
    while (segment := sender.flight.next_to_repeat(600)) is not None:
        pieces.append((segment.seq - START, segment.end - START, segment.flags, segment.payload))
    whole = bytes(range(250)) * 4
    assert pieces == [
        (0, 600, ACK, whole[:600]),
        (600, 1000, ACK, whole[600:]),
        (1000, 1600, ACK, whole[:600]),
        (1600, 2000, ACK | PSH, whole[600:]),
    ]
    assert sender.flight.mode is Mode.OPEN
    assert sender.flight.window == INITIAL_WINDOW


def test_segments_that_fit_are_left_alone(sender: Sender) -> None:
    """They are not lost."""
    sender.flight.smaller_segments(MSS)
    sender.send()
    assert sender.repetitions() == []


# Laws

STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("send"), st.integers(1, 30)),
        st.tuples(st.just("ack"), st.integers(1, 12)),
        st.tuples(st.just("duplicates"), st.integers(1, 12)),
        st.tuples(st.just("time_out"), st.just(0)),
        st.tuples(st.just("wait"), st.integers(1, 3000)),
        st.tuples(st.just("cut"), st.integers(100, MSS)),
    ),
    max_size=60,
)


@given(STEPS)
@examples(200)
def test_the_books_are_right_whatever_happens(steps: list[tuple[str, int]]) -> None:
    """No more lost or repeated than there is; in order and without gaps; never a dead alarm."""
    sender = Sender()
    flight = sender.flight
    for what, number in steps:
        if what == "send":
            sender.send(number)
        elif what == "ack":
            end = min(START + (sender.acked + number) * MSS, sender.next)
            if end > START + sender.acked * MSS:
                sender.ack((end - START) // MSS - sender.acked)
                sender.send(0)
        elif what == "duplicates" and flight.sent:
            sender.duplicates(number)
            sender.send(0)
        elif what == "time_out" and flight.sent:
            sender.time_out()
        elif what == "wait":
            sender.clock.now_ns += number * MILLISECOND_NS
        elif what == "cut":
            flight.smaller_segments(number)
            while flight.next_to_repeat(number):
                pass
        edge = START + sender.acked * MSS
        for segment in flight.sent:
            assert segment.seq == edge
            edge = segment.end
            assert len(segment.payload) == segment.end - segment.seq
        assert edge == sender.next
        assert 0 <= flight.again <= flight.lost <= len(flight.sent)
        assert flight.duplicates + min(flight.lost, 1) <= max(len(flight.sent), 1)
        assert flight.window >= 1
        assert flight.threshold >= 2
        assert (flight.alarm.due_ns is not None) == bool(flight.sent)
        assert flight.threshold <= NO_THRESHOLD
