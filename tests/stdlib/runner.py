"""The process that runs one module, on one backend: `python -m tests.stdlib.runner MODULE ...`.

What happens goes to a file, a line of JSON for each event, so that it is known what had happened
when the process is ended from outside: {"begun": ID} when a test begins, {"test": ID, "outcome":
..., "text": ...} when it has ended.

Three helpers of `test.support` are replaced, on both backends: they count and wait for threads of
the kernel, and on the simulator `import_fresh_module` would import real modules anew.
"""

from __future__ import annotations

import argparse
import contextlib
import importlib
import json
import platform
import traceback
import unittest
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import attrs

from tests.stdlib.results import FAILED, PASSED, SKIPPED


class Journal(unittest.TestResult):
    """Writes each test's outcome down; the worst of its parts."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self._path = path
        self._outcome = ""
        self._text = ""

    def write(self, **event: str) -> None:
        """Add an event."""
        # Opened anew each time: tests close descriptors.
        with open(self._path, "a", encoding="utf-8", errors="backslashreplace") as file:
            file.write(json.dumps(event) + "\n")

    def _note(self, test: Any, outcome: str, text: str) -> None:
        if not isinstance(test, unittest.TestCase):
            # The set-up of a class or module, which is no test but takes the place of several.
            self.write(test=test.id(), outcome=outcome, text=text)
            return
        if self._outcome != FAILED:
            self._outcome, self._text = outcome, text

    def startTest(self, test: unittest.TestCase) -> None:
        super().startTest(test)
        self._outcome = self._text = ""
        self.write(begun=test.id())

    def stopTest(self, test: unittest.TestCase) -> None:
        super().stopTest(test)
        self.write(test=test.id(), outcome=self._outcome or PASSED, text=self._text)
        self._outcome = ""

    def addSkip(self, test: unittest.TestCase, reason: str) -> None:
        super().addSkip(test, reason)
        self._note(test, SKIPPED, reason)

    def addFailure(self, test: unittest.TestCase, err: Any) -> None:
        super().addFailure(test, err)
        self._note(test, FAILED, self.failures.pop()[1])

    def addError(self, test: unittest.TestCase, err: Any) -> None:
        super().addError(test, err)
        self._note(test, FAILED, self.errors.pop()[1])

    def addSubTest(self, test: unittest.TestCase, subtest: unittest.TestCase, err: Any) -> None:
        if err is not None:
            super().addSubTest(test, subtest, err)
            text = (self.failures or self.errors).pop()[1]
            self._note(test, FAILED, f"{subtest}\n{text}")

    def addUnexpectedSuccess(self, test: unittest.TestCase) -> None:
        super().addUnexpectedSuccess(test)
        self._note(test, FAILED, "unexpected success")


def tests_in(suite: Any) -> Iterator[unittest.TestCase]:
    """Every single test of a suite."""
    if isinstance(suite, unittest.TestSuite):
        for part in suite:
            yield from tests_in(part)
    else:
        yield suite


@contextlib.contextmanager
def on_backend(backend: str, watchdog: float) -> Iterator[frozenset[str]]:
    """The real system as it is, or a world patched in; which modules are simulated."""
    if backend == "real":
        yield frozenset()
        return
    import simnet
    from simnet.patching.twins import MODULES

    # They ask a process, once, which no patched program may start.
    platform.platform()
    platform.processor()

    world = simnet.World()
    with world.patch(world.host("localhost", ip=["10.0.0.1", "fd00::1"]), watchdog=watchdog):
        yield frozenset(real.__name__ for real, _ in MODULES)


def _replace_helpers(simulated: frozenset[str]) -> None:
    from test.support import (  # type: ignore[import-not-found]
        import_helper,
        threading_helper,
    )

    names: Any = vars(threading_helper)
    names["threading_setup"] = lambda: (0, 0)
    names["threading_cleanup"] = lambda *before: None
    names["wait_threads_exit"] = lambda timeout=None: contextlib.nullcontext()
    original = import_helper.import_fresh_module

    def import_fresh_module(name: str, fresh: Any = (), blocked: Any = (), **options: Any) -> Any:
        return original(name, [each for each in fresh if each not in simulated], blocked, **options)

    vars(import_helper)["import_fresh_module"] = import_fresh_module


@attrs.frozen
class Selection:
    """Which tests of which module."""

    module: str
    done: frozenset[str]
    match: tuple[str, ...]

    def suite(self) -> unittest.TestSuite:
        """Those tests; SkipTest and what else importing the module may raise."""
        module = importlib.import_module(f"test.{self.module}")
        loaded = unittest.defaultTestLoader.loadTestsFromModule(module)
        return unittest.TestSuite(test for test in tests_in(loaded) if self._wants(test.id()))

    def _wants(self, test: str) -> bool:
        return test not in self.done and all(part in test for part in self.match)


def run(selection: Selection, journal: Journal) -> None:
    """Run tests; that the module cannot be imported is a result too."""
    try:
        suite = selection.suite()
    except unittest.SkipTest as exc:
        journal.write(test=f"test.{selection.module}", outcome=SKIPPED, text=str(exc))
    except Exception:
        text = traceback.format_exc()
        journal.write(test=f"test.{selection.module}", outcome=FAILED, text=text)
    else:
        suite.run(journal)


def main() -> None:
    """What the command line asks for."""
    parser = argparse.ArgumentParser()
    parser.add_argument("module")
    parser.add_argument("--backend", choices=("sim", "real"), required=True)
    parser.add_argument("--journal", type=Path, required=True)
    parser.add_argument("--done", type=Path, required=True)
    parser.add_argument("--watchdog", type=float, required=True)
    parser.add_argument("--resource", action="append", default=[])
    parser.add_argument("--match", action="append", default=[])
    options = parser.parse_args()
    done = frozenset(options.done.read_text().splitlines())
    selection = Selection(options.module, done, tuple(options.match))
    with on_backend(options.backend, options.watchdog) as simulated:
        from test import support  # type: ignore[import-not-found]

        support.use_resources = options.resource
        _replace_helpers(simulated)
        run(selection, Journal(options.journal))


if __name__ == "__main__":
    main()
