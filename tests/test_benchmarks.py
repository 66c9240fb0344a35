"""Every benchmark runs, on both backends, and the command prints its table. Nothing is timed."""

from __future__ import annotations

from contextlib import ExitStack

import pytest
from click.testing import CliRunner

from simnet.api import Network
from tests.benchmarks.__main__ import main
from tests.benchmarks.bodies import BENCHMARKS, Benchmark
from tests.conftest import BACKENDS


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("benchmark_", BENCHMARKS, ids=lambda each: each.name)
def test_a_benchmark_does_its_operation_over_and_over(net: Network, benchmark_: Benchmark) -> None:
    """Preparing, three repetitions, and closing leave nothing behind."""
    with ExitStack() as stack:
        benchmark_.prepare(net, stack)(3)


def test_the_table_shows_the_floor_and_whether_it_is_met() -> None:
    """One row per benchmark, then the machine."""
    result = CliRunner().invoke(main, ["--quick", "--markdown", "--only", "socketpair"])
    assert result.exit_code == 0, result.output
    (row,) = (line for line in result.output.splitlines() if line.startswith("| unix socketpair"))
    assert row.split("|")[6].strip() == "2"
    assert row.split("|")[7].strip() in ("yes", "NO")
    assert "Machine: " in result.output
