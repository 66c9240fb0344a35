"""shutdown(): each half, each order, on each kind of connection."""

from __future__ import annotations

import socket
from collections.abc import Callable

import pytest

from simnet.api import Network, Socket
from tests.conformance.kinds import (
    CONNECTION_NAMES,
    CONNECTION_PAIRS,
    PATIENCE,
    SEQPACKET_PAIRS,
    STREAM_NAMES,
    STREAM_PAIRS,
    TCP_NAMES,
    TCP_PAIRS,
    UNIX_NAMES,
    UNIX_STREAM_PAIRS,
    Named,
    each,
)
from tests.conformance.outcomes import fill, outcome, readiness, recv_exactly

RD, WR, RDWR = socket.SHUT_RD, socket.SHUT_WR, socket.SHUT_RDWR
SHORT = 0.05  # seconds: long enough to see that a call waits
UNIX_PAIRS = UNIX_STREAM_PAIRS + SEQPACKET_PAIRS
UNIX_CONNECTION_NAMES = [n for n in CONNECTION_NAMES if n in UNIX_NAMES]

Keep = Callable[[Socket], Socket]
Pair = tuple[Socket, Socket]


# The sending half


@each(CONNECTION_PAIRS)
def test_a_shut_sender_ends_the_peers_input_only(net: Network, pair: Pair) -> None:
    """The peer reads what was sent and the end, and can still answer."""
    a, b = pair
    a.send(b"question")
    a.shutdown(WR)
    assert [b.recv(100), b.recv(100)] == [b"question", b""]
    b.send(b"answer")
    assert a.recv(100) == b"answer"
    assert outcome(a.send, b"x") == "EPIPE"


@each(CONNECTION_PAIRS)
def test_readiness_with_one_half_shut_for_sending(net: Network, pair: Pair) -> None:
    """The peer sees IN and RDHUP; the own end still polls writable."""
    a, b = pair
    a.shutdown(WR)
    assert readiness(net, a) == "OUT"
    assert readiness(net, b) == "IN|OUT|RDHUP"


@each(CONNECTION_PAIRS)
def test_readiness_with_both_senders_shut(net: Network, pair: Pair) -> None:
    """Both ends hang up."""
    a, b = pair
    a.shutdown(WR)
    b.shutdown(WR)
    assert [readiness(net, sock) for sock in pair] == ["IN|OUT|HUP|RDHUP"] * 2
    assert [sock.recv(1) for sock in pair] == [b"", b""]


@each(CONNECTION_PAIRS)
def test_shut_sender_wakes_the_peers_recv(net: Network, pair: Pair) -> None:
    """The waiting recv() returns the end."""
    a, b = pair
    task = net.spawn(b.recv, 10)
    assert not task.join(SHORT)
    a.shutdown(WR)
    assert task.result(PATIENCE) == b""


@each(STREAM_PAIRS)
def test_shutting_the_sender_flushes_what_is_queued(net: Network, pair: Pair) -> None:
    """Everything that send() took arrives before the end."""
    a, b = pair
    a.setblocking(False)
    total = fill(a, b"x" * 4096)
    a.shutdown(WR)
    assert recv_exactly(b, total + 1) == b"x" * total


# The receiving half


@each(CONNECTION_PAIRS)
def test_a_shut_receiver_is_at_its_end(net: Network, pair: Pair) -> None:
    """recv() gives the end at once, and its own sending still works."""
    a, b = pair
    a.shutdown(RD)
    assert readiness(net, a) == "IN|OUT|RDHUP"
    assert a.recv(10) == b""
    a.send(b"still")
    assert b.recv(10) == b"still"


@each(CONNECTION_PAIRS)
def test_a_shut_receiver_still_gives_what_had_arrived(net: Network, pair: Pair) -> None:
    """Earlier data is read first, then the end."""
    a, b = pair
    b.send(b"early")
    a.shutdown(RD)
    assert [a.recv(10), a.recv(10)] == [b"early", b""]


@each(TCP_PAIRS)
def test_tcp_delivers_to_a_shut_receiver(net: Network, pair: Pair) -> None:
    """The peer notices nothing, and what it sends later is still readable."""
    a, b = pair
    a.shutdown(RD)
    assert readiness(net, b) == "OUT"
    assert b.send(b"late") == 4
    assert [a.recv(10), a.recv(10)] == [b"late", b""]


@each(UNIX_PAIRS)
def test_sending_to_a_shut_unix_receiver_is_epipe(net: Network, pair: Pair) -> None:
    """The peer polls as usual, but its send() fails."""
    a, b = pair
    a.shutdown(RD)
    assert readiness(net, b) == "OUT"
    assert outcome(b.send, b"late") == "EPIPE"
    assert a.recv(10) == b""


@each(CONNECTION_PAIRS)
@pytest.mark.parametrize("how", [RD, RDWR])
def test_shutdown_wakes_the_own_recv(net: Network, pair: Pair, how: int) -> None:
    """A task that waits in recv() on the same socket gets the end."""
    a, _ = pair
    task = net.spawn(a.recv, 10)
    assert not task.join(SHORT)
    a.shutdown(how)
    assert task.result(PATIENCE) == b""


# Both halves


@each(CONNECTION_PAIRS)
def test_shutting_both_halves_ends_the_own_side(net: Network, pair: Pair) -> None:
    """Neither sending nor receiving is left, but the names are."""
    a, b = pair
    a.shutdown(RDWR)
    assert readiness(net, a) == "IN|OUT|HUP|RDHUP"
    assert outcome(a.send, b"x") == "EPIPE"
    assert a.recv(10) == b""
    assert b.recv(10) == b""
    assert a.getpeername() == b.getsockname()


@each(TCP_PAIRS)
def test_data_for_a_tcp_socket_shut_both_ways_is_accepted_then_reset(
    net: Network, pair: Pair
) -> None:
    """The peer polls half-closed; its first send succeeds and provokes a reset."""
    a, b = pair
    a.shutdown(RDWR)
    assert readiness(net, b) == "IN|OUT|RDHUP"
    assert b.send(b"back") == 4
    assert outcome(b.send, b"back") == "EPIPE"
    assert outcome(a.recv, 10) == "ECONNRESET"


@each(UNIX_PAIRS)
def test_a_unix_socket_shut_both_ways_hangs_up_on_its_peer(net: Network, pair: Pair) -> None:
    """The peer polls HUP and cannot send."""
    a, b = pair
    a.shutdown(RDWR)
    assert readiness(net, b) == "IN|OUT|HUP|RDHUP"
    assert outcome(b.send, b"back") == "EPIPE"


# Repetition and order


@each(CONNECTION_PAIRS)
def test_shutdown_may_be_repeated_while_the_peer_is_open(net: Network, pair: Pair) -> None:
    """Any half, any number of times."""
    a, _ = pair
    assert [outcome(a.shutdown, how) for how in (RD, WR, WR, RDWR, RD)] == [None] * 5


@each(TCP_PAIRS)
def test_a_tcp_socket_is_unconnected_once_both_ends_have_sent_their_fin(
    net: Network, pair: Pair
) -> None:
    """After the peer's close, the first shutdown(WR) works, and every later one is ENOTCONN."""
    a, b = pair
    a.close()
    assert outcome(b.shutdown, RD) is None
    assert outcome(b.shutdown, WR) is None
    assert [outcome(b.shutdown, how) for how in (WR, RDWR, RD)] == ["ENOTCONN"] * 3
    assert outcome(b.getpeername) == "ENOTCONN"


@each(UNIX_PAIRS)
def test_a_unix_socket_may_always_be_shut(net: Network, pair: Pair) -> None:
    """After the peer's close too."""
    a, b = pair
    a.close()
    assert [outcome(b.shutdown, how) for how in (RD, WR, WR, RDWR, RD)] == [None] * 5


@each(CONNECTION_NAMES, argument="named")
@pytest.mark.parametrize("how", [-1, 3, 7])
def test_a_bad_how_is_invalid_before_anything_else(
    net: Network, keep: Keep, named: Named, how: int
) -> None:
    """EINVAL on an unconnected socket too."""
    assert outcome(keep(named.socket(net)).shutdown, how) == "EINVAL"


@each(CONNECTION_PAIRS)
def test_a_bad_how_is_invalid_on_a_connection(net: Network, pair: Pair) -> None:
    """EINVAL, and nothing is shut."""
    a, b = pair
    assert outcome(a.shutdown, 3) == "EINVAL"
    a.send(b"open")
    assert b.recv(10) == b"open"


# Not connected


@each(TCP_NAMES, argument="named")
@pytest.mark.parametrize("how", [RD, WR, RDWR])
def test_shutting_an_unconnected_tcp_socket_fails_and_yet_takes_effect(
    net: Network, keep: Keep, named: Named, listener: Socket, how: int
) -> None:
    """ENOTCONN, but after a later connect() that half does not work."""
    client = keep(named.socket(net))
    assert outcome(client.shutdown, how) == "ENOTCONN"
    client.connect(listener.getsockname())
    server = keep(listener.accept()[0])
    server.setblocking(False)
    client.setblocking(False)
    expected_send = 1 if how == RD else "EPIPE"
    expected_recv = "EAGAIN" if how == WR else b""
    assert outcome(client.send, b"x") == expected_send
    assert outcome(client.recv, 1) == expected_recv


@each(UNIX_CONNECTION_NAMES, argument="named")
def test_shutting_an_unconnected_unix_socket_succeeds(
    net: Network, keep: Keep, named: Named, listener: Socket
) -> None:
    """And it also takes effect: after a later connect() sending gives EPIPE."""
    client = keep(named.socket(net))
    assert outcome(client.shutdown, WR) is None
    assert outcome(client.connect, listener.getsockname()) is None
    assert outcome(client.send, b"x") == "EPIPE"


@each(STREAM_NAMES, argument="named")
def test_readiness_of_a_socket_shut_before_it_connects(
    net: Network, keep: Keep, named: Named
) -> None:
    """A fresh stream polls OUT and HUP; shut for both, it is at its end as well."""
    sock = keep(named.socket(net))
    assert readiness(net, sock) == "OUT|HUP"
    outcome(sock.shutdown, RDWR)
    assert readiness(net, sock) == "IN|OUT|HUP|RDHUP"
