"""What is kept for each thread is kept for each task, if it is named."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable

from simnet.host import Host
from simnet.keepers import ASYNC_GENERATORS, TaskKeeper, Thing, local
from simnet.world import World


def in_turns(host: Host, body: Callable[[str], None]) -> None:
    """Run it in two tasks that take turns."""
    tasks = [host.spawn(body, name) for name in ("one", "two")]
    for task in tasks:
        task.result()


def test_each_task_finds_what_it_left() -> None:
    """And code that keeps nothing finds what was there before."""
    values = {"who": "nobody"}
    seen: list[str] = []
    thing = Thing(lambda: values["who"], lambda who: values.update(who=who), "nobody")
    with World() as world:
        host = world.host("alone")

        def body(name: str) -> None:
            keeper = TaskKeeper(host.scheduler.current, thing)
            keeper.begin()
            values["who"] = name
            for _ in range(3):
                host.sleep(1)
                assert values["who"] == name
            values["who"] = "nobody"
            keeper.end()

        host.spawn(body, "one")
        host.spawn(body, "two")
        for _ in range(4):
            host.sleep(0.7)
            seen.append(values["who"])
    assert seen == ["nobody"] * 4


def test_a_thread_local_object_is_the_tasks() -> None:
    """Its attributes come and go with the task."""
    mine = threading.local()
    with World() as world:
        host = world.host("alone")

        def body(name: str) -> None:
            keeper = TaskKeeper(host.scheduler.current, local(mine))
            keeper.begin()
            assert not vars(mine)
            mine.name = name
            host.sleep(1)
            assert vars(mine) == {"name": name}
            del mine.name
            keeper.end()

        in_turns(host, body)
    assert not vars(mine)


def test_keepers_lie_on_top_of_each_other() -> None:
    """The inner one ends first; both are put aside meanwhile."""
    values = {"outer": 0, "inner": 0}
    things = [
        Thing(lambda key=key: values[key], lambda n, key=key: values.update({key: n}), 0)
        for key in values
    ]
    with World() as world:
        host = world.host("alone")

        def body(name: str) -> None:
            task = host.scheduler.current
            outer, inner = (TaskKeeper(task, thing) for thing in things)
            outer.begin()
            values["outer"] = len(name)
            inner.begin()
            values["inner"] = task.number
            host.sleep(1)
            assert values == {"outer": len(name), "inner": task.number}
            values["inner"] = 0
            inner.end()
            host.sleep(1)
            assert values == {"outer": len(name), "inner": 0}
            values["outer"] = 0
            outer.end()
            assert task.keeper is None

        in_turns(host, body)


def test_the_lower_one_may_end_first() -> None:
    """The other goes on, and leaves nothing behind."""
    values = {"lower": 0, "upper": 0}
    things = [
        Thing(lambda key=key: values[key], lambda n, key=key: values.update({key: n}), 0)
        for key in values
    ]
    with World() as world:
        host = world.host("alone")

        def body(name: str) -> None:
            task = host.scheduler.current
            lower, upper = (TaskKeeper(task, thing) for thing in things)
            lower.begin()
            upper.begin()
            values["upper"] = len(name)
            lower.end()
            host.sleep(1)
            assert values == {"lower": 0, "upper": len(name)}
            values["upper"] = 0
            upper.end()
            assert task.keeper is None

        in_turns(host, body)


def test_hooks_for_asynchronous_generators_are_the_tasks() -> None:
    """Others find none."""
    with World() as world:
        host = world.host("alone")

        def body(name: str) -> None:
            keeper = TaskKeeper(host.scheduler.current, ASYNC_GENERATORS)
            keeper.begin()
            assert sys.get_asyncgen_hooks() == (None, None)
            sys.set_asyncgen_hooks(firstiter=print)
            host.sleep(1)
            assert sys.get_asyncgen_hooks().firstiter is print
            sys.set_asyncgen_hooks(None, None)
            keeper.end()

        in_turns(host, body)
    assert sys.get_asyncgen_hooks() == (None, None)
