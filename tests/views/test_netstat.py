"""Every socket at one moment, as ss lists them."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from simnet import World
from simnet.host import Host
from simnet.views.netstat import Netstat, PendingTimer


@pytest.fixture
def world() -> World:
    """Two hosts, a tenth of a second apart."""
    world = World(seed=1)
    world.host("server", ip=("10.0.0.1", "2001:db8::1"))
    world.host("client", ip=("10.0.0.2", "2001:db8::2"))
    world.link("server", "client", latency=0.1)
    return world


@pytest.fixture
def server(world: World) -> Host:
    """One of them."""
    return world.hosts["server"]


@pytest.fixture
def client(world: World) -> Host:
    """The other."""
    return world.hosts["client"]


Keep = Callable[[Any], Any]


@pytest.fixture
def keep() -> Iterator[Keep]:
    """Keeps sockets, or results that hold them, open until the test ends."""
    kept: list[Any] = []

    def keep(opened: Any) -> Any:
        kept.extend(opened if isinstance(opened, tuple) else [opened])
        return opened

    yield keep
    for each in kept:
        if hasattr(each, "close"):
            each.close()


def short(found: Netstat) -> list[tuple[object, ...]]:
    """Protocol, state, queues."""
    return [(each.protocol, each.state, each.recv_queue, each.send_queue) for each in found]


def test_an_empty_world_has_no_sockets(world: World) -> None:
    """Only the head of the table."""
    assert world.netstat() == ()
    assert str(world.netstat()).split()[0] == "Host"


def test_of_a_listener_the_queues_are_who_waits_and_who_may(
    world: World, server: Host, client: Host, keep: Keep
) -> None:
    """And the connections that nobody has accepted are there too."""
    listener = keep(server.create_server(("10.0.0.1", 80), backlog=5))
    conn = keep(client.create_connection(("10.0.0.1", 80)))
    world.run(until=1)
    first, second = world.netstat("server")
    assert (first.state, first.recv_queue, first.send_queue) == ("LISTEN", 1, 5)
    assert (first.local, first.remote) == ("10.0.0.1:80", "*")
    assert first.descriptors == (listener.fileno(),)
    assert (second.state, second.descriptors) == ("ESTAB", ())
    (mine,) = world.netstat(client)
    assert (mine.local, mine.remote) == (second.remote, second.local)
    assert mine.owner == f"fd={conn.fileno()}"


def test_what_is_not_acknowledged_is_in_the_send_queue(
    world: World, server: Host, client: Host, keep: Keep
) -> None:
    """With the timer that would repeat it; what was not read is in the receive queue."""
    listener = keep(server.create_server(("10.0.0.1", 80)))
    conn = keep(client.create_connection(("10.0.0.1", 80)))
    peer, _ = keep(listener.accept())
    conn.sendall(b"x" * 100)
    (mine,) = world.netstat("client")
    assert mine.send_queue == 100
    (timer,) = mine.timers
    assert timer.name == "on"
    assert 0.2 < timer.seconds < 1
    world.run(until=world.now + 0.5)
    assert short(world.netstat("client")) == [("tcp", "ESTAB", 0, 0)]
    assert short(world.netstat("server")) == [("tcp", "LISTEN", 0, 128), ("tcp", "ESTAB", 100, 0)]
    assert peer.recv(1000) == b"x" * 100
    assert short(world.netstat("server"))[1] == ("tcp", "ESTAB", 0, 0)


def test_an_attempt_to_connect_has_its_timer(world: World, client: Host) -> None:
    """How often it was repeated is counted."""
    world.partition("client", "server")
    with client.socket() as sock:
        sock.setblocking(False)
        sock.connect_ex(("10.0.0.1", 80))
        world.run(until=2.5)
        (mine,) = world.netstat()
        assert (mine.state, mine.send_queue) == ("SYN-SENT", 1)
        assert mine.timers == (PendingTimer("on", 0.5, 2),)


def test_a_closed_window_is_probed(world: World, server: Host, client: Host, keep: Keep) -> None:
    """The timer is then called persist."""
    listener = keep(server.create_server(("10.0.0.1", 80)))
    conn = keep(client.create_connection(("10.0.0.1", 80)))
    keep(listener.accept())
    conn.setblocking(False)
    for _ in range(20):
        try:
            while conn.send(bytes(100_000)):
                pass
        except BlockingIOError:
            world.run(until=world.now + 1)
    (mine,) = world.netstat("client")
    assert [timer.name for timer in mine.timers] == ["persist"]
    assert mine.send_queue > 0


def test_time_wait_is_listed_until_it_ends(
    world: World, server: Host, client: Host, keep: Keep
) -> None:
    """It has no descriptor, but a timer."""
    listener = keep(server.create_server(("10.0.0.1", 80)))
    conn = keep(client.create_connection(("10.0.0.1", 80)))
    peer, _ = keep(listener.accept())
    conn.close()
    assert peer.recv(1) == b""
    peer.close()
    world.run(until=10)
    (mine,) = world.netstat("client")
    assert (mine.state, mine.descriptors, mine.recv_queue) == ("TIME-WAIT", (), 0)
    (timer,) = mine.timers
    assert timer.name == "timewait"
    assert 50 < timer.seconds < 51
    world.run(until=100)
    assert world.netstat("client") == ()


def test_keepalive_shows_when_it_will_ask(
    server: Host, client: Host, world: World, keep: Keep
) -> None:
    """Two hours after the last word."""
    listener = keep(server.create_server(("10.0.0.1", 80)))
    conn = keep(client.create_connection(("10.0.0.1", 80)))
    keep(listener.accept())
    world.run(until=1)
    conn.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    (mine,) = world.netstat("client")
    (timer,) = mine.timers
    assert (timer.name, round(timer.seconds, -2)) == ("keepalive", 7200)


def test_a_delayed_acknowledgement_is_shown(
    world: World, server: Host, client: Host, keep: Keep
) -> None:
    """Although ss does not."""
    world.link("server", "client", latency=0.001)
    listener = keep(server.create_server(("10.0.0.1", 80)))
    conn = keep(client.create_connection(("10.0.0.1", 80)))
    peer, _ = keep(listener.accept())
    for _ in range(30):
        conn.sendall(b"?")
        peer.recv(1)
        peer.sendall(b"!")
        conn.recv(1)
    conn.sendall(b"?")
    world.run(until=world.now + 0.002)
    timers = [timer.name for timer in world.netstat("server")[1].timers]
    assert timers == ["delack"]


def test_addresses_are_shown_as_ss_shows_them(
    world: World, server: Host, client: Host, keep: Keep
) -> None:
    """A dual-stack wildcard as a star, IPv4 on an IPv6 socket as mapped."""
    keep(server.create_server(("", 80)))
    keep(server.create_server(("::", 81), family=socket.AF_INET6))
    keep(server.create_server(("::", 82), family=socket.AF_INET6, dualstack_ipv6=True))
    keep(client.create_connection(("10.0.0.1", 82)))
    keep(client.create_connection(("2001:db8::1", 82)))
    world.run(until=1)
    shown = [each.local for each in world.netstat("server")]
    assert shown == [
        "0.0.0.0:80",
        "[::]:81",
        "*:82",
        "[::ffff:10.0.0.1]:82",
        "[2001:db8::1]:82",
    ]


def test_udp_counts_the_memory_that_datagrams_take(world: World, server: Host, keep: Keep) -> None:
    """As ss does: 832 bytes for the smallest (measured on Linux 6.18)."""
    receiver = keep(server.socket(socket.AF_INET, socket.SOCK_DGRAM))
    receiver.bind(("127.0.0.1", 5353))
    sender = keep(server.socket(socket.AF_INET, socket.SOCK_DGRAM))
    sender.connect(("127.0.0.1", 5353))
    sender.send(b"12345")
    assert short(world.netstat()) == [("udp", "UNCONN", 832, 0), ("udp", "ESTAB", 0, 0)]


def test_unix_sockets_are_listed_with_their_peers(world: World, server: Host, keep: Keep) -> None:
    """Queues as measured with ss on Linux 6.18."""
    a, b = keep(server.socketpair())
    a.send(b"z" * 10)
    listener = keep(server.socket(socket.AF_UNIX))
    listener.bind("\0abs")
    listener.listen(3)
    waiting = keep(server.socket(socket.AF_UNIX))
    waiting.connect("\0abs")
    waiting.send(b"hello")
    receiver = keep(server.socket(socket.AF_UNIX, socket.SOCK_DGRAM))
    receiver.bind("\0mail")
    sender = keep(server.socket(socket.AF_UNIX, socket.SOCK_DGRAM))
    sender.connect("\0mail")
    sender.send(b"qq")
    sender.send(b"rrr")
    keep(server.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET))
    found = world.netstat()
    assert short(found) == [
        ("u_str", "ESTAB", 0, 768),
        ("u_str", "ESTAB", 10, 0),
        ("u_str", "LISTEN", 1, 3),
        ("u_str", "ESTAB", 0, 768),
        ("u_str", "ESTAB", 5, 0),
        ("u_dgr", "ESTAB", 2, 0),
        ("u_dgr", "ESTAB", 0, 1536),
        ("u_seq", "UNCONN", 0, 0),
    ]
    assert found[2].local.startswith("@abs #")
    assert found[0].remote == f"#{found[1].number}"
    assert b.fileno() in found[1].descriptors


def test_who_waits_is_named(world: World, server: Host, keep: Keep) -> None:
    """With the call that it waits in."""
    listener = keep(server.create_server(("10.0.0.1", 80)))
    server.spawn(listener.accept, name="doorman")
    world.run(until=1)
    (mine,) = world.netstat()
    assert mine.waiting == ("'doorman' in accept",)
    assert str(world.netstat()).endswith(f"fd={listener.fileno()} 'doorman' in accept")


def test_the_table_has_a_line_for_each_socket(world: World, server: Host, keep: Keep) -> None:
    """Under the names of the columns."""
    keep(server.create_server(("10.0.0.1", 80), backlog=7))
    head, line = str(world.netstat()).splitlines()
    names = ["Netid", "State", "Recv-Q", "Send-Q", "Local", "Remote", "Timer", "Owner"]
    assert head.split() == ["Host", *names]
    assert line.split()[:7] == ["server", "tcp", "LISTEN", "0", "7", "10.0.0.1:80", "*"]


def test_a_host_of_another_world_is_an_error(world: World) -> None:
    """As everywhere."""
    with pytest.raises(ValueError, match="no host of this world"):
        world.netstat("nobody")
