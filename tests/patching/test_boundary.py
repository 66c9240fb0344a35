"""The registry of calls at the boundary, held to the interpreter and to the patch."""

from __future__ import annotations

import importlib
import signal
import sys
import time
from collections.abc import Callable
from concurrent.futures import Executor
from types import ModuleType
from typing import Any

import pytest

from simnet.errors import RealCall
from simnet.patching.boundary import ALL, REFUSED, REGISTRY, SIMULATED, Entry
from simnet.world import World

MODULES = sorted({entry.module for entry in REGISTRY})
# Modules of which only some calls are a boundary; the rest of them computes.
PARTLY = (
    "builtins",
    "datetime",
    "io",
    "multiprocessing.process",
    "random",
    "secrets",
    "ssl",
    "uuid",
)
# Calls whose C function is the same object under a patch, and that follow all the same: their type
# or generator is changed in place.
IN_PLACE = {("datetime", "date"), ("datetime", "datetime"), ("random", "Random")}


def calls(module: ModuleType) -> set[str]:
    """The functions and classes that a module shows."""
    return {
        name for name, value in vars(module).items() if callable(value) and not name.startswith("_")
    }


def entries(module: str) -> list[Entry]:
    """What the registry says of a module."""
    return [entry for entry in REGISTRY if entry.module == module]


@pytest.mark.parametrize("name", [name for name in MODULES if name not in PARTLY])
def test_every_call_of_a_module_is_in_the_registry(name: str) -> None:
    """By its name; modules that are executed a second time as a whole."""
    listed = {call for entry in entries(name) for call in entry.names}
    if listed != {ALL}:
        missing = calls(importlib.import_module(name)) - listed
        assert not missing, f"{name}: what happens to {sorted(missing)}?"


@pytest.mark.parametrize("name", MODULES)
def test_no_call_is_in_it_twice(name: str) -> None:
    """One thing happens to each."""
    listed = [call for entry in entries(name) for call in entry.names]
    assert sorted(listed) == sorted(set(listed))


def own(module: ModuleType, entry: Entry) -> list[str]:
    """The calls of an entry that this version of Python has."""
    if entry.names != [ALL]:
        return [name for name in entry.names if hasattr(module, name)]
    listed = {call for each in entries(entry.module) for call in each.names}
    return sorted(
        name
        for name in calls(module) - listed
        if getattr(vars(module)[name], "__module__", None) == entry.module
        and not _is_value(vars(module)[name])
    )


def _is_value(value: Any) -> bool:
    """Exceptions, enumerations and named tuples: nothing happens to them."""
    return isinstance(value, type) and issubclass(value, (Exception, int, str, tuple, Executor))


@pytest.mark.parametrize("entry", REGISTRY, ids=lambda e: f"{e.module}-{e.how}-{e.names[0]}")
def test_what_it_says_of_a_call_is_what_a_patch_does(entry: Entry) -> None:
    """Simulated ones and refused ones are replaced, and what passes through is not."""
    real = importlib.import_module(entry.module)
    names = own(real, entry)
    before = {name: getattr(real, name) for name in names}
    with World() as world, world.patch(entropy=True):
        after = {name: getattr(sys.modules[entry.module], name) for name in names}
    for name in names:
        if (entry.module, name) in IN_PLACE or entry.how == REFUSED:
            continue
        replaced = after[name] is not before[name]
        assert replaced == (entry.how == SIMULATED), f"{entry.module}.{name}"


def refusals() -> dict[tuple[str, str], Callable[[Any], Any]]:
    """How to call what is refused."""
    argv: tuple[Any, ...] = ("/bin/true", ["true"])
    found: dict[tuple[str, str], Callable[[Any], Any]] = {}
    for name in ("execl", "execlp"):
        found["os", name] = lambda f: f("/bin/true", "true")
    for name in ("execle", "execlpe"):
        found["os", name] = lambda f: f("/bin/true", "true", {})
    for name in ("execv", "execvp"):
        found["os", name] = lambda f: f(*argv)
    for name in ("execve", "execvpe", "posix_spawn", "posix_spawnp"):
        found["os", name] = lambda f: f(*argv, {})
    for name in ("spawnl", "spawnlp"):
        found["os", name] = lambda f: f(0, "/bin/true", "true")
    for name in ("spawnle", "spawnlpe"):
        found["os", name] = lambda f: f(0, "/bin/true", "true", {})
    for name in ("spawnv", "spawnvp"):
        found["os", name] = lambda f: f(0, *argv)
    for name in ("spawnve", "spawnvpe"):
        found["os", name] = lambda f: f(0, *argv, {})
    for name in ("fork", "forkpty"):
        found["os", name] = lambda f: f()
    for name in ("popen", "system"):
        found["os", name] = lambda f: f("true")
    found["os", "timerfd_create"] = lambda f: f(1)
    for name in ("timerfd_gettime", "timerfd_gettime_ns"):
        found["os", name] = lambda f: f(0)
    for name in ("timerfd_settime", "timerfd_settime_ns"):
        found["os", name] = lambda f: f(0)
    for name in ("Popen", "call", "check_call", "check_output", "run"):
        found["subprocess", name] = lambda f: f(["true"])
    for name in ("getoutput", "getstatusoutput"):
        found["subprocess", name] = lambda f: f("true")
    return found


@pytest.mark.parametrize(
    ("module", "name"),
    [
        (entry.module, name)
        for entry in REGISTRY
        if entry.how == REFUSED and entry.module in ("os", "subprocess")
        for name in entry.names
        if hasattr(importlib.import_module(entry.module), name)
    ],
)
def test_what_is_refused_says_so(module: str, name: str) -> None:
    """Each of them, called as programs call it; the real one has no chance."""
    call = refusals()[module, name]
    with World() as world, world.patch(), pytest.raises(RealCall):
        call(getattr(sys.modules[module], name))


def test_a_process_of_multiprocessing_is_refused() -> None:
    """By any way of starting one."""
    import multiprocessing

    for method in ("fork", "spawn", "forkserver"):
        process = multiprocessing.get_context(method).Process(target=print)  # type: ignore[attr-defined]
        with World() as world, world.patch(), pytest.raises(RealCall):
            process.start()


def test_clocks_and_waits_that_are_refused() -> None:
    """With an error that says what to do instead."""
    with World() as world, world.patch():
        with pytest.raises(PermissionError):
            time.clock_settime(time.CLOCK_REALTIME, 0)
        with pytest.raises(Exception, match="would wait in real time"):
            signal.sigwait([signal.SIGUSR1])
