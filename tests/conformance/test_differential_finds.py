"""What random programs found: rules that nobody had thought to ask for by name."""

from __future__ import annotations

import select
import socket
from collections.abc import Callable
from contextlib import ExitStack

import pytest

from simnet.api import Network, Socket
from tests.conformance.kinds import (
    ALL_NAMES,
    DATAGRAM_NAMES,
    TCP_NAMES,
    TCP_PAIRS,
    Named,
    each,
    unused_port,
)
from tests.conformance.outcomes import outcome, readiness

INET, INET6 = socket.AF_INET, socket.AF_INET6
STREAM, DGRAM = socket.SOCK_STREAM, socket.SOCK_DGRAM
V6ONLY = (socket.IPPROTO_IPV6, socket.IPV6_V6ONLY)

Keep = Callable[[Socket], Socket]
Pair = tuple[Socket, Socket]


@pytest.fixture
def udp6(net: Network, keep: Keep) -> Socket:
    """An unbound datagram socket of IPv6."""
    return keep(net.socket(INET6, DGRAM))


def dual(net: Network, keep: Keep) -> Socket:
    """A datagram socket that hears both versions of IP."""
    sock = keep(net.socket(INET6, DGRAM))
    sock.bind(("::", 0))
    return sock


def test_a_mapped_destination_takes_a_datagram_through_ipv4(
    net: Network, keep: Keep, udp6: Socket
) -> None:
    """MSG_OOB is refused by UDP over IPv4 and ignored over IPv6, whatever the socket is."""
    port = dual(net, keep).getsockname()[1]
    assert outcome(udp6.sendto, b"x", socket.MSG_OOB, ("::ffff:127.0.0.1", port)) == "EOPNOTSUPP"
    assert outcome(udp6.sendto, b"x", socket.MSG_OOB, ("::1", port)) == 1


@pytest.mark.parametrize(
    ("family", "errors"), [(INET, ["EOPNOTSUPP", "EMSGSIZE"]), (INET6, ["EDESTADDRREQ"] * 2)]
)
def test_what_a_datagram_without_a_destination_is_refused_for(
    net: Network, keep: Keep, family: int, errors: list[str]
) -> None:
    """IPv4 looks at flags and size before it asks for an address."""
    sock = keep(net.socket(family, DGRAM))
    assert [outcome(sock.send, b"x", socket.MSG_OOB), outcome(sock.send, bytes(70_000))] == errors


def test_a_begun_datagram_keeps_its_version_of_ip(net: Network, keep: Keep, udp6: Socket) -> None:
    """One begun over IPv4 takes any address; one begun over IPv6 refuses a mapped one."""
    receiver = dual(net, keep)
    six = receiver.getsockname()
    four = ("::ffff:127.0.0.1", six[1])
    six = ("::1", six[1])
    assert udp6.sendto(b"a", socket.MSG_MORE, four) == 1
    assert udp6.sendto(b"b", six) == 1
    assert receiver.recv(9) == b"ab"
    assert udp6.sendto(b"a", socket.MSG_MORE, six) == 1
    assert outcome(udp6.sendto, b"b", four) == "EINVAL"
    assert udp6.sendto(b"b", six) == 1
    assert receiver.recv(9) == b"ab"


@pytest.mark.parametrize("type", [STREAM, DGRAM])
@pytest.mark.parametrize(
    ("host", "only"), [("::1", 1), ("::", 0), ("::ffff:127.0.0.1", 0)], ids=str
)
def test_a_bound_ipv6_address_makes_a_socket_v6only(
    net: Network, keep: Keep, type: int, host: str, only: int
) -> None:
    """IPV6_V6ONLY reads 1 from then on; the wildcard and mapped addresses leave it."""
    sock = keep(net.socket(INET6, type))
    sock.bind((host, 0))
    assert sock.getsockopt(*V6ONLY) == only


@pytest.mark.parametrize(
    ("host", "own", "other"),
    [
        ("::ffff:127.0.0.1", "::ffff:127.0.0.3", "EAFNOSUPPORT"),
        ("::ffff:127.0.0.1", "::ffff:0.0.0.0", "EAFNOSUPPORT"),
        ("::1", "::1", "ENETUNREACH"),
    ],
)
@pytest.mark.parametrize("type", [STREAM, DGRAM])
def test_a_bound_address_decides_which_version_of_ip_is_reached(
    net: Network, keep: Keep, type: int, host: str, own: str, other: str
) -> None:
    """From a mapped address there is no way to IPv6, and the other way round."""
    sock = keep(net.socket(INET6, type))
    sock.bind((own, 0))
    foreign = "::1" if host != "::1" else "::ffff:127.0.0.1"
    assert outcome(sock.connect, (foreign, 9)) == other


@pytest.mark.parametrize(
    ("family", "own", "wildcard", "meant"),
    [
        (INET, "127.0.0.3", "0.0.0.0", "127.0.0.3"),
        (INET, "0.0.0.0", "0.0.0.0", "127.0.0.1"),
        (INET6, "::ffff:127.0.0.3", "::ffff:0.0.0.0", "::ffff:127.0.0.3"),
        (INET6, "::ffff:127.0.0.3", "::", "::ffff:127.0.0.1"),
        (INET6, "::", "::", "::1"),
        (INET6, "::", "::ffff:0.0.0.0", "::ffff:127.0.0.1"),
    ],
)
def test_the_wildcard_as_a_destination_means_the_own_address(
    net: Network, keep: Keep, family: int, own: str, wildcard: str, meant: str
) -> None:
    """Over IPv4 the address that the socket is bound to; without one, the loopback."""
    sock = keep(net.socket(family, DGRAM))
    sock.bind((own, 0))
    sock.connect((wildcard, 9))
    assert sock.getpeername()[:2] == (meant, 9)


def test_a_mapped_peer_without_a_port_cannot_be_sent_to(udp6: Socket) -> None:
    """connect() takes port 0; over IPv4 an IPv6 socket then sends as to an address: EINVAL."""
    udp6.connect(("::ffff:127.0.0.1", 0))
    assert outcome(udp6.send, b"x") == "EINVAL"


@each(TCP_NAMES, argument="named")
def test_an_accepted_stream_shows_its_clients_hop_limit(net: Network, named: Named) -> None:
    """The limit for groups is, on the accepted end, what the client's SYN came with."""
    six = named.family == INET6
    level = socket.IPPROTO_IPV6 if six else socket.IPPROTO_IP
    one = socket.IPV6_UNICAST_HOPS if six else socket.IP_TTL
    many = socket.IPV6_MULTICAST_HOPS if six else socket.IP_MULTICAST_TTL
    with named.listening(net) as listener, named.socket(net) as client:
        client.setsockopt(level, one, 33)
        client.connect(listener.getsockname())
        with listener.accept()[0] as server:
            limits = [sock.getsockopt(level, many) for sock in (listener, client, server)]
    assert limits == [1, 1, 33]


@each(TCP_PAIRS)
def test_recvmsg_counts_what_it_discards(net: Network, pair: Pair) -> None:
    """MSG_TRUNC on TCP throws the bytes away, and the message is as long as they were."""
    a, b = pair
    assert a.send(b"abcd") == 4
    assert len(b.recvmsg(3, 0, socket.MSG_TRUNC)[0]) == 3
    assert b.recv(9) == b"d"


@each(TCP_PAIRS)
def test_small_data_goes_at_once_after_an_urgent_byte(net: Network, pair: Pair) -> None:
    """Nagle's algorithm does not hold data back while an urgent byte is not acknowledged."""
    a, b = pair
    a.setblocking(False)
    assert (a.send(b"1"), b.send(b"2")) == (1, 1)
    assert (b.recv(1), a.recv(1)) == (b"1", b"2")
    assert (a.send(b"!", socket.MSG_OOB), a.send(b"x")) == (1, 1)
    assert b.recv(1, socket.MSG_DONTWAIT) == b"x"


@pytest.mark.parametrize(
    ("family", "host", "error"),
    [
        (INET, "0.0.0.0", "EADDRINUSE"),
        (INET, "127.0.0.1", None),
        (INET6, "::ffff:0.0.0.0", None),
        (INET6, "::", "EADDRINUSE"),
    ],
)
def test_a_wildcard_of_ipv4_meets_an_ipv6_address_that_connect_chose(
    net: Network, keep: Keep, udp6: Socket, family: int, host: str, error: str | None
) -> None:
    """The socket is not V6ONLY then, and its address counts as one of IPv4 too."""
    peer = dual(net, keep)
    udp6.bind(("::", 0))
    udp6.connect(("::1", peer.getsockname()[1]))
    other = keep(net.socket(family, DGRAM))
    assert outcome(other.bind, (host, udp6.getsockname()[1])) == error


@pytest.mark.parametrize("more", [b"", b"x"])
def test_a_begun_datagram_leads_later_ones_of_ipv4_astray(
    net: Network, keep: Keep, more: bytes
) -> None:
    """MSG_MORE to another address is where plain sends go from then on, until connect()."""
    peer, other, sock = (keep(net.socket(INET, DGRAM)) for _ in range(3))
    for receiver in (peer, other):
        receiver.bind(("127.0.0.1", 0))
        receiver.setblocking(False)
    sock.connect(peer.getsockname())
    sock.sendto(b"a", socket.MSG_MORE, other.getsockname())
    sock.send(more)
    assert other.recv(9) == b"a" + more
    assert sock.send(b"b") == 1
    assert (outcome(peer.recv, 9), outcome(other.recv, 9)) == ("EAGAIN", b"b")
    assert sock.getpeername() == peer.getsockname()
    sock.connect(peer.getsockname())
    assert sock.send(b"c") == 1
    assert (outcome(peer.recv, 9), outcome(other.recv, 9)) == (b"c", "EAGAIN")


@each(TCP_NAMES, argument="named")
def test_a_socket_shut_down_before_it_listens_accepts_ended_streams(
    net: Network, named: Named
) -> None:
    """The connections inherit the shutdown: they send FIN at once, and read the end."""
    with named.bound(net) as listener, named.socket(net) as client:
        assert outcome(listener.shutdown, socket.SHUT_RDWR) == "ENOTCONN"
        listener.listen()
        client.connect(listener.getsockname())
        with listener.accept()[0] as server:
            assert client.recv(9) == b""
            assert server.recv(9) == b""
            assert outcome(server.send, b"x") == "EPIPE"


@each(TCP_NAMES, argument="named")
def test_a_socket_shut_down_before_it_connects_to_itself_ends_at_once(
    net: Network, named: Named
) -> None:
    """The shutdown takes effect when the simultaneous open is done: nothing is left then."""
    with named.bound(net) as sock:
        assert outcome(sock.shutdown, socket.SHUT_WR) == "ENOTCONN"
        assert outcome(sock.connect, sock.getsockname()) == "ECONNABORTED"


def test_a_refused_connect_leads_later_datagrams_of_ipv4_astray(net: Network, keep: Keep) -> None:
    """A broadcast that connect() does not allow is where all but the first plain send go then."""
    peer, sock, everybody = (keep(net.socket(INET, DGRAM)) for _ in range(3))
    everybody.bind(("0.0.0.0", 0))
    everybody.setblocking(False)
    peer.bind(("127.0.0.1", 0))
    peer.setblocking(False)
    sock.connect(peer.getsockname())
    broadcast = ("127.255.255.255", everybody.getsockname()[1])
    assert outcome(sock.connect, broadcast) == "EACCES"
    assert sock.getpeername() == peer.getsockname()
    assert sock.send(b"a") == 1
    assert (outcome(peer.recv, 9), outcome(everybody.recv, 9)) == (b"a", "EAGAIN")
    assert sock.send(b"b") == 1
    assert (outcome(peer.recv, 9), outcome(everybody.recv, 9)) == ("EAGAIN", b"b")
    assert outcome(sock.sendto, b"c", broadcast) == "EACCES"


@each(TCP_PAIRS)
def test_a_read_of_nothing_does_not_pass_over_the_urgent_byte(net: Network, pair: Pair) -> None:
    """A read of one byte would; after a read of none it can still be taken."""
    a, b = pair
    assert a.send(b"ab", socket.MSG_OOB) == 2
    assert b.recv(9) == b"a"
    assert b.recvmsg(0)[0] == b""
    assert b.recv(1, socket.MSG_OOB) == b"b"


def edges(net: Network, sock: Socket, sockets: ExitStack) -> Callable[[], int]:
    """What an edge-triggered epoll reports for a socket; what is ready now is seen already."""
    poller = net.epoll()
    sockets.callback(poller.close)
    poller.register(sock, select.EPOLLET | select.EPOLLIN | select.EPOLLOUT)
    poller.poll(0)
    return lambda: sum(bits for _, bits in poller.poll(0))


@each([named for named in DATAGRAM_NAMES if named.family != socket.AF_UNIX], argument="named")
def test_a_sent_datagram_makes_an_edge_for_its_sender(
    net: Network, named: Named, keep: Keep, sockets: ExitStack
) -> None:
    """What leaves the send buffer looks like new room, every time."""
    receiver, sender = keep(named.bound(net)), keep(named.socket(net))
    edge = edges(net, sender, sockets)
    for _ in range(2):
        sender.sendto(b"x", receiver.getsockname())
        assert edge() == select.EPOLLOUT
        assert edge() == 0


def test_a_datagram_that_finds_no_receiver_makes_an_edge_for_its_sender(
    net: Network, keep: Keep, sockets: ExitStack
) -> None:
    """A unix message is allocated before its receiver is looked for, and freed again."""
    sender = keep(net.socket(socket.AF_UNIX, DGRAM))
    edge = edges(net, sender, sockets)
    assert outcome(sender.send, b"x") == "ENOTCONN"
    assert edge() == select.EPOLLOUT
    assert outcome(sender.sendto, b"x", "\0simnet-nobody") == "ECONNREFUSED"
    assert edge() == select.EPOLLOUT
    assert outcome(sender.send, b"x", socket.MSG_OOB) == "EOPNOTSUPP"
    assert edge() == 0


@each(ALL_NAMES, argument="named")
def test_a_new_send_buffer_size_makes_an_edge(
    net: Network, named: Named, keep: Keep, sockets: ExitStack
) -> None:
    """SO_SNDBUF wakes writers, whether they waited or not."""
    sock = keep(named.socket(net))
    edge = edges(net, sock, sockets)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 100_000)
    assert edge() & select.EPOLLOUT


@each(TCP_PAIRS)
def test_listening_keeps_the_error_of_a_dissolved_connection(net: Network, pair: Pair) -> None:
    """connect(AF_UNSPEC) leaves ECONNRESET behind, and listen() does not take it away."""
    a, _ = pair
    net.disconnect(a)
    a.listen()
    assert outcome(a.send, b"x") == "ECONNRESET"
    assert outcome(a.send, b"x") == "EPIPE"


@each(TCP_PAIRS)
def test_an_urgent_byte_is_taken_even_from_what_resets(net: Network, pair: Pair) -> None:
    """Data for a stream that is shut down both ways resets it; its urgent byte is seen."""
    a, b = pair
    b.shutdown(socket.SHUT_RDWR)
    assert a.send(b"x", socket.MSG_OOB) == 1
    assert readiness(net, b) == "IN|PRI|OUT|ERR|HUP|RDHUP"
    assert outcome(a.send, b"x") == "EPIPE"


def test_the_latest_registration_of_a_socket_becomes_ready_first(
    net: Network, keep: Keep, sockets: ExitStack
) -> None:
    """Two descriptors of one socket in one epoll: those who wait stand latest first."""
    one = keep(net.socket(socket.AF_UNIX, DGRAM))
    two = keep(one.dup())
    poller = net.epoll()
    sockets.callback(poller.close)
    for sock in (one, two):
        poller.register(sock, select.EPOLLIN)
    one.shutdown(socket.SHUT_RDWR)
    assert [number for number, _ in poller.poll(0)] == [two.fileno(), one.fileno()]


@pytest.mark.parametrize(("host", "left"), [("127.0.0.1", "127.0.0.1"), ("0.0.0.0", "0.0.0.0")])
def test_a_dissolved_accepted_stream_keeps_the_address_its_listener_was_bound_to(
    net: Network, keep: Keep, host: str, left: str
) -> None:
    """It inherits that bind() chose the address, and keeps it; the wildcard comes back."""
    listener, client = keep(net.socket(INET, STREAM)), keep(net.socket(INET, STREAM))
    listener.bind((host, 0))
    listener.listen()
    client.connect(("127.0.0.1", listener.getsockname()[1]))
    server = keep(listener.accept()[0])
    net.disconnect(server)
    assert server.getsockname()[0] == left


def test_epoll_looks_at_what_is_asked_before_what_is_registered(
    net: Network, keep: Keep, sockets: ExitStack
) -> None:
    """EPOLLEXCLUSIVE with what it does not allow is EINVAL, registered or not."""
    sock = keep(net.socket(socket.AF_UNIX, DGRAM))
    poller = net.epoll()
    sockets.callback(poller.close)
    exclusive = select.EPOLLIN | select.EPOLLEXCLUSIVE
    assert outcome(poller.modify, sock, exclusive) == "EINVAL"
    assert outcome(poller.modify, sock, select.EPOLLIN) == "ENOENT"
    poller.register(sock, exclusive)
    assert outcome(poller.register, sock, exclusive | select.EPOLLPRI) == "EINVAL"
    assert outcome(poller.register, sock, exclusive) == "EEXIST"
    assert outcome(poller.modify, sock, select.EPOLLIN) == "EINVAL"


@pytest.mark.parametrize(
    ("first", "result"), [("::1", "connected"), ("::ffff:127.0.0.1", "TimeoutError")]
)
def test_an_ipv6_stream_that_connected_over_ipv4_cannot_go_back(
    net: Network, keep: Keep, first: str, result: str
) -> None:
    """After a disconnect its SYN to an IPv6 address gets no answer."""
    listener, client = keep(net.socket(INET6, STREAM)), keep(net.socket(INET6, STREAM))
    listener.bind(("::", 0))
    listener.listen()
    port = listener.getsockname()[1]
    client.settimeout(0.1)
    client.connect((first, port))
    net.disconnect(client)
    assert (outcome(client.connect, ("::1", port)) or "connected") == result


def test_what_is_left_of_a_stream_does_not_refuse_a_connect(net: Network, keep: Keep) -> None:
    """In TIME_WAIT a SYN that nobody would accept is not reset; its repetition, later, is."""
    listener, client = keep(net.socket(INET, STREAM)), keep(net.socket(INET, STREAM))
    listener.bind(("127.0.0.1", unused_port(net, STREAM)))
    listener.listen()
    client.connect(listener.getsockname())
    name = client.getsockname()
    with listener.accept()[0]:
        client.shutdown(socket.SHUT_WR)
    net.disconnect(listener)
    listener.setblocking(False)
    assert outcome(listener.connect, name) == "EINPROGRESS"
    assert readiness(net, listener) == ""


@each(TCP_NAMES, argument="named")
def test_a_bind_that_fails_forgets_the_address_of_an_earlier_connection(
    net: Network, named: Named, keep: Keep
) -> None:
    """The address that a refused connect() chose is gone then."""
    taken, sock = keep(named.bound(net)), keep(named.socket(net))
    assert outcome(sock.connect, taken.getsockname()) == "ECONNREFUSED"
    sock.setblocking(False)
    assert outcome(sock.connect, taken.getsockname()) == "EINPROGRESS"
    assert outcome(sock.bind, taken.getsockname()) == "EADDRINUSE"
    assert sock.getsockname()[0] in {"0.0.0.0", "::"}


@each(TCP_NAMES, argument="named")
def test_data_waits_with_a_connection_whose_listener_had_ended_sending(
    net: Network, named: Named, keep: Keep
) -> None:
    """It inherits that, and says so to its client; what that sends is not refused meanwhile."""
    listener, client = keep(named.bound(net)), keep(named.socket(net))
    assert outcome(listener.shutdown, socket.SHUT_WR) == "ENOTCONN"
    listener.listen(5)
    client.connect(listener.getsockname())
    assert client.recv(10) == b""
    assert [client.send(b"q"), client.send(b"r")] == [1, 1]
    assert readiness(net, client) == "IN|OUT|RDHUP"
    server = keep(listener.accept()[0])
    assert server.recv(1) + server.recv(1) == b"qr"
    assert outcome(server.send, b"x") == "EPIPE"


def test_exclusive_registrations_hear_in_the_order_of_their_making(
    net: Network, keep: Keep
) -> None:
    """EPOLLEXCLUSIVE stands behind the others, and they do among themselves, the first first."""
    listener = keep(net.socket(INET, STREAM))
    listener.listen(5)
    others = [keep(listener.dup()) for _ in range(3)]
    epoll = net.epoll()
    try:
        for sock in others:
            epoll.register(sock, select.EPOLLIN | select.EPOLLEXCLUSIVE)
        listener.shutdown(socket.SHUT_RDWR)
        ready = [epoll.poll(0, 1)[0][0] for _ in others]
        assert ready == [sock.fileno() for sock in others]
    finally:
        epoll.close()


def test_a_datagram_socket_that_let_go_of_its_peer_has_no_destination(
    net: Network, keep: Keep
) -> None:
    """Although the same place was sent to by name since."""
    receiver, sock = (keep(net.socket(INET, socket.SOCK_DGRAM)) for _ in range(2))
    receiver.bind(("127.0.0.1", 0))
    sock.connect(receiver.getsockname())
    net.disconnect(sock)
    for _ in range(2):
        assert sock.sendto(b"x", receiver.getsockname()) == 1
        assert outcome(sock.send, b"y") == "EDESTADDRREQ"
    assert [receiver.recv(10), receiver.recv(10)] == [b"x", b"x"]
