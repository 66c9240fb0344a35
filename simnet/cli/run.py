"""The command `simnet run`."""

from __future__ import annotations

import sys
from collections import Counter
from pathlib import Path

import click
from rich.console import Console
from rich.text import Text

from simnet.scenario import backends, discovery, report
from simnet.scenario.model import Scenario
from simnet.scenario.pictures import Pictures
from simnet.scenario.places import Malformed
from simnet.scenario.results import Report
from simnet.scenario.runner import run

COLOURS = {
    "ok": "green",
    "skip": "yellow",
    "FAIL": "bold red",
    "error": "bold red",
    "DIFFER": "bold red",
}


@click.command("run")
@click.argument("paths", nargs=-1, required=True, metavar="PATH...")
@click.option(
    "--backend",
    metavar="sim|real|both",
    help="Where to replay: the simulator, the operating system, or both, whose outcomes must then"
    " be equal. Default: both if both are installed. Any other registered backend has its name.",
)
@click.option("-k", "word", metavar="WORD", help="Only scenarios with this in their path or name.")
@click.option(
    "--pcap",
    metavar="DIR",
    type=click.Path(file_okay=False),
    help="Write a capture of each host there, named after the scenario; of the simulator only.",
)
@click.option(
    "--html",
    metavar="DIR",
    type=click.Path(file_okay=False),
    help="Write a page with the sequence diagram there; of the simulator only.",
)
@click.option("--list", "only_list", is_flag=True, help="Name the scenarios, run nothing.")
def command(
    paths: tuple[str, ...],
    backend: str | None,
    word: str | None,
    pcap: str | None,
    html: str | None,
    only_list: bool,
) -> None:
    """Replay the scenarios of files and directories.

    One line per scenario and backend. Where a step gives something else than the scenario says, the
    step follows, with the expected and the actual outcome and the last events. A scenario that a
    backend cannot play is skipped, with the reason: "sim only: loss" needs what only a simulator
    has; one of several hosts needs network namespaces (Linux, root, iproute2) on the real backend.

    Exit code: 0 everything as expected or skipped; 1 something gave another outcome; 2 wrong usage,
    or a malformed file (each mistake as file:line:column).
    """
    try:
        scenarios = [s for s in discovery.load_all(paths) if word is None or _has(s, word)]
        names = backends.choose(backend) if not only_list else []
        pictures = Pictures(pcap, html)
        loaded = [pictures.watch(backends.load(name)) for name in names]
    except (Malformed, backends.NoBackend) as error:
        click.echo(str(error), err=True)
        sys.exit(2)
    if not scenarios:
        click.echo(f"no scenario has '{word}' in its path or name", err=True)
        sys.exit(2)
    if only_list:
        for scenario in scenarios:
            click.echo(f"{scenario.path}: {scenario.name}")
        return
    if backend is None and len(names) == 1:
        click.echo(f"note: only the backend '{names[0]}' is installed", err=True)
    output = _Output(scenarios, names)
    for scenario in scenarios:
        reports = []
        for each in loaded:
            reports.append(run(scenario, each))
            output.line(reports[-1], pictures.write(scenario))
        output.compare(reports)
    sys.exit(output.end())


def _has(scenario: Scenario, word: str) -> bool:
    return word.casefold() in f"{scenario.path} {scenario.name}".casefold()


class _Output:
    """Prints the lines and counts them. Plain text; colour only on a terminal."""

    def __init__(self, scenarios: list[Scenario], names: list[str]) -> None:
        self._console = Console(soft_wrap=True, highlight=False, markup=False, emoji=False)
        self._width = max(len(scenario.path) for scenario in scenarios)
        self._backend_width = max(map(len, names))
        self._count: Counter[str] = Counter()
        self._scenarios = len(scenarios)

    def line(self, result: Report, files: list[Path]) -> None:
        """One run; what went wrong below it, and where it can be looked at."""
        self._status(result.status, result.scenario, result.backend, result.skipped)
        if result.status not in ("ok", "skip"):
            self._details("\n".join([report.explain(result), *report.places(files)]))

    def compare(self, reports: list[Report]) -> None:
        """A line more where the backends disagree."""
        found = report.differences(reports)
        if found is not None:
            self._status("DIFFER", reports[0].scenario, "")
            self._details(found)

    def end(self) -> int:
        """The count, and the exit code."""
        runs = sum(self._count[status] for status in ("ok", "FAIL", "error"))
        parts = [f"{number} {status}" for status, number in sorted(self._count.items())]
        self._console.print(f"{self._scenarios} scenarios, {runs} runs: {', '.join(parts)}")
        return 0 if set(self._count) <= {"ok", "skip"} else 1

    def _status(
        self, status: str, scenario: Scenario, backend: str, reason: str | None = None
    ) -> None:
        self._count[status] += 1
        line = Text()
        line.append(f"{status:6}", style=COLOURS[status])
        line.append(f" {scenario.path:{self._width}}  {backend:{self._backend_width}}  ")
        line.append(scenario.name if reason is None else f"{scenario.name} ({reason})")
        self._console.print(line)

    def _details(self, text: str) -> None:
        self._console.print("\n".join(f"    {line}" for line in text.splitlines()))
