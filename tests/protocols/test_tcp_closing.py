"""How connections end, against a peer whose segments are written by hand, and what is left."""

from __future__ import annotations

import errno
import socket
import struct

import pytest

from simnet.api import Socket
from simnet.host import Host
from simnet.protocols.tcp_states import State
from simnet.wire import ACK, FIN, PSH, RST, SYN, Segment
from simnet.world import World
from tests.protocols.conversation import SPACE, Keep, Peer, state_of, states_on


@pytest.fixture
def time_wait(peer: Peer, conn: Socket) -> Segment:
    """The connection has ended properly, this side first; its last acknowledgement."""
    conn.close()
    peer.say(ACK)
    (last,) = peer.say(FIN | ACK)
    assert states_on(peer.host) == [State.TIME_WAIT]
    return last


@pytest.fixture
def left_alone(peer: Peer, conn: Socket) -> None:
    """This side has closed, the peer has acknowledged it, and goes on."""
    conn.close()
    peer.say(ACK)
    assert states_on(peer.host) == [State.FIN_WAIT2]


# The states


def test_the_peer_closes_first(peer: Peer, conn: Socket) -> None:
    """CLOSE_WAIT, LAST_ACK, gone."""
    peer.say(FIN | ACK)
    assert state_of(conn) is State.CLOSE_WAIT
    conn.shutdown(socket.SHUT_WR)
    assert state_of(conn) is State.LAST_ACK
    assert peer.last().flags == FIN | ACK
    peer.say(ACK)
    assert state_of(conn) is State.CLOSE
    assert states_on(peer.host) == []


def test_this_side_closes_first(peer: Peer, conn: Socket) -> None:
    """FIN_WAIT1, FIN_WAIT2, TIME_WAIT; the socket itself shows CLOSE then."""
    conn.shutdown(socket.SHUT_WR)
    assert state_of(conn) is State.FIN_WAIT1
    peer.say(ACK)
    assert state_of(conn) is State.FIN_WAIT2
    assert peer.say(FIN | ACK)[0].flags == ACK
    assert state_of(conn) is State.CLOSE
    assert states_on(peer.host) == [State.TIME_WAIT]


def test_a_fin_that_acknowledges_ours_skips_a_state(peer: Peer, conn: Socket) -> None:
    """FIN_WAIT1, TIME_WAIT."""
    conn.shutdown(socket.SHUT_WR)
    assert peer.say(FIN | ACK)[0].flags == ACK
    assert states_on(peer.host) == [State.TIME_WAIT]


def test_fins_that_cross(peer: Peer, conn: Socket) -> None:
    """CLOSING until ours is acknowledged (RFC 9293, figure 13)."""
    conn.shutdown(socket.SHUT_WR)
    ours = peer.last().seq
    (answer,) = peer.say(FIN | ACK, ack=ours)
    assert (answer.flags, answer.ack) == (ACK, peer.seq)
    assert state_of(conn) is State.CLOSING
    peer.say(ACK, ack=(ours + 1) % SPACE)
    assert state_of(conn) is State.CLOSE
    assert states_on(peer.host) == [State.TIME_WAIT]


def test_the_last_data_and_the_fin_may_come_in_one_segment(peer: Peer, conn: Socket) -> None:
    """The data is read first."""
    peer.say(PSH | FIN | ACK, b"bye")
    assert conn.recv(100) == b"bye"
    assert conn.recv(100) == b""
    assert state_of(conn) is State.CLOSE_WAIT


def test_a_fin_that_comes_too_early_is_not_believed(peer: Peer, conn: Socket) -> None:
    """What is missing before it is asked for."""
    start = peer.seq
    (answer,) = peer.say(FIN | ACK, seq=start + 5)
    assert answer.ack == start
    assert state_of(conn) is State.ESTABLISHED


def test_a_fin_waits_for_the_data_before_it(peer: Peer, sock: Socket) -> None:
    """A closed window holds both back; then they go together in order."""
    peer.greeted_by(sock)
    peer.say(SYN | ACK, mss=1460, window=4)
    sock.send(b"01234567")
    sock.shutdown(socket.SHUT_WR)
    assert peer.last().payload == b"0123"
    assert not peer.last().flags & FIN
    sent = peer.say(ACK, window=100)
    assert b"".join(segment.payload for segment in sent) == b"4567"
    assert sent[-1].flags & FIN
    assert state_of(sock) is State.FIN_WAIT1


def test_a_peer_that_closed_may_be_sent_to(peer: Peer, conn: Socket) -> None:
    """It has ended its own half only."""
    peer.say(FIN | ACK)
    conn.send(b"still talking")
    assert peer.last().payload == b"still talking"


def test_data_for_who_has_closed_both_halves_is_reset(peer: Peer, conn: Socket) -> None:
    """Nobody will read it (RFC 9293, section 3.10.7.4; tcp_rcv_state_process)."""
    conn.shutdown(socket.SHUT_RDWR)
    peer.say(ACK)
    (answer,) = peer.say(PSH | ACK, b"late")
    assert answer.flags & RST
    assert states_on(peer.host) == []


def test_data_after_the_reading_half_was_closed_is_still_taken(peer: Peer, conn: Socket) -> None:
    """SHUT_RD is nothing that the peer could notice."""
    conn.shutdown(socket.SHUT_RD)
    assert conn.recv(10) == b""
    (answer,) = peer.say(PSH | ACK, b"late")
    assert answer.flags == ACK
    assert conn.recv(10) == b"late"


def test_closing_while_connecting_is_silent(peer: Peer, sock: Socket) -> None:
    """And an answer that comes later is reset: nobody knows of it."""
    peer.greeted_by(sock)
    before = len(peer.heard)
    sock.close()
    assert len(peer.heard) == before
    (answer,) = peer.say(SYN | ACK)
    assert answer.flags == RST


def test_lingering_for_no_time_resets(peer: Peer, conn: Socket) -> None:
    """With the next sequence number, so that the peer believes it."""
    conn.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    conn.send(b"lost")
    conn.close()
    reset = peer.last()
    assert reset.flags & RST
    assert reset.seq == peer.ack


@pytest.mark.parametrize("seconds", [1, 5])
def test_lingering_ends_with_the_acknowledgement_of_the_fin(
    world: World, peer: Peer, conn: Socket, seconds: int
) -> None:
    """Or with its time, when the peer is silent."""
    conn.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, seconds))
    conn.setblocking(True)
    closing = peer.host.spawn(conn.close)
    world.run(until=0.5)
    assert not closing.done
    peer.say(ACK)
    closing.join()
    assert world.now == 0.5


def test_lingering_lasts_no_longer_than_told(world: World, peer: Peer, conn: Socket) -> None:
    """The connection goes on closing without the program."""
    conn.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 2))
    conn.close()
    assert world.now == 2
    assert states_on(peer.host) == [State.FIN_WAIT1]


# What is left: FIN_WAIT2 with nobody to read


def test_the_peers_end_is_awaited_without_the_program(peer: Peer, left_alone: None) -> None:
    """And acknowledged."""
    (answer,) = peer.say(FIN | ACK)
    assert (answer.flags, answer.ack) == (ACK, peer.seq)
    assert states_on(peer.host) == [State.TIME_WAIT]


def test_data_that_nobody_can_read_is_reset(peer: Peer, left_alone: None) -> None:
    """The peer should know."""
    (answer,) = peer.say(PSH | ACK, b"anybody?")
    assert answer.flags == RST
    assert states_on(peer.host) == []


def test_the_peers_end_is_not_awaited_for_ever(world: World, left_alone: None, host: Host) -> None:
    """A minute (net.ipv4.tcp_fin_timeout)."""
    world.run(until=59.9)
    assert states_on(host) == [State.FIN_WAIT2]
    world.run(until=60.1)
    assert states_on(host) == []


# What is left: TIME_WAIT


def test_a_repeated_fin_is_acknowledged_again(peer: Peer, time_wait: Segment) -> None:
    """Our last acknowledgement may have been lost: that is what the state is for."""
    (again,) = peer.say(FIN | ACK, seq=peer.seq - 1)
    assert (again.flags, again.seq, again.ack) == (ACK, time_wait.seq, time_wait.ack)


def test_a_repeated_fin_starts_the_minute_anew(
    world: World, peer: Peer, time_wait: Segment
) -> None:
    """RFC 9293, section 3.10.7.4: restart the 2 MSL time-out."""
    world.run(until=40)
    peer.say(FIN | ACK, seq=peer.seq - 1)
    world.run(until=99)
    assert states_on(peer.host) == [State.TIME_WAIT]
    world.run(until=101)
    assert states_on(peer.host) == []


def test_a_bare_acknowledgement_is_not_answered(peer: Peer, time_wait: Segment) -> None:
    """Or two of them would go on for ever."""
    assert peer.say(ACK) == []
    assert states_on(peer.host) == [State.TIME_WAIT]


def test_a_reset_ends_time_wait(peer: Peer, time_wait: Segment) -> None:
    """Linux allows it where the number is exact (net.ipv4.tcp_rfc1337 0)."""
    assert peer.say(RST, seq=(peer.seq + 9) % SPACE) == []
    assert states_on(peer.host) == [State.TIME_WAIT]
    peer.say(RST)
    assert states_on(peer.host) == []


def test_an_old_syn_is_only_acknowledged(peer: Peer, time_wait: Segment) -> None:
    """It belongs to the past."""
    (answer,) = peer.say(SYN, seq=(peer.seq - 1000) % SPACE)
    assert answer.flags == ACK
    assert states_on(peer.host) == [State.TIME_WAIT]


def test_a_new_connection_may_take_the_place(
    peer: Peer, time_wait: Segment, listener: Socket
) -> None:
    """One that begins beyond the old one (RFC 6191)."""
    peer.seq = (peer.seq + 100_000) % SPACE
    (answer,) = peer.say(SYN)
    assert answer.flags == SYN | ACK
    peer.say(ACK)
    again, _ = listener.accept()
    again.close()


def test_time_wait_keeps_the_port(
    host: Host, peer: Peer, time_wait: Segment, listener: Socket, keep: Keep
) -> None:
    """From those without SO_REUSEADDR."""
    address = listener.getsockname()
    listener.close()
    late = keep(host.socket())
    with pytest.raises(OSError, match="Address already in use") as caught:
        late.bind(address)
    assert caught.value.errno == errno.EADDRINUSE
    late.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    late.bind(address)


def test_who_waits_for_the_end_ignores_what_acknowledges_nothing(
    peer: Peer, left_alone: None
) -> None:
    """Data without ACK is no data of this connection; the connection goes on to its end."""
    assert peer.say(PSH, b"x", seq=peer.seq) == []
    assert states_on(peer.host) == [State.FIN_WAIT2]


def test_old_data_for_who_waits_for_the_end_is_acknowledged(peer: Peer, conn: Socket) -> None:
    """The acknowledgement was lost, it seems; the connection goes on to its end."""
    peer.say(ACK | PSH, b"known")
    assert conn.recv(100) == b"known"
    conn.close()
    peer.say(ACK)
    (answer,) = peer.say(ACK | PSH, b"known", seq=(peer.seq - 5) % SPACE)
    assert answer.flags == ACK
    assert states_on(peer.host) == [State.FIN_WAIT2]


def test_a_repeated_fin_that_ends_it_all_is_not_answered(peer: Peer, conn: Socket) -> None:
    """It acknowledges our FIN: there is nobody left to acknowledge anything."""
    peer.say(FIN | ACK)
    conn.close()
    assert states_on(peer.host) == [State.LAST_ACK]
    assert peer.say(FIN | ACK, seq=(peer.seq - 1) % SPACE) == []
    assert states_on(peer.host) == []
