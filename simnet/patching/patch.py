"""A program patched: for the length of a `with` block its standard library is a simulated host's.

Patches nest, also those of different worlds: the latest says which host stands for code whose
context names none. What was changed is given back when the last of them ends, in whatever order and
task they end, also in modules that were imported meanwhile.

Not reached: references in attributes of instances and deep in containers (old_objects.py makes the
commonest of those objects follow), subclasses of the real `socket.socket` that were made before
(making one is refused: guards.py), C libraries that do their own system calls, what a mock that was
started outside puts back within (it is the real thing), pools of threads of a world that has ended.
Reloading a replaced module itself fails (`importlib.reload(threading)`).
"""

from __future__ import annotations

import _socket
import asyncio.events
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from types import ModuleType
from typing import TYPE_CHECKING, Any

from simnet import descriptor_calls, stdlib, tls
from simnet.current import current_host, pop_stand_in, push_stand_in
from simnet.descriptor_calls import wakeup
from simnet.errors import ForeignThread
from simnet.patching import (
    entropy,
    foreign_loops,
    guards,
    old_objects,
    thread_locals,
    trio_runs,
    watchdog,
)
from simnet.patching.places import INFRASTRUCTURE, Place, Places, in_dict
from simnet.patching.twins import MODULES, Twins

if TYPE_CHECKING:
    from simnet.host import Host


def _make_twins() -> Twins:
    twins = Twins()
    for real, twin in MODULES:
        twins.add_modules(real, twin)
    for module, names in descriptor_calls.REPLACED.items():
        for name, value in names.items():
            # (Functions of `signal` are in its twin.)
            if callable(value) and module != "signal":
                twins.add(name, vars(sys.modules[module])[name], value)
    # Libraries hold methods of sockets too, to call them with a socket.
    twins.add_methods(_socket.socket, stdlib.c_module.socket)
    twins.add_methods(socket.socket, stdlib.module.socket)
    return twins


# The real functions, for the module that starts processes: its pipes lead out of the simulation.
_real_os = ModuleType("os")
_real_os.__dict__.update(vars(os))
# C modules with some functions replaced: their own names are not searched.
_HOMES = {"os": "posix", "fcntl": "fcntl", "builtins": "builtins"}


def _home_places() -> Iterator[tuple[Place, Any]]:
    """The replaced functions of C modules, and what describes functions of `os`."""
    yield in_dict(vars(subprocess), "os"), _real_os
    for module, home in _HOMES.items():
        for name, value in descriptor_calls.REPLACED[module].items():
            if callable(value) and name in vars(sys.modules[home]):
                yield in_dict(vars(sys.modules[home]), name), value
            elif not callable(value):
                yield in_dict(vars(sys.modules[module]), name), value


_twins = _make_twins()
_all_places = Places([*_twins.reals(), *_twins.twins()])
_twin_places = Places(_twins.twins())


def _places() -> Iterator[tuple[Place, Any]]:
    """What is put in certain places, besides twins in the place of what they stand in for."""
    for module in (old_objects, guards, thread_locals):
        yield from module.places()
    yield from _home_places()


class _InForce:
    """Everything that is changed while a program is patched."""

    def __init__(self, ignore: frozenset[str]) -> None:
        self._ignore = ignore
        self._places: list[Place] = []
        self._kept: set[tuple[int, str | int]] = set()
        # Classes that derive from twins already, as those of the simulator.
        self._derived: set[type] = set()
        self._rebased: list[tuple[type, tuple[type, ...]]] = []
        self._modules: dict[str, ModuleType] = {}
        self.thread = threading.get_ident()
        # How many patches need the changes, and how to undo these.
        self.patches = 0
        self.changes = ExitStack()

    @contextmanager
    def changed(self) -> Iterator[None]:
        """The changes, within a block."""
        finders = (foreign_loops.Finder(), trio_runs.Finder(self._put, self._ignore))
        policy = asyncio.events._event_loop_policy  # type: ignore[attr-defined]
        try:
            self._swap_modules()
            self._put_twins()
            self._rebase(self._ignore)
            for place, instead in _places():
                self._put(place, instead)
            for place, refused in foreign_loops.places(self._modules, self._ignore):
                self._put(place, refused)
            # Made again when it is asked for, from the twins.
            asyncio.events._event_loop_policy = None  # type: ignore[attr-defined]
            finders[1].change_what_is_there()
            sys.meta_path[:0] = finders
            for methods in (*old_objects.METHODS, *guards.METHODS):
                methods.install()
            thread_locals.install()
            yield
        finally:
            thread_locals.remove()
            for methods in (*old_objects.METHODS, *guards.METHODS):
                methods.remove()
            old_objects.forget()
            wakeup.end()
            for finder in finders:
                if finder in sys.meta_path:
                    sys.meta_path.remove(finder)
            asyncio.events._event_loop_policy = policy  # type: ignore[attr-defined]
            self._give_back()

    def _swap_modules(self) -> None:
        for name in list(sys.modules):
            if foreign_loops.is_one(name):
                self._modules[name] = sys.modules.pop(name)
        for real, twin in MODULES:
            self._modules[real.__name__] = real
            sys.modules[real.__name__] = twin

    def _put(self, place: Place, instead: Any) -> None:
        self._places.append(place)
        place.put(instead)

    def _put_twins(self) -> None:
        for place in _all_places.find(self._ignore):
            if place.now() is not place.held:
                # Somebody has put something else there since it was found.
                continue
            if _twins.is_twin(place.held):
                # Somebody took it from the simulator itself, and shall keep it.
                self._kept.add(place.where)
                continue
            self._put(place, _twins.twin_of(place.held))

    def _rebase(self, ignore: frozenset[str]) -> None:
        """Let classes derived from real ones (threads, queues) derive from the twins."""
        simulated = {twin for _, twin in _twins.classes()}
        for twin in simulated:
            self._derived.update(twin.__subclasses__())
        real = {real for real, _ in _twins.classes()}
        for cls in real:
            below: list[type] = cls.__subclasses__()
            for derived in below:
                package = derived.__module__.partition(".")[0]
                if derived in real or derived in simulated or package in ignore:
                    continue
                if package in INFRASTRUCTURE or package == "simnet":
                    continue
                before = derived.__bases__
                try:
                    derived.__bases__ = tuple(_twins.twin_of(base) for base in before)
                except TypeError:
                    # Its layout is a C type's (the real socket's): guards.py refuses its use.
                    continue
                self._rebased.append((derived, before))

    def _give_back(self) -> None:
        for derived, bases in self._rebased:
            derived.__bases__ = bases
        for place in reversed(self._places):
            place.put(place.held)
        for name, module in self._modules.items():
            sys.modules[name] = module
        self._rebased.clear()
        self._modules.clear()
        self.take_twins_away()

    def take_twins_away(self) -> None:
        """Put real things where twins are by now: what modules took that were imported meanwhile.

        Also what was put back late; but not where one was before the patch.
        """
        for place in reversed(self._places):
            if _twins.is_twin(place.now()):
                place.put(place.held)
        for place in _twin_places.find(self._ignore):
            if place.where not in self._kept:
                place.put(_twins.real_of(place.held, place.name))
        for real, twin in _twins.classes():
            below: list[type] = twin.__subclasses__()
            for derived in below:
                if derived not in self._derived:
                    _derive_from_real(derived, real, twin)


def give_back() -> None:
    """Take twins away that were put somewhere after the latest patch; nothing in one."""
    if _latest and not _in_force:
        _latest[0].take_twins_away()


def _derive_from_real(derived: type, real: type, twin: type) -> None:
    try:
        derived.__bases__ = tuple(real if base is twin else base for base in derived.__bases__)
    except TypeError:
        # A class over simulated sockets stays one; it says itself that no host is current.
        return


_in_force: list[_InForce] = []
# The latest that was: what it left alone it leaves alone when twins are taken away once more.
_latest: list[_InForce] = []


def _begin(ignore: frozenset[str]) -> None:
    """A patch begins; the first one changes the program."""
    if not _in_force:
        force = _InForce(ignore)
        _latest[:] = [force]
        with ExitStack() as changes:
            changes.callback(_in_force.clear)
            _in_force.append(force)
            changes.enter_context(force.changed())
            changes.enter_context(tls.installed())
            force.changes = changes.pop_all()
    _in_force[0].patches += 1


def _end() -> None:
    """A patch ends; with the last one, which need not be the first, all changes do."""
    (force,) = _in_force
    force.patches -= 1
    if not force.patches:
        force.changes.close()


@contextmanager
def patched(
    host: Host,
    *,
    use_entropy: bool,
    allow: Iterable[guards.Allowed],
    watchdog_seconds: float | None,
    ignore: Iterable[str],
) -> Iterator[Host]:
    """Run a block as a patched program on a host."""
    foreign_loops.check()
    host.scheduler.check_thread()
    if _in_force and _in_force[0].thread != threading.get_ident():
        raise ForeignThread("another thread of this process has patched the program")
    ignored, allowed = frozenset(ignore), frozenset(allow)
    with ExitStack() as stack:
        stack.enter_context(watchdog.watch(host.scheduler, watchdog_seconds))
        push_stand_in(host)
        stack.callback(pop_stand_in, host)
        _begin(ignored)
        stack.callback(_end)
        guards.allow(allowed, ignored)
        stack.callback(guards.disallow, allowed, ignored)
        if use_entropy:
            stack.enter_context(entropy.in_force(host.world.seed, ignored))
        stack.enter_context(_named(host))
        yield host


@contextmanager
def _named(host: Host) -> Iterator[None]:
    """Let the context name a host, if it names another: else the stand-in is enough."""
    if current_host.get(None) is None:
        yield
        return
    token = current_host.set(host)
    try:
        yield
    finally:
        # In a task other than the one where the patch began there is nothing to reset.
        with suppress(ValueError):
            current_host.reset(token)
