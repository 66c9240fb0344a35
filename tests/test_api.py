"""Both backends keep every promise of the contract, and the contract has all that sockets have."""

from __future__ import annotations

import inspect
import socket
from collections.abc import Callable, Iterator
from typing import Any

import pytest

import realnet
import realnet.files
from simnet import api, stdlib
from simnet.files import Files
from simnet.host import Host
from simnet.tasks import SimTask

IMPLEMENTATIONS: dict[type, tuple[type, ...]] = {
    api.Socket: (stdlib.module.socket, realnet.Socket),
    api.Network: (Host, realnet.Network),
    api.Task: (SimTask, realnet.ThreadTask),
    api.Files: (Files, realnet.files.Files),
}
# What the standard library's socket has and the contract leaves out, and why.
EXCLUDED = {
    "sendmsg_afalg": "for AF_ALG sockets, a family that is not modelled",
}
Promise = tuple[type, str, type]


def promises() -> Iterator[Promise]:
    """(contract, name, implementation) of every abstract method and property."""
    for contract, classes in IMPLEMENTATIONS.items():
        for name in sorted(contract.__abstractmethods__):  # type: ignore[attr-defined]
            for implementation in classes:
                yield contract, name, implementation


def title(value: Any) -> str:
    """For the names of cases."""
    return value if isinstance(value, str) else f"{value.__module__}.{value.__name__}"


def signature_of(function: Callable[..., Any]) -> inspect.Signature | None:
    """Its signature; None for a function in C that tells none."""
    try:
        return inspect.signature(function)
    except ValueError:
        return None


PROMISES = list(promises())
METHODS = [p for p in PROMISES if not isinstance(vars(p[0])[p[1]], property)]
SIGNED = [p for p in METHODS if signature_of(getattr(p[2], p[1])) is not None]


def calls(signature: inspect.Signature) -> Iterator[tuple[tuple[Any, ...], dict[str, Any]]]:
    """The calls that a signature allows: the shortest, the longest, and each keyword."""
    parameters = list(signature.parameters.values())
    needed = [p for p in parameters if p.default is p.empty and p.kind <= p.POSITIONAL_OR_KEYWORD]
    positional = [p for p in parameters if p.kind <= p.VAR_POSITIONAL]
    yield tuple(needed), {}
    yield tuple(positional), {}
    for p in parameters:
        if p.kind is p.KEYWORD_ONLY or (p.kind is p.POSITIONAL_OR_KEYWORD and p not in needed):
            yield tuple(needed), {p.name: None}


@pytest.mark.parametrize(("contract", "name", "implementation"), PROMISES, ids=title)
def test_a_backend_has_what_the_contract_promises(
    contract: type, name: str, implementation: type
) -> None:
    """Of its own or inherited, but not the abstract one."""
    found = inspect.getattr_static(implementation, name)
    assert found is not vars(contract)[name]
    assert name not in getattr(implementation, "__abstractmethods__", ())


@pytest.mark.parametrize(("contract", "name", "implementation"), METHODS, ids=title)
def test_a_promised_method_can_be_called(contract: type, name: str, implementation: type) -> None:
    """It is no attribute by chance."""
    assert callable(getattr(implementation, name))


@pytest.mark.parametrize(("contract", "name", "implementation"), SIGNED, ids=title)
def test_a_backend_takes_every_call_that_the_contract_allows(
    contract: type, name: str, implementation: type
) -> None:
    """The same arguments, in the same places, by the same names."""
    promised = signature_of(getattr(contract, name))
    has = signature_of(getattr(implementation, name))
    assert promised is not None
    assert has is not None
    for args, kwargs in calls(promised):
        has.bind(*args, **kwargs)


@pytest.mark.parametrize(
    ("contract", "implementation"),
    [(contract, each) for contract, classes in IMPLEMENTATIONS.items() for each in classes],
    ids=title,
)
def test_a_backends_class_is_of_the_contracts_class(contract: type, implementation: type) -> None:
    """`isinstance` says so, of sockets too, which derive from the standard library's."""
    assert issubclass(implementation, contract)


def public(cls: type) -> set[str]:
    """The names that users of a class are to know."""
    return {name for name in dir(cls) if not name.startswith("_")}


def test_the_contract_has_every_method_of_the_standard_librarys_socket() -> None:
    """Except those that it leaves out on purpose."""
    assert public(socket.socket) - public(api.Socket) - EXCLUDED.keys() == set()


def test_the_contract_asks_nothing_of_a_socket_that_the_standard_librarys_has_not() -> None:
    """There is no read() and no write() either."""
    assert public(api.Socket) <= public(socket.socket)


def test_real_sockets_are_the_standard_librarys() -> None:
    """Code that asks for `socket.socket` takes them."""
    assert issubclass(realnet.Socket, socket.socket)


@pytest.mark.parametrize("contract", list(IMPLEMENTATIONS), ids=title)
def test_every_promise_is_explained(contract: type) -> None:
    """The prose is the contract; a dunder's meaning is the language's."""
    promised: frozenset[str] = contract.__abstractmethods__  # type: ignore[attr-defined]
    named = [name for name in promised if not name.startswith("__")]
    assert all(inspect.getdoc(getattr(contract, name)) for name in named)
    assert inspect.getdoc(contract)
