"""TLS in the simulator: what a program sees as `ssl`, contexts of both kinds, virtual time."""

from __future__ import annotations

import contextlib
import inspect
import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import pytest
import trustme

from simnet import stdlib, tls
from simnet.errors import Deadlock
from simnet.host import Host
from simnet.world import World
from tests.conformance.tls_pairs import (
    TLS12,
    TLS13,
    authority,
    certificate,
    client_context,
    failure,
    receive,
    said,
    server_context,
    versions,
)

HOUR = 3600.0


@pytest.fixture
def world() -> Iterator[World]:
    """A world that leaves nothing behind, whose sockets can be wrapped."""
    with tls.installed(), World() as world:
        yield world
        assert list(world.leftovers()) == []


@pytest.fixture
def hosts(world: World) -> tuple[Host, Host]:
    """A server and a client, 50 ms apart."""
    server, client = world.host("server"), world.host("client")
    world.link(server, client, latency=0.05)
    return server, client


@pytest.fixture
def opened() -> Iterator[ExitStack]:
    """What is closed at the end."""
    with ExitStack() as stack:
        yield stack


def connected(
    hosts: tuple[Host, Host],
    opened: ExitStack,
    server: Any = None,
    client: Any = None,
) -> tuple[ssl.SSLSocket, ssl.SSLSocket]:
    """The client's and the server's end of a connection."""
    server = server or server_context(None, "server")
    client = client or client_context()
    with hosts[0].create_server(("", 443)) as listener:
        task = hosts[0].spawn(lambda: server.wrap_socket(listener.accept()[0], server_side=True))
        hosts[1].sleep(0)
        a = client.wrap_socket(
            hosts[1].create_connection(("server", 443)), server_hostname="server"
        )
        return opened.enter_context(a), opened.enter_context(task.result())


# The module


def test_the_module_is_the_real_one_but_for_its_sockets() -> None:
    """Contexts, errors, enumerations and functions are the same objects."""
    names = {name for name in dir(ssl) if not name.startswith("__")}
    own = {name for name in names if getattr(tls.module, name) is not getattr(ssl, name)}
    sockets = {"SSLSocket", "_socket", "create_connection", "get_server_certificate", "socket"}
    assert own - {"wrap_socket"} == sockets
    assert hasattr(tls.module, "wrap_socket") is hasattr(ssl, "wrap_socket")


def test_its_socket_is_the_standard_librarys_over_simulated_ones() -> None:
    """The same source, line by line."""
    simulated = tls.module.SSLSocket
    assert issubclass(simulated, stdlib.module.socket)
    assert not issubclass(simulated, socket.socket)
    for name in ("recv", "sendall", "unwrap", "_real_connect", "do_handshake"):
        assert getattr(simulated, name).__code__ == getattr(ssl.SSLSocket, name).__code__
    create = tls.module.get_server_certificate
    assert inspect.getsource(create) == inspect.getsource(ssl.get_server_certificate)
    with pytest.raises(TypeError, match="SSLSocket does not have a public constructor"):
        simulated()


# Contexts wrap both kinds


def test_installing_is_undone() -> None:
    """Also after an error, and only when the last of several blocks ends."""
    before = dict(vars(ssl.SSLContext)), vars(ssl.SSLSocket)["_create"]
    outer = tls.installed()
    with contextlib.suppress(ZeroDivisionError), tls.installed():
        outer.__enter__()
        assert ssl.SSLContext.sslsocket_class is tls.module.SSLSocket
        raise ZeroDivisionError
    assert ssl.SSLContext.sslsocket_class is tls.module.SSLSocket
    outer.__exit__(None, None, None)
    assert (dict(vars(ssl.SSLContext)), vars(ssl.SSLSocket)["_create"]) == before


def test_a_context_made_before_wraps_simulated_sockets() -> None:
    """As those do that libraries make when they are imported."""
    client, server = client_context(), server_context()
    with World() as world, tls.installed():
        a, b = world.host("alone").socketpair()
        task = world.hosts["alone"].spawn(server.wrap_socket, b, True)
        with client.wrap_socket(a, server_hostname="localhost") as wrapped, task.result():
            assert type(wrapped) is tls.module.SSLSocket
            assert wrapped.host is world.hosts["alone"]


def test_a_real_socket_stays_real() -> None:
    """Threads of the operating system go on with theirs."""
    with tls.installed():
        a, b = socket.socketpair()
        accepted: list[ssl.SSLSocket] = []
        server = server_context()
        thread = threading.Thread(
            target=lambda: accepted.append(server.wrap_socket(b, server_side=True))
        )
        thread.start()
        with client_context().wrap_socket(a, server_hostname="localhost") as wrapped:
            thread.join()
            with accepted[0] as end:
                assert type(wrapped) is type(end) is ssl.SSLSocket
                assert type(wrapped._sslobj).__name__ == "_SSLSocket"  # type: ignore[attr-defined]
                wrapped.sendall(b"x")
                assert end.recv(1) == b"x"


def test_classes_of_the_wrong_kind_are_refused(world: World) -> None:
    """A class over real sockets cannot hold a simulated one, nor the other way round."""

    class Real(ssl.SSLSocket):
        pass

    class Simulated(tls.module.SSLSocket):  # type: ignore[misc]
        pass

    context = client_context()
    context.sslsocket_class = Real
    with world.host("alone").socket() as sock:
        with pytest.raises(TypeError, match=r"Real cannot wrap the simulated <socket.socket"):
            context.wrap_socket(sock, server_hostname="localhost")
    context.sslsocket_class = Simulated
    with socket.socket() as real:
        with pytest.raises(TypeError, match=r"Simulated cannot wrap the real <socket.socket"):
            context.wrap_socket(real, server_hostname="localhost")


def test_a_class_that_all_contexts_use_is_kept(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One that was put there before is asked, and says what it cannot do."""

    class Real(ssl.SSLSocket):
        pass

    monkeypatch.setattr(ssl.SSLContext, "sslsocket_class", Real)
    outer = tls.installed()
    with outer, world.host("alone").socket() as sock:
        with pytest.raises(TypeError, match="cannot wrap the simulated"):
            client_context().wrap_socket(sock, server_hostname="localhost")
    assert ssl.SSLContext.sslsocket_class is Real


def test_wrapping_needs_no_current_host(hosts: tuple[Host, Host], opened: ExitStack) -> None:
    """A socket knows its own; so do the sockets that a wrapped listener accepts."""
    listener = opened.enter_context(
        server_context(None, "server").wrap_socket(
            hosts[0].create_server(("", 443)), server_side=True
        )
    )
    task = hosts[0].world.hosts["server"].spawn(listener.accept)
    client = client_context().wrap_socket(hosts[1].socket(), server_hostname="server")
    opened.enter_context(client).connect(("server", 443))
    assert opened.enter_context(task.result()[0]).host is hosts[0]
    assert client.host is hosts[1]


# Virtual time


@pytest.mark.parametrize(("version", "trips"), [(TLS12, 2), (TLS13, 1)], ids=["TLSv1_2", "TLSv1_3"])
def test_a_handshake_takes_its_round_trips(
    hosts: tuple[Host, Host], opened: ExitStack, version: ssl.TLSVersion, trips: int
) -> None:
    """After the one of the connection."""
    server, client = server_context(version, "server"), client_context(version)
    connected(hosts, opened, server, client)
    # And at most half of one, for what the server is told last.
    assert -1e-9 < hosts[0].world.now - 0.1 * (1 + trips) < 0.051


@versions
def test_a_timeout_is_one_deadline_for_the_call(
    hosts: tuple[Host, Host], opened: ExitStack, version: ssl.TLSVersion
) -> None:
    """Pieces of a record that keep coming do not put it off."""
    server, client = server_context(version, "server"), client_context(version)
    server.num_tickets = 0
    a, b = connected(hosts, opened, server, client)

    def trickle() -> None:
        for byte in b"\x17\x03\x03\x40\x00" + bytes(20):
            super(tls.module.SSLSocket, b).send(bytes([byte]))
            hosts[0].sleep(1)

    task = hosts[0].spawn(trickle)
    a.settimeout(10)
    before = hosts[0].world.now
    assert said(a.recv, 1) == "TimeoutError: The read operation timed out"
    assert hosts[0].world.now == pytest.approx(before + 10)
    task.join()


def test_a_handshake_times_out(hosts: tuple[Host, Host]) -> None:
    """In virtual time, on a server that is silent."""
    with hosts[0].create_server(("", 443)):
        sock = hosts[1].create_connection(("server", 443))
        sock.settimeout(HOUR)
        with pytest.raises(TimeoutError, match="The handshake operation timed out"):
            client_context().wrap_socket(sock, server_hostname="server")
    assert HOUR < hosts[0].world.now < HOUR + 1


def test_nobody_ever_answers(hosts: tuple[Host, Host]) -> None:
    """Without a timeout that is a deadlock, which names the socket and the line."""
    with hosts[0].create_server(("", 443)):
        with client_context().wrap_socket(
            hosts[1].create_connection(("server", 443)),
            server_hostname="server",
            do_handshake_on_connect=False,
        ) as sock:
            with pytest.raises(Deadlock, match=r"recv <ssl\.SSLSocket fd=.*, at .*test_tls\.py:"):
                sock.do_handshake()


@versions
def test_a_bad_line_only_takes_longer(
    hosts: tuple[Host, Host], opened: ExitStack, version: ssl.TLSVersion
) -> None:
    """Loss, reordering and little bandwidth under TLS."""
    world = hosts[0].world
    world.link(*hosts, latency=0.05, loss=0.05, jitter=0.03, bandwidth=2_000_000)
    server, client = server_context(version, "server"), client_context(version)
    a, b = connected(hosts, opened, server, client)
    data = bytes(range(256)) * 1000
    task = hosts[0].spawn(b.sendall, data)
    assert receive(a, len(data)) == data
    task.result()
    assert world.now > 1


@versions
def test_the_connection_times_out(
    hosts: tuple[Host, Host], opened: ExitStack, version: ssl.TLSVersion
) -> None:
    """ETIMEDOUT of the kernel's is a failed system call, no timeout of the socket's."""
    server, client = server_context(version, "server"), client_context(version)
    a, _ = connected(hosts, opened, server, client)
    hosts[0].world.partition(*hosts)
    a.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, 5000)
    a.settimeout(HOUR)
    a.sendall(b"x")
    answer = said(a.recv, 1)
    assert answer == failure("TimeoutError: [Errno 110] Connection timed out", b"")


# Several tasks on one socket


@versions
def test_writers_take_turns(
    hosts: tuple[Host, Host], opened: ExitStack, version: ssl.TLSVersion
) -> None:
    """What one writes stays together, although each of them has to wait."""
    server, client = server_context(version, "server"), client_context(version)
    a, b = connected(hosts, opened, server, client)
    a.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4608)
    size = 200_000
    tasks = [hosts[1].spawn(a.write, letter * size) for letter in (b"a", b"b", b"c")]
    data = receive(b, 3 * size)
    assert sorted(data[i * size : (i + 1) * size] for i in range(3)) == [
        letter * size for letter in (b"a", b"b", b"c")
    ]
    assert [task.result() for task in tasks] == [size] * 3


@versions
def test_readers_take_turns(
    hosts: tuple[Host, Host], opened: ExitStack, version: ssl.TLSVersion
) -> None:
    """Each gets records of its own; whoever waits in vain has its own timeout."""
    server, client = server_context(version, "server"), client_context(version)
    a, b = connected(hosts, opened, server, client)
    tasks = [hosts[1].spawn(a.recv, 100) for _ in range(3)]
    hosts[1].sleep(1)
    for text in (b"one", b"two"):
        b.sendall(text)
    hosts[1].sleep(1)
    a.settimeout(2)
    assert said(a.recv, 100) == "TimeoutError: The read operation timed out"
    assert sum(task.done for task in tasks) == 2
    b.sendall(b"three")
    assert sorted(task.result() for task in tasks) == [b"one", b"three", b"two"]


def test_readers_share_records_that_come_in_pieces(
    hosts: tuple[Host, Host], opened: ExitStack
) -> None:
    """A record is brought by one of them at a time, whoever gets it."""
    a, b = connected(hosts, opened)
    hosts[0].world.link(*hosts, latency=0.05, bandwidth=10_000_000)
    records = [bytes([number]) * 16384 for number in range(40)]

    def read() -> list[bytes]:
        return list(iter(lambda: a.recv(16384), b""))

    tasks = [hosts[1].spawn(read) for _ in range(3)]
    for record in records:
        b.sendall(record)
    b.shutdown(socket.SHUT_WR)
    assert sorted(part for task in tasks for part in task.result()) == records


def test_a_writer_that_must_not_wait_for_its_turn(
    hosts: tuple[Host, Host], opened: ExitStack
) -> None:
    """It is told to come again, or times out, as if the socket were full."""
    a, b = connected(hosts, opened)
    task = hosts[1].spawn(a.sendall, bytes(4 << 20))
    hosts[1].sleep(1)
    a.settimeout(0)
    assert said(a.send, b"x") == "SSLWantWriteError: The operation did not complete (write)"
    a.settimeout(1)
    assert said(a.send, b"x") == "TimeoutError: The write operation timed out"
    a.settimeout(None)
    receive(b, 4 << 20)
    task.result()


def test_one_reads_while_another_is_stuck_in_a_write(
    hosts: tuple[Host, Host], opened: ExitStack
) -> None:
    """The two directions do not wait for each other."""
    a, b = connected(hosts, opened)
    task = hosts[1].spawn(a.sendall, bytes(4 << 20))
    b.sendall(b"meanwhile")
    assert a.recv(100) == b"meanwhile"
    assert not task.done
    receive(b, 4 << 20)
    task.result()


def test_an_answer_of_tlss_own_stands_behind_a_write(
    hosts: tuple[Host, Host], opened: ExitStack
) -> None:
    """A reader that has to answer a request leaves that to the task that is stuck in a write."""
    server, client = server_context(TLS13, "server"), client_context(TLS13)
    certificate("the-client").configure_cert(client)
    authority().configure_trust(server)
    client.post_handshake_auth = server.post_handshake_auth = True
    server.verify_mode = ssl.CERT_REQUIRED
    a, b = connected(hosts, opened, server, client)
    size = 4 << 20
    task = hosts[1].spawn(a.sendall, bytes(size))
    b.verify_client_post_handshake()
    b.sendall(b"who are you?")
    assert a.recv(100) == b"who are you?"
    assert not task.done
    assert receive(b, size) == bytes(size)
    task.result()
    a.sendall(b"me")
    assert b.recv(100) == b"me"
    assert ("DNS", "the-client") in (b.getpeercert() or {})["subjectAltName"]


def test_a_callback_may_wait(hosts: tuple[Host, Host], opened: ExitStack) -> None:
    """Inside OpenSSL, while others shake hands too."""
    server = server_context(None, "server")
    server.sni_callback = lambda *_: hosts[0].sleep(1)
    with hosts[0].create_server(("", 443)) as listener:

        def serve() -> None:
            for _ in range(3):
                conn = listener.accept()[0]
                hosts[0].spawn(lambda conn=conn: server.wrap_socket(conn, server_side=True).close())

        def connect() -> bytes:
            sock = hosts[1].create_connection(("server", 443))
            with client_context().wrap_socket(sock, server_hostname="server") as client:
                return client.recv(1)

        hosts[0].spawn(serve)
        tasks = [hosts[1].spawn(connect) for _ in range(3)]
        assert [task.result() for task in tasks] == [b""] * 3
    assert 1 < hosts[0].world.now < 2


# Determinism


@pytest.mark.parametrize("version", [TLS12, TLS13], ids=["TLSv1_2", "TLSv1_3"])
def test_with_keys_of_rsa_every_run_is_the_same(version: ssl.TLSVersion) -> None:
    """Not the bytes, but their sizes, their order and their times."""
    authority = trustme.CA(key_type=trustme.KeyType.RSA)
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    client = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    client.maximum_version = version
    authority.issue_cert("server", key_type=trustme.KeyType.RSA).configure_cert(server)
    authority.configure_trust(client)
    server.num_tickets = 0
    server.options |= ssl.OP_NO_TICKET

    def run(seed: int) -> str:
        with tls.installed(), World(seed=seed) as world, ExitStack() as opened:
            hosts = world.host("server"), world.host("client")
            world.link(*hosts, latency=0.05, jitter=0.02, loss=0.1, bandwidth=1_000_000)
            a, b = connected(hosts, opened, server, client)
            task = hosts[0].spawn(b.sendall, bytes(50_000))
            receive(a, 50_000)
            task.result()
            opened.close()
            return world.trace.digest()

    assert len({run(7) for _ in range(8)}) == 1
    assert run(8) != run(7)
