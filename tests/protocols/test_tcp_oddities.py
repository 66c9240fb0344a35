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
    """An older one is not believed."""
    conn.close()
    peer.say(ACK)
    assert peer.say(RST, seq=peer.seq + distance) == []
    assert states_on(peer.host) == ([] if over else [State.FIN_WAIT2])


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
