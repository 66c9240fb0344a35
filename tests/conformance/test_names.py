"""Names: getaddrinfo and its kin, with what every host knows without asking a name server.

The answers are the C library's (glibc 2.36 to 2.39), as Linux distributions set it up: 'localhost'
in /etc/hosts for IPv4, and the usual services.
"""

from __future__ import annotations

import socket
from collections.abc import Callable
from socket import (
    AF_INET,
    AF_INET6,
    AF_UNIX,
    AI_ADDRCONFIG,
    AI_CANONNAME,
    AI_NUMERICHOST,
    AI_NUMERICSERV,
    AI_PASSIVE,
    AI_V4MAPPED,
    IPPROTO_TCP,
    IPPROTO_UDP,
    NI_DGRAM,
    NI_NAMEREQD,
    NI_NUMERICHOST,
    NI_NUMERICSERV,
    SOCK_DGRAM,
    SOCK_RAW,
    SOCK_STREAM,
)
from typing import Any

import pytest

from simnet.api import Network

LO = "127.0.0.1"
TCP, UDP = IPPROTO_TCP, IPPROTO_UDP
NUMERIC = NI_NUMERICHOST | NI_NUMERICSERV


def answer(function: Callable[..., Any], *args: Any) -> Any:
    """What a call returns, or the name of its error: EAI_... for a gaierror, else the class."""
    try:
        return function(*args)
    except socket.gaierror as error:
        names = [n for n in dir(socket) if n.startswith("EAI_")]
        return next(n for n in names if getattr(socket, n) == error.errno)
    except Exception as error:
        return type(error).__name__


@pytest.mark.parametrize(
    ("host", "family", "address"),
    [
        (LO, AF_INET, (LO, 80)),
        (b"127.0.0.1", AF_INET, (LO, 80)),
        (bytearray(b"127.0.0.1"), None, None),
        ("127.1", AF_INET, (LO, 80)),
        ("0x7f.1", AF_INET, (LO, 80)),
        ("2130706433", AF_INET, (LO, 80)),
        ("010.1.1.1", AF_INET, ("8.1.1.1", 80)),
        ("0.0.0.0", AF_INET, ("0.0.0.0", 80)),
        ("255.255.255.255", AF_INET, ("255.255.255.255", 80)),
        ("::1", AF_INET6, ("::1", 80, 0, 0)),
        ("0:0:0:0:0:0:0:1", AF_INET6, ("::1", 80, 0, 0)),
        ("::", AF_INET6, ("::", 80, 0, 0)),
        ("::FFFF:1.2.3.4", AF_INET6, ("::ffff:1.2.3.4", 80, 0, 0)),
        ("2001:DB8::0:9", AF_INET6, ("2001:db8::9", 80, 0, 0)),
        ("fe80::1%lo", AF_INET6, ("fe80::1", 80, 0, 1)),
        ("fe80::1%1", AF_INET6, ("fe80::1", 80, 0, 1)),
    ],
    ids=repr,
)
def test_a_numeric_host_is_its_address(
    net: Network, host: Any, family: int | None, address: Any
) -> None:
    """In every spelling, in canonical form; a bytearray is no host here."""
    got = answer(net.getaddrinfo, host, 80, 0, SOCK_STREAM)
    assert got == ("TypeError" if family is None else [(family, SOCK_STREAM, TCP, "", address)])


@pytest.mark.parametrize(
    ("type", "proto", "expected"),
    [
        (0, 0, [(SOCK_STREAM, TCP), (SOCK_DGRAM, UDP), (SOCK_RAW, 0)]),
        (SOCK_STREAM, 0, [(SOCK_STREAM, TCP)]),
        (SOCK_DGRAM, 0, [(SOCK_DGRAM, UDP)]),
        (0, TCP, [(SOCK_STREAM, TCP)]),
        (0, UDP, [(SOCK_DGRAM, UDP)]),
        (SOCK_STREAM, TCP, [(SOCK_STREAM, TCP)]),
    ],
)
@pytest.mark.parametrize(
    ("host", "family", "address"), [(LO, AF_INET, (LO, 9)), ("::1", AF_INET6, ("::1", 9, 0, 0))]
)
def test_type_and_protocol_filter_the_answers(
    net: Network, type: int, proto: int, expected: list[tuple[int, int]], host: str, family: int,
    address: Any,
) -> None:  # fmt: skip
    """Without them there are three: stream, datagram, raw."""
    got = net.getaddrinfo(host, 9 if type or proto else None, 0, type, proto)
    port = (address[0], 9 if type or proto else 0, *address[2:])
    assert got == [(family, t, p, "", port) for t, p in expected]


def test_no_host_is_the_loopback_or_for_servers_the_wildcard(net: Network) -> None:
    """None gives both families; AI_PASSIVE the addresses to bind to."""
    active = net.getaddrinfo(None, 80, 0, SOCK_STREAM)
    passive = net.getaddrinfo(None, 80, 0, SOCK_STREAM, 0, AI_PASSIVE)
    assert {row[4] for row in active} == {(LO, 80), ("::1", 80, 0, 0)}
    assert {row[4] for row in passive} == {("0.0.0.0", 80), ("::", 80, 0, 0)}
    assert [row[4] for row in net.getaddrinfo(None, 80, AF_INET, SOCK_STREAM)] == [(LO, 80)]


@pytest.mark.parametrize("flags", [0, AI_PASSIVE, AI_ADDRCONFIG])
@pytest.mark.parametrize("host", ["localhost", "LOCALHOST", b"localhost"])
def test_localhost_is_known(net: Network, host: str | bytes, flags: int) -> None:
    """Whatever the case of its letters."""
    got = net.getaddrinfo(host, 80, AF_INET, SOCK_STREAM, 0, flags)
    assert got == [(AF_INET, SOCK_STREAM, TCP, "", (LO, 80))]


@pytest.mark.parametrize(
    ("port", "number"),
    [
        (80, 80), ("80", 80), (b"80", 80), ("http", 80), (b"http", 80), ("https", 443),
        ("ssh", 22), ("smtp", 25), ("domain", 53), (0, 0), (None, 0), ("", 0), (65535, 65535),
        ("080", 80), (70000, 4464), ("70000", 4464),
    ],
    ids=repr,
)  # fmt: skip
def test_a_port_is_a_number_a_service_or_nothing(net: Network, port: Any, number: int) -> None:
    """What exceeds 16 bits is cut to them."""
    got = net.getaddrinfo(LO, port, 0, SOCK_STREAM)
    assert got == [(AF_INET, SOCK_STREAM, TCP, "", (LO, number))]


def test_a_service_gives_only_the_protocols_that_have_it(net: Network) -> None:
    """'domain' is TCP and UDP, 'http' just TCP."""
    types = {name: [row[1] for row in net.getaddrinfo(LO, name)] for name in ("domain", "http")}
    assert types == {"domain": [SOCK_STREAM, SOCK_DGRAM], "http": [SOCK_STREAM]}


ERRORS: list[tuple[tuple[Any, ...], str]] = [
    (("localhost", 1, 0, SOCK_STREAM, 0, AI_NUMERICHOST), "EAI_NONAME"),
    (("no-such.invalid", 1, 0, SOCK_STREAM, 0, AI_NUMERICHOST), "EAI_NONAME"),
    (("1.2.3.4.5", 1, 0, SOCK_STREAM, 0, AI_NUMERICHOST), "EAI_NONAME"),
    (("256.1.1.1", 1, 0, SOCK_STREAM, 0, AI_NUMERICHOST), "EAI_NONAME"),
    (("::g", 1, 0, SOCK_STREAM, 0, AI_NUMERICHOST), "EAI_NONAME"),
    (("<broadcast>", 1, 0, SOCK_STREAM, 0, AI_NUMERICHOST), "EAI_NONAME"),
    (("fe80::1%no-such", 1, 0, SOCK_STREAM), "EAI_NONAME"),
    (("", 80, 0, SOCK_STREAM), "EAI_NONAME"),
    ((None, None), "EAI_NONAME"),
    (("", None), "EAI_NONAME"),
    ((LO, "http", 0, SOCK_STREAM, 0, AI_NUMERICSERV), "EAI_NONAME"),
    ((LO, "no-such-service"), "EAI_SERVICE"),
    ((LO, "http", 0, SOCK_DGRAM), "EAI_SERVICE"),
    ((LO, "http", 0, SOCK_RAW), "EAI_SERVICE"),
    ((LO, 80, 0, SOCK_RAW), "EAI_SERVICE"),
    ((LO, 80, 0, 0, 99), "EAI_SERVICE"),
    ((LO, -1, 0, SOCK_STREAM), "EAI_SERVICE"),
    ((LO, "-1", 0, SOCK_STREAM), "EAI_SERVICE"),
    ((LO, 80, AF_UNIX, SOCK_STREAM), "EAI_FAMILY"),
    ((LO, 80, 999, SOCK_STREAM), "EAI_FAMILY"),
    ((LO, 80, 0, 999), "EAI_SOCKTYPE"),
    ((LO, 80, 0, SOCK_STREAM, UDP), "EAI_SOCKTYPE"),
    ((LO, 80, 0, SOCK_DGRAM, TCP), "EAI_SOCKTYPE"),
    ((LO, 80, 0, SOCK_STREAM, 0, 0x10000000), "EAI_BADFLAGS"),
    ((None, 80, 0, SOCK_STREAM, 0, AI_CANONNAME), "EAI_BADFLAGS"),
    ((LO, 80, AF_INET6, SOCK_STREAM), "EAI_ADDRFAMILY"),
    (("::1", 80, AF_INET, SOCK_STREAM), "EAI_ADDRFAMILY"),
    ((1, 80), "TypeError"),
    ((LO, 1.5), "OSError"),
    ((LO, []), "OSError"),
    (("a" * 70, 80), "UnicodeError"),
    (("a..b", 80), "UnicodeError"),
]


@pytest.mark.parametrize(("arguments", "error"), ERRORS, ids=repr)
def test_what_cannot_be_resolved_says_why(
    net: Network, arguments: tuple[Any, ...], error: str
) -> None:
    """The number of the gaierror is getaddrinfo(3)'s; wrong types are Python's errors."""
    got = answer(net.getaddrinfo, *arguments)
    assert got in (error, "UnicodeEncodeError" if error == "UnicodeError" else error)


def test_the_text_of_a_gaierror_is_the_c_librarys(net: Network) -> None:
    """It has the number and the text, and is an OSError."""
    with pytest.raises(socket.gaierror) as caught:
        net.getaddrinfo("localhost", 1, flags=AI_NUMERICHOST)
    assert caught.value.args == (socket.EAI_NONAME, "Name or service not known")
    assert isinstance(caught.value, OSError)


def test_an_ipv4_address_may_be_asked_for_as_a_mapped_one(net: Network) -> None:
    """AI_V4MAPPED with AF_INET6; and a mapped one is an IPv4 address for AF_INET."""
    mapped = net.getaddrinfo(LO, 1, AF_INET6, SOCK_STREAM, 0, AI_V4MAPPED)
    assert [row[4] for row in mapped] == [("::ffff:127.0.0.1", 1, 0, 0)]
    plain = net.getaddrinfo("::ffff:1.2.3.4", 1, AF_INET, SOCK_STREAM)
    assert [row[4] for row in plain] == [("1.2.3.4", 1)]


@pytest.mark.parametrize("host", [LO, "localhost"])
def test_the_canonical_name_is_given_if_asked_for(net: Network, host: str) -> None:
    """A numeric host is its own; otherwise the field is empty."""
    (row,) = net.getaddrinfo(host, 1, AF_INET, SOCK_STREAM, 0, AI_CANONNAME)
    assert row[3] == host


def test_the_answers_are_enumerations(net: Network) -> None:
    """Family and type print as constants of the module."""
    (row,) = net.getaddrinfo(LO, 1, type=SOCK_STREAM)
    assert (row[0], row[1]) == (socket.AddressFamily.AF_INET, socket.SocketKind.SOCK_STREAM)
    assert isinstance(row[0], socket.AddressFamily)
    assert isinstance(row[1], socket.SocketKind)


@pytest.mark.parametrize(
    ("address", "flags", "expected"),
    [
        ((LO, 80), NUMERIC, (LO, "80")),
        ((LO, 80), NI_NUMERICHOST, (LO, "http")),
        ((LO, 80), NI_NUMERICSERV, ("localhost", "80")),
        ((LO, 80), 0, ("localhost", "http")),
        ((LO, 80), NI_NUMERICSERV | NI_NAMEREQD, ("localhost", "80")),
        ((LO, 65000), NI_NUMERICHOST, (LO, "65000")),
        ((LO, 53), NI_DGRAM | NI_NUMERICHOST, (LO, "domain")),
        ((LO, 80), NI_NAMEREQD | NI_NUMERICHOST, "EAI_NONAME"),
        ((LO, 80), 0x1000, "EAI_BADFLAGS"),
        ((LO, -1), NUMERIC, "EAI_SERVICE"),
        ((LO, 70000), NUMERIC, (LO, "4464")),
        (("::1", 80), NUMERIC, ("::1", "80")),
        (("::1", 80, 0, 0), NI_NUMERICHOST, ("::1", "http")),
        (("fe80::1", 80, 0, 1), NUMERIC, ("fe80::1%lo", "80")),
        (("::1", 80, 0, 1), NUMERIC, ("::1%1", "80")),
        (("::1", 80, 2**20, 0), NUMERIC, "OverflowError"),
        (("203.0.113.7", 80), NUMERIC, ("203.0.113.7", "80")),
        (("localhost", 80), NUMERIC, "EAI_NONAME"),
        ((LO, 80, 0, 0), NUMERIC, "OSError"),
        ((LO,), NUMERIC, "TypeError"),
        (LO, NUMERIC, "TypeError"),
        ([LO, 80], NUMERIC, "TypeError"),
        ((LO, "80"), NUMERIC, "TypeError"),
    ],
    ids=repr,
)
def test_getnameinfo(net: Network, address: Any, flags: int, expected: Any) -> None:
    """An address gives a host and a service, by name or by number."""
    assert answer(net.getnameinfo, address, flags) == expected


@pytest.mark.parametrize(
    ("name", "address"),
    [
        ("localhost", LO),
        (LO, LO),
        ("127.1", LO),
        ("", "0.0.0.0"),
        ("<broadcast>", "255.255.255.255"),
        ("1.2.3.4", "1.2.3.4"),
        (b"localhost", LO),
    ],
    ids=repr,
)
def test_gethostbyname(net: Network, name: Any, address: str) -> None:
    """One IPv4 address; '' is the wildcard."""
    assert net.gethostbyname(name) == address


@pytest.mark.parametrize("function", ["gethostbyname", "gethostbyname_ex", "gethostbyaddr"])
@pytest.mark.parametrize("name", [1, None, (LO, 80)], ids=repr)
def test_a_host_is_text(net: Network, function: str, name: Any) -> None:
    """Everything else is a TypeError."""
    assert answer(getattr(net, function), name) == "TypeError"


@pytest.mark.parametrize("name", [LO, "1.2.3.4"])
def test_gethostbyname_ex_of_a_number(net: Network, name: str) -> None:
    """It is its own name, without aliases."""
    assert net.gethostbyname_ex(name) == (name, [], [name])


def test_localhost_by_name_and_by_address(net: Network) -> None:
    """The first name of 127.0.0.1 is localhost; there may be aliases."""
    name, _, addresses = net.gethostbyname_ex("localhost")
    assert (name, addresses) == ("localhost", [LO])
    name, _, addresses = net.gethostbyaddr(LO)
    assert (name, addresses) == ("localhost", [LO])


def test_the_hosts_own_name(net: Network) -> None:
    """It is text, the same every time, and without a domain unless it has one."""
    assert net.gethostname() == net.gethostname() != ""
    assert net.getfqdn("localhost").split(".")[0] == "localhost"
    assert net.getfqdn() == net.getfqdn("")


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (("http",), 80),
        (("http", "tcp"), 80),
        (("domain",), 53),
        (("domain", "udp"), 53),
        (("https", "tcp"), 443),
        (("ssh",), 22),
        (("http", "udp"), "OSError"),
        (("no-such-service",), "OSError"),
        (("http", "no-such-protocol"), "OSError"),
        (("HTTP",), "OSError"),
        ((80,), "TypeError"),
    ],
    ids=repr,
)
def test_getservbyname(net: Network, arguments: tuple[Any, ...], expected: Any) -> None:
    """Names are exact; the error is 'service/proto not found', without an errno."""
    assert answer(net.getservbyname, *arguments) == expected


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ((80,), "http"),
        ((80, "tcp"), "http"),
        ((53, "udp"), "domain"),
        ((22,), "ssh"),
        ((80, "udp"), "OSError"),
        ((65000,), "OSError"),
        ((-1,), "OverflowError"),
        ((65536,), "OverflowError"),
        (("80",), "TypeError"),
    ],
    ids=repr,
)
def test_getservbyport(net: Network, arguments: tuple[Any, ...], expected: Any) -> None:
    """The reverse."""
    assert answer(net.getservbyport, *arguments) == expected


def test_the_first_interface_is_the_loopback(net: Network) -> None:
    """Indexes are positive and different."""
    rows = net.if_nameindex()
    assert (1, "lo") in rows
    assert len({index for index, _ in rows}) == len(rows)


@pytest.mark.parametrize(
    ("family", "address"), [(AF_INET, (LO, 0)), (AF_INET6, ("::1", 0)), (AF_INET, ("localhost", 0))]
)
def test_what_getaddrinfo_gives_can_be_bound(net: Network, family: int, address: Any) -> None:
    """Its five values make a socket."""
    host, port = address
    for *kind, _, sockaddr in net.getaddrinfo(host, port, family, SOCK_STREAM):
        with net.socket(*kind) as sock:
            sock.bind(sockaddr)
            assert sock.getsockname()[0] == sockaddr[0]
