"""What would reach the real system from a patched program is refused."""

from __future__ import annotations

import concurrent.futures
import os
import socket
import subprocess
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from simnet.errors import RealCall, SimnetError
from simnet.world import World


@pytest.fixture
def world() -> Iterator[World]:
    """A world without hosts."""
    with World() as world:
        yield world


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    """A listener of the real system."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield listener


@pytest.fixture
def client(listener: socket.socket) -> Iterator[socket.socket]:
    """A connection to it."""
    with socket.create_connection(listener.getsockname()) as client:
        yield client


class Derived(socket.socket):
    """A class over the real type, made before any patch."""


def refused(call: Callable[[], Any], match: str) -> str:
    """The error of a refused call; it names a line of this file."""
    with pytest.raises(RealCall, match=match) as caught:
        call()
    text = str(caught.value)
    assert __file__ in text
    return text


def test_calls_of_real_sockets_are_refused_by_name(
    world: World, client: socket.socket, listener: socket.socket
) -> None:
    """Made before the patch: sending, receiving, accepting, connecting."""
    address = listener.getsockname()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as datagrams, world.patch():
        refused(lambda: client.recv(1), "^recv to")
        refused(lambda: client.recv_into(bytearray(1)), "^recv_into")
        refused(lambda: client.send(b""), "^send")
        refused(lambda: client.sendall(b""), "^sendall")
        refused(lambda: client.shutdown(socket.SHUT_WR), "^shutdown")
        refused(listener.accept, "^accept on a socket of the real system")
        refused(lambda: datagrams.connect(address), f"^connect to .*{address[1]}")
        refused(lambda: datagrams.connect_ex(address), "^connect_ex")
        refused(lambda: datagrams.bind(("127.0.0.1", 0)), "^bind")
        refused(lambda: datagrams.sendto(b"", address), "^sendto")
        refused(lambda: datagrams.recvfrom(1), "^recvfrom")
    client.sendall(b"afterwards as ever")


def test_a_class_derived_from_the_real_one_cannot_be_made(world: World) -> None:
    """It would be a real socket."""
    with world.patch():
        refused(Derived, "a socket of the real system was made")
    Derived().close()


def test_an_address_may_be_allowed(
    world: World, client: socket.socket, listener: socket.socket
) -> None:
    """By host and port, or by host alone; nested patches allow more."""
    address = listener.getsockname()
    with world.patch(allow=[address]):
        client.sendall(b"allowed")
        with world.patch(allow=["127.0.0.2"]):
            client.sendall(b"still")
    with world.patch(allow=[("127.0.0.1", address[1] + 1)]):
        refused(lambda: client.send(b""), "^send")
        Derived().close()
    with world.patch(allow=["127.0.0.1"]):
        client.sendall(b"allowed")


def test_unnamed_pairs_are_no_network(world: World) -> None:
    """A loop made before the patch wakes itself with one."""
    one, other = socket.socketpair()
    with one, other, world.patch():
        one.send(b"x")
        assert other.recv(1) == b"x"


def test_pollers_made_before_are_refused(world: World) -> None:
    """They would wait in real time."""
    import select

    poll, epoll = select.poll(), select.epoll()
    with world.patch():
        refused(lambda: poll.poll(0), "poll.poll on descriptors of the real system")
        refused(lambda: epoll.poll(0), "epoll.poll")
    assert poll.poll(0) == epoll.poll(0) == []
    epoll.close()


def test_names_are_not_asked_of_the_real_resolver(world: World) -> None:
    """By code that holds on to the real module."""
    import _socket

    real = _socket
    with world.patch():
        refused(lambda: real.getaddrinfo("simnet.example", 80), "getaddrinfo.*'simnet.example'")
        refused(lambda: real.gethostbyname("simnet.example"), "gethostbyname")


def test_processes_are_refused(world: World) -> None:
    """They would be on the real network."""
    with world.patch():
        refused(lambda: subprocess.run(["true"], check=True), r"subprocess.Popen\(\['true'\]\)")
        refused(os.fork, "os.fork would start a process")
        refused(lambda: os.system("true"), r"os.system\('true'\)")
        refused(lambda: os.posix_spawn("/bin/true", ["true"], {}), "os.posix_spawn")
    subprocess.run(["true"], check=True)


def test_a_thread_made_before_cannot_be_started(world: World) -> None:
    """It would run outside the world; afterwards it can."""
    thread = threading.Thread(target=lambda: None, name="earlier")
    with world.patch():
        refused(thread.start, "Thread.*earlier.* would run outside the world")
    thread.start()
    thread.join()


def test_threads_of_the_real_system_are_not_watched(world: World, client: socket.socket) -> None:
    """Started before the patch, with sockets of its own."""
    go, done = threading.Event(), threading.Event()
    sent: list[object] = []

    def body() -> None:
        go.wait()
        try:
            sent.append(client.send(b"x"))
        except SimnetError as error:
            sent.append(error)
        done.set()

    thread = threading.Thread(target=body)
    thread.start()
    with world.patch():
        go.set()
        while thread.is_alive():
            pass
    thread.join()
    assert sent == [1]


def test_a_pool_that_has_begun_before_is_refused() -> None:
    """Its threads would do the work outside the world, and the answer would come too late."""
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        assert pool.submit(abs, -1).result() == 1
        with World() as world, world.patch():
            with pytest.raises(RealCall, match="made before the program"):
                pool.submit(abs, -1)
        assert pool.submit(abs, -1).result() == 1
