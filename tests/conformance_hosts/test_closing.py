"""Closing over a link: who waits how long for whom, and what a peer that goes on then hears."""

from __future__ import annotations

import socket
from collections.abc import Callable
from functools import partial

import pytest

from simnet.api import Address, Network, Socket, Topology
from tests.conformance.outcomes import outcome, readiness
from tests.conformance_hosts.ways import (
    TCP,
    Keep,
    about,
    connected,
    side_by_side,
)

LINGER2 = 8
PORT = 4000
Hosts = tuple[Network, Network]


@pytest.fixture
def hosts(topology: Topology) -> Hosts:
    """(a client's host, a server's host)"""
    return topology.host("client"), topology.host("server")


def seconds_until_free(
    host: Network, name: Address, most: float, closing: Socket | None = None
) -> float:
    """How long a local address is in use, by bind() and listen() without SO_REUSEADDR.

    From now on, or from the moment when a socket is closed here.
    """
    begun = host.monotonic()
    if closing is not None:
        closing.close()
    while host.monotonic() - begun < most:
        with host.socket() as probe:
            if outcome(probe.bind, name) is None and outcome(probe.listen) is None:
                return host.monotonic() - begun
        host.sleep(0.02)
    return most


def closed(
    topology: Topology, keep: Keep, host: Network, server: Network
) -> tuple[Address, Socket]:
    """(the local address of a connection that its owner has closed, the other end)"""
    conn, peer = connected(keep, host, server)
    name = conn.getsockname()
    conn.close()
    return name, peer


def test_who_has_closed_waits_for_the_other_end(topology: Topology, keep: Keep) -> None:
    """tcp_fin_timeout, or TCP_LINGER2, is how long an end that is closed waits for the FIN."""
    server = topology.host("server")
    cases: list[tuple[int, int, float]] = [(1, 0, 1), (60, 1, 1), (60, 2, 2)]
    calls: list[Callable[[], float]] = []
    for number, (limit, option, _) in enumerate(cases):
        host = topology.host(f"client {number}")
        topology.limit(host, tcp_fin_timeout=limit)
        conn, _ = connected(keep, host, server)
        if option:
            conn.setsockopt(TCP, LINGER2, option)
        calls.append(partial(seconds_until_free, host, conn.getsockname(), 5, conn))
    assert side_by_side(server, calls) == [about(seconds) for *_, seconds in cases]


def test_a_peer_that_goes_on_sending_is_reset(topology: Topology, keep: Keep, hosts: Hosts) -> None:
    """Before and after the closed end has stopped waiting; it sees the end and has no pipe."""
    topology.limit(hosts[0], tcp_fin_timeout=1)
    for wait in (0.1, 1.3):
        _, peer = closed(topology, keep, *hosts)
        hosts[0].sleep(wait)
        assert readiness(hosts[1], peer) == "IN|OUT|RDHUP"
        assert peer.send(b"x") == 1
        hosts[0].sleep(0.1)
        assert readiness(hosts[1], peer) == "IN|OUT|ERR|HUP|RDHUP"
        assert [outcome(peer.send, b"x"), outcome(peer.recv, 10)] == ["EPIPE", b""]


def test_an_end_that_only_sends_no_more_waits_for_ever(
    topology: Topology, keep: Keep, hosts: Hosts
) -> None:
    """The limit is for closed sockets."""
    topology.limit(hosts[0], tcp_fin_timeout=1)
    conn, peer = connected(keep, *hosts)
    conn.shutdown(socket.SHUT_WR)
    hosts[0].sleep(1.3)
    assert peer.send(b"late") == 4
    assert conn.recv(10) == b"late"


def test_how_long_a_closed_end_repeats_its_end(topology: Topology, keep: Keep) -> None:
    """tcp_orphan_retries stands for a time, as tcp_retries2 does: 1 for 0.6 seconds.

    That is looked at when a repetition is due, after 0.2, 0.6 and 1.4 seconds. Then nothing is
    left of the connection, and the peer is not told.
    """
    client, server = topology.host("client"), topology.host("server")
    topology.limit(client, tcp_orphan_retries=1)
    conn, peer = connected(keep, client, server)
    topology.partition(client, server)
    name = conn.getsockname()
    conn.close()
    assert seconds_until_free(client, name, 8) == about(1.4)
    assert readiness(server, peer) == "OUT"


def test_both_ends_close_while_one_way_is_dead(
    topology: Topology, keep: Keep, hosts: Hosts
) -> None:
    """The second FIN is repeated until it is through; then the first end waits in TIME_WAIT."""
    client, server = hosts
    conn, peer = connected(keep, client, server)
    mine, theirs = conn.getsockname(), peer.getsockname()
    with topology.partition(server, client, one_way=True):
        conn.close()
        server.sleep(0.1)
        assert readiness(server, peer) == "IN|OUT|RDHUP"
        peer.close()
        server.sleep(0.5)
        assert seconds_until_free(server, theirs, 0.1) == 0.1
    assert seconds_until_free(server, theirs, 5) < 2
    assert seconds_until_free(client, mine, 0.2) == 0.2


def test_the_port_of_a_crashed_host_is_free_when_it_is_back(
    topology: Topology, keep: Keep, hosts: Hosts
) -> None:
    """Nothing of TIME_WAIT or of open connections survives."""
    client, server = hosts
    conn, _ = connected(keep, client, server)
    name = conn.getsockname()
    closed(topology, keep, client, server)
    topology.crash(client)
    topology.restart(client)
    assert seconds_until_free(client, name, 1) < 0.5
