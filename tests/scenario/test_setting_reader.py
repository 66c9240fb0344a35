"""What is said of hosts, links and events is checked, with a place for every mistake."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from simnet.scenario import load
from simnet.scenario.setting import (
    Crash,
    Drop,
    Happening,
    Heal,
    Hold,
    HostPlan,
    LinkPlan,
    Links,
    NamePlan,
    Names,
    Partition,
    Release,
    Restart,
    Setting,
    Wait,
)
from simnet.scenario.ways import Way
from tests.scenario.conftest import Write

Mistakes = Callable[[Path], list[str]]

HOSTS = {
    "no hosts": ("{}", "3:8: expected hosts such as 'server: {ip: 10.0.0.1}', found none"),
    "a list": ("[a, b]", "3:8: expected hosts such as 'server: {ip: 10.0.0.1}' (a mapping)"),
    "not a mapping": ("{a: 10.0.0.1}", "3:12: expected a host with ip, actors, limits, clock"),
    "no address": ("{a: {}}", "3:12: the key 'ip' is missing"),
    "unknown key": (
        "{a: {ip: 10.0.0.1, actor: [x]}}",
        "3:27: unknown key 'actor': expected ip, actors, limits, clock offset or clock "
        "drift; did you mean 'actors'?",
    ),
    "not an address": (
        "{a: {ip: 10.0.0}}",
        "3:17: expected an address of a host such as 10.0.0.1, 10.0.0.1/24 or fd00::1, "
        "found '10.0.0'",
    ),
    "a loopback": ("{a: {ip: 127.0.0.1}}", "3:17: expected an address of a host such as"),
    "a group": ("{a: {ip: 224.0.0.1}}", "3:17: expected an address of a host such as"),
    "everybody": ("{a: {ip: 255.255.255.255}}", "3:17: expected an address of a host such as"),
    "nobody": ("{a: {ip: '::'}}", "3:18: expected an address of a host such as"),
    "a netmask": ("{a: {ip: 10.0.0.1/255.0.0.0}}", "3:17: expected an address of a host such as"),
    "a scope": ("{a: {ip: 'fe80::1%eth0'}}", "3:18: expected an address of a host such as"),
    "an address twice": (
        "{a: {ip: 10.0.0.1}, b: {ip: [10.0.0.2, 10.0.0.1/24]}}",
        "3:47: 10.0.0.1 is an address of the host 'a' already",
    ),
    "a name of no letters": ("{a-b: {ip: 10.0.0.1}}", "3:9: expected a host's name of letters"),
    "a name that is a word": ("{default: {ip: 10.0.0.1}}", "3:9: a host cannot be named 'default'"),
    "an actor that is a word": (
        "{crash: {ip: 10.0.0.1}}",
        "3:9: 'crash' is a word of the language: an actor needs another name",
    ),
    "an actor twice": (
        "{a: {ip: 10.0.0.1}, b: {ip: 10.0.0.2, actors: [a]}}",
        "3:55: the actor 'a' is named twice",
    ),
    "an unknown limit": (
        "{a: {ip: 10.0.0.1, limits: {tcp_syn_retires: 1}}}",
        "3:36: unknown key 'tcp_syn_retires': expected tcp_syn_retries, tcp_syn_linear_timeouts",
    ),
    "a limit out of range": (
        "{a: {ip: 10.0.0.1, limits: {tcp_syn_retries: 0}}}",
        "3:53: expected a whole number from 1 to 127, found '0'",
    ),
    "a clock of words": (
        "{a: {ip: 10.0.0.1, clock offset: late}}",
        "3:41: expected a number of seconds from -10000000 to 10000000, found 'late'",
    ),
    "a clock that stands": (
        "{a: {ip: 10.0.0.1, clock drift: -1}}",
        "3:40: expected seconds per second, above -1 and up to 1, found '-1'",
    ),
}


@pytest.mark.parametrize(("hosts", "expected"), HOSTS.values(), ids=HOSTS)
def test_a_mistake_about_hosts_is_reported_where_it_is(
    tmp_path: Path, mistakes: Mistakes, hosts: str, expected: str
) -> None:
    """One line: the place, what was expected, the nearest right word."""
    path = tmp_path / "story.yaml"
    path.write_text(f"name: A story\nshows: Something.\nhosts: {hosts}\nsteps:\n  - wait: 1\n")
    (found,) = mistakes(path)
    assert found.startswith(f"story.yaml:{expected}")


# The head that `write_hosts` puts before these has five lines.
SETTING = {
    "a link of nobody": (
        "links: {a -> c: {latency: 1}}",
        "6:14: unknown host 'c': expected a or b",
    ),
    "no link": ("links: {a: {latency: 1}}", "6:9: expected a way such as 'client -> server'"),
    "no conditions": ("links: {a -> b: 3}", "6:17: expected conditions among latency, jitter"),
    "empty conditions": ("links: {a -> b: {}}", "6:17: expected one of latency, jitter"),
    "an unknown condition": (
        "links: {a -> b: {latancy: 1}}",
        "6:18: unknown key 'latancy': expected latency, jitter, bandwidth, queue, loss, duplicate, "
        "reorder, corrupt or mtu; did you mean 'latency'?",
    ),
    "out of range": (
        "links: {default: {loss: 50}}",
        "6:25: expected a probability from 0 to 1, found '50'",
    ),
    "a list for a number": (
        "links: {default: {mtu: [1]}}",
        "6:24: expected a whole number of bytes from 576 to 65536, found a list of 1",
    ),
    "a link twice": (
        "links: {a -> b: {mtu: 999}, a -> b: {mtu: 998}}",
        "6:29: the key 'a -> b' is in line 6 already",
    ),
    "no names": ("names: [www]", "6:8: expected names such as 'www: {ip: 10.0.0.1}' (a mapping)"),
    "an address as a name": (
        "names: {10.0.0.1: {ip: 10.0.0.1}}",
        "6:9: expected a name that is looked up, found '10.0.0.1'",
    ),
    "a name of every host": (
        "names: {localhost: {ip: 10.0.0.1}}",
        "6:9: expected a name that is looked up, found 'localhost'",
    ),
    "a name for nothing": (
        "names: {www: {delay: 3}}",
        "6:14: 'www' needs either 'ip' or 'fails'",
    ),
    "a name that is there and not": (
        "names: {www: {ip: 10.0.0.1, fails: EAI_AGAIN}}",
        "6:14: 'www' needs either 'ip' or 'fails'",
    ),
    "a subnet for a name": (
        "names: {www: {ip: 10.0.0.1/8}}",
        "6:19: expected an address of a host such as",
    ),
    "an unknown failure": (
        "names: {www: {fails: EAI_AGIAN}}",
        "6:22: expected EAI_AGAIN, EAI_FAIL, EAI_MEMORY, EAI_NODATA or EAI_NONAME, "
        "found 'EAI_AGIAN'; did you mean 'EAI_AGAIN'?",
    ),
    "a seed of yes or no": ("seed: true", "6:7: expected a number or a word, found 'true'"),
    "an unknown answer": (
        "unknown addresses: silense",
        "6:20: expected unreachable, network or silence, found 'silense'; did you mean 'silence'?",
    ),
    "actors beside hosts": (
        "actors: [x]",
        "6:1: where there are 'hosts', each host names its 'actors'",
    ),
}


@pytest.mark.parametrize(("setting", "expected"), SETTING.values(), ids=SETTING)
def test_a_mistake_about_links_is_reported_where_it_is(
    write_hosts: Write, mistakes: Mistakes, setting: str, expected: str
) -> None:
    """The same, for what stands beside the hosts."""
    (found,) = mistakes(write_hosts("- wait: 1", f"{setting}\n"))
    assert found.startswith(f"story.yaml:{expected}")


@pytest.mark.parametrize("key", ["links: {}", "names: {}", "seed: 3", "unknown addresses: silence"])
def test_what_is_about_several_hosts_needs_them(
    tmp_path: Path, mistakes: Mistakes, key: str
) -> None:
    """A scenario of one host has no links, and nothing is left to chance."""
    path = tmp_path / "story.yaml"
    path.write_text(f"name: A story\nshows: It.\nactors: [a]\n{key}\nsteps:\n  - a: sleep(0)\n")
    (found,) = mistakes(path)
    name = key.partition(":")[0]
    assert found == f"story.yaml:4:1: '{name}' needs 'hosts' instead of 'actors'"


# Steps begin in line 7.
EVENTS = {
    "an unknown event": (
        "- partiton: a <-> b",
        "7:5: unknown key 'partiton': expected an actor (a or b), an event (partition, heal, hold, "
        "release, drop, links, names, crash, restart or wait) or returns, raises, blocks, "
        "takes or as; did you mean 'partition'?",
    ),
    "an unknown host on the way": (
        "- partition: a <-> d",
        "7:22: unknown host 'd': expected a or b",
    ),
    "a way that is a list": ("- hold: [a, b]", "7:11: expected text, found a list of 2"),
    "an unknown host": ("- crash: d", "7:12: unknown host 'd': expected a or b"),
    "an unknown condition": (
        "- links: {a -> b: {los: 1}}",
        "7:22: unknown key 'los': expected latency, jitter, bandwidth, queue, loss",
    ),
    "a detail of another event": (
        "- crash: a\n  packets: FIN",
        "8:5: 'packets' says nothing about 'crash': expected after or at",
    ),
    "an expectation": (
        "- partition: a <-> b\n  returns: 3",
        "8:5: 'returns' says nothing about 'partition': expected after or at",
    ),
    "a wait for later": (
        "- wait: 1\n  after: 3",
        "8:5: 'after' says nothing about 'wait': expected nothing more",
    ),
    "a wait of no time": (
        "- wait: 0",
        "7:11: expected a number of seconds above 0, up to 10000000, found '0'",
    ),
    "a negative time": (
        "- crash: a\n  after: -1",
        "8:12: expected a number of seconds from 0 to 10000000, found '-1'",
    ),
    "two times": (
        "- crash: a\n  after: 1\n  at: 2",
        "9:5: either 'after' or 'at', not both",
    ),
    "a drop of what": (
        "- drop: a -> b",
        "7:5: 'drop' does not say which packets: expected 'packets' with SYN, SYN|ACK, ACK, data",
    ),
    "an unknown kind of packet": (
        "- drop: a -> b\n  packets: fin",
        "8:14: expected SYN, SYN|ACK, ACK, data, FIN, RST, UDP, ICMP, IPv6 or any, found 'fin'; "
        "did you mean 'FIN'?",
    ),
    "a drop of none": (
        "- drop: a -> b\n  packets: FIN\n  count: 0",
        "9:12: expected a whole number from 1 on, found '0'",
    ),
    "a drop on both ways": (
        "- drop: a <-> b\n  packets: FIN",
        "7:11: expected one direction such as 'client -> server', found 'a <-> b'",
    ),
    "an actor and an event": (
        "- a: sleep(0)\n  crash: b",
        "7:5: expected one actor or one event in a step, found a and crash",
    ),
}


@pytest.mark.parametrize(("steps", "expected"), EVENTS.values(), ids=EVENTS)
def test_a_mistake_in_an_event_is_reported_where_it_is(
    write_hosts: Write, mistakes: Mistakes, steps: str, expected: str
) -> None:
    """And nothing that follows from it is reported as well."""
    (found,) = mistakes(write_hosts(steps))
    assert found.startswith(f"story.yaml:{expected}")


@pytest.mark.parametrize("event", ["partition: a -> b", "crash: a", "links: {}"])
def test_an_event_between_hosts_needs_several(write: Write, mistakes: Mistakes, event: str) -> None:
    """On one host nothing happens but that time passes."""
    (found,) = mistakes(write(f"- {event}"))
    word = event.partition(":")[0]
    text = f"5:5: '{word}' needs several hosts: name them with 'hosts' instead of 'actors'"
    assert found == f"story.yaml:{text}"


def test_a_setting_becomes_values(tmp_path: Path) -> None:
    """Hosts, their actors and clocks, and links, as they are written."""
    path = tmp_path / "story.yaml"
    path.write_text(
        """
name: A story
shows: Something.
hosts:
  one: {ip: [10.0.0.1/24, fd00::1], actors: [x, y]}
  two: {ip: 10.0.0.2, clock offset: -3, clock drift: 0.5, limits: {somaxconn: 2}}
links:
  default: {latency: 0.5}
  one -> two: {queue: 2 * 3}
names:
  www: {ip: [fd00::9, 10.0.0.1], delay: 1}
  "*": {fails: EAI_FAIL}
seed: seven
unknown addresses: silence
steps:
  - x: sleep(0)
"""
    )
    scenario = load(str(path))
    assert scenario.actors == ("x", "y", "two")
    assert scenario.setting == Setting(
        (
            HostPlan("one", ("10.0.0.1/24", "fd00::1"), ("x", "y")),
            HostPlan("two", ("10.0.0.2",), ("two",), -3, 0.5, {"somaxconn": 2}),
        ),
        (
            LinkPlan(None, {"latency": 0.5}),
            LinkPlan(Way(("one",), ("two",), False), {"queue": 6}),
        ),
        (
            NamePlan("www", ("fd00::9", "10.0.0.1"), delay=1),
            NamePlan("*", fails="EAI_FAIL"),
        ),
        "seven",
        "silence",
    )


def test_events_become_values(write_hosts: Write) -> None:
    """Each with its time, if it has one, and in words that say all of it."""
    both, there = Way(("a",), ("b",), True), Way(("a",), ("b",), False)
    steps = """
        - partition: a <-> b
        - heal: a <-> b
          after: 2
        - hold: a -> b
        - release: a -> b
          at: 7.5
        - links: {a -> b: {loss: 1}}
        - drop: a -> b
          packets: SYN|ACK
          count: 2
        - names: {www: {ip: 10.0.0.1}, old: {fails: EAI_NONAME, delay: 2}}
        - crash: b
        - restart: b
        - wait: 2.5
    """
    happenings = load(str(write_hosts(steps))).steps
    assert all(isinstance(step, Happening) for step in happenings)
    assert [(step.event, step.after, step.at) for step in happenings] == [  # type: ignore[union-attr]
        (Partition(both), None, None),
        (Heal(both), 2, None),
        (Hold(there), None, None),
        (Release(there), None, 7.5),
        (Links((LinkPlan(there, {"loss": 1}),)), None, None),
        (Drop("a", "b", "SYN|ACK", 2), None, None),
        (
            Names((NamePlan("www", ("10.0.0.1",)), NamePlan("old", (), "EAI_NONAME", 2))),
            None,
            None,
        ),
        (Crash("b"), None, None),
        (Restart("b"), None, None),
        (Wait(2.5), None, None),
    ]
    assert [str(step) for step in happenings] == [
        "partition: a <-> b",
        "heal: a <-> b (after 2 seconds)",
        "hold: a -> b",
        "release: a -> b (at 7.5 seconds)",
        "links: a -> b: loss 1",
        "drop: a -> b (packets: SYN|ACK, 2)",
        "names: www: 10.0.0.1; old: EAI_NONAME after 2 s",
        "crash: b",
        "restart: b",
        "wait: 2.5",
    ]
