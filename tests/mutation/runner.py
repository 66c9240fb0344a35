"""Running the tests on a copy of the tree that has a mutant in it."""

from __future__ import annotations

import os
import resource
import shutil
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from tests.mutation import rules
from tests.mutation.operators import Mutant

KILLED, TIMEOUT = "a test failed", "a test never ended"
SURVIVED, NOT_RUN, UNDECIDED = "no test failed", "not run by any test", "out of time"
EXPIRED = "expired"  # the time for one run of pytest
_MEMORY = 3 * 2**30  # bytes; a mutant that loops for ever may eat
_IGNORED = shutil.ignore_patterns(".*", "build", "dist", "venv")


def copy_tree(source: Path, target: Path) -> Path:
    """A copy to mutate, its tests compiled: that saves most of the start."""
    shutil.copytree(source, target, ignore=_IGNORED)
    command = [sys.executable, "-m", "pytest", "--collect-only", "-q", "-p", "no:cacheprovider"]
    subprocess.run([*command, *rules.TESTS], cwd=target, stdout=subprocess.DEVNULL, check=True)
    return target


@contextmanager
def planted(tree: Path, mutant: Mutant) -> Iterator[None]:
    """The tree has the mutant inside the block."""
    path = tree / mutant.path
    path.write_text(mutant.mutated)
    try:
        yield
    finally:
        path.write_text(mutant.source)


def _limited() -> None:
    resource.setrlimit(resource.RLIMIT_AS, (_MEMORY, _MEMORY))


def run_tests(
    tree: Path, arguments: Sequence[str], *, seconds: float, choice: Sequence[str] | None = None
) -> str:
    """The verdict of pytest, with these arguments or the chosen tests, on the tree as it is."""
    # Python tells compiled files by size and second: too coarse for two mutants in one second.
    environment = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1", "PYTHONPATH": str(tree)}
    command = [sys.executable, "-m", "pytest", "-x", "-q", "--tb=no", "-p", "no:cacheprovider"]
    command += ["--timeout=40", *arguments]
    if choice is not None:
        names = tree / "mutation.choice"
        names.write_text("\n".join(choice))
        environment["MUTATION_CHOICE"] = str(names)
        functions = dict.fromkeys(name.partition("[")[0] for name in choice)
        command += ["-p", "tests.mutation.plugin", *functions]
    with subprocess.Popen(
        command,
        cwd=tree,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
        preexec_fn=_limited,
    ) as process:
        try:
            output, _ = process.communicate(timeout=seconds)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.communicate()
            return EXPIRED
    if process.returncode == 5:
        raise RuntimeError(f"no tests ran:\n{output}")
    if process.returncode == 0:
        return SURVIVED
    return TIMEOUT if "Timeout" in output else KILLED


def first_look(tests: Sequence[str], files: int = 3, most: int = 100) -> list[str]:
    """Few tests of few files, those that have most to say: they start fast, and kill most."""
    counts = Counter(name.partition("::")[0] for name in tests)
    chosen = {file for file, _ in counts.most_common(files)}
    return [name for name in tests if name.partition("::")[0] in chosen][:most]


def judge(tree: Path, mutant: Mutant, tests: Sequence[str], *, most: int, seconds: float) -> str:
    """The verdict on a mutant by the first `most` of its tests."""
    if not tests:
        return NOT_RUN
    with planted(tree, mutant):
        verdict = run_tests(tree, (), seconds=seconds, choice=first_look(tests))
        if verdict == SURVIVED:
            verdict = run_tests(tree, (), seconds=seconds, choice=tests[:most])
            # That many tests may be slow; one that never ends is stopped by its own limit.
            if verdict == EXPIRED:
                verdict = UNDECIDED
        return TIMEOUT if verdict == EXPIRED else verdict
