"""The command `simnet run`: its lines and its exit codes."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from simnet.cli import main
from tests.scenario.conftest import Write, register, write, write_hosts

__all__ = ["write", "write_hosts"]

FAKES = ("real=realnet:Network", "liar=tests.scenario.fakes:Liar")


@pytest.fixture(autouse=True)
def _backends(monkeypatch: pytest.MonkeyPatch) -> None:
    """`both` is the real backend and one that lies about hosts."""
    register(monkeypatch, FAKES, ("real", "liar"))


def simnet(*arguments: str | Path) -> Result:
    """Run the command."""
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


def test_one_line_per_scenario_and_backend(write: Write) -> None:
    """All as expected: exit code 0."""
    path = write("- a: sleep(0)")
    result = simnet("run", path)
    assert result.exit_code == 0
    assert result.stdout.splitlines() == [
        f"ok     {path}  real  A story",
        f"ok     {path}  liar  A story",
        "1 scenarios, 2 runs: 2 ok",
    ]


def test_a_failure_shows_the_step_and_both_outcomes(write: Write) -> None:
    """Another outcome than the scenario's: exit code 1."""
    path = write("- a: gethostbyname('127.0.0.1')\n  returns: gopher")
    result = simnet("run", path, "--backend", "real")
    assert result.exit_code == 1
    assert result.stdout.splitlines() == [
        f"FAIL   {path}  real  A story",
        f"    {path}:5:5: a: gethostbyname('127.0.0.1')",
        "      expected: returns 'gopher'",
        "      actual:   returns '127.0.0.1'",
        "      last events:",
        "        line 5: a: gethostbyname('127.0.0.1') -> returns '127.0.0.1'",
        "1 scenarios, 1 runs: 1 FAIL",
    ]


def test_a_skipped_scenario_is_said_with_the_reason(write_hosts: Write) -> None:
    """It is no failure: exit code 0."""
    path = write_hosts("- drop: a -> b\n  packets: FIN")
    result = simnet("run", path, "--backend", "real")
    assert result.exit_code == 0
    assert result.stdout.splitlines() == [
        f"skip   {path}  real  A story (sim only: drop)",
        "1 scenarios, 0 runs: 1 skip",
    ]


def test_backends_that_disagree_fail(write: Write) -> None:
    """Each is as expected, yet they differ: exit code 1."""
    result = simnet("run", write("- a: gethostbyname('127.0.0.1')"), "--backend", "both")
    assert result.exit_code == 1
    assert "DIFFER" in result.stdout
    assert "      liar: returns 'a lie'" in result.stdout.splitlines()


def test_a_malformed_file_stops_everything(write: Write) -> None:
    """Exit code 2, the mistakes of all files, and nothing runs."""
    good, bad = write("- a: sleep(0)", name="good.yaml"), write("- a: slep(0)", name="bad.yaml")
    result = simnet("run", good, bad, bad.with_name("none.yaml"))
    assert result.exit_code == 2
    assert result.stdout == ""
    assert result.stderr.splitlines() == [
        f"{bad}:5:8: unknown function 'slep'; did you mean 'sleep'?",
        f"{bad.with_name('none.yaml')}:1:1: cannot be read: No such file or directory",
    ]


def test_a_directory_stands_for_its_scenarios(write: Write) -> None:
    """By name, and -k chooses among them; --list runs nothing."""
    write("- a: sleep(0)", name="two.yaml")
    path = write("- a: sleep(0)", name="one.yaml").parent
    assert simnet("run", path, "--list").stdout.splitlines() == [
        f"{path}/one.yaml: A story",
        f"{path}/two.yaml: A story",
    ]
    assert simnet("run", path, "-k", "TWO", "--list").stdout == f"{path}/two.yaml: A story\n"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["run"], "Missing argument 'PATH...'"),
        (["run", "{dir}"], "expected scenarios (.yaml or .yml) in the directory, found none"),
        (["run", "{file}", "--backend", "rael"], "did you mean 'real'?"),
        (["run", "{file}", "-k", "zzz"], "no scenario has 'zzz' in its path or name"),
        (["walk"], "No such command 'walk'"),
    ],
)
def test_wrong_usage_is_exit_code_2(
    write: Write, tmp_path: Path, arguments: list[str], message: str
) -> None:
    """The message says what was expected."""
    (tmp_path / "empty").mkdir()
    places = {"file": write("- a: sleep(0)"), "dir": tmp_path / "empty"}
    result = simnet(*(argument.format(**places) for argument in arguments))
    assert result.exit_code == 2
    assert message in result.stderr


def test_a_missing_backend_is_said(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    """Asked for, it is wrong usage; not asked for, the other one runs, with a note."""
    register(monkeypatch, ["real=realnet:Network", "sim=no_such_module:x"], ("real", "sim"))
    path = write("- a: sleep(0)")
    assert simnet("run", path, "--backend", "sim").exit_code == 2
    assert simnet("run", path, "--backend", "both").exit_code == 2
    result = simnet("run", path)
    assert result.exit_code == 0
    assert result.stderr == "note: only the backend 'real' is installed\n"


def test_help_says_what_the_exit_codes_mean() -> None:
    """Nobody has to guess, nor what it means that a scenario is skipped."""
    text = simnet("run", "--help").stdout
    assert "Exit code: 0" in text
    assert "sim only" in text
