"""Fixtures that all tests share: a backend by name, and its network for the length of a test."""

from __future__ import annotations

from collections.abc import Iterator
from importlib.metadata import entry_points

import pytest

from simnet.api import Network

BACKENDS = ("real", "sim")


def load_backend(name: str) -> Network:
    """A fresh network of the backend that a package registered under this name."""
    (entry,) = entry_points(group="simnet.backends", name=name)
    network = entry.load()()
    assert isinstance(network, Network)
    return network


@pytest.fixture
def backend() -> str:
    """The backend of the test; the conformance suite parametrizes it."""
    raise LookupError("this test runs on no backend: parametrize 'backend'")


@pytest.fixture
def net(backend: str) -> Iterator[Network]:
    """One host of the backend. What a test leaves open is closed, and fails the test."""
    network = load_backend(backend)
    try:
        with network:
            yield network
    finally:
        network.close()
