"""The operating system behind the contract of `simnet.api`: the referee for the simulator.

Its sockets are the standard library's (`isinstance(s, socket.socket)`), its tasks are threads, its
time is the system's. Nothing is added to what the kernel does, except that a `Network` knows what
it has handed out, so that leftovers can be reported and closed. A `Topology` has many hosts, each
in a network namespace of its own.
"""

from __future__ import annotations

from realnet.hosts import Host
from realnet.network import Network
from realnet.sockets import Socket
from realnet.tasks import ThreadTask
from realnet.topology import Topology
from simnet.errors import Unavailable

__all__ = ["Host", "Network", "Socket", "ThreadTask", "Topology", "Unavailable"]
