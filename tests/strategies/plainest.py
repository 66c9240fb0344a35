"""What a strategy shrinks toward."""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import TypeVar

from hypothesis import HealthCheck, Phase, find, settings
from hypothesis.strategies import SearchStrategy

T = TypeVar("T")


def plainest(strategy: SearchStrategy[T], fits: Callable[[T], bool] = lambda _: True) -> T:
    """The plainest that fits; the same each time."""
    chosen = settings(
        max_examples=1000,
        # Without explaining, which goes on with other values that fit.
        phases=[Phase.generate, Phase.shrink],
        database=None,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )
    return find(strategy, fits, settings=chosen, random=Random(0))
