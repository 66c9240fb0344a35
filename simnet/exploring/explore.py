"""`simnet.explore`: run a program with many seeds, or all schedules, and report."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import islice
from typing import Any

from simnet.exploring.exhaustive import Exhaustive, schedules
from simnet.exploring.report import Report
from simnet.exploring.runs import Program, Run, in_a_row, replay, run
from simnet.policies import Policy, Uniform
from simnet.sources import BySeed

__all__ = ["explore", "replay"]


def explore(
    program: Program,
    seeds: Iterable[int | str] = range(100),
    *,
    policy: Policy | str | None = None,
    failures: int | None = None,
    limit: int = 100_000,
    **options: Any,
) -> Report:
    """Run `program(world)` once for each seed, each time in a new world, and report.

    `policy` says who runs next (policies.py; Uniform() if left out). With `Exhaustive(...)` all its
    schedules are run, in worlds of the first seed. A run fails with the exception that leaves the
    program, or that a task ended with and nobody asked for. After so many `failures`, or `limit`
    runs, it is enough. `options` are for each World (record=, max_steps=, ...).
    """
    if policy is None:
        policy = Uniform()
    if isinstance(policy, Exhaustive):
        seed = next(iter(seeds), 0)
        found: Iterable[Run] = schedules(program, seed, policy, options)
    else:
        chosen = policy
        found = (run(program, seed, chosen, BySeed(), options) for seed in seeds)
    runs: list[Run] = []
    failed = 0
    with in_a_row(policy):
        for each in islice(found, limit):
            runs.append(each)
            failed += each.failed
            if failures is not None and failed >= failures:
                break
    return Report(tuple(runs))
