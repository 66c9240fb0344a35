"""Who is at the other end of a unix socket: SO_PEERCRED, SO_PASSCRED, SCM_CREDENTIALS (unix(7))."""

from __future__ import annotations

import array
import socket
import struct
from contextlib import ExitStack

import pytest

from simnet.api import Ancillary, Network, Socket
from tests.conformance.kinds import (
    ALL_NAMES,
    PATIENCE,
    SEQPACKET_NAMES,
    SEQPACKET_PAIRS,
    STREAM_NAMES,
    TCP_PAIRS,
    UDP_PAIRS,
    UNIX_DATAGRAM_PAIRS,
    UNIX_NAMES,
    UNIX_STREAM_PAIRS,
    Kind,
    Named,
    each,
    unix_path,
)
from tests.conformance.outcomes import outcome
from tests.conformance.unix_sockets import bound, opened, unix

UNIX_PAIRS = UNIX_STREAM_PAIRS + SEQPACKET_PAIRS + UNIX_DATAGRAM_PAIRS
LISTENING = [named for named in STREAM_NAMES + SEQPACKET_NAMES if named in UNIX_NAMES]
SCM_CREDENTIALS = 2  # <linux/socket.h>
UCRED = struct.Struct("3i")  # pid, uid, gid
NOBODY = (0, 65534, 65534)  # what is told of a sender who was not asked
ROOM = 1024


def item(*ucred: int) -> Ancillary:
    """The ancillary item that names a sender."""
    return (socket.SOL_SOCKET, SCM_CREDENTIALS, UCRED.pack(*ucred))


def pass_credentials(sock: Socket) -> None:
    """Ask for the credentials of every sender."""
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)


def passes_credentials(sock: Socket) -> bool:
    """Whether it asks for them."""
    return bool(sock.getsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED))


def peer_credentials(sock: Socket) -> tuple[int, ...]:
    """What SO_PEERCRED says."""
    data = sock.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, UCRED.size)
    assert isinstance(data, bytes)
    return UCRED.unpack(data)


@each(UNIX_STREAM_PAIRS, SEQPACKET_PAIRS)
def test_each_end_of_a_connection_knows_the_other(
    net: Network, sockets: ExitStack, kind: Kind
) -> None:
    """SO_PEERCRED gives (pid, uid, gid) of whoever made the other end."""
    a, b = opened(sockets, net, kind)
    assert peer_credentials(a) == peer_credentials(b) == net.credentials()


def test_a_datagram_pair_knows_its_maker(net: Network, sockets: ExitStack) -> None:
    """SO_PEERCRED of a datagram socketpair gives its maker; of others nobody."""
    a, b = map(sockets.enter_context, net.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM))
    assert peer_credentials(a) == peer_credentials(b) == net.credentials()
    receiver = bound(sockets, net, socket.SOCK_DGRAM, unix_path(net))
    sender = unix(sockets, net, socket.SOCK_DGRAM)
    sender.connect(receiver.getsockname())
    assert peer_credentials(sender) == (0, -1, -1)


@each(LISTENING, argument="named")
def test_a_listener_knows_itself(net: Network, sockets: ExitStack, named: Named) -> None:
    """SO_PEERCRED of a listener gives who called listen()."""
    sock = sockets.enter_context(named.bound(net))
    assert peer_credentials(sock) == (0, -1, -1)
    sock.listen(1)
    assert peer_credentials(sock) == net.credentials()


@each(LISTENING, argument="named")
def test_the_other_ends_credentials_outlive_it(
    net: Network, sockets: ExitStack, named: Named
) -> None:
    """SO_PEERCRED still answers after the peer has closed."""
    listener = sockets.enter_context(named.listening(net))
    client = sockets.enter_context(named.socket(net))
    client.connect(listener.getsockname())
    listener.close()
    assert peer_credentials(client) == net.credentials()


@each(ALL_NAMES, argument="named")
def test_nobody_is_at_the_other_end_of_a_fresh_socket(
    net: Network, sockets: ExitStack, named: Named
) -> None:
    """SO_PEERCRED without a peer is (0, -1, -1), not an error, in every family."""
    assert peer_credentials(sockets.enter_context(named.socket(net))) == (0, -1, -1)


@each(TCP_PAIRS, UDP_PAIRS)
def test_the_internet_knows_no_credentials(net: Network, sockets: ExitStack, kind: Kind) -> None:
    """SO_PEERCRED of a connected internet socket is (0, -1, -1)."""
    a, _ = opened(sockets, net, kind)
    assert peer_credentials(a) == (0, -1, -1)


@each(ALL_NAMES, argument="named")
def test_only_unix_sockets_pass_credentials(net: Network, sockets: ExitStack, named: Named) -> None:
    """SO_PASSCRED may be set on unix sockets; on others it is EOPNOTSUPP."""
    sock = sockets.enter_context(named.socket(net))
    expected = None if named.family == socket.AF_UNIX else "EOPNOTSUPP"
    assert outcome(pass_credentials, sock) == expected


@each(UNIX_PAIRS)
def test_peer_credentials_cannot_be_set(net: Network, sockets: ExitStack, kind: Kind) -> None:
    """SO_PEERCRED is read-only: ENOPROTOOPT."""
    a, _ = opened(sockets, net, kind)
    data = UCRED.pack(1, 1, 1)
    assert outcome(a.setsockopt, socket.SOL_SOCKET, socket.SO_PEERCRED, data) == "ENOPROTOOPT"


@each(UNIX_PAIRS)
@pytest.mark.parametrize("room", [1, 4, 11, 12])
def test_peer_credentials_may_be_cut(
    net: Network, sockets: ExitStack, kind: Kind, room: int
) -> None:
    """A short buffer gets the beginning of struct ucred."""
    a, _ = opened(sockets, net, kind)
    whole = a.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 100)
    assert isinstance(whole, bytes)
    assert a.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, room) == whole[:room]


@each(UNIX_PAIRS)
def test_a_receiver_that_asks_is_told_the_sender(
    net: Network, sockets: ExitStack, kind: Kind
) -> None:
    """With SO_PASSCRED set before the send, recvmsg() gives the sender's credentials."""
    a, b = opened(sockets, net, kind)
    pass_credentials(b)
    a.send(b"x")
    assert b.recvmsg(10, ROOM)[:3] == (b"x", [item(*net.credentials())], 0)


@each(UNIX_PAIRS)
def test_a_sender_that_asks_tells_too(net: Network, sockets: ExitStack, kind: Kind) -> None:
    """Credentials are noted when either end asks; but only who asks receives them."""
    a, b = opened(sockets, net, kind)
    pass_credentials(a)
    a.send(b"x")
    assert b.recvmsg(10, ROOM)[1] == []


@each(UNIX_PAIRS)
def test_nobody_sent_what_was_sent_before_asking(
    net: Network, sockets: ExitStack, kind: Kind
) -> None:
    """What was sent before SO_PASSCRED was set comes from pid 0 and the overflow user."""
    a, b = opened(sockets, net, kind)
    a.send(b"x")
    pass_credentials(b)
    assert b.recvmsg(10, ROOM)[1] == [item(*NOBODY)]


@each(UNIX_PAIRS)
def test_a_sender_may_tell_without_being_asked(
    net: Network, sockets: ExitStack, kind: Kind
) -> None:
    """SCM_CREDENTIALS with one's own values is accepted, and given to a receiver that asks."""
    a, b = opened(sockets, net, kind)
    own = item(*net.credentials())
    for word in (b"1", b"2"):
        assert a.sendmsg([word], [own]) == 1
    assert b.recvmsg(1, ROOM)[:2] == (b"1", [])
    pass_credentials(b)
    assert b.recvmsg(1, ROOM)[:2] == (b"2", [own])


@each(UNIX_PAIRS)
@pytest.mark.parametrize("size", [0, 8, 11, 13, 16])
def test_credentials_have_one_size(net: Network, sockets: ExitStack, kind: Kind, size: int) -> None:
    """An SCM_CREDENTIALS item that is not a struct ucred is EINVAL, and nothing is sent."""
    a, b = opened(sockets, net, kind)
    wrong = (socket.SOL_SOCKET, SCM_CREDENTIALS, bytes(size))
    assert outcome(a.sendmsg, [b"x"], [wrong]) == "EINVAL"
    assert outcome(b.recv, 1) == "EAGAIN"


@each(UNIX_PAIRS)
def test_a_plain_recv_ignores_credentials(net: Network, sockets: ExitStack, kind: Kind) -> None:
    """recv() on a socket that asks just gives the bytes."""
    a, b = opened(sockets, net, kind)
    pass_credentials(b)
    a.send(b"x")
    assert b.recv(10) == b"x"


@each(UNIX_PAIRS)
def test_no_room_for_credentials_is_told(net: Network, sockets: ExitStack, kind: Kind) -> None:
    """recvmsg() without room for them sets MSG_CTRUNC."""
    a, b = opened(sockets, net, kind)
    pass_credentials(b)
    a.send(b"x")
    assert b.recvmsg(10)[:3] == (b"x", [], socket.MSG_CTRUNC)


@each(UNIX_PAIRS)
def test_some_room_for_credentials_cuts_them(net: Network, sockets: ExitStack, kind: Kind) -> None:
    """Room for the header and four bytes gets the pid, and MSG_CTRUNC."""
    a, b = opened(sockets, net, kind)
    pass_credentials(b)
    a.send(b"x")
    pid = UCRED.pack(*net.credentials())[:4]
    _, items, flags, _ = b.recvmsg(10, 16 + 4)
    assert items == [(socket.SOL_SOCKET, SCM_CREDENTIALS, pid)]
    assert flags == socket.MSG_CTRUNC


@each(UNIX_PAIRS)
def test_credentials_come_before_descriptors(net: Network, sockets: ExitStack, kind: Kind) -> None:
    """Both items may come in one recvmsg(): the credentials first."""
    a, b = opened(sockets, net, kind)
    pass_credentials(b)
    passed = array.array("i", [a.fileno()]).tobytes()
    a.sendmsg([b"x"], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, passed)])
    _, (first, second), flags, _ = b.recvmsg(10, ROOM)
    sockets.enter_context(net.socket(fileno=array.array("i", second[2])[0]))
    assert (first, second[:2]) == (
        item(*net.credentials()),
        (socket.SOL_SOCKET, socket.SCM_RIGHTS),
    )
    assert flags & socket.MSG_CTRUNC == 0


@each(UNIX_STREAM_PAIRS)
def test_bytes_of_one_sender_are_joined(net: Network, sockets: ExitStack, kind: Kind) -> None:
    """A stream that asks joins what the same sender sent."""
    a, b = opened(sockets, net, kind)
    pass_credentials(b)
    a.send(b"one")
    a.send(b"two")
    assert b.recvmsg(10, ROOM)[:2] == (b"onetwo", [item(*net.credentials())])


@each(UNIX_STREAM_PAIRS)
def test_bytes_of_different_senders_are_not_joined(
    net: Network, sockets: ExitStack, kind: Kind
) -> None:
    """What was sent before asking is read apart from what was sent after."""
    a, b = opened(sockets, net, kind)
    a.send(b"before")
    pass_credentials(b)
    a.send(b"after")
    assert b.recvmsg(20, ROOM)[:2] == (b"before", [item(*NOBODY)])
    assert b.recvmsg(20, ROOM)[:2] == (b"after", [item(*net.credentials())])


@each(LISTENING, argument="named")
def test_accepted_sockets_ask_if_their_listener_does(
    net: Network, sockets: ExitStack, named: Named
) -> None:
    """SO_PASSCRED is handed on by accept(), and by nothing else."""
    listener = sockets.enter_context(named.listening(net))
    pass_credentials(listener)
    client = sockets.enter_context(named.socket(net))
    client.connect(listener.getsockname())
    conn, _ = listener.accept()
    with conn:
        assert (passes_credentials(conn), passes_credentials(client)) == (True, False)
        client.send(b"x")
        assert conn.recvmsg(10, ROOM)[1] == [item(*net.credentials())]


@each(LISTENING, argument="named")
def test_a_client_that_asks_gets_a_name(net: Network, sockets: ExitStack, named: Named) -> None:
    """connect() with SO_PASSCRED autobinds a client that has no name."""
    listener = sockets.enter_context(named.listening(net))
    client = sockets.enter_context(named.socket(net))
    pass_credentials(client)
    client.connect(listener.getsockname())
    name = client.getsockname()
    assert isinstance(name, bytes)
    assert (name[:1], len(name)) == (b"\0", 6)


@pytest.mark.parametrize("method", ["connect", "sendto"])
def test_a_datagram_sender_that_asks_gets_a_name(
    net: Network, sockets: ExitStack, method: str
) -> None:
    """connect() and sendto() with SO_PASSCRED autobind a datagram socket, so it can be answered."""
    receiver = bound(sockets, net, socket.SOCK_DGRAM, unix_path(net))
    sender = unix(sockets, net, socket.SOCK_DGRAM)
    pass_credentials(sender)
    arguments = [b"x"] if method == "sendto" else []
    getattr(sender, method)(*arguments, receiver.getsockname())
    sender.sendto(b"x", receiver.getsockname())
    address = receiver.recvfrom(10)[1]
    assert address == sender.getsockname()
    assert len(address) == 6


@each(TCP_PAIRS)
def test_tcp_carries_no_credentials(net: Network, sockets: ExitStack, kind: Kind) -> None:
    """SCM_CREDENTIALS on a TCP socket is ignored: the bytes arrive without it."""
    a, b = opened(sockets, net, kind)
    assert a.sendmsg([b"x"], [item(*net.credentials())]) == 1
    b.settimeout(PATIENCE)
    assert b.recvmsg(10, ROOM)[:3] == (b"x", [], 0)


@each(UNIX_PAIRS)
@pytest.mark.parametrize(("room", "fit"), [(51, 0), (52, 1), (56, 1)])
def test_descriptors_get_the_room_that_credentials_leave(
    net: Network, sockets: ExitStack, kind: Kind, room: int, fit: int
) -> None:
    """32 bytes are for the credentials; a descriptor takes 20, and 24 with its padding."""
    a, b = opened(sockets, net, kind)
    pass_credentials(b)
    numbers = array.array("i", [a.fileno()])
    a.sendmsg([b"x"], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, numbers)])
    data, items, flags, _ = b.recvmsg(10, room)
    assert data == b"x"
    assert [kind for _, kind, _ in items] == [SCM_CREDENTIALS, socket.SCM_RIGHTS][: 1 + fit]
    assert bool(flags & socket.MSG_CTRUNC) is not bool(fit)
    for _, number, content in items[1:]:
        assert number == socket.SCM_RIGHTS
        net.socket(fileno=array.array("i", content)[0]).close()
