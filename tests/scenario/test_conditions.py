"""The conditions of links are the simulator's, with the ranges that it has."""

from __future__ import annotations

import socket

import attrs
import pytest

from simnet.drops import KINDS
from simnet.limits import Limits
from simnet.links import Conditions
from simnet.names.table import Names
from simnet.scenario.conditions import CONDITIONS, COUNT, LIMITS, SECONDS, Quantity
from simnet.scenario.places import Mistake, Place
from simnet.scenario.setting_reader import FAILURES, PACKETS

WHERE = Place("story.yaml")


def test_every_condition_of_a_link_has_its_word() -> None:
    """None is missing, and none is there that a link does not know."""
    assert list(CONDITIONS) == [field.name for field in attrs.fields(Conditions)]


def test_every_setting_of_a_kernel_is_one_that_hosts_have() -> None:
    """Each limit is a field of the simulator's, whose default it would take itself."""
    assert LIMITS.keys() <= attrs.fields_dict(Limits).keys()
    for name, quantity in LIMITS.items():
        default = int(getattr(Limits(), name))
        assert quantity.read(str(default), WHERE, True) == default


def test_every_kind_of_packet_has_its_word() -> None:
    """The same holds for what can be dropped."""
    assert tuple(KINDS) == PACKETS


@pytest.mark.parametrize("failure", FAILURES)
def test_every_failure_of_a_name_is_one_that_names_know(failure: str) -> None:
    """The resolver takes it."""
    names = Names()
    names.fail("www", getattr(socket, failure))
    assert names.find("www") is not None


@pytest.mark.parametrize("name", CONDITIONS)
@pytest.mark.parametrize("value", [-1, 0, 0.5, 1, 2, 575, 576, 65536, 65537, 1e9, float("inf")])
def test_what_a_scenario_allows_a_link_takes(name: str, value: float) -> None:
    """No value gets past the file's check that the link would refuse."""
    if isinstance(CONDITIONS[name].read(repr(value).replace("inf", "1e999"), WHERE, True), Mistake):
        return
    assert getattr(Conditions(**{name: value}), name) == value


@pytest.mark.parametrize(
    ("quantity", "text", "value"),
    [
        (SECONDS, "0.25", 0.25),
        (SECONDS, "2 * 60", 120),
        (CONDITIONS["bandwidth"], "8 * MiB", 8 << 20),
        (CONDITIONS["bandwidth"], "1_000_000", 1_000_000),
        (COUNT, "3", 3),
    ],
)
def test_a_number_may_be_computed(quantity: Quantity, text: str, value: float) -> None:
    """In the notation of arguments."""
    assert quantity.read(text, WHERE, True) == value


@pytest.mark.parametrize(
    ("quantity", "text"),
    [
        (SECONDS, "-1"),
        (SECONDS, "1e9"),
        (SECONDS, "soon"),
        (SECONDS, "5%"),
        (SECONDS, "'5'"),
        (SECONDS, "true"),
        (COUNT, "0"),
        (COUNT, "1.0"),
        (COUNT, "'x' * 3"),
        (CONDITIONS["loss"], "1.01"),
    ],
)
def test_another_value_is_a_mistake(quantity: Quantity, text: str) -> None:
    """What was expected is said in words."""
    assert quantity.read(text, WHERE, True) == Mistake(
        WHERE, f"expected {quantity.words}, found '{text}'"
    )
