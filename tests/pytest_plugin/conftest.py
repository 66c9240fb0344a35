"""A run of pytest on a file of its own."""

from __future__ import annotations

import gc
import textwrap
import warnings
from typing import Protocol

import pytest

from simnet.pytest_plugin import running, worlds

# All is loaded before pytester notes which modules there are: it forgets those that come later.
assert running
worlds.load()

OTHERS = ("asyncio", "anyio", "xdist", "pytest_cov", "cacheprovider", "hypothesispytest", "timeout")


class Run(Protocol):
    """Runs pytest on the code of a test module, with options."""

    def __call__(self, code: str, *options: str, plugins: tuple[str, ...] = ()) -> pytest.RunResult:
        """Other plugins only if they are named."""


@pytest.fixture
def run(pytester: pytest.Pytester) -> Run:
    """pytest in this process."""

    def run_it(code: str, *options: str, plugins: tuple[str, ...] = ()) -> pytest.RunResult:
        pytester.makepyfile(test_it=textwrap.dedent(code))
        without = [f"-pno:{name}" for name in OTHERS if name not in plugins]
        result = pytester.runpytest_inprocess(*without, *options)
        with warnings.catch_warnings():
            # What its failed tests have left open is no fault of this one.
            warnings.simplefilter("ignore")
            gc.collect()
        return result

    return run_it


@pytest.fixture
def run_apart(pytester: pytest.Pytester) -> Run:
    """pytest in a process of its own."""

    def run_it(code: str, *options: str, plugins: tuple[str, ...] = ()) -> pytest.RunResult:
        pytester.makepyfile(test_it=textwrap.dedent(code))
        without = [f"-pno:{name}" for name in OTHERS if name not in plugins]
        return pytester.runpytest_subprocess(*without, *options)

    return run_it
