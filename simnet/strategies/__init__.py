"""Hypothesis strategies that draw networks, and what happens in them (extra `hypothesis`).

What they draw are the values of scenarios (`simnet.scenario`): settings, events, whole stories.
Everything that is drawn is accepted by a world, and can be written to a scenario file. All shrink
toward the plainest network: two hosts, ideal links, no faults, first in, first out.

    from hypothesis import given, strategies as st
    from simnet import strategies as net

    @given(st.data())
    def test_it(data):
        setting = data.draw(net.topologies(names=["client", "server"]))
        faults = data.draw(net.fault_schedules(setting, until=30))
        with net.world_of(setting, faults) as world:
            ...
"""

from __future__ import annotations

try:
    import hypothesis as _hypothesis  # noqa: F401
except ModuleNotFoundError as error:
    if error.name != "hypothesis":
        raise
    raise ModuleNotFoundError(
        "simnet.strategies needs Hypothesis: pip install 'simnet[hypothesis]'", name="hypothesis"
    ) from error

from simnet.strategies.conditions import host_limits, link_conditions
from simnet.strategies.faults import FAMILIES as FAULT_FAMILIES
from simnet.strategies.faults import fault_schedules
from simnet.strategies.machine import NetworkStateMachine
from simnet.strategies.programs import socket_programs
from simnet.strategies.schedules import decisions, schedules
from simnet.strategies.splits import splits
from simnet.strategies.topologies import topologies, ways
from simnet.strategies.values import (
    host_names,
    ip_addresses,
    lines,
    payloads,
    ports,
    socket_addresses,
    unix_names,
)
from simnet.strategies.worlds import world_of

__all__ = [
    "FAULT_FAMILIES",
    "NetworkStateMachine",
    "decisions",
    "fault_schedules",
    "host_limits",
    "host_names",
    "ip_addresses",
    "lines",
    "link_conditions",
    "payloads",
    "ports",
    "schedules",
    "socket_addresses",
    "socket_programs",
    "splits",
    "topologies",
    "unix_names",
    "ways",
    "world_of",
]
