"""trio in a patched program: a run that is given no clock of its own is one on the current host.

Its default clock is replaced by the host's, which makes the run a simulated one (trio_loop.py).
The rest of trio finds the twins of the modules that it uses, as every other library does. It may be
imported before the patch or within it.
"""

from __future__ import annotations

import importlib.abc
import sys
from collections.abc import Callable
from importlib.machinery import ModuleSpec, PathFinder
from types import ModuleType
from typing import Any

from simnet.current import in_foreign_thread, the_host
from simnet.patching.places import Place, in_dict

# Puts something in a place, until the patch ends.
Put = Callable[[Place, Any], None]


def _make_clock(real: Callable[[], Any]) -> Any:
    if in_foreign_thread():
        return real()
    # Here: it imports trio.
    from simnet import trio_loop

    return trio_loop.Clock(the_host())


def _change_runs(run: ModuleType, put: Put) -> None:
    clock = in_dict(vars(run), "SystemClock")
    put(clock, lambda: _make_clock(clock.held))


def _change_wakeups(wakeups: ModuleType, put: Put) -> None:
    # Asked before the interpreter is told to write to its socket on signals, a simulated one here.
    in_main = in_dict(vars(wakeups), "is_main_thread")
    put(in_main, lambda: in_foreign_thread() and in_main.held())


_CHANGES: dict[str, Callable[[ModuleType, Put], None]] = {
    "trio._core._run": _change_runs,
    "trio._core._wakeup_socketpair": _change_wakeups,
}


class Finder(importlib.abc.MetaPathFinder):
    """Changes trio, now or when it is imported."""

    def __init__(self, put: Put) -> None:
        self._put = put

    def change_what_is_there(self) -> None:
        """At the beginning of a patch."""
        for name, change in _CHANGES.items():
            if name in sys.modules:
                change(sys.modules[name], self._put)

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> ModuleSpec | None:
        change = _CHANGES.get(name)
        spec = None if change is None else PathFinder.find_spec(name, path, target)
        if change is None or spec is None or spec.loader is None:
            return None
        execute = spec.loader.exec_module

        def execute_and_change(module: ModuleType) -> None:
            execute(module)
            change(module, self._put)

        spec.loader.exec_module = execute_and_change  # type: ignore[method-assign]
        return spec
