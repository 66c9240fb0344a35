"""A world: a seed, a clock, tasks, hosts, and a trace of what happened.

Two worlds share nothing, and a world is a function of its seed and of the code that runs in it.
"""

from __future__ import annotations

import socket
from collections.abc import Sequence
from types import TracebackType
from typing import TYPE_CHECKING

from simnet import stdlib
from simnet.addresses import BROADCAST4, IP, is_any, is_loopback, is_multicast, numeric
from simnet.clock import SECOND_NS, Clock, nanoseconds
from simnet.decisions import Decisions
from simnet.descriptors import DescriptorTable
from simnet.host import Host
from simnet.limits import Limits
from simnet.protocols.base import Endpoint
from simnet.scheduler import DEFAULT_MAX_STEPS, Scheduler
from simnet.trace import Trace
from simnet.wire import Wire

if TYPE_CHECKING:
    from typing_extensions import Self


class World:
    """One simulation.

    `seed` decides whatever is left to chance. `record` keeps every record of the trace, and every
    segment in it. `shortcut=False` sends every byte in segments, also where nothing could tell.
    `max_steps` bounds how often control may change hands before StepLimit is raised.
    """

    def __init__(
        self,
        seed: int | str = 0,
        *,
        record: bool = False,
        shortcut: bool = True,
        max_steps: int = DEFAULT_MAX_STEPS,
    ) -> None:
        self.seed = seed
        self.decisions = Decisions(seed)
        self.trace = Trace(recording=record)
        self.clock = Clock(on_move=self.trace.time_moved)
        self.scheduler = Scheduler(self.clock, self.decisions.stream("scheduler"), max_steps)
        self.descriptors = DescriptorTable(Limits().nofile)
        self.wire = Wire()
        self.wire.ideal = shortcut and not record
        self.hosts: dict[str, Host] = {}
        self._sockets = 0
        self._addresses_tried = 0

    # Hosts

    def host(self, name: str, *, ip: str | Sequence[str] | None = None) -> Host:
        """A new host. `ip` is its address, or several; one of 10.0.0.0/8 is chosen if left out."""
        if not name or name in self.hosts:
            raise ValueError(f"a host needs a name of its own, not {name!r}")
        if ip is None:
            ip = self._free_address()
        addresses = [self._checked(each) for each in ([ip] if isinstance(ip, str) else ip)]
        host = Host(self, name, tuple(dict.fromkeys(addresses)))
        for address in host.addresses:
            self.wire.attach(address, host)
        self.hosts[name] = host
        return host

    def _checked(self, ip: str) -> IP:
        """An address in its canonical form, if a host can have it."""
        checked = numeric(ip, socket.AF_INET) or numeric(ip, socket.AF_INET6)
        if checked is None:
            raise ValueError(f"{ip!r} is not an IPv4 or IPv6 address")
        if (
            is_any(checked)
            or is_loopback(checked)
            or is_multicast(checked)
            or checked == BROADCAST4
        ):
            raise ValueError(f"{ip} cannot be a host's address")
        owner = self.wire.owner(checked)
        if owner is not None:
            raise ValueError(f"{ip} is an address of host {owner.name!r} already")
        return checked

    def _free_address(self) -> IP:
        while True:
            self._addresses_tried += 1
            high, low = divmod(self._addresses_tried, 256)
            ip = f"10.{high >> 8}.{high & 255}.{low}"
            if self.wire.owner(ip) is None:
                return ip

    def addresses_of(self, name: str) -> Sequence[IP]:
        """The addresses of a host by name; none if there is no such host."""
        host = self.hosts.get(name)
        return host.addresses if host is not None else ()

    def name_of(self, ip: IP) -> str | None:
        """The name of the host that has an address."""
        owner = self.wire.owner(ip)
        return owner.name if owner is not None else None

    def next_socket_number(self) -> int:
        """A number for a new socket."""
        self._sockets += 1
        return self._sockets

    # Time

    @property
    def now(self) -> float:
        """Virtual seconds since the world began."""
        return self.clock.now_ns / SECOND_NS

    def run(self, until: float | None = None) -> None:
        """Let the tasks run until nothing is left to happen, or until an instant in seconds.

        Tasks that wait for what will never come are left waiting. The exception of a task that
        nobody asked for is raised here.
        """
        self.scheduler.run(None if until is None else nanoseconds(until))

    # Ending

    def leftovers(self, host: Host | None = None) -> Sequence[str]:
        """What is open and who runs, on one host or on all, one line each."""
        lines = []
        for number in self.descriptors.numbers():
            opened = self.descriptors.get(number).endpoint
            if host is None or getattr(opened, "host", None) is host:
                lines.append(stdlib.describe_descriptor(number, opened))
        for task in self.scheduler.tasks:
            if host is None or task.host is host:
                lines.append(repr(task))
        return lines

    def close_host(self, host: Host | None) -> None:
        """Close every descriptor and end every task, of one host or of all."""
        self.scheduler.end_tasks(host)
        for number in self.descriptors.numbers():
            opened = self.descriptors.get(number).endpoint
            if host is None or getattr(opened, "host", None) is host:
                if isinstance(opened, Endpoint):
                    opened.set(linger_s=None)
                self.descriptors.close(number)

    def close(self) -> None:
        """End every task where it stands, and close everything."""
        self.close_host(None)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
        /,
    ) -> None:
        self.close()


def localhost() -> Host:
    """A world with one host: the backend `sim` of the conformance suite and of scenarios."""
    return World().host("localhost", ip=("10.0.0.1", "fd00::1"))
