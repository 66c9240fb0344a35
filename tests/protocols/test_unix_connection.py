"""Listening, connecting, accepting, and how connections end."""

from __future__ import annotations

import socket

import pytest

from simnet.protocols.unix import UnixEndpoint
from simnet.readiness import POLLHUP, POLLIN, POLLOUT, READABLE, WRITABLE
from tests.protocols.unix_stand_in import SEQPACKET, STREAM, StandIn, Waiter, listener, pair, unix

each_type = pytest.mark.parametrize("type", [STREAM, SEQPACKET], ids=["stream", "seqpacket"])


def full(host: StandIn, type: int) -> UnixEndpoint:
    """A listener whose only place is taken."""
    sock = listener(type, host)
    assert unix(type, host).connect(sock.getsockname()) is True
    return sock


@each_type
def test_a_connect_waits_for_room_at_the_listener(type: int) -> None:
    """EAGAIN; the room's waiters are woken one per accept."""
    host = StandIn()
    server = full(host, type)
    late = unix(type, host)
    with pytest.raises(BlockingIOError):
        late.connect(server.getsockname())
    room = late.connect_waits_on(server.getsockname())
    assert not room.poll()
    first, second = Waiter(WRITABLE), Waiter(WRITABLE)
    room.add_waiter(first)
    room.add_waiter(second)
    assert server.accept() is not None
    assert (first.woken, second.woken) == (1, 0)
    assert room.poll() & POLLOUT
    assert late.connect(server.getsockname())


@each_type
@pytest.mark.parametrize("how", ["close", "listen"])
def test_all_who_wait_look_again_when_the_listener_changes(type: int, how: str) -> None:
    """A listener that closes, or gets a larger backlog, wakes everybody."""
    host = StandIn()
    server = full(host, type)
    address = server.getsockname()
    room = unix(type, host).connect_waits_on(address)
    waiters = [Waiter(WRITABLE), Waiter(WRITABLE)]
    for waiter in waiters:
        room.add_waiter(waiter)
    server.release() if how == "close" else server.listen(5)
    assert [waiter.woken for waiter in waiters] == [1, 1]
    assert room.poll() & POLLOUT


@each_type
def test_where_nobody_listens_there_is_nothing_to_wait_for(type: int) -> None:
    """The next try will say why."""
    sock = unix(type)
    assert sock.connect_waits_on(b"\0nobody") is sock


@each_type
def test_accept_gives_the_connections_in_order(type: int) -> None:
    """With the clients' names; the accepted sockets have the listener's, and know who it was."""
    host = StandIn()
    server = listener(type, host, 5)
    clients = [unix(type, host) for _ in range(3)]
    clients[1].bind(b"\0second")
    for client in clients:
        client.connect(server.getsockname())
    accepted = [server.accept() for _ in clients]
    assert [each[1] for each in accepted if each] == [None, b"\0second", None]
    assert [each[0].peer for each in accepted if each] == clients
    assert {each[0].getsockname() for each in accepted if each} == {server.getsockname()}
    assert server.accept() is None
    assert clients[0].peercred == host.credentials()


@each_type
def test_a_listener_that_closes_resets_its_clients(type: int) -> None:
    """They are woken with ECONNRESET; an accepted one is not touched."""
    host = StandIn()
    server = listener(type, host, 5)
    clients = [unix(type, host) for _ in range(2)]
    waiters = [Waiter(READABLE) for _ in clients]
    for client, waiter in zip(clients, waiters, strict=True):
        client.connect(server.getsockname())
        client.add_waiter(waiter)
    assert server.accept() is not None
    server.release()
    assert [waiter.woken for waiter in waiters] == [0, 1]
    with pytest.raises(ConnectionResetError):
        clients[1].recv(1, 0)


@each_type
def test_a_shut_listener_ends_a_blocking_accept(type: int) -> None:
    """accept() still finds nothing; whoever would block is to give up."""
    server = listener(type, StandIn())
    assert not server.blocking_accept_ended()
    server.shutdown(socket.SHUT_RD)
    assert server.accept() is None
    assert server.blocking_accept_ended()
    assert server.poll() & POLLIN


@each_type
@pytest.mark.parametrize(("sent", "reset"), [([], False), ([b"x"], True), ([b"x", b"y"], True)])
def test_closing_with_something_unread_resets(type: int, sent: list[bytes], reset: bool) -> None:
    """The peer is told at once, and has its room back."""
    a, b = pair(type)
    for data in sent:
        b.send(data, 0)
    waiter = Waiter(READABLE)
    b.add_waiter(waiter)
    a.release()
    assert bool(b.error) == reset
    assert b.used == 0
    assert waiter.woken == 1
    assert b.poll() & POLLHUP


def test_one_empty_message_does_not_reset() -> None:
    """A first message of no bytes does not count as unread; two do (measured on Linux 6.18)."""
    for count in (1, 2):
        a, b = pair(SEQPACKET)
        for _ in range(count):
            b.send(b"", 0)
        a.release()
        assert bool(b.error) == (count == 2)
