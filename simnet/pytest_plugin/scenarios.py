"""The pytest plugin: scenario files as test items, one per backend.

A project lists its files in the ini option `simnet_scenarios` (globs, relative to the root
directory). Nothing of the simulator is imported before there is something to collect.
"""

from __future__ import annotations

from collections.abc import Iterator
from fnmatch import fnmatch
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from simnet.scenario.results import Report


def pytest_collect_file(file_path: Path, parent: pytest.Collector) -> pytest.Collector | None:
    """A scenario file, if the ini option names it."""
    globs = parent.config.getini("simnet_scenarios")
    if not globs or file_path.suffix not in (".yaml", ".yml"):
        return None
    root = parent.config.rootpath
    path = file_path.relative_to(root) if file_path.is_relative_to(root) else file_path
    if not any(fnmatch(path.as_posix(), glob) for glob in globs):
        return None
    file: ScenarioFile = ScenarioFile.from_parent(parent, path=file_path)
    return file


class ScenarioFile(pytest.File):
    """One scenario; it keeps the reports of its items, so that they can be compared."""

    def collect(self) -> Iterator[pytest.Item]:
        from simnet.scenario import Malformed, backends, load

        self.reports: dict[str, Report] = {}
        try:
            root = self.config.rootpath
            shown = self.path.relative_to(root) if self.path.is_relative_to(root) else self.path
            scenario = load(str(self.path), shown_as=str(shown))
            names = backends.choose(self.config.getoption("--simnet-backend"))
        except (Malformed, backends.NoBackend) as error:
            raise self.CollectError(str(error)) from error
        for name in names:
            yield ScenarioItem.from_parent(self, name=name, scenario=scenario)


class ScenarioFailed(Exception):
    """A scenario gave something else; the message is the command's."""


class ScenarioItem(pytest.Item):
    """One scenario on one backend."""

    def __init__(self, *, scenario: Any, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._scenario = scenario

    def runtest(self) -> None:
        """Replay it, and compare with the backends that it has run on already."""
        from simnet.scenario import backends, report, run
        from simnet.scenario.pictures import Pictures

        option = self.config.getoption
        pictures = Pictures(option("--simnet-pcap"), option("--simnet-html"))
        result = run(self._scenario, pictures.watch(backends.load(self.name)))
        files = pictures.write(self._scenario)
        if result.skipped is not None:
            pytest.skip(result.skipped)
        if result.status != "ok":
            raise ScenarioFailed("\n".join([report.explain(result), *report.places(files)]))
        assert isinstance(self.parent, ScenarioFile)
        self.parent.reports[self.name] = result
        found = report.differences(self.parent.reports.values())
        if found is not None:
            raise ScenarioFailed(found)

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], style: Any = None) -> Any:
        """The words of `simnet run`, without a traceback through the plugin."""
        if isinstance(excinfo.value, ScenarioFailed):
            return str(excinfo.value)
        return super().repr_failure(excinfo, style)

    def reportinfo(self) -> tuple[Path, int, str]:
        """The file and the name that the summary shows."""
        return self.path, 0, f"{self._scenario.name} [{self.name}]"
