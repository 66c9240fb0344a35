"""What tests gave on the two backends, and where that differs from what is known."""

from __future__ import annotations

from collections import Counter
from collections.abc import Container, Iterator, Mapping

import attrs

PASSED = "pass"
SKIPPED = "skip"
FAILED = "fail"


@attrs.frozen
class Result:
    """What one test gave, and its traceback or reason."""

    outcome: str
    text: str = ""


# By the id of the test.
Results = Mapping[str, Result]


@attrs.frozen
class Row:
    """A line of the table: how one module did on both backends."""

    module: str
    real: Counter[str]
    sim: Counter[str]
    # Of the tests that pass on the real kernel: how many concern what is not modelled, and how many
    # pass on the simulator too.
    outside: int
    both: int

    @property
    def expected(self) -> int:
        """How many pass on the real kernel, and are to pass on the simulator."""
        return self.real[PASSED] - self.outside

    @property
    def per_cent(self) -> float:
        """How many of those do."""
        return 100 * self.both / self.expected if self.expected else 100.0


def row(module: str, real: Results, sim: Results, not_modelled: Container[str]) -> Row:
    """The line of one module."""
    passing = [test for test in real if passes(real, test)]
    return Row(
        module,
        Counter(result.outcome for result in real.values()),
        Counter(result.outcome for result in sim.values()),
        sum(test in not_modelled for test in passing),
        sum(passes(sim, test) for test in passing),
    )


def total(rows: list[Row], name: str = "all") -> Row:
    """Several lines in one."""
    real, sim = Counter[str](), Counter[str]()
    for each in rows:
        real += each.real
        sim += each.sim
    outside = sum(each.outside for each in rows)
    return Row(name, real, sim, outside, sum(each.both for each in rows))


def by_package(rows: list[Row]) -> list[Row]:
    """One line for all modules of a package."""
    packages: dict[str, list[Row]] = {}
    for each in rows:
        packages.setdefault(each.module.partition(".")[0], []).append(each)
    return [total(group, name) for name, group in packages.items()]


def passes(results: Results, test: str) -> bool:
    """Whether a test has run and passed."""
    return test in results and results[test].outcome == PASSED


def unexpected(real: Results | None, sim: Results, known: Mapping[str, str]) -> Iterator[str]:
    """What contradicts the known failures, a sentence each.

    Without results of the real kernel a test that is skipped, or is not there, says nothing.
    """
    for test, result in sim.items():
        if result.outcome == PASSED and test in known:
            yield f"{test} passes on the simulator, but is listed: {known[test]}"
        elif real is None and result.outcome == FAILED and test not in known:
            yield f"{test} fails on the simulator\n{result.text}"
    if real is None:
        return
    for test in real:
        there = sim.get(test, Result("does not run"))
        if passes(real, test):
            if there.outcome != PASSED and test not in known:
                yield f"{test} passes on the real kernel; simulator: {there.outcome}\n{there.text}"
        elif real[test].outcome == FAILED and test in known:
            # That it is skipped depends on the machine: whether its kernel has a protocol, say.
            yield f"{test} is listed, but fails on the real kernel too\n{real[test].text}"
