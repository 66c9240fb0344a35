"""Many hosts on one machine: a network namespace each, joined by veth pairs (veth(4)).

Hosts know each other's hardware addresses from the beginning, so that what is cut off is silent;
only an address of the own subnet that nobody has is looked for, in vain.

Not modelled: latency, jitter, bandwidth, queues, loss, duplication, reordering and corruption (they
would need the kernel's sch_netem, and nobody could repeat what it draws); holding back packets;
names of hosts; a partition between broadcasts and multicasts, which cross it.
"""

from __future__ import annotations

import ipaddress
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from itertools import product
from typing import TYPE_CHECKING, Any

from realnet.hosts import Addresses, Host, Interface, parse
from realnet.hub import EVERYWHERE, ROUTER_HARDWARE, ROUTERS, UNKNOWN, Hub, Pair
from realnet.namespaces import at_once
from simnet import api

if TYPE_CHECKING:
    from types import TracebackType

    from typing_extensions import Self

# Locally administered hardware addresses: of nobody, and the first of the hosts' interfaces.
_NOBODY, _FIRST_HARDWARE = "02:00:00:00:00:02", 0x020000000100

_SMALLEST_MTU, _LARGEST_MTU = 68, 65535
# Sysctls that go by another name than their own.
_SYSCTLS = {
    "default_ttl": "ipv4/ip_default_ttl",
    "igmp_max_memberships": "ipv4/igmp_max_memberships",
    "somaxconn": "core/somaxconn",
}
_CARRIER_PATIENCE = 5.0  # seconds for a device to come up

HostOrName = Host | str


class Topology(api.Topology):
    """`simnet.api.Topology` out of namespaces. `limits` hold for every host, from its start on.

    Unavailable (an OSError) says why this machine or this user cannot have it.
    """

    def __init__(self, **limits: Any) -> None:
        self.hosts: dict[str, Host] = {}
        self._common_limits = limits
        self._limits: dict[Host, dict[str, Any]] = {}
        self._cuts: Counter[Pair] = Counter()
        self._partitions: list[Partition] = []
        self._mtus: dict[Pair, int] = {}
        self._devices = 0
        self._hub = Hub()
        self.unknown = "unreachable"

    # Hosts

    def host(self, name: str, *, ip: Addresses | None = None) -> Host:
        if not name or name in self.hosts:
            raise ValueError(f"a host needs a name of its own, not {name!r}")
        interfaces = []
        for device, addresses in parse(self._free_address() if ip is None else ip).items():
            for address in addresses:
                owner = self._owner(str(address.ip))
                if owner is not None:
                    raise ValueError(f"{address.ip} is an address of host {owner.name!r} already")
            interfaces.append(Interface(device, self._free_hardware(), addresses))
        host = Host(name, interfaces)
        self.hosts[name] = host
        self._limits[host] = dict(self._common_limits)
        try:
            self._plug_in(host)
            for other in self._others(host):
                if other.up:
                    other.namespace.ip(*self._ways(other, host))
        except BaseException:
            del self.hosts[name]
            host.stop()
            raise
        return host

    def _plug_in(self, host: Host) -> None:
        """Give a host its devices, addresses, routes and sysctls, and tell it of the others."""
        here = host.namespace
        for face in host.interfaces:
            self._hub.plug_in(face, here)
            here.ip(
                *(
                    f"address add {address} dev {face.name}{at_once(address.ip)}"
                    for address in face.addresses
                ),
                f"link set {face.name} up",
            )
        self._await_carrier(host)
        ways = [way for other in self._others(host) for way in self._ways(host, other)]
        here.ip(*self._routes(host), *ways)
        for name, value in self._limits[host].items():
            _set_limit(host, name, value)

    def _routes(self, host: Host) -> Iterator[str]:
        """A default route for each version, through the first interface that speaks it."""
        for version, router in ROUTERS.items():
            face = next((f for f in host.interfaces if version in _versions(f)), None)
            if face is not None:
                yield f"route add {router} dev {face.name}"
                yield f"route add {EVERYWHERE[version]} via {router} dev {face.name}"
                yield (
                    f"neighbour add {router} lladdr {ROUTER_HARDWARE} dev {face.name} nud permanent"
                )

    def _ways(self, source: Host, target: Host) -> Iterator[str]:
        """Commands for the source: its way to each address of the target."""
        reached = not self._cuts[source, target]
        narrow = (source, target) in self._mtus
        for theirs, mine in product(target.interfaces, source.interfaces):
            for address in theirs.addresses:
                ip = address.ip
                if not any(ip in own.network for own in mine.addresses):
                    continue
                hardware = theirs.hardware if reached else _NOBODY
                yield f"neighbour replace {ip} lladdr {hardware} dev {mine.name} nud permanent"
                if narrow:
                    yield f"route replace {ip} via {ROUTERS[ip.version]} dev {mine.name}"

    def _await_carrier(self, host: Host) -> None:
        """A device loses what is sent before the kernel has noticed that both ends are up."""
        end = time.monotonic() + _CARRIER_PATIENCE
        for face in host.interfaces:
            while not host.namespace.is_running(face.name):
                if time.monotonic() > end:
                    raise OSError(f"{face.name} of host {host.name!r} does not come up")
                time.sleep(0.001)

    def _free_hardware(self) -> str:
        self._devices += 1
        number = f"{_FIRST_HARDWARE + self._devices:012x}"
        return ":".join(number[i : i + 2] for i in range(0, 12, 2))

    def _free_address(self) -> str:
        number = 1
        while self._owner(ip := str(ipaddress.IPv4Address("10.0.0.0") + number)) is not None:
            number += 1
        return ip

    def _owner(self, ip: str) -> Host | None:
        return next((host for host in self.hosts.values() if ip in host.addresses), None)

    def _others(self, host: Host) -> list[Host]:
        return [other for other in self.hosts.values() if other is not host]

    def _host(self, host: HostOrName) -> Host:
        found = self.hosts.get(host) if isinstance(host, str) else host
        if found is None or self.hosts.get(found.name) is not found:
            raise ValueError(f"{host!r} is no host of this topology")
        return found

    def limit(self, host: HostOrName, **limits: Any) -> None:
        found = self._host(host)
        for name, value in limits.items():
            _set_limit(found, name, value)
            self._limits[found][name] = value

    # Links

    def link(
        self, source: HostOrName, target: HostOrName, *, symmetric: bool = True, **conditions: Any
    ) -> None:
        first, second = self._host(source), self._host(target)
        if first is second:
            raise ValueError(f"{first.name!r} has no link to itself")
        if unknown := conditions.keys() - {"mtu"}:
            raise TypeError(f"a link of the real kernel has only an mtu, not {sorted(unknown)}")
        if not _SMALLEST_MTU <= (mtu := conditions.get("mtu", _SMALLEST_MTU)) <= _LARGEST_MTU:
            raise ValueError(f"mtu is from {_SMALLEST_MTU} to {_LARGEST_MTU} bytes, not {mtu!r}")
        if conditions:
            self._narrow(first, second, mtu)
            if symmetric:
                self._narrow(second, first, mtu)

    def _narrow(self, source: Host, target: Host, mtu: int) -> None:
        """Lead one way over the router, which heeds the MTU."""
        self._mtus[source, target] = mtu
        self._hub.narrow(source, target, mtu)
        if source.up:
            source.namespace.ip(*self._ways(source, target))

    def partition(
        self,
        one: HostOrName | Iterable[HostOrName],
        other: HostOrName | Iterable[HostOrName],
        *,
        one_way: bool = False,
    ) -> Partition:
        first, second = self._group(one), self._group(other)
        if set(first) & set(second):
            raise ValueError("a host cannot be on both sides of a partition")
        pairs = [*product(first, second), *(() if one_way else product(second, first))]
        partition = Partition(self, pairs)
        self._partitions.append(partition)
        for pair in pairs:
            self._cuts[pair] += 1
            if self._cuts[pair] == 1:
                self._cut_changed(*pair)
        return partition

    def _group(self, hosts: HostOrName | Iterable[HostOrName]) -> list[Host]:
        each = [hosts] if isinstance(hosts, (str, Host)) else hosts
        return list(dict.fromkeys(self._host(host) for host in each))

    def _cut_changed(self, source: Host, target: Host) -> None:
        """Neighbours do not find each other any more, or do again; so does the router."""
        self._hub.cut(source, target, bool(self._cuts[source, target]))
        if source.up:
            source.namespace.ip(*self._ways(source, target))

    def end_partition(self, partition: Partition) -> None:
        """Let everything through that no other partition stops; harmless if it has ended."""
        if partition not in self._partitions:
            return
        self._partitions.remove(partition)
        for pair in partition.pairs:
            self._cuts[pair] -= 1
            if not self._cuts[pair]:
                self._cut_changed(*pair)

    def heal(self) -> None:
        while self._partitions:
            self.end_partition(self._partitions[-1])

    @property
    def unknown(self) -> str:
        return self._unknown

    @unknown.setter
    def unknown(self, answer: str) -> None:
        if answer not in UNKNOWN:
            raise ValueError(f"unknown is one of {', '.join(UNKNOWN)}, not {answer!r}")
        self._unknown = answer
        self._hub.answer(answer)

    # Failures

    def crash(self, host: HostOrName) -> None:
        found = self._host(host)
        if found.up:
            for face in found.interfaces:
                self._hub.unplug(face)
            found.stop()

    def restart(self, host: HostOrName) -> None:
        found = self._host(host)
        if found.up:
            raise ValueError(f"host {found.name!r} has not crashed")
        found.start()
        self._plug_in(found)

    # Ending

    def close(self) -> None:
        for host in self.hosts.values():
            if host.up:
                host.stop()
        self._hub.close()


class Partition:
    """A partition in force; as a context manager it takes itself off."""

    def __init__(self, topology: Topology, pairs: list[Pair]) -> None:
        self.pairs = pairs
        self._topology = topology

    def remove(self) -> None:
        """End it; harmless when it has ended."""
        self._topology.end_partition(self)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
        /,
    ) -> None:
        self.remove()


def _versions(face: Interface) -> set[int]:
    return {address.version for address in face.addresses}


def _set_limit(host: Host, name: str, value: Any) -> None:
    """One sysctl, or the MTU of every interface; TypeError for what a namespace does not have."""
    if name == "mtu":
        host.namespace.ip(*(f"link set {face.name} mtu {value}" for face in host.interfaces))
        return
    try:
        host.namespace.write_sysctl(_SYSCTLS.get(name, f"ipv4/{name}"), value)
    except FileNotFoundError:
        raise TypeError(f"a host of the real kernel has no limit {name!r} of its own") from None
