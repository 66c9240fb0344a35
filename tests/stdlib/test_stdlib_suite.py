"""A few quick modules of the interpreter's own tests on both backends, and the run itself.

`SIMNET_PROFILE=nightly pytest tests/stdlib` runs all of them, as `python -m tests.stdlib` does.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from tests.stdlib import known, processes
from tests.stdlib.__main__ import main
from tests.stdlib.modules import Module
from tests.stdlib.results import FAILED, PASSED, SKIPPED, Result, by_package, row, total, unexpected

QUICK = ("test_epoll", "test_smtplib", "test_socketserver", "test_asyncio.test_streams")
NIGHTLY = os.environ.get("SIMNET_PROFILE", "quick") == "nightly"


@pytest.mark.timeout(0 if NIGHTLY else 120)
def test_what_passes_on_the_kernel_passes_on_the_simulator() -> None:
    """But for what failures.yaml names, which does not."""
    done = CliRunner().invoke(main, () if NIGHTLY else QUICK)
    assert done.exit_code == 0, done.output


# The list of known failures


def test_the_list_is_in_order() -> None:
    """Each entry gives a reason in a sentence, and versions that are supported."""
    for entry in known.entries():
        assert entry.reason.strip().endswith("."), entry.reason
        assert entry.tests, entry.reason
        assert set(entry.versions) <= set(known.VERSIONS), entry.reason
        assert list(entry.tests) == sorted(set(entry.tests)), entry.reason
        assert all(test.startswith("test.") for test in entry.tests), entry.reason


def test_no_failure_is_listed_twice() -> None:
    """For one version of Python there is one reason."""
    listed = [
        (version, test)
        for entry in known.entries()
        for version in entry.versions
        for test in entry.tests
    ]
    assert sorted(listed) == sorted(set(listed))


def test_the_list_of_this_python_is_told_apart_by_kind() -> None:
    """What is not modelled is known to fail; what is not run is known of neither backend."""
    assert known.not_modelled() < known.known().keys()
    assert not known.not_run().keys() & known.known().keys()


# The comparison


def results(**outcomes: str) -> dict[str, Result]:
    """Results by the names of tests."""
    return {test: Result(outcome, f"said {test}") for test, outcome in outcomes.items()}


CASES: list[tuple[str, str | None, str | None, bool, str]] = [
    ("both pass", PASSED, PASSED, False, ""),
    ("both fail", FAILED, FAILED, False, ""),
    ("only the kernel fails", FAILED, PASSED, False, ""),
    ("only the kernel skips", SKIPPED, PASSED, False, ""),
    ("only the simulator fails", PASSED, FAILED, False, "passes on the real kernel"),
    ("the simulator skips", PASSED, SKIPPED, False, "passes on the real kernel"),
    ("it does not run on the simulator", PASSED, None, False, "does not run"),
    ("a listed one fails", PASSED, FAILED, True, ""),
    ("a listed one passes", PASSED, PASSED, True, "is listed: why"),
    ("a listed one fails on the kernel", FAILED, FAILED, True, "the real kernel too"),
    ("a listed one is skipped by the kernel", SKIPPED, SKIPPED, True, ""),
    ("it fails, and nobody asked the kernel", None, FAILED, False, "fails on the simulator"),
]


@pytest.mark.parametrize(("real", "sim", "listed", "said"), [case[1:] for case in CASES])
def test_a_difference_is_unexpected_in_both_directions(
    real: str | None, sim: str | None, listed: bool, said: str
) -> None:
    """And said with its reason."""
    told = list(
        unexpected(
            None if real is None else results(one=real),
            {} if sim is None else results(one=sim),
            {"one": "why"} if listed else {},
        )
    )
    assert len(told) == bool(said)
    assert all(said in sentence for sentence in told)


def test_the_table_counts_what_is_to_pass() -> None:
    """Of what passes on the kernel, without what is not modelled."""
    real = results(a=PASSED, b=PASSED, c=PASSED, d=PASSED, e=FAILED, f=SKIPPED)
    sim = results(a=PASSED, b=FAILED, c=PASSED, d=FAILED, e=PASSED)
    first = row("one", real, sim, {"d"})
    assert (first.expected, first.outside, first.both) == (3, 1, 2)
    assert first.per_cent == pytest.approx(200 / 3)
    both = total([first, row("two", results(a=PASSED), results(a=PASSED), set())])
    assert (both.expected, both.both, both.real[PASSED], both.sim[FAILED]) == (4, 3, 5, 2)
    assert row("none", {}, {}, set()).per_cent == 100


def test_the_modules_of_a_package_are_one_line_of_a_page() -> None:
    """In the place of the first."""
    passing = results(a=PASSED)
    names = ("test_b", "test_a.test_y", "test_a.test_x", "test_c")
    rows = by_package([row(name, passing, passing, set()) for name in names])
    assert [(each.module, each.both) for each in rows] == [
        ("test_b", 1),
        ("test_a", 2),
        ("test_c", 1),
    ]


# The processes

SCRIPT = """
import json, os, sys, time
journal, done = sys.argv[1], open(sys.argv[2]).read().split()
def write(**event):
    with open(journal, "a") as file:
        file.write(json.dumps(event) + "\\n")
for test in ("a", "b", "c", "d"):
    if test in done:
        continue
    write(begun=test)
    if test == "b":
        print("b crashes", flush=True)
        os._exit(7)
    if test == "c":
        time.sleep(600)
    write(test=test, outcome="pass", text="")
"""


def test_a_run_goes_on_after_a_test_that_crashes_or_hangs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In a new process, without what has been run; the others' results stay."""
    script = tmp_path / "script.py"
    script.write_text(SCRIPT)

    def command(module: Module, backend: str, work: Path, match: Any) -> list[str]:
        return [sys.executable, str(script), str(work / "journal"), str(work / "done")]

    monkeypatch.setattr(processes, "_command", command)
    monkeypatch.setattr(processes, "PATIENCE", 1.0)
    found, output = processes.run(Module("test_any"), "sim", ())
    assert {test: result.outcome for test, result in found.items()} == {
        "a": PASSED,
        "b": FAILED,
        "c": FAILED,
        "d": PASSED,
    }
    assert "ended with code 7\nb crashes" in found["b"].text
    assert "hangs: nothing has happened for 1 s" in found["c"].text
    assert output == "b crashes\n"


def test_a_process_that_runs_no_test_is_a_failure_of_the_module(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It is not tried again for ever."""
    command = [sys.executable, "-c", "import sys; sys.exit('no such thing')"]
    monkeypatch.setattr(processes, "_command", lambda *args: command)
    found, _ = processes.run(Module("test_any"), "sim", ())
    assert list(found) == ["test.test_any"]
    assert "no such thing" in found["test.test_any"].text


def test_modules_are_found_by_name_and_by_package() -> None:
    """A name that is none is said to be none."""
    listed = CliRunner().invoke(main, ["--list", "test_asyncio", "test_select"])
    assert "test_asyncio.test_streams" in listed.output.split()
    assert "test_select" in listed.output.split()
    assert "test_asyncio.test_subprocess" not in listed.output
    assert CliRunner().invoke(main, ["--list", "test_nothing"]).exit_code == 2
