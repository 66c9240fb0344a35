"""Small behaviours of TCP that planted faults showed to be untested."""

from __future__ import annotations

import socket
from contextlib import ExitStack

from simnet.api import Network, Socket
from tests.conformance.kinds import (
    ALL_PAIRS,
    PATIENCE,
    TCP_NAMES,
    TCP_PAIRS,
    Named,
    each,
)
from tests.conformance.outcomes import outcome

CORK = (socket.IPPROTO_TCP, socket.TCP_CORK)
REUSEADDR = (socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
Pair = tuple[Socket, Socket]


@each(TCP_PAIRS)
def test_what_waited_for_more_goes_out_before_the_second_end(net: Network, pair: Pair) -> None:
    """After the peer's shutdown, close() sends what MSG_MORE held back, and then the end."""
    a, b = pair
    a.settimeout(PATIENCE)
    a.shutdown(socket.SHUT_WR)
    b.send(b"x", socket.MSG_MORE)
    assert b.recv(1) == b""
    b.close()
    assert [a.recv(10), a.recv(10)] == [b"x", b""]


@each(TCP_PAIRS)
def test_what_the_first_end_waited_with_comes_too(net: Network, pair: Pair) -> None:
    """close() sends what MSG_MORE held back; the peer, which closes as well, gets it."""
    a, b = pair
    b.settimeout(PATIENCE)
    a.send(b"x", socket.MSG_MORE)
    a.shutdown(socket.SHUT_WR)
    assert [b.recv(10), b.recv(10)] == [b"x", b""]


@each(TCP_NAMES, argument="named")
def test_a_cork_set_before_connecting_holds(
    net: Network, named: Named, sockets: ExitStack, listener: Socket
) -> None:
    """TCP_CORK is of the socket, not of the connection."""
    client = sockets.enter_context(named.socket(net))
    client.setsockopt(*CORK, 1)
    client.connect(listener.getsockname())
    server = sockets.enter_context(listener.accept()[0])
    server.setblocking(False)
    client.send(b"x")
    assert outcome(server.recv, 10) == "EAGAIN"
    client.setsockopt(*CORK, 0)
    server.settimeout(PATIENCE)
    assert server.recv(10) == b"x"


@each(TCP_NAMES, argument="named")
def test_an_accepted_socket_has_the_cork_of_its_listener(
    net: Network, named: Named, sockets: ExitStack, listener: Socket
) -> None:
    """What the server sends first is held as well."""
    listener.setsockopt(*CORK, 1)
    client = sockets.enter_context(named.socket(net))
    client.connect(listener.getsockname())
    server = sockets.enter_context(listener.accept()[0])
    client.setblocking(False)
    server.send(b"x")
    assert server.getsockopt(*CORK) == 1
    assert outcome(client.recv, 10) == "EAGAIN"
    server.setsockopt(*CORK, 0)
    client.settimeout(PATIENCE)
    assert client.recv(10) == b"x"


@each(ALL_PAIRS)
def test_a_timeout_is_of_the_object_and_not_of_the_socket(net: Network, pair: Pair) -> None:
    """It holds although a duplicate has put their common descriptor state into blocking mode."""
    _, b = pair
    b.settimeout(0.02)
    with b.dup() as other:
        other.settimeout(None)
        assert outcome(b.recv, 1) == outcome(b.recvfrom, 1) == "TimeoutError"


@each(TCP_PAIRS)
def test_an_urgent_byte_without_room_is_cut(net: Network, pair: Pair) -> None:
    """recvmsg() of no bytes with MSG_OOB takes it and says so."""
    a, b = pair
    a.send(b"u", socket.MSG_OOB)
    poller = net.poll()
    poller.register(b, 2)
    assert poller.poll(PATIENCE * 1000)
    data, _, flags, _ = b.recvmsg(0, 0, socket.MSG_OOB)
    assert (data, flags) == (b"", socket.MSG_OOB | socket.MSG_TRUNC)
    assert outcome(b.recv, 1, socket.MSG_OOB) == "EINVAL"


@each(TCP_NAMES, argument="named")
def test_the_addresses_of_a_connection_in_time_wait_may_be_used_again(
    net: Network, named: Named, sockets: ExitStack, listener: Socket
) -> None:
    """On loopback, whether its ends closed both at once or one after the other."""
    client = sockets.enter_context(named.socket(net))
    client.setsockopt(*REUSEADDR)
    client.bind(named.fresh_address(net))
    client.connect(listener.getsockname())
    name = client.getsockname()
    server, _ = listener.accept()
    client.close()
    assert server.recv(1) == b""
    server.close()
    with named.socket(net) as again:
        again.setsockopt(*REUSEADDR)
        again.bind(name)
        assert outcome(again.connect, listener.getsockname()) is None
