"""The standard library's socket.py and selectors.py over the simulated modules."""

from __future__ import annotations

import _socket
import inspect
import io
import os
import select
import selectors
import socket
from contextlib import ExitStack
from types import ModuleType
from typing import Any

import pytest

from simnet import stdlib, threads
from simnet.world import World

# What the real module has and the simulated one does not, on purpose.
WITHOUT = {
    "CAPI",  # for extension modules in C
    "__cached__",
    "__file__",
}
# What computes and reaches nothing: the real functions serve.
PURE = {
    *("CMSG_LEN", "CMSG_SPACE", "htonl", "htons", "ntohl", "ntohs"),
    *("inet_aton", "inet_ntoa", "inet_ntop", "inet_pton"),
}


def functions_in_c(module: ModuleType) -> set[str]:
    """The names under which a module has functions of the interpreter's own, written in C."""
    return {name for name, value in vars(module).items() if inspect.isbuiltin(value)}


@pytest.mark.parametrize(
    ("real", "simulated"),
    [(socket, stdlib.module), (_socket, stdlib.c_module), (selectors, stdlib.selectors)],
    ids=lambda module: module.__name__,
)
def test_a_simulated_module_has_every_name_of_the_real_one(
    real: ModuleType, simulated: ModuleType
) -> None:
    """Code that imports a name from it finds it."""
    assert set(dir(real)) - set(dir(simulated)) <= WITHOUT


def test_nothing_in_the_simulated_modules_reaches_the_operating_system() -> None:
    """Of the functions in C only those are left that compute."""
    assert functions_in_c(stdlib.c_module) == PURE & functions_in_c(_socket)
    assert functions_in_c(stdlib.select) == set()
    assert functions_in_c(stdlib.module) <= PURE


def test_no_simulated_socket_is_a_real_one() -> None:
    """Its base is the simulated class of the C module."""
    assert not issubclass(stdlib.module.socket, _socket.socket)
    assert issubclass(stdlib.module.socket, stdlib.c_module.socket)


def test_python_code_of_the_real_module_runs_unchanged() -> None:
    """The same source, line by line: makefile, create_server and the rest."""
    for name in ("makefile", "sendfile", "accept", "__repr__", "__getstate__"):
        simulated = inspect.unwrap(getattr(stdlib.module.socket, name))
        assert simulated.__code__ == getattr(socket.socket, name).__code__
    assert stdlib.module.create_server.__code__ == socket.create_server.__code__


@pytest.mark.parametrize(
    "name",
    ["AddressFamily", "SocketKind", "MsgFlag", "AddressInfo", "error", "timeout", "gaierror"],
)
def test_enumerations_and_errors_are_the_real_ones(name: str) -> None:
    """`sock.family is socket.AF_INET`, and `except socket.gaierror` catches."""
    assert getattr(stdlib.module, name) is getattr(socket, name)


def test_constants_are_the_real_ones() -> None:
    """Number by number, and of the same type."""
    constants = [name for name in dir(socket) if isinstance(getattr(socket, name), int)]
    for name in constants:
        simulated, real = getattr(stdlib.module, name), getattr(socket, name)
        assert (type(simulated), simulated) == (type(real), real), name


def test_select_has_the_real_constants() -> None:
    """POLLIN, EPOLLET and the others."""
    for name in dir(select):
        if isinstance(getattr(select, name), int):
            assert getattr(stdlib.select, name) == getattr(select, name)


def test_what_a_test_puts_into_os_is_found_by_the_copies(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where nobody has put anything stands what knows simulated descriptors."""
    knowing = stdlib.Os()
    replaced = knowing.fstat
    assert replaced is not os.fstat
    assert knowing.getpid is os.getpid
    monkeypatch.setattr("os.fstat", len)
    assert knowing.fstat is len
    monkeypatch.undo()
    assert knowing.fstat is replaced


def test_polls_are_made_by_their_function_alone() -> None:
    """Which does not become a method of a class that keeps it; their type makes none."""

    class Keeper:
        make = stdlib.select.poll

    with World() as world, world.host("alpha"):
        told = []
        for made in (select.poll(), Keeper().make()):
            for attempt in (type(made), lambda made=made: type("Own", (type(made),), {})):
                with pytest.raises(TypeError) as error:
                    attempt()
                told.append(str(error.value))
    assert told[:2] == told[2:]


def test_the_best_selector_is_the_same_one() -> None:
    """selectors.py tries them when it is imported, and finds them working."""
    simulated = stdlib.selectors.DefaultSelector
    assert simulated.__name__ == selectors.DefaultSelector.__name__
    assert simulated is not selectors.DefaultSelector
    assert issubclass(stdlib.selectors.PollSelector, stdlib.selectors.BaseSelector)


@pytest.mark.parametrize("name", ["SelectSelector", "PollSelector", "EpollSelector"])
def test_each_selector_of_the_simulated_module_selects(name: str) -> None:
    """Also the one that keeps a function in its class, which must not become a method."""
    with World() as world, world.host("alpha") as host:
        a, b = host.socketpair()
        with a, b, getattr(stdlib.selectors, name)() as selector:
            selector.register(b, selectors.EVENT_READ)
            assert selector.select(0) == []
            a.send(b"x")
            assert [key.fileobj for key, _ in selector.select()] == [b]


@pytest.mark.parametrize("kind", [set, frozenset])
def test_select_over_a_set_has_the_same_order_in_every_run(kind: type[set[object]]) -> None:
    """That of the descriptors; over a list it is the list's."""
    with World() as world, world.host("alpha") as host, ExitStack() as stack:
        pairs = [host.socketpair() for _ in range(30)]
        for pair in pairs:
            for sock in pair:
                stack.enter_context(sock)
        socks = [b for _, b in pairs]
        readable, writable, _ = stdlib.select.select([], kind(socks), [])
        assert writable == socks
        for a, _ in pairs:
            a.send(b"x")
        readable, _, _ = stdlib.select.select(kind(socks), [], [])
        assert readable == socks
        assert stdlib.select.select(socks[::-1], [], [])[0] == socks[::-1]


@pytest.mark.parametrize("value", [threads.threading.Event(), threads.queue.Queue])
def test_what_a_simulated_module_defines_names_the_real_one_as_its_home(value: object) -> None:
    """In a `repr`, as programs may expect it."""
    assert repr(value).replace("<class '", "<").startswith(("<threading.Event", "<queue.Queue"))


def test_sockets_show_themselves_as_the_real_ones_do() -> None:
    """The class's home in the text too."""
    with World() as world, world.host("alpha").socket() as sock:
        assert repr(sock).startswith("<socket.socket fd=")


def test_files_over_sockets_are_the_standard_librarys() -> None:
    """Buffered and text ones are `io`'s own."""
    with World() as world:
        a, b = world.host("alpha").socketpair()
        with a, b, a.makefile("rw") as text, b.makefile("rb") as binary:
            assert isinstance(text, io.TextIOWrapper)
            assert isinstance(binary, io.BufferedReader)


def test_methods_that_make_sockets_work_outside_every_host() -> None:
    """A socket knows its own host."""
    with World() as world:
        host = world.host("alpha")
        with host.create_server(("127.0.0.1", 0)) as listener:
            with host.create_connection(listener.getsockname()) as client:
                conn, _ = listener.accept()
                with conn, conn.dup() as copy:
                    client.sendall(b"x")
                    assert copy.recv(1) == b"x"


@pytest.mark.parametrize("name", ["close", "dup"])
@pytest.mark.parametrize("value", [None, "x", 1.5, -1, 2**70])
def test_what_is_no_descriptor_is_refused_as_by_the_real_functions(name: str, value: Any) -> None:
    """By type and range, before anybody looks whether it is open."""
    with World() as world, world.host("alpha"):
        told = []
        for module in (socket, stdlib.module):
            with pytest.raises((TypeError, OverflowError, OSError)) as error:
                getattr(module, name)(value)
            told.append((error.type, str(error.value)))
    assert told[0] == told[1]


def test_an_open_descriptor_describes_itself() -> None:
    """As the socket that refers to it; asking changes nothing."""
    with World() as world:
        host = world.host("alpha")
        with host.socket() as sock:
            opened = host.descriptors.get(sock.fileno()).endpoint
            assert stdlib.describe_descriptor(sock.fileno(), opened) == repr(sock)
            assert sock.fileno() in host.descriptors.numbers()
        with host.epoll() as epoll:
            opened = host.descriptors.get(epoll.fileno()).endpoint
            text = stdlib.describe_descriptor(epoll.fileno(), opened)
            assert text.startswith(f"<descriptor {epoll.fileno()} of ")
