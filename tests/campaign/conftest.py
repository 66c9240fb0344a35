"""Setups, and the command in a process of its own."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import attrs
import pytest

from simnet.campaign import setup
from simnet.campaign.setup import Setup
from tests.campaign import programs
from tests.test_layers import ROOT

PROGRAMS = "tests/campaign/programs.py"
SEEDS = range(60)
_LINE = programs.some_fail.__code__.co_firstlineno
# What is said of these seeds of `some_fail`.
EXPECTED = f"""\
60 runs: 13 failed, in 2 ways
  ValueError at programs.py:{_LINE + 8} in some_fail: 9 times, first with seed 3: seed 3
  AssertionError at programs.py:{_LINE + 9} in some_fail: 4 times, first with seed 5: eleven"""


def scratch() -> tempfile.TemporaryDirectory[str]:
    """A directory for many small files, in memory where that can be: writing waits for the disk."""
    memory = "/dev/shm"
    return tempfile.TemporaryDirectory(dir=memory if os.access(memory, os.W_OK) else None)


@pytest.fixture(scope="session", autouse=True)
def _bytecode(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Processes compile the modules once, also where nothing may be written beside the sources."""
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("PYTHONDONTWRITEBYTECODE", raising=False)
        patch.setenv("PYTHONPYCACHEPREFIX", str(tmp_path_factory.mktemp("bytecode")))
        yield


def environment(marks: Path, dask: bool = False) -> dict[str, str]:
    """What processes are started with; Dask, which is large, has its bytecode beside it."""
    found = {**os.environ, "MARKS": str(marks), "PYTHONPATH": str(ROOT)}
    if dask:
        del found["PYTHONPYCACHEPREFIX"]
    return found


@attrs.frozen
class Command:
    """Runs `simnet explore` on a program of programs.py, in a directory with a store of its own."""

    directory: Path

    @property
    def store(self) -> Path:
        """Its file."""
        return self.directory / "store.sqlite"

    def start(
        self, program: str, *arguments: object, python: str = sys.executable, how: str = ""
    ) -> Process:
        """Start it; `how` are statements that go before."""
        target = program if ":" in program else f"{ROOT / PROGRAMS}:{program}"
        code = f"{how}\nfrom simnet.cli import main\nmain(prog_name='simnet')"
        words = [python, "-c", code, "explore", target, "--store", str(self.store)]
        words += map(str, arguments)
        return subprocess.Popen(
            words,
            cwd=self.directory,
            env=environment(self.directory, "--executor" in arguments),
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )

    def run(self, program: str, *arguments: object, python: str = sys.executable) -> Ended:
        """Run it to its end."""
        process = self.start(program, *arguments, python=python)
        out, err = process.communicate()
        return Ended(process.returncode, out, err)

    def seeds(self) -> list[int]:
        """Those that the file has."""
        with sqlite3.connect(self.store) as db:
            found = [seed for (seed,) in db.execute("SELECT seed FROM runs ORDER BY seed")]
        db.close()
        return found


Process = subprocess.Popen[str]


@attrs.frozen
class Ended:
    """What a command said, and its exit code."""

    code: int
    out: str
    err: str


@pytest.fixture
def command(tmp_path: Path) -> Command:
    """The command."""
    return Command(tmp_path)


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Setup]:
    """Makes the setup of a program of programs.py."""
    monkeypatch.chdir(ROOT)

    def make(program: str = "some_fail", **options: object) -> Setup:
        return setup.make(f"{PROGRAMS}:{program}", **options)  # type: ignore[arg-type]

    return make
