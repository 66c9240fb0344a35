"""Two programs that exchange bytes over a link, whatever the link does."""

from __future__ import annotations

import socket
from collections.abc import Sequence

import attrs

from simnet import World
from simnet.host import Host
from simnet.protocols.tcp import Tcp
from simnet.tasks import SimTask

SERVER = ("10.0.0.2", 80)
# What a program may be told when the peer cannot be reached for long.
LAWFUL = (TimeoutError, ConnectionResetError, BrokenPipeError)
# Seconds after which it has found out: 2 hours, and 9 probes 75 s apart.
KEEPALIVE = 7200 + 10 * 75


@attrs.frozen
class Plan:
    """What is written on either side, in which pieces, and how the readers read."""

    upwards: Sequence[int] = (1000,)
    downwards: Sequence[int] = (1000,)
    read_size: int = 65536
    # Seconds that the server's reader waits before each read, and the size of its buffer.
    pause: float = 0.0
    rcvbuf: int | None = None
    nodelay: bool = False


def pattern(sizes: Sequence[int], start: int) -> bytes:
    """Bytes of which every part tells where it belongs."""
    return b"".join(b"%08x" % (start + i) for i in range(sum(sizes) // 8 + 1))[: sum(sizes)]


@attrs.define
class Side:
    """One end: what it wrote and read, and what ended it."""

    wrote: bytes = b""
    accepted: int = 0
    read: bytes = b""
    error: OSError | None = None
    closed: bool = False


@attrs.frozen
class Exchange:
    """A world with two hosts, and what came of a plan on them."""

    world: World
    client_host: Host
    server_host: Host
    client: Side
    server: Side

    @property
    def complete(self) -> bool:
        """Whether each side has read all that the other wrote, up to its end."""
        return all(
            one.read == other.wrote and one.closed
            for one, other in ((self.client, self.server), (self.server, self.client))
        )

    def directions(self) -> list[tuple[Side, Side, Tcp, Tcp]]:
        """(writer, reader, their endpoints) of each direction, while both endpoints live."""
        ends = {bound.connection: bound for bound in self.connections()}
        found = []
        for (local, remote), bound in ends.items():
            other = ends.get((remote, local))
            if other is not None:
                sides = (self.client, self.server)
                one, two = sides if bound.host is self.client_host else sides[::-1]
                found.append((one, two, bound, other))
        return found

    def connections(self) -> list[Tcp]:
        """Connections of both hosts whose endpoints live."""
        return [
            bound
            for host in (self.client_host, self.server_host)
            for bound in host.tcp_ports.connections.values()
            if isinstance(bound, Tcp)
        ]


def exchange(world: World, plan: Plan) -> Exchange:
    """Start the plan; `world.run()` brings it to its end."""
    client_host, server_host = (
        world.host("client", ip="10.0.0.1"),
        world.host("server", ip=SERVER[0]),
    )
    for host in (client_host, server_host):
        # Who has closed goes on as long as others do, so that only the link decides.
        host.limits = attrs.evolve(host.limits, tcp_orphan_retries=host.limits.tcp_retries2)
    client = Side(wrote=pattern(plan.upwards, 0))
    server = Side(wrote=pattern(plan.downwards, 1 << 20))
    listener = server_host.socket()
    if plan.rcvbuf is not None:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, plan.rcvbuf)
    listener.bind(SERVER)
    listener.listen()

    def serve() -> None:
        with listener:
            conn = listener.accept()[0]
        _converse(server_host, conn, server, plan.downwards, plan, pause=plan.pause)

    def connect() -> None:
        try:
            conn = client_host.create_connection(SERVER)
        except OSError as error:
            client.error = error
            return
        _converse(client_host, conn, client, plan.upwards, plan, pause=0.0)

    server_host.spawn(serve, name="server")
    client_host.spawn(connect, name="client")
    return Exchange(world, client_host, server_host, client, server)


def _converse(
    host: Host, conn: socket.socket, side: Side, sizes: Sequence[int], plan: Plan, pause: float
) -> None:
    """Write and read at once; close when the peer has ended.

    Keepalive tells a reader whose peer gave up after its close, without a word.
    """
    conn.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, plan.nodelay)
    conn.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, True)

    def write() -> None:
        start = 0
        for size in sizes:
            piece = side.wrote[start : start + size]
            start += size
            while piece:
                count = conn.send(piece)
                side.accepted += count
                piece = piece[count:]
        conn.shutdown(socket.SHUT_WR)

    def guarded() -> None:
        try:
            write()
        except OSError as error:
            side.error = side.error or error

    writer: SimTask = host.spawn(guarded, name=f"{host.name} writes")
    with conn:
        try:
            while True:
                if pause:
                    host.sleep(pause)
                data = conn.recv(plan.read_size)
                if not data:
                    break
                side.read += data
            side.closed = True
        except OSError as error:
            side.error = side.error or error
        writer.join()


def run_to_the_end(run: Exchange) -> None:
    """Until nothing is left to happen; who waits still is told by keepalive."""
    run.world.run()
    if run.world.scheduler.tasks:
        run.world.run(until=run.world.now + KEEPALIVE)
