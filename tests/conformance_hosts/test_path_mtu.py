"""The largest packet of a way: what is too large is cut, refused, or learnt of (RFC 1191)."""

from __future__ import annotations

import errno
import socket
import sys

import attrs
import pytest

from simnet.api import Network, Socket, Topology
from tests.conformance.outcomes import outcome, readiness, recv_exactly
from tests.conformance_hosts.ways import TCP, Keep, address_of, connected, datagrams

IP_MTU_DISCOVER, IP_MTU, MAXSEG = 10, 14, 2
DONT, WANT, DO, PROBE, INTERFACE, OMIT = range(6)
V6, V6_MTU_DISCOVER, V6_PATHMTU, DONTFRAG = socket.IPPROTO_IPV6, 23, 61, 62
IP = socket.IPPROTO_IP
Hosts = tuple[Network, Network]


@pytest.fixture
def hosts(topology: Topology) -> Hosts:
    """(a sender's host, a receiver's host), with a narrow way there."""
    sender = topology.host("sender", ip=("10.0.0.1", "fd00::1"))
    receiver = topology.host("receiver", ip=("10.0.0.2", "fd00::2"))
    topology.link(sender, receiver, mtu=1300, symmetric=False)
    return sender, receiver


@attrs.frozen
class Version:
    """How one version of IP is spoken to."""

    family: int
    target: str
    level: int
    discover: int
    mtu: int
    headers: int

    def known(self, sock: Socket) -> int:
        """What is known of the way (IPV6_PATHMTU gives a struct ip6_mtuinfo)."""
        info = sock.getsockopt(self.level, self.mtu, 4 if self.family == socket.AF_INET else 32)
        assert isinstance(info, bytes)
        return int.from_bytes(info[-4:], sys.byteorder)

    def sender(self, keep: Keep, host: Network, mode: int | None) -> Socket:
        """A socket that is connected to the receiver, with a mode of discovery."""
        sock = keep(host.socket(self.family, socket.SOCK_DGRAM))
        if mode is not None:
            sock.setsockopt(self.level, self.discover, mode)
        sock.connect((self.target, 9))
        sock.setblocking(False)
        return sock

    def receiver(self, keep: Keep, host: Network) -> Socket:
        """Who hears it."""
        sock = keep(host.socket(self.family, socket.SOCK_DGRAM))
        sock.bind(("", 9))
        sock.setblocking(False)
        return sock


FOUR = Version(socket.AF_INET, "10.0.0.2", IP, IP_MTU_DISCOVER, IP_MTU, 28)
SIX = Version(socket.AF_INET6, "fd00::2", V6, V6_MTU_DISCOVER, V6_PATHMTU, 48)
VERSIONS = pytest.mark.parametrize("version", [FOUR, SIX], ids=["IPv4", "IPv6"])


def arrived(host: Network, sock: Socket) -> list[int]:
    """The sizes of what came."""
    host.sleep(0.05)
    sizes = []
    while isinstance(data := outcome(sock.recv, 65536), bytes):
        sizes.append(len(data))
    return sizes


def test_streams_find_out_and_cut_smaller(topology: Topology, keep: Keep, hosts: Hosts) -> None:
    """Nothing is noticed but the size of the segments; the way back is as it was."""
    conn, peer = connected(keep, *hosts)
    assert conn.getsockopt(TCP, MAXSEG) == 1460
    conn.sendall(b"x" * 20000)
    assert len(recv_exactly(peer, 20000)) == 20000
    assert (conn.getsockopt(IP, IP_MTU), conn.getsockopt(TCP, MAXSEG)) == (1300, 1260)
    assert (peer.getsockopt(IP, IP_MTU), peer.getsockopt(TCP, MAXSEG)) == (1500, 1460)
    later, _ = connected(keep, *hosts)
    assert later.getsockopt(TCP, MAXSEG) == 1260


def test_streams_speak_of_the_smaller_interface(topology: Topology, keep: Keep) -> None:
    """Each announces its own; the smaller counts for both."""
    small, large = topology.host("small"), topology.host("large")
    topology.limit(small, mtu=1000)
    conn, peer = connected(keep, small, large)
    assert [sock.getsockopt(TCP, MAXSEG) for sock in (conn, peer)] == [948 + 12, 960]
    assert [sock.getsockopt(IP, IP_MTU) for sock in (conn, peer)] == [1000, 1500]


@VERSIONS
def test_a_datagram_that_is_too_large_teaches_its_sender(
    topology: Topology, keep: Keep, hosts: Hosts, version: Version
) -> None:
    """As a rule it is lost, a connected sender hears of it once, and later ones are cut."""
    sock, receiver = version.sender(keep, hosts[0], None), version.receiver(keep, hosts[1])
    assert version.known(sock) == 1500
    assert sock.send(b"x" * 1400) == 1400
    assert arrived(hosts[0], receiver) == []
    assert readiness(hosts[0], sock) == "OUT|ERR"
    assert [outcome(sock.recv, 10), outcome(sock.recv, 10)] == ["EMSGSIZE", "EAGAIN"]
    assert version.known(sock) == 1300
    for size in (1300 - version.headers, 1301 - version.headers, 1400, 5000):
        assert sock.send(b"x" * size) == size
        assert arrived(hosts[0], receiver) == [size]


@VERSIONS
def test_an_unconnected_sender_learns_too(
    topology: Topology, keep: Keep, hosts: Hosts, version: Version
) -> None:
    """Its host does; it is not told."""
    receiver = version.receiver(keep, hosts[1])
    sock = keep(hosts[0].socket(version.family, socket.SOCK_DGRAM))
    sock.setblocking(False)
    assert sock.sendto(b"x" * 1400, (version.target, 9)) == 1400
    assert arrived(hosts[0], receiver) == []
    assert readiness(hosts[0], sock) == "OUT"
    assert sock.sendto(b"x" * 1400, (version.target, 9)) == 1400
    assert arrived(hosts[0], receiver) == [1400]


@VERSIONS
def test_never_in_fragments(topology: Topology, keep: Keep, hosts: Hosts, version: Version) -> None:
    """What is known to be too large is refused at once."""
    sock, receiver = version.sender(keep, hosts[0], DO), version.receiver(keep, hosts[1])
    fits = 1300 - version.headers
    assert sock.send(b"x" * 1400) == 1400
    assert arrived(hosts[0], receiver) == []
    assert outcome(sock.send, b"x" * fits) == "EMSGSIZE"
    gave = [outcome(sock.send, b"x" * size) for size in (fits, fits + 1, 1400, 5000)]
    assert gave == [fits, "EMSGSIZE", "EMSGSIZE", "EMSGSIZE"]
    assert arrived(hosts[0], receiver) == [fits]
    assert readiness(hosts[0], sock) == "OUT"


@VERSIONS
def test_probing_does_not_heed_what_is_known(
    topology: Topology, keep: Keep, hosts: Hosts, version: Version
) -> None:
    """Only the interface counts; each loss is told."""
    sock, receiver = version.sender(keep, hosts[0], PROBE), version.receiver(keep, hosts[1])
    fits = 1500 - version.headers
    for _ in range(2):
        assert sock.send(b"x" * fits) == fits
        assert arrived(hosts[0], receiver) == []
        assert outcome(sock.recv, 10) == "EMSGSIZE"
    assert outcome(sock.send, b"x" * (fits + 1)) == "EMSGSIZE"
    assert outcome(sock.recv, 10) == "EAGAIN"


@pytest.mark.parametrize("mode", [DONT, INTERFACE, OMIT])
def test_a_router_cuts_what_may_be_cut(
    topology: Topology, keep: Keep, hosts: Hosts, mode: int
) -> None:
    """Over IPv4. Nobody learns anything; some modes refuse what is larger than the interface."""
    sock, receiver = FOUR.sender(keep, hosts[0], mode), FOUR.receiver(keep, hosts[1])
    for size in (1272, 1273, 1472):
        assert sock.send(b"x" * size) == size
        assert arrived(hosts[0], receiver) == [size]
    if mode == INTERFACE:
        assert outcome(sock.send, b"x" * 1473) == "EMSGSIZE"
    else:
        assert sock.send(b"x" * 1473) == 1473
        assert arrived(hosts[0], receiver) == [1473]
    assert readiness(hosts[0], sock) == "OUT"
    assert sock.getsockopt(IP, IP_MTU) == 1500


@pytest.mark.parametrize("mode", [DONT, INTERFACE])
def test_no_router_cuts_ipv6(topology: Topology, keep: Keep, hosts: Hosts, mode: int) -> None:
    """What is too large is lost; these modes do not tell."""
    sock, receiver = SIX.sender(keep, hosts[0], mode), SIX.receiver(keep, hosts[1])
    assert sock.send(b"x" * 1400) == 1400
    assert arrived(hosts[0], receiver) == []
    assert readiness(hosts[0], sock) == "OUT"
    assert sock.getsockopt(SOL_ERROR[0], SOL_ERROR[1]) == 0


SOL_ERROR = socket.SOL_SOCKET, socket.SO_ERROR


def test_ipv6_may_be_told_not_to_cut(topology: Topology, keep: Keep, hosts: Hosts) -> None:
    """IPV6_DONTFRAG refuses what is larger than the way is known to take."""
    sock = SIX.sender(keep, hosts[0], None)
    sock.setsockopt(V6, DONTFRAG, 1)
    assert outcome(sock.send, b"x" * 1453) == "EMSGSIZE"
    assert sock.send(b"x" * 1400) == 1400
    hosts[0].sleep(0.05)
    assert sock.getsockopt(*SOL_ERROR) == errno.EMSGSIZE
    assert outcome(sock.send, b"x" * 1253) == "EMSGSIZE"
    assert sock.send(b"x" * 1252) == 1252


def test_the_own_interface_is_known(topology: Topology, keep: Keep) -> None:
    """Without any discovery; a datagram put together piece by piece is measured as a whole."""
    sender, receiver = topology.host("sender"), topology.host("receiver")
    topology.limit(sender, mtu=1000)
    heard = datagrams(keep, receiver, 9)
    heard.setblocking(False)
    for mode, refuses in ((DONT, False), (WANT, False), (DO, True), (PROBE, True)):
        sock = datagrams(keep, sender)
        sock.setsockopt(IP, IP_MTU_DISCOVER, mode)
        address = (address_of(receiver), 9)
        assert sock.sendto(b"x" * 972, address) == 972
        large = outcome(sock.sendto, b"x" * 973, address)
        assert large == ("EMSGSIZE" if refuses else 973)
        assert arrived(sender, heard) == ([972] if refuses else [972, 973])
        assert sock.sendto(b"x" * 500, socket.MSG_MORE, address) == 500
        assert outcome(sock.sendto, b"x" * 473, address) == ("EMSGSIZE" if refuses else 473)
        assert arrived(sender, heard) == ([] if refuses else [973])
