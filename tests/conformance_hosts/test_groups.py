"""Broadcasts and multicasts to the hosts of a subnet."""

from __future__ import annotations

import socket

import pytest

from simnet.api import Network, Socket, Topology
from tests.conformance.outcomes import outcome
from tests.conformance_hosts.ways import Keep, address_of, datagrams

IP, V6 = socket.IPPROTO_IP, socket.IPPROTO_IPV6
GROUP, GROUP6 = "239.1.2.3", "ff15::7"


@pytest.fixture
def hosts(topology: Topology) -> list[Network]:
    """Two neighbours, and a host of another subnet."""
    ips = (("10.0.0.1", "fd00::1"), ("10.0.0.2", "fd00::2"), ("172.16.0.1", "fd01::1"))
    return [topology.host(name, ip=ip) for name, ip in zip("abc", ips, strict=True)]


def heard(host: Network, sockets: list[Socket]) -> list[object]:
    """What each of some sockets has got."""
    host.sleep(0.05)
    for sock in sockets:
        sock.setblocking(False)
    return [outcome(sock.recv, 10) for sock in sockets]


def broadcaster(keep: Keep, host: Network) -> Socket:
    """A socket that may speak to everybody."""
    sock = datagrams(keep, host)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
    return sock


@pytest.mark.parametrize("address", ["10.255.255.255", "255.255.255.255"])
def test_a_broadcast_is_heard_in_the_subnet(
    topology: Topology, keep: Keep, hosts: list[Network], address: str
) -> None:
    """By the sender's own host too, and by nobody beyond the router."""
    listening = [datagrams(keep, host, 9) for host in hosts]
    broadcaster(keep, hosts[0]).sendto(b"all", (address, 9))
    assert heard(hosts[0], listening) == [b"all", b"all", "EAGAIN"]
    assert outcome(datagrams(keep, hosts[0]).sendto, b"x", (address, 9)) == "EACCES"


def test_who_is_bound_to_an_address_hears_what_is_sent_to_it(
    topology: Topology, keep: Keep, hosts: list[Network]
) -> None:
    """To the host's own: no broadcast; to the subnet's: nothing else."""
    own, subnet = (keep(hosts[1].socket(type=socket.SOCK_DGRAM)) for _ in range(2))
    own.bind(("10.0.0.2", 9))
    subnet.bind(("10.255.255.255", 9))
    sender = broadcaster(keep, hosts[0])
    sender.sendto(b"all", ("10.255.255.255", 9))
    assert heard(hosts[0], [own, subnet]) == ["EAGAIN", b"all"]
    sender.sendto(b"one", ("10.0.0.2", 9))
    assert heard(hosts[0], [own, subnet]) == [b"one", "EAGAIN"]


def test_nobody_refuses_a_broadcast(topology: Topology, keep: Keep, hosts: list[Network]) -> None:
    """A dead port is silent, also towards a socket that is connected to everybody."""
    sender = broadcaster(keep, hosts[0])
    sender.connect(("10.255.255.255", 9))
    assert [sender.send(b"x") for _ in range(3)] == [1, 1, 1]
    assert heard(hosts[0], [sender]) == ["EAGAIN"]


def test_a_broadcast_is_answered_by_each(
    topology: Topology, keep: Keep, hosts: list[Network]
) -> None:
    """From its own address."""
    other = topology.host("d", ip="10.0.0.4")
    listening = [datagrams(keep, host, 9) for host in (hosts[1], other)]
    sender = broadcaster(keep, hosts[0])
    sender.sendto(b"who?", ("10.255.255.255", 9))
    for sock in listening:
        question, asker = sock.recvfrom(10)
        assert (question, asker[0]) == (b"who?", "10.0.0.1")
        sock.sendto(b"me", asker)
    answers = sorted(sender.recvfrom(10) for _ in range(2))
    assert answers == [(b"me", ("10.0.0.2", 9)), (b"me", ("10.0.0.4", 9))]


def joined(keep: Keep, host: Network) -> Socket:
    """A socket that hears the group on the interface of its host."""
    sock = datagrams(keep, host, 9)
    request = socket.inet_aton(GROUP) + socket.inet_aton(address_of(host))
    sock.setsockopt(IP, socket.IP_ADD_MEMBERSHIP, request)
    return sock


def test_a_group_is_heard_by_its_members(
    topology: Topology, keep: Keep, hosts: list[Network]
) -> None:
    """By those of the subnet; IP_MULTICAST_LOOP is about the sender's own host alone."""
    a, b, c = hosts
    sender, stranger = datagrams(keep, a), datagrams(keep, b, 7)
    members = [joined(keep, host) for host in (a, b, c)]
    sender.sendto(b"1", (GROUP, 9))
    assert heard(a, members) == [b"1", b"1", "EAGAIN"]
    sender.setsockopt(IP, socket.IP_MULTICAST_LOOP, 0)
    sender.sendto(b"2", (GROUP, 9))
    assert heard(a, members) == ["EAGAIN", b"2", "EAGAIN"]
    sender.setsockopt(IP, socket.IP_MULTICAST_LOOP, 1)
    sender.setsockopt(IP, socket.IP_MULTICAST_TTL, 0)
    sender.sendto(b"3", (GROUP, 9))
    assert heard(a, members) == [b"3", "EAGAIN", "EAGAIN"]
    sender.setsockopt(IP, socket.IP_MULTICAST_TTL, 1)
    sender.sendto(b"4", (GROUP, 7))
    assert heard(a, [stranger]) == [b"4"]  # one member on the host is enough (IP_MULTICAST_ALL)
    request = socket.inet_aton(GROUP) + socket.inet_aton("10.0.0.2")
    members[1].setsockopt(IP, socket.IP_DROP_MEMBERSHIP, request)
    sender.sendto(b"5", (GROUP, 9))
    assert heard(a, members) == [b"5", "EAGAIN", "EAGAIN"]


def test_a_group_of_ipv6_is_heard_by_its_members(
    topology: Topology, keep: Keep, hosts: list[Network]
) -> None:
    """Of the subnet of the sender's interface."""
    members = []
    for host in hosts[:2]:
        sock = keep(host.socket(socket.AF_INET6, socket.SOCK_DGRAM))
        sock.bind(("", 9))
        index = {name: i for i, name in host.if_nameindex()}["eth0"]
        request = socket.inet_pton(socket.AF_INET6, GROUP6) + index.to_bytes(4, "little")
        sock.setsockopt(V6, socket.IPV6_JOIN_GROUP, request)
        members.append(sock)
    sender = keep(hosts[0].socket(socket.AF_INET6, socket.SOCK_DGRAM))
    sender.setsockopt(V6, socket.IPV6_MULTICAST_IF, 2)
    sender.sendto(b"1", (GROUP6, 9))
    assert heard(hosts[0], members) == [b"1", b"1"]
    sender.setsockopt(V6, socket.IPV6_MULTICAST_LOOP, 0)
    sender.sendto(b"2", (GROUP6, 9))
    assert heard(hosts[0], members) == ["EAGAIN", b"2"]
