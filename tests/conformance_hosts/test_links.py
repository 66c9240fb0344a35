"""Links that go down and come up: what was written, connected and closed meanwhile."""

from __future__ import annotations

import socket
import struct

import pytest

from simnet.api import Network, Topology
from tests.conformance.outcomes import outcome, readiness, recv_exactly
from tests.conformance_hosts.ways import (
    SOL,
    TCP,
    Keep,
    about,
    address_of,
    connected,
    datagrams,
    stream,
    timed,
)

TCP_INFO = 11
Hosts = tuple[Network, Network]


@pytest.fixture
def hosts(topology: Topology) -> Hosts:
    """(a client's host, a server's host)"""
    return topology.host("client"), topology.host("server")


@pytest.fixture(params=["10.0.0.2", "172.16.0.1"], ids=["neighbours", "over a router"])
def way(request: pytest.FixtureRequest, topology: Topology) -> Hosts:
    """The same, near or far."""
    return topology.host("client"), topology.host("server", ip=request.param)


def test_data_written_meanwhile_arrives(topology: Topology, keep: Keep, way: Hosts) -> None:
    """When its next repetition gets through: they come after 0.2, 0.6, 1.4 seconds."""
    conn, peer = connected(keep, *way)
    with topology.partition(*way):
        assert [conn.send(b"one"), peer.send(b"two")] == [3, 3]
        way[0].sleep(0.4)
        for sock in (conn, peer):
            sock.setblocking(False)
            assert outcome(sock.recv, 10) == "EAGAIN"
            sock.settimeout(10)
    assert timed(way[1], peer.recv, 10) == (b"one", about(0.2))
    assert timed(way[0], conn.recv, 10) == (b"two", about(0))


def test_much_data_written_meanwhile_arrives(topology: Topology, keep: Keep, hosts: Hosts) -> None:
    """Whole and in order."""
    conn, peer = connected(keep, *hosts)
    data = bytes(range(256)) * 2000
    with topology.partition(*hosts):
        task = hosts[0].spawn(conn.sendall, data)
        hosts[0].sleep(0.3)
    assert recv_exactly(peer, len(data)) == data
    task.result(10)


def test_the_end_announced_meanwhile_arrives(topology: Topology, keep: Keep, hosts: Hosts) -> None:
    """A FIN is repeated, also that of a socket that nobody has any more."""
    conn, peer = connected(keep, *hosts)
    with topology.partition(*hosts):
        conn.send(b"last")
        conn.close()
        peer.shutdown(socket.SHUT_WR)
        hosts[0].sleep(0.3)
    assert recv_exactly(peer, 10) == b"last"
    assert readiness(hosts[1], peer) == "IN|OUT|HUP|RDHUP"


def test_a_reset_sent_meanwhile_is_lost_for_good(
    topology: Topology, keep: Keep, hosts: Hosts
) -> None:
    """Nobody repeats it; the peer hears of it when it sends something."""
    conn, peer = connected(keep, *hosts)
    conn.setsockopt(SOL, socket.SO_LINGER, struct.pack("ii", 1, 0))
    with topology.partition(*hosts):
        conn.close()
        hosts[0].sleep(0.3)
    hosts[1].sleep(0.5)
    assert readiness(hosts[1], peer) == "OUT"
    assert peer.send(b"x") == 1
    assert outcome(peer.recv, 10) == "ECONNRESET"


def test_connecting_meanwhile_takes_until_the_next_syn(
    topology: Topology, keep: Keep, hosts: Hosts
) -> None:
    """They come every second."""
    client, server = hosts
    keep(server.create_server(("", 80)))
    conn = stream(keep, client)
    partition = topology.partition(*hosts)

    def mend() -> None:
        server.sleep(0.5)
        partition.__exit__(None, None, None)

    task = server.spawn(mend)
    assert timed(client, conn.connect, (address_of(server), 80)) == (None, about(1))
    task.result(10)


def test_datagrams_sent_meanwhile_are_lost(topology: Topology, keep: Keep, way: Hosts) -> None:
    """Silently."""
    client, server = way
    one, other = datagrams(keep, client), datagrams(keep, server, 9)
    with topology.partition(*way):
        assert one.sendto(b"lost", (address_of(server), 9)) == 4
    one.sendto(b"found", (address_of(server), 9))
    assert other.recv(10) == b"found"


def test_data_gets_through_where_acknowledgements_do_not(
    topology: Topology, keep: Keep, hosts: Hosts
) -> None:
    """It is repeated, and read once; the answer is stuck until the way back is open."""
    client, server = hosts
    conn, peer = connected(keep, *hosts)
    with topology.partition(server, client, one_way=True):
        conn.send(b"question")
        assert peer.recv(10) == b"question"
        peer.send(b"answer")
        client.sleep(0.9)
        assert total_retransmissions(conn) == total_retransmissions(peer) == 2
        for sock in (conn, peer):
            sock.setblocking(False)
            assert outcome(sock.recv, 10) == "EAGAIN"
        conn.settimeout(10)
    assert conn.recv(10) == b"answer"


def total_retransmissions(sock: object) -> int:
    """tcpi_total_retrans of struct tcp_info."""
    info = sock.getsockopt(TCP, TCP_INFO, 104)  # type: ignore[attr-defined]
    return int(struct.unpack_from("I", info, 100)[0])


def test_what_tcp_info_says_of_repetitions(topology: Topology, keep: Keep, hosts: Hosts) -> None:
    """How often, how far the time-out has doubled, what counts as lost; and afterwards."""
    conn, peer = connected(keep, *hosts)
    with topology.partition(*hosts):
        conn.send(b"x")
        hosts[0].sleep(1)
        info = conn.getsockopt(TCP, TCP_INFO, 104)
        assert isinstance(info, bytes)
        state, ca_state, retransmits, probes, backoff = info[:5]
        assert (state, ca_state, retransmits, probes, backoff) == (1, 4, 2, 0, 2)
        rto, _, _, _, unacked, _, lost = struct.unpack_from("7I", info, 8)
        assert rto == pytest.approx(800_000, rel=0.1)
        assert (unacked, lost) == (1, 1)
    assert peer.recv(10) == b"x"
    hosts[0].sleep(0.1)
    info = conn.getsockopt(TCP, TCP_INFO, 104)
    assert isinstance(info, bytes)
    assert (info[0], info[2]) == (1, 0)
    assert struct.unpack_from("I", info, 24)[0] == 0
    assert total_retransmissions(conn) == 3


def test_partitions_may_overlap(topology: Topology, keep: Keep) -> None:
    """The way is open when the last of them has ended; others were never concerned."""
    a, b, c = (topology.host(name) for name in "abc")
    first = topology.partition(a, [b, c])
    second = topology.partition([a], [b])
    with datagrams(keep, a) as sock, datagrams(keep, b, 9) as at_b, datagrams(keep, c, 9) as at_c:

        def heard() -> list[object]:
            for host in (b, c):
                sock.sendto(b"x", (address_of(host), 9))
            a.sleep(0.05)
            for each in (at_b, at_c):
                each.setblocking(False)
            return [outcome(at_b.recv, 10), outcome(at_c.recv, 10)]

        assert heard() == ["EAGAIN", "EAGAIN"]
        first.__exit__(None, None, None)
        assert heard() == ["EAGAIN", b"x"]
        second.__exit__(None, None, None)
        assert heard() == [b"x", b"x"]
        topology.partition(a, b)
        topology.partition(c, a)
        assert heard() == ["EAGAIN", "EAGAIN"]
        topology.heal()
        assert heard() == [b"x", b"x"]
