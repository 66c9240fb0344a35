"""Programs with a bug each that a network brings out, and the least that does so.

The hosts, links and arguments are the plainest that show the bug; what goes wrong is decided, drawn
as an argument, or happens to the network.
"""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import attrs
from hypothesis import strategies as st

from simnet import strategies as net
from simnet.host import Host
from simnet.scenario.places import Place
from simnet.scenario.setting import Happening, Heal, HostPlan, Partition, Setting
from simnet.scenario.stage import ManyHosts
from simnet.scenario.ways import Way
from simnet.sources import Deviations as Choices
from simnet.world import World
from tests.exploring.races import RACES

PORT = 7000


def lost_datagram(world: World) -> None:
    """A client asks over UDP, and does not ask again when nothing comes."""
    server, client = pair(world, loss=0.1)
    serve_datagrams(server, lambda request: request.upper())
    with datagrams(client) as sock:
        sock.settimeout(10)
        sock.sendto(b"hello", address(server))
        assert sock.recv(100) == b"HELLO"


def both_attempts_lost(world: World) -> None:
    """A client asks again, but once only."""
    server, client = pair(world, loss=0.1)
    serve_datagrams(server, lambda request: request.upper())
    with datagrams(client) as sock:
        assert ask(sock, server, b"hello", attempts=2) == b"HELLO"


def duplicate_applied_twice(world: World) -> None:
    """A server counts each datagram, not each request."""
    server, client = pair(world, duplicate=0.1)
    counter = counting(server)
    with datagrams(client) as sock:
        ask(sock, server, b"add", attempts=1)
        client.sleep(1)
    assert counter == [1], "counted twice"


def late_answer_counted_twice(world: World) -> None:
    """A client asks again before an answer can have come, and what it asks is done again."""
    server, client = pair(world, jitter=1.0)
    counter = counting(server)
    with datagrams(client) as sock:
        ask(sock, server, b"add", attempts=3)
        client.sleep(5)
    assert counter == [1], "counted twice"


def answer_to_another_request(world: World) -> None:
    """A client takes answers in the order of its requests."""
    server, client = pair(world, reorder=0.1)
    serve_datagrams(server, lambda request: request.upper())
    with datagrams(client) as sock:
        sock.settimeout(10)
        for request in (b"one", b"two"):
            sock.sendto(request, address(server))
            client.sleep(0.01)
        assert [sock.recv(100), sock.recv(100)] == [b"ONE", b"TWO"], "mixed up"


def split_delimiter(world: World, pieces: list[bytes]) -> None:
    """A parser looks for the end of a line in each piece by itself."""
    with world.host("h") as host:
        one, other = host.socketpair()
        with one, other:
            lines, rest = [], b""
            for piece in pieces:
                one.sendall(piece)
                received = other.recv(100)
                *ended, last = received.split(b"\r\n")
                for line in ended:
                    lines.append(rest + line)
                    rest = b""
                rest += last
    assert lines == [b"one", b"two"], lines


def acknowledged_before_it_is_copied(world: World, faults: Sequence[Happening]) -> None:
    """A store says that a value is kept before its copy has it, and never looks whether it has."""
    stage = ManyHosts(world, _COPIES, virtual=True)
    for fault in faults:
        stage.happen(fault)
    client, first, second = (world.hosts[name] for name in HOSTS)
    kept: list[bytes] = []
    serve_datagrams(second, lambda value: kept.append(value) or b"kept")

    def keep(value: bytes) -> bytes:
        with datagrams(first) as sock:
            sock.sendto(value, address(second))
        return b"kept"

    serve_datagrams(first, keep)
    acknowledged = []
    with datagrams(client) as sock:
        for number in range(3):
            value = b"%d" % number
            client.sleep(1)
            try:
                ask(sock, first, value, attempts=1)
            except TimeoutError:
                continue
            acknowledged.append(value)
    client.sleep(10)
    assert set(acknowledged) <= set(kept), "a value that was acknowledged is lost"


def leases_overlap(world: World, offset: float) -> None:
    """A lock is let for so long by the clock of its holder, which may be behind."""
    server, holder = world.host("server"), world.host("holder", clock_offset=-offset)
    world.default_link(latency=0.01)
    until = server.time() + 10
    working: list[str] = []

    def hold() -> None:
        while holder.time() < until:
            working.append("holder")
            holder.sleep(1)
            working.remove("holder")

    task = holder.spawn(hold)
    server.sleep(until - server.time() + 0.5)
    assert not working, "two hold the lock"
    task.join()


def half_close_taken_for_a_close(world: World) -> None:
    """A server closes at the end of what is asked, though an answer is still being made."""
    server, client = pair(world, jitter=0.1)

    def answer(conn: Any, request: bytes) -> None:
        server.sleep(0.01)
        conn.sendall(request.upper())

    def serve() -> None:
        with server.create_server(("", PORT)) as listener:
            conn, _ = listener.accept()
        with conn:
            while request := conn.recv(100):
                server.spawn(answer, conn, request)

    server.spawn(serve)
    client.sleep(0)
    with client.create_connection(address(server)) as conn:
        conn.sendall(b"hello")
        client.sleep(0.02)
        conn.shutdown(socket.SHUT_WR)
        assert conn.recv(100) == b"HELLO"


def partial_send_ignored(world: World) -> None:
    """A client takes it that what it hands to `send` is sent."""
    server, client = pair(world)
    with streams(server, client) as (conn, other):
        conn.send(b"hello")
        conn.shutdown(socket.SHUT_WR)
        assert b"".join(iter(lambda: other.recv(100), b"")) == b"hello"


def length_read_in_part(world: World) -> None:
    """A server takes it that four bytes that were sent are there to be read."""
    server, client = pair(world)
    with streams(server, client) as (conn, other):
        conn.sendall((5).to_bytes(4, "big") + b"hello")
        length = int.from_bytes(other.recv(4), "big")
        assert length == 5, "not the length"


def read_and_written_back(world: World) -> None:
    """Two clients on two hosts read a number from a third, and write it back plus one."""
    server, *clients = (world.host(name) for name in ("server", "a", "b"))
    world.default_link(latency=0.01, jitter=0.1)
    value = [0]

    def serve(request: bytes) -> bytes:
        if request != b"read":
            value[0] = int(request)
        return b"%d" % value[0]

    serve_datagrams(server, serve)

    def add(client: Host, pause: float) -> None:
        client.sleep(pause)
        with datagrams(client) as sock:
            seen = int(ask(sock, server, b"read", attempts=1))
            ask(sock, server, b"%d" % (seen + 1), attempts=1)

    tasks = [each.spawn(add, each, pause) for each, pause in zip(clients, (0, 0.05), strict=True)]
    for task in tasks:
        task.result()
    assert value == [2], "an update was lost"


# What they are made of

HOSTS = ("client", "first", "second")
_COPIES = Setting(
    tuple(HostPlan(name, (f"10.0.0.{number}",), ()) for number, name in enumerate(HOSTS, 1))
)


def pair(world: World, **conditions: float) -> tuple[Host, Host]:
    """A server and a client with a link between them."""
    server, client = world.host("server"), world.host("client")
    world.link(server, client, latency=0.05, **conditions)
    return server, client


@contextmanager
def streams(server: Host, client: Host) -> Iterator[tuple[Any, Any]]:
    """Both ends of a connection, the client's first."""
    with server.create_server(("", PORT)) as listener:
        conn = client.create_connection(address(server))
        other, _ = listener.accept()
    with conn, other:
        yield conn, other


def datagrams(host: Host) -> Any:
    """A socket for them."""
    return host.socket(type=socket.SOCK_DGRAM)


def address(host: Host) -> tuple[str, int]:
    """Where its server listens."""
    return str(host.addresses[0]), PORT


def serve_datagrams(host: Host, answer: Callable[[bytes], bytes]) -> None:
    """Answer every datagram, for ever."""
    sock = datagrams(host)
    sock.bind(("", PORT))

    def serve() -> None:
        while True:
            request, sender = sock.recvfrom(100)
            sock.sendto(answer(request), sender)

    host.spawn(serve)


def counting(host: Host) -> list[int]:
    """Serve a counter."""
    counter = [0]

    def add(request: bytes) -> bytes:
        counter[0] += 1
        return b"%d" % counter[0]

    serve_datagrams(host, add)
    return counter


def ask(sock: Any, server: Host, request: bytes, attempts: int) -> bytes:
    """Ask, and ask again when nothing came within a second."""
    sock.settimeout(1)
    for attempt in range(1, attempts + 1):
        sock.sendto(request, address(server))
        try:
            answer: bytes = sock.recv(100)
            return answer
        except TimeoutError:
            if attempt == attempts:
                raise
    raise AssertionError("unreachable")


@attrs.frozen
class Bug:
    """A program with a bug, how its failure is told, and the least that brings it out."""

    program: Callable[..., object]
    failure: str
    # What is decided otherwise than in the plainest run, written by hand, for the policy "uniform".
    decisions: Choices = attrs.Factory(dict)
    # An argument besides the world: what draws it, what it is when nothing is wrong, and the least.
    argument: st.SearchStrategy[Any] | None = None
    plainest: Any = None
    least: Any = None
    # How large an argument is: how many things in it are not as in the plainest.
    size: Callable[[Any], int] = len
    # In which ways its world is nasty.
    nasty: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """What the program is called."""
        return self.program.__name__

    @property
    def minimum(self) -> int:
        """How many things have to be otherwise than in the plainest run."""
        return self.cost(self.decisions, self.least)

    def cost(self, decisions: Choices, argument: Any) -> int:
        """How many decisions are not the plainest, and how large the argument is."""
        deviations = sum(len(choices) for choices in decisions.values())
        return deviations + (0 if self.argument is None else self.size(argument))

    def bound(self, argument: Any) -> Callable[[World], object]:
        """The program with its argument."""
        if self.argument is None:
            return self.program
        return lambda world: self.program(world, argument)


_PARTED = Way(("first",), ("second",), both_ways=True)
_LEAST_FAULTS = (
    Happening(Place(""), Partition(_PARTED), at=0.9),
    Happening(Place(""), Heal(_PARTED), at=1.1),
)

RACING = {
    "lost_update": {0: 1, 4: 1},
    "double_close": {0: 1, 2: 1},
    "accept_after_close": {0: 1, 3: 1},
    "reader_and_writer": {0: 1, 3: 1},
    "missed_wake_up": {0: 1, 3: 1},
}
BUGS = (
    *(Bug(race.program, race.failure, {"scheduler": RACING[race.name]}) for race in RACES),
    Bug(lost_datagram, "TimeoutError", {"link client->server/loss": {0: 1}}),
    Bug(both_attempts_lost, "TimeoutError", {"link client->server/loss": {0: 1, 1: 1}}),
    Bug(duplicate_applied_twice, "AssertionError", {"link client->server/duplicate": {0: 1}}),
    Bug(
        late_answer_counted_twice,
        "AssertionError",
        {"link client->server/jitter": {0: 999_999_999}},
    ),
    Bug(
        answer_to_another_request,
        "AssertionError",
        {"link client->server/reorder": {0: 1, 1: 2**32 - 1}},
    ),
    Bug(
        half_close_taken_for_a_close,
        "AssertionError",
        {"link client->server/jitter": {2: 100_000_000}},
    ),
    Bug(read_and_written_back, "AssertionError", {"link server->a/jitter": {0: 100_000_000}}),
    Bug(
        partial_send_ignored,
        "AssertionError",
        {"nasty short_sends": {0: 1}},
        nasty=("short_sends",),
    ),
    Bug(
        length_read_in_part,
        "AssertionError",
        {"nasty short_reads": {0: 1}},
        nasty=("short_reads", "short_sends", "would_block"),
    ),
    Bug(
        split_delimiter,
        "AssertionError",
        argument=net.splits(b"one\r\ntwo\r\n", near=b"\r\n"),
        plainest=[b"one\r\ntwo\r\n"],
        least=[b"one\r", b"\ntwo\r\n"],
        size=lambda pieces: len(pieces) - 1,
    ),
    Bug(
        acknowledged_before_it_is_copied,
        "AssertionError",
        argument=net.fault_schedules(HOSTS, until=5, families=["partitions"]),
        plainest=(),
        least=_LEAST_FAULTS,
    ),
    Bug(
        leases_overlap,
        "AssertionError",
        argument=st.integers(0, 60),
        plainest=0,
        least=1,
        size=lambda offset: offset and 1,
    ),
)
