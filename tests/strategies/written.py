"""Stories of what was drawn, written to a file and read again."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from simnet.scenario import Scenario, load
from simnet.scenario.course import sim_only
from simnet.scenario.model import Step
from simnet.scenario.places import Place
from simnet.scenario.setting import Happening, Setting, Wait
from simnet.scenario.writer import write


def story_of(setting: Setting, events: Iterable[Happening] = ()) -> Scenario:
    """A story in which nothing happens but that, and time passes."""
    steps: tuple[Step | Happening, ...] = (*events, Happening(Place("drawn"), Wait(1)))
    actors = tuple(host.name for host in setting.hosts)
    only = sim_only(None, setting, steps)
    return Scenario("drawn", "Drawn", "What was drawn.", actors, steps, setting, only)


def reread(scenario: Scenario, directory: Path) -> Scenario:
    """What the parser makes of the file that the writer makes of a story."""
    path = directory / "drawn.yaml"
    path.write_text(write(scenario))
    return load(str(path))
