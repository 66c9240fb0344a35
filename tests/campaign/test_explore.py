"""The command `simnet explore`: what it says, its exit codes, and that it goes on."""

from __future__ import annotations

import re
import signal
import sqlite3
import sys
import time
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

import simnet.campaign
from simnet.campaign import executors
from simnet.campaign.crew import Crew, NoExecutor
from simnet.cli import main
from simnet.scenario.discovery import load_all
from tests.campaign.conftest import EXPECTED, PROGRAMS, Command
from tests.determinism import processes
from tests.test_layers import ROOT

Invoke = Callable[..., Result]


@pytest.fixture
def explore(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Invoke:
    """Runs the command in this process, in a directory of its own."""
    monkeypatch.chdir(tmp_path)

    def invoke(program: str, *arguments: object) -> Result:
        target = f"{ROOT / PROGRAMS}:{program}" if ":" not in program else program
        words = ["explore", target, *map(str, arguments)]
        return CliRunner().invoke(main, words)

    return invoke


def kept(program: str, ways: int) -> str:
    """What is said of the scenarios that are written."""
    names = [program, *(f"{program}-{number}" for number in range(2, ways + 1))]
    return "".join(f"kept: simnet run simnet-failures/{name}.yaml\n" for name in names)


def test_the_report_is_all_that_is_on_standard_output(explore: Invoke) -> None:
    """Runs that failed are exit code 1. The file is named after the program."""
    result = explore("some_fail", "--seeds", 60, "--jobs", 1)
    assert result.exit_code == 1
    assert result.stdout == f"{EXPECTED}\n{kept('some_fail', 2)}"
    assert result.stderr == ""
    assert Path("simnet-campaigns/programs.some_fail.sqlite").exists()


def test_without_a_failure_the_exit_code_is_0(explore: Invoke) -> None:
    """And nothing is kept."""
    result = explore("passes", "--seeds", 5, "--jobs", 1)
    assert (result.exit_code, result.stdout) == (0, "5 runs: 0 failed, in 0 ways\n")
    assert not Path("simnet-failures").exists()


def test_a_failure_is_kept_as_a_scenario_that_fails_so(explore: Invoke) -> None:
    """Its seed, its policy and its decisions are in it."""
    told = explore("races", "--seeds", 20, "--jobs", 1).stdout
    file = re.findall(r"kept: simnet run (.*)", told)[0]
    (story,) = load_all([file])
    assert story.program is not None
    assert story.program.policy == "uniform"
    assert story.program.decisions
    again = CliRunner().invoke(main, ["run", file, "--backend", "sim"])
    assert again.exit_code == 1
    assert "as it was found" in again.stdout


def test_families_of_nastiness_are_part_of_the_campaign(explore: Invoke) -> None:
    """And of the scenarios that it keeps; all of them are meant by one word."""
    told = explore("reads_at_once", "--seeds", 20, "--jobs", 1, "--nasty", "short_reads, segments")
    assert told.stdout.splitlines()[0] != "20 runs: 0 failed, in 0 ways"
    (story,) = load_all([re.findall(r"kept: simnet run (.*)", told.stdout)[0]])
    assert story.program is not None
    assert story.program.nasty == ("short_reads", "segments")
    kind = explore("reads_at_once", "--seeds", 20, "--jobs", 1)
    assert kind.exit_code == 2
    assert "nasty: short_reads, segments in the campaign, none here" in kind.stderr
    kind = explore("reads_at_once", "--seeds", 20, "--jobs", 1, "--fresh")
    assert kind.stdout == "20 runs: 0 failed, in 0 ways\n"
    whole = explore("reads_at_once", "--seeds", 1, "--jobs", 1, "--fresh", "--nasty", "all")
    assert whole.exit_code in (0, 1), whole.stderr


def test_more_seeds_are_added_to_those_that_were_run(explore: Invoke) -> None:
    """A report is of the seeds that are asked for."""
    explore("some_fail", "--seeds", 20, "--jobs", 1)
    whole = explore("some_fail", "--seeds", 60, "--jobs", 1)
    assert whole.stdout.startswith(EXPECTED)
    part = explore("some_fail", "--seeds", "3-5", "--jobs", 1)
    assert part.stdout.startswith("3 runs: 2 failed, in 2 ways\n")


@pytest.mark.parametrize(
    ("options", "runs"), [(["--fail-fast"], "4 of 60 runs: 1 failed"), (["--failures", 2], "6 of")]
)
def test_so_many_failures_are_enough(explore: Invoke, options: list[Any], runs: str) -> None:
    """The report is of the seeds up to the last of them."""
    result = explore("some_fail", "--seeds", 60, "--jobs", 1, *options)
    assert result.stdout.startswith(runs)
    assert (result.exit_code, result.stderr) == (1, "")


def test_when_its_time_is_up_it_says_how_to_go_on(explore: Invoke) -> None:
    """With the options that were given, but for starting again."""
    words = ("--seeds", "2-61", "--jobs", 1, "--for", 0.00001, "--fresh", "--policy", "pct(2, 9)")
    result = explore("some_fail", *words)
    assert " of 60 runs: " in result.stdout
    assert result.stderr == (
        "time is up; what was run is kept, and this goes on:\n"
        f"  simnet explore {ROOT / PROGRAMS}:some_fail --seeds 2-61 --jobs 1 "
        "--policy 'pct(2, 9)' --for 1e-05\n"
    )


@pytest.mark.parametrize(
    ("program", "arguments", "said"),
    [
        ("missing.py:check", [], "there is no file 'missing.py'"),
        ("nothing:check", [], "cannot be imported: ModuleNotFoundError"),
        ("no_such_program", [], "there is no 'no_such_program' in tests.campaign.programs"),
        ("passes", ["--seeds", "many"], "expected a number of seeds, or FIRST-LAST, found 'many'"),
        (
            "passes",
            ["--nasty", "short_reads,polite"],
            "no world is nasty in the way 'polite'; the ways are",
        ),
        ("passes", ["--policy", "lifo"], "expected fifo, uniform, pct or 'pct(DEPTH, STEPS)'"),
        ("passes", ["--policy", "exhaustive"], "'exhaustive' goes through schedules"),
        ("passes", ["--executor", "threads"], "expected inline, process or dask:ADDRESS"),
        ("passes", ["--executor", "dask"], "where the scheduler listens: dask:10.0.0.1:8786"),
        ("passes", ["--fail-fast", "--failures", "2"], "one of them is enough"),
        ("passes", ["--patience", "1", "--executor", "inline"], "say --executor process"),
        ("passes", ["--jobs", "2", "--executor", "inline"], "--jobs is how many processes of this"),
        ("passes", ["--jobs", "1", "--executor", "dask:x"], "--jobs is how many processes of this"),
        ("passes", ["--jobs", "0"], "Invalid value for '--jobs'"),
        ("passes", ["--for", "0"], "Invalid value for '--for'"),
        ("passes", ["--store", PROGRAMS], "it is no campaign's; --store FILE names another one"),
        ("passes", ["--store", "/dev/null/x"], "/dev/null/x cannot be opened: "),
    ],
)
def test_wrong_usage_is_exit_code_2(
    explore: Invoke, program: str, arguments: list[str], said: str, tmp_path: Path
) -> None:
    """The message says what was expected; nothing is run."""
    (tmp_path / "tests" / "campaign").mkdir(parents=True)
    (tmp_path / PROGRAMS).write_text("is no database")
    result = explore(program, *arguments)
    assert (result.exit_code, result.stdout) == (2, "")
    assert said in result.stderr


def test_another_policy_is_another_campaign(explore: Invoke) -> None:
    """What to do is said."""
    explore("races", "--seeds", 3, "--jobs", 1)
    result = explore("races", "--seeds", 3, "--jobs", 1, "--policy", "fifo")
    assert result.exit_code == 2
    assert result.stderr.splitlines() == [
        "simnet-campaigns/programs.races.sqlite is of another campaign:",
        "  policy: uniform in the campaign, fifo here",
        "--fresh starts again, --store FILE keeps both",
    ]
    fresh = explore("races", "--seeds", 3, "--jobs", 1, "--policy", "fifo", "--fresh")
    assert fresh.stdout == "3 runs: 0 failed, in 0 ways\n"


def test_a_lost_executor_is_told(explore: Invoke, monkeypatch: pytest.MonkeyPatch) -> None:
    """And what was run before is kept."""

    def lost() -> int:
        raise NoExecutor("the cluster is gone")

    monkeypatch.setattr(executors, "crew", _crew_of(lost))
    result = explore("passes", "--seeds", 3)
    assert result.exit_code == 2
    assert result.stderr.startswith("the cluster is gone; what was run is kept, and this goes on:")


def _crew_of(hands: Callable[[], int]) -> Any:
    return lambda name, jobs: nullcontext(Crew(executors.Inline(), hands))


def test_dask_need_not_be_there(explore: Invoke, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who wants it is told what to install."""
    monkeypatch.delitem(sys.modules, "simnet.campaign.cluster", raising=False)
    monkeypatch.delattr(simnet.campaign, "cluster", raising=False)
    monkeypatch.setitem(sys.modules, "distributed", None)
    result = explore("passes", "--executor", "dask:127.0.0.1:1")
    assert result.exit_code == 2
    assert "pip install 'simnet[distributed]'" in result.stderr


@pytest.mark.parametrize("python", processes.INTERPRETERS)
def test_the_report_is_the_same_everywhere(
    explore: Invoke, command: Command, python: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In this process and in two others, with other hash seeds and other versions of Python."""
    reason = processes.lacks(python)
    if reason is not None:
        pytest.skip(reason)
    here = explore("races", "--seeds", 100, "--jobs", 1)
    monkeypatch.setenv("PYTHONHASHSEED", "1")
    there = command.run("races", "--seeds", 100, "--jobs", 2, python=python)
    assert (there.code, there.out, there.err) == (1, here.stdout, "")


def test_a_worker_that_is_killed_is_replaced(command: Command) -> None:
    """Half-way: the report is as if nothing had been."""
    ended = command.run("dies_once", "--seeds", 60, "--jobs", 2)
    assert Path(command.directory, "died").exists()
    assert ended.out.replace("dies_once", "some_fail") == f"{EXPECTED}\n{kept('some_fail', 2)}"
    assert command.seeds() == list(range(60))


def test_ctrl_c_finishes_what_runs_and_reports(command: Command) -> None:
    """Exit code 130, and the command that goes on; nothing is lost."""
    ended = command.run("interrupts_once", "--seeds", 60, "--jobs", 2)
    assert ended.code == 130
    done = command.seeds()
    assert 40 in done
    assert len(done) < 60
    assert ended.out.startswith(f"{len(done)} of 60 runs: ")
    said, _, goes_on = ended.err.partition("interrupted; what was run is kept, and this goes on:\n")
    assert "what runs is being finished (Ctrl-C again: at once)" in said
    assert goes_on == (
        f"  simnet explore {ROOT / PROGRAMS}:interrupts_once --seeds 60 --jobs 2 "
        f"--store {command.store}\n"
    )
    ended = command.run("interrupts_once", "--seeds", 60, "--jobs", 2)
    assert ended.code == 1
    assert ended.out.startswith(EXPECTED)
    assert command.seeds() == list(range(60))


def test_a_second_ctrl_c_stops_at_once(command: Command) -> None:
    """Also a run that would never end; what was kept is kept."""
    with command.start("hangs_once", "--seeds", 60, "--jobs", 2) as process:
        hangs = command.directory / "hangs"
        while not hangs.exists():
            time.sleep(0.01)
        process.send_signal(signal.SIGINT)
        assert process.stderr is not None
        assert "Ctrl-C again" in process.stderr.readline()
        process.send_signal(signal.SIGINT)
        out, err = process.communicate()
    assert process.returncode == 130
    assert "interrupted; what was run is kept" in err
    done = command.seeds()
    assert 40 not in done
    assert out.startswith(f"{len(done)} of 60 runs: ")
    ended = command.run("hangs_once", "--seeds", 60, "--jobs", 2)
    assert ended.out.startswith(EXPECTED)


def test_a_campaign_that_is_killed_is_gone_on_with(command: Command) -> None:
    """By SIGKILL, in the middle: its processes end with it, and each seed is counted once."""
    killed = command.run("kills_its_starter_once", "--seeds", 60, "--jobs", 2)
    assert killed.code == -signal.SIGKILL
    assert killed.out == ""
    done = command.seeds()
    assert 40 not in done
    ended = command.run("kills_its_starter_once", "--seeds", 60, "--jobs", 2)
    assert ended.out.startswith(EXPECTED)
    with sqlite3.connect(command.store) as db:
        assert db.execute("SELECT count(*), count(DISTINCT seed) FROM runs").fetchone() == (60, 60)
    db.close()
    child = int(Path(command.directory, "killed").read_text())
    while Path(f"/proc/{child}/cmdline").exists() and _is_child(child):
        time.sleep(0.01)


def _is_child(pid: int) -> bool:
    try:
        return b"simnet.campaign" in Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return False


def test_a_page_is_written(explore: Invoke) -> None:
    """And said; its directory is made."""
    result = explore("some_fail", "--seeds", 60, "--jobs", 1, "--html", "pages/x.html")
    assert result.stdout.endswith("see pages/x.html\n")
    assert "13 failed" in Path("pages/x.html").read_text()


def test_a_place_where_nothing_can_be_kept_is_told(explore: Invoke) -> None:
    """A file stands where the directory of failures would be."""
    Path("simnet-failures").touch()
    result = explore("some_fail", "--seeds", 60, "--jobs", 1)
    assert result.exit_code == 2
    assert "simnet-failures" in result.stderr
    assert result.stdout.startswith(EXPECTED)


def test_help_says_what_the_exit_codes_mean() -> None:
    """Nobody has to guess."""
    text = CliRunner().invoke(main, ["explore", "--help"]).stdout
    assert "Exit code: 0 no run failed" in text
    assert "explore" in CliRunner().invoke(main, ["--help"]).stdout
