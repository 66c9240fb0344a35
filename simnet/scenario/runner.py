"""Replays a scenario on any network: one step at a time, each call in a task of its own.

A call that blocks stays in its task while the other actors go on. Whether it blocks is decided by
the network's own clock, so that the same scenario runs in virtual and in real time.
Nothing else is decided by time, unless a step says how long it takes.
"""

from __future__ import annotations

import socket as _socket
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any

import attrs

from simnet.api import Network, Task
from simnet.errors import Unavailable
from simnet.scenario import patterns, programs, vocabulary
from simnet.scenario.backends import Backend
from simnet.scenario.expressions import CannotEvaluate, evaluate
from simnet.scenario.model import Blocks, Call, Expectation, Raises, Returns, Scenario, Step
from simnet.scenario.outcomes import (
    Blocked,
    Gone,
    Outcome,
    Raised,
    Returned,
    canonical,
    sockets_in,
)
from simnet.scenario.results import Failure, Report
from simnet.scenario.setting import Happening
from simnet.scenario.stage import CannotHappen, OneHost, Stage, staged

# Seconds until a call that should come back counts as hanging, and until one counts as blocked.
PATIENCE = 5.0
GRACE = 0.2
# How many steps before a failure its report shows, and how many lines of the backend's own trace.
LAST_EVENTS = 8


def run(
    scenario: Scenario, backend: Backend, *, patience: float = PATIENCE, grace: float = GRACE
) -> Report:
    """Replay a scenario on a fresh network, and close what it leaves open."""
    reason = _why_not(scenario, backend)
    if reason is not None:
        return Report(scenario, backend.name, skipped=reason)
    if scenario.program is not None:
        return programs.run(scenario, scenario.program, backend)
    try:
        stage = _stage(scenario, backend)
    except Unavailable as error:
        return Report(scenario, backend.name, skipped=error.strerror or str(error))
    except Exception as error:
        text = f"the backend did not start: {type(error).__name__}: {error}"
        return Report(scenario, backend.name, error=text)
    play = Play(stage, patience, grace)
    failure = problem = None
    try:
        try:
            failure = play.steps(scenario)
        finally:
            play.close()
    except CannotHappen as error:
        problem = str(error)
    except Exception as error:
        problem = f"{type(error).__name__}: {error}"
    events = tuple(play.events[-LAST_EVENTS:])
    if failure is not None or problem is not None:
        events += tuple(stage.trace_tail())
    try:
        stage.close()
    except Exception as error:
        problem = problem or f"the network did not close: {type(error).__name__}: {error}"
    return Report(scenario, backend.name, tuple(play.record), failure, problem, events)


def _why_not(scenario: Scenario, backend: Backend) -> str | None:
    """Why a backend cannot play a scenario at all."""
    if scenario.sim_only and not backend.virtual:
        return f"sim only: {', '.join(scenario.sim_only)}"
    if scenario.setting is not None and backend.world is None:
        return f"the backend '{backend.name}' has one host only"
    return None


def _stage(scenario: Scenario, backend: Backend) -> Stage:
    setting = scenario.setting
    if setting is None:
        return OneHost(backend.network())
    assert backend.world is not None
    world = backend.world(seed=setting.seed) if backend.virtual else backend.world()
    return staged(world, setting, backend.virtual)


class Play:
    """One run: the names so far, the actors that are in a blocked call, and what happened."""

    def __init__(self, stage: Stage, patience: float = PATIENCE, grace: float = GRACE) -> None:
        self.record: list[str] = []
        self.events: list[str] = []
        self._stage = stage
        self._patience = patience
        self._grace = grace
        self._names: dict[str, Any] = {}
        # The blocked calls by actor, and when they began.
        self._busy: dict[str, tuple[Task, float]] = {}
        self._open: list[Any] = []
        self._directories: dict[str, str] = {}

    def steps(self, scenario: Scenario) -> Failure | None:
        """Run the steps up to the first that goes otherwise than it should."""
        for step in scenario.steps:
            if isinstance(step, Happening):
                self._stage.happen(step)
                self._event(step, "will happen" if step.scheduled else "happens")
                self.record.append(str(step))
                continue
            failure = self._step(step)
            if failure is not None:
                return failure
        return None

    def try_out(self, step: Step) -> Outcome:
        """What a step gives of which nobody knows yet what it should; CannotEvaluate: it has none.

        A call that has not come back after the grace is blocked, and its actor busy with it.
        """
        outcome, _ = self._perform(attrs.evolve(step, expect=Blocks()))
        if isinstance(outcome, Returned):
            self._name(step, outcome.value)
        return outcome

    def busy(self, actor: str) -> Task | None:
        """The call that an actor is blocked in."""
        task = self._busy.get(actor)
        return task[0] if task is not None else None

    @property
    def names(self) -> Mapping[str, Any]:
        """What was named so far."""
        return self._names

    def _step(self, step: Step) -> Failure | None:
        try:
            outcome, seconds = self._perform(step)
            fits = self._fits(step.expect, outcome)
            in_time = step.takes is None or step.takes.matches(seconds, self._names)
        except CannotEvaluate as error:
            self._event(step, str(error))
            return Failure(step, step.expected, str(error))
        took = f" after {seconds:g} s" if step.takes is not None else ""
        self._event(step, f"{outcome}{took}")
        self.record.append(self._entry(step, outcome, fits))
        if not (fits and in_time):
            return Failure(step, step.expected, f"{outcome}{took}")
        if isinstance(outcome, Returned):
            problem = self._name(step, outcome.value)
            if problem is not None:
                return Failure(step, f"a result for {', '.join(step.names)}", problem)
        return None

    def _event(self, step: Step | Happening, what: str) -> None:
        self.events.append(f"{self._stage.stamp()}line {step.where.line}: {step} -> {what}")

    def _perform(self, step: Step) -> tuple[Outcome, float]:
        """Run the call in a task of its own, or wait for the actor's blocked one.

        What it gave comes with the seconds that it took.
        """
        now = self._stage.now
        if step.call is None:
            task, began = self._busy.pop(step.actor)
        elif self._stage.down(step.actor):
            return Gone(), 0.0
        else:
            began = now()
            net = self._stage.network(step.actor)
            call = self._bind(step.call, net)
            task = net.spawn(_outcome_of, call, now, name=step.actor)
        blocks = isinstance(step.expect, Blocks)
        patience = self._grace if blocks else self._patience_for(step)
        if not task.join(patience):
            self._busy[step.actor] = task, began
            return Blocked() if blocks else Blocked(patience), now() - began
        outcome, ended = self._result(task, step)
        return outcome, round(ended - began, 9)

    def _patience_for(self, step: Step) -> float:
        """Seconds to wait for what should come back."""
        if step.takes is None:
            return self._patience
        least, most = patterns.bounds(step.takes)
        return self._patience + (least if most is None else most)

    def _result(self, task: Task, step: Step) -> tuple[Outcome, float]:
        result: tuple[Outcome, float] | None = task.result(self._patience)
        if result is None:
            return Gone(), self._stage.now()
        outcome, ended = result
        if isinstance(outcome, Returned):
            self._open.extend(sockets_in(outcome.value))
            if step.call is not None and step.call.name == "tempdir":
                self._directories[outcome.value] = f"<directory {len(self._directories) + 1}>"
        return outcome, ended

    def _bind(self, call: Call, net: Network) -> Callable[[], Any]:
        """The call with its arguments' values, ready to run."""
        args = [evaluate(argument, self._names) for argument in call.arguments]
        keywords = {name: evaluate(value, self._names) for name, value in call.keywords.items()}
        if call.receiver is None:
            if call.name in vocabulary.PURE:
                return lambda: vocabulary.PURE[call.name].run(*args, **keywords)
            function = vocabulary.FUNCTIONS[call.name]
            return lambda: function.run(net, *args, **keywords)
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
            for task, _ in self._busy.values():
                if task.join(self._grace):
                    result = task.result(self._grace)
                    if result is not None and isinstance(result[0], Returned):
                        self._open.extend(sockets_in(result[0].value))
        for thing in reversed(self._open):
            with suppress(OSError, ValueError):
                thing.close()


def _outcome_of(call: Callable[[], Any], now: Callable[[], float]) -> tuple[Outcome, float]:
    """Run a call, and look at the clock; its exception is a value too.

    So no task ends in an exception; one without a result was ended from outside.
    """
    outcome: Outcome
    try:
        outcome = Returned(call())
    except Exception as error:
        outcome = Raised(error)
    return outcome, now()
