"""A pytest plugin with two uses: which test runs which line; and to run just the chosen tests.

Measuring: each test, fixtures included, is a context of the coverage measurement around pytest, and
the tests that fail without any mutant are written to the file that MUTATION_FAILED names.
Choosing: the file that MUTATION_CHOICE names has the tests to run, in order, one a line.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import coverage
import pytest


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Iterator[None]:
    """Everything up to the end of the test's last fixture is the test's."""
    measurement = coverage.Coverage.current()
    if measurement is not None:
        measurement.switch_context(item.nodeid)
    yield
    if measurement is not None:
        measurement.switch_context("")


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """A test that fails by itself cannot tell mutants apart."""
    if report.failed and "MUTATION_FAILED" in os.environ:
        with Path(os.environ["MUTATION_FAILED"]).open("a") as file:
            file.write(report.nodeid + "\n")


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Keep the chosen tests, in the order of the choice."""
    if "MUTATION_CHOICE" in os.environ:
        chosen = Path(os.environ["MUTATION_CHOICE"]).read_text().splitlines()
        found = {item.nodeid: item for item in items}
        items[:] = [found[name] for name in chosen]
