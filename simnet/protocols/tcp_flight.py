"""What a connection has sent and not seen acknowledged, and how much more may follow it.

Congestion control is NewReno (RFC 5681, RFC 6582) with limited transmit (RFC 3042), counted in
segments as Linux does it: slow start from ten segments, congestion avoidance, fast retransmit after
three duplicate acknowledgements, recovery of one hole for each partial acknowledgement, and slow
start from one segment after a time-out. The window grows only while it is what holds the sender
back.

Not modelled: CUBIC (the name that TCP_CONGESTION shows changes nothing), selective acknowledgement,
RACK and tail loss probes, undoing what turns out to have been needless (F-RTO, DSACK, Eifel),
proportional rate reduction, pacing, ECN.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from enum import IntEnum

from simnet.clock import Alarm, Clock
from simnet.protocols.tcp_rtt import MAX_RTO_US, RoundTrip
from simnet.wire import FIN, PSH

# TCP_INIT_CWND, and tcp_reordering: so many duplicate acknowledgements mean a loss.
INITIAL_WINDOW = 10
DUPLICATES_MEAN_LOSS = 3
NO_THRESHOLD = 2**31 - 1


class Mode(IntEnum):
    """How congestion control takes what happens (enum tcp_ca_state)."""

    OPEN = 0
    RECOVERY = 3
    LOSS = 4


class Sent:
    """A segment that may have to be repeated."""

    __slots__ = ("end", "flags", "payload", "repeated", "sent_ns", "seq")

    def __init__(self, seq: int, end: int, flags: int, payload: bytes, sent_ns: int) -> None:
        self.seq = seq
        self.end = end
        self.flags = flags
        self.payload = payload
        self.sent_ns = sent_ns
        self.repeated = False


class Flight:
    """The segments in flight of one connection, its congestion window, and its time-out."""

    __slots__ = (
        "again",
        "alarm",
        "backoff",
        "clock",
        "credit",
        "duplicates",
        "error_queued",
        "first_repeat_ns",
        "heard_ns",
        "held_back",
        "last_sent_ns",
        "lost",
        "mode",
        "probes",
        "probing_since_ns",
        "recover",
        "repeats",
        "round_trip",
        "sent",
        "soft_error",
        "threshold",
        "time_outs",
        "watched",
        "window",
    )

    def __init__(self, clock: Clock, alarm: Callable[[], object]) -> None:
        self.clock = clock
        # In order, and contiguous up to the next sequence number.
        self.sent: deque[Sent] = deque()
        self.round_trip = RoundTrip()
        # The time-out of the oldest segment, or while there is none the next probe of a window.
        self.alarm = Alarm(clock, alarm)
        # The congestion window and the slow start threshold, in segments; what the window has grown
        # by, in parts of one (snd_cwnd, snd_ssthresh, snd_cwnd_cnt).
        self.window = INITIAL_WINDOW
        self.threshold = NO_THRESHOLD
        self.credit = 0
        # Whether it held the sender back since it was last acknowledged (is_cwnd_limited).
        self.held_back = False
        self.mode = Mode.OPEN
        # Recovery ends when this is acknowledged (high_seq).
        self.recover = 0
        self.duplicates = 0
        # Of the oldest segments, how many count as lost, and how many of those are sent again.
        self.lost = 0
        self.again = 0
        # How often the time-out was doubled, how often it struck without an answer, when the first
        # repetition was (icsk_backoff, icsk_retransmits, retrans_stamp), and all repetitions.
        self.backoff = 0
        self.time_outs = 0
        self.first_repeat_ns = 0
        self.repeats = 0
        # Probes without an answer, since when the peer's window is closed, and the last word of it.
        self.probes = 0
        self.probing_since_ns: int | None = None
        self.heard_ns = clock.now_ns
        # Whether a probe of an idle connection went out since keepalive last looked.
        self.watched = False
        self.last_sent_ns = clock.now_ns
        # What a router said (sk_err_soft): the reason, should it come to a time-out.
        self.soft_error = 0
        # Whether something waits for MSG_ERRQUEUE, which poll shows (what it is is not modelled).
        self.error_queued = False

    # Sending

    @property
    def under_way(self) -> int:
        """Segments that are thought to be on the way (tcp_packets_in_flight)."""
        return max(0, len(self.sent) - self.lost + self.again - self.duplicates)

    def may_send(self) -> bool:
        """Whether the congestion window lets one more segment out."""
        if len(self.sent) - self.lost + self.again - self.duplicates < self.window:
            return True
        self.held_back = True
        return False

    def add(self, seq: int, end: int, flags: int, payload: bytes) -> None:
        """A new segment goes out."""
        now_ns = self.clock.now_ns
        self.last_sent_ns = now_ns
        if not self.sent:
            self.alarm.set(now_ns + self.time_out_ns())
        self.sent.append(Sent(seq, end, flags, payload, now_ns))

    def time_out_ns(self) -> int:
        """The time-out in force: doubled for every time that it struck."""
        return min(self.round_trip.rto_us << self.backoff, MAX_RTO_US) * 1000

    def rest(self) -> None:
        """After a silence longer than the time-out the window is not what the path takes.

        (tcp_cwnd_restart; RFC 2861.)
        """
        idle_ns = self.clock.now_ns - self.last_sent_ns
        rto_ns = self.time_out_ns()
        if idle_ns > rto_ns and not self.sent and self.window > INITIAL_WINDOW:
            self.threshold = max(self.threshold, (self.window >> 1) + (self.window >> 2))
            halvings = min((idle_ns - 1) // rto_ns, 64)
            self.window = max(self.window >> halvings, INITIAL_WINDOW)

    # What comes back

    def acknowledged(self, edge: int, following: int) -> None:
        """Everything up to a sequence number has arrived."""
        sent = self.sent
        count = 0
        measured_ns: int | None = None
        repeated = False
        while sent and sent[0].end <= edge:
            segment = sent.popleft()
            count += 1
            repeated = repeated or segment.repeated
            if measured_ns is None:
                measured_ns = segment.sent_ns
        if sent and sent[0].seq < edge:
            first = sent[0]
            first.payload = first.payload[edge - first.seq :]
            first.seq = edge
        now_ns = self.clock.now_ns
        if measured_ns is not None and not repeated:
            self.round_trip.measured((now_ns - measured_ns) // 1000, edge, following)
            self.backoff = 0
        self.time_outs = 0
        self.lost = max(0, self.lost - count)
        self.again = max(0, self.again - count)
        self._progress(edge, count)
        if not self.sent:
            self.first_repeat_ns = 0
            self.alarm.clear()
        else:
            self.alarm.set(now_ns + self.time_out_ns())

    def _progress(self, edge: int, count: int) -> None:
        """What the acknowledgement of so many segments means for the window."""
        if self.mode is Mode.RECOVERY:
            if edge < self.recover:
                # A partial acknowledgement: the next segment is missing too (RFC 6582, 3.2). The
                # hole itself was not among what the duplicates told of (tcp_remove_reno_sacks).
                if not self.lost:
                    self.lost, self.again = 1, 0
                told = self.duplicates - max(0, count - 1)
                self.duplicates = max(0, min(told, len(self.sent) - self.lost))
                return
            self.window = min(self.window, self.threshold)
            self._open()
            return
        self.duplicates = 0
        if self.mode is Mode.LOSS and edge >= self.recover:
            self._open()
        if self.mode is Mode.LOSS or self.held_back or self.window < self.threshold:
            self._grow(count)
        self.held_back = False

    def _open(self) -> None:
        self.mode = Mode.OPEN
        self.duplicates = self.lost = self.again = 0
        self.first_repeat_ns = 0

    def _grow(self, count: int) -> None:
        """Slow start below the threshold, then one segment for each window (tcp_reno_cong_avoid).

        In slow start a window twice of what is in use is enough (tcp_is_cwnd_limited).
        """
        if self.window < self.threshold:
            enough = self.window >= 2 * (len(self.sent) + count)
            if enough and self.mode is Mode.OPEN and not self.held_back:
                return
            step = min(count, self.threshold - self.window)
            self.window += step
            count -= step
        self.credit += count
        if self.credit >= self.window:
            self.credit -= self.window
            self.window += 1

    def duplicate(self, following: int) -> None:
        """The peer repeats its acknowledgement: a segment has arrived that was not the next."""
        # The oldest segment itself has not arrived (tcp_limit_reno_sacked).
        if self.mode is Mode.LOSS or self.duplicates + max(self.lost, 1) >= len(self.sent):
            return
        if self.mode is Mode.OPEN and self.sent[0].seq <= self.recover:
            # It may only say that what was repeated had arrived before (RFC 6582, 3.2, step 2).
            return
        self.duplicates += 1
        if self.mode is Mode.OPEN and self.duplicates >= DUPLICATES_MEAN_LOSS:
            self.mode = Mode.RECOVERY
            self.recover = following
            self.threshold = max(self.window >> 1, 2)
            self.window = self.threshold
            self.credit = 0
            self.lost, self.again = 1, 0

    def struck(self, following: int) -> None:
        """The time-out: everything counts as lost (tcp_enter_loss)."""
        if self.mode is Mode.OPEN or (self.mode is Mode.LOSS and not self.time_outs):
            self.threshold = max(self.window >> 1, 2)
        self.mode = Mode.LOSS
        self.recover = following
        self.window = 1
        self.credit = self.duplicates = 0
        self.lost, self.again = len(self.sent), 0

    def smaller_segments(self, mss: int) -> None:
        """The path takes less: what is larger is sent again in pieces (tcp_simple_retransmit)."""
        if any(len(segment.payload) > mss for segment in self.sent):
            self.lost, self.again = len(self.sent), 0

    def next_to_repeat(self, mss: int) -> Sent | None:
        """The next lost segment that the window lets out again, no larger than `mss`.

        A hole that was just found is filled at once, whatever the window (RFC 5681, 3.2, step 3).
        """
        if self.again >= self.lost:
            return None
        just_found = self.mode is Mode.RECOVERY and not self.again
        if self.under_way >= self.window and not just_found:
            return None
        segment = self.sent[self.again]
        if len(segment.payload) > mss:
            self._cut(segment, mss)
        self.again += 1
        self.repeats += 1
        now_ns = self.clock.now_ns
        if not self.first_repeat_ns:
            self.first_repeat_ns = now_ns
        segment.sent_ns = self.last_sent_ns = now_ns
        segment.repeated = True
        return segment

    def _cut(self, segment: Sent, mss: int) -> None:
        rest = Sent(
            segment.seq + mss, segment.end, segment.flags, segment.payload[mss:], segment.sent_ns
        )
        rest.repeated = segment.repeated
        segment.end = segment.seq + mss
        segment.payload = segment.payload[:mss]
        segment.flags &= ~(FIN | PSH)
        self.sent.insert(self.again + 1, rest)
        self.lost += 1

    # Ending

    def clear(self) -> None:
        """Nothing is under way: everything has arrived, or nobody cares any more."""
        self.sent.clear()
        self._open()
        self.alarm.clear()
