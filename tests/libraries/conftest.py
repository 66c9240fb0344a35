"""Places for the tests: `place` is both kinds, `simulated` the one whose time is virtual."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.libraries.ways import Loopback, Place, Simulated


@pytest.fixture(params=["real", "sim"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Place]:
    """The real loopback, and a world."""
    if request.param == "real":
        yield Loopback(tmp_path)
        return
    with Simulated(tmp_path).patched() as made:
        yield made


@pytest.fixture
def simulated(tmp_path: Path) -> Iterator[Simulated]:
    """A world, for what no real network does to order."""
    with Simulated(tmp_path).patched() as made:
        yield made
