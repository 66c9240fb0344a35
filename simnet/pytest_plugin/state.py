"""What is known of a test that runs in a world."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import attrs
import pytest

if TYPE_CHECKING:
    from simnet.host import Host
    from simnet.world import World


@attrs.define
class State:
    """The world of a test, and how the test fares."""

    world: World
    # Writes its page and captures, if any are wanted; what is there is written anew.
    write: Callable[[], list[Path]]
    # The host on which the program is patched, once it has been.
    patched_on: Host | None = None
    # Whether it has failed, or was skipped, so that what it leaves open is no news.
    settled: bool = False
    # The lines of its coroutines that wait, if it failed in an event loop.
    coroutines: list[str] = attrs.field(factory=list)
    # The section of its report, if it was composed before the world ended.
    section: str | None = None


STATE = pytest.StashKey[State]()
