"""SYN cookies: a flooded listener still serves who answers it."""

from __future__ import annotations

import attrs
import pytest

from simnet.api import Socket
from simnet.host import Host
from simnet.protocols.tcp_states import State
from simnet.wire import ACK, PSH, RST, SYN, Segment
from simnet.world import World
from tests.protocols.conversation import Keep, Peer, state_of

PORT = 8080


@pytest.fixture
def listener(host: Host, keep: Keep) -> Socket:
    """A server whose backlog is 1: two incomplete connections are all that it remembers."""
    return keep(host.create_server((host.addresses[0], PORT), backlog=1))


def flood(peer: Peer, host: Host, count: int = 2) -> None:
    """SYNs that nobody will follow up."""
    for port in range(1000, 1000 + count):
        syn = Segment((peer.ip, port), (host.addresses[0], PORT), port, 0, SYN, 65535, mss=1460)
        host.deliver(syn)
    peer.world.wire.flush()


def greet(peer: Peer, host: Host, **options: int) -> Segment:
    """The answer to a SYN from the peer's own port."""
    peer.other = (host.addresses[0], PORT)
    (answer,) = peer.say(SYN, **{"mss": 1460, "wscale": 7, **options})
    return answer


def test_a_flooded_listener_answers_with_a_cookie(host: Host, peer: Peer, listener: Socket) -> None:
    """A SYN|ACK without window scaling; nothing is repeated, for nothing is remembered."""
    flood(peer, host)
    answer = greet(peer, host)
    assert answer.flags == SYN | ACK
    assert answer.wscale is None
    before = len(host.tcp_ports.connections)
    peer.world.run(until=100)
    assert len(host.tcp_ports.connections) < before
    assert [heard for heard in peer.heard if heard.destination == peer.address] == [answer]


def test_the_answer_to_a_cookie_is_a_connection(
    host: Host, peer: Peer, listener: Socket, keep: Keep
) -> None:
    """Its first data too; windows are as they stand, without a scale."""
    flood(peer, host)
    greet(peer, host)
    peer.say(ACK)
    peer.say(ACK | PSH, b"hello")
    conn = keep(listener.accept()[0])
    assert state_of(conn) is State.ESTABLISHED
    assert conn.recv(100) == b"hello"
    conn.send(b"x" * 100_000)
    assert sum(len(heard.payload) for heard in peer.heard) <= 65535
    assert max(heard.window for heard in peer.heard) <= 65535


def test_data_may_come_with_the_answer(
    host: Host, peer: Peer, listener: Socket, keep: Keep
) -> None:
    """The bare acknowledgement was lost."""
    flood(peer, host)
    greet(peer, host)
    peer.say(ACK | PSH, b"hello")
    conn = keep(listener.accept()[0])
    assert conn.recv(100) == b"hello"


def test_small_segments_are_agreed_on(host: Host, peer: Peer, listener: Socket, keep: Keep) -> None:
    """The largest of four sizes that the peer takes."""
    flood(peer, host)
    greet(peer, host, mss=1400)
    peer.say(ACK)
    conn = keep(listener.accept()[0])
    conn.send(b"x" * 3900)
    assert {len(heard.payload) for heard in peer.heard} - {0} == {1300}


def test_a_connection_from_a_cookie_knows_nothing_of_the_path(
    host: Host, peer: Peer, listener: Socket, keep: Keep
) -> None:
    """Its first time-out is three seconds (RFC 6298, section 5.7); measured on Linux."""
    flood(peer, host)
    greet(peer, host)
    peer.say(ACK)
    conn = keep(listener.accept()[0])
    before = len(peer.heard)
    conn.send(b"x")
    peer.world.run(until=4)
    again = [
        when
        for when, heard in zip(peer.times[before:], peer.heard[before:], strict=True)
        if heard.payload
    ]
    assert again == [0, 3]


def test_an_invented_cookie_is_refused(host: Host, peer: Peer, listener: Socket) -> None:
    """RST, as for any acknowledgement of nothing."""
    flood(peer, host)
    answer = greet(peer, host)
    (refused,) = peer.say(ACK, ack=(answer.seq + 5) & 0xFFFFFFFF)
    assert refused.flags & RST


def test_a_cookie_does_not_last_for_ever(host: Host, peer: Peer, listener: Socket) -> None:
    """Two minutes after the flood it counts no more."""
    flood(peer, host)
    greet(peer, host)
    peer.world.run(until=121)
    (refused,) = peer.say(ACK)
    assert refused.flags & RST


def test_a_full_accept_queue_takes_no_cookies(
    host: Host, peer: Peer, listener: Socket, keep: Keep
) -> None:
    """The acknowledgement is dropped, and the SYNs are."""
    flood(peer, host)
    greet(peer, host)
    for _ in range(2):
        keep(host.socket()).connect(listener.getsockname())
    assert peer.say(ACK) == []


def test_without_cookies_a_flood_keeps_others_out(host: Host, peer: Peer, listener: Socket) -> None:
    """net.ipv4.tcp_syncookies 0: the SYN is dropped."""
    host.limits = attrs.evolve(host.limits, tcp_syncookies=False)
    flood(peer, host)
    peer.other = (host.addresses[0], PORT)
    assert peer.say(SYN, mss=1460) == []


def test_a_flood_keeps_out_clients_on_an_ideal_path(
    host: Host, peer: Peer, listener: Socket, keep: Keep
) -> None:
    """The short cut leads to no other listener than the segments do."""
    host.limits = attrs.evolve(host.limits, tcp_syncookies=False)
    flood(peer, host)
    client = keep(host.socket())
    client.settimeout(0.5)
    with pytest.raises(TimeoutError):
        client.connect(listener.getsockname())


def test_a_peer_that_offers_no_scaling_gets_none(
    host: Host, peer: Peer, listener: Socket, keep: Keep
) -> None:
    """Neither in the SYN|ACK nor in the windows after it (RFC 7323, section 1.3)."""
    peer.other = listener.getsockname()
    (answer,) = peer.say(SYN, mss=1460)
    assert answer.wscale is None
    peer.say(ACK)
    keep(listener.accept()[0])
    peer.say(ACK | PSH, b"x" * 1000)
    assert peer.last().window > 60_000


def test_many_clients_at_once_are_served_despite_a_small_backlog() -> None:
    """More SYNs than the listener remembers arrive before any is answered."""
    with World() as world:
        server, client = world.host("server"), world.host("client")
        world.link(server, client, latency=0.05)
        listener = server.create_server(("", PORT), backlog=5)

        def serve() -> None:
            while True:
                with listener.accept()[0] as conn:
                    conn.sendall(conn.recv(100))

        def ask() -> bytes:
            with client.create_connection(("server", PORT)) as conn:
                conn.sendall(b"hello")
                return conn.recv(100)

        server.spawn(serve)
        tasks = [client.spawn(ask) for _ in range(20)]
        world.run()
        assert [task.result() for task in tasks] == [b"hello"] * 20
        listener.close()
