"""The command; see the package's docstring."""

from __future__ import annotations

import os
import platform
import statistics
import sys
from pathlib import Path

import click
from rich.console import Console
from rich.table import Table

from tests.benchmarks import doors, exploring, network
from tests.benchmarks.bodies import BENCHMARKS
from tests.benchmarks.measure import Row, measure

NETWORK_HEADINGS = ["many hosts, and links with latency", "simulator", "floor", "met"]
DOORS_HEADINGS = ["unmodified code; against", "other, µs", "simulator, µs", "ratio"]
DOORS_HEADINGS += ["ratio of minima", "floor", "met"]
COSTS_HEADINGS = ["patching", "ms", "least, ms", "floor, ms", "met"]
EXPLORING_HEADINGS = ["exploring; against", "other, seeds/s", "seeds/s", "ratio"]
HEADINGS = ["", "kernel, µs", "simulator, µs", "ratio", "ratio of minima", "floor", "met"]


def machine() -> str:
    """What the numbers were measured on."""
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    models = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    model = models[0] if models else platform.processor() or platform.machine()
    cores = len(os.sched_getaffinity(0))
    python = f"{platform.python_implementation()} {platform.python_version()}"
    return f"{model}, {cores} cores, {platform.system()} {platform.release()}, {python}"


def cells(row: Row) -> list[str]:
    """One line of the table."""
    ratio, floor = row.ratio(), row.benchmark.floor
    return [
        row.benchmark.name,
        f"{statistics.median(row.kernel) * 1e6:.2f}",
        f"{statistics.median(row.simulator) * 1e6:.2f}",
        f"{ratio:.1f}",
        f"{row.ratio(min):.1f}",
        "" if floor is None else f"{floor:g}",
        "" if floor is None else "yes" if ratio >= floor else "NO",
    ]


def network_cells(line: network.Measured) -> list[str]:
    """One line of the second table."""
    return [
        line.name,
        line.value,
        line.floor,
        "" if line.met is None else "yes" if line.met else "NO",
    ]


def doors_cells(row: doors.Row) -> list[str]:
    """One line of the table of unmodified code."""
    ratio = row.ratio()
    return [
        row.name,
        f"{statistics.median(row.other) * 1e6:.2f}",
        f"{statistics.median(row.simulator) * 1e6:.2f}",
        f"{ratio:.1f}",
        f"{row.ratio(min):.1f}",
        f"{row.floor:g}",
        "yes" if ratio >= row.floor else "NO",
    ]


def costs_cells(cost: doors.Cost) -> list[str]:
    """One line of the table of what patching costs."""
    seconds, floor = statistics.median(cost.seconds), cost.floor
    return [
        cost.name,
        f"{seconds * 1e3:.1f}",
        f"{min(cost.seconds) * 1e3:.1f}",
        "" if floor is None else f"{floor * 1e3:g}",
        "" if floor is None else "yes" if seconds < floor else "NO",
    ]


def exploring_cells(rate: exploring.Rate) -> list[str]:
    """One line of the table of exploring."""
    other = rate.against
    return [
        rate.name,
        "" if other is None else f"{other:.0f}",
        f"{rate.seeds_per_second:.0f}",
        "" if other is None else f"{rate.seeds_per_second / other:.2f}",
    ]


def show(headings: list[str], lines: list[list[str]], markdown: bool) -> None:
    """A table, for a terminal or for a README."""
    if markdown:
        for line in [headings, ["---", *["--:"] * (len(headings) - 1)], *lines]:
            click.echo(f"| {' | '.join(line)} |")
    else:
        table = Table(*headings)
        for line in lines:
            table.add_row(*line)
        Console(width=120).print(table)


def notes(rows: list[Row], rounds: int, seconds: float) -> list[str]:
    """What a reader of the numbers should know."""
    lines = [
        f"Machine: {machine()}.",
        f"Times are medians of {rounds} rounds of about {seconds * 1000:g} ms, for one operation; "
        "the ratio is kernel to simulator, of the medians. The backends take turns; each round is "
        "a fresh network and a warm-up; the garbage collector rests while the clock runs.",
    ]
    for row in rows:
        if row.bytes_each is not None:
            lines.append(
                f"{row.benchmark.name}: {row.bytes_each:,.0f} bytes in the simulator (both ends, "
                f"by tracemalloc); {row.kernel_repetitions:,} connections on the kernel."
            )
    return lines


@click.command()
@click.option("--rounds", default=9, show_default=True, help="Rounds of each benchmark.")
@click.option("--seconds", default=0.1, show_default=True, help="Length of a round.")
@click.option("--quick", is_flag=True, help="3 short rounds: a look, not a measurement.")
@click.option("--markdown", is_flag=True, help="A table for a README.")
@click.option("--pin", is_flag=True, help="Stay on one processor.")
@click.option("--only", default="", help="Just those with this word in their name.")
def main(rounds: int, seconds: float, quick: bool, markdown: bool, pin: bool, only: str) -> None:
    """Time the simulator against this machine's kernel."""
    if pin:
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    rounds, seconds, scale = (3, 0.01, 0.1) if quick else (rounds, seconds, 1.0)
    few = min(rounds, 3)
    rows = []
    for benchmark in (b for b in BENCHMARKS if only in b.name):
        click.echo(f"{benchmark.name} ...", file=sys.stderr)
        rows.append(measure(benchmark, rounds=rounds, seconds=seconds, scale=scale))
    if rows:
        show(HEADINGS, [cells(row) for row in rows], markdown)
        click.echo("\n" + "\n".join(notes(rows, rounds, seconds)))
    if only in "doors":
        click.echo("\ndoors ...", file=sys.stderr)
        compared, remarks = doors.compare(rounds, scale)
        click.echo()
        show(DOORS_HEADINGS, [doors_cells(row) for row in compared], markdown)
        click.echo()
        show(COSTS_HEADINGS, [costs_cells(cost) for cost in doors.costs(few)], markdown)
        click.echo(f"\nMachine: {machine()}.")
        click.echo(
            f"Medians of {rounds} rounds, of {few} processes for patching; in time of the "
            "processor, but for requests, which wait for threads."
        )
        for remark in remarks:
            click.echo(remark)
    if only in "exploring":
        click.echo("\nexploring ...", file=sys.stderr)
        rates, remarks = exploring.rates(
            1 if quick else few, exploring.SEEDS // (10 if quick else 1)
        )
        click.echo()
        show(EXPLORING_HEADINGS, [exploring_cells(rate) for rate in rates], markdown)
        click.echo(f"\nMachine: {machine()}.")
        click.echo(f"Medians of {few} processes, in time of the processor if nothing is said.")
        for remark in remarks:
            click.echo(remark)
    if only in "network":
        click.echo("\nnetwork ...", file=sys.stderr)
        lines = network.measure(few, scale=0.02 if quick else 1.0)
        click.echo()
        show(NETWORK_HEADINGS, [network_cells(line) for line in lines], markdown)
        click.echo(f"\nMachine: {machine()}.")
        click.echo(f"Medians of {few} runs, in time of the processor; memory by tracemalloc.")


if __name__ == "__main__":
    main()
