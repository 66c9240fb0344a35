"""One machine of a world: its addresses and interfaces, its names, and how it reaches others."""

from __future__ import annotations

import errno
import socket
from collections.abc import Callable, Iterator
from socket import AF_INET, AF_INET6, SOCK_DGRAM
from typing import Any

import pytest

from simnet.current import the_host
from simnet.host import Host
from simnet.world import World

FAMILIES = pytest.mark.parametrize("family", [AF_INET, AF_INET6], ids=["ipv4", "ipv6"])


@pytest.fixture
def world() -> Iterator[World]:
    """A world with two hosts, `client` and `server`, which have addresses of both versions."""
    with World() as world:
        world.host("client", ip=["10.0.0.1", "fd00::1"])
        world.host("server", ip=["10.0.0.2", "fd00::2"])
        yield world


@pytest.fixture
def client(world: World) -> Host:
    """The first host."""
    return world.hosts["client"]


@pytest.fixture
def server(world: World) -> Host:
    """The second host."""
    return world.hosts["server"]


def address_of(host: Host, family: int) -> str:
    """The host's address of a family."""
    return next(ip for ip in host.addresses if (":" in ip) == (family == AF_INET6))


def error_of(call: Callable[..., Any], *args: Any) -> str:
    """The name of the errno that a call fails with."""
    with pytest.raises(OSError) as caught:  # noqa: PT011
        call(*args)
    return errno.errorcode[caught.value.errno or 0]


def addresses(rows: list[Any]) -> set[str]:
    """The addresses in rows of getaddrinfo."""
    return {row[4][0] for row in rows}


# Itself


def test_a_host_has_two_interfaces(client: Host) -> None:
    """The loopback, and the way to the others."""
    assert client.if_nameindex() == [(1, "lo"), (2, "eth0")]
    asked = ("127.0.0.1", "127.9.9.9", "::1", "10.0.0.1", "fd00::1", "10.0.0.2", "0.0.0.0")
    assert [client.interface_of(ip) for ip in asked] == [1, 1, 1, 2, 2, 0, 0]


def test_a_host_without_addresses_has_its_loopback_only() -> None:
    """There is no way to anywhere else."""
    host = World().host("alone", ip=())
    assert host.if_nameindex() == [(1, "lo")]
    assert [host.route_interface(ip) for ip in ("0.0.0.0", "::1", "10.0.0.1", "ff05::1")] == [
        1,
        1,
        0,
        0,
    ]
    assert error_of(host.source_for, "10.0.0.1") == "ENETUNREACH"


def test_the_source_depends_on_the_destination(client: Host) -> None:
    """The loopback for loopbacks, itself for itself, the first of the version for others."""
    asked = ("127.0.0.9", "::1", "10.0.0.1", "fd00::1", "10.9.9.9", "2001:db8::1", "239.0.0.1")
    assert [client.source_for(ip) for ip in asked] == [
        "127.0.0.1",
        "::1",
        "10.0.0.1",
        "fd00::1",
        "10.0.0.1",
        "fd00::1",
        "10.0.0.1",
    ]


def test_packets_to_itself_may_be_larger(client: Host) -> None:
    """The loopback's packets are 64 KiB, the others' 1500 bytes."""
    asked = ("127.0.0.1", "10.0.0.1", "10.0.0.2")
    assert [client.path_mtu(ip) for ip in asked] == [65536, 65536, 1500]
    assert client.path_mss("10.0.0.2") < client.path_mss("127.0.0.1")


def test_a_host_is_current_inside_its_block(client: Host, server: Host) -> None:
    """Blocks nest; a task runs on the host that spawned it."""
    with client:
        with server:
            assert the_host() is server
        assert the_host() is client
        assert server.spawn(the_host).result() is server


def test_tasks_are_named_after_their_host(client: Host) -> None:
    """Unless they are given a name."""
    tasks = [client.spawn(int), client.spawn(int, name="mine"), client.spawn(int)]
    assert [task.name for task in tasks] == ["client-1", "mine", "client-3"]


# Its clock


def test_a_clock_may_be_off(world: World) -> None:
    """By seconds: the time of day alone. Others are not touched."""
    wrong = world.host("wrong", clock_offset=-3600.5)
    world.hosts["client"].sleep(10)
    right = world.hosts["client"]
    assert wrong.time() - right.time() == -3600.5
    assert wrong.monotonic() == right.monotonic() == 10


@pytest.mark.parametrize("drift", [1.0, 0.25, -0.5])
def test_a_clock_may_drift(world: World, drift: float) -> None:
    """All that its programs do by the clock follows it: sleeping, timeouts of every kind."""
    host = world.host("drifting", clock_drift=drift)

    def waits(wait: Callable[[], object]) -> float:
        before, before_there = world.now, host.monotonic()
        wait()
        assert host.monotonic() - before_there == pytest.approx(10)
        return world.now - before

    with host.socket(type=SOCK_DGRAM) as sock, host.selector() as selector:

        def receive() -> None:
            with pytest.raises(TimeoutError):
                sock.recv(1)

        selector.register(sock, 1)
        poll = host.poll()
        poll.register(sock, 1)
        sock.settimeout(10)
        ways: list[Callable[[], object]] = [
            lambda: host.sleep(10),
            receive,
            lambda: host.select([sock], [], [], 10),
            lambda: selector.select(10),
            lambda: poll.poll(10_000),
        ]
        assert [waits(way) for way in ways] == pytest.approx([10 / (1 + drift)] * len(ways))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"clock_drift": -1}, "a clock that drifts by -1 does not go forward"),
        ({"clock_drift": float("nan")}, "a clock that drifts by nan"),
        ({"clock_offset": float("inf")}, "a clock is off by a number of seconds, not inf"),
    ],
)
def test_impossible_clocks_are_refused(world: World, options: Any, message: str) -> None:
    """ValueError, and no host is left behind."""
    with pytest.raises(ValueError, match=message):
        world.host("other", **options)
    assert "other" not in world.hosts


# Names


def test_hosts_are_found_by_name(client: Host, server: Host) -> None:
    """All addresses of both versions; its own name too; reverse as well."""
    assert addresses(client.getaddrinfo("server", 80)) == {"10.0.0.2", "fd00::2"}
    assert addresses(server.getaddrinfo("server", 80)) == {"10.0.0.2", "fd00::2"}
    assert client.gethostbyname("server") == "10.0.0.2"
    assert client.getnameinfo(("fd00::2", 80), 0) == ("server", "http")
    assert client.gethostbyaddr("10.0.0.2")[0] == "server"
    assert (client.gethostname(), server.gethostname()) == ("client", "server")


def test_a_later_host_is_found_too(world: World, client: Host) -> None:
    """Names are looked up when they are asked for."""
    with pytest.raises(socket.gaierror):
        client.getaddrinfo("late", 80)
    world.host("late", ip="10.7.7.7")
    assert client.gethostbyname("late") == "10.7.7.7"


def test_localhost_is_each_host_itself(client: Host, server: Host) -> None:
    """A server on one host's loopback is not the other's."""
    with server.create_server(("127.0.0.1", 80)):
        assert error_of(client.create_connection, ("127.0.0.1", 80)) == "ECONNREFUSED"
        server.create_connection(("localhost", 80)).close()


# Others


@pytest.mark.parametrize("named", [False, True], ids=["by address", "by name"])
@FAMILIES
def test_hosts_talk_over_tcp(client: Host, server: Host, family: int, named: bool) -> None:
    """Each end sees the other's address; data goes both ways, and the end arrives."""
    target = "server" if named and family == AF_INET else address_of(server, family)
    wildcard = "::" if family == AF_INET6 else ""
    with server.create_server((wildcard, 80), family=family) as listener:
        sock = client.create_connection((target, 80))
        connection, address = listener.accept()
    with sock, connection:
        assert address[:2] == (address_of(client, family), sock.getsockname()[1])
        assert sock.getpeername()[:2] == (address_of(server, family), 80)
        sock.sendall(b"ping")
        assert connection.recv(10) == b"ping"
        connection.sendall(b"pong")
        assert sock.recv(10) == b"pong"
        sock.close()
        assert connection.recv(10) == b""


@FAMILIES
def test_hosts_talk_over_udp(client: Host, server: Host, family: int) -> None:
    """Datagrams carry the sender's address, to which the answer goes."""
    with server.socket(family, SOCK_DGRAM) as there, client.socket(family, SOCK_DGRAM) as here:
        there.bind((address_of(server, family), 53))
        here.sendto(b"question", (address_of(server, family), 53))
        data, address = there.recvfrom(100)
        assert address[:2] == (address_of(client, family), here.getsockname()[1])
        there.sendto(b"answer to " + data, address)
        data, address = here.recvfrom(100)
        assert (data, address[:2]) == (b"answer to question", (address_of(server, family), 53))


def test_much_data_crosses_between_hosts(client: Host, server: Host) -> None:
    """More than all buffers hold, with a reader on the other side."""
    sent = bytes(range(256)) * 40_000

    def read_all() -> bytes:
        connection, _ = listener.accept()
        with connection, connection.makefile("rb") as file:
            return file.read()  # type: ignore[no-any-return]

    with server.create_server(("", 80)) as listener:
        reader = server.spawn(read_all)
        with client.create_connection(("server", 80)) as sock:
            sock.sendall(sent)
        assert reader.result() == sent


def test_a_closed_port_of_another_host_refuses(client: Host, server: Host) -> None:
    """At once for TCP, on the next call for UDP."""
    assert error_of(client.create_connection, ("server", 80)) == "ECONNREFUSED"
    with client.socket(type=SOCK_DGRAM) as sock:
        sock.connect(("10.0.0.2", 53))
        sock.send(b"x")
        assert error_of(sock.send, b"x") == "ECONNREFUSED"


def test_a_neighbour_that_nobody_is_cannot_be_reached(world: World, client: Host) -> None:
    """EHOSTUNREACH, after three seconds of looking for it."""
    assert error_of(client.create_connection, ("10.9.9.9", 80)) == "EHOSTUNREACH"
    assert world.now == 3
    with client.socket(type=SOCK_DGRAM) as sock:
        assert sock.sendto(b"x", ("10.9.9.9", 53)) == 1


def test_a_router_answers_for_addresses_beyond(world: World, client: Host) -> None:
    """With EHOSTUNREACH, or with ENETUNREACH if asked to.

    What a router says while connect() is still at work is a hint; the second SYN's answer counts.
    """
    assert error_of(client.create_connection, ("8.8.8.8", 80)) == "EHOSTUNREACH"
    assert world.now == 1
    world.unknown = "network"
    assert error_of(client.create_connection, ("8.8.8.8", 80)) == "ENETUNREACH"
    assert world.now == 2


def test_an_address_that_nobody_has_may_be_silence(world: World, client: Host) -> None:
    """A connect times out, a datagram is lost."""
    world.unknown = "silence"
    with pytest.raises(TimeoutError, match="timed out"):
        client.create_connection(("10.9.9.9", 80), timeout=5)
    with client.socket(type=SOCK_DGRAM) as sock:
        assert sock.sendto(b"x", ("10.9.9.9", 53)) == 1


def test_a_connect_to_nobody_gives_up_by_itself(world: World, client: Host) -> None:
    """ETIMEDOUT, after about two minutes of trying."""
    world.unknown = "silence"
    with client.socket() as sock:
        assert error_of(sock.connect, ("10.9.9.9", 80)) == "ETIMEDOUT"
    assert 100 < world.now < 200


def test_hosts_without_a_common_version_do_not_reach_each_other(world: World) -> None:
    """ENETUNREACH for an IPv6 destination on a host of IPv4 only."""
    old = world.host("old", ip="10.0.0.3")
    assert error_of(old.create_connection, ("fd00::2", 80)) == "ENETUNREACH"


def test_ports_belong_to_hosts(client: Host, server: Host) -> None:
    """The same one may be taken on each."""
    with client.create_server(("", 80)), server.create_server(("", 80)) as second:
        assert second.getsockname() == ("0.0.0.0", 80)
        assert error_of(client.create_server, ("", 80)) == "EADDRINUSE"


def test_another_hosts_address_cannot_be_bound(client: Host) -> None:
    """EADDRNOTAVAIL."""
    with client.socket() as sock:
        assert error_of(sock.bind, ("10.0.0.2", 80)) == "EADDRNOTAVAIL"


def test_a_group_is_heard_on_the_interface_that_it_was_joined_on(client: Host) -> None:
    """Members on eth0 do not hear what goes out through the loopback, nor the other way round."""
    group, port = "239.1.2.3", 5000
    joined = [socket.inet_aton(ip) for ip in ("127.0.0.1", "10.0.0.1")]
    members = [client.socket(type=SOCK_DGRAM) for _ in joined]
    for member, interface in zip(members, joined, strict=True):
        member.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        member.bind(("", port))
        member.setsockopt(
            socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, socket.inet_aton(group) + interface
        )
        member.setsockopt(socket.IPPROTO_IP, 49, 0)
        member.setblocking(False)
    with client.socket(type=SOCK_DGRAM) as sender:
        for interface in joined:
            sender.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, interface)
            sender.sendto(interface, (group, port))
        sender.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_LOOP, 0)
        sender.sendto(b"not looped", (group, port))
    for member, interface in zip(members, joined, strict=True):
        assert member.recv(100) == interface
        assert error_of(member.recv, 100) == "EAGAIN"
        member.close()


def test_unix_names_belong_to_hosts(client: Host, server: Host) -> None:
    """A path on one host is not there on the other."""
    path = "/tmp/service"
    with client.socket(socket.AF_UNIX) as listener, server.socket(socket.AF_UNIX) as other:
        listener.bind(path)
        listener.listen()
        assert error_of(other.connect, path) == "ENOENT"
        other.bind(path)


def test_tasks_may_wait_in_calls_of_one_host_in_any_order() -> None:
    """Which host is current is each task's own matter."""
    with World() as world:
        server, client = world.host("server"), world.host("client")
        world.link(server, client, latency=0.1, jitter=0.05)
        listener = server.create_server(("", 80))

        def connect() -> None:
            with client, client.create_connection(("server", 80)):
                client.sleep(0.2)

        tasks = [client.spawn(connect) for _ in range(20)]
        world.run()
        for task in tasks:
            task.result()
        listener.close()
