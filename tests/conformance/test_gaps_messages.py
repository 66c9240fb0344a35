"""Urgent bytes, corked datagrams, forgotten pollers: what planted faults showed."""

from __future__ import annotations

import gc
import socket
import struct
from contextlib import ExitStack

import pytest

from simnet.api import Network, Socket
from tests.conformance.kinds import (
    CONNECTION_NAMES,
    PATIENCE,
    STREAM_PAIRS,
    UDP_PAIRS,
    UNIX_STREAM_PAIRS,
    Kind,
    Named,
    each,
)
from tests.conformance.outcomes import outcome
from tests.conformance.unix_sockets import opened

OOB, PEEK, MORE = socket.MSG_OOB, socket.MSG_PEEK, socket.MSG_MORE
POLLPRI = 2
Pair = tuple[Socket, Socket]


def with_urgent_byte(net: Network, pair: Pair) -> Socket:
    """The end that has got an urgent byte."""
    a, b = pair
    a.send(b"u", OOB)
    poller = net.poll()
    poller.register(b, POLLPRI)
    assert poller.poll(PATIENCE * 1000)
    return b


@each(STREAM_PAIRS)
@pytest.mark.parametrize("call", ["recv_into", "recvfrom_into", "recvmsg_into"])
def test_an_urgent_byte_counts_as_one(net: Network, pair: Pair, call: str) -> None:
    """Each call that receives into a buffer returns 1 for it."""
    b = with_urgent_byte(net, pair)
    buffer = bytearray(3)
    got = {
        "recv_into": lambda: b.recv_into(buffer, 3, OOB),
        "recvfrom_into": lambda: b.recvfrom_into(buffer, 3, OOB)[0],
        "recvmsg_into": lambda: b.recvmsg_into([buffer], 0, OOB)[0],
    }[call]()
    assert (got, bytes(buffer)) == (1, b"u\0\0")


@each(STREAM_PAIRS)
def test_peeking_at_an_urgent_byte_leaves_it(net: Network, pair: Pair) -> None:
    """MSG_OOB with MSG_PEEK shows it as often as asked; without, it is gone."""
    b = with_urgent_byte(net, pair)
    assert [b.recv(1, OOB | PEEK), b.recv(1, OOB | PEEK), b.recv(1, OOB)] == [b"u"] * 3
    assert outcome(b.recv, 1, OOB) == "EINVAL"


@each(UNIX_STREAM_PAIRS)
def test_peeking_passes_over_an_urgent_byte_that_stands_first(
    net: Network, sockets: ExitStack, kind: Kind
) -> None:
    """And leaves it where it is."""
    a, b = opened(sockets, net, kind)
    a.send(b"u", OOB)
    a.send(b"de")
    assert outcome(b.recv, 10, PEEK) == b"de"
    assert outcome(b.recv, 1, OOB) == b"u"
    assert outcome(b.recv, 10) == b"de"


@each([kind for kind in UDP_PAIRS if kind.name == "udp4"])
@pytest.mark.parametrize("size", [65507, 65508])
def test_a_datagram_put_together_has_the_same_limit(net: Network, pair: Pair, size: int) -> None:
    """65,507 bytes over IPv4, in one piece or in several."""
    a, b = pair
    b.settimeout(PATIENCE)
    a.send(bytes(60_000), MORE)
    sent = outcome(a.send, bytes(size - 60_000))
    assert sent == (size - 60_000 if size <= 65507 else "EMSGSIZE")


def test_a_forgotten_epoll_closes_itself(net: Network) -> None:
    """Its descriptor is free once the object is collected."""
    poller = net.epoll()
    number = poller.fileno()
    del poller
    gc.collect()
    assert outcome(net.socket, -1, -1, -1, number) == "EBADF"


@each(CONNECTION_NAMES, argument="named")
def test_a_connect_with_sndtimeo_waits_so_long_and_no_longer(
    net: Network, named: Named, sockets: ExitStack
) -> None:
    """On a full backlog it gives up after SO_SNDTIMEO, and not at once."""
    listener = sockets.enter_context(named.listening(net, backlog=0))
    sockets.enter_context(named.socket(net)).connect(listener.getsockname())
    late = sockets.enter_context(named.socket(net))
    late.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, struct.pack("ll", 0, 60_000))
    net.sleep(0.1)
    before = net.monotonic()
    assert outcome(late.connect, listener.getsockname()) in ("EAGAIN", "EINPROGRESS")
    assert net.monotonic() - before >= 0.05
