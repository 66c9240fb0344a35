"""Explorations as a script: the text of their reports, as JSON.

python explored.py

Races and a counter on three hosts, by seeds under each policy, and all schedules of a race: the
ways of failing, where a passing and a failing run part, what was decided in the first that failed.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

# The programs are those of other tests; this is run as a file.
sys.path.insert(0, str(Path(__file__).parents[2]))

import simnet
from simnet.exploring.exhaustive import Exhaustive
from simnet.exploring.report import Report
from simnet.policies import Fifo, Pct, Policy, Uniform
from simnet.world import World
from tests.benchmarks import counters
from tests.exploring.races import RACES, lost_update

POLICIES: tuple[Policy, ...] = (Fifo(), Uniform(), Pct(3, 60))


def impatient(world: World) -> None:
    """A counter on three hosts, which may take so long only."""
    counters.replicated(world)
    assert world.now < 1.4, "it took long"


def told(report: Report) -> list[str]:
    """Everything that is said of an exploration."""
    return [str(report), *(str(way.first) for way in report.ways)]


def tell() -> dict[str, list[str]]:
    """What is said, by what was explored."""
    found = {
        f"{race.name} by {policy}": told(simnet.explore(race.program, range(20), policy=policy))
        for race in RACES
        for policy in POLICIES
    }
    for policy in POLICIES:
        report = simnet.explore(impatient, range(8), policy=policy)
        found[f"counter by {policy}"] = told(report)
    found["all"] = told(simnet.explore(lost_update, policy=Exhaustive(preemptions=1)))
    return found


if __name__ == "__main__":
    print(json.dumps(tell()))
