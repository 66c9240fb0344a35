"""Unix sockets that keep message boundaries: seqpacket and datagram."""

from __future__ import annotations

import select
import socket
from contextlib import ExitStack

import pytest

from simnet.api import Network
from tests.conformance.kinds import (
    PATIENCE,
    SEQPACKET_PAIRS,
    UNIX_DATAGRAM_PAIRS,
    Kind,
    each,
    unix_path,
)
from tests.conformance.outcomes import outcome, readiness
from tests.conformance.unix_sockets import bound, opened, unix

UNIX_MESSAGE_PAIRS = SEQPACKET_PAIRS + UNIX_DATAGRAM_PAIRS


@each(UNIX_MESSAGE_PAIRS)
def test_one_send_is_one_recv(net: Network, sockets: ExitStack, kind: Kind) -> None:
    """Messages come one by one, in order, whatever the size that is asked for."""
    a, b = opened(sockets, net, kind)
    messages = [b"one", b"", b"three" * 1000, b"4"]
    assert [a.send(message) for message in messages] == [3, 0, 5000, 1]
    assert [b.recv(65536) for _ in messages] == messages
    assert outcome(b.recv, 65536) == "EAGAIN"


@each(UNIX_MESSAGE_PAIRS)
def test_the_rest_of_a_cut_message_is_lost(net: Network, sockets: ExitStack, kind: Kind) -> None:
    """A recv() that is too small takes the beginning; the next one gives the next message."""
    a, b = opened(sockets, net, kind)
    a.send(b"0123456789")
    a.send(b"next")
    assert b.recv(4) == b"0123"
    assert b.recv(10) == b"next"


@each(UNIX_MESSAGE_PAIRS)
def test_recvmsg_says_that_it_cut(net: Network, sockets: ExitStack, kind: Kind) -> None:
    """MSG_TRUNC in the flags tells a cut message from a whole one; MSG_EOR is not set."""
    a, b = opened(sockets, net, kind)
    a.send(b"0123456789")
    a.send(b"0123456789")
    assert b.recvmsg(4)[:3] == (b"0123", [], socket.MSG_TRUNC)
    assert b.recvmsg(10)[:3] == (b"0123456789", [], 0)


@each(UNIX_MESSAGE_PAIRS)
def test_recv_with_msg_trunc_gives_the_true_length(
    net: Network, sockets: ExitStack, kind: Kind
) -> None:
    """MSG_TRUNC makes the count that of the whole message; only what fits is there."""
    a, b = opened(sockets, net, kind)
    a.send(b"0123456789")
    a.send(b"0123456789")
    data = b.recv(4, socket.MSG_TRUNC)
    assert (len(data), data[:4]) == (10, b"0123")
    room = bytearray(4)
    assert b.recv_into(room, 4, socket.MSG_TRUNC) == 10
    assert room == b"0123"


@each(UNIX_MESSAGE_PAIRS)
def test_peek_leaves_the_message(net: Network, sockets: ExitStack, kind: Kind) -> None:
    """MSG_PEEK shows the first message, cut or whole, as often as it is asked."""
    a, b = opened(sockets, net, kind)
    a.send(b"first")
    a.send(b"second")
    assert b.recv(2, socket.MSG_PEEK) == b"fi"
    assert b.recv(20, socket.MSG_PEEK) == b"first"
    assert [b.recv(20), b.recv(20)] == [b"first", b"second"]


@each(UNIX_MESSAGE_PAIRS)
def test_an_empty_message_is_readable(net: Network, sockets: ExitStack, kind: Kind) -> None:
    """send(b'') queues a message of no bytes: the receiver polls readable and gets b''."""
    a, b = opened(sockets, net, kind)
    assert a.send(b"") == 0
    assert readiness(net, b) == "IN|OUT"
    assert b.recv(10) == b""
    assert readiness(net, b) == "OUT"


@each(UNIX_MESSAGE_PAIRS)
def test_recv_of_nothing_does_not_take_a_message(
    net: Network, sockets: ExitStack, kind: Kind
) -> None:
    """recv(0) never reaches the kernel, while recvfrom(0) consumes a message."""
    a, b = opened(sockets, net, kind)
    a.send(b"first")
    a.send(b"second")
    assert b.recv(0) == b""
    assert b.recvfrom(0)[0] == b""
    assert b.recv(10) == b"second"
    assert b.recv(0) == b""
    assert outcome(b.recvfrom, 0) == "EAGAIN"


@each(UNIX_MESSAGE_PAIRS)
def test_one_message_may_be_gathered_and_scattered(
    net: Network, sockets: ExitStack, kind: Kind
) -> None:
    """sendmsg() of several buffers is one message; recvmsg_into() spreads it over several."""
    a, b = opened(sockets, net, kind)
    assert a.sendmsg([b"ab", b"", b"cdef"]) == 6
    first, second = bytearray(4), bytearray(10)
    assert b.recvmsg_into([first, second])[:3] == (6, [], 0)
    assert (first, second[:2]) == (b"abcd", b"ef")


@each(UNIX_MESSAGE_PAIRS)
def test_there_is_no_urgent_data(net: Network, sockets: ExitStack, kind: Kind) -> None:
    """MSG_OOB is EOPNOTSUPP both ways."""
    a, b = opened(sockets, net, kind)
    a.send(b"data")
    assert outcome(a.send, b"x", socket.MSG_OOB) == "EOPNOTSUPP"
    assert outcome(b.recv, 1, socket.MSG_OOB) == "EOPNOTSUPP"


@each(UNIX_MESSAGE_PAIRS)
def test_more_to_come_changes_nothing(net: Network, sockets: ExitStack, kind: Kind) -> None:
    """MSG_MORE does not hold a unix message back, nor join two."""
    a, b = opened(sockets, net, kind)
    a.send(b"one", socket.MSG_MORE)
    assert b.recv(10) == b"one"
    a.send(b"two")
    assert b.recv(10) == b"two"


@each(UNIX_MESSAGE_PAIRS)
def test_waiting_for_all_is_content_with_one_message(
    net: Network, sockets: ExitStack, kind: Kind
) -> None:
    """MSG_WAITALL does not join messages."""
    a, b = opened(sockets, net, kind)
    a.send(b"one")
    b.settimeout(None)
    assert b.recv(100, socket.MSG_WAITALL) == b"one"


@each(SEQPACKET_PAIRS)
def test_a_closed_seqpacket_peer_ends_the_messages(
    net: Network, sockets: ExitStack, kind: Kind
) -> None:
    """What was sent before close() comes first, then b'' for ever; sending is EPIPE."""
    a, b = opened(sockets, net, kind)
    a.send(b"last")
    a.close()
    assert [b.recv(10) for _ in range(3)] == [b"last", b"", b""]
    assert [outcome(b.send, b"x") for _ in range(2)] == ["EPIPE", "EPIPE"]


@each(SEQPACKET_PAIRS)
def test_a_seqpacket_reset_comes_before_the_data(
    net: Network, sockets: ExitStack, kind: Kind
) -> None:
    """A peer that closed with unread messages: ECONNRESET first, then what it sent, then b''."""
    a, b = opened(sockets, net, kind)
    b.send(b"unread")
    a.send(b"last")
    a.close()
    assert [outcome(b.recv, 10) for _ in range(3)] == ["ECONNRESET", b"last", b""]
    assert outcome(b.send, b"x") == "EPIPE"


@each(SEQPACKET_PAIRS)
def test_a_seqpacket_send_reports_the_reset_once(
    net: Network, sockets: ExitStack, kind: Kind
) -> None:
    """The first send() after a reset gives ECONNRESET, the next EPIPE, and recv() then b''."""
    a, b = opened(sockets, net, kind)
    b.send(b"unread")
    a.close()
    assert [outcome(b.send, b"x") for _ in range(2)] == ["ECONNRESET", "EPIPE"]
    assert b.recv(10) == b""


@each(SEQPACKET_PAIRS)
def test_a_seqpacket_sendto_ignores_the_address(
    net: Network, sockets: ExitStack, kind: Kind
) -> None:
    """sendto() on a connected seqpacket socket goes to the peer, wherever it is told to go."""
    a, b = opened(sockets, net, kind)
    assert a.sendto(b"x", "/nowhere") == 1
    assert b.recv(10) == b"x"


def test_an_unconnected_seqpacket_socket_has_nowhere_to_send(
    net: Network, sockets: ExitStack
) -> None:
    """send, sendto and recv before connect are ENOTCONN."""
    sock = unix(sockets, net, socket.SOCK_SEQPACKET)
    results = [
        outcome(sock.send, b"x"),
        outcome(sock.sendto, b"x", "/nowhere"),
        outcome(sock.recv, 1),
    ]
    assert results == ["ENOTCONN"] * 3


@each(UNIX_DATAGRAM_PAIRS)
def test_a_closed_datagram_peer_refuses_once(net: Network, sockets: ExitStack, kind: Kind) -> None:
    """After the peer closed, send() is ECONNREFUSED once and then ENOTCONN: the bond is gone."""
    a, b = opened(sockets, net, kind)
    a.close()
    assert [outcome(b.send, b"x") for _ in range(3)] == ["ECONNREFUSED", "ENOTCONN", "ENOTCONN"]
    assert outcome(b.getpeername) == "ENOTCONN"


@each(UNIX_DATAGRAM_PAIRS)
def test_a_closed_datagram_peer_is_not_an_end_of_file(
    net: Network, sockets: ExitStack, kind: Kind
) -> None:
    """What was sent is still received; then recv() waits, and poll() says only writable."""
    a, b = opened(sockets, net, kind)
    a.send(b"last")
    a.close()
    assert b.recv(10) == b"last"
    assert outcome(b.recv, 10) == "EAGAIN"
    assert readiness(net, b) == "OUT"


@each(UNIX_DATAGRAM_PAIRS)
def test_a_closed_datagram_peer_with_unread_messages_resets(
    net: Network, sockets: ExitStack, kind: Kind
) -> None:
    """Messages that the peer never read make its close() a pending error of ours."""
    a, b = opened(sockets, net, kind)
    b.send(b"unread")
    a.close()
    assert readiness(net, b) == "OUT"
    assert b.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) == 0
    assert outcome(b.recv, 10) == "EAGAIN"


def test_a_datagram_reaches_whoever_is_named(net: Network, sockets: ExitStack) -> None:
    """sendto() takes the address of each message; a connected socket may name another too."""
    first, second = (bound(sockets, net, socket.SOCK_DGRAM, unix_path(net)) for _ in range(2))
    sender = unix(sockets, net, socket.SOCK_DGRAM)
    sender.connect(first.getsockname())
    sender.send(b"one")
    sender.sendto(b"two", second.getsockname())
    assert (first.recv(10), second.recv(10)) == (b"one", b"two")


@pytest.mark.parametrize("method", ["connect", "sendto"])
def test_a_socket_connected_elsewhere_is_not_to_be_reached(
    net: Network, sockets: ExitStack, method: str
) -> None:
    """A datagram socket that is connected hears only its peer: others get EPERM."""
    receiver, friend, stranger = (
        bound(sockets, net, socket.SOCK_DGRAM, unix_path(net)) for _ in range(3)
    )
    receiver.connect(friend.getsockname())
    arguments = [b"x"] if method == "sendto" else []
    call = getattr(stranger, method)
    assert outcome(call, *arguments, receiver.getsockname()) == "EPERM"
    assert friend.sendto(b"hello", receiver.getsockname()) == 5
    assert receiver.recv(10) == b"hello"


def test_connecting_drops_the_messages_of_others(net: Network, sockets: ExitStack) -> None:
    """What strangers sent before connect() is gone after it, if the socket had no peer before."""
    receiver, friend, stranger = (
        bound(sockets, net, socket.SOCK_DGRAM, unix_path(net)) for _ in range(3)
    )
    stranger.sendto(b"old", receiver.getsockname())
    receiver.connect(friend.getsockname())
    assert receiver.recv(10) == b"old"


def test_changing_the_peer_drops_what_was_queued(net: Network, sockets: ExitStack) -> None:
    """connect() to another peer discards the messages of the one before."""
    receiver, friend, other = (
        bound(sockets, net, socket.SOCK_DGRAM, unix_path(net)) for _ in range(3)
    )
    receiver.setblocking(False)
    receiver.connect(friend.getsockname())
    friend.sendto(b"old", receiver.getsockname())
    receiver.connect(other.getsockname())
    assert outcome(receiver.recv, 10) == "EAGAIN"


def test_a_dissolved_datagram_socket_hears_everybody(net: Network, sockets: ExitStack) -> None:
    """After connect(AF_UNSPEC) a datagram socket has no peer and takes messages of all."""
    receiver, friend, stranger = (
        bound(sockets, net, socket.SOCK_DGRAM, unix_path(net)) for _ in range(3)
    )
    receiver.connect(friend.getsockname())
    net.disconnect(receiver)
    assert outcome(receiver.getpeername) == "ENOTCONN"
    assert stranger.sendto(b"x", receiver.getsockname()) == 1
    assert outcome(receiver.send, b"x") == "ENOTCONN"


def test_an_unconnected_datagram_socket_needs_an_address(net: Network, sockets: ExitStack) -> None:
    """send() without a peer is ENOTCONN; the empty address is EINVAL; a missing one ENOENT."""
    sock = unix(sockets, net, socket.SOCK_DGRAM)
    path = unix_path(net)
    assert outcome(sock.send, b"x") == "ENOTCONN"
    assert outcome(sock.sendto, b"x", "") == "EINVAL"
    assert outcome(sock.sendto, b"x", path) == "ENOENT"
    bound(sockets, net, socket.SOCK_STREAM, path)
    assert outcome(sock.sendto, b"x", path) == "EPROTOTYPE"
    stale = unix_path(net)
    bound(sockets, net, socket.SOCK_DGRAM, stale).close()
    assert outcome(sock.sendto, b"x", stale) == "ECONNREFUSED"


@each(UNIX_MESSAGE_PAIRS)
def test_a_message_too_many_wakes_a_waiting_receiver(
    net: Network, sockets: ExitStack, kind: Kind
) -> None:
    """A receiver that waits in recv() gets the message as soon as it is sent."""
    a, b = opened(sockets, net, kind)
    b.settimeout(None)
    task = net.spawn(b.recv, 100)
    a.send(b"wake")
    assert task.result(PATIENCE) == b"wake"


@each(UNIX_DATAGRAM_PAIRS)
def test_datagram_shutdown_of_receiving_refuses_the_peer(
    net: Network, sockets: ExitStack, kind: Kind
) -> None:
    """After SHUT_RD the peer's send is EPIPE, and our recv gives what was queued, then nothing."""
    a, b = opened(sockets, net, kind)
    a.send(b"early")
    b.shutdown(socket.SHUT_RD)
    assert outcome(a.send, b"x") == "EPIPE"
    assert readiness(net, b) == "IN|OUT|RDHUP"
    assert b.recv(10) == b"early"
    assert outcome(b.recv, 10) == "EAGAIN"
    assert readiness(net, b) == "IN|OUT|RDHUP"
    b.settimeout(None)
    assert b.recv(10) == b""


@each(UNIX_MESSAGE_PAIRS)
def test_shutdown_of_sending_stops_only_sending(
    net: Network, sockets: ExitStack, kind: Kind
) -> None:
    """After SHUT_WR our send is EPIPE, and the peer's messages still arrive."""
    a, b = opened(sockets, net, kind)
    a.send(b"early")
    a.shutdown(socket.SHUT_WR)
    assert outcome(a.send, b"x") == "EPIPE"
    assert b.recv(10) == b"early"
    b.send(b"back")
    assert a.recv(10) == b"back"


def test_who_polls_for_room_in_a_full_receiver_is_woken(net: Network, sockets: ExitStack) -> None:
    """A connected sender hears of every message read, whoever sent it."""
    name = unix_path(net)
    receiver = bound(sockets, net, socket.SOCK_DGRAM, name)
    sender, other = (unix(sockets, net, socket.SOCK_DGRAM) for _ in range(2))
    for sock in (sender, other):
        sock.connect(name)
        sock.setblocking(False)
    while outcome(other.send, b"x") != "EAGAIN":
        pass
    assert outcome(sender.send, b"y") == "EAGAIN"
    poller = net.poll()
    poller.register(sender, select.POLLOUT)
    task = net.spawn(poller.poll, PATIENCE * 1000)
    assert not task.join(0.05)
    assert receiver.recv(10) == b"x"
    assert task.result(PATIENCE) == [(sender.fileno(), select.POLLOUT)]


def test_an_edge_follows_a_send_that_found_a_receiver_full(
    net: Network, sockets: ExitStack
) -> None:
    """The sender hears of the room, although it was others' messages that were read."""
    name = unix_path(net)
    receiver = bound(sockets, net, socket.SOCK_DGRAM, name)
    sender, other = (unix(sockets, net, socket.SOCK_DGRAM) for _ in range(2))
    for sock in (sender, other):
        sock.connect(name)
        sock.setblocking(False)
    epoll = net.epoll()
    sockets.callback(epoll.close)
    epoll.register(sender, select.EPOLLOUT | select.EPOLLET)
    assert epoll.poll(0) == [(sender.fileno(), select.EPOLLOUT)]
    while outcome(other.send, b"x") != "EAGAIN":
        pass
    assert outcome(sender.send, b"y") == "EAGAIN"
    assert receiver.recv(10) == b"x"
    assert epoll.poll(PATIENCE) == [(sender.fileno(), select.EPOLLOUT)]
