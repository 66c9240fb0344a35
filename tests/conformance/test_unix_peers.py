"""By which names the two ends of a unix conversation know each other."""

from __future__ import annotations

import socket
from contextlib import ExitStack

from simnet.api import Network
from tests.conformance.kinds import (
    SEQPACKET_NAMES,
    STREAM_NAMES,
    UNIX_NAMES,
    Named,
    each,
    unix_path,
)
from tests.conformance.outcomes import outcome
from tests.conformance.unix_sockets import bound, each_listening_type, each_type, unix

UNIX_CONNECTION_NAMES = [n for n in STREAM_NAMES + SEQPACKET_NAMES if n in UNIX_NAMES]


@each(UNIX_CONNECTION_NAMES, argument="named")
def test_both_ends_report_the_listeners_name(
    net: Network, sockets: ExitStack, named: Named
) -> None:
    """The listener's name is the accepted end's own and the client's peer; the client has none."""
    listener = sockets.enter_context(named.listening(net))
    client = sockets.enter_context(named.socket(net))
    client.connect(listener.getsockname())
    conn, address = listener.accept()
    with conn:
        assert conn.getsockname() == client.getpeername() == listener.getsockname()
        assert client.getsockname() == conn.getpeername() == ""
        assert address in ("", None)


@each(UNIX_CONNECTION_NAMES, argument="named")
def test_a_client_with_a_name_shows_it(net: Network, sockets: ExitStack, named: Named) -> None:
    """A client that bound first is known to accept() by its name."""
    listener = sockets.enter_context(named.listening(net))
    client = sockets.enter_context(named.bound(net))
    client.connect(listener.getsockname())
    conn, address = listener.accept()
    with conn:
        assert address == conn.getpeername() == client.getsockname()


@each_listening_type
def test_a_client_may_take_a_name_after_connecting(
    net: Network, sockets: ExitStack, type: int
) -> None:
    """bind() on a connected unix client is allowed, and its peer sees the new name."""
    listener = bound(sockets, net, type, unix_path(net))
    client = unix(sockets, net, type)
    client.connect(listener.getsockname())
    conn, _ = listener.accept()
    with conn:
        path = unix_path(net)
        assert outcome(client.bind, path) is None
        assert client.getsockname() == conn.getpeername() == path


@each_type
def test_the_ends_of_a_pair_have_no_names(net: Network, sockets: ExitStack, type: int) -> None:
    """socketpair() gives two unnamed ends."""
    a, b = map(sockets.enter_context, net.socketpair(socket.AF_UNIX, type))
    assert [a.getsockname(), a.getpeername(), b.getsockname(), b.getpeername()] == [""] * 4


def test_a_datagram_shows_its_senders_name(net: Network, sockets: ExitStack) -> None:
    """recvfrom() names a bound sender, and gives None for an unnamed one."""
    receiver = bound(sockets, net, socket.SOCK_DGRAM, unix_path(net))
    named = bound(sockets, net, socket.SOCK_DGRAM, unix_path(net))
    plain = unix(sockets, net, socket.SOCK_DGRAM)
    named.sendto(b"one", receiver.getsockname())
    plain.sendto(b"two", receiver.getsockname())
    assert receiver.recvfrom(10) == (b"one", named.getsockname())
    assert receiver.recvfrom(10) == (b"two", None)


def test_a_datagrams_sender_name_is_of_the_time_of_receiving(
    net: Network, sockets: ExitStack
) -> None:
    """A sender that takes a name after sending is named in what it sent before."""
    receiver = bound(sockets, net, socket.SOCK_DGRAM, unix_path(net))
    sender = unix(sockets, net, socket.SOCK_DGRAM)
    sender.sendto(b"early", receiver.getsockname())
    sender.bind(unix_path(net))
    assert receiver.recvfrom(10) == (b"early", sender.getsockname())


def test_a_datagrams_sender_name_outlives_its_sender(net: Network, sockets: ExitStack) -> None:
    """The sender's name is known although it closed before the datagram was read."""
    receiver = bound(sockets, net, socket.SOCK_DGRAM, unix_path(net))
    sender = bound(sockets, net, socket.SOCK_DGRAM, unix_path(net))
    path = sender.getsockname()
    sender.sendto(b"bye", receiver.getsockname())
    sender.close()
    assert receiver.recvfrom(10) == (b"bye", path)


@each_listening_type
def test_a_client_receives_from_the_listeners_name(
    net: Network, sockets: ExitStack, type: int
) -> None:
    """recvfrom() on a client of a named listener gives that name; the accepted end gets None."""
    listener = bound(sockets, net, type, unix_path(net))
    client = unix(sockets, net, type)
    client.connect(listener.getsockname())
    conn, _ = listener.accept()
    with conn:
        conn.send(b"down")
        client.send(b"up")
        assert client.recvfrom(10) == (b"down", listener.getsockname())
        assert conn.recvfrom(10) == (b"up", None)
