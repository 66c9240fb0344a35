"""Two TCPs with latency between them: full queues, both at once, and the famous stalls."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator

import pytest

from simnet.api import Socket
from simnet.faults import Delivery
from simnet.host import Host
from simnet.links import Link
from simnet.protocols.tcp_states import State
from simnet.wire import ACK, FIN, SYN, Packet, Segment
from simnet.world import World
from tests.protocols.conversation import Keep, conversation, state_of, states_on

# Seconds, one way; a round trip is 20 ms.
LATENCY = 0.01

Meet = Callable[[], tuple[Socket, Socket]]


@pytest.fixture
def world() -> Iterator[World]:
    """Two hosts with a link between them; every segment is recorded."""
    with World(record=True) as world:
        world.host("client"), world.host("server")
        world.link("client", "server", latency=LATENCY)
        yield world


@pytest.fixture
def client(world: World) -> Host:
    """Who calls."""
    return world.hosts["client"]


@pytest.fixture
def server(world: World) -> Host:
    """Who is called."""
    return world.hosts["server"]


@pytest.fixture
def meet(client: Host, server: Host, keep: Keep) -> Meet:
    """A connection: the end that called, and the one that was called."""

    def make() -> tuple[Socket, Socket]:
        listener = keep(server.create_server((server.addresses[0], 80)))
        conn = keep(client.create_connection(listener.getsockname()))
        return conn, keep(listener.accept()[0])

    return make


def flags(world: World, since: int = 0) -> list[str]:
    """Who said what, without numbers."""
    return [" ".join(line.split()[:2]) for line in conversation(world)[since:]]


def lose(world: World, which: Callable[[Segment], bool], count: int = 1) -> list[Packet]:
    """Lose the first so many segments of a kind; those that were lost."""
    lost: list[Packet] = []

    def fault(packet: Packet, link: Link) -> list[Delivery]:
        if isinstance(packet, Segment) and len(lost) < count and which(packet):
            lost.append(packet)
            return []
        return [Delivery(packet)]

    world.fault(fault)
    return lost


def kind(wanted: int) -> Callable[[Segment], bool]:
    """Segments with exactly these flags and no data."""
    return lambda segment: segment.flags == wanted and not segment.payload


# Opening


def test_a_connection_takes_one_round_trip_to_call_and_half_more_to_take(
    world: World, client: Host, server: Host, keep: Keep
) -> None:
    """connect() returns with the SYN|ACK, accept() with the ACK."""
    listener = keep(server.create_server((server.addresses[0], 80)))
    keep(client.create_connection(listener.getsockname()))
    assert world.now == 2 * LATENCY
    keep(listener.accept()[0])
    assert world.now == 3 * LATENCY


@pytest.mark.parametrize(("lost", "seconds"), [(1, 1), (2, 2), (5, 5), (6, 7)])
def test_lost_syns_cost_a_second_each_at_first(
    world: World, client: Host, server: Host, keep: Keep, lost: int, seconds: int
) -> None:
    """Then more."""
    lose(world, kind(SYN), lost)
    listener = keep(server.create_server((server.addresses[0], 80)))
    keep(client.create_connection(listener.getsockname()))
    assert world.now == pytest.approx(seconds + 2 * LATENCY)


def test_a_lost_answer_is_repeated_for_the_repeated_syn(
    world: World, client: Host, server: Host, keep: Keep
) -> None:
    """And by its own timer, at the same instant; the client answers both."""
    lose(world, kind(SYN | ACK))
    listener = keep(server.create_server((server.addresses[0], 80)))
    keep(client.create_connection(listener.getsockname()))
    keep(listener.accept()[0])
    world.run()
    assert flags(world) == [
        "client: SYN",
        "server: SYN|ACK",
        "client: SYN",
        "server: SYN|ACK",
        "server: SYN|ACK",
        "client: ACK",
        "client: ACK",
    ]


def test_a_client_may_speak_although_its_last_acknowledgement_was_lost(
    world: World, client: Host, server: Host, keep: Keep
) -> None:
    """Data acknowledges too."""
    lost = lose(world, kind(ACK))
    listener = keep(server.create_server((server.addresses[0], 80)))
    conn = keep(client.create_connection(listener.getsockname()))
    conn.send(b"hello")
    assert keep(listener.accept()[0]).recv(10) == b"hello"
    assert len(lost) == 1
    assert world.now == 3 * LATENCY


def test_a_server_that_speaks_first_waits_for_a_lost_acknowledgement(
    world: World, client: Host, server: Host, keep: Keep
) -> None:
    """Until its SYN|ACK is repeated after a second, which the client answers."""
    lose(world, kind(ACK))
    listener = keep(server.create_server((server.addresses[0], 80)))
    conn = keep(client.create_connection(listener.getsockname()))
    server.spawn(lambda: keep(listener.accept()[0]).send(b"welcome"))
    assert conn.recv(10) == b"welcome"
    assert world.now == pytest.approx(1 + 4 * LATENCY)
    assert flags(world) == [
        "client: SYN",
        "server: SYN|ACK",
        "client: ACK",
        "server: SYN|ACK",
        "client: ACK",
        "server: PSH|ACK",
        "client: ACK",
    ]


def test_lost_together_with_its_data_the_next_repetition_is_three_seconds_off(
    world: World, client: Host, server: Host, keep: Keep
) -> None:
    """Not for the client, which has measured its SYN; the server has measured nothing."""
    lose(world, kind(ACK))
    listener = keep(server.create_server((server.addresses[0], 80)))
    conn = keep(client.create_connection(listener.getsockname()))
    peer = keep(listener.accept()[0])
    assert world.now == pytest.approx(1 + 3 * LATENCY)
    lost = lose(world, lambda segment: bool(segment.payload))
    began = world.now
    peer.send(b"x")
    assert conn.recv(1) == b"x"
    assert world.now - began == pytest.approx(3 + LATENCY)
    assert len(lost) == 1


def test_two_that_call_each_other_at_once_meet(
    world: World, client: Host, server: Host, keep: Keep
) -> None:
    """Simultaneous open (RFC 9293, figure 7): no server is needed."""
    one, other = keep(client.socket()), keep(server.socket())
    one.bind((client.addresses[0], 1000))
    other.bind((server.addresses[0], 2000))
    task = client.spawn(one.connect, (server.addresses[0], 2000))
    other.connect((client.addresses[0], 1000))
    task.result()
    assert state_of(one) is state_of(other) is State.ESTABLISHED
    assert sorted(flags(world)[:4]) == [
        "client: SYN",
        "client: SYN|ACK",
        "server: SYN",
        "server: SYN|ACK",
    ]
    one.send(b"up")
    other.send(b"down")
    assert (one.recv(10), other.recv(10)) == (b"down", b"up")


# The queues of a listener


def crowd(client: Host, address: object, count: int, keep: Keep) -> list[Socket]:
    """So many that call at once, without waiting."""
    socks = [keep(client.socket()) for _ in range(count)]
    for sock in socks:
        sock.setblocking(False)
        sock.connect_ex(address)  # type: ignore[arg-type]
    return socks


def test_a_full_accept_queue_leaves_clients_connected_that_the_server_does_not_know(
    world: World, client: Host, server: Host, keep: Keep
) -> None:
    """Their last acknowledgement is dropped; the SYN|ACK is repeated until there is room."""
    listener = keep(server.create_server((server.addresses[0], 80), backlog=1))
    crowd(client, listener.getsockname(), 1, keep)
    world.run(until=0.1)
    _, third = crowd(client, listener.getsockname(), 2, keep)
    world.run(until=0.5)
    assert state_of(third) is State.ESTABLISHED
    assert states_on(server) == [State.ESTABLISHED, State.ESTABLISHED, State.SYN_RECV]
    third.send(b"patient")
    world.run(until=0.9)
    peer = [keep(listener.accept()[0]) for _ in range(3)][-1]
    assert peer.recv(10) == b"patient"
    assert peer.getpeername() == third.getsockname()
    assert world.now < 1.2


def test_a_client_with_a_cookie_is_taken_when_there_is_room(
    world: World, client: Host, server: Host, keep: Keep
) -> None:
    """The server knows nothing of it meanwhile; what it says brings the cookie back."""
    listener = keep(server.create_server((server.addresses[0], 80), backlog=0))
    _, second = crowd(client, listener.getsockname(), 2, keep)
    world.run(until=0.5)
    assert state_of(second) is State.ESTABLISHED
    assert states_on(server) == [State.ESTABLISHED]
    second.send(b"patient")
    world.run(until=0.9)
    peer = [keep(listener.accept()[0]) for _ in range(2)][-1]
    assert peer.recv(10) == b"patient"
    assert world.now < 1.3


def test_a_client_that_is_never_taken_is_reset_when_it_speaks(
    world: World, client: Host, server: Host, keep: Keep
) -> None:
    """After the server has forgotten it."""
    listener = keep(server.create_server((server.addresses[0], 80), backlog=0))
    _, second = crowd(client, listener.getsockname(), 2, keep)
    world.run(until=100)
    assert state_of(second) is State.ESTABLISHED
    assert states_on(server) == [State.ESTABLISHED]
    second.send(b"too late")
    second.setblocking(True)
    with pytest.raises(ConnectionResetError):
        second.recv(1)


def test_a_third_client_of_a_full_queue_hears_nothing(
    world: World, client: Host, server: Host, keep: Keep
) -> None:
    """Its SYN is dropped; a repetition finds room."""
    listener = keep(server.create_server((server.addresses[0], 80), backlog=0))
    crowd(client, listener.getsockname(), 1, keep)
    world.run(until=0.5)
    (late,) = crowd(client, listener.getsockname(), 1, keep)
    world.run(until=1.3)
    assert state_of(late) is State.SYN_SENT
    keep(listener.accept()[0])
    late.setblocking(True)
    assert client.select([], [late], [], 5)[1] == [late]
    # Half a second, one more, and a round trip.
    assert world.now == pytest.approx(1.5 + 2 * LATENCY)


def test_everybody_is_served_in_the_end(
    world: World, client: Host, server: Host, keep: Keep
) -> None:
    """However small the queue: who does not get in calls again."""
    listener = keep(server.create_server((server.addresses[0], 80), backlog=1))

    def serve() -> None:
        for _ in range(10):
            conn, _ = listener.accept()
            with conn:
                server.sleep(0.1)
                conn.send(conn.recv(10))

    def call(i: int) -> bytes:
        with client.create_connection(listener.getsockname()) as conn:
            conn.send(b"%d" % i)
            return bytes(conn.recv(10))

    server.spawn(serve)
    tasks = [client.spawn(call, i) for i in range(10)]
    assert [task.result() for task in tasks] == [b"%d" % i for i in range(10)]


# Ending


def test_both_may_close_at_once(world: World, client: Host, server: Host, meet: Meet) -> None:
    """FINs that cross: CLOSING, and TIME_WAIT on both sides (RFC 9293, figure 13)."""
    conn, peer = meet()
    before = len(conversation(world))
    conn.close()
    peer.close()
    world.run(until=world.now + 1.5 * LATENCY)
    assert states_on(client) == states_on(server) == [State.CLOSING]
    world.run(until=world.now + LATENCY)
    assert states_on(client) == states_on(server) == [State.TIME_WAIT]
    assert sorted(flags(world, before)) == [
        "client: ACK",
        "client: FIN|ACK",
        "server: ACK",
        "server: FIN|ACK",
    ]


def test_crossing_fins_may_be_lost(world: World, client: Host, server: Host, meet: Meet) -> None:
    """They are repeated, and so is their acknowledgement."""
    conn, peer = meet()
    lose(world, lambda segment: bool(segment.flags & FIN), 3)
    conn.close()
    peer.close()
    world.run(until=world.now + 2)
    assert states_on(client) == states_on(server) == [State.TIME_WAIT]
    world.run(until=world.now + 62)
    assert states_on(client) == states_on(server) == []


def test_the_last_acknowledgement_may_be_lost(
    world: World, client: Host, server: Host, meet: Meet
) -> None:
    """TIME_WAIT is there to repeat it (RFC 9293, section 3.6.1)."""
    conn, peer = meet()
    conn.close()
    world.run(until=world.now + 0.1)
    lost = lose(world, kind(ACK))
    peer.close()
    world.run(until=world.now + 0.1)
    assert (len(lost), states_on(server)) == (1, [State.LAST_ACK])
    world.run(until=world.now + 0.3)
    assert (states_on(client), states_on(server)) == ([State.TIME_WAIT], [])


def test_data_that_crosses_the_close_is_reset(world: World, meet: Meet) -> None:
    """Nobody is left to read it; the writer learns at its next call."""
    conn, peer = meet()
    conn.close()
    peer.send(b"too late")
    world.run(until=world.now + 0.1)
    assert state_of(peer) is State.CLOSE
    with pytest.raises(BrokenPipeError):
        peer.send(b"x")
    assert peer.recv(1) == b""
    assert "client: RST" in flags(world)


# Stalls


def request_and_reply(conn: Socket, peer: Socket) -> None:
    """Data both ways, which ends the quick acknowledgements of a new connection."""
    conn.send(b"question")
    peer.recv(100)
    peer.send(b"answer")
    conn.recv(100)


def write_write_read(world: World, conn: Socket, peer: Socket) -> float:
    """A request in two writes, and its reply; how long that takes."""
    began = world.now
    conn.send(b"header")
    conn.send(b"body")
    received = b""
    while received != b"headerbody":
        received += peer.recv(100)
    peer.send(b"reply")
    assert conn.recv(100) == b"reply"
    return round(world.now - began, 6)


def test_nagle_and_delayed_acknowledgements_stall_for_forty_milliseconds(
    world: World, meet: Meet
) -> None:
    """The body waits for the acknowledgement of the header, which waits for a reply."""
    conn, peer = meet()
    request_and_reply(conn, peer)
    assert write_write_read(world, conn, peer) == 0.04 + 4 * LATENCY


def test_without_nagle_nothing_stalls(world: World, meet: Meet) -> None:
    """TCP_NODELAY at the writer."""
    conn, peer = meet()
    conn.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    request_and_reply(conn, peer)
    assert write_write_read(world, conn, peer) == 2 * LATENCY


def test_quick_acknowledgements_cost_a_round_trip_only(world: World, meet: Meet) -> None:
    """TCP_QUICKACK at the reader; the body still waits for the header's acknowledgement."""
    conn, peer = meet()
    request_and_reply(conn, peer)
    peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 1)
    assert write_write_read(world, conn, peer) == 4 * LATENCY


def test_a_cork_makes_one_segment_of_two_writes(world: World, meet: Meet) -> None:
    """Pulled after the second: no stall, and nothing small on the way."""
    conn, peer = meet()
    request_and_reply(conn, peer)
    before = len(conversation(world))
    conn.setsockopt(socket.IPPROTO_TCP, socket.TCP_CORK, 1)
    conn.send(b"header")
    conn.send(b"body")
    conn.setsockopt(socket.IPPROTO_TCP, socket.TCP_CORK, 0)
    began = world.now
    assert peer.recv(100) == b"headerbody"
    assert world.now - began == pytest.approx(LATENCY)
    assert conversation(world)[before:] == ["client: PSH|ACK 9(10) ack 7"]


def test_a_cork_that_is_left_in_pops_after_a_time_out(world: World, meet: Meet) -> None:
    """Counted from when all that was sent is acknowledged; full segments pass it (tcp(7))."""
    conn, peer = meet()
    conn.setsockopt(socket.IPPROTO_TCP, socket.TCP_CORK, 1)
    began = world.now
    conn.send(bytes(1460 + 10))
    assert len(peer.recv(10_000)) == 1460
    assert world.now - began == pytest.approx(LATENCY)
    assert len(peer.recv(10_000)) == 10
    round_trip = 2 * LATENCY
    assert world.now - began == pytest.approx(round_trip + (0.2 + round_trip) + LATENCY, abs=0.005)


def test_bulk_data_is_limited_by_the_window_of_the_path(world: World, meet: Meet) -> None:
    """Ten segments in the first round trip, twenty in the second, forty in the third."""
    conn, peer = meet()
    client = world.hosts["client"]
    client.spawn(conn.sendall, bytes(1460 * 70))
    began = world.now
    arrived = []
    while sum(arrived) < 70:
        arrived.append(len(peer.recv(10**6)) // 1460)
        if arrived[-1] > 0:
            last = world.now
    assert sum(arrived) == 70
    assert last - began == pytest.approx(5 * LATENCY)


# The end


def test_a_world_ends_with_the_last_thing_that_happens(world: World, meet: Meet) -> None:
    """The acknowledgement of the data; time-outs that were set meanwhile are nobody's business."""
    conn, peer = meet()
    conn.send(b"x")
    world.run()
    assert world.now == pytest.approx(5 * LATENCY)
    assert peer.recv(1) == b"x"
    assert conversation(world)[-1] == "server: ACK 1(0) ack 2"
