"""A reader that does not read: closed windows, the probes that ask, and who gives up."""

from __future__ import annotations

import socket
from functools import partial

import pytest

from simnet.api import Network, Socket, Topology
from tests.conformance.outcomes import fill, outcome, recv_exactly
from tests.conformance_hosts.ways import (
    PATIENCE,
    SOL,
    TCP,
    Keep,
    about,
    address_of,
    side_by_side,
    stream,
    timed,
)

USER_TIMEOUT, KEEPIDLE, KEEPINTVL, KEEPCNT = 18, 4, 5, 6
TCP_INFO = 11
Hosts = tuple[Network, Network]


@pytest.fixture
def hosts(topology: Topology) -> Hosts:
    """(a writer's host, a reader's host)"""
    return topology.host("writer"), topology.host("reader")


def stuffed(keep: Keep, writer: Network, reader: Network) -> tuple[Socket, Socket, int]:
    """(a writer that can write no more, the reader, how many bytes are under way)"""
    with reader.socket() as listener:
        listener.setsockopt(SOL, socket.SO_RCVBUF, 4096)
        listener.bind(("", 0))
        listener.listen()
        conn = stream(keep, writer)
        conn.setsockopt(SOL, socket.SO_SNDBUF, 16384)
        conn.connect((address_of(reader), listener.getsockname()[1]))
        peer = keep(listener.accept()[0])
    conn.setblocking(False)
    peer.settimeout(30)
    written, more = 0, 1
    while more:
        more = fill(conn)
        written += more
        writer.sleep(0.3)
    conn.settimeout(30)
    return conn, peer, written


def test_a_closed_window_is_asked_for(topology: Topology, keep: Keep, hosts: Hosts) -> None:
    """Probes go on, ever more slowly, and what was written stays; reading brings all of it."""
    conn, peer, written = stuffed(keep, *hosts)
    hosts[0].sleep(1)
    info = conn.getsockopt(TCP, TCP_INFO, 104)
    assert isinstance(info, bytes)
    state, _, retransmits, _, backoff = info[:5]
    assert (state, retransmits) == (1, 0)
    assert backoff in (2, 3)
    assert len(recv_exactly(peer, written)) == written
    assert conn.send(b"more") == 4
    assert peer.recv(10) == b"more"


def test_a_window_that_opened_unheard_is_found_open(
    topology: Topology, keep: Keep, hosts: Hosts
) -> None:
    """The update is lost; the next probe is answered with the room that there is."""
    conn, peer, written = stuffed(keep, *hosts)
    with topology.partition(*hosts):
        hosts[0].sleep(0.4)
        got = 0
        peer.setblocking(False)
        while isinstance(part := outcome(peer.recv, 65536), bytes):
            got += len(part)
        hosts[0].sleep(0.2)
    peer.settimeout(30)
    assert 0 < got < written
    assert len(recv_exactly(peer, written - got)) == written - got
    assert conn.send(b"more") == 4


def test_who_gives_up_on_a_closed_window(topology: Topology, keep: Keep) -> None:
    """TCP_USER_TIMEOUT ends it although the reader answers; tcp_retries2 only if it does not.

    Both count from the first probe. Keepalive does not look at a connection that has data to send.
    """
    reader = topology.host("reader")
    keepalive = {KEEPIDLE: 1, KEEPINTVL: 1, KEEPCNT: 1}
    cases: dict[str, tuple[dict[int, int], str]] = {
        "answered": ({USER_TIMEOUT: 1000}, "ETIMEDOUT"),
        "patient": ({}, "TimeoutError"),
        "kept": (keepalive, "TimeoutError"),
        "lost": ({}, "ETIMEDOUT"),
    }

    writers = {name: topology.host(name) for name in cases}
    for writer in writers.values():
        topology.limit(writer, tcp_retries2=2)

    def give_up(name: str, options: dict[int, int], gives_up: bool) -> object:
        writer = writers[name]
        conn, _, _ = stuffed(keep, writer, reader)
        for option, value in options.items():
            conn.setsockopt(TCP, option, value)
        conn.setsockopt(SOL, socket.SO_KEEPALIVE, KEEPIDLE in options)
        if name == "lost":
            topology.partition(writer, reader)
        conn.settimeout(PATIENCE if gives_up else 2)
        return outcome(conn.recv, 10)

    calls = [partial(give_up, name, o, gave == "ETIMEDOUT") for name, (o, gave) in cases.items()]
    assert side_by_side(reader, calls) == [gave for _, gave in cases.values()]


def test_a_writer_that_closed_keeps_asking(topology: Topology, keep: Keep, hosts: Hosts) -> None:
    """What it had written is delivered, and then the end."""
    conn, peer, written = stuffed(keep, *hosts)
    conn.close()
    hosts[0].sleep(0.5)
    assert len(recv_exactly(peer, written + 1)) == written
    assert peer.recv(10) == b""


def test_little_room_is_not_announced(topology: Topology, keep: Keep, hosts: Hosts) -> None:
    """Silly windows (RFC 9293, 3.8.6.2.2): a few bytes read bring nothing; many bring an update."""
    conn, peer, written = stuffed(keep, *hosts)
    conn.setblocking(False)
    assert len(recv_exactly(peer, 100)) == 100
    hosts[0].sleep(0.1)
    assert outcome(conn.send, b"x" * 10) == "EAGAIN"
    assert len(recv_exactly(peer, 3000)) == 3000
    hosts[0].sleep(0.1)
    assert len(recv_exactly(peer, written - 3100)) == written - 3100
    hosts[0].sleep(0.1)
    assert conn.send(b"x" * 10) == 10
    assert timed(hosts[1], peer.recv, 10) == (b"x" * 10, about(0))
