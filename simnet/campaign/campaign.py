"""A campaign: hands out chunks of seeds, keeps what becomes of them, and goes on where it stood.

Whatever an executor does, a seed's outcome is kept once. Which seeds a report is about depends on
the seeds alone, also after so many failures: those up to that failure, in their order.
"""

from __future__ import annotations

import signal
import threading
import time
from bisect import insort
from collections.abc import Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, CancelledError, Future, wait
from contextlib import contextmanager
from typing import Protocol

import attrs

from simnet.campaign import work
from simnet.campaign.crew import Crew
from simnet.campaign.seeds import Left, Pace
from simnet.campaign.setup import Setup
from simnet.campaign.store import Store
from simnet.campaign.summary import Summary
from simnet.campaign.work import Answer, Outcome, Retold

# How long the loop looks on before the display moves, in seconds.
_TICK = 0.1
# Why a campaign stopped before all seeds were run.
INTERRUPTED = "interrupted"
TIME = "time is up"


@attrs.frozen
class Limits:
    """When it is enough: after so many failures, or so many seconds; None: never."""

    failures: int | None = None
    seconds: float | None = None


@attrs.frozen
class Progress:
    """How far a campaign is."""

    wanted: int
    done: int
    failures: int
    distinct: int
    hands: int
    interrupted: bool


class Display(Protocol):
    """Whom progress is shown to."""

    def show(self, progress: Progress) -> None:
        """Things stand so now."""


@attrs.frozen
class Ending:
    """How a campaign ended: what became of it, and why it ended before all seeds were run."""

    summary: Summary
    stopped: str | None


class Campaign:
    """One campaign at work."""

    def __init__(
        self,
        setup: Setup,
        seeds: range,
        store: Store,
        crew: Crew,
        display: Display,
        limits: Limits = Limits(),
    ) -> None:
        self._setup = setup
        self._seeds = seeds
        self._store = store
        self._crew = crew
        self._display = display
        self._limits = limits
        self._left = Left(store.missing(seeds))
        self._pace = Pace()
        self._hands = 0
        self._running: dict[Future[Answer], range] = {}
        before = store.summary(seeds)
        self._done = before.runs
        self._failures = before.failed
        self._signatures = {way.signature for way in before.ways}
        # The earliest failures, as many as are enough.
        self._earliest = [] if limits.failures is None else store.failing(seeds, limits.failures)
        # Seeds that died with a worker beside others, and those that are tried with nobody beside.
        self._suspects: list[int] = []
        self._alone: set[int] = set()
        self._stopped: str | None = None

    def run(self) -> Ending:
        """Until all seeds are run, or it is enough."""
        ends = None if self._limits.seconds is None else time.monotonic() + self._limits.seconds
        while True:
            if ends is not None and time.monotonic() >= ends:
                self.stop(TIME)
            self._drop_what_waits()
            self._hand_out()
            self._show()
            if not self._running:
                break
            done, _ = wait(self._running, timeout=_TICK, return_when=FIRST_COMPLETED)
            self._gather(done)
        return self._ending()

    def stop(self, why: str) -> None:
        """Hand out nothing more; what is being run is finished. May be called by a signal."""
        self._stopped = self._stopped or why

    @property
    def _last(self) -> int | None:
        """The seed whose failure is enough, as far as is known."""
        return self._earliest[-1] if len(self._earliest) == self._limits.failures else None

    def _wanted(self) -> range:
        """The seeds that the report is about."""
        return self._seeds if self._last is None else range(self._seeds.start, self._last + 1)

    def _hand_out(self) -> None:
        self._hands = self._crew.hands()
        # One chunk may wait for the first worker to come.
        at_a_time = max(1, self._hands * self._crew.ahead)
        while not self._stopped and len(self._running) < at_a_time:
            size = self._pace.size(self._left.count, max(1, self._hands))
            chunk = self._left.take(size, self._last)
            if chunk is None:
                chunk = self._suspect()
            if chunk is None:
                return
            future = self._crew.executor.submit(self._crew.run_seeds, self._setup, chunk)
            self._running[future] = chunk

    def _suspect(self) -> range | None:
        """A seed that died with a worker, which another one may have ended: now it is alone."""
        if self._running or not self._suspects:
            return None
        seed = self._suspects.pop(0)
        self._alone.add(seed)
        return range(seed, seed + 1)

    def _drop_what_waits(self) -> None:
        """Chunks that nobody has begun, and that are not needed any more, are not run."""
        if not self._crew.cancels_waiting:
            return
        for future, chunk in self._running.items():
            if self._stopped or (self._last is not None and chunk.start > self._last):
                future.cancel()

    def _gather(self, done: Iterable[Future[Answer]]) -> None:
        """Keep what became of chunks, all at once; then raise what a worker raised, if one did."""
        outcomes: list[Outcome] = []
        wrong: BaseException | None = None
        for future in done:
            chunk = self._running.pop(future)
            error = None if future.cancelled() else future.exception()
            if future.cancelled():
                # By this campaign, or with the connection to a cluster.
                self._left.give_back(chunk)
            elif error is None:
                answer = future.result()
                outcomes += answer.outcomes
                if answer.seconds is not None:
                    self._pace.learn(len(chunk), answer.seconds)
            elif isinstance(error, self._crew.deaths):
                outcomes += self._after_death(chunk)
            else:
                self._left.give_back(chunk)
                wrong = error
        self._keep(outcomes)
        if wrong is not None:
            raise wrong

    def _after_death(self, chunk: range) -> Iterable[Outcome]:
        """A chunk went with one worker after another: its halves may not, and one seed is to blame.

        A worker dies with all that it is at: who was beside the one to blame is tried alone.
        """
        if len(chunk) == 1 and chunk[0] not in self._alone:
            self._suspects.append(chunk[0])
            return []
        if len(chunk) == 1:
            signature = f"{work.DIED}with its worker"
            return [Outcome(chunk[0], 0, 0.0, signature, "as did those that tried before")]
        middle = len(chunk) // 2
        self._left.give_back(chunk[:middle])
        self._left.give_back(chunk[middle:])
        return []

    def _keep(self, outcomes: list[Outcome]) -> None:
        if not outcomes:
            return
        self._store.keep(outcomes)
        self._done += len(outcomes)
        for each in outcomes:
            if each.signature:
                self._failures += 1
                self._signatures.add(each.signature)
                if self._limits.failures is not None:
                    insort(self._earliest, each.seed)
                    del self._earliest[self._limits.failures :]

    def _show(self) -> None:
        self._display.show(
            Progress(
                len(self._seeds),
                self._done,
                self._failures,
                len(self._signatures),
                self._hands,
                self._stopped == INTERRUPTED,
            )
        )

    def _ending(self) -> Ending:
        summary = self.summary()
        if summary.ways and not summary.ways[0].signature.startswith(work.DIED):
            summary = attrs.evolve(summary, retold=self._retold(summary))
        complete = summary.runs == len(self._wanted())
        return Ending(summary, None if complete else self._stopped)

    def summary(self) -> Summary:
        """What became of the seeds so far."""
        return attrs.evolve(self._store.summary(self._wanted()), seeds=self._seeds)

    def _retold(self, summary: Summary) -> Retold | None:
        """The first failure once more; None if the worker that was asked is lost."""
        seed, passing = summary.ways[0].seed, summary.passing
        asked = self._crew.executor.submit(self._crew.retell, self._setup, seed, passing)
        lost: tuple[type[BaseException], ...] = (CancelledError, *self._crew.deaths)
        try:
            return asked.result()
        except lost:
            return None


@contextmanager
def interruptible(campaign: Campaign) -> Iterator[None]:
    """Within a block, Ctrl-C lets a campaign end in order; the second time it ends at once."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def interrupted(number: int, frame: object) -> None:
        signal.signal(signal.SIGINT, signal.default_int_handler)
        campaign.stop(INTERRUPTED)

    before = signal.signal(signal.SIGINT, interrupted)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
