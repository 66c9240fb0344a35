"""Switch points: calls before which a policy may let another task run."""

from __future__ import annotations

from simnet.policies import Uniform
from simnet.sources import BySeed
from simnet.threads import queue, threading
from simnet.world import World


def test_a_task_that_waits_within_a_call_is_named_by_the_call() -> None:
    """Whatever this version of Python waits for in it."""
    source = BySeed()
    with World(decisions=source, policy=Uniform()) as world, world.host("h"):
        things: queue.Queue[int] = queue.Queue()

        def take() -> None:
            things.get()

        threads = [threading.Thread(target=take, name=name) for name in "ab"]
        for thread in threads:
            thread.start()
        for number in range(2):
            things.put(number)
        for thread in threads:
            thread.join()
    calls = {(option.name, option.call) for decision in source.log for option in decision.options}
    assert {call for name, call in calls if name in ("a", "b")} <= {None, "get"}
    assert ("main", "join") in calls
