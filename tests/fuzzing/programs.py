"""Programs with a bug each, of every kind that is drawn, as tests of `simnet.fuzz`."""

from __future__ import annotations

import socket
from typing import Any

from hypothesis import HealthCheck, assume, settings
from hypothesis import strategies as st

import simnet
from simnet import strategies as net
from tests.exploring.races import lost_update

# The first draw may take long in a checkout: Hypothesis looks into every module of it.
steady = settings(
    max_examples=300,
    derandomize=True,
    database=None,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)


@steady
@simnet.fuzz(chunks=net.splits(b"one\r\ntwo\r\n", near=b"\r\n"))
def lines_in_pieces(world: simnet.World, chunks: list[bytes]) -> None:
    """Takes it that a line comes in one piece, if it comes in several."""
    host = world.host("h")
    one, other = host.socketpair()
    with one, other:
        got = []
        for chunk in chunks:
            one.sendall(chunk)
            got += [line for line in other.recv(100).split(b"\r\n") if line]
        assert got == [b"one", b"two"], got


@steady
@simnet.fuzz()
def an_update_is_lost(world: simnet.World) -> None:
    """A race of two threads."""
    lost_update(world)


@steady
@simnet.fuzz(topology=net.topologies(names=["a", "b"]), faults=["partitions", "drops"], until=5.0)
def a_datagram_is_not_sent_again(world: simnet.World) -> None:
    """Takes it that what is sent arrives."""
    a, b = world.hosts["a"], world.hosts["b"]
    with b.socket(type=socket.SOCK_DGRAM) as receiver, a.socket(type=socket.SOCK_DGRAM) as sender:
        receiver.bind(("", 53))
        receiver.settimeout(60)
        for second in range(3):
            sender.sendto(bytes([second]), (b.addresses[0], 53))
            a.sleep(1)
        for _ in range(3):
            receiver.recv(10)


@steady
@simnet.fuzz(nasty=["short_reads", "short_sends"], size=st.integers(1, 100))
def a_read_gives_all(world: simnet.World, size: int) -> None:
    """Takes it that a record comes in one piece."""
    one, other = world.host("h").socketpair()
    with one, other:
        one.sendall(bytes(size))
        assert len(other.recv(size)) == size


class Held:
    """A method is a program too."""

    @steady
    @simnet.fuzz(number=st.integers(0, 1000))
    def program(self, world: Any, number: int) -> None:
        """Refuses large numbers."""
        assert number < 7


@steady
@simnet.fuzz(number=st.integers(0, 1000))
def two_bugs(world: Any, number: int) -> None:
    """Two ways of failing."""
    if number > 500:
        raise KeyError(number)
    assert number < 7


@steady
@simnet.fuzz(thing=st.builds(object))
def cannot_be_written(world: Any, thing: object) -> None:
    """An object has no text."""
    raise AssertionError


@steady
@simnet.fuzz(number=st.integers(0, 1000))
def is_right(world: Any, number: int) -> None:
    """Finds nothing."""
    assume(number % 2 == 0)
    assert world.host("h").time() > number


@steady
@simnet.fuzz(numbers=st.lists(st.integers(0, 9)))
def uses_up_what_it_is_given(world: Any, numbers: list[int]) -> None:
    """Takes numbers from a list until one is too large."""
    while numbers:
        assert numbers.pop() < 7
