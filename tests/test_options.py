"""Socket options as the tables have them: values, lengths, errors, and where they act."""

from __future__ import annotations

import errno
import socket
import struct
from collections.abc import Callable
from socket import IPPROTO_IP, IPPROTO_IPV6, IPPROTO_TCP, IPPROTO_UDP, SOL_SOCKET
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simnet.host import Host
from simnet.options import OPTIONS, getsockopt, kept_options, setsockopt
from simnet.options.actions import defer_accept
from simnet.options.values import Kind, Option, kind_of
from simnet.protocols.base import Endpoint
from simnet.protocols.tcp import Tcp
from simnet.protocols.tcp_states import State
from simnet.protocols.udp import Udp
from simnet.world import World

FAMILIES = {
    Kind.TCP4: (socket.AF_INET, socket.SOCK_STREAM),
    Kind.TCP6: (socket.AF_INET6, socket.SOCK_STREAM),
    Kind.UDP4: (socket.AF_INET, socket.SOCK_DGRAM),
    Kind.UDP6: (socket.AF_INET6, socket.SOCK_DGRAM),
    Kind.UNIX: (socket.AF_UNIX, socket.SOCK_STREAM),
}
EACH_KIND = pytest.mark.parametrize("kind", FAMILIES, ids=lambda kind: kind.name.lower())
ROWS = [(kind, option) for option in OPTIONS for kind in FAMILIES if kind & option.kinds]
EACH_ROW = pytest.mark.parametrize(
    ("kind", "option"), ROWS, ids=[f"{option.name}-{kind.name}" for kind, option in ROWS]
)


def make(kind: Kind) -> Endpoint:
    """A fresh endpoint on a fresh host."""
    family, type = FAMILIES[kind]
    host: Host = World().host("here")
    return host.create_endpoint(family, type, 0)


def error_of(call: Callable[..., Any], *args: Any) -> int:
    """The errno of a call, 0 if it succeeds."""
    try:
        call(*args)
    except OSError as error:
        return error.errno or -1
    return 0


def outcome(endpoint: Endpoint, option: Option, length: int | None = None) -> Any:
    """What an option reads as, or the error."""
    try:
        return getsockopt(endpoint, option.level, option.number, length)
    except OSError as error:
        return error


def set_and_get(endpoint: Endpoint, level: int, name: int, value: int) -> Any:
    """What a value reads back as."""
    setsockopt(endpoint, level, name, value)
    return getsockopt(endpoint, level, name)


@EACH_ROW
def test_no_option_gives_more_than_was_asked_for(kind: Kind, option: Option) -> None:
    """A short buffer cuts the value, or is refused."""
    endpoint = make(kind)
    for length in (1, 2, 3, 4, 8, 64, 1024):
        data = outcome(endpoint, option, length)
        assert isinstance(data, OSError) or len(data) <= length


@EACH_ROW
@settings(max_examples=20)
@given(value=st.one_of(st.integers(-(2**31), 2**31 - 1), st.binary(max_size=24)))
def test_a_value_is_taken_or_refused_with_an_errno(
    kind: Kind, option: Option, value: int | bytes
) -> None:
    """Whatever is set, the answer is the kernel's kind of answer, and the option reads after it."""
    endpoint = make(kind)
    readable = error_of(getsockopt, endpoint, option.level, option.number) == 0
    assert error_of(setsockopt, endpoint, option.level, option.number, value) >= 0
    if readable and option.name != "SO_BINDTODEVICE":
        getsockopt(endpoint, option.level, option.number)


@EACH_ROW
def test_setting_what_was_read_changes_nothing(kind: Kind, option: Option) -> None:
    """Options that are ints keep their own value, where they may be set at all."""
    endpoint = make(kind)
    doubled = option.name in ("SO_SNDBUF", "SO_RCVBUF")
    before = outcome(endpoint, option)
    if not isinstance(before, OSError) and not error_of(
        setsockopt, endpoint, option.level, option.number, before
    ):
        assert outcome(endpoint, option) == before << doubled


@EACH_KIND
def test_kept_options_touch_nothing_else(kind: Kind) -> None:
    """The other options of a socket stay as they were; a type of service alone sets a priority."""
    untouched = make(kind)
    own = [option for option in OPTIONS if kind & option.kinds]
    for option in own:
        endpoint = make(kind)
        if option.lacks and option.name != "IP_TOS":
            error_of(setsockopt, endpoint, option.level, option.number, 1)
            for other in own:
                same = str(outcome(endpoint, other)) == str(outcome(untouched, other))
                assert same or other.name == option.name, (option.name, other.name)


def test_what_is_only_kept_is_named_with_what_it_lacks() -> None:
    """The list for the README is data."""
    kept = kept_options()
    assert {"TCP_FASTOPEN", "SO_PRIORITY", "IP_TOS"} <= set(kept)
    assert not {"TCP_NODELAY", "SO_SNDBUF", "SO_LINGER", "SO_REUSEADDR"} & set(kept)
    assert all(kept.values())


@EACH_KIND
@pytest.mark.parametrize("level", [SOL_SOCKET, IPPROTO_TCP, IPPROTO_IP, IPPROTO_IPV6, 999])
def test_unknown_options_are_refused(kind: Kind, level: int) -> None:
    """ENOPROTOOPT or EOPNOTSUPP at every level, reading and setting."""
    endpoint = make(kind)
    refusals = (errno.ENOPROTOOPT, errno.EOPNOTSUPP)
    assert error_of(getsockopt, endpoint, level, 9999) in refusals
    assert error_of(setsockopt, endpoint, level, 9999, 1) in refusals


@EACH_KIND
def test_a_kind_is_told_by_family_and_type(kind: Kind) -> None:
    """The tables are looked up by it."""
    assert kind_of(make(kind)) is kind


@EACH_KIND
def test_forced_buffers_have_no_ceiling(kind: Kind) -> None:
    """SO_SNDBUFFORCE and SO_RCVBUFFORCE go beyond the host's limits; a negative size is none."""
    endpoint = make(kind)
    for force, plain, least in ((32, socket.SO_SNDBUF, 4608), (33, socket.SO_RCVBUF, 2304)):
        setsockopt(endpoint, SOL_SOCKET, force, 2**30)
        assert getsockopt(endpoint, SOL_SOCKET, plain) == 2**31 - 2
        setsockopt(endpoint, SOL_SOCKET, force, -1)
        assert getsockopt(endpoint, SOL_SOCKET, plain) == least


@EACH_KIND
def test_setting_a_buffer_locks_its_size(kind: Kind) -> None:
    """SO_BUF_LOCK (72) tells which were set, and takes it back."""
    endpoint = make(kind)
    setsockopt(endpoint, SOL_SOCKET, socket.SO_SNDBUF, 5000)
    assert getsockopt(endpoint, SOL_SOCKET, 72) == 1
    setsockopt(endpoint, SOL_SOCKET, socket.SO_RCVBUF, 5000)
    assert getsockopt(endpoint, SOL_SOCKET, 72) == 3
    assert set_and_get(endpoint, SOL_SOCKET, 72, 0) == 0


def test_the_low_water_mark_makes_room_for_itself() -> None:
    """TCP's receive buffer grows to twice the mark; a buffer that was set limits it instead."""
    free, locked = make(Kind.TCP4), make(Kind.TCP4)
    assert set_and_get(free, SOL_SOCKET, socket.SO_RCVLOWAT, 200_000) == 200_000
    assert free.rcvbuf == 400_000
    setsockopt(locked, SOL_SOCKET, socket.SO_RCVBUF, 5000)
    assert set_and_get(locked, SOL_SOCKET, socket.SO_RCVLOWAT, 200_000) == 5000
    assert locked.rcvbuf == 10_000


@pytest.mark.parametrize(
    ("value", "kept", "nanoseconds"),
    [
        ((0, 0), (0, 0), None),
        ((0, 1), (0, 4000), 4_000_000),
        ((0, 4001), (0, 8000), 8_000_000),
        ((2, 500_000), (2, 500_000), 2_500_000_000),
        ((0, 999_999), (1, 0), 1_000_000_000),
        ((-1, 0), (0, 0), 0),
        ((2**62, 0), (0, 0), None),
    ],
)
def test_timeouts_are_whole_jiffies(
    value: tuple[int, int], kept: tuple[int, int], nanoseconds: int | None
) -> None:
    """Rounded up to 4 ms; zero is for ever, a negative time is none at all."""
    endpoint = make(Kind.UDP4)
    setsockopt(endpoint, SOL_SOCKET, socket.SO_RCVTIMEO, struct.pack("ll", *value))
    data = getsockopt(endpoint, SOL_SOCKET, socket.SO_RCVTIMEO, 16)
    assert isinstance(data, bytes)
    assert struct.unpack("ll", data) == kept
    assert endpoint.settings.rcvtimeo_ns == nanoseconds


@pytest.mark.parametrize(
    ("value", "linger_s"),
    [((0, 5), None), ((1, 0), 0), ((1, 5), 5), ((1, -1), (2**63 - 1) // 250)],
)
def test_linger_is_seconds_or_none(value: tuple[int, int], linger_s: int | None) -> None:
    """A negative time is as long as time can be."""
    endpoint = make(Kind.TCP4)
    setsockopt(endpoint, SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", *value))
    assert endpoint.settings.linger_s == linger_s


def test_a_negative_linger_reads_back_as_the_low_half_of_it() -> None:
    """As measured: the longest time in seconds, cut to an int."""
    endpoint = make(Kind.TCP4)
    setsockopt(endpoint, SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, -1))
    data = getsockopt(endpoint, SOL_SOCKET, socket.SO_LINGER, 8)
    assert data == bytes.fromhex("01000000df4f8d97")


@pytest.mark.parametrize("value", [0, 1, 2, 5, 100, 300, 10_000, 2**31 - 1])
def test_deferred_accepts_are_rounded_up_to_retransmissions(value: int) -> None:
    """The sum of 1, 2, 4, ... seconds, none longer than 120."""
    kept = {0: 0, 1: 1, 2: 3, 5: 7, 100: 127, 300: 367, 10_000: 10_087, 2**31 - 1: 29_887}
    assert defer_accept(value) == kept[value]


def test_the_type_of_service_sets_the_priority() -> None:
    """But only when it changes; TCP keeps the lowest two bits for itself."""
    endpoint = make(Kind.UDP4)
    for tos, priority in ((0, 0), (8, 2), (16, 6), (24, 4), (32, 0), (40, 2)):
        setsockopt(endpoint, IPPROTO_IP, socket.IP_TOS, tos)
        assert getsockopt(endpoint, SOL_SOCKET, socket.SO_PRIORITY) == priority
    setsockopt(endpoint, SOL_SOCKET, socket.SO_PRIORITY, 5)
    setsockopt(endpoint, IPPROTO_IP, socket.IP_TOS, 40)
    assert getsockopt(endpoint, SOL_SOCKET, socket.SO_PRIORITY) == 5


def test_a_null_pointer_is_zero_for_ipv6_alone() -> None:
    """Other levels call it a fault."""
    endpoint = make(Kind.UDP6)
    setsockopt(endpoint, IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
    setsockopt(endpoint, IPPROTO_IPV6, socket.IPV6_V6ONLY, None, 4)
    assert getsockopt(endpoint, IPPROTO_IPV6, socket.IPV6_V6ONLY) == 0
    assert error_of(setsockopt, endpoint, IPPROTO_IP, socket.IP_TTL, None, 1) == errno.EFAULT
    assert error_of(setsockopt, endpoint, SOL_SOCKET, socket.SO_DEBUG, None, 4) == errno.EFAULT


def test_a_bound_device_is_read_into_a_whole_name_only() -> None:
    """EINVAL for a buffer of less than 16 bytes, once a device is named."""
    endpoint = make(Kind.UDP4)
    option = socket.SO_BINDTODEVICE
    assert getsockopt(endpoint, SOL_SOCKET, option, 3) == b""
    setsockopt(endpoint, SOL_SOCKET, option, b"lo\0\0")
    assert getsockopt(endpoint, SOL_SOCKET, option, 16) == b"lo\0"
    assert error_of(getsockopt, endpoint, SOL_SOCKET, option, 15) == errno.EINVAL
    setsockopt(endpoint, SOL_SOCKET, option, b"")
    assert getsockopt(endpoint, SOL_SOCKET, option, 16) == b""


def test_reading_the_error_takes_it() -> None:
    """SO_ERROR gives the pending error once."""
    endpoint = make(Kind.TCP4)
    endpoint.error = errno.ECONNRESET
    got = [getsockopt(endpoint, SOL_SOCKET, socket.SO_ERROR) for _ in range(2)]
    assert got == [errno.ECONNRESET, 0]


def test_tcp_options_reach_the_connection() -> None:
    """TCP_NODELAY, TCP_CORK and TCP_QUICKACK are the endpoint's own."""
    tcp = make(Kind.TCP4)
    assert isinstance(tcp, Tcp)
    setsockopt(tcp, IPPROTO_TCP, socket.TCP_NODELAY, 2)
    setsockopt(tcp, IPPROTO_TCP, socket.TCP_CORK, 1)
    setsockopt(tcp, IPPROTO_TCP, socket.TCP_QUICKACK, 0)
    assert (tcp.nodelay, tcp.corked, tcp.pingpong) == (True, True, True)


def test_tcp_info_of_a_listener_counts_its_queue() -> None:
    """As ss(8) shows it: how many wait in the place of unacknowledged segments, and the limit."""
    tcp = make(Kind.TCP4)
    tcp.listen(7)
    info = getsockopt(tcp, IPPROTO_TCP, socket.TCP_INFO, 104)
    assert isinstance(info, bytes)
    assert (info[0], struct.unpack_from("II", info, 24)) == (State.LISTEN, (0, 7))
    whole = getsockopt(tcp, IPPROTO_TCP, socket.TCP_INFO, 1024)
    assert isinstance(whole, bytes)
    assert (len(whole), whole[:104]) == (256, info)


def test_a_pulled_cork_sends_one_datagram() -> None:
    """UDP_CORK gathers what is sent while it is on."""
    receiver = make(Kind.UDP4)
    sender = receiver.host.create_endpoint(socket.AF_INET, socket.SOCK_DGRAM, 0)
    receiver.bind(("127.0.0.1", 0))
    setsockopt(sender, IPPROTO_UDP, 1, 1)
    for part in (b"one", b"two"):
        sender.send(part, 0, receiver.getsockname())
    assert receiver.recv(100, 0) is None
    setsockopt(sender, IPPROTO_UDP, 1, 0)
    received = receiver.recv(100, 0)
    assert received is not None
    assert received.data == b"onetwo"


def test_an_interface_for_groups_is_kept_on_the_socket() -> None:
    """IPV6_MULTICAST_IF and IP_MULTICAST_ALL are fields of `Udp.multicast`."""
    udp = make(Kind.UDP6)
    assert isinstance(udp, Udp)
    setsockopt(udp, IPPROTO_IPV6, socket.IPV6_MULTICAST_IF, 1)
    setsockopt(udp, IPPROTO_IP, 49, 1)
    assert (udp.multicast.index6, udp.multicast.all, udp.multicast.all6) == (1, True, True)
