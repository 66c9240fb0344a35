"""Nothing is left behind, and what other fixtures do goes well with it."""

from __future__ import annotations

import pytest

from tests.pytest_plugin.conftest import Run

pytest_plugins = ["pytester"]

USED = """
import time
from time import sleep

class Clock:
    now = staticmethod(time.monotonic)

def nap():
    sleep(3600)
"""


@pytest.fixture(autouse=True)
def used(pytester: pytest.Pytester) -> None:
    """A module that the tests use, and a test that finds it as it was."""
    pytester.makepyfile(
        used=USED,
        test_zz_last="""
            import sys, threading, time
            import used

            def test_clean():
                assert type(used.sleep).__name__ == "builtin_function_or_method"
                assert used.sleep is time.sleep
                assert type(used.Clock.now).__name__ == "builtin_function_or_method"
                assert used.time is time is sys.modules["time"]
                assert threading.active_count() == 1
        """,
    )


@pytest.mark.parametrize("arguments", ["monkeypatch, simnet", "simnet, monkeypatch"])
@pytest.mark.parametrize("end", ["pass", "assert 0", "pytest.skip('')"])
def test_monkeypatch_in_either_order_leaves_nothing_simulated(
    run: Run, arguments: str, end: str
) -> None:
    """It puts back what it found in the patched program, maybe after the patch is over."""
    result = run(
        f"""
        import time
        import pytest, used

        def test_it({arguments}):
            monkeypatch.setattr(used, "sleep", lambda seconds: None)
            monkeypatch.setattr("used.Clock.now", staticmethod(lambda: "never"))
            monkeypatch.setattr(time, "sleep", lambda seconds: None)
            used.nap()
            assert simnet.now == 0
            {end}
        """
    )
    outcome = {"pass": "passed", "assert 0": "failed"}.get(end, "skipped")
    assert result.parseoutcomes() == (
        {"passed": 2} if outcome == "passed" else {"passed": 1, outcome: 1}
    )


def test_patches_of_mock_leave_nothing_simulated_either(run: Run) -> None:
    """Started in a test, ended by a fixture that was there before."""
    result = run(
        """
        from unittest import mock
        import pytest, used

        @pytest.fixture
        def patches():
            started = []
            yield started
            for each in started:
                each.stop()

        def test_it(patches, simnet):
            patches.append(mock.patch("used.sleep"))
            patches[0].start()
            used.nap()
            assert simnet.now == 0
        """
    )
    result.assert_outcomes(passed=2)


def test_what_was_replaced_before_stays_replaced(run: Run) -> None:
    """A patch does not take the place of a fake."""
    result = run(
        """
        import pytest, used

        def test_first(simnet):
            used.nap()
            assert used.Clock.now() == 3600

        @pytest.fixture
        def fakes(monkeypatch):
            monkeypatch.setattr(used, "sleep", lambda seconds: None)
            monkeypatch.setattr(used.Clock, "now", staticmethod(lambda: "never"))
            yield
            assert used.Clock.now() == "never"

        def test_it(fakes, simnet):
            used.nap()
            assert simnet.now == 0
            assert used.Clock.now() == "never"
        """
    )
    result.assert_outcomes(passed=3)


def test_finalisers_run_after_an_interruption(run_apart: Run, pytester: pytest.Pytester) -> None:
    """Of the test itself, or of a task."""
    pytester.makeconftest(
        """
        import sys, threading, time

        def pytest_unconfigure(config):
            import used
            print("clean", used.sleep is time.sleep is sys.modules["time"].sleep,
                  type(used.sleep).__name__, threading.active_count())
        """
    )
    code = """
        import time
        import pytest, used

        @pytest.fixture
        def fixture(simnet):
            yield
            print("finalised", type(time.sleep).__name__)

        def interrupt():
            raise KeyboardInterrupt

        def test_it(monkeypatch, fixture, simnet):
            monkeypatch.setattr(used, "sleep", 5)
            simnet.hosts["localhost"].spawn(interrupt)
            time.sleep(1)
    """
    result = run_apart(code, "-s")
    assert result.ret == pytest.ExitCode.INTERRUPTED
    result.stdout.fnmatch_lines(
        [
            "*finalised function",
            "*KeyboardInterrupt*",
            "clean True builtin_function_or_method 1",
        ]
    )


def test_fixtures_of_pytest_work_in_a_patched_test(run: Run) -> None:
    """Output, logs, warnings and files, of tasks too."""
    result = run(
        """
        import logging, threading, time, warnings

        def test_it(simnet, caplog, capsys, tmp_path, recwarn):
            caplog.set_level("INFO")

            def speak():
                logging.getLogger("x").info("hello")
                print("out")
                warnings.warn("careful")

            thread = threading.Thread(target=speak)
            thread.start()
            thread.join()
            assert caplog.messages == ["hello"]
            assert capsys.readouterr().out == "out\\n"
            assert [str(each.message) for each in recwarn] == ["careful"]
            (tmp_path / "file").write_text("text")
            assert (tmp_path / "file").read_text() == "text"
        """
    )
    result.assert_outcomes(passed=2)


def test_an_unclosed_socket_is_named_where_warnings_are_errors(run: Run) -> None:
    """As a real one would be, by pytest; and the next test is none the worse for it."""
    result = run(
        """
        import socket

        def test_dropped(simnet):
            listener = socket.create_server(("", 8080))
            listener = None

        def test_in_a_circle(simnet):
            circle = [socket.create_server(("", 8081))]
            circle.append(circle)

        def test_next(simnet):
            socket.create_server(("", 8080)).close()
        """,
        "-Werror",
    )
    outcomes = result.parseoutcomes()
    assert outcomes["passed"] == 3
    assert outcomes["failed"] + outcomes["errors"] == 2
    for port in (8080, 8081):
        result.stdout.fnmatch_lines(
            [f"E *ResourceWarning: unclosed <socket.socket fd=*('0.0.0.0', {port})>"]
        )
    assert not [line for line in result.outlines if "simnet/sockets.py" in line]


def test_worlds_go_with_their_tests(run: Run) -> None:
    """A long run does not keep them all."""
    result = run(
        """
        import asyncio, gc, socket, weakref

        WORLDS = []

        def test_plain(world):
            WORLDS.append(weakref.ref(world))

        def test_patched(simnet):
            WORLDS.append(weakref.ref(simnet))
            with socket.create_server(("", 80)):
                pass

        async def test_coroutine(simnet):
            WORLDS.append(weakref.ref(simnet))
            await asyncio.sleep(1)

        def test_gone():
            gc.collect()
            assert [each() for each in WORLDS] == [None] * 3
        """
    )
    result.assert_outcomes(passed=5)


def test_durations_are_those_of_the_wall(run: Run, pytester: pytest.Pytester) -> None:
    """However long the test sleeps."""
    pytester.makeconftest(
        """
        def pytest_runtest_logreport(report):
            print("short" if 0 < report.duration < 1000 < 2000 < report.stop else "long")
        """
    )
    result = run(
        """
        import time

        def test_it(simnet):
            time.sleep(3600)
            assert time.time() < 3_000_000_000
        """,
        "-s",
    )
    result.assert_outcomes(passed=2)
    assert "long" not in result.stdout.str()
    assert result.stdout.str().count("short") == 6
