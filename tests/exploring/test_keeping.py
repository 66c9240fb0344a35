"""A failure that is kept can be read again, whatever the failure says."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

import simnet
from simnet.exploring.keeping import keep_story, played, replay_command, story_of
from simnet.exploring.runs import Run
from simnet.scenario import backends, load, run
from simnet.targets import NoTarget
from tests.exploring.races import lost_update
from tests.scenario.same import story


def failed(message: str) -> Run:
    """A run that failed with this message."""
    return Run(7, (), 1, 0.0, ValueError(message))


@example("expected  two\tblanks: 'a' # b\nand more")
@example("\ud800\0")
@given(st.text())
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_message_is_kept(tmp_path: Path, message: str) -> None:
    """In words with single blanks, as prose is read."""
    kept = played(story_of("tests/counter.py:program", 7, policy="uniform"), failed(message))
    file = keep_story(kept, tmp_path)
    again = load(str(file))
    assert story(again) == story(kept)
    assert again.shows.startswith("ValueError")
    assert again.program is not None
    assert again.program.found == "ValueError"
    assert replay_command(file) == f"simnet run {tmp_path}/program.yaml"
    assert [path.name for path in tmp_path.iterdir()] == ["program.yaml"]


def test_a_failing_run_is_kept_by_the_name_of_its_program(tmp_path: Path) -> None:
    """As explore found it, or as shrink left it; a replay ends alike."""
    (failed,) = simnet.explore(lost_update, failures=1).failures
    least = simnet.shrink(lost_update, failed, examples=50)
    for each in (failed, least):
        file = simnet.keep(lost_update, each, directory=tmp_path)
        assert file == tmp_path / "lost_update.yaml"
        report = run(load(str(file)), backends.load("sim"))
        assert report.failure is not None
        assert report.failure.actual.endswith("as it was found")


def test_what_cannot_be_kept_is_told(tmp_path: Path) -> None:
    """A run that passed; a program that is within another."""
    passed = simnet.explore(lost_update, [0], policy="fifo").runs[0]
    with pytest.raises(ValueError, match="has not failed"):
        simnet.keep(lost_update, passed, directory=tmp_path)
    with pytest.raises(NoTarget, match="cannot be found by a name"):
        simnet.keep(lambda world: None, failed("x"), directory=tmp_path)
