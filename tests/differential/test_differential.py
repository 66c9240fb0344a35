"""Random programs give the same on both backends; and a backend that is altered is found out."""

from __future__ import annotations

import socket
from typing import Any

import attrs
import pytest
from hypothesis import seed
from hypothesis.stateful import run_state_machine_as_test

import realnet
from tests.differential.compare import Pair, first_difference, lasting_difference, shortest
from tests.differential.machine import Mismatch, machine
from tests.differential.profiles import chosen, profile
from tests.differential.program import Data, Inet, NameOf, Step
from tests.differential.tally import Tally

REAL = Pair.named("real", "real")


@pytest.mark.parametrize(
    ("subject", "referee"), [("real", "real"), ("sim", "real")], ids=["real-real", "sim-real"]
)
@pytest.mark.timeout(0)
def test_random_programs_give_the_same_on_both_backends(subject: str, referee: str) -> None:
    """Every step of every drawn program: value, error, readiness of all sockets."""
    tally = Tally()
    programs = machine(Pair.named(subject, referee), tally)
    run_state_machine_as_test(seed(0)(programs), settings=chosen())
    assert tally.steps > 1000


class NoReadShutdown(realnet.Socket):
    """SHUT_RD is accepted and does nothing."""

    __slots__ = ()

    def shutdown(self, how: int, /) -> None:
        if how != socket.SHUT_RD:
            super().shutdown(how)


class QuietReset(realnet.Socket):
    """A reset reads as the end of the file."""

    __slots__ = ()

    def recv(self, *args: Any) -> bytes:
        try:
            return super().recv(*args)
        except ConnectionResetError:
            return b""


class SmallBacklog(realnet.Socket):
    """One connection fewer than asked may wait."""

    __slots__ = ()

    def listen(self, backlog: int = 128, /) -> None:
        super().listen(max(0, backlog - 1))


class NoPeek(realnet.Socket):
    """MSG_PEEK takes the data."""

    __slots__ = ()

    def recv(self, size: int, flags: int = 0, /) -> bytes:
        return super().recv(size, flags & ~socket.MSG_PEEK)


def altered(kind: type[realnet.Socket]) -> Pair:
    """The real backend with this class of sockets, against the real backend."""

    class Altered(realnet.Network):
        def socket(self, *args: Any, **kwargs: Any) -> Any:
            return kind(*args, **kwargs).counted_in(self._sockets)

    return attrs.evolve(REAL, subject=kind.__name__, make_subject=Altered)


@pytest.mark.parametrize(
    ("kind", "call"),
    [
        (NoReadShutdown, "shutdown"),
        (QuietReset, "recv"),
        (NoPeek, "recv"),
        (SmallBacklog, "connect"),
    ],
)
def test_an_altered_backend_is_found_and_the_program_is_short(
    kind: type[realnet.Socket], call: str
) -> None:
    """One wrong answer of one method is found, and not many steps are left."""
    programs = machine(altered(kind), Tally())
    with pytest.raises(Mismatch) as caught:
        run_state_machine_as_test(seed(1)(programs), settings=profile(3000))
    steps = caught.value.difference.steps
    # The shortest has 5 to 8; where shrinking stops depends a little on which ports are in use.
    assert len(steps) <= 12, caught.value
    assert any(step.call == call for step in steps), caught.value


CONVERSATION = (
    Step("socket", None, (socket.AF_INET, socket.SOCK_STREAM), ("s1",)),
    Step("getsockopt", "s1", (socket.SOL_SOCKET, socket.SO_ERROR)),
    Step("bind", "s1", (Inet("H0", "P0"),)),
    Step("listen", "s1", (5,)),
    Step("socket", None, (socket.AF_INET, socket.SOCK_STREAM), ("s2",)),
    Step("connect", "s2", (NameOf("s1"),)),
    Step("accept", "s1", (), ("s3",)),
    Step("send", "s2", (Data("a", 1000), 0)),
    Step("recv", "s3", (4, 0)),
    Step("shutdown", "s3", (socket.SHUT_RD,)),
    Step("recv", "s3", (4096, 0)),
)


def test_the_shortest_program_has_only_the_steps_it_needs() -> None:
    """What does not matter for the difference is dropped."""
    found = lasting_difference(altered(NoReadShutdown), CONVERSATION)
    assert found is not None
    assert [step.call for step in shortest(found).steps] == ["socket", "shutdown"]


def test_a_difference_is_printed_as_a_program_that_runs() -> None:
    """The source runs on a network of its own, and marks the step and both answers."""
    found = first_difference(altered(NoReadShutdown), CONVERSATION)
    assert found is not None
    source = found.source()
    assert "s3.shutdown(1)" not in source
    assert source.count("<-- differs") == 1
    assert "# NoReadShutdown (subject) gave None" in source
    namespace: dict[str, Any] = {}
    exec(source, namespace)
    net = realnet.Network()
    namespace["program"](net)
    net.close()


def test_two_runs_of_one_program_do_not_meet() -> None:
    """Each run has addresses of its own, so that one may follow another at once."""
    assert first_difference(REAL, CONVERSATION) is None
    assert first_difference(REAL, CONVERSATION) is None
