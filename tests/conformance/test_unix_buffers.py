"""How much a unix socket takes before it is full: the kernel's own accounting, in closed form.

Only the sender's SO_SNDBUF counts. Each message (or piece of a stream write) costs the true size of
its buffers, head and pages, and is taken while what is in use is below SO_SNDBUF (Linux 6.18).
"""

from __future__ import annotations

import socket
from contextlib import ExitStack

import pytest

from simnet.api import Network, Socket
from tests.conformance.kinds import UNIX_STREAM_PAIRS, Kind, each, unix_path
from tests.conformance.outcomes import drain, outcome, readiness
from tests.conformance.unix_sockets import bound, unix

MESSAGE_TYPES = pytest.mark.parametrize(
    "type", [socket.SOCK_DGRAM, socket.SOCK_SEQPACKET], ids=["dgram", "seqpacket"]
)
# What is given to SO_SNDBUF; 0 leaves the default.
SNDBUFS = pytest.mark.parametrize("sndbuf", [0, 1, 4096, 8192, 20000, 50000, 100001])
SMALL = [0, 1, 10, 100, 191, 192, 193, 500, 704, 705, 1000, 1728, 1729, 3776, 3777, 4096]
LARGE = [7872, 7873, 10000, 16064, 16065, 20000, 36544, 36545, 65536, 100000]
SIZES = pytest.mark.parametrize("size", SMALL + LARGE)
HEAD_ROOM = 16064  # the largest message that the kernel keeps without pages
CHUNK = 36544  # the largest piece that a stream write is cut into


def head_cost(size: int) -> int:
    """The cost of a buffer that holds `size` bytes itself, without pages."""
    room = max(512, -(-size // 64) * 64 + 320)
    return 256 + (1 << (room - 1).bit_length())


def in_pages(size: int) -> int:
    """`size` rounded up to whole pages."""
    return -(-size // 4096) * 4096


def message_cost(size: int) -> int:
    """The cost of one datagram or seqpacket message."""
    pages = in_pages(max(0, size - HEAD_ROOM))
    return head_cost(size - min(size, pages)) + pages


def messages_that_fit(size: int, sndbuf: int) -> int:
    """How many messages of that size are taken before EAGAIN."""
    return 0 if size > sndbuf - 32 else -(-sndbuf // message_cost(size))


def stream_chunks(size: int, sndbuf: int) -> list[tuple[int, int]]:
    """The pieces (bytes, cost) that one write to a stream is cut into."""
    pieces = []
    while size:
        piece = min(size, sndbuf // 2 - 64, CHUNK)
        pages = min(piece, in_pages(max(0, piece - 3776)))
        pieces.append((piece, head_cost(piece - pages) + in_pages(pages)))
        size -= piece
    return pieces


def stream_counts(size: int, sndbuf: int) -> list[int]:
    """What each send() of that size returns, until EAGAIN."""
    used, counts = 0, []
    while used < sndbuf:
        counts.append(0)
        for piece, cost in stream_chunks(size, sndbuf):
            if used >= sndbuf:
                break
            used += cost
            counts[-1] += piece
    return counts


def with_sndbuf(sock: Socket, sndbuf: int) -> int:
    """Set SO_SNDBUF unless 0, make it non-blocking, and return what SO_SNDBUF reads."""
    sock.setblocking(False)
    if sndbuf:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, sndbuf)
    return int(sock.getsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF))


def counts_until_full(sock: Socket, size: int) -> list[int]:
    """What send() returns for that many bytes, again and again until EAGAIN."""
    counts = []
    while (count := outcome(sock.send, bytes(size))) != "EAGAIN":
        counts.append(count)
    return counts


def pair(sockets: ExitStack, net: Network, type: int, sndbuf: int) -> tuple[Socket, Socket, int]:
    """A socketpair, both ends non-blocking, and the first one's SO_SNDBUF."""
    a, b = map(sockets.enter_context, net.socketpair(socket.AF_UNIX, type))
    b.setblocking(False)
    return a, b, with_sndbuf(a, sndbuf)


@MESSAGE_TYPES
@SNDBUFS
@SIZES
def test_messages_are_taken_while_the_buffer_is_not_full(
    net: Network, sockets: ExitStack, type: int, sndbuf: int, size: int
) -> None:
    """A pair takes messages of one size until their cost reaches SO_SNDBUF, or refuses the size."""
    a, _, limit = pair(sockets, net, type, sndbuf)
    expected = messages_that_fit(size, limit)
    if expected:
        assert counts_until_full(a, size) == [size] * expected
    else:
        assert outcome(a.send, bytes(size)) == "EMSGSIZE"


@SNDBUFS
@SIZES
def test_a_stream_takes_pieces_while_the_buffer_is_not_full(
    net: Network, sockets: ExitStack, sndbuf: int, size: int
) -> None:
    """A stream takes exactly the pieces that start below SO_SNDBUF; the last count is short."""
    a, b, limit = pair(sockets, net, socket.SOCK_STREAM, sndbuf)
    if size:
        assert counts_until_full(a, size) == stream_counts(size, limit)
    else:
        assert [a.send(b"") for _ in range(3)] == [0, 0, 0]
        assert readiness(net, b) == "OUT"


@each(UNIX_STREAM_PAIRS)
@pytest.mark.parametrize("size", [1, 1000, 65536, 1 << 20])
def test_how_a_stream_was_made_does_not_change_its_room(
    net: Network, sockets: ExitStack, kind: Kind, size: int
) -> None:
    """A pair and an accepted connection take the same."""
    a, _ = map(sockets.enter_context, kind.make(net))
    limit = with_sndbuf(a, 30000)
    assert counts_until_full(a, size) == stream_counts(size, limit)


@MESSAGE_TYPES
@SNDBUFS
@pytest.mark.parametrize("over", [0, 1, 1000])
def test_the_largest_message_leaves_32_bytes_of_the_buffer(
    net: Network, sockets: ExitStack, type: int, sndbuf: int, over: int
) -> None:
    """A message of SO_SNDBUF - 32 bytes passes whole; one more byte is EMSGSIZE."""
    a, b, limit = pair(sockets, net, type, sndbuf)
    size = limit - 32 + over
    assert outcome(a.send, bytes(size)) == ("EMSGSIZE" if over else size)
    assert len(drain(b, 1 << 20)) == (0 if over else size)


@MESSAGE_TYPES
def test_a_message_that_is_too_large_is_refused_before_a_full_queue(
    net: Network, sockets: ExitStack, type: int
) -> None:
    """EMSGSIZE comes before EAGAIN."""
    a, _, limit = pair(sockets, net, type, 8192)
    counts_until_full(a, 1000)
    assert outcome(a.send, bytes(limit)) == "EMSGSIZE"


@pytest.mark.parametrize("type", [socket.SOCK_STREAM, socket.SOCK_DGRAM, socket.SOCK_SEQPACKET])
@pytest.mark.parametrize("size", [1, 100, 1000, 5000])
def test_a_full_queue_takes_one_more_for_each_that_is_read(
    net: Network, sockets: ExitStack, type: int, size: int
) -> None:
    """Reading one whole send makes room for exactly one more of the same size."""
    a, b, _ = pair(sockets, net, type, 20000)
    taken = len(counts_until_full(a, size))
    for _ in range(taken):
        assert len(b.recv(size)) == size
        assert counts_until_full(a, size) == [size]


def test_a_stream_piece_is_charged_until_it_is_read_whole(net: Network, sockets: ExitStack) -> None:
    """Reading all but one byte of a piece frees nothing; the last byte frees it all."""
    a, b, _ = pair(sockets, net, socket.SOCK_STREAM, 8192)
    counts_until_full(a, 1000)
    assert len(b.recv(999)) == 999
    assert outcome(a.send, b"x") == "EAGAIN"
    assert len(b.recv(1)) == 1
    assert outcome(a.send, b"x") == 1


@pytest.mark.parametrize("type", [socket.SOCK_STREAM, socket.SOCK_SEQPACKET])
@pytest.mark.parametrize("size", [1, 100, 1000, 4096])
@pytest.mark.parametrize("sndbuf", [0, 8192, 30000])
def test_a_connection_is_writable_while_a_quarter_is_used(
    net: Network, sockets: ExitStack, type: int, size: int, sndbuf: int
) -> None:
    """POLLOUT is on exactly while four times what is in use is at most SO_SNDBUF."""
    a, _, limit = pair(sockets, net, type, sndbuf)
    cost = message_cost(size) if type != socket.SOCK_STREAM else stream_chunks(size, limit)[0][1]
    for used in range(0, limit, cost):
        assert readiness(net, a) == ("OUT" if used * 4 <= limit else "")
        assert a.send(bytes(size)) == size


@pytest.mark.parametrize("type", [socket.SOCK_STREAM, socket.SOCK_DGRAM, socket.SOCK_SEQPACKET])
def test_the_receivers_buffer_does_not_matter(net: Network, sockets: ExitStack, type: int) -> None:
    """The peer's SO_RCVBUF and SO_SNDBUF change nothing of what a sender may queue."""
    a, _, _ = pair(sockets, net, type, 20000)
    c, d, _ = pair(sockets, net, type, 20000)
    d.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1)
    d.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1)
    assert counts_until_full(a, 500) == counts_until_full(c, 500)


@pytest.mark.parametrize("type", [socket.SOCK_STREAM, socket.SOCK_DGRAM, socket.SOCK_SEQPACKET])
def test_the_two_directions_are_charged_apart(net: Network, sockets: ExitStack, type: int) -> None:
    """A full queue one way leaves the other way as it was."""
    a, b, _ = pair(sockets, net, type, 20000)
    full = counts_until_full(a, 500)
    with_sndbuf(b, 20000)
    assert counts_until_full(b, 500) == full


@pytest.mark.parametrize("type", [socket.SOCK_STREAM, socket.SOCK_SEQPACKET])
def test_the_senders_buffer_is_not_handed_on_by_accept(
    net: Network, sockets: ExitStack, type: int
) -> None:
    """An accepted unix socket has the default SO_SNDBUF, whatever its listener has."""
    listener = bound(sockets, net, type, unix_path(net))
    default = listener.getsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 5000)
    client = unix(sockets, net, type)
    client.connect(listener.getsockname())
    conn, _ = listener.accept()
    with conn:
        assert conn.getsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF) == default


@pytest.mark.parametrize("size", [0, 1, 100, 1000, 5000])
def test_a_named_datagram_socket_queues_eleven_messages(
    net: Network, sockets: ExitStack, size: int
) -> None:
    """From another socket a receiver takes eleven messages of any size, then EAGAIN."""
    receiver = bound(sockets, net, socket.SOCK_DGRAM, unix_path(net))
    sender = unix(sockets, net, socket.SOCK_DGRAM)
    sender.setblocking(False)
    results = [outcome(sender.sendto, bytes(size), receiver.getsockname()) for _ in range(12)]
    assert results == [size] * 11 + ["EAGAIN"]


def test_all_senders_share_the_eleven_places(net: Network, sockets: ExitStack) -> None:
    """Eleven senders of one message each fill a receiver; the twelfth is refused."""
    receiver = bound(sockets, net, socket.SOCK_DGRAM, unix_path(net))
    senders = [unix(sockets, net, socket.SOCK_DGRAM) for _ in range(12)]
    for sender in senders:
        sender.setblocking(False)
    results = [outcome(sender.sendto, b"x", receiver.getsockname()) for sender in senders]
    assert results == [1] * 11 + ["EAGAIN"]


def test_a_connected_sender_sees_the_full_queue(net: Network, sockets: ExitStack) -> None:
    """POLLOUT goes off when the connected receiver is full and comes back with one read."""
    receiver = bound(sockets, net, socket.SOCK_DGRAM, unix_path(net))
    sender = unix(sockets, net, socket.SOCK_DGRAM)
    sender.connect(receiver.getsockname())
    sender.setblocking(False)
    assert counts_until_full(sender, 1) == [1] * 11
    assert readiness(net, sender) == ""
    receiver.recv(1)
    assert readiness(net, sender) == "OUT"
    assert outcome(sender.send, b"x") == 1


def test_an_unconnected_sender_is_always_writable(net: Network, sockets: ExitStack) -> None:
    """POLLOUT of an unconnected sender says nothing of the queue that it filled."""
    receiver = bound(sockets, net, socket.SOCK_DGRAM, unix_path(net))
    sender = unix(sockets, net, socket.SOCK_DGRAM)
    sender.setblocking(False)
    while outcome(sender.sendto, b"x", receiver.getsockname()) == 1:
        pass
    assert readiness(net, sender) == "OUT"


@pytest.mark.parametrize("size", [1, 1000])
def test_a_socket_connected_to_itself_has_no_limit_of_eleven(
    net: Network, sockets: ExitStack, size: int
) -> None:
    """A datagram socket connected to itself is limited by its SO_SNDBUF alone."""
    sock = bound(sockets, net, socket.SOCK_DGRAM, unix_path(net))
    sock.connect(sock.getsockname())
    limit = with_sndbuf(sock, 0)
    assert counts_until_full(sock, size) == [size] * messages_that_fit(size, limit)


def test_sockets_connected_to_each_other_have_no_limit_of_eleven(
    net: Network, sockets: ExitStack
) -> None:
    """Two named datagram sockets, each connected to the other, are as good as a socketpair."""
    a = bound(sockets, net, socket.SOCK_DGRAM, unix_path(net))
    b = bound(sockets, net, socket.SOCK_DGRAM, unix_path(net))
    a.connect(b.getsockname())
    b.connect(a.getsockname())
    limit = with_sndbuf(a, 0)
    assert counts_until_full(a, 1) == [1] * messages_that_fit(1, limit)


def test_one_sender_is_charged_for_all_its_receivers(net: Network, sockets: ExitStack) -> None:
    """What lies unread in several receivers adds up against one SO_SNDBUF."""
    sender = unix(sockets, net, socket.SOCK_DGRAM)
    limit = with_sndbuf(sender, 8192)
    names = [
        bound(sockets, net, socket.SOCK_DGRAM, unix_path(net)).getsockname() for _ in range(30)
    ]
    results = [outcome(sender.sendto, b"x" * 1000, name) for name in names]
    fit = messages_that_fit(1000, limit)
    assert results == [1000] * fit + ["EAGAIN"] * (30 - fit)


@pytest.mark.parametrize("type", [socket.SOCK_STREAM, socket.SOCK_SEQPACKET, socket.SOCK_DGRAM])
def test_a_blocked_send_goes_on_once_there_is_room(
    net: Network, sockets: ExitStack, type: int
) -> None:
    """A blocking send into a full queue waits for the reader, then takes everything."""
    a, b, _ = pair(sockets, net, type, 8192)
    counts_until_full(a, 1000)
    a.settimeout(None)
    task = net.spawn(a.send, b"y" * 1000)
    b.settimeout(5)
    parts = [b.recv(1000)]
    while not parts[-1].startswith(b"y"):
        parts.append(b.recv(1000))
    assert task.result(5) == 1000


@pytest.mark.parametrize("type", [socket.SOCK_STREAM, socket.SOCK_SEQPACKET, socket.SOCK_DGRAM])
def test_a_send_into_a_full_queue_times_out(net: Network, sockets: ExitStack, type: int) -> None:
    """In timeout mode a send that finds no room raises TimeoutError."""
    a, _, _ = pair(sockets, net, type, 8192)
    counts_until_full(a, 1000)
    a.settimeout(0.02)
    with pytest.raises(TimeoutError, match="timed out"):
        a.send(b"x" * 1000)
