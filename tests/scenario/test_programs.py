"""Scenarios about a user's program: it is called in the world of the story, and must not raise."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from textwrap import dedent

import pytest

from simnet import explore
from simnet.scenario import Malformed, Report, backends, load, run
from simnet.scenario.report import explain
from simnet.sources import by_stream
from tests.scenario import told_programs

HERE = "tests/scenario/told_programs.py"
TwoHosts = "hosts: {a: {ip: 10.0.0.1}, b: {ip: 10.0.0.2}}\n"
Play = Callable[..., Report]


@pytest.fixture
def play(tmp_path: Path) -> Play:
    """Play a story about one of the programs, with more said about it."""

    def play(program: str, more: str = "", backend: str = "sim") -> Report:
        path = tmp_path / "story.yaml"
        said = dedent(more)
        path.write_text(f"name: A story\nshows: It.\nprogram: {HERE}:{program}\n{said}")
        return run(load(str(path)), backends.load(backend))

    return play


@pytest.mark.parametrize("backend", ["sim", "real"])
def test_a_program_that_returns_is_ok(play: Play, backend: str) -> None:
    """On every backend that has several hosts."""
    report = play("passes", "with: {text: hello}", backend)
    if report.skipped is not None and "sim only" not in report.skipped:
        pytest.skip(report.skipped)
    assert (report.status, report.record) == ("ok", ("returns",))


@pytest.mark.parametrize("backend", ["sim", "real"])
def test_a_program_that_raises_fails(play: Play, backend: str) -> None:
    """With the exception and its line."""
    report = play("passes", "", backend)
    if report.skipped is not None and "sim only" not in report.skipped:
        pytest.skip(report.skipped)
    assert report.status == "FAIL"
    assert "raises AssertionError at told_programs.py:21 in passes" in explain(report)
    assert "story.yaml:3:10: tests/scenario/told_programs.py:passes()" in explain(report)


def test_arguments_are_plain_values(play: Play) -> None:
    """Texts, bytes, numbers, and lists, tuples and mappings of them."""
    report = play("says", "with: {a: 1, b: {bytes: 'x\\r'}, c: [no, {tuple: []}], d: {e: 0.5}}")
    assert "{'a': 1, 'b': b'x\\r', 'c': [False, ()], 'd': {'e': 0.5}}" in explain(report)


def test_events_happen_to_its_hosts_at_their_times(play: Play) -> None:
    """While the program runs."""
    events = "steps:\n- partition: a -> b\n  at: 0.5\n- heal: a -> b\n  at: 1.5\n"
    report = play("is_cut_off", TwoHosts + events)
    assert report.record[:2] == (
        "partition: a -> b (at 0.5 seconds)",
        "heal: a -> b (at 1.5 seconds)",
    )
    assert "[b'0', b'2']" in explain(report)
    assert play("is_cut_off", TwoHosts).status == "ok"


def test_decisions_are_made_again(play: Play) -> None:
    """And whether it fails as it was found to is said."""
    assert play("races", "policy: fifo").status == "ok"
    assert play("races", "policy: uniform\ndecisions: {}").status == "ok"
    (failed,) = explore(told_programs.races, failures=1).failures
    failing = f"policy: uniform\ndecisions: {by_stream(failed.decisions)}\n"
    report = play("races", failing)
    (found,) = [word for word in report.record if word.startswith("raises ")]
    again = explain(play("races", f"{failing}found: {found.removeprefix('raises ')}"))
    assert "an update was lost\n  as it was found" in again
    assert "\n  it was found to raise KeyError at" in explain(
        play("races", f"{failing}found: KeyError at x.py:1 in y")
    )


def test_the_seed_and_a_policy_decide_too(play: Play) -> None:
    """Where nothing was recorded."""
    ended = {play("races", f"policy: uniform\nseed: {seed}").status for seed in range(20)}
    assert ended == {"ok", "FAIL"}


def test_a_task_that_fails_unseen_is_a_failure(play: Play) -> None:
    """As in an exploration."""
    assert "KeyError at told_programs.py" in explain(play("leaves_a_task_that_fails"))


def test_a_method_is_a_program(play: Play) -> None:
    """Of a new object."""
    assert "Held 3" in explain(play("Held.program", "with: {number: 3}"))


@pytest.mark.parametrize(
    ("more", "reason"),
    [
        ("nasty: short_reads", "nasty"),
        ("decisions: {scheduler: {0: 1}}", "decisions"),
        ("policy: uniform", "policy"),
        (f"{TwoHosts}links: {{a -> b: {{latency: 1}}}}", "latency"),
        (f"{TwoHosts}steps:\n- crash: a\n  at: 1", "at"),
        ("sim only: it needs a clock", "it needs a clock"),
    ],
)
def test_what_only_a_simulator_has_is_played_there_alone(
    play: Play, more: str, reason: str
) -> None:
    """The other backend skips it, with the reason."""
    assert play("passes", more, "real").skipped == f"sim only: {reason}"


@pytest.mark.parametrize(
    ("program", "name"), [("asks_for_time", "now"), ("asks_a_host", "event_loop")]
)
def test_a_program_that_asks_for_what_only_a_simulator_has(
    play: Play, program: str, name: str
) -> None:
    """It turns out when it runs."""
    report = play(program, backend="real")
    assert report.skipped is not None
    if "sim only" not in report.skipped:
        pytest.skip(report.skipped)
    assert report.skipped == f"sim only: {name}"


@pytest.mark.parametrize(
    ("program", "said"),
    [
        ("absent", "there is no 'absent' in tests.scenario.told_programs"),
        ("NOT_A_PROGRAM", "cannot be called: it is a int"),
    ],
)
def test_a_program_that_is_not_there_is_an_error(play: Play, program: str, said: str) -> None:
    """The story cannot be played."""
    report = play(program)
    assert report.status == "error"
    assert said in explain(report)


MALFORMED = {
    "program: nothing": "3:10: expected 'path/to/file.py:function' or",
    "policy: lifo\nprogram: a:b": "3:9: expected fifo, uniform, pct",
    "program: a:b\nactors: [x]": "a 'program' has no actors",
    "program: a:b\nsteps:\n- wait: 1": "'steps' needs 'hosts' beside the 'program'",
    TwoHosts + "program: a:b\nsteps:\n- a: socket()": "a 'program' acts by itself",
    TwoHosts + "program: a:b\nsteps:\n- wait: 1": "a program waits itself",
    "actors: [x]\nwith: {a: 1}\nsteps:\n- x: socket()": "'with' is said of a 'program'",
    "program: a:b\nwith: [1]": "expected arguments such as 'size: 100' (a mapping)",
    "program: a:b\nwith: {1: 2}": "expected the name of an argument, found '1'",
    "program: a:b\nwith: {a: {hex: x}}": "4:17: expected hexadecimal digits, found 'x'",
    "program: a:b\ndecisions: {s: {x: 1}}": "4:17: expected a place from 0 on, found 'x'",
    "program: a:b\ndecisions: {s: {1: -1}}": "4:20: expected a choice from 0 on, found '-1'",
    "program: a:b\nprogramm: c:d": "unknown key 'programm'",
    "seed: 1": "the key 'steps' is missing (or 'program', where a function is called)",
}


@pytest.mark.parametrize("text", MALFORMED)
def test_what_is_wrong_is_told_with_its_place(tmp_path: Path, text: str) -> None:
    """Before anything is run."""
    path = tmp_path / "story.yaml"
    path.write_text(f"name: A story\nshows: It.\n{text}\n")
    with pytest.raises(Malformed) as raised:
        load(str(path))
    assert MALFORMED[text] in str(raised.value)


def test_the_programs_of_this_test_are_what_they_are_named() -> None:
    """The file is found from the directory of the project."""
    assert told_programs.__file__.endswith(HERE)
