"""The operating system behind the contract: what it hands out, and what it reports as left."""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Iterator

import pytest

import realnet
from simnet import api

PATIENCE = 10.0


@pytest.fixture
def net() -> Iterator[realnet.Network]:
    """The operating system's network; what is left open is an error."""
    network = realnet.Network()
    yield network
    network.close()


def test_it_is_the_contracts(net: realnet.Network) -> None:
    """Found by tests and the command line through the entry point."""
    assert isinstance(net, api.Network)


def test_everything_open_and_running_is_left_over() -> None:
    """One line each, sockets in the order of their descriptors; close() ends it with a warning."""
    net = realnet.Network()
    release = threading.Event()
    made = [net.socket(), *net.socketpair()]
    running = net.spawn(release.wait, PATIENCE, name="waiting")
    made.sort(key=lambda sock: sock.fileno())
    assert net.leftovers() == [*(repr(sock) for sock in made), "<running task 'waiting'>"]
    release.set()
    running.join(PATIENCE)
    with pytest.warns(ResourceWarning, match="left open: <realnet"):
        net.close()
    assert [sock.fileno() for sock in made] == [-1, -1, -1]


def test_closing_wakes_who_is_blocked() -> None:
    """A thread in recv would otherwise stay there for ever: close() alone does not wake it."""
    net = realnet.Network()
    a, b = net.socketpair()
    task = net.spawn(a.recv, 1)
    with pytest.warns(ResourceWarning, match="left open"):
        net.close()
    assert task.join(PATIENCE)
    assert b.fileno() == -1


def test_closing_with_nothing_left_is_silent_and_harmless_twice(net: realnet.Network) -> None:
    """An ordinary end."""
    net.socket().close()
    net.close()
    net.close()


def test_closing_removes_temporary_directories() -> None:
    """With the names of unix sockets in them."""
    net = realnet.Network()
    path = net.files.tempdir()
    with net.socket(socket.AF_UNIX) as sock:
        sock.bind(f"{path}/name")
    net.close()
    assert not os.path.exists(path)


def test_a_disconnected_datagram_socket_has_no_peer(net: realnet.Network) -> None:
    """connect(2) with AF_UNSPEC."""
    with net.socket(type=socket.SOCK_DGRAM) as sock:
        sock.connect(("127.0.0.1", 9))
        net.disconnect(sock)
        with pytest.raises(OSError, match="not connected"):
            sock.getpeername()


def test_what_cannot_be_disconnected_raises_the_kernels_error(net: realnet.Network) -> None:
    """With its number and text."""
    a, b = net.socketpair()
    with a, b, pytest.raises(OSError, match=r"^\[Errno \d+\] ") as caught:
        net.disconnect(a)
    assert caught.value.strerror == os.strerror(caught.value.errno or 0)


def test_credentials_are_the_processs(net: realnet.Network) -> None:
    """As SO_PEERCRED shows them."""
    assert net.credentials() == (os.getpid(), os.getuid(), os.getgid())


def test_a_task_has_a_name_of_its_own(net: realnet.Network) -> None:
    """Given, or counted."""
    first, second = net.spawn(int), net.spawn(int, name="mine")
    assert (first.name, second.name) == ("task-1", "mine")
    assert first.result(PATIENCE) == second.result(PATIENCE) == 0


def test_two_networks_count_apart(net: realnet.Network) -> None:
    """What one left open is no business of the other's."""
    other = realnet.Network()
    with net.socket():
        assert other.leftovers() == []
        other.close()
        assert len(net.leftovers()) == 1


def test_a_block_leaves_the_network_as_it_was(net: realnet.Network) -> None:
    """`with` names the current network; it does not close it."""
    with net as same, net.socket() as sock:
        assert same is net
        assert repr(sock) in net.leftovers()


def test_the_clocks_go_forward(net: realnet.Network) -> None:
    """Both of them, and sleeping takes time."""
    before = net.monotonic(), net.time()
    net.sleep(0.001)
    assert net.monotonic() - before[0] >= 0.001
    assert net.time() > before[1] - 1


def test_threads_may_share_it(net: realnet.Network) -> None:
    """Each echo in a task of its own."""

    def serve(listener: api.Socket) -> None:
        conn, _ = listener.accept()
        with conn:
            conn.sendall(conn.recv(100))

    def ask(address: tuple[str, int]) -> bytes:
        with net.create_connection(address) as client:
            client.sendall(b"echo")
            return client.recv(100)

    with net.create_server(("127.0.0.1", 0)) as listener:
        servers = [net.spawn(serve, listener) for _ in range(4)]
        clients = [net.spawn(ask, listener.getsockname()) for _ in range(4)]
        assert [task.result(PATIENCE) for task in clients] == [b"echo"] * 4
        assert all(task.join(PATIENCE) for task in servers)
