"""What was compared: how many programs and steps, which calls, and what they gave."""

from __future__ import annotations

import errno
from collections import Counter
from collections.abc import Sequence
from typing import Any

import attrs

from tests.differential.program import Outcome, Step


@attrs.define
class Tally:
    """What was compared."""

    programs: int = 0
    steps: int = 0
    noise: int = 0
    calls: Counter[str] = attrs.Factory(Counter)
    outcomes: Counter[tuple[str, str]] = attrs.Factory(Counter)

    def count(self, steps: Sequence[Step], outcomes: Sequence[Outcome]) -> None:
        self.programs += 1
        self.steps += len(steps)
        for step, outcome in zip(steps, outcomes, strict=True):
            self.calls[step.call] += 1
            self.outcomes[step.call, _class(step.call, outcome.value)] += 1


def _class(call: str, value: Any) -> str:
    """A result in a word: its errno or class, and whether there was data."""
    if call == "connect_ex" and isinstance(value, int):
        return errno.errorcode.get(value, "0")
    if isinstance(value, tuple) and value and isinstance(value[0], str):
        return str(value[-1]) if value[0].endswith("Error") else "address"
    if value is None or isinstance(value, str):
        return "None" if value is None else "name"
    while isinstance(value, tuple) and value:
        value = value[0]
    if isinstance(value, bytes):
        return "data" if value else "b''"
    return type(value).__name__
