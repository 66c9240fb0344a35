"""Backends by name, through the entry-point group `simnet.backends`."""

from __future__ import annotations

from collections.abc import Callable
from importlib.metadata import EntryPoint, entry_points
from importlib.util import find_spec

from simnet.api import Network
from simnet.scenario.places import nearest, one_of

GROUP = "simnet.backends"
# What `both` means, in the order of the report.
BOTH = ("sim", "real")


class NoBackend(LookupError):
    """A backend that was asked for cannot be had; the message says why."""


def _entries() -> dict[str, EntryPoint]:
    return {entry.name: entry for entry in entry_points(group=GROUP)}


def installed(name: str) -> bool:
    """Whether a backend is registered and its module is there (which is not imported)."""
    entry = _entries().get(name)
    if entry is None:
        return False
    try:
        return find_spec(entry.module) is not None
    except ModuleNotFoundError:
        return False


def choose(name: str | None) -> list[str]:
    """The backends that an option means; left out: both, or the one that is installed."""
    if name is None:
        present = [backend for backend in BOTH if installed(backend)]
        if not present:
            raise NoBackend(f"neither {' nor '.join(BOTH)} is installed")
        return present
    names = list(BOTH) if name == "both" else [name]
    for backend in names:
        if backend not in _entries():
            known = sorted({*_entries(), "both"})
            raise NoBackend(
                f"no backend '{backend}': expected {one_of(known)}{nearest(backend, known)}"
            )
        if not installed(backend):
            raise NoBackend(f"the backend '{backend}' is not installed")
    return names


def factory(name: str) -> Callable[[], Network]:
    """What makes a fresh network of a backend."""
    try:
        made: Callable[[], Network] = _entries()[name].load()
    except Exception as error:
        raise NoBackend(
            f"the backend '{name}' does not load: {type(error).__name__}: {error}"
        ) from error
    return made
