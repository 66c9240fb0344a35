"""With pytest-xdist, pytest-timeout and pytest-cov."""

from __future__ import annotations

import pytest

from tests.pytest_plugin.conftest import Run

pytest_plugins = ["pytester"]

CODE = """
    import socket, threading, time
    import pytest

    def serve(listener):
        conn, _ = listener.accept()
        with conn:
            data = conn.recv(10)
            conn.sendall(data)

    @pytest.mark.simnet(seeds=3)
    def test_it(simnet):
        with socket.create_server(("", 80)) as listener:
            thread = threading.Thread(target=serve, args=(listener,))
            thread.start()
            with socket.create_connection(("localhost", 80)) as conn:
                time.sleep(3600)
                conn.sendall(b"hello")
                data = conn.recv(10)
                if data != b"hello":
                    never = 1
            thread.join()

    def test_fails(simnet):
        assert 0
"""
HANGS = """
    import socket, threading, time

    def serve(listener):
        listener.accept()

    def test_hangs(simnet):
        with socket.create_server(("", 80)) as listener:
            threading.Thread(target=serve, args=(listener,)).start()
            time.sleep(5)
            while True:
                pass
"""


def test_alongside_xdist(run_apart: Run) -> None:
    """Two processes; the sections of reports reach the first."""
    result = run_apart(CODE, "-n2", plugins=("xdist",))
    result.assert_outcomes(passed=3, failed=1)
    result.stdout.fnmatch_lines(["replay: pytest 'test_it.py::test_fails[[]seed-0]' *"])


def test_a_timeout_by_signal_tells_who_waits(run_apart: Run) -> None:
    """The test fails, at its line."""
    result = run_apart(HANGS, "--timeout=0.5", "--timeout-method=signal", plugins=("timeout",))
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        [
            "E *Failed: Timeout (>0.5s) from pytest-timeout.",
            "waiting at 5 s:",
            "  'Thread-1 (serve)' on host 'localhost': accept *, at *test_it.py:4 in serve",
        ]
    )


def test_a_timeout_by_thread_tells_who_waits(run_apart: Run) -> None:
    """It ends the process, but first this is said."""
    options = ("--timeout=1", "--timeout-method=thread")
    result = run_apart(HANGS, *options, plugins=("timeout",))
    assert result.ret == 1
    result.stdout.fnmatch_lines(
        [
            "*Timeout*",
            "waiting at 5 s:",
            "  'main': runs, at *test_it.py:* in test_hangs",
            "  'Thread-1 (serve)' on host 'localhost': accept *, at *test_it.py:* in serve",
            "*Stack of MainThread*",
        ]
    )


@pytest.mark.parametrize("only_the_function", ["false", "true"])
def test_threads_of_timers_go_quietly(run: Run, only_the_function: str) -> None:
    """They are started and joined while the program is patched, or before and after it."""
    options = ("--timeout=60", "--timeout-method=thread")
    option = f"-otimeout_func_only={only_the_function}"
    run(CODE, *options, option, plugins=("timeout",)).assert_outcomes(passed=3, failed=1)


def test_coverage_counts_what_tasks_run(run_apart: Run, pytester: pytest.Pytester) -> None:
    """If it is told of greenlets; the plugin says so where it is not."""
    options = ("--cov=test_it", "--cov-report=term-missing")
    result = run_apart(CODE, *options, "--collect-only", plugins=("pytest_cov",))
    result.stdout.fnmatch_lines(["simnet: coverage misses *concurrency = greenlet, thread*"])
    pytester.path.joinpath(".coveragerc").write_text("[run]\nconcurrency = greenlet, thread\n")
    result = run_apart(CODE, *options, plugins=("pytest_cov",))
    assert "coverage misses" not in result.stdout.str()
    result.stdout.fnmatch_lines(["test_it.py * 20"])
