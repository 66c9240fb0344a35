"""Values that are shown as what they are.

Hypothesis shows what `map` and `builds` gave as a call of the function that made it, where that is
shorter; but nobody knows our functions.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

T = TypeVar("T")


@st.composite
def _made(
    draw: st.DrawFn, make: Callable[..., T], strategies: tuple[SearchStrategy[Any], ...]
) -> T:
    return make(*map(draw, strategies))


def made(make: Callable[..., T], *strategies: SearchStrategy[Any]) -> SearchStrategy[T]:
    """What a function makes of what strategies draw."""
    return _made(make, strategies)
