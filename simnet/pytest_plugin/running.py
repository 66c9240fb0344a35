"""The hooks of running tests. They are registered once there is a test in a world."""

from __future__ import annotations

import functools
import sys
import threading
from collections.abc import Generator
from typing import Any

import pytest

from simnet.pytest_plugin import coroutines, reports, settings, worlds
from simnet.pytest_plugin.settings import LOOP, SEED
from simnet.pytest_plugin.state import STATE

_NAME = "simnet-running"


def start(config: pytest.Config) -> None:
    """From now on these hooks are called."""
    if not config.pluginmanager.has_plugin(_NAME):
        worlds.load()
        config.pluginmanager.register(sys.modules[__name__], _NAME)


def take(test: pytest.Function) -> None:
    """Run it here alone, also where another plugin has made it an item of its own kind."""
    if coroutines.is_coroutine_test(test):
        item: Any = test
        item.setup = functools.partial(pytest.Function.setup, test)
        item.runtest = functools.partial(pytest.Function.runtest, test)


def _in_world(item: Any) -> bool:
    return SEED in getattr(item, "fixturenames", ())


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """A marker that came too late to bring its fixture."""
    if item.get_closest_marker(settings.NAME) is not None and not _in_world(item):
        pytest.fail(
            f"{item.nodeid}: the marker `{settings.NAME}` was added to a test that had been "
            "collected: put it on the function, its class, or in `pytestmark` of its module",
            pytrace=False,
        )


@pytest.hookimpl(hookwrapper=True, tryfirst=True)
def pytest_fixture_setup(
    fixturedef: pytest.FixtureDef[Any], request: pytest.FixtureRequest
) -> Generator[None, Any, None]:
    """A fixture that is a coroutine runs in the loop of its test, whoever else would run it."""
    function = fixturedef.func
    if fixturedef.scope != "function" or not coroutines.is_asynchronous(function):
        yield
        return
    if not _in_world(request.node):
        yield
        return
    changed: Any = fixturedef
    changed.func = coroutines.synchronous_fixture(request, function)
    try:
        yield
    finally:
        changed.func = function


@pytest.hookimpl(hookwrapper=True, tryfirst=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> Generator[None, Any, None]:
    """A test that is a coroutine runs in its loop."""
    if not (_in_world(pyfuncitem) and coroutines.is_coroutine_test(pyfuncitem)):
        yield
        return
    request: Any = pyfuncitem._request
    with coroutines.synchronous_test(pyfuncitem, request.getfixturevalue(LOOP)):
        yield


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, Any, None]:
    """A failure tells what is needed to understand and to repeat it."""
    state = item.stash.get(STATE, None)
    if state is None:
        yield
        return
    if call.excinfo is not None:
        reports.hide_frames(call.excinfo, item.config)
    report: pytest.TestReport = (yield).get_result()
    if not report.passed:
        state.settled = True
    if report.failed:
        text = state.section or reports.section(item, state)
        report.sections.append((reports.TITLE, text))
    if report.when == "teardown":
        # Nobody needs its world any more.
        del item.stash[STATE]


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_teardown(item: pytest.Item) -> Generator[None, Any, None]:
    """Whoever put back what it had found in the patched program has put back a simulated thing."""
    yield
    state = item.stash.get(STATE, None)
    if state is not None and state.patched_on is not None:
        state.world.give_back()


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    """The same after a run that was interrupted: fixtures of its test have ended by now."""
    for item in session.items:
        state = item.stash.get(STATE, None)
        if state is not None and state.patched_on is not None:
            state.world.give_back()
            return


@pytest.hookimpl(tryfirst=True, optionalhook=True)
def pytest_timeout_set_timer(item: pytest.Item, settings: Any) -> bool | None:
    """pytest-timeout's thread ends the process: first it tells who waits in the world."""
    if settings.method != "thread" or not _in_world(item):
        return None
    plugin = item.config.pluginmanager.getplugin("timeout")
    watched = threading.get_ident()

    def over() -> None:
        state = item.stash.get(STATE, None)
        if state is not None:
            frame = sys._current_frames().get(watched)
            print(reports.section(item, state, frame), file=sys.stderr)
        plugin.timeout_timer(item, settings)

    timer = threading.Timer(settings.timeout, over)
    timer.name = f"pytest-timeout of {item.nodeid}"

    def cancel() -> None:
        timer.cancel()
        timer.join()

    vars(item)["cancel_timeout"] = cancel
    timer.start()
    return True
