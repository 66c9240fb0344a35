"""What planted faults showed to be untested, where the kernel would take minutes to be asked."""

from __future__ import annotations

import socket
from contextlib import ExitStack

import pytest

from simnet.host import Host
from simnet.world import World
from tests.protocols.conversation import conversation


@pytest.fixture
def client() -> Host:
    """A host in a world that records every segment."""
    return World(shortcut=False, record=True).host("client")


def test_every_attempt_to_connect_repeats_its_syn_as_often(client: Host) -> None:
    """The count begins anew with each connect()."""
    with ExitStack() as stack:
        listener = stack.enter_context(client.create_server(("127.0.0.1", 0), backlog=0))
        stack.enter_context(client.create_connection(listener.getsockname()))
        late = stack.enter_context(client.socket())
        spent = []
        for _ in range(2):
            before = client.monotonic()
            with pytest.raises(TimeoutError):
                late.connect(listener.getsockname())
            spent.append(round(client.monotonic() - before))
    assert spent == [131, 131]  # five times 1 second, then 2, 4, ... 64
    syns = [line for line in conversation(client.world) if " SYN 0" in line]
    assert len(syns) == 1 + 11 + 11


def test_a_connection_that_replaced_one_in_time_wait_outlives_its_end(client: Host) -> None:
    """When the minute of the old one is over, the new one still works."""
    with ExitStack() as stack:
        listener = stack.enter_context(client.create_server(("127.0.0.1", 0)))
        first = stack.enter_context(client.socket())
        first.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        first.bind(("127.0.0.1", 0))
        name = first.getsockname()
        first.connect(listener.getsockname())
        server, _ = listener.accept()
        first.close()
        server.close()
        second = stack.enter_context(client.socket())
        second.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        second.bind(name)
        second.connect(listener.getsockname())
        server = stack.enter_context(listener.accept()[0])
        client.sleep(100)
        second.send(b"x")
        assert server.recv(1) == b"x"
        third = stack.enter_context(client.socket())
        third.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        third.bind(name)
        with pytest.raises(OSError, match="assign"):
            third.connect(listener.getsockname())
