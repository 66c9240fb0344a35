"""Backends are found by name, with what makes one host and what makes several."""

from __future__ import annotations

from importlib.metadata import EntryPoint

import pytest

import realnet
from simnet import World
from simnet.scenario import backends
from simnet.scenario.backends import Backend, NoBackend
from tests.scenario.conftest import register


def test_the_simulator_has_worlds_with_virtual_time() -> None:
    """Whatever a scenario asks for, it can do."""
    backend = backends.load("sim")
    assert (backend.name, backend.world, backend.virtual) == ("sim", World, True)


def test_the_real_kernel_has_worlds_in_real_time() -> None:
    """What needs a simulator is not asked of it."""
    backend = backends.load("real")
    assert (backend.world, backend.virtual) == (realnet.Topology, False)


def test_a_backend_may_have_one_host_only(monkeypatch: pytest.MonkeyPatch) -> None:
    """Then there is nothing that makes a world."""
    register(monkeypatch, ["one=realnet:Network"], ("one",))
    assert backends.load("one") == Backend("one", realnet.Network)
    assert not backends.load("one").virtual


@pytest.mark.parametrize("group", [backends.GROUP, backends.WORLDS])
def test_what_does_not_load_is_said(monkeypatch: pytest.MonkeyPatch, group: str) -> None:
    """Of either entry point."""
    good = {"odd": EntryPoint("odd", "realnet:Network", "")}
    bad = {"odd": EntryPoint("odd", "realnet:Nothing", "")}
    monkeypatch.setattr(
        backends, "_entries", lambda of=backends.GROUP: bad if of == group else good
    )
    with pytest.raises(NoBackend, match="the backend 'odd' does not load: AttributeError"):
        backends.load("odd")
