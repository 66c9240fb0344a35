"""A world: a seed, a clock, tasks, hosts, and a trace of what happened.

Two worlds share nothing, and a world is a function of its seed and of the code that runs in it.
"""

from __future__ import annotations

import itertools
import os
import weakref
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from contextvars import copy_context
from functools import partial
from typing import TYPE_CHECKING, Any, BinaryIO

import attrs

from simnet import api, faults, policies, stdlib, switch_points
from simnet.addresses import IP
from simnet.clock import SECOND_NS, Clock, Timer, nanoseconds
from simnet.current import host_or_none
from simnet.decisions import Decisions, Source
from simnet.descriptors import DescriptorTable
from simnet.drops import drop
from simnet.errors import NoCurrentHost
from simnet.faults import Fault, FaultFunction
from simnet.host import Host, answer_for_unknown, error_for_unknown
from simnet.interfaces import Addresses, parse
from simnet.limits import Limits
from simnet.links import Link
from simnet.names.table import Names
from simnet.nastiness import Nastiness
from simnet.policies import Policy
from simnet.protocols.base import Endpoint
from simnet.scheduler import DEFAULT_MAX_STEPS, Scheduler
from simnet.sources import Deviations, Recorded
from simnet.trace import Trace
from simnet.views import diagram, html, netstat, pcap
from simnet.views.netstat import Netstat
from simnet.wire import Wire

if TYPE_CHECKING:
    from simnet.aio import EventLoop


# A host or its name.
HostOrName = Host | str


class World(api.Topology):
    """One simulation.

    `seed` decides whatever is left to chance. `record` keeps every record of the trace, and every
    segment in it. `shortcut=False` sends every byte in segments, also where nothing could tell.
    `max_steps` bounds how often control may change hands before StepLimit is raised. `decisions`
    decides in the seed's place: a source, or the choices of a record (sources.py). `policy` says
    who runs next: a value of policies.py, or its text, "pct(3, 100)". `nasty` names the families of
    lawful nastiness that may strike (nastiness/), True is all of them.
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
        decisions: Source | Deviations | None = None,
        policy: Policy | str | None = None,
        nasty: bool | str | Iterable[str] = False,
    ) -> None:
        if isinstance(policy, str):
            policy = policies.read(policy)
        if isinstance(decisions, Mapping):
            decisions = Recorded(decisions)
        self.seed = seed
        self.decisions = Decisions(seed, decisions)
        self.trace = Trace(recording=record)
        self.clock = Clock(on_move=self.trace.time_moved)
        picker = None if policy is None else policy.start(self.decisions.numbers("policy"))
        choices = self.decisions.stream("scheduler")
        self.scheduler = Scheduler(self.clock, choices, max_steps, picker)
        if decisions is not None:
            decisions.begin(self.scheduler.end_run)
        self.nastiness = Nastiness(nasty, self.decisions, self.trace)
        self.descriptors = self.nastiness.table(DescriptorTable, Limits().nofile)
        shortcut = shortcut and not self.nastiness.needs_packets
        self.wire = Wire(self.clock, self.decisions, self.trace, shortcut)
        self.hosts: dict[str, Host] = {}
        # Names beside those of the hosts, which every host knows: several addresses, delays,
        # failures. A host's own `names` come first.
        self.names = Names()
        # Gives a number for reports and traces; never the same twice.
        self.next_socket_number = itertools.count(1).__next__
        self._addresses_tried = 0
        self._partitions: list[Fault] = []
        self.wire.fault_failed = self.scheduler.interrupt_main
        # What ends with the world, also when nobody closes it.
        self._ending: weakref.finalize[..., World] | None = None
        if picker is not None and picker.preempts:
            switch_points.install()
            self._ending = weakref.finalize(self, switch_points.uninstall)

    # Hosts

    def host(
        self,
        name: str,
        *,
        ip: Addresses | None = None,
        clock_offset: float = 0.0,
        clock_drift: float = 0.0,
        unknown: str | None = None,
    ) -> Host:
        """A new host. `ip` is its address, or several; one of 10.0.0.0/8 is chosen if left out.

        An address may have a prefix length ("10.1.0.1/16"); {"eth0": ..., "eth1": ...} names
        several interfaces. Without a length, an address of a private block (10/8, 172.16/12,
        192.168/16) belongs to that block's subnet, another one to a /24, an IPv6 one to a /64. The
        clock of the host may be off by so many seconds, and by so many more each second. `unknown`
        is what this host is told of addresses that nobody has, if not what the world says.
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
        host.unknown = unknown
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
        self.wire.set_default(self.wire.default_conditions.changed(conditions))

    def fault(self, function: FaultFunction, *, on_arrival: bool = False) -> Fault:
        """Add a fault to every link; it is a context manager that takes itself off.

        It is asked when a packet is sent, or, `on_arrival`, when it arrives: then it may drop,
        change or double the packet, but not delay it.
        """
        return self.wire.faults.add(function, on_sending=not on_arrival, on_arrival=on_arrival)

    def partition(self, *groups: HostOrName | Iterable[HostOrName], one_way: bool = False) -> Fault:
        """Let nothing through between groups of hosts; a single one is cut off from all others.

        What is on its way is lost too, unless the partition ends before it would arrive. One way:
        only from the first group to the second (or to all others) does nothing get through. It ends
        with `remove()`, with the `with` block, or when the world heals.
        """
        side: dict[Host, int] = {}
        for number, group in enumerate(groups):
            for host in self._group(group):
                if host in side:
                    raise ValueError(f"host {host.name!r} cannot be on two sides of a partition")
                side[host] = number
        if not side or len(set(side.values())) < len(groups):
            raise ValueError("a partition needs a host in each of its groups")
        if one_way and len(groups) > 2:
            raise ValueError("a partition of one way has one group, or two")
        partition = self.wire.faults.add(
            faults.partition, on_arrival=True, concerns=faults.separates(side, one_way)
        )
        self._partitions = [each for each in self._partitions if each.in_force]
        self._partitions.append(partition)
        named = tuple((host.name, number) for host, number in side.items())
        self.trace.append(("partition", named, int(one_way)))
        return partition

    def _group(self, hosts: HostOrName | Iterable[HostOrName]) -> Iterable[Host]:
        each = [hosts] if isinstance(hosts, (str, Host)) else hosts
        return sorted({self._host(host) for host in each}, key=lambda host: host.name)

    def heal(self) -> None:
        """End every partition."""
        for partition in self._partitions:
            partition.remove()
        self._partitions.clear()
        self.trace.append(("heal",))

    def hold(
        self,
        one: HostOrName | Iterable[HostOrName],
        other: HostOrName | Iterable[HostOrName],
        *,
        one_way: bool = False,
    ) -> None:
        """Hold back what is on the way between two hosts or groups, and what they send from now on.

        One way: only what goes from the first to the second.
        """
        for link in self._links_between(one, other, one_way):
            link.hold()

    def release(
        self,
        one: HostOrName | Iterable[HostOrName],
        other: HostOrName | Iterable[HostOrName],
        *,
        one_way: bool = False,
    ) -> None:
        """Let go: what would have arrived meanwhile arrives now, in order; the rest in time."""
        for link in self._links_between(one, other, one_way):
            link.release()

    def _links_between(
        self,
        one: HostOrName | Iterable[HostOrName],
        other: HostOrName | Iterable[HostOrName],
        one_way: bool,
    ) -> Iterable[Link]:
        first, second = self._group(one), self._group(other)
        pairs = [(source, target) for source in first for target in second]
        if not one_way:
            pairs += [(target, source) for source, target in pairs]
        return [self.link_between(source, target) for source, target in pairs]

    def drop(
        self, source: HostOrName, target: HostOrName, *, packets: str, count: int = 1
    ) -> Fault:
        """Lose the next packets of a kind on one way, so many of them.

        Kinds: 'SYN' (alone), 'SYN|ACK', 'ACK' (nothing else in it), 'data' (of TCP), 'FIN', 'RST',
        'UDP', 'ICMP', 'IPv6' and 'any'. It ends after the last, with `remove()`, or with the
        `with` block.
        """
        return drop(self.link_between(source, target), packets, count)

    @property
    def unknown(self) -> str:
        """What is said of addresses that nobody has.

        'unreachable' (as it is at first): EHOSTUNREACH, by a router at once, or for an address of
        a subnet of the sender's own after 3 s of looking for it; 'network': a router says
        ENETUNREACH; 'silence': nothing is said at all.
        """
        return answer_for_unknown(self.wire.unknown_error)

    @unknown.setter
    def unknown(self, answer: str) -> None:
        self.wire.unknown_error = error_for_unknown(answer)

    # Failures

    def crash(self, host: HostOrName) -> None:
        """Stop a host: its tasks end where they stand, its sockets vanish without a word."""
        found = self._host(host)
        if found.up:
            self.trace.append(("crash", found.name))
            found.stop()
            self.scheduler.interrupt_waiting_on(found)

    def restart(self, host: HostOrName, *, keep_disk: bool = False) -> None:
        """Start a crashed host again, with its name and addresses, and its `disk` if asked.

        Nothing runs on it: spawn what is to run.
        """
        found = self._host(host)
        if found.up:
            raise ValueError(f"host {found.name!r} has not crashed")
        self.trace.append(("restart", found.name))
        found.start(keep_disk)

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

    def at(
        self, seconds: float, function: Callable[..., object], /, *args: Any, **kwargs: Any
    ) -> Timer:
        """Call a function at an instant of virtual time (now, if that has passed).

        It must not wait; it may spawn a task that does. It runs on the host that is current now.
        The timer's `cancel` takes the call back. An exception is raised in the code outside all
        tasks.
        """
        return self._call_at(nanoseconds(seconds), partial(function, *args, **kwargs))

    def after(
        self, seconds: float, function: Callable[..., object], /, *args: Any, **kwargs: Any
    ) -> Timer:
        """The same, so many seconds from now."""
        if seconds < 0:
            raise ValueError(f"{seconds!r} seconds from now have passed already")
        when_ns = self.clock.now_ns + nanoseconds(seconds)
        return self._call_at(when_ns, partial(function, *args, **kwargs))

    def _call_at(self, when_ns: int, function: Callable[[], object]) -> Timer:
        self.scheduler.check_thread()
        context = copy_context()

        def happen() -> None:
            self.clock.round += 1
            self.scheduler.happen(partial(context.run, function))
            self.wire.flush()

        return self.clock.call_at(when_ns, happen)

    def raise_unseen(self) -> None:
        """Raise the exception of a task that ended with one for which nobody has asked, if any."""
        self.scheduler.raise_unseen()

    def event_loop(self) -> EventLoop:
        """A new asyncio event loop of the current host, or of the only one."""
        return self._meant_host("event_loop").event_loop()

    # Unmodified code

    def patch(
        self,
        host: HostOrName | None = None,
        *,
        entropy: bool = False,
        allow: Iterable[str | tuple[str, int]] = (),
        watchdog: float | None = 60.0,
        ignore: Iterable[str] = (),
    ) -> AbstractContextManager[Host]:
        """Within this block the standard library is simulated: unmodified code runs on a host.

        That is `host`, or the current one, or the only one; a world without hosts gets one named
        "localhost". `entropy` makes `random`, `secrets`, `uuid` and `os.urandom` the world's too.
        `allow` names addresses, as "host" or ("host", port), that sockets of the real system may
        reach all the same. After `watchdog` seconds of the wall clock in which no task has run,
        the stacks of all tasks are written to standard error and Stuck is raised; None: never.
        `ignore` names packages and modules that keep the real system.

        Patches nest, and may be of different worlds. ForeignThread if another thread has patched
        the program. Anything real that a patched program would reach is a RealCall.
        """
        from simnet.patching.patch import patched

        if host is not None:
            on = self._host(host)
        elif self.hosts:
            on = self._meant_host("patch")
        else:
            on = self.host("localhost")
        return patched(
            on, use_entropy=entropy, allow=allow, watchdog_seconds=watchdog, ignore=ignore
        )

    def give_back(self) -> None:
        """Once more after a patch: put the real standard library back where it is simulated.

        For code that remembers what it found in the patched program, and puts it back when the
        patch is over: pytest's `monkeypatch`, or `unittest.mock`.
        """
        from simnet.patching.patch import give_back

        give_back()

    def _meant_host(self, call: str) -> Host:
        """The current host, or the only one; NoCurrentHost for a choice."""
        host = host_or_none()
        if host is not None and host.world is self:
            return host
        if len(self.hosts) != 1:
            raise NoCurrentHost(
                f"{call}: a world of {len(self.hosts)} hosts does not know which is meant: "
                "name one, or use `with host:`"
            )
        (only,) = self.hosts.values()
        return only

    # Views

    def netstat(self, host: HostOrName | None = None) -> Netstat:
        """Every socket, of one host or of all, with its state, queues and timers."""
        return netstat.look(self, None if host is None else self._host(host).name)

    def diagram(self, *, calls: bool = False, width: int = 100) -> str:
        """What crossed between hosts, for a terminal: lanes, arrows, times. It must record."""
        return diagram.text(self, calls=calls, width=width)

    def write_pcap(
        self,
        file: str | os.PathLike[str] | BinaryIO,
        *,
        host: HostOrName | None = None,
        link: tuple[HostOrName, HostOrName] | None = None,
    ) -> int:
        """A capture at a host, between two, or of everything; how many packets. It must record."""
        return pcap.write(self, file, host=host, link=link)

    def write_html(self, file: str | os.PathLike[str], title: str = "A world") -> None:
        """What crossed between hosts, as a page for a browser. It must record."""
        html.write(self, file, title)

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
            entry = self.descriptors.get(number)
            opened = entry.endpoint
            if host is None or getattr(opened, "host", None) is host:
                if isinstance(opened, Endpoint):
                    opened.set(linger_s=None)
                self.descriptors.close(number)
                # Who has it still may close it, and is not told that somebody else has.
                entry.number = -1

    def close(self) -> None:
        """End every task where it stands, and close everything."""
        self.close_host(None)
        if self._ending is not None:
            self._ending()


def localhost(*, record: bool = False) -> Host:
    """A world with one host: the backend `sim` of the conformance suite and of scenarios."""
    return World(record=record).host("localhost", ip=("10.0.0.1", "fd00::1"))
