"""The README is true: its examples run as shown, its tables are made from the code."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from simnet import nastiness
from simnet.options import kept_options
from simnet.patching import boundary
from tests.conformance.differences import DIFFERENCES

README = Path(__file__).parent.parent / "README.md"
TEXT = README.read_text()


def blocks(language: str) -> list[str]:
    """The code blocks in a language."""
    return re.findall(rf"^```{language}\n(.*?)^```$", TEXT, re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize("code", blocks("python"), ids=lambda code: code.split("\n")[0])
def test_each_example_runs_as_shown(code: str, tmp_path: Path) -> None:
    """A block with test functions passes under pytest, any other as a script, without a warning."""
    file = tmp_path / "test_example.py"
    file.write_text(code)
    # pytest-asyncio wants to be configured, and warns if it is not.
    without = ["-pno:cacheprovider", "-pno:asyncio"]
    arguments = ["-m", "pytest", "-q", *without, str(file)]
    command = [sys.executable, "-W", "error", *(arguments if "def test_" in code else [str(file)])]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("scenario", blocks("yaml"), ids=lambda text: text.split("\n")[0])
def test_each_scenario_gives_what_it_says(scenario: str, tmp_path: Path) -> None:
    """The YAML examples replay on both backends, or are skipped on the real one."""
    file = tmp_path / "example.yaml"
    file.write_text(scenario)
    command = [sys.executable, "-m", "simnet", "run", str(file), "--backend", "both"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.startswith("ok "), done.stdout


def test_the_diagram_is_what_the_example_prints(tmp_path: Path) -> None:
    """Its beginning, at least."""
    (shown,) = blocks("text")
    (code,) = (each for each in blocks("python") if "diagram()" in each)
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True)
    assert shown in done.stdout


def test_the_campaign_reports_what_is_shown(tmp_path: Path) -> None:
    """The command, with the program that its file has in the example."""
    (shown,) = blocks("console")
    prompt, _, report = shown.partition("\n")
    (code,) = (each for each in blocks("python") if each.startswith("# transfers.py"))
    (tmp_path / "transfers.py").write_text(code)
    command = [sys.executable, "-m", *prompt.removeprefix("$ ").split()]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (1, report), done.stderr


def test_known_differences_are_counted() -> None:
    """The number in the README is the number in the data."""
    assert f"`tests/conformance/differences.py`: **{len(DIFFERENCES)}**" in TEXT


def test_options_without_effect_are_listed() -> None:
    """Nothing is accepted and silently ignored: each option that is only kept stands here."""
    listed = re.search(r"<!-- kept options -->\n\n(.*?)\n\n", TEXT, re.DOTALL)
    assert listed is not None
    assert re.findall(r"`(\w+)`", listed[1]) == sorted(kept_options())


def test_the_families_of_nastiness_are_the_registrys() -> None:
    """The table is made from it: print registry.table()."""
    assert f"<!-- nasty -->\n\n{nastiness.table()}\n\n" in TEXT


def test_the_boundary_is_the_registrys() -> None:
    """The table is made from it: print boundary.table()."""
    assert f"<!-- boundary -->\n\n{boundary.table()}\n\n" in TEXT


def test_the_worked_examples_are_shown_as_they_are() -> None:
    """Parts of their files: properties, stories, and what was changed."""
    files = {path: path.read_text() for path in (README.parent / "tests/examples").glob("*/*.*")}

    def among(name: str) -> list[str]:
        return [text for path, text in files.items() if path.match(name)]

    (shown,) = blocks("py")
    assert any(shown in text for text in among("property.py"))
    (shown,) = blocks("yml")
    assert any(shown in text for text in among("*.yaml"))
    for change in blocks("diff"):
        before, after = (
            "".join(line[1:] for line in change.splitlines(True) if line[0] in (" ", sign))
            for sign in "-+"
        )
        assert any(before in text for text in among("broken.py"))
        assert any(after in text for text in among("fixed.py"))
