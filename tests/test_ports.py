"""Ports: who may have one beside whom, which is free, and who gets what is sent to one."""

from __future__ import annotations

import socket

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from simnet.decisions import Stream
from simnet.ports import EPHEMERAL, PortTable, conflicts, covers, overlap
from simnet.wire import Packet

PEER = ("10.9.9.9", 5555)
PORT = 80


@attrs.define(eq=False)
class Member:
    """Something bound, as the table sees it."""

    bound_ip: str = "0.0.0.0"
    v6only: bool = False
    family: int = socket.AF_INET
    reuses_address: bool = False
    shares_address: bool = False
    shares_port: bool = False

    def receive(self, packet: Packet) -> None:
        """Nothing is sent here."""


FOUR = ["0.0.0.0", "127.0.0.1", "127.0.0.2"]
SIX = ["::", "::1"]
IPS = st.sampled_from([*FOUR, *SIX])


@st.composite
def members(draw: st.DrawFn) -> Member:
    """What bind() can make: an IPv6 address other than the wildcard leaves IPv4 out."""
    family = draw(st.sampled_from([socket.AF_INET, socket.AF_INET6]))
    ip = draw(st.sampled_from(FOUR) if family == socket.AF_INET else IPS)
    v6only = ip == "::1" or (ip == "::" and draw(st.booleans()))
    options = [draw(st.booleans()) for _ in range(3)]
    return Member(ip, v6only, family, *options)


MEMBERS = members()


@pytest.fixture
def table() -> PortTable:
    """A host's ports, all free."""
    return PortTable(Stream(0, "ports"))


def anyone(member: object) -> int:
    """Everyone is eligible alike."""
    return 1


@given(MEMBERS, MEMBERS)
def test_overlap_is_mutual(a: Member, b: Member) -> None:
    """Addresses in common are in common to both."""
    assert overlap(a, b) == overlap(b, a)


def test_an_ipv6_address_that_was_not_bound_is_open_to_ipv4() -> None:
    """connect() chose it; a new IPv4 wildcard finds its port taken (measured on Linux 6.18)."""
    connected = Member("::1", False, socket.AF_INET6)
    assert overlap(Member(), connected)
    assert not overlap(Member("127.0.0.1"), connected)


@given(MEMBERS)
def test_everything_overlaps_itself(a: Member) -> None:
    """So that one address is never given twice."""
    assert overlap(a, a)


@given(MEMBERS, MEMBERS, IPS)
def test_members_that_both_receive_something_overlap(a: Member, b: Member, ip: str) -> None:
    """Whoever shares an address with another conflicts with it, unless both allow it."""
    if covers(a, ip) and covers(b, ip):
        assert overlap(a, b)


@given(MEMBERS, MEMBERS)
def test_only_overlap_makes_a_conflict(a: Member, b: Member) -> None:
    """Options allow more; they never forbid."""
    assert overlap(a, b) or not conflicts(a, b)


@pytest.mark.parametrize(
    ("ip", "v6only", "destination", "receives"),
    [
        ("0.0.0.0", False, "127.0.0.1", True),
        ("0.0.0.0", False, "::1", False),
        ("::", False, "::1", True),
        ("::", False, "127.0.0.1", True),
        ("::", True, "127.0.0.1", False),
        ("127.0.0.1", False, "127.0.0.2", False),
    ],
)
def test_a_wildcard_receives_for_every_address_of_its_versions(
    ip: str, v6only: bool, destination: str, receives: bool
) -> None:
    """IPV6_V6ONLY leaves IPv4 out."""
    assert covers(Member(ip, v6only), destination) is receives


@pytest.mark.parametrize(
    ("new", "holder", "allowed"),
    [
        (Member(), Member(), False),
        (Member(reuses_address=True), Member(), False),
        (Member(), Member(shares_address=True), False),
        (Member(reuses_address=True), Member(shares_address=True), True),
        (Member(shares_port=True), Member(), False),
        (Member(), Member(shares_port=True), False),
        (Member(shares_port=True), Member(shares_port=True), True),
    ],
)
def test_a_port_is_shared_only_if_both_sides_allow_it(
    table: PortTable, new: Member, holder: Member, allowed: bool
) -> None:
    """SO_REUSEADDR and SO_REUSEPORT, on the new socket and on the one that has the port."""
    table.add(holder, PORT)
    assert table.is_free(new, PORT) is allowed
    assert table.is_free(new, PORT + 1)


def test_nobody_is_in_its_own_way(table: PortTable) -> None:
    """A socket that has a port may have it."""
    member = Member()
    table.add(member, PORT)
    assert table.is_free(member, PORT)


def test_a_port_that_was_given_back_is_free(table: PortTable) -> None:
    """Giving it back twice is harmless."""
    member = Member()
    table.add(member, PORT)
    assert not table.unused(PORT)
    table.remove(member, PORT)
    table.remove(member, PORT)
    assert table.unused(PORT)
    assert table.is_free(Member(), PORT)


@pytest.mark.parametrize("odd", [True, False])
def test_ephemeral_ports_come_from_one_half(table: PortTable, odd: bool) -> None:
    """Each once, so that bind() and connect() do not get in each other's way."""
    ports = []
    for _ in range(100):
        port = table.free_port(lambda port: False, odd)
        assert port is not None
        table.add(Member(), port)
        ports.append(port)
    assert {port % 2 for port in ports} == {odd}
    assert len(set(ports)) == 100
    assert set(ports) <= set(EPHEMERAL)


@pytest.mark.parametrize("odd", [True, False])
def test_when_a_half_is_used_up_the_other_serves(table: PortTable, odd: bool) -> None:
    """And when both are, there are none, unless somebody shares."""
    last = EPHEMERAL[7]
    for port in EPHEMERAL:
        if port != last:
            table.add(Member(), port)
    assert table.free_port(lambda port: False, odd) == last
    table.add(Member(), last)
    assert table.free_port(lambda port: False, odd) is None
    assert table.free_port(lambda port: port == EPHEMERAL[9], odd) == EPHEMERAL[9]


@given(st.integers())
def test_the_seed_decides_where_ephemeral_ports_begin(seed: int) -> None:
    """And nothing else does."""
    first, again = (PortTable(Stream(seed, "x")).free_port(lambda p: True, True) for _ in "ab")
    assert first == again
    assert first in EPHEMERAL


def test_a_specific_listener_comes_before_a_wildcard(table: PortTable) -> None:
    """Whoever came first."""
    specific, wildcard = Member("127.0.0.1"), Member()
    table.start_listening(specific, PORT)
    table.start_listening(wildcard, PORT)
    assert table.listener(("127.0.0.1", PORT), PEER) is specific
    assert table.listener(("127.0.0.2", PORT), PEER) is wildcard


def test_an_ipv4_listener_comes_before_a_dual_one(table: PortTable) -> None:
    """Which takes the rest."""
    dual, four = Member("::"), Member()
    table.start_listening(four, PORT)
    table.start_listening(dual, PORT)
    assert table.listener(("127.0.0.1", PORT), PEER) is four
    assert table.listener(("::1", PORT), PEER) is dual


def test_who_stopped_listening_accepts_nothing(table: PortTable) -> None:
    """And stopping twice is harmless."""
    member = Member()
    table.start_listening(member, PORT)
    table.stop_listening(member, PORT)
    table.stop_listening(member, PORT)
    assert table.listener(("127.0.0.1", PORT), PEER) is None


def test_of_equals_the_latest_receives(table: PortTable) -> None:
    """As with SO_REUSEADDR on UDP."""
    first, second = Member(), Member()
    table.add(first, PORT)
    table.add(second, PORT)
    assert table.receiver(("127.0.0.1", PORT), PEER, anyone) is second
    assert list(table.members(PORT)) == [second, first]


def test_who_is_not_eligible_receives_nothing(table: PortTable) -> None:
    """Connected to somebody else, for instance."""
    first, second = Member(), Member()
    table.add(first, PORT)
    table.add(second, PORT)
    assert table.receiver(("127.0.0.1", PORT), PEER, lambda m: m is first) is first
    assert table.receiver(("127.0.0.1", PORT), PEER, lambda m: 0) is None


@given(st.integers(1, 65535))
def test_members_of_a_reuseport_group_share_by_address(port: int) -> None:
    """One peer always reaches the same one."""
    table = PortTable(Stream(0, "ports"))
    group = [Member(shares_port=True) for _ in range(3)]
    for member in group:
        table.add(member, PORT)
    found = {id(table.receiver(("127.0.0.1", PORT), ("10.0.0.1", port), anyone)) for _ in range(3)}
    assert len(found) == 1


def test_every_member_of_a_reuseport_group_gets_its_share(table: PortTable) -> None:
    """Of many peers, some reach each."""
    group = [Member(shares_port=True) for _ in range(3)]
    for member in group:
        table.add(member, PORT)
    found = [
        table.receiver(("127.0.0.1", PORT), ("10.0.0.1", port), anyone) for port in range(1, 200)
    ]
    assert all(found.count(member) > 30 for member in group)


def test_every_change_is_a_new_generation(table: PortTable) -> None:
    """So that whoever looked something up knows when to look again."""
    member = Member()
    seen = [table.generation]
    table.add(member, PORT)
    seen.append(table.generation)
    table.remove(member, PORT)
    seen.append(table.generation)
    table.changed()
    seen.append(table.generation)
    assert len(set(seen)) == len(seen)
