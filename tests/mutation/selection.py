"""Which tests a mutant needs: those that run its line, one case of each test function first."""

from __future__ import annotations

import hashlib
import os
import random
import subprocess
import sys
from itertools import zip_longest
from pathlib import Path

from coverage import CoverageData

from tests.mutation import rules
from tests.mutation.operators import Mutant

CONFIG = "[run]\nconcurrency = greenlet,thread\nsource = simnet\nrelative_files = true\n"


def fingerprint(tree: Path) -> str:
    """Of all that the map depends on."""
    digest = hashlib.sha256()
    for folder in ("simnet", *rules.TESTS):
        for path in sorted((tree / folder).rglob("*.py")):
            digest.update(path.as_posix().removeprefix(tree.as_posix()).encode())
            digest.update(path.read_bytes())
    return digest.hexdigest()[:16]


def measure(tree: Path, target: Path) -> None:
    """Run the simulator's side of the suite once, under coverage."""
    (tree / "mutation.ini").write_text(CONFIG)
    failed = target.with_suffix(".failed")
    failed.write_text("")
    command = [sys.executable, "-m", "coverage", "run", "--rcfile=mutation.ini"]
    command += [f"--data-file={target}.part", "-m", "pytest", "-p", "tests.mutation.plugin"]
    command += [*rules.TESTS, "-k", "not real", "-q", "-p", "no:cacheprovider"]
    log = target.with_suffix(".log")
    with log.open("w") as output:
        environment = {**os.environ, "MUTATION_FAILED": str(failed)}
        done = subprocess.run(command, cwd=tree, env=environment, stdout=output, stderr=output)
    if done.returncode not in (0, 1):
        raise SystemExit(f"the suite does not run: see {log}")
    Path(f"{target}.part").rename(target)


class Map:
    """The measured map: tests by file and line."""

    def __init__(self, path: Path) -> None:
        self._data = CoverageData(str(path))
        self._data.read()
        self._files = {Path(name).as_posix(): name for name in self._data.measured_files()}
        self.failed = set(path.with_suffix(".failed").read_text().split("\n")) - {""}
        self._cache: dict[str, dict[int, list[str]]] = {}

    def tests_for(self, mutant: Mutant) -> list[str]:
        """The tests that run the mutant's line: first one case of each function, then a second."""
        by_line = self._cache.get(mutant.path)
        if by_line is None:
            measured = self._files.get(mutant.path, mutant.path)
            by_line = self._cache[mutant.path] = self._data.contexts_by_lineno(measured)
        at_import = any("" in by_line.get(line, ()) for line in mutant.lines)
        # For what runs at import (a table, a class's body): whoever uses the file.
        lines = by_line if at_import else mutant.lines
        names = {name for line in lines for name in by_line.get(line, ())} - {""} - self.failed
        functions: dict[str, list[str]] = {}
        for name in sorted(names):
            functions.setdefault(name.partition("[")[0], []).append(name)
        groups = list(functions.values())
        shuffler = random.Random(repr(mutant.identity))
        shuffler.shuffle(groups)
        for group in groups:
            shuffler.shuffle(group)
        return [name for layer in zip_longest(*groups) for name in layer if name is not None]
