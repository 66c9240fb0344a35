"""One side has forgotten the connection: a host has crashed, and perhaps come up again."""

from __future__ import annotations

import errno
import socket

import pytest

from simnet import Deadlock
from simnet.api import Socket
from simnet.host import Host
from simnet.protocols.tcp_states import State
from simnet.wire import ACK, RST, SYN
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
    conversation,
    state_of,
    states_on,
)
from tests.protocols.test_tcp import error_of

LATENCY = 0.01


@pytest.fixture
def world() -> World:
    """A world in which every segment is recorded."""
    return World(record=True)


@pytest.fixture
def host(world: World) -> Host:
    """The one that stays up."""
    return world.host("client")


@pytest.fixture
def server(world: World, host: Host) -> Host:
    """The one that crashes."""
    server = world.host("server")
    world.link(host, server, latency=LATENCY)
    return server


@pytest.fixture
def conn(host: Host, server: Host, keep: Keep) -> Socket:
    """The end that stays; the other is lost with its host."""
    listener = keep(server.create_server((server.addresses[0], 80)))
    conn = keep(host.create_connection(listener.getsockname()))
    keep(listener.accept()[0])
    return conn


def said(world: World, since: int) -> list[str]:
    """What was said, without times."""
    return conversation(world)[since:]


def reboot(world: World) -> int:
    """The server crashes and comes up; how many segments there were before."""
    before = len(conversation(world))
    world.crash("server")
    world.restart("server")
    return before


def test_a_crash_is_silent(world: World, conn: Socket, host: Host) -> None:
    """Nothing tells the other side, and a reader waits for ever."""
    world.crash("server")
    world.run(until=10_000)
    assert state_of(conn) is State.ESTABLISHED
    assert bits(host, conn) == OUT
    with pytest.raises(Deadlock):
        conn.recv(1)


def test_data_for_a_host_that_came_up_again_is_reset(
    world: World, conn: Socket, host: Host
) -> None:
    """send() returns; then the reset is there (RFC 9293, section 3.5.2)."""
    before = reboot(world)
    assert conn.send(b"x") == 1
    with pytest.raises(ConnectionResetError):
        conn.recv(1)
    assert said(world, before) == ["client: PSH|ACK 1(1) ack 1", "server: RST 1(0)"]
    assert conn.recv(1) == b""


def test_what_poll_says_after_a_reset(world: World, conn: Socket, host: Host) -> None:
    """The error until it is taken."""
    reboot(world)
    conn.send(b"x")
    world.run()
    assert bits(host, conn) == IN | OUT | ERR | HUP | RDHUP
    with pytest.raises(ConnectionResetError):
        conn.send(b"x")
    assert bits(host, conn) == IN | OUT | HUP | RDHUP
    with pytest.raises(BrokenPipeError):
        conn.send(b"x")
    with pytest.raises(OSError, match="not connected") as caught:
        conn.getpeername()
    assert caught.value.errno == errno.ENOTCONN


def test_a_repetition_finds_the_host_up_again(world: World, conn: Socket) -> None:
    """What was sent while it was down is answered after it came up."""
    world.crash("server")
    conn.send(b"x")
    world.run(until=world.now + 1)
    world.restart("server")
    with pytest.raises(ConnectionResetError):
        conn.recv(1)
    assert 1 < world.now < 3


def test_a_fin_for_a_host_that_came_up_again_is_reset(
    world: World, conn: Socket, host: Host
) -> None:
    """The closed socket is gone at once."""
    before = reboot(world)
    conn.close()
    world.run()
    assert said(world, before) == ["client: FIN|ACK 1(0) ack 1", "server: RST 1(0)"]
    assert states_on(host) == []


def test_a_host_that_stays_down_is_given_up(
    world: World, conn: Socket, host: Host, limit: Limit
) -> None:
    """As any that is not reached."""
    limit(tcp_retries2=3)
    world.crash("server")
    conn.send(b"x")
    with pytest.raises(TimeoutError):
        conn.recv(1)


def test_a_rebooted_client_may_use_the_port_again(
    world: World, host: Host, server: Host, keep: Keep
) -> None:
    """Its SYN is challenged; the acknowledgement is reset; the next SYN opens (RFC 9293, 3.5.1)."""
    with server.create_server((server.addresses[0], 80)) as listener:
        name = listener.getsockname()
        first = keep(host.socket())
        first.bind((host.addresses[0], 5000))
        first.connect(name)
        old = keep(listener.accept()[0])
        before = len(conversation(world))
        world.crash(host)
        world.restart(host)
        again = keep(host.socket())
        again.bind((host.addresses[0], 5000))
        again.connect(name)
        said = [line.split()[:2] for line in conversation(world)[before:]]
        assert said == [
            ["client:", "SYN"],
            ["server:", "ACK"],
            ["client:", "RST"],
            ["client:", "SYN"],
            ["server:", "SYN|ACK"],
            ["client:", "ACK"],
        ]
        assert error_of(old) == errno.ECONNRESET
        new = keep(listener.accept()[0])
        new.send(b"hello")
        assert again.recv(10) == b"hello"
        # The second SYN came a second after the first.
        assert 1 < world.now < 1.2


def test_a_lost_reset_is_made_good(world: World, conn: Socket, server: Host) -> None:
    """Whoever speaks to a connection that was reset is told again."""
    with world.partition("server", "client", one_way=True):
        reboot(world)
        conn.send(b"x")
        world.run(until=world.now + 0.5)
        assert state_of(conn) is State.ESTABLISHED
    with pytest.raises(ConnectionResetError):
        conn.recv(1)


# By hand


@pytest.fixture
def heard() -> tuple[World, Peer]:
    """A peer that says what the test says."""
    world = World(shortcut=False)
    return world, Peer(world, world.host("host"))


def test_a_syn_into_a_connection_is_only_challenged(heard: tuple[World, Peer], keep: Keep) -> None:
    """Whatever its number; it may be anybody's (RFC 5961, section 4)."""
    world, peer = heard
    conn = keep(peer.connect(keep(peer.host.create_server((peer.host.addresses[0], 80)))))
    following = peer.seq
    for distance in (0, 100, -100, 10**6):
        (answer,) = peer.say(SYN, seq=following + distance, mss=1460)
        assert (answer.flags, answer.seq, answer.ack) == (ACK, peer.ack, following)
        assert state_of(conn) is State.ESTABLISHED
        world.run(until=world.now + 1)
    peer.say(RST, seq=following)
    assert state_of(conn) is State.CLOSE
    assert conn.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) == errno.ECONNRESET
