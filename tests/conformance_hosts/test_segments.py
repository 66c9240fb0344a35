"""The simulator sends the segments that the kernel sends, in the same order and at the same times.

Each case is a short program, run on both; only such as leave nothing to the processors' chance.
"""

from __future__ import annotations

import socket
from collections.abc import Callable
from itertools import pairwise

import pytest

import realnet
from simnet.api import Network, Socket, Topology
from tests.conformance_hosts.conftest import TOPOLOGIES
from tests.conformance_hosts.segments import Seen, described, listening
from tests.conformance_hosts.ways import PATIENCE, SOL, TCP, address_of

NODELAY, CORK, KEEPIDLE, KEEPINTVL, KEEPCNT, QUICKACK = 1, 3, 4, 5, 6, 12
# Seconds by which an interval may differ, besides a twentieth: less than a delayed acknowledgement.
INEXACT, ATTEMPTS = 0.03, 5

Program = Callable[[Topology, Network, Network], None]
PROGRAMS: dict[str, Program] = {}


def program(body: Program) -> Program:
    """A case, by the name of its function."""
    PROGRAMS[body.__name__] = body
    return body


def opened(client: Network, server: Network) -> tuple[Socket, Socket]:
    """A fresh connection."""
    with server.create_server(("", 80)) as listener:
        conn = client.create_connection((address_of(server), 80), PATIENCE)
        peer = listener.accept()[0]
    peer.settimeout(PATIENCE)
    return conn, peer


def seen_on(backend: str, body: Program) -> list[Seen]:
    """The segments of a program on a backend."""
    topology = TOPOLOGIES[backend]()
    try:
        client, server = topology.host("client"), topology.host("server")
        with listening(topology, client) as heard:
            body(topology, client, server)
        return described(heard, address_of(client))
    finally:
        topology.close()


@program
def a_question_and_an_answer(topology: Topology, client: Network, server: Network) -> None:
    """The client closes first."""
    conn, peer = opened(client, server)
    with conn, peer:
        conn.send(b"abc")
        peer.recv(9)
        peer.send(b"defg")
        conn.recv(9)
        client.sleep(0.1)
        conn.close()
        client.sleep(0.1)
        peer.recv(9)
    client.sleep(0.1)


@program
def a_server_that_speaks_first(topology: Topology, client: Network, server: Network) -> None:
    """Several turns; the server closes first."""
    conn, peer = opened(client, server)
    with conn, peer:
        for sender, receiver, text in (
            (peer, conn, b"220 hi"),
            (conn, peer, b"EHLO"),
            (peer, conn, b"250"),
            (conn, peer, b"QUIT"),
        ):
            sender.send(text)
            receiver.recv(99)
        peer.close()
        client.sleep(0.1)
        conn.recv(1)
    client.sleep(0.1)


@program
def small_writes_that_are_read(topology: Topology, client: Network, server: Network) -> None:
    """Each is acknowledged at once: the reader never has anything to say."""
    conn, peer = opened(client, server)
    with conn, peer:
        conn.setsockopt(TCP, NODELAY, 1)
        for _ in range(8):
            conn.send(b"x")
            client.sleep(0.01)
            peer.recv(9)
    client.sleep(0.1)


@program
def two_small_writes_and_an_answer(topology: Topology, client: Network, server: Network) -> None:
    """Nagle's algorithm against delayed acknowledgements."""
    conn, peer = opened(client, server)
    with conn, peer:
        for _ in range(3):
            conn.send(b"1")
            conn.send(b"2")
            client.sleep(0.1)
            peer.recv(9)
            peer.send(b"r")
            conn.recv(9)
    client.sleep(0.1)


@program
def acknowledgements_without_haste(topology: Topology, client: Network, server: Network) -> None:
    """TCP_QUICKACK off."""
    conn, peer = opened(client, server)
    with conn, peer:
        conn.setsockopt(TCP, NODELAY, 1)
        peer.setsockopt(TCP, QUICKACK, 0)
        for _ in range(4):
            conn.send(b"x")
            client.sleep(0.1)
            peer.recv(9)
    client.sleep(0.1)


@program
def a_cork(topology: Topology, client: Network, server: Network) -> None:
    """What is less than a segment waits: until the cork is pulled, or for 200 ms."""
    conn, peer = opened(client, server)
    with conn, peer:
        conn.setsockopt(TCP, CORK, 1)
        conn.send(b"a" * 100)
        client.sleep(0.1)
        conn.setsockopt(TCP, CORK, 0)
        client.sleep(0.1)
        conn.setsockopt(TCP, CORK, 1)
        conn.send(b"b" * 100)
        client.sleep(0.4)
        peer.recv(9999)
    client.sleep(0.1)


@program
def a_cork_over_more_than_a_segment(topology: Topology, client: Network, server: Network) -> None:
    """The full segment leaves; the rest waits for 200 ms after that."""
    conn, peer = opened(client, server)
    with conn, peer:
        conn.setsockopt(TCP, CORK, 1)
        conn.send(b"a" * 100)
        client.sleep(0.1)
        conn.send(b"b" * 2000)
        client.sleep(0.4)
        peer.recv(9999)
    client.sleep(0.1)


@program
def an_end_with_data_unread(topology: Topology, client: Network, server: Network) -> None:
    """It is a reset."""
    conn, peer = opened(client, server)
    with conn, peer:
        conn.send(b"abc")
        client.sleep(0.1)
        peer.close()
        client.sleep(0.1)


@program
def half_a_connection(topology: Topology, client: Network, server: Network) -> None:
    """The end of the questions, then the answer."""
    conn, peer = opened(client, server)
    with conn, peer:
        conn.send(b"q")
        conn.shutdown(socket.SHUT_WR)
        client.sleep(0.1)
        peer.recv(9)
        peer.recv(9)
        peer.send(b"answer")
        client.sleep(0.1)
        peer.close()
        conn.recv(9)
        client.sleep(0.1)


@program
def urgent_data(topology: Topology, client: Network, server: Network) -> None:
    """Between ordinary data."""
    conn, peer = opened(client, server)
    with conn, peer:
        conn.send(b"abc")
        conn.send(b"!", socket.MSG_OOB)
        client.sleep(0.1)
        peer.setblocking(False)
        assert peer.recv(9) == b"abc"
        assert peer.recv(9, socket.MSG_OOB) == b"!"
    client.sleep(0.1)


@program
def data_that_is_lost(topology: Topology, client: Network, server: Network) -> None:
    """Repeated after 0.2, 0.6 seconds; what follows goes on from there."""
    conn, peer = opened(client, server)
    with conn, peer:
        conn.send(b"a")
        peer.recv(1)
        peer.send(b"b")
        conn.recv(1)
        client.sleep(0.1)
        with topology.partition(client, server):
            conn.send(b"lost")
            client.sleep(0.4)
        peer.recv(9)
        client.sleep(0.3)
        conn.send(b"more")
        client.sleep(0.1)
        peer.recv(9)
    client.sleep(0.1)


@program
def an_end_that_is_lost(topology: Topology, client: Network, server: Network) -> None:
    """Repeated like data."""
    conn, peer = opened(client, server)
    with conn, peer:
        conn.send(b"a")
        peer.recv(1)
        client.sleep(0.1)
        with topology.partition(client, server):
            conn.close()
            client.sleep(0.4)
        peer.recv(9)
        client.sleep(0.1)
    client.sleep(0.1)


@program
def probes_that_are_answered_and_then_not(
    topology: Topology, client: Network, server: Network
) -> None:
    """Keepalive, until it gives up with a reset."""
    conn, peer = opened(client, server)
    with conn, peer:
        conn.send(b"a")
        peer.recv(1)
        for option in (KEEPIDLE, KEEPINTVL, KEEPCNT):
            conn.setsockopt(TCP, option, 1)
        conn.setsockopt(SOL, socket.SO_KEEPALIVE, 1)
        client.sleep(1.5)
        topology.partition(server, client, one_way=True)
        client.sleep(2)


@program
def nobody_there(topology: Topology, client: Network, server: Network) -> None:
    """A SYN every second."""
    topology.partition(client, server)
    with client.socket() as sock:
        sock.settimeout(1.5)
        sock.connect_ex((address_of(server), 80))


@program
def nobody_listening(topology: Topology, client: Network, server: Network) -> None:
    """A reset."""
    with client.socket() as sock:
        sock.connect_ex((address_of(server), 80))


def intervals(seen: list[Seen]) -> list[float]:
    """Seconds between segments: what is late makes nothing after it late."""
    return [round(after.after - before.after, 3) for before, after in pairwise(seen)]


@pytest.mark.parametrize("name", PROGRAMS)
def test_both_send_the_same_segments(name: str) -> None:
    """With the same numbers and flags, at the same intervals; busy machines have more attempts."""
    simulated = seen_on("sim", PROGRAMS[name])
    for _ in range(ATTEMPTS):
        try:
            real = seen_on("real", PROGRAMS[name])
        except realnet.Unavailable as exc:
            pytest.skip(str(exc))
        texts = [each.text for each in simulated], [each.text for each in real]
        expected = pytest.approx(intervals(simulated), rel=0.05, abs=INEXACT)
        if texts[0] == texts[1] and intervals(real) == expected:
            return
    assert texts[0] == texts[1]
    assert intervals(real) == expected
