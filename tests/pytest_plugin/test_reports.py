"""What the report of a failed test says."""

from __future__ import annotations

import shlex

import pytest

from tests.pytest_plugin.conftest import Run

pytest_plugins = ["pytester"]

SERVER = """
    import socket, threading, time
    import pytest

    def serve(listener):
        conn, _ = listener.accept()
        with conn:
            conn.recv(10)
            time.sleep(500)
"""


def test_a_failure_has_the_seed_who_waited_and_the_last_events(run: Run) -> None:
    """In a section of its own."""
    result = run(
        SERVER
        + """
    @pytest.mark.simnet(seeds=[3])
    def test_it(simnet):
        with socket.create_server(("", 80)) as listener:
            threading.Thread(target=serve, args=(listener,)).start()
            with socket.create_connection(("localhost", 80)) as conn:
                conn.sendall(b"hello")
                time.sleep(2)
                assert conn is None
    """
    )
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        [
            ">*assert conn is None",
            "*- simnet -*",
            "seed: 3",
            "replay: pytest 'test_it.py::test_it[[]seed-3]' --simnet-seed 3",
            "waiting at 2 s:",
            "  'Thread-1 (serve)' on host 'localhost': sleep 500, at *test_it.py:8 in serve",
            "last events:",
            "  0.000000s listen 1 128",
            "  2.000000s close *",
        ]
    )


@pytest.mark.parametrize(
    ("options", "name", "seed"),
    [
        ((), "test_it[seed-0]", "0"),
        ((), "test_letters[a-seed-0]", "0"),
        ((), "test_pinned[seed-a b]", "a b"),
        ((), "TestCase::test_method", "0"),
        (("--simnet-seeds=2",), "test_letters[a-seed-1]", "1"),
    ],
)
def test_the_command_replays_the_test(
    run: Run, pytester: pytest.Pytester, options: tuple[str, ...], name: str, seed: str
) -> None:
    """That one, and no other, with that seed; from the directory where pytest was started."""
    code = """
        import unittest
        import pytest

        def test_it(simnet):
            print("ran", simnet.seed)
            assert 0

        @pytest.mark.parametrize("letter", "ab")
        def test_letters(simnet, letter):
            print("ran", simnet.seed)
            assert letter == "b"

        @pytest.mark.simnet(seed="a b")
        def test_pinned(simnet):
            print("ran", simnet.seed)
            assert 0

        class TestCase(unittest.TestCase):
            @pytest.fixture(autouse=True)
            def _world(self, simnet):
                self.world = simnet

            def test_method(self):
                print("ran", self.world.seed)
                assert 0
    """
    pytester.makeini("[pytest]")
    result = run(code, *options)
    commands = [shlex.split(line[8:]) for line in result.outlines if line.startswith("replay: ")]
    wanted = ["pytest", f"test_it.py::{name}", "--simnet-seed", seed]
    assert wanted in commands
    result = run(code, *wanted[1:])
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines([f"ran {seed}"])


def test_a_replay_is_told_from_where_pytest_was_started(
    run: Run, pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not from the root directory."""
    pytester.makeini("[pytest]")
    inside = pytester.mkdir("inside")
    monkeypatch.chdir(inside)
    result = run("def test_it(simnet): assert 0", "..")
    result.stdout.fnmatch_lines(["replay: pytest '../test_it.py::test_it*"])


def test_errors_of_the_simulator_are_shown_at_the_line_of_the_test(run: Run) -> None:
    """Without frames of the simulator, and of the standard library behind it."""
    result = run(
        SERVER
        + """
    import os, subprocess

    def test_deadlock(world):
        one, other = world.host("a").socketpair()
        with one, other:
            one.recv(1)

    def test_a_real_process(simnet):
        subprocess.run(["true"])

    def test_no_end(simnet):
        simnet.scheduler._max_steps = 500
        while True:
            time.sleep(0)

    def test_refused(simnet):
        socket.create_connection(("localhost", 80))
    """
    )
    result.assert_outcomes(failed=4)
    result.stdout.fnmatch_lines(
        [
            ">*one.recv(1)",
            "E *simnet.errors.Deadlock: every task waits, at 0 s:",
            "E * 'main': recv <socket.socket *>, at *test_it.py:15 in test_deadlock",
            "",
            "test_it.py:15: Deadlock",
            '>*subprocess.run(?"true"?)',
            "E *RealCall: subprocess.Popen(?'true'?) would start a process *test_it.py:18: *",
            "test_it.py:18: RealCall",
            "*time.sleep(0)",
            "E *StepLimit: no end after 500 steps *",
            "test_it.py:23: StepLimit",
            '>*socket.create_connection(("localhost", 80))',
            "E *ConnectionRefusedError: [[]Errno 111] Connection refused",
            "test_it.py:26: ConnectionRefusedError",
        ]
    )
    result = run(
        """
        def test_it(world):
            one, other = world.host("a").socketpair()
            with one, other:
                one.recv(1)
        """,
        "--full-trace",
    )
    result.stdout.fnmatch_lines(["*simnet/scheduler.py:*"])


def test_code_that_keeps_the_world_from_running_is_shown_where_it_stands(run: Run) -> None:
    """With those who wait for it."""
    result = run(
        SERVER
        + """
    def test_stuck(simnet):
        with socket.create_server(("", 80)) as listener:
            threading.Thread(target=serve, args=(listener,)).start()
            time.sleep(1)
            with simnet.patch(watchdog=0.2):
                while True:
                    pass
    """
    )
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        [
            "E *Stuck: no task of the world has run for 0.2 s of the wall clock: 'main' *",
            "E * 'Thread-1 (serve)' on host 'localhost': accept *, at *test_it.py:5 in serve",
            "test_it.py:1?: Stuck",
        ]
    )


def test_what_is_left_open_fails_the_test_by_name(run: Run) -> None:
    """Sockets and tasks; unless it failed already, or was skipped."""
    result = run(
        """
        import socket, threading, time
        import pytest

        KEPT = []

        def test_socket(simnet):
            KEPT.append(socket.create_server(("", 8080)))

        def test_task(world):
            world.host("a").spawn(time.sleep, 100)

        def test_thread(simnet):
            threading.Thread(target=time.sleep, args=(100,)).start()

        def test_failed_already(simnet):
            KEPT.append(socket.socket())
            assert 0

        def test_skipped(simnet):
            KEPT.append(socket.socket())
            pytest.skip("for a reason")

        @pytest.mark.xfail
        def test_expected(simnet):
            KEPT.append(socket.socket())
            assert 0

        def test_closed_by_a_fixture(closing):
            closing.append(socket.socket())

        @pytest.fixture
        def closing(simnet):
            sockets = []
            yield sockets
            for each in sockets:
                each.close()
        """
    )
    result.assert_outcomes(passed=4, failed=1, skipped=1, xfailed=1, errors=3)
    result.stdout.fnmatch_lines(
        [
            "*ERROR at teardown of test_socket*",
            "the test left open or running:",
            "  <socket.socket fd=*, laddr=('0.0.0.0', 8080)>",
            "*ERROR at teardown of test_task*",
            "  <task 'a-1' *>",
            "*ERROR at teardown of test_thread*",
            "  <task 'Thread-1 (sleep)' *>",
            "replay: *test_thread*",
        ]
    )


def test_a_task_that_failed_unseen_fails_the_test(run: Run) -> None:
    """With its traceback; a thread's exception is told by pytest, as ever."""
    result = run(
        """
        import threading, time
        import pytest

        def explode():
            raise ValueError("boom")

        def test_task(simnet):
            simnet.hosts["localhost"].spawn(explode)
            time.sleep(1)

        def test_seen(simnet):
            task = simnet.hosts["localhost"].spawn(explode)
            with pytest.raises(ValueError, match="boom"):
                task.result()

        @pytest.mark.filterwarnings("error")
        def test_thread(simnet):
            threading.Thread(target=explode).start()
            time.sleep(1)
        """
    )
    outcomes = result.parseoutcomes()
    assert (outcomes["passed"], outcomes["errors"], outcomes["failed"]) == (2, 1, 1)
    result.stdout.fnmatch_lines(
        [
            "task 'localhost-1' failed, and nobody asked for its result:",
            "*test_it.py*in explode*",
            "ValueError: boom",
        ]
    )
    result.stdout.fnmatch_lines(["*PytestUnhandledThreadExceptionWarning*"])


def test_every_world_writes_its_page_and_captures(run: Run, pytester: pytest.Pytester) -> None:
    """A failure tells where they are."""
    result = run(
        """
        import pytest

        @pytest.mark.simnet(hosts=["a", "b"], seeds=2)
        def test_it(simnet):
            with simnet.hosts["b"].create_server(("", 80)):
                simnet.hosts["a"].create_connection(("b", 80)).close()
            assert simnet.seed == 0
        """,
        "--simnet-html=pages",
        "--simnet-pcap=captures",
    )
    result.assert_outcomes(passed=1, failed=1)
    names = {path.name for path in pytester.path.glob("pages/*")}
    assert names == {f"test_it.py-test_it-seed-{seed}.html" for seed in (0, 1)}
    for path in pytester.path.glob("pages/*"):
        assert "SYN" in path.read_text()
    names = {path.name for path in pytester.path.glob("captures/*")}
    assert names == {f"test_it.py-test_it-seed-{s}.{host}.pcapng" for s in (0, 1) for host in "ab"}
    result.stdout.fnmatch_lines(
        ["written: captures/*seed-1.a.pcapng", "*", "written: pages/*seed-1.html"]
    )
