"""What strikes is what the kernel does: the same programs see the same there."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from simnet.descriptor_calls import REPLACED
from simnet.host import Host
from simnet.world import World
from tests.nasty.probes import PROBES
from tests.realnet.topologies import topology

ROOT = Path(__file__).parent.parent.parent
# A network of one's own whose only way out is a queue that is full for a long time.
FULL_QUEUE = """
ip link set lo up; ip link add d0 type veth peer name d1; ip addr add 10.77.0.1/24 dev d0
ip link set d1 up; ip link set d0 up; ip neigh add 10.77.0.2 lladdr 02:00:00:00:00:01 dev d0
tc qdisc replace dev d0 root tbf rate 8kbit burst 1600 limit 2000
"""
APART = {"ports": "ip link set lo up", "queues": FULL_QUEUE}


def on_the_kernel(probe: str) -> Any:
    """What a probe sees there, in a process of its own."""
    command = [sys.executable, "-m", "tests.nasty.probes", probe]
    if probe in APART:
        with topology():
            pass  # Or skipped: who may have no topology may have no namespace either.
        prepared = f'set -e; {APART[probe]}\nexec "$@"'
        command = ["unshare", "-n", "sh", "-c", prepared, "sh", *command]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert not done.returncode, done.stderr
    return json.loads(done.stdout)


class Simulated:
    """What happens to a program in a world; its choices bring about all but this."""

    def __init__(self, host: Host) -> None:
        self._host = host
        self._table = host.descriptors

    def exhaust(self, free: int) -> None:
        """As many may be open as are, and so many more."""
        self._table.limit = len(self._table.numbers()) + free

    def relieve(self) -> None:
        """Many more."""
        self.exhaust(100)

    def interrupt_soon(self, handler: bool = False) -> None:
        """It is interrupted as soon as it waits, though it was only just interrupted."""
        for number in self._table.numbers():
            getattr(self._table.get(number).endpoint, "__dict__", {}).pop("spared", None)

    def no_ports(self) -> None:
        """There are none, again."""
        for table in (self._host.tcp_ports, self._host.udp_ports):
            vars(table).pop("spared", None)

    def make(self, name: str, *arguments: Any) -> Any:
        """The call that replaces one of `os`."""
        with self._host:
            return REPLACED["os"][name](*arguments)


# The family, and the choices of its stream, that bring about what a probe meets.
STRIKING: dict[str, tuple[str, list[int]]] = {
    "descriptors": ("descriptor_limits", []),
    "ports": ("ports", [1] * 100),
    "interruptions": ("interrupted", [1] * 100),
    "connecting": ("interrupted", [1] * 100),
    "queues": ("no_buffers", [0] * 8 + [1, 0]),
}


@pytest.mark.parametrize("probe", PROBES)
def test_a_program_sees_what_the_kernel_shows(probe: str) -> None:
    """Descriptors and ports that run out, full queues, and what interruptions leave."""
    family, choices = STRIKING[probe]
    world = World(nasty=family, decisions={f"nasty {family}": dict(enumerate(choices))})
    host = world.host("h", ip="10.77.0.1")
    assert PROBES[probe](host, Simulated(host)) == on_the_kernel(probe)
    assert not world.leftovers()
