"""How many seeds a second are explored: of the examples' counter, and of one over asyncio.

Each number comes from a new process of its own, whose objects until then the garbage collector
leaves alone: simloop collects after every seed. Two processes share the seeds as a campaign's do.
"""

from __future__ import annotations

import gc
import importlib.util
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from statistics import median

import attrs

from simnet.exploring.explore import explore
from simnet.policies import Uniform
from tests.benchmarks import counters
from tests.examples.counter.property import program

SEEDS = 400
# Seeds that a process is given at once, and before the clock runs.
_BATCH = 20


@attrs.frozen
class Rate:
    """Seeds per second, and what they are compared with."""

    name: str
    seeds_per_second: float
    against: float | None = None


def replicated(seeds: range) -> None:
    """The worked example, with its bug: about a third of the seeds fail."""
    assert explore(program, seeds, policy=Uniform()).runs


def _on_simnet(seeds: range) -> None:
    report = explore(counters.on_simnet, seeds, policy=Uniform())
    assert not report.failures, str(report)


def _timed(
    explore_all: Callable[[list[range]], object], seeds: int, clock: Callable[[], float]
) -> float:
    """Seeds per second, after some that warm up."""
    explore_all([range(_BATCH)] * 2)
    gc.collect()
    gc.freeze()
    began = clock()
    explore_all([range(start, start + _BATCH) for start in range(0, seeds, _BATCH)])
    return seeds / (clock() - began)


def _here(
    explored: Callable[[range], None], seeds: int, clock: Callable[[], float] = time.process_time
) -> float:
    return _timed(lambda batches: [explored(batch) for batch in batches], seeds, clock)


def _two_processes(seeds: int) -> float:
    with ProcessPoolExecutor(2) as pool:
        return _timed(lambda each: list(pool.map(replicated, each)), seeds, time.perf_counter)


KINDS: dict[str, Callable[[int], float]] = {
    "one core": lambda seeds: _here(replicated, seeds),
    "one process": lambda seeds: _here(replicated, seeds, time.perf_counter),
    "two processes": _two_processes,
    "simnet": lambda seeds: _here(_on_simnet, seeds),
    "simloop": lambda seeds: _here(counters.explore_on_simloop, seeds),
}


def _measured(kind: str, seeds: int, rounds: int) -> float:
    """The median of some processes."""
    command = [sys.executable, "-m", __name__, kind, str(seeds)]
    return median(float(subprocess.check_output(command)) for _ in range(rounds))


def rates(rounds: int, seeds: int = SEEDS) -> tuple[list[Rate], list[str]]:
    """What was measured, and what could not be."""
    found = [
        Rate(
            "the counter of the examples, on three hosts",
            _measured("one core", seeds, rounds),
        ),
        Rate(
            "the same by two processes, in time of the wall; one process",
            _measured("two processes", seeds, rounds),
            _measured("one process", seeds, rounds),
        ),
    ]
    simnet = _measured("simnet", seeds, rounds)
    if importlib.util.find_spec("simloop") is None:
        missing = "simloop is not installed here: it needs Python 3.12 (the extra `bench`)."
        return [*found, Rate("a counter over asyncio", simnet)], [missing]
    simloop = _measured("simloop", seeds, rounds)
    return [*found, Rate("a counter over asyncio; simloop", simnet, simloop)], []


if __name__ == "__main__":
    print(KINDS[sys.argv[1]](int(sys.argv[2])))
