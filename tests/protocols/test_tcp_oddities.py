"""Segments that are old, early or beyond the end, and what Linux makes of them.

Each answer was measured on Linux 6.18 with the same segments, written by hand.
"""

from __future__ import annotations

import errno
import socket

import pytest

from simnet.api import Socket
from simnet.host import Host
from simnet.protocols.tcp_states import State
from simnet.wire import ACK, FIN, PSH, RST, SYN
from simnet.world import World
from tests.protocols.conversation import SPACE, Keep, Peer, state_of, states_on
from tests.protocols.test_tcp import error_of, flags_of

# Longer than answers to oddities are kept back (net.ipv4.tcp_invalid_ratelimit).
A_WHILE = 0.6

# Answers


def test_what_cannot_be_right_is_answered_twice_a_second_at_most(
    world: World, peer: Peer, conn: Socket
) -> None:
    """Whatever it is: otherwise two such could answer each other for ever."""
    assert flags_of(peer.say(ACK, seq=peer.seq - 1)) == [ACK]
    assert peer.say(ACK, seq=peer.seq - 1) == []
    assert peer.say(SYN, seq=peer.seq + 5) == []
    assert peer.say(RST, seq=peer.seq + 5) == []
    assert peer.say(ACK, ack=peer.ack + 10) == []
    world.run(until=A_WHILE)
    assert flags_of(peer.say(SYN, seq=peer.seq + 5)) == [ACK]
    assert peer.say(RST, seq=peer.seq + 5) == []


def test_old_data_is_always_answered(peer: Peer, conn: Socket) -> None:
    """Its sender waits for the acknowledgement that was lost."""
    peer.say(PSH | ACK, b"hello")
    for _ in range(3):
        assert flags_of(peer.say(PSH | ACK, b"hello", seq=peer.seq - 5)) == [ACK]
    assert conn.recv(100) == b"hello"


# After the peer's FIN


@pytest.mark.parametrize(
    ("flags", "payload"), [(FIN | ACK, b""), (PSH | ACK, b"more"), (FIN | ACK, b"more")]
)
@pytest.mark.parametrize("closed", [False, True], ids=["CLOSE_WAIT", "LAST_ACK"])
def test_nothing_comes_after_a_fin(
    world: World, peer: Peer, conn: Socket, flags: int, payload: bytes, closed: bool
) -> None:
    """It is dropped without a word; the connection goes on."""
    peer.say(FIN | ACK)
    world.run(until=0.1)
    if closed:
        conn.shutdown(socket.SHUT_WR)
    before = state_of(conn)
    assert peer.say(flags, payload, ack=peer.ack - closed) == []
    assert state_of(conn) is before
    assert conn.recv(100) == b""


def test_a_repeated_segment_that_ends_later_now_is_an_old_one(peer: Peer, conn: Socket) -> None:
    """The first FIN stands where it came."""
    start = peer.seq
    peer.say(FIN | ACK, b"the end")
    for _ in range(2):
        (answer,) = peer.say(FIN | ACK, b"the end", seq=start + 1)
        assert (answer.flags, answer.ack) == (ACK, start + 8)
    assert state_of(conn) is State.CLOSE_WAIT
    assert conn.recv(100) == b"the end"


@pytest.mark.parametrize(
    ("closed", "error"), [(False, errno.EPIPE), (True, errno.ECONNRESET)], ids=["first", "second"]
)
def test_a_reset_may_have_the_number_of_the_fin(
    world: World, peer: Peer, conn: Socket, closed: bool, error: int
) -> None:
    """Of a peer that closed before it heard of our data (tcp_reset_check)."""
    peer.say(FIN | ACK)
    world.run(until=0.1)
    if closed:
        conn.shutdown(socket.SHUT_WR)
    assert peer.say(RST, seq=peer.seq - 1) == []
    assert state_of(conn) is State.CLOSE
    assert error_of(conn) == error


def test_a_reset_with_an_old_number_is_ignored_before_the_fin(peer: Peer, conn: Socket) -> None:
    """Only the FIN's is not old."""
    peer.say(PSH | ACK, b"x")
    assert peer.say(RST, seq=peer.seq - 1) == []
    assert state_of(conn) is State.ESTABLISHED


# After this side has closed


def test_data_out_of_order_for_nobody_is_reset(peer: Peer, conn: Socket) -> None:
    """As data in order is: it will never be read."""
    conn.close()
    (answer,) = peer.say(PSH | ACK, b"x", seq=peer.seq + 10, ack=peer.ack - 1)
    assert (answer.flags, answer.seq) == (RST, (peer.ack - 1) % SPACE)
    assert states_on(peer.host) == []


def test_an_old_acknowledgement_does_not_end_a_closed_connection(peer: Peer, conn: Socket) -> None:
    """It says nothing of the FIN."""
    conn.close()
    assert peer.say(ACK, ack=peer.ack - 1) == []
    assert states_on(peer.host) == [State.FIN_WAIT1]


def test_a_probe_is_answered_after_the_close(world: World, peer: Peer, conn: Socket) -> None:
    """A peer that watches a half-closed connection with keepalive finds it alive."""
    conn.close()
    peer.say(ACK)
    for _ in range(3):
        (answer,) = peer.say(ACK, seq=peer.seq - 1)
        assert (answer.flags, answer.seq, answer.ack) == (ACK, peer.ack, peer.seq)
        assert peer.say(ACK, seq=peer.seq - 1) == []
        world.run(until=world.now + A_WHILE)
    assert states_on(peer.host) == [State.FIN_WAIT2]
    assert flags_of(peer.say(FIN | ACK)) == [ACK]
    assert states_on(peer.host) == [State.TIME_WAIT]


@pytest.mark.parametrize(("distance", "over"), [(-1, False), (0, True), (10, True)])
def test_a_reset_ends_what_is_left_if_it_is_in_the_window(
    peer: Peer, conn: Socket, distance: int, over: bool
) -> None:
    """An older one is not believed, but answered."""
    conn.close()
    peer.say(ACK)
    assert flags_of(peer.say(RST, seq=peer.seq + distance)) == ([] if over else [ACK])
    assert states_on(peer.host) == ([] if over else [State.FIN_WAIT2])


# Acknowledging


def exchange(peer: Peer, conn: Socket) -> None:
    """Data both ways, which ends the quick acknowledgements of a new connection."""
    peer.say(PSH | ACK, b"question")
    conn.recv(100)
    conn.send(b"answer")
    peer.say(ACK)


def test_data_that_may_be_sent_now_carries_the_acknowledgement(peer: Peer, conn: Socket) -> None:
    """Also where one would be due at once."""
    conn.send(b"one")
    conn.send(b"held by Nagle")
    (answer,) = peer.say(PSH | ACK, b"x")
    assert (answer.payload, answer.ack) == (b"held by Nagle", peer.seq)


def test_old_data_ends_the_delaying_of_acknowledgements(peer: Peer, conn: Socket) -> None:
    """The peer seems not to hear them (tcp_enter_quickack_mode)."""
    exchange(peer, conn)
    assert peer.say(PSH | ACK, b"delayed") == []
    assert flags_of(peer.say(PSH | ACK, b"delayed", seq=peer.seq - 7)) == [ACK]
    for _ in range(3):
        assert flags_of(peer.say(PSH | ACK, b"at once")) == [ACK]


@pytest.mark.parametrize("read_first", [False, True])
def test_quick_acknowledgements_come_when_everything_is_read(
    peer: Peer, conn: Socket, read_first: bool
) -> None:
    """TCP_QUICKACK sends what is due at once only if nothing is left in the buffer."""
    exchange(peer, conn)
    before = len(peer.heard)
    assert peer.say(PSH | ACK, b"delayed") == []
    if read_first:
        conn.recv(100)
    conn.setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 1)
    assert flags_of(peer.heard[before:]) == [ACK] * read_first
    if not read_first:
        conn.recv(100)
    assert flags_of(peer.heard[before:]) == [ACK]


def test_a_fin_that_fills_more_than_a_segment_is_acknowledged_at_once(
    peer: Peer, conn: Socket
) -> None:
    """With a full segment it does; alone it waits for ours."""
    assert flags_of(peer.say(FIN | PSH | ACK, bytes(1460))) == [ACK]


@pytest.mark.parametrize(("said", "seconds"), [(False, 0.004), (True, 0.04)])
def test_a_fin_alone_is_acknowledged_a_little_later(
    world: World, peer: Peer, conn: Socket, said: bool, seconds: float
) -> None:
    """With the next jiffy where no data has come before: nothing is known of the peer then."""
    if said:
        exchange(peer, conn)
    before = len(peer.heard)
    assert peer.say(FIN | ACK) == []
    world.run(until=1)
    assert flags_of(peer.heard[before:]) == [ACK]
    assert peer.times[-1] == seconds


def test_a_gap_filled_up_to_the_end_is_acknowledged_at_once(peer: Peer, conn: Socket) -> None:
    """RFC 5681, section 4.2."""
    exchange(peer, conn)
    peer.say(FIN | ACK, seq=peer.seq + 1)
    (answer,) = peer.say(PSH | ACK, b"x")
    assert answer.ack == peer.seq + 1
    assert state_of(conn) is State.CLOSE_WAIT


def test_an_end_drops_what_lies_beyond_it(peer: Peer, conn: Socket) -> None:
    """Whatever the peer meant by that."""
    peer.say(PSH | ACK, b"beyond", seq=peer.seq + 3)
    peer.say(FIN | ACK, b"end")
    assert state_of(conn) is State.CLOSE_WAIT
    assert conn.recv(100) == b"end"
    assert conn.recv(100) == b""


def test_an_uncorked_segment_may_still_be_held_by_nagle(peer: Peer, conn: Socket) -> None:
    """TCP_CORK off sends what nothing else holds."""
    conn.setsockopt(socket.IPPROTO_TCP, socket.TCP_CORK, 1)
    conn.send(bytes(1460))
    conn.send(b"corked")
    conn.setsockopt(socket.IPPROTO_TCP, socket.TCP_CORK, 0)
    assert peer.last().payload == b"corked"
    before = len(peer.heard)
    conn.send(b"small")
    conn.setsockopt(socket.IPPROTO_TCP, socket.TCP_CORK, 0)
    assert len(peer.heard) == before
    assert peer.say(ACK)[0].payload == b"small"


def test_the_last_segment_carries_the_fin(peer: Peer, conn: Socket) -> None:
    """Where it has not been sent yet."""
    conn.send(b"sent")
    conn.send(b"held")
    conn.close()
    assert (peer.last().payload, peer.last().flags) == (b"held", FIN | PSH | ACK)
    peer.say(ACK)
    assert states_on(peer.host) == [State.FIN_WAIT2]


def test_a_segment_with_nothing_to_say_is_dropped(peer: Peer, conn: Socket) -> None:
    """No ACK, no SYN, no RST: not even out of the window is it answered."""
    for flags in (0, FIN, PSH):
        for distance in (0, -1000, 70_000):
            assert peer.say(flags, b"x", seq=peer.seq + distance) == []
    assert state_of(conn) is State.ESTABLISHED


def test_an_acknowledgement_of_another_age_is_challenged(peer: Peer, conn: Socket) -> None:
    """With its data (RFC 5961, section 5.2)."""
    (answer,) = peer.say(PSH | ACK, b"evil", ack=peer.ack - 70_000)
    assert (answer.flags, answer.ack) == (ACK, peer.seq - 4)


# Old acknowledgements


def test_acknowledgements_that_were_overtaken_mean_no_loss(peer: Peer, conn: Socket) -> None:
    """Only those of the oldest segment in flight are duplicates (RFC 5681, section 2)."""
    start = peer.ack
    conn.send(bytes(10 * 1460))
    peer.say(ACK, ack=start + 4 * 1460)
    before = len(peer.heard)
    for count in (1, 2, 3, 1, 2, 3):
        peer.say(ACK, ack=start + count * 1460)
    assert len(peer.heard) == before


# Opening


@pytest.mark.parametrize(
    ("flags", "seq", "ack"),
    [(SYN, 0, 0), (SYN, 1000, 0), (ACK, 0, 1), (ACK, 70_000, -1), (SYN | ACK, -1, 5)],
)
def test_a_request_is_answered_with_a_reset_where_it_is_contradicted(
    peer: Peer, listener: Socket, flags: int, seq: int, ack: int
) -> None:
    """Another SYN ends it; a wrong acknowledgement, of whatever number, is another connection's."""
    peer.other = listener.getsockname()
    peer.say(SYN, mss=1460)
    (answer,) = peer.say(flags, seq=peer.seq + seq, ack=(peer.ack + ack) * bool(flags & ACK))
    assert answer.flags & RST
    assert states_on(peer.host) == ([State.SYN_RECV] if flags & ACK else [])


def test_a_simultaneous_open_challenges_a_repeated_syn(peer: Peer, sock: Socket) -> None:
    """Its own SYN|ACK is repeated by its timer."""
    peer.greeted_by(sock)
    assert flags_of(peer.say(SYN)) == [SYN | ACK]
    assert flags_of(peer.say(SYN, seq=peer.seq - 1)) == [ACK]


# The FIN and the window


def test_a_fin_waits_for_a_window(world: World, peer: Peer, sock: Socket, host: Host) -> None:
    """It takes room like a byte (RFC 9293, section 3.4); meanwhile the window is probed."""
    peer.greeted_by(sock)
    peer.say(SYN | ACK, mss=1460, window=5)
    sock.send(b"12345")
    peer.say(ACK, window=0)
    before = len(peer.heard)
    sock.shutdown(socket.SHUT_WR)
    assert state_of(sock) is State.FIN_WAIT1
    world.run(until=0.9)
    assert [(s.flags, s.seq) for s in peer.heard[before:]] == [(ACK, (peer.ack - 1) % SPACE)] * 2
    (fin,) = peer.say(ACK, window=100)
    assert (fin.flags, fin.seq) == (FIN | ACK, (peer.ack - 1) % SPACE)
    peer.say(ACK)
    assert state_of(sock) is State.FIN_WAIT2
    assert host.leftovers()


def test_a_fin_waits_until_the_window_is_not_full_any_more(peer: Peer, sock: Socket) -> None:
    """Also while the data before it is under way."""
    peer.greeted_by(sock)
    peer.say(SYN | ACK, mss=1460, window=5)
    sock.send(b"12345")
    before = len(peer.heard)
    sock.close()
    assert len(peer.heard) == before
    assert flags_of(peer.say(ACK, window=5)) == [FIN | ACK]


def test_a_closed_window_hides_the_end_from_the_reader(world: World, keep: Keep) -> None:
    """It sees the end only after it has read what filled its buffer."""
    client, server = world.host("client"), world.host("server")
    listener = keep(server.socket())
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
    listener.bind((server.addresses[0], 80))
    listener.listen()
    conn = keep(client.create_connection(listener.getsockname()))
    peer = keep(listener.accept()[0])
    conn.sendall(bytes(4096))
    conn.shutdown(socket.SHUT_WR)
    assert state_of(peer) is State.ESTABLISHED
    assert len(peer.recv(4096)) == 4096
    assert peer.recv(1) == b""
    assert state_of(peer) is State.CLOSE_WAIT


def test_closing_a_simultaneous_open_finishes_it_first(
    world: World, peer: Peer, sock: Socket
) -> None:
    """Its SYN|ACK is repeated until it is acknowledged; then comes the FIN."""
    peer.greeted_by(sock)
    peer.say(SYN, mss=1460)
    sock.close()
    world.run(until=1.5)
    assert flags_of(peer.heard) == [SYN, SYN | ACK, SYN | ACK]
    assert flags_of(peer.say(ACK)) == [FIN | ACK]
    peer.say(ACK)
    assert states_on(peer.host) == [State.FIN_WAIT2]
