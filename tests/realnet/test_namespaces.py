"""Namespaces: what they keep apart, and that nothing is left of them."""

from __future__ import annotations

import gc
import os
import shutil
import socket

import pytest

from realnet import Unavailable, namespaces
from realnet.namespaces import Namespace


@pytest.fixture
def namespace() -> Namespace:
    """A fresh one; skipped where there can be none."""
    try:
        return Namespace()
    except Unavailable as exc:
        pytest.skip(str(exc))


def current() -> str:
    """The namespace of this thread, as the kernel names it."""
    return os.readlink("/proc/thread-self/ns/net")


def test_it_has_nothing_but_a_loopback_that_is_up(namespace: Namespace) -> None:
    """As a new machine without a network card."""
    with namespace.entered():
        assert socket.if_nameindex() == [(1, "lo")]
    assert namespace.is_running("lo")
    namespace.close()


def test_a_socket_stays_where_it_was_made(namespace: Namespace) -> None:
    """The same port is free in every namespace, and used from outside."""
    with namespace.entered():
        inside = socket.create_server(("127.0.0.1", 0))
    with inside, socket.socket() as outside:
        outside.bind(inside.getsockname())
        with namespace.entered():
            client = socket.create_connection(inside.getsockname())
        client.close()
        inside.accept()[0].close()
    namespace.close()


def test_a_thread_comes_back_also_from_a_block_that_fails(namespace: Namespace) -> None:
    """And from blocks within blocks."""
    home = current()

    def fail() -> None:
        with namespace.entered(), Namespace().entered():
            raise ZeroDivisionError

    with namespace.entered():
        there = current()
        with pytest.raises(ZeroDivisionError):
            fail()
        assert current() == there
    assert current() == home != there
    namespace.close()


def test_a_command_that_fails_says_which_and_why(namespace: Namespace) -> None:
    """iproute2's own words."""
    with pytest.raises(OSError, match=r"ip link set nothing up: Cannot find device \"nothing\""):
        namespace.ip("link set nothing up")
    namespace.close()


def test_sysctls_are_its_own(namespace: Namespace) -> None:
    """Those of the network."""
    path = "/proc/sys/net/ipv4/tcp_syn_retries"
    with open(path) as setting:
        before = setting.read()
    namespace.write_sysctl("ipv4/tcp_syn_retries", int(before) + 1)
    with open(path) as setting:
        assert setting.read() == before
    with namespace.entered(), open(path) as setting:
        assert int(setting.read()) == int(before) + 1
    namespace.close()


def test_a_forgotten_one_is_let_go_of(namespace: Namespace) -> None:
    """Its descriptor goes with the object; twice closed is harmless."""
    other = Namespace()
    path = other.path
    assert os.path.exists(path)
    del other
    gc.collect()
    assert not os.path.exists(path)
    namespace.close()
    namespace.close()


def test_what_is_missing_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    """The command, or the right."""
    monkeypatch.setattr(shutil, "which", lambda name: None)
    with pytest.raises(Unavailable, match=r"'ip' .iproute2. is not installed"):
        Namespace()
    monkeypatch.undo()
    monkeypatch.setattr(namespaces, "_CLONE_NEWNET", 1)  # no such flag
    if shutil.which("ip"):
        with pytest.raises(Unavailable, match=r"network namespaces: .*root makes them"):
            Namespace()
