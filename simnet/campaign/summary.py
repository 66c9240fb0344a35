"""What became of a campaign, in words: the same for the same seeds, wherever and however run."""

from __future__ import annotations

import attrs

from simnet.campaign.work import Retold


@attrs.frozen
class Way:
    """One way of failing: how often, the first seed, what it said, and its story if known."""

    signature: str
    count: int
    seed: int
    message: str
    story: str | None = attrs.field(default=None, repr=False)


@attrs.frozen
class Summary:
    """Those of some seeds that were run: how many, and in which ways they failed.

    `covered` are the seeds that this is about, if so many failures were enough the first ones.
    `passing` is the last seed before the first failing one that passed; `retold` is the latter once
    more.
    """

    seeds: range
    covered: range
    runs: int
    ways: tuple[Way, ...]
    passing: int | None
    retold: Retold | None = None

    @property
    def failed(self) -> int:
        """How many runs failed."""
        return sum(way.count for way in self.ways)

    def __str__(self) -> str:
        wanted = len(self.seeds)
        runs = f"{wanted} runs" if self.runs == wanted else f"{self.runs} of {wanted} runs"
        lines = [f"{runs}: {self.failed} failed, in {len(self.ways)} ways"]
        for way in self.ways:
            times = f"{way.count} times, first with seed {way.seed}"
            lines.append(f"  {way.signature}: {times}: {way.message}")
        return "\n".join(lines + self._about_the_first())

    def _about_the_first(self) -> list[str]:
        if self.retold is None:
            return []
        first = self.ways[0]
        if self.retold.signature != first.signature:
            return [
                f"seed {first.seed} {_ended(self.retold)} when it was run again: does the program "
                "keep something from run to run, or ask the real clock?"
            ]
        if not self.retold.parting:
            return []
        return [
            f"the last run that passed before (one: seed {self.passing}), and the first that "
            f"failed (other: seed {first.seed}):",
            self.retold.parting,
        ]


def _ended(retold: Retold) -> str:
    return f"failed with {retold.signature}" if retold.signature else "passed"
