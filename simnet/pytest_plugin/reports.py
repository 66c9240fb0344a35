"""What the report of a failed test says of its world."""

from __future__ import annotations

import shlex
import sys
from types import FrameType
from typing import Any

import pytest

from simnet.pytest_plugin.settings import SEED, is_test_case
from simnet.pytest_plugin.state import State

TITLE = "simnet"
_EVENTS = 20


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
    lines += [f"written: {file}" for file in state.files]
    return "\n".join(lines)


def replay(item: pytest.Item, seed: int | str) -> str:
    """The command that runs the test again, with its seed."""
    assert item.parent is not None
    # Not item.nodeid: pytest-xdist adds the test's group to that.
    test = f"{item.parent.nodeid}::{item.name}"
    parameters = getattr(item, "callspec", None)
    if parameters is not None:
        if SEED not in parameters.params:
            test = f"{test[:-1]}-seed-{seed}]"
    elif not is_test_case(getattr(item, "cls", None)):
        test += f"[seed-{seed}]"
    config: Any = item.config
    test = config.cwd_relative_nodeid(test)
    return f"pytest {shlex.quote(test)} --simnet-seed {shlex.quote(str(seed))}"


def hide_frames() -> None:
    """Leave the simulator's own frames out of tracebacks (pytest's --full-trace shows them)."""
    for name, module in list(sys.modules.items()):
        if name.startswith("simnet.") and module is not None:
            vars(module).setdefault("__tracebackhide__", True)
