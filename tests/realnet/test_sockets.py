"""Sockets of the real backend: the standard library's, and counted."""

from __future__ import annotations

import gc
import socket
from collections.abc import Iterator
from weakref import WeakSet

import pytest

import realnet
from simnet import api


@pytest.fixture
def net() -> Iterator[realnet.Network]:
    """The operating system's network; what is left open is an error."""
    network = realnet.Network()
    yield network
    network.close()


def test_a_socket_is_the_standard_librarys(net: realnet.Network) -> None:
    """And the contract's."""
    with net.socket() as sock:
        assert isinstance(sock, socket.socket)
        assert isinstance(sock, api.Socket)


def test_what_a_socket_makes_is_counted_too(net: realnet.Network) -> None:
    """accept and dup hand the counting on."""
    with net.create_server(("127.0.0.1", 0)) as listener:
        with net.create_connection(listener.getsockname()) as client:
            conn, address = listener.accept()
            assert address == client.getsockname()
            with conn, conn.dup() as copy:
                for made in (listener, client, conn, copy):
                    assert type(made) is realnet.Socket
                    assert repr(made) in net.leftovers()
    assert net.leftovers() == []


@pytest.mark.parametrize("default", [None, 3.5])
def test_an_accepted_socket_has_the_default_timeout(
    net: realnet.Network, default: float | None
) -> None:
    """Not its listener's, as in the standard library."""
    before = socket.getdefaulttimeout()
    with net.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(10)
        with net.create_connection(listener.getsockname()):
            socket.setdefaulttimeout(default)
            try:
                conn, _ = listener.accept()
            finally:
                socket.setdefaulttimeout(before)
            with conn:
                assert conn.gettimeout() == default


def test_counting_keeps_no_socket_alive() -> None:
    """One that is forgotten is collected, and warns."""
    counted: WeakSet[realnet.Socket] = WeakSet()

    def forget() -> None:
        realnet.Socket().counted_in(counted)
        gc.collect()

    with pytest.warns(ResourceWarning, match="unclosed"):
        forget()
    assert not counted


def test_a_pair_keeps_its_modes(net: realnet.Network) -> None:
    """What the standard library made is handed over as it was."""
    a, b = net.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
    with a, b:
        assert (a.family, a.type, a.gettimeout()) == (socket.AF_UNIX, socket.SOCK_DGRAM, None)
        a.send(b"whole")
        assert b.recv(10) == b"whole"


def test_a_connection_keeps_its_timeout(net: realnet.Network) -> None:
    """The one that it was made with."""
    with net.create_server(("127.0.0.1", 0)) as listener:
        with net.create_connection(listener.getsockname(), timeout=7.5) as client:
            assert client.gettimeout() == 7.5
