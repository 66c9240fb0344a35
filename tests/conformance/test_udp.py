"""UDP: datagrams between sockets, connected and not; boundaries, sizes, filters, buffers."""

from __future__ import annotations

import socket
from collections.abc import Callable
from socket import AF_INET, MSG_DONTWAIT, MSG_MORE, MSG_PEEK, MSG_TRUNC, SOL_SOCKET
from typing import Any

import pytest

from simnet.api import Network, Socket
from tests.conformance.kinds import UDP_NAMES, UDP_PAIRS, Kind, Named, each
from tests.conformance.outcomes import outcome, readiness

Keep = Callable[[Socket], Socket]
each_udp = each(UDP_NAMES, argument="named")
# The largest payload: 65535 less the headers that the length field counts.
LARGEST = {"udp4": 65507, "udp6": 65527}


def any_address(named: Named, port: int = 0) -> tuple[str, int]:
    """The wildcard of the family."""
    return ("0.0.0.0" if named.family == AF_INET else "::", port)


def port_of(sock: Socket) -> int:
    """The port that a socket is bound to."""
    port: int = sock.getsockname()[1]
    return port


def waiting(sock: Socket) -> list[bytes]:
    """The datagrams that wait now, taken."""
    taken = []
    while not isinstance(data := outcome(sock.recv, 65536, MSG_DONTWAIT), str):
        taken.append(data)
    return taken


@each_udp
def test_a_datagram_tells_its_senders_address(net: Network, named: Named, keep: Keep) -> None:
    """A reply to the address that came with it arrives."""
    server, client = keep(named.bound(net)), keep(named.socket(net))
    assert client.sendto(b"question", server.getsockname()) == 8
    data, address = server.recvfrom(100)
    assert data == b"question"
    assert server.sendto(b"answer", address) == 6
    assert client.recvfrom(100) == (b"answer", server.getsockname())


@each_udp
def test_sending_binds_to_the_wildcard_and_a_port(net: Network, named: Named, keep: Keep) -> None:
    """A socket that was not bound has a port after its first sendto, and no address."""
    server, client = keep(named.bound(net)), keep(named.socket(net))
    assert client.getsockname()[:2] == any_address(named)
    client.sendto(b"x", server.getsockname())
    host, port = client.getsockname()[:2]
    assert host == any_address(named)[0]
    assert port == server.recvfrom(1)[1][1] != 0


@each_udp
def test_connecting_binds_to_the_address_that_leads_there(
    net: Network, named: Named, keep: Keep
) -> None:
    """After connect() the local address is the loopback's."""
    server, client = keep(named.bound(net)), keep(named.socket(net))
    client.connect(server.getsockname())
    assert client.getsockname()[0] == server.getsockname()[0]
    assert port_of(client) != 0
    assert client.getpeername() == server.getsockname()


@each(UDP_PAIRS)
def test_each_recv_takes_one_datagram(pair: tuple[Socket, Socket]) -> None:
    """Boundaries are kept, in order."""
    a, b = pair
    messages = [b"one", b"", b"three", b"four" * 1000]
    assert [a.send(m) for m in messages] == [3, 0, 5, 4000]
    assert [b.recv(65536) for _ in messages] == messages
    assert outcome(b.recv, 1, MSG_DONTWAIT) == "EAGAIN"


@each(UDP_PAIRS)
def test_a_datagram_of_no_bytes_makes_the_socket_readable(
    net: Network, pair: tuple[Socket, Socket]
) -> None:
    """recv gives b'' for it, once."""
    a, b = pair
    assert a.send(b"") == 0
    assert readiness(net, b) == "IN|OUT"
    assert b.recvfrom(10) == (b"", a.getsockname())
    assert readiness(net, b) == "OUT"


@each(UDP_PAIRS)
def test_recv_of_nothing_leaves_the_datagram_but_recvfrom_takes_it(
    pair: tuple[Socket, Socket],
) -> None:
    """recv(0) does not ask the kernel; recvfrom(0) does."""
    a, b = pair
    a.send(b"first")
    a.send(b"second")
    assert b.recv(0) == b""
    assert b.recvfrom(0)[0] == b""
    assert b.recv(10) == b"second"


@each(UDP_PAIRS)
def test_what_does_not_fit_is_lost(pair: tuple[Socket, Socket]) -> None:
    """A short buffer gets the start of a datagram; the next recv gets the next datagram."""
    a, b = pair
    a.send(b"0123456789")
    a.send(b"next")
    assert b.recv(4) == b"0123"
    assert b.recv(10) == b"next"


@each(UDP_PAIRS)
def test_recvmsg_says_that_a_datagram_was_cut(pair: tuple[Socket, Socket]) -> None:
    """MSG_TRUNC is in its flags, and is not when all of it fitted."""
    a, b = pair
    a.send(b"0123456789")
    a.send(b"0123456789")
    assert b.recvmsg(4)[:3] == (b"0123", [], MSG_TRUNC)
    assert b.recvmsg(10)[:3] == (b"0123456789", [], 0)


@each(UDP_PAIRS)
def test_msg_trunc_asks_for_the_whole_length(pair: tuple[Socket, Socket]) -> None:
    """The result is as long as the datagram, though only the buffer's length was filled."""
    a, b = pair
    for _ in range(3):
        a.send(b"0123456789")
    got = b.recv(4, MSG_TRUNC)
    assert (len(got), got[:4]) == (10, b"0123")
    assert b.recv_into(bytearray(4), 4, MSG_TRUNC) == 10
    assert len(b.recv(4, MSG_TRUNC | MSG_PEEK)) == 10
    assert b.recv(100, MSG_TRUNC) == b"0123456789"


@each(UDP_PAIRS)
def test_a_peek_leaves_the_datagram(pair: tuple[Socket, Socket]) -> None:
    """A short peek does not cut what stays."""
    a, b = pair
    a.send(b"0123456789")
    assert b.recv(4, MSG_PEEK) == b"0123"
    assert b.recvfrom(100, MSG_PEEK) == (b"0123456789", a.getsockname())
    assert b.recv(100) == b"0123456789"
    assert outcome(b.recv, 1, MSG_DONTWAIT | MSG_PEEK) == "EAGAIN"


@each(UDP_PAIRS)
def test_a_datagram_scatters_over_buffers_and_gathers_from_them(
    pair: tuple[Socket, Socket],
) -> None:
    """sendmsg of several buffers is one datagram; recvmsg_into fills several."""
    a, b = pair
    assert a.sendmsg([b"01", b"", b"23456", b"789"]) == 10
    first, second = bytearray(3), bytearray(4)
    assert b.recvmsg_into([first, second])[:3] == (7, [], MSG_TRUNC)
    assert (bytes(first), bytes(second)) == (b"012", b"3456")
    assert a.sendmsg([]) == 0
    assert b.recv(10) == b""


@each(UDP_PAIRS)
def test_msg_more_gathers_sends_into_one_datagram(
    net: Network, pair: tuple[Socket, Socket]
) -> None:
    """Nothing leaves until a send without the flag; then all of it is one datagram."""
    a, b = pair
    assert a.send(b"one,", MSG_MORE) == 4
    assert a.send(b"two,", MSG_MORE) == 4
    assert readiness(net, b) == "OUT"
    assert a.send(b"three") == 5
    assert b.recv(100) == b"one,two,three"
    assert readiness(net, b) == "OUT"


@each(UDP_PAIRS)
def test_a_datagram_that_msg_more_began_is_dropped_by_close(
    net: Network, pair: tuple[Socket, Socket]
) -> None:
    """Unlike a corked stream, nothing is flushed."""
    a, b = pair
    a.send(b"one", MSG_MORE)
    a.close()
    assert readiness(net, b) == "OUT"


@each(UDP_PAIRS)
def test_a_corked_datagram_leaves_when_the_cork_is_pulled(
    net: Network, pair: tuple[Socket, Socket]
) -> None:
    """UDP_CORK (1) gathers every send until it is switched off."""
    a, b = pair
    a.setsockopt(socket.IPPROTO_UDP, 1, 1)
    a.send(b"one,")
    a.send(b"two")
    assert readiness(net, b) == "OUT"
    a.setsockopt(socket.IPPROTO_UDP, 1, 0)
    assert b.recv(100) == b"one,two"


@each_udp
def test_the_largest_datagram(net: Network, named: Named, keep: Keep) -> None:
    """One byte more is EMSGSIZE, with sendto and with send, and leaves the socket usable."""
    server, client = keep(named.bound(net)), keep(named.socket(net))
    largest = LARGEST[named.name]
    assert outcome(client.sendto, bytes(largest + 1), server.getsockname()) == "EMSGSIZE"
    assert client.sendto(bytes(largest), server.getsockname()) == largest
    assert len(server.recv(70000)) == largest
    client.connect(server.getsockname())
    assert outcome(client.send, bytes(largest + 1)) == "EMSGSIZE"
    assert outcome(client.send, bytes(1 << 20)) == "EMSGSIZE"
    assert waiting(server) == []


@each(UDP_PAIRS)
def test_a_sender_is_always_writable(net: Network, pair: tuple[Socket, Socket]) -> None:
    """A receiver that is full makes nobody wait: newest datagrams are dropped, oldest kept."""
    a, b = pair
    a.setblocking(False)
    assert [a.send(f"{n:04}".encode()) for n in range(2000)] == [4] * 2000
    assert readiness(net, a) == "OUT"
    got = waiting(b)
    assert 0 < len(got) < 2000
    assert got == [f"{n:04}".encode() for n in range(len(got))]


def cost(size: int) -> int:
    """What a small datagram takes of the receive buffer: its payload's slab and the header."""
    return next(
        c for limit, c in ((197, 832), (645, 1280), (1669, 2304), (3717, 4352)) if size <= limit
    )


@pytest.mark.parametrize("size", [0, 1, 100, 197, 198, 645, 646, 1669, 1670, 3717])
@pytest.mark.parametrize("buffer", [2304, 8192, 30000, 100000, 212992])
@each(UDP_PAIRS[:1])
def test_a_receive_buffer_holds_what_its_size_says(
    pair: tuple[Socket, Socket], buffer: int, size: int
) -> None:
    """A datagram is dropped when the queue is not empty and its cost would exceed the buffer."""
    a, b = pair
    b.setsockopt(SOL_SOCKET, socket.SO_RCVBUF, buffer // 2)
    for _ in range(buffer // cost(size) + 5):
        a.send(bytes(size))
    assert len(waiting(b)) == max(1, buffer // cost(size))


@pytest.mark.parametrize("size", [3718, 10000, 60000])
@each(UDP_PAIRS)
def test_an_empty_queue_takes_any_datagram(pair: tuple[Socket, Socket], size: int) -> None:
    """However small the buffer, one datagram fits; the next one does not."""
    a, b = pair
    b.setsockopt(SOL_SOCKET, socket.SO_RCVBUF, 0)
    for letter in (b"a", b"b", b"c"):
        a.send(letter * size)
    assert waiting(b) == [b"a" * size]
    a.send(b"d" * size)
    assert waiting(b) == [b"d" * size]


@each_udp
def test_a_connected_socket_hears_only_its_peer(net: Network, named: Named, keep: Keep) -> None:
    """Datagrams of others are dropped; those from before connect() stay."""
    server, peer, other = (keep(named.bound(net)) for _ in range(3))
    other.sendto(b"before", server.getsockname())
    server.connect(peer.getsockname())
    other.sendto(b"after", server.getsockname())
    peer.sendto(b"peer", server.getsockname())
    assert waiting(server) == [b"before", b"peer"]


@each_udp
def test_a_connected_socket_may_send_elsewhere(net: Network, named: Named, keep: Keep) -> None:
    """sendto() with an address goes there; the peer stays the peer."""
    client, peer, other = keep(named.socket(net)), keep(named.bound(net)), keep(named.bound(net))
    client.connect(peer.getsockname())
    assert client.sendto(b"elsewhere", other.getsockname()) == 9
    assert client.sendmsg([b"again"], [], 0, other.getsockname()) == 5
    assert client.send(b"peer") == 4
    assert waiting(other) == [b"elsewhere", b"again"]
    assert waiting(peer) == [b"peer"]
    assert client.getpeername() == peer.getsockname()


@each_udp
def test_connecting_again_changes_the_peer(net: Network, named: Named, keep: Keep) -> None:
    """The local port stays; the old peer is not heard any more."""
    client, first, second = (keep(named.bound(net)) for _ in range(3))
    client.connect(first.getsockname())
    name = client.getsockname()
    client.connect(second.getsockname())
    assert (client.getsockname(), client.getpeername()) == (name, second.getsockname())
    first.sendto(b"first", name)
    second.sendto(b"second", name)
    assert waiting(client) == [b"second"]


@each_udp
def test_disconnecting_opens_a_socket_to_all_again(net: Network, named: Named, keep: Keep) -> None:
    """A socket that was bound keeps its address, but loses its port and its peer."""
    client, peer = keep(named.bound(net)), keep(named.bound(net))
    bound = client.getsockname()
    client.connect(peer.getsockname())
    net.disconnect(client)
    assert client.getsockname()[:2] == (bound[0], 0)
    assert outcome(client.getpeername) == "ENOTCONN"
    assert outcome(client.send, b"x") == "EDESTADDRREQ"


@each_udp
def test_disconnecting_what_connect_bound_unbinds_it(
    net: Network, named: Named, keep: Keep
) -> None:
    """An address and port that connect() chose are given back."""
    client, peer = keep(named.socket(net)), keep(named.bound(net))
    client.connect(peer.getsockname())
    net.disconnect(client)
    assert client.getsockname()[:2] == any_address(named)
    client.bind(named.fresh_address(net))
    assert port_of(client) != 0


@each_udp
def test_a_socket_may_talk_to_itself(net: Network, named: Named, keep: Keep) -> None:
    """sendto its own name, and connect to it."""
    sock = keep(named.bound(net))
    sock.sendto(b"me", sock.getsockname())
    sock.connect(sock.getsockname())
    sock.send(b"too")
    assert [sock.recvfrom(10) for _ in range(2)] == [
        (b"me", sock.getsockname()),
        (b"too", sock.getsockname()),
    ]


@each_udp
def test_the_wildcard_as_destination_is_the_loopback(
    net: Network, named: Named, keep: Keep
) -> None:
    """sendto and connect to it reach a socket that is bound to the loopback."""
    server, client = keep(named.bound(net)), keep(named.socket(net))
    client.sendto(b"one", any_address(named, port_of(server)))
    client.connect(any_address(named, port_of(server)))
    assert client.getpeername() == server.getsockname()
    client.send(b"two")
    assert waiting(server) == [b"one", b"two"]


@each_udp
def test_a_wildcard_socket_hears_its_port_on_every_address(
    net: Network, named: Named, keep: Keep
) -> None:
    """The datagram's source is the address that leads back."""
    server, client = keep(named.socket(net)), keep(named.socket(net))
    server.bind(any_address(named))
    loopback = named.fresh_address(net)[0]
    client.sendto(b"x", (loopback, port_of(server)))
    assert server.recvfrom(1)[1][0] == loopback


def test_a_reply_of_a_wildcard_socket_comes_from_the_first_loopback_address(
    net: Network, keep: Keep
) -> None:
    """A client that asked 127.0.0.7 hears from 127.0.0.1."""
    server, client = keep(UDP_NAMES[0].socket(net)), keep(UDP_NAMES[0].bound(net))
    server.bind(("0.0.0.0", 0))
    client.sendto(b"?", ("127.0.0.7", port_of(server)))
    assert server.recvfrom(1)[1] == client.getsockname()
    server.sendto(b"!", client.getsockname())
    assert client.recvfrom(1) == (b"!", ("127.0.0.1", port_of(server)))


@each(UDP_PAIRS)
def test_closing_tells_the_peer_nothing(net: Network, pair: tuple[Socket, Socket]) -> None:
    """What was sent before is still there; then there is just silence."""
    a, b = pair
    a.send(b"last")
    a.close()
    assert readiness(net, b) == "IN|OUT"
    assert b.recv(10) == b"last"
    assert readiness(net, b) == "OUT"
    assert outcome(b.recv, 1, MSG_DONTWAIT) == "EAGAIN"


@each_udp
def test_a_fresh_socket_is_writable_and_receives_nothing(
    net: Network, named: Named, keep: Keep
) -> None:
    """recv of an unbound socket waits like that of a bound one."""
    sock = keep(named.socket(net))
    assert readiness(net, sock) == "OUT"
    assert outcome(sock.recv, 1, MSG_DONTWAIT) == "EAGAIN"
    sock.settimeout(0.01)
    assert outcome(sock.recvfrom, 1) == "TimeoutError"


@each(UDP_PAIRS)
def test_a_blocked_recv_is_woken_by_a_datagram(net: Network, pair: tuple[Socket, Socket]) -> None:
    """A task that waits gets it."""
    a, b = pair
    b.settimeout(5)
    task = net.spawn(b.recvfrom, 100)
    a.send(b"late")
    assert task.result(5) == (b"late", a.getsockname())


@pytest.mark.parametrize("how", [socket.SHUT_RD, socket.SHUT_WR, socket.SHUT_RDWR])
@each_udp
def test_shutting_an_unconnected_socket_down_is_an_error(
    net: Network, named: Named, keep: Keep, how: int
) -> None:
    """ENOTCONN."""
    assert outcome(keep(named.bound(net)).shutdown, how) == "ENOTCONN"


@each(UDP_PAIRS)
def test_after_shutdown_of_writing_a_send_is_a_broken_pipe(
    net: Network, pair: tuple[Socket, Socket]
) -> None:
    """EPIPE with and without an address; receiving goes on; the peer notices nothing."""
    a, b = pair
    a.shutdown(socket.SHUT_WR)
    sends: list[Any] = [outcome(a.send, b"x"), outcome(a.sendto, b"x", b.getsockname())]
    assert sends == ["EPIPE", "EPIPE"]
    b.send(b"still")
    assert a.recv(10) == b"still"
    assert readiness(net, b) == "OUT"


@each(UDP_PAIRS)
def test_after_shutdown_of_reading_datagrams_still_arrive(
    net: Network, pair: tuple[Socket, Socket]
) -> None:
    """A blocking recv gives b'', a non-blocking one EAGAIN, and what arrives is delivered."""
    a, b = pair
    b.shutdown(socket.SHUT_RD)
    assert b.recv(10) == b""
    assert outcome(b.recv, 10, MSG_DONTWAIT) == "EAGAIN"
    assert readiness(net, b) == "IN|OUT|RDHUP"
    a.send(b"anyway")
    assert b.recv(10) == b"anyway"
    assert b.send(b"x") == 1


@each(UDP_PAIRS)
def test_shutdown_wakes_a_blocked_recv(
    net: Network, kind: Kind, pair: tuple[Socket, Socket]
) -> None:
    """It gives b''."""
    _, b = pair
    task = net.spawn(b.recv, 10)
    b.shutdown(socket.SHUT_RD)
    assert task.result(5) == b""
