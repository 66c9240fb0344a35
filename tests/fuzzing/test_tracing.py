"""Worlds are not slowed down by Hypothesis's tracing of lines."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import simnet


def is_traced() -> bool:
    """Whether Hypothesis is told of each line that runs; other tools may be, all the same."""
    if sys.version_info >= (3, 12):
        monitoring = sys.monitoring
        return monitoring.get_tool(3) == "scrutineer" and monitoring.get_events(3) != 0
    return getattr(sys.gettrace(), "__module__", "") == "hypothesis.internal.scrutineer"


def traced_while(make: Callable[[Callable[..., None]], Callable[[], None]]) -> set[bool]:
    """Whether a test that fails for large numbers was traced."""
    seen = set()

    def program(*world: Any, number: int) -> None:
        seen.add(is_traced())
        assert number < 7

    with pytest.raises(AssertionError):
        settings(max_examples=100, database=None, derandomize=True)(make(program))()
    return seen


@pytest.mark.skipif(
    sys.version_info < (3, 12) and sys.gettrace() is not None,
    reason="Hypothesis does not trace where coverage does",
)
def test_a_program_is_not_traced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Any other test is, as soon as it has failed."""

    def test_of(program: Callable[..., None]) -> Callable[[], None]:
        @simnet.fuzz(number=st.integers(0, 1000))
        def fuzzed(world: Any, number: int) -> None:
            program(world, number=number)

        return fuzzed

    monkeypatch.chdir(tmp_path)
    assert traced_while(lambda program: given(number=st.integers(0, 1000))(program)) == {
        False,
        True,
    }
    assert traced_while(test_of) == {False}
    assert not is_traced()
