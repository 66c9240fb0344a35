"""Replays a scenario on any network: one step at a time, each call in a task of its own.

A call that blocks stays in its task while the other actors go on. Whether it blocks is decided by
the network's own clock, so that the same scenario runs in virtual and in real time.
"""

from __future__ import annotations

import socket as _socket
import warnings
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import attrs

from simnet.api import Network, Task
from simnet.scenario import vocabulary
from simnet.scenario.expressions import CannotEvaluate, evaluate
from simnet.scenario.model import Blocks, Call, Expectation, Raises, Returns, Scenario, Step
from simnet.scenario.outcomes import Blocked, Outcome, Raised, Returned, canonical, sockets_in

# Seconds until a call that should come back counts as hanging, and until one counts as blocked.
PATIENCE = 5.0
GRACE = 0.2
# How many steps before a failure its report shows, and how many lines of the backend's own trace.
LAST_EVENTS = 8


@attrs.frozen
class Failure:
    """A step that did not go as the scenario says."""

    step: Step
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

    @property
    def status(self) -> str:
        """'ok', 'FAIL' or 'error'."""
        if self.error is not None:
            return "error"
        return "FAIL" if self.failure is not None else "ok"


def run(
    scenario: Scenario,
    backend: str,
    factory: Callable[[], Network],
    *,
    patience: float = PATIENCE,
    grace: float = GRACE,
) -> Report:
    """Replay a scenario on a fresh network, and close what it leaves open."""
    try:
        net = factory()
    except Exception as error:
        text = f"the backend did not start: {type(error).__name__}: {error}"
        return Report(scenario, backend, error=text)
    play = _Play(net, patience, grace)
    failure = problem = None
    try:
        with net:
            try:
                failure = play.steps(scenario)
            finally:
                play.close()
    except Exception as error:
        problem = f"{type(error).__name__}: {error}"
    events = tuple(play.events[-LAST_EVENTS:])
    if failure is not None or problem is not None:
        trace_tail = getattr(net, "trace_tail", None)
        events += tuple(trace_tail()) if trace_tail is not None else ()
    try:
        _end(net)
    except Exception as error:
        problem = problem or f"the network did not close: {type(error).__name__}: {error}"
    return Report(scenario, backend, tuple(play.record), failure, problem, events)


def _end(net: Network) -> None:
    """Close the network. Calls that the scenario leaves blocked are no reason to warn."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        net.close()


class _Play:
    """One run: the names so far, the actors that are in a blocked call, and what happened."""

    def __init__(self, net: Network, patience: float, grace: float) -> None:
        self.record: list[str] = []
        self.events: list[str] = []
        self._net = net
        self._patience = patience
        self._grace = grace
        self._names: dict[str, Any] = {}
        self._busy: dict[str, Task] = {}
        self._open: list[Any] = []
        self._directories: dict[str, str] = {}

    def steps(self, scenario: Scenario) -> Failure | None:
        """Run the steps up to the first that goes otherwise than it should."""
        for step in scenario.steps:
            try:
                outcome = self._perform(step)
                fits = self._fits(step.expect, outcome)
            except CannotEvaluate as error:
                self._event(step, str(error))
                return Failure(step, str(step.expect), str(error))
            self._event(step, str(outcome))
            self.record.append(self._entry(step, outcome, fits))
            if not fits:
                return Failure(step, str(step.expect), str(outcome))
            if isinstance(outcome, Returned):
                problem = self._name(step, outcome.value)
                if problem is not None:
                    return Failure(step, f"a result for {', '.join(step.names)}", problem)
        return None

    def _event(self, step: Step, what: str) -> None:
        self.events.append(f"line {step.where.line}: {step} -> {what}")

    def _perform(self, step: Step) -> Outcome:
        """Run the call in a task of its own, or wait for the actor's blocked one."""
        if step.call is None:
            task = self._busy.pop(step.actor)
        else:
            task = self._net.spawn(_outcome_of, self._bind(step.call), name=step.actor)
        patience = self._grace if isinstance(step.expect, Blocks) else self._patience
        if not task.join(patience):
            self._busy[step.actor] = task
            return Blocked() if isinstance(step.expect, Blocks) else Blocked(patience)
        return self._result(task, step)

    def _result(self, task: Task, step: Step) -> Outcome:
        outcome: Outcome = task.result(self._patience)
        if isinstance(outcome, Returned):
            self._open.extend(sockets_in(outcome.value))
            if step.call is not None and step.call.name == "tempdir":
                self._directories[outcome.value] = f"<directory {len(self._directories) + 1}>"
        return outcome

    def _bind(self, call: Call) -> Callable[[], Any]:
        """The call with its arguments' values, ready to run."""
        args = [evaluate(argument, self._names) for argument in call.arguments]
        keywords = {name: evaluate(value, self._names) for name, value in call.keywords.items()}
        if call.receiver is None:
            if call.name in vocabulary.PURE:
                return lambda: vocabulary.PURE[call.name].run(*args, **keywords)
            function = vocabulary.FUNCTIONS[call.name]
            return lambda: function.run(self._net, *args, **keywords)
        receiver = self._names[call.receiver]
        if call.name in vocabulary.PAYLOAD_FIRST or vocabulary.takes_bytes(receiver, call.name):
            args[:1] = map(vocabulary.as_bytes, args[:1])
        method = getattr(receiver, call.name)
        return lambda: method(*args, **keywords)

    def _fits(self, expect: Expectation, outcome: Outcome) -> bool:
        match expect, outcome:
            case Returns(pattern), Returned(value):
                return pattern is None or pattern.matches(value, self._names)
            case Raises(name), Raised():
                return name in outcome.names()
            case Blocks(), Blocked():
                return True
        return False

    def _entry(self, step: Step, outcome: Outcome, fits: bool) -> str:
        """What to compare between backends: what a pattern leaves open stays open."""
        if fits and isinstance(step.expect, Returns) and step.expect.pattern is not None:
            return str(step.expect)
        varies = step.call is not None and step.call.name in vocabulary.VARYING
        if varies and isinstance(outcome, Returned) and outcome.value != -1:
            return "returns"
        return canonical(outcome, self._directories)

    def _name(self, step: Step, value: Any) -> str | None:
        """Give the result its names; say why that cannot be."""
        if step.name is not None:
            self._names[step.name] = value
        if not step.names:
            return None
        if not isinstance(value, list | tuple) or len(value) != len(step.names):
            return f"a result without {len(step.names)} parts"
        self._names |= dict(zip(step.names, value, strict=True))
        return None

    def close(self) -> None:
        """Close what the scenario opened, after waking the calls that are still blocked in it."""
        if self._busy:
            for sock in self._open:
                with suppress(OSError, AttributeError):
                    sock.shutdown(_socket.SHUT_RDWR)
            for task in self._busy.values():
                if task.join(self._grace):
                    outcome = task.result(self._grace)
                    if isinstance(outcome, Returned):
                        self._open.extend(sockets_in(outcome.value))
        for thing in reversed(self._open):
            with suppress(OSError, ValueError):
                thing.close()


def _outcome_of(call: Callable[[], Any]) -> Outcome:
    """Run a call; its exception is a value too, so that no task ends in one."""
    try:
        return Returned(call())
    except Exception as error:
        return Raised(error)


def first_difference(one: Report, other: Report) -> str | None:
    """Where two backends' outcomes part, in words; None where they are equal.

    A run that failed is reported by itself; the steps after the failure are not compared.
    """
    steps = one.scenario.steps
    for step, here, there in zip(steps, one.record, other.record, strict=False):
        if here != there:
            return f"{step.where}: {step}\n  {one.backend}: {here}\n  {other.backend}: {there}"
    return None
