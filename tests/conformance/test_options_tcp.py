"""Options of IPPROTO_TCP: defaults, what values read back as, what is refused, where they act.

Values were measured on Linux 6.18 with its default settings.
"""

from __future__ import annotations

import socket
import struct
from collections.abc import Callable
from socket import IPPROTO_TCP, SOL_SOCKET
from typing import Any

import pytest

from simnet.api import Network, Socket
from tests.conformance.kinds import (
    TCP_NAMES,
    TCP_PAIRS,
    UDP_NAMES,
    UNIX_NAMES,
    Kind,
    Named,
    Option,
    each,
    each_option,
)
from tests.conformance.outcomes import outcome, read_back

MAX = 2**31 - 1
BOOLEAN: dict[int, int | str] = {0: 0, 1: 1, 2: 1, 300: 1, -1: 1, MAX: 1}
READ_ONLY: dict[int, int | str] = {0: "ENOPROTOOPT", 1: "ENOPROTOOPT", -1: "ENOPROTOOPT"}
NAMES = [name for name in dir(socket) if name.startswith("TCP_")]
# The states of TCP as tcp(7) and TCP_INFO number them.
ESTABLISHED, SYN_SENT, CLOSE, CLOSE_WAIT, LISTEN = 1, 2, 7, 8, 10
FIN_WAIT = (4, 5)


def row(name: str, default: Any, sets: dict[int, Any]) -> Option:
    """A row of the table for a constant of the module `socket`."""
    number: int = getattr(socket, name)
    return Option(name, IPPROTO_TCP, number, TCP_NAMES, default, sets)


def refused(*values: int) -> dict[int, int | str]:
    """Values out of range."""
    return dict.fromkeys(values, "EINVAL")


def kept(*values: int) -> dict[int, int | str]:
    """Values that read back unchanged."""
    return {value: value for value in values}


OPTIONS = [
    row("TCP_NODELAY", 0, BOOLEAN),
    row("TCP_CORK", 0, BOOLEAN),
    row("TCP_QUICKACK", 1, BOOLEAN),
    row("TCP_MAXSEG", 536, {0: 536} | kept(88, 300, 1460, 32767) | refused(1, 87, 32768, -1, MAX)),
    row("TCP_KEEPIDLE", 7200, kept(1, 5, 32767) | refused(0, 32768, -1, MAX)),
    row("TCP_KEEPINTVL", 75, kept(1, 5, 32767) | refused(0, 32768, -1, MAX)),
    row("TCP_KEEPCNT", 9, kept(1, 5, 127) | refused(0, 128, -1, MAX)),
    row("TCP_SYNCNT", 6, kept(1, 5, 127) | refused(0, 128, -1, MAX)),
    row("TCP_LINGER2", 60, {0: 60, 300: 120, -1: -1, -2: -1, MAX: 120} | kept(1, 5, 119, 120)),
    row(
        "TCP_DEFER_ACCEPT",
        0,
        {0: 0, 1: 1, 2: 3, 3: 3, 4: 7, 5: 7, 7: 7, 8: 15, 100: 127, -1: 0, -2: 0},
    ),
    row("TCP_WINDOW_CLAMP", 0, {0: 0, 1: 1152, 300: 1152, 1152: 1152, 5000: 5000, MAX: MAX}),
    row("TCP_USER_TIMEOUT", 0, kept(0, 1, 300, MAX) | refused(-1, -2)),
    row("TCP_NOTSENT_LOWAT", 0, kept(0, 1, 300, MAX, -1)),
    row("TCP_FASTOPEN", 0, kept(0, 1, 5, 300) | refused(-1)),
    Option(
        "TCP_INFO",
        IPPROTO_TCP,
        socket.TCP_INFO,
        TCP_NAMES,
        CLOSE,
        dict.fromkeys((0, 1), "ENOPROTOOPT"),
    ),
    Option("unknown", IPPROTO_TCP, 99, TCP_NAMES, "ENOPROTOOPT", READ_ONLY),
    Option("unknown", IPPROTO_TCP, 0, TCP_NAMES, "ENOPROTOOPT", READ_ONLY),
]
INTS = [o for o in OPTIONS if isinstance(o.default, int) and o.name != "TCP_INFO"]


def state(sock: Socket) -> int:
    """The first byte of TCP_INFO."""
    value = sock.getsockopt(IPPROTO_TCP, socket.TCP_INFO, 1)
    assert isinstance(value, bytes)
    return value[0]


@each_option(OPTIONS)
def test_a_fresh_socket_has_the_default(net: Network, named: Named, option: Option) -> None:
    """An option that was not set has the kernel's default, or the kernel's error."""
    with named.socket(net) as sock:
        got = outcome(sock.getsockopt, option.level, option.number)
    assert got == option.default


@each_option(OPTIONS)
def test_a_value_reads_back_as_the_kernel_keeps_it(
    net: Network, named: Named, option: Option
) -> None:
    """Each option has its own range, and its own way of rounding."""
    got = {}
    for value in option.sets:
        with named.socket(net) as sock:
            got[value] = read_back(sock, option.level, option.number, value)
    assert got == option.sets


@each_option(INTS)
def test_lengths_of_an_int_option(net: Network, named: Named, option: Option) -> None:
    """Reading cuts the int to the length; setting takes no less than four bytes."""
    whole = struct.pack("i", option.default)
    with named.socket(net) as sock:
        got = {n: sock.getsockopt(option.level, option.number, n) for n in (1, 2, 3, 4, 8, 1024)}
        short = [outcome(sock.setsockopt, option.level, option.number, bytes(n)) for n in (0, 1, 3)]
        null = outcome(sock.setsockopt, option.level, option.number, None, 4)
    assert got == {n: whole[:n] for n in got}
    assert short == ["EINVAL"] * 3
    assert null == "EFAULT"


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(
    ("named", "reading"),
    [(UDP_NAMES[0], "EOPNOTSUPP"), (UDP_NAMES[1], "ENOPROTOOPT")],
    ids=["udp4", "udp6"],
)
def test_udp_has_no_options_of_tcp(net: Network, named: Named, reading: str, name: str) -> None:
    """Setting is ENOPROTOOPT; reading is EOPNOTSUPP over IPv4 but ENOPROTOOPT over IPv6."""
    number = getattr(socket, name)
    with named.socket(net) as sock:
        assert outcome(sock.getsockopt, IPPROTO_TCP, number) == reading
        assert outcome(sock.setsockopt, IPPROTO_TCP, number, 1) == "ENOPROTOOPT"


@each(UNIX_NAMES, argument="named")
def test_unix_sockets_have_no_options_of_tcp(net: Network, named: Named) -> None:
    """EOPNOTSUPP for reading and for setting."""
    with named.socket(net) as sock:
        assert outcome(sock.getsockopt, IPPROTO_TCP, socket.TCP_NODELAY) == "EOPNOTSUPP"
        assert outcome(sock.setsockopt, IPPROTO_TCP, socket.TCP_NODELAY, 1) == "EOPNOTSUPP"


@each(TCP_NAMES, argument="named")
def test_the_congestion_control_is_named_in_16_bytes(net: Network, named: Named) -> None:
    """A name padded with NUL; it can be set again to itself; an unknown one is ENOENT."""
    with named.socket(net) as sock:
        name = sock.getsockopt(IPPROTO_TCP, socket.TCP_CONGESTION, 64)
        assert isinstance(name, bytes)
        assert len(name) == 16
        assert name.rstrip(b"\0").isalnum()
        sock.setsockopt(IPPROTO_TCP, socket.TCP_CONGESTION, name.rstrip(b"\0"))
        for wrong, error in ((b"nonesuch", "ENOENT"), (b"", "EINVAL")):
            assert outcome(sock.setsockopt, IPPROTO_TCP, socket.TCP_CONGESTION, wrong) == error
        assert sock.getsockopt(IPPROTO_TCP, socket.TCP_CONGESTION, 16) == name


@each(TCP_NAMES, argument="named")
def test_reno_is_always_there(net: Network, named: Named) -> None:
    """Every kernel has it built in; a buffer that is shorter than 16 bytes cuts the name."""
    with named.socket(net) as sock:
        sock.setsockopt(IPPROTO_TCP, socket.TCP_CONGESTION, b"reno")
        assert sock.getsockopt(IPPROTO_TCP, socket.TCP_CONGESTION, 16) == b"reno".ljust(16, b"\0")
        assert sock.getsockopt(IPPROTO_TCP, socket.TCP_CONGESTION, 3) == b"ren"


@each(TCP_NAMES, argument="named")
def test_tcp_info_tells_the_state_of_a_listener(net: Network, named: Named) -> None:
    """CLOSE until listen(), then LISTEN."""
    with named.bound(net) as sock:
        assert state(sock) == CLOSE
        sock.listen()
        assert state(sock) == LISTEN


@each(TCP_PAIRS)
def test_tcp_info_tells_the_state_of_a_connection(
    net: Network, pair: tuple[Socket, Socket]
) -> None:
    """ESTABLISHED; after one side's shutdown FIN_WAIT and CLOSE_WAIT; CLOSE at the end.

    FIN_WAIT1 lasts until the acknowledgement, which may be delayed.
    """
    a, b = pair
    assert (state(a), state(b)) == (ESTABLISHED, ESTABLISHED)
    a.shutdown(socket.SHUT_WR)
    assert b.recv(1) == b""
    assert state(a) in FIN_WAIT
    assert state(b) == CLOSE_WAIT
    b.close()
    assert a.recv(1) == b""
    assert state(a) == CLOSE


@each(TCP_PAIRS)
def test_tcp_info_of_a_reset_connection_is_close(net: Network, pair: tuple[Socket, Socket]) -> None:
    """The state is known at once, whether or not the error was consumed."""
    a, b = pair
    b.setsockopt(SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    b.close()
    assert state(a) == CLOSE
    assert outcome(a.recv, 1) == "ECONNRESET"
    assert state(a) == CLOSE


@each(TCP_NAMES, argument="named")
def test_tcp_info_of_an_attempt_that_nobody_answers_is_syn_sent(
    net: Network, named: Named, keep: Callable[[Socket], Socket]
) -> None:
    """A full backlog leaves the next connection there."""
    listener = keep(named.listening(net, backlog=0))
    keep(named.socket(net)).connect(listener.getsockname())
    late = keep(named.socket(net))
    late.setblocking(False)
    assert outcome(late.connect, listener.getsockname()) == "EINPROGRESS"
    assert state(late) == SYN_SENT


@each_option(OPTIONS[:1] + [o for o in OPTIONS if o.name.startswith("TCP_KEEP")])
def test_an_accepted_socket_inherits_the_option(
    net: Network, named: Named, option: Option, keep: Callable[[Socket], Socket]
) -> None:
    """What was set on the listener holds for the connections that it accepts."""
    listener = keep(named.listening(net))
    listener.setsockopt(option.level, option.number, 1)
    client = keep(named.socket(net))
    client.connect(listener.getsockname())
    accepted = keep(listener.accept()[0])
    assert accepted.getsockopt(option.level, option.number) == 1
    assert client.getsockopt(option.level, option.number) == option.default


@each(TCP_PAIRS)
def test_the_segment_size_of_a_connection_is_that_of_its_route(
    net: Network, kind: Kind, pair: tuple[Socket, Socket]
) -> None:
    """The loopback's segments are far above the default of an unconnected socket."""
    for sock in pair:
        size = sock.getsockopt(IPPROTO_TCP, socket.TCP_MAXSEG)
        assert isinstance(size, int)
        assert 536 < size <= 65535
