"""How the properties are run here: in the same way each time, for as long as a test may take."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from hypothesis import Phase, settings


def steady(max_examples: int) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Settings for so many examples."""
    return settings(
        max_examples=max_examples,
        derandomize=True,
        database=None,
        deadline=None,
        # Else Hypothesis looks for other failures, for ten seconds by the clock of the wall.
        report_multiple_bugs=False,
        phases=(Phase.generate, Phase.shrink),
    )
