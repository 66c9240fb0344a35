"""IP addresses: one internal text for each, and the same answers as the standard library's."""

from __future__ import annotations

import ipaddress
import socket

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simnet import addresses

V4 = st.ip_addresses(v=4).map(str)
V6 = st.ip_addresses(v=6)
PORTS = st.integers(0, 65535)


def internal(ip: ipaddress.IPv6Address) -> str:
    """The internal form of an IPv6 address: mapped ones are dotted quads."""
    found = addresses.numeric(ip.exploded, socket.AF_INET6)
    assert found is not None
    return found


@given(V4)
def test_an_ipv4_address_is_its_own_internal_form(ip: str) -> None:
    """Dotted quad, as everybody writes it."""
    assert addresses.numeric(ip, socket.AF_INET) == ip
    assert addresses.is_ipv4(ip)


@given(V6)
def test_every_spelling_of_an_ipv6_address_means_the_same(ip: ipaddress.IPv6Address) -> None:
    """Exploded, compressed, upper case."""
    spellings = {ip.exploded, ip.compressed, ip.compressed.upper()}
    assert {addresses.numeric(text, socket.AF_INET6) for text in spellings} == {internal(ip)}


@given(V4)
def test_a_mapped_address_is_ipv4_inside(ip: str) -> None:
    """One host has one address, by whichever socket it is reached."""
    assert addresses.numeric(f"::ffff:{ip}", socket.AF_INET6) == ip


@given(V4, PORTS)
def test_an_ipv6_socket_shows_ipv4_mapped(ip: str, port: int) -> None:
    """And an IPv4 socket shows it plain."""
    assert addresses.present((ip, port), socket.AF_INET) == (ip, port)
    assert addresses.present((ip, port), socket.AF_INET6) == (f"::ffff:{ip}", port, 0, 0)


@given(V6, PORTS, st.integers(1, 9))
def test_what_is_shown_means_what_it_showed(
    ip: ipaddress.IPv6Address, port: int, scope: int
) -> None:
    """There and back, with a scope where the address needs one."""
    inside = addresses.with_scope(internal(ip), scope)
    shown, shown_port, flow, shown_scope = addresses.present((inside, port), socket.AF_INET6)
    back = addresses.numeric(shown, socket.AF_INET6)
    assert back is not None
    assert addresses.with_scope(back, shown_scope) == inside
    assert (shown_port, flow) == (port, 0)


@pytest.mark.parametrize(
    "text", ["", "host", "1.2.3", "1.2.3.4.5", "256.0.0.1", "01.2.3.4x", "1.2.3.4 ", "1\0.2.3.4"]
)
@pytest.mark.parametrize("family", [socket.AF_INET, socket.AF_INET6])
def test_what_is_not_numeric_is_none(text: str, family: int) -> None:
    """A name is somebody else's question."""
    assert addresses.numeric(text, family) is None


@pytest.mark.parametrize("text", ["fe80::1%", "fe80::1%eth0", "fe80::g", "1.2.3.4"])
def test_an_ipv6_address_is_not_spelt_so(text: str) -> None:
    """Scopes are numbers inside; names of interfaces are resolved before."""
    assert addresses.numeric(text, socket.AF_INET6) is None


def test_only_link_local_addresses_have_a_scope() -> None:
    """Others lose it."""
    assert addresses.numeric("fe80::1%3", socket.AF_INET6) == "fe80::1%3"
    assert addresses.numeric("ff02::1%3", socket.AF_INET6) == "ff02::1%3"
    assert addresses.numeric("2001:db8::1%3", socket.AF_INET6) == "2001:db8::1"


@given(st.one_of(V4, V6.map(internal)))
def test_questions_have_the_standard_librarys_answers(ip: str) -> None:
    """Loopback, multicast, unspecified, and the bytes on the wire."""
    known = ipaddress.ip_address(ip)
    assert addresses.is_loopback(ip) == known.is_loopback
    assert addresses.is_multicast(ip) == known.is_multicast
    assert addresses.is_any(ip) == known.is_unspecified
    assert addresses.packed(ip) == known.packed


@given(V4, st.integers(0, 32))
def test_an_address_lies_in_its_own_network(ip: str, prefix: int) -> None:
    """Whatever the length of the prefix."""
    assert ipaddress.ip_address(ip) in addresses.network_of(ip, prefix)
