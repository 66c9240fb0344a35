"""What each family does to one call, and what it never does."""

from __future__ import annotations

import errno
import os
import select
import socket
import struct
import termios
from collections.abc import Callable, Iterator, Sequence
from types import FunctionType
from typing import Any

import pytest

from simnet.descriptor_calls import REPLACED
from simnet.descriptors import DescriptorTable
from simnet.host import Host
from simnet.nastiness import FAMILIES, families
from simnet.ports import PortTable
from simnet.protocols.tcp import Tcp
from simnet.world import World

DATA = b"0123456789"
DGRAM, SEQPACKET = socket.SOCK_DGRAM, socket.SOCK_SEQPACKET
SEEDS = range(100)


def hosts(family: Any, choices: Sequence[int] | None = None) -> Iterator[Host]:
    """A host in a nasty world: one in which these choices are made, or one for each seed."""
    if choices is not None:
        with World(nasty=family, decisions={f"nasty {family}": dict(enumerate(choices))}) as world:
            yield world.host("h")
        return
    for seed in SEEDS:
        with World(seed, nasty=family) as world:
            yield world.host("h")


def host(family: Any, choices: Sequence[int]) -> Host:
    """The only one: 1 is to strike, and what follows how."""
    return next(hosts(family, choices))


def tcp(net: Host) -> tuple[Any, Any]:
    """Two ends of a connection."""
    with net.create_server(("127.0.0.1", 0)) as listener:
        client = net.create_connection(listener.getsockname())
        return client, listener.accept()[0]


def unix(net: Host, kind: int = socket.SOCK_STREAM) -> tuple[Any, Any]:
    """A pair of unix sockets."""
    return net.socketpair(socket.AF_UNIX, kind)


def udp(net: Host) -> tuple[Any, Any]:
    """Two that are connected to each other."""
    one, other = (net.socket(socket.AF_INET, DGRAM) for _ in range(2))
    for sock in (one, other):
        sock.bind(("127.0.0.1", 0))
    one.connect(other.getsockname())
    other.connect(one.getsockname())
    return one, other


STREAMS = pytest.mark.parametrize("pair", [tcp, unix])
MESSAGES: dict[str, Callable[[Host], tuple[Any, Any]]] = {
    "udp": udp,
    "dgram": lambda net: unix(net, DGRAM),
    "seqpacket": lambda net: unix(net, SEQPACKET),
}


def everything(sock: Any) -> bytes:
    """What arrives until the end."""
    return b"".join(iter(lambda: sock.recv(2000), b""))


def send_twice(net: Host, sock: Any) -> None:
    """With some time between."""
    sock.send(DATA)
    net.sleep(0.005)
    sock.send(DATA)


def errors(call: Callable[..., Any], *arguments: Any, tries: int = 1) -> list[str]:
    """The names of the errors of some tries in a row, '' of those that worked."""
    seen = []
    for _ in range(tries):
        try:
            result = call(*arguments)
        except OSError as error:
            seen.append(errno.errorcode[error.errno or 0])
        else:
            seen.append("")
            for each in result if isinstance(result, tuple) else (result,):
                if hasattr(each, "close"):
                    each.close()
    return seen


# The switch


def test_families_have_names() -> None:
    """One, several, all; in the order of the registry, each once."""
    assert families(False) == families(()) == ()
    assert families(True) == tuple(FAMILIES)
    assert families("ports") == ("ports",)
    assert families(["ports", "short_reads", "ports"]) == ("short_reads", "ports")


@pytest.mark.parametrize(
    ("name", "meant"),
    [("short_read", " (did you mean 'short_reads'?)"), ("zz", ""), (7, "")],
)
def test_a_wrong_name_is_told_with_the_right_ones(name: Any, meant: str) -> None:
    """The nearest, and all."""
    with pytest.raises(ValueError, match="no world is nasty") as caught:
        World(nasty=[name])
    known = ", ".join(FAMILIES)
    assert str(caught.value) == (
        f"no world is nasty in the way {name!r}{meant}; the ways are {known}"
    )


def test_a_kind_world_is_made_of_the_kinds_themselves() -> None:
    """So nothing is asked there, and nothing costs anything."""
    with World() as world:
        net = world.host("h")
        assert type(world.descriptors) is DescriptorTable
        assert type(net.tcp_ports) is PortTable
        assert type(net.create_endpoint(socket.AF_INET, socket.SOCK_STREAM, 0)) is Tcp


def test_a_variation_hides_nothing_but_functions_of_its_kind() -> None:
    """A name of its own that its kind uses for something else would break it."""
    for family in FAMILIES.values():
        for kind, variation in family.variations.items():
            own = [c for c in variation.__mro__ if c.__module__.startswith("simnet.nastiness")]
            for name in {name for cls in own for name in vars(cls)} - {"_abc_impl"}:
                if not name.startswith("__") and hasattr(kind, name):
                    assert isinstance(getattr(kind, name), FunctionType), (family.name, name)


def test_what_was_struck_is_spared_once() -> None:
    """Whoever tries again gets on, although everything is chosen against it."""
    net = host("descriptor_limits", [1, 0] * 10)
    assert errors(net.socket, tries=4) == ["EMFILE", "", "EMFILE", ""]


# Reading


@STREAMS
def test_a_read_may_end_at_any_byte(pair: Any) -> None:
    """From the first to the last; what is left comes next."""
    lengths = set()
    for net in hosts("short_reads"):
        one, other = pair(net)
        with one, other:
            one.sendall(DATA)
            first = other.recv(100)
            lengths.add(len(first))
            assert first == DATA or first + other.recv(100) == DATA
    assert lengths == set(range(1, 11))


@STREAMS
@pytest.mark.parametrize("told", ["peek", "FIONREAD", "SO_RCVLOWAT", "MSG_WAITALL"])
def test_a_read_gives_what_the_kernel_has_promised(pair: Any, told: str) -> None:
    """By showing it, or since so much was asked for."""
    net = host("short_reads", [1, 0] * 20)
    one, other = pair(net)
    with one, other:
        one.sendall(DATA)
        flags = 0
        if told == "peek":
            assert other.recv(7, socket.MSG_PEEK) == DATA[:7]
        elif told == "FIONREAD":
            with net:
                ioctl = _ioctl()
                assert ioctl(other.fileno(), termios.FIONREAD, bytes(4)) == struct.pack("i", 10)
        elif told == "SO_RCVLOWAT":
            other.setsockopt(socket.SOL_SOCKET, socket.SO_RCVLOWAT, 7)
        else:
            flags = socket.MSG_WAITALL
        expected = {"FIONREAD": 10, "MSG_WAITALL": 10}.get(told, 7)
        assert other.recv(10, flags) == DATA[:expected]


def _ioctl() -> Any:
    return REPLACED["fcntl"]["ioctl"]


@pytest.mark.parametrize("kind", MESSAGES)
def test_messages_are_read_whole(kind: str) -> None:
    """The rest would be lost."""
    for net in hosts("short_reads"):
        one, other = MESSAGES[kind](net)
        with one, other:
            one.send(DATA)
            assert other.recv(100) == DATA


def test_an_edge_is_told_again_after_a_short_read() -> None:
    """epoll(7): who reads less than it asked for has exhausted it, until the next event."""
    net = host("short_reads", [1, 2])
    one, other = tcp(net)
    with one, other, net.epoll() as poller:
        poller.register(other, select.EPOLLIN | select.EPOLLET)
        one.send(DATA)
        assert poller.poll(0)
        assert other.recv(100) == DATA[:3]
        assert poller.poll(0)
        assert other.recv(100) == DATA[3:]
        assert not poller.poll(0)


# Sending


@STREAMS
@pytest.mark.parametrize("timeout", [None, 1, 0])
def test_a_send_may_end_at_any_byte(pair: Any, timeout: float | None) -> None:
    """Whether it may wait or not; sendall() sends everything."""
    counts = set()
    for net in hosts("short_sends"):
        one, other = pair(net)
        with one, other:
            one.settimeout(timeout)
            counts.add(one.send(DATA))
            one.sendall(b"x" * 1000)
            one.close()
            assert everything(other).endswith(b"x" * 1000)
    assert counts == set(range(1, 11))


@pytest.mark.parametrize("kind", MESSAGES)
def test_messages_are_sent_whole(kind: str) -> None:
    """Or not at all."""
    for net in hosts("short_sends"):
        one, other = MESSAGES[kind](net)
        with one, other:
            assert one.send(DATA) == 10
            assert other.recv(100) == DATA


def test_writes_to_pipes_are_cut_above_pipe_buf() -> None:
    """And reads at any byte, unless they are packets (O_DIRECT)."""
    read, write, pipe2 = (REPLACED["os"][name] for name in ("read", "write", "pipe2"))
    counts, lengths = set(), set()
    for net in hosts(["short_reads", "short_sends"]):
        with net:
            reading, writing = pipe2(0)
            assert write(writing, bytes(4096)) == 4096
            lengths.add(len(read(reading, 4096)))
            counts.add(write(writing, bytes(5000)))
            reading, writing = pipe2(os.O_DIRECT)
            assert write(writing, bytes(8192)) == 8192
            assert len(read(reading, 4096)) == 4096
    assert len(lengths) > 10
    assert max(lengths) == 4096
    assert max(counts) == 5000
    assert any(count < 4096 for count in counts)


# Readiness


@pytest.mark.parametrize("pair", [tcp, udp])
def test_what_is_there_may_be_eagain_once(pair: Any) -> None:
    """For who does not wait; and then it is told of as something new."""
    net = host("would_block", [1])
    one, other = pair(net)
    with one, other, net.epoll() as poller:
        one.send(DATA)
        other.setblocking(False)
        poller.register(other, select.EPOLLIN | select.EPOLLET)
        assert len(poller.poll(0)) == 1
        assert errors(other.recv, 100) == ["EAGAIN"]
        assert len(poller.poll(1)) == 1
        assert other.recv(100) == DATA


@pytest.mark.parametrize("pair", [tcp, udp])
@pytest.mark.parametrize("timeout", [None, 5])
def test_who_waits_sees_no_eagain(pair: Any, timeout: float | None) -> None:
    """With a timeout of Python's, or without."""
    for net in hosts("would_block"):
        one, other = pair(net)
        with one, other:
            one.settimeout(timeout)
            other.settimeout(timeout)
            for _ in range(5):
                one.sendall(DATA)
                assert other.recv(100) == DATA
        assert net.monotonic() == 0


@pytest.mark.parametrize("pair", [tcp, udp])
def test_readiness_may_be_in_vain(pair: Any) -> None:
    """select() says that there is something, and recv() finds nothing."""
    seen = set()
    for net in hosts("would_block"):
        one, other = pair(net)
        with one, other:
            other.setblocking(False)
            for _ in range(3):
                ready = bool(net.select([other], [], [], 0)[0])
                assert ready == bool(net.select([other], [], [], 0)[0]) or not ready
                seen.add((ready, *errors(other.recv, 100)))
    assert seen == {(True, "EAGAIN"), (False, "EAGAIN")}


def test_a_receive_goes_on_after_its_socket_was_closed_elsewhere() -> None:
    """close() does not wake who waits in recv(), which still gets what comes."""
    for net in hosts(["short_reads", "would_block"]):
        one, other = tcp(net)
        with one:
            task = net.spawn(other.recv, 100)
            net.sleep(1)
            other.close()
            one.sendall(DATA)
            assert DATA.startswith(task.result())


@pytest.mark.parametrize("kind", ["stream", "dgram", "seqpacket"])
def test_unix_sockets_keep_what_readiness_promises(kind: str) -> None:
    """Event loops wake themselves through them."""
    for net in hosts("would_block"):
        one, other = unix(net) if kind == "stream" else MESSAGES[kind](net)
        with one, other:
            one.setblocking(False)
            other.setblocking(False)
            assert not net.select([other], [], [], 0)[0]
            assert one.send(DATA) == 10
            assert other.recv(100) == DATA


# On the way


def test_a_stream_arrives_in_other_pieces_than_it_was_sent_in() -> None:
    """Parts of a message, and two messages at once, with time between them."""
    seen = set()
    for net in hosts("segments"):
        one, other = tcp(net)
        with one, other:
            one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            net.spawn(send_twice, net, one)
            parts = [other.recv(100)]
            while sum(map(len, parts)) < 20:
                parts.append(other.recv(100))
            assert b"".join(parts) == DATA + DATA
            seen.add(tuple(map(len, parts)))
    assert (10, 10) in seen
    assert (20,) in seen
    assert any(lengths[0] < 10 for lengths in seen)


def test_datagrams_overtake_each_other_and_none_is_lost() -> None:
    """On the loopback too; those between unix sockets do not."""
    orders = set()
    for net in hosts("reordering"):
        for pair in (udp, MESSAGES["dgram"]):
            one, other = pair(net)
            with one, other:
                for number in range(5):
                    one.send(bytes([number]))
                order = [other.recv(10)[0] for _ in range(5)]
                assert sorted(order) == [0, 1, 2, 3, 4]
                if pair is udp:
                    orders.add(tuple(order))
                else:
                    assert order == [0, 1, 2, 3, 4]
    assert len(orders) > 5


# Accepting


def test_a_connection_may_come_late_to_accept() -> None:
    """Its client has it, and may have sent."""
    net = host("delayed_accepts", [1, 1])
    with net.create_server(("127.0.0.1", 0)) as listener:
        listener.setblocking(False)
        with net.create_connection(listener.getsockname()) as client:
            client.sendall(DATA)
            assert errors(listener.accept) == ["EAGAIN"]
            assert net.select([listener], [], [], 5)[0]
            assert net.monotonic() == 0.01
            with listener.accept()[0] as server:
                assert server.recv(100) == DATA


def test_a_late_connection_ends_with_its_listener() -> None:
    """It was never accepted: it is reset."""
    net = host("delayed_accepts", [1, 1])
    with net.create_server(("127.0.0.1", 0)) as listener:
        client = net.create_connection(listener.getsockname())
    with client:
        assert errors(client.recv, 1) == ["ECONNRESET"]


def test_a_late_connection_waits_for_room() -> None:
    """A listener for one: the second answers the repeated SYN|ACK a second later."""
    net = host("delayed_accepts", [1, 2, 0])
    with net.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        address = listener.getsockname()
        with net.create_connection(address) as late, net.create_connection(address) as early:
            net.sleep(0.5)
            with listener.accept()[0] as first, listener.accept()[0] as second:
                assert net.monotonic() == 1.1
                assert first.getpeername() == early.getsockname()
                assert second.getpeername() == late.getsockname()


def test_an_accept_may_fail_and_the_connection_is_the_next() -> None:
    """With the errors that accept(2) names, also where it waits."""
    seen = set()
    for net in hosts("aborted_accepts"):
        with net.create_server(("127.0.0.1", 0)) as listener:
            with net.create_connection(listener.getsockname()) as client:
                client.sendall(DATA)
                seen |= {"", *_accepted(listener)}
    named = "ECONNABORTED EPROTO ENETDOWN ENOPROTOOPT EHOSTDOWN ENONET EHOSTUNREACH ENOTSUP"
    assert seen <= {"", *named.split(), "ENETUNREACH"}
    assert len(seen) > 4


def _accepted(listener: Any) -> list[str]:
    seen: list[str] = []
    while True:
        try:
            with listener.accept()[0] as server:
                assert server.recv(100) == DATA
                return seen
        except OSError as error:
            seen.append(errno.errorcode[error.errno or 0])


# What has run out


def test_no_descriptor_may_be_left() -> None:
    """For whatever makes one: of the process, or of the machine."""
    seen: dict[str, set[str]] = {}
    for net in hosts("descriptor_limits"):
        pipe, dup = REPLACED["os"]["pipe"], REPLACED["os"]["dup"]
        with net:
            for make in (net.socket, net.socketpair, net.epoll, pipe):
                seen.setdefault(make.__name__, set()).update(errors(make, tries=3))
            with _persistently(net.socket) as sock:
                seen.setdefault("dup", set()).update(errors(dup, sock.fileno(), tries=3))
    assert len(seen) == 5
    assert all(each == {"", "EMFILE", "ENFILE"} for each in seen.values())


def _persistently(make: Callable[[], Any]) -> Any:
    try:
        return make()
    except OSError:
        return make()


def test_no_buffer_may_be_left() -> None:
    """For a datagram, which is not sent; for a connection, at either end."""
    seen: dict[str, set[str]] = {"send": set(), "connect": set(), "accept": set()}
    for net in hosts("no_buffers"):
        one, other = udp(net)
        with one, other:
            outcomes = errors(one.send, b"x", tries=5)
            seen["send"] |= set(outcomes)
            other.setblocking(False)
            assert errors(other.recv, 9, tries=6).count("") == outcomes.count("")
        with net.create_server(("127.0.0.1", 0)) as listener, net.socket() as sock:
            outcomes = errors(sock.connect, listener.getsockname())
            seen["connect"] |= set(outcomes)
            if outcomes != [""]:
                sock.connect(listener.getsockname())
            outcomes = errors(listener.accept)
            seen["accept"] |= set(outcomes)
            if outcomes != [""]:
                listener.accept()[0].close()
    assert seen == {
        "send": {"", "ENOBUFS", "ENOMEM"},
        "connect": {"", "ENOBUFS"},
        "accept": {"", "ENOBUFS", "ENOMEM"},
    }


def test_no_port_may_be_left() -> None:
    """Where the kernel is to choose one; those that a program names are free."""
    seen: dict[str, set[str]] = {"bind": set(), "connect": set(), "sendto": set(), "named": set()}
    for net in hosts("ports"):
        with net.create_server(("127.0.0.1", 9000)), net.socket() as one, net.socket() as other:
            seen["bind"] |= set(errors(one.bind, ("127.0.0.1", 0)))
            seen["connect"] |= set(errors(other.connect, ("127.0.0.1", 9000)))
        with net.socket(type=DGRAM) as one, net.socket(type=DGRAM) as other:
            seen["sendto"] |= set(errors(one.sendto, b"x", ("127.0.0.1", 9)))
            seen["named"] |= set(errors(other.bind, ("127.0.0.1", 9001)))
    assert seen == {
        "bind": {"", "EADDRINUSE"},
        "connect": {"", "EADDRNOTAVAIL"},
        "sendto": {"", "EAGAIN"},
        "named": {""},
    }


# In the trace


def test_the_trace_tells_what_struck() -> None:
    """Of which socket."""
    with World(nasty="short_reads", decisions={"nasty short_reads": {0: 1}}) as world:
        one, other = unix(world.host("h"))
        with one, other:
            one.sendall(DATA)
            assert other.recv(100) == b"0"
    assert any("nasty 2 short_reads" in line for line in world.trace.tail())
