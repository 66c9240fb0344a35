"""Names that a world or a host knows beside its hosts': several addresses, delays, failures."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from simnet import SimnetError, World
from simnet.host import Host

FAILURES = {
    socket.EAI_AGAIN: "Temporary failure in name resolution",
    socket.EAI_FAIL: "Non-recoverable failure in name resolution",
    socket.EAI_MEMORY: "Memory allocation failure",
    socket.EAI_NODATA: "No address associated with hostname",
    socket.EAI_NONAME: "Name or service not known",
}


@pytest.fixture
def world() -> Iterator[World]:
    """Two hosts."""
    with World() as world:
        world.host("client", ip="10.0.0.1")
        world.host("server", ip=["10.0.0.2", "fd00::2"])
        yield world


@pytest.fixture
def client(world: World) -> Host:
    """The first."""
    return world.hosts["client"]


# Every call that looks for a name, and what it gives for one with the address 10.0.0.5.
LOOK_UPS: dict[str, tuple[Callable[[Host, str], Any], Any]] = {
    "getaddrinfo": (lambda host, name: host.getaddrinfo(name, 80)[0][4], ("10.0.0.5", 80)),
    "gethostbyname": (lambda host, name: host.gethostbyname(name), "10.0.0.5"),
    "gethostbyname_ex": (lambda host, name: host.gethostbyname_ex(name)[2], ["10.0.0.5"]),
    "gethostbyaddr": (lambda host, name: host.gethostbyaddr(name)[2], ["10.0.0.5"]),
    "bind": (lambda host, name: _bind(host, name), "10.0.0.5"),
    "connect": (lambda host, name: _connect(host, name), "10.0.0.5"),
    "sendto": (lambda host, name: _sendto(host, name), 1),
}
EACH_LOOK_UP = pytest.mark.parametrize("call", LOOK_UPS)


def _bind(host: Host, name: str) -> Any:
    with host.socket(type=socket.SOCK_DGRAM) as sock:
        sock.bind((name, 0))
        return sock.getsockname()[0]


def _connect(host: Host, name: str) -> Any:
    with host.socket(type=socket.SOCK_DGRAM) as sock:
        sock.connect((name, 80))
        return sock.getpeername()[0]


def _sendto(host: Host, name: str) -> Any:
    with host.socket(type=socket.SOCK_DGRAM) as sock:
        return sock.sendto(b"x", (name, 80))


def addresses(host: Host, name: str) -> list[str]:
    """The addresses of a name, in the order of preference."""
    return [row[4][0] for row in host.getaddrinfo(name, 80, type=socket.SOCK_STREAM)]


def test_a_name_has_several_addresses(world: World, client: Host) -> None:
    """In their order, those of IPv6 first; by text or by host, each once."""
    world.names.add("db", ["10.0.0.6", "FD00:0::5", "10.0.0.5", world.hosts["server"], "10.0.0.6"])
    assert addresses(client, "db") == ["fd00::5", "fd00::2", "10.0.0.6", "10.0.0.5", "10.0.0.2"]
    world.names.add("one", world.hosts["server"])
    assert addresses(client, "one") == ["fd00::2", "10.0.0.2"]


def test_a_connection_tries_one_address_after_the_other(world: World, client: Host) -> None:
    """As socket.create_connection does."""
    world.names.add("db", ["10.0.0.1", "10.0.0.2"])
    with world.hosts["server"].create_server(("", 80)):
        with client.create_connection(("db", 80)) as sock:
            assert sock.getpeername() == ("10.0.0.2", 80)


@EACH_LOOK_UP
def test_a_delay_waits_in_virtual_time(world: World, call: str) -> None:
    """Whichever call asks; gethostbyname_ex() asks twice, as CPython's does."""
    function, expected = LOOK_UPS[call]
    host = world.host("asker", ip="10.0.0.5")
    world.names.add("db", "10.0.0.5", delay=0.25)
    asker = host.spawn(function, host, "db")
    world.run(until=0.2)
    assert not asker.done
    assert asker.result() == expected
    assert world.now == (0.5 if call == "gethostbyname_ex" else 0.25)


@EACH_LOOK_UP
@pytest.mark.parametrize("error", FAILURES)
def test_a_name_fails_as_asked(world: World, client: Host, call: str, error: int) -> None:
    """With the C library's text, after its delay; then it may be found again."""
    world.names.fail("db", error, delay=3)
    with pytest.raises(socket.gaierror) as caught:
        LOOK_UPS[call][0](client, "db")
    assert caught.value.args == (error, FAILURES[error])
    assert world.now == 3
    world.names.add("db", "10.0.0.5")
    assert client.gethostbyname("db") == "10.0.0.5"


def test_names_change_over_virtual_time(world: World, client: Host) -> None:
    """Who asks later is told something else; who is waiting is told what was true when it asked."""
    world.names.add("db", "10.0.0.5", delay=2)
    world.at(1, world.names.add, "db", "10.0.0.6")
    world.at(5, world.names.fail, "db", socket.EAI_AGAIN)
    early = client.spawn(client.gethostbyname, "db")
    client.sleep(1.5)
    assert client.gethostbyname("db") == "10.0.0.6"
    assert (early.result(), world.now) == ("10.0.0.5", 2)
    client.sleep(4)
    with pytest.raises(socket.gaierror, match="Temporary failure"):
        client.gethostbyname("db")


def test_a_name_may_hide_a_host_s(world: World, client: Host) -> None:
    """Until it is removed."""
    world.names.add("SERVER", "10.0.0.9")
    assert client.gethostbyname("server") == "10.0.0.9"
    world.names.remove("server")
    assert client.gethostbyname("server") == "10.0.0.2"
    with pytest.raises(KeyError):
        world.names.remove("server")


def test_a_host_may_know_better(world: World, client: Host) -> None:
    """Its own names come before the world's, and are nobody else's."""
    world.names.add("db", "10.0.0.5")
    client.names.fail("db", socket.EAI_AGAIN)
    with pytest.raises(socket.gaierror):
        client.gethostbyname("db")
    assert world.hosts["server"].gethostbyname("db") == "10.0.0.5"


def test_a_star_answers_for_every_other_name(world: World, client: Host) -> None:
    """So that all of a host's looking for names may fail; not its loopback, nor numbers."""
    client.names.add("db", "10.0.0.5")
    client.names.fail("*", socket.EAI_AGAIN, delay=5)
    with pytest.raises(socket.gaierror):
        client.gethostbyname("server")
    assert world.now == 5
    assert [client.gethostbyname(name) for name in ("db", "localhost", "10.0.0.2")] == [
        "10.0.0.5",
        "127.0.0.1",
        "10.0.0.2",
    ]
    assert world.hosts["server"].gethostbyname("client") == "10.0.0.1"


def test_an_international_name_is_found(world: World, client: Host) -> None:
    """In whichever spelling and case."""
    world.names.add("Bücher.example", "10.0.0.5")
    assert client.gethostbyname("bücher.EXAMPLE") == "10.0.0.5"
    assert client.gethostbyname("xn--bcher-kva.example") == "10.0.0.5"


def test_a_name_without_an_address_of_the_family_is_unknown(world: World, client: Host) -> None:
    """As a host is."""
    world.names.add("old", "10.0.0.5")
    with pytest.raises(socket.gaierror, match="not known"):
        client.getaddrinfo("old", 80, socket.AF_INET6)


def test_what_happens_in_no_task_cannot_wait_for_a_name(world: World, client: Host) -> None:
    """SimnetError says so."""
    world.names.add("db", "10.0.0.5", delay=1)
    world.at(1, client.gethostbyname, "db")
    with pytest.raises(SimnetError, match="must not wait: spawn a task"):
        world.run()


@pytest.mark.parametrize("name", ["", "10.0.0.1", "127.1", "fd00::1", "localhost", "LOCALHOST"])
def test_what_is_never_looked_up_is_no_name(world: World, name: str) -> None:
    """ValueError."""
    with pytest.raises(ValueError, match="is no name that is looked up"):
        world.names.add(name, "10.0.0.5")
    with pytest.raises(ValueError, match="is no name that is looked up"):
        world.names.fail(name, socket.EAI_AGAIN)


@pytest.mark.parametrize(
    ("given", "error", "message"),
    [
        ((), ValueError, r"'db' needs an address; names\.fail\(\) makes a name that has none"),
        ("server", ValueError, "'server' is not an IPv4 or IPv6 address"),
        (["10.0.0.5", 5], TypeError, "an address is a text or a host, not 5"),
    ],
)
def test_a_name_needs_addresses(
    world: World, client: Host, given: Any, error: type[Exception], message: str
) -> None:
    """The error says what they look like; the name stays as it was."""
    world.names.add("db", "10.0.0.7")
    with pytest.raises(error, match=message):
        world.names.add("db", given)
    assert client.gethostbyname("db") == "10.0.0.7"


def test_only_looking_up_fails(world: World) -> None:
    """Not with errors of arguments, or of other kinds; and after no negative time."""
    with pytest.raises(ValueError, match=r"a name fails with one of socket\.EAI_AGAIN, .*not with"):
        world.names.fail("db", socket.EAI_BADFLAGS)
    with pytest.raises(ValueError, match="delay is a number of seconds from 0 on, not -1"):
        world.names.fail("db", socket.EAI_AGAIN, delay=-1)
    with pytest.raises(ValueError, match="delay is a number of seconds from 0 on, not nan"):
        world.names.add("db", "10.0.0.5", delay=float("nan"))
