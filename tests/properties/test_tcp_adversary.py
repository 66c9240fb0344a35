"""A peer that says anything: whatever comes, the books stay right and nothing breaks."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Callable
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simnet.api import Socket
from simnet.host import Host
from simnet.protocols.tcp import Tcp
from simnet.protocols.tcp_states import State
from simnet.wire import ACK, FIN, PSH, RST, SYN, URG
from simnet.world import World
from tests.properties.profiles import examples
from tests.protocols.conversation import SPACE, Peer

# What the peer says: flags, how far its numbers are off, its window, its bytes, its urgent pointer.
OFFSETS = st.sampled_from([0, 0, 0, 0, 0, 0, -1, 1, -5, 5, 1000, -1000, 70_000, -70_000, 1 << 31])
FLAGS = st.sampled_from(
    [
        *(ACK, ACK, ACK, ACK, PSH | ACK, FIN | ACK, FIN | PSH | ACK, URG | ACK),
        *(SYN, SYN | ACK, RST, RST | ACK, FIN, 0, SYN | FIN),
        *(SYN | RST | ACK, SYN | FIN | RST | PSH | ACK | URG),
    ]
)
SEGMENTS = st.tuples(
    st.just("segment"),
    FLAGS,
    OFFSETS,
    OFFSETS,
    st.sampled_from([0, 0, 1, 5, 100, 1459, 1460, 65535, 65535, 65535]),
    st.sampled_from([0, 0, 0, 1, 5, 1460, 5000]),
    st.sampled_from([0, 1, 3, 2000, 65535]),
)
ACTIONS = st.sampled_from(
    [
        *("send 1", "send 1460", "send 20000", "urgent", "recv 1", "recv 5000"),
        *("shut read", "shut write", "close"),
        *("cork", "uncork", "nodelay", "keepalive", "user timeout"),
    ]
)
PROGRAMS = st.tuples(st.just("program"), ACTIONS)
WAITS = st.tuples(st.just("wait"), st.sampled_from([0.001, 0.04, 0.2, 0.5, 1.0, 3.0, 70.0]))
STEPS = st.lists(st.one_of(SEGMENTS, SEGMENTS, SEGMENTS, PROGRAMS, WAITS), max_size=40)

OPTIONS = {
    "cork": (socket.IPPROTO_TCP, socket.TCP_CORK, 1),
    "uncork": (socket.IPPROTO_TCP, socket.TCP_CORK, 0),
    "nodelay": (socket.IPPROTO_TCP, socket.TCP_NODELAY, 1),
    "keepalive": (socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1),
    "user timeout": (socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, 900),
}


def act(sock: Socket, action: str) -> None:
    """What the program does; errors are lawful."""
    what, _, size = action.partition(" ")
    with contextlib.suppress(OSError):
        if action in OPTIONS:
            sock.setsockopt(*OPTIONS[action])
        elif what == "send":
            sock.send(bytes(int(size)))
        elif what == "urgent":
            sock.send(b"!", socket.MSG_OOB)
        elif what == "recv":
            sock.recv(int(size))
        elif what == "shut":
            sock.shutdown(socket.SHUT_RD if size == "read" else socket.SHUT_WR)
        else:
            sock.close()


def check(tcp: Tcp) -> None:
    """The laws of RFC 9293, section 3.3.1, and of what is kept."""
    assert tcp.snd_una <= tcp.snd_nxt
    assert tcp.rcv_acked <= tcp.rcv_nxt
    if tcp.state in (State.CLOSE, State.LISTEN, State.SYN_SENT):
        return
    assert tcp.rcv_nxt <= tcp.rcv_edge + tcp.done or tcp.queue.length > tcp.rcvbuf
    store, flight = tcp.out_of_order, tcp.flight
    if store is not None:
        runs = store.runs
        assert all(start < end for start, end in runs)
        assert all(one[1] <= other[0] for one, other in pairwise(runs))
        assert all(end > tcp.rcv_nxt for _, end in runs)
    if flight is None or tcp.state is State.SYN_RECV:
        return
    edge = tcp.snd_una
    for segment in flight.sent:
        assert segment.seq == edge
        edge = segment.end
    assert edge == tcp.snd_nxt
    assert 0 <= flight.again <= flight.lost <= len(flight.sent)
    # Whoever has something to say is waiting for something.
    assert not flight.sent or flight.alarm.due_ns is not None
    if tcp.unsent.length and not flight.sent:
        assert flight.alarm.due_ns is not None or tcp.cork_timer is not None


def converse(
    begin: Callable[[Host, Peer], Socket], steps: list[tuple[object, ...]], iss: int
) -> None:
    """One connection, from its beginning through all steps to its end."""
    with World(shortcut=False) as world:
        host = world.host("host")
        peer = Peer(world, host, iss)
        sock = begin(host, peer)
        for step in steps:
            what, *details = step
            if what == "segment":
                flags, seq, ack, window, size, urgent = details
                peer.say(
                    flags,  # type: ignore[arg-type]
                    bytes(size),  # type: ignore[arg-type]
                    seq=(peer.seq + seq) % SPACE,  # type: ignore[operator]
                    ack=(peer.ack + ack) % SPACE if flags & ACK else 0,  # type: ignore[operator]
                    window=window,
                    urgent=urgent,
                )
            elif what == "program":
                act(sock, details[0])  # type: ignore[arg-type]
            else:
                world.run(until=world.now + details[0])  # type: ignore[operator]
            for bound in list(host.tcp_ports.connections.values()):
                if isinstance(bound, Tcp):
                    check(bound)
        sock.close()
        world.run(until=world.now + 2000)
        assert not host.tcp_ports.connections


def accepted(host: Host, peer: Peer) -> Socket:
    """A connection that the peer made."""
    with host.create_server((host.addresses[0], 8080)) as listener:
        return peer.connect(listener)


def called(host: Host, peer: Peer) -> Socket:
    """A connection that is just being made to the peer."""
    sock = host.socket()
    peer.greeted_by(sock)
    return sock


NUMBERS = st.sampled_from([0, 1000, SPACE - 1, SPACE - 3000, SPACE // 2])


@pytest.mark.timeout(0)  # by night it takes minutes
@given(STEPS, NUMBERS)
@examples(150)
def test_a_connection_bears_whatever_is_said_to_it(
    steps: list[tuple[object, ...]], iss: int
) -> None:
    """And is over some time after its program has closed it."""
    converse(accepted, steps, iss)


@pytest.mark.timeout(0)  # by night it takes minutes
@given(STEPS, NUMBERS)
@examples(150)
def test_an_attempt_to_connect_bears_whatever_is_said_to_it(
    steps: list[tuple[object, ...]], iss: int
) -> None:
    """As well."""
    converse(called, steps, iss)
