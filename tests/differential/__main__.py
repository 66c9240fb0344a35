"""Draw and compare programs until so many steps were compared, and say what they reached.

python -m tests.differential --steps 50000 [--seed N] [--subject sim] [--referee real]
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Iterable

from hypothesis import seed
from hypothesis.stateful import run_state_machine_as_test

from tests.differential.compare import Pair
from tests.differential.machine import Mismatch, machine
from tests.differential.profiles import profile
from tests.differential.tally import Tally


def main() -> int:
    """Run, and print the tally and the first difference."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, default=50_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--subject", default="sim")
    parser.add_argument("--referee", default="real")
    options = parser.parse_args()
    tally = Tally()
    programs = machine(Pair.named(options.subject, options.referee), tally)
    begin, number, found = time.perf_counter(), options.seed, ""
    while tally.steps < options.steps and not found:
        try:
            run_state_machine_as_test(seed(number)(programs), settings=profile(100))
        except Mismatch as mismatch:
            found = str(mismatch)
        number += 1
    report(tally, time.perf_counter() - begin)
    print(found or "no difference")
    return 1 if found else 0


def report(tally: Tally, seconds: float) -> None:
    """How much was compared, and how far the programs came."""
    print(
        f"{tally.steps} steps in {tally.programs} programs, {seconds:.1f} s, "
        f"{tally.steps / seconds:.0f} steps/s; {tally.noise} programs differed once but not again"
    )
    for call, count in sorted(tally.calls.items()):
        kinds = {kind: n for (name, kind), n in tally.outcomes.items() if name == call}
        print(f"{call:>12} {count:6}  {_counts(kinds.items())}")


def _counts(items: Iterable[tuple[str, int]]) -> str:
    ordered = sorted(items, key=lambda item: (-item[1], item[0]))
    return ", ".join(f"{kind} {count}" for kind, count in ordered)


if __name__ == "__main__":
    sys.exit(main())
