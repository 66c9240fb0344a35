"""When what is lost is sent again, and when it is given up, as measured on Linux 6.18.

The kernel's timers are a few per cent late; here they are exact. Without latency the time-out is
204 ms: 200, and the round trip, in whole jiffies of 4 ms.
"""

from __future__ import annotations

import errno
import socket

import pytest

from simnet.api import Socket
from simnet.faults import Delivery
from simnet.host import Host
from simnet.links import Link
from simnet.protocols.tcp_states import State
from simnet.wire import ACK, FIN, PSH, RST, SYN, URG, Packet, Unreachable
from simnet.world import World
from tests.protocols.conversation import (
    ERR,
    HUP,
    IN,
    OUT,
    RDHUP,
    Keep,
    Limit,
    Peer,
    bits,
    state_of,
    states_on,
    times,
)
from tests.protocols.test_tcp import error_of

TIME_OUT = 0.204


# SYN


@pytest.mark.parametrize(
    ("retries", "sent", "end"),
    [
        (1, [0, 1, 2], 3),
        (2, [0, 1, 2, 3, 4, 5], 7),
        (3, [0, 1, 2, 3, 4, 5, 7, 11], 19),
        (7, [0, 1, 2, 3, 4, 5, 7, 11, 19, 35, 67, 131], 251),
    ],
)
@pytest.mark.parametrize("by_option", [False, True], ids=["sysctl", "TCP_SYNCNT"])
def test_a_syn_is_repeated_and_given_up(
    world: World,
    peer: Peer,
    sock: Socket,
    limit: Limit,
    retries: int,
    sent: list[int],
    end: int,
    by_option: bool,
) -> None:
    """A second apart at first, then twice as long each time, up to two minutes."""
    if by_option:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_SYNCNT, retries)
    else:
        limit(tcp_syn_retries=retries)
    with pytest.raises(TimeoutError) as caught:
        sock.connect(peer.address)
    assert caught.value.errno == errno.ETIMEDOUT
    assert (times(peer), world.now) == (sent, end)


def test_a_host_may_repeat_no_syn_a_second_apart(
    world: World, peer: Peer, sock: Socket, limit: Limit
) -> None:
    """As before Linux 6.5 (tcp_syn_linear_timeouts)."""
    limit(tcp_syn_linear_timeouts=0, tcp_syn_retries=3)
    with pytest.raises(TimeoutError):
        sock.connect(peer.address)
    assert (times(peer), world.now) == ([0, 1, 3, 7], 15)


@pytest.mark.parametrize(
    ("user_timeout", "sent", "end"),
    [(500, [0, 1], 1.004), (1500, [0, 1], 1.5), (2500, [0, 1, 2], 2.5)],
)
def test_a_user_timeout_ends_connecting(
    world: World, peer: Peer, sock: Socket, user_timeout: int, sent: list[int], end: float
) -> None:
    """The first timer is not shortened; the others are, by a jiffy at least."""
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, user_timeout)
    with pytest.raises(TimeoutError):
        sock.connect(peer.address)
    assert (times(peer), world.now) == (sent, end)


def test_a_long_user_timeout_does_not_add_attempts(world: World, peer: Peer, sock: Socket) -> None:
    """TCP_SYNCNT counts all the same."""
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, 100_000)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_SYNCNT, 1)
    with pytest.raises(TimeoutError):
        sock.connect(peer.address)
    assert (times(peer), world.now) == ([0, 1, 2, 3, 4, 5], 7)


def test_what_a_blocking_attempt_leaves(host: Host, peer: Peer, sock: Socket) -> None:
    """A socket that may try again."""
    with pytest.raises(TimeoutError):
        sock.connect(peer.address)
    assert bits(host, sock) == OUT | HUP
    assert error_of(sock) == 0
    sock.setblocking(False)
    assert sock.connect_ex(peer.address) == errno.EINPROGRESS


def test_what_a_non_blocking_attempt_leaves(
    world: World, host: Host, peer: Peer, sock: Socket
) -> None:
    """The error once; then a connect() that clears up."""
    peer.greeted_by(sock)
    assert bits(host, sock) == 0
    world.run()
    assert bits(host, sock) == IN | OUT | ERR | HUP | RDHUP
    assert error_of(sock) == errno.ETIMEDOUT
    assert bits(host, sock) == IN | OUT | HUP | RDHUP
    assert sock.connect_ex(peer.address) == errno.ECONNABORTED
    assert sock.connect_ex(peer.address) == errno.EINPROGRESS


# SYN|ACK


@pytest.mark.parametrize(("retries", "sent"), [(1, [0, 1]), (2, [0, 1, 3]), (3, [0, 1, 3, 7])])
@pytest.mark.parametrize("by_option", [False, True], ids=["sysctl", "TCP_SYNCNT"])
def test_a_listener_repeats_its_answer(
    world: World,
    peer: Peer,
    listener: Socket,
    limit: Limit,
    retries: int,
    sent: list[int],
    by_option: bool,
) -> None:
    """Then it forgets who called."""
    if by_option:
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_SYNCNT, retries)
    else:
        limit(tcp_synack_retries=retries)
    # It has nothing to say here.
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, 500)
    peer.other = listener.getsockname()
    peer.say(SYN)
    world.run()
    assert times(peer) == sent
    assert world.now == 2 ** (retries + 1) - 1
    assert states_on(peer.host) == []


@pytest.mark.parametrize(
    ("again", "sent"),
    [
        ([0.3], [0, 0.3, 1.3, 3.3, 7.3]),
        ([0.6], [0, 0.6, 1.6, 3.6, 7.6]),
        ([0.6, 1.2], [0, 0.6, 1.2, 2.2, 4.2]),
        ([2.0], [0, 1, 2, 4]),
    ],
)
def test_a_repeated_syn_is_answered_and_puts_the_timer_off(
    world: World, peer: Peer, listener: Socket, again: list[float], sent: list[float]
) -> None:
    """It runs as long as it last did, from then on (tcp_check_req)."""
    peer.other = listener.getsockname()
    peer.say(SYN)
    for seconds in again:
        world.run(until=seconds)
        peer.say(SYN, seq=peer.seq - 1)
    world.run(until=7.9)
    assert times(peer) == sent
    assert {segment.flags for segment in peer.heard} == {SYN | ACK}


def test_a_simultaneous_open_is_repeated_like_a_syn(world: World, peer: Peer, sock: Socket) -> None:
    """As often, but never a second apart."""
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_SYNCNT, 2)
    peer.greeted_by(sock)
    peer.say(SYN)
    world.run()
    assert times(peer, since=1) == [0, 1, 3]
    assert world.now == 7
    assert error_of(sock) == errno.ETIMEDOUT


# The first time-out


def time_out_of(world: World, peer: Peer, sock: Socket) -> float:
    """How long it takes until what is sent now is sent again."""
    before = len(peer.heard)
    sock.send(b"x")
    world.run(until=world.now + 5)
    first, second = times(peer, since=before)[:2]
    return round(second - first, 3)


def test_a_repeated_syn_makes_the_first_time_out_three_seconds(
    world: World, peer: Peer, sock: Socket
) -> None:
    """Nothing was measured (RFC 6298, section 5.7)."""
    peer.greeted_by(sock)
    world.run(until=1.5)
    peer.say(SYN | ACK, mss=1460)
    assert time_out_of(world, peer, sock) == 3


@pytest.mark.parametrize("by_timer", [False, True])
def test_a_repeated_answer_makes_it_three_seconds_too(
    world: World, peer: Peer, listener: Socket, keep: Keep, by_timer: bool
) -> None:
    """Whoever asked for the repetition."""
    peer.other = listener.getsockname()
    peer.say(SYN, mss=1460)
    world.run(until=1.1 if by_timer else 0.6)
    if not by_timer:
        peer.say(SYN, mss=1460, seq=peer.seq - 1)
    peer.say(ACK)
    assert time_out_of(world, peer, keep(listener.accept()[0])) == 3


def test_the_handshake_is_the_first_measurement(world: World, peer: Peer, sock: Socket) -> None:
    """The round trip and 200 ms, or three round trips."""
    peer.greeted_by(sock)
    world.run(until=0.5)
    peer.say(SYN | ACK, mss=1460)
    assert time_out_of(world, peer, sock) == 1.5


# Data and FIN


def lose_all(conn: Socket, peer: Peer) -> int:
    """Send something that nobody acknowledges; how many segments were heard before."""
    before = len(peer.heard)
    conn.send(b"lost")
    return before


# What is sent again, in seconds after it was sent first.
DOUBLING = [round(TIME_OUT * (2**i - 1), 3) for i in range(10)]


def test_data_is_sent_again_after_twice_as_long_each_time(
    world: World, peer: Peer, conn: Socket
) -> None:
    """Up to two minutes, and given up after the patience of fifteen retries."""
    before = lose_all(conn, peer)
    world.run()
    slow = [round(DOUBLING[-1] + 104.448 + 120 * i, 3) for i in range(6)]
    assert times(peer, before) == DOUBLING + slow
    assert len({(s.seq, s.payload, s.flags) for s in peer.heard[before:]}) == 1
    assert world.now == pytest.approx(slow[-1] + 120)
    # The first that comes 924.6 s after the first repetition.
    assert world.now - TIME_OUT >= 924.6 > slow[-1] - TIME_OUT


@pytest.mark.parametrize(("retries", "count"), [(1, 3), (2, 4), (3, 5)])
def test_data_is_given_up_when_the_retries_have_passed(
    world: World, peer: Peer, conn: Socket, limit: Limit, retries: int, count: int
) -> None:
    """tcp_retries2 is a time: what so many doublings of 200 ms take, after the first repetition."""
    limit(tcp_retries2=retries)
    before = lose_all(conn, peer)
    world.run()
    assert times(peer, before) == DOUBLING[:count]
    assert world.now == pytest.approx(DOUBLING[count])
    assert error_of(conn) == errno.ETIMEDOUT


@pytest.mark.parametrize(
    ("user_timeout", "count", "end"),
    [(300, 2, 0.504), (1000, 3, 1.204), (3000, 5, 3.204)],
)
def test_a_user_timeout_takes_the_place_of_retries(
    world: World, peer: Peer, conn: Socket, user_timeout: int, count: int, end: float
) -> None:
    """To the millisecond, from the first repetition on."""
    conn.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, user_timeout)
    before = lose_all(conn, peer)
    world.run()
    assert times(peer, before) == DOUBLING[:count]
    assert round(world.now, 3) == end
    assert error_of(conn) == errno.ETIMEDOUT


def test_after_giving_up_reads_and_writes_tell_the_error_once(
    world: World, host: Host, peer: Peer, conn: Socket, limit: Limit
) -> None:
    """Then the end of the file, and a broken pipe."""
    limit(tcp_retries2=1)
    lose_all(conn, peer)
    world.run()
    assert bits(host, conn) == IN | OUT | ERR | HUP | RDHUP
    with pytest.raises(TimeoutError) as caught:
        conn.recv(10)
    assert caught.value.errno == errno.ETIMEDOUT
    assert conn.recv(10) == b""
    assert bits(host, conn) == IN | OUT | HUP | RDHUP
    with pytest.raises(BrokenPipeError):
        conn.send(b"x")
    with pytest.raises(OSError, match="not connected"):
        conn.getpeername()


def test_after_giving_up_a_write_may_tell_the_error(
    world: World, peer: Peer, conn: Socket, limit: Limit
) -> None:
    """Whoever comes first."""
    limit(tcp_retries2=1)
    lose_all(conn, peer)
    world.run()
    with pytest.raises(TimeoutError):
        conn.send(b"x")
    with pytest.raises(BrokenPipeError):
        conn.send(b"x")
    assert conn.recv(10) == b""


def test_what_had_arrived_can_still_be_read(
    world: World, peer: Peer, conn: Socket, limit: Limit
) -> None:
    """Before the error."""
    limit(tcp_retries2=1)
    peer.say(PSH | ACK, b"arrived")
    lose_all(conn, peer)
    world.run()
    assert conn.recv(100) == b"arrived"
    with pytest.raises(TimeoutError):
        conn.recv(100)


def test_giving_up_is_silent(world: World, peer: Peer, conn: Socket, limit: Limit) -> None:
    """No reset: nobody would hear it. A peer that speaks later gets one."""
    limit(tcp_retries2=1)
    lose_all(conn, peer)
    world.run()
    assert not any(segment.flags & RST for segment in peer.heard)
    (answer,) = peer.say(PSH | ACK, b"still there?")
    assert answer.flags == RST


def test_a_blocked_writer_is_told(world: World, peer: Peer, conn: Socket, limit: Limit) -> None:
    """It waits for room that never comes."""
    limit(tcp_retries2=2)
    conn.setblocking(True)
    with pytest.raises(TimeoutError) as caught:
        conn.sendall(bytes(10_000_000))
    assert caught.value.errno == errno.ETIMEDOUT
    assert round(world.now, 3) == DOUBLING[4]


def test_a_fin_is_repeated_like_data(world: World, peer: Peer, conn: Socket) -> None:
    """Of a socket that is shut down, but not closed."""
    before = len(peer.heard)
    conn.shutdown(socket.SHUT_WR)
    world.run(until=7)
    assert times(peer, before) == DOUBLING[:6]
    assert {segment.flags for segment in peer.heard[before:]} == {FIN | ACK}


@pytest.mark.parametrize(("retries", "count"), [(1, 3), (2, 4), (0, 9), (8, 9)])
def test_an_orphan_is_repeated_less_long(
    world: World, peer: Peer, conn: Socket, limit: Limit, retries: int, count: int
) -> None:
    """tcp_orphan_retries, of which 0 means 8; without a reset."""
    limit(tcp_orphan_retries=retries)
    before = len(peer.heard)
    conn.close()
    world.run()
    assert times(peer, before) == DOUBLING[:count]
    assert {segment.flags for segment in peer.heard[before:]} == {FIN | ACK}
    assert round(world.now, 3) == round(TIME_OUT * (2**count - 1), 3)
    assert states_on(peer.host) == []


def test_the_retries_of_data_do_not_matter_for_an_orphan(
    world: World, peer: Peer, conn: Socket, limit: Limit
) -> None:
    """It has its own."""
    limit(tcp_orphan_retries=3, tcp_retries2=1)
    conn.close()
    world.run()
    assert round(world.now, 3) == DOUBLING[5]


def test_a_user_timeout_is_obeyed_when_nobody_is_left(
    world: World, peer: Peer, conn: Socket, limit: Limit
) -> None:
    """Measured: it takes the place of tcp_orphan_retries too."""
    limit(tcp_orphan_retries=1)
    conn.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, 4000)
    before = len(peer.heard)
    conn.close()
    world.run()
    assert times(peer, before) == DOUBLING[:5]
    assert round(world.now, 3) == TIME_OUT + 4


# What ends a repetition


def test_an_acknowledgement_ends_it(world: World, peer: Peer, conn: Socket) -> None:
    """And nothing more is sent."""
    before = lose_all(conn, peer)
    world.run(until=1)
    peer.say(ACK)
    world.run()
    assert times(peer, before) == DOUBLING[:3]
    assert world.now == 1


def test_the_time_out_stays_doubled_until_a_round_trip_is_measured(
    world: World, peer: Peer, conn: Socket
) -> None:
    """The acknowledgement of a repetition measures nothing (Karn)."""
    lose_all(conn, peer)
    world.run(until=1)
    peer.say(ACK)
    before = lose_all(conn, peer)
    world.run(until=2)
    assert times(peer, before) == [1, round(1 + 4 * TIME_OUT, 3)]
    peer.say(ACK)
    conn.send(b"measured")
    peer.say(ACK)
    before = lose_all(conn, peer)
    world.run(until=2.3)
    assert times(peer, before) == [2, 2.204]


def test_only_the_oldest_segment_is_repeated(world: World, peer: Peer, conn: Socket) -> None:
    """The window is one segment; each acknowledgement lets two more out."""
    start = peer.ack
    before = len(peer.heard)
    conn.send(bytes(20 * 1460))
    assert len(peer.heard) - before == 10
    world.run(until=1)
    repeated = [(s.seq - start) // 1460 for s in peer.heard[before + 10 :]]
    assert repeated == [0, 0]
    seen = [
        [(s.seq - start) // 1460 for s in peer.say(ACK, ack=start + count * 1460)]
        for count in (1, 2, 3)
    ]
    assert seen == [[1, 2], [3, 4], [5, 6]]


def test_the_third_duplicate_acknowledgement_repeats_at_once(peer: Peer, conn: Socket) -> None:
    """Fast retransmit: the first two let new segments out, if there are any."""
    start = peer.ack
    conn.send(bytes(12 * 1460))
    seen = [[(s.seq - start) // 1460 for s in peer.say(ACK, ack=start)] for _ in range(4)]
    assert seen == [[10], [11], [0], []]


def test_window_updates_are_no_duplicates(peer: Peer, conn: Socket) -> None:
    """They say something new (RFC 5681, section 2)."""
    start = peer.ack
    conn.send(bytes(10 * 1460))
    answers = [peer.say(ACK, ack=start, window=65000 + i) for i in range(600, 605)]
    assert not any(answers)


def test_data_is_no_duplicate(peer: Peer, conn: Socket) -> None:
    """Its acknowledgement stays the same because nothing new has come."""
    start = peer.ack
    conn.send(bytes(10 * 1460))
    answers = [peer.say(PSH | ACK, b"x", ack=start) for _ in range(6)]
    assert not any(s.payload for answer in answers for s in answer)


def test_corked_data_that_is_lost_is_repeated(world: World, peer: Peer, conn: Socket) -> None:
    """After the cork let it go."""
    conn.setsockopt(socket.IPPROTO_TCP, socket.TCP_CORK, 1)
    before = len(peer.heard)
    conn.send(b"held")
    world.run(until=1)
    assert times(peer, before) == [TIME_OUT, 2 * TIME_OUT, 4 * TIME_OUT]


def test_urgent_data_is_repeated_as_such(world: World, peer: Peer, conn: Socket) -> None:
    """With its pointer."""
    before = len(peer.heard)
    conn.send(b"!", socket.MSG_OOB)
    world.run(until=0.3)
    first, second = peer.heard[before:]
    assert first == second
    assert first.urgent == 1


# What a router says


def no_way(peer: Peer, about: Packet, error: int) -> None:
    """A router tells the host under test that a segment of its own went nowhere."""
    source = about.source[0], 0
    peer.host.deliver(Unreachable(("192.0.2.1", 0), source, error, about))  # type: ignore[arg-type]
    peer.world.wire.flush()


def test_a_hint_ends_nothing(world: World, host: Host, peer: Peer, conn: Socket) -> None:
    """The connection lives; SO_ERROR tells of it once."""
    lose_all(conn, peer)
    no_way(peer, peer.last(), errno.EHOSTUNREACH)
    assert bits(host, conn) == OUT
    assert conn.send(b"more") == 4
    assert error_of(conn) == errno.EHOSTUNREACH
    assert error_of(conn) == 0
    assert state_of(conn) is State.ESTABLISHED


def test_a_hint_is_the_reason_when_it_is_given_up(
    world: World, peer: Peer, conn: Socket, limit: Limit
) -> None:
    """Instead of ETIMEDOUT."""
    limit(tcp_retries2=1)
    lose_all(conn, peer)
    no_way(peer, peer.last(), errno.EHOSTUNREACH)
    world.run()
    with pytest.raises(OSError, match="No route") as caught:
        conn.recv(10)
    assert caught.value.errno == errno.EHOSTUNREACH
    assert conn.recv(10) == b""


def test_a_hint_is_forgotten_when_the_peer_answers(peer: Peer, conn: Socket) -> None:
    """It was wrong, or is no longer true."""
    lose_all(conn, peer)
    no_way(peer, peer.last(), errno.EHOSTUNREACH)
    peer.say(ACK)
    assert error_of(conn) == 0


def test_a_hint_about_what_was_never_sent_is_not_believed(peer: Peer, conn: Socket) -> None:
    """Anybody may send one (RFC 5927)."""
    lose_all(conn, peer)
    no_way(peer, peer.last()._replace(seq=peer.last().seq + 100), errno.EHOSTUNREACH)
    assert error_of(conn) == 0


def test_while_connecting_it_is_the_end(world: World, peer: Peer, sock: Socket) -> None:
    """Once connect() has returned."""
    peer.greeted_by(sock)
    no_way(peer, peer.last(), errno.ENETUNREACH)
    assert error_of(sock) == errno.ENETUNREACH
    assert state_of(sock) is State.CLOSE
    world.run()
    assert times(peer) == [0]


# Over a link


class LoseData:
    """A fault that swallows the first packets with a payload, of one sender."""

    def __init__(self, source: str, count: int) -> None:
        self.source, self.count = source, count

    def __call__(self, packet: Packet, link: Link) -> list[Delivery]:
        if link.source.name == self.source and packet.payload and self.count:
            self.count -= 1
            return []
        return [Delivery(packet)]


@pytest.mark.parametrize(("lost", "seconds"), [(0, 0.05), (1, 0.35), (2, 0.95), (4, 4.55)])
def test_lost_data_arrives_a_time_out_later(keep: Keep, lost: int, seconds: float) -> None:
    """300 ms on a link of 50 ms each way, and then twice as long each time."""
    with World() as world:
        client, server = world.host("client"), world.host("server")
        world.link(client, server, latency=0.05)
        listener = keep(server.create_server((server.addresses[0], 80)))
        conn = keep(client.create_connection(listener.getsockname()))
        peer = keep(listener.accept()[0])
        world.fault(LoseData("client", lost))
        began = world.now
        conn.send(b"x")
        assert peer.recv(1) == b"x"
        assert round(world.now - began, 3) == seconds


# What is no duplicate


@pytest.fixture
def waiting(peer: Peer, sock: Socket) -> Socket:
    """A socket whose five small segments nobody has acknowledged; its peer takes little."""
    peer.greeted_by(sock)
    peer.say(SYN | ACK, mss=1460, window=1000)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    for _ in range(5):
        sock.send(b"x" * 100)
    return sock


@pytest.mark.parametrize("ended", [False, True], ids=["established", "after the peer's FIN"])
def test_announcements_are_no_duplicates(peer: Peer, waiting: Socket, ended: bool) -> None:
    """An acknowledgement that opens the window says nothing of a loss (RFC 5681, section 2)."""
    ack = peer.heard[-5].seq
    if ended:
        peer.say(FIN | ACK, ack=ack, window=1000)
    for window in range(1001, 1006):
        assert not [s for s in peer.say(ACK, ack=ack, window=window) if s.payload]


@pytest.mark.parametrize("gap", [0, 10], ids=["in order", "before its turn"])
def test_data_before_its_turn_is_no_duplicate(peer: Peer, waiting: Socket, gap: int) -> None:
    """Nor does what the peer has to say itself."""
    ack = peer.heard[-5].seq
    peer.seq += gap
    for _ in range(4):
        assert not [s for s in peer.say(ACK | PSH, b"data", ack=ack, window=1000) if s.payload]


def test_bare_acknowledgements_that_move_nothing_are(peer: Peer, conn: Socket) -> None:
    """The third brings the first segment again."""
    conn.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    for _ in range(5):
        conn.send(b"x" * 100)
    ack = peer.heard[-5].seq
    for _ in range(2):
        assert not [s for s in peer.say(ACK, ack=ack) if s.payload]
    (again,) = [s for s in peer.say(ACK, ack=ack) if s.payload]
    assert again.seq == ack


# Urgent data


def test_only_what_is_urgent_is_repeated_urgently(world: World, peer: Peer, conn: Socket) -> None:
    """The segment that begins behind the urgent byte has no pointer, as at first."""
    conn.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    conn.send(b"a", socket.MSG_OOB)
    conn.send(b"b")
    urgent, plain = peer.heard[-2:]
    assert (urgent.flags & URG, plain.flags & URG) == (URG, 0)
    world.run(until=0.3)
    assert peer.last().payload == b"a"
    assert peer.last().flags & URG
    (again,) = [s for s in peer.say(ACK, ack=plain.seq) if s.payload]
    assert again.payload == b"b"
    assert not again.flags & URG
