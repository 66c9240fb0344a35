"""States: for each family, the situations a socket can be in, each with a maker.

A maker takes a `Place`, makes the socket and whatever else the state needs, and returns the socket,
non-blocking. The place keeps the others: the peer, the listener, the address where nobody listens.
"""

from __future__ import annotations

import select
import socket
from collections.abc import Callable
from contextlib import ExitStack, suppress
from typing import Any

import attrs

from simnet.api import Address, Network, Socket
from tests.conformance.kinds import ALL_NAMES, Named
from tests.conformance.outcomes import fill, readiness, wait_for

RESET = b"\x01\0\0\0\0\0\0\0"  # struct linger {on, 0 seconds}: close() resets
TEN = b"0123456789"


@attrs.define
class Place:
    """Where a case happens: a network, the family of the case, and who else is there."""

    net: Network
    named: Named
    others: dict[str, Socket] = attrs.Factory(dict)
    symbols: dict[Any, str] = attrs.Factory(dict)
    stack: ExitStack = attrs.Factory(ExitStack)

    def keep(self, sock: Socket) -> Socket:
        """The socket, closed when the case ends."""
        sock.setblocking(False)
        return self.stack.enter_context(sock)  # type: ignore[arg-type,return-value]

    def new(self) -> Socket:
        """A new socket of the family."""
        return self.keep(self.named.socket(self.net))

    def fresh(self, name: str) -> Address:
        """An address that nobody has used; a unix path or name is known by this symbol."""
        address = self.named.fresh_address(self.net)
        if self.named.family == socket.AF_UNIX and address:
            self.symbols[address] = name
        return address

    def bound(self, name: str) -> Socket:
        """Another socket that has a name, kept under that symbol."""
        sock = self.new()
        sock.bind(self.fresh(name))
        return self.meet(name, sock)

    def meet(self, name: str, sock: Socket) -> Socket:
        """Know the socket, and the port or path that it has, by a symbol."""
        self.others[name] = sock
        with suppress(OSError):
            address = sock.getsockname()
            key = address[1] if isinstance(address, tuple) else address
            if key:
                self.symbols.setdefault(key, name)
        return sock

    def listener(self, name: str = "LISTENER", backlog: int = 8) -> Socket:
        """Another socket that accepts connections."""
        sock = self.bound(name)
        sock.listen(backlog)
        return sock

    def nobody(self) -> Address:
        """An address that refuses: bound, so that nobody else gets it, but not listening."""
        if self.named.type == socket.SOCK_DGRAM:
            gone = self.bound("NOBODY")
            address = gone.getsockname()
            gone.close()
            return address
        return self.bound("NOBODY").getsockname()

    def target(self) -> Address:
        """The address of somebody who takes connections or datagrams."""
        if self.named.type == socket.SOCK_DGRAM:
            return self.bound("TARGET").getsockname()
        return self.listener("TARGET").getsockname()

    def bits(self, sock: Socket) -> str:
        """The readiness of a socket; 'closed' once it is."""
        return readiness(self.net, sock) or "none" if sock.fileno() != -1 else "closed"


Maker = Callable[[Place], Socket]


def await_bits(place: Place, sock: Socket, mask: int) -> None:
    """Wait for what the state promises, so that a busy machine does not matter."""
    wait_for(place.net, sock, mask)


# States of every family


def unbound(place: Place) -> Socket:
    return place.new()


def bound(place: Place) -> Socket:
    return place.bound("OWN")


def closed(place: Place) -> Socket:
    sock = place.bound("OWN")
    sock.close()
    return sock


def shut_before_use(place: Place) -> Socket:
    sock = place.bound("OWN")
    with suppress(OSError):
        sock.shutdown(socket.SHUT_RDWR)
    return sock


def disconnected(place: Place) -> Socket:
    sock = connected(place)
    place.net.disconnect(sock)
    return sock


# Connections: listening and connecting


def listening(place: Place) -> Socket:
    return place.listener("OWN")


def listening_with_client(place: Place) -> Socket:
    sock = place.listener("OWN")
    client = place.meet("PEER", place.new())
    with suppress(BlockingIOError):
        client.connect(sock.getsockname())
    await_bits(place, sock, select.POLLIN)
    place.meet("PEER", client)
    return sock


def listening_with_reset_client(place: Place) -> Socket:
    sock = listening_with_client(place)
    client = place.others.pop("PEER")
    client.send(b"left")
    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
    client.close()
    return sock


def listening_shut(place: Place) -> Socket:
    sock = place.listener("OWN")
    sock.shutdown(socket.SHUT_RD)
    return sock


def backlog_full(place: Place) -> Socket:
    """TCP: in SYN_SENT. Unix: refused with EAGAIN."""
    listener = place.listener(backlog=0)
    for _ in range(2):
        sock = place.new()
        with suppress(BlockingIOError):
            sock.connect(listener.getsockname())
    return sock


def connect_done(place: Place) -> Socket:
    """A non-blocking connect has succeeded, and nobody has asked yet."""
    listener, sock = place.listener(), place.new()
    with suppress(BlockingIOError):
        sock.connect(listener.getsockname())
    await_bits(place, sock, select.POLLOUT)
    return sock


def refused(place: Place) -> Socket:
    sock = place.new()
    with suppress(BlockingIOError, ConnectionRefusedError):
        sock.connect(place.nobody())
    await_bits(place, sock, select.POLLOUT)
    return sock


def refused_and_asked(place: Place) -> Socket:
    sock = refused(place)
    sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
    return sock


# Connections: connected


def connected(place: Place) -> Socket:
    if place.named.type == socket.SOCK_DGRAM:
        return connected_datagram(place)
    listener, sock = place.listener(), place.new()
    with suppress(BlockingIOError):
        sock.connect(listener.getsockname())
    await_bits(place, listener, select.POLLIN)
    peer, _ = listener.accept()
    place.meet("OWN", sock)
    place.meet("PEER", place.keep(peer))
    listener.close()
    await_bits(place, sock, select.POLLOUT)
    with suppress(OSError):
        sock.connect(place.named.fresh_address(place.net))  # the one more connect that returns 0
    return sock


def accepted(place: Place) -> Socket:
    sock = connected(place)
    place.others["PEER"], sock = sock, place.others["PEER"]
    return sock


def paired(place: Place) -> Socket:
    a, b = place.net.socketpair(place.named.family, place.named.type)
    place.meet("PEER", place.keep(b))
    return place.keep(a)


def with_data(maker: Maker) -> Maker:
    """The same state, with ten bytes of the peer's unread."""

    def make(place: Place) -> Socket:
        sock = connected(place)
        place.others["PEER"].send(TEN)
        await_bits(place, sock, select.POLLIN)
        return sock if maker is connected else maker_on(maker, place, sock)

    return make


def maker_on(maker: Maker, place: Place, sock: Socket) -> Socket:
    """Apply a state that begins with `connected` to a socket that is connected already."""
    return _ENDINGS[maker](place, sock)


def rd_shut(place: Place) -> Socket:
    return _rd_shut(place, connected(place))


def _rd_shut(place: Place, sock: Socket) -> Socket:
    sock.shutdown(socket.SHUT_RD)
    return sock


def wr_shut(place: Place) -> Socket:
    sock = connected(place)
    sock.shutdown(socket.SHUT_WR)
    await_bits(place, place.others["PEER"], select.POLLOUT)
    return sock


def both_shut(place: Place) -> Socket:
    sock = connected(place)
    sock.shutdown(socket.SHUT_RDWR)
    return sock


def peer_wr_shut(place: Place) -> Socket:
    return _peer_wr_shut(place, connected(place))


def _peer_wr_shut(place: Place, sock: Socket) -> Socket:
    place.others["PEER"].shutdown(socket.SHUT_WR)
    await_bits(place, sock, select.POLLRDHUP)
    return sock


def peer_rd_shut(place: Place) -> Socket:
    sock = connected(place)
    place.others["PEER"].shutdown(socket.SHUT_RD)
    return sock


def both_ended(place: Place) -> Socket:
    sock = peer_wr_shut(place)
    sock.shutdown(socket.SHUT_WR)
    return sock


def peer_closed(place: Place) -> Socket:
    return _peer_closed(place, connected(place))


def _peer_closed(place: Place, sock: Socket) -> Socket:
    place.others.pop("PEER").close()
    await_bits(place, sock, select.POLLRDHUP | select.POLLHUP)
    return sock


def peer_closed_and_sent(place: Place) -> Socket:
    """A send after the peer's close has brought the reset back (TCP)."""
    sock = peer_closed(place)
    with suppress(BrokenPipeError):
        sock.send(b"x")
    await_bits(place, sock, select.POLLHUP)
    return sock


def peer_reset(place: Place) -> Socket:
    return _peer_reset(place, connected(place))


def _peer_reset(place: Place, sock: Socket) -> Socket:
    """The peer closes with data unread, which resets tcp and unix streams alike."""
    peer = place.others.pop("PEER")
    sock.send(b"x")
    await_bits(place, peer, select.POLLIN)
    peer.close()
    await_bits(place, sock, select.POLLHUP)
    return sock


def reset_and_told(place: Place) -> Socket:
    sock = peer_reset(place)
    sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
    return sock


def send_full(place: Place) -> Socket:
    """The peer does not read, and no more fits. (TCP's totals vary: for unix only.)"""
    sock = connected(place)
    fill(sock)
    return sock


def urgent(place: Place) -> Socket:
    sock = connected(place)
    place.others["PEER"].send(b"abc", socket.MSG_OOB)
    await_bits(place, sock, select.POLLPRI)
    return sock


def self_connected(place: Place) -> Socket:
    sock = place.bound("OWN")
    with suppress(BlockingIOError):
        sock.connect(sock.getsockname())
    return sock


# Datagrams


def connected_datagram(place: Place) -> Socket:
    sock, peer = place.bound("OWN"), place.bound("PEER")
    sock.connect(peer.getsockname())
    peer.connect(sock.getsockname())
    return sock


def connected_unnamed(place: Place) -> Socket:
    """Connected to a peer that cannot answer by name (unix), or got a port by connecting (UDP)."""
    sock = place.new()
    sock.connect(place.bound("PEER").getsockname())
    return place.meet("OWN", sock)


def bound_with_data(place: Place) -> Socket:
    sock, peer = place.bound("OWN"), place.bound("PEER")
    for payload in (TEN, b"", b"last"):
        peer.sendto(payload, sock.getsockname())
    return sock


def refused_datagram(place: Place) -> Socket:
    """Connected to a port that nobody has; the ICMP error is pending."""
    sock = place.new()
    sock.connect(place.nobody())
    place.meet("OWN", sock)
    sock.send(b"x")
    await_bits(place, sock, select.POLLERR)
    return sock


def peer_gone(place: Place) -> Socket:
    sock = connected(place)
    place.others.pop("PEER").close()
    return sock


def queue_full(place: Place) -> Socket:
    """Unconnected, and the receiver's queue is full."""
    sock, target = place.bound("OWN"), place.bound("PEER")
    sock.connect(target.getsockname())
    fill(sock, b"x")
    return sock


_ENDINGS: dict[Maker, Callable[[Place, Socket], Socket]] = {
    rd_shut: _rd_shut,
    peer_wr_shut: _peer_wr_shut,
    peer_closed: _peer_closed,
    peer_reset: _peer_reset,
}

ANY: dict[str, Maker] = {"unbound": unbound, "bound": bound, "closed": closed}
CONNECTION: dict[str, Maker] = {
    **ANY,
    "listening": listening,
    "listening-with-client": listening_with_client,
    "backlog-full": backlog_full,
    "refused": refused,
    "connected": connected,
    "connected-with-data": with_data(connected),
    "rd-shut": rd_shut,
    "wr-shut": wr_shut,
    "peer-wr-shut": peer_wr_shut,
    "peer-closed": peer_closed,
    "peer-closed-with-data": with_data(peer_closed),
    "peer-reset": peer_reset,
    "peer-reset-with-data": with_data(peer_reset),
}
RARER: dict[str, Maker] = {
    "shut-before-use": shut_before_use,
    "listening-shut": listening_shut,
    "accepted": accepted,
    "rd-shut-with-data": with_data(rd_shut),
    "both-shut": both_shut,
    "peer-wr-shut-with-data": with_data(peer_wr_shut),
    "peer-rd-shut": peer_rd_shut,
    "both-ended": both_ended,
    "reset-and-told": reset_and_told,
}
TCP: dict[str, Maker] = {
    **CONNECTION,
    **RARER,
    "connect-done": connect_done,
    "disconnected": disconnected,
    "listening-with-reset-client": listening_with_reset_client,
    "peer-closed-and-sent": peer_closed_and_sent,
    "refused-and-asked": refused_and_asked,
    "self-connected": self_connected,
    "urgent-data": urgent,
}
UNIX_CONNECTION: dict[str, Maker] = {
    **CONNECTION,
    **RARER,
    "pair": paired,
    "send-full": send_full,
}
DATAGRAM: dict[str, Maker] = {
    **ANY,
    "bound-with-data": bound_with_data,
    "shut-before-use": shut_before_use,
    "connected": connected,
    "connected-unnamed": connected_unnamed,
    "connected-with-data": with_data(connected),
    "disconnected": disconnected,
    "rd-shut": rd_shut,
    "rd-shut-with-data": with_data(rd_shut),
    "wr-shut": wr_shut,
    "both-shut": both_shut,
    "peer-gone": peer_gone,
}
UDP: dict[str, Maker] = {**DATAGRAM, "refused": refused_datagram}
UNIX_DATAGRAM: dict[str, Maker] = {
    **DATAGRAM,
    "pair": paired,
    "queue-full": queue_full,
    "self-connected": self_connected,
}


def _some(states: dict[str, Maker], *names: str) -> dict[str, Maker]:
    return {name: states[name] for name in names}


NAMED = {named.name: named for named in ALL_NAMES}
FAMILIES: dict[str, dict[str, Maker]] = {
    "tcp4": TCP,
    "tcp6": _some(
        TCP, "unbound", "bound", "listening", "backlog-full", "refused", "connected", "peer-reset"
    ),
    "udp4": UDP,
    "udp6": _some(UDP, "unbound", "bound", "bound-with-data", "connected", "refused", "rd-shut"),
    "unix-stream-path": UNIX_CONNECTION,
    "unix-stream-abstract": _some(UNIX_CONNECTION, "bound", "listening", "connected", "refused"),
    "unix-seqpacket-path": UNIX_CONNECTION,
    "unix-seqpacket-abstract": _some(UNIX_CONNECTION, "bound", "connected"),
    "unix-dgram-path": UNIX_DATAGRAM,
    "unix-dgram-abstract": _some(UNIX_DATAGRAM, "bound", "bound-with-data", "connected"),
}
