"""Every case runs on the kernel, in network namespaces, and in the simulator."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest

import realnet
import simnet
from simnet.api import Socket, Topology
from tests.conformance_hosts.ways import about


def on_kernel() -> Topology:
    """Hosts whose TCP speaks as the simulator's: no time stamps, no selective acknowledgements."""
    return realnet.Topology(tcp_timestamps=0, tcp_sack=0)


TOPOLOGIES: dict[str, Callable[[], Topology]] = {"real": on_kernel, "sim": simnet.World}
LATE = {"real": 0.8, "sim": 0.1}  # seconds


@pytest.fixture(params=TOPOLOGIES)
def topology(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Topology]:
    """An empty one; skipped with the reason where the machine or the user cannot have it."""
    try:
        made = TOPOLOGIES[request.param]()
    except realnet.Unavailable as exc:
        pytest.skip(str(exc))
    monkeypatch.setattr(about, "late", LATE[request.param])
    try:
        yield made
    finally:
        made.close()


@pytest.fixture
def keep(topology: Topology) -> Iterator[Callable[[Socket], Socket]]:
    """`keep(sock)` is `sock`, closed when the case ends."""
    with ExitStack() as stack:
        yield stack.enter_context
