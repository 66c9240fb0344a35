"""What joins the hosts of a topology: a bridge for each subnet, and the router between them.

All of it stands in one namespace. The router speaks from the addresses of `ROUTERS`, on every
bridge with the same hardware address, and needs to ask nobody for theirs.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator
from itertools import product

import attrs

from realnet.hosts import Host, Interface
from realnet.namespaces import Namespace, at_once

# Who answers for addresses that nobody has: addresses set apart for documentation (RFC 5737, 3849).
ROUTERS = {4: "192.0.2.1", 6: "2001:db8::1"}
EVERYWHERE = {4: "0.0.0.0/0", 6: "::/0"}
# A locally administered hardware address.
ROUTER_HARDWARE = "02:00:00:00:00:01"
# What the router may say of addresses that nobody has, and the default route for it (ip-route(8)).
UNKNOWN = {"unreachable": "unreachable", "network": "throw", "silence": "blackhole"}

# Priorities of the router's rules: what is cut off, and what has an MTU of its own.
_CUT, _NARROW = 100, 200
_FIRST_TABLE = 1000

Subnet = ipaddress.IPv4Network | ipaddress.IPv6Network
Pair = tuple[Host, Host]


@attrs.define
class Bridge:
    """A device that joins neighbours, and their subnets."""

    name: str
    subnets: list[Subnet]


class Hub:
    """The middle of a topology."""

    def __init__(self) -> None:
        self._namespace = Namespace()
        self._bridges: list[Bridge] = []
        self._tables: dict[Pair, int] = {}
        self._devices = 0
        for name in ("ipv4/ip_forward", "ipv6/conf/all/forwarding"):
            self._namespace.write_sysctl(name, 1)
        # A way over the router stays one, and every packet gets its answer.
        for name in (
            "ipv4/conf/all/send_redirects",
            "ipv4/conf/default/send_redirects",
            "ipv4/icmp_ratelimit",
            "ipv6/icmp/ratelimit",
        ):
            self._namespace.write_sysctl(name, 0)

    def answer(self, unknown: str) -> None:
        """Say that from now on of addresses that nobody has."""
        routes = (f"route replace {UNKNOWN[unknown]} {where}" for where in EVERYWHERE.values())
        self._namespace.ip(*routes)

    # Subnets

    def bridge_for(self, interface: Interface) -> Bridge:
        """The bridge of an interface's subnets, which learns of new ones; made if need be."""
        subnets: list[Subnet] = [address.network for address in interface.addresses]
        found = [
            bridge
            for bridge in self._bridges
            if any(a.overlaps(b) for a, b in product(bridge.subnets, subnets) if _alike(a, b))
        ]
        if len(found) > 1:
            raise ValueError(
                f"{interface.name} with {', '.join(map(str, subnets))} would join subnets of"
                " hosts that are apart: make this host before those"
            )
        bridge = found[0] if found else self._new_bridge()
        bridge.subnets += [subnet for subnet in subnets if subnet not in bridge.subnets]
        return bridge

    def _new_bridge(self) -> Bridge:
        name = f"br{len(self._bridges)}"
        self._namespace.ip(
            f"link add {name} type bridge stp_state 0 forward_delay 0 mcast_snooping 0",
            f"link set {name} address {ROUTER_HARDWARE} up",
            *(f"address add {ip} dev {name}{at_once(ip)}" for ip in ROUTERS.values()),
        )
        self._bridges.append(Bridge(name, []))
        return self._bridges[-1]

    # Interfaces

    def plug_in(self, interface: Interface, host: Namespace) -> None:
        """Make the device of a host's interface, joined to the bridge of its subnets."""
        bridge, port = self.bridge_for(interface).name, _port(interface)
        commands = [
            f"link add {port} type veth peer name {interface.name}"
            f" address {interface.hardware} netns {host.path}",
            f"link set {port} master {bridge} up",
        ]
        for address in interface.addresses:
            to = f"{address.ip} lladdr {interface.hardware} dev {bridge}"
            commands.append(f"route replace {address.ip} dev {bridge}")
            commands.append(f"neighbour replace {to} nud permanent")
        self._namespace.ip(*commands)

    def unplug(self, interface: Interface) -> None:
        """Take the device away, at both ends."""
        self._namespace.ip(f"link delete {_port(interface)}")

    # Ways

    def cut(self, source: Host, target: Host, cut: bool) -> None:
        """Lead from one host to another no more, or again."""
        verb = "add" if cut else "delete"
        for version, mine, theirs, _ in self._ways(source, target):
            rule = f"rule {verb} priority {_CUT} from {mine} to {theirs} blackhole"
            self._namespace.ip(rule, version=version)

    def narrow(self, source: Host, target: Host, mtu: int) -> None:
        """Turn back what is larger on its way from one host to another, in a table of its own."""
        known = (source, target) in self._tables
        table = self._tables.setdefault((source, target), _FIRST_TABLE + len(self._tables))
        for version, mine, theirs, bridge in self._ways(source, target):
            route = f"route replace {theirs} dev {bridge} mtu lock {mtu} table {table}"
            rule = f"rule add priority {_NARROW} from {mine} to {theirs} lookup {table}"
            self._namespace.ip(*([route] if known else [route, rule]), version=version)

    def _ways(self, source: Host, target: Host) -> Iterator[tuple[int, str, str, str]]:
        """Pairs of addresses that can speak to each other: version, source, target, its bridge."""
        for mine, theirs in product(source.interfaces, target.interfaces):
            bridge = self.bridge_for(theirs).name
            for first, second in product(mine.addresses, theirs.addresses):
                if first.version == second.version:
                    yield first.version, str(first.ip), str(second.ip), bridge

    def close(self) -> None:
        """Let go of everything; twice is harmless."""
        self._namespace.close()


def _port(interface: Interface) -> str:
    """The hub's end of an interface, which is named by the hardware address."""
    return "p" + interface.hardware.replace(":", "")[-8:]


def _alike(a: Subnet, b: Subnet) -> bool:
    return a.version == b.version
