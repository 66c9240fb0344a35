"""The command; see the package's docstring."""

from __future__ import annotations

import math
import sys
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor

import attrs
import click

from tests.stdlib import known, processes
from tests.stdlib.modules import Module, available
from tests.stdlib.results import (
    FAILED,
    PASSED,
    SKIPPED,
    Result,
    Row,
    by_package,
    row,
    total,
    unexpected,
)

BACKENDS = {"sim": ("sim",), "real": ("real",), "both": ("real", "sim")}


@attrs.define
class Compared:
    """A module on the backends that were asked for."""

    module: Module
    real: dict[str, Result] | None = None
    sim: dict[str, Result] | None = None
    output: dict[str, str] = attrs.field(factory=dict)

    def run(self, backend: str, match: Iterable[str]) -> None:
        """Run it on one of them."""
        results, self.output[backend] = processes.run(self.module, backend, known.not_run(), match)
        setattr(self, backend, results)

    def row(self) -> Row:
        """Its line in the table."""
        return row(self.module.name, self.real or {}, self.sim or {}, known.not_modelled())

    def unexpected(self) -> list[str]:
        """What contradicts the known failures."""
        listed = known.known()
        if self.sim is None:
            return []
        return list(unexpected(self.real, self.sim, listed))


def chosen(names: Sequence[str]) -> list[Module]:
    """The modules that were asked for: by name, or by the name of their package."""
    modules = list(available())
    if not names:
        return modules
    found = []
    for name in names:
        mine = [each for each in modules if each.name == name or each.name.startswith(f"{name}.")]
        if not mine:
            raise click.BadParameter(f"no module {name!r}; --list shows those there are")
        found += mine
    return found


def table(rows: list[Row], markdown: bool) -> list[str]:
    """The rows as text; for a page, one for each package."""
    heads = ["module"]
    heads += [f"{backend} {outcome}" for backend in ("real", "sim") for outcome in OUTCOMES]
    heads += ["not modelled", "both pass", "%"]
    shown = by_package(rows) if markdown else rows
    lines = [[*_cells(each)] for each in [*shown, total(rows)]]
    widths = [max(map(len, column)) for column in zip(heads, *lines, strict=True)]
    edge = "| " if markdown else ""
    between, end = (" | ", " |") if markdown else ("  ", "")
    ruled = ["-" * widths[0], *("-" * (width - 1) + ":" for width in widths[1:])]
    text = [heads, *([ruled] if markdown else []), *lines]
    return [
        edge
        + between.join(
            cell.ljust(width) if number == 0 else cell.rjust(width)
            for number, (cell, width) in enumerate(zip(line, widths, strict=True))
        )
        + end
        for line in text
    ]


OUTCOMES = (PASSED, SKIPPED, FAILED)


def _cells(each: Row) -> Iterable[str]:
    yield each.module
    for counted in (each.real, each.sim):
        yield from (f"{counted[outcome]:,}" for outcome in OUTCOMES)
    yield f"{each.outside:,}"
    yield f"{each.both:,} of {each.expected:,}"
    # Rounded down: 100 is all of them.
    yield f"{math.floor(each.per_cent * 10) / 10:.1f}" if each.expected else ""


@click.command()
@click.argument("modules", nargs=-1)
@click.option("--backend", type=click.Choice(list(BACKENDS)), default="both", show_default=True)
@click.option("-j", "--jobs", default=2, show_default=True, help="Processes at a time.")
@click.option("--match", multiple=True, help="Only tests whose id contains this text.")
@click.option("--list", "listing", is_flag=True, help="Show the modules, and run nothing.")
@click.option("--markdown", is_flag=True, help="The table for a page.")
@click.option("--verbose", is_flag=True, help="Show what the processes wrote, and all failures.")
@click.option("--floor", default=98.0, show_default=True, help="Per cent that must pass.")
def main(
    modules: tuple[str, ...],
    backend: str,
    jobs: int,
    match: tuple[str, ...],
    listing: bool,
    markdown: bool,
    verbose: bool,
    floor: float,
) -> None:
    """Run modules of the interpreter's own tests on the simulator and on the real kernel.

    The exit code is 1 if something differs from what failures.yaml says, or if fewer tests pass
    than they should.
    """
    selected = chosen(modules)
    if listing:
        click.echo("\n".join(each.name for each in selected))
        return
    compared = [Compared(module) for module in selected]
    with ThreadPoolExecutor(jobs) as pool:
        runs = [
            pool.submit(each.run, which, match) for each in compared for which in BACKENDS[backend]
        ]
        for run in runs:
            run.result()
    wrong = []
    for each in compared:
        if verbose:
            for which, output in each.output.items():
                click.echo(f"== {each.module.name} on {which} wrote:\n{output}")
            for which in BACKENDS[backend]:
                for test, result in (getattr(each, which) or {}).items():
                    if result.outcome == FAILED:
                        click.echo(f"== {test} on {which}:\n{result.text}")
        wrong += each.unexpected()
    for sentence in wrong:
        click.echo(f"\n{sentence.rstrip()}")
    rows = [each.row() for each in compared]
    click.echo("\n" + "\n".join(table(rows, markdown)))
    everything = total(rows)
    too_few = everything.per_cent < floor
    if wrong:
        click.echo(f"\n{len(wrong)} results that failures.yaml does not expect")
    if too_few:
        click.echo(f"\nfewer than {floor:g} % of what passes on the real kernel and is modelled")
    sys.exit(bool(wrong or too_few))


if __name__ == "__main__":
    main()
