"""Many hosts on the kernel: who reaches whom, what stops it, and that nothing is left."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from typing import Any

import pytest

import realnet
from simnet import api
from tests.realnet.topologies import topology

PATIENCE = 10.0
DGRAM = socket.SOCK_DGRAM


@pytest.fixture
def world() -> Iterator[realnet.Topology]:
    """A topology for one test."""
    with topology() as made:
        yield made


def heard(receiver: api.Socket, sender: api.Socket, address: Any, timeout: float = PATIENCE) -> Any:
    """What arrives of a datagram: its bytes, or None after some waiting."""
    sender.sendto(b"x", address)
    receiver.settimeout(timeout)
    try:
        return receiver.recv(10)
    except TimeoutError:
        return None


def receiver(host: realnet.Host, family: int = socket.AF_INET) -> api.Socket:
    """A socket that hears port 9 of every address of a host."""
    sock: api.Socket = host.socket(family, DGRAM)
    sock.bind(("", 9))
    return sock


def test_it_is_the_contracts(world: realnet.Topology) -> None:
    """As its hosts are."""
    assert isinstance(world, api.Topology)
    assert isinstance(world.host("a"), api.Network)


def test_hosts_have_names_addresses_and_interfaces(world: realnet.Topology) -> None:
    """As asked for, or chosen: the next of 10.0.0.0/8."""
    a = world.host("a")
    b = world.host("b", ip={"eth0": "10.0.0.2", "wlan0": ("192.168.1.1", "fd00::1")})
    assert (a.addresses, b.addresses) == (("10.0.0.1",), ("10.0.0.2", "192.168.1.1", "fd00::1"))
    assert world.host("c").addresses == ("10.0.0.3",)
    assert [name for _, name in b.if_nameindex()] == ["lo", "eth0", "wlan0"]
    assert (b.gethostname(), repr(a)) == ("b", "<host 'a' 10.0.0.1>")


@pytest.mark.parametrize(
    ("client", "server"),
    [
        ("10.0.0.1", "10.1.0.1"),
        ("10.0.0.1", "172.16.0.1"),
        ("fd00::1", "fd00::2"),
        ("fd00::1", "fd01::1"),
    ],
)
def test_every_host_reaches_every_other(world: realnet.Topology, client: str, server: str) -> None:
    """In its own subnet and over the router, by IPv4 and IPv6."""
    a, b = world.host("a", ip=client), world.host("b", ip=server)
    family = socket.AF_INET6 if ":" in client else socket.AF_INET
    with b.create_server((server, 0), family=family) as listener:
        with a.create_connection(listener.getsockname()[:2], PATIENCE) as conn:
            peer, address = listener.accept()
            with peer:
                conn.sendall(b"hello")
                assert (peer.recv(10), address[0]) == (b"hello", client)


def test_subnets_that_are_apart_cannot_be_joined_later(world: realnet.Topology) -> None:
    """A host of both comes first, or not at all."""
    world.host("a", ip="10.0.0.1")
    world.host("b", ip="fd00::1")
    with pytest.raises(ValueError, match=r"eth0 with 10\.0\.0\.0/8, fd00::/64 would join"):
        world.host("c", ip=("10.0.0.3", "fd00::3"))
    world.host("d", ip={"eth0": "10.0.0.3", "eth1": "fd00::3"})


@pytest.mark.parametrize("ip", ["10.0.0.2", "172.16.0.1"])
def test_a_partition_is_silent_until_it_ends(world: realnet.Topology, ip: str) -> None:
    """Between neighbours, and over the router; one way too."""
    a, b = world.host("a"), world.host("b", ip=ip)
    with receiver(a) as mine, receiver(b) as theirs:
        with world.partition(a, "b", one_way=True):
            assert heard(theirs, mine, (ip, 9), 0.1) is None
            assert heard(mine, theirs, ("10.0.0.1", 9)) == b"x"
        assert heard(theirs, mine, (ip, 9)) == b"x"
        world.partition([a], {b})
        first = world.partition(a, b)
        first.remove()
        assert heard(mine, theirs, ("10.0.0.1", 9), 0.1) is None
        world.heal()
        first.remove()
        assert heard(mine, theirs, ("10.0.0.1", 9)) == b"x"


def test_a_crashed_host_comes_back_with_its_addresses(world: realnet.Topology) -> None:
    """Without its sockets; sysctls, MTUs and partitions hold as before."""
    a, b = world.host("a"), world.host("b")
    world.limit(b, tcp_syn_retries=1)
    lost = b.create_server(("", 80))
    blocked = b.spawn(lost.accept)
    world.crash(b)
    world.crash(b)
    assert blocked.join(PATIENCE)
    assert lost.fileno() == -1
    with pytest.raises(ValueError, match="'b' has crashed"):
        b.socket()
    world.partition(b, a, one_way=True)
    world.restart(b)
    with b, open("/proc/sys/net/ipv4/tcp_syn_retries") as setting:
        assert int(setting.read()) == 1
    with receiver(a) as mine, receiver(b) as theirs:
        assert heard(theirs, mine, ("10.0.0.2", 9)) == b"x"
        assert heard(mine, theirs, ("10.0.0.1", 9), 0.1) is None
    with pytest.raises(ValueError, match="'b' has not crashed"):
        world.restart(b)


def test_a_link_may_have_an_mtu_of_its_own(world: realnet.Topology) -> None:
    """A router on the way turns back what is larger; it can be changed, and be one way only."""
    a, b = world.host("a"), world.host("b")
    for mtu in (1200, 1000):
        world.link("a", b, mtu=mtu, symmetric=False)
        with b.create_server(("", 80)) as listener, a.create_connection(("10.0.0.2", 80)) as conn:
            with listener.accept()[0] as peer:
                conn.sendall(b"x" * 10000)
                peer.settimeout(PATIENCE)
                assert len(peer.recv(10000, socket.MSG_WAITALL)) > 0
                assert conn.getsockopt(socket.IPPROTO_IP, 14) == mtu  # IP_MTU
                assert peer.getsockopt(socket.IPPROTO_IP, 14) == 1500


def test_sysctls_and_mtus_belong_to_a_host(world: realnet.Topology) -> None:
    """Given when the topology is made they hold for every host."""
    with topology(somaxconn=7) as other:
        a, b = other.host("a"), other.host("b")
        other.limit("a", mtu=900, default_ttl=9)
        for host, ttl, mtu in ((a, 9, 900), (b, 64, 1500)):
            with (
                host.socket(type=DGRAM) as sock,
                host,
                open("/proc/sys/net/core/somaxconn") as most,
            ):
                assert int(most.read()) == 7
                sock.connect(("10.0.0.77", 9))
                assert sock.getsockopt(socket.IPPROTO_IP, socket.IP_TTL) == ttl
                assert sock.getsockopt(socket.IPPROTO_IP, 14) == mtu
        with pytest.raises(TypeError, match="no limit 'tcp_nonsense' of its own"):
            other.limit(a, tcp_nonsense=1)


def test_bad_input_is_refused(world: realnet.Topology) -> None:
    """With what is wrong and, where that is not plain, what would be right."""
    a, b = world.host("a"), world.host("b")
    with topology() as other:
        stranger = other.host("stranger")
    refusals: list[tuple[type[Exception], str, Any]] = [
        (ValueError, "name of its own", lambda: world.host("a")),
        (ValueError, "address of host 'a' already", lambda: world.host("c", ip="10.0.0.1")),
        (ValueError, "does not appear to be", lambda: world.host("c", ip="10.0.0")),
        (ValueError, "does not appear to be", lambda: world.host("c", ip="10.0.0.3/33")),
        (ValueError, "cannot be a host's", lambda: world.host("c", ip="224.0.0.1")),
        (ValueError, "short name of its own", lambda: world.host("c", ip={"a b": "10.0.0.3"})),
        (ValueError, "short name of its own", lambda: world.host("c", ip={"lo": "10.0.0.3"})),
        (ValueError, "no link to itself", lambda: world.link(a, "a", mtu=1000)),
        (TypeError, r"has only an mtu, not \['latency'\]", lambda: world.link(a, b, latency=1)),
        (ValueError, "mtu is from 68", lambda: world.link(a, b, mtu=10)),
        (ValueError, "both sides", lambda: world.partition([a, b], b)),
        (ValueError, "no host of this topology", lambda: world.crash(stranger)),
        (ValueError, "no host of this topology", lambda: world.crash("nobody")),
        (ValueError, "unknown is one of", lambda: setattr(world, "unknown", "what")),
    ]
    for kind, text, call in refusals:
        with pytest.raises(kind, match=text):
            call()


def test_a_host_that_cannot_be_made_leaves_nothing() -> None:
    """Neither a name nor a device."""
    with topology(tcp_nonsense=1) as world:
        for _ in range(2):
            with pytest.raises(TypeError, match="no limit 'tcp_nonsense'"):
                world.host("a")
        assert world.hosts == {}


def test_code_in_the_block_of_a_host_runs_there(world: realnet.Topology) -> None:
    """Tasks of a host too."""
    a, b = world.host("a"), world.host("b")

    def own_address() -> Any:
        with socket.socket(type=DGRAM) as sock:
            sock.connect(("10.9.9.9", 9))
            return sock.getsockname()[0]

    with a:
        with b:
            assert own_address() == "10.0.0.2"
        assert own_address() == "10.0.0.1"
    assert b.spawn(own_address).result(PATIENCE) == "10.0.0.2"


def fail_in_the_middle(seen: list[Any]) -> None:
    """A block of a topology that ends in an exception, with a socket open and a task running."""
    with topology() as world:
        a = world.host("a")
        sock = a.create_server(("", 80))
        seen += [world, sock, a.spawn(sock.accept)]
        raise ZeroDivisionError


def test_nothing_is_left_of_a_topology() -> None:
    """No descriptor, also after a failure in its block; sockets are closed, tasks end."""
    topology().close()
    before, seen = len(os.listdir("/proc/self/fd")), list[Any]()
    with pytest.raises(ZeroDivisionError):
        fail_in_the_middle(seen)
    world, sock, task = seen
    assert task.join(PATIENCE)
    assert sock.fileno() == -1
    assert len(os.listdir("/proc/self/fd")) == before
    world.close()
