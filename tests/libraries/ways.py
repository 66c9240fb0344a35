"""Two machines for a library: one serves, the other asks; simulated, or this one's loopback."""

from __future__ import annotations

import gc
import socket
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from typing import Any

import simnet
from simnet.api import Task
from simnet.host import Host


class Place:
    """Where a test runs: its own code is the client's, and `with place.server:` is the server's."""

    # The server, as its clients call it; what a server binds to; its numeric address.
    address: str
    bind: str
    ip: str
    server: AbstractContextManager[Any]
    # For real files.
    directory: Path
    # How often a server looks whether it is to stop, in seconds.
    poll = 0.5

    def path(self, name: str) -> str:
        """A name for a unix socket of this test."""
        raise NotImplementedError

    def serve(self, function: Callable[..., Any], *args: Any) -> threading.Thread:
        """A thread of the server that runs a function."""
        with self.server:
            thread = threading.Thread(target=function, args=args)
            thread.start()
        return thread

    @contextmanager
    def serving(self, server: Any) -> Iterator[Any]:
        """A server of `socketserver`'s kind at work; at the end it has stopped and is closed."""
        thread = self.serve(server.serve_forever, self.poll)
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()
            with self.server:
                server.server_close()


class Loopback(Place):
    """This machine, on which both sides are."""

    address = bind = ip = "127.0.0.1"
    poll = 0.02

    def __init__(self, directory: Path) -> None:
        self.server = nullcontext()
        self.directory = directory

    def path(self, name: str) -> str:
        return str(self.directory / name)


class Simulated(Place):
    """Two hosts of a world, `server` and `client`, in a patched program.

    The link between them is ideal until `world.link(server, client, ...)` says otherwise.
    """

    address, bind = "server", ""
    server: Host

    def __init__(self, directory: Path, seed: int = 1, *, record: bool = False) -> None:
        self.directory = directory
        self.world = simnet.World(seed=seed, record=record)
        self.server = self.world.host("server")
        self.client = self.world.host("client")
        self.ip = self.server.addresses[0]

    def path(self, name: str) -> str:
        return f"/run/{name}"

    def slow(self, latency: float = 0.25, **conditions: Any) -> None:
        """A slow link, both ways."""
        self.world.link(self.server, self.client, latency=latency, **conditions)

    def spawn(self, function: Callable[..., Any], *args: Any) -> Task:
        """A task of the server, whose outcome can be asked for."""
        return self.server.spawn(function, *args)

    @contextmanager
    def patched(self) -> Iterator[Simulated]:
        """The test itself: a program on the client. Afterwards nothing may be open or run."""
        try:
            with self.world.patch(self.client, entropy=True):
                yield self
                # What was closed last is still on its way.
                self.world.run(until=self.world.now + 5)
            if self.world.leftovers():
                # A selector is in a circle with its map: without the collector it stays open.
                gc.collect()
            left = self.world.leftovers()
            assert not left, "left over: " + "; ".join(left)
        finally:
            self.world.close()


def reset(sock: socket.socket) -> None:
    """Close a connection with a reset."""
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    sock.close()
