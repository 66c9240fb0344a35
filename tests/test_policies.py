"""Policies: who runs next, and when somebody is preempted."""

from __future__ import annotations

import gc
from collections.abc import Sequence
from itertools import pairwise
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simnet import switch_points
from simnet.decisions import Stream
from simnet.exploring.exhaustive import Exhaustive
from simnet.policies import Fifo, Pct, Policy, Uniform, read, write
from simnet.threads import threading
from simnet.world import World


def tasks(*numbers: int) -> Any:
    """As a picker sees them."""
    return tuple(SimpleNamespace(number=number) for number in numbers)


def order(policy: Policy | None, seed: int = 0) -> list[str]:
    """In which order two threads take a lock, four times each."""
    seen: list[str] = []
    with World(seed, policy=policy) as world, world.host("h"):
        lock = threading.Lock()

        def body(name: str) -> None:
            for _ in range(4):
                with lock:
                    seen.append(name)

        threads = [threading.Thread(target=body, args=(name,)) for name in "ab"]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    return seen


def test_first_in_first_out_runs_each_until_it_waits() -> None:
    """Whatever the seed."""
    assert {tuple(order(Fifo(), seed)) for seed in range(5)} == {tuple("aaaabbbb")}


def test_without_a_policy_nobody_is_preempted() -> None:
    """Each thread runs as soon as it is started, until it waits."""
    assert {tuple(order(None, seed)) for seed in range(10)} == {tuple("aaaabbbb")}


def test_the_even_policy_interleaves_by_the_seed() -> None:
    """Equal seeds equally, different ones differently."""
    assert order(Uniform(), 1) == order(Uniform(), 1)
    assert len({tuple(order(Uniform(), seed)) for seed in range(20)}) > 5


def test_priorities_change_so_often_at_most() -> None:
    """Depth d has d - 1 changes: so many times does the running thread lose its place."""

    def changes(seen: Sequence[str]) -> int:
        return sum(one != other for one, other in pairwise(seen))

    for depth in (1, 2, 3):
        counts = {changes(order(Pct(depth, steps=20), seed)) for seed in range(40)}
        # The end of a thread is one more, and main may come between.
        assert max(counts) <= depth
        assert min(counts) == 1


@given(st.integers(), st.integers(1, 5), st.lists(st.integers(1, 4), min_size=1, unique=True))
def test_a_pick_is_one_of_the_tasks(seed: int, depth: int, numbers: list[int]) -> None:
    """Of whatever policy."""
    for policy in (Fifo(), Uniform(), Pct(depth)):
        picker = policy.start(Stream(seed, "policy"))
        for _ in range(5):
            assert 0 <= picker.pick(tasks(*numbers), running=True) < len(numbers)


@given(st.integers())
def test_who_gives_way_comes_last(seed: int) -> None:
    """A task that only polls does not starve the others."""
    picker = Pct(1).start(Stream(seed, "policy"))
    both = tasks(1, 2)
    first = picker.pick(both, running=False)
    picker.gives_way(both[first])
    assert picker.pick(both, running=False) != first


@pytest.mark.parametrize("policy", [Fifo(), Uniform(), Pct(), Pct(2, 30)])
def test_a_policy_can_be_written_and_read(policy: Policy) -> None:
    """In scenarios and on the command line."""
    assert read(write(policy)) == policy


@pytest.mark.parametrize(
    ("text", "policy"), [("FIFO", Fifo()), ("pct", Pct()), (" pct( 4 ) ", Pct(4))]
)
def test_a_policy_may_be_written_loosely(text: str, policy: Policy) -> None:
    """What is left out is as ever."""
    assert read(text) == policy


@pytest.mark.parametrize(
    "text", ["", "lifo", "pct(0)", "pct(1, 2, 3)", "fifo(1)", "pct(x)", "pct("]
)
def test_a_text_that_is_no_policy_is_told(text: str) -> None:
    """With those that there are."""
    with pytest.raises(ValueError, match=r"expected fifo, uniform, pct|is no policy"):
        read(text)
    with pytest.raises(ValueError, match=r"expected fifo, uniform, pct|is no policy"):
        World(policy=text)


def test_a_policy_without_a_text_is_told() -> None:
    """Going through all schedules is no policy of one world."""
    with pytest.raises(ValueError, match=r"Exhaustive\(.*cannot be written"):
        write(Exhaustive())


def test_calls_are_put_back_with_the_last_world_that_preempts() -> None:
    """Whichever ends first, also one that nobody closes."""
    before = vars(threading.Event)["set"]
    first, second = World(policy=Uniform()), World(policy="pct")
    assert vars(threading.Event)["set"] is not before
    first.close()
    first.close()
    assert vars(threading.Event)["set"] is not before
    with switch_points.installed():
        del second
        gc.collect()
        assert vars(threading.Event)["set"] is not before
    assert vars(threading.Event)["set"] is before
    with World(policy=Fifo()):
        assert vars(threading.Event)["set"] is before


@pytest.mark.parametrize("seed", range(10))
def test_who_tries_again_does_not_run_for_ever(seed: int) -> None:
    """As the code does that lets a world run, while something is due at the last instant."""
    woken: list[int] = []
    with World(seed, policy=Pct(3, 20), max_steps=5000) as world, world.host("h") as host:

        def wake(number: int) -> None:
            host.sleep(1)
            woken.append(number)

        for number in range(3):
            host.spawn(wake, number)
        world.run(until=1)
    assert sorted(woken) == [0, 1, 2]
