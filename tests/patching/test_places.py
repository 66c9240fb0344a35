"""References that modules hold, found by identity."""

from __future__ import annotations

import colorsys
import math
import sys
from types import ModuleType
from typing import Any

import pytest

from simnet.patching.places import Places
from tests.patching.modules import Load

# What is looked for: a function of the standard library that nobody here uses otherwise.
WANTED = colorsys.rgb_to_hsv

SOURCE = """
import colorsys
from colorsys import rgb_to_hsv as dumps, rgb_to_hsv as early

class Uses:
    attribute = dumps
    static = staticmethod(dumps)

    def method(self, function=dumps, *, by_name=dumps):
        return function, by_name

    @classmethod
    def of_class(cls, function=dumps):
        return function

def function(positional, defaulted=dumps, *, by_name=dumps):
    return defaulted, by_name

def make(captured):
    def inner():
        return captured
    return inner

closure = make(dumps)
"""


def simulated() -> str:
    """Stands in for it."""
    return "simulated"


def test_every_kind_of_reference_is_changed_and_given_back(load: Load) -> None:
    """Names, class attributes, static methods, defaults by position and by name, closures."""
    module = load(SOURCE)

    def everything() -> list[Any]:
        uses = module.Uses
        return [
            module.dumps,
            module.early,
            uses.attribute,
            uses.static,
            *uses().method(),
            uses.of_class(),
            *module.function(1),
            module.closure(),
        ]

    assert set(everything()) == {WANTED}
    places = Places([WANTED]).find()
    for place in places:
        place.put(simulated)
    assert set(everything()) == {simulated}
    for place in places:
        place.put(place.held)
    assert set(everything()) == {WANTED}


def test_a_built_in_function_in_a_class_does_not_become_a_method(load: Load) -> None:
    """Python's own would take the instance for its first argument."""
    module = load("import math\nclass Clock:\n    now = math.sqrt\n")
    (place,) = [p for p in Places([math.sqrt]).find() if p.name == "now"]
    place.put(simulated)
    assert module.Clock().now() == "simulated"
    place.put(place.held)
    assert module.Clock.now is math.sqrt


def test_a_name_that_was_set_later_is_found_too(load: Load) -> None:
    """Names are searched each time."""
    module = load("import json\nclock = None\n")
    places = Places([WANTED])
    before = len(places.find())
    module.clock = WANTED
    assert len(places.find()) == before + 1


def test_what_a_module_grows_is_searched_again(load: Load) -> None:
    """A class that is defined later."""
    module = load("import colorsys\n")
    places = Places([WANTED])
    places.find()
    exec("class Late:\n    function = staticmethod(colorsys.rgb_to_hsv)\n", module.__dict__)
    assert [place.name for place in places.find() if place.name == "function"] == ["function"]


@pytest.mark.parametrize("name", ["pytest_timeout", "simnet.something", "hypothesis.x", "ignored"])
def test_some_modules_keep_the_real_things(load: Load, name: str) -> None:
    """Test tools, the simulator itself, and what the user names."""
    load("from colorsys import rgb_to_hsv as kept_name", name)
    found = Places([WANTED]).find(frozenset(["ignored"]))
    assert "kept_name" not in {place.name for place in found}


def test_a_module_is_not_loaded_by_looking_at_it(load: Load) -> None:
    """Lazy modules load when an attribute is asked for; objects that only claim to be modules."""

    class Lazy(ModuleType):
        def __getattribute__(self, name: str) -> Any:
            raise AssertionError("it was loaded")

    class Claims:
        __class__ = ModuleType  # type: ignore[assignment]

    sys.modules["lazy_module"] = Lazy("lazy_module")
    sys.modules["claiming"] = Claims()  # type: ignore[assignment]
    try:
        Places([WANTED]).find()
    finally:
        del sys.modules["lazy_module"], sys.modules["claiming"]


def test_containers_and_partial_functions_are_searched(load: Load) -> None:
    """Of a module and of a class: values and keys, whose order stays, items, and what is called."""
    # (A name of this module would be changed too.)
    wanted: Any = WANTED
    module = load(
        "from colorsys import rgb_to_hsv as wanted\n"
        "from functools import partial\n"
        "table = {1: len, 'wanted': wanted, wanted: 'wanted', 2: wanted}\n"
        "items = [1, wanted, [wanted]]\n"
        "call = partial(wanted, 1, b=2)\n"
        "class Box:\n"
        "    table = {'wanted': wanted}\n"
        "    call = partial(wanted, 3)\n"
    )
    table, items, call = module.table, module.items, module.call
    found = [place for place in Places([wanted]).find() if place.now() is wanted]
    for place in found:
        place.put(simulated)
        assert place.now() is simulated
    assert list(table.items()) == [
        (1, len),
        ("wanted", simulated),
        (simulated, "wanted"),
        (2, simulated),
    ]
    assert items == [1, simulated, [wanted]]
    assert (call.func, call.args, call.keywords) == (simulated, (1,), {"b": 2})
    assert module.Box.table == {"wanted": simulated}
    assert module.Box.call.func is simulated
    for place in reversed(found):
        place.put(place.held)
    assert list(table.items()) == [(1, len), ("wanted", wanted), (wanted, "wanted"), (2, wanted)]
    assert items == [1, wanted, [wanted]]
    assert call.func is module.Box.call.func is wanted
    assert module.Box.table == {"wanted": wanted}
    assert module.table is table
    assert module.call is call
