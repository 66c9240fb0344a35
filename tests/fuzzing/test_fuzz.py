"""`simnet.fuzz` finds what breaks a program, shrinks it, and keeps it as a scenario."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import strategies as st

import simnet
from simnet.failures import signature
from simnet.scenario import Scenario, backends, load, run
from simnet.scenario.model import UserProgram
from tests.fuzzing import programs
from tests.test_layers import ROOT

Fuzzed = Callable[[], None]


@pytest.fixture(autouse=True)
def directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Failures are kept below the current directory; that of a test is its own."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def failure_of(fuzzed: Fuzzed) -> BaseException:
    """What a test of a program fails with."""
    with pytest.raises(BaseException) as raised:  # noqa: PT011
        fuzzed()
    return raised.value


def kept_of(failure: BaseException) -> Path:
    """The file that a note of a failure names."""
    (note,) = [each for each in failure.__notes__ if each.startswith("simnet: ")]
    first, command = note.splitlines()
    path = first.removeprefix("simnet: kept as ").partition(";")[0]
    assert command == f"    simnet run {path}"
    return Path(path)


def found_in(fuzzed: Fuzzed) -> tuple[Scenario, UserProgram]:
    """The story of a test that fails, after it was replayed and failed in the same way."""
    failure = failure_of(fuzzed)
    story = load(str(kept_of(failure)))
    assert story.program is not None
    assert story.program.found == signature(failure)
    report = run(story, backends.load("sim"))
    assert report.failure is not None
    assert report.failure.actual.endswith("as it was found")
    return story, story.program


def test_arguments_shrink() -> None:
    """Two chunks are enough."""
    story, program = found_in(programs.lines_in_pieces)
    chunks = program.arguments["chunks"]
    assert isinstance(chunks, list)
    assert len(chunks) == 2
    assert not program.decisions
    assert not story.steps
    assert story.name == "lines_in_pieces"


def test_schedules_shrink() -> None:
    """One preemption is enough."""
    _, program = found_in(programs.an_update_is_lost)
    assert program.decisions is not None
    assert len(program.decisions["scheduler"]) <= 2


def test_faults_shrink() -> None:
    """A partition and its end are enough, or a link that loses."""
    story, _ = found_in(programs.a_datagram_is_not_sent_again)
    assert story.setting is not None
    assert [host.name for host in story.setting.hosts] == ["a", "b"]
    assert len(story.steps) + len(story.setting.links) <= 3


def test_nastiness_shrinks() -> None:
    """To one family, and one choice of it."""
    _, program = found_in(programs.a_read_gives_all)
    assert program.nasty in {("short_reads",), ("short_sends",)}
    assert program.arguments == {"size": 2}
    assert sum(map(len, (program.decisions or {}).values())) <= 2


def test_a_method_is_a_program() -> None:
    """As tests in classes are."""
    _, program = found_in(programs.Held().program)
    assert program.arguments == {"number": 7}
    assert program.target.endswith(":Held.program")


def test_a_program_may_change_its_arguments() -> None:
    """What is kept is what it was given."""
    _, program = found_in(programs.uses_up_what_it_is_given)
    assert program.arguments == {"numbers": [7]}


def test_each_way_of_failing_is_kept(directory: Path) -> None:
    """In a file of its own."""
    failure = failure_of(programs.two_bugs)
    each: Any = getattr(failure, "exceptions", [failure])
    files = {kept_of(one) for one in each}
    assert len(files) == 2
    assert set(Path("simnet-failures").iterdir()) == files
    assert {load(str(file)).program.arguments["number"] for file in files} == {7, 501}  # type: ignore[union-attr]


def test_what_cannot_be_kept_is_said(directory: Path) -> None:
    """The failure is there all the same."""
    failure = failure_of(programs.cannot_be_written)
    assert "simnet: not kept as a scenario: thing: an object of class 'object'" in str(
        failure.__notes__
    )
    assert not Path("simnet-failures").exists()


def test_a_program_within_another_is_not_kept() -> None:
    """No name leads to it."""

    @programs.steady
    @simnet.fuzz()
    def inner(world: Any) -> None:
        raise AssertionError

    assert "not kept as a scenario" in str(failure_of(inner).__notes__)


def test_a_right_program_passes(directory: Path) -> None:
    """And nothing is kept."""
    programs.is_right()
    assert list(directory.iterdir()) == []


def test_the_command_fails_in_the_same_way(directory: Path) -> None:
    """In a process of its own, that begins in another directory."""
    file = kept_of(failure_of(programs.an_update_is_lost))
    ran = subprocess.run(
        [sys.executable, "-m", "simnet", "run", "--backend", "both", str(file)],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 1
    assert "as it was found" in ran.stdout
    assert "sim only: decisions" in ran.stdout
    assert ran.stderr == ""


def takes_nothing() -> None: ...


def takes_too_much(world: Any, number: int, more: int) -> None: ...


async def waits(world: Any, number: int) -> None: ...


@pytest.mark.parametrize(
    ("program", "said"),
    [
        (takes_nothing, r"takes_nothing\(\): expected \(world, number\)"),
        (takes_too_much, r"takes_too_much\(world, number, more\): expected \(world, number\)"),
        (waits, "waits is a coroutine function"),
    ],
)
def test_a_program_takes_the_world_and_the_arguments(program: Any, said: str) -> None:
    """Nothing else, as nothing else could be replayed."""
    with pytest.raises(TypeError, match=said):
        simnet.fuzz(number=st.integers())(program)


def test_faults_need_hosts() -> None:
    """They would happen to nobody."""
    with pytest.raises(TypeError, match="faults= needs hosts"):
        simnet.fuzz(faults=True)
