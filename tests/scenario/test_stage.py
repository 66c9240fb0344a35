"""Stories of several hosts on the simulator: every event does what it says, at its time."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

import realnet
from simnet.errors import Unavailable
from simnet.scenario import Report, run
from simnet.scenario.backends import Backend, load
from tests.scenario.conftest import Write, scenario_of

Play = Callable[..., Report]

INBOX = """\
- b: socket(AF_INET, SOCK_DGRAM)
  as: inbox
- b: inbox.bind(("10.0.0.2", 9))
- a: socket(AF_INET, SOCK_DGRAM)
  as: outbox
- a: outbox.connect(("10.0.0.2", 9))
"""
SEND = '- a: outbox.send("x")\n'
ARRIVES = SEND + "- b: inbox.recv(9)\n  returns: x\n"
LOST = SEND + "- b: inbox.recv(9, MSG_DONTWAIT)\n  raises: EAGAIN\n"


@pytest.fixture
def tell(write_hosts: Write) -> Play:
    """Replay steps between two hosts on the simulator."""

    def tell(steps: str, setting: str = "") -> Report:
        return run(scenario_of(write_hosts(steps, setting)), load("sim"))

    return tell


GOOD = {
    "nothing happens": ARRIVES,
    "a partition, healed": "- partition: a <-> b\n" + LOST + "- heal: a <-> b\n" + ARRIVES,
    "a partition of one way": "- partition: b -> a\n" + ARRIVES,
    "a partition for later": "- partition: a -> b\n  after: 2\n" + ARRIVES + "- wait: 2\n" + LOST,
    "at an instant": "- wait: 1\n- partition: a -> b\n  at: 2\n" + ARRIVES + "- wait: 1\n" + LOST,
    "healed later": "- partition: a -> b\n- heal: a -> b\n  after: 1\n"
    + LOST
    + "- wait: 1\n"
    + ARRIVES,
    "links change": "- links: {a -> b: {loss: 1}}\n" + LOST,
    "links in general": "- links: {default: {loss: 1}}\n" + LOST,
    "on both ways": "- links: {b <-> a: {loss: 1}}\n" + LOST,
    "the way back": "- links: {b -> a: {loss: 1}}\n" + ARRIVES,
    "held back": (
        "- hold: a -> b\n" + LOST + "- release: a -> b\n- b: inbox.recv(9)\n  returns: x\n"
    ),
    "two are lost": "- drop: a -> b\n  packets: UDP\n  count: 2\n" + LOST + LOST + ARRIVES,
    "another kind is lost": "- drop: a -> b\n  packets: FIN\n" + ARRIVES,
    "a crash ends sockets": "- crash: b\n- restart: b\n- b: inbox.recv(9)\n  raises: EBADF\n",
    "a crash ends calls": (
        "- b: inbox.recv(9)\n  blocks: true\n- crash: b\n- restart: b\n- b: sleep(0)\n"
    ),
    "time passes for those who wait": (
        "- a: sleep(7)\n  blocks: true\n- wait: 6.7\n- b: sleep(0)\n  takes: 0\n"
        "- a: completes\n  takes: 7\n"
    ),
}


@pytest.mark.parametrize("steps", GOOD.values(), ids=GOOD)
def test_an_event_does_what_it_says(tell: Play, steps: str) -> None:
    """What the programs see afterwards is the proof."""
    report = tell(INBOX + steps)
    assert (report.status, report.failure, report.error) == ("ok", None, None)


def test_a_story_may_take_very_long(tell: Play) -> None:
    """A step that says how long it takes is waited for."""
    assert tell("- a: sleep(86400)\n  takes: 86400\n").status == "ok"


def test_a_story_begins_with_its_links(tell: Play) -> None:
    """They hold from the first step on."""
    assert tell(INBOX + LOST, "links: {a -> b: {loss: 1}}\n").status == "ok"


@pytest.mark.parametrize(
    "links",
    [
        "default: {latency: 2}, a -> b: {duplicate: 1}",
        "a -> b: {duplicate: 1}, default: {latency: 2}",
    ],
)
def test_a_link_keeps_what_is_said_of_all(tell: Play, links: str) -> None:
    """In whichever order it is said."""
    steps = SEND + "- b: inbox.recv(9)\n  takes: 2\n- b: inbox.recv(9)\n  takes: 0\n"
    assert tell(INBOX + steps, f"links: {{{links}}}\n").status == "ok"


def test_the_seed_decides_what_is_left_to_chance(tell: Play) -> None:
    """The same seed loses the same packets; others lose others."""
    steps = (
        INBOX + SEND * 20 + "- b: readiness(inbox)\n" + "- b: inbox.recv(9, MSG_DONTWAIT)\n" * 20
    )

    def arrived(seed: str) -> int:
        report = tell(steps, f"links: {{a -> b: {{loss: 0.5}}}}\nseed: {seed}\n")
        return len(report.record)

    counts = [arrived(seed) for seed in ("1", "1", "2", "3", "four", "four")]
    assert counts[0] == counts[1]
    assert counts[4] == counts[5]
    assert len(set(counts)) > 1


def test_addresses_that_nobody_has(tell: Play) -> None:
    """A router says so, or nobody does."""
    connect = '- a: create_connection(("203.0.113.9", 80), 1)\n  raises: '
    assert tell(connect + "EHOSTUNREACH").status == "ok"
    assert tell(connect + "ENETUNREACH", "unknown addresses: network\n").status == "ok"
    assert tell(connect + "TimeoutError", "unknown addresses: silence\n").status == "ok"


def test_names_mean_what_is_said_of_them(tell: Play) -> None:
    """Addresses in order, a delay, a failure; from a step on something else."""
    steps = """\
- a: gethostbyname("www")
  returns: 10.0.0.9
  takes: 2
- names: {www: {fails: EAI_AGAIN}}
- a: getaddrinfo("www", 80)
  raises: EAI_AGAIN
  takes: 0
"""
    assert tell(steps, "names: {www: {ip: [10.0.0.9, 10.0.0.2], delay: 2}}\n").status == "ok"


def test_a_kernel_can_be_set_otherwise(write_hosts: Write) -> None:
    """A host with its own settings behaves by them."""
    steps = """\
- partition: a <-> b
- a: create_connection(("10.0.0.2", 80))
  raises: ETIMEDOUT
  takes: 3
"""
    path = write_hosts(steps)
    limits = "{ip: 10.0.0.1, limits: {tcp_syn_retries: 1, tcp_syn_linear_timeouts: 0}}"
    path.write_text(path.read_text().replace("{ip: 10.0.0.1}", limits))
    assert run(scenario_of(path), load("sim")).status == "ok"


BAD = {
    "a step on a host that is down": (
        "- crash: b\n  after: 1\n- wait: 2\n- b: sleep(0)\n",
        "10:5: b: sleep(0)",
        "ends without a result: the host has crashed",
    ),
    "a call that ends with its host": (
        "- crash: b\n  after: 1\n- b: sleep(2)\n",
        "9:5: b: sleep(2)",
        "ends without a result: the host has crashed",
    ),
    "too slow": (
        "- a: sleep(2)\n  takes: {at most: 1}\n",
        "7:5: a: sleep(2)",
        "returns None after 2 s",
    ),
    "too fast": (
        "- a: sleep(2)\n  takes: {at least: 3}\n",
        "7:5: a: sleep(2)",
        "returns None after 2 s",
    ),
    "for ever": (
        "- a: sleep(20)\n",
        "7:5: a: sleep(20)",
        "still blocks after 5 seconds",
    ),
}


@pytest.mark.parametrize(("steps", "step", "actual"), BAD.values(), ids=BAD)
def test_a_step_that_goes_otherwise_is_reported(
    tell: Play, steps: str, step: str, actual: str
) -> None:
    """With its place, and the time that it took where that was asked for."""
    report = tell(steps)
    assert report.failure is not None
    assert f"{report.failure.step.where}: {report.failure.step}" == f"story.yaml:{step}"
    assert report.failure.actual == actual


LATE = {
    "an instant that is past": (
        "- wait: 2\n- crash: b\n  at: 1\n",
        "line 8: crash: b (at 1 seconds): it is 2 seconds already",
    ),
    "healing before the partition": (
        "- partition: a -> b\n  after: 2\n- heal: a -> b\n  after: 1\n- wait: 3\n",
        "line 9: heal: a -> b (after 1 seconds): that partition is not in force",
    ),
    "a restart before the crash": (
        "- crash: a\n  after: 2\n- restart: a\n  after: 1\n- wait: 3\n",
        "line 9: restart: a (after 1 seconds): the host is up",
    ),
    "two crashes": (
        "- crash: a\n  after: 2\n- crash: a\n  after: 1\n- wait: 3\n",
        "line 7: crash: a (after 2 seconds): the host is down already",
    ),
}


@pytest.mark.parametrize(("steps", "error"), LATE.values(), ids=LATE)
def test_an_event_that_cannot_happen_is_an_error(tell: Play, steps: str, error: str) -> None:
    """It is told by its line, when its time has come."""
    report = tell(steps)
    assert (report.status, report.error) == ("error", error)


def test_events_are_told_with_their_time(tell: Play) -> None:
    """When they were over, in seconds since the story began."""
    steps = "- wait: 2\n- a: sleep(1)\n- crash: b\n- a: sleep(0)\n  returns: 3\n"
    assert tell(steps).events[:4] == (
        "2.000s line 7: wait: 2 -> happens",
        "3.000s line 8: a: sleep(1) -> returns None",
        "3.000s line 9: crash: b -> happens",
        "3.000s line 10: a: sleep(0) -> returns None",
    )


def test_the_end_of_the_trace_follows_a_failure(tell: Play) -> None:
    """With what became of the packets."""
    report = tell(INBOX + "- partition: a -> b\n" + SEND + "- b: inbox.recv(9)\n")
    assert any("dropped" in event and "partition" in event for event in report.events)


def test_a_backend_of_one_host_skips_stories_of_several(write_hosts: Write) -> None:
    """With the reason."""
    report = run(scenario_of(write_hosts("- wait: 1")), Backend("one", realnet.Network))
    assert (report.status, report.skipped) == ("skip", "the backend 'one' has one host only")


def test_a_backend_that_is_no_simulator_skips_what_needs_one(write_hosts: Write) -> None:
    """Everything that needs it is named; the world is not even made."""
    scenario = scenario_of(write_hosts("- wait: 9\n- drop: a -> b\n  packets: FIN"))
    report = run(scenario, Backend("real", realnet.Network, lambda: pytest.fail("made")))
    assert (report.status, report.skipped) == ("skip", "sim only: drop, 9 seconds")


@pytest.mark.parametrize("arguments", [(), (1,)])
def test_a_world_that_cannot_be_had_skips_the_story(
    write_hosts: Write, arguments: tuple[int, ...]
) -> None:
    """The backend says why; an errno is not for readers."""

    def world() -> Any:
        raise Unavailable(*arguments, "only root may have namespaces")

    report = run(scenario_of(write_hosts("- wait: 1")), Backend("real", realnet.Network, world))
    assert (report.status, report.skipped) == ("skip", "only root may have namespaces")


def test_a_world_that_does_not_start_is_an_error(write_hosts: Write) -> None:
    """It is not the scenario's failure, and no reason to skip it."""

    def world() -> Any:
        raise OSError("no network today")

    report = run(scenario_of(write_hosts("- wait: 1")), Backend("real", realnet.Network, world))
    assert report.error == "the backend did not start: OSError: no network today"


def test_the_real_kernel_plays_the_same_story(write_hosts: Write) -> None:
    """Events too, where it can; the outcomes are the simulator's."""
    steps = INBOX + "- partition: a -> b\n" + LOST + "- wait: 0.1\n- heal: a -> b\n" + ARRIVES
    steps += "- crash: b\n- restart: b\n- b: inbox.recv(9)\n  raises: EBADF\n"
    scenario = scenario_of(write_hosts(steps, "links: {default: {mtu: 1400}}\n"))
    real, sim = run(scenario, load("real")), run(scenario, load("sim"))
    if real.skipped is not None:
        pytest.skip(real.skipped)
    assert (real.status, real.failure, real.error) == ("ok", None, None)
    assert real.record == sim.record


def test_time_passes_on_one_host_too(write: Write) -> None:
    """Waiting needs no second host, and how long a call takes can be said."""
    steps = "- a: sleep(2)\n  blocks: true\n- wait: 1\n- a: completes\n  takes: 2\n"
    assert run(scenario_of(write(steps)), load("sim")).status == "ok"
