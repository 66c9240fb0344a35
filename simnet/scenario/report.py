"""Reports in words: the same ones on the command line and in pytest."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from simnet.scenario.results import Report, first_difference


def explain(report: Report) -> str:
    """Why a run is not ok: the step, the expected and the actual outcome, the last events."""
    lines = []
    if report.failure is not None:
        failure = report.failure
        lines += [
            f"{failure.step.where}: {failure.step}",
            f"  expected: {failure.expected}",
            f"  actual:   {failure.actual}",
        ]
    if report.error is not None:
        lines.append(f"{report.scenario.path}: {report.error}")
    if report.events:
        lines += ["  last events:", *(f"    {event}" for event in report.events)]
    return "\n".join(lines)


def places(files: Iterable[Path]) -> list[str]:
    """Where a run can be looked at."""
    return [f"  see {file}" for file in files]


def differences(reports: Iterable[Report]) -> str | None:
    """Where the backends of one scenario gave different outcomes; None where they agree."""
    played = [report for report in reports if report.skipped is None]
    for other in played[1:]:
        found = first_difference(played[0], other)
        if found is not None:
            return f"different outcomes: {found}"
    return None
