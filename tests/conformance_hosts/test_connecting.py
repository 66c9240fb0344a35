"""Connecting to who is not there: what is said, how long it takes, what the socket is then."""

from __future__ import annotations

import errno
import socket
from functools import partial

import pytest

from simnet.api import Network, Socket, Topology
from tests.conformance.outcomes import outcome, readiness
from tests.conformance_hosts.ways import (
    SOL,
    TCP,
    Keep,
    Timed,
    about,
    address_of,
    datagrams,
    side_by_side,
    stream,
    timed,
)

SYNCNT, USER_TIMEOUT = 7, 18
NOBODY = "10.0.0.200"  # in the subnet of the hosts
FAR = "198.51.100.7"  # beyond the router (RFC 5737)


def connecting(keep: Keep, host: Network, options: dict[int, int], address: str = FAR) -> Timed:
    """How connecting ends for a socket with some options of TCP, and after how many seconds."""
    sock = stream(keep, host)
    for option, value in options.items():
        sock.setsockopt(TCP, option, value)
    return timed(host, sock.connect, (address, 80))


def test_syns_are_repeated_for_a_while(topology: Topology, keep: Keep) -> None:
    """First every second; the end comes when the count is used up, or the time for the count.

    TCP_SYNCNT goes before tcp_syn_retries, TCP_USER_TIMEOUT before both; it is looked at when
    something was repeated, so that less than a second is a second.
    """
    near, far = topology.host("near", ip="10.0.0.1"), topology.host("far", ip="172.16.0.1")
    server = topology.host("server", ip="10.0.0.9")
    topology.limit(near, tcp_syn_retries=2)
    topology.unknown = "silence"
    topology.crash(server)
    cases: list[tuple[Network, str, dict[int, int], float]] = [
        (near, "10.0.0.9", {SYNCNT: 1}, 3),
        (near, "10.0.0.9", {}, 7),
        (near, "10.0.0.9", {USER_TIMEOUT: 500}, 1),
        (near, "10.0.0.9", {USER_TIMEOUT: 1500}, 1.5),
        (near, "10.0.0.9", {USER_TIMEOUT: 2500, SYNCNT: 1}, 2.5),
        (far, "10.0.0.9", {SYNCNT: 1}, 3),
        (far, FAR, {SYNCNT: 1}, 3),
        (far, FAR, {USER_TIMEOUT: 1500}, 1.5),
    ]
    calls = [partial(connecting, keep, host, options, to) for host, to, options, _ in cases]
    assert side_by_side(near, calls) == [("ETIMEDOUT", about(seconds)) for *_, seconds in cases]


def test_who_waited_in_vain_may_try_again(topology: Topology, keep: Keep) -> None:
    """A blocking call has told the error; else SO_ERROR tells it, and then nothing is left."""
    client, server = topology.host("client"), topology.host("server")
    topology.crash(server)
    address = (address_of(server), 80)
    waiting, polled = stream(keep, client, None), stream(keep, client, 0)
    for sock in (waiting, polled):
        sock.setsockopt(TCP, USER_TIMEOUT, 500)
    assert outcome(polled.connect, address) == "EINPROGRESS"
    assert readiness(client, polled) == ""
    assert outcome(waiting.connect, address) == "ETIMEDOUT"
    assert readiness(client, waiting) == "OUT|HUP"
    assert waiting.getsockopt(SOL, socket.SO_ERROR) == 0
    client.sleep(0.5)
    assert readiness(client, polled) == "IN|OUT|ERR|HUP|RDHUP"
    assert polled.getsockopt(SOL, socket.SO_ERROR) == errno.ETIMEDOUT
    assert readiness(client, polled) == "IN|OUT|HUP|RDHUP"
    assert outcome(polled.connect, address) == "ECONNABORTED"
    assert outcome(polled.connect, address) == "EINPROGRESS"
    topology.restart(server)
    with server.create_server(("", 80)):
        assert outcome(waiting.connect, address) is None


def test_a_neighbour_that_is_not_there_is_looked_for(topology: Topology, keep: Keep) -> None:
    """For three seconds; then there is no way to it.

    Datagrams to it vanish, and nothing is ever said, whether their socket is connected or not.
    """
    client = topology.host("client")
    polled = stream(keep, client, 0)
    one, other = datagrams(keep, client, timeout=0), datagrams(keep, client, timeout=0)
    one.connect((NOBODY, 9))
    for sock in (one, other):
        assert [sock.sendto(b"x", (NOBODY, 9)) for _ in range(4)] == [1] * 4
    assert outcome(polled.connect, (NOBODY, 80)) == "EINPROGRESS"
    assert connecting(keep, client, {}, NOBODY) == ("EHOSTUNREACH", about(3))
    client.sleep(0.2)
    assert readiness(client, polled) == "IN|OUT|ERR|HUP|RDHUP"
    assert polled.getsockopt(SOL, socket.SO_ERROR) == errno.EHOSTUNREACH
    for sock in (one, other):
        assert readiness(client, sock) == "OUT"
        assert outcome(sock.recv, 10) == "EAGAIN"
        assert sock.sendto(b"x", (NOBODY, 9)) == 1


def test_a_timeout_of_the_socket_does_not_end_the_search(topology: Topology, keep: Keep) -> None:
    """The attempt goes on underneath."""
    client = topology.host("client")
    sock = stream(keep, client, 0.1)
    assert outcome(sock.connect, (NOBODY, 80)) == "TimeoutError"
    assert outcome(sock.connect, (NOBODY, 80)) == "EALREADY"
    sock.settimeout(10)
    assert timed(client, sock.connect, (NOBODY, 80)) == ("EALREADY", about(0))


ANSWERS = {"unreachable": "EHOSTUNREACH", "network": "ENETUNREACH"}


@pytest.mark.parametrize("answer", ANSWERS)
def test_a_router_says_that_nobody_is_there(topology: Topology, keep: Keep, answer: str) -> None:
    """An answer within the call of connect() is not final, but a call that polls takes it so.

    Final is that to the second SYN, after a second.
    """
    client = topology.host("client")
    topology.unknown = answer
    waiting, polling = stream(keep, client, None), stream(keep, client)
    assert timed(client, polling.connect, (FAR, 80)) == (ANSWERS[answer], about(0))
    assert outcome(polling.connect, (FAR, 80)) == "EALREADY"
    assert timed(client, waiting.connect, (FAR, 80)) == (ANSWERS[answer], about(1))
    assert readiness(client, waiting) == "OUT|ERR|HUP"


def test_what_a_router_says_while_connecting_is_told_but_not_the_end(
    topology: Topology, keep: Keep
) -> None:
    """SO_ERROR tells it once; the attempt goes on, and poll() says that there is an error."""
    client = topology.host("client")
    sock = stream(keep, client, 0)
    assert outcome(sock.connect, (FAR, 80)) == "EINPROGRESS"
    client.sleep(0.1)
    assert readiness(client, sock) == "ERR"
    assert [sock.getsockopt(SOL, socket.SO_ERROR) for _ in range(2)] == [errno.EHOSTUNREACH, 0]
    assert readiness(client, sock) == "ERR"
    assert outcome(sock.connect, (FAR, 80)) == "EALREADY"
    client.sleep(1.5)
    assert readiness(client, sock) == "IN|OUT|ERR|HUP|RDHUP"
    assert outcome(sock.connect, (FAR, 80)) == "EHOSTUNREACH"


def test_a_host_without_an_address_of_that_version_has_no_way(
    topology: Topology, keep: Keep
) -> None:
    """ENETUNREACH at once, for streams and datagrams."""
    client = topology.host("client", ip="10.0.0.1")
    for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM):
        sock = keep(client.socket(socket.AF_INET6, kind))
        assert timed(client, sock.connect, ("fd00::9", 80)) == ("ENETUNREACH", about(0))
    other = topology.host("other", ip="fd00::1")
    sock = stream(keep, other)
    assert timed(other, sock.connect, (FAR, 80)) == ("ENETUNREACH", about(0))
    assert readiness(other, sock) == "OUT|HUP"


def test_a_host_that_came_back_refuses(topology: Topology, keep: Keep) -> None:
    """Nobody listens there any more."""
    client, server = topology.host("client"), topology.host("server")
    keep(server.create_server(("", 80)))
    topology.crash(server)
    topology.restart(server)
    assert timed(client, stream(keep, client).connect, (address_of(server), 80)) == (
        "ECONNREFUSED",
        about(0),
    )


# Datagrams


@pytest.mark.parametrize("answer", ["unreachable", "network", "silence"])
def test_datagrams_beyond_a_router_vanish(topology: Topology, keep: Keep, answer: str) -> None:
    """That there is no way is a soft error, which a socket for datagrams does not report."""
    client = topology.host("client")
    topology.unknown = answer
    sock = datagrams(keep, client, timeout=0)
    sock.connect((FAR, 9))
    for _ in range(3):
        assert sock.send(b"x") == 1
        client.sleep(0.05)
        assert readiness(client, sock) == "OUT"
        assert outcome(sock.recv, 10) == "EAGAIN"
        assert sock.getsockopt(SOL, socket.SO_ERROR) == 0


def test_a_dead_port_of_another_host_refuses(topology: Topology, keep: Keep) -> None:
    """The next call of a connected socket says so, once; an unconnected one hears nothing."""
    client, server = topology.host("client"), topology.host("server")
    address = (address_of(server), 9)
    one, other = datagrams(keep, client, timeout=0.2), datagrams(keep, client, timeout=0.2)
    one.connect(address)
    one.send(b"x")
    client.sleep(0.1)
    assert readiness(client, one) == "OUT|ERR"
    assert [outcome(one.recv, 10), outcome(one.recv, 10)] == ["ECONNREFUSED", "TimeoutError"]
    other.sendto(b"x", address)
    assert outcome(other.recv, 10) == "TimeoutError"


def test_a_crashed_host_refuses_nothing(topology: Topology, keep: Keep) -> None:
    """Datagrams to it vanish; when it is back its dead ports refuse again."""
    client, server = topology.host("client"), topology.host("server")
    sock: Socket = datagrams(keep, client, timeout=0.2)
    sock.connect((address_of(server), 9))
    topology.crash(server)
    sock.send(b"x")
    assert outcome(sock.recv, 10) == "TimeoutError"
    topology.restart(server)
    sock.send(b"x")
    assert outcome(sock.recv, 10) == "ECONNREFUSED"
