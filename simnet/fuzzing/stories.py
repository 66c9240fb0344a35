"""Stories that are drawn: arguments, hosts, links, faults and nastiness; and how one is played."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from copy import deepcopy
from typing import Any

from hypothesis import strategies as st
from hypothesis.strategies import DataObject, DrawFn, SearchStrategy

from simnet.exploring.runs import Run, run
from simnet.fuzzing.tracing import untraced
from simnet.policies import Policy, write
from simnet.scenario.model import Scenario, UserProgram
from simnet.scenario.places import Place
from simnet.scenario.programs import Program
from simnet.scenario.setting import Happening, Setting
from simnet.scenario.stage import staged
from simnet.sources import Drawn
from simnet.strategies import fault_schedules
from simnet.world import World

_NOWHERE = Place("")


class Story:
    """What was drawn, as Hypothesis shows it with an example that fails."""

    def __init__(self, scenario: Scenario) -> None:
        self.scenario = scenario

    def __repr__(self) -> str:
        scenario = self.scenario
        assert scenario.program is not None
        assert scenario.setting is not None
        parts = [f"{name}={value!r}" for name, value in scenario.program.arguments.items()]
        parts += [f"host {host.name} {', '.join(host.ips)}" for host in scenario.setting.hosts]
        parts += [f"link {plan}" for plan in scenario.setting.links]
        parts += map(str, scenario.steps)
        parts += [f"nasty {family}" for family in scenario.program.nasty]
        return f"<{'; '.join(parts) or 'nothing but decisions'}>"


@st.composite
def stories(
    draw: DrawFn,
    topology: Setting | SearchStrategy[Setting] | None,
    faults: SearchStrategy[Sequence[Happening]] | Iterable[str] | bool,
    until: float,
    nasty: Sequence[str],
    policy: Policy,
    arguments: Mapping[str, SearchStrategy[Any]],
) -> Story:
    """A story without a name: the program and its decisions are still to come."""
    drawn = {name: draw(strategy) for name, strategy in arguments.items()}
    setting = draw(topology) if isinstance(topology, SearchStrategy) else topology
    steps: Sequence[Happening] = ()
    if setting is not None and faults is not False:
        steps = draw(_schedules(setting, faults, until))
    # Each on or off: what is drawn plentifully hides what is rare (swarm testing, Groce et al.).
    switched = tuple(family for family in nasty if draw(st.booleans()))
    program = UserProgram(_NOWHERE, "", drawn, write(policy), switched)
    setting = setting or Setting(())
    actors = tuple(actor for host in setting.hosts for actor in host.actors)
    return Story(Scenario("", "", "", actors, tuple(steps), setting, program=program))


def _schedules(
    setting: Setting,
    faults: SearchStrategy[Sequence[Happening]] | Iterable[str] | bool,
    until: float,
) -> SearchStrategy[Sequence[Happening]]:
    if isinstance(faults, SearchStrategy):
        return faults
    return fault_schedules(setting, until, None if isinstance(faults, bool) else faults)


def play_story(story: Scenario, function: Program, data: DataObject) -> Run:
    """Run a program in the world of a story, where Hypothesis decides."""
    said = story.program
    setting = story.setting
    assert said is not None
    assert setting is not None

    def program(world: World) -> None:
        staged(world, setting, True, story.happenings)
        # The program may change what it is given; the story has it as it was drawn.
        function(world, **deepcopy(dict(said.arguments)))

    options = {"nasty": said.nasty} if said.nasty else {}
    with untraced():
        return run(program, setting.seed, said.policy, Drawn(data), options)
