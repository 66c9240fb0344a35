"""What a run reports: as expected, otherwise, or not playable; the same on every backend."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from simnet.scenario import Report
from tests.scenario.conftest import INSTALLED

Play = Callable[..., Report]

pytestmark = pytest.mark.parametrize("backend", INSTALLED)

PAIR = "- a: socketpair()\n  as: [left, right]\n"

GOOD = {
    "text stands for bytes": '- a: left.send("ü")\n  returns: 2\n- b: right.recv(9)\n  returns: ü',
    "hex": '- a: left.send(hex("00 ff"))\n- b: right.recv(9)\n  returns: {is: hex("00ff")}',
    "repeated": '- a: left.send("x" * KiB)\n- b: right.recv(9999)\n  returns: {bytes: KiB}',
    "prefix": '- a: left.send("hello")\n- b: right.recv(9)\n  returns: {starts with: he}',
    "at least": '- a: left.send("hello")\n  returns: {at least: 5}',
    "at most": '- a: left.send("hello")\n  returns: {at most: 5}',
    "between": '- a: left.send("hello")\n  returns: {between: [1, 5]}',
    "not": '- a: left.send("hello")\n  returns: {not: 4}',
    "a kind": "- a: left.dup()\n  returns: {any: socket}",
    "a method by class of error": "- a: left.getpeername(1)\n  raises: TypeError",
    "error by errno": "- a: left.recv(9, MSG_DONTWAIT)\n  raises: EAGAIN",
    "error by class": "- a: left.recv(9, MSG_DONTWAIT)\n  raises: BlockingIOError",
    "a base class of the error": "- a: left.recv(9, MSG_DONTWAIT)\n  raises: OSError",
    "several buffers": '- a: left.sendmsg(["one", "two"])\n- b: right.recv(9)\n  returns: onetwo',
    "into a buffer": (
        '- a: left.send("abc")\n- b: buffer(2)\n  as: room\n- b: right.recv_into(room)\n'
        "  returns: 2\n- b: bytes(room)\n  returns: ab"
    ),
    "a file": '- a: left.sendfile(file("abc"))\n  returns: 3\n- b: right.recv(9)\n  returns: abc',
    "blocked, then complete": (
        '- a: left.recv(9)\n  blocks: true\n- b: right.send("x")\n- a: completes\n  returns: x'
    ),
    "a name for what completes": (
        '- a: left.recv(9)\n  blocks: true\n- b: right.send("x")\n- a: completes\n  as: got\n'
        "- a: bytes(got)\n  returns: x"
    ),
    "still blocked at the end": "- a: left.recv(9)\n  blocks: true",
}


@pytest.mark.parametrize("steps", GOOD.values(), ids=GOOD)
def test_a_story_that_goes_as_told_is_ok(play: Play, steps: str) -> None:
    """Every kind of argument and expectation fits what really happens."""
    report = play(PAIR + steps)
    assert (report.status, report.failure, report.error) == ("ok", None, None)


BAD = {
    "another value": (
        '- a: left.send("x")\n  returns: 2',
        "returns 2",
        "returns 1",
    ),
    "True is not 1": ('- a: left.send("x")\n  returns: true', "returns True", "returns 1"),
    "an error instead of a value": (
        "- a: left.recv(9, MSG_DONTWAIT)\n  returns: x",
        "returns 'x'",
        "raises EAGAIN (BlockingIOError: [Errno 11] Resource temporarily unavailable)",
    ),
    "a value instead of an error": (
        '- a: left.send("x")\n  raises: EPIPE',
        "raises EPIPE",
        "returns 1",
    ),
    "another error": (
        "- a: left.listen()\n  raises: EPIPE",
        "raises EPIPE",
        "raises EINVAL (OSError: [Errno 22] Invalid argument)",
    ),
    "no blocking": ('- a: left.send("x")\n  blocks: true', "blocks", "returns 1"),
    "a hang": ("- a: left.recv(9)\n  returns: x", "returns 'x'", "still blocks after 1 seconds"),
    "a size": (
        '- a: left.send("abc")\n  returns: {between: [4, 2 * 4]}',
        "returns between 4 and 2 * 4",
        "returns 3",
    ),
    "names for what has no parts": (
        '- a: left.send("x")\n  as: [one, two]',
        "a result for one, two",
        "a result without 2 parts",
    ),
    "an argument without a value": (
        '- a: left.send("x" * 2 * 64 * MiB)',
        "returns",
        '"x" * 2 * 64 * MiB has no value: ValueError: more than 67108864 items',
    ),
}


@pytest.mark.parametrize(("steps", "expected", "actual"), BAD.values(), ids=BAD)
def test_a_step_that_goes_otherwise_is_reported(
    play: Play, steps: str, expected: str, actual: str
) -> None:
    """The report has the step's place, what it should have given, and what it gave."""
    report = play(PAIR + steps, patience=1.0)
    assert report.status == "FAIL"
    assert report.failure is not None
    assert (report.failure.expected, report.failure.actual) == (expected, actual)
    assert str(report.failure.step.where) == "story.yaml:7:5"


def test_the_steps_after_a_failure_do_not_run(play: Play) -> None:
    """They would fail for the wrong reason. What the backend itself has to tell may follow."""
    report = play("- a: sleep(0)\n- a: socketpair()\n  returns: 3\n- b: sleep(0)\n")
    assert report.events[:2] == (
        "line 5: a: sleep(0) -> returns None",
        "line 6: a: socketpair() -> returns (a socket, a socket)",
    )
    assert not any(event.startswith("line 8") for event in report.events)


def test_ports_and_directories_do_not_count_as_outcomes(play: Play) -> None:
    """Two runs have the same record, though the network chose other numbers and names."""
    steps = """
        - a: create_server(("127.0.0.1", 0))
          as: listener
        - a: listener.getsockname()
        - b: tempdir()
          as: here
        - b: socket(AF_UNIX, SOCK_DGRAM)
          as: s
        - b: s.bind(here + "/s")
        - b: s.getsockname()
        - b: s.fileno()
        - b: s.bind(here + "/nowhere/s")
          raises: ENOENT
        """
    first, second = play(steps), play(steps)
    assert first.status == "ok"
    assert first.record == second.record
    assert first.record[1] == "returns ('127.0.0.1', a port)"


def test_nothing_is_left_open(play: Play, recwarn: pytest.WarningsRecorder) -> None:
    """What a story does not close is closed for it, blocked calls too."""
    report = play(PAIR + '- a: left.recv(9)\n  blocks: true\n- b: right.makefile("rb")\n')
    assert report.status == "ok"
    assert not recwarn.list
