"""Making sockets: socket(), socketpair(), create_connection(), create_server(); and errors."""

from __future__ import annotations

import errno
import socket
import sys
from collections.abc import Callable
from socket import (
    AF_INET,
    AF_INET6,
    AF_UNIX,
    IPPROTO_IPV6,
    IPPROTO_TCP,
    IPPROTO_UDP,
    SOCK_CLOEXEC,
    SOCK_DGRAM,
    SOCK_NONBLOCK,
    SOCK_SEQPACKET,
    SOCK_STREAM,
    SOL_SOCKET,
)
from typing import Any

import pytest

from simnet.api import Network, Socket
from tests.conformance.kinds import ALL_NAMES, Kind, Named, each, unix_pair
from tests.conformance.outcomes import outcome

Keep = Callable[[Socket], Socket]
INET, TYPES = (AF_INET, AF_INET6), (SOCK_STREAM, SOCK_DGRAM, SOCK_SEQPACKET)
EXAMPLES = [unix_pair("stream", SOCK_STREAM), unix_pair("dgram", SOCK_DGRAM),
            unix_pair("seqpacket", SOCK_SEQPACKET)]  # fmt: skip


def made(net: Network, *arguments: Any, **named: Any) -> Any:
    """(family, type, proto) of a new socket, which is closed; or the error."""
    got = outcome(lambda: net.socket(*arguments, **named))
    if isinstance(got, str):
        return got
    with got:
        return got.family, got.type, got.proto


@pytest.fixture
def closed_port(net: Network) -> int:
    """A port of 127.0.0.1 that nobody listens on."""
    with net.create_server(("127.0.0.1", 0)) as server:
        port: int = server.getsockname()[1]
    return port


@pytest.fixture
def server(net: Network, keep: Keep) -> Socket:
    """A server on 127.0.0.1."""
    return keep(net.create_server(("127.0.0.1", 0)))


# socket()

GOOD = [
    ((), (AF_INET, SOCK_STREAM, 0)),
    ((-1, -1, -1), (AF_INET, SOCK_STREAM, 0)),
    ((AF_INET6,), (AF_INET6, SOCK_STREAM, 0)),
    ((-1, SOCK_DGRAM), (AF_INET, SOCK_DGRAM, 0)),
    *(((f, SOCK_STREAM, IPPROTO_TCP), (f, SOCK_STREAM, IPPROTO_TCP)) for f in INET),
    *(((f, SOCK_DGRAM, IPPROTO_UDP), (f, SOCK_DGRAM, IPPROTO_UDP)) for f in INET),
    *(((AF_UNIX, t, p), (AF_UNIX, t, p)) for t in TYPES for p in (0, 1)),
]
BAD = [
    *(((f, SOCK_STREAM, p), "EPROTONOSUPPORT") for f in INET for p in (1, 17, 41, 58, 255)),
    *(((f, SOCK_DGRAM, p), "EPROTONOSUPPORT") for f in INET for p in (6, 41, 255)),
    *(((f, t, p), "EINVAL") for f in INET for t in TYPES for p in (-2, 1000)),
    *(((f, SOCK_SEQPACKET, p), "ESOCKTNOSUPPORT") for f in INET for p in (0, 6, 17)),
    *(((AF_UNIX, t, p), "EPROTONOSUPPORT") for t in TYPES for p in (-2, 2, 6, 17, 1000)),
    *(((f, t), "ESOCKTNOSUPPORT") for f in (*INET, AF_UNIX) for t in (0, 4, 6, 7, 9)),
    *(((f, t), "EINVAL") for f in (*INET, AF_UNIX) for t in (11, 99, SOCK_STREAM | 0x100, -2)),
    *(((f, SOCK_STREAM), "EAFNOSUPPORT") for f in (0, 99, 1000, -2)),
    *(((99, t), "EAFNOSUPPORT") for t in (SOCK_DGRAM, 9)),
]


def numbers(value: Any) -> str:
    """A test id out of plain numbers."""
    if isinstance(value, tuple):
        return "-".join(str(int(part)) for part in value) or "none"
    return str(value)


@pytest.mark.parametrize(("arguments", "expected"), GOOD, ids=numbers)
def test_a_socket_is_of_what_was_asked_for(
    net: Network, arguments: tuple[int, ...], expected: tuple[int, int, int]
) -> None:
    """-1 stands for the default; the protocol is kept as it was given."""
    assert made(net, *arguments) == expected


@pytest.mark.parametrize(("arguments", "error"), BAD, ids=numbers)
def test_what_does_not_exist_cannot_be_made(
    net: Network, arguments: tuple[int, ...], error: str
) -> None:
    """Each kind of wrong combination has its own error."""
    assert made(net, *arguments) == error


@pytest.mark.parametrize(
    "arguments", [("2",), (AF_INET, "1"), (2.0,), (AF_INET, 1, None)], ids=repr
)
def test_a_socket_is_described_by_numbers(net: Network, arguments: tuple[Any, ...]) -> None:
    """Everything else is a TypeError."""
    with pytest.raises(TypeError):
        net.socket(*arguments)


def test_a_number_that_is_too_large_overflows(net: Network) -> None:
    """OverflowError."""
    with pytest.raises(OverflowError):
        net.socket(2**40)


@each(ALL_NAMES, argument="named")
def test_a_fresh_socket_blocks_and_is_not_inherited(net: Network, named: Named) -> None:
    """Timeout None, blocking, closed on exec."""
    with named.socket(net) as sock:
        assert (sock.gettimeout(), sock.getblocking(), sock.get_inheritable()) == (
            None,
            True,
            False,
        )
        assert sock.timeout is None
        assert sock.fileno() >= 0


@pytest.mark.parametrize("family", [AF_INET, AF_INET6, AF_UNIX])
@pytest.mark.parametrize("type", [SOCK_STREAM, SOCK_DGRAM])
def test_flags_of_the_type(net: Network, keep: Keep, family: int, type: int) -> None:
    """SOCK_NONBLOCK makes the timeout 0; neither flag stays in the type."""
    sock = keep(net.socket(family, type | SOCK_NONBLOCK))
    assert (sock.type, sock.gettimeout(), sock.getblocking()) == (type, 0.0, False)
    sock = keep(net.socket(family, type | SOCK_CLOEXEC))
    assert (sock.type, sock.gettimeout(), sock.get_inheritable()) == (type, None, False)


# fileno=


@each(ALL_NAMES, argument="named")
def test_a_descriptor_is_adopted_with_its_own_kind(net: Network, named: Named, keep: Keep) -> None:
    """Family, type and protocol are asked of the kernel; the protocol is the real one."""
    original = named.socket(net)
    number = original.detach()
    sock = keep(net.socket(fileno=number))
    assert sock.fileno() == number
    assert (sock.family, sock.type) == (named.family, named.type)
    assert sock.proto == sock.getsockopt(SOL_SOCKET, socket.SO_PROTOCOL)


def test_what_is_said_about_a_descriptor_is_believed(net: Network, keep: Keep) -> None:
    """The object then claims the family and type that were given; -1 asks the kernel."""
    sock = keep(net.socket(AF_INET, SOCK_STREAM, 0, net.socket(AF_INET6, SOCK_DGRAM).detach()))
    assert (sock.family, sock.type, sock.proto) == (AF_INET, SOCK_STREAM, 0)
    assert sock.getsockopt(SOL_SOCKET, socket.SO_DOMAIN) == AF_INET6
    sock = keep(net.socket(AF_INET, -1, -1, net.socket(AF_INET6, SOCK_DGRAM).detach()))
    assert (sock.family, sock.type, sock.proto) == (AF_INET, SOCK_DGRAM, IPPROTO_UDP)


def test_an_adopted_descriptor_keeps_its_connection(net: Network, keep: Keep) -> None:
    """detach() and fileno= hand a connection over, with a timeout of its own: None."""
    a, b = net.socketpair()
    keep(b)
    a.settimeout(3)
    moved = keep(net.socket(fileno=a.detach()))
    moved.send(b"x")
    assert b.recv(1) == b"x"
    assert (a.fileno(), moved.gettimeout()) == (-1, None)
    a.close()


@pytest.mark.parametrize(
    ("number", "error"),
    [(-1, "ValueError"), (-5, "ValueError"), ("1", "TypeError"), (1.0, "TypeError")],
)
def test_a_descriptor_is_a_number_that_is_not_negative(
    net: Network, number: Any, error: str
) -> None:
    """ValueError or TypeError."""
    with pytest.raises((ValueError, TypeError)) as caught:
        net.socket(fileno=number)
    assert type(caught.value).__name__ == error


def test_a_closed_descriptor_cannot_be_adopted(net: Network) -> None:
    """EBADF, whether or not its kind is given."""
    sock = net.socket()
    number = sock.fileno()
    sock.close()
    assert made(net, fileno=number) == "EBADF"
    assert made(net, AF_INET, SOCK_STREAM, 0, number) == "EBADF"


# socketpair()


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ((), SOCK_STREAM),
        ((AF_UNIX,), SOCK_STREAM),
        ((AF_UNIX, SOCK_DGRAM), SOCK_DGRAM),
        ((AF_UNIX, SOCK_SEQPACKET), SOCK_SEQPACKET),
        ((None, SOCK_DGRAM), SOCK_DGRAM),
    ],
    ids=repr,
)
def test_a_pair_is_of_unix_sockets(
    net: Network, keep: Keep, arguments: tuple[Any, ...], expected: int
) -> None:
    """Connected both ways, without names, not inherited."""
    a, b = (keep(sock) for sock in net.socketpair(*arguments))
    a.send(b"x")
    b.send(b"y")
    assert (b.recv(1), a.recv(1)) == (b"x", b"y")
    for sock in (a, b):
        assert (sock.family, sock.type, sock.proto) == (AF_UNIX, expected, 0)
        assert (sock.getsockname(), sock.getpeername()) == ("", "")
        assert (sock.gettimeout(), sock.get_inheritable()) == (None, False)


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        *(((f, t), "EOPNOTSUPP") for f in INET for t in (SOCK_STREAM, SOCK_DGRAM)),
        *(((f, SOCK_SEQPACKET), "ESOCKTNOSUPPORT") for f in INET),
        *(((f, SOCK_STREAM, 17), "EPROTONOSUPPORT") for f in INET),
        ((AF_UNIX, SOCK_STREAM, 6), "EPROTONOSUPPORT"),
        ((AF_UNIX, 99), "EINVAL"),
        ((AF_UNIX, 4), "ESOCKTNOSUPPORT"),
        ((99, SOCK_STREAM), "EAFNOSUPPORT"),
    ],
    ids=numbers,
)
def test_there_are_no_other_pairs(net: Network, arguments: tuple[int, ...], error: str) -> None:
    """EOPNOTSUPP for what exists but cannot be paired."""
    assert outcome(net.socketpair, *arguments) == error


@each(EXAMPLES)
def test_a_pair_does_not_block_if_asked_so(net: Network, keep: Keep, kind: Kind) -> None:
    """SOCK_NONBLOCK holds for both ends, and Python knows it: the timeout is 0."""
    for sock in net.socketpair(AF_UNIX, kind.type | SOCK_NONBLOCK):
        keep(sock)
        assert (sock.type, sock.gettimeout()) == (kind.type, 0.0)


# create_connection()


@pytest.mark.parametrize("timeout", [None, 5, 2.5])
def test_create_connection_keeps_its_timeout(net: Network, server: Socket, timeout: Any) -> None:
    """The socket has it afterwards."""
    with net.create_connection(server.getsockname(), timeout) as sock:
        assert sock.getpeername() == server.getsockname()
        assert sock.gettimeout() == timeout


def test_create_connection_without_a_timeout_blocks(net: Network, server: Socket) -> None:
    """As every fresh socket does."""
    with net.create_connection(server.getsockname()) as sock:
        assert sock.gettimeout() is None


@pytest.mark.parametrize("host", ["localhost", None, "127.1"])
def test_create_connection_resolves(net: Network, server: Socket, host: str | None) -> None:
    """By name, or None for this host; the port may be text."""
    with net.create_connection((host, str(server.getsockname()[1]))) as sock:
        assert sock.getpeername() == server.getsockname()


def test_create_connection_from_an_address(net: Network, server: Socket) -> None:
    """source_address is bound before connecting."""
    address = server.getsockname()
    with net.create_connection(address, source_address=("127.0.0.5", 0)) as sock:
        assert sock.getsockname()[0] == "127.0.0.5"


def test_create_connection_from_an_address_of_another_host(net: Network, server: Socket) -> None:
    """EADDRNOTAVAIL."""
    address = server.getsockname()
    call = outcome(lambda: net.create_connection(address, source_address=("203.0.113.9", 0)))
    assert call == "EADDRNOTAVAIL"


def test_create_connection_without_a_server_is_refused(net: Network, closed_port: int) -> None:
    """The last error is raised."""
    assert outcome(net.create_connection, ("127.0.0.1", closed_port)) == "ECONNREFUSED"
    assert outcome(net.create_connection, ("127.0.0.1", closed_port), 5) == "ECONNREFUSED"


def test_create_connection_tries_every_address(net: Network, keep: Keep) -> None:
    """None stands for both loopbacks; one of them serves."""
    for family, host in ((AF_INET, "127.0.0.1"), (AF_INET6, "::1")):
        server = keep(net.create_server((host, 0), family=family))
        with net.create_connection((None, server.getsockname()[1])) as sock:
            assert sock.getpeername()[0] == host


@pytest.mark.skipif(sys.version_info < (3, 11), reason="all_errors is new in Python 3.11")
def test_create_connection_may_tell_all_errors(net: Network, closed_port: int) -> None:
    """As a group, one for each address."""
    with pytest.raises(Exception, match="create_connection failed") as caught:
        net.create_connection((None, closed_port), all_errors=True)
    errors = getattr(caught.value, "exceptions", ())
    assert [error.errno for error in errors] == [errno.ECONNREFUSED] * 2


def test_create_connection_gives_up_after_its_timeout(net: Network, keep: Keep) -> None:
    """A full backlog answers nothing."""
    server = keep(net.create_server(("127.0.0.1", 0), backlog=0))
    keep(net.create_connection(server.getsockname()))
    with pytest.raises(TimeoutError, match="timed out"):
        net.create_connection(server.getsockname(), 0.05)


def test_create_connection_without_waiting_cannot_finish(net: Network, server: Socket) -> None:
    """Timeout 0 gives EINPROGRESS, and the socket is closed."""
    assert outcome(net.create_connection, server.getsockname(), 0) == "EINPROGRESS"


@pytest.mark.parametrize(
    ("address", "error"),
    [
        (("127.0.0.1", "no-such-service"), "gaierror"),
        (("", 9), "gaierror"),
        (("127.0.0.1", 9, 0), "ValueError"),
        ("x", "ValueError"),
    ],
    ids=repr,
)
def test_create_connection_to_what_is_no_address(net: Network, address: Any, error: str) -> None:
    """What getaddrinfo and unpacking say."""
    with pytest.raises((OSError, ValueError, OverflowError)) as caught:
        net.create_connection(address)
    assert type(caught.value).__name__ == error


# create_server()


@pytest.mark.parametrize(
    ("address", "options", "host"),
    [
        (("127.0.0.1", 0), {}, "127.0.0.1"),
        (("localhost", 0), {}, "127.0.0.1"),
        (("", 0), {}, "0.0.0.0"),
        (("127.0.0.1", 0), {"backlog": 0}, "127.0.0.1"),
        (("127.0.0.1", 0), {"backlog": -1}, "127.0.0.1"),
        (("::1", 0), {"family": AF_INET6}, "::1"),
        (("", 0), {"family": AF_INET6}, "::"),
        (("", 0), {"family": AF_INET6, "dualstack_ipv6": True}, "::"),
    ],
    ids=repr,
)
def test_create_server_listens(
    net: Network, address: Any, options: dict[str, Any], host: str
) -> None:
    """With SO_REUSEADDR, without SO_REUSEPORT, blocking."""
    with net.create_server(address, **options) as server:
        wanted = (socket.SO_ACCEPTCONN, socket.SO_REUSEADDR, socket.SO_REUSEPORT)
        assert [server.getsockopt(SOL_SOCKET, option) for option in wanted] == [1, 1, 0]
        assert (server.getsockname()[0], server.gettimeout()) == (host, None)


@pytest.mark.parametrize("dual", [False, True])
def test_create_server_is_of_one_stack_unless_asked(net: Network, dual: bool) -> None:
    """IPV6_V6ONLY is set either way; with dualstack_ipv6, IPv4 clients are served."""
    with net.create_server(("", 0), family=AF_INET6, dualstack_ipv6=dual) as server:
        assert server.getsockopt(IPPROTO_IPV6, socket.IPV6_V6ONLY) == (not dual)
        with net.socket() as client:
            error = outcome(client.connect, ("127.0.0.1", server.getsockname()[1]))
        assert error == (None if dual else "ECONNREFUSED")


def test_create_server_may_share_its_port(net: Network, keep: Keep) -> None:
    """With reuse_port on both."""
    first = keep(net.create_server(("127.0.0.1", 0), reuse_port=True))
    second = keep(net.create_server(first.getsockname(), reuse_port=True))
    assert second.getsockname() == first.getsockname()
    assert outcome(net.create_server, first.getsockname()) == "EADDRINUSE"


def test_create_server_says_which_address_failed(net: Network, server: Socket) -> None:
    """The text of the error names it."""
    for address, number in ((server.getsockname(), 98), (("203.0.113.9", 0), 99)):
        with pytest.raises(OSError, match=r"while attempting to bind on address \('") as caught:
            net.create_server(address)
        assert caught.value.errno == number


def test_create_server_on_a_path(net: Network) -> None:
    """A unix server; its name stays after it was closed."""
    path = f"{net.files.tempdir()}/server"
    with net.create_server(path, family=AF_UNIX) as server:
        assert server.getsockname() == path
    assert net.files.exists(path)


@pytest.mark.parametrize(
    ("address", "options", "error"),
    [
        (("127.0.0.1", 0), {"dualstack_ipv6": True}, ValueError),
        (("::1", 0), {}, OSError),
    ],
    ids=repr,
)
def test_create_server_with_wrong_arguments(
    net: Network, address: Any, options: dict[str, Any], error: type[Exception]
) -> None:
    """The error is that of the call that failed, and nothing is left open."""
    with pytest.raises(error):
        net.create_server(address, **options)
    assert not net.leftovers()


def test_create_server_keeps_its_backlog(net: Network, keep: Keep) -> None:
    """Backlog 1 admits two connections that were not accepted."""
    server = keep(net.create_server(("127.0.0.1", 0), backlog=1))
    clients = [keep(net.socket()) for _ in range(3)]
    for client in clients:
        client.setblocking(False)
        client.connect_ex(server.getsockname())
    assert [outcome(c.connect, server.getsockname()) for c in clients] == [None, None, "EALREADY"]


def test_this_host_has_dual_stack_sockets(net: Network) -> None:
    """And says so."""
    assert net.has_dualstack_ipv6() is True
