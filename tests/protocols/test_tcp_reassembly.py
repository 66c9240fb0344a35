"""What arrives before its turn: in whatever pieces and order, the stream comes out."""

from __future__ import annotations

import socket
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from simnet.api import Socket
from simnet.protocols.tcp_reassembly import OutOfOrder
from simnet.protocols.tcp_states import State
from simnet.wire import ACK, FIN, PSH
from simnet.world import World
from tests.properties.profiles import examples
from tests.protocols.conversation import SPACE, Keep, Peer, state_of
from tests.protocols.test_tcp import flags_of

# Bytes of which every part tells where it belongs.
STREAM = b"".join(b"%04x" % i for i in range(64))
PIECES = st.lists(st.tuples(st.integers(0, len(STREAM)), st.integers(1, 60)), max_size=40)


def piece(start: int, size: int) -> tuple[int, bytes]:
    """Where it begins, and its bytes."""
    return start, STREAM[start : start + size]


def covered(pieces: list[tuple[int, int]]) -> set[int]:
    """The places of all bytes of some pieces."""
    return {i for start, size in pieces for i in range(start, min(start + size, len(STREAM)))}


# The store


@given(PIECES)
@examples(200)
def test_each_byte_is_kept_once(pieces: list[tuple[int, int]]) -> None:
    """Runs are in order and apart, and cover what the pieces do."""
    store = OutOfOrder()
    for start, size in pieces:
        store.keep(*piece(start, size))
    runs = store.runs
    kept = [i for start, end in runs for i in range(start, end)]
    assert kept == sorted(covered(pieces))
    assert all(start < end for start, end in runs)
    assert bool(store) == bool(kept)


@given(PIECES, st.integers(0, len(STREAM)))
@examples(200)
def test_what_comes_next_is_taken_from_the_store(pieces: list[tuple[int, int]], place: int) -> None:
    """As far as there is no gap, from wherever the reader is; what is older is dropped."""
    store = OutOfOrder()
    for start, size in pieces:
        store.keep(*piece(start, size))
    there = covered(pieces)
    end = place
    while end in there:
        end += 1
    taken = b""
    while part := store.take(place + len(taken)):
        taken += part
    assert taken == STREAM[place:end]
    assert sorted(i for i in there if i > end) == [
        i for start, stop in store.runs for i in range(start, stop)
    ]


def test_what_arrived_first_stays() -> None:
    """Bytes that differ on a second arrival are not believed."""
    store = OutOfOrder()
    store.keep(10, b"old")
    store.keep(8, b"newnewnew")
    taken = b""
    while part := store.take(8 + len(taken)):
        taken += part
    assert taken == b"neoldwnew"


def test_an_end_alone_is_something_kept() -> None:
    """A FIN may come before the data that it follows."""
    store = OutOfOrder()
    assert not store
    store.fin_seq = 7
    assert store
    assert store.take(7) == b""


# In a connection


@given(st.data())
@examples(60)
def test_pieces_of_a_stream_come_out_as_the_stream(data: st.DataObject) -> None:
    """In any order, overlapping, doubled; the FIN with the last of them, wherever that comes."""
    with World(shortcut=False) as world:
        host = world.host("host")
        peer = Peer(world, host, iss=data.draw(st.sampled_from([1000, SPACE - 100])))
        with host.create_server((host.addresses[0], 8080)) as listener:
            conn = peer.connect(listener)
            start = peer.seq
            cuts = data.draw(st.lists(st.integers(1, len(STREAM) - 1), max_size=8, unique=True))
            edges = [0, *sorted(cuts), len(STREAM)]
            whole = [(a, b - a) for a, b in pairwise(edges)]
            extra = data.draw(PIECES.map(lambda pieces: [p for p in pieces if p[0] < len(STREAM)]))
            for first, size in data.draw(st.permutations(whole + extra)):
                _, payload = piece(first, size)
                fin = FIN if first + size >= len(STREAM) else 0
                peer.say(ACK | fin, payload, seq=(start + first) % SPACE)
            with conn:
                received = b"".join(iter(lambda: conn.recv(50), b""))
                assert received == STREAM
                assert state_of(conn) is State.CLOSE_WAIT


def test_a_gap_is_told_with_every_segment_beyond_it(peer: Peer, conn: Socket) -> None:
    """Duplicate acknowledgements; filling it acknowledges everything (RFC 5681, section 4.2)."""
    start = peer.seq
    for place in (200, 400, 300):
        (answer,) = peer.say(PSH | ACK, bytes(100), seq=start + place)
        assert (answer.flags, answer.ack) == (ACK, start)
    (answer,) = peer.say(PSH | ACK, bytes(100), seq=start)
    assert answer.ack == start + 100
    (answer,) = peer.say(PSH | ACK, bytes(100), seq=start + 100)
    assert answer.ack == start + 500
    assert len(conn.recv(1000)) == 500


def test_readers_are_not_told_of_what_is_beyond_a_gap(
    world: World, peer: Peer, conn: Socket
) -> None:
    """There is nothing to read yet."""
    peer.say(PSH | ACK, b"later", seq=peer.seq + 3)
    assert world.hosts["host"].select([conn], [], [], 0)[0] == []
    peer.say(PSH | ACK, b"now")
    assert world.hosts["host"].select([conn], [], [], 0)[0] == [conn]
    assert conn.recv(100) == b"nowlater"


def test_a_fin_that_came_early_counts_in_its_turn(peer: Peer, conn: Socket) -> None:
    """And not before."""
    assert flags_of(peer.say(FIN | ACK, b"end", seq=peer.seq + 6)) == [ACK]
    assert state_of(conn) is State.ESTABLISHED
    peer.say(PSH | ACK, b"begin ")
    assert state_of(conn) is State.CLOSE_WAIT
    assert conn.recv(100) == b"begin end"
    assert conn.recv(100) == b""


def test_what_lies_beyond_the_window_is_not_kept(peer: Peer, world: World, keep: Keep) -> None:
    """Nobody had offered room for it; the end that follows it is not believed either."""
    host = world.hosts["host"]
    listener = keep(host.socket())
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
    listener.bind((host.addresses[0], 8081))
    listener.listen()
    conn = keep(peer.connect(listener))
    peer.say(FIN | PSH | ACK, bytes(5000), seq=peer.seq + 1)
    peer.say(PSH | ACK, b"x")
    assert len(conn.recv(10_000)) == 4096
    assert state_of(conn) is State.ESTABLISHED
