"""The simulator sends the segments that the kernel sends, in the same order and rhythm."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise

import pytest

import realnet
from tests.conformance_hosts.conftest import TOPOLOGIES
from tests.conformance_hosts.programs import PROGRAMS, Program
from tests.conformance_hosts.segments import Seen, described, listening
from tests.conformance_hosts.ways import address_of

# Seconds by which an interval may differ, besides a twentieth: less than a delayed acknowledgement.
INEXACT, ATTEMPTS = 0.03, 5


def seen_on(backend: str, body: Program) -> list[Seen]:
    """The segments of a program on a backend."""
    topology = TOPOLOGIES[backend]()
    try:
        client, server = topology.host("client"), topology.host("server")
        with listening(topology, client) as heard:
            body(topology, client, server)
        return described(heard, address_of(client))
    finally:
        topology.close()


@pytest.fixture(scope="module")
def kernel() -> dict[str, list[Seen]]:
    """What each program sends on the kernel: they run side by side, for most of it is waiting."""
    try:
        realnet.Topology().close()
    except realnet.Unavailable as exc:
        pytest.skip(str(exc))
    with ThreadPoolExecutor(8) as pool:
        seen = pool.map(lambda body: seen_on("real", body), PROGRAMS.values())
        return dict(zip(PROGRAMS, seen, strict=True))


def intervals(seen: list[Seen]) -> list[float]:
    """Seconds between segments: what is late makes nothing after it late."""
    return [round(after.after - before.after, 3) for before, after in pairwise(seen)]


@pytest.mark.parametrize("name", PROGRAMS)
def test_both_send_the_same_segments(name: str, kernel: dict[str, list[Seen]]) -> None:
    """With the same numbers and flags, at the same intervals; busy machines have more attempts."""
    simulated, real = seen_on("sim", PROGRAMS[name]), kernel[name]
    texts = [each.text for each in simulated]
    expected = pytest.approx(intervals(simulated), rel=0.05, abs=INEXACT)
    for _ in range(ATTEMPTS):
        if [each.text for each in real] == texts and intervals(real) == expected:
            return
        real = seen_on("real", PROGRAMS[name])
    assert [each.text for each in real] == texts
    assert intervals(real) == expected
