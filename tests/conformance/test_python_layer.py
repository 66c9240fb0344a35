"""What Python adds to the kernel's socket: modes, names, copies, warnings, attributes."""

from __future__ import annotations

import copy
import gc
import pickle
import re
import socket
import weakref
from contextlib import ExitStack
from typing import Any

import pytest

from simnet.api import Network, Socket
from tests.conformance.kinds import (
    ALL_NAMES,
    ALL_PAIRS,
    CONNECTION_NAMES,
    CONNECTION_PAIRS,
    PATIENCE,
    STREAM_PAIRS,
    Kind,
    Named,
    each,
)
from tests.conformance.outcomes import fill, outcome

MODES: list[tuple[str, Any, float | None, bool]] = [
    ("settimeout", None, None, True),
    ("settimeout", 0, 0.0, False),
    ("settimeout", 0.0, 0.0, False),
    ("settimeout", 5, 5.0, True),
    ("settimeout", 0.25, 0.25, True),
    ("settimeout", 1e-9, 1e-9, True),
    ("settimeout", 1e-10, 1e-9, True),
    ("settimeout", True, 1.0, True),
    ("setblocking", True, None, True),
    ("setblocking", False, 0.0, False),
    ("setblocking", 1, None, True),
    ("setblocking", 0, 0.0, False),
    ("setblocking", 2, None, True),
]


def stream(net: Network, sockets: ExitStack) -> tuple[Socket, Socket]:
    """A connected pair."""
    a, b = map(sockets.enter_context, net.socketpair())
    return a, b


@each(ALL_NAMES, argument="named")
def test_a_fresh_socket(net: Network, sockets: ExitStack, named: Named) -> None:
    """A new socket blocks, is not inheritable, and knows its family, type and protocol."""
    sock = sockets.enter_context(named.socket(net))
    assert (sock.family, sock.type, sock.proto) == (named.family, named.type, 0)
    assert (sock.gettimeout(), sock.timeout, sock.getblocking()) == (None, None, True)
    assert sock.get_inheritable() is False
    assert sock.fileno() >= 0


def test_the_default_socket(net: Network, sockets: ExitStack) -> None:
    """socket() without arguments is AF_INET and SOCK_STREAM; socketpair() unix and SOCK_STREAM."""
    sock = sockets.enter_context(net.socket())
    a, b = stream(net, sockets)
    assert (sock.family, sock.type) == (socket.AF_INET, socket.SOCK_STREAM)
    assert {(end.family, end.type) for end in (a, b)} == {(socket.AF_UNIX, socket.SOCK_STREAM)}


def test_family_and_type_are_enumerations(net: Network, sockets: ExitStack) -> None:
    """family and type are members of AddressFamily and SocketKind, and cannot be set."""
    sock = sockets.enter_context(net.socket())
    assert isinstance(sock.family, socket.AddressFamily)
    assert isinstance(sock.type, socket.SocketKind)
    for name in ("family", "type", "proto", "timeout", "no_such_attribute"):
        with pytest.raises(AttributeError):
            setattr(sock, name, 3)


@pytest.mark.parametrize("flags", [socket.SOCK_NONBLOCK, socket.SOCK_CLOEXEC])
def test_flags_of_the_type_are_not_in_the_type(
    net: Network, sockets: ExitStack, flags: int
) -> None:
    """SOCK_NONBLOCK makes a non-blocking socket, SOCK_CLOEXEC nothing new; type shows neither."""
    sock = sockets.enter_context(net.socket(socket.AF_INET, socket.SOCK_STREAM | flags))
    assert sock.type == socket.SOCK_STREAM
    assert sock.gettimeout() == (0.0 if flags == socket.SOCK_NONBLOCK else None)


def test_the_protocol_is_remembered(net: Network, sockets: ExitStack) -> None:
    """proto is the number that was given."""
    sock = sockets.enter_context(net.socket(socket.AF_INET, socket.SOCK_DGRAM, socket.IPPROTO_UDP))
    assert sock.proto == socket.IPPROTO_UDP


@pytest.mark.parametrize(("method", "value", "timeout", "blocking"), MODES)
def test_modes(
    net: Network,
    sockets: ExitStack,
    method: str,
    value: Any,
    timeout: float | None,
    blocking: bool,
) -> None:
    """settimeout() and setblocking() are two names of one setting, which gettimeout() shows."""
    sock = sockets.enter_context(net.socket())
    getattr(sock, method)(value)
    assert (sock.gettimeout(), sock.timeout, sock.getblocking()) == (timeout, timeout, blocking)


@pytest.mark.parametrize(("method", "value", "timeout", "blocking"), MODES)
def test_modes_of_a_closed_socket(
    net: Network, method: str, value: Any, timeout: float | None, blocking: bool
) -> None:
    """On a closed socket the setting is EBADF, and is remembered all the same."""
    sock = net.socket()
    sock.close()
    assert outcome(getattr(sock, method), value) == "EBADF"
    assert sock.gettimeout() == timeout
    assert outcome(sock.getblocking) is blocking


@pytest.mark.parametrize("value", [-1, -0.001, float("nan"), "1"])
def test_a_refused_timeout_changes_nothing(net: Network, sockets: ExitStack, value: Any) -> None:
    """After a ValueError or a TypeError the socket is in the mode it was in."""
    sock = sockets.enter_context(net.socket())
    sock.settimeout(3)
    with pytest.raises((ValueError, TypeError)):
        sock.settimeout(value)
    assert sock.gettimeout() == 3.0


@each(ALL_PAIRS)
@pytest.mark.parametrize("method", ["recv", "recvfrom", "recvmsg", "recv_into", "recvfrom_into"])
def test_receiving_times_out(net: Network, sockets: ExitStack, kind: Kind, method: str) -> None:
    """Nothing in time raises TimeoutError('timed out') without an errno."""
    _, b = map(sockets.enter_context, kind.make(net))
    b.settimeout(0.01)
    start = net.monotonic()
    with pytest.raises(TimeoutError, match=r"^timed out$") as raised:
        getattr(b, method)(bytearray(4) if method.endswith("into") else 4)
    assert net.monotonic() - start >= 0.01
    assert (raised.value.errno, raised.value.args) == (None, ("timed out",))


@each(ALL_PAIRS)
@pytest.mark.parametrize("method", ["recv", "recvfrom", "recvmsg", "recv_into", "recvfrom_into"])
def test_receiving_without_waiting(
    net: Network, sockets: ExitStack, kind: Kind, method: str
) -> None:
    """Nothing there raises BlockingIOError in non-blocking mode, or with MSG_DONTWAIT in any."""
    _, b = map(sockets.enter_context, kind.make(net))
    room = bytearray(4) if method.endswith("into") else 4
    middle = [0] if method not in ("recv", "recvfrom") else []
    assert outcome(getattr(b, method), room, *middle, socket.MSG_DONTWAIT) == "EAGAIN"
    b.setblocking(False)
    assert outcome(getattr(b, method), room) == "EAGAIN"


@each(ALL_PAIRS)
def test_a_timeout_outweighs_not_waiting(net: Network, sockets: ExitStack, kind: Kind) -> None:
    """In timeout mode recv() waits even with MSG_DONTWAIT: Python retries what would block."""
    a, b = map(sockets.enter_context, kind.make(net))
    b.settimeout(0.01)
    with pytest.raises(TimeoutError):
        b.recv(4, socket.MSG_DONTWAIT)
    b.settimeout(PATIENCE)
    task = net.spawn(b.recv, 4, socket.MSG_DONTWAIT)
    assert not task.join(0.01)
    a.send(b"late")
    assert task.result(PATIENCE) == b"late"


@each(CONNECTION_NAMES, argument="named")
def test_accepting_times_out(net: Network, sockets: ExitStack, named: Named) -> None:
    """accept() obeys the listener's mode."""
    listener = sockets.enter_context(named.listening(net))
    listener.settimeout(0.01)
    with pytest.raises(TimeoutError, match=r"^timed out$"):
        listener.accept()
    listener.setblocking(False)
    assert outcome(listener.accept) == "EAGAIN"


@each(CONNECTION_PAIRS)
def test_sending_times_out(net: Network, sockets: ExitStack, kind: Kind) -> None:
    """send() and sendall() into a connection that takes no more raise TimeoutError."""
    a, _ = map(sockets.enter_context, kind.make(net))
    a.setblocking(False)
    while fill(a):
        net.select([], [a], [], 0.05)
    a.settimeout(0.01)
    for call in (a.send, a.sendall):
        with pytest.raises(TimeoutError, match=r"^timed out$"):
            call(b"x" * 1024)


@each(STREAM_PAIRS)
def test_sendall_has_one_timeout_for_all(net: Network, sockets: ExitStack, kind: Kind) -> None:
    """sendall() of more than fits raises TimeoutError, after sending a part."""
    a, b = map(sockets.enter_context, kind.make(net))
    a.settimeout(0.1)
    with pytest.raises(TimeoutError, match=r"^timed out$"):
        a.sendall(bytes(64 << 20))
    assert b.recv(10) == bytes(10)


@each(CONNECTION_NAMES, argument="named")
@pytest.mark.parametrize("timeout", [None, 0, 3.0])
def test_an_accepted_socket_blocks(
    net: Network, sockets: ExitStack, named: Named, timeout: float | None
) -> None:
    """accept() gives a blocking socket, whatever the listener's mode, and not inheritable."""
    listener = sockets.enter_context(named.listening(net))
    client = sockets.enter_context(named.socket(net))
    client.connect(listener.getsockname())
    assert net.select([listener], [], [], PATIENCE)[0]
    listener.settimeout(timeout)
    conn, _ = listener.accept()
    with conn:
        assert (conn.gettimeout(), conn.getblocking()) == (None, True)
        assert conn.get_inheritable() is False


@each(ALL_PAIRS)
@pytest.mark.parametrize("timeout", [None, 0.0, 3.0])
def test_a_dup_is_the_same_socket(
    net: Network, sockets: ExitStack, kind: Kind, timeout: float | None
) -> None:
    """dup() gives another descriptor of the same socket, in the same mode, not inheritable."""
    a, b = map(sockets.enter_context, kind.make(net))
    a.settimeout(timeout)
    copied = sockets.enter_context(a.dup())
    assert copied.fileno() != a.fileno()
    assert (copied.family, copied.type, copied.proto) == (a.family, a.type, a.proto)
    assert (copied.gettimeout(), copied.get_inheritable()) == (timeout, False)
    a.close()
    b.settimeout(PATIENCE)
    copied.send(b"still open")
    assert b.recv(20) == b"still open"


def test_dups_share_their_mode_in_the_kernel(net: Network, sockets: ExitStack) -> None:
    """A dup made non-blocking makes the other one's blocking calls fail: O_NONBLOCK is shared."""
    a, _ = stream(net, sockets)
    copied = sockets.enter_context(a.dup())
    copied.setblocking(False)
    assert a.gettimeout() is None
    assert outcome(a.recv, 1) == "EAGAIN"


@each(CONNECTION_PAIRS)
def test_detach_gives_the_descriptor_up(net: Network, sockets: ExitStack, kind: Kind) -> None:
    """detach() returns the open descriptor; the object is closed then, and detaches as -1."""
    a, b = map(sockets.enter_context, kind.make(net))
    number = a.fileno()
    assert a.detach() == number
    assert (a.fileno(), a.detach(), outcome(a.send, b"x")) == (-1, -1, "EBADF")
    a.close()
    adopted = sockets.enter_context(net.socket(fileno=number))
    adopted.send(b"still open")
    b.settimeout(PATIENCE)
    assert b.recv(20) == b"still open"


@each(ALL_PAIRS)
def test_a_descriptor_tells_what_it_is(net: Network, sockets: ExitStack, kind: Kind) -> None:
    """socket(fileno=n) finds family, type and protocol of the open descriptor, and blocks."""
    a, _ = map(sockets.enter_context, kind.make(net))
    adopted = sockets.enter_context(net.socket(fileno=a.detach()))
    assert (adopted.family, adopted.type) == (kind.family, kind.type)
    assert adopted.gettimeout() is None
    internet = {socket.SOCK_STREAM: socket.IPPROTO_TCP, socket.SOCK_DGRAM: socket.IPPROTO_UDP}
    expected = 0 if kind.family == socket.AF_UNIX else internet[socket.SocketKind(kind.type)]
    assert adopted.proto == expected


def test_what_is_told_of_a_descriptor_is_believed(net: Network, sockets: ExitStack) -> None:
    """Family, type and protocol given with fileno= are not checked."""
    a, _ = stream(net, sockets)
    number = a.detach()
    adopted = sockets.enter_context(
        net.socket(socket.AF_INET, socket.SOCK_DGRAM, 17, fileno=number)
    )
    assert (adopted.family, adopted.type, adopted.proto) == (socket.AF_INET, socket.SOCK_DGRAM, 17)


def test_inheriting_may_be_changed(net: Network, sockets: ExitStack) -> None:
    """set_inheritable() changes this descriptor and not its dup()s."""
    sock = sockets.enter_context(net.socket())
    copied = sockets.enter_context(sock.dup())
    sock.set_inheritable(True)
    assert (sock.get_inheritable(), copied.get_inheritable()) == (True, False)
    sock.set_inheritable(False)
    assert sock.get_inheritable() is False


@each(ALL_NAMES, argument="named")
def test_a_closed_socket(net: Network, named: Named) -> None:
    """After close() the calls that need a descriptor are EBADF, and some still answer."""
    sock = named.socket(net)
    sock.close()
    sock.close()
    for call, args in [
        (sock.bind, (named.fresh_address(net),)),
        (sock.accept, ()),
        (sock.listen, (1,)),
        (sock.send, (b"x",)),
        (sock.sendall, (b"x",)),
        (sock.recv, (1,)),
        (sock.getsockname, ()),
        (sock.getpeername, ()),
        (sock.getsockopt, (socket.SOL_SOCKET, socket.SO_ERROR)),
        (sock.setsockopt, (socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)),
        (sock.shutdown, (socket.SHUT_RD,)),
        (sock.dup, ()),
        (sock.get_inheritable, ()),
        (sock.set_inheritable, (True,)),
    ]:
        assert outcome(call, *args) == "EBADF"
    assert (sock.fileno(), sock.detach(), sock.recv(0)) == (-1, -1, b"")
    assert (sock.family, sock.type, sock.gettimeout()) == (named.family, named.type, None)


@each(CONNECTION_PAIRS)
def test_a_with_block_closes(net: Network, kind: Kind) -> None:
    """A socket is its own context manager; a closed one may be entered again."""
    a, b = kind.make(net)
    with b:
        with a as entered:
            assert entered is a
        assert a.fileno() == -1
        b.settimeout(PATIENCE)
        assert b.recv(1) == b""
        with a:
            pass


def normal(sock: Socket) -> str:
    """repr() without what differs: class, descriptor, and how Python versions print enums."""
    text = re.sub(r"^<\S+", "<socket", repr(sock))
    text = text.replace(f"fd={sock.fileno()},", "fd=N,")
    text = text.replace(f"family={sock.family!s}", f"family={int(sock.family)}")
    return text.replace(f"type={sock.type!s}", f"type={int(sock.type)}")


@each(ALL_NAMES, argument="named")
def test_the_repr_of_an_unconnected_socket(net: Network, sockets: ExitStack, named: Named) -> None:
    """repr() shows descriptor, family, type, protocol, and the own address when there is one."""
    sock = sockets.enter_context(named.socket(net))
    stem = f"<socket fd=N, family={int(named.family)}, type={int(named.type)}, proto=0"
    unnamed = {socket.AF_INET: ("0.0.0.0", 0), socket.AF_INET6: ("::", 0, 0, 0)}
    laddr = f", laddr={unnamed[named.family]}" if named.family in unnamed else ""
    assert normal(sock) == f"{stem}{laddr}>"
    sock.bind(named.fresh_address(net))
    assert normal(sock) == f"{stem}, laddr={sock.getsockname()}>"
    sock.close()
    assert normal(sock) == f"{stem}>".replace("<socket fd", "<socket [closed] fd")


@each(ALL_PAIRS)
def test_the_repr_of_a_connected_socket(net: Network, sockets: ExitStack, kind: Kind) -> None:
    """repr() shows the addresses of both ends, as far as they have any."""
    for sock in map(sockets.enter_context, kind.make(net)):
        laddr, raddr = sock.getsockname(), sock.getpeername()
        text = f"<socket fd=N, family={int(kind.family)}, type={int(kind.type)}, proto=0"
        text += f", laddr={laddr}" if laddr else ""
        text += f", raddr={raddr}" if raddr else ""
        assert normal(sock) == f"{text}>"


@each(CONNECTION_PAIRS)
def test_a_forgotten_socket_warns_and_closes(net: Network, sockets: ExitStack, kind: Kind) -> None:
    """A socket that is collected unclosed gives a ResourceWarning, and its peer sees the end."""
    a, b = kind.make(net)
    sockets.enter_context(b)
    ends = [a]
    del a
    with pytest.warns(ResourceWarning, match=r"unclosed <.*fd="):
        ends.clear()
    gc.collect()
    b.settimeout(PATIENCE)
    assert b.recv(1) == b""


def test_a_socket_may_be_weakly_referenced(net: Network) -> None:
    """weakref works, and the reference ends with the object."""
    sock = net.socket()
    reference = weakref.ref(sock)
    assert reference() is sock
    sock.close()
    del sock
    gc.collect()
    assert reference() is None


def test_sockets_are_compared_by_identity(net: Network, sockets: ExitStack) -> None:
    """A dup() is not equal; sockets are hashable and true."""
    a, b = stream(net, sockets)
    copied = sockets.enter_context(a.dup())
    assert a == a
    assert a != copied
    assert len({a, b, copied}) == 3
    assert a


@pytest.mark.parametrize("use", [pickle.dumps, copy.copy, copy.deepcopy, iter, len])
def test_what_a_socket_is_not(net: Network, sockets: ExitStack, use: Any) -> None:
    """Sockets are not pickled, copied, iterated or measured."""
    with pytest.raises(TypeError):
        use(sockets.enter_context(net.socket()))
