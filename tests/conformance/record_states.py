"""Record what the kernel gives for every method in every state: the data of test_states.

    python -m tests.conformance.record_states [--times 10]

Records several times over, writes expected_states/FAMILY.json, and names what was not the same
every time (the first answer is kept; the exit code is 1).
"""

from __future__ import annotations

import argparse
import json
import sys
import warnings
from pathlib import Path

from tests.conformance.state_calls import CASES, METHODS, lines
from tests.conformance.states import FAMILIES
from tests.conftest import load_backend

EXPECTED = Path(__file__).with_name("expected_states")


def expected(family: str) -> dict[str, dict[str, str]]:
    """What was recorded for a family: state, then 'method: call', then the line."""
    data: dict[str, dict[str, str]] = json.loads((EXPECTED / f"{family}.json").read_text())
    return data


def record() -> dict[str, dict[str, dict[str, str]]]:
    """One recording of everything on the kernel."""
    data: dict[str, dict[str, dict[str, str]]] = {family: {} for family in FAMILIES}
    for family, state, method in CASES:
        net = load_backend("real")
        data[family].setdefault(state, {}).update(lines(net, family, state, method))
        net.close()
    return data


def main() -> int:
    """Record, compare the recordings, write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--times", type=int, default=10)
    times = parser.parse_args().times
    warnings.simplefilter("error")
    first = record()
    unstable = set()
    for _ in range(times - 1):
        again = record()
        for family, states in first.items():
            for state, answers in states.items():
                for call, answer in answers.items():
                    if again[family][state][call] != answer:
                        unstable.add((family, state, call, answer, again[family][state][call]))
    EXPECTED.mkdir(exist_ok=True)
    for family, states in first.items():
        path = EXPECTED / f"{family}.json"
        path.write_text(json.dumps(states, indent=1, sort_keys=True) + "\n")
    for each in sorted(unstable):
        print("varies:", *each, sep="\n  ")
    count = sum(len(answers) for states in first.values() for answers in states.values())
    print(f"{len(CASES)} cases of {len(METHODS)} methods, {count} calls, {len(unstable)} unstable")
    return 1 if unstable else 0


if __name__ == "__main__":
    sys.exit(main())
