"""Planted bugs: each is found, and shrinks to little more than what is really needed."""

from __future__ import annotations

import inspect
import re
from pathlib import Path
from typing import Any

import attrs
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from simnet import scenario
from simnet.errors import Deadlock
from simnet.exploring.keeping import keep_story, played, story_of
from simnet.exploring.runs import Run, replay, run
from simnet.policies import Uniform
from simnet.sources import Deviations as Choices
from simnet.sources import Drawn, by_stream
from simnet.targets import name_of
from tests.exploring.bugs import BUGS, Bug

# Larger numbers than these are delays: the largest one stands for all of them.
FEW = 10
ERRORS = {each.__name__: each for each in (AssertionError, OSError, TimeoutError, Deadlock)}


@pytest.fixture(params=BUGS, ids=lambda bug: bug.name)
def bug(request: pytest.FixtureRequest) -> Bug:
    """Each planted bug."""
    found: Bug = request.param
    return found


def decided(bug: Bug, decisions: Choices, argument: Any) -> Run:
    """The run of a bug's program with these decisions, and the plainest ones otherwise."""
    return replay(bug.bound(argument), decisions, policy=Uniform(), nasty=bug.nasty)


def one_more(decisions: Choices, run: Run) -> list[Choices]:
    """The same with one decision more that is not the plainest, wherever the run could have one."""
    places: dict[str, int] = {}
    found: list[Choices] = []
    for decision in run.decisions:
        place = places.get(decision.stream, 0)
        places[decision.stream] = place + 1
        if not decision.choice:
            few = decision.count <= FEW
            for choice in range(1, decision.count) if few else (decision.count - 1,):
                own = {**decisions.get(decision.stream, {}), place: choice}
                found.append({**decisions, decision.stream: own})
    return found


def test_the_least_brings_it_out(bug: Bug) -> None:
    """And the plainest run passes."""
    assert decided(bug, {}, bug.plainest).failure is None
    run = decided(bug, bug.decisions, bug.least)
    assert run.signature.startswith(f"{bug.failure} at ")
    assert by_stream(run.decisions) == bug.decisions


def test_less_does_not_bring_it_out(bug: Bug) -> None:
    """All runs with fewer decisions that are not the plainest pass."""
    tried: list[Choices] = [{}]
    for fewer in range(sum(map(len, bug.decisions.values()))):
        runs = [decided(bug, each, bug.least) for each in tried]
        assert not any(run.failed for run in runs), f"{fewer} are enough"
        tried = [
            more for each, run in zip(tried, runs, strict=True) for more in one_more(each, run)
        ]


def shrunk(bug: Bug) -> tuple[Run, Any]:
    """What Hypothesis finds in the end: the run, and the argument."""
    failing: list[tuple[Run, Any]] = []
    argument = st.none() if bug.argument is None else bug.argument

    @settings(
        max_examples=500,
        derandomize=True,
        database=None,
        deadline=None,
        phases=[Phase.generate, Phase.shrink],
        suppress_health_check=list(HealthCheck),
    )
    @given(argument=argument, data=st.data())
    def search(argument: Any, data: Any) -> None:
        found = run(bug.bound(argument), 0, Uniform(), Drawn(data), {"nasty": bug.nasty})
        if found.failure is not None:
            failing.append((found, argument))
            raise found.failure

    with pytest.raises(ERRORS[bug.failure]):
        search()
    return failing[-1]


def replayed(bug: Bug, found: Run, argument: Any, directory: Path) -> str:
    """What becomes of a failure that was kept in a file, when the file is replayed."""
    story = story_of(name_of(bug.program), policy="uniform", nasty=bug.nasty)
    assert story.program is not None
    names = list(inspect.signature(bug.program).parameters)[1:]
    program = attrs.evolve(story.program, arguments=dict.fromkeys(names, argument))
    file = keep_story(played(attrs.evolve(story, program=program), found), directory)
    report = scenario.run(scenario.load(str(file)), scenario.backends.load("sim"))
    assert report.failure is not None
    return report.failure.actual


def test_hypothesis_finds_it_and_shrinks_it(bug: Bug, tmp_path: Path) -> None:
    """To at most twice what is needed; and what is kept of that fails in the same way."""
    found, argument = shrunk(bug)
    assert found.signature.startswith(f"{bug.failure} at ")
    decisions = by_stream(found.decisions)
    assert bug.cost(decisions, argument) <= 2 * bug.minimum, (decisions, argument)
    assert decided(bug, decisions, argument).signature == found.signature
    # (Events are no argument in a file, but steps of the story: tests/fuzzing.)
    if not argument or not isinstance(argument, tuple):
        told = replayed(bug, found, argument, tmp_path)
        assert told.startswith(f"raises {found.signature}")
        assert told.endswith("as it was found")


def test_the_readme_tells_of_each(bug: Bug) -> None:
    """With the least, and with no more than twice that."""
    readme = (Path(__file__).parents[2] / "README.md").read_text()
    (line,) = re.findall(rf"^\| {bug.name.replace('_', ' ')} \|.*$", readme, re.MULTILINE)
    *_, least, found = (cell.strip() for cell in line.strip("|").split("|"))
    assert int(least) == bug.minimum
    assert int(found) <= 2 * bug.minimum
