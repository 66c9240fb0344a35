"""Small behaviours of streams that planted faults showed to be untested."""

from __future__ import annotations

import socket
from contextlib import ExitStack

import pytest

from simnet.api import Network, Socket
from tests.conformance.kinds import (
    PATIENCE,
    STREAM_PAIRS,
    UNIX_NAMES,
    UNIX_STREAM_PAIRS,
    Kind,
    Named,
    each,
)
from tests.conformance.outcomes import outcome
from tests.conformance.unix_sockets import opened

Pair = tuple[Socket, Socket]


@each(STREAM_PAIRS)
def test_waitall_waits_on_after_a_single_byte(net: Network, pair: Pair) -> None:
    """One byte is progress like any other."""
    a, b = pair
    a.send(b"a")
    task = net.spawn(b.recv, 3, socket.MSG_WAITALL)
    assert not task.join(0.05)
    a.send(b"b")
    assert not task.join(0.05)
    a.send(b"c")
    assert task.result(PATIENCE) == b"abc"


@each(UNIX_NAMES, argument="named")
@pytest.mark.parametrize("empty", ["", b""])
def test_no_unix_socket_has_the_empty_name(net: Network, named: Named, empty: str | bytes) -> None:
    """connect() to it is EINVAL."""
    with named.socket(net) as sock:
        assert outcome(sock.connect, empty) == "EINVAL"


@each(UNIX_STREAM_PAIRS)
def test_marks_of_urgent_bytes_that_were_taken_are_one(
    net: Network, sockets: ExitStack, kind: Kind
) -> None:
    """Two urgent bytes, one after the other, each taken: reading goes past both places."""
    a, b = opened(sockets, net, kind)
    for byte in (b"1", b"2"):
        a.send(byte, socket.MSG_OOB)
        assert b.recv(1, socket.MSG_OOB) == byte
    a.send(b"x")
    assert outcome(b.recv, 10) == b"x"


@each(UNIX_STREAM_PAIRS)
def test_taking_an_urgent_byte_leaves_what_lies_before_it(
    net: Network, sockets: ExitStack, kind: Kind
) -> None:
    """After data, two urgent bytes taken: the data is read up to the place, then what follows."""
    a, b = opened(sockets, net, kind)
    a.send(b"a")
    for byte in (b"1", b"2"):
        a.send(byte, socket.MSG_OOB)
        assert b.recv(1, socket.MSG_OOB) == byte
    a.send(b"x")
    assert [outcome(b.recv, 10), outcome(b.recv, 10)] == [b"a", b"x"]
