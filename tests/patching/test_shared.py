"""What several modules of a patched program hold together, or take from one another."""

from __future__ import annotations

import ctypes.util
import socket
import threading
from collections.abc import Iterator

import pytest

from simnet.world import World
from tests.patching.modules import Load

OWNER = "import threading\nlocal = threading.local()\nclass Box: kept = local\n"
USER = "from owner import local\n"


@pytest.fixture
def world() -> Iterator[World]:
    """A world without hosts."""
    with World() as world:
        yield world


def test_a_thread_local_object_is_one_for_all_who_hold_it(load: Load, world: World) -> None:
    """What one module notes for its thread another reads, also one imported meanwhile."""
    owner, user = load(OWNER, "owner"), load(USER, "user")
    real = owner.local
    with world.patch():
        late = load(USER, "late")
        owner.local.note = "here"
        assert user.local.note == owner.Box.kept.note == late.local.note == "here"
        seen: list[bool] = []
        thread = threading.Thread(target=lambda: seen.append(hasattr(late.local, "note")))
        thread.start()
        thread.join()
        assert seen == [False]
    assert owner.local is user.local is late.local is owner.Box.kept is real
    assert not hasattr(real, "note")


def test_a_thread_local_object_is_fresh_in_each_patch(load: Load, world: World) -> None:
    """Of the same world too; what it had outside it has inside."""
    owner = load(OWNER, "owner")
    owner.local.before = 1
    with world.patch():
        owner.local.note = "here"
    with world.patch():
        assert vars(owner.local) == {"before": 1}


def test_methods_of_sockets_that_somebody_holds_are_simulated(load: Load, world: World) -> None:
    """In a closure, a default argument or a class; they are the real ones afterwards."""
    module = load(
        "import socket\n"
        "def make(method):\n"
        "    def call(*args): return method(*args)\n"
        "    return call\n"
        "class Calls: recv = socket.socket.recv\n"
        "accept = make(socket.socket.accept)\n"
        "def send(sock, data, method=socket.socket.send): return method(sock, data)\n"
    )
    with world.patch(), socket.create_server(("", 80)) as listener:
        with socket.create_connection(("localhost", 80)) as sock:
            peer, _ = module.accept(listener)
            with peer:
                assert module.send(sock, b"ab") == 2
                assert module.Calls.recv(peer, 10) == b"ab"
    assert module.Calls.recv is socket.socket.recv
    left, right = socket.socketpair()
    with left, right:
        assert module.send(left, b"x") == 1
        assert module.Calls.recv(right, 1) == b"x"


def test_the_linker_may_be_asked_where_a_library_is(world: World) -> None:
    """Modules do so while they are imported; it reaches no network."""
    expected = ctypes.util.find_library("c")
    if expected is None:
        pytest.skip("the linker of this machine does not say")
    with world.patch():
        assert ctypes.util.find_library("c") == expected


def test_locks_say_that_they_are_of_the_interpreter(world: World) -> None:
    """Some programs ask before they use one in a signal handler."""
    with world.patch():
        assert type(threading.RLock()).__module__ == "_thread"
        assert type(threading.Lock()).__module__ == "_thread"
