"""The promises of the old manual page of socket objects, one by one.

Each docstring says in our words what that page promises.
"""

from __future__ import annotations

import errno
import gc
import socket
import struct
from contextlib import ExitStack

import pytest

from simnet.api import Network
from tests.conformance.kinds import (
    ALL_NAMES,
    ALL_PAIRS,
    CONNECTION_NAMES,
    CONNECTION_PAIRS,
    DATAGRAM_NAMES,
    PATIENCE,
    STREAM_NAMES,
    STREAM_PAIRS,
    TCP_NAMES,
    Kind,
    Named,
    each,
)
from tests.conformance.outcomes import drain, fill, outcome, recv_exactly
from tests.conformance.patient import opened

METHODS = [
    *("accept", "bind", "close", "connect", "connect_ex", "fileno", "getpeername", "getsockname"),
    *("getsockopt", "listen", "makefile", "recv", "recvfrom", "send", "sendall", "sendto"),
    *("setblocking", "setsockopt", "shutdown"),
]


@pytest.mark.parametrize("name", METHODS)
def test_a_socket_has_the_methods_of_the_page(net: Network, sockets: ExitStack, name: str) -> None:
    """Socket objects have all of the methods that the page lists."""
    assert callable(getattr(sockets.enter_context(net.socket()), name))


@pytest.mark.parametrize("name", ["read", "write"])
def test_there_is_no_read_and_no_write(net: Network, sockets: ExitStack, name: str) -> None:
    """There are no methods read() and write()."""
    assert not hasattr(sockets.enter_context(net.socket()), name)


@each(CONNECTION_PAIRS)
def test_recv_and_send_without_flags_are_read_and_write(
    net: Network, sockets: ExitStack, kind: Kind
) -> None:
    """recv() and send() without flags do what read and write would."""
    a, b = opened(sockets, net, kind)
    assert a.send(b"written") == 7
    assert b.recv(100) == b"written"


@each(CONNECTION_NAMES, argument="named")
def test_accept_needs_a_name_and_a_listener(net: Network, sockets: ExitStack, named: Named) -> None:
    """accept() needs a socket that is bound and that listens."""
    assert outcome(sockets.enter_context(named.socket(net)).accept) == "EINVAL"
    assert outcome(sockets.enter_context(named.bound(net)).accept) == "EINVAL"


@each(CONNECTION_NAMES, argument="named")
def test_accept_gives_a_new_socket_and_an_address(
    net: Network, sockets: ExitStack, named: Named
) -> None:
    """accept() returns a pair: a new socket to send and receive on, and the other end's address."""
    listener = sockets.enter_context(named.listening(net))
    client = sockets.enter_context(named.bound(net))
    client.connect(listener.getsockname())
    conn, address = listener.accept()
    with conn:
        assert conn.fileno() not in (listener.fileno(), client.fileno())
        assert address == client.getsockname() == conn.getpeername()
        conn.send(b"down")
        client.send(b"up")
        assert (client.recv(10), conn.recv(10)) == (b"down", b"up")


@each(ALL_NAMES, argument="named")
def test_bind_gives_the_socket_its_address(net: Network, sockets: ExitStack, named: Named) -> None:
    """bind() binds the socket to the address."""
    sock = sockets.enter_context(named.socket(net))
    unbound = sock.getsockname()
    sock.bind(named.fresh_address(net))
    assert sock.getsockname() != unbound


@each(ALL_NAMES, argument="named")
def test_a_bound_socket_is_not_bound_again(net: Network, sockets: ExitStack, named: Named) -> None:
    """bind() wants a socket that is not bound already."""
    sock = sockets.enter_context(named.bound(net))
    name = sock.getsockname()
    other = sockets.enter_context(named.bound(net)).getsockname()
    assert outcome(sock.bind, other) in ("EINVAL", "EADDRINUSE")
    assert sock.getsockname() == name


@pytest.mark.parametrize("method", ["bind", "connect", "connect_ex"])
def test_an_address_is_one_argument(net: Network, sockets: ExitStack, method: str) -> None:
    """bind(), connect() and connect_ex() take a pair, and not host and port apart."""
    sock = sockets.enter_context(net.socket())
    with pytest.raises(TypeError, match=r"takes exactly one argument \(2 given\)"):
        getattr(sock, method)("127.0.0.1", 80)


@each(ALL_PAIRS)
def test_operations_fail_after_close(net: Network, sockets: ExitStack, kind: Kind) -> None:
    """After close() all operations on the socket object fail."""
    a, _ = opened(sockets, net, kind)
    a.close()
    for call, args in [(a.send, (b"x",)), (a.recv, (1,)), (a.getsockname, ()), (a.listen, (1,))]:
        assert outcome(call, *args) == "EBADF"


@each(CONNECTION_PAIRS)
def test_queued_data_comes_before_the_end(net: Network, sockets: ExitStack, kind: Kind) -> None:
    """The remote end gets what was queued before close(), and then no more."""
    a, b = opened(sockets, net, kind)
    a.setblocking(False)
    a.send(b"first")
    taken = fill(a)
    a.close()
    data = drain(b)
    assert data[:5] == b"first"
    assert len(data) == 5 + taken
    assert b.recv(1) == b""


@each(CONNECTION_PAIRS)
def test_a_collected_socket_is_closed(net: Network, sockets: ExitStack, kind: Kind) -> None:
    """A socket that is garbage-collected closes itself."""
    a, b = kind.make(net)
    sockets.enter_context(b).settimeout(PATIENCE)
    ends = [a]
    del a
    with pytest.warns(ResourceWarning, match="unclosed"):
        ends.clear()
    gc.collect()
    assert b.recv(1) == b""


@each(CONNECTION_NAMES, argument="named")
def test_connect_connects(net: Network, sockets: ExitStack, named: Named) -> None:
    """connect() connects to a remote socket at the address."""
    listener = sockets.enter_context(named.listening(net))
    client = sockets.enter_context(named.socket(net))
    assert client.connect(listener.getsockname()) is None
    assert client.getpeername() == listener.getsockname()


@each(CONNECTION_NAMES, argument="named")
def test_connect_ex_returns_zero_or_the_error(
    net: Network, sockets: ExitStack, named: Named
) -> None:
    """connect_ex() returns 0, or the errno where connect() would raise."""
    listener = sockets.enter_context(named.listening(net))
    silent = sockets.enter_context(named.bound(net))
    client, other = (sockets.enter_context(named.socket(net)) for _ in range(2))
    assert client.connect_ex(listener.getsockname()) == 0
    assert client.connect_ex(listener.getsockname()) == errno.EISCONN
    assert other.connect_ex(silent.getsockname()) == errno.ECONNREFUSED


@each(TCP_NAMES, argument="named")
def test_connect_ex_lets_other_problems_raise(
    net: Network, sockets: ExitStack, named: Named
) -> None:
    """connect_ex() returns errors of the connect call only: "host not found" still raises."""
    sock = sockets.enter_context(named.socket(net))
    with pytest.raises(socket.gaierror):
        sock.connect_ex(("no-such-host.invalid", 80))
    with pytest.raises(OverflowError):
        sock.connect_ex((named.fresh_address(net)[0], 65536))


@each(TCP_NAMES, argument="named")
def test_connect_ex_serves_asynchronous_connects(
    net: Network, sockets: ExitStack, named: Named
) -> None:
    """A non-blocking connect_ex() says EINPROGRESS; the socket is writable when it is done."""
    listener = sockets.enter_context(named.listening(net))
    client = sockets.enter_context(named.socket(net))
    client.setblocking(False)
    assert client.connect_ex(listener.getsockname()) == errno.EINPROGRESS
    assert net.select([], [client], [], PATIENCE)[1] == [client]
    assert client.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) == 0


@each(ALL_NAMES, argument="named")
def test_fileno_is_of_use_with_select(net: Network, sockets: ExitStack, named: Named) -> None:
    """fileno() is an integer that select() takes."""
    number = sockets.enter_context(named.socket(net)).fileno()
    assert isinstance(number, int)
    assert net.select([], [number], [], 0)[1] == [number]


@each(STREAM_NAMES, argument="named")
def test_getpeername_is_the_remote_address(net: Network, sockets: ExitStack, named: Named) -> None:
    """getpeername() returns the address that the socket is connected to, port and all."""
    listener = sockets.enter_context(named.listening(net))
    client = sockets.enter_context(named.bound(net))
    assert outcome(client.getpeername) == "ENOTCONN"
    client.connect(listener.getsockname())
    conn, address = listener.accept()
    with conn:
        assert client.getpeername() == conn.getsockname() == listener.getsockname()
        assert conn.getpeername() == client.getsockname() == address


@each(TCP_NAMES, argument="named")
def test_getsockname_finds_out_the_port(net: Network, sockets: ExitStack, named: Named) -> None:
    """getsockname() returns the socket's own address, with the port that the system chose."""
    host, port = sockets.enter_context(named.bound(net)).getsockname()[:2]
    assert host == named.fresh_address(net)[0]
    assert 0 < port < 65536


@each(ALL_NAMES, argument="named")
def test_getsockopt_without_a_length_is_an_integer(
    net: Network, sockets: ExitStack, named: Named
) -> None:
    """getsockopt(level, option) returns the option's integer value."""
    sock = sockets.enter_context(named.socket(net))
    assert sock.getsockopt(socket.SOL_SOCKET, socket.SO_TYPE) == named.type


@each(ALL_NAMES, argument="named")
@pytest.mark.parametrize("length", [1, 2, 4, 8, 1024])
def test_getsockopt_with_a_length_is_a_buffer(
    net: Network, sockets: ExitStack, named: Named, length: int
) -> None:
    """getsockopt(level, option, n) returns at most n bytes, for the caller to decode."""
    sock = sockets.enter_context(named.socket(net))
    data = sock.getsockopt(socket.SOL_SOCKET, socket.SO_TYPE, length)
    assert data == struct.pack("i", named.type)[:length]


@each(CONNECTION_NAMES, argument="named")
@pytest.mark.parametrize("backlog", [1, 5])
def test_listen_says_how_many_may_wait(
    net: Network, sockets: ExitStack, named: Named, backlog: int
) -> None:
    """listen(n) lets connections wait to be accepted: at least n."""
    listener = sockets.enter_context(named.listening(net, backlog))
    for _ in range(backlog):
        client = sockets.enter_context(named.socket(net))
        assert outcome(client.connect, listener.getsockname()) is None


@each(STREAM_PAIRS)
def test_a_file_belongs_to_the_socket(net: Network, sockets: ExitStack, kind: Kind) -> None:
    """makefile() returns a file object over the same connection."""
    a, b = opened(sockets, net, kind)
    with a.makefile("w", encoding="utf-8") as writer, b.makefile(encoding="utf-8") as reader:
        print("over the file", file=writer, flush=True)
        assert reader.readline() == "over the file\n"


@each(STREAM_PAIRS)
@pytest.mark.parametrize("first", ["socket", "file"])
def test_file_and_socket_close_independently(
    net: Network, sockets: ExitStack, kind: Kind, first: str
) -> None:
    """Whichever of file and socket is closed first, the other goes on; both end the connection."""
    a, b = opened(sockets, net, kind)
    file = a.makefile("wb", 0)
    ends = {"socket": (a, file.write, file), "file": (file, a.send, a)}
    closed_first, go_on, closed_last = ends[first]
    closed_first.close()
    go_on(b"goes on")
    assert recv_exactly(b, 7) == b"goes on"
    b.setblocking(False)
    assert outcome(b.recv, 1) == "EAGAIN"
    closed_last.close()
    b.settimeout(PATIENCE)
    assert b.recv(1) == b""


@each(STREAM_PAIRS)
def test_a_socket_may_be_collected_while_its_file_lives(
    net: Network, sockets: ExitStack, kind: Kind
) -> None:
    """The socket object may be forgotten: its file keeps the connection."""
    a, b = kind.make(net)
    sockets.enter_context(b).settimeout(PATIENCE)
    with a.makefile("wb", 0) as file:
        a.close()
        del a
        gc.collect()
        file.write(b"alone")
        assert b.recv(10) == b"alone"
    assert b.recv(1) == b""


@pytest.mark.parametrize("buffering", [0, 2, 16, -1, None])
def test_mode_and_buffering_are_those_of_open(
    net: Network, sockets: ExitStack, buffering: int | None
) -> None:
    """makefile()'s mode and buffer size mean what they mean for open()."""
    a, b = map(sockets.enter_context, net.socketpair())
    b.setblocking(False)
    with a.makefile("wb", buffering) as file:
        file.write(b"x")
        assert outcome(b.recv, 1) == (b"x" if buffering == 0 else "EAGAIN")
        file.flush()
    assert drain(b) == (b"" if buffering == 0 else b"x")


@each(CONNECTION_PAIRS)
@pytest.mark.parametrize("size", [1, 4, 10, 1000])
def test_recv_gives_at_most_what_is_asked(
    net: Network, sockets: ExitStack, kind: Kind, size: int
) -> None:
    """recv(n) returns the data received, n bytes at the most."""
    a, b = opened(sockets, net, kind)
    a.send(b"0123456789")
    assert b.recv(size) == b"0123456789"[:size]


@each(ALL_PAIRS)
def test_flags_have_the_kernels_meaning(net: Network, sockets: ExitStack, kind: Kind) -> None:
    """The flags of recv() and recvfrom() are those of recv(2); the default is none."""
    a, b = opened(sockets, net, kind)
    a.send(b"look")
    assert b.recv(10, socket.MSG_PEEK) == b"look"
    assert b.recvfrom(10, socket.MSG_PEEK)[0] == b"look"
    assert b.recv(10, 0) == b"look"
    b.settimeout(None)
    assert outcome(b.recv, 10, socket.MSG_DONTWAIT) == "EAGAIN"


@each(DATAGRAM_NAMES, argument="named")
def test_recvfrom_tells_who_sent(net: Network, sockets: ExitStack, named: Named) -> None:
    """recvfrom() returns a pair: the data, and the address of the socket that sent it."""
    a, b = (sockets.enter_context(named.bound(net)) for _ in range(2))
    a.sendto(b"who", b.getsockname())
    assert b.recvfrom(10) == (b"who", a.getsockname())


@each(CONNECTION_NAMES, argument="named")
def test_send_needs_a_connection(net: Network, sockets: ExitStack, named: Named) -> None:
    """send() and sendall() need a socket that is connected."""
    sock = sockets.enter_context(named.socket(net))
    expected = "EPIPE" if named in TCP_NAMES else "ENOTCONN"
    assert [outcome(call, b"x") for call in (sock.send, sock.sendall)] == [expected] * 2


@each(STREAM_PAIRS)
def test_send_may_take_a_part(net: Network, sockets: ExitStack, kind: Kind) -> None:
    """send() returns how many bytes it took; the caller sends the rest."""
    a, b = opened(sockets, net, kind)
    a.setblocking(False)
    data = bytes(range(256)) * (1 << 16)
    taken = a.send(data)
    assert 0 < taken < len(data)
    assert recv_exactly(b, taken) == data[:taken]


@each(STREAM_PAIRS)
def test_sendall_sends_everything(net: Network, sockets: ExitStack, kind: Kind) -> None:
    """sendall() goes on until all is sent, and returns None."""
    a, b = opened(sockets, net, kind)
    data = bytes(range(256)) * (1 << 14)
    task = net.spawn(a.sendall, data)
    assert recv_exactly(b, len(data)) == data
    assert task.result(PATIENCE) is None


@each(STREAM_PAIRS)
def test_sendall_raises_on_an_error(net: Network, sockets: ExitStack, kind: Kind) -> None:
    """sendall() raises when the connection ends on the way."""
    a, b = opened(sockets, net, kind)
    task = net.spawn(outcome, a.sendall, bytes(64 << 20))
    assert b.recv(1)
    b.close()
    assert task.result(PATIENCE) in ("EPIPE", "ECONNRESET")


@each(DATAGRAM_NAMES, argument="named")
def test_sendto_names_its_destination(net: Network, sockets: ExitStack, named: Named) -> None:
    """sendto() sends from an unconnected socket to the address, and returns the count."""
    sender = sockets.enter_context(named.socket(net))
    for flags in ((), (0,)):
        receiver = sockets.enter_context(named.bound(net))
        assert sender.sendto(b"to you", *flags, receiver.getsockname()) == 6
        assert receiver.recv(10) == b"to you"


@each(ALL_NAMES, argument="named")
def test_sockets_begin_in_blocking_mode(net: Network, sockets: ExitStack, named: Named) -> None:
    """At first every socket is in blocking mode; setblocking(0) and (1) change it."""
    sock = sockets.enter_context(named.socket(net))
    modes = [sock.getblocking()]
    for flag in (0, 1):
        sock.setblocking(flag)  # type: ignore[arg-type]
        modes.append(sock.getblocking())
    assert modes == [True, False, True]


@each(ALL_PAIRS)
def test_without_blocking_no_data_is_an_error(net: Network, sockets: ExitStack, kind: Kind) -> None:
    """In non-blocking mode a recv() that finds no data raises."""
    _, b = opened(sockets, net, kind)
    b.setblocking(False)
    assert outcome(b.recv, 1) == "EAGAIN"


@each(CONNECTION_PAIRS)
def test_without_blocking_no_room_is_an_error(net: Network, sockets: ExitStack, kind: Kind) -> None:
    """In non-blocking mode a send() that finds no room raises."""
    a, _ = opened(sockets, net, kind)
    a.setblocking(False)
    while fill(a):
        net.select([], [a], [], 0.05)
    assert outcome(a.send, b"x" * 1024) == "EAGAIN"


@each(ALL_PAIRS)
def test_in_blocking_mode_a_call_waits(net: Network, sockets: ExitStack, kind: Kind) -> None:
    """In blocking mode a recv() waits until it can proceed."""
    a, b = opened(sockets, net, kind)
    b.setblocking(True)
    task = net.spawn(b.recv, 10)
    assert not task.join(0.01)
    a.send(b"proceed")
    assert task.result(PATIENCE) == b"proceed"


@each(ALL_NAMES, argument="named")
@pytest.mark.parametrize("value", [1, struct.pack("i", 1)], ids=["int", "bytes"])
def test_an_option_is_set_from_an_integer_or_bytes(
    net: Network, sockets: ExitStack, named: Named, value: int | bytes
) -> None:
    """setsockopt() takes an integer, or a buffer with the right bytes."""
    sock = sockets.enter_context(named.socket(net))
    assert sock.getsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR) == 0
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, value)
    assert sock.getsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR) == 1


@each(CONNECTION_PAIRS)
@pytest.mark.parametrize("how", [0, 1, 2])
def test_shutdown_ends_one_half_or_both(
    net: Network, sockets: ExitStack, kind: Kind, how: int
) -> None:
    """shutdown(0) ends receiving, shutdown(1) sending, shutdown(2) both."""
    a, _ = opened(sockets, net, kind)
    a.setblocking(False)
    a.shutdown(how)
    assert outcome(a.recv, 1) == ("EAGAIN" if how == socket.SHUT_WR else b"")
    assert outcome(a.send, b"x") == (1 if how == socket.SHUT_RD else "EPIPE")
