"""A user's program, played in the world of its story.

On a real network it is left alone after a minute: a thread cannot be ended.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from copy import deepcopy
from types import MethodType
from typing import Any

from simnet import failures, targets
from simnet.errors import Unavailable
from simnet.scenario.backends import Backend
from simnet.scenario.model import Scenario, UserProgram
from simnet.scenario.results import Failure, Report
from simnet.scenario.setting import Setting
from simnet.scenario.stage import CannotHappen, ManyHosts, staged

Program = Callable[..., object]

# Where a wrapper that makes a test of a program keeps the program itself.
INNER = "simnet_program"
# Where such a wrapper keeps what plays an example by a seed: BySeeds of fuzzing/fuzz.py.
BY_SEED = "simnet_by_seed"
# Seconds of the wall that a program may take on a real network.
PATIENCE = 60.0


def function_of(target: str, path: str | None = None) -> Program:
    """The program of a name, also one that was wrapped; NoTarget if there is none."""
    found = targets.resolve(target, path)
    inner: Program | None = getattr(found, INNER, None)
    if inner is None:
        return found
    holder = getattr(found, "__self__", None)
    return inner if holder is None else MethodType(inner, holder)


def options(program: UserProgram) -> Mapping[str, Any]:
    """What a world with virtual time is made with, besides its seed."""
    said = {"policy": program.policy, "nasty": program.nasty, "decisions": program.decisions}
    return {name: value for name, value in said.items() if value not in (None, ())}


def run(scenario: Scenario, program: UserProgram, backend: Backend) -> Report:
    """Replay a story about a program: it must not raise, nor may a task that nobody asked."""
    assert scenario.setting is not None
    try:
        function = function_of(program.target, scenario.path)
        world = _world(scenario.setting, program, backend)
        stage = staged(world, scenario.setting, backend.virtual, scenario.happenings)
    except Unavailable as error:
        return Report(scenario, backend.name, skipped=error.strerror or str(error))
    except (targets.NoTarget, CannotHappen) as error:
        return Report(scenario, backend.name, error=str(error))
    except Exception as error:
        text = f"the backend did not start: {type(error).__name__}: {error}"
        return Report(scenario, backend.name, error=text)
    try:
        # The program may change what it is given, and is played again on another backend.
        arguments = deepcopy(dict(program.arguments))
        raised = (_call if backend.virtual else _call_for_real)(function, world, arguments)
        if not backend.virtual and isinstance(raised, AttributeError) and _is_of(raised.obj, world):
            return Report(scenario, backend.name, skipped=f"sim only: {raised.name}")
        return _report(scenario, program, backend, raised, stage)
    finally:
        world.close()


def _world(setting: Setting, program: UserProgram, backend: Backend) -> Any:
    assert backend.world is not None
    if not backend.virtual:
        return backend.world()
    return backend.world(seed=setting.seed, **options(program))


def _call(function: Program, world: Any, arguments: Mapping[str, object]) -> BaseException | None:
    try:
        function(world, **arguments)
        world.raise_unseen()
    except Exception as error:
        return error
    return None


def _call_for_real(
    function: Program, world: Any, arguments: Mapping[str, object]
) -> BaseException | None:
    raised: list[BaseException] = []

    def call() -> None:
        try:
            function(world, **arguments)
        except BaseException as error:
            raised.append(error)

    thread = threading.Thread(target=call, daemon=True)
    thread.start()
    thread.join(PATIENCE)
    if thread.is_alive():
        return TimeoutError(f"it did not end within {PATIENCE:g} seconds")
    return raised[0] if raised else None


def _is_of(thing: object, world: Any) -> bool:
    """Whether it is the world or one of its hosts."""
    return thing is world or any(thing is host for host in world.hosts.values())


def _report(
    scenario: Scenario,
    program: UserProgram,
    backend: Backend,
    raised: BaseException | None,
    stage: ManyHosts,
) -> Report:
    told = [*map(str, scenario.steps)]
    if raised is None:
        return Report(scenario, backend.name, (*told, "returns"))
    signature = failures.signature(raised)
    actual = f"raises {signature}: {failures.headline(raised)}".rstrip(": ")
    if program.found is not None:
        same = signature == program.found
        actual += "\n  as it was found" if same else f"\n  it was found to raise {program.found}"
    failure = Failure(program, "returns", actual)
    events = tuple(stage.trace_tail())
    return Report(scenario, backend.name, (*told, f"raises {signature}"), failure, events=events)
