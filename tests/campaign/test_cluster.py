"""A Dask cluster, with real workers on real sockets: the same report, also when one is killed."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.campaign.conftest import EXPECTED, Command, environment


class Cluster:
    """The script, which is started again if it was killed."""

    def __init__(self, marks: Path) -> None:
        self.marks = marks
        self._process: subprocess.Popen[str] | None = None
        self._address = ""

    @property
    def address(self) -> str:
        """Of its scheduler."""
        if self._process is None or self._process.poll() is not None:
            self._start()
        return self._address

    def _start(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, str(Path(__file__).parent / "cluster_of_two.py")],
            env=environment(self.marks, dask=True),
            cwd=self.marks,
            text=True,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            # It tells at length of workers that die.
            stderr=subprocess.DEVNULL,
        )
        assert self._process.stdout is not None
        self._address = self._process.stdout.readline().strip()
        assert self._address.startswith("tcp://127.0.0.1:")

    def kill(self) -> None:
        """All at once."""
        assert self._process is not None
        self._process.kill()
        self._process.communicate()

    def end(self) -> None:
        """In order."""
        if self._process is not None:
            self._process.communicate()


@pytest.fixture(scope="module")
def two(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """A cluster of two workers."""
    found = Cluster(tmp_path_factory.mktemp("cluster"))
    yield found
    found.end()


def test_a_killed_worker_loses_no_seed_and_none_counts_twice(
    command: Command, two: Cluster
) -> None:
    """It is killed half-way, with what it had run and what it had not."""
    executor = f"dask:{two.address}"
    ended = command.run("kills_its_starter_once", "--seeds", 60, "--executor", executor)
    assert (two.marks / "killed").exists()
    assert ended.out.startswith(EXPECTED), ended.err
    assert ended.code == 1
    assert command.seeds() == list(range(60))


def test_a_seed_that_kills_each_worker_has_failed(command: Command, two: Cluster) -> None:
    """The cluster gives up on it; the others are run."""
    executor = f"dask:{two.address}"
    ended = command.run("kills_its_starter", "--seeds", 4, "--executor", executor)
    assert ended.out == (
        "4 runs: 1 failed, in 1 ways\n"
        "  process died: with its worker: 1 times, first with seed 2: "
        "as did those that tried before\n"
    )


def test_a_worker_without_the_program_says_so(command: Command, two: Cluster) -> None:
    """The file of a target must be there, as it is here."""
    lone = command.directory / "lone_program.py"
    lone.write_text("def check(world): pass\n")
    executor = f"dask:{two.address}"
    ended = command.run("lone_program.py:check", "--seeds", 4, "--executor", executor)
    assert ended.code == 2
    assert ended.err.startswith(
        "there is no file 'lone_program.py'; what was run is kept, and this goes on:"
    )


def test_a_cluster_that_is_gone_is_told(command: Command, two: Cluster) -> None:
    """What was run is kept."""
    less_patience = "from simnet.campaign import cluster; cluster._PATIENCE = 1"
    words = ("hangs_once", "--seeds", 60, "--executor", f"dask:{two.address}")
    with command.start(*words, how=less_patience) as process:
        while not (two.marks / "hangs").exists():
            assert process.poll() is None
            time.sleep(0.01)
        two.kill()
        _, err = process.communicate()
    assert process.returncode == 2
    assert f"the Dask scheduler at {two._address} is lost; what was run is kept" in err
    assert 40 not in command.seeds()


def test_nobody_at_the_address_is_told(command: Command) -> None:
    """After a while; in a process of its own, for Dask leaves a thread."""
    impatient = "from simnet.campaign import cluster; cluster._PATIENCE = 0.2"
    words = ("passes", "--executor", "dask:tcp://127.0.0.1:1")
    with command.start(*words, how=impatient) as process:
        _, err = process.communicate()
    assert process.returncode == 2
    assert "no Dask scheduler at tcp://127.0.0.1:1: " in err
