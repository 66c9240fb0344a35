"""The words of a scenario cover the contract."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from pathlib import Path

import pytest

from simnet import api
from simnet.scenario import Malformed, load
from simnet.scenario.vocabulary import CONSTANTS, FUNCTIONS, SOCKET_METHODS
from tests.scenario.conftest import Write

METHODS = [
    name
    for name, member in vars(api.Socket).items()
    if callable(member) and not name.startswith("_")
]


@pytest.mark.parametrize("name", METHODS)
def test_every_method_of_a_socket_is_callable(write: Write, name: str) -> None:
    """A step may call whatever the contract has."""
    assert name in SOCKET_METHODS
    assert load(str(write(f"- a: socket()\n  as: s\n- a: s.{name}()")))


@pytest.mark.parametrize("name", ["read", "write", "_io_refs", "__enter__", "ioctl"])
def test_nothing_else_is(write: Write, mistakes: Callable[[Path], list[str]], name: str) -> None:
    """A socket has no read() and no write()."""
    (found,) = mistakes(write(f"- a: socket()\n  as: s\n- a: s.{name}()"))
    assert f"a socket has no method '{name}'" in found


def test_functions_of_the_network_exist_in_the_contract() -> None:
    """What is not a helper of the scenarios is a method of Network or of Files."""
    for name, function in FUNCTIONS.items():
        if function.signature is None:
            assert inspect.isfunction(getattr(api.Network, name, getattr(api.Files, name, None)))


@pytest.mark.parametrize(
    "name",
    ["AF_UNIX", "SOCK_SEQPACKET", "SOL_SOCKET", "SO_ERROR", "MSG_PEEK", "SHUT_WR", "TCP_NODELAY"],
)
def test_the_constants_of_the_socket_module_are_known(name: str) -> None:
    """By the names that everybody knows."""
    assert isinstance(CONSTANTS[name], int)


def test_private_names_of_python_are_not_reachable(write: Write) -> None:
    """A scenario is data: it cannot leave its vocabulary."""
    with pytest.raises(Malformed):
        load(str(write("- a: __import__('os').getpid()")))
