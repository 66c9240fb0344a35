"""A world: its hosts and their names, its time, its ending, and its seed."""

from __future__ import annotations

import socket
import warnings
from collections.abc import Callable

import pytest

from simnet.current import the_host
from simnet.errors import SimnetError
from simnet.host import Host
from simnet.world import World, localhost


def echo_once(host: Host, port: int = 80) -> None:
    """Serve one connection, until its end of file."""
    with host.create_server(("", port)) as server:
        connection, _ = server.accept()
        with connection:
            while data := connection.recv(100):
                connection.sendall(data)


def conversation(seed: int | str, record: bool = False) -> World:
    """A world in which two hosts talk; its sockets are closed in the end."""
    with World(seed, record=record) as world:
        server, client = world.host("server"), world.host("client")
        task = server.spawn(echo_once, server)
        client.sleep(1)
        with client.create_connection(("server", 80)) as sock:
            sock.sendall(b"hello")
            assert sock.recv(100) == b"hello"
        task.join()
        with client.socket(type=socket.SOCK_DGRAM) as sock:
            sock.bind(("", 0))
            sock.sendto(b"x", sock.getsockname())
    return world


# Hosts


def test_addresses_are_chosen_in_order() -> None:
    """From 10.0.0.1 on, leaving out what is taken."""
    world = World()
    world.host("a", ip="10.0.0.2")
    assert [world.host(name).addresses for name in "bcd"] == [
        ("10.0.0.1",),
        ("10.0.0.3",),
        ("10.0.0.4",),
    ]


def test_many_hosts_have_addresses_of_their_own() -> None:
    """Also beyond the last of 10.0.0.0/24."""
    world = World()
    addresses = [world.host(f"h{number}").addresses[0] for number in range(300)]
    assert len(set(addresses)) == 300
    assert addresses[256] == "10.0.1.1"


def test_addresses_are_kept_in_canonical_form() -> None:
    """One or several, of both versions."""
    host = World().host("a", ip=["10.1.2.3", "FD00:0::1"])
    assert host.addresses == ("10.1.2.3", "fd00::1")
    assert repr(host) == "<host 'a' 10.1.2.3 fd00::1>"


@pytest.mark.parametrize("ip", ["10.0.0", "10.0.0.256", "host", "", "fe80::1%eth0"])
def test_what_is_no_address_is_refused(ip: str) -> None:
    """ValueError, and no host is left behind."""
    world = World()
    with pytest.raises(ValueError, match="is not an IPv4 or IPv6 address"):
        world.host("a", ip=ip)
    assert not world.hosts


@pytest.mark.parametrize("ip", ["127.0.0.1", "::1", "0.0.0.0", "::", "224.0.0.1", "ff02::1"])
def test_addresses_that_no_host_can_have_are_refused(ip: str) -> None:
    """Loopbacks, wildcards and groups belong to nobody."""
    with pytest.raises(ValueError, match="cannot be a host's address"):
        World().host("a", ip=ip)


def test_names_and_addresses_are_unique() -> None:
    """ValueError for a second one; a host that failed takes nothing."""
    world = World()
    world.host("a", ip="10.0.0.1")
    with pytest.raises(ValueError, match="a host needs a name of its own, not 'a'"):
        world.host("a")
    with pytest.raises(ValueError, match="a host needs a name of its own, not ''"):
        world.host("")
    with pytest.raises(ValueError, match=r"10\.0\.0\.1 is an address of host 'a' already"):
        world.host("b", ip=["10.0.0.9", "10.0.0.1"])
    assert world.host("b", ip="10.0.0.9").addresses == ("10.0.0.9",)


def test_names_and_addresses_lead_to_each_other() -> None:
    """As the resolvers of all hosts ask."""
    world = World()
    world.host("a", ip=["10.0.0.7", "fd00::7"])
    assert list(world.addresses_of("a")) == ["10.0.0.7", "fd00::7"]
    assert list(world.addresses_of("b")) == []
    assert world.name_of("fd00::7") == "a"
    assert world.name_of("10.0.0.8") is None


def test_localhost_is_a_world_of_its_own() -> None:
    """The backend `sim`: one host with addresses of both versions."""
    first, second = localhost(), localhost()
    assert (first.name, first.addresses) == ("localhost", ("10.0.0.1", "fd00::1"))
    assert first.world is not second.world


# Time


def test_time_is_virtual_and_starts_at_zero() -> None:
    """It moves when somebody waits."""
    world = World()
    host = world.host("a")
    assert world.now == 0
    host.sleep(1000)
    assert world.now == 1000


def test_running_lets_everything_happen() -> None:
    """Until no task has anything to do, or until an instant."""
    world = World()
    host, seen = world.host("a"), []

    def tick() -> None:
        for _ in range(3):
            host.sleep(1)
            seen.append(world.now)

    host.spawn(tick)
    world.run(until=1.5)
    assert (seen, world.now) == ([1], 1.5)
    world.run()
    assert seen == [1, 2, 3]


def test_the_exception_of_a_task_is_raised_by_run() -> None:
    """Unless somebody has asked for its result."""
    world = World()
    host = world.host("a")
    host.spawn(int, "x")
    with pytest.raises(ValueError, match="invalid literal"):
        world.run()
    world.run()


def test_functions_are_called_at_their_instants() -> None:
    """With their arguments, in the order of time, then in that of asking; unless taken back."""
    world, seen = World(), []

    def note(*args: object, **kwargs: object) -> None:
        seen.append((world.now, *args, *kwargs.items()))

    world.at(2, note, "late", by=1)
    world.at(1, note, "early")
    world.after(1, note, "after")
    world.at(1.5, note, "never").cancel()
    world.run()
    world.at(0.5, note, "past")
    world.run()
    assert seen == [(1, "early"), (1, "after"), (2, "late", ("by", 1)), (2, "past")]


def test_what_is_called_runs_where_it_was_asked_for() -> None:
    """On the host that was current then, whichever task has just run."""
    world, seen = World(), []
    a, b = world.host("a"), world.host("b")
    with a:
        world.at(1, lambda: seen.append(the_host()))
    with b:
        world.at(1, lambda: seen.append(the_host()))
        b.spawn(b.sleep, 2)
    world.run()
    assert seen == [a, b]


def test_links_partitions_and_crashes_change_over_time() -> None:
    """A connection lives through all of them."""
    with World() as world:
        server, client = world.host("server"), world.host("client")
        world.link(server, client, latency=0.1)
        world.at(1, world.link, server, client, latency=0.2, loss=0.5)
        world.at(2, world.partition, server, client, one_way=True)
        world.at(10, world.heal)
        world.at(10, world.link, server, client, loss=0)
        world.at(100, world.crash, server)
        task = server.spawn(echo_once, server)
        client.sleep(0)
        with client.create_connection(("server", 80)) as sock:
            for number in range(8):
                client.sleep(1)
                sock.sendall(b"%d" % number)
            received = b""
            while len(received) < 8:
                received += sock.recv(100)
            assert received == b"01234567"
            assert 10 < world.now < 100
            world.run()
            assert task.done
            assert world.now == 100


def test_the_exception_of_a_call_is_raised_outside_all_tasks() -> None:
    """Whoever waits goes on."""
    world = World()
    host = world.host("a")
    task = host.spawn(host.sleep, 2)
    world.at(1, int, "x")
    with pytest.raises(ValueError, match="invalid literal"):
        world.run()
    assert world.now == 1
    assert task.join()


@pytest.mark.parametrize(
    "wait",
    [
        lambda host: host.sleep(1),
        lambda host: host.create_server(("", 80)).accept(),
        lambda host: host.socket(type=socket.SOCK_DGRAM).recv(1),
        lambda host: host.select([host.socket(type=socket.SOCK_DGRAM)], [], [], 1),
    ],
)
@pytest.mark.filterwarnings("ignore:unclosed")
def test_what_is_called_must_not_wait(wait: Callable[[Host], object]) -> None:
    """SimnetError says what to do."""
    with World() as world:
        host = world.host("a")
        host.spawn(host.sleep, 5)
        world.at(1, wait, host)
        with pytest.raises(SimnetError, match="must not wait: spawn a task"):
            world.run()


def test_what_is_called_may_do_what_does_not_wait() -> None:
    """Look at the time, try without waiting, and spawn a task."""
    with World() as world:
        host, seen = world.host("a"), []
        sock = host.socket(type=socket.SOCK_DGRAM)
        sock.setblocking(False)

        def look() -> None:
            seen.append(host.monotonic())
            with pytest.raises(BlockingIOError):
                sock.recv(1)
            host.spawn(lambda: (host.sleep(1), seen.append(world.now)))

        host.spawn(host.sleep, 1)
        world.at(1, look)
        world.run()
        assert seen == [1, 2]
        sock.close()


def test_the_past_cannot_be_asked_for() -> None:
    """ValueError for a negative number of seconds from now."""
    with pytest.raises(ValueError, match="-1 seconds from now have passed already"):
        World().after(-1, print)


# Ending


def test_leftovers_name_what_is_open_and_who_runs() -> None:
    """On one host, or on all."""
    world = World()
    a, b = world.host("a"), world.host("b")
    sock = a.socket(type=socket.SOCK_DGRAM)
    b.spawn(b.sleep, 5, name="sleeper")
    assert [text.split(",")[1:3] for text in world.leftovers(a)] == [[" family=2", " type=2"]]
    assert world.leftovers(b) == ["<task 'sleeper' ready>"]
    assert len(world.leftovers()) == 2
    sock.close()
    world.run()
    assert world.leftovers() == []


def test_closing_a_world_ends_tasks_and_closes_sockets() -> None:
    """Where a task waits, its cleaning up still runs; nothing is left."""
    ended = []
    with World() as world:
        host = world.host("a")

        def serve() -> None:
            with host.create_server(("", 80)) as server:
                try:
                    server.accept()
                finally:
                    ended.append("serve")

        host.spawn(serve)
        world.run()
        assert len(world.leftovers()) == 2
    assert ended == ["serve"]
    assert world.leftovers() == []


def test_a_host_warns_about_what_it_leaves_open() -> None:
    """ResourceWarning names it, as for a socket that is collected; a clean host is silent."""
    world = World()
    clean, other = world.host("clean"), world.host("other")
    sock = other.socket()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        clean.close()
    with pytest.warns(ResourceWarning, match="left open: <socket"):
        other.close()
    assert world.leftovers() == []
    assert sock.fileno() == -1


# Limits


def test_limits_of_a_host_change_by_name() -> None:
    """The others stay; they outlive a crash. An unknown one is an error, and so is a stranger."""
    world = World()
    a, b = world.host("a"), world.host("b")
    world.limit("a", tcp_syn_retries=1)
    world.limit(a, somaxconn=5)
    world.crash(a)
    world.restart(a)
    assert (a.limits.tcp_syn_retries, a.limits.somaxconn) == (1, 5)
    assert b.limits == type(b.limits)()
    with pytest.raises(TypeError, match="nonsense"):
        world.limit(a, nonsense=1)
    with pytest.raises(ValueError, match="no host of this world"):
        World().limit(a, somaxconn=5)


# The seed


@pytest.mark.parametrize("record", [False, True])
@pytest.mark.parametrize("seed", [0, 7, "a word"])
def test_a_seed_gives_the_same_trace_again(seed: int | str, record: bool) -> None:
    """Every record, times and ports included."""
    first, second = conversation(seed, record), conversation(seed, record)
    assert first.trace.digest() == second.trace.digest()
    assert first.now == second.now


def test_another_seed_gives_another_trace() -> None:
    """Ports and sequence numbers differ, and both are in a recorded trace."""
    assert (
        conversation(1, record=True).trace.digest() != conversation(2, record=True).trace.digest()
    )


def port_of(kind: int) -> Callable[[int], int]:
    """A function that gives the first ephemeral port of a world."""

    def first_port(seed: int) -> int:
        host = World(seed).host("a")
        with host.socket(type=kind) as sock:
            sock.bind(("", 0))
            port: int = sock.getsockname()[1]
        return port

    return first_port


@pytest.mark.parametrize("kind", [socket.SOCK_STREAM, socket.SOCK_DGRAM])
def test_the_seed_chooses_ports(kind: int) -> None:
    """The same again for the same seed; several among several seeds."""
    first_port = port_of(kind)
    ports = [first_port(seed) for seed in range(5)]
    assert ports == [first_port(seed) for seed in range(5)]
    assert len(set(ports)) > 1


def test_a_host_more_changes_nothing_for_the_others() -> None:
    """Each host draws from streams of its own."""

    def port(*names: str) -> int:
        world = World(3)
        hosts = [world.host(name) for name in names]
        with hosts[-1].socket() as sock:
            sock.bind(("", 0))
            chosen: int = sock.getsockname()[1]
        return chosen

    assert port("a") == port("b", "a")
