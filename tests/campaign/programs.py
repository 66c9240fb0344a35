"""Programs for campaigns: some seeds fail, and some end processes, or the campaign.

What happens once is told by a file that MARKS names the directory of: it is there afterwards.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import time
from pathlib import Path

from hypothesis import strategies as st

import simnet
from simnet import World


def some_fail(world: World) -> None:
    """In two ways, by the seed alone; and in the time of the world."""
    seed = int(world.seed)
    host = world.host("h")
    host.sleep(seed)
    print("printed by the program")
    print("and as an error", file=sys.stderr)
    if seed % 7 == 3:
        raise ValueError(f"seed {seed}\nand more, {object()}")
    assert seed % 11 != 5, "eleven"


def races(world: World) -> None:
    """Two tasks of which the later should win: the schedule decides."""
    host = world.host("h")
    order: list[int] = []
    for number in range(2):
        host.spawn(order.append, number)
    host.sleep(1)
    assert order == [0, 1], f"{order} at {object()}"


def reads_at_once(world: World) -> None:
    """A message that is sent in one piece, as if it had to come in one."""
    one, other = world.host("h").socketpair()
    with one, other:
        one.sendall(b"a message")
        assert other.recv(100) == b"a message", "cut short"


def passes(world: World) -> None:
    """Always."""


def escapes(world: World) -> None:
    """With what no `except Exception` catches, and with a text that cannot be made."""

    class Odd(Exception):
        def __str__(self) -> str:
            raise RuntimeError("no text")

    if world.seed == 0:
        sys.exit("left early")
    if world.seed == 1:
        raise asyncio.CancelledError
    if world.seed == 2:
        raise Odd
    raise ValueError("\x1b[31m\x00 red")


def keeps_something(world: World, kept: list[object] = []) -> None:  # noqa: B006
    """From run to run: no function of its seed."""
    kept.append(world)
    assert len(kept) != 3, "the third"


def dies(world: World) -> None:
    """Each time."""
    if world.seed == 5:
        os.kill(os.getpid(), signal.SIGKILL)
    some_fail(world)


def _once(what: str) -> bool:
    mark = Path(os.environ["MARKS"], what)
    if mark.exists():
        return False
    mark.write_text(str(os.getpid()))
    return True


def dies_once(world: World) -> None:
    """The first time."""
    if world.seed == 40 and _once("died"):
        os.kill(os.getpid(), signal.SIGKILL)
    some_fail(world)


def kills_its_starter_once(world: World) -> None:
    """The campaign, or the worker of a cluster that it is run for."""
    if world.seed == 40 and _once("killed"):
        os.kill(os.getppid(), signal.SIGKILL)
        signal.pause()
    some_fail(world)


def kills_its_starter(world: World) -> None:
    """Each time."""
    if world.seed == 2:
        os.kill(os.getppid(), signal.SIGKILL)
        signal.pause()


def interrupts_once(world: World) -> None:
    """The campaign, as Ctrl-C does; and ends a bit later."""
    if world.seed == 40 and _once("interrupted"):
        os.kill(os.getppid(), signal.SIGINT)
        time.sleep(0.3)
    some_fail(world)


def hangs_once(world: World) -> None:
    """For ever."""
    if world.seed == 40 and _once("hangs"):
        signal.pause()
    some_fail(world)


def hangs(world: World) -> None:
    """For ever, in a call of the real system."""
    if world.seed == 5:
        signal.pause()
    some_fail(world)


def on_the_network(world: World) -> None:
    """A patched program, whose standard library is the world's."""
    with world.patch():
        time.sleep(3600)
        assert simnet.World is World


@simnet.fuzz(size=st.integers(0, 1000), policy="fifo")
def is_fuzzed(world: World, size: int) -> None:
    """A test, with an argument that is drawn."""
    one, other = world.host("h").socketpair()
    with one, other:
        one.sendall(bytes(size))
        assert size < 900
