"""Groups on one host: who hears a datagram that is sent to a group through the loopback.

The loopback carries groups of IPv4, but has no route to groups of IPv6 (measured on Linux 6.18).
"""

from __future__ import annotations

import socket
import struct
from collections.abc import Callable
from socket import (
    AF_INET,
    AF_INET6,
    IPPROTO_IP,
    IPPROTO_IPV6,
    MSG_DONTWAIT,
    SOCK_DGRAM,
    SOL_SOCKET,
    inet_aton,
    inet_pton,
)

import pytest

from simnet.api import Network, Socket
from tests.conformance.kinds import unused_port
from tests.conformance.outcomes import outcome, readiness

Keep = Callable[[Socket], Socket]
GROUP, OTHER_GROUP = "239.1.2.3", "239.1.2.99"
GROUP6 = "ff01::1234"
LO = 1  # the loopback's index


def mreq(group: str, interface: str = "127.0.0.1") -> bytes:
    """struct ip_mreq: a group, and an address of the interface."""
    return inet_aton(group) + inet_aton(interface)


def mreqn(group: str, interface: str, index: int) -> bytes:
    """struct ip_mreqn: the same with the interface's index."""
    return mreq(group, interface) + struct.pack("i", index)


def mreq6(group: str, index: int = LO) -> bytes:
    """struct ipv6_mreq: a group and the interface's index."""
    return inet_pton(AF_INET6, group) + struct.pack("i", index)


def add(sock: Socket, membership: bytes) -> object:
    """The outcome of IP_ADD_MEMBERSHIP."""
    return outcome(sock.setsockopt, IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, membership)


def drop(sock: Socket, membership: bytes) -> object:
    """The outcome of IP_DROP_MEMBERSHIP."""
    return outcome(sock.setsockopt, IPPROTO_IP, socket.IP_DROP_MEMBERSHIP, membership)


def join6(sock: Socket, membership: bytes) -> object:
    """The outcome of IPV6_JOIN_GROUP."""
    return outcome(sock.setsockopt, IPPROTO_IPV6, socket.IPV6_JOIN_GROUP, membership)


def leave6(sock: Socket, membership: bytes) -> object:
    """The outcome of IPV6_LEAVE_GROUP."""
    return outcome(sock.setsockopt, IPPROTO_IPV6, socket.IPV6_LEAVE_GROUP, membership)


def heard(sock: Socket) -> list[bytes]:
    """The datagrams that wait now, taken."""
    taken = []
    while not isinstance(data := outcome(sock.recv, 100, MSG_DONTWAIT), str):
        taken.append(data)
    return taken


@pytest.fixture
def sender(net: Network, keep: Keep) -> Socket:
    """A socket whose groups go out through the loopback."""
    sock = keep(net.socket(AF_INET, SOCK_DGRAM))
    sock.setsockopt(IPPROTO_IP, socket.IP_MULTICAST_IF, inet_aton("127.0.0.1"))
    return sock


@pytest.fixture
def receiver(net: Network, keep: Keep) -> Callable[..., Socket]:
    """`receiver(host, port, group)` shares its port and, if a group is named, is a member of it."""

    def make(host: str = "0.0.0.0", port: int = 0, group: str | None = None) -> Socket:
        sock = keep(net.socket(AF_INET, SOCK_DGRAM))
        sock.setsockopt(SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind((host, port or unused_port(net, SOCK_DGRAM)))
        if group:
            assert add(sock, mreq(group)) is None
        return sock

    return make


def test_every_member_gets_a_copy(sender: Socket, receiver: Callable[..., Socket]) -> None:
    """Members that share the port all hear what is sent to the group."""
    first = receiver(group=GROUP)
    port = first.getsockname()[1]
    second = receiver(port=port, group=GROUP)
    assert sender.sendto(b"all", (GROUP, port)) == 3
    source = ("127.0.0.1", sender.getsockname()[1])
    assert [sock.recvfrom(10) for sock in (first, second)] == [(b"all", source)] * 2


def test_a_wildcard_socket_hears_groups_that_others_joined(
    sender: Socket, receiver: Callable[..., Socket]
) -> None:
    """Membership belongs to the interface, so that a neighbour's is enough."""
    member = receiver(group=GROUP)
    port = member.getsockname()[1]
    bystander = receiver(port=port)
    sender.sendto(b"x", (GROUP, port))
    assert (heard(member), heard(bystander)) == ([b"x"], [b"x"])


def test_a_bystander_may_insist_on_its_own_memberships(
    sender: Socket, receiver: Callable[..., Socket]
) -> None:
    """With IP_MULTICAST_ALL (49) off, only groups that the socket joined are heard."""
    member = receiver(group=GROUP)
    port = member.getsockname()[1]
    bystander = receiver(port=port, group=OTHER_GROUP)
    bystander.setsockopt(IPPROTO_IP, 49, 0)
    sender.sendto(b"one", (GROUP, port))
    sender.sendto(b"two", (OTHER_GROUP, port))
    assert heard(bystander) == [b"two"]


def test_a_socket_bound_to_a_host_address_hears_no_group(
    sender: Socket, receiver: Callable[..., Socket]
) -> None:
    """Not even one that it is a member of."""
    sock = receiver("127.0.0.1", group=GROUP)
    sender.sendto(b"x", (GROUP, sock.getsockname()[1]))
    assert heard(sock) == []


def test_a_socket_bound_to_a_group_hears_just_that_group(
    sender: Socket, receiver: Callable[..., Socket]
) -> None:
    """Neither another group nor the host's own addresses."""
    sock = receiver(GROUP, group=GROUP)
    port = sock.getsockname()[1]
    assert sock.getsockname() == (GROUP, port)
    other = receiver(port=port, group=OTHER_GROUP)
    sender.sendto(b"group", (GROUP, port))
    sender.sendto(b"other", (OTHER_GROUP, port))
    sender.sendto(b"host", ("127.0.0.1", port))
    assert heard(sock) == [b"group"]
    assert heard(other) == [b"group", b"other", b"host"]


def test_a_group_without_members_is_silence(
    net: Network, sender: Socket, receiver: Callable[..., Socket]
) -> None:
    """Sending to it works every time, and no error comes back."""
    port = receiver().getsockname()[1]
    assert [sender.sendto(b"x", ("239.7.7.7", port)) for _ in range(3)] == [1, 1, 1]
    assert readiness(net, sender) == "OUT"


def test_after_the_last_member_left_nobody_hears(
    sender: Socket, receiver: Callable[..., Socket]
) -> None:
    """Dropping the membership ends it; so does closing the member."""
    member = receiver(group=GROUP)
    port = member.getsockname()[1]
    bystander = receiver(port=port)
    drop(member, mreq(GROUP))
    sender.sendto(b"x", (GROUP, port))
    assert (heard(member), heard(bystander)) == ([], [])
    add(member, mreq(GROUP))
    sender.sendto(b"y", (GROUP, port))
    member.close()
    sender.sendto(b"z", (GROUP, port))
    assert heard(bystander) == [b"y"]


@pytest.mark.parametrize(
    ("option", "value"),
    [(socket.IP_MULTICAST_LOOP, 0), (socket.IP_MULTICAST_TTL, 0), (socket.IP_MULTICAST_TTL, 255)],
)
def test_loop_and_ttl_do_not_stop_the_loopback(
    sender: Socket, receiver: Callable[..., Socket], option: int, value: int
) -> None:
    """What goes out through the loopback comes back in whatever they are set to."""
    member = receiver(group=GROUP)
    sender.setsockopt(IPPROTO_IP, option, value)
    sender.sendto(b"x", (GROUP, member.getsockname()[1]))
    assert heard(member) == [b"x"]


def test_a_sender_bound_to_the_loopback_needs_no_interface(
    net: Network, keep: Keep, receiver: Callable[..., Socket]
) -> None:
    """Its own address says where its groups go."""
    member = receiver(group=GROUP)
    sock = keep(net.socket(AF_INET, SOCK_DGRAM))
    sock.bind(("127.0.0.1", 0))
    sock.sendto(b"x", (GROUP, member.getsockname()[1]))
    assert member.recvfrom(10) == (b"x", sock.getsockname())


def test_a_socket_may_be_connected_to_a_group(
    sender: Socket, receiver: Callable[..., Socket]
) -> None:
    """Its peer is the group; an answer from a member is filtered out."""
    member = receiver(group=GROUP)
    port = member.getsockname()[1]
    sender.connect((GROUP, port))
    assert sender.getpeername() == (GROUP, port)
    assert sender.send(b"x") == 1
    data, address = member.recvfrom(10)
    assert (data, address) == (b"x", sender.getsockname())
    member.sendto(b"answer", address)
    assert heard(sender) == []


def test_memberships_are_counted_once(net: Network, keep: Keep) -> None:
    """Adding one again is EADDRINUSE; dropping what is not there is EADDRNOTAVAIL."""
    sock = keep(net.socket(AF_INET, SOCK_DGRAM))
    assert [add(sock, mreq(GROUP)) for _ in range(2)] == [None, "EADDRINUSE"]
    assert add(sock, mreqn(GROUP, "0.0.0.0", LO)) == "EADDRINUSE"
    assert [drop(sock, mreq(GROUP)) for _ in range(2)] == [None, "EADDRNOTAVAIL"]
    assert drop(sock, mreq("1.2.3.4")) == "EADDRNOTAVAIL"


@pytest.mark.parametrize(
    ("membership", "error"),
    [
        (mreq("127.0.0.1"), "EINVAL"),
        (mreq("0.0.0.0"), "EINVAL"),
        (mreq("255.255.255.255"), "EINVAL"),
        (mreq(GROUP, "203.0.113.9"), "ENODEV"),
        (mreqn(GROUP, "0.0.0.0", 9999), "ENODEV"),
        (mreq(GROUP)[:7], "EINVAL"),
        (b"", "EINVAL"),
    ],
    ids=["host", "wildcard", "broadcast", "unknown-address", "unknown-index", "short", "empty"],
)
def test_what_is_no_group_or_no_interface_is_refused(
    net: Network, keep: Keep, membership: bytes, error: str
) -> None:
    """EINVAL for the group or the length, ENODEV for the interface."""
    assert add(keep(net.socket(AF_INET, SOCK_DGRAM)), membership) == error


def test_an_interface_is_named_by_any_of_its_addresses_or_its_index(
    net: Network, keep: Keep
) -> None:
    """The index wins over the address."""
    sock = keep(net.socket(AF_INET, SOCK_DGRAM))
    memberships = [
        mreq("239.0.0.1", "127.0.0.7"),
        mreqn("239.0.0.2", "0.0.0.0", LO),
        mreqn("239.0.0.3", "203.0.113.9", LO),
        mreq("239.0.0.4") + b"xyz",
    ]
    assert [add(sock, membership) for membership in memberships] == [None] * 4


def test_a_socket_may_be_in_twenty_groups(net: Network, keep: Keep) -> None:
    """The one after is ENOBUFS."""
    sock = keep(net.socket(AF_INET, SOCK_DGRAM))
    outcomes = [add(sock, mreq(f"239.9.9.{n}")) for n in range(socket.IP_MAX_MEMBERSHIPS + 1)]
    assert outcomes == [None] * socket.IP_MAX_MEMBERSHIPS + ["ENOBUFS"]


def test_the_interface_for_groups_reads_back_as_an_address(net: Network, keep: Keep) -> None:
    """Given by an address of the host; by index it reads as no address; zero undoes it."""
    sock = keep(net.socket(AF_INET, SOCK_DGRAM))

    def after(value: bytes) -> tuple[object, object]:
        error = outcome(sock.setsockopt, IPPROTO_IP, socket.IP_MULTICAST_IF, value)
        return error, sock.getsockopt(IPPROTO_IP, socket.IP_MULTICAST_IF, 4)

    lo, lo9, none = (inet_aton(a) for a in ("127.0.0.1", "127.0.0.9", "0.0.0.0"))
    assert after(lo) == (None, lo)
    assert after(lo9) == (None, lo9)
    assert after(inet_aton("203.0.113.9")) == ("EADDRNOTAVAIL", lo9)
    assert after(b"abc") == ("EINVAL", lo9)
    assert after(none) == (None, none)
    assert after(mreqn("0.0.0.0", "0.0.0.0", LO)) == (None, none)
    assert after(mreqn("0.0.0.0", "0.0.0.0", 9999)) == ("EADDRNOTAVAIL", none)


@pytest.mark.parametrize("address", ["224.0.0.1", "255.255.255.255"])
@pytest.mark.parametrize("type", [SOCK_DGRAM, socket.SOCK_STREAM])
def test_group_and_broadcast_addresses_may_be_bound(
    net: Network, keep: Keep, type: int, address: str
) -> None:
    """By TCP too."""
    sock = keep(net.socket(AF_INET, type))
    sock.bind((address, 0))
    assert sock.getsockname()[0] == address


def test_groups_of_ipv6_are_joined_once(net: Network, keep: Keep) -> None:
    """Again is EADDRINUSE; leaving what was not joined is EADDRNOTAVAIL."""
    sock = keep(net.socket(AF_INET6, SOCK_DGRAM))
    assert [join6(sock, mreq6(GROUP6)) for _ in range(2)] == [None, "EADDRINUSE"]
    assert [leave6(sock, mreq6(GROUP6)) for _ in range(2)] == [None, "EADDRNOTAVAIL"]


@pytest.mark.parametrize(
    ("membership", "error"),
    [
        (mreq6("::1"), "EINVAL"),
        (mreq6("::"), "EINVAL"),
        (mreq6(GROUP6, 9999), "ENODEV"),
        (mreq6(GROUP6)[:19], "EINVAL"),
    ],
    ids=["host", "wildcard", "unknown-index", "short"],
)
def test_what_is_no_ipv6_group_or_no_interface_is_refused(
    net: Network, keep: Keep, membership: bytes, error: str
) -> None:
    """EINVAL for the group or the length, ENODEV for the interface."""
    assert join6(keep(net.socket(AF_INET6, SOCK_DGRAM)), membership) == error


def test_leaving_an_ipv6_group_without_naming_the_interface(net: Network, keep: Keep) -> None:
    """Index 0 finds the membership; a wrong index does not."""
    sock = keep(net.socket(AF_INET6, SOCK_DGRAM))
    join6(sock, mreq6(GROUP6))
    assert leave6(sock, mreq6(GROUP6, 9999)) == "EADDRNOTAVAIL"
    assert leave6(sock, mreq6(GROUP6, 0)) is None
    assert leave6(sock, mreq6("::1")) == "EINVAL"


def test_the_loopback_has_no_route_to_groups_of_ipv6(net: Network, keep: Keep) -> None:
    """Sending to one through it is ENETUNREACH, with and without members."""
    member, sock = (keep(net.socket(AF_INET6, SOCK_DGRAM)) for _ in range(2))
    member.bind(("::", 0))
    join6(member, mreq6(GROUP6))
    sock.setsockopt(IPPROTO_IPV6, socket.IPV6_MULTICAST_IF, LO)
    port = member.getsockname()[1]
    assert outcome(sock.sendto, b"x", (GROUP6, port)) == "ENETUNREACH"
    assert outcome(sock.sendto, b"x", (GROUP6, port, 0, LO)) == "ENETUNREACH"


def test_a_stream_joins_no_groups(net: Network, keep: Keep) -> None:
    """EPROTO."""
    assert add(keep(net.socket(AF_INET, socket.SOCK_STREAM)), mreq(GROUP)) == "EPROTO"
    assert join6(keep(net.socket(AF_INET6, socket.SOCK_STREAM)), mreq6(GROUP6)) == "EPROTO"


def test_an_ipv6_socket_may_join_a_group_of_ipv4(net: Network, sender: Socket, keep: Keep) -> None:
    """The datagram's source is then a mapped address."""
    sock = keep(net.socket(AF_INET6, SOCK_DGRAM))
    sock.bind(("::", 0))
    assert add(sock, mreq(GROUP)) is None
    sender.sendto(b"x", (GROUP, sock.getsockname()[1]))
    assert sock.recvfrom(10)[1][0] == "::ffff:127.0.0.1"


def test_what_leaves_through_the_loopback_by_its_index_has_an_address_that_others_know(
    net: Network, keep: Keep, receiver: Callable[..., Socket]
) -> None:
    """An interface named by its number alone chooses no source: the host's first address is it."""
    listener, sock = receiver(), keep(net.socket(AF_INET, SOCK_DGRAM))
    anywhere = inet_aton("0.0.0.0")
    through_lo = struct.pack("4s4si", anywhere, anywhere, LO)
    member = struct.pack("4s4si", inet_aton(GROUP), anywhere, LO)
    assert outcome(listener.setsockopt, IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, member) is None
    sock.setsockopt(IPPROTO_IP, socket.IP_MULTICAST_IF, through_lo)
    sock.sendto(b"x", (GROUP, listener.getsockname()[1]))
    data, (source, _) = listener.recvfrom(10)
    assert data == b"x"
    assert source not in {"0.0.0.0", "127.0.0.1"}
