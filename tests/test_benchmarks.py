"""Every benchmark runs, on both backends, and the command prints its table. Nothing is timed."""

from __future__ import annotations

import gc
import sys
from contextlib import ExitStack
from typing import Any

import pytest
from click.testing import CliRunner

import simnet
from simnet import World
from simnet.api import Network
from tests.benchmarks import counters, doors, network
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


def test_the_second_table_is_about_networks() -> None:
    """Segments, an hour, many hosts, and how time and memory grow with them."""
    result = CliRunner().invoke(main, ["--quick", "--markdown", "--only", "network"])
    assert result.exit_code == 0, result.output
    rows = [line.split("|")[1:-1] for line in result.output.splitlines() if line.startswith("|")]
    named = {row[0].strip(): [cell.strip() for cell in row[1:]] for row in rows}
    transfer = named["segments of a transfer over a link of 10 ms"]
    assert transfer[1] == "150,000"
    assert transfer[2] in ("yes", "NO")
    assert [name for name in named if "hosts, 10 connections each" in name] == [
        f"{count} hosts, 10 connections each" for count in (2, 5, 10, 20)
    ]
    assert named["growth with the number of hosts, as a power of it"][0].startswith("time ")


@pytest.mark.parametrize("name", doors.LOOPS)
def test_streams_echo_over_and_over(name: str) -> None:
    """On every event loop that is installed, and nothing is left behind."""
    if not doors.installed(name):
        pytest.skip(f"{name} is not installed")
    with doors.streams(doors.LOOPS[name]) as operation:
        operation(3)


@pytest.mark.parametrize("simulated", [False, True], ids=["kernel", "simulator"])
def test_requests_are_answered_over_and_over(simulated: bool) -> None:
    """Over one connection; the threads have ended afterwards."""
    with doors.requests(simulated) as operation:
        operation(3)


def test_the_third_table_is_about_unmodified_code() -> None:
    """Streams against other loops where they are installed, http, and what patching costs."""
    result = CliRunner().invoke(main, ["--quick", "--markdown", "--only", "doors"])
    assert result.exit_code == 0, result.output
    rows = [line.split("|")[1:-1] for line in result.output.splitlines() if line.startswith("|")]
    named = {row[0].strip(): [cell.strip() for cell in row[1:]] for row in rows}
    assert named["asyncio streams echo of 64 bytes; kernel"][4] == "2.5"
    assert named["http.client and http.server, a request; kernel"][4] == "3"
    assert named["a test with time.sleep(3600), making its world included"][2] == "5"
    for name in ("async-solipsism", "simloop"):
        row = f"asyncio streams echo of 64 bytes; {name}" in named
        assert row != (f"{name} is not installed" in result.output)
    (entering,) = (name for name in named if name.endswith("modules"))
    assert int(entering.split()[-2]) >= doors.MODULES


@pytest.mark.parametrize(("power", "factor"), [(1, 1.0), (1, 7.0), (2, 3.0)])
def test_a_fit_finds_the_power(power: int, factor: float) -> None:
    """Whatever the unit."""
    sizes = [125, 250, 500, 1000]
    assert network.Fit.of(sizes, [factor * size**power for size in sizes]).exponent == (
        pytest.approx(power)
    )


def test_a_packet_costs_the_same_among_many_hosts() -> None:
    """What it does is counted in calls of Python functions: none depends on how many hosts are."""

    def calls(hosts: int) -> int:
        with World() as world:
            world.default_link(latency=0.01)
            for number in range(hosts):
                world.host(f"idle{number}")
            server, client = world.host("server"), world.host("client")
            listener = server.create_server(("", 80))
            with listener, client.create_connection(("server", 80)) as sock:
                connection, _ = listener.accept()
                with connection:
                    counted = 0

                    def count(frame: Any, event: str, arg: Any) -> None:
                        nonlocal counted
                        counted += event == "call"

                    # What other tests left to the garbage collector is not to be counted.
                    gc.collect()
                    gc.disable()
                    sys.setprofile(count)
                    for _ in range(20):
                        sock.sendall(b"x" * 1000)
                        connection.recv(1000)
                        connection.sendall(b"x")
                        sock.recv(1)
                    sys.setprofile(None)
                    gc.enable()
        return counted

    assert calls(0) == calls(998)


def test_the_fourth_table_is_about_exploring() -> None:
    """A counter on three hosts, on one core and by two processes, and one over asyncio."""
    result = CliRunner().invoke(main, ["--quick", "--markdown", "--only", "exploring"])
    assert result.exit_code == 0, result.output
    rows = [line.split("|")[1:-1] for line in result.output.splitlines() if line.startswith("|")]
    named = {row[0].strip(): [cell.strip() for cell in row[1:]] for row in rows[2:]}
    alone, both, asyncio = named.values()
    assert float(alone[1]) > 0
    assert float(both[0]) > 0
    assert float(both[2]) > 0
    assert float(asyncio[1]) > 0
    assert ("simloop is not installed" in result.output) is (not asyncio[0])


def test_the_counters_that_are_explored_are_right() -> None:
    """Every seed runs to its end, also where packets are lost."""
    for program in (counters.replicated, counters.on_simnet):
        assert not simnet.explore(program, range(20)).failures
