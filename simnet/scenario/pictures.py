"""Captures and pages of what scenarios do, for backends whose worlds record.

Such a backend makes its networks with `record=True`, and a world of its has `write_pcap` and
`write_html`. Of other backends nothing is written.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import attrs

from simnet.scenario.backends import Backend
from simnet.scenario.model import Scenario


class Pictures:
    """Where to write them, and the world of the scenario that runs."""

    def __init__(self, pcap: str | None, html: str | None) -> None:
        self._pcap = None if pcap is None else Path(pcap)
        self._html = None if html is None else Path(html)
        self._world: Any = None

    @property
    def wanted(self) -> bool:
        """Whether any shall be written."""
        return self._pcap is not None or self._html is not None

    def watch(self, backend: Backend) -> Backend:
        """The same backend, but with networks that record, if pictures are wanted and can be."""
        if not self.wanted:
            return backend
        network, world = self._watched(backend.network), self._watched(backend.world)
        return attrs.evolve(backend, network=network, world=world)

    def _watched(self, factory: Any) -> Any:
        return _Watched(factory, self._keep) if _may_record(factory) else factory

    def _keep(self, made: Any) -> None:
        self._world = getattr(made, "world", made)

    def write(self, scenario: Scenario) -> list[Path]:
        """Write what is wanted of the scenario that has run; the files."""
        world, self._world = self._world, None
        if world is None:
            return []
        return self.write_world(world, str(Path(scenario.path).with_suffix("")), scenario.name)

    def write_world(self, world: Any, name: str, title: str) -> list[Path]:
        """Write what is wanted of a world that records, in files that are named so."""
        written = []
        name = _file_name(name)
        if self._pcap is not None:
            self._pcap.mkdir(parents=True, exist_ok=True)
            for host in world.hosts:
                file = self._pcap / f"{name}.{_file_name(host)}.pcapng"
                world.write_pcap(file, host=host)
                written.append(file)
        if self._html is not None:
            self._html.mkdir(parents=True, exist_ok=True)
            file = self._html / f"{name}.html"
            world.write_html(file, title)
            written.append(file)
        return written


class _Watched:
    """A maker of networks that shows each one that it makes; otherwise it is like the maker."""

    def __init__(self, factory: Callable[..., Any], keep: Callable[[Any], None]) -> None:
        self._factory = factory
        self._keep = keep

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        made = self._factory(*args, record=True, **kwargs)
        self._keep(made)
        return made

    def __getattr__(self, name: str) -> Any:
        return getattr(self._factory, name)


def _may_record(factory: Any) -> bool:
    try:
        return "record" in inspect.signature(factory).parameters
    except (TypeError, ValueError):
        return False


def _file_name(text: str) -> str:
    """The text as one name of a file."""
    return re.sub(r"[^\w.]+", "-", text).strip("-.") or "scenario"
