"""Worlds of what was drawn."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from simnet.scenario.setting import Happening, Setting
from simnet.scenario.stage import ManyHosts, staged
from simnet.world import World


def world_of(setting: Setting, happenings: Iterable[Happening] = (), **options: Any) -> World:
    """A world of a setting's hosts and links, by the seed of the setting.

    The events happen as it goes on, or at once if they have no time. `options` are those of
    `World`: `policy`, `decisions`, `record`. CannotHappen for an event that makes no sense when it
    happens; one that happens later raises it from the run.

    >>> setting = strategies.topologies(names=["client", "server"]).example()
    >>> with strategies.world_of(setting, policy=simnet.policies.Uniform()) as world:
    ...     server, client = world.hosts["server"], world.hosts["client"]
    """
    return stage_of(setting, happenings, **options)[0]


def stage_of(
    setting: Setting, happenings: Iterable[Happening] = (), **options: Any
) -> tuple[World, ManyHosts]:
    """The same, and what makes things happen to it."""
    world = World(**{"seed": setting.seed, **options})
    return world, staged(world, setting, True, happenings)
