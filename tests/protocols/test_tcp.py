"""One TCP and a peer whose segments are written by hand: what RFC 9293 and Linux answer."""

from __future__ import annotations

import errno
import socket

import pytest

from simnet.api import Socket
from simnet.host import Host
from simnet.protocols.tcp_block import WINDOW_SCALE
from simnet.protocols.tcp_states import State
from simnet.wire import ACK, FIN, PSH, RST, SYN, URG, Segment
from simnet.world import World
from tests.protocols.conversation import SPACE, Keep, Peer, state_of, states_on


def flags_of(segments: list[Segment]) -> list[int]:
    """What kind of segments they are."""
    return [segment.flags for segment in segments]


def error_of(sock: Socket) -> int | bytes:
    """SO_ERROR."""
    return sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)


# Connecting


def test_a_syn_carries_the_segment_size_and_the_window_scale(peer: Peer, sock: Socket) -> None:
    """RFC 9293, section 3.7.1, and RFC 7323."""
    peer.greeted_by(sock)
    syn = peer.last()
    assert (syn.flags, syn.mss, syn.wscale, syn.payload) == (SYN, 1460, WINDOW_SCALE, b"")


def test_unanswered_syns_are_repeated_and_then_given_up(
    world: World, peer: Peer, sock: Socket
) -> None:
    """Six retries after four a second apart (net.ipv4.tcp_syn_retries, _syn_linear_timeouts)."""
    with pytest.raises(TimeoutError) as caught:
        sock.connect(peer.address)
    assert caught.value.errno == errno.ETIMEDOUT
    assert peer.times == [0, 1, 2, 3, 4, 5, 7, 11, 19, 35, 67]
    assert len(set(peer.heard)) == 1
    assert world.now == 131


def test_an_answer_to_a_repeated_syn_will_do(world: World, peer: Peer, sock: Socket) -> None:
    """And no more of them follow."""
    peer.greeted_by(sock)
    world.run(until=2.5)
    assert flags_of(peer.say(SYN | ACK)) == [ACK]
    world.run()
    assert len(peer.heard) == 4
    assert state_of(sock) is State.ESTABLISHED


def test_a_peer_without_options_gets_small_segments(peer: Peer, sock: Socket) -> None:
    """536 bytes (RFC 9293, MUST-15), and windows that are not scaled."""
    peer.greeted_by(sock)
    peer.say(SYN | ACK, window=600)
    sock.send(bytes(2000))
    assert [len(s.payload) for s in peer.heard if s.payload] == [536, 64]


def test_a_reset_refuses_the_connection_if_it_acknowledges_the_syn(
    peer: Peer, sock: Socket
) -> None:
    """RFC 9293, section 3.10.7.3."""
    peer.greeted_by(sock)
    assert peer.say(RST | ACK) == []
    assert error_of(sock) == errno.ECONNREFUSED


@pytest.mark.parametrize(
    ("flags", "ack"), [(RST, None), (RST | ACK, 0), (ACK | RST, -1)], ids=["bare", "old", "off"]
)
def test_any_other_reset_is_ignored_while_connecting(
    peer: Peer, sock: Socket, flags: int, ack: int | None
) -> None:
    """It may be anybody's."""
    peer.greeted_by(sock)
    peer.say(flags, ack=(peer.ack + (ack or -7)) % SPACE)
    assert state_of(sock) is State.SYN_SENT


@pytest.mark.parametrize("distance", [-1, 1, 1000])
def test_a_wrong_acknowledgement_while_connecting_is_reset(
    peer: Peer, sock: Socket, distance: int
) -> None:
    """The peer speaks of another connection: a half-open one (RFC 9293, section 3.5.1)."""
    peer.greeted_by(sock)
    wrong = (peer.ack + distance) % SPACE
    (answer,) = peer.say(SYN | ACK, ack=wrong)
    assert (answer.flags, answer.seq) == (RST, wrong)
    assert state_of(sock) is State.SYN_SENT


def test_two_that_call_each_other_meet(peer: Peer, sock: Socket) -> None:
    """Simultaneous open (RFC 9293, figure 7)."""
    peer.greeted_by(sock)
    iss = peer.last().seq
    (answer,) = peer.say(SYN)
    assert (answer.flags, answer.seq) == (SYN | ACK, iss)
    assert state_of(sock) is State.SYN_RECV
    peer.say(SYN | ACK, seq=peer.seq - 1)
    assert state_of(sock) is State.ESTABLISHED
    peer.say(PSH | ACK, b"hello")
    assert sock.recv(10) == b"hello"


def test_a_simultaneous_open_may_end_with_a_bare_acknowledgement(peer: Peer, sock: Socket) -> None:
    """Where the peer has seen our SYN|ACK first."""
    peer.greeted_by(sock)
    peer.say(SYN)
    peer.say(ACK)
    assert state_of(sock) is State.ESTABLISHED


# Listening


def test_a_listener_answers_a_syn_and_repeats_itself(
    world: World, peer: Peer, listener: Socket
) -> None:
    """The time doubles: five retries, and then the connection is forgotten."""
    peer.other = listener.getsockname()
    assert flags_of(peer.say(SYN)) == [SYN | ACK]
    world.run()
    assert peer.times == [0, 1, 3, 7, 15, 31]
    assert states_on(peer.host) == []


def test_a_listener_resets_what_acknowledges_nothing(peer: Peer, listener: Socket) -> None:
    """RFC 9293, section 3.10.7.2."""
    peer.other = listener.getsockname()
    (answer,) = peer.say(ACK, ack=4711)
    assert (answer.flags, answer.seq) == (RST, 4711)


@pytest.mark.parametrize("flags", [RST, RST | ACK, RST | SYN, FIN, 0])
def test_a_listener_ignores_the_rest(peer: Peer, listener: Socket, flags: int) -> None:
    """Resets above all."""
    peer.other = listener.getsockname()
    assert peer.say(flags) == []
    assert states_on(peer.host) == []


def test_a_connection_half_made_can_be_taken_back(peer: Peer, listener: Socket) -> None:
    """A reset in SYN_RECV leaves nothing, and nobody to accept."""
    peer.other = listener.getsockname()
    peer.say(SYN)
    assert states_on(peer.host) == [State.SYN_RECV]
    assert peer.say(RST) == []
    assert states_on(peer.host) == []
    listener.setblocking(False)
    with pytest.raises(BlockingIOError):
        listener.accept()


def test_a_wrong_last_acknowledgement_is_reset(peer: Peer, listener: Socket) -> None:
    """RFC 9293, section 3.10.7.4, SYN-RECEIVED; the right one may still come."""
    peer.other = listener.getsockname()
    peer.say(SYN)
    wrong = (peer.ack + 1) % SPACE
    (answer,) = peer.say(ACK, ack=wrong)
    assert (answer.flags, answer.seq) == (RST, wrong)
    peer.say(ACK)
    assert states_on(peer.host) == [State.ESTABLISHED]


@pytest.mark.parametrize("flags", [SYN | ACK, ACK, FIN | ACK, PSH | ACK])
def test_a_port_that_nobody_has_resets(peer: Peer, flags: int) -> None:
    """With the number that the segment acknowledged (RFC 9293, section 3.5.2, group 1)."""
    peer.other = (peer.host.addresses[0], 4711)
    (answer,) = peer.say(flags, ack=12345)
    assert (answer.flags, answer.seq, answer.ack) == (RST, 12345, 0)


def test_a_reset_is_never_answered_with_a_reset(peer: Peer) -> None:
    """Or there would be no end."""
    peer.other = (peer.host.addresses[0], 4711)
    assert peer.say(RST) == peer.say(RST | ACK, ack=1) == []


# Sequence numbers


def test_a_repeated_segment_is_acknowledged_and_dropped(peer: Peer, conn: Socket) -> None:
    """Its acknowledgement may have been lost."""
    start = peer.seq
    peer.say(PSH | ACK, b"hello")
    (answer,) = peer.say(PSH | ACK, b"hello", seq=start)
    assert (answer.flags, answer.ack) == (ACK, start + 5)
    assert conn.recv(100) == b"hello"


def test_what_is_new_in_a_segment_is_taken(peer: Peer, conn: Socket) -> None:
    """The part that is known already is cut off."""
    start = peer.seq
    peer.say(PSH | ACK, b"hello")
    peer.say(PSH | ACK, b"llo world", seq=start + 2)
    assert conn.recv(100) == b"hello world"


def test_what_comes_too_early_is_asked_for_again(peer: Peer, conn: Socket) -> None:
    """An acknowledgement tells what is missing, at once."""
    start = peer.seq
    (answer,) = peer.say(PSH | ACK, b"world", seq=start + 5)
    assert (answer.flags, answer.ack) == (ACK, start)
    with pytest.raises(BlockingIOError):
        conn.recv(100)


def test_what_lies_outside_the_window_is_answered_and_dropped(peer: Peer, conn: Socket) -> None:
    """RFC 9293, section 3.10.7.4, first check."""
    start = peer.seq
    (answer,) = peer.say(PSH | ACK, b"x", seq=(start + (1 << 24)) % SPACE)
    assert (answer.flags, answer.ack) == (ACK, start)
    (answer,) = peer.say(PSH | ACK, b"x", seq=(start - (1 << 24)) % SPACE)
    assert (answer.flags, answer.ack) == (ACK, start)


def test_an_acknowledgement_of_what_was_never_sent_is_answered_and_dropped(
    peer: Peer, conn: Socket
) -> None:
    """RFC 9293, section 3.10.7.4, fifth check."""
    start = peer.seq
    (answer,) = peer.say(PSH | ACK, b"x", ack=(peer.ack + 1) % SPACE)
    assert (answer.flags, answer.ack) == (ACK, start)
    with pytest.raises(BlockingIOError):
        conn.recv(1)


def test_a_segment_without_acknowledgement_is_dropped(peer: Peer, conn: Socket) -> None:
    """In every state but the first ones."""
    assert peer.say(0, b"x") == []
    with pytest.raises(BlockingIOError):
        conn.recv(1)


def test_numbers_wrap_within_a_segment(world: World, host: Host, listener: Socket) -> None:
    """2**32 - 3, then 2."""
    peer = Peer(world, host, iss=SPACE - 4)
    with peer.connect(listener) as conn:
        (answer,) = peer.say(PSH | ACK, b"hello")
        assert answer.ack == 2
        peer.say(PSH | ACK, b" world")
        assert conn.recv(100) == b"hello world"


# Resets


def test_a_reset_with_the_exact_number_ends_the_connection(peer: Peer, conn: Socket) -> None:
    """What had arrived is read first, then the error, once."""
    peer.say(PSH | ACK, b"last words")
    peer.say(RST)
    assert conn.recv(100) == b"last words"
    with pytest.raises(ConnectionResetError):
        conn.recv(100)
    assert conn.recv(100) == b""
    assert states_on(peer.host) == []


@pytest.mark.parametrize("flags", [RST, RST | ACK, SYN, SYN | ACK])
def test_a_reset_or_syn_that_is_only_in_the_window_is_challenged(
    peer: Peer, conn: Socket, flags: int
) -> None:
    """RFC 5961: a blind attacker does not know the exact number; the peer does, and says so."""
    (answer,) = peer.say(flags, seq=peer.seq + 10)
    assert (answer.flags, answer.ack) == (ACK, peer.seq)
    assert state_of(conn) is State.ESTABLISHED


def test_a_reset_outside_the_window_is_ignored(peer: Peer, conn: Socket) -> None:
    """Not even answered."""
    assert peer.say(RST, seq=(peer.seq + (1 << 24)) % SPACE) == []
    assert state_of(conn) is State.ESTABLISHED


def test_a_reset_after_the_end_is_a_broken_pipe(peer: Peer, conn: Socket) -> None:
    """In CLOSE_WAIT reading has ended well; only writing can fail (tcp_reset)."""
    peer.say(FIN | ACK)
    peer.say(RST)
    assert conn.recv(1) == b""
    assert error_of(conn) == errno.EPIPE


# Windows


def test_no_more_is_sent_than_the_window_takes(peer: Peer, conn: Socket) -> None:
    """And the rest when it opens."""
    peer.say(ACK, window=10)
    before = len(peer.heard)
    conn.send(b"0123456789abcdef")
    # A window that shrinks is not believed (RFC 9293, section 3.8.6): the first one was larger.
    assert b"".join(s.payload for s in peer.heard[before:]) == b"0123456789abcdef"


def test_a_small_window_is_filled_and_waited_for(peer: Peer, sock: Socket) -> None:
    """Then every acknowledgement brings the next part."""
    peer.greeted_by(sock)
    peer.say(SYN | ACK, mss=1460, window=10)
    sock.send(b"0123456789abcdef")
    assert peer.last().payload == b"0123456789"
    assert peer.say(ACK, window=0) == []
    (answer,) = peer.say(ACK, window=4)
    assert answer.payload == b"abcd"
    (answer,) = peer.say(ACK, window=1000)
    assert answer.payload == b"ef"


def test_a_full_buffer_is_a_window_of_zero(peer: Peer, host: Host, keep: Keep) -> None:
    """And reading opens it again, which the peer is told."""
    listener = keep(host.socket())
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
    listener.bind((host.addresses[0], 8081))
    listener.listen()
    conn = keep(peer.connect(listener))
    for _ in range(4):
        peer.say(PSH | ACK, bytes(1024))
    peer.world.run()
    assert peer.last().window == 0
    before = len(peer.heard)
    assert len(conn.recv(4096)) == 4096
    assert [s.flags for s in peer.heard[before:]] == [ACK]
    assert peer.last().window > 0


# Acknowledging


def test_the_end_of_an_exchange_is_acknowledged_after_forty_milliseconds(
    world: World, peer: Peer, conn: Socket
) -> None:
    """A delayed acknowledgement (TCP_DELACK_MIN), once the conversation goes both ways."""
    peer.say(PSH | ACK, b"question")
    conn.recv(100)
    conn.send(b"answer")
    assert peer.say(PSH | ACK, b"thanks") == []
    world.run()
    assert peer.times[-1] == 0.04
    assert (peer.last().flags, peer.last().ack) == (ACK, peer.seq)


def test_two_full_segments_are_acknowledged_at_once(peer: Peer, conn: Socket) -> None:
    """RFC 9293, section 3.8.6.3: at least every second one."""
    peer.say(PSH | ACK, b"question")
    conn.recv(100)
    conn.send(b"answer")
    answers = [len(peer.say(ACK, bytes(1460))) for _ in range(4)]
    assert sum(answers) >= 2


# Urgent data


def test_the_urgent_pointer_is_the_byte_after_the_urgent_one(peer: Peer, conn: Socket) -> None:
    """As BSD and Linux have it, in both directions (tcp(7), tcp_stdurg 0)."""
    peer.say(PSH | ACK | URG, b"abc", urgent=3)
    assert conn.recv(1, socket.MSG_OOB) == b"c"
    assert conn.recv(10) == b"ab"
    conn.send(b"xyz", socket.MSG_OOB)
    assert (peer.last().urgent, peer.last().payload) == (3, b"xyz")
    assert peer.last().flags & URG


def test_an_urgent_byte_may_be_announced_before_it_comes(peer: Peer, conn: Socket) -> None:
    """The pointer is beyond the segment."""
    peer.say(PSH | ACK | URG, b"ab", urgent=4)
    with pytest.raises(BlockingIOError):
        conn.recv(1, socket.MSG_OOB)
    peer.say(PSH | ACK, b"cd")
    assert conn.recv(1, socket.MSG_OOB) == b"d"
    assert conn.recv(10) == b"abc"


def test_who_reads_no_more_waits_for_no_urgent_byte(peer: Peer, conn: Socket) -> None:
    """It was announced; after shutdown() there is nothing to wait for (tcp_recv_urg)."""
    peer.say(PSH | ACK | URG, b"ab", urgent=4)
    conn.shutdown(socket.SHUT_RD)
    assert conn.recv(1, socket.MSG_OOB) == b""


# Short cuts


def test_a_flooded_listener_is_not_passed_by() -> None:
    """Where its queue of requests is full, a connection opens by a cookie, on an ideal path too."""
    with World() as world:
        host, client_host = world.host("host"), world.host("client")
        with host.create_server((host.addresses[0], 8080), backlog=1) as listener:
            for port in range(1000, 1002):
                syn = Segment(("10.0.9.9", port), listener.getsockname(), port, 0, SYN, 65535)
                host.deliver(syn)
            with client_host.create_connection(listener.getsockname()) as client:
                server, address = listener.accept()
                with server:
                    assert address == client.getsockname()
                    client.sendall(b"hello")
                    assert server.recv(100) == b"hello"


@pytest.mark.parametrize("closes", [True, False], ids=["close", "shutdown"])
@pytest.mark.parametrize("shortcut", [True, False])
def test_a_closed_window_holds_back_a_fin(shortcut: bool, closes: bool) -> None:
    """The reader learns of the end when it has made room for it."""
    with World(shortcut=shortcut) as world:
        host = world.host("host")
        with host.socket() as listener:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2304)
            listener.bind(("127.0.0.1", 0))
            listener.listen()
            with host.create_connection(listener.getsockname()) as client:
                server = listener.accept()[0]
                with server:
                    assert client.send(b"x" * 4608) == 4608
                    if closes:
                        client.close()
                    else:
                        client.shutdown(socket.SHUT_WR)
                    assert state_of(server) is State.ESTABLISHED
                    assert len(server.recv(10_000)) == 4608
                    assert server.recv(1) == b""


def test_room_is_announced_when_there_is_twice_as_much_as_was_known(
    peer: Peer, host: Host, keep: Keep
) -> None:
    """And not a byte before (tcp_cleanup_rbuf)."""
    listener = keep(host.socket())
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2304)
    listener.bind((host.addresses[0], 8081))
    listener.listen()
    conn = keep(peer.connect(listener))
    assert peer.say(PSH | ACK, b"x" * 3000)[-1].window == 4608 - 3000
    before = len(peer.heard)
    conn.recv(4608 - 3000 - 1)
    assert len(peer.heard) == before
    conn.recv(1)
    assert [heard.window for heard in peer.heard[before:]] == [2 * (4608 - 3000)]


def test_data_for_a_full_accept_queue_is_dropped(peer: Peer, host: Host, keep: Keep) -> None:
    """With the acknowledgement that would complete the connection; its repetition is taken."""
    listener = keep(host.create_server((host.addresses[0], 8082), backlog=0))
    peer.other = listener.getsockname()
    peer.say(SYN, mss=1460)
    keep(host.create_connection(listener.getsockname()))
    assert peer.say(PSH | ACK, b"hello") == []
    keep(listener.accept()[0])
    (answer,) = peer.say(PSH | ACK, b"hello", seq=(peer.seq - 5) % SPACE)
    assert answer.ack == peer.seq
    assert keep(listener.accept()[0]).recv(100) == b"hello"
