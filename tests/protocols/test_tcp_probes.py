"""A closed window: how it is probed, for how long, and how it opens; as measured on Linux 6.18."""

from __future__ import annotations

import errno
import socket
from itertools import pairwise

import pytest

from simnet import Deadlock
from simnet.api import Socket
from simnet.host import Host
from simnet.protocols.tcp_states import State
from simnet.wire import ACK, FIN, PSH, RST, SYN
from simnet.world import World
from tests.protocols.conversation import (
    HUP,
    IN,
    OUT,
    RDHUP,
    SPACE,
    Keep,
    Limit,
    Peer,
    bits,
    conversation,
    state_of,
    states_on,
    times,
)
from tests.protocols.test_tcp import error_of
from tests.protocols.test_tcp_keepalive import answered
from tests.protocols.test_tcp_retransmission import TIME_OUT

# When probes come, in seconds after the window was closed: each time-out twice as long.
PROBES = [round(TIME_OUT * (2**i - 1), 3) for i in range(1, 10)]


@pytest.fixture
def stuffed(peer: Peer, sock: Socket) -> Socket:
    """A socket with five bytes more to say than the peer takes, which has said so."""
    peer.greeted_by(sock)
    peer.say(SYN | ACK, mss=1460, window=5)
    sock.send(b"0123456789")
    peer.say(ACK, window=0)
    peer.heard.clear()
    peer.times.clear()
    return sock


# Schedules


@pytest.mark.parametrize("alive", [False, True], ids=["silent", "answered"])
def test_probes_come_after_twice_as_long_each_time(
    world: World, peer: Peer, stuffed: Socket, alive: bool
) -> None:
    """Whether they are answered or not; the first after a time-out."""
    if alive:
        assert answered(world, peer, until=30, window=0) == PROBES[:7]
    else:
        world.run(until=30)
        assert times(peer) == PROBES[:7]
    assert state_of(stuffed) is State.ESTABLISHED


def test_a_probe_is_an_old_segment_without_data(world: World, peer: Peer, stuffed: Socket) -> None:
    """So that the peer repeats its window."""
    world.run(until=1)
    assert {(s.flags, s.payload, s.seq) for s in peer.heard} == {(ACK, b"", (peer.ack - 1) % SPACE)}


def test_there_are_two_minutes_between_probes_at_most(
    world: World, peer: Peer, stuffed: Socket
) -> None:
    """TCP_RTO_MAX."""
    found = answered(world, peer, until=3600, window=0)
    gaps = [round(b - a, 3) for a, b in pairwise(found)]
    assert gaps[-5:] == [120] * 5
    assert gaps == sorted(gaps)


def test_a_peer_that_answers_is_never_given_up(world: World, peer: Peer, stuffed: Socket) -> None:
    """It may be asleep for a day."""
    answered(world, peer, until=86400, window=0)
    (rest,) = peer.say(ACK, window=100)
    assert rest.payload == b"56789"


@pytest.mark.parametrize("retries", [1, 2, 5])
def test_a_dead_peer_is_given_up(
    world: World, host: Host, peer: Peer, stuffed: Socket, limit: Limit, retries: int
) -> None:
    """At the timer after tcp_retries2 probes; without a reset."""
    limit(tcp_retries2=retries)
    world.run()
    assert times(peer) == PROBES[:retries]
    assert round(world.now, 3) == PROBES[retries]
    assert not any(segment.flags & RST for segment in peer.heard)
    with pytest.raises(TimeoutError) as caught:
        stuffed.send(b"x")
    assert caught.value.errno == errno.ETIMEDOUT
    assert bits(host, stuffed) == IN | OUT | HUP | RDHUP


def test_one_answer_is_enough_to_begin_the_count_anew(
    world: World, peer: Peer, stuffed: Socket, limit: Limit
) -> None:
    """But not the doubling."""
    limit(tcp_retries2=3)
    world.run(until=1)
    peer.say(ACK, window=0)
    world.run()
    assert times(peer)[:2] == PROBES[:2]
    gaps = [round(b - a, 3) for a, b in pairwise([1.0, *times(peer)[2:]])]
    assert gaps == [4 * TIME_OUT, 8 * TIME_OUT, 8 * TIME_OUT]
    assert error_of(stuffed) == errno.ETIMEDOUT


@pytest.mark.parametrize("alive", [False, True], ids=["silent", "answered"])
def test_a_user_timeout_gives_up_a_live_peer_too(
    world: World, peer: Peer, stuffed: Socket, alive: bool
) -> None:
    """So long after the first probe, to the millisecond."""
    stuffed.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, 2000)
    if alive:
        answered(world, peer, until=TIME_OUT + 1.999, window=0)
    world.run(until=TIME_OUT + 1.999)
    assert state_of(stuffed) is State.ESTABLISHED
    world.run()
    assert round(world.now, 3) == TIME_OUT + 2
    assert times(peer) == PROBES[:3]
    assert error_of(stuffed) == errno.ETIMEDOUT
    assert states_on(peer.host) == []


# How it opens


def test_a_probe_finds_a_window_whose_announcement_was_lost(
    world: World, peer: Peer, stuffed: Socket
) -> None:
    """That is what it is for."""
    world.run(until=0.3)
    assert times(peer) == PROBES[:1]
    (rest,) = peer.say(ACK, window=1000)
    assert rest.payload == b"56789"
    peer.say(ACK)
    world.run()
    assert world.now == 0.3


def test_what_fits_is_sent_and_the_rest_waits(world: World, peer: Peer, stuffed: Socket) -> None:
    """The next probe comes a time-out after the acknowledgement of that, as for the first time."""
    world.run(until=1)
    (part,) = peer.say(ACK, window=2)
    assert part.payload == b"56"
    peer.heard.clear()
    peer.times.clear()
    peer.say(ACK, window=0)
    world.run(until=3)
    assert times(peer) == [round(1 + probe, 3) for probe in PROBES[:3]]


# Nobody left


def test_a_closed_socket_probes_for_a_peer_that_answers(
    world: World, peer: Peer, stuffed: Socket
) -> None:
    """What it has to say is still to be delivered, with its FIN."""
    stuffed.close()
    answered(world, peer, until=100, window=0)
    (rest,) = peer.say(ACK, window=100)
    assert (rest.payload, rest.flags) == (b"56789", FIN | PSH | ACK)


@pytest.mark.parametrize(("retries", "count"), [(1, 1), (3, 3), (0, 8)])
def test_a_closed_socket_gives_a_dead_peer_up_sooner(
    world: World, peer: Peer, stuffed: Socket, limit: Limit, retries: int, count: int
) -> None:
    """After tcp_orphan_retries probes, of which 0 means 8."""
    limit(tcp_orphan_retries=retries)
    stuffed.close()
    world.run()
    assert times(peer) == PROBES[:count]
    assert states_on(peer.host) == []
    assert not any(segment.flags & RST for segment in peer.heard)


# The peer's side


def fill(world: World, keep: Keep) -> tuple[Socket, Socket]:
    """A blocking writer whose reader's buffer of four kilobytes is full, and the reader."""
    client, server = world.host("client"), world.host("server")
    world.link(client, server, latency=0.01)
    listener = keep(server.socket())
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
    listener.bind((server.addresses[0], 80))
    listener.listen()
    conn = keep(client.create_connection(listener.getsockname()))
    peer = keep(listener.accept()[0])
    conn.send(bytes(10_000))
    world.run(until=5)
    return conn, peer


def test_probes_are_answered_unless_one_was_just_answered(keep: Keep) -> None:
    """Two within half a second get one answer (tcp_invalid_ratelimit)."""
    with World(record=True) as world:
        fill(world, keep)
        said = [line.split(" ", 1) for line in conversation(world, timed=True)]
        probes = [float(when) for when, line in said if line == "client: ACK 4096(0) ack 1"]
        answers = [float(when) - 10 for when, line in said if line == "server: ACK 1(0) ack 4097"]
        assert len(probes) == 4
        gaps = [b - a for a, b in pairwise(probes)]
        assert gaps[0] < 500 < gaps[1]
        assert [probe for probe in probes if probe in answers] == [probes[0], *probes[2:]]


def test_a_reader_announces_room_only_when_there_is_much(keep: Keep) -> None:
    """No silly windows: half the buffer, or a full segment (RFC 9293, section 3.8.6.2.2)."""
    with World(record=True) as world:
        _, peer = fill(world, keep)
        before = len(conversation(world))
        peer.recv(100)
        world.run(until=5.001)
        assert len(conversation(world)) == before
        peer.recv(2000)
        world.run(until=5.002)
        assert conversation(world)[before:] == ["server: ACK 1(0) ack 4097"]


def test_a_lost_announcement_is_made_good_by_a_probe(keep: Keep) -> None:
    """Otherwise both would wait for ever."""
    with World() as world:
        conn, peer = fill(world, keep)
        with world.partition("server", "client", one_way=True):
            assert len(peer.recv(4096)) == 4096
            world.run(until=5.5)
        received = 4096
        while received < 10_000:
            received += len(peer.recv(4096))
        assert 5.5 < world.now < 15
        conn.close()
        assert peer.recv(1) == b""


def test_a_writer_to_a_reader_that_never_reads_is_a_deadlock(keep: Keep) -> None:
    """And not a world that probes for ever."""
    with World() as world:
        conn, _ = fill(world, keep)
        with pytest.raises(Deadlock, match="send"):
            conn.sendall(bytes(10_000_000))


def test_a_world_with_a_stuffed_connection_comes_to_rest(keep: Keep) -> None:
    """Once a probe was answered nothing new will happen."""
    with World() as world:
        fill(world, keep)
        world.run()
        assert world.now < 10


def test_a_crash_of_a_stuffed_peer_is_found_out(keep: Keep) -> None:
    """Its probes go unanswered, and the writer is told."""
    with World() as world:
        conn, _ = fill(world, keep)
        world.crash("server")
        with pytest.raises(TimeoutError):
            conn.sendall(bytes(10_000_000))
        assert world.now > 600


def test_an_open_window_ends_the_doubling(world: World, peer: Peer, stuffed: Socket) -> None:
    """What goes out then is repeated after one time-out, however long the probes were apart."""
    for window in (0, 0, 0, 0):
        world.run(until=world.now + 4)
        peer.say(ACK, window=window)
    before = len(peer.heard)
    peer.say(ACK, window=100)
    opened = world.now
    world.run(until=opened + 0.5)
    sent = [(heard.payload, at) for heard, at in zip(peer.heard, peer.times, strict=True)][before:]
    assert [payload for payload, _ in sent] == [b"56789", b"56789"]
    assert sent[1][1] - opened == pytest.approx(TIME_OUT)
