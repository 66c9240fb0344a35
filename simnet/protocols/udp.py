"""UDP (udp.c, datagram.c; RFC 768).

Sending never waits: what a full receiver cannot keep is dropped there, the newest first. The
receive buffer is accounted as Linux does it, in the memory that a datagram's `skb` takes (measured
on Linux 6.18 on 104 points without a difference). Not modelled: checksums, fragmentation,
IP_RECVERR's queue, segmentation offload.
"""

from __future__ import annotations

import errno
from collections import deque
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import attrs

from simnet import constants
from simnet.addresses import (
    ANY4,
    IP,
    InetAddress,
    is_any,
    is_ipv4,
    is_loopback,
    is_multicast,
)
from simnet.constants import AF_INET, AF_INET6
from simnet.errors import os_error
from simnet.protocols.base import (
    RCV_SHUTDOWN,
    SEND_SHUTDOWN,
    Ancillary,
    Received,
)
from simnet.protocols.inet import InetEndpoint
from simnet.protocols.ip_ancillary import Overrides, arrived, fields, overrides
from simnet.readiness import (
    POLLERR,
    POLLHUP,
    POLLIN,
    POLLOUT,
    POLLRDHUP,
    POLLRDNORM,
    POLLWRBAND,
    POLLWRNORM,
)
from simnet.wire import ETH0, LO, Datagram, Packet, Unreachable

if TYPE_CHECKING:
    from simnet.host import Host

# The largest payload: 65535 less the headers (IPv6 counts its own header apart).
_LARGEST4 = 65507
_LARGEST6 = 65527

# Allocation sizes that a datagram's data, with 379 bytes of overhead, is rounded up to; each skb
# costs 256 bytes more.
_SIZES = (576, 1024, 2048, 4096, 8192, 16384)
_OVERHEAD = 379
_SKB = 256

# IP_RECVERR and IPV6_RECVERR: hear of errors without being connected (ip(7)).
_RECVERR = {constants.AF_INET: (0, 11), constants.AF_INET6: (41, 25)}
# IP_MTU_DISCOVER and IPV6_MTU_DISCOVER; IPV6_DONTFRAG.
_DISCOVER, _DISCOVER6, _DONTFRAG6 = (0, 10), (41, 23), (41, 62)
# Their values: never, where a router allows it, always, always but for what is known of the way,
# and (after the interface alone) never: as they fit into it, or in fragments (ip(7)).
_DONT, _WANT, _DO, _PROBE, _INTERFACE, _OMIT = range(6)
# IP_MULTICAST_LOOP and IPV6_MULTICAST_LOOP: hear what is sent to groups through other interfaces.
_LOOP, _LOOP6 = (0, 34), (41, 19)

# IP_MTU_DISCOVER and IPV6_MTU_DISCOVER, with their values; IPV6_DONTFRAG.
_MTU_DISCOVER = {constants.AF_INET: (0, 10), constants.AF_INET6: (41, 23)}
_DONT, _WANT, _DO, _PROBE, _INTERFACE, _OMIT = range(6)
_DONTFRAG = (41, 62)
# Errors from below that a connected socket hears of without asking for it: the rest are only hints
# (icmp_err_convert's `fatal`; measured on Linux 6.18).
_HARD = (errno.ECONNREFUSED, errno.EMSGSIZE)

_IP_TOS = (0, 1)
# Whatever its size.
_UNCUT = 1 << 16
_ROOM = POLLOUT | POLLWRNORM | POLLWRBAND

_DATA_READY = POLLIN | POLLRDNORM


@attrs.frozen
class Multicast:
    """How a socket takes part in groups, as its options say."""

    # Whether groups that others on the host joined are heard too (IP_MULTICAST_ALL).
    all: bool
    all6: bool = True
    # Where groups are sent through: an address and an index (IP_MULTICAST_IF); 0 is any interface.
    address: IP = ANY4
    index: int = 0
    index6: int = 0


MULTICAST4 = Multicast(all=True)
MULTICAST6 = Multicast(all=False)
# Data, sender as shown to a socket of our family, memory that it takes, and a datagram whose header
# is the same (its payload does not matter).
_Queued = tuple[bytes, InetAddress, int, Datagram]


def memory_cost(size: int) -> int:
    """What a datagram of that many bytes takes of the receive buffer."""
    for allocation in _SIZES:
        if size + _OVERHEAD <= allocation:
            return allocation + _SKB
    return size + _SIZES[0] + _SKB


_SMALL_COSTS = [memory_cost(size) for size in range(2048)]


class Udp(InetEndpoint):
    """A UDP socket's endpoint."""

    __slots__ = (
        "_begun",
        "_corked",
        "_flow",
        "_generation",
        "_routed",
        "_routes",
        "cork",
        "memberships",
        "multicast",
        "queue",
        "used",
    )

    def __init__(self, host: Host, family: int, type: int, proto: int) -> None:
        super().__init__(host, family, type, proto, host.udp_ports)
        self.queue: deque[_Queued] = deque()
        self.used = 0
        # MSG_MORE: the datagram that is being put together, and what it will be like.
        self._corked: list[bytes] = []
        self._begun: Datagram | None = None
        # Where the last connect(), also one that failed, and the last MSG_MORE wanted to send
        # (inet->cork.fl). Over IPv4 a send without an address goes there while the way to the peer
        # is known (sk_dst_cache), which a failed connect() and IP_TOS forget for one send.
        self._flow: InetAddress | None = None
        self._routed = False
        # Destinations whose receiver is known, with our address as it is shown there and a datagram
        # to it: valid while nobody binds, connects or leaves, and our options stay as they are.
        self._routes: dict[InetAddress, tuple[Udp, InetAddress, Datagram]] = {}
        self._generation = -1
        # UDP_CORK: every send is as one with MSG_MORE.
        self.cork: bool = False
        # Groups joined, with the index of the interface; in the order of joining.
        self.memberships: dict[tuple[IP, int], None] | None = None
        self.multicast: Multicast = MULTICAST4 if family == constants.AF_INET else MULTICAST6

    @property
    def state_name(self) -> str:
        return "ESTABLISHED" if self.remote else "UNCONN"

    # Names

    def getpeername(self) -> InetAddress:
        if self.remote is None or not self.remote[1]:
            raise os_error(errno.ENOTCONN)
        return self.remote

    def connect(self, address: InetAddress) -> bool:
        self._autobind()
        ip, port = self.reachable(address[0]), address[1]
        if self.family == constants.AF_INET:
            self._flow, self._routed = (ip, port), False
        if self._begun is not None and is_ipv4(ip) and is_ipv4(self._begun.destination[0]):
            self._begun = self._begun._replace(destination=(ip, port))
        if self.host.is_broadcast(ip) and not self.settings.broadcast:
            raise os_error(errno.EACCES)
        source = self.source_for(ip)
        if is_any(self.shown_ip):
            self.shown_ip = source
            if is_any(self.bound_ip):
                self.bound_ip = source
        self.remote = self._flow = ip, port
        self._routed = True
        self.table.changed()
        return True

    def disconnect(self) -> None:
        self.remote = None
        self._routed = False
        self.forget_source()
        if not self.port_locked:
            self.give_port_back()
            self.shown_port = 0
        self.table.changed()

    def set(self, **changes: Any) -> None:
        before = self.settings.kept.get(_IP_TOS, 0)
        super().set(**changes)
        self._routes.clear()
        self._routed = self._routed and before == self.settings.kept.get(_IP_TOS, 0)

    def source_for(self, ip: IP) -> IP:
        """To a group: from the address of IP_MULTICAST_IF, unless bound to another."""
        if not is_multicast(ip):
            return super().source_for(ip)
        source = self.shown_ip
        if is_ipv4(ip):
            if is_any(source):
                source = self.multicast.address
            if is_any(source) and self.multicast.index == LO:
                return self.host.own_address(four=True) or ANY4
        elif self._interface_for(ip) == LO:
            # The loopback has no route to groups of IPv6 (measured on Linux 6.18).
            raise os_error(errno.ENETUNREACH)
        return super().source_for(ip) if is_any(source) else source

    def _interface_for(self, group: IP) -> int:
        """The index of the interface that options or a scope name for a group; 0 if none does."""
        if is_ipv4(group):
            return self.multicast.index
        scope = group.partition("%")[2]
        return int(scope) if scope else self.multicast.index6

    def _autobind(self) -> None:
        if not self.port and not self.take_port(0):
            raise os_error(errno.EAGAIN)

    # Sending

    def sendto_now(self, data: bytes, address: InetAddress) -> int | None:
        """Send to a destination used before, if nothing has changed; otherwise decline."""
        if self._generation != self.table.generation or self.error:
            return None
        route = self._routes.get(address)
        if route is None:
            return None
        target, shown, like = route
        size = len(data)
        cost = _SMALL_COSTS[size] if size < 2048 else memory_cost(size)
        queue = target.queue
        if queue and target.used + cost > target.rcvbuf:
            return None
        if self.waiters:
            self.write_space()
        queue.append((data, shown, cost, like))
        target.used += cost
        if target.waiters:
            target.notify(_DATA_READY)
        return size

    def send_now(self, data: bytes) -> int | None:
        flow = self._flow
        return self.sendto_now(data, flow) if flow is not None and self._routed else None

    def send(
        self,
        data: bytes | memoryview,
        flags: int,
        address: InetAddress | None = None,
        ancillary: Sequence[Ancillary] = (),
    ) -> int | None:
        self._autobind()
        begun = self._begun
        more = self.cork or bool(flags & constants.MSG_MORE)
        target = address
        if target is None and begun is None:
            target = self._flow if self._routed and not more else self.remote
        if target is not None:
            target = self.meant(target[0]), target[1]
            if self.v6only and is_ipv4(target[0]):
                raise os_error(errno.ENETUNREACH)
        # An IPv4 destination leads a socket of IPv6 to udp_sendmsg, as a datagram begun there does.
        to = target, begun and begun.destination
        four = self.family == constants.AF_INET or any(each and is_ipv4(each[0]) for each in to)
        if four and len(data) > 0xFFFF:
            raise os_error(errno.EMSGSIZE)
        if four and flags & constants.MSG_OOB:
            raise os_error(errno.EOPNOTSUPP)
        if begun is not None:
            if four and not is_ipv4(begun.destination[0]):
                raise os_error(errno.EINVAL)
            return self._send_more(bytes(data), flags)
        if target is None:
            raise os_error(errno.EDESTADDRREQ)
        # To udp_sendmsg the peer of a socket of IPv6 is as an address in the call.
        named = address is not None or is_ipv4(target[0]) != (self.family == constants.AF_INET)
        if named and not target[1]:
            raise os_error(errno.EINVAL)
        target = self.reachable(target[0]), target[1]
        envelope = self._envelope(target, overrides(ancillary, target[0], self.family))
        if named or not self._routed:
            if self.host.is_broadcast(target[0]) and not self.settings.broadcast:
                raise os_error(errno.EACCES)
            self._routed = self._routed or not named
        if more and self.family == constants.AF_INET:
            self._flow = target
        if len(data) > (_LARGEST4 if four else _LARGEST6):
            raise os_error(errno.EMSGSIZE)
        self._check_size(envelope, len(data))
        self.raise_pending()
        if self.shut & SEND_SHUTDOWN:
            raise os_error(errno.EPIPE)
        if more:
            self._routes.clear()
            self._corked, self._begun = [bytes(data)], envelope
            return len(data)
        self.transmit(envelope, bytes(data), keep_route=not ancillary)
        return len(data)

    def _envelope(self, target: InetAddress, said: Overrides) -> Datagram:
        """A datagram without its data, as options say and as one call's items override them."""
        ip = target[0]
        if said.source is None:
            source = self.source_for(ip)
        elif self.host.is_local(said.source):
            source = said.source
        else:
            raise os_error(errno.ENETUNREACH if is_ipv4(ip) else errno.EINVAL)
        if said.interface and not self.host.has_interface(said.interface):
            raise os_error(errno.ENODEV)
        tos, hops = fields(self.settings.kept, ip, self.host.limits.default_ttl)
        tos = tos if said.tos is None else said.tos
        hops = hops if said.hops is None else said.hops
        envelope = Datagram((source, self.port), target, b"", tos, hops)
        if said.dontfrag is not None:
            envelope = envelope._replace(piece=_UNCUT if said.dontfrag else 0)
        elif not is_ipv4(ip) and self.settings.kept.get(_DONTFRAG):
            envelope = envelope._replace(piece=_UNCUT)
        if self.host.is_unicast(ip):
            return envelope
        return self._envelope_to_many(envelope, said.interface)

    def _envelope_to_many(self, envelope: Datagram, interface: int) -> Datagram:
        """The same for a group or for everybody, with the interface that it goes out through."""
        source, group = envelope.source[0], envelope.destination[0]
        if not is_multicast(group):
            interface = interface or self.host.interface_of(group) or self.host.interface_of(source)
            return envelope._replace(interface=interface)
        interface = interface or self._interface_for(group)
        kept, inside = self.settings.kept, is_loopback(source)
        if not is_ipv4(group):
            # What comes from ::1 is no good on another interface.
            looped = not inside and bool(kept.get(_LOOP6, 1))
            return envelope._replace(interface=interface or ETH0, looped=looped)
        if inside and interface == ETH0:
            raise os_error(errno.EINVAL)
        interface = interface or self.host.interface_of(source)
        looped = interface == LO or bool(kept.get(_LOOP, 1))
        return envelope._replace(interface=interface, looped=looped)

    def _check_size(self, envelope: Datagram, size: int) -> None:
        """EMSGSIZE for what would need fragments and may not be cut into them."""
        ip = envelope.destination[0]
        four = is_ipv4(ip)
        mode = self.settings.kept.get(_MTU_DISCOVER[AF_INET if four else AF_INET6], _WANT)
        if mode in (_DO, _PROBE, _INTERFACE) or envelope.piece:
            path = mode <= _DO
            most = self.host.path_mtu(ip) if path else self.host.interface_mtu(ip)
            if size + (28 if four else 48) > most:
                raise os_error(errno.EMSGSIZE)

    def _piece(self, envelope: Datagram) -> int:
        """The largest piece of a datagram that no router may cut (ip_dont_fragment)."""
        ip = envelope.destination[0]
        four = is_ipv4(ip)
        mode = self.settings.kept.get(_MTU_DISCOVER[AF_INET if four else AF_INET6], _WANT)
        by_path = mode <= _DO
        if not four:
            return self.host.path_mtu(ip) if by_path else self.host.interface_mtu(ip)
        if mode in (_DO, _PROBE):
            return envelope.size
        whole = mode == _WANT and envelope.size <= self.host.path_mtu(ip)
        return envelope.size if whole else 0

    def _send_more(self, data: bytes, flags: int) -> int:
        assert self._begun is not None
        self._check_size(self._begun, sum(map(len, self._corked)) + len(data))
        self._corked.append(data)
        if not (flags & constants.MSG_MORE or self.cork):
            self._send_corked()
        return len(data)

    def _send_corked(self) -> None:
        begun, whole = self._begun, b"".join(self._corked)
        assert begun is not None
        self._corked, self._begun = [], None
        if len(whole) > (_LARGEST4 if is_ipv4(begun.destination[0]) else _LARGEST6):
            raise os_error(errno.EMSGSIZE)
        self.transmit(begun, whole)

    def set_cork(self, on: bool) -> None:
        """UDP_CORK; pulling it sends the datagram that was put together."""
        self.cork = on
        self._routes.clear()
        if not on and self._begun is not None:
            self._send_corked()

    def transmit(self, envelope: Datagram, data: bytes, keep_route: bool = False) -> None:
        """Put a datagram on the wire; with `keep_route`, its like may take the short cut."""
        wire = self.host.wire
        datagram = envelope._replace(payload=data)
        if not self.host.is_local(envelope.destination[0]):
            datagram = datagram._replace(piece=self._piece(datagram))
        wire.transmit(self.host, datagram)
        self.write_space()
        wire.flush()
        ip = envelope.destination[0]
        unicast = self.host.is_unicast(ip)
        if keep_route and unicast and wire.ideal_target(self.host, ip) is self.host:
            self._remember_route(envelope)

    def write_space(self) -> None:
        """What was sent has left, which looks like new room to those who wait for it."""
        self.notify(_ROOM)

    def _remember_route(self, envelope: Datagram) -> None:
        target, local = envelope.destination, envelope.source
        if is_ipv4(target[0]) != (self.family == constants.AF_INET):
            # A socket of IPv6 must not take the bare IPv4 address for the mapped one.
            return
        receiver = self.host.udp_receiver(target, local)
        if isinstance(receiver, Udp):
            if self._generation != self.table.generation:
                self._routes.clear()
                self._generation = self.table.generation
            shown = self.host.present(local, receiver.family)
            self._routes[target] = receiver, shown, envelope

    # Receiving

    def eligible(self, local: InetAddress, remote: InetAddress) -> int:
        """How well a datagram suits this socket: 0 not at all (compute_score)."""
        score = 2 if self.family == constants.AF_INET else 1
        if self.remote is not None:
            ip, port = self.remote
            if (port and port != remote[1]) or ip != remote[0]:
                return 0
            score += 8
        return score

    def receive(self, packet: Packet) -> None:
        if isinstance(packet, Unreachable):
            self._hear_of(packet)
        elif isinstance(packet, Datagram):
            cost = memory_cost(len(packet.payload))
            if self.queue and self.used + cost > self.rcvbuf:
                return
            shown = self.host.present(packet.source, self.family)
            self.queue.append((packet.payload, shown, cost, packet))
            self.used += cost
            self.notify(_DATA_READY)

    def _hear_of(self, packet: Unreachable) -> None:
        """An error of the way, which only some sockets are told of (udp_err, udpv6_err)."""
        kept, ip = self.settings.kept, packet.about.destination[0]
        if packet.error == errno.EMSGSIZE:
            mode = kept.get(_MTU_DISCOVER[AF_INET if is_ipv4(ip) else AF_INET6], _WANT)
            if mode not in (_INTERFACE, _OMIT):
                self.host.learn_path_mtu(ip, packet.mtu)
            if mode in (_DONT, _INTERFACE, _OMIT):
                return
        connected = self.remote is not None and packet.error in _HARD
        if connected or kept.get(_RECVERR[self.family]):
            self.fail(packet.error)

    def recvfrom_now(self, size: int) -> tuple[bytes, InetAddress] | None:
        """The next datagram and its sender, if it fits and nothing is unusual."""
        queue = self.queue
        if not queue or self.error:
            return None
        data, source, cost, _ = queue[0]
        if len(data) > size:
            return None
        queue.popleft()
        self.used -= cost
        return data, source

    def recv_now(self, size: int) -> bytes | None:
        received = self.recvfrom_now(size)
        return None if received is None else received[0]

    def recv(self, size: int, flags: int, ancillary_size: int = 0) -> Received | None:
        if flags & constants.MSG_ERRQUEUE:
            raise os_error(errno.EAGAIN)
        self.raise_pending()
        if not self.queue:
            return None
        data, source, cost, like = self.queue[0]
        if not flags & constants.MSG_PEEK:
            self.queue.popleft()
            self.used -= cost
        cut = constants.MSG_TRUNC if len(data) > size else 0
        length = len(data) if flags & constants.MSG_TRUNC else min(size, len(data))
        kept = self.settings.kept
        items = arrived(kept, self.family, like, self.host) if kept else ()
        return Received(data[:size], items, flags=cut, address=source, length=length)

    # ioctl(2)

    def input_length(self) -> int:
        """first_packet_length."""
        return len(self.queue[0][0]) if self.queue else 0

    def output_length(self) -> int:
        """What was sent is on its way, and nobody's here."""
        return 0

    # Ending

    def shutdown(self, how: int) -> None:
        self.shut |= how + 1
        self.table.changed()
        self.state_changed()
        if self.remote is None:
            raise os_error(errno.ENOTCONN)

    def close(self) -> None:
        self.give_port_back()
        self.queue.clear()
        self.table.changed()
        self.host.leave_groups(self)

    def poll(self) -> int:
        mask = POLLOUT | POLLWRNORM | POLLWRBAND
        if self.error:
            mask |= POLLERR
        if self.shut & RCV_SHUTDOWN:
            mask |= POLLIN | POLLRDNORM | POLLRDHUP
        if self.shut == RCV_SHUTDOWN | SEND_SHUTDOWN:
            mask |= POLLHUP
        if self.queue:
            mask |= POLLIN | POLLRDNORM
        return mask
