"""How far a campaign is, on standard error: a bar where that is a terminal, else a line at times.

The bar is drawn between chunks of work, by no thread of its own: a program that is patched in this
process would find it.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from datetime import timedelta
from types import TracebackType

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn

from simnet.campaign import campaign

# How often a bar is drawn, and how often a line is printed, in seconds.
_BAR = 0.1
_LINE = 10.0
# The speed is that of the last so many seconds.
_WINDOW = 15.0
_INTERRUPTED = "what runs is being finished (Ctrl-C again: at once)"


class Display:
    """Shows progress within a block."""

    def __init__(
        self, console: Console | None = None, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._console = console or Console(stderr=True, soft_wrap=True, highlight=False)
        self._clock = clock
        self._bar = Progress(
            BarColumn(),
            TextColumn("{task.description}", markup=False),
            console=self._console,
            auto_refresh=False,
            transient=True,
            redirect_stdout=False,
            redirect_stderr=False,
        )
        self._task = self._bar.add_task("", total=None)
        self._shown = clock()
        self._told = False
        self._seen: deque[tuple[float, int]] = deque()

    def __enter__(self) -> Display:
        if self._console.is_terminal:
            self._bar.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._console.is_terminal:
            self._bar.stop()

    def show(self, progress: campaign.Progress) -> None:
        """Things stand so now; it is drawn or printed now and then."""
        now = self._clock()
        if not self._seen:
            self._seen.append((now, progress.done))
        # Whoever has interrupted it is to see that it was noticed.
        news = progress.interrupted and not self._told
        if not news and now - self._shown < (_BAR if self._console.is_terminal else _LINE):
            return
        self._told = progress.interrupted
        self._shown = now
        words = self._words(progress, now)
        if self._console.is_terminal:
            self._bar.update(
                self._task,
                description=words,
                total=progress.wanted,
                completed=progress.done,
                refresh=True,
            )
        else:
            self._console.print(words, markup=False)

    def _words(self, progress: campaign.Progress, now: float) -> str:
        """Speed and time left are of the last seconds, in which some seeds were run."""
        while len(self._seen) > 1 and self._seen[1][0] < now - _WINDOW:
            self._seen.popleft()
        then, done = self._seen[0]
        self._seen.append((now, progress.done))
        parts = [f"{progress.done} of {progress.wanted} seeds"]
        run = progress.done - done
        if run and now > then:
            parts.append(f"{run / (now - then):.0f}/s")
        parts.append(f"{progress.failures} failures")
        parts.append(f"{progress.distinct} distinct")
        if progress.interrupted:
            parts.append(_INTERRUPTED)
        elif not progress.hands:
            parts.append("no workers")
        elif run:
            left = (progress.wanted - progress.done) * (now - then) / run
            parts.append(f"{timedelta(seconds=round(left))} left")
        return ", ".join(parts)
