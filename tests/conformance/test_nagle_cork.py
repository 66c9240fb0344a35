"""What holds small TCP segments back: MSG_MORE, TCP_CORK, and Nagle with delayed ACKs.

Nothing here measures time: a piece that is held back cannot be received at once, but comes by
itself (after 40 to 200 ms, measured on Linux 6.18) or by what flushes it.
"""

from __future__ import annotations

import select
import socket
from collections.abc import Callable
from contextlib import ExitStack

import pytest

from simnet.api import Network, Socket
from tests.conformance.kinds import TCP_NAMES, TCP_PAIRS, UNIX_STREAM_PAIRS, Named, each
from tests.conformance.outcomes import outcome, readiness, recv_exactly, wait_for

TCP, MORE = socket.IPPROTO_TCP, socket.MSG_MORE
NODELAY, CORK = (TCP, socket.TCP_NODELAY), (TCP, socket.TCP_CORK)

Pair = tuple[Socket, Socket]


def send_more(sock: Socket, data: bytes) -> None:
    """Send with MSG_MORE."""
    sock.send(data, MORE)


def send_corked(sock: Socket, data: bytes) -> None:
    """Cork the socket and send."""
    sock.setsockopt(*CORK, 1)
    sock.send(data)


def uncork(sock: Socket) -> None:
    """Take the cork out."""
    sock.setsockopt(*CORK, 0)


def no_delay(sock: Socket) -> None:
    """Switch Nagle's algorithm off."""
    sock.setsockopt(*NODELAY, 1)


def close(sock: Socket) -> None:
    """Close the socket."""
    sock.close()


def shut(sock: Socket) -> None:
    """End the sending half."""
    sock.shutdown(socket.SHUT_WR)


def talk(a: Socket, b: Socket) -> None:
    """A few requests and replies, after which the kernel delays acknowledgements."""
    for _ in range(4):
        a.send(b"q")
        assert b.recv(10) == b"q"
        b.send(b"r")
        assert a.recv(10) == b"r"


held = pytest.mark.parametrize("hold", [send_more, send_corked])


@each(TCP_PAIRS)
@held
def test_a_small_piece_is_held_back(
    net: Network, pair: Pair, hold: Callable[[Socket, bytes], None]
) -> None:
    """MSG_MORE and TCP_CORK keep it for a while; then it is sent by itself."""
    a, b = pair
    hold(a, b"piece")
    assert readiness(net, b) == "OUT"
    wait_for(net, b, select.POLLIN)
    assert b.recv(10) == b"piece"


@each(TCP_PAIRS)
@held
def test_nodelay_set_before_does_not_prevent_holding_back(
    net: Network, pair: Pair, hold: Callable[[Socket, bytes], None]
) -> None:
    """TCP_NODELAY gives way to MSG_MORE and TCP_CORK."""
    a, b = pair
    no_delay(a)
    hold(a, b"piece")
    assert readiness(net, b) == "OUT"
    wait_for(net, b, select.POLLIN)


@each(TCP_PAIRS)
@held
@pytest.mark.parametrize("flush", [close, shut, no_delay])
def test_what_is_held_back_is_flushed(
    net: Network,
    pair: Pair,
    hold: Callable[[Socket, bytes], None],
    flush: Callable[[Socket], None],
) -> None:
    """close(), shutdown(WR) and setting TCP_NODELAY send it at once."""
    a, b = pair
    hold(a, b"piece")
    flush(a)
    assert outcome(b.recv, 10, socket.MSG_DONTWAIT) == b"piece"


@each(TCP_PAIRS)
def test_a_send_without_more_takes_the_held_piece_along(net: Network, pair: Pair) -> None:
    """Both arrive together."""
    a, b = pair
    send_more(a, b"one ")
    a.send(b"two")
    assert outcome(b.recv, 10, socket.MSG_DONTWAIT) == b"one two"


@each(TCP_PAIRS)
def test_taking_the_cork_out_sends_the_held_pieces(net: Network, pair: Pair) -> None:
    """Several corked pieces arrive together."""
    a, b = pair
    send_corked(a, b"one ")
    a.send(b"two")
    uncork(a)
    assert outcome(b.recv, 10, socket.MSG_DONTWAIT) == b"one two"


@each(TCP_PAIRS)
@held
def test_full_segments_are_not_held_back(
    net: Network, pair: Pair, hold: Callable[[Socket, bytes], None]
) -> None:
    """Of a large send only the rest waits; in the end everything comes."""
    a, b = pair
    hold(a, b"x" * 200_000)
    assert readiness(net, b).startswith("IN")
    assert recv_exactly(b, 200_000) == b"x" * 200_000


@each(UNIX_STREAM_PAIRS)
def test_unix_streams_ignore_more(net: Network, pair: Pair) -> None:
    """The piece is there at once."""
    a, b = pair
    send_more(a, b"piece")
    assert outcome(b.recv, 10, socket.MSG_DONTWAIT) == b"piece"


@each(TCP_PAIRS)
def test_the_second_small_send_waits_for_an_acknowledgement(net: Network, pair: Pair) -> None:
    """On a connection of requests and replies it is not there at once, but comes in a while."""
    a, b = pair
    talk(a, b)
    a.send(b"one")
    a.send(b"two")
    assert b.recv(10) == b"one"
    assert outcome(b.recv, 10, socket.MSG_DONTWAIT) == "EAGAIN"
    wait_for(net, b, select.POLLIN)
    assert b.recv(10) == b"two"


@each(TCP_PAIRS)
def test_with_nodelay_the_second_small_send_is_there_at_once(net: Network, pair: Pair) -> None:
    """TCP_NODELAY does not wait for an acknowledgement."""
    a, b = pair
    no_delay(a)
    talk(a, b)
    a.send(b"one")
    a.send(b"two")
    assert outcome(b.recv, 10, socket.MSG_DONTWAIT) == b"onetwo"


@each(TCP_PAIRS)
def test_on_a_fresh_connection_the_second_small_send_is_there_at_once(
    net: Network, pair: Pair
) -> None:
    """There acknowledgements are not delayed yet."""
    a, b = pair
    a.send(b"one")
    a.send(b"two")
    assert outcome(b.recv, 10, socket.MSG_DONTWAIT) == b"onetwo"


@each(TCP_PAIRS)
@pytest.mark.parametrize("flush", [close, shut, no_delay])
def test_what_waits_for_an_acknowledgement_is_flushed(
    net: Network, pair: Pair, flush: Callable[[Socket], None]
) -> None:
    """close(), shutdown(WR) and setting TCP_NODELAY send it at once."""
    a, b = pair
    talk(a, b)
    a.send(b"one")
    a.send(b"two")
    flush(a)
    assert outcome(b.recv, 10, socket.MSG_DONTWAIT) == b"onetwo"


@each(TCP_PAIRS)
def test_an_answer_acknowledges_and_so_frees_the_second_send(net: Network, pair: Pair) -> None:
    """The peer's data carries the acknowledgement."""
    a, b = pair
    talk(a, b)
    a.send(b"one")
    a.send(b"two")
    assert b.recv(10) == b"one"
    b.send(b"answer")
    assert outcome(b.recv, 10, socket.MSG_DONTWAIT) == b"two"


@each(TCP_NAMES, argument="named")
def test_a_socket_that_connects_again_acknowledges_as_a_fresh_one(
    net: Network, named: Named, listener: Socket, sockets: ExitStack
) -> None:
    """What it owed on the connection before is forgotten: first at once, later in a while."""
    a = sockets.enter_context(named.socket(net))
    a.connect(listener.getsockname())
    b = sockets.enter_context(listener.accept()[0])
    talk(b, a)
    b.send(b"not acknowledged yet")
    wait_for(net, a, select.POLLIN)
    net.disconnect(a)
    a.connect(listener.getsockname())
    c = sockets.enter_context(listener.accept()[0])
    a.send(b"hello")
    assert c.recv(10) == b"hello"
    c.send(b"1")
    c.send(b"2")
    assert outcome(a.recv, 10, socket.MSG_DONTWAIT) == b"12"
    talk(c, a)
    c.send(b"3")
    c.send(b"4")
    assert a.recv(10) == b"3"
    wait_for(net, a, select.POLLIN)
    assert a.recv(10) == b"4"
