"""Short programs of a client and a server, whose segments are compared (test_segments.py).

Only such as leave nothing to chance: of two things at once, the kernel may do either first.
"""

from __future__ import annotations

import socket
import struct
from collections.abc import Callable

from simnet.api import Network, Socket, Topology
from tests.conformance_hosts.ways import PATIENCE, SOL, TCP, address_of

NODELAY, CORK, KEEPIDLE, KEEPINTVL, KEEPCNT, QUICKACK, USER_TIMEOUT = 1, 3, 4, 5, 6, 12, 18

Program = Callable[[Topology, Network, Network], None]
PROGRAMS: dict[str, Program] = {}


def program(body: Program) -> Program:
    """A case, by the name of its function."""
    PROGRAMS[body.__name__] = body
    return body


def opened(client: Network, server: Network) -> tuple[Socket, Socket]:
    """A fresh connection."""
    with server.create_server(("", 80)) as listener:
        conn = client.create_connection((address_of(server), 80), PATIENCE)
        peer = listener.accept()[0]
    peer.settimeout(PATIENCE)
    return conn, peer


def sleep_until(host: Network, instant: float) -> None:
    """Wait for an instant of a host's clock: to cut a way off takes the kernel a while."""
    host.sleep(max(0.0, instant - host.monotonic()))


@program
def a_question_and_an_answer(topology: Topology, client: Network, server: Network) -> None:
    """The client closes first."""
    conn, peer = opened(client, server)
    with conn, peer:
        conn.send(b"abc")
        peer.recv(9)
        peer.send(b"defg")
        conn.recv(9)
        client.sleep(0.1)
        conn.close()
        client.sleep(0.1)
        peer.recv(9)
    client.sleep(0.1)


@program
def a_server_that_speaks_first(topology: Topology, client: Network, server: Network) -> None:
    """Several turns; the server closes first."""
    conn, peer = opened(client, server)
    with conn, peer:
        for sender, receiver, text in (
            (peer, conn, b"220 hi"),
            (conn, peer, b"EHLO"),
            (peer, conn, b"250"),
            (conn, peer, b"QUIT"),
        ):
            sender.send(text)
            receiver.recv(99)
        peer.close()
        client.sleep(0.1)
        conn.recv(1)
    client.sleep(0.1)


@program
def small_writes_that_are_read(topology: Topology, client: Network, server: Network) -> None:
    """Each is acknowledged at once: the reader never has anything to say."""
    conn, peer = opened(client, server)
    with conn, peer:
        conn.setsockopt(TCP, NODELAY, 1)
        for _ in range(8):
            conn.send(b"x")
            client.sleep(0.01)
            peer.recv(9)
    client.sleep(0.1)


@program
def two_small_writes_and_an_answer(topology: Topology, client: Network, server: Network) -> None:
    """Nagle's algorithm against delayed acknowledgements."""
    conn, peer = opened(client, server)
    with conn, peer:
        for _ in range(3):
            conn.send(b"1")
            conn.send(b"2")
            client.sleep(0.1)
            peer.recv(9)
            peer.send(b"r")
            conn.recv(9)
    client.sleep(0.1)


@program
def acknowledgements_without_haste(topology: Topology, client: Network, server: Network) -> None:
    """TCP_QUICKACK off."""
    conn, peer = opened(client, server)
    with conn, peer:
        conn.setsockopt(TCP, NODELAY, 1)
        peer.setsockopt(TCP, QUICKACK, 0)
        for _ in range(4):
            conn.send(b"x")
            client.sleep(0.1)
            peer.recv(9)
    client.sleep(0.1)


@program
def a_cork(topology: Topology, client: Network, server: Network) -> None:
    """What is less than a segment waits: until the cork is pulled, or for 200 ms."""
    conn, peer = opened(client, server)
    with conn, peer:
        conn.setsockopt(TCP, CORK, 1)
        conn.send(b"a" * 100)
        client.sleep(0.1)
        conn.setsockopt(TCP, CORK, 0)
        client.sleep(0.1)
        conn.setsockopt(TCP, CORK, 1)
        conn.send(b"b" * 100)
        client.sleep(0.4)
        peer.recv(9999)
    client.sleep(0.1)


@program
def a_cork_over_more_than_a_segment(topology: Topology, client: Network, server: Network) -> None:
    """The full segment leaves; the rest waits for 200 ms after that."""
    conn, peer = opened(client, server)
    with conn, peer:
        conn.setsockopt(TCP, CORK, 1)
        conn.send(b"a" * 100)
        client.sleep(0.1)
        conn.send(b"b" * 2000)
        client.sleep(0.4)
        peer.recv(9999)
    client.sleep(0.1)


@program
def an_end_with_data_unread(topology: Topology, client: Network, server: Network) -> None:
    """It is a reset."""
    conn, peer = opened(client, server)
    with conn, peer:
        conn.send(b"abc")
        client.sleep(0.1)
        peer.close()
        client.sleep(0.1)


@program
def half_a_connection(topology: Topology, client: Network, server: Network) -> None:
    """The end of the questions, then the answer."""
    conn, peer = opened(client, server)
    with conn, peer:
        conn.send(b"q")
        conn.shutdown(socket.SHUT_WR)
        client.sleep(0.1)
        peer.recv(9)
        peer.recv(9)
        peer.send(b"answer")
        client.sleep(0.1)
        peer.close()
        conn.recv(9)
        client.sleep(0.1)


@program
def urgent_data(topology: Topology, client: Network, server: Network) -> None:
    """Between ordinary data."""
    conn, peer = opened(client, server)
    with conn, peer:
        conn.send(b"abc")
        conn.send(b"!", socket.MSG_OOB)
        client.sleep(0.1)
        peer.setblocking(False)
        assert peer.recv(9) == b"abc"
        assert peer.recv(9, socket.MSG_OOB) == b"!"
    client.sleep(0.1)


@program
def data_that_is_lost(topology: Topology, client: Network, server: Network) -> None:
    """Repeated after 0.2, 0.6 seconds; what follows goes on from there."""
    conn, peer = opened(client, server)
    with conn, peer:
        conn.send(b"a")
        peer.recv(1)
        peer.send(b"b")
        conn.recv(1)
        begun = client.monotonic()
        with topology.partition(client, server):
            sleep_until(client, begun + 0.2)
            conn.send(b"lost")
            client.sleep(0.4)
        peer.recv(9)
        sleep_until(client, begun + 1.2)
        conn.send(b"more")
        client.sleep(0.1)
        peer.recv(9)
    client.sleep(0.1)


@program
def an_end_that_is_lost(topology: Topology, client: Network, server: Network) -> None:
    """Repeated like data."""
    conn, peer = opened(client, server)
    with conn, peer:
        conn.send(b"a")
        peer.recv(1)
        begun = client.monotonic()
        with topology.partition(client, server):
            sleep_until(client, begun + 0.2)
            conn.close()
            client.sleep(0.4)
        peer.recv(9)
        client.sleep(0.1)
    client.sleep(0.1)


@program
def probes_that_are_answered_and_then_not(
    topology: Topology, client: Network, server: Network
) -> None:
    """Keepalive, until it gives up with a reset."""
    conn, peer = opened(client, server)
    with conn, peer:
        conn.send(b"a")
        peer.recv(1)
        for option in (KEEPIDLE, KEEPINTVL, KEEPCNT):
            conn.setsockopt(TCP, option, 1)
        conn.setsockopt(SOL, socket.SO_KEEPALIVE, 1)
        client.sleep(1.5)
        topology.partition(server, client, one_way=True)
        client.sleep(2)


@program
def nobody_there(topology: Topology, client: Network, server: Network) -> None:
    """A SYN every second."""
    topology.partition(client, server)
    with client.socket() as sock:
        sock.settimeout(1.5)
        sock.connect_ex((address_of(server), 80))


@program
def nobody_listening(topology: Topology, client: Network, server: Network) -> None:
    """A reset."""
    with client.socket() as sock:
        sock.connect_ex((address_of(server), 80))


@program
def a_reset_on_purpose(topology: Topology, client: Network, server: Network) -> None:
    """SO_LINGER 0."""
    conn, peer = opened(client, server)
    with conn, peer:
        conn.send(b"abc")
        client.sleep(0.1)
        conn.setsockopt(SOL, socket.SO_LINGER, struct.pack("ii", 1, 0))
        conn.close()
        client.sleep(0.1)


@program
def data_for_a_closed_end(topology: Topology, client: Network, server: Network) -> None:
    """It is answered with a reset."""
    conn, peer = opened(client, server)
    with conn, peer:
        conn.close()
        client.sleep(0.1)
        peer.send(b"x")
        client.sleep(0.1)


@program
def a_listener_that_goes_away(topology: Topology, client: Network, server: Network) -> None:
    """Who has not been accepted is reset."""
    with server.create_server(("", 80)) as listener:
        with client.create_connection((address_of(server), 80), PATIENCE) as conn:
            conn.send(b"hello")
            client.sleep(0.1)
            listener.close()
            client.sleep(0.1)


@program
def an_end_behind_small_writes(topology: Topology, client: Network, server: Network) -> None:
    """Closing lets go of what Nagle's algorithm holds, with the FIN."""
    conn, peer = opened(client, server)
    with conn, peer:
        for text in (b"one", b"two", b"three"):
            conn.send(text)
        conn.close()
        client.sleep(0.1)
        peer.recv(99)
    client.sleep(0.1)


@program
def answers_soon_and_late(topology: Topology, client: Network, server: Network) -> None:
    """An answer within 40 ms carries the acknowledgement; a later one comes behind it."""
    conn, peer = opened(client, server)
    with conn, peer:
        for pause in (0, 0, 0, 0.015, 0.08):
            conn.send(b"q")
            client.sleep(pause)
            peer.recv(1)
            peer.send(b"r")
            conn.recv(1)
            client.sleep(0.1)


@program
def a_burst_without_delay(topology: Topology, client: Network, server: Network) -> None:
    """Small segments one after the other: acknowledged later, or when there is enough of them."""
    conn, peer = opened(client, server)
    with conn, peer:
        conn.setsockopt(TCP, NODELAY, 1)
        for _ in range(3):
            conn.send(b"q")
            peer.recv(1)
            peer.send(b"r")
            conn.recv(1)
        client.sleep(0.1)
        for _ in range(5):
            conn.send(b"xy")
        client.sleep(0.1)
        peer.recv(99)
    client.sleep(0.1)


@program
def more_to_come(topology: Topology, client: Network, server: Network) -> None:
    """MSG_MORE holds back until there is more, for a time-out, or until the end."""
    conn, peer = opened(client, server)
    with conn, peer:
        conn.send(b"a" * 10, socket.MSG_MORE)
        client.sleep(0.05)
        conn.send(b"b")
        client.sleep(0.1)
        peer.recv(99)
        conn.send(b"c", socket.MSG_MORE)
        client.sleep(0.4)
        peer.recv(9)
        conn.send(b"d", socket.MSG_MORE)
        conn.close()
        client.sleep(0.1)
        peer.recv(9)
    client.sleep(0.1)


@program
def patience_that_ends(topology: Topology, client: Network, server: Network) -> None:
    """TCP_USER_TIMEOUT: what is given up says nothing any more."""
    conn, peer = opened(client, server)
    with conn, peer:
        conn.send(b"a")
        peer.recv(1)
        begun = client.monotonic()
        conn.setsockopt(TCP, USER_TIMEOUT, 700)
        topology.partition(client, server)
        sleep_until(client, begun + 0.2)
        conn.send(b"x")
        client.sleep(1.5)
