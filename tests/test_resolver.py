"""Names for one host of a world: what it knows, in which order, and what it refuses."""

from __future__ import annotations

import _socket
import itertools
import socket
from collections.abc import Callable
from typing import Any

import pytest

from simnet.names import services
from simnet.names.resolver import Resolver

HOSTS = {"server": ["10.0.0.1", "fd00::1"], "old": ["10.0.0.2"], "new": ["fe80::5%2"]}
NAMES = {ip: name for name, addresses in HOSTS.items() for ip in addresses}
INTERFACES = [(1, "lo"), (2, "eth0")]
INET, INET6, STREAM, TCP = 2, 10, 1, 6


@pytest.fixture
def resolver() -> Resolver:
    """A host named 'here' in a world with three others."""
    return Resolver("here", lambda name: HOSTS.get(name, []), NAMES.get, lambda: INTERFACES)


def answer(call: Callable[..., Any], *args: Any) -> Any:
    """The value, or the class of the error and its arguments."""
    try:
        return call(*args)
    except Exception as error:
        return type(error), error.args


def unknown() -> tuple[Any, Any]:
    """What glibc says of a name that nobody knows."""
    return socket.gaierror, (socket.EAI_NONAME, "Name or service not known")


def test_a_host_of_the_world_has_its_addresses(resolver: Resolver) -> None:
    """IPv6 comes first, as glibc sorts them."""
    assert resolver.getaddrinfo("server", 80, 0, STREAM) == [
        (INET6, STREAM, TCP, "", ("fd00::1", 80, 0, 0)),
        (INET, STREAM, TCP, "", ("10.0.0.1", 80)),
    ]
    assert resolver.gethostbyname_ex("server") == ("server", [], ["10.0.0.1"])


def test_an_address_of_one_link_has_its_scope(resolver: Resolver) -> None:
    """The number of the interface, from what the world gives."""
    rows = resolver.getaddrinfo("new", 1, 0, STREAM)
    assert [row[4] for row in rows] == [("fe80::5", 1, 0, 2)]
    assert resolver.getnameinfo(("fe80::9", 1, 0, 2), 3) == ("fe80::9%eth0", "1")


@pytest.mark.parametrize("spelling", ["SERVER", "Server"])
def test_names_do_not_care_about_case(resolver: Resolver, spelling: str) -> None:
    """The canonical name is the one in the table."""
    (row,) = resolver.getaddrinfo(spelling, 1, INET, STREAM, 0, socket.AI_CANONNAME)
    assert (row[3], row[4]) == ("server", ("10.0.0.1", 1))


def test_a_host_knows_its_own_name(resolver: Resolver) -> None:
    """It is the loopback unless the world says otherwise."""
    assert resolver.gethostname() == "here"
    assert resolver.gethostbyname("here") == "127.0.0.1"


@pytest.mark.parametrize("name", ["elsewhere", "example.org", "localhost.", "old.server"])
def test_there_is_no_dns(resolver: Resolver, name: str) -> None:
    """Everything else is unknown at once."""
    assert answer(resolver.getaddrinfo, name, 80) == unknown()
    assert answer(resolver.gethostbyname, name) == unknown()
    assert answer(resolver.gethostbyaddr, name) == unknown()


def test_a_host_without_addresses_of_a_family_is_unknown_in_it(resolver: Resolver) -> None:
    """Unless mapped addresses will do."""
    assert answer(resolver.getaddrinfo, "old", 80, INET6, STREAM) == unknown()
    (row,) = resolver.getaddrinfo("old", 80, INET6, STREAM, 0, socket.AI_V4MAPPED)
    assert row[4][0] == "::ffff:10.0.0.2"


def test_mapped_addresses_beside_others(resolver: Resolver) -> None:
    """AI_ALL adds them to those of IPv6."""
    flags = socket.AI_V4MAPPED | socket.AI_ALL
    rows = resolver.getaddrinfo("server", 80, INET6, STREAM, 0, flags)
    assert [row[4][0] for row in rows] == ["fd00::1", "::ffff:10.0.0.1"]


def test_addresses_have_names(resolver: Resolver) -> None:
    """By gethostbyaddr() and getnameinfo(); an unknown one is its own number."""
    assert resolver.gethostbyaddr("10.0.0.1") == ("server", [], ["10.0.0.1"])
    assert resolver.getnameinfo(("10.0.0.1", 80), 0) == ("server", "http")
    assert resolver.getnameinfo(("10.9.9.9", 80), 0) == ("10.9.9.9", "http")
    assert answer(resolver.gethostbyaddr, "10.9.9.9") == (socket.herror, (1, "Unknown host"))


@pytest.mark.parametrize(
    ("host", "family", "ip"),
    [
        ("", INET, "0.0.0.0"),
        ("", INET6, "::"),
        ("<broadcast>", INET, "255.255.255.255"),
        ("127.1", INET, "127.0.0.1"),
        ("localhost", INET, "127.0.0.1"),
        ("::ffff:1.2.3.4", INET, "1.2.3.4"),
        ("::ffff:1.2.3.4", INET6, "1.2.3.4"),
        ("fe80::1%eth0", INET6, "fe80::1"),
        ("server", INET, "10.0.0.1"),
        ("server", INET6, "fd00::1"),
        (b"server", INET, "10.0.0.1"),
    ],
)
def test_a_socket_gets_an_address_in_internal_form(
    resolver: Resolver, host: str | bytes, family: int, ip: str
) -> None:
    """The first that fits; a scope is the address tuple's business."""
    assert resolver.resolve(host, family) == ip


@pytest.mark.parametrize(
    ("host", "family", "error"),
    [
        ("::1", INET, (socket.EAI_ADDRFAMILY, "Address family for hostname not supported")),
        ("127.0.0.1", INET6, (socket.EAI_ADDRFAMILY, "Address family for hostname not supported")),
        ("nobody", INET, (socket.EAI_NONAME, "Name or service not known")),
        ("localhost", INET6, (socket.EAI_NONAME, "Name or service not known")),
        ("<broadcast>", INET6, ("address family mismatched",)),
    ],
)
def test_what_a_socket_cannot_use_says_why(
    resolver: Resolver, host: str, family: int, error: Any
) -> None:
    """The C library's numbers and texts, and the C module's own."""
    assert answer(resolver.resolve, host, family)[1] == error


def test_interfaces_by_name_and_by_index(resolver: Resolver) -> None:
    """Both directions, and the errors of the C module."""
    assert resolver.if_nameindex() == INTERFACES
    assert (resolver.if_nametoindex("eth0"), resolver.if_indextoname(2)) == (2, "eth0")
    assert answer(resolver.if_nametoindex, "eth9")[0] is OSError
    assert answer(resolver.if_indextoname, 9)[0] is OSError


@pytest.mark.parametrize("number", [-1, 0, 2**32 - 1, 2**33 - 1, 2**64, 2**99, "x", 1.5])
def test_an_index_that_no_interface_has_is_refused_as_by_this_python(
    resolver: Resolver, number: Any
) -> None:
    """What is too large for the C library is, by version, cut off or refused."""
    assert answer(resolver.if_indextoname, number) == answer(socket.if_indextoname, number)


@pytest.mark.parametrize("port", [2**63, 2**64, -(2**63) - 1, 2**63 - 65535, 70000, -1])
def test_a_port_that_is_too_large_is_what_this_python_makes_of_it(
    resolver: Resolver, port: int
) -> None:
    """An error of the number, or of the name of a service, or what the C library cuts it to."""
    arguments = (None, port, INET, socket.SOCK_STREAM)
    assert answer(resolver.getaddrinfo, *arguments) == answer(socket.getaddrinfo, *arguments)


def test_the_name_of_a_host_cannot_be_set(resolver: Resolver) -> None:
    """PermissionError: the world names its hosts."""
    assert answer(resolver.sethostname, "other")[0] is PermissionError
    assert resolver.gethostname() == "here"


def test_services_have_aliases() -> None:
    """The first line that fits counts, in both directions."""
    www, shell = services.by_name("www"), services.by_port(514)
    assert www is not None
    assert shell is not None
    assert (www.name, www.port, shell.name) == ("http", 80, "shell")
    assert services.by_name("http", "udp") is None


def test_every_service_is_found_by_name_and_by_port() -> None:
    """The table has no line that hides another of its protocol."""
    for service in services.SERVICES:
        assert services.by_name(service.name, service.protocol) == service
        assert services.by_port(service.port, service.protocol) == service


NUMERIC_HOSTS = ("127.0.0.1", "127.1", "::1", "::ffff:1.2.3.4", "fe80::1%1", "1.2.3.4.5", "08", "")
PORTS = (None, 80, "80", " +80", "80 ", "0x50", "-5", "99999999999999999999", 70000)
TYPES = (0, socket.SOCK_STREAM, socket.SOCK_DGRAM, socket.SOCK_RAW, 4, 6, 9)
PROTOCOLS = (0, socket.IPPROTO_TCP, socket.IPPROTO_UDP, 132, 136, 99)
FLAGS = (socket.AI_NUMERICHOST, socket.AI_NUMERICHOST | socket.AI_V4MAPPED, 0x1000)


@pytest.mark.parametrize("host", NUMERIC_HOSTS)
def test_numeric_hosts_are_answered_as_by_the_c_library(host: str) -> None:
    """Every combination of the other arguments: the same rows, or the same error and text."""
    ours = Resolver("here", lambda name: [])
    for port, family, type, proto, flags in itertools.product(
        PORTS, (0, INET, INET6, 1), TYPES, PROTOCOLS, FLAGS
    ):
        arguments = (host, port, family, int(type), proto, flags)
        expected = answer(_socket.getaddrinfo, *arguments)
        assert answer(ours.getaddrinfo, *arguments) == expected, arguments
