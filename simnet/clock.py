"""Virtual time: integer nanoseconds and ordered timers.

Time moves only when a timer fires. Timers of the same instant fire in the order in which they were
set. A background timer (TIME_WAIT, keepalive) fires in its turn, but is no reason by itself to let
time pass.

Some timers go on for ever: probes of a closed window, of an idle connection. One whose last probe
was answered is settled, until a task runs again: nothing will come of the next one either.
"""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Callable
from typing import Protocol

SECOND_NS = 1_000_000_000
MILLISECOND_NS = 1_000_000
# 1 January 2000: where a world's wall clock starts, in seconds.
EPOCH = 946684800


def nanoseconds(seconds: float) -> int:
    """Seconds as whole nanoseconds, rounded up: a timeout never fires early."""
    whole = int(seconds * SECOND_NS)
    return whole + 1 if whole < seconds * SECOND_NS else whole


class Timer:
    """A callback at an instant; `cancel` takes it back."""

    __slots__ = ("_clock", "awaited", "background", "callback", "settled", "when_ns")

    def __init__(
        self, clock: Clock, when_ns: int, callback: Callable[[], object], background: bool
    ) -> None:
        self._clock = clock
        self.when_ns = when_ns
        self.callback: Callable[[], object] | None = callback
        self.background = background
        # The round of the clock in which it was found that it brings nothing about; and whether it
        # is a reason to let time pass until then, although it is a background timer.
        self.settled = 0
        self.awaited = False

    @property
    def pending(self) -> bool:
        """Whether it has neither fired nor been cancelled."""
        return self.callback is not None

    def cancel(self) -> None:
        """Never fire; harmless when it has fired or was cancelled."""
        if self.callback is not None:
            self.callback = None
            self._clock.timer_gone(self)


class Alarm:
    """A callback whose instant is set again and again; to put it off costs nothing."""

    __slots__ = ("_callback", "_clock", "_timer", "due_ns")

    def __init__(self, clock: Clock, callback: Callable[[], object]) -> None:
        self._clock = clock
        self._callback = callback
        self._timer: Timer | None = None
        # When it rings; None while it is not set.
        self.due_ns: int | None = None

    def set(
        self, when_ns: int, background: bool = False, awaited: bool = False, settled: bool = False
    ) -> None:
        """Ring at an instant, and not at an earlier or later one that was set before."""
        self.due_ns = when_ns
        timer = self._timer
        if timer is None or timer.callback is None or timer.when_ns > when_ns:
            if timer is not None:
                timer.cancel()
            timer = self._timer = self._clock.call_at(when_ns, self._fire, background)
        elif timer.background is not background:
            self._clock.mark(timer, background)
        timer.awaited = awaited
        timer.settled = self._clock.round if settled else 0

    def clear(self) -> None:
        """Do not ring."""
        if self.due_ns is not None:
            self.due_ns = None
            if self._timer is not None:
                self._clock.mark(self._timer, True)
                self._timer.awaited = False

    def stop(self) -> None:
        """Do not ring, and let go of whoever would be called."""
        self.due_ns = None
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _fire(self) -> None:
        timer, due_ns = self._timer, self.due_ns
        if due_ns is None or timer is None:
            return
        if due_ns > self._clock.now_ns:
            self._timer = self._clock.call_at(due_ns, self._fire, timer.background)
            self._timer.settled, self._timer.awaited = timer.settled, timer.awaited
        else:
            self.due_ns = None
            self._callback()


class Expiring(Protocol):
    """Something whose time comes."""

    # When it expires, if it does; for the line to set.
    due_ns: int | None

    def expire(self) -> None:
        """Its time has come."""


class Line:
    """Things that expire after the same delay, so in the order in which they were added.

    One background timer, for the first of them, serves all.
    """

    __slots__ = ("_clock", "_delay_ns", "_timer", "_waiting")

    def __init__(self, clock: Clock, delay_ns: int) -> None:
        self._clock = clock
        self._delay_ns = delay_ns
        self._waiting: deque[tuple[int, Expiring]] = deque()
        self._timer: Timer | None = None

    def add(self, thing: Expiring) -> None:
        """Let it expire after the delay."""
        thing.due_ns = due_ns = self._clock.now_ns + self._delay_ns
        self._waiting.append((due_ns, thing))
        if self._timer is None:
            self._timer = self._clock.call_at(due_ns, self._first_is_due, background=True)

    def leave(self, thing: Expiring) -> None:
        """It does not expire any more; harmless if it has."""
        thing.due_ns = None
        if self._waiting and self._waiting[0][1] is thing:
            self._look_at_first()

    def _first_is_due(self) -> None:
        self._timer = None
        thing = self._waiting.popleft()[1]
        thing.due_ns = None
        self._look_at_first()
        thing.expire()

    def _look_at_first(self) -> None:
        """Set the timer for the first one that is still to expire then."""
        waiting = self._waiting
        while waiting and waiting[0][0] != waiting[0][1].due_ns:
            waiting.popleft()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if waiting:
            self._timer = self._clock.call_at(waiting[0][0], self._first_is_due, background=True)


class Clock:
    """The time of one world."""

    __slots__ = (
        "_cancelled",
        "_foreground",
        "_heap",
        "_lines",
        "_on_move",
        "_sequence",
        "now_ns",
        "round",
    )

    def __init__(self, on_move: Callable[[int], None] | None = None) -> None:
        self.now_ns = 0
        # Grows whenever something other than a timer has happened.
        self.round = 1
        self._on_move = on_move
        self._heap: list[tuple[int, int, Timer]] = []
        self._sequence = 0
        self._foreground = 0
        self._cancelled = 0
        self._lines: dict[int, Line] = {}

    def line(self, delay_ns: int) -> Line:
        """Those that expire after that delay."""
        line = self._lines.get(delay_ns)
        if line is None:
            line = self._lines[delay_ns] = Line(self, delay_ns)
        return line

    def call_at(
        self, when_ns: int, callback: Callable[[], object], background: bool = False
    ) -> Timer:
        """Call back at an instant (at once, but after this call, if it is past)."""
        if when_ns < self.now_ns:
            when_ns = self.now_ns
        timer = Timer(self, when_ns, callback, background)
        self._sequence += 1
        heapq.heappush(self._heap, (when_ns, self._sequence, timer))
        if not background:
            self._foreground += 1
        return timer

    def call_after(
        self, delay_ns: int, callback: Callable[[], object], background: bool = False
    ) -> Timer:
        """Call back after a delay."""
        return self.call_at(self.now_ns + delay_ns, callback, background)

    def timer_gone(self, timer: Timer) -> None:
        """Account for a cancelled timer; the heap is rebuilt when most of it is cancelled."""
        if not timer.background:
            self._foreground -= 1
        self._cancelled += 1
        if self._cancelled > 64 and self._cancelled * 2 > len(self._heap):
            self._heap = [entry for entry in self._heap if entry[2].callback is not None]
            heapq.heapify(self._heap)
            self._cancelled = 0

    def mark(self, timer: Timer, background: bool) -> None:
        """Make a timer that has not fired yet a background one, or no longer one."""
        if timer.callback is not None and timer.background is not background:
            timer.background = background
            self._foreground += -1 if background else 1

    @property
    def may_change_something(self) -> bool:
        """Whether a timer is pending that is not settled in this round."""
        return self._foreground > 0 or any(
            timer.callback is not None and timer.settled != self.round for _, _, timer in self._heap
        )

    @property
    def expects_something(self) -> bool:
        """Whether a timer that is not a background one is pending."""
        return self._foreground > 0 or any(
            timer.callback is not None and timer.awaited and timer.settled != self.round
            for _, _, timer in self._heap
        )

    def next_ns(self) -> int | None:
        """The instant of the next timer, or None."""
        heap = self._heap
        while heap and heap[0][2].callback is None:
            heapq.heappop(heap)
            self._cancelled -= 1
        return heap[0][0] if heap else None

    def fire_next(self) -> bool:
        """Move time to the next timer and call it back; False if there is none."""
        heap = self._heap
        while heap:
            when_ns, _, timer = heapq.heappop(heap)
            callback = timer.callback
            if callback is None:
                self._cancelled -= 1
                continue
            if when_ns > self.now_ns:
                self._move(when_ns)
            timer.callback = None
            if not timer.background:
                self._foreground -= 1
            callback()
            return True
        return False

    def _move(self, now_ns: int) -> None:
        self.now_ns = now_ns
        if self._on_move is not None:
            self._on_move(now_ns)

    def advance(self, at_most_ns: int) -> None:
        """Move time to the next timer and call it back, or so far if there is none before."""
        when_ns = self.next_ns()
        if when_ns is not None and when_ns <= self.now_ns + at_most_ns:
            self.fire_next()
        else:
            self._move(self.now_ns + at_most_ns)
