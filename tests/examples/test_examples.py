"""Four programs with a bug each: what is found, how small it becomes, and that the fix holds."""

from __future__ import annotations

import inspect
import shutil
import subprocess
import sys
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any

import attrs
import pytest

import simnet
from simnet.exploring import keeping
from simnet.policies import Fifo
from simnet.scenario import Report, backends, load, run
from tests.examples.counter.property import program

HERE = Path(__file__).parent
ROOT = HERE.parents[1]


@attrs.frozen
class Example:
    """One of them, by the name of its directory."""

    name: str
    function: str

    @property
    def module(self) -> Any:
        """The module of the property."""
        return import_module(f"tests.examples.{self.name}.property")

    @property
    def file(self) -> Path:
        """What was found."""
        return HERE / self.name / f"{self.name}.yaml"

    def search(self) -> None:
        """Run the property as a test."""
        getattr(self.module, self.function)()

    def replay(self) -> Report:
        """Run what was found."""
        return run(load(str(self.file)), backends.load("sim"))

    def mend(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Let the property have the mended code, in the place of what it took from the broken."""
        fixed = import_module(f"tests.examples.{self.name}.fixed")
        for name, value in list(vars(self.module).items()):
            if getattr(value, "__module__", None) == f"tests.examples.{self.name}.broken":
                monkeypatch.setattr(self.module, name, getattr(fixed, name))


EXAMPLES = [
    Example("lines", "lines_are_whole"),
    Example("pool", "every_request_is_answered"),
    Example("counter", "acknowledged_is_counted"),
    Example("leases", "no_update_is_lost"),
]
each = pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: example.name)


@pytest.fixture
def kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where failures are kept; their programs are named from the directory of the project."""
    monkeypatch.chdir(ROOT)
    monkeypatch.setattr(keeping, "keep_story", partial(keeping.keep_story, directory=tmp_path))
    return tmp_path


@each
def test_the_property_is_short(example: Example) -> None:
    """Under thirty lines, with its strategies."""
    module = example.module
    source = inspect.getsource(getattr(module, example.function).simnet_program)
    if example.name == "counter":
        source += inspect.getsource(module.count)
    assert len(source.splitlines()) < 30


@each
def test_the_smallest_story_that_breaks_it_is_found(example: Example, kept: Path) -> None:
    """It is told in the file; another version of Hypothesis may find one that is as small."""
    with pytest.raises(BaseException) as raised:  # noqa: PT011
        example.search()
    (file,) = kept.iterdir()
    story, told = load(str(file)), load(str(example.file))
    assert story.program is not None
    assert told.program is not None
    assert story.program.found == told.program.found
    assert story.name == told.name
    assert len(file.read_text().splitlines()) <= len(example.file.read_text().splitlines())
    assert f"simnet: kept as {file}" in raised.value.__notes__[0]


@each
def test_the_story_fails_until_the_code_is_mended(
    example: Example, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In the same way as it was found; then it passes."""
    report = example.replay()
    assert report.failure is not None
    assert report.failure.actual.endswith("as it was found")
    example.mend(monkeypatch)
    assert example.replay().status == "ok"


@each
def test_the_mended_code_has_the_property(
    example: Example, monkeypatch: pytest.MonkeyPatch
) -> None:
    """None of sixty examples breaks it, where some of them break the other."""
    test = getattr(example.module, example.function)

    def failing() -> list[str]:
        found = [test.simnet_by_seed(seed, test.simnet_program) for seed in range(60)]
        return [each[1].signature for each in found if each is not None and each[1].failed]

    assert failing()
    example.mend(monkeypatch)
    assert failing() == []


def simnet_run(directory: Path) -> subprocess.CompletedProcess[str]:
    """Replay the story of the lines on both backends, as a user does."""
    file = "tests/examples/lines/lines.yaml"
    command = [sys.executable, "-m", "simnet", "run", file, "--backend", "both"]
    return subprocess.run(command, cwd=directory, capture_output=True, text=True, check=False)


def test_a_command_replays_it_on_the_real_kernel_too(tmp_path: Path) -> None:
    """It fails on both in the same way, and passes on both as soon as the file is mended."""
    copied = shutil.copytree(HERE, tmp_path / "tests" / "examples")
    (tmp_path / "tests" / "__init__.py").touch()
    found = simnet_run(tmp_path)
    assert found.returncode == 1, found.stdout + found.stderr
    ways = found.stdout.count("as it was found")
    if "skip" not in found.stdout:
        assert ways == 2, found.stdout
    else:
        assert ways == 1, found.stdout  # no namespaces here
    shutil.copy(copied / "lines" / "fixed.py", copied / "lines" / "broken.py")
    mended = simnet_run(tmp_path)
    assert mended.returncode == 0, mended.stdout + mended.stderr


def test_the_counter_is_explored_by_seeds_too(monkeypatch: pytest.MonkeyPatch) -> None:
    """About every fourth seed breaks it, in one way."""
    report = simnet.explore(program, seeds=range(40), policy=Fifo())
    (way,) = report.ways
    assert way.count >= 5
    Example("counter", "").mend(monkeypatch)
    assert not simnet.explore(program, seeds=range(40), policy=Fifo()).failures
