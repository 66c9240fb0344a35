"""Programs that scenarios of the tests name."""

from __future__ import annotations

from typing import Any

import simnet
from simnet.threads import threading


def passes(world: Any, *, text: str = "") -> None:
    """Two hosts of its own exchange a text."""
    server, client = world.host("server"), world.host("client")
    with (
        server.create_server(("", 8000)) as listener,
        client.create_connection((server.addresses[0], 8000)) as conn,
    ):
        peer, _ = listener.accept()
        with peer:
            conn.sendall(text.encode() or b"something")
            assert peer.recv(100) == (text.encode() or b"never")


def says(world: Any, **arguments: object) -> None:
    """Fails with what it was called with."""
    raise ValueError(repr(arguments))


def asks_for_time(world: Any) -> None:
    """Needs the clock of a world."""
    world.host("only")
    raise ValueError(f"{world.now:g}")


def asks_a_host(world: Any) -> None:
    """Needs what a simulated host has."""
    world.host("only").event_loop()


def leaves_a_task_that_fails(world: Any) -> None:
    """Nobody asks what became of it."""
    host = world.host("only")

    def fail() -> None:
        raise KeyError("unseen")

    host.spawn(fail)
    host.sleep(1)


def is_cut_off(world: Any) -> None:
    """On hosts of the story; takes part in what happens to them."""
    a, b = world.hosts["a"], world.hosts["b"]
    with b.socket(type=2) as receiver, a.socket(type=2) as sender:
        receiver.bind(("", 53))
        receiver.settimeout(10)
        for second in range(3):
            sender.sendto(str(second).encode(), ("b", 53))
            a.sleep(1)
        got = [receiver.recv(10) for _ in range(2)]
        assert got == [b"0", b"1"], got


def races(world: Any) -> None:
    """An update is lost if one thread is stopped between its two steps."""
    with world.host("only"):
        total, lock = [0], threading.Lock()

        def add() -> None:
            with lock:
                seen = total[0]
            with lock:
                total[0] = seen + 1

        threads = [threading.Thread(target=add) for _ in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert total == [2], "an update was lost"


class Held:
    """A method is a program too."""

    def program(self, world: simnet.World, number: int) -> None:
        """Fails with its own name."""
        raise ValueError(f"{type(self).__name__} {number}")


NOT_A_PROGRAM = 3
