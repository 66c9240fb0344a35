"""What the report of a failed test says of its world."""

from __future__ import annotations

import os
import shlex
import sys
from types import FrameType, TracebackType
from typing import Any

import pytest

from simnet.errors import SimnetError
from simnet.pytest_plugin.settings import SEED, is_test_case
from simnet.pytest_plugin.state import State

TITLE = "simnet"
_EVENTS = 20
_NOT_SHOWN = frozenset(("_pytest", "pluggy", "pytest", "simnet"))


def section(item: pytest.Item, state: State, running: FrameType | None = None) -> str:
    """Its seed, how to replay it, who waits where, the last events, and its files.

    `running` is where the task stands that runs; it is left out if that is in the traceback.
    """
    world = state.world
    waiting = world.scheduler.report_of_others(running)
    lines = [f"seed: {world.seed}", f"replay: {replay(item, world.seed)}", f"waiting {waiting}"]
    lines += [f"  {line}" for line in state.coroutines]
    if lines[-1].endswith(":"):
        lines[-1] += " nobody"
    events = world.trace.tail(_EVENTS)
    lines.append("last events:" if events else "nothing happened in the world")
    lines += [f"  {event}" for event in events]
    lines += [f"written: {file}" for file in state.write()]
    return "\n".join(lines)


def replay(item: pytest.Item, seed: int | str) -> str:
    """The command that runs the test again, with its seed."""
    assert item.parent is not None
    # Not item.nodeid: pytest-xdist adds the test's group to that.
    _, *classes = str(item.parent.nodeid).split("::")
    path = os.path.relpath(item.path, item.config.invocation_params.dir)
    test = "::".join([path, *classes, item.name])
    parameters = getattr(item, "callspec", None)
    if parameters is not None:
        if SEED not in parameters.params:
            test = f"{test[:-1]}-seed-{seed}]"
    elif not is_test_case(getattr(item, "cls", None)):
        test += f"[seed-{seed}]"
    return f"pytest {shlex.quote(test)} --simnet-seed {shlex.quote(str(seed))}"


def hide_frames(excinfo: pytest.ExceptionInfo[BaseException], config: pytest.Config) -> None:
    """Leave frames out of tracebacks that are not the program's (pytest's --full-trace shows them).

    Those of the simulator, and, of an error of the simulator's own, those of the standard library
    through which it was reached.
    """
    for name, module in list(sys.modules.items()):
        if name.startswith("simnet.") and module is not None:
            vars(module)["__tracebackhide__"] = _not_alone
    if isinstance(excinfo.value, SimnetError) and not config.getoption("fulltrace"):
        last = excinfo.tb
        step: TracebackType | None = last
        while step is not None:
            package = _package(step.tb_frame)
            if package != "simnet" and package not in sys.stdlib_module_names:
                last = step
            step = step.tb_next
        last.tb_next = None


def _package(frame: Any) -> str:
    return str(frame.f_globals.get("__name__", "")).partition(".")[0]


def _not_alone(excinfo: pytest.ExceptionInfo[BaseException] | None) -> bool:
    """Whether there are other frames to be shown than the simulator's and pytest's.

    A warning (of a socket that was left open, say) needs none.
    """
    if excinfo is None or isinstance(excinfo.value, Warning):
        return True
    return any(_package(entry.frame) not in _NOT_SHOWN for entry in excinfo.traceback)
