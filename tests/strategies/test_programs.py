"""Stories of calls of sockets."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, seed, settings

from simnet import strategies as net
from simnet.scenario import Scenario, backends, run
from simnet.scenario.model import Blocks, Raises, Returns, Step
from simnet.scenario.setting import Happening, Wait
from simnet.scenario.vocabulary import FILE_METHODS, FUNCTIONS, SOCKET_METHODS
from simnet.scenario.writer import write
from simnet.strategies.calls import (
    ABOUT_NAMES,
    ABOUT_NOTHING,
    ABOUT_SOCKETS,
    METHODS,
    OF_FILES,
    PAIRS,
)
from tests.scenario import same
from tests.strategies.plainest import plainest
from tests.strategies.written import reread

SIM = backends.load("sim")
SOME = settings(
    max_examples=25,
    phases=[Phase.generate, Phase.shrink],
    deadline=None,
    suppress_health_check=list(HealthCheck),
)
SEVERAL = net.socket_programs(topology=net.topologies(2, 3), faults=net.FAULT_FAMILIES)


def calls(program: Scenario) -> list[str]:
    """The calls of a story, by name."""
    steps = [step for step in program.steps if isinstance(step, Step)]
    return [step.call.name for step in steps if step.call is not None]


@SOME
@given(net.socket_programs())
def test_every_program_plays_as_it_was_drawn(program: Scenario) -> None:
    """Each step gives what it expects."""
    report = run(program, SIM)
    assert report.status == "ok", (write(program), report.failure, report.error)


@SOME
@given(SEVERAL)
def test_also_among_several_hosts_to_which_things_happen(program: Scenario) -> None:
    """The chance that harms packets is that of the story's seed."""
    report = run(program, SIM)
    assert report.status == "ok", (write(program), report.failure, report.error)


@SOME
@given(program=net.socket_programs() | SEVERAL)
def test_a_scenario_file_can_say_every_program(
    tmp_path_factory: pytest.TempPathFactory, program: Scenario
) -> None:
    """The parser finds nothing wrong with it, and reads the same."""
    again = reread(program, tmp_path_factory.getbasetemp())
    assert same.story(again) == same.story(program)


@pytest.mark.parametrize("backend", ["real"])
def test_the_operating_system_gives_the_same(backend: str) -> None:
    """Where a program takes no long time, and is left to itself."""
    real = backends.load(backend)

    @seed(0)
    @settings(SOME, max_examples=12, database=None)
    @given(net.socket_programs(max_moves=8))
    def play(program: Scenario) -> None:
        report = run(program, real)
        assert report.status in ("ok", "skip"), (write(program), report.failure, report.error)

    play()


def test_every_call_of_the_vocabulary_may_be_drawn() -> None:
    """None is left out."""
    of_functions = {**ABOUT_SOCKETS, **ABOUT_NAMES, **ABOUT_NOTHING, "socketpair": PAIRS}
    assert METHODS.keys() == SOCKET_METHODS.keys()
    assert OF_FILES.keys() == FILE_METHODS.keys()
    assert of_functions.keys() == FUNCTIONS.keys()


def test_calls_end_in_every_way() -> None:
    """In values, in errors, and some block and come back later."""
    ends: Counter[type] = Counter()
    later = 0

    @seed(1)
    @settings(SOME, database=None)
    @given(net.socket_programs(max_moves=50))
    def collect(program: Scenario) -> None:
        nonlocal later
        steps = [step for step in program.steps if isinstance(step, Step)]
        ends.update(type(step.expect) for step in steps)
        later += sum(step.call is None for step in steps)

    collect()
    assert min(ends[Returns], ends[Raises], ends[Blocks]) > 10
    assert later > 2


def test_programs_shrink_toward_a_single_step() -> None:
    """And to what it takes for what is looked for."""
    steps = plainest(net.socket_programs()).steps
    assert [type(step.event) for step in steps if isinstance(step, Happening)] == [Wait]
    assert len(steps) == 1
    few = net.socket_programs(max_moves=8)
    found = plainest(few, lambda program: "recv" in calls(program))
    assert len(found.steps) <= 5


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: net.socket_programs(max_moves=-1), "max_moves=-1"),
        (lambda: net.socket_programs(actors=[]), "actors: expected one at least"),
        (lambda: net.socket_programs(actors=["a b"]), "'a b' cannot be"),
        (lambda: net.socket_programs(faults=["crashes"]), "they need a topology"),
        (
            lambda: net.socket_programs(topology=net.topologies(), faults=["crash"]),
            "did you mean 'crashes'",
        ),
    ],
)
def test_impossible_bounds_are_told_at_once(make: Any, message: str) -> None:
    """Before anything is drawn."""
    with pytest.raises(ValueError, match=message):
        make()
