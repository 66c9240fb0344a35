"""Streams of every kind: bytes arrive in order, none is lost or made up, and pumps never hang."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import attrs
from hypothesis import given
from hypothesis import strategies as st

from simnet import World
from simnet.api import Socket
from simnet.protocols.tcp import Tcp
from tests.conformance.kinds import STREAM_PAIRS, TCP_PAIRS, Kind, each
from tests.properties.profiles import examples

# A prime period: bytes that are lost, doubled or swapped show.
PATTERN = bytes(range(251))
LARGE = 1 << 24
SIZES = st.one_of(st.integers(1, 300), st.integers(1, 200_000))
MOVES = st.lists(
    st.tuples(st.sampled_from(["send", "recv", "sleep"]), st.booleans(), SIZES), max_size=40
)
BUFFERS = st.lists(st.sampled_from([0, 4000, 20_000]), min_size=4, max_size=4) | st.none()
WORLDS = st.builds(lambda seed, shortcut: (seed, shortcut), st.integers(0, 99), st.booleans())
CHUNKS = st.lists(SIZES, min_size=1, max_size=8)


def piece(start: int, size: int) -> bytes:
    """Bytes `start` to `start + size` of the endless pattern."""
    first = start % len(PATTERN)
    whole = PATTERN * ((first + size) // len(PATTERN) + 1)
    return whole[first : first + size]


@attrs.define
class Way:
    """One direction of a connection, and how much went in and came out."""

    world: World
    source: Socket
    target: Socket
    sent: int = 0
    read: int = 0
    reads: list[tuple[int, int]] = attrs.Factory(list)  # when, and how much

    def send(self, size: int) -> None:
        """What fits of the next bytes."""
        with suppress(BlockingIOError):
            self.sent += self.source.send(piece(self.sent, size))

    def recv(self, size: int) -> bool:
        """Some of what is there, which must be the next bytes; whether more may come."""
        try:
            data = self.target.recv(size)
        except BlockingIOError:
            return True
        assert data == piece(self.read, len(data))
        self.read += len(data)
        self.reads.append((self.world.clock.now_ns, len(data)))
        return bool(data)

    def held(self) -> int:
        """How much is on its way: it waits at the target, or still at the source."""
        try:
            queued = len(self.target.recv(LARGE, socket.MSG_PEEK))
        except BlockingIOError:
            queued = 0
        endpoint = self.world.descriptors.get(self.source.fileno()).endpoint
        return queued + (endpoint.unsent.length if isinstance(endpoint, Tcp) else 0)


@contextmanager
def connected(
    kind: Kind, how: tuple[int, bool], buffers: list[int] | None, blocking: bool = False
) -> Iterator[tuple[Way, Way]]:
    """Both directions of a connection in a world of its own."""
    seed, shortcut = how
    with World(seed=seed, shortcut=shortcut) as world:
        a, b = kind.make(world.host("localhost"))
        with a, b:
            options = [(s, o) for s in (a, b) for o in (socket.SO_SNDBUF, socket.SO_RCVBUF)]
            for (sock, option), size in zip(options, buffers or (), strict=False):
                sock.setsockopt(socket.SOL_SOCKET, option, size)
            for sock in (a, b):
                sock.setblocking(blocking)
            yield Way(world, a, b), Way(world, b, a)


@each(STREAM_PAIRS)
@given(moves=MOVES, how=WORLDS, buffers=BUFFERS)
@examples(100)
def test_no_byte_is_lost_or_made_up(
    kind: Kind, moves: list[tuple[str, bool, int]], how: tuple[int, bool], buffers: list[int] | None
) -> None:
    """What was sent is what was read and what is on its way, always; all arrives in the end."""
    with connected(kind, how, buffers) as ways:
        for what, reverse, size in moves:
            way = ways[reverse]
            if what == "sleep":
                way.world.run(until=way.world.now + size / 1000)
            else:
                getattr(way, what)(size)
            for each_way in ways:
                assert each_way.sent == each_way.read + each_way.held()
        for way in ways:
            way.source.shutdown(socket.SHUT_WR)
        for way in ways:
            way.target.settimeout(10)
            while way.recv(LARGE):
                pass
            assert way.read == way.sent


@each(STREAM_PAIRS)
@given(moves=MOVES, how=WORLDS, buffers=BUFFERS)
@examples(20)
def test_a_reset_leaves_a_prefix(
    kind: Kind, moves: list[tuple[str, bool, int]], how: tuple[int, bool], buffers: list[int] | None
) -> None:
    """After the source is gone, and with it what it did not deliver, the target reads no more."""
    with connected(kind, how, buffers) as (way, back):
        for what, reverse, size in moves:
            if what != "sleep":
                getattr(back if reverse else way, what)(size)
        queued = way.held()
        way.source.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        way.source.close()
        way.target.settimeout(10)
        with suppress(ConnectionResetError):
            while way.recv(LARGE):
                pass
        assert way.sent - queued <= way.read <= way.sent


def write(way: Way, chunks: list[int]) -> None:
    for size in chunks:
        way.source.sendall(piece(way.sent, size))
        way.sent += size
    way.source.shutdown(socket.SHUT_WR)


def read(way: Way, sizes: list[int]) -> None:
    turn = 0
    while way.recv(sizes[turn % len(sizes)]):
        turn += 1


def pumped(
    kind: Kind,
    chunks: tuple[list[int], list[int]],
    sizes: tuple[list[int], list[int]],
    how: tuple[int, bool],
    buffers: list[int] | None,
) -> tuple[Way, Way]:
    """Both directions, after a writer and a reader of each have ended."""
    with connected(kind, how, buffers, blocking=True) as ways:
        host = ways[0].world.hosts["localhost"]
        tasks = [host.spawn(write, way, chunks[turn]) for turn, way in enumerate(ways)]
        tasks += [host.spawn(read, way, sizes[turn]) for turn, way in enumerate(ways)]
        for task in tasks:
            task.result()
    return ways


PUMPS = {"chunks": st.tuples(CHUNKS, CHUNKS), "sizes": st.tuples(CHUNKS, CHUNKS)}


@each(STREAM_PAIRS)
@given(**PUMPS, how=WORLDS, buffers=BUFFERS)
@examples(30)
def test_pumps_in_both_directions_end(
    kind: Kind,
    chunks: tuple[list[int], list[int]],
    sizes: tuple[list[int], list[int]],
    how: tuple[int, bool],
    buffers: list[int] | None,
) -> None:
    """Writers and readers with chunks of any size, through buffers of any size: no Deadlock."""
    for way, written in zip(pumped(kind, chunks, sizes, how, buffers), chunks, strict=True):
        assert way.read == way.sent == sum(written)


@each(TCP_PAIRS)
@given(**PUMPS, seed=st.integers(0, 99), buffers=BUFFERS)
@examples(60)
def test_the_short_cut_changes_no_turn(
    kind: Kind,
    chunks: tuple[list[int], list[int]],
    sizes: tuple[list[int], list[int]],
    seed: int,
    buffers: list[int] | None,
) -> None:
    """Tasks that wait for one another read the same at the same time with segments."""
    short = pumped(kind, chunks, sizes, (seed, True), buffers)
    segments = pumped(kind, chunks, sizes, (seed, False), buffers)
    assert [way.reads for way in short] == [way.reads for way in segments]
