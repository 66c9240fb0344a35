"""Every conformance case runs on every backend; known differences are data."""

from __future__ import annotations

import ssl
from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest

from simnet import tls
from simnet.api import Network, Socket
from tests.conformance.differences import DIFFERENCES
from tests.conformance.kinds import Kind, Named
from tests.conformance.tls_pairs import TLS
from tests.conftest import BACKENDS


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Collect each case once per backend, the kernel first."""
    if "net" in metafunc.fixturenames:
        metafunc.parametrize("backend", BACKENDS, indirect=False)


@pytest.fixture
def sockets(net: Network) -> Iterator[ExitStack]:
    """What a case keeps open with `sockets.enter_context(...)`: closed, last first, at its end."""
    with ExitStack() as stack:
        yield stack


@pytest.fixture
def keep(sockets: ExitStack) -> Callable[[Socket], Socket]:
    """`keep(sock)` is `sock`, closed when the case ends."""
    return sockets.enter_context


@pytest.fixture
def pair(net: Network, kind: Kind, sockets: ExitStack) -> tuple[Socket, Socket]:
    """The connected pair of the kind that the case is parametrized with."""
    a, b = kind.make(net)
    return sockets.enter_context(a), sockets.enter_context(b)


@pytest.fixture
def listener(net: Network, named: Named, sockets: ExitStack) -> Socket:
    """A listening socket of the kind that the case is parametrized with."""
    return sockets.enter_context(named.listening(net))


@pytest.fixture
def secure(net: Network, backend: str, sockets: ExitStack) -> Iterator[TLS]:
    """What makes TLS connections on the backend."""
    with tls.installed():
        yield TLS(net, sockets, ssl if backend == "real" else tls.module)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark each known difference as a strict expected failure, with its reason."""
    for item in items:
        if not isinstance(item, pytest.Function) or not hasattr(item, "callspec"):
            continue
        backend = item.callspec.params.get("backend")
        reason = DIFFERENCES.get(
            (f"{item.module.__name__.rpartition('.')[2]}.{item.originalname}", backend)
        )
        if reason is not None:
            item.add_marker(pytest.mark.xfail(reason=reason, strict=True))
