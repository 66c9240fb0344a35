"""What travels beside the bytes of unix sockets: descriptors and credentials (unix(7))."""

from __future__ import annotations

import array
import socket
from contextlib import ExitStack

import pytest

from simnet.api import Ancillary, Network, Socket
from tests.conformance.kinds import (
    CONNECTION_PAIRS,
    PATIENCE,
    SEQPACKET_NAMES,
    SEQPACKET_PAIRS,
    STREAM_NAMES,
    TCP_PAIRS,
    UNIX_DATAGRAM_PAIRS,
    UNIX_NAMES,
    UNIX_STREAM_PAIRS,
    Kind,
    each,
    unix_path,
)
from tests.conformance.outcomes import outcome, readiness
from tests.conformance.unix_sockets import bound, opened, unix

UNIX_PAIRS = UNIX_STREAM_PAIRS + SEQPACKET_PAIRS + UNIX_DATAGRAM_PAIRS
MESSAGE_PAIRS = SEQPACKET_PAIRS + UNIX_DATAGRAM_PAIRS
LISTENING = [named for named in STREAM_NAMES + SEQPACKET_NAMES if named in UNIX_NAMES]
HEADER = 16  # struct cmsghdr: a size_t and two ints
SO_PASSRIGHTS = 83
ROOM = 2048


def rights(*things: Socket | int) -> list[Ancillary]:
    """The ancillary item that passes descriptors."""
    numbers = [thing if isinstance(thing, int) else thing.fileno() for thing in things]
    return [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", numbers).tobytes())]


def adopt(sockets: ExitStack, net: Network, items: list[Ancillary]) -> list[Socket]:
    """Sockets for the descriptors in received ancillary items."""
    numbers = array.array("i")
    for level, kind, data in items:
        assert (level, kind) == (socket.SOL_SOCKET, socket.SCM_RIGHTS)
        numbers.frombytes(data[: len(data) - len(data) % numbers.itemsize])
    return [sockets.enter_context(net.socket(fileno=number)) for number in numbers]


def receive(sockets: ExitStack, net: Network, sock: Socket) -> tuple[bytes, list[Socket], int]:
    """One recvmsg(): data, the sockets that came along, and the flags without CMSG_CLOEXEC."""
    data, items, flags, _ = sock.recvmsg(ROOM, ROOM)
    return data, adopt(sockets, net, items), flags & ~socket.MSG_CMSG_CLOEXEC


def passed_pair(sockets: ExitStack, net: Network) -> tuple[Socket, Socket]:
    """A socketpair to pass ends of."""
    x, y = map(sockets.enter_context, net.socketpair())
    y.setblocking(False)
    return x, y


@each(UNIX_PAIRS)
def test_a_passed_descriptor_is_the_same_socket(
    net: Network, sockets: ExitStack, kind: Kind
) -> None:
    """What is sent on a received descriptor comes out at the peer of the passed socket."""
    a, b = opened(sockets, net, kind)
    x, y = passed_pair(sockets, net)
    assert a.sendmsg([b"take"], rights(x)) == 4
    data, (received,), flags = receive(sockets, net, b)
    assert (data, flags) == (b"take", 0)
    assert received.fileno() != x.fileno()
    assert (received.family, received.type) == (x.family, x.type)
    received.send(b"through")
    assert y.recv(10) == b"through"


@each(UNIX_PAIRS)
@pytest.mark.parametrize("passed", CONNECTION_PAIRS, ids=lambda kind: kind.name)
def test_every_kind_of_socket_may_be_passed(
    net: Network, sockets: ExitStack, kind: Kind, passed: Kind
) -> None:
    """A passed socket keeps its family, its type and its peer, and is found by fileno alone."""
    a, b = opened(sockets, net, kind)
    x, y = map(sockets.enter_context, passed.make(net))
    a.sendmsg([b"x"], rights(x))
    _, (received,), _ = receive(sockets, net, b)
    assert (received.family, received.type) == (passed.family, passed.type)
    assert received.getsockname() == x.getsockname()
    received.settimeout(PATIENCE)
    y.send(b"hello")
    assert received.recv(10) == b"hello"


@each(UNIX_PAIRS)
def test_a_socket_in_flight_stays_open(net: Network, sockets: ExitStack, kind: Kind) -> None:
    """A passed socket that its sender closed lives until it is received and closed."""
    a, b = opened(sockets, net, kind)
    x, y = passed_pair(sockets, net)
    a.sendmsg([b"x"], rights(x))
    x.close()
    assert outcome(y.recv, 1) == "EAGAIN"
    _, (received,), _ = receive(sockets, net, b)
    assert outcome(y.recv, 1) == "EAGAIN"
    received.close()
    assert y.recv(1) == b""


@each(UNIX_PAIRS)
def test_a_socket_in_flight_ends_with_who_should_receive_it(
    net: Network, sockets: ExitStack, kind: Kind
) -> None:
    """Closing the receiver closes the sockets that nobody took."""
    a, b = opened(sockets, net, kind)
    x, y = passed_pair(sockets, net)
    a.sendmsg([b"x"], rights(x))
    x.close()
    b.close()
    assert y.recv(1) == b""


@each(UNIX_PAIRS)
@pytest.mark.parametrize("receive_bytes", ["recv", "recvfrom"])
def test_a_plain_recv_drops_the_descriptors(
    net: Network, sockets: ExitStack, kind: Kind, receive_bytes: str
) -> None:
    """A receiver that does not ask for ancillary data loses it: the sockets close."""
    a, b = opened(sockets, net, kind)
    x, y = passed_pair(sockets, net)
    a.sendmsg([b"x"], rights(x))
    x.close()
    getattr(b, receive_bytes)(10)
    assert y.recv(1) == b""


@each(UNIX_PAIRS)
@pytest.mark.parametrize("room", [0, 1, HEADER, HEADER + 1, HEADER + 3])
def test_too_little_room_for_any_descriptor(
    net: Network, sockets: ExitStack, kind: Kind, room: int
) -> None:
    """Without room for one descriptor MSG_CTRUNC is set, and the passed socket closes."""
    a, b = opened(sockets, net, kind)
    x, y = passed_pair(sockets, net)
    a.sendmsg([b"data"], rights(x))
    x.close()
    data, items, flags, _ = b.recvmsg(10, room)
    assert (data, items, flags) == (b"data", [], socket.MSG_CTRUNC)
    assert y.recv(1) == b""


@each(UNIX_PAIRS)
@pytest.mark.parametrize("fit", [1, 2, 3])
def test_room_for_some_descriptors(net: Network, sockets: ExitStack, kind: Kind, fit: int) -> None:
    """The descriptors that fit are received, the others close, and MSG_CTRUNC says so."""
    a, b = opened(sockets, net, kind)
    pairs = [passed_pair(sockets, net) for _ in range(5)]
    a.sendmsg([b"x"], rights(*(x for x, _ in pairs)))
    for x, _ in pairs:
        x.close()
    _, items, flags, _ = b.recvmsg(10, HEADER + 4 * fit)
    assert len(adopt(sockets, net, items)) == fit
    assert flags == socket.MSG_CTRUNC
    assert [outcome(y.recv, 1) for _, y in pairs] == ["EAGAIN"] * fit + [b""] * (5 - fit)


@each(UNIX_PAIRS)
@pytest.mark.parametrize("count", [1, 2, 3, 64])
def test_several_descriptors_come_in_order(
    net: Network, sockets: ExitStack, kind: Kind, count: int
) -> None:
    """The descriptors of one message arrive in one item, in the order they were given."""
    a, b = opened(sockets, net, kind)
    pairs = [passed_pair(sockets, net) for _ in range(count)]
    a.sendmsg([b"x"], rights(*(x for x, _ in pairs)))
    _, received, _ = receive(sockets, net, b)
    for number, sock in enumerate(received):
        sock.send(b"%d" % number)
    assert [y.recv(10) for _, y in pairs] == [b"%d" % n for n in range(count)]


@each(UNIX_PAIRS)
@pytest.mark.parametrize("count", [253, 254])
def test_at_most_253_descriptors(net: Network, sockets: ExitStack, kind: Kind, count: int) -> None:
    """SCM_MAX_FD is 253: one more is EINVAL."""
    a, b = opened(sockets, net, kind)
    expected = 1 if count == 253 else "EINVAL"
    assert outcome(a.sendmsg, [b"x"], rights(*[a] * count)) == expected
    assert readiness(net, b) == ("IN|OUT" if count == 253 else "OUT")


@each(UNIX_PAIRS)
def test_two_items_of_one_message_are_one(net: Network, sockets: ExitStack, kind: Kind) -> None:
    """Two SCM_RIGHTS items of one sendmsg() arrive as one, in order."""
    a, b = opened(sockets, net, kind)
    (x1, y1), (x2, y2) = passed_pair(sockets, net), passed_pair(sockets, net)
    a.sendmsg([b"x"], rights(x1) + rights(x2))
    _, items, _, _ = b.recvmsg(10, ROOM)
    assert len(items) == 1
    first, second = adopt(sockets, net, items)
    first.send(b"1")
    second.send(b"2")
    assert (y1.recv(5), y2.recv(5)) == (b"1", b"2")


@each(UNIX_PAIRS)
@pytest.mark.parametrize("number", [-1, 1 << 20], ids=["negative", "unused"])
def test_a_number_that_is_no_descriptor_is_refused(
    net: Network, sockets: ExitStack, kind: Kind, number: int
) -> None:
    """Passing a number that is not open is EBADF, and nothing is sent."""
    a, b = opened(sockets, net, kind)
    assert outcome(a.sendmsg, [b"x"], rights(number)) == "EBADF"
    assert outcome(b.recv, 1) == "EAGAIN"


@each(UNIX_PAIRS)
def test_an_item_without_descriptors_is_nothing(
    net: Network, sockets: ExitStack, kind: Kind
) -> None:
    """An SCM_RIGHTS item of no descriptors is accepted, and does not arrive."""
    a, b = opened(sockets, net, kind)
    assert a.sendmsg([b"x"], rights()) == 1
    assert b.recvmsg(10, ROOM)[:3] == (b"x", [], 0)


@each(UNIX_PAIRS)
@pytest.mark.parametrize(
    ("item", "expected"),
    [
        ((socket.SOL_SOCKET, socket.SCM_RIGHTS, b"\0\0\0"), 1),
        ((socket.SOL_SOCKET, 77, b"\0\0\0\0"), "EINVAL"),
        ((socket.IPPROTO_TCP, socket.SCM_RIGHTS, b"\xff" * 4), 1),
        ((socket.IPPROTO_IP, 8, b"\xff" * 12), 1),
    ],
    ids=["short-rights", "unknown-type", "other-level", "ip-pktinfo"],
)
def test_an_item_that_makes_no_sense(
    net: Network,
    sockets: ExitStack,
    kind: Kind,
    item: Ancillary,
    expected: int | str,
) -> None:
    """An unknown item of SOL_SOCKET is EINVAL; one of another level is ignored."""
    a, _ = opened(sockets, net, kind)
    assert outcome(a.sendmsg, [b"x"], [item]) == expected


@each(UNIX_PAIRS)
def test_a_socket_may_carry_itself(net: Network, sockets: ExitStack, kind: Kind) -> None:
    """A socket may pass itself; the copy that arrives is the sender's own end."""
    a, b = opened(sockets, net, kind)
    a.sendmsg([b"me"], rights(a))
    _, (received,), _ = receive(sockets, net, b)
    received.send(b"again")
    assert b.recv(10) == b"again"


@each(UNIX_PAIRS)
def test_a_socket_may_carry_its_peer(net: Network, sockets: ExitStack, kind: Kind) -> None:
    """A receiver may be passed to itself, and receives its own copy."""
    a, b = opened(sockets, net, kind)
    a.sendmsg([b"you"], rights(b))
    _, (received,), _ = receive(sockets, net, b)
    a.send(b"for both")
    assert received.recv(10) == b"for both"


@each(UNIX_PAIRS)
def test_a_received_descriptor_is_not_inheritable(
    net: Network, sockets: ExitStack, kind: Kind
) -> None:
    """Python asks for MSG_CMSG_CLOEXEC only by flag; by default a child would inherit it."""
    a, b = opened(sockets, net, kind)
    for _ in range(2):
        a.sendmsg([b"x"], rights(a))
    (plain,) = adopt(sockets, net, b.recvmsg(10, HEADER + 4)[1])
    (guarded,) = adopt(sockets, net, b.recvmsg(10, HEADER + 4, socket.MSG_CMSG_CLOEXEC)[1])
    assert (plain.get_inheritable(), guarded.get_inheritable()) == (True, False)


@each(UNIX_PAIRS)
def test_a_peek_hands_out_copies(net: Network, sockets: ExitStack, kind: Kind) -> None:
    """recvmsg(MSG_PEEK) gives new descriptors each time, and leaves the message."""
    a, b = opened(sockets, net, kind)
    x, y = passed_pair(sockets, net)
    a.sendmsg([b"x"], rights(x))
    x.close()
    for word in (b"1", b"2"):
        _, items, _, _ = b.recvmsg(10, ROOM, socket.MSG_PEEK)
        (peeked,) = adopt(sockets, net, items)
        with peeked:
            peeked.send(word)
        assert y.recv(5) == word
    assert outcome(y.recv, 5) == "EAGAIN"
    _, (received,), _ = receive(sockets, net, b)
    received.send(b"3")
    assert y.recv(5) == b"3"


@each(UNIX_PAIRS)
def test_non_blocking_mode_travels_along(net: Network, sockets: ExitStack, kind: Kind) -> None:
    """The description is shared: what was non-blocking still is, whatever Python thinks."""
    a, b = opened(sockets, net, kind)
    x, _ = passed_pair(sockets, net)
    x.setblocking(False)
    a.sendmsg([b"x"], rights(x))
    _, (received,), _ = receive(sockets, net, b)
    assert received.gettimeout() is None
    assert outcome(received.recv, 1) == "EAGAIN"


@each(UNIX_STREAM_PAIRS)
def test_an_empty_stream_write_carries_nothing(
    net: Network, sockets: ExitStack, kind: Kind
) -> None:
    """Descriptors beside zero bytes of a stream are silently dropped."""
    a, b = opened(sockets, net, kind)
    x, y = passed_pair(sockets, net)
    assert a.sendmsg([], rights(x)) == 0
    assert a.sendmsg([b""], rights(x)) == 0
    x.close()
    assert outcome(b.recvmsg, 10, ROOM) == "EAGAIN"
    assert y.recv(1) == b""


@each(MESSAGE_PAIRS)
def test_an_empty_message_carries_descriptors(net: Network, sockets: ExitStack, kind: Kind) -> None:
    """A message of no bytes may pass descriptors."""
    a, b = opened(sockets, net, kind)
    x, y = passed_pair(sockets, net)
    assert a.sendmsg([], rights(x)) == 0
    data, (received,), _ = receive(sockets, net, b)
    received.send(b"ok")
    assert (data, y.recv(5)) == (b"", b"ok")


@each(UNIX_STREAM_PAIRS)
def test_a_stream_read_stops_after_bytes_with_descriptors(
    net: Network, sockets: ExitStack, kind: Kind
) -> None:
    """Plain bytes before are joined with those that carry descriptors; bytes after are not."""
    a, b = opened(sockets, net, kind)
    a.send(b"before-")
    a.sendmsg([b"with"], rights(a))
    a.send(b"-after")
    data, received, _ = receive(sockets, net, b)
    assert (data, len(received)) == (b"before-with", 1)
    data, received, _ = receive(sockets, net, b)
    assert (data, received) == (b"-after", [])


@each(UNIX_STREAM_PAIRS)
def test_each_send_with_descriptors_is_read_apart(
    net: Network, sockets: ExitStack, kind: Kind
) -> None:
    """Two sends with descriptors are two reads, in order."""
    a, b = opened(sockets, net, kind)
    a.sendmsg([b"one"], rights(a))
    a.sendmsg([b"two"], rights(a, a))
    first, second = receive(sockets, net, b), receive(sockets, net, b)
    assert [(data, len(socks)) for data, socks, _ in (first, second)] == [(b"one", 1), (b"two", 2)]


@each(UNIX_STREAM_PAIRS)
def test_descriptors_come_with_the_first_byte(net: Network, sockets: ExitStack, kind: Kind) -> None:
    """A short read of bytes that carry descriptors takes these all; the rest is plain."""
    a, b = opened(sockets, net, kind)
    a.sendmsg([b"abcd"], rights(a))
    data, items, _, _ = b.recvmsg(2, ROOM)
    assert (data, len(adopt(sockets, net, items))) == (b"ab", 1)
    assert b.recvmsg(10, ROOM)[:2] == (b"cd", [])


@each(UNIX_STREAM_PAIRS)
def test_a_plain_read_stops_after_dropped_descriptors_too(
    net: Network, sockets: ExitStack, kind: Kind
) -> None:
    """recv() does not join bytes across descriptors either, although it drops them."""
    a, b = opened(sockets, net, kind)
    a.sendmsg([b"one"], rights(a))
    a.send(b"two")
    assert [b.recv(100), b.recv(100)] == [b"one", b"two"]


@each(TCP_PAIRS)
def test_tcp_carries_no_descriptors(net: Network, sockets: ExitStack, kind: Kind) -> None:
    """SCM_RIGHTS on a TCP socket is ignored: the bytes arrive without it."""
    a, b = opened(sockets, net, kind)
    assert a.sendmsg([b"x"], rights(a)) == 1
    b.settimeout(PATIENCE)
    assert b.recvmsg(10, ROOM)[:3] == (b"x", [], 0)


@each(UNIX_PAIRS)
def test_room_for_ancillary_data_is_no_negative_number(
    net: Network, sockets: ExitStack, kind: Kind
) -> None:
    """recvmsg() with a negative size or room is a ValueError."""
    _, b = opened(sockets, net, kind)
    with pytest.raises(ValueError, match="negative buffer size in recvmsg"):
        b.recvmsg(-1)
    with pytest.raises(ValueError, match="invalid ancillary data buffer length"):
        b.recvmsg(1, -1)


@pytest.mark.parametrize(
    ("items", "error"),
    [
        ([1], TypeError),
        ([(1, 2)], TypeError),
        ([(1, 2, "text")], TypeError),
        ([("a", 2, b"")], TypeError),
        (1, TypeError),
    ],
)
def test_ancillary_items_are_checked(
    net: Network, sockets: ExitStack, items: object, error: type[Exception]
) -> None:
    """sendmsg() takes an iterable of (int, int, bytes-like)."""
    a, _ = map(sockets.enter_context, net.socketpair())
    with pytest.raises(error):
        a.sendmsg([b"x"], items)  # type: ignore[arg-type]


def test_a_listener_in_flight_still_listens(net: Network, sockets: ExitStack) -> None:
    """A listening socket may be passed, and accepts at its new place."""
    a, b = map(sockets.enter_context, net.socketpair())
    listener = bound(sockets, net, socket.SOCK_STREAM, unix_path(net))
    path = listener.getsockname()
    a.sendmsg([b"x"], rights(listener))
    listener.close()
    client = unix(sockets, net, socket.SOCK_STREAM)
    assert outcome(client.connect, path) is None
    _, (received,), _ = receive(sockets, net, b)
    conn, _ = received.accept()
    with conn:
        client.send(b"hi")
        assert conn.recv(5) == b"hi"


def test_a_chain_in_flight_ends_with_its_carrier(net: Network, sockets: ExitStack) -> None:
    """A socket in the queue of a socket in a queue closes with the outermost receiver."""
    (a, b), (c, d) = net.socketpair(), net.socketpair()
    x, y = passed_pair(sockets, net)
    for sock in (a, b, c, d):
        sockets.enter_context(sock)
    c.sendmsg([b"inner"], rights(x))
    x.close()
    a.sendmsg([b"outer"], rights(d))
    d.close()
    c.close()
    assert outcome(y.recv, 1) == "EAGAIN"
    b.close()
    assert y.recv(1) == b""


@each(UNIX_PAIRS)
def test_a_socket_may_refuse_descriptors(net: Network, sockets: ExitStack, kind: Kind) -> None:
    """SO_PASSRIGHTS 0: EPERM for who sends some; plain data arrives (Linux 6.16 and newer)."""
    a, b = opened(sockets, net, kind)
    x, _ = passed_pair(sockets, net)
    if outcome(b.setsockopt, socket.SOL_SOCKET, SO_PASSRIGHTS, 0) == "ENOPROTOOPT":
        pytest.skip("this kernel has no SO_PASSRIGHTS")
    assert outcome(a.sendmsg, [b"take"], rights(x)) == "EPERM"
    assert a.sendmsg([b"plain"]) == 5
    assert b.recv(10) == b"plain"
