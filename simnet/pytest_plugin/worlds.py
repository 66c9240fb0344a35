"""The world of a test: made as its marker says, watched, and ended with it.

The world ends after the fixtures that were made in it. What is then open fails the test, unless
something else did; before that, what the garbage collector closes may close (with a ResourceWarning
of its own).
"""

from __future__ import annotations

import gc
import traceback
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from simnet import World
from simnet.pytest_plugin import reports, settings
from simnet.pytest_plugin.options import Seed
from simnet.pytest_plugin.settings import BadMarker, Settings
from simnet.pytest_plugin.state import STATE, State

if TYPE_CHECKING:
    pass


def load() -> None:
    """Load all of the simulator: while a test runs, it may have replaced parts of the library."""
    World().patch()


def make(wanted: Settings, seed: Seed, *, record: bool = False) -> World:
    """A world with its hosts and links; BadMarker, TypeError or ValueError if it cannot be."""
    world = World(seed=seed, record=record, nasty=wanted.nasty)
    for name, addresses in wanted.hosts.items():
        world.host(name, ip=addresses)
    for_all = {key: value for key, value in wanted.links.items() if not _is_pair(key)}
    world.default_link(**for_all)
    for key, conditions in wanted.links.items():
        if _is_pair(key):
            for source, target in _directions(key, tuple(wanted.hosts)):
                world.link(source, target, symmetric=False, **conditions)
    return world


def _is_pair(key: Any) -> bool:
    return isinstance(key, tuple) or ">" in key


def _directions(key: Any, hosts: tuple[str, ...]) -> list[tuple[str, str]]:
    text = " <-> ".join(map(str, key)) if isinstance(key, tuple) else key
    from simnet.scenario import ways
    from simnet.scenario.places import Place

    if not hosts:
        raise BadMarker(f"links= speaks of {text!r}, but hosts= names no hosts")
    way, mistakes = ways.read(text, Place("links="), False, hosts)
    if way is None:
        raise BadMarker("links=: " + "; ".join(mistake.text for mistake in mistakes))
    return list(way.directions())


def lifetime(item: pytest.Function, seed: Seed) -> Iterator[World]:
    """The body of the fixture `world`."""
    pcap, html = map(item.config.getoption, ("--simnet-pcap", "--simnet-html"))
    world = make(settings.read(item), seed, record=pcap is not None or html is not None)

    def write() -> list[Path]:
        if not world.trace.recording:
            return []
        from simnet.scenario.pictures import Pictures

        return Pictures(pcap, html).write_world(world, item.nodeid, item.nodeid)

    state = item.stash[STATE] = State(world, write)
    with ExitStack() as stack:
        first = next(iter(world.hosts.values()), None)
        if first is not None:
            stack.enter_context(first)
        try:
            yield world
        finally:
            write()
            _end(item, state)


def patched(item: pytest.Function, world: World) -> Iterator[World]:
    """The body of the fixture `simnet`."""
    state = item.stash[STATE]
    entropy = settings.read(item).entropy
    first = next(iter(world.hosts.values()), None)
    with world.patch(first, entropy=entropy) as host:
        state.patched_on = host
        yield world


def _end(item: pytest.Function, state: State) -> None:
    """Close the world. What is left over, and whatever failed unseen, fails the test."""
    world = state.world
    found: list[str] = []
    if not state.settled and _may_be_at_fault(world):
        # Composed now: looking at sockets leaves traces.
        state.section = reports.section(item, state)
        found = _left_over(world) + _failed_unseen(world)
    with ExitStack() as stack:
        if state.patched_on is not None and world.scheduler.tasks:
            # What tasks do on their way out is unmodified code too.
            stack.enter_context(world.patch(state.patched_on))
        world.close()
    if found:
        pytest.fail("\n".join(found), pytrace=False)


def _may_be_at_fault(world: World) -> bool:
    return bool(world.descriptors.numbers() or world.scheduler.tasks or world.scheduler.failed)


def _left_over(world: World) -> list[str]:
    if world.leftovers():
        gc.collect()
    left = world.leftovers()
    return ["the test left open or running:", *(f"  {line}" for line in left)] if left else []


def _failed_unseen(world: World) -> list[str]:
    lines = []
    for task in world.scheduler.failed:
        exception = task.unseen_exception()
        if exception is not None:
            lines += [f"task {task.name!r} failed, and nobody asked for its result:"]
            lines += traceback.format_exception(exception)
    return lines
