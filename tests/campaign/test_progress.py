"""Progress is shown as a bar on a terminal, and elsewhere as a line now and then."""

from __future__ import annotations

import io

from rich.console import Console

from simnet.campaign.campaign import Progress
from simnet.campaign.progress import Display


class Clock:
    """Tells the time that it is given."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def shown(terminal: bool, *steps: tuple[float, Progress]) -> str:
    """What is written when things stand so at these times, in seconds from the beginning."""
    clock, file = Clock(), io.StringIO()
    console = Console(file=file, force_terminal=terminal, width=100, color_system=None)
    with Display(console, clock) as display:
        for after, progress in steps:
            clock.now = 1000.0 + after
            display.show(progress)
    return file.getvalue()


def test_a_line_is_written_now_and_then() -> None:
    """With the speed of what was run since, how many failures differ, and the time left."""
    steps = [(0.1 * i, Progress(1000, 500 + i, i // 10, 1, 2, False)) for i in range(201)]
    assert shown(False, *steps).splitlines() == [
        "600 of 1000 seeds, 10/s, 10 failures, 1 distinct, 0:00:40 left",
        "700 of 1000 seeds, 10/s, 20 failures, 1 distinct, 0:00:30 left",
    ]


def test_a_bar_moves_with_the_same_words() -> None:
    """On a terminal."""
    steps = [(0.5 * i, Progress(100, 10 * i, 0, 0, 2, False)) for i in range(3)]
    text = shown(True, *steps)
    assert "20 of 100 seeds, 20/s, 0 failures, 0 distinct, 0:00:04 left" in text
    assert "━" in text


def test_a_campaign_without_workers_says_so() -> None:
    """Instead of a time that nobody knows."""
    steps = [(0, Progress(100, 0, 0, 0, 0, False)), (20, Progress(100, 0, 0, 0, 0, False))]
    assert shown(False, *steps) == "0 of 100 seeds, 0 failures, 0 distinct, no workers\n"


def test_an_interruption_is_noticed_at_once() -> None:
    """Once."""
    steps = [(0.1 * i, Progress(100, 50, 0, 0, 2, i > 0)) for i in range(5)]
    assert shown(False, *steps) == (
        "50 of 100 seeds, 0 failures, 0 distinct, "
        "what runs is being finished (Ctrl-C again: at once)\n"
    )


def test_the_speed_is_that_of_the_last_seconds() -> None:
    """A slow beginning is forgotten."""
    slow = [(float(i), Progress(10_000, i, 0, 0, 2, False)) for i in range(60)]
    fast = [(60.0 + i, Progress(10_000, 60 + 100 * i, 0, 0, 2, False)) for i in range(41)]
    assert shown(False, *slow, *fast).splitlines()[-1].startswith("4060 of 10000 seeds, 100/s")
