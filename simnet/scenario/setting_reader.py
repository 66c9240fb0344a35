"""The hosts, the links and the events of a scenario file, from YAML nodes."""

from __future__ import annotations

import ipaddress
import re
import socket as _socket
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import TYPE_CHECKING

import attrs
import yaml

from simnet.scenario import conditions, ways
from simnet.scenario.conditions import CONDITIONS, LIMITS, Quantity
from simnet.scenario.nodes import describe
from simnet.scenario.places import Skip, nearest, one_of
from simnet.scenario.setting import (
    Crash,
    Drop,
    Event,
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
    Wait,
)
from simnet.scenario.ways import Way

if TYPE_CHECKING:
    from simnet.scenario.document import Reader

# In `links`: all that have no conditions of their own.
DEFAULT = "default"
# Kinds of packets that can be dropped.
PACKETS = ("SYN", "SYN|ACK", "ACK", "data", "FIN", "RST", "UDP", "ICMP", "IPv6", "any")
_OF_WAYS: dict[str, Callable[[Way], Event]] = {
    "partition": Partition,
    "heal": Heal,
    "hold": Hold,
    "release": Release,
}
_OF_HOSTS: dict[str, Callable[[str], Event]] = {"crash": Crash, "restart": Restart}
# The words that begin an event, and those that say more about it.
EVENTS = (*_OF_WAYS, "drop", "links", "names", *_OF_HOSTS, "wait")
_WHEN = ("after", "at")
_OF_DROP = ("packets", "count")
DETAILS = (*_WHEN, *_OF_DROP)
_NAME = re.compile(r"\*|[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?", re.ASCII)
_OF_NAME = ("ip", "fails", "delay")
# How looking for a name may fail.
FAILURES = ("EAI_AGAIN", "EAI_FAIL", "EAI_MEMORY", "EAI_NODATA", "EAI_NONAME")
_HOST_KEYS = ("ip", "actors", "limits", "clock offset", "clock drift")

Nodes = Mapping[str, tuple[yaml.Node, yaml.Node]]


class SettingReader:
    """Reads what is said of hosts; mistakes go to the file's reader."""

    def __init__(self, reader: Reader) -> None:
        self._reader = reader
        self.hosts: tuple[str, ...] = ()
        # Whether hosts are spoken of, however badly.
        self._given = False

    def _parts(self, node: yaml.Node, what: str, right: tuple[str, ...]) -> Nodes:
        """The key and value nodes of a mapping whose keys are among the right ones."""
        found = {}
        for key, key_node, value in self._reader.pairs(node, what):
            if key in right:
                found[key] = key_node, value
            else:
                text = f"unknown key '{key}': expected {one_of(right)}{nearest(key, right)}"
                self._reader.note(key_node, text)
        return found

    def number(self, node: yaml.Node, quantity: Quantity) -> float:
        """A number in its range."""
        if not isinstance(node, yaml.ScalarNode):
            text = f"expected {quantity.words}, found {describe(node)}"
            raise self._reader.note(node, text)
        word = self._reader.word(node)
        value = quantity.read(word.text, word.where, word.exact)
        if isinstance(value, int | float):
            return value
        raise self._reader.note(value.where, value.text)

    def choice(self, node: yaml.Node, right: tuple[str, ...]) -> str:
        """One of some words."""
        word = self._reader.word(node)
        if word.text not in right:
            near = nearest(word.text, right)
            raise self._reader.note(
                word.where, f"expected {one_of(right)}, found '{word.text}'{near}"
            )
        return word.text

    # Hosts

    def read_hosts(self, node: yaml.Node) -> tuple[HostPlan, ...]:
        """`NAME: {ip: ADDRESS, ...}` for each host."""
        self._given = True
        example = "hosts such as 'server: {ip: 10.0.0.1}'"
        pairs = list(self._reader.pairs(node, example))
        if not pairs:
            raise self._reader.note(node, f"expected {example}, found none")
        self.hosts = tuple(name for name, _, _ in pairs)
        owners: dict[str, str] = {}
        plans = []
        for name, key, value in pairs:
            if not name.isidentifier():
                self._reader.note(key, f"expected a host's name of letters, found '{name}'")
            elif name == DEFAULT:
                self._reader.note(key, f"a host cannot be named '{DEFAULT}'")
            with suppress(Skip):
                plans.append(self._host(name, key, value, owners))
        return tuple(plans)

    def _host(
        self, name: str, key_node: yaml.Node, node: yaml.Node, owners: dict[str, str]
    ) -> HostPlan:
        parts = self._parts(node, f"a host with {one_of(_HOST_KEYS)}", _HOST_KEYS)
        plan = HostPlan(name, (), (name,))
        if "ip" not in parts:
            self._reader.note(node, "the key 'ip' is missing")
        for key, (_, value) in parts.items():
            with suppress(Skip):
                if key == "ip":
                    plan = attrs.evolve(plan, ips=self._ips(name, value, owners))
                elif key == "actors":
                    words = self._reader.words(value)
                    for word in words:
                        self._reader.add_actor(word.text, word.where)
                    plan = attrs.evolve(plan, actors=tuple(word.text for word in words))
                elif key == "limits":
                    plan = attrs.evolve(plan, limits=self._numbers(value, "limits", LIMITS))
                elif key == "clock offset":
                    plan = attrs.evolve(plan, clock_offset=self.number(value, conditions.OFFSET))
                else:
                    plan = attrs.evolve(plan, clock_drift=self.number(value, conditions.DRIFT))
        if "actors" not in parts:
            self._reader.add_actor(name, self._reader.place(key_node))
        return plan

    def _ips(self, name: str, node: yaml.Node, owners: dict[str, str] | None) -> tuple[str, ...]:
        """Addresses; those of hosts belong to one each."""
        several = isinstance(node, yaml.SequenceNode) and node.value
        found = []
        for item in node.value if several else [node]:
            with suppress(Skip):
                word = self._reader.word(item)
                ip = _address(word.text)
                if owners is None and "/" in word.text:
                    ip = None
                if ip is None:
                    example = "10.0.0.1, 10.0.0.1/24 or fd00::1"
                    text = f"expected an address of a host such as {example}, found '{word.text}'"
                    raise self._reader.note(word.where, text)
                if owners is not None:
                    if ip in owners:
                        text = f"{ip} is an address of the host '{owners[ip]}' already"
                        raise self._reader.note(word.where, text)
                    owners[ip] = name
                found.append(word.text)
        return tuple(found)

    # Links

    def way(self, node: yaml.Node) -> Way:
        """`a -> b` or `a <-> b`."""
        word = self._reader.word(node)
        way, mistakes = ways.read(word.text, word.where, word.exact, self.hosts)
        self._reader.mistakes += mistakes
        if way is None:
            raise Skip
        return way

    def read_links(self, node: yaml.Node) -> tuple[LinkPlan, ...]:
        """`WAY: {CONDITION: VALUE, ...}`, or `default: {...}`."""
        plans: list[LinkPlan] = []
        if not self.hosts:
            return ()  # a mistake that is noted elsewhere
        example = "links such as 'client <-> server: {latency: 0.05}'"
        for key, key_node, value in self._reader.pairs(node, example):
            way, understood = None, key == DEFAULT
            with suppress(Skip):
                if not understood:
                    way, understood = self.way(key_node), True
            with suppress(Skip):
                values = self._numbers(value, "conditions", CONDITIONS)
                if understood:
                    plans.append(LinkPlan(way, values))
        return tuple(plans)

    def _numbers(
        self, node: yaml.Node, what: str, quantities: Mapping[str, Quantity]
    ) -> dict[str, float]:
        """Numbers by name, each in its range."""
        right = tuple(quantities)
        values = {}
        parts = self._parts(node, f"{what} among {one_of(right)}", right)
        if not parts and isinstance(node, yaml.MappingNode) and not node.value:
            self._reader.note(node, f"expected one of {one_of(right)}, found none")
        for key, (_, value) in parts.items():
            with suppress(Skip):
                values[key] = self.number(value, quantities[key])
        return values

    # Names

    def read_names(self, node: yaml.Node) -> tuple[NamePlan, ...]:
        """`NAME: {ip: ADDRESS}` or `NAME: {fails: EAI_...}`; `delay` says how long that takes."""
        plans = []
        for name, key, value in self._reader.pairs(node, "names such as 'www: {ip: 10.0.0.1}'"):
            if not _is_name(name):
                self._reader.note(key, f"expected a name that is looked up, found '{name}'")
            with suppress(Skip):
                plans.append(self._name(name, value))
        return tuple(plans)

    def _name(self, name: str, node: yaml.Node) -> NamePlan:
        parts = self._parts(node, f"a name with {one_of(_OF_NAME)}", _OF_NAME)
        if ("ip" in parts) == ("fails" in parts):
            raise self._reader.note(node, f"'{name}' needs either 'ip' or 'fails'")
        plan = NamePlan(name)
        for key, (_, value) in parts.items():
            with suppress(Skip):
                if key == "ip":
                    plan = attrs.evolve(plan, ips=self._ips(name, value, None))
                elif key == "fails":
                    plan = attrs.evolve(plan, fails=self.choice(value, FAILURES))
                else:
                    plan = attrs.evolve(plan, delay=self.number(value, conditions.SECONDS))
        return plan

    # Events

    def read_event(self, node: yaml.Node, parts: Nodes) -> Happening:
        """A step that begins with a word of EVENTS: the event, and when it happens."""
        (word,) = (key for key in parts if key in EVENTS)
        key_node, value = parts[word]
        if not self.hosts and self._given:
            raise Skip
        if not self.hosts and word != "wait":
            text = f"'{word}' needs several hosts: name them with 'hosts' instead of 'actors'"
            raise self._reader.note(key_node, text)
        right = {"drop": (*_OF_DROP, *_WHEN), "wait": ()}.get(word, _WHEN)
        wrong = False
        for key, (where, _) in parts.items():
            if key != word and key not in right:
                expected = f"expected {one_of(right)}" if right else "expected nothing more"
                expected += nearest(key, right)
                self._reader.note(where, f"'{key}' says nothing about '{word}': {expected}")
                wrong = True
        when: dict[str, float] = {}
        for key in _WHEN:
            if key in parts and key in right:
                try:
                    when[key] = self.number(parts[key][1], conditions.SECONDS)
                except Skip:
                    wrong = True
        event = self._event(word, key_node, value, parts)
        if len(when) == 2:
            raise self._reader.note(parts["at"][0], "either 'after' or 'at', not both")
        if wrong:
            raise Skip
        return Happening(self._reader.place(node), event, **when)

    def _event(self, word: str, key_node: yaml.Node, value: yaml.Node, parts: Nodes) -> Event:
        if word in _OF_WAYS:
            return _OF_WAYS[word](self.way(value))
        if word in _OF_HOSTS:
            return _OF_HOSTS[word](self._host_name(value))
        if word == "links":
            return Links(self.read_links(value))
        if word == "names":
            return Names(self.read_names(value))
        if word == "wait":
            return Wait(self.number(value, conditions.POSITIVE_SECONDS))
        return self._drop(key_node, value, parts)

    def _host_name(self, node: yaml.Node) -> str:
        word = self._reader.word(node)
        if word.text not in self.hosts:
            near = nearest(word.text, self.hosts)
            text = f"unknown host '{word.text}': expected {one_of(self.hosts)}{near}"
            raise self._reader.note(word.where, text)
        return word.text

    def _drop(self, key_node: yaml.Node, value: yaml.Node, parts: Nodes) -> Drop:
        packets, count = "", 1.0
        if "packets" in parts:
            with suppress(Skip):
                packets = self.choice(parts["packets"][1], PACKETS)
        else:
            expected = f"expected 'packets' with {one_of(PACKETS)}"
            self._reader.note(key_node, f"'drop' does not say which packets: {expected}")
        if "count" in parts:
            count = self.number(parts["count"][1], conditions.COUNT)
        way = self.way(value)
        directions = list(way.directions())
        if len(directions) != 1:
            text = f"expected one direction such as 'client -> server', found '{way}'"
            raise self._reader.note(value, text)
        if not packets:
            raise Skip
        return Drop(*directions[0], packets, int(count))


def _address(text: str) -> str | None:
    """The address of a text without its prefix length, if a host can have it."""
    _, slash, length = text.partition("/")
    if "%" in text or (slash and not length.isdecimal()):
        return None
    try:
        ip = ipaddress.ip_interface(text).ip
    except ValueError:
        return None
    broadcast = ip == ipaddress.ip_address("255.255.255.255")
    if ip.is_unspecified or ip.is_loopback or ip.is_multicast or broadcast:
        return None
    return str(ip)


def _is_name(text: str) -> bool:
    """Whether it is one that a resolver looks for: no address, and not `localhost`."""
    if text.lower() == "localhost" or not _NAME.fullmatch(text):
        return False
    try:
        _socket.inet_aton(text)
    except OSError:
        return True
    return False
