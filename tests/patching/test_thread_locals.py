"""Thread-local objects made before a patch: each task has its own values in them."""

from __future__ import annotations

import gc
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simnet.world import World


class Registry:
    """Holds one as a class does."""

    local = threading.local()


class Counter(threading.local):
    """Each thread begins to count from what it was made with."""

    def __init__(self, first: int, *, step: int = 1) -> None:
        self.value = first
        self.step = step

    def next(self) -> int:
        """The next number."""
        self.value += self.step
        return self.value

    def __getattr__(self, name: str) -> str:
        return f"no {name}"


HELD = {"local": threading.local()}
COUNTER = Counter(10, step=5)
METHODS = ("__getattribute__", "__setattr__", "__delattr__")


@pytest.fixture
def world() -> Iterator[World]:
    """A world without hosts."""
    with World() as world:
        yield world


def in_a_thread(function: Callable[[], Any]) -> Any:
    """What a function gives in a thread of its own."""
    seen: list[Any] = []
    thread = threading.Thread(target=lambda: seen.append(function()))
    thread.start()
    thread.join()
    return seen[0]


@pytest.mark.parametrize("local", [Registry.local, HELD["local"]])
def test_wherever_one_is_held_it_is_apart_for_each_task(world: World, local: Any) -> None:
    """In a class, in a container; the code outside all tasks goes on with what it had."""
    local.value = "main"
    with world.patch():
        assert in_a_thread(lambda: hasattr(local, "value")) is False
        assert in_a_thread(lambda: vars(local).update(value=2) or local.value) == 2
        assert local.value == "main"
        local.note = "here"
        del local.value
    assert vars(local) == {"value": "main"}


def test_each_task_begins_as_the_class_says(world: World) -> None:
    """With the arguments that the object was made with; its methods and lookups are its own."""
    assert COUNTER.next() == 15
    with world.patch():
        assert in_a_thread(lambda: (COUNTER.next(), COUNTER.next(), COUNTER.other)) == (
            *(15, 20),
            "no other",
        )
        assert COUNTER.next() == 20
        made_inside = Counter(1)
        assert made_inside.next() == 2
        assert in_a_thread(made_inside.next) == 2
        assert made_inside.next() == 3
    assert COUNTER.next() == 20


def test_another_thread_of_the_system_finds_its_own(world: World) -> None:
    """While the program is patched, too."""
    local = Registry.local
    begin, end = threading.Event(), threading.Event()
    seen: list[Any] = []

    def outside() -> None:
        local.value = "outside"
        begin.wait(30)
        seen.append(local.value)
        end.set()

    thread = threading.Thread(target=outside)
    thread.start()
    with world.patch():
        local.value = "inside"
        begin.set()
    assert end.wait(30)
    thread.join()
    assert seen == ["outside"]


def test_the_class_is_as_it_was_afterwards(world: World) -> None:
    """Its methods are the interpreter's own, nobody may change it, and no value is kept."""

    class Value:
        """Something to be counted."""

    before = [vars(threading.local)[name] for name in METHODS], threading.local.__flags__
    with world.patch():
        Registry.local.value = Value()
        in_a_thread(lambda: setattr(Registry.local, "value", Value()))
    after = [vars(threading.local)[name] for name in METHODS], threading.local.__flags__
    assert after == before
    with pytest.raises(TypeError):
        threading.local.added = 1  # type: ignore[attr-defined]
    gc.collect()
    assert not any(isinstance(each, Value) for each in gc.get_objects())


def test_a_value_goes_with_its_task(world: World) -> None:
    """As with a thread that ends."""

    class Value:
        """Something to be counted."""

    with world.patch():
        in_a_thread(lambda: setattr(Registry.local, "value", Value()))
        gc.collect()
        assert not any(isinstance(each, Value) for each in gc.get_objects())


def test_test_tools_keep_the_values_of_their_thread(world: World) -> None:
    """Hypothesis knows in each task which test it runs: a task may draw."""

    @settings(max_examples=1, database=None)
    @given(st.data())
    def draws_in_a_task(data: st.DataObject) -> None:
        with world.patch():
            assert in_a_thread(lambda: data.draw(st.just("drawn"))) == "drawn"
            assert data.draw(st.just("outside")) == "outside"

    draws_in_a_task()
