"""Which tests run in a world, and with which seeds.

The marker asks for a fixture (`usefixtures`), so that pytest itself orders it among the others: it
comes after those of a larger scope and of autouse, and before all others.
"""

from __future__ import annotations

import sys
from collections.abc import Generator
from typing import Any

import pytest

from simnet.pytest_plugin import settings
from simnet.pytest_plugin.settings import MARKED, SEED, BadMarker, is_test_case

# Marked tests get the fixture


def _use(node: pytest.Collector) -> None:
    """Let the tests of a marked module or class use the fixture."""
    if node.get_closest_marker(settings.NAME) is None:
        return
    if not any(MARKED in mark.args for mark in node.iter_markers("usefixtures")):
        node.add_marker(pytest.mark.usefixtures(MARKED))


def _use_in_function(function: Any) -> None:
    marks = getattr(function, "pytestmark", None)
    if not isinstance(marks, list) or not any(mark.name == settings.NAME for mark in marks):
        return
    if not any(MARKED in mark.args for mark in marks if mark.name == "usefixtures"):
        pytest.mark.usefixtures(MARKED)(function)


def pytest_collectstart(collector: pytest.Collector) -> None:
    """A class is about to be collected."""
    if isinstance(collector, pytest.Class):
        cls = collector.obj
        _use(collector)
        if is_test_case(cls):
            for name in dir(cls):
                if name.startswith("test"):
                    _use_in_function(getattr(cls, name))


@pytest.hookimpl(tryfirst=True)
def pytest_pycollect_makeitem(collector: Any, name: str, obj: object) -> None:
    """A function of a module or a class is about to become a test."""
    if collector.istestfunction(obj, name):
        _use(collector)
        _use_in_function(getattr(obj, "__func__", obj))


# Seeds, and other plugins' parameters


@pytest.hookimpl(tryfirst=True)
def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """A test that anyio's plugin would run on each of its backends runs in the world's loop."""
    definition = metafunc.definition
    if SEED not in metafunc.fixturenames or "anyio_backend" not in metafunc.fixturenames:
        return
    marks = definition.iter_markers("parametrize")
    if not any("anyio_backend" in str(mark.args[:1]) for mark in marks):
        once = pytest.mark.parametrize("anyio_backend", ["asyncio"], indirect=True)
        definition.add_marker(once)


@pytest.hookimpl(specname="pytest_generate_tests", trylast=True)
def pytest_generate_seeds(metafunc: pytest.Metafunc) -> None:
    """Several seeds, or one from the command line, are the last part of a test's name."""
    if SEED not in metafunc.fixturenames:
        return
    try:
        seeds = settings.read(metafunc.definition).runs(metafunc.config)
    except BadMarker:
        # Told of all tests alike, below.
        return
    if seeds is not None:
        names = [f"seed-{each}" for each in seeds]
        metafunc.parametrize(SEED, seeds, ids=names, indirect=True, scope="function")


# Mistakes


def _mistake(item: pytest.Function) -> str | None:
    try:
        read = settings.read(item)
        if read.seeds is not None and is_test_case(item.cls):
            raise BadMarker("a method of a unittest.TestCase runs with one seed, seed=")
        names = item.fixturenames
        if read.entropy and "world" in names and "simnet" not in names:
            raise BadMarker("entropy=True needs a patched world: ask for `simnet`, not `world`")
        if read.hosts or read.links or read.nasty:
            from simnet.pytest_plugin import worlds

            worlds.make(read, 0)
    except (BadMarker, TypeError, ValueError) as error:
        return f"{item.nodeid}: @pytest.mark.{settings.NAME}: {error}"
    return None


@pytest.hookimpl(hookwrapper=True)
def pytest_make_collect_report(collector: pytest.Collector) -> Generator[None, Any, None]:
    """A test whose marker cannot be right is an error of its module or class."""
    report: pytest.CollectReport = (yield).get_result()
    tests = [each for each in report.result or () if isinstance(each, pytest.Function)]
    marked = [test for test in tests if test.get_closest_marker(settings.NAME) is not None]
    mistakes = [mistake for test in marked if (mistake := _mistake(test)) is not None]
    if mistakes:
        report.outcome = "failed"
        report.longrepr = "\n".join(dict.fromkeys(mistakes))
        report.result = []


# What is to be run


def _runs_in_world(item: pytest.Item) -> bool:
    # A marker that was added to an item does not bring the fixture: running.py says so.
    return isinstance(item, pytest.Function) and (
        SEED in item.fixturenames or item.get_closest_marker(settings.NAME) is not None
    )


def pytest_collection_finish(session: pytest.Session) -> None:
    """Load the simulator if a test needs it: now, outside all tests and their patches."""
    config = session.config
    tests: list[Any] = [item for item in session.items if _runs_in_world(item)]
    if not tests or config.getoption("collectonly"):
        return
    from simnet.pytest_plugin import running

    running.start(config)
    for test in tests:
        running.take(test)


def pytest_report_collectionfinish(
    config: pytest.Config, items: list[pytest.Item]
) -> str | list[str]:
    """Say what will not be as it may have been meant."""
    tests = [item for item in items if _runs_in_world(item)]
    lines = []
    if config.getoption("--simnet-seeds") is not None:
        single = sum(is_test_case(getattr(test, "cls", None)) for test in tests)
        if single:
            lines.append(f"{single} tests of unittest.TestCase classes run with one seed each")
    if tests and _coverage_is_blind():
        lines.append(
            "coverage misses what tasks run, unless its configuration says, under [run], "
            "concurrency = greenlet, thread"
        )
    return [f"simnet: {line}" for line in lines]


def _coverage_is_blind() -> bool:
    """Whether lines are counted in a way that is lost where one task takes over from another."""
    coverage = sys.modules.get("coverage")
    current = coverage.Coverage.current() if coverage is not None else None
    if current is None or "greenlet" in (current.get_option("run:concurrency") or ()):
        return False
    monitoring = getattr(sys, "monitoring", None)
    return monitoring is None or monitoring.get_tool(monitoring.COVERAGE_ID) is None
