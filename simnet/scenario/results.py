"""What became of a scenario on a backend, and where two backends differ."""

from __future__ import annotations

import attrs

from simnet.scenario.model import Scenario, Step, UserProgram


@attrs.frozen
class Failure:
    """A step, or the program, that did not go as the scenario says."""

    step: Step | UserProgram
    expected: str
    actual: str


@attrs.frozen
class Report:
    """What became of a scenario on one backend."""

    scenario: Scenario
    backend: str
    # One text per step that ran, equal on backends that behave alike.
    record: tuple[str, ...] = ()
    failure: Failure | None = None
    # Why it could not be played to its end, where no step is to blame.
    error: str | None = None
    events: tuple[str, ...] = ()
    # Why it was not played at all.
    skipped: str | None = None

    @property
    def status(self) -> str:
        """'ok', 'FAIL', 'error' or 'skip'."""
        if self.skipped is not None:
            return "skip"
        if self.error is not None:
            return "error"
        return "FAIL" if self.failure is not None else "ok"


def first_difference(one: Report, other: Report) -> str | None:
    """Where two backends' outcomes part, in words; None where they are equal.

    A run that failed is reported by itself; the steps after the failure are not compared.
    """
    told = one.scenario.told
    for step, here, there in zip(told, one.record, other.record, strict=False):
        if here != there:
            return f"{step.where}: {step}\n  {one.backend}: {here}\n  {other.backend}: {there}"
    return None
