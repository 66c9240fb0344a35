"""The wire: who hears what is sent to many, what becomes of packets for nobody, and crashes."""

from __future__ import annotations

import errno
import socket
import struct
from collections.abc import Callable, Iterator
from socket import AF_INET, AF_INET6, IPPROTO_IP, IPPROTO_IPV6, SOCK_DGRAM, SOL_SOCKET
from typing import Any

import pytest

from simnet import SimnetError, World
from simnet.host import Host
from tests.journeys import Journeys

GROUP, GROUP6 = "239.1.2.3", "ff12::9"
PORT = 6000
DISCOVER, DISCOVER6 = (IPPROTO_IP, 10), (IPPROTO_IPV6, 23)
DONT, WANT, DO, PROBE, INTERFACE, OMIT = range(6)

# Sockets that stay open until the world is closed.
KEPT: list[Any] = []


@pytest.fixture
def world() -> Iterator[World]:
    """Three hosts of one subnet, one of which is in a second one too, with a fourth host."""
    with World() as world:
        world.host("a", ip=["10.1.0.1/24", "fd01::1"])
        world.host("b", ip=["10.1.0.2/24", "fd01::2"])
        world.host("c", ip={"eth0": ["10.1.0.3/24", "fd01::3"], "eth1": ["10.2.0.3/24", "fd02::3"]})
        world.host("d", ip=["10.2.0.4/24", "fd02::4"])
        yield world
    KEPT.clear()


def error_of(call: Callable[..., Any], *args: Any) -> str:
    """The name of the errno that a call fails with, or '' if it does not fail."""
    try:
        call(*args)
    except OSError as error:
        return errno.errorcode[error.errno or 0]
    return ""


def boxes(world: World, ip: str = "", group: str | None = None) -> dict[str, Any]:
    """On every host a socket that listens, as a member of a group on all interfaces if asked."""
    return {name: box(host, ip, group) for name, host in world.hosts.items()}


def box(host: Host, ip: str = "", group: str | None = None) -> Any:
    """One of them."""
    family = AF_INET6 if ":" in ip or ":" in (group or "") else AF_INET
    sock = host.socket(family, SOCK_DGRAM)
    KEPT.append(sock)
    sock.setblocking(False)
    sock.bind((ip, PORT))
    for index, name in host.if_nameindex():
        if group and name != "lo" and family == AF_INET:
            member = socket.inet_aton(group) + struct.pack("4si", b"", index)
            sock.setsockopt(IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, member)
        elif group and name != "lo":
            member = socket.inet_pton(AF_INET6, group) + struct.pack("i", index)
            sock.setsockopt(IPPROTO_IPV6, socket.IPV6_JOIN_GROUP, member)
    return sock


def heard(box: Any) -> list[bytes]:
    """What has arrived."""
    found = []
    while not error_of(lambda: found.append(box.recv(2000))):
        pass
    return found


def hearers(world: World, boxes: dict[str, Any]) -> str:
    """Which hosts heard something, which is taken."""
    world.run()
    return "".join(name for name, sock in boxes.items() if heard(sock))


def send(host: Host, ip: str, *options: tuple[int, int, Any], scope: int = 0) -> None:
    """Send a datagram."""
    family = AF_INET6 if ":" in ip else AF_INET
    with host.socket(family, SOCK_DGRAM) as sock:
        for option in options:
            sock.setsockopt(*option)
        sock.sendto(b"x", (ip, PORT) if family == AF_INET else (ip, PORT, 0, scope))


# To many, as measured on Linux 6.18 with namespaces on a bridge and behind a router

BROADCAST = (SOL_SOCKET, socket.SO_BROADCAST, 1)


@pytest.mark.parametrize(
    ("sender", "ip", "names"),
    [
        ("a", "255.255.255.255", "abc"),
        ("a", "10.1.0.255", "abc"),
        ("c", "255.255.255.255", "abc"),
        ("c", "10.1.0.255", "abc"),
        ("c", "10.2.0.255", "cd"),
        ("d", "10.2.0.255", "cd"),
        ("a", "10.2.0.255", ""),
    ],
)
@pytest.mark.parametrize("latency", [0, 0.01])
def test_a_broadcast_reaches_the_hosts_of_a_subnet(
    world: World, sender: str, ip: str, names: str, latency: float
) -> None:
    """A subnet's broadcast address means that subnet alone; the sender hears itself."""
    world.default_link(latency=latency)
    listening = boxes(world)
    send(world.hosts[sender], ip, BROADCAST)
    assert hearers(world, listening) == names


def test_a_broadcast_is_for_sockets_without_an_address_or_with_that_one(world: World) -> None:
    """A socket bound to its host's address does not hear it."""
    bound = {ip: box(world.hosts["b"], ip) for ip in ("10.1.0.2", "10.1.0.255", "255.255.255.255")}
    send(world.hosts["a"], "10.1.0.255", BROADCAST)
    assert {ip: len(heard(sock)) for ip, sock in bound.items()} == {
        "10.1.0.2": 0,
        "10.1.0.255": 1,
        "255.255.255.255": 0,
    }


def test_a_broadcast_needs_leave(world: World) -> None:
    """EACCES without SO_BROADCAST."""
    assert error_of(send, world.hosts["a"], "10.1.0.255") == "EACCES"


@pytest.mark.parametrize(
    ("options", "names"),
    [
        ([], "abc"),
        ([(IPPROTO_IP, socket.IP_MULTICAST_TTL, 5)], "abc"),
        ([(IPPROTO_IP, socket.IP_MULTICAST_TTL, 0)], "a"),
        ([(IPPROTO_IP, socket.IP_MULTICAST_LOOP, 0)], "bc"),
    ],
)
def test_a_group_is_heard_by_members_of_the_subnet(
    world: World, options: list[Any], names: str
) -> None:
    """Not with a time to live of 0; by the sender's own host unless it does not want that."""
    listening = boxes(world, group=GROUP)
    send(world.hosts["a"], GROUP, *options)
    assert hearers(world, listening) == names


def test_a_group_is_heard_by_members_only(world: World) -> None:
    """A host that has not joined it hears nothing."""
    listening = {"b": box(world.hosts["b"]), "c": box(world.hosts["c"], group=GROUP)}
    send(world.hosts["a"], GROUP)
    assert hearers(world, listening) == "c"


@pytest.mark.parametrize(("ip", "names"), [("10.1.0.3", "abc"), ("10.2.0.3", "cd")])
def test_a_group_goes_out_through_the_interface_that_is_chosen(
    world: World, ip: str, names: str
) -> None:
    """IP_MULTICAST_IF, by address."""
    listening = boxes(world, group=GROUP)
    send(world.hosts["c"], GROUP, (IPPROTO_IP, socket.IP_MULTICAST_IF, socket.inet_aton(ip)))
    assert hearers(world, listening) == names


@pytest.mark.parametrize(("scope", "names"), [(0, "abc"), (2, "abc"), (3, "cd")])
def test_the_zone_of_a_group_is_the_interface(world: World, scope: int, names: str) -> None:
    """The first one if there is none."""
    listening = boxes(world, group=GROUP6)
    send(world.hosts["c"], GROUP6, scope=scope)
    assert hearers(world, listening) == names


@pytest.mark.parametrize(
    ("group", "options", "names"),
    [
        ("ff02::9", [], "abc"),
        ("ff05::9", [], "abc"),
        ("ff02::9", [(IPPROTO_IPV6, socket.IPV6_MULTICAST_HOPS, 0)], "a"),
        ("ff02::9", [(IPPROTO_IPV6, socket.IPV6_MULTICAST_LOOP, 0)], "bc"),
        ("ff01::9", [], "a"),
        ("ff11::9", [], "a"),
    ],
)
def test_groups_of_ipv6(world: World, group: str, options: list[Any], names: str) -> None:
    """Those of one interface leave no host."""
    listening = boxes(world, group=group)
    send(world.hosts["a"], group, *options, scope=2)
    assert hearers(world, listening) == names


def test_each_copy_crosses_its_own_link(world: World) -> None:
    """A fault of one link touches one hearer."""
    listening = boxes(world, group=GROUP)
    world.link("a", "b", loss=1, symmetric=False)
    world.link("a", "c", latency=5)
    send(world.hosts["a"], GROUP)
    assert heard(listening["a"]) == [b"x"]
    assert heard(listening["c"]) == []
    assert hearers(world, listening) == "c"


# To nobody


def connect_error(host: Host, ip: str) -> str:
    """What connecting to a port of that address fails with."""
    family = AF_INET6 if ":" in ip else AF_INET
    with host.socket(family) as sock:
        return error_of(sock.connect, (ip, 80))


@pytest.mark.parametrize("ip", ["10.9.9.9", "fd09::9"])
def test_each_host_may_be_told_something_else(world: World, ip: str) -> None:
    """Of addresses that nobody has: what it says itself, or what the world says."""
    a, b = world.hosts["a"], world.host("e", ip=["10.1.0.9/24", "fd01::9"], unknown="network")
    assert (a.unknown, b.unknown) == (None, "network")
    assert (connect_error(a, ip), connect_error(b, ip)) == ("EHOSTUNREACH", "ENETUNREACH")
    assert world.now == 2  # a hint while connect() is at work; the second SYN is refused
    a.unknown, b.unknown = "network", None
    assert (connect_error(a, ip), connect_error(b, ip)) == ("ENETUNREACH", "EHOSTUNREACH")
    b.unknown = "silence"
    assert connect_error(b, ip) == "ETIMEDOUT"


@pytest.mark.parametrize("say", ["nothing", "", "EHOSTUNREACH"])
def test_what_is_said_of_unknown_addresses_is_one_of_three(world: World, say: str) -> None:
    """ValueError names them; no host is left behind."""
    message = f"unknown is one of unreachable, network, silence, not {say!r}"
    with pytest.raises(ValueError, match=message):
        world.host("e", unknown=say)
    with pytest.raises(ValueError, match=message):
        world.unknown = say
    with pytest.raises(ValueError, match=message):
        world.hosts["a"].unknown = say
    assert "e" not in world.hosts


@pytest.mark.parametrize("recverr", [False, True])
@pytest.mark.parametrize(("ip", "waits"), [("10.9.9.9", 0), ("10.1.0.77", 3), ("fd01::77", 3)])
def test_an_unreachable_address_is_a_hint_to_a_datagram_socket(
    world: World, ip: str, waits: float, recverr: bool
) -> None:
    """Only one that asks for it (IP_RECVERR) is told, on its next call."""
    a = world.hosts["a"]
    six = ":" in ip
    with a.socket(AF_INET6 if six else AF_INET, SOCK_DGRAM) as sock:
        sock.setsockopt(*((IPPROTO_IPV6, 25) if six else (IPPROTO_IP, 11)), recverr)
        sock.connect((ip, 53))
        sock.send(b"x")
        a.sleep(waits + 0.5)
        assert error_of(sock.send, b"x") == ("EHOSTUNREACH" if recverr else "")


# The path's MTU, as measured on Linux 6.18 with a router whose next link takes 1,300 bytes


@pytest.fixture
def narrow(world: World) -> World:
    """The link from `a` to `b` takes 1,300 bytes."""
    world.link("a", "b", mtu=1300)
    return world


@pytest.mark.parametrize(
    ("mode", "outcomes4", "outcomes6"),
    [
        (None, "E1400 1400 1600", "E1400 1400 1600"),
        (DONT, "1400 1400 1600", "- 1400 1600"),
        (WANT, "E1400 1400 1600", "E1400 1400 1600"),
        (DO, "E1400 refused refused", "E1400 refused refused"),
        (PROBE, "E1400 E1400 refused", "E1400 E1400 refused"),
        (INTERFACE, "1400 1400 refused", "- - refused"),
        (OMIT, "1400 1400 1600", "- - -"),
    ],
)
@pytest.mark.parametrize("six", [False, True], ids=["ipv4", "ipv6"])
def test_a_datagram_socket_discovers_the_path_s_mtu_as_asked(
    narrow: World, mode: int | None, outcomes4: str, outcomes6: str, six: bool
) -> None:
    """1,400, 1,400 and 1,600 bytes: they arrive, or vanish, or the next call hears EMSGSIZE."""
    listening = box(narrow.hosts["b"], "::" if six else "")
    outcomes = []
    with narrow.hosts["a"].socket(AF_INET6 if six else AF_INET, SOCK_DGRAM) as sock:
        if mode is not None:
            sock.setsockopt(*(DISCOVER6 if six else DISCOVER), mode)
        sock.connect(("fd01::2" if six else "10.1.0.2", PORT))
        for size in (1400, 1400, 1600):
            if error_of(sock.send, bytes(size)) == "EMSGSIZE":
                outcomes.append("refused")
                continue
            narrow.run()
            error = sock.getsockopt(SOL_SOCKET, socket.SO_ERROR)
            assert error in (0, errno.EMSGSIZE)
            arrived = bool(heard(listening))
            assert not (arrived and error)
            outcomes.append(f"E{size}" if error else str(size) if arrived else "-")
    assert " ".join(outcomes) == (outcomes6 if six else outcomes4)


def test_dontfrag_refuses_what_would_need_fragments(world: World) -> None:
    """IPV6_DONTFRAG, as an option or for one datagram."""
    box(world.hosts["b"], "::")
    with world.hosts["a"].socket(AF_INET6, SOCK_DGRAM) as sock:
        sock.connect(("fd01::2", PORT))
        item = [(IPPROTO_IPV6, socket.IPV6_DONTFRAG, struct.pack("i", 1))]
        assert error_of(sock.sendmsg, [bytes(1453)], item) == "EMSGSIZE"
        assert error_of(sock.sendmsg, [bytes(1452)], item) == ""
        assert error_of(sock.send, bytes(1453)) == ""
        sock.setsockopt(IPPROTO_IPV6, socket.IPV6_DONTFRAG, 1)
        assert error_of(sock.send, bytes(1453)) == "EMSGSIZE"
        sock.send(bytes(1000), socket.MSG_MORE)
        assert error_of(sock.send, bytes(453)) == "EMSGSIZE"


def test_a_connection_finds_the_path_s_mtu(narrow: World) -> None:
    """Much data arrives although the first segments were too big; the host remembers."""
    a, b = narrow.hosts["a"], narrow.hosts["b"]
    with b.create_server(("", 80)) as listener, a.create_connection(("b", 80)) as sock:
        connection, _ = listener.accept()
        a.spawn(sock.sendall, bytes(100_000))
        with connection:
            assert len(connection.recv(100_000, socket.MSG_WAITALL)) == 100_000
    assert (a.path_mtu("10.1.0.2"), b.path_mtu("10.1.0.1")) == (1300, 1500)


# Crashes


def test_what_is_in_flight_to_a_crashed_host_is_lost() -> None:
    """Unless it is up again by then: then a new program may hear it."""
    net = Journeys(latency=1)
    net.send(b"lost")
    net.world.at(0.5, net.world.crash, "b")
    net.world.at(1.5, net.send, b"for whoever is there")
    net.world.at(2, net.world.restart, "b")
    net.world.run()
    assert net.reasons() == ["down"]
    assert net.arrived() == [(2.5, b"for whoever is there")]


def test_what_a_host_sent_before_it_crashed_arrives() -> None:
    """It has left; nothing comes after it."""
    net = Journeys(latency=1)
    net.send(b"x")
    net.world.crash("a")
    net.send(b"y")
    assert net.arrivals() == [(1, b"x")]


@pytest.mark.parametrize("latency", [0, 0.1])
def test_an_old_segment_is_answered_with_a_reset(world: World, latency: float) -> None:
    """A restarted host knows nothing of the connection."""
    world.link("a", "b", latency=latency)
    a, b = world.hosts["a"], world.hosts["b"]
    listener = b.create_server(("", 80))
    with a.create_connection(("10.1.0.2", 80)) as sock:
        world.crash(b)
        world.restart(b)
        sock.sendall(b"x")
        assert error_of(sock.recv, 1) == "ECONNRESET"
        assert sock.recv(1) == b""
    assert listener.fileno() == -1
    assert world.now == pytest.approx(4 * latency, abs=1e-6)


@pytest.mark.parametrize("latency", [0, 0.1])
def test_a_peer_that_stays_away_is_silence(world: World, latency: float) -> None:
    """What is sent is repeated until the host is up again."""
    world.link("a", "b", latency=latency)
    a, b = world.hosts["a"], world.hosts["b"]
    KEPT.append(b.create_server(("", 80)))
    with a.create_connection(("b", 80)) as sock:
        sock.sendall(b"before")
        world.crash(b)
        sock.sendall(b"x")
        world.after(30, world.restart, b)
        assert error_of(sock.recv, 1) == "ECONNRESET"
    assert 30 < world.now < 60


def test_a_crash_ends_the_tasks_of_a_host_alone(world: World) -> None:
    """Where they stand, though they may clean up."""
    cleaned = []

    def work(host: Host) -> None:
        try:
            host.sleep(10)
        finally:
            cleaned.append(host.name)

    tasks = {name: world.hosts[name].spawn(work, world.hosts[name]) for name in "ab"}
    world.at(1, world.crash, "a")
    world.run(until=2)
    assert (cleaned, tasks["a"].done, tasks["b"].done) == (["a"], True, False)
    world.run()
    assert cleaned == ["a", "b"]


def test_a_task_that_was_about_to_wait_ends_too(world: World) -> None:
    """The host crashes while that task looks for who runs next: it is no error in it."""
    b = world.hosts["b"]
    with world.hosts["a"].socket(type=SOCK_DGRAM):
        sock = b.socket(type=SOCK_DGRAM)
        KEPT.append(sock)
        sock.bind(("", PORT))
        task = b.spawn(sock.recv, 1)
        world.at(1, world.crash, "b")
        world.run()
        assert task.done
        assert task.result() is None


def test_a_task_may_crash_its_own_host(world: World) -> None:
    """It ends when it would next wait."""
    a, steps = world.hosts["a"], []

    def reboot() -> None:
        world.crash(a)
        steps.append("down")
        world.restart(a)
        steps.append("up")
        a.sleep(1)
        steps.append("never")

    task = a.spawn(reboot)
    world.run()
    assert (steps, task.done, a.up) == (["down", "up"], True, True)


def test_a_crash_loses_everything_but_name_addresses_and_disk(world: World) -> None:
    """Ports, unix names, groups and default timeouts are free or forgotten; the disk if asked."""
    a = world.hosts["a"]
    a.disk["log"] = ["one"]
    for keep, left in ((True, {"log": ["one"]}), (False, {})):
        KEPT.extend((a.create_server(("", 80)), a.socket(socket.AF_UNIX)))
        KEPT[-1].bind("/tmp/s")
        box(a, group=GROUP)
        a.default_timeout_ns = 5
        world.crash(a)
        world.crash(a)
        assert world.leftovers(a) == []
        world.restart(a, keep_disk=keep)
        assert (a.disk, a.default_timeout_ns) == (left, None)
    assert a.addresses == ("10.1.0.1", "fd01::1")
    with a.create_server(("", 80)), a.socket(socket.AF_UNIX) as sock:
        sock.bind("/tmp/s")
    listening = {"a": box(a)}
    send(world.hosts["b"], GROUP)
    assert hearers(world, listening) == ""


def test_nothing_runs_on_a_crashed_host(world: World) -> None:
    """SimnetError says what to do."""
    world.crash("a")
    a = world.hosts["a"]
    for call in (a.socket, lambda: a.spawn(print), lambda: a.create_server(("", 80))):
        with pytest.raises(SimnetError, match=r"'a' has crashed: world\.restart\('a'\) first"):
            call()
    with pytest.raises(ValueError, match="host 'b' has not crashed"):
        world.restart("b")


def test_code_that_waits_on_a_host_that_crashes_is_told(world: World) -> None:
    """Code outside all tasks, and tasks of other hosts; the host's own tasks just end."""
    a, b = world.hosts["a"], world.hosts["b"]
    with a.socket(type=SOCK_DGRAM) as sock:
        sock.bind(("", PORT))
        other, own = b.spawn(sock.recv, 1), a.spawn(sock.recv, 1)
        world.after(1, world.crash, "a")
        with pytest.raises(SimnetError, match="host 'a' crashed while 'main' waited in recv on it"):
            sock.recv(1)
        with pytest.raises(SimnetError, match="host 'a' crashed while 'b-1' waited in recv on it"):
            other.result()
        assert own.result() is None


def test_crashes_are_in_the_trace(world: World) -> None:
    """With the host."""
    world.crash("a")
    world.restart("a")
    assert [record[1:] for record in world.trace] == [("crash", "a"), ("restart", "a")]
