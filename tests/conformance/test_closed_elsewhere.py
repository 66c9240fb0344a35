"""Descriptors that are closed behind the back of the object that holds them."""

from __future__ import annotations

import select
import socket
import struct
from contextlib import ExitStack
from typing import Any

import pytest

from simnet.api import Network, Socket
from tests.conformance.kinds import CONNECTION_PAIRS, Kind, each
from tests.conformance.outcomes import outcome
from tests.conformance.unix_sockets import opened


def closed_elsewhere(net: Network, sock: Socket) -> int:
    """Close a socket through another object for its descriptor; the number."""
    number = sock.fileno()
    net.socket(fileno=number).close()
    return number


@each(CONNECTION_PAIRS)
def test_closing_a_socket_whose_number_was_closed_fails(
    net: Network, sockets: ExitStack, kind: Kind
) -> None:
    """EBADF, once; it shows its number until then, and no call works."""
    a, _ = opened(sockets, net, kind)
    number = closed_elsewhere(net, a)
    assert a.fileno() == number
    assert outcome(a.send, b"x") == "EBADF"
    assert outcome(a.recv, 1) == "EBADF"
    assert outcome(a.getsockname) == "EBADF"
    assert outcome(a.close) == "EBADF"
    assert a.fileno() == -1
    assert outcome(a.close) is None


def test_detaching_a_socket_whose_number_was_closed_gives_the_number(net: Network) -> None:
    """Nobody asks the kernel."""
    a, b = net.socketpair()
    with b:
        number = closed_elsewhere(net, a)
        assert a.detach() == number
        assert a.fileno() == -1


def test_the_peer_sees_the_end(net: Network) -> None:
    """When the number is closed, not when the object is."""
    a, b = net.socketpair()
    with b:
        closed_elsewhere(net, a)
        assert b.recv(1) == b""
        assert outcome(a.close) == "EBADF"


@each(CONNECTION_PAIRS)
def test_a_receive_outlives_the_socket(net: Network, sockets: ExitStack, kind: Kind) -> None:
    """Who waits in recv() when another closes the object gets what comes, also the end."""
    a, b = opened(sockets, net, kind)
    a.setblocking(True)
    task = net.spawn(lambda: a.recv(10))
    assert not task.join(0.1)
    a.close()
    assert not task.join(0.1)
    b.close()
    assert task.result(5) == b""


def test_a_receive_outlives_the_socket_until_it_is_reset(net: Network) -> None:
    """And gets that error, not EBADF."""
    with net.create_server(("127.0.0.1", 0)) as listener:
        client = net.create_connection(listener.getsockname())
        server, _ = listener.accept()
    task = net.spawn(outcome, client.recv, 10)
    assert not task.join(0.1)
    client.close()
    server.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    server.close()
    assert task.result(5) == "ECONNRESET"


def test_an_epoll_object_whose_number_was_closed(net: Network) -> None:
    """It is not closed itself, but every call is EBADF; closing it does nothing."""
    first: Any = net.epoll()
    number = first.fileno()
    second = type(first).fromfd(number)
    a, b = net.socketpair()
    with a, b:
        second.register(a, select.EPOLLOUT)
        assert first.poll(0) == second.poll(0) == [(a.fileno(), select.EPOLLOUT)]
        first.close()
        assert (second.closed, second.fileno()) == (False, number)
        assert outcome(second.poll, 0) == "EBADF"
        assert outcome(second.register, b) == "EBADF"
        assert second.close() is None
        assert second.closed
        with pytest.raises(ValueError, match="closed epoll"):
            second.poll(0)


def test_a_file_of_the_machine_is_no_socket(net: Network, tmp_path: Any) -> None:
    """ENOTSOCK for its descriptor, EBADF for one that is not open."""
    with open(tmp_path / "file", "w") as file:
        number = file.fileno()
        assert outcome(lambda: net.socket(fileno=number)) == "ENOTSOCK"
        assert outcome(lambda: net.socket(2, 1, fileno=number)) == "ENOTSOCK"
    assert outcome(lambda: net.socket(fileno=1 << 20)) == "EBADF"
