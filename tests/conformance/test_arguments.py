"""Wrong arguments, the addresses of each family, and the buffers that may be sent or filled."""

from __future__ import annotations

import array
import socket
from collections.abc import Callable
from contextlib import ExitStack
from typing import Any

import pytest

from simnet.api import Network
from tests.conformance.argument_errors import ROWS
from tests.conformance.kinds import CONNECTION_PAIRS, PATIENCE, Kind, each
from tests.conformance.outcomes import outcome

CASES = [(method, *row) for method, rows in ROWS.items() for row in rows]
ADDRESS_METHODS = pytest.mark.parametrize("method", ["bind", "connect", "connect_ex"])
PAIR_OF = "AF_INET address must be a pair (host, port)"
TUPLE_OF = "AF_INET6 address must be a tuple (host, port[, flowinfo[, scopeid]])"


@pytest.mark.parametrize(
    ("method", "args", "error", "text"), CASES, ids=[f"{c[0]}{c[1]!r:.40}" for c in CASES]
)
def test_a_wrong_argument_is_refused(
    net: Network,
    sockets: ExitStack,
    method: str,
    args: tuple[Any, ...],
    error: type[Exception],
    text: str,
) -> None:
    """A call with wrong arguments raises the error, and says the words, of the standard library."""
    sock = sockets.enter_context(net.socket())
    sock.setblocking(False)
    with pytest.raises(error) as raised:
        getattr(sock, method)(*args)
    assert text in str(raised.value)


@pytest.mark.parametrize("method", ["send", "sendall", "recv_into", "recvfrom_into"])
def test_a_buffer_is_of_one_piece(net: Network, sockets: ExitStack, method: str) -> None:
    """A memoryview with gaps is neither sent nor filled."""
    sock = sockets.enter_context(net.socket())
    with pytest.raises((BufferError, TypeError)):
        getattr(sock, method)(memoryview(bytearray(8))[::2])


@pytest.mark.parametrize("method", ["recv_into", "recvfrom_into"])
def test_a_read_only_buffer_is_not_filled(net: Network, sockets: ExitStack, method: str) -> None:
    """A memoryview of bytes is not writable."""
    sock = sockets.enter_context(net.socket())
    with pytest.raises(TypeError, match="read-write bytes-like object"):
        getattr(sock, method)(memoryview(b"abc"))


@ADDRESS_METHODS
@pytest.mark.parametrize(
    ("address", "error", "text"),
    [
        ((), TypeError, TUPLE_OF),
        (("::1",), TypeError, TUPLE_OF),
        (("::1", 0, 0, 0, 0), TypeError, TUPLE_OF),
        (("::1", -1), OverflowError, "(): port must be 0-65535."),
        (("::1", 65536), OverflowError, "(): port must be 0-65535."),
        (("::1", 0, -1), OverflowError, "(): flowinfo must be 0-1048575."),
        (("::1", 0, 1 << 20), OverflowError, "(): flowinfo must be 0-1048575."),
        ("::1", TypeError, "(): AF_INET6 address must be tuple, not str"),
        (["::1", 0], TypeError, "(): AF_INET6 address must be tuple, not list"),
        (("::1", "0"), TypeError, "'str' object cannot be interpreted as an integer"),
        (("::1", 0, "x"), TypeError, "'str' object cannot be interpreted as an integer"),
        ((None, 0), TypeError, "str, bytes or bytearray expected, not NoneType"),
        (("a\0b", 0), TypeError, "host name must not contain null character"),
    ],
    ids=repr,
)
def test_a_wrong_ipv6_address_is_refused(
    net: Network,
    sockets: ExitStack,
    method: str,
    address: Any,
    error: type[Exception],
    text: str,
) -> None:
    """An AF_INET6 address is (host, port[, flowinfo[, scopeid]]), each in its range."""
    sock = sockets.enter_context(net.socket(socket.AF_INET6))
    with pytest.raises(error) as raised:
        getattr(sock, method)(address)
    assert text in str(raised.value)


@pytest.mark.parametrize("rest", [(0,), (0, 0), (0, (1 << 20) - 1), (0, 0, 0)], ids=repr)
def test_an_ipv6_address_may_be_short(
    net: Network, sockets: ExitStack, rest: tuple[int, ...]
) -> None:
    """flowinfo and scope id may be left out, and are always reported."""
    sock = sockets.enter_context(net.socket(socket.AF_INET6))
    sock.bind(("::1", *rest))
    host, _, flowinfo, scope = sock.getsockname()
    assert (host, flowinfo, scope) == ("::1", 0, 0)


@ADDRESS_METHODS
@pytest.mark.parametrize(
    ("family", "host"),
    [
        (socket.AF_INET, "no-such-host.invalid"),
        (socket.AF_INET, "256.1.1.1"),
        (socket.AF_INET, "1.2.3.4.5"),
        (socket.AF_INET, "127.0.0.1 "),
        (socket.AF_INET, " "),
        (socket.AF_INET, "x" * 64),
        (socket.AF_INET, "x" * 300),
        (socket.AF_INET, "::1"),
        (socket.AF_INET6, "127.0.0.1"),
        (socket.AF_INET6, "x::y"),
        (socket.AF_INET6, "::1%no-such-interface"),
        (socket.AF_INET6, "no-such-host.invalid"),
    ],
    ids=lambda value: str(value)[:24],
)
def test_a_host_that_is_unknown_is_not_found(
    net: Network, sockets: ExitStack, method: str, family: int, host: str
) -> None:
    """A name that does not resolve in the socket's family raises gaierror, in connect_ex() too."""
    sock = sockets.enter_context(net.socket(family))
    with pytest.raises(socket.gaierror):
        getattr(sock, method)((host, 80))


@pytest.mark.parametrize(
    ("host", "name"),
    [
        ("", "0.0.0.0"),
        ("0", "0.0.0.0"),
        ("127.1", "127.0.0.1"),
        ("0x7f.1", "127.0.0.1"),
        ("2130706433", "127.0.0.1"),
        ("127.0.0.01", "127.0.0.1"),
        ("localhost", "127.0.0.1"),
        ("LOCALHOST", "127.0.0.1"),
        ("<broadcast>", "255.255.255.255"),
        (b"127.0.0.1", "127.0.0.1"),
        (bytearray(b"127.0.0.1"), "127.0.0.1"),
    ],
    ids=repr,
)
def test_a_host_may_be_written_in_many_ways(
    net: Network, sockets: ExitStack, host: Any, name: str
) -> None:
    """Hosts are names, dotted numbers with one to four parts, '' for any, or '<broadcast>'."""
    sock = sockets.enter_context(net.socket())
    sock.bind((host, 0))
    assert sock.getsockname()[0] == name


@pytest.mark.parametrize(
    ("args", "error"),
    [
        ((77,), "EAFNOSUPPORT"),
        ((socket.AF_INET, 77), "EINVAL"),
        ((socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_UDP), "EPROTONOSUPPORT"),
        ((socket.AF_INET, socket.SOCK_DGRAM, socket.IPPROTO_TCP), "EPROTONOSUPPORT"),
        ((socket.AF_INET6, socket.SOCK_STREAM, socket.IPPROTO_UDP), "EPROTONOSUPPORT"),
        ((socket.AF_UNIX, socket.SOCK_STREAM, 5), "EPROTONOSUPPORT"),
        ((socket.AF_INET, socket.SOCK_SEQPACKET), "ESOCKTNOSUPPORT"),
        ((socket.AF_INET6, socket.SOCK_SEQPACKET), "ESOCKTNOSUPPORT"),
        ((-1, -1, -1, 1 << 20), "EBADF"),
    ],
    ids=repr,
)
def test_a_socket_that_there_is_not(net: Network, args: tuple[int, ...], error: str) -> None:
    """socket() reports a family, a type, a protocol or a descriptor that does not exist."""
    assert outcome(net.socket, *args) == error


@pytest.mark.parametrize(
    ("args", "error"),
    [
        ((socket.AF_INET,), "EOPNOTSUPP"),
        ((socket.AF_INET6, socket.SOCK_DGRAM), "EOPNOTSUPP"),
        ((socket.AF_UNIX, 77), "EINVAL"),
        ((socket.AF_UNIX, socket.SOCK_STREAM, 5), "EPROTONOSUPPORT"),
        ((77,), "EAFNOSUPPORT"),
    ],
    ids=repr,
)
def test_a_pair_that_there_is_not(net: Network, args: tuple[int, ...], error: str) -> None:
    """socketpair() makes unix sockets only."""
    assert outcome(net.socketpair, *args) == error


def test_an_impossible_descriptor_is_refused(net: Network) -> None:
    """socket(fileno=...) takes a number that is not negative."""
    with pytest.raises(ValueError, match="negative file descriptor"):
        net.socket(fileno=-1)
    for wrong in ("1", 1.5):
        with pytest.raises(TypeError):
            net.socket(fileno=wrong)  # type: ignore[arg-type]


WRAPPERS: dict[str, Callable[[bytes], Any]] = {
    "bytes": bytes,
    "bytearray": bytearray,
    "memoryview": memoryview,
    "slice": lambda data: memoryview(b"__" + data)[2:],
    "array": lambda data: array.array("B", data),
    "ints": lambda data: array.array("i", data),
    "cast": lambda data: memoryview(data).cast("i"),
    "table": lambda data: memoryview(data).cast("B", [2, len(data) // 2]),
}


@each(CONNECTION_PAIRS)
@pytest.mark.parametrize("wrap", WRAPPERS.values(), ids=WRAPPERS)
def test_any_buffer_may_be_sent(
    net: Network, sockets: ExitStack, kind: Kind, wrap: Callable[[bytes], Any]
) -> None:
    """send, sendall and sendmsg take any contiguous buffer; counts are bytes."""
    a, b = map(sockets.enter_context, kind.make(net))
    b.settimeout(PATIENCE)
    data = b"01234567"
    assert a.send(wrap(data)) == len(data)
    assert b.recv(100) == data
    assert a.sendall(wrap(data)) is None
    assert b.recv(100) == data
    assert a.sendmsg([wrap(data)]) == len(data)
    assert b.recv(100) == data


@each(CONNECTION_PAIRS)
@pytest.mark.parametrize(
    "buffer",
    [bytearray(8), memoryview(bytearray(8)), array.array("B", bytes(8)), array.array("i", [0, 0])],
    ids=["bytearray", "memoryview", "array", "ints"],
)
def test_any_writable_buffer_may_be_filled(
    net: Network, sockets: ExitStack, kind: Kind, buffer: Any
) -> None:
    """recv_into, recvfrom_into and recvmsg_into fill any writable buffer from its beginning."""
    a, b = map(sockets.enter_context, kind.make(net))
    b.settimeout(PATIENCE)
    for receive in (b.recv_into, lambda room: b.recvfrom_into(room)[0]):
        a.send(b"abcd")
        assert receive(buffer) == 4
        assert bytes(memoryview(buffer).cast("B"))[:4] == b"abcd"
    a.send(b"wxyz")
    assert b.recvmsg_into([buffer])[0] == 4
    assert bytes(memoryview(buffer).cast("B"))[:4] == b"wxyz"


@each(CONNECTION_PAIRS)
def test_a_part_of_a_buffer_may_be_filled(net: Network, sockets: ExitStack, kind: Kind) -> None:
    """nbytes limits what is filled; 0 means the whole buffer; an empty buffer takes nothing."""
    a, b = map(sockets.enter_context, kind.make(net))
    b.settimeout(PATIENCE)
    room = bytearray(b"........")
    a.send(b"abcd")
    assert b.recv_into(room, 2) == 2
    assert room == b"ab......"
    assert b.recv_into(bytearray()) == 0
    a.send(b"wxyz")
    assert b.recv_into(room, nbytes=0) > 0


def test_buffers_may_be_named(net: Network, sockets: ExitStack) -> None:
    """recv_into and recvfrom_into take their arguments by name; recv and send do not."""
    a, b = map(sockets.enter_context, net.socketpair())
    a.send(b"abcd")
    room = bytearray(8)
    assert b.recv_into(buffer=room, nbytes=1, flags=socket.MSG_PEEK) == 1
    assert b.recvfrom_into(buffer=room, nbytes=4, flags=0)[0] == 4
    for call in (lambda: a.send(data=b"x"), lambda: b.recv(bufsize=1)):  # type: ignore[call-arg]
        with pytest.raises(TypeError, match="keyword arguments"):
            call()
