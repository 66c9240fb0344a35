"""UDP: what is refused, and the error that a closed port sends back."""

from __future__ import annotations

import socket
import struct
from collections.abc import Callable
from socket import MSG_DONTWAIT, SO_ERROR, SOL_SOCKET
from typing import Any

import pytest

from simnet.api import Address, Network, Socket
from tests.conformance.kinds import UDP_NAMES, Named, each
from tests.conformance.outcomes import outcome, readiness

Keep = Callable[[Socket], Socket]
each_udp = each(UDP_NAMES, argument="named")


def closed_port(net: Network, named: Named) -> Address:
    """An address that nobody is bound to."""
    with named.bound(net) as sock:
        return sock.getsockname()


@pytest.fixture
def nobody(net: Network, named: Named, keep: Keep) -> Socket:
    """A socket that is connected to a closed port."""
    address = closed_port(net, named)
    sock = keep(named.socket(net))
    sock.connect(address)
    return sock


@pytest.fixture
def refused(nobody: Socket) -> Socket:
    """The same after one send: the refusal is there to be told."""
    assert nobody.send(b"x") == 1
    return nobody


NEXT: dict[str, tuple[Callable[[Socket], Any], Any]] = {
    "send": (lambda s: s.send(b"y"), 1),
    "send-nothing": (lambda s: s.send(b""), 0),
    "sendall": (lambda s: s.sendall(b"y"), None),
    "sendto-the-peer": (lambda s: s.sendto(b"y", s.getpeername()), 1),
    "sendmsg": (lambda s: s.sendmsg([b"y"]), 1),
    "recv": (lambda s: s.recv(1, MSG_DONTWAIT), "EAGAIN"),
    "recvfrom": (lambda s: s.recvfrom(1, MSG_DONTWAIT), "EAGAIN"),
    "recvmsg": (lambda s: s.recvmsg(1, 0, MSG_DONTWAIT), "EAGAIN"),
    "recv_into": (lambda s: s.recv_into(bytearray(1), 1, MSG_DONTWAIT), "EAGAIN"),
    "peek": (lambda s: s.recv(1, MSG_DONTWAIT | socket.MSG_PEEK), "EAGAIN"),
    "blocking-recv": (lambda s: s.settimeout(0.01) or s.recv(1), "TimeoutError"),
}


@pytest.mark.parametrize("call", NEXT)
@each_udp
def test_a_closed_port_is_told_by_the_next_call_and_only_by_it(refused: Socket, call: str) -> None:
    """Whichever call comes next raises ECONNREFUSED; the one after works as ever."""
    function, normal = NEXT[call]
    assert outcome(function, refused) == "ECONNREFUSED"
    refused.getsockopt(SOL_SOCKET, SO_ERROR)
    assert outcome(function, refused) == normal


@each_udp
def test_every_second_send_to_a_closed_port_is_refused(nobody: Socket) -> None:
    """The send that tells of the refusal sends nothing, so that the next one is taken again."""
    assert [outcome(nobody.send, b"x") for _ in range(6)] == [1, "ECONNREFUSED"] * 3


@each_udp
def test_the_error_option_takes_the_refusal(refused: Socket) -> None:
    """SO_ERROR gives it once; then nothing is left for recv."""
    errors = [refused.getsockopt(SOL_SOCKET, SO_ERROR) for _ in range(2)]
    assert errors == [111, 0]
    assert outcome(refused.recv, 1, MSG_DONTWAIT) == "EAGAIN"


@each_udp
def test_a_refusal_polls_as_an_error_without_input(net: Network, refused: Socket) -> None:
    """POLLERR until it was told; select shows it as readable and writable."""
    assert readiness(net, refused) == "OUT|ERR"
    assert net.select([refused], [refused], [refused], 0) == ([refused], [refused], [])
    refused.getsockopt(SOL_SOCKET, SO_ERROR)
    assert readiness(net, refused) == "OUT"
    assert net.select([refused], [], [refused], 0) == ([], [], [])


@each_udp
def test_a_send_elsewhere_takes_the_refusal_too(
    net: Network, named: Named, refused: Socket, keep: Keep
) -> None:
    """Even sendto() another address raises it, and does not send."""
    other = keep(named.bound(net))
    assert outcome(refused.sendto, b"x", other.getsockname()) == "ECONNREFUSED"
    assert readiness(net, other) == "OUT"
    assert refused.sendto(b"x", other.getsockname()) == 1
    assert other.recv(1) == b"x"


@each_udp
def test_connecting_elsewhere_keeps_the_refusal(
    net: Network, named: Named, refused: Socket, keep: Keep
) -> None:
    """The next send to the new peer raises it."""
    other = keep(named.bound(net))
    refused.connect(other.getsockname())
    assert outcome(refused.send, b"x") == "ECONNREFUSED"
    assert refused.send(b"x") == 1


@each_udp
def test_disconnecting_keeps_the_refusal(net: Network, refused: Socket) -> None:
    """It is told by SO_ERROR afterwards."""
    net.disconnect(refused)
    assert refused.getsockopt(SOL_SOCKET, SO_ERROR) == 111


@each_udp
def test_a_duplicate_shares_the_refusal(refused: Socket, keep: Keep) -> None:
    """Whoever asks first gets it."""
    other = keep(refused.dup())
    assert outcome(other.recv, 1, MSG_DONTWAIT) == "ECONNREFUSED"
    assert outcome(refused.recv, 1, MSG_DONTWAIT) == "EAGAIN"


@each_udp
def test_several_refusals_are_told_once(
    net: Network, named: Named, nobody: Socket, keep: Keep
) -> None:
    """The error is kept, not counted: SO_ERROR between the sends leaves one."""
    nobody.send(b"x")
    nobody.getsockopt(SOL_SOCKET, SO_ERROR)
    nobody.send(b"x")
    assert outcome(nobody.recv, 1, MSG_DONTWAIT) == "ECONNREFUSED"
    assert outcome(nobody.recv, 1, MSG_DONTWAIT) == "EAGAIN"


@each_udp
def test_datagrams_wait_behind_the_refusal(net: Network, named: Named, keep: Keep) -> None:
    """recv raises it first, then gives what had arrived before the peer closed."""
    a, b = keep(named.bound(net)), keep(named.bound(net))
    a.connect(b.getsockname())
    b.sendto(b"before", a.getsockname())
    b.close()
    a.send(b"x")
    assert readiness(net, a) == "IN|OUT|ERR"
    assert outcome(a.recv, 10) == "ECONNREFUSED"
    assert a.recv(10) == b"before"


@each_udp
def test_a_blocked_recv_is_woken_by_the_refusal(net: Network, nobody: Socket) -> None:
    """A task that waits for an answer learns that nobody is there."""
    nobody.settimeout(5)
    task = net.spawn(outcome, nobody.recv, 1)
    results = {outcome(nobody.send, b"x"), task.result(5)}
    assert results == {1, "ECONNREFUSED"}


@each_udp
def test_an_unconnected_socket_never_hears_of_a_closed_port(
    net: Network, named: Named, keep: Keep
) -> None:
    """Every sendto works."""
    address = closed_port(net, named)
    sock = keep(named.socket(net))
    assert [sock.sendto(b"x", address) for _ in range(4)] == [1] * 4
    assert outcome(sock.recv, 1, MSG_DONTWAIT) == "EAGAIN"
    assert sock.getsockopt(SOL_SOCKET, SO_ERROR) == 0
    assert readiness(net, sock) == "OUT"


@each_udp
def test_a_peer_that_comes_back_is_heard_again(
    net: Network, named: Named, refused: Socket, keep: Keep
) -> None:
    """The refusal ends nothing: when the port is bound, sends arrive."""
    server = keep(named.socket(net))
    server.bind(refused.getpeername())
    assert outcome(refused.send, b"lost") == "ECONNREFUSED"
    assert refused.send(b"heard") == 5
    assert server.recv(10) == b"heard"


@each_udp
def test_a_peer_that_is_connected_elsewhere_refuses(net: Network, named: Named, keep: Keep) -> None:
    """A connected socket hides its port from others, who are told so."""
    server, peer, stranger = (keep(named.bound(net)) for _ in range(3))
    server.connect(peer.getsockname())
    stranger.connect(server.getsockname())
    assert outcome(stranger.send, b"x") == 1
    assert outcome(stranger.send, b"x") == "ECONNREFUSED"


@each_udp
def test_sending_without_a_destination(net: Network, named: Named, keep: Keep) -> None:
    """EDESTADDRREQ for send, sendall and sendmsg; there is no peer name."""
    sock = keep(named.bound(net))
    assert outcome(sock.send, b"x") == "EDESTADDRREQ"
    assert outcome(sock.send, b"") == "EDESTADDRREQ"
    assert outcome(sock.sendall, b"x") == "EDESTADDRREQ"
    assert outcome(sock.sendmsg, [b"x"]) == "EDESTADDRREQ"
    assert outcome(sock.getpeername) == "ENOTCONN"


@each_udp
def test_calls_of_streams_are_not_supported(net: Network, named: Named, keep: Keep) -> None:
    """listen and accept are EOPNOTSUPP."""
    sock = keep(named.bound(net))
    sock.setblocking(False)
    assert outcome(sock.listen) == "EOPNOTSUPP"
    assert outcome(sock.accept) == "EOPNOTSUPP"


@each_udp
def test_port_zero_is_no_destination(net: Network, named: Named, keep: Keep) -> None:
    """sendto is EINVAL; connect works, but leaves no peer name, and sends go nowhere."""
    sock = keep(named.socket(net))
    host = named.fresh_address(net)[0]
    assert outcome(sock.sendto, b"x", (host, 0)) == "EINVAL"
    assert outcome(sock.connect, (host, 0)) is None
    assert outcome(sock.getpeername) == "ENOTCONN"
    assert [outcome(sock.send, b"x") for _ in range(2)] == [1, "ECONNREFUSED"]


@pytest.mark.parametrize("call", ["sendto", "connect"])
@pytest.mark.parametrize("address", ["255.255.255.255", "<broadcast>", "127.255.255.255"])
def test_broadcast_takes_permission(net: Network, keep: Keep, address: str, call: str) -> None:
    """Without SO_BROADCAST it is EACCES."""
    sock = keep(UDP_NAMES[0].socket(net))
    arguments: tuple[Any, ...] = ((address, 9),) if call == "connect" else (b"x", (address, 9))
    assert outcome(getattr(sock, call), *arguments) == "EACCES"


def test_broadcast_reaches_every_wildcard_socket(net: Network, keep: Keep) -> None:
    """On the loopback's own broadcast address, all members of the port get a copy."""
    receivers = [keep(UDP_NAMES[0].socket(net)) for _ in range(2)]
    port = 0
    for sock in receivers:
        sock.setsockopt(SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind(("0.0.0.0", port))
        port = sock.getsockname()[1]
    sender = keep(UDP_NAMES[0].bound(net))
    sender.setsockopt(SOL_SOCKET, socket.SO_BROADCAST, 1)
    assert sender.sendto(b"all", ("127.255.255.255", port)) == 3
    assert [sock.recvfrom(10) for sock in receivers] == [(b"all", sender.getsockname())] * 2


def test_a_specific_socket_does_not_hear_broadcast(net: Network, keep: Keep) -> None:
    """Bound to 127.0.0.1, it is not addressed."""
    receiver, sender = keep(UDP_NAMES[0].bound(net)), keep(UDP_NAMES[0].bound(net))
    sender.setsockopt(SOL_SOCKET, socket.SO_BROADCAST, 1)
    sender.sendto(b"all", ("127.255.255.255", receiver.getsockname()[1]))
    assert readiness(net, receiver) == "OUT"


@pytest.mark.parametrize("flag", ["MSG_OOB"])
@pytest.mark.parametrize(
    ("named", "sending"), [(UDP_NAMES[0], "EOPNOTSUPP"), (UDP_NAMES[1], 1)], ids=["udp4", "udp6"]
)
def test_there_is_no_urgent_data(
    net: Network, named: Named, sending: Any, flag: str, keep: Keep
) -> None:
    """IPv4 refuses the flag and IPv6 ignores it."""
    a, b = keep(named.bound(net)), keep(named.bound(net))
    assert outcome(a.sendto, b"x", getattr(socket, flag), b.getsockname()) == sending


@pytest.mark.parametrize(
    ("named", "address", "error"),
    [
        (UDP_NAMES[0], ("127.0.0.1",), "TypeError"),
        (UDP_NAMES[0], ("127.0.0.1", 1, 2), "TypeError"),
        (UDP_NAMES[0], ("127.0.0.1", "9"), "TypeError"),
        (UDP_NAMES[0], "127.0.0.1", "TypeError"),
        (UDP_NAMES[0], None, "TypeError"),
        (UDP_NAMES[0], ("127.0.0.1", 65536), "OverflowError"),
        (UDP_NAMES[0], ("127.0.0.1", -1), "OverflowError"),
        (UDP_NAMES[1], ("::1", 65536), "OverflowError"),
        (UDP_NAMES[1], ("::1", 9, 2**20), "OverflowError"),
        (UDP_NAMES[1], ("::1", 9, -1), "OverflowError"),
        (UDP_NAMES[1], ("::1",), "TypeError"),
        (UDP_NAMES[1], ("::1", 9, 0, 0, 0), "TypeError"),
    ],
    ids=lambda value: value.name if isinstance(value, Named) else repr(value),
)
@pytest.mark.parametrize("call", ["sendto", "connect", "bind"])
def test_a_malformed_address_is_refused_by_its_type(
    net: Network, named: Named, address: Any, error: str, call: str, keep: Keep
) -> None:
    """The kernel is not asked."""
    sock = keep(named.socket(net))
    arguments = (b"x", address) if call == "sendto" else (address,)
    with pytest.raises((TypeError, OverflowError)) as caught:
        getattr(sock, call)(*arguments)
    assert type(caught.value).__name__ == error


@pytest.mark.parametrize("call", ["sendto", "connect", "bind"])
@pytest.mark.parametrize(
    ("named", "host"),
    [(UDP_NAMES[0], "::1"), (UDP_NAMES[1], "127.0.0.1")],
    ids=["v6-on-v4", "v4-on-v6"],
)
def test_an_address_of_the_other_family_does_not_resolve(
    net: Network, named: Named, host: str, call: str, keep: Keep
) -> None:
    """It is a gaierror, before the kernel is asked."""
    sock = keep(named.socket(net))
    arguments: tuple[Any, ...] = (b"x", (host, 9)) if call == "sendto" else ((host, 9),)
    with pytest.raises(socket.gaierror):
        getattr(sock, call)(*arguments)


def test_the_refusal_of_an_unconnected_socket_is_told_if_it_asked(net: Network, keep: Keep) -> None:
    """With IP_RECVERR (11) the next call raises it."""
    address = closed_port(net, UDP_NAMES[0])
    sock = keep(UDP_NAMES[0].socket(net))
    sock.setsockopt(socket.IPPROTO_IP, 11, 1)
    assert sock.sendto(b"x", address) == 1
    assert outcome(sock.sendto, b"x", address) == "ECONNREFUSED"
    assert outcome(sock.recv, 1, MSG_DONTWAIT) == "EAGAIN"


@each_udp
def test_lingering_means_nothing(net: Network, named: Named, keep: Keep) -> None:
    """SO_LINGER 0 on close resets nothing: what was sent is delivered."""
    server, client = keep(named.bound(net)), keep(named.socket(net))
    client.setsockopt(SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    client.sendto(b"sent", server.getsockname())
    client.close()
    assert server.recv(10) == b"sent"
    assert server.getsockopt(SOL_SOCKET, SO_ERROR) == 0
