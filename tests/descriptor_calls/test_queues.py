"""ioctl(): how much waits to be read and sent, and where the urgent byte is."""

from __future__ import annotations

import socket
import termios
from collections.abc import Callable
from contextlib import ExitStack
from typing import Any

import pytest

from simnet import World
from tests.descriptor_calls.places import (
    INT,
    SIMULATED,
    SIOCATMARK,
    Kinds,
    Place,
    both,
    outcome,
)

REQUESTS = {"FIONREAD": termios.FIONREAD, "TIOCOUTQ": termios.TIOCOUTQ, "SIOCATMARK": SIOCATMARK}


def ask(at: Place, *socks: Any) -> list[Any]:
    """Every question to every socket."""
    buffer = INT.pack(0)
    return [
        [outcome(at.fcntl.ioctl, sock, request, buffer) for sock in socks]
        for request in REQUESTS.values()
    ]


def tcp(at: Place, stack: ExitStack) -> tuple[Any, Any]:
    """The ends of a connection."""
    client, server, _ = Kinds(at, stack).tcp_pair()
    return client, server


def pair_of(kind: int) -> Callable[[Place, ExitStack], tuple[Any, Any]]:
    """The ends of a pair of unix sockets."""
    return lambda at, stack: Kinds(at, stack).pair(kind)


def udp(at: Place, stack: ExitStack) -> tuple[Any, Any]:
    """Two sockets of which one is connected to the other."""
    one, other = (
        stack.enter_context(at.socket.socket(socket.AF_INET, socket.SOCK_DGRAM)) for _ in range(2)
    )
    other.bind(("127.0.0.1", 0))
    one.connect(other.getsockname())
    for sock in (one, other):
        sock.setblocking(False)
    return one, other


PAIRS = {
    "tcp": tcp,
    "udp": udp,
    "unix stream": pair_of(socket.SOCK_STREAM),
    "unix datagram": pair_of(socket.SOCK_DGRAM),
    "unix seqpacket": pair_of(socket.SOCK_SEQPACKET),
}
COURSES: dict[str, list[Callable[[Any, Any], Any]]] = {
    "two messages": [
        lambda a, _: a.send(b"abc"),
        lambda a, _: a.send(b"de"),
        lambda _, b: b.recv(2),
        lambda _, b: b.recv(99),
        lambda _, b: b.recv(99),
    ],
    "an empty message": [lambda a, _: a.send(b""), lambda _, b: b.recv(9)],
    "the end": [
        lambda a, _: a.send(b"abc"),
        lambda a, _: a.shutdown(socket.SHUT_WR),
        lambda _, b: b.recv(9),
        lambda _, b: b.recv(9),
    ],
    "an urgent byte": [
        lambda a, _: a.send(b"ab"),
        lambda a, _: a.send(b"!", socket.MSG_OOB),
        lambda a, _: a.send(b"cd"),
        lambda _, b: b.recv(9),
        lambda _, b: b.recv(1, socket.MSG_OOB),
        lambda _, b: b.recv(9),
    ],
    "an urgent byte that nobody takes": [
        lambda a, _: a.send(b"!", socket.MSG_OOB),
        lambda a, _: a.send(b"cd"),
        lambda _, b: b.recv(9),
    ],
    "an urgent byte in its place": [
        lambda _, b: b.setsockopt(socket.SOL_SOCKET, socket.SO_OOBINLINE, 1),
        lambda a, _: a.send(b"ab"),
        lambda a, _: a.send(b"!", socket.MSG_OOB),
        lambda _, b: b.recv(9),
        lambda _, b: b.recv(9),
    ],
}


# Linux 6.18 counts an urgent byte of a unix stream that was passed over as waiting for ever, from
# its cached length (u->inq_len); kernels that add the queue up, as here, do not.
CASES = [
    (pair, course)
    for pair in PAIRS
    for course in COURSES
    if (pair, course) != ("unix stream", "an urgent byte that nobody takes")
]


@pytest.mark.parametrize(("pair", "course"), CASES)
def test_lengths_of_queues_are_the_kernels(pair: str, course: str) -> None:
    """After every step, at both ends."""

    def body(at: Place) -> Any:
        with ExitStack() as stack:
            ends = PAIRS[pair](at, stack)
            seen = [ask(at, *ends)]
            for step in COURSES[course]:
                seen.append((outcome(step, *ends), ask(at, *ends)))
            return seen

    on_kernel, simulated = both(body)
    assert simulated == on_kernel


def test_a_listener_has_no_queue_of_bytes() -> None:
    """EINVAL, but for what a unix one says of sending."""

    def body(at: Place) -> Any:
        with ExitStack() as stack:
            unix = stack.enter_context(at.socket.socket(socket.AF_UNIX))
            unix.bind("")
            unix.listen()
            return ask(at, unix, Kinds(at, stack).tcp_pair()[2])

    on_kernel, simulated = both(body)
    assert simulated == on_kernel


def test_what_was_sent_waits_until_it_is_acknowledged() -> None:
    """Over a link that takes its time, bytes on their way count (tcp_ioctl)."""
    world = World()
    a, b = world.host("a"), world.host("b")
    world.link(a, b, latency=1)
    with b:
        listener = b.create_server((b.addresses[0], 80))
    with a, listener:
        client = a.create_connection(listener.getsockname())
        client.send(b"12345")
        assert ask(SIMULATED, client)[1] == [INT.pack(5)]
        a.sleep(3)
        assert ask(SIMULATED, client)[1] == [INT.pack(0)]
        client.close()
        listener.accept()[0].close()
