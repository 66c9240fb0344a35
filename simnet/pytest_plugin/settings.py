"""What the markers of a test say of its world, and what is wrong with that."""

from __future__ import annotations

import difflib
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest

from simnet.pytest_plugin.options import Seed

# The marker.
NAME = "simnet"
# Fixtures: every test that has the first one runs in a world; the second does what the marker does.
SEED = "_simnet_seed"
MARKED = "_simnet_marked"
LOOP = "_simnet_loop"


class BadMarker(Exception):
    """A marker says what cannot be; the message says what to write."""


# Not attrs: pytest has loaded dataclasses already, and a suite without simnet shall not pay.
@dataclass(frozen=True)
class Settings:
    """The world of a test, as its markers describe it."""

    # The one seed of the marker, or several; without either the seed is 0.
    seed: Seed | None = None
    seeds: tuple[Seed, ...] | None = None
    # Names of hosts, with their addresses if they are given.
    hosts: Mapping[str, Any] = field(default_factory=dict)
    links: Mapping[Any, Any] = field(default_factory=dict)
    entropy: bool = False
    # Families of nastiness: True is all of them.
    nasty: bool | str | tuple[str, ...] = False

    def runs(self, config: pytest.Config) -> tuple[Seed, ...] | None:
        """The seeds to run the test with, if the test shall be parametrised by them."""
        only = config.getoption("--simnet-seed")
        if only is not None:
            return (only,)
        if self.seed is not None:
            return None
        count = config.getoption("--simnet-seeds")
        return self.seeds if count is None else tuple(range(count))

    def single(self, config: pytest.Config) -> Seed:
        """The seed of a test that is not parametrised."""
        only: Seed | None = config.getoption("--simnet-seed")
        if only is not None:
            return only
        return 0 if self.seed is None else self.seed


def is_test_case(cls: Any) -> bool:
    """Whether it is a class of unittest, whose methods pytest cannot parametrise."""
    unittest = sys.modules.get("unittest")
    return unittest is not None and isinstance(cls, type) and issubclass(cls, unittest.TestCase)


def read(node: pytest.Item) -> Settings:
    """The settings of a test. What a nearer marker says goes before what a farther one says."""
    given: dict[str, Any] = {}
    for mark in node.iter_markers(NAME):
        said = _arguments(mark)
        if "seed" in said and "seeds" in said:
            raise BadMarker("seed= is one seed, seeds= are several: choose")
        if "seed" in given or "seeds" in given:
            said.pop("seed", None)
            said.pop("seeds", None)
        given = {**said, **given}
    return Settings(**given)


def _arguments(mark: pytest.Mark) -> dict[str, Any]:
    if mark.args:
        raise BadMarker(f"its arguments have names, such as seed={mark.args[0]!r}")
    said = {}
    for name, value in mark.kwargs.items():
        reader = _READERS.get(name)
        if reader is None:
            close = difflib.get_close_matches(name, _READERS, 1)
            hint = f" (did you mean {close[0]}=?)" if close else ""
            raise BadMarker(f"no argument {name}={hint}; there are {', '.join(_READERS)}")
        said[name] = reader(value)
    return said


def _seed(value: Any) -> Seed:
    if isinstance(value, bool) or not isinstance(value, (int, str)):
        raise BadMarker(f"a seed is an integer or a string, not {value!r}")
    return value


def _seeds(value: Any) -> tuple[Seed, ...]:
    if isinstance(value, int) and not isinstance(value, bool) and value > 0:
        return tuple(range(value))
    if not isinstance(value, Sequence) or isinstance(value, (str, bytes)) or not value:
        raise BadMarker(f"seeds= is how many (1 or more), or a list of seeds, not {value!r}")
    seeds = tuple(map(_seed, value))
    if len(set(map(str, seeds))) < len(seeds):
        raise BadMarker(f"a seed is in seeds={value!r} twice")
    return seeds


def _hosts(value: Any) -> dict[str, Any]:
    if isinstance(value, Mapping):
        hosts = dict(value)
    elif isinstance(value, Sequence) and not isinstance(value, (str, bytes)):
        if len(set(map(str, value))) < len(value):
            raise BadMarker(f"a host is in hosts={value!r} twice")
        hosts = {name: None for name in value if _host_name(name)}
    else:
        raise BadMarker(
            f"hosts= is a list of names, or a mapping of names to addresses, not {value!r}"
        )
    for name, addresses in hosts.items():
        _host_name(name)
        if addresses is not None and not isinstance(addresses, (str, Sequence, Mapping)):
            raise BadMarker(
                f"host {name!r} has an address (a string), or several, not {addresses!r}"
            )
    return hosts


def _host_name(name: Any) -> str:
    if not isinstance(name, str) or not name:
        raise BadMarker(f"the name of a host is a string, not {name!r}")
    return name


def _links(value: Any) -> dict[Any, Any]:
    if not isinstance(value, Mapping):
        raise BadMarker(
            "links= is a mapping of conditions ({'latency': 0.02}), or of pairs of hosts to "
            f"conditions ({{('client', 'server'): {{...}}}}), not {value!r}"
        )
    for pair, conditions in value.items():
        is_pair = isinstance(pair, tuple) and len(pair) == 2
        if not is_pair and not isinstance(pair, str):
            raise BadMarker(f"links= has conditions or pairs of names as its keys, not {pair!r}")
        if (is_pair or ">" in pair) and not isinstance(conditions, Mapping):
            raise BadMarker(
                f"the conditions of the link {pair!r} are a mapping, not {conditions!r}"
            )
    return dict(value)


def _entropy(value: Any) -> bool:
    if not isinstance(value, bool):
        raise BadMarker(f"entropy= is True or False, not {value!r}")
    return value


def _nasty(value: Any) -> bool | str | tuple[str, ...]:
    if isinstance(value, (bool, str)):
        return value
    if not isinstance(value, Sequence) or isinstance(value, bytes):
        raise BadMarker(f"nasty= is True, a family of nastiness, or a list of them, not {value!r}")
    return tuple(value)


_READERS: dict[str, Callable[[Any], Any]] = {
    "seed": _seed,
    "seeds": _seeds,
    "hosts": _hosts,
    "links": _links,
    "entropy": _entropy,
    "nasty": _nasty,
}
