"""Small worlds that record, for the tests of the views."""

from __future__ import annotations

from simnet import World
from simnet.faults import Delivery
from simnet.host import Host
from simnet.wire import Segment


def lossy_world(seed: int = 3, size: int = 20_000) -> World:
    """A client fetches a few pages from a server over a bad link."""
    world = World(seed=seed, record=True)
    server, client = world.host("server", ip="10.0.0.1"), world.host("client", ip="10.0.0.2")
    world.link(client, server, latency=0.02, loss=0.1, duplicate=0.2, bandwidth=2_000_000)
    task = server.spawn(serve, server, size)
    client.sleep(0.001)
    with client.create_connection(("server", 80)) as conn:
        conn.sendall(b"GET / HTTP/1.0\r\n\r\n")
        with conn.makefile("rb") as answer:
            assert len(answer.read()) == size
    task.result()
    world.run()
    return world


def serve(host: Host, size: int) -> None:
    """Answer one request."""
    with host.create_server(("", 80)) as listener:
        conn, _ = listener.accept()
        with conn:
            conn.recv(1000)
            conn.sendall(b"<p>" + bytes(size - 3))


def chat_on_one_host() -> World:
    """A connection through the loopback, a datagram that is refused, and one over IPv6."""
    world = World(seed=1, record=True)
    net = world.host("localhost", ip=("10.0.0.1", "fd00::1"))
    with net.create_server(("127.0.0.1", 8080)) as listener:
        with net.create_connection(("127.0.0.1", 8080)) as conn:
            peer, _ = listener.accept()
            with peer:
                conn.sendall(b"hello")
                assert peer.recv(100) == b"hello"
    with net.socket(2, 2) as sock:
        sock.sendto(b"anybody?", ("127.0.0.1", 9))
    with net.socket(10, 2) as sock:
        sock.sendto(b"six", ("::1", 9))
    return world


def lost_syn() -> World:
    """The first SYN is lost; nobody listens for the second."""
    world = World(record=True)
    world.host("server", ip="10.0.0.1")
    client = world.host("client", ip="10.0.0.2")
    world.link("client", "server", latency=0.01)
    lost: list[Segment] = []

    def first_syn(packet: Segment, link: object) -> list[Delivery]:
        lost.append(packet)
        return [] if len(lost) == 1 else [Delivery(packet)]

    with world.fault(first_syn), client.socket() as sock:
        assert sock.connect_ex(("server", 80))
    return world
