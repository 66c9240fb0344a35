"""Scenario files as pytest items."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.scenario.conftest import Write


def run_pytest(directory: Path, *arguments: str) -> list[str]:
    """The lines of a pytest run of its own in a directory."""
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", *arguments]
    done = subprocess.run(command, cwd=directory, capture_output=True, text=True, timeout=60)
    return done.stdout.splitlines()


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project whose scenarios are in a directory."""
    (tmp_path / "pytest.ini").write_text("[pytest]\nsimnet_scenarios = stories/*.yaml\n")
    (tmp_path / "stories").mkdir()
    return tmp_path


def test_scenarios_are_collected_once_per_backend(project: Path, write: Write) -> None:
    """The item's name is the file's and the backend's; other YAML files are left alone."""
    write("- a: sleep(0)", name="stories/good.yaml")
    write("- nonsense", name="other.yaml")
    lines = run_pytest(project, "--collect-only", "-q", "--simnet-backend", "real")
    assert lines[0] == "stories/good.yaml::real"
    assert "1 test collected" in lines[-1]


def test_a_failure_has_the_words_of_the_command(project: Path, write: Write) -> None:
    """The step, the expected and the actual outcome, and no traceback."""
    write("- a: sleep(0)\n  returns: 3", name="stories/bad.yaml")
    lines = run_pytest(project, "-q", "--simnet-backend", "real")
    assert "stories/bad.yaml:5:5: a: sleep(0)" in lines
    assert "  expected: returns 3" in lines
    assert "  actual:   returns None" in lines
    assert not any("Traceback" in line for line in lines)


def test_what_a_backend_cannot_play_is_skipped(project: Path, write_hosts: Write) -> None:
    """With the reason in pytest's summary."""
    write_hosts("- drop: a -> b\n  packets: FIN", name="stories/only.yaml")
    lines = run_pytest(project, "-q", "-rs", "--simnet-backend", "both")
    assert any(line.startswith("SKIPPED") and "sim only: drop" in line for line in lines)
    assert "1 passed, 1 skipped" in lines[-1]


def test_a_malformed_file_is_a_collection_error(project: Path, write: Write) -> None:
    """With the same places as on the command line."""
    write("- a: slep(0)", name="stories/bad.yaml")
    lines = run_pytest(project, "-q", "--simnet-backend", "real")
    assert "stories/bad.yaml:5:8: unknown function 'slep'; did you mean 'sleep'?" in lines
