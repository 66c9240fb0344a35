"""What TCP and UDP share: local names, ports held and given back, and which way a packet goes."""

from __future__ import annotations

import errno
import socket
from collections.abc import Iterator

import pytest

from simnet.host import Host
from simnet.ports import EPHEMERAL
from simnet.protocols.inet import InetEndpoint
from simnet.world import World

TYPES = [socket.SOCK_STREAM, socket.SOCK_DGRAM]
WILDCARDS = [(socket.AF_INET, "0.0.0.0"), (socket.AF_INET6, "::")]
PORT = 8080


@pytest.fixture
def host() -> Iterator[Host]:
    """A machine with an address of each version."""
    with World() as world:
        yield world.host("alpha", ip=("10.0.0.1", "fd00::1"))


@pytest.fixture(params=TYPES, ids=lambda type: type.name)
def kind(request: pytest.FixtureRequest) -> int:
    """TCP, UDP."""
    return int(request.param)


def endpoint(host: Host, kind: int, family: int = socket.AF_INET) -> InetEndpoint:
    """A fresh one."""
    made = host.create_endpoint(int(family), kind, 0)
    assert isinstance(made, InetEndpoint)
    made.hold()
    return made


@pytest.mark.parametrize(("family", "name"), WILDCARDS)
def test_a_fresh_endpoint_is_bound_to_nothing(
    host: Host, kind: int, family: int, name: str
) -> None:
    """The wildcard address and no port."""
    fresh = endpoint(host, kind, family)
    assert fresh.getsockname() == (name, 0)
    assert fresh.port == 0


@pytest.mark.parametrize("ip", ["0.0.0.0", "127.0.0.1", "127.9.9.9", "10.0.0.1"])
def test_a_name_of_the_host_may_be_taken(host: Host, kind: int, ip: str) -> None:
    """And is shown."""
    bound = endpoint(host, kind)
    bound.bind((ip, PORT))
    assert bound.getsockname() == (ip, PORT)


def test_another_hosts_address_is_not_available(host: Host, kind: int) -> None:
    """EADDRNOTAVAIL; nothing is changed."""
    other = host.world.host("beta")
    bound = endpoint(host, kind)
    with pytest.raises(OSError, match="Cannot assign requested address") as caught:
        bound.bind((other.addresses[0], PORT))
    assert caught.value.errno == errno.EADDRNOTAVAIL
    assert bound.getsockname() == ("0.0.0.0", 0)


def test_a_name_is_taken_once(host: Host, kind: int) -> None:
    """EINVAL for the second; the first stays."""
    bound = endpoint(host, kind)
    bound.bind(("127.0.0.1", PORT))
    with pytest.raises(OSError, match="Invalid argument"):
        bound.bind(("127.0.0.1", PORT + 1))
    assert bound.getsockname() == ("127.0.0.1", PORT)


def test_a_name_that_is_in_use_leaves_no_trace(host: Host, kind: int) -> None:
    """EADDRINUSE, and the endpoint is as fresh as before."""
    first, second = endpoint(host, kind), endpoint(host, kind)
    first.bind(("127.0.0.1", PORT))
    with pytest.raises(OSError, match="Address already in use"):
        second.bind(("127.0.0.1", PORT))
    assert second.getsockname() == ("0.0.0.0", 0)
    second.bind(("127.0.0.2", PORT))


def test_a_closed_endpoint_gives_its_port_back(host: Host, kind: int) -> None:
    """To whoever comes next."""
    first, second = endpoint(host, kind), endpoint(host, kind)
    first.bind(("127.0.0.1", PORT))
    first.release()
    second.bind(("127.0.0.1", PORT))


def test_the_ports_of_the_protocols_are_apart(host: Host) -> None:
    """TCP's and UDP's."""
    for kind in TYPES:
        endpoint(host, int(kind)).bind(("127.0.0.1", PORT))


def test_the_ports_of_hosts_are_apart(host: Host, kind: int) -> None:
    """Each has all of them."""
    for each in (host, host.world.host("beta")):
        endpoint(each, kind).bind(("127.0.0.1", PORT))


def test_port_zero_is_a_free_one(host: Host, kind: int) -> None:
    """A different one each time, from the ephemeral range."""
    ports = set()
    for _ in range(50):
        bound = endpoint(host, kind)
        bound.bind(("127.0.0.1", 0))
        ports.add(bound.port)
    assert len(ports) == 50
    assert ports <= set(EPHEMERAL)


def test_an_ipv6_endpoint_takes_ipv4_names_unless_told_otherwise(host: Host, kind: int) -> None:
    """IPV6_V6ONLY makes them EINVAL."""
    dual, six = endpoint(host, kind, socket.AF_INET6), endpoint(host, kind, socket.AF_INET6)
    dual.bind(("127.0.0.1", PORT))
    assert dual.getsockname() == ("127.0.0.1", PORT)
    six.v6only = True
    with pytest.raises(OSError, match="Invalid argument"):
        six.bind(("127.0.0.1", PORT + 1))


@pytest.mark.parametrize(
    ("family", "own", "destination", "meant"),
    [
        (socket.AF_INET, None, "0.0.0.0", "127.0.0.1"),
        (socket.AF_INET, "127.0.0.5", "0.0.0.0", "127.0.0.5"),
        (socket.AF_INET, None, "10.0.0.1", "10.0.0.1"),
        (socket.AF_INET6, None, "::", "::1"),
        (socket.AF_INET6, None, "0.0.0.0", "127.0.0.1"),
    ],
)
def test_the_wildcard_as_a_destination_means_oneself(
    host: Host, kind: int, family: int, own: str | None, destination: str, meant: str
) -> None:
    """The address that is bound, or the loopback's."""
    sender = endpoint(host, kind, family)
    if own is not None:
        sender.bind((own, 0))
    assert sender.reachable(destination) == meant


def test_ipv4_is_out_of_reach_for_ipv6_only(host: Host, kind: int) -> None:
    """ENETUNREACH."""
    sender = endpoint(host, kind, socket.AF_INET6)
    sender.v6only = True
    with pytest.raises(OSError, match="Network is unreachable"):
        sender.reachable("127.0.0.1")


@pytest.mark.parametrize(
    ("destination", "source"),
    [
        ("127.0.0.7", "127.0.0.1"),
        ("::1", "::1"),
        ("10.0.0.1", "10.0.0.1"),
        ("10.200.0.1", "10.0.0.1"),
        ("fd00::2", "fd00::1"),
    ],
)
def test_a_packet_leaves_from_the_address_that_its_way_has(
    host: Host, kind: int, destination: str, source: str
) -> None:
    """Loopback from loopback, the rest from the host's own of that version."""
    assert endpoint(host, kind, socket.AF_INET6).source_for(destination) == source


def test_a_packet_leaves_from_the_address_that_was_bound(host: Host, kind: int) -> None:
    """Whatever the way."""
    sender = endpoint(host, kind)
    sender.bind(("127.0.0.9", 0))
    assert sender.source_for("127.0.0.1") == "127.0.0.9"


def test_without_an_address_of_that_version_there_is_no_way(host: Host, kind: int) -> None:
    """ENETUNREACH."""
    lonely = endpoint(host.world.host("beta"), kind, socket.AF_INET6)
    with pytest.raises(OSError, match="Network is unreachable"):
        lonely.source_for("fd00::1")
