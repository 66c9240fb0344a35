"""Options of SOL_SOCKET: defaults, what values read back as, what is refused, and lengths.

Values were measured on Linux 6.18. Ceilings of buffers belong to the machine, so they are read.
"""

from __future__ import annotations

import socket
import struct
from socket import SOL_SOCKET
from typing import Any

import pytest

from simnet.api import Network, Socket
from tests.conformance.kinds import (
    ALL_NAMES,
    TCP_NAMES,
    TCP_PAIRS,
    UDP_NAMES,
    UNIX_NAMES,
    UNIX_STREAM_PAIRS,
    Kind,
    Named,
    Option,
    each,
    each_option,
)
from tests.conformance.outcomes import outcome, read_back

UNIX = [named for named in UNIX_NAMES if named.name.endswith("path")]
INET = TCP_NAMES + UDP_NAMES
ALL = INET + UNIX
MAX = 2**31 - 1
BOOLEAN: dict[int, int | str] = {0: 0, 1: 1, 2: 1, 300: 1, -1: 1, MAX: 1}
READ_ONLY: dict[int, int | str] = {0: "ENOPROTOOPT", 1: "ENOPROTOOPT", -1: "ENOPROTOOPT"}
NOT_HERE: dict[int, int | str] = {0: "EOPNOTSUPP", 1: "EOPNOTSUPP", -1: "EOPNOTSUPP"}
SMALL_SEND = dict.fromkeys((0, 1, 5, 2304), 4608) | {2305: 4610, 10000: 20000}
SMALL_RECEIVE = dict.fromkeys((0, 1, 5, 1152), 2304) | {1153: 2306, 10000: 20000}


def row(
    name: str, kinds: list[Named], default: Any, sets: dict[int, Any], privileged: bool = False
) -> Option:
    """A row of the table for a constant of the module `socket`."""
    number: int = getattr(socket, name)
    return Option(name, SOL_SOCKET, number, kinds, default, sets, privileged)


OPTIONS = [
    row("SO_DEBUG", ALL, 0, BOOLEAN, privileged=True),
    row("SO_REUSEADDR", ALL, 0, BOOLEAN),
    row("SO_REUSEPORT", INET, 0, BOOLEAN),
    row("SO_REUSEPORT", UNIX, 0, {0: 0, 1: "EOPNOTSUPP", 2: "EOPNOTSUPP", -1: "EOPNOTSUPP"}),
    row("SO_KEEPALIVE", ALL, 0, BOOLEAN),
    row("SO_BROADCAST", ALL, 0, BOOLEAN),
    row("SO_DONTROUTE", ALL, 0, BOOLEAN),
    row("SO_OOBINLINE", ALL, 0, BOOLEAN),
    row("SO_PASSCRED", UNIX, 0, BOOLEAN),
    row("SO_PASSCRED", INET, "EOPNOTSUPP", NOT_HERE),
    row("SO_PASSSEC", UNIX, 0, BOOLEAN),
    row("SO_PASSSEC", INET, "EOPNOTSUPP", NOT_HERE),
    row("SO_SNDBUF", TCP_NAMES, 16384, SMALL_SEND),
    row("SO_RCVBUF", TCP_NAMES, 131072, SMALL_RECEIVE),
    row("SO_SNDBUF", UDP_NAMES + UNIX, 212992, SMALL_SEND),
    row("SO_RCVBUF", UDP_NAMES + UNIX, 212992, SMALL_RECEIVE),
    row("SO_RCVLOWAT", ALL, 1, {0: 1, 1: 1, 2: 2, 5: 5, 300: 300}),
    row("SO_RCVLOWAT", UDP_NAMES + UNIX, 1, {-1: MAX, -2: MAX, MAX: MAX}),
    row("SO_SNDLOWAT", ALL, 1, READ_ONLY),
    row("SO_PRIORITY", ALL, 0, {value: value for value in range(7)}),
    row("SO_PRIORITY", ALL, 0, {v: v for v in (7, 300, -1, MAX)}, privileged=True),
    row("SO_MARK", ALL, 0, {v: v for v in (0, 1, 2, 300, -1, MAX)}, privileged=True),
    row("SO_TYPE", [n for n in ALL if n.type == socket.SOCK_STREAM], 1, READ_ONLY),
    row("SO_TYPE", [n for n in ALL if n.type == socket.SOCK_DGRAM], 2, READ_ONLY),
    row("SO_TYPE", [n for n in ALL if n.type == socket.SOCK_SEQPACKET], 5, READ_ONLY),
    row("SO_DOMAIN", [n for n in ALL if n.family == socket.AF_UNIX], 1, READ_ONLY),
    row("SO_DOMAIN", [n for n in ALL if n.family == socket.AF_INET], 2, READ_ONLY),
    row("SO_DOMAIN", [n for n in ALL if n.family == socket.AF_INET6], 10, READ_ONLY),
    row("SO_PROTOCOL", TCP_NAMES, socket.IPPROTO_TCP, READ_ONLY),
    row("SO_PROTOCOL", UDP_NAMES, socket.IPPROTO_UDP, READ_ONLY),
    row("SO_PROTOCOL", UNIX, 0, READ_ONLY),
    row("SO_ERROR", ALL, 0, READ_ONLY),
    row("SO_ACCEPTCONN", ALL, 0, READ_ONLY),
    row("SO_PEERSEC", INET, "ENOPROTOOPT", READ_ONLY),
    Option("SO_INCOMING_CPU", SOL_SOCKET, 49, ALL, -1, {0: 0, 1: 1, 5: 5, -1: -1}),
    Option("unknown", SOL_SOCKET, 9999, ALL, "ENOPROTOOPT", READ_ONLY),
    Option("unknown-level", 999, 1, [UDP_NAMES[1], TCP_NAMES[1]], "ENOPROTOOPT", READ_ONLY),
    Option("unknown-level", 999, 1, [UDP_NAMES[0], TCP_NAMES[0]], "EOPNOTSUPP", READ_ONLY),
    Option("unknown-level", 999, 1, UNIX, "EOPNOTSUPP", NOT_HERE),
]
PLAIN = [
    option
    for option in OPTIONS
    if option.name in ("SO_REUSEADDR", "SO_KEEPALIVE", "SO_SNDBUF", "SO_RCVBUF", "SO_OOBINLINE")
]
STRUCTURES = [
    Option("SO_LINGER", SOL_SOCKET, socket.SO_LINGER, ALL, struct.pack("ii", 0, 0)),
    Option("SO_RCVTIMEO", SOL_SOCKET, socket.SO_RCVTIMEO, ALL, struct.pack("ll", 0, 0)),
    Option("SO_SNDTIMEO", SOL_SOCKET, socket.SO_SNDTIMEO, ALL, struct.pack("ll", 0, 0)),
    Option("SO_BINDTODEVICE", SOL_SOCKET, socket.SO_BINDTODEVICE, ALL, b""),
    Option("SO_PEERCRED", SOL_SOCKET, socket.SO_PEERCRED, ALL, struct.pack("iii", 0, -1, -1)),
]


def structure(sock: Socket, option: int, form: str) -> tuple[int, ...]:
    """The fields of an option whose value is a structure."""
    value = sock.getsockopt(SOL_SOCKET, option, struct.calcsize(form))
    assert isinstance(value, bytes)
    return struct.unpack(form, value)


def may_set(net: Network, option: Option) -> None:
    """Skip a case that takes a capability which only root has for certain."""
    if option.privileged and net.credentials()[1] != 0:
        pytest.skip("takes a privilege")


@each_option(OPTIONS)
def test_a_fresh_socket_has_the_default(net: Network, named: Named, option: Option) -> None:
    """An option that was not set has the kernel's default, or the kernel's error."""
    with named.socket(net) as sock:
        assert outcome(sock.getsockopt, option.level, option.number) == option.default


@each_option(OPTIONS)
def test_a_value_reads_back_as_the_kernel_keeps_it(
    net: Network, named: Named, option: Option
) -> None:
    """Booleans are normalised, buffers doubled, values out of range refused or clamped."""
    may_set(net, option)
    with named.socket(net) as sock:
        kept = {v: read_back(sock, option.level, option.number, v) for v in option.sets}
    assert kept == option.sets


@each_option(PLAIN)
def test_getsockopt_with_a_length_gives_so_many_bytes_of_the_int(
    net: Network, named: Named, option: Option
) -> None:
    """A short buffer cuts the int (little end first here); a long one gets four bytes."""
    whole = struct.pack("i", option.default)
    with named.socket(net) as sock:
        got = {n: sock.getsockopt(option.level, option.number, n) for n in (1, 2, 3, 4, 5, 8, 1024)}
    assert got == {n: whole[:n] for n in got}


@each_option(PLAIN)
def test_setsockopt_takes_bytes_of_an_int_or_more(
    net: Network, named: Named, option: Option
) -> None:
    """Less than four bytes is EINVAL; what follows them is ignored; NULL is EFAULT."""
    with named.socket(net) as sock:
        one = read_back(sock, option.level, option.number, 5000)
        kept = {
            n: read_back(sock, option.level, option.number, (struct.pack("i", 5000) + bytes(8))[:n])
            for n in range(10)
        }
        null = [
            outcome(sock.setsockopt, option.level, option.number, None, n) for n in (0, 1, 4, 100)
        ]
    assert kept == {n: "EINVAL" if n < 4 else one for n in range(10)}
    assert null == ["EINVAL", "EINVAL", "EFAULT", "EFAULT"]


@each_option(STRUCTURES)
def test_a_structure_has_its_length_and_default(net: Network, named: Named, option: Option) -> None:
    """A buffer that is longer than the structure gets just the structure."""
    with named.socket(net) as sock:
        assert sock.getsockopt(option.level, option.number, 256) == option.default


@each_option(STRUCTURES)
def test_a_short_buffer_cuts_a_structure(net: Network, named: Named, option: Option) -> None:
    """The first bytes of the structure are given, as many as were asked for."""
    with named.socket(net) as sock:
        got = {n: sock.getsockopt(option.level, option.number, n) for n in (1, 3, 4, 7)}
    assert got == {n: option.default[:n] for n in got}


@each(ALL, argument="named")
def test_a_buffer_length_outside_1_to_1024_is_refused(net: Network, named: Named) -> None:
    """Zero means an int; above 1024 or below zero the call fails before the kernel is asked."""
    with named.socket(net) as sock:
        assert sock.getsockopt(SOL_SOCKET, socket.SO_TYPE, 0) == named.type
        for length in (1025, 5000, -1):
            with pytest.raises(OSError, match="getsockopt buflen out of range"):
                sock.getsockopt(SOL_SOCKET, socket.SO_TYPE, length)


@pytest.mark.parametrize("option", [socket.SO_SNDBUF, socket.SO_RCVBUF])
@each(ALL, argument="named")
def test_buffer_sizes_have_a_ceiling(net: Network, named: Named, option: int) -> None:
    """A size above the machine's limit, or a negative one, reads as twice the limit."""
    with named.socket(net) as sock:
        ceiling = read_back(sock, SOL_SOCKET, option, MAX)
        assert read_back(sock, SOL_SOCKET, option, -1) == ceiling
        assert read_back(sock, SOL_SOCKET, option, ceiling // 2 + 1) == ceiling
        assert read_back(sock, SOL_SOCKET, option, ceiling // 2 - 1) == ceiling - 2


@each(TCP_NAMES, argument="named")
def test_the_low_water_mark_of_tcp_stays_below_the_largest_buffer(
    net: Network, named: Named
) -> None:
    """Unlike other sockets', it is clamped to a limit of the machine."""
    with named.socket(net) as sock:
        ceiling = read_back(sock, SOL_SOCKET, socket.SO_RCVLOWAT, MAX)
        assert 300 < ceiling < MAX
        assert read_back(sock, SOL_SOCKET, socket.SO_RCVLOWAT, -1) == ceiling


@pytest.mark.parametrize(
    ("onoff", "seconds", "kept"),
    [
        (0, 0, (0, 0)),
        (1, 0, (1, 0)),
        (1, 7, (1, 7)),
        (0, 7, (0, 0)),
        (5, 7, (1, 7)),
        (-1, 7, (1, 7)),
    ],
)
@each(ALL, argument="named")
def test_linger_reads_back_normalised(
    net: Network, named: Named, onoff: int, seconds: int, kept: tuple[int, int]
) -> None:
    """The switch becomes 0 or 1; with it off the seconds are not kept."""
    with named.socket(net) as sock:
        sock.setsockopt(SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", onoff, seconds))
        assert structure(sock, socket.SO_LINGER, "ii") == kept


@each(ALL, argument="named")
def test_linger_off_keeps_the_seconds_that_were_set(net: Network, named: Named) -> None:
    """Switching it off leaves the time of before."""
    with named.socket(net) as sock:
        sock.setsockopt(SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 7))
        sock.setsockopt(SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 0, 3))
        assert structure(sock, socket.SO_LINGER, "ii") == (0, 7)


@pytest.mark.parametrize(
    ("name", "size"), [("SO_LINGER", 8), ("SO_RCVTIMEO", 16), ("SO_SNDTIMEO", 16)]
)
@each(ALL, argument="named")
def test_a_structure_that_is_too_short_is_refused(
    net: Network, named: Named, name: str, size: int
) -> None:
    """An int will not do, nor a byte less than the structure; more is ignored."""
    option = getattr(socket, name)
    with named.socket(net) as sock:
        values: list[Any] = [1, bytes(size - 1), bytes(size), bytes(size + 5)]
        got = [outcome(sock.setsockopt, SOL_SOCKET, option, value) for value in values]
    assert got == ["EINVAL", "EINVAL", None, None]


@pytest.mark.parametrize("name", ["SO_RCVTIMEO", "SO_SNDTIMEO"])
@pytest.mark.parametrize(
    ("seconds", "micros", "kept"),
    [
        (0, 0, (0, 0)),
        (2, 0, (2, 0)),
        (2, 500_000, (2, 500_000)),
        (-1, 0, (0, 0)),
        (0, -1, "EDOM"),
        (0, 1_000_000, "EDOM"),
        (0, 999_999, (1, 0)),
    ],
)
@each(ALL, argument="named")
def test_timeouts_read_back(
    net: Network, named: Named, name: str, seconds: int, micros: int, kept: Any
) -> None:
    """A struct timeval comes back; microseconds out of range are EDOM; negative is none."""
    option = getattr(socket, name)
    with named.socket(net) as sock:
        value = struct.pack("ll", seconds, micros)
        error = outcome(sock.setsockopt, SOL_SOCKET, option, value)
        got = error or structure(sock, option, "ll")
    assert got == kept


@each(ALL_NAMES, argument="named")
def test_a_socket_tells_its_family_type_and_protocol(net: Network, named: Named) -> None:
    """SO_DOMAIN, SO_TYPE and SO_PROTOCOL agree with the attributes of the object."""
    with named.socket(net) as sock:
        assert sock.getsockopt(SOL_SOCKET, socket.SO_DOMAIN) == sock.family
        assert sock.getsockopt(SOL_SOCKET, socket.SO_TYPE) == sock.type


@each(ALL, argument="named")
def test_binding_to_a_device(net: Network, named: Named) -> None:
    """The loopback device is read back with its final NUL; an unknown one is ENODEV."""
    with named.socket(net) as sock:
        option = socket.SO_BINDTODEVICE
        assert outcome(sock.setsockopt, SOL_SOCKET, option, b"nonesuch") == "ENODEV"
        sock.setsockopt(SOL_SOCKET, option, b"lo")
        assert sock.getsockopt(SOL_SOCKET, option, 16) == b"lo\0"


@each([named for named in ALL if named.type != socket.SOCK_DGRAM], argument="named")
def test_a_listener_says_so(net: Network, named: Named) -> None:
    """SO_ACCEPTCONN is 1 from listen() on, and 0 for a bound socket."""
    with named.bound(net) as sock:
        assert sock.getsockopt(SOL_SOCKET, socket.SO_ACCEPTCONN) == 0
        sock.listen()
        assert sock.getsockopt(SOL_SOCKET, socket.SO_ACCEPTCONN) == 1


@each(UNIX_STREAM_PAIRS)
def test_unix_peers_have_credentials(net: Network, kind: Kind) -> None:
    """Both ends see the process that made the other end."""
    a, b = kind.make(net)
    with a, b:
        for sock in (a, b):
            assert structure(sock, socket.SO_PEERCRED, "iii") == net.credentials()


@each(TCP_PAIRS)
def test_tcp_peers_have_no_credentials(net: Network, kind: Kind) -> None:
    """SO_PEERCRED is (0, -1, -1) on a connected TCP socket too, and no error."""
    a, b = kind.make(net)
    with a, b:
        assert structure(a, socket.SO_PEERCRED, "iii") == (0, -1, -1)


@pytest.mark.parametrize(
    "arguments",
    [
        (SOL_SOCKET, socket.SO_REUSEADDR),
        (SOL_SOCKET, socket.SO_REUSEADDR, None),
        (SOL_SOCKET, socket.SO_REUSEADDR, "1"),
        (SOL_SOCKET, socket.SO_REUSEADDR, 1.5),
        (SOL_SOCKET, socket.SO_REUSEADDR, 1, 4),
        (SOL_SOCKET, socket.SO_REUSEADDR, b"1234", 4),
        ("1", socket.SO_REUSEADDR, 1),
        (SOL_SOCKET, None, 1),
        (SOL_SOCKET, socket.SO_REUSEADDR, None, "4"),
    ],
    ids=repr,
)
@each(ALL, argument="named")
def test_setsockopt_refuses_arguments_of_other_types(
    net: Network, named: Named, arguments: tuple[Any, ...]
) -> None:
    """They are TypeError before the kernel is asked."""
    with named.socket(net) as sock:
        with pytest.raises(TypeError):
            sock.setsockopt(*arguments)
        assert sock.getsockopt(SOL_SOCKET, socket.SO_REUSEADDR) == 0


@pytest.mark.parametrize("value", [2**31, -(2**31) - 1, 2**63])
@each(ALL, argument="named")
def test_an_int_that_does_not_fit_is_refused(net: Network, named: Named, value: int) -> None:
    """It is tried as bytes next, which gives a TypeError; nothing is set."""
    with named.socket(net) as sock:
        with pytest.raises(TypeError):
            sock.setsockopt(SOL_SOCKET, socket.SO_REUSEADDR, value)
        assert sock.getsockopt(SOL_SOCKET, socket.SO_REUSEADDR) == 0


@pytest.mark.parametrize("value", [True, bytearray(b"\1\0\0\0"), memoryview(b"\1\0\0\0")], ids=repr)
@each(ALL[:1], UNIX[:1], argument="named")
def test_anything_like_an_int_or_bytes_will_do(net: Network, named: Named, value: Any) -> None:
    """Booleans are ints; every buffer is taken."""
    with named.socket(net) as sock:
        assert read_back(sock, SOL_SOCKET, socket.SO_KEEPALIVE, value) == 1


@each(ALL, argument="named")
def test_options_of_a_closed_socket_are_a_bad_descriptor(net: Network, named: Named) -> None:
    """EBADF, for reading and for setting."""
    sock = named.socket(net)
    sock.close()
    assert outcome(sock.getsockopt, SOL_SOCKET, socket.SO_TYPE) == "EBADF"
    assert outcome(sock.setsockopt, SOL_SOCKET, socket.SO_REUSEADDR, 1) == "EBADF"


@each(ALL, argument="named")
def test_a_duplicate_shares_the_options(net: Network, named: Named) -> None:
    """What is set through one descriptor is read through the other."""
    with named.socket(net) as sock, sock.dup() as other:
        sock.setsockopt(SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        assert other.getsockopt(SOL_SOCKET, socket.SO_KEEPALIVE) == 1
