"""A path that takes less than its ends: segments are turned back, cut, and sent again."""

from __future__ import annotations

import errno
import socket
from collections.abc import Callable, Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simnet.api import Socket
from simnet.faults import Delivery
from simnet.links import Link
from simnet.wire import ACK, SYN, Packet, Segment, Unreachable
from simnet.world import World
from tests.properties.profiles import examples
from tests.protocols.conversation import Keep, Peer, segments

DATA = b"".join(b"%04x" % i for i in range(5000))
Meet = Callable[[World, bool], tuple[Socket, Socket]]


@pytest.fixture
def world() -> Iterator[World]:
    """A world in which every segment is recorded."""
    with World(record=True) as world:
        yield world


@pytest.fixture
def meet(keep: Keep) -> Meet:
    """A connection between two hosts, client and server."""

    def make(world: World, six: bool = False) -> tuple[Socket, Socket]:
        ip = ("fd00::1", "fd00::2") if six else ("10.0.0.1", "10.0.0.2")
        client, server = world.host("client", ip=ip[0]), world.host("server", ip=ip[1])
        family = socket.AF_INET6 if six else socket.AF_INET
        listener = keep(server.create_server((ip[1], 80), family=family))
        conn = keep(client.create_connection((ip[1], 80)))
        return conn, keep(listener.accept()[0])

    return make


def option(sock: Socket, level: int, name: int) -> int:
    """A number that the socket tells."""
    value = sock.getsockopt(level, name)
    assert isinstance(value, int)
    return value


def sizes(world: World, sender: str) -> list[int]:
    """How many bytes each segment of a sender carried."""
    return [
        len(segment.payload)
        for _, segment in segments(world)
        if segment.payload and world.name_of(segment.source[0]) == sender
    ]


def transfer(world: World, conn: Socket, peer: Socket, data: bytes = DATA) -> bytes:
    """Send it all; what has arrived in the end."""
    host = world.hosts["client"]
    task = host.spawn(lambda: (conn.sendall(data), conn.shutdown(socket.SHUT_WR)))
    received = b"".join(iter(lambda: peer.recv(65536), b""))
    task.result()
    return received


@pytest.mark.parametrize(("six", "headers"), [(False, 40), (True, 60)], ids=["IPv4", "IPv6"])
def test_a_shorter_path_is_learnt(world: World, meet: Meet, six: bool, headers: int) -> None:
    """The whole first window is turned back, and sent again in pieces; nothing else is noticed."""
    conn, peer = meet(world, six)
    world.link("client", "server", latency=0.01, mtu=1300)
    before = len(sizes(world, "client"))
    assert transfer(world, conn, peer) == DATA
    sent = sizes(world, "client")[before:]
    assert sent[:10] == [1500 - headers] * 10
    assert max(sent[10:]) == 1300 - headers
    assert option(conn, socket.IPPROTO_TCP, socket.TCP_MAXSEG) == 1300 - headers
    if not six:
        assert option(conn, socket.IPPROTO_IP, 14) == 1300  # IP_MTU


def test_the_news_is_quick(world: World, meet: Meet) -> None:
    """No time-out is waited for: a router of this world speaks at once."""
    conn, peer = meet(world, False)
    world.link("client", "server", latency=0.01, mtu=1000)
    conn.send(bytes(4000))
    assert len(peer.recv(4000, socket.MSG_WAITALL)) == 4000
    assert world.now == 0.01


def test_the_next_connection_knows(world: World, meet: Meet, keep: Keep) -> None:
    """What a host learns of a path counts for all (RFC 1191)."""
    conn, peer = meet(world, False)
    world.link("client", "server", latency=0.01, mtu=1000)
    conn.send(bytes(4000))
    peer.recv(4000, socket.MSG_WAITALL)
    client, server = world.hosts["client"], world.hosts["server"]
    listener = keep(server.create_server((server.addresses[0], 81)))
    second = keep(client.create_connection(listener.getsockname()))
    syn = [segment for _, segment in segments(world) if segment.mss][-2]
    assert syn.mss == 960
    before = len(sizes(world, "client"))
    second.send(bytes(4000))
    assert set(sizes(world, "client")[before:]) <= {960, 4000 % 960}
    assert option(second, socket.IPPROTO_TCP, socket.TCP_MAXSEG) == 960


def test_a_path_that_takes_very_little_gets_fragments(world: World, meet: Meet) -> None:
    """Segments are never cut below 552 bytes; measured on Linux, which lets routers cut them."""
    conn, peer = meet(world, False)
    world.link("client", "server", latency=0.01, mtu=400)
    assert transfer(world, conn, peer) == DATA
    assert set(sizes(world, "client")[10:-1]) <= {512, 1460 - 2 * 512, 1460}
    assert option(conn, socket.IPPROTO_TCP, socket.TCP_MAXSEG) == 512


@given(
    mtus=st.lists(st.integers(68, 600) | st.integers(576, 1500), min_size=1, max_size=4),
    size=st.sampled_from([1, 1500, 20_000]),
    nodelay=st.booleans(),
)
@examples(40)
def test_paths_may_shrink_again_and_again(mtus: list[int], size: int, nodelay: bool) -> None:
    """Also while data is under way: every byte arrives."""
    with World() as world:
        client, server = world.host("client"), world.host("server")
        world.link(client, server, latency=0.01)
        with server.create_server((server.addresses[0], 80)) as listener:
            conn = client.create_connection(listener.getsockname())
            with conn, listener.accept()[0] as peer:
                conn.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, nodelay)
                for i, mtu in enumerate(mtus):
                    world.after(0.005 + 0.012 * i, lambda mtu=mtu: client_link(world, mtu))
                assert transfer(world, conn, peer, DATA[:size]) == DATA[:size]


def client_link(world: World, mtu: int) -> None:
    """The way from the client takes so much from now on."""
    world.link("client", "server", mtu=mtu)


def test_a_black_hole_swallows_what_is_too_large(world: World, meet: Meet) -> None:
    """Where the router's word is lost, the connection is: the sender gives up in the end."""
    conn, peer = meet(world, False)

    def swallow(packet: Packet, link: Link) -> list[Delivery]:
        return [Delivery(packet)] if packet.size <= 1000 else []

    world.link("client", "server", latency=0.01)
    world.fault(swallow)
    conn.send(b"small")
    assert peer.recv(10) == b"small"
    conn.send(bytes(4000))
    world.run()
    assert 900 < world.now < 1100
    with pytest.raises(TimeoutError) as caught:
        conn.recv(1)
    assert caught.value.errno == errno.ETIMEDOUT


# By hand


def too_large(peer: Peer, about: Segment, mtu: int) -> None:
    """A router tells the host under test that a segment of its own is too large."""
    source = about.source[0], 0
    word = Unreachable(("192.0.2.1", 0), source, errno.EMSGSIZE, about, mtu)
    peer.host.deliver(word)
    peer.world.wire.flush()


@pytest.fixture
def plain_world() -> Iterator[World]:
    """A world without short cuts."""
    with World(shortcut=False) as world:
        yield world


@pytest.fixture
def conn(plain_world: World, keep: Keep) -> tuple[Peer, Socket]:
    """A peer that says what the test says, and a connection with it."""
    host = plain_world.host("host")
    peer = Peer(plain_world, host)
    return peer, keep(peer.connect(keep(host.create_server((host.addresses[0], 8080)))))


def test_all_that_is_too_large_is_cut_at_once(conn: tuple[Peer, Socket]) -> None:
    """And numbered as before; what is small enough stays whole."""
    peer, sock = conn
    start = peer.ack
    sock.send(DATA[:3000])
    first = peer.heard[-3]
    before = len(peer.heard)
    too_large(peer, first, 1040)
    again = [(s.seq - start, s.payload) for s in peer.heard[before:]]
    assert again == [(at, DATA[at : at + size]) for at, size in CUT]
    peer.say(ACK, ack=start + 3000)
    sock.send(DATA[:2000])
    assert [len(s.payload) for s in peer.heard[-2:]] == [1000, 1000]


# Of 3000 bytes in segments of 1460, 1460 and 80.
CUT = [(0, 1000), (1000, 460), (1460, 1000), (2460, 460), (2920, 80)]


def test_a_larger_path_is_no_news(conn: tuple[Peer, Socket]) -> None:
    """Nothing is sent again."""
    peer, sock = conn
    sock.send(DATA[:3000])
    before = len(peer.heard)
    too_large(peer, peer.heard[-3], 1500)
    assert len(peer.heard) == before


def test_news_of_what_was_acknowledged_long_ago_is_not_believed(
    conn: tuple[Peer, Socket],
) -> None:
    """Anybody may say so (RFC 5927)."""
    peer, sock = conn
    sock.send(DATA[:3000])
    first = peer.heard[-3]
    peer.say(ACK)
    before = len(peer.heard)
    sock.send(DATA[:1460])
    too_large(peer, first._replace(seq=first.seq - 5000), 600)
    assert len(peer.heard) == before + 1
    assert option(sock, socket.IPPROTO_TCP, socket.TCP_MAXSEG) == 1460


def test_segments_of_a_modest_peer_do_not_grow(world: World) -> None:
    """A router that lets more through than the peer takes changes nothing."""
    host = world.host("host")
    peer = Peer(world, host)
    with host.socket() as sock:
        peer.greeted_by(sock)
        peer.say(SYN | ACK, mss=600)
        router = ("192.0.2.1", 0)
        told = Unreachable(router, (host.addresses[0], 0), errno.EMSGSIZE, peer.last(), 1400)
        host.deliver(told)
        sock.send(b"x" * 1800)
        assert {len(heard.payload) for heard in peer.heard} - {0} == {600}
