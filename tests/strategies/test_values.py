"""Addresses, ports, names and payloads."""

from __future__ import annotations

import ipaddress
from typing import Any

import pytest
from hypothesis import given, seed, settings
from hypothesis import strategies as st

from simnet import World
from simnet import strategies as net
from simnet.constants import AF_INET, AF_INET6
from simnet.strategies.values import EDGES_OF_SIZES
from tests.strategies.plainest import plainest

SOME = settings(max_examples=50, deadline=None)


@SOME
@given(net.ip_addresses())
def test_every_address_can_be_a_hosts(ip: str) -> None:
    """A world takes it, and it is written as the standard library writes it."""
    with World() as world:
        assert world.host("a", ip=ip).addresses == (ip,)
    assert str(ipaddress.ip_address(ip)) == ip


def test_addresses_shrink_toward_the_first_of_a_private_block() -> None:
    """Of each version."""
    assert plainest(net.ip_addresses()) == "10.0.0.1"
    assert plainest(net.ip_addresses((6,))) == "fd00::1"


@SOME
@given(net.socket_addresses())
def test_a_socket_can_be_bound_to_every_socket_address(address: Any) -> None:
    """And has it then."""
    family = AF_INET if len(address) == 2 else AF_INET6
    with World() as world, world.host("a", ip=address[0]).socket(family) as sock:
        sock.bind(address)
        assert sock.getsockname() == address


def test_socket_addresses_shrink_toward_a_well_known_port() -> None:
    """Or the lowest, where that is not allowed."""
    assert plainest(net.socket_addresses()) == ("10.0.0.1", 80)
    assert plainest(net.ports(2000, 3000)) == 2000
    assert plainest(net.socket_addresses((4,), ports=st.just(7))) == ("10.0.0.1", 7)


@SOME
@given(net.unix_names(), st.sampled_from(["one", "other"]))
def test_a_unix_socket_can_be_bound_to_every_unix_name(name: str, host: str) -> None:
    """Also to the longest."""
    with World() as world, world.host(host).socket(1) as sock:
        sock.bind(name)
        assert sock.getsockname() == name.encode()


@SOME
@given(net.host_names())
def test_every_host_name_can_be_looked_up(name: str) -> None:
    """If somebody says what it is."""
    with World() as world:
        world.names.add(name, "10.0.0.9")
        assert world.host("a").gethostbyname(name) == "10.0.0.9"


def test_names_shrink_toward_one_letter() -> None:
    """The first one."""
    assert plainest(net.host_names()) == "a"
    assert plainest(net.unix_names()) == "\0a"


@SOME
@given(net.payloads(2, 5000))
def test_payloads_are_within_their_bounds(payload: bytes) -> None:
    """Both ends count."""
    assert 2 <= len(payload) <= 5000


def test_payloads_are_often_at_an_edge() -> None:
    """Or a byte more or less; and each piece of these says where it was."""
    edges = {edge + more for edge in EDGES_OF_SIZES for more in (-1, 0, 1)}
    found = []

    @seed(0)
    @given(net.payloads(max_size=70_000))
    def collect(payload: bytes) -> None:
        if len(payload) in edges:
            found.append(len(payload))
            assert payload.startswith(b"00000 00006 00012 ")
            assert payload[600:606] in (b"00600 ", b"")

    collect()
    assert len(found) > 10
    assert len(set(found)) > 8


def test_payloads_shrink_toward_nothing() -> None:
    """Or as few NULs as are allowed."""
    assert plainest(net.payloads()) == b""
    assert plainest(net.payloads(3)) == bytes(3)


@SOME
@given(net.lines([b"\r\n", b"\n"], min_lines=1))
def test_lines_end_with_the_ends_that_are_asked_for(text: bytes) -> None:
    r"""No \r stands alone where none is asked for."""
    assert b"\n" in text
    assert b"\r" not in text.replace(b"\r\n", b"")


def test_lines_of_several_ends_come_together() -> None:
    """Empty ones, and those without an end."""
    assert plainest(net.lines()) == b""
    assert plainest(net.lines(min_lines=2)) == b"\r\n\r\n"
    several = net.lines(max_lines=2)
    assert plainest(several, lambda text: text.startswith(b"\n\r\n")) == b"\n\r\n"
    assert plainest(several, lambda text: b"\r\n" in text[:-2] and text[-1:] not in b"\r\n")


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: net.ip_addresses((5,)), r"versions is \(4,\), \(6,\) or \(4, 6\), not \(5,\)"),
        (lambda: net.ip_addresses(()), "versions is"),
        (lambda: net.ports(0), "min_port is from 1 up to 65535, not 0"),
        (lambda: net.ports(5, 4), "min_port=5 is above max_port=4"),
        (lambda: net.payloads(-1), "min_size is from 0 on, not -1"),
        (lambda: net.payloads(3, 2), "min_size=3 is above max_size=2"),
        (lambda: net.lines([]), "ends: expected bytes that end a line"),
        (lambda: net.lines([b""]), "ends: expected bytes that end a line"),
        (lambda: net.lines(min_lines=9), "min_lines=9 is above max_lines=8"),
        (lambda: net.host_names(0), "max_labels is from 1"),
    ],
)
def test_impossible_bounds_are_told_at_once(make: Any, message: str) -> None:
    """Before anything is drawn."""
    with pytest.raises(ValueError, match=message):
        make()
