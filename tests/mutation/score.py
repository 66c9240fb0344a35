"""The score of a sample: its table, and whether the floor is met.

Only a failing test, or one that never ends, counts as noticing. A mutant whose tests did not
finish in the time for it is undecided, and counts against the score: perhaps the machine is busy.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

import attrs

from tests.mutation import runner

# What the command's exit code says.
MET, BELOW, UNEXPLAINED = 0, 1, 3


@attrs.frozen
class Score:
    """How many mutants of a sample were noticed, and how many of the others are explained."""

    verdicts: Counter[str]
    explained: int
    floor: float  # per cent

    @property
    def total(self) -> int:
        return sum(self.verdicts.values())

    @property
    def killed(self) -> int:
        return self.verdicts[runner.KILLED] + self.verdicts[runner.TIMEOUT]

    @property
    def survived(self) -> int:
        return self.total - self.killed

    @property
    def percent(self) -> float:
        """Noticed of all, those explained as equivalent included."""
        return 100 * self.killed / max(self.total, 1)

    @property
    def is_met(self) -> bool:
        return self.percent >= self.floor

    def exit_code(self, *, consistent: bool) -> int:
        """Below the floor; or every survivor explained and every explanation true, or not."""
        if not self.is_met:
            return BELOW
        return MET if consistent and self.explained == self.survived else UNEXPLAINED

    def table(self) -> Iterator[str]:
        """Lines to print."""
        yield f"{'mutants':22}{self.total:6}"
        yield f"{'killed':22}{self.killed:6}"
        for verdict in (runner.KILLED, runner.TIMEOUT):
            yield f"{'  ' + verdict:22}{self.verdicts[verdict]:6}"
        yield f"{'survived':22}{self.survived:6}"
        for verdict in (runner.SURVIVED, runner.NOT_RUN, runner.UNDECIDED):
            yield f"{'  ' + verdict:22}{self.verdicts[verdict]:6}"
        yield f"{'  of these explained':22}{self.explained:6}"
        word = "met" if self.is_met else "NOT met"
        yield f"{'score':22}{self.percent:6.1f} %, floor {self.floor:g} %: {word}"
