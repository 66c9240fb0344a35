"""Seeds in processes of their own: what they do not survive is told, and none outlives us."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import attrs
import pytest

from simnet.campaign import children, executors, work
from simnet.campaign.children import Children, NoChild
from simnet.campaign.setup import Setup, WrongSetup
from simnet.campaign.work import Outcome, Retold
from tests.campaign.conftest import environment
from tests.test_layers import ROOT

Make = Callable[..., Setup]


@pytest.fixture
def crowd(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Children]:
    """Children, all of which are ended."""
    monkeypatch.setenv("MARKS", str(tmp_path))
    found = Children()
    yield found
    found.close()


def test_what_became_of_seeds_is_the_same_as_here(crowd: Children, made: Make) -> None:
    """And of what is told once more; one process does it all."""
    setup = made("races")
    there = crowd.run_seeds(setup, range(9))
    assert there.outcomes == work.run_seeds(setup, range(9)).outcomes
    failed = next(each for each in there.outcomes if each.signature)
    assert crowd.retell(setup, failed.seed, None) == Retold(failed.signature)
    assert len(crowd._all) == 1


def test_a_seed_that_ends_its_process_each_time_has_failed(crowd: Children, made: Make) -> None:
    """It says how; the seeds around it have their outcomes."""
    setup = made("dies")
    answer = crowd.run_seeds(setup, range(3, 7))
    assert answer.seconds is None
    told = {each.seed: each.signature.partition(" at ")[0] for each in answer.outcomes}
    assert told == {
        3: "ValueError",
        4: "",
        5: "process died: SIGKILL",
        6: "",
    }
    assert answer.outcomes[2].message == "each of 2 times that it was run alone"
    assert crowd.retell(setup, 5, 4) == Retold("process died: SIGKILL")


def test_a_seed_that_ends_its_process_once_has_not_failed(
    crowd: Children, made: Make, tmp_path: Path
) -> None:
    """The machine may have been short of memory."""
    answer = crowd.run_seeds(made("dies_once"), range(39, 42))
    assert (tmp_path / "died").exists()
    assert [(each.seed, each.signature) for each in answer.outcomes] == [
        (39, ""),
        (40, ""),
        (41, ""),
    ]


def test_a_run_that_does_not_end_has_failed(crowd: Children, made: Make) -> None:
    """If there is a bound to patience; the seeds around it have their outcomes."""
    answer = crowd.run_seeds(made("hangs", patience=0.5), range(4, 7))
    told = [(each.seed, each.signature) for each in answer.outcomes]
    assert told == [(4, ""), (5, "process died: no end within 0.5 s"), (6, "")]


def test_what_goes_wrong_there_is_raised_here(crowd: Children, made: Make) -> None:
    """A process that has another program than is meant; it can be asked again."""
    setup = attrs.evolve(made(), code="x")
    for _ in range(2):
        with pytest.raises(WrongSetup, match="another program than the campaign"):
            crowd.run_seeds(setup, [1])
    assert len(crowd._all) == 1


def test_a_process_that_cannot_start_says_why(
    crowd: Children, made: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is no failure of a seed."""
    monkeypatch.setattr(children, "_PROGRAM", "import no_such_module")
    with pytest.raises(NoChild, match=r"cannot start: exit code 1: [^$]*No module named 'no_such"):
        crowd.run_seeds(made(), [1])


def test_a_process_has_one_program_in_its_life(crowd: Children, made: Make) -> None:
    """Another setup is for another process; the first is ended."""
    crowd.run_seeds(made("passes"), [1])
    (first,) = crowd._all
    crowd.run_seeds(made("passes", policy="fifo"), [1])
    assert not first.alive
    assert len(crowd._all) == 1
    crowd.rest()
    assert not crowd._all


def test_after_the_end_nothing_is_started(crowd: Children, made: Make) -> None:
    """Nor by a chunk whose process was ended with all others."""
    crowd.close()
    with pytest.raises(NoChild, match="the campaign has ended"):
        crowd.run_seeds(made(), [1])


def test_a_patched_program_runs_there(crowd: Children, made: Make) -> None:
    """Nothing else goes on in that process that the patch would find."""
    assert crowd.run_seeds(made("on_the_network"), [1, 2]).outcomes == (
        Outcome(1, 2, 3600.0),
        Outcome(2, 2, 3600.0),
    )


def test_what_is_under_way_at_the_end_of_a_pool_is_ended(
    made: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also a run that would never end."""
    monkeypatch.setenv("MARKS", str(tmp_path))
    with executors.crew("process", 2) as crew:
        future = crew.executor.submit(crew.run_seeds, made("hangs_once"), [40])
        pid = _appeared(tmp_path / "hangs")
    assert isinstance(future.exception(), NoChild)
    assert not _runs(pid)


def test_a_child_ends_with_the_process_that_started_it(made: Make, tmp_path: Path) -> None:
    """In the middle of a run that would never end, when that one is killed."""
    code = (
        "from simnet.campaign import setup, children\n"
        f"made = setup.make({made('hangs_once').target!r})\n"
        "children.Children().run_seeds(made, [40])\n"
    )
    command = [sys.executable, "-c", code]
    with subprocess.Popen(command, cwd=ROOT, env=environment(tmp_path)) as parent:
        child = _appeared(tmp_path / "hangs")
        assert _runs(child)
        parent.kill()
    while _runs(child):
        time.sleep(0.01)


def _appeared(mark: Path) -> int:
    """The process that left a mark, once it has."""
    while not (mark.exists() and mark.read_text()):
        time.sleep(0.01)
    return int(mark.read_text())


def _runs(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    # One that nobody waits for any more may still be listed.
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"


def test_ctrl_c_of_the_terminal_does_not_reach_a_child(crowd: Children, made: Make) -> None:
    """It is in a session of its own, and would ignore it."""
    crowd.run_seeds(made("passes"), [1])
    (child,) = crowd._all
    pid = child._process.pid
    assert os.getsid(pid) == pid
    os.kill(pid, signal.SIGINT)
    crowd.run_seeds(made("passes"), [1])
    assert child.alive
