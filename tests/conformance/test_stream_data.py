"""Bytes over a connected stream: order, pieces, buffers, addresses, files."""

from __future__ import annotations

import io
import socket
from collections.abc import Callable

import pytest

from simnet.api import Network, Socket
from tests.conformance.kinds import (
    CONNECTION_NAMES,
    CONNECTION_PAIRS,
    SEQPACKET_PAIRS,
    STREAM_PAIRS,
    TCP_NAMES,
    TCP_PAIRS,
    UNIX_STREAM_PAIRS,
    Named,
    each,
    with_both_directions,
)
from tests.conformance.outcomes import outcome, readiness, recv_exactly

DONTWAIT = socket.MSG_DONTWAIT

Keep = Callable[[Socket], Socket]
Pair = tuple[Socket, Socket]


@each(with_both_directions(CONNECTION_PAIRS))
def test_bytes_arrive(net: Network, pair: Pair) -> None:
    """What is sent is received, in either direction, and nothing more."""
    a, b = pair
    assert a.send(b"hello") == 5
    assert b.recv(100) == b"hello"
    assert outcome(b.recv, 100, DONTWAIT) == "EAGAIN"


@each(STREAM_PAIRS)
def test_a_stream_has_no_message_boundaries(net: Network, pair: Pair) -> None:
    """Two sends may be read at once, and one in pieces."""
    a, b = pair
    a.sendall(b"abc")
    a.sendall(b"def")
    assert recv_exactly(b, 2) == b"ab"
    assert recv_exactly(b, 4) == b"cdef"


@each(SEQPACKET_PAIRS)
def test_seqpacket_keeps_message_boundaries(net: Network, pair: Pair) -> None:
    """One recv() gives one message, and what does not fit is lost."""
    a, b = pair
    a.send(b"abc")
    a.send(b"defghi")
    a.send(b"j")
    assert [b.recv(10), b.recv(2), b.recv(10)] == [b"abc", b"de", b"j"]


@each(STREAM_PAIRS)
@pytest.mark.parametrize("size", [1, 100, 2048])
def test_a_small_send_on_a_fresh_stream_is_taken_whole(net: Network, pair: Pair, size: int) -> None:
    """Up to 2048 bytes at once, in non-blocking mode too."""
    a, b = pair
    a.setblocking(False)
    assert a.send(b"x" * size) == size
    assert recv_exactly(b, size) == b"x" * size


@each(STREAM_PAIRS)
def test_sending_nothing_arrives_as_nothing(net: Network, pair: Pair) -> None:
    """send(b'') on an open stream is 0 and not seen by the peer."""
    a, b = pair
    assert a.send(b"") == 0
    assert readiness(net, b) == "OUT"


@each(SEQPACKET_PAIRS)
def test_sending_nothing_on_seqpacket_is_a_message(net: Network, pair: Pair) -> None:
    """The peer is readable and receives b'', which looks like the end but is not."""
    a, b = pair
    assert a.send(b"") == 0
    assert readiness(net, b) == "IN|OUT"
    assert b.recv(10) == b""
    assert outcome(b.recv, 10, DONTWAIT) == "EAGAIN"


@each(CONNECTION_PAIRS)
def test_sending_nothing_after_the_end_is_still_an_error(net: Network, pair: Pair) -> None:
    """send(b'') is EPIPE once the own half is shut."""
    a, _ = pair
    a.shutdown(socket.SHUT_WR)
    assert outcome(a.send, b"") == "EPIPE"


@each(CONNECTION_PAIRS)
def test_receiving_no_bytes_does_not_ask_the_kernel(net: Network, pair: Pair) -> None:
    """recv(0) is b'' with or without data, on a closed socket too, and consumes nothing."""
    a, b = pair
    assert b.recv(0) == b""
    a.send(b"data")
    assert b.recv(0) == b""
    assert b.recv(10) == b"data"
    b.close()
    assert b.recv(0) == b""


@each(CONNECTION_PAIRS)
def test_receiving_no_bytes_with_recvfrom_asks_the_kernel(net: Network, pair: Pair) -> None:
    """recvfrom(0) on a closed socket is EBADF."""
    _, b = pair
    b.close()
    assert outcome(b.recvfrom, 0) == "EBADF"


@each(STREAM_PAIRS)
def test_recvfrom_no_bytes_leaves_a_stream_as_it_is(net: Network, pair: Pair) -> None:
    """With data waiting it returns nothing and takes nothing."""
    a, b = pair
    a.send(b"data")
    assert b.recvfrom(0)[0] == b""
    assert b.recv(10) == b"data"


@each(TCP_PAIRS)
def test_recvfrom_of_a_tcp_connection_tells_no_address(net: Network, pair: Pair) -> None:
    """The address is None."""
    a, b = pair
    a.send(b"data")
    assert b.recvfrom(2) == (b"da", None)
    assert b.recvmsg(2) == (b"ta", [], 0, None)


@each(CONNECTION_PAIRS)
def test_recv_into_fills_a_buffer(net: Network, pair: Pair) -> None:
    """It returns the count and leaves the rest of the buffer alone."""
    a, b = pair
    buffer = bytearray(b"........")
    a.send(b"abc")
    assert b.recv_into(buffer) == 3
    assert buffer == b"abc....."


@each(STREAM_PAIRS)
def test_recv_into_takes_at_most_nbytes(net: Network, pair: Pair) -> None:
    """A given count limits it; the rest stays in the stream."""
    a, b = pair
    buffer = bytearray(b"........")
    a.send(b"abcdef")
    assert b.recv_into(buffer, 2) == 2
    assert b.recv_into(memoryview(buffer)[4:]) == 4
    assert buffer == b"ab..cdef"


@each(CONNECTION_PAIRS)
def test_recv_into_refuses_a_count_beyond_the_buffer(net: Network, pair: Pair) -> None:
    """ValueError, as for a negative one, and no data is lost."""
    a, b = pair
    a.send(b"abc")
    with pytest.raises(ValueError, match=r"^buffer too small for requested bytes$"):
        b.recv_into(bytearray(2), 3)
    with pytest.raises(ValueError, match=r"^nbytes is greater than the length of the buffer$"):
        b.recvfrom_into(bytearray(2), 3)
    for call in (b.recv_into, b.recvfrom_into):
        with pytest.raises(ValueError, match="negative buffersize"):
            call(bytearray(2), -1)
    with pytest.raises(ValueError, match="negative buffersize"):
        b.recv(-1)
    assert b.recv(10) == b"abc"


@each(TCP_PAIRS)
def test_recvfrom_into_fills_a_buffer_and_tells_no_address(net: Network, pair: Pair) -> None:
    """(count, None) for a TCP connection."""
    a, b = pair
    buffer = bytearray(4)
    a.send(b"abc")
    assert b.recvfrom_into(buffer) == (3, None)
    assert buffer == b"abc\0"


@each(CONNECTION_PAIRS)
def test_sendmsg_gathers_its_buffers(net: Network, pair: Pair) -> None:
    """Several buffers, empty ones too, go as one send."""
    a, b = pair
    assert a.sendmsg([b"ab", b"", bytearray(b"cd"), memoryview(b"e")]) == 5
    assert b.recv(10) == b"abcde"


@each(STREAM_PAIRS)
def test_sendmsg_without_buffers_sends_nothing(net: Network, pair: Pair) -> None:
    """0, and the peer sees nothing."""
    a, b = pair
    assert a.sendmsg([]) == 0
    assert readiness(net, b) == "OUT"


@each(CONNECTION_PAIRS)
def test_recvmsg_into_scatters_over_its_buffers(net: Network, pair: Pair) -> None:
    """The buffers are filled in order."""
    a, b = pair
    first, second = bytearray(2), bytearray(4)
    a.send(b"abcd")
    assert b.recvmsg_into([first, second])[0] == 4
    assert (first, second) == (b"ab", b"cd\0\0")


@each(CONNECTION_PAIRS)
def test_the_sender_may_change_its_buffer_after_send(net: Network, pair: Pair) -> None:
    """What was taken belongs to the network."""
    a, b = pair
    buffer = bytearray(b"before")
    a.send(buffer)
    buffer[:] = b"after!"
    assert b.recv(10) == b"before"


@each(STREAM_PAIRS)
def test_sendall_and_sendfile_return_nothing_and_a_count(net: Network, pair: Pair) -> None:
    """sendall() gives None, sendfile() what it sent from the file's position on."""
    a, b = pair
    assert a.sendall(b"all") is None
    file = io.BytesIO(b"0123456789")
    assert a.sendfile(file, offset=2, count=5) == 5
    assert file.tell() == 7
    assert a.sendfile(file, offset=8) == 2
    assert recv_exactly(b, 10) == b"all2345689"


@each(STREAM_PAIRS)
def test_sendfile_refuses_a_non_blocking_socket(net: Network, pair: Pair) -> None:
    """ValueError, before anything is sent."""
    a, b = pair
    a.setblocking(False)
    with pytest.raises(ValueError, match="non-blocking"):
        a.sendfile(io.BytesIO(b"data"))
    assert readiness(net, b) == "OUT"


@each(TCP_PAIRS)
def test_sendto_on_a_tcp_connection_ignores_the_address(net: Network, pair: Pair) -> None:
    """Any address of the family will do."""
    a, b = pair
    assert a.sendto(b"anywhere", a.getsockname()) == 8
    assert b.recv(10) == b"anywhere"


@each(UNIX_STREAM_PAIRS)
def test_sendto_on_a_unix_stream_says_that_it_is_connected(net: Network, pair: Pair) -> None:
    """EISCONN, whether the address exists or not."""
    a, _ = pair
    assert outcome(a.sendto, b"x", "/no/such/name") == "EISCONN"


@each(SEQPACKET_PAIRS)
def test_sendto_on_seqpacket_ignores_the_address(net: Network, pair: Pair) -> None:
    """The message goes to the peer."""
    a, b = pair
    assert a.sendto(b"anywhere", "/no/such/name") == 8
    assert b.recv(10) == b"anywhere"


# Not connected


@each(CONNECTION_NAMES, argument="named")
@pytest.mark.parametrize(
    "call",
    [
        pytest.param(lambda sock: sock.recv(1), id="recv"),
        pytest.param(lambda sock: sock.recv(1, socket.MSG_PEEK), id="peek"),
        pytest.param(lambda sock: sock.recvfrom(0), id="recvfrom"),
        pytest.param(lambda sock: sock.recv_into(bytearray(1)), id="recv_into"),
        pytest.param(lambda sock: sock.recvmsg(1), id="recvmsg"),
    ],
)
def test_receiving_unconnected_fails(
    net: Network, keep: Keep, named: Named, call: Callable[[Socket], object]
) -> None:
    """ENOTCONN, except that a unix stream says EINVAL."""
    expected = "EINVAL" if named.name.startswith("unix-stream") else "ENOTCONN"
    assert outcome(call, keep(named.socket(net))) == expected
    assert outcome(call, keep(named.bound(net))) == expected


@each(CONNECTION_NAMES, argument="named")
@pytest.mark.parametrize(
    "call",
    [
        pytest.param(lambda sock: sock.send(b"x"), id="send"),
        pytest.param(lambda sock: sock.send(b""), id="send-empty"),
        pytest.param(lambda sock: sock.sendall(b"x"), id="sendall"),
        pytest.param(lambda sock: sock.sendmsg([b"x"]), id="sendmsg"),
    ],
)
def test_sending_unconnected_fails(
    net: Network, keep: Keep, named: Named, call: Callable[[Socket], object]
) -> None:
    """EPIPE on TCP, ENOTCONN on unix sockets."""
    expected = "EPIPE" if named in TCP_NAMES else "ENOTCONN"
    assert outcome(call, keep(named.socket(net))) == expected
    assert outcome(call, keep(named.bound(net))) == expected


@each(CONNECTION_NAMES, argument="named")
def test_an_address_does_not_help_an_unconnected_stream(
    net: Network, keep: Keep, named: Named, listener: Socket
) -> None:
    """sendto() does not connect: EPIPE, EOPNOTSUPP or ENOTCONN by kind."""
    errors = {"unix-stream": "EOPNOTSUPP", "unix-seqpacket": "ENOTCONN", "": "EPIPE"}
    sock = keep(named.socket(net))
    expected = errors[named.name.rpartition("-")[0]]
    assert outcome(sock.sendto, b"x", listener.getsockname()) == expected
