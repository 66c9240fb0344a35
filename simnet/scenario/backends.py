"""Backends by name, through the entry-point groups `simnet.backends` and `simnet.worlds`.

The first makes a network of one host. The second, under the same name, makes a topology of several;
a backend may lack it. If what makes it has an attribute `virtual_time` that is true, it takes a
`seed`, and its topologies have virtual time and faults at will: simulators do.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib.metadata import EntryPoint, entry_points
from importlib.util import find_spec
from typing import Any

import attrs

from simnet.api import Network, Topology
from simnet.scenario.places import nearest, one_of

GROUP = "simnet.backends"
WORLDS = "simnet.worlds"
# What `both` means, in the order of the report.
BOTH = ("sim", "real")


class NoBackend(LookupError):
    """A backend that was asked for cannot be had; the message says why."""


@attrs.frozen
class Backend:
    """What makes fresh networks: of one host, and of several if it can."""

    name: str
    network: Callable[[], Network]
    world: Callable[..., Topology] | None = None

    @property
    def virtual(self) -> bool:
        """Whether its worlds are a simulator's."""
        return bool(getattr(self.world, "virtual_time", False))


def _entries(group: str = GROUP) -> dict[str, EntryPoint]:
    return {entry.name: entry for entry in entry_points(group=group)}


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


def load(name: str) -> Backend:
    """A backend that is installed."""
    world = _entries(WORLDS).get(name)
    return Backend(name, _load(_entries()[name]), None if world is None else _load(world))


def _load(entry: EntryPoint) -> Any:
    try:
        return entry.load()
    except Exception as error:
        raise NoBackend(
            f"the backend '{entry.name}' does not load: {type(error).__name__}: {error}"
        ) from error
