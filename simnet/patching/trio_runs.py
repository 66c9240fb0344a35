"""trio in a patched program: a run that is given no clock of its own is one on the current host.

Its default clock is replaced by the host's, which makes the run a simulated one (trio_loop.py).
The rest of trio finds the twins of the modules that it uses, as every other library does. It may be
imported before the patch or within it.
"""

from __future__ import annotations

import importlib.abc
import sys
import threading as _real_threading
from collections.abc import Callable
from importlib.machinery import ModuleSpec, PathFinder
from types import ModuleType
from typing import Any

from simnet import threads
from simnet.current import in_foreign_thread, the_host
from simnet.patching.places import Place, in_dict

# Puts something in a place, until the patch ends.
Put = Callable[[Place, Any], None]


def _make_clock(real: Callable[[], Any]) -> Any:
    if in_foreign_thread():
        return real()
    # Here: it imports trio.
    from simnet import trio_loop

    return trio_loop.Clock(the_host(), patched=True)


def _change_runs(run: ModuleType, put: Put) -> None:
    clock = in_dict(vars(run), "SystemClock")
    put(clock, lambda: _make_clock(clock.held))


def _change_wakeups(wakeups: ModuleType, put: Put) -> None:
    # Asked before the interpreter is told to write to its socket on signals, a simulated one here.
    in_main = in_dict(vars(wakeups), "is_main_thread")
    put(in_main, lambda: in_foreign_thread() and in_main.held())


def _change_signals(signals: ModuleType, put: Put) -> None:
    # Asked before signals are received, which the main thread alone may do: all tasks are in it.
    in_main = in_dict(vars(signals), "is_main_thread")
    put(in_main, lambda: in_main.held() and _is_main(threads.threading.current_thread()))


def _is_main(thread: Any) -> bool:
    return thread in (threads.threading.main_thread(), _real_threading.main_thread())


def _change_thread_cache(cache: ModuleType, put: Put) -> None:
    # Its own, so that no thread is kept in it for another world, nor for the real system.
    put(in_dict(vars(cache), "THREAD_CACHE"), vars(cache)["ThreadCache"]())
    # It is given the number of a thread, and a simulated one crashes the C library.
    named = in_dict(vars(cache), "set_os_thread_name")
    if named.held is not None:
        put(named, lambda *args: named.held(*args) if in_foreign_thread() else None)


_CHANGES: dict[str, Callable[[ModuleType, Put], None]] = {
    "trio._core._run": _change_runs,
    "trio._core._wakeup_socketpair": _change_wakeups,
    "trio._core._thread_cache": _change_thread_cache,
    "trio._signals": _change_signals,
}


class Finder(importlib.abc.MetaPathFinder):
    """Changes trio, now or when it is imported."""

    def __init__(self, put: Put, ignore: frozenset[str]) -> None:
        self._put = put
        self._changes = {} if "trio" in ignore else _CHANGES

    def change_what_is_there(self) -> None:
        """At the beginning of a patch."""
        for name, change in self._changes.items():
            if name in sys.modules:
                change(sys.modules[name], self._put)

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> ModuleSpec | None:
        change = self._changes.get(name)
        spec = None if change is None else PathFinder.find_spec(name, path, target)
        if change is None or spec is None or spec.loader is None:
            return None
        execute = spec.loader.exec_module

        def execute_and_change(module: ModuleType) -> None:
            execute(module)
            change(module, self._put)

        spec.loader.exec_module = execute_and_change  # type: ignore[method-assign]
        return spec
