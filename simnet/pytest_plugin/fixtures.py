"""The fixtures. Their bodies are elsewhere, so that nothing is loaded before a test needs it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pytest

from simnet.pytest_plugin import settings
from simnet.pytest_plugin.options import Seed
from simnet.pytest_plugin.settings import LOOP, MARKED, SEED

if TYPE_CHECKING:
    from simnet.world import World


@pytest.fixture(name=SEED)
def seed(request: pytest.FixtureRequest) -> Seed:
    """The seed of this run of the test."""
    if hasattr(request, "param"):
        chosen: Seed = request.param
        return chosen
    return settings.read(request.node).single(request.config)


@pytest.fixture
def world(request: pytest.FixtureRequest, _simnet_seed: Seed) -> Iterator[World]:
    """A simulated world (simnet.World) for the length of the test, which stays unpatched.

    The marker's `hosts=` are in it, and the first of them is the current host. A coroutine test
    runs in an event loop of the current host, of the only one, or of a new one named "localhost".
    """
    from simnet.pytest_plugin import running, worlds

    running.start(request.config)
    yield from worlds.lifetime(request.node, _simnet_seed)


@pytest.fixture(name="simnet")
def patched(request: pytest.FixtureRequest, world: World) -> Iterator[World]:
    """The fixture `world`, patched in: unmodified code runs on a host of it.

    That is the first of the marker's `hosts=`, or one named "localhost".
    """
    from simnet.pytest_plugin import worlds

    yield from worlds.patched(request.node, world)


@pytest.fixture(name=MARKED)
def marked(request: pytest.FixtureRequest, _simnet_seed: Seed) -> None:
    """What the marker alone does: the same as asking for `simnet`, before all other fixtures.

    Only a test that asks for `world`, and not for `simnet`, stays unpatched.
    """
    names = request.fixturenames
    if "simnet" in names or "world" not in names:
        request.getfixturevalue("simnet")


@pytest.fixture(name=LOOP)
def loop(request: pytest.FixtureRequest, world: World) -> Iterator[Any]:
    """The event loop of a test that is a coroutine, or that has fixtures that are."""
    from simnet.pytest_plugin import coroutines

    if "simnet" in request.fixturenames:
        request.getfixturevalue("simnet")
    yield from coroutines.lifetime(world)
