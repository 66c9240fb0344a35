"""Peers that vanish: how the other side finds out, when, and what its calls then say."""

from __future__ import annotations

import errno
import socket
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest

from simnet.api import Network, Socket, Topology
from tests.conformance.outcomes import fill, outcome, readiness
from tests.conformance_hosts.ways import (
    PATIENCE,
    SOL,
    TCP,
    Keep,
    Timed,
    about,
    address_of,
    connected,
    side_by_side,
    stream,
    timed,
)

USER_TIMEOUT, KEEPIDLE, KEEPINTVL, KEEPCNT = 18, 4, 5, 6
Hosts = tuple[Network, Network]


@pytest.fixture
def hosts(topology: Topology) -> Hosts:
    """(a client's host, a server's host)"""
    return topology.host("client"), topology.host("server")


# Data that nobody acknowledges


def test_a_reader_is_told_after_the_user_timeout(
    topology: Topology, keep: Keep, hosts: Hosts
) -> None:
    """Measured from the first repetition. Once ETIMEDOUT, then the end; a writer gets EPIPE."""
    conn, _ = connected(keep, *hosts)
    conn.setsockopt(TCP, USER_TIMEOUT, 1000)
    topology.partition(*hosts)
    assert [conn.send(b"into the void") for _ in range(3)] == [13] * 3
    assert timed(hosts[0], conn.recv, 10) == ("ETIMEDOUT", about(1.2))
    assert readiness(hosts[0], conn) == "IN|OUT|HUP|RDHUP"
    assert [outcome(conn.recv, 10), outcome(conn.send, b"x")] == [b"", "EPIPE"]
    assert outcome(conn.getpeername) == "ENOTCONN"
    assert conn.getsockopt(SOL, socket.SO_ERROR) == 0


def test_a_writer_that_comes_later_is_told(topology: Topology, keep: Keep, hosts: Hosts) -> None:
    """The first call of whatever kind gets the error."""
    conn, _ = connected(keep, *hosts)
    conn.setsockopt(TCP, USER_TIMEOUT, 300)
    topology.partition(*hosts)
    conn.send(b"into the void")
    hosts[0].sleep(1)
    assert readiness(hosts[0], conn) == "IN|OUT|ERR|HUP|RDHUP"
    assert [outcome(conn.send, b"x") for _ in range(2)] == ["ETIMEDOUT", "EPIPE"]
    assert readiness(hosts[0], conn) == "IN|OUT|HUP|RDHUP"
    assert outcome(conn.recv, 10) == b""


def test_a_writer_that_waits_for_room_is_told(topology: Topology, keep: Keep, hosts: Hosts) -> None:
    """Its call ends with the error if it has taken nothing."""
    conn, _ = connected(keep, *hosts)
    conn.setsockopt(TCP, USER_TIMEOUT, 500)
    topology.partition(*hosts)
    conn.setblocking(False)
    fill(conn, b"x" * 65536)
    conn.settimeout(PATIENCE)
    assert outcome(conn.send, b"x" * 65536) == "ETIMEDOUT"
    assert outcome(conn.send, b"x") == "EPIPE"


def test_how_long_data_is_repeated(topology: Topology, keep: Keep, hosts: Hosts) -> None:
    """tcp_retries2 stands for a time: of so many doublings from 200 ms, after the first repetition.

    It is looked at when a repetition is due: after 0.2, 0.6, 1.4 and 3 seconds.
    """
    client, server = hosts
    cases: dict[str, tuple[dict[str, int], int, float]] = {
        "once": ({"tcp_retries2": 1}, 0, 1.4),
        "twice": ({"tcp_retries2": 2}, 0, 3),
        "soon": ({}, 200, 0.4),
        "later": ({"tcp_retries2": 1}, 2000, 2.2),
    }
    calls: list[Callable[[], Timed]] = []
    for name, (limits, user_timeout, _) in cases.items():
        host = topology.host(name)
        topology.limit(host, **limits)
        conn, _ = connected(keep, host, server)
        conn.setsockopt(TCP, USER_TIMEOUT, user_timeout)
        calls.append(partial(sending_in_vain, topology, host, server, conn))
    found = side_by_side(client, calls)
    assert found == [("ETIMEDOUT", about(seconds)) for *_, seconds in cases.values()]


def sending_in_vain(topology: Topology, host: Network, peer: Network, conn: Socket) -> Timed:
    """Send what is lost; what a reader is told then, and after how many seconds."""
    topology.partition(host, peer)
    conn.send(b"x")
    return timed(host, conn.recv, 10)


def test_nothing_is_noticed_without_anything_to_send(
    topology: Topology, keep: Keep, hosts: Hosts
) -> None:
    """An idle connection survives a crash of its peer, and of the peer's peer."""
    conn, _ = connected(keep, *hosts)
    conn.setsockopt(TCP, USER_TIMEOUT, 100)
    topology.crash(hosts[1])
    conn.settimeout(0.5)
    assert outcome(conn.recv, 10) == "TimeoutError"
    assert readiness(hosts[0], conn) == "OUT"


# A peer that comes back


def test_a_reader_is_told_by_a_peer_that_came_back(
    topology: Topology, keep: Keep, hosts: Hosts
) -> None:
    """It knows nothing of the connection: what is sent to it is answered with a reset."""
    conn, _ = connected(keep, *hosts)
    topology.crash(hosts[1])
    topology.restart(hosts[1])
    assert readiness(hosts[0], conn) == "OUT"
    assert conn.send(b"are you there?") == 14
    assert [outcome(conn.recv, 10) for _ in range(2)] == ["ECONNRESET", b""]
    assert readiness(hosts[0], conn) == "IN|OUT|HUP|RDHUP"
    assert outcome(conn.send, b"x") == "EPIPE"


def test_a_writer_is_told_by_a_peer_that_came_back(
    topology: Topology, keep: Keep, hosts: Hosts
) -> None:
    """The first send succeeds, the second gets the error of the first, the third has no pipe."""
    conn, _ = connected(keep, *hosts)
    topology.crash(hosts[1])
    topology.restart(hosts[1])
    conn.send(b"1")
    hosts[0].sleep(0.1)
    assert readiness(hosts[0], conn) == "IN|OUT|ERR|HUP|RDHUP"
    assert [outcome(conn.send, b"x") for _ in range(2)] == ["ECONNRESET", "EPIPE"]
    assert outcome(conn.recv, 10) == b""


def test_what_was_sent_to_a_crashed_peer_is_repeated_until_it_is_back(
    topology: Topology, keep: Keep, hosts: Hosts
) -> None:
    """Then the repetition is answered with a reset."""
    conn, _ = connected(keep, *hosts)
    topology.crash(hosts[1])
    conn.send(b"x")
    hosts[0].sleep(0.5)
    assert readiness(hosts[0], conn) == "OUT"
    topology.restart(hosts[1])
    assert timed(hosts[0], conn.recv, 10) == ("ECONNRESET", about(0.15))


def test_a_close_to_a_peer_that_came_back_is_silent(
    topology: Topology, keep: Keep, hosts: Hosts
) -> None:
    """The FIN is answered with a reset, and nothing is left: the addresses are free at once."""
    client, server = hosts
    conn, _ = connected(keep, client, server)
    name = conn.getsockname()
    topology.crash(server)
    topology.restart(server)
    conn.close()
    client.sleep(0.1)
    again = keep(client.socket())
    assert outcome(again.bind, name) is None
    assert outcome(again.listen) is None


def test_a_client_that_crashed_is_accepted_all_the_same(
    topology: Topology, keep: Keep, hosts: Hosts
) -> None:
    """With its address; when it is back, the first answer to it is answered with a reset."""
    client, server = hosts
    listener = keep(server.create_server(("", 80)))
    conn = stream(keep, client)
    conn.connect((address_of(server), 80))
    conn.send(b"hello")
    name = conn.getsockname()
    client.sleep(0.1)
    topology.crash(client)
    peer, address = listener.accept()
    peer = keep(peer)
    peer.settimeout(PATIENCE)
    assert (address, peer.recv(10)) == (name, b"hello")
    topology.restart(client)
    assert peer.send(b"hello") == 5
    assert outcome(peer.recv, 10) == "ECONNRESET"


def test_a_crash_wakes_nobody_elsewhere(topology: Topology, keep: Keep, hosts: Hosts) -> None:
    """A listener whose queue holds connections of a crashed host goes on."""
    client, server = hosts
    other = topology.host("other")
    listener = keep(server.create_server(("", 80)))
    listener.settimeout(PATIENCE)
    for host in (client, other):
        stream(keep, host).connect((address_of(server), 80))
    topology.crash(client)
    names = [keep_accepted(keep, listener)[1][0] for _ in range(2)]
    assert names == [address_of(client), address_of(other)]


def keep_accepted(keep: Keep, listener: Socket) -> tuple[Socket, Any]:
    """Accept, and keep the socket."""
    conn, address = listener.accept()
    return keep(conn), address


# Keepalive


def keeping_alive(conn: Socket, count: int, idle: int = 1, interval: int = 1) -> Socket:
    """The connection, which is probed after so many seconds of silence."""
    for option, value in ((KEEPIDLE, idle), (KEEPINTVL, interval), (KEEPCNT, count)):
        conn.setsockopt(TCP, option, value)
    conn.setsockopt(SOL, socket.SO_KEEPALIVE, 1)
    return conn


def test_keepalive_finds_out(topology: Topology, keep: Keep, hosts: Hosts) -> None:
    """After the silence and the unanswered probes; with a user timeout the count does not matter.

    What was sent and not acknowledged is repeated instead: there is no probe.
    """
    client, server = hosts
    cases: list[tuple[int, int, float]] = [(1, 0, 2), (2, 0, 3), (5, 500, 2), (1, 1500, 2)]
    pairs = [connected(keep, client, server) for _ in range(len(cases) + 2)]
    for conn, peer in pairs:
        conn.send(b"x")  # its acknowledgement is the last that is heard
        assert peer.recv(10) == b"x"
    *conns, busy, polled = (conn for conn, _ in pairs)
    client.sleep(0.06)
    topology.crash(server)
    calls: list[Callable[[], Timed]] = []
    for conn, (count, user_timeout, _) in zip(conns, cases, strict=True):
        conn.setsockopt(TCP, USER_TIMEOUT, user_timeout)
        keeping_alive(conn, count)
        calls.append(partial(timed, client, conn.recv, 10))
    keeping_alive(busy, 1).send(b"x")
    busy.settimeout(3)
    calls.append(partial(timed, client, busy.recv, 10))
    keeping_alive(polled, 1)
    # The silence had begun some hundredths of a second before.
    expected = [("ETIMEDOUT", about(seconds - 0.06)) for *_, seconds in cases]
    assert side_by_side(client, calls) == [*expected, ("TimeoutError", about(3))]
    assert readiness(client, polled) == "IN|OUT|ERR|HUP|RDHUP"
    assert polled.getsockopt(SOL, socket.SO_ERROR) == errno.ETIMEDOUT
    assert readiness(client, conns[0]) == readiness(client, polled) == "IN|OUT|HUP|RDHUP"
    assert [outcome(conns[0].recv, 10), outcome(conns[0].send, b"x")] == [b"", "EPIPE"]


def test_keepalive_is_answered_by_who_lives(topology: Topology, keep: Keep, hosts: Hosts) -> None:
    """And by who came back, with a reset."""
    client, server = hosts
    conn, peer = connected(keep, client, server)
    keeping_alive(conn, 1)
    conn.settimeout(2.2)
    assert outcome(conn.recv, 10) == "TimeoutError"
    peer.send(b"still here")
    assert conn.recv(10) == b"still here"
    topology.crash(server)
    topology.restart(server)
    conn.settimeout(PATIENCE)
    assert timed(client, conn.recv, 10) == ("ECONNRESET", about(1))
