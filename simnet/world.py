"""A world: a seed, a clock, tasks, hosts, and a trace of what happened.

Two worlds share nothing, and a world is a function of its seed and of the code that runs in it.
"""

from __future__ import annotations

import errno
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from types import TracebackType
from typing import TYPE_CHECKING, Any

import attrs

from simnet import faults, stdlib
from simnet.addresses import IP
from simnet.clock import SECOND_NS, Clock, Timer, nanoseconds
from simnet.current import current_host
from simnet.decisions import Decisions
from simnet.descriptors import DescriptorTable
from simnet.drops import drop
from simnet.errors import NoCurrentHost
from simnet.faults import Fault, FaultFunction
from simnet.host import Host
from simnet.interfaces import Addresses, parse
from simnet.limits import Limits
from simnet.links import Link
from simnet.protocols.base import Endpoint
from simnet.scheduler import DEFAULT_MAX_STEPS, Scheduler
from simnet.trace import Trace
from simnet.wire import Wire

if TYPE_CHECKING:
    from typing_extensions import Self

    from simnet.aio import EventLoop


# What a router says of addresses that nobody has.
_UNKNOWN = {"unreachable": errno.EHOSTUNREACH, "network": errno.ENETUNREACH, "silence": 0}

# A host or its name.
HostOrName = Host | str


class World:
    """One simulation.

    `seed` decides whatever is left to chance. `record` keeps every record of the trace, and every
    segment in it. `shortcut=False` sends every byte in segments, also where nothing could tell.
    `max_steps` bounds how often control may change hands before StepLimit is raised.
    """

    # For those who may have a world of another backend: this one can do what no machine can.
    virtual_time = True

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
        self.wire = Wire(self.clock, self.decisions, self.trace, shortcut)
        self.hosts: dict[str, Host] = {}
        self._sockets = 0
        self._addresses_tried = 0
        self._partitions: list[Fault] = []

    # Hosts

    def host(
        self,
        name: str,
        *,
        ip: Addresses | None = None,
        clock_offset: float = 0.0,
        clock_drift: float = 0.0,
    ) -> Host:
        """A new host. `ip` is its address, or several; one of 10.0.0.0/8 is chosen if left out.

        An address may have a prefix length ("10.1.0.1/16"); {"eth0": ..., "eth1": ...} names
        several interfaces. Without a length, an address of a private block (10/8, 172.16/12,
        192.168/16) belongs to that block's subnet, another one to a /24, an IPv6 one to a /64. The
        clock of the host may be off by so many seconds, and by so many more each second.
        """
        if not name or name in self.hosts:
            raise ValueError(f"a host needs a name of its own, not {name!r}")
        interfaces = parse(self._free_address() if ip is None else ip)
        for interface in interfaces:
            for address, _ in interface.addresses:
                owner = self.wire.owner(address)
                if owner is not None:
                    raise ValueError(f"{address} is an address of host {owner.name!r} already")
        host = Host(self, name, interfaces, clock_offset, clock_drift)
        self.wire.attach(host)
        self.hosts[name] = host
        return host

    def _free_address(self) -> IP:
        while True:
            self._addresses_tried += 1
            high, low = divmod(self._addresses_tried, 256)
            ip = f"10.{high >> 8}.{high & 255}.{low}"
            if self.wire.owner(ip) is None:
                return ip

    def _host(self, host: HostOrName) -> Host:
        """A host of this world, also by its name; ValueError for another."""
        found = self.hosts.get(host) if isinstance(host, str) else host
        if found is None or found.world is not self:
            raise ValueError(f"{host!r} is no host of this world")
        return found

    def addresses_of(self, name: str) -> Sequence[IP]:
        """The addresses of a host by name; none if there is no such host."""
        host = self.hosts.get(name)
        return host.addresses if host is not None else ()

    def name_of(self, ip: IP) -> str | None:
        """The name of the host that has an address."""
        owner = self.wire.owner(ip)
        return owner.name if owner is not None else None

    def limit(self, host: HostOrName, **limits: Any) -> None:
        """Change limits of a host from now on (limits.py); TypeError for an unknown one."""
        found = self._host(host)
        found.limits = attrs.evolve(found.limits, **limits)
        self.wire.everything_changed()

    # Links

    def link(
        self, source: HostOrName, target: HostOrName, *, symmetric: bool = True, **conditions: Any
    ) -> Link:
        """Change the conditions that are named, from one host to another; back too if symmetric.

        Conditions: `latency` and `jitter` in seconds, `bandwidth` in bits per second, `queue` in
        packets, `loss`, `duplicate`, `reorder` and `corrupt` as probabilities for each packet,
        `mtu` in bytes. TypeError for an unknown one, ValueError for an impossible one. The link
        from `source` to `target` is returned.
        """
        link = self.link_between(source, target)
        link.set(**conditions)
        if symmetric:
            self.link_between(target, source).set(**conditions)
        return link

    def link_between(self, source: HostOrName, target: HostOrName) -> Link:
        """The link of one direction."""
        first, second = self._host(source), self._host(target)
        if first is second:
            raise ValueError(f"{first.name!r} has no link to itself; its loopback is ideal")
        return self.wire.link(first, second)

    def default_link(self, **conditions: Any) -> None:
        """Change the conditions that are named for all pairs of hosts without their own."""
        self.wire.set_default(attrs.evolve(self.wire.default_conditions, **conditions))

    def fault(self, function: FaultFunction) -> Fault:
        """Add a fault to every link; it is a context manager that takes itself off."""
        return self.wire.faults.add(function)

    def partition(
        self,
        one: HostOrName | Iterable[HostOrName],
        other: HostOrName | Iterable[HostOrName],
        *,
        one_way: bool = False,
    ) -> Fault:
        """Let nothing through between two groups of hosts; one_way: from the first to the second.

        It ends with `remove()`, with the `with` block, or when the world heals.
        """
        first, second = self._group(one), self._group(other)
        if first & second:
            raise ValueError("a host cannot be on both sides of a partition")
        partition = self.fault(faults.partition(first, second, both_ways=not one_way))
        self._partitions.append(partition)
        return partition

    def _group(self, hosts: HostOrName | Iterable[HostOrName]) -> frozenset[Host]:
        each = [hosts] if isinstance(hosts, (str, Host)) else hosts
        return frozenset(self._host(host) for host in each)

    def heal(self) -> None:
        """End every partition."""
        while self._partitions:
            self._partitions.pop().remove()

    def drop(
        self, source: HostOrName, target: HostOrName, *, packets: str, count: int = 1
    ) -> Fault:
        """Lose the next packets of a kind on one way, so many of them.

        Kinds: 'SYN' (alone), 'SYN|ACK', 'ACK' (nothing else in it), 'data' (of TCP), 'FIN', 'RST',
        'UDP', 'ICMP', 'IPv6' and 'any'. It ends after the last, with `remove()`, or with the
        `with` block.
        """
        return drop(self.link_between(source, target), packets, count)

    def hold(self, one: HostOrName, other: HostOrName) -> None:
        """Hold back what is on the way between two hosts, and what they send from now on."""
        self.link_between(one, other).hold()
        self.link_between(other, one).hold()

    def release(self, one: HostOrName, other: HostOrName) -> None:
        """Let go of what was held back: it arrives now."""
        self.link_between(one, other).release()
        self.link_between(other, one).release()

    @property
    def unknown(self) -> str:
        """What is said of addresses that nobody has.

        'unreachable' (as it is at first): EHOSTUNREACH, by a router at once, or for an address of
        a subnet of the sender's own after 3 s of looking for it; 'network': a router says
        ENETUNREACH; 'silence': nothing is said at all.
        """
        error = self.wire.unknown_error
        return next(name for name, known in _UNKNOWN.items() if known == error)

    @unknown.setter
    def unknown(self, answer: str) -> None:
        if answer not in _UNKNOWN:
            raise ValueError(f"unknown is one of {', '.join(_UNKNOWN)}, not {answer!r}")
        self.wire.unknown_error = _UNKNOWN[answer]

    # Failures

    def crash(self, host: HostOrName) -> None:
        """Stop a host: its tasks end where they stand, its sockets vanish without a word."""
        found = self._host(host)
        if found.up:
            self.trace.append(("crash", found.name))
            found.stop()

    def restart(self, host: HostOrName, *, keep_disk: bool = False) -> None:
        """Start a crashed host again, with its name and addresses, and its `disk` if asked.

        Nothing runs on it: spawn what is to run.
        """
        found = self._host(host)
        if found.up:
            raise ValueError(f"host {found.name!r} has not crashed")
        self.trace.append(("restart", found.name))
        found.start(keep_disk)

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

    def at(self, seconds: float, function: Callable[..., object], /, *args: object) -> Timer:
        """Call a function at an instant of virtual time; it must not wait.

        The timer's `cancel` takes that back. An exception is raised in the code outside all tasks.
        """
        return self.clock.call_at(nanoseconds(seconds), partial(self._happen, function, args))

    def after(self, seconds: float, function: Callable[..., object], /, *args: object) -> Timer:
        """The same, so many seconds from now."""
        return self.clock.call_after(nanoseconds(seconds), partial(self._happen, function, args))

    def _happen(self, function: Callable[..., object], args: tuple[object, ...]) -> None:
        self.clock.round += 1
        try:
            function(*args)
        except Exception as exc:
            self.scheduler.interrupt_main(exc)
        self.wire.flush()

    def event_loop(self) -> EventLoop:
        """A new asyncio event loop of the current host, or of the only one."""
        host = current_host.get(None)
        if host is None or host.world is not self:
            if len(self.hosts) != 1:
                raise NoCurrentHost(
                    f"a world of {len(self.hosts)} hosts does not know whose event loop is meant: "
                    "use host.event_loop, or `with host:`"
                )
            (host,) = self.hosts.values()
        return host.event_loop()

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
