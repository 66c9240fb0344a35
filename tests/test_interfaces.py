"""Interfaces: how addresses are written, which subnet is whose, and which way packets go."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simnet.interfaces import LOOPBACK, Addressing, Interface, parse
from tests.properties.profiles import examples

LO, ETH0, ETH1 = 1, 2, 3


def networks(addresses: Any) -> list[str]:
    """The subnets of what is written so."""
    return [str(network) for each in parse(addresses) for _, network in each.addresses]


@pytest.mark.parametrize(
    ("written", "network"),
    [
        ("10.1.2.3", "10.0.0.0/8"),
        ("172.16.5.5", "172.16.0.0/12"),
        ("192.168.1.1", "192.168.0.0/16"),
        ("203.0.113.5", "203.0.113.0/24"),
        ("fd00::1", "fd00::/64"),
        ("2001:db8::1", "2001:db8::/64"),
        ("10.1.2.3/24", "10.1.2.0/24"),
        ("10.1.2.3/32", "10.1.2.3/32"),
        ("fd00::1/128", "fd00::1/128"),
        ("203.0.113.5/0", "0.0.0.0/0"),
    ],
)
def test_an_address_lies_in_a_subnet(written: str, network: str) -> None:
    """That of its prefix length; without one, a private block's, or the usual one."""
    assert networks(written) == [network]


def test_interfaces_have_names_and_numbers() -> None:
    """The loopback is the first; addresses alone belong to eth0."""
    assert parse(()) == (LOOPBACK,)
    assert [(each.index, each.name) for each in parse(["10.0.0.1", "fd00::1"])] == [
        (LO, "lo"),
        (ETH0, "eth0"),
    ]
    both = parse({"wan": "203.0.113.5", "none": (), "lan": ["10.0.0.1", "fd00::1"]})
    assert [(each.index, each.name, len(each.addresses)) for each in both[1:]] == [
        (ETH0, "wan", 1),
        (ETH1, "lan", 2),
    ]


@pytest.mark.parametrize(
    ("written", "message"),
    [
        ("10.0.0", "'10.0.0' is not an IPv4 or IPv6 address"),
        ("10.0.0.1/33", "'10.0.0.1/33': a prefix length is from 0 to 32"),
        ("fd00::1/129", "'fd00::1/129': a prefix length is from 0 to 128"),
        ("10.0.0.1/", "'10.0.0.1/': a prefix length is from 0 to 32"),
        ("10.0.0.1/x", "a prefix length is from 0 to 32"),
        ("255.255.255.255", "255.255.255.255 cannot be a host's address"),
        ("239.1.1.1", "239.1.1.1 cannot be a host's address"),
        ("fe80::1", "fe80::1 is an address of one link only: these are not modelled"),
        ("10.0.0.0", "10.0.0.0 is the address of the subnet 10.0.0.0/8 itself"),
        ("10.1.0.255/24", "10.1.0.255 is the broadcast address of the subnet 10.1.0.0/24"),
        (["10.0.0.1", "10.0.0.1/24"], "10.0.0.1 is there twice"),
        ({"eth0": "10.0.0.1", "eth1": "10.0.0.1"}, "10.0.0.1 is there twice"),
        ({"lo": "10.0.0.1"}, "an interface needs a name of its own, not 'lo'"),
        ({"": "10.0.0.1"}, "an interface needs a name of its own, not ''"),
    ],
)
def test_what_cannot_be_is_refused(written: Any, message: str) -> None:
    """ValueError says why."""
    with pytest.raises(ValueError, match=message):
        parse(written)


@pytest.mark.parametrize("written", ["10.0.0.0/31", "10.0.0.1/31", "10.0.0.1/32", "fd00::"])
def test_small_subnets_have_no_addresses_to_spare(written: str) -> None:
    """A link between two (RFC 3021), a host alone, and IPv6, where the first is a router's too."""
    assert Addressing(parse(written)).addresses


@pytest.fixture
def two_legs() -> Addressing:
    """A host with two interfaces."""
    inside = ["10.1.0.1/24", "fd01::1"]
    return Addressing(parse({"eth0": inside, "eth1": ["10.2.0.1/24", "fd02::1"]}))


@pytest.mark.parametrize(
    ("ip", "source", "index"),
    [
        ("127.0.0.9", "127.0.0.1", LO),
        ("::1", "::1", LO),
        ("10.2.0.1", "10.2.0.1", ETH1),
        ("10.1.0.9", "10.1.0.1", ETH0),
        ("10.2.0.9", "10.2.0.1", ETH1),
        ("fd02::9", "fd02::1", ETH1),
        ("10.2.0.255", "10.2.0.1", ETH1),
        ("8.8.8.8", "10.1.0.1", ETH0),
        ("2001:db8::9", "fd01::1", ETH0),
        ("239.1.1.1", "10.1.0.1", ETH0),
    ],
)
def test_the_way_is_the_subnet_s_or_the_first(
    two_legs: Addressing, ip: str, source: str, index: int
) -> None:
    """What is in no subnet goes to a router, through the first interface."""
    assert two_legs.source_for(ip) == source
    assert two_legs.route_interface(ip) == index


def test_broadcast_addresses_are_those_of_its_subnets(two_legs: Addressing) -> None:
    """And the one for everybody; groups and broadcasts are for many."""
    broadcasts = ["10.1.0.255", "10.2.0.255", "255.255.255.255", "127.255.255.255"]
    assert all(two_legs.is_broadcast(ip) for ip in broadcasts)
    others = ["10.3.0.255", "10.1.0.1", "239.1.1.1", "ff02::1"]
    assert not any(two_legs.is_broadcast(ip) for ip in others)
    assert [two_legs.is_unicast(ip) for ip in (*broadcasts, *others)] == [False] * 4 + [
        True,
        True,
        False,
        False,
    ]
    assert [two_legs.is_neighbour(ip) for ip in ("10.2.0.77", "10.3.0.77", "fd01::77")] == [
        True,
        False,
        True,
    ]


@given(address=st.ip_addresses(v=4), length=st.integers(1, 30))
@examples(50)
def test_a_host_s_broadcast_address_is_not_its_own(address: Any, length: int) -> None:
    """For every address that a host can have."""
    try:
        (_, interface) = parse(f"{address}/{length}")
    except ValueError:
        return
    addressing = Addressing([LOOPBACK, interface])
    ((ip, network),) = interface.addresses
    assert addressing.is_broadcast(str(network.broadcast_address))
    assert not addressing.is_broadcast(ip)
    assert addressing.is_neighbour(ip)
    assert isinstance(interface, Interface)
