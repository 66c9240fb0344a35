"""Two TCPs of one world: what they say to each other while programs open, send and close."""

from __future__ import annotations

import itertools
import socket
import struct
from collections.abc import Callable, Iterator
from contextlib import ExitStack

import attrs
import pytest

from simnet.api import Socket
from simnet.host import Host
from simnet.protocols.tcp_states import State
from simnet.world import World
from tests.protocols.conversation import SPACE, Keep, conversation, segments, state_of, states_on

MSS = 1460
HANDSHAKE = ["client: SYN 0(0)", "server: SYN|ACK 0(0) ack 1", "client: ACK 1(0) ack 1"]


@attrs.frozen
class Meeting:
    """Two hosts, a listener, and a connection between them."""

    world: World
    client_host: Host
    server_host: Host
    listener: Socket
    client: Socket
    server: Socket

    def said(self, timed: bool = False) -> list[str]:
        """What was said after the handshake."""
        return conversation(self.world, timed)[len(HANDSHAKE) :]


@pytest.fixture
def world() -> Iterator[World]:
    """A world without short cuts, in which every segment is recorded."""
    with World(shortcut=False, record=True) as world:
        yield world


@pytest.fixture
def meet(world: World, keep: Keep) -> Callable[..., Meeting]:
    """A connection; with buffers of a given size and initial sequence numbers, if need be."""

    def make(rcvbuf: int | None = None, iss: tuple[int, int] | None = None) -> Meeting:
        client_host, server_host = world.host("client"), world.host("server")
        if iss is not None:
            set_next_iss(client_host, iss[0])
            set_next_iss(server_host, iss[1])
        listener = keep(server_host.socket())
        if rcvbuf is not None:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, rcvbuf // 2)
        listener.bind((server_host.addresses[0], 80))
        listener.listen()
        client = keep(client_host.create_connection(listener.getsockname()))
        server = keep(listener.accept()[0])
        return Meeting(world, client_host, server_host, listener, client, server)

    return make


def set_next_iss(host: Host, iss: int) -> None:
    """The next connection of a host begins with this sequence number."""
    host.next_iss = itertools.count(iss).__next__


def absolute_sequence_numbers(world: World) -> list[int]:
    """Those of every segment, as on the wire."""
    return [segment.seq for _, segment in segments(world)]


# Opening


def test_a_connection_opens_with_three_segments(world: World, meet: Callable[..., Meeting]) -> None:
    """RFC 9293, figure 6."""
    m = meet()
    assert conversation(world) == HANDSHAKE
    assert state_of(m.client) is state_of(m.server) is State.ESTABLISHED


def test_a_closed_port_answers_with_a_reset(world: World, keep: Keep) -> None:
    """RFC 9293, section 3.10.7.1."""
    client, server = world.host("client"), world.host("server")
    sock = keep(client.socket())
    with pytest.raises(ConnectionRefusedError):
        sock.connect((server.addresses[0], 80))
    syn, reset = (segment.describe() for _, segment in segments(world))
    assert syn.startswith("SYN ")
    assert reset.startswith("RST|ACK seq=0 ")


def test_a_full_backlog_is_silence_until_there_is_room(world: World) -> None:
    """The SYN is repeated after a second, and answered then."""
    client, server = world.host("client"), world.host("server")
    with ExitStack() as stack:
        listener = stack.enter_context(server.create_server((server.addresses[0], 80), backlog=0))
        stack.enter_context(client.create_connection(listener.getsockname()))
        late = stack.enter_context(client.socket())
        late.setblocking(False)
        late.connect_ex(listener.getsockname())
        client.sleep(0.5)
        assert state_of(late) is State.SYN_SENT
        stack.enter_context(listener.accept()[0])
        late.setblocking(True)
        assert client.select([], [late], [], 5)[1]
        assert world.now == 1
        assert late.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) == 0


# Data


def test_data_is_acknowledged_and_pushed(meet: Callable[..., Meeting]) -> None:
    """A new connection acknowledges at once (quick acknowledgements, tcp_input.c)."""
    m = meet()
    m.client.sendall(b"hello")
    assert m.server.recv(10) == b"hello"
    assert m.said() == ["client: PSH|ACK 1(5) ack 1", "server: ACK 1(0) ack 6"]


def test_a_long_text_is_cut_into_full_segments(meet: Callable[..., Meeting]) -> None:
    """The last one is pushed."""
    m = meet()
    m.client.sendall(bytes(2 * MSS + 100))
    assert [line for line in m.said() if line.startswith("client")] == [
        f"client: ACK 1({MSS}) ack 1",
        f"client: ACK {1 + MSS}({MSS}) ack 1",
        f"client: PSH|ACK {1 + 2 * MSS}(100) ack 1",
    ]


@pytest.mark.parametrize("distance", [1, 2, 3, 700, 1500, 5000])
def test_sequence_numbers_wrap(meet: Callable[..., Meeting], distance: int) -> None:
    """2**32 is followed by 0: nothing shows but the numbers themselves."""
    m = meet(iss=(SPACE - distance, SPACE - distance // 2 - 1))
    up, down = bytes(range(256)) * 20, bytes(range(255, -1, -1)) * 20
    for _ in range(2):
        m.client.sendall(up)
        assert m.server.recv(len(up), socket.MSG_WAITALL) == up
        m.server.sendall(down)
        assert m.client.recv(len(down), socket.MSG_WAITALL) == down
    m.client.close()
    assert m.server.recv(1) == b""
    m.server.close()
    numbers = absolute_sequence_numbers(m.world)
    assert all(0 <= number < SPACE for number in numbers)
    assert min(numbers) < SPACE // 2 < max(numbers)
    length = 2 * len(up)
    assert m.said()[-3:] == [
        f"client: FIN|ACK {1 + length}(0) ack {1 + length}",
        f"server: FIN|ACK {1 + length}(0) ack {2 + length}",
        f"client: ACK {2 + length}(0) ack {2 + length}",
    ]


def test_urgent_data_is_marked(meet: Callable[..., Meeting]) -> None:
    """The flag is on every segment up to the urgent byte, and on none after it."""
    m = meet()
    m.client.send(b"abc", socket.MSG_OOB)
    m.client.send(b"def")
    data = [line for line in m.said() if "PSH" in line]
    assert data == ["client: PSH|ACK|URG 1(3) ack 1", "client: PSH|ACK 4(3) ack 1"]
    assert m.server.recv(10) == b"ab"
    assert m.server.recv(1, socket.MSG_OOB) == b"c"


# Windows


def test_a_receiver_that_does_not_read_closes_the_window(meet: Callable[..., Meeting]) -> None:
    """And no more is sent than it has room for."""
    m = meet(rcvbuf=8192)
    m.client.setblocking(False)
    m.client.send(bytes(50_000))
    m.client_host.sleep(1)
    received = sum(_length(line) for line in m.said() if line.startswith("client"))
    assert 0 < received <= 8192


def test_a_reader_opens_the_window_again(meet: Callable[..., Meeting]) -> None:
    """A window update tells the sender, who goes on; all arrives."""
    m = meet(rcvbuf=8192)
    data = bytes(range(250)) * 200
    sender = m.client_host.spawn(m.client.sendall, data)
    m.client_host.sleep(1)
    assert m.server.recv(len(data), socket.MSG_WAITALL) == data
    sender.result()


def test_a_reader_of_small_pieces_never_stalls(meet: Callable[..., Meeting]) -> None:
    """However little it reads at a time, once the window had closed."""
    m = meet(rcvbuf=4608)
    data = bytes(range(250)) * 80
    sender = m.client_host.spawn(lambda: (m.client.sendall(data), m.client.close()))
    m.client_host.sleep(1)
    pieces = []
    while piece := m.server.recv(37):
        pieces.append(piece)
    sender.result()
    assert b"".join(pieces) == data


def test_windows_are_not_updated_by_dribbles(meet: Callable[..., Meeting]) -> None:
    """The receiver avoids the silly window syndrome (RFC 9293, section 3.8.6.2.2)."""
    m = meet(rcvbuf=8192)
    m.client.setblocking(False)
    m.client.send(bytes(50_000))
    m.client_host.sleep(1)
    before = len(m.said())
    m.server.recv(10)
    assert m.said()[before:] == []


def _length(line: str) -> int:
    return int(line[line.index("(") + 1 : line.index(")")])


# Time: Nagle, delayed acknowledgements, cork


def request_and_reply(m: Meeting) -> None:
    """Data both ways, which ends the quick acknowledgements of a new connection."""
    m.client.sendall(b"question")
    m.server.recv(100)
    m.server.sendall(b"answer")
    m.client.recv(100)


def test_the_second_small_send_waits_for_a_delayed_acknowledgement(
    meet: Callable[..., Meeting],
) -> None:
    """Nagle's algorithm on one side, 40 ms on the other."""
    m = meet()
    request_and_reply(m)
    m.client.sendall(b"one")
    m.client.sendall(b"two")
    assert m.server.recv(100) == b"one"
    assert m.server.recv(100) == b"two"
    assert m.world.now == 0.04
    assert m.said(timed=True)[-4:-1] == [
        "0 client: PSH|ACK 9(3) ack 7",
        "40 server: ACK 7(0) ack 12",
        "40 client: PSH|ACK 12(3) ack 7",
    ]


def test_without_nagle_small_segments_go_at_once(meet: Callable[..., Meeting]) -> None:
    """TCP_NODELAY."""
    m = meet()
    m.client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    request_and_reply(m)
    m.client.sendall(b"one")
    m.client.sendall(b"two")
    assert m.server.recv(100) == b"onetwo"
    assert m.world.now == 0


def test_switching_nagle_off_sends_what_waits(meet: Callable[..., Meeting]) -> None:
    """As tcp(7) says."""
    m = meet()
    request_and_reply(m)
    m.client.sendall(b"one")
    m.client.sendall(b"two")
    m.client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    assert m.server.recv(100) == b"onetwo"
    assert m.world.now == 0


def test_a_reply_carries_the_acknowledgement(meet: Callable[..., Meeting]) -> None:
    """No bare acknowledgement where data goes back in time."""
    m = meet()
    request_and_reply(m)
    before = len(m.said())
    for _ in range(3):
        request_and_reply(m)
    assert [line for line in m.said()[before:] if "PSH" not in line] == []


def test_a_cork_holds_a_small_segment_for_a_fifth_of_a_second(
    meet: Callable[..., Meeting],
) -> None:
    """tcp(7): TCP_CORK, 200 ms; in fact the retransmission time-out, which is not less."""
    m = meet()
    m.client.setsockopt(socket.IPPROTO_TCP, socket.TCP_CORK, 1)
    m.client.send(b"held")
    assert m.said() == []
    assert m.server.recv(100) == b"held"
    assert m.world.now == pytest.approx(0.2, abs=0.005)


def test_pulling_the_cork_sends_what_waits_in_one_segment(meet: Callable[..., Meeting]) -> None:
    """That is what it is for."""
    m = meet()
    m.client.setsockopt(socket.IPPROTO_TCP, socket.TCP_CORK, 1)
    m.client.send(b"head")
    m.client.send(b"body")
    m.client.setsockopt(socket.IPPROTO_TCP, socket.TCP_CORK, 0)
    assert m.said()[0] == "client: PSH|ACK 1(8) ack 1"
    assert m.world.now == 0


# Closing


def test_a_connection_closes_one_side_after_the_other(meet: Callable[..., Meeting]) -> None:
    """RFC 9293, figure 12; the second FIN may carry the acknowledgement of the first."""
    m = meet()
    m.client.close()
    assert states_on(m.client_host) == [State.FIN_WAIT1]
    assert state_of(m.server) is State.CLOSE_WAIT
    assert m.server.recv(1) == b""
    m.server.close()
    assert m.said() == [
        "client: FIN|ACK 1(0) ack 1",
        "server: FIN|ACK 1(0) ack 2",
        "client: ACK 2(0) ack 2",
    ]
    assert states_on(m.client_host) == [State.TIME_WAIT]
    assert states_on(m.server_host) == []


def test_a_half_closed_connection_carries_data_the_other_way(meet: Callable[..., Meeting]) -> None:
    """shutdown(SHUT_WR) ends one direction only."""
    m = meet()
    m.client.shutdown(socket.SHUT_WR)
    m.client_host.sleep(1)
    assert state_of(m.client) is State.FIN_WAIT2
    m.server.sendall(b"still here")
    assert m.client.recv(100) == b"still here"
    m.server.shutdown(socket.SHUT_WR)
    assert m.client.recv(100) == b""


def test_both_may_close_at_once(meet: Callable[..., Meeting]) -> None:
    """Two FINs that cross (RFC 9293, figure 13): both sides are CLOSING, then in TIME_WAIT."""
    m = meet()
    seen: list[list[State]] = []
    deliver = m.client_host.deliver

    def watch(packet: object) -> None:
        deliver(packet)  # type: ignore[arg-type]
        seen.append(states_on(m.client_host))

    m.client_host.deliver = watch  # type: ignore[method-assign, assignment]
    flush = type(m.world.wire).flush
    held = m.world.wire
    held._busy = True
    m.client.close()
    m.server.close()
    held._busy = False
    flush(held)
    assert m.said() == [
        "client: FIN|ACK 1(0) ack 1",
        "server: FIN|ACK 1(0) ack 1",
        "server: ACK 2(0) ack 2",
        "client: ACK 2(0) ack 2",
    ]
    assert seen[0] == [State.CLOSING]
    assert states_on(m.client_host) == states_on(m.server_host) == [State.TIME_WAIT]


def test_time_wait_lasts_a_minute(meet: Callable[..., Meeting]) -> None:
    """TCP_TIMEWAIT_LEN; and by itself it is no reason to let time pass."""
    m = meet()
    m.client.close()
    m.server.close()
    m.world.run()
    assert m.world.now < 1
    m.world.run(until=59.9)
    assert states_on(m.client_host) == [State.TIME_WAIT]
    m.world.run(until=60.1)
    assert states_on(m.client_host) == []


def test_closing_with_unread_data_resets(meet: Callable[..., Meeting]) -> None:
    """RFC 2525, section 2.17: the peer learns that its data was lost."""
    m = meet()
    m.client.sendall(b"never read")
    m.server.close()
    assert m.said()[-1] == "server: RST|ACK 1(0) ack 11"
    with pytest.raises(ConnectionResetError):
        m.client.recv(1)
    assert states_on(m.client_host) == states_on(m.server_host) == []


def test_linger_zero_resets(meet: Callable[..., Meeting]) -> None:
    """socket(7): SO_LINGER."""
    m = meet()
    m.client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    m.client.close()
    assert m.said() == ["client: RST|ACK 1(0) ack 1"]
    with pytest.raises(ConnectionResetError):
        m.server.recv(1)


def test_lingering_waits_until_all_is_delivered_but_no_longer_than_told(
    meet: Callable[..., Meeting],
) -> None:
    """A full receiver keeps close() waiting for its seconds."""
    m = meet(rcvbuf=8192)
    m.client.setblocking(False)
    m.client.send(bytes(50_000))
    m.client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 3))
    m.client.close()
    assert m.world.now == 3


def test_lingering_with_everything_delivered_does_not_wait(meet: Callable[..., Meeting]) -> None:
    """The peer's acknowledgement of the FIN ends it, 40 ms later at most."""
    m = meet()
    m.client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 3))
    m.client.close()
    assert m.world.now <= 0.04


def test_data_for_a_closed_socket_is_answered_with_a_reset(meet: Callable[..., Meeting]) -> None:
    """The first send succeeds, the second one knows."""
    m = meet()
    m.server.close()
    m.client.send(b"anybody?")
    assert m.said()[-1].startswith("server: RST ")
    with pytest.raises(BrokenPipeError):
        m.client.send(b"x")
    assert states_on(m.server_host) == []


def test_closing_a_listener_resets_who_was_not_accepted(
    world: World, meet: Callable[..., Meeting], keep: Keep
) -> None:
    """Nobody will ever read what they say."""
    m = meet()
    waiting = keep(m.client_host.create_connection(m.listener.getsockname()))
    m.listener.close()
    assert m.said()[-1].startswith("server: RST|ACK ")
    with pytest.raises(ConnectionResetError):
        waiting.recv(1)
    assert state_of(m.server) is State.ESTABLISHED


# Short cuts and probes


def test_a_probe_is_answered_on_the_short_cut_too(keep: Keep) -> None:
    """Keepalive finds a living peer alive where nothing else goes by segments."""
    with World() as world:
        server_host, client_host = world.host("server"), world.host("client")
        listener = keep(server_host.create_server(("", 80)))
        client = keep(client_host.create_connection(("server", 80)))
        server = keep(listener.accept()[0])
        client.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, 10)
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, 5)
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPCNT, 3)
        client_host.sleep(60)
        server.send(b"alive")
        assert client.recv(100) == b"alive"
