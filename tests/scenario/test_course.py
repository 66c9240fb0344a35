"""The course of a story: what makes no sense is found before it is told."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from simnet.scenario import load
from tests.scenario.conftest import Write

Mistakes = Callable[[Path], list[str]]

# Steps begin in line 7.
SENSELESS = {
    "a partition twice": (
        "- partition: a <-> b\n- partition: a <-> b",
        "8:5: 'partition: a <-> b' is in force since line 7",
    ),
    "healing another one": (
        "- partition: a <-> b\n- heal: a -> b",
        "8:5: nothing to heal: expected the way of an earlier 'partition', found 'a -> b'; "
        "did you mean 'a <-> b'?",
    ),
    "healing twice": (
        "- partition: a <-> b\n- heal: a <-> b\n- heal: a <-> b",
        "9:5: nothing to heal: expected the way of an earlier 'partition', found 'a <-> b'",
    ),
    "releasing a partition": (
        "- partition: a <-> b\n- release: a <-> b",
        "8:5: nothing to release: expected the way of an earlier 'hold', found 'a <-> b'",
    ),
    "a crash twice": ("- crash: a\n- crash: a", "8:5: the host 'a' is down since line 7"),
    "a restart of what is up": (
        "- restart: a",
        "7:5: the host 'a' is up: 'crash: a' must come first",
    ),
    "an actor on a host that is down": (
        "- crash: a\n- a: sleep(0)",
        "8:5: the host 'a' is down since line 7: expected 'restart: a' first",
    ),
    "a call that ended with its host": (
        "- a: sleep(9)\n  blocks: true\n- crash: a\n- restart: a\n- a: completes",
        "11:5: 'a' has no blocked call that could complete",
    ),
    "a time for what blocks": (
        "- a: sleep(9)\n  blocks: true\n  takes: 9",
        "7:5: a call that blocks takes its time: say 'takes' where it completes",
    ),
}


@pytest.mark.parametrize(("steps", "expected"), SENSELESS.values(), ids=SENSELESS)
def test_what_makes_no_sense_is_reported_where_it_is(
    write_hosts: Write, mistakes: Mistakes, steps: str, expected: str
) -> None:
    """One mistake, at the step that is at fault."""
    (found,) = mistakes(write_hosts(steps))
    assert found.startswith(f"story.yaml:{expected}")


SENSIBLE = {
    "a partition again": "- partition: a -> b\n- heal: a -> b\n- partition: a -> b",
    "one way and both": "- partition: a -> b\n- partition: a <-> b\n- heal: a -> b",
    "a crash in between": "- a: sleep(9)\n  blocks: true\n- crash: a\n- restart: a\n- a: sleep(0)",
    "a crash for later": "- crash: a\n  after: 3\n- a: sleep(0)\n- restart: a\n- crash: a",
    "a restart for later": "- crash: a\n- restart: a\n  after: 3\n- wait: 4\n- a: sleep(0)",
}


@pytest.mark.parametrize("steps", SENSIBLE.values(), ids=SENSIBLE)
def test_what_may_make_sense_is_not_reported(write_hosts: Write, steps: str) -> None:
    """Of a host that goes down or comes up later, nobody can tell when that will be."""
    load(str(write_hosts(steps)))


ONLY = {
    "nothing": ("- wait: 1", "", ()),
    "certain things": (
        "- partition: a <-> b\n- heal: a <-> b\n- crash: a\n- restart: a",
        "links: {default: {mtu: 1000}}",
        (),
    ),
    "chance": ("- wait: 1", "links: {a -> b: {loss: 0.5, mtu: 999}}", ("loss",)),
    "chance from a step on": (
        "- links: {default: {latency: 1, jitter: 1}}",
        "",
        ("latency", "jitter"),
    ),
    "chosen packets": ("- drop: a -> b\n  packets: FIN", "", ("drop",)),
    "holding back": ("- hold: a -> b\n- release: a -> b", "", ("hold",)),
    "a schedule": ("- crash: a\n  after: 1\n- crash: b\n  at: 1", "", ("after", "at")),
    "names": ("- wait: 1", "names: {www: {ip: 10.0.0.1}}", ("names",)),
    "names from a step on": ("- names: {www: {ip: 10.0.0.1}}", "", ("names",)),
    "the name of a host": ('- a: create_connection(("b", 80))', "", ("names",)),
    "another text": ('- a: create_connection(("10.0.0.2", 80))', "", ()),
    "an exact time": ("- a: sleep(1)\n  takes: 1", "", ("exact times",)),
    "a rough time": ("- a: sleep(1)\n  takes: {between: [1, 2]}", "", ()),
    "much time": ("- wait: 3\n- a: sleep(3)\n  takes: {at least: 3}", "", ("6 seconds",)),
    "another reason": ("- wait: 1", "sim only: no such luck", ("no such luck",)),
}


@pytest.mark.parametrize(("steps", "setting", "only"), ONLY.values(), ids=ONLY)
def test_what_only_a_simulator_can_do_is_found_out(
    write_hosts: Write, steps: str, setting: str, only: tuple[str, ...]
) -> None:
    """Chance, chosen packets, and time; each is named once."""
    assert load(str(write_hosts(steps, f"{setting}\n"))).sim_only == only


def test_a_clock_that_is_off_is_for_simulators(tmp_path: Path) -> None:
    """A machine has one clock for all its network namespaces."""
    path = tmp_path / "story.yaml"
    host = "{ip: 10.0.0.1, clock offset: 3, clock drift: 0.1}"
    path.write_text(f"name: A\nshows: B\nhosts: {{a: {host}}}\nsteps:\n  - wait: 1\n")
    assert load(str(path)).sim_only == ("clock offset", "clock drift")


@pytest.mark.parametrize(
    ("takes", "found"),
    [
        ("soon", "'soon'"),
        ("{any: number}", "a mapping"),
        ("{between: [1, later]}", "a mapping"),
        ("[1, 2]", "a list of 2"),
    ],
)
def test_how_long_a_step_takes_is_a_number_or_a_range(
    write: Write, mistakes: Mistakes, takes: str, found: str
) -> None:
    """It has to be known beforehand, because that long the step is waited for."""
    (mistake,) = mistakes(write(f"- a: sleep(0)\n  takes: {takes}"))
    example = "a number of seconds, {at least: N}, {at most: N} or {between: [N, M]}"
    assert mistake == f"story.yaml:6:12: expected {example}, found {found}"
