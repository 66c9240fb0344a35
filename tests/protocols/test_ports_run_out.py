"""A host that has no ephemeral port left; as measured on Linux 6.18 with a small range."""

from __future__ import annotations

import errno
import socket
from collections.abc import Callable

import pytest

from simnet import ports
from simnet.api import Socket
from simnet.host import Host
from tests.protocols.conversation import Keep

HERE = "127.0.0.1"


@pytest.fixture(autouse=True)
def few_ports(monkeypatch: pytest.MonkeyPatch) -> None:
    """Four ephemeral ports."""
    monkeypatch.setattr(ports, "EPHEMERAL", range(50000, 50004))


@pytest.fixture
def host(few_ports: None, world: object) -> Host:
    """A host that was made with the small range."""
    return world.host("host")  # type: ignore[attr-defined,no-any-return]


def error_of(call: Callable[..., object], *args: object) -> int | None:
    """The errno of a call that fails; 0 for one that does not."""
    try:
        call(*args)
    except OSError as error:
        return error.errno
    return 0


@pytest.fixture
def four(host: Host, keep: Keep) -> list[Socket]:
    """Connections that hold every port, to one listener."""
    listener = keep(host.create_server((HERE, 80)))
    clients = [keep(host.socket()) for _ in range(4)]
    for client in clients:
        client.connect(listener.getsockname())
        keep(listener.accept()[0])
    return clients


def test_every_port_is_used_before_there_is_none(four: list[Socket]) -> None:
    """Even ones first, then odd ones."""
    used = [client.getsockname()[1] for client in four]
    assert sorted(used) == [50000, 50001, 50002, 50003]
    assert [port % 2 for port in used] == [0, 0, 1, 1]


def test_a_connection_to_the_same_place_finds_none(
    host: Host, four: list[Socket], keep: Keep
) -> None:
    """EADDRNOTAVAIL, and the socket may try elsewhere: ports are shared among destinations."""
    sock = keep(host.socket())
    assert error_of(sock.connect, (HERE, 80)) == errno.EADDRNOTAVAIL
    other = keep(host.create_server((HERE, 81)))
    sock.connect(other.getsockname())
    assert sock.getsockname()[1] in ports.EPHEMERAL


def test_bind_and_listen_find_none(host: Host, four: list[Socket], keep: Keep) -> None:
    """EADDRINUSE."""
    sock = keep(host.socket())
    assert error_of(sock.bind, (HERE, 0)) == errno.EADDRINUSE
    assert error_of(sock.listen) == errno.EADDRINUSE


def test_a_port_that_is_given_back_is_found_again(
    host: Host, four: list[Socket], keep: Keep
) -> None:
    """A reset leaves nothing in TIME_WAIT."""
    four[1].setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    port = four[1].getsockname()[1]
    four[1].close()
    sock = keep(host.socket())
    sock.connect((HERE, 80))
    assert sock.getsockname()[1] == port


def test_datagrams_find_none(host: Host, keep: Keep) -> None:
    """EADDRINUSE for bind(); EAGAIN where the port is chosen in passing."""
    for _ in range(4):
        keep(host.socket(type=socket.SOCK_DGRAM)).bind((HERE, 0))
    sock = keep(host.socket(type=socket.SOCK_DGRAM))
    assert error_of(sock.bind, (HERE, 0)) == errno.EADDRINUSE
    assert error_of(sock.sendto, b"x", (HERE, 53)) == errno.EAGAIN
    assert error_of(sock.connect, (HERE, 53)) == errno.EAGAIN
