"""Keepalive: when an idle peer is probed, and when it is given up, as measured on Linux 6.18."""

from __future__ import annotations

import errno
import socket

import attrs
import pytest

from simnet import Deadlock
from simnet.api import Socket
from simnet.host import Host
from simnet.protocols.tcp_states import State
from simnet.wire import ACK, FIN, PSH, RST, SYN, Unreachable
from simnet.world import World
from tests.protocols.conversation import (
    HUP,
    IN,
    OUT,
    RDHUP,
    SPACE,
    Keep,
    Peer,
    bits,
    state_of,
    states_on,
    times,
)
from tests.protocols.test_tcp import error_of, flags_of


def watch(
    sock: Socket, idle: int, interval: int = 1, count: int = 3, user_timeout: int = 0
) -> None:
    """Switch keepalive on: seconds, seconds, a number, milliseconds."""
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, idle)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, interval)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPCNT, count)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, user_timeout)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)


def stay(world: World, until: float) -> None:
    """Let time pass: keepalive alone is no reason for it."""
    world.run(until=until)


def answered(world: World, peer: Peer, until: float, window: int = 65535) -> list[float]:
    """Answer every probe at once with a window, until then; when they came."""
    before = len(peer.heard)
    heard = peer.deliver

    def deliver(packet: object) -> None:
        heard(packet)  # type: ignore[arg-type]
        peer.say(ACK, window=window)

    peer.deliver = deliver  # type: ignore[method-assign]
    stay(world, until)
    peer.deliver = heard  # type: ignore[method-assign]
    return times(peer, before)


def test_what_a_router_said_is_the_reason(
    world: World, host: Host, peer: Peer, conn: Socket
) -> None:
    """That our last acknowledgement found no way, and nothing was heard since (tcp_write_err)."""
    peer.say(PSH | ACK, b"question")
    world.run(until=1)
    router = ("192.0.2.1", 0)
    host.deliver(Unreachable(router, (host.addresses[0], 0), errno.EHOSTUNREACH, peer.last()))
    watch(conn, idle=2, count=1)
    stay(world, 10)
    assert conn.recv(100) == b"question"
    assert error_of(conn) == errno.EHOSTUNREACH


# Schedules


@pytest.mark.parametrize(
    ("idle", "interval", "count", "probes", "end"),
    [
        (1, 1, 1, [1], 2),
        (1, 1, 2, [1, 2], 3),
        (1, 1, 3, [1, 2, 3], 4),
        (2, 3, 2, [2, 5], 8),
    ],
)
def test_a_silent_peer_is_probed_and_given_up(
    world: World,
    host: Host,
    peer: Peer,
    conn: Socket,
    idle: int,
    interval: int,
    count: int,
    probes: list[float],
    end: float,
) -> None:
    """A reset ends it, in case that somebody is there after all."""
    before = len(peer.heard)
    watch(conn, idle, interval, count)
    stay(world, end - 0.001)
    assert times(peer, before) == probes
    assert state_of(conn) is State.ESTABLISHED
    stay(world, end)
    reset = peer.last()
    assert times(peer, before) == [*probes, end]
    assert (reset.flags, reset.seq, reset.ack) == (RST | ACK, peer.ack, peer.seq)
    with pytest.raises(TimeoutError) as caught:
        conn.recv(1)
    assert caught.value.errno == errno.ETIMEDOUT
    assert conn.recv(1) == b""
    assert bits(host, conn) == IN | OUT | HUP | RDHUP
    with pytest.raises(BrokenPipeError):
        conn.send(b"x")


def test_the_defaults_are_the_hosts(world: World, host: Host, peer: Peer, conn: Socket) -> None:
    """Two hours, and nine probes 75 seconds apart, or what its limits say."""
    before = len(peer.heard)
    conn.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    stay(world, 8000)
    assert times(peer, before) == [7200 + 75 * i for i in range(10)]
    assert error_of(conn) == errno.ETIMEDOUT


def test_limits_of_the_host_count_at_once(
    world: World, host: Host, peer: Peer, conn: Socket
) -> None:
    """For sockets that have not set their own."""
    host.limits = attrs.evolve(
        host.limits, tcp_keepalive_time=5, tcp_keepalive_intvl=2, tcp_keepalive_probes=2
    )
    before = len(peer.heard)
    conn.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    stay(world, 20)
    assert times(peer, before) == [5, 7, 9]


def test_a_probe_is_an_old_segment_without_data(world: World, peer: Peer, conn: Socket) -> None:
    """So that the peer repeats its acknowledgement."""
    watch(conn, 1)
    stay(world, 1)
    probe = peer.last()
    assert (probe.flags, probe.payload) == (ACK, b"")
    assert (probe.seq, probe.ack) == ((peer.ack - 1) % SPACE, peer.seq)


def test_a_peer_that_answers_is_left_in_peace_for_as_long_again(
    world: World, peer: Peer, conn: Socket
) -> None:
    """And never given up."""
    watch(conn, 2, 1, 1)
    assert answered(world, peer, until=9) == [2, 4, 6, 8]
    assert state_of(conn) is State.ESTABLISHED


def test_a_late_answer_is_an_answer(world: World, peer: Peer, conn: Socket) -> None:
    """The count begins anew."""
    watch(conn, 1, 1, 3)
    stay(world, 3.5)
    before = len(peer.heard)
    peer.say(ACK)
    stay(world, 10)
    assert times(peer, before) == [4.5, 5.5, 6.5, 7.5]


def test_whatever_the_peer_says_ends_the_silence(world: World, peer: Peer, conn: Socket) -> None:
    """Data too."""
    before = len(peer.heard)
    watch(conn, 2, 1, 1)
    stay(world, 1.5)
    peer.say(PSH | ACK, b"x")
    stay(world, 3.6)
    assert times(peer, before) == [1.5, 3.5]


@pytest.mark.parametrize(
    ("user_timeout", "probes", "end"), [(500, [1], 2), (2500, [1, 2], 3), (4500, [1, 2, 3, 4], 5)]
)
def test_a_user_timeout_takes_the_place_of_the_count(
    world: World, peer: Peer, conn: Socket, user_timeout: int, probes: list[float], end: float
) -> None:
    """The first timer after it with a probe unanswered; it counts from the last word."""
    before = len(peer.heard)
    watch(conn, 1, 1, 3, user_timeout)
    stay(world, 10)
    assert times(peer, before) == [*probes, end]
    assert peer.last().flags == RST | ACK
    assert error_of(conn) == errno.ETIMEDOUT


# What it does not do


def test_unacknowledged_data_is_probe_enough(world: World, peer: Peer, conn: Socket) -> None:
    """Repeating it finds out, in its own time."""
    before = len(peer.heard)
    watch(conn, 1, 1, 1)
    conn.send(b"x")
    stay(world, 15)
    assert state_of(conn) is State.ESTABLISHED
    assert {(s.payload, s.flags) for s in peer.heard[before:]} == {(b"x", PSH | ACK)}


def test_unsent_data_is_probe_enough(world: World, peer: Peer, sock: Socket) -> None:
    """Its window is probed."""
    peer.greeted_by(sock)
    peer.say(SYN | ACK, mss=1460, window=5)
    watch(sock, 1, 1, 1)
    sock.send(b"0123456789")
    peer.say(ACK, window=0)
    stay(world, 15)
    assert state_of(sock) is State.ESTABLISHED
    assert not any(segment.flags & RST for segment in peer.heard)


def test_it_begins_again_when_the_data_is_acknowledged(
    world: World, peer: Peer, conn: Socket
) -> None:
    """A silence later."""
    watch(conn, 3, 1, 1)
    conn.send(b"x")
    stay(world, 4)
    peer.say(ACK)
    before = len(peer.heard)
    stay(world, 20)
    assert times(peer, before) == [7, 8]


def test_switching_it_off_ends_it(world: World, peer: Peer, conn: Socket) -> None:
    """Also between two probes."""
    watch(conn, 1, 1, 3)
    stay(world, 1.5)
    conn.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 0)
    before = len(peer.heard)
    stay(world, 100)
    assert peer.heard[before:] == []
    assert state_of(conn) is State.ESTABLISHED


def test_a_closed_connection_is_not_watched(world: World, peer: Peer, conn: Socket) -> None:
    """It has timers of its own."""
    watch(conn, 1, 1, 1)
    conn.close()
    peer.say(ACK)
    before = len(peer.heard)
    stay(world, 30)
    assert peer.heard[before:] == []
    assert states_on(peer.host) == [State.FIN_WAIT2]


# When it begins


def test_the_first_silence_begins_when_it_is_switched_on(
    world: World, peer: Peer, conn: Socket
) -> None:
    """However long there was silence before."""
    stay(world, 2.5)
    before = len(peer.heard)
    watch(conn, 1)
    stay(world, 3.6)
    assert times(peer, before) == [3.5]


def test_a_shorter_silence_counts_from_the_last_word(
    world: World, peer: Peer, conn: Socket
) -> None:
    """TCP_KEEPIDLE while it is on: it may be over already."""
    conn.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    stay(world, 2.5)
    before = len(peer.heard)
    conn.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, 1)
    stay(world, 2.6)
    assert times(peer, before) == [2.5]


def test_switching_it_on_again_changes_nothing(world: World, peer: Peer, conn: Socket) -> None:
    """The next probe comes when it would have."""
    watch(conn, 2, 1, 9)
    stay(world, 1.5)
    before = len(peer.heard)
    conn.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    stay(world, 2.5)
    conn.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    stay(world, 3.5)
    assert times(peer, before) == [2, 3]


def test_it_may_be_asked_for_before_connecting(world: World, peer: Peer, sock: Socket) -> None:
    """It begins when the connection does."""
    watch(sock, 1, 1, 1)
    peer.greeted_by(sock)
    stay(world, 0.5)
    peer.say(SYN | ACK, mss=1460)
    before = len(peer.heard)
    stay(world, 5)
    assert times(peer, before) == [1.5, 2.5]
    assert error_of(sock) == errno.ETIMEDOUT


def test_who_is_accepted_inherits_it(
    world: World, peer: Peer, listener: Socket, keep: Keep
) -> None:
    """From the listener, with the times (sk_clone_lock)."""
    watch(listener, 1, 2, 1)
    conn = keep(peer.connect(listener))
    assert conn.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE) == 1
    before = len(peer.heard)
    stay(world, 5)
    assert times(peer, before) == [1, 3]


# Half closed, and rebooted


def test_a_half_closed_connection_is_watched(world: World, peer: Peer, conn: Socket) -> None:
    """Its peer may be gone too."""
    peer.say(FIN | ACK)
    watch(conn, 1, 1, 1)
    stay(world, 5)
    assert flags_of(peer.heard[-2:]) == [ACK, RST | ACK]
    assert conn.recv(1) == b""
    assert error_of(conn) == errno.ETIMEDOUT


def test_a_rebooted_peer_answers_with_a_reset(world: World, peer: Peer, conn: Socket) -> None:
    """Which is what probes are for."""
    watch(conn, 1)
    stay(world, 1)
    peer.say(RST, seq=peer.last().ack)
    assert error_of(conn) == errno.ECONNRESET


# Real peers


@pytest.mark.parametrize("latency", [0.0, 0.02])
def test_a_live_peer_is_never_given_up(keep: Keep, latency: float) -> None:
    """Not in a week of silence; and a reader who waits for it for ever is a deadlock."""
    with World() as world:
        client, server = world.host("client"), world.host("server")
        world.link(client, server, latency=latency)
        listener = keep(server.create_server((server.addresses[0], 80)))
        conn = keep(client.create_connection(listener.getsockname()))
        peer = keep(listener.accept()[0])
        watch(conn, 3600, 75, 9)
        world.run(until=7 * 86400)
        peer.send(b"x")
        assert conn.recv(1) == b"x"
        with pytest.raises(Deadlock):
            conn.recv(1)


def test_a_peer_that_closed_is_found_alive_until_it_forgets(keep: Keep) -> None:
    """A minute in FIN_WAIT2; then it does not know the connection any more."""
    with World() as world:
        client, server = world.host("client"), world.host("server")
        world.link(client, server, latency=0.01)
        listener = keep(server.create_server((server.addresses[0], 80)))
        conn = keep(client.create_connection(listener.getsockname()))
        keep(listener.accept()[0]).close()
        watch(conn, 10, 1, 2)
        world.run(until=55)
        assert state_of(conn) is State.CLOSE_WAIT
        world.run(until=80)
        assert state_of(conn) is State.CLOSE
        assert error_of(conn) == errno.EPIPE


def test_a_reader_learns_of_a_crashed_peer(keep: Keep) -> None:
    """Without keepalive it would wait for ever."""
    with World() as world:
        client, server = world.host("client"), world.host("server")
        world.link(client, server, latency=0.01)
        listener = keep(server.create_server((server.addresses[0], 80)))
        conn = keep(client.create_connection(listener.getsockname()))
        began = world.now
        watch(conn, 10, 5, 3)
        world.crash(server)
        with pytest.raises(TimeoutError):
            conn.recv(1)
        assert world.now - began == 10 + 3 * 5


def test_a_reader_without_keepalive_waits_for_a_crashed_peer_for_ever(keep: Keep) -> None:
    """Nothing will ever tell it."""
    with World() as world:
        client, server = world.host("client"), world.host("server")
        world.link(client, server, latency=0.01)
        listener = keep(server.create_server((server.addresses[0], 80)))
        conn = keep(client.create_connection(listener.getsockname()))
        world.crash(server)
        with pytest.raises(Deadlock, match="recv"):
            conn.recv(1)
