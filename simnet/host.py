"""One simulated machine: addresses, ports, names, and the network calls of the code on it."""

from __future__ import annotations

import errno
import itertools
import math
import selectors
import warnings
from collections.abc import Awaitable, Callable, Iterable, Sequence
from contextvars import ContextVar, Token
from types import TracebackType
from typing import TYPE_CHECKING, Any, TypeVar

from simnet import api, constants, pollers, stdlib
from simnet.addresses import IP, InetAddress, is_multicast, present
from simnet.arguments import duration_ns
from simnet.clock import EPOCH, SECOND_NS, nanoseconds
from simnet.current import current_host
from simnet.errors import SimnetError, os_error
from simnet.files import Files
from simnet.groups import Groups
from simnet.interfaces import Addressing, Interface
from simnet.limits import Limits
from simnet.links import Link
from simnet.names.resolver import Resolver
from simnet.names.table import Names
from simnet.ports import Bound, PortTable, covers
from simnet.protocols import unix
from simnet.protocols.base import Endpoint
from simnet.protocols.pipes import ReadEnd, WriteEnd
from simnet.protocols.tcp import Tcp
from simnet.protocols.tcp_block import LOOPBACK_MTU, default_mss
from simnet.protocols.tcp_cookies import SynCookies
from simnet.protocols.tcp_output import reset_for
from simnet.protocols.udp import Udp
from simnet.wire import RST, SMALLEST_PATH_MTU, Datagram, Packet, Segment, Unreachable

if TYPE_CHECKING:
    import trio
    from typing_extensions import Self

    from simnet.aio import EventLoop
    from simnet.tasks import SimTask
    from simnet.world import World

T = TypeVar("T")

_INET = (constants.AF_INET, constants.AF_INET6)
# The `with host:` blocks that the current task is in, the innermost first.
_Entered = tuple[Token[Any], Any]
_entered: ContextVar[_Entered | None] = ContextVar("simnet.entered_hosts", default=None)

# Limits that socket(2) checks first: AF_MAX, SOCK_TYPE_MASK, SOCK_MAX - 1, IPPROTO_MAX.
_FAMILIES, _TYPE_MASK, _LAST_TYPE, _PROTOCOLS = 46, 0xF, 10, 263
# What a router says of addresses that nobody has.
_UNKNOWN = {"unreachable": errno.EHOSTUNREACH, "network": errno.ENETUNREACH, "silence": 0}


def error_for_unknown(answer: str) -> int:
    """The errno that `unknown` means, 0 for silence; ValueError for what it cannot be."""
    if answer not in _UNKNOWN:
        raise ValueError(f"unknown is one of {', '.join(_UNKNOWN)}, not {answer!r}")
    return _UNKNOWN[answer]


def answer_for_unknown(error: int) -> str:
    """The reverse."""
    return next(name for name, known in _UNKNOWN.items() if known == error)


class Host(Addressing, api.Network):
    """One machine of a world. Its methods are the contract's; `with host:` makes it current.

    Its clock may be wrong: `clock_offset` in seconds, and `clock_drift` in seconds per second. Then
    sleeping and every timeout of a call are by that clock; TCP's own timers are the world's.
    """

    def __init__(
        self,
        world: World,
        name: str,
        interfaces: Sequence[Interface],
        clock_offset: float = 0.0,
        clock_drift: float = 0.0,
    ) -> None:
        if not -1 < clock_drift < float("inf"):
            raise ValueError(f"a clock that drifts by {clock_drift!r} does not go forward")
        if not abs(clock_offset) < float("inf"):
            raise ValueError(f"a clock is off by a number of seconds, not {clock_offset!r}")
        super().__init__(interfaces)
        self.world = world
        self.name = name
        self.clock_offset = clock_offset
        self.clock_drift = clock_drift
        # Errno that a router answers it for addresses that nobody has; None: as to everybody.
        self.unknown_error: int | None = None
        # Whether it runs, and what survives a crash if that is asked for.
        self.up = True
        self.disk: dict[Any, Any] = {}
        self.limits = Limits()
        self.clock = world.clock
        self.trace = world.trace
        self.scheduler = world.scheduler
        self.descriptors = world.descriptors
        self.wire = world.wire
        self.files: Files = Files()
        self.unix_names = unix.UnixNames(self.files)
        self.groups = Groups()
        # The links to other addresses, as far as used, and what routers said of the way there.
        self.links: dict[IP, Link] = {}
        self._path_mtus: dict[IP, int] = {}
        # Names that it alone knows; they come before the world's.
        self.names = Names()
        self.resolver = Resolver(
            name,
            world.addresses_of,
            world.name_of,
            self.interface_names,
            (self.names, world.names),
            self.scheduler.sleep,
        )
        # What its things are made as: a nasty world has variations of them.
        self.nastiness = nastiness = world.nastiness
        self._tcp, self._udp = nastiness.kind(Tcp), nastiness.kind(Udp)
        self.unix_kinds = {type: nastiness.kind(kind) for type, kind in unix.TYPES.items()}
        self.pipe_kinds = nastiness.kind(ReadEnd), nastiness.kind(WriteEnd)
        numbers = world.decisions.numbers
        self.tcp_ports = nastiness.table(PortTable, numbers(f"{name}/tcp ports"))
        self.udp_ports = nastiness.table(PortTable, numbers(f"{name}/udp ports"))
        self.syn_cookies = SynCookies(world.decisions.numbers(f"{name}/cookies"))
        self.default_timeout_ns: int | None = None
        self.next_socket_number = world.next_socket_number
        # Initial sequence numbers, before they are cut to 32 bits; they grow as RFC 793's clock
        # would have them.
        first = world.decisions.numbers(f"{name}/sequence numbers").bits(32)
        self.next_iss = itertools.count(first, 64000).__next__
        self._credentials = (1000 + len(world.hosts), 0, 0)
        self._tasks_started = 0

    def __repr__(self) -> str:
        return f"<host {self.name!r} {' '.join(self.addresses)}>"

    # What endpoints ask

    @property
    def somaxconn(self) -> int:
        """The largest backlog."""
        return self.limits.somaxconn

    def interface_mtu(self, ip: IP) -> int:
        """The largest packet of the interface that leads to a destination, in bytes."""
        return LOOPBACK_MTU if self.is_local(ip) else self.limits.mtu

    def path_mtu(self, ip: IP) -> int:
        """The largest packet that the way to a destination takes as far as known, in bytes."""
        return min(self.interface_mtu(ip), self._path_mtus.get(ip, LOOPBACK_MTU))

    def learn_path_mtu(self, ip: IP, mtu: int) -> None:
        """A router said that larger packets do not get through (RFC 1191, RFC 8201)."""
        self._path_mtus[ip] = max(min(mtu, self.path_mtu(ip)), SMALLEST_PATH_MTU)

    def path_mss(self, ip: IP) -> int:
        """The largest TCP segment that the way to a destination takes."""
        return default_mss(ip, self.path_mtu(ip))

    # Interfaces and groups

    def join_group(self, endpoint: Udp, group: IP, index: int) -> None:
        """A socket hears a group, on one interface."""
        self.groups.join(endpoint, group, index)

    def leave_group(self, endpoint: Udp, group: IP, index: int) -> None:
        """It does no more."""
        self.groups.leave(endpoint, group, index)

    def leave_groups(self, endpoint: Udp) -> None:
        """A socket is closed: its memberships end."""
        self.groups.leave_all(endpoint)

    def leave_short_cuts(self) -> None:
        """Something is different on the way to other hosts: every byte crosses as a packet now."""
        self.udp_ports.changed()
        for connection in list(self.tcp_ports.connections.values()):
            if isinstance(connection, Tcp):
                connection.path_changed()

    @property
    def unknown(self) -> str | None:
        """What this host is told of addresses that nobody has (World.unknown); None: as others."""
        return None if self.unknown_error is None else answer_for_unknown(self.unknown_error)

    @unknown.setter
    def unknown(self, answer: str | None) -> None:
        self.unknown_error = None if answer is None else error_for_unknown(answer)

    # Failing

    def stop(self) -> None:
        """Lose everything but name, addresses and disk, without a word to anybody."""
        # What closing says to the other end goes nowhere, as every packet of a host that is down.
        self.leave_short_cuts()
        self.up = False
        self.world.close_host(self)
        for table in (self.tcp_ports, self.udp_ports):
            for endpoint in table.everybody():
                endpoint.vanish()
        self.files = Files()
        self.unix_names = unix.UnixNames(self.files)
        self.groups = Groups()
        self.default_timeout_ns = None
        self._path_mtus.clear()

    def start(self, keep_disk: bool) -> None:
        """Come up again, with nothing running."""
        if not keep_disk:
            self.disk = {}
        self.up = True

    def require_up(self) -> None:
        """SimnetError if it has crashed: nothing runs on it."""
        if not self.up:
            raise SimnetError(f"host {self.name!r} has crashed: world.restart({self.name!r}) first")

    def present(self, address: InetAddress, family: int) -> Any:
        """An internal inet address as a socket of that family shows it."""
        return present(address, family)

    def create_endpoint(self, family: int, type: int, proto: int) -> Endpoint:
        """socket(2): EAFNOSUPPORT, EINVAL, ESOCKTNOSUPPORT, EPROTONOSUPPORT, in the kernel's order.

        The endpoint's protocol is the real one (SO_PROTOCOL), also where 0 was asked for.
        """
        self.require_up()
        if type & ~_TYPE_MASK:
            raise os_error(errno.EINVAL)
        if not 0 <= family < _FAMILIES:
            raise os_error(errno.EAFNOSUPPORT)
        if type > _LAST_TYPE:
            raise os_error(errno.EINVAL)
        if family == constants.AF_UNIX:
            if proto not in (0, constants.AF_UNIX):
                raise os_error(errno.EPROTONOSUPPORT)
            if type not in unix.TYPES:
                raise os_error(errno.ESOCKTNOSUPPORT)
            return unix.create(self, type, 0)
        if family not in _INET:
            raise os_error(errno.EAFNOSUPPORT)
        if not 0 <= proto < _PROTOCOLS:
            raise os_error(errno.EINVAL)
        if type == constants.SOCK_STREAM and proto in (0, constants.IPPROTO_TCP):
            return self._tcp(self, family, type, constants.IPPROTO_TCP)
        if type == constants.SOCK_DGRAM and proto in (0, constants.IPPROTO_UDP):
            return self._udp(self, family, type, constants.IPPROTO_UDP)
        if type in (constants.SOCK_STREAM, constants.SOCK_DGRAM):
            raise os_error(errno.EPROTONOSUPPORT)
        raise os_error(errno.ESOCKTNOSUPPORT)

    def create_pair(self, family: int, type: int, proto: int) -> tuple[Endpoint, Endpoint]:
        """socketpair(2): unix sockets only."""
        first = self.create_endpoint(family, type, proto)
        second = self.create_endpoint(family, type, proto)
        if not isinstance(first, unix.UnixEndpoint) or not isinstance(second, unix.UnixEndpoint):
            raise os_error(errno.EOPNOTSUPP)
        unix.connect_pair(first, second)
        return first, second

    # Packets that arrive

    def deliver(self, packet: Packet) -> None:
        """Find whom a packet is for, or answer that there is nobody."""
        if isinstance(packet, Segment):
            key = packet.destination, packet.source
            target = self.tcp_ports.connections.get(key) or self.tcp_ports.listener(*key)
            if target is not None:
                target.receive(packet)
            elif not packet.flags & RST:
                self.wire.transmit(self, reset_for(packet))
        elif isinstance(packet, Datagram):
            self._deliver_datagram(packet)
        else:
            self._deliver_unreachable(packet)

    def udp_receiver(self, local: InetAddress, remote: InetAddress) -> Bound | None:
        """Who receives datagrams from `remote` to `local`."""

        def eligible(bound: Bound) -> int:
            return bound.eligible(local, remote) if isinstance(bound, Udp) else 0

        return self.udp_ports.receiver(local, remote, eligible)

    def _deliver_datagram(self, datagram: Datagram) -> None:
        local, remote = datagram.destination, datagram.source
        if is_multicast(local[0]) or self.is_broadcast(local[0]):
            for member in tuple(self.udp_ports.members(local[1])):
                if isinstance(member, Udp) and self._hears(member, datagram):
                    member.receive(datagram)
            return
        target = self.udp_receiver(local, remote)
        if target is not None:
            target.receive(datagram)
        else:
            answer = Unreachable(local, remote, errno.ECONNREFUSED, datagram)
            self.wire.transmit(self, answer)

    def _hears(self, member: Udp, datagram: Datagram) -> bool:
        """Whether a socket gets what is sent to a group or to everybody."""
        local, remote = datagram.destination, datagram.source
        if not member.eligible(local, remote) or not covers(member, local[0]):
            return False
        group = local[0].partition("%")[0]
        return self.is_broadcast(group) or self.groups.hears(member, group, datagram.interface)

    def _deliver_unreachable(self, packet: Unreachable) -> None:
        about = packet.about
        if isinstance(about, Segment):
            if packet.error == errno.EMSGSIZE:
                self.learn_path_mtu(about.destination[0], packet.mtu)
            target = self.tcp_ports.connections.get((about.source, about.destination))
        else:
            target = self.udp_receiver(about.source, about.destination)
        if target is not None:
            target.receive(packet)

    # The contract: sockets

    def socket(
        self, family: int = -1, type: int = -1, proto: int = -1, fileno: int | None = None
    ) -> Any:
        token = current_host.set(self)
        try:
            return stdlib.module.socket(family, type, proto, fileno)
        finally:
            current_host.reset(token)

    def socketpair(
        self, family: int | None = None, type: int = constants.SOCK_STREAM, proto: int = 0
    ) -> tuple[Any, Any]:
        return self._here(stdlib.module.socketpair, family, type, proto)  # type: ignore[no-any-return]

    def create_connection(self, address: Any, *args: Any, **kwargs: Any) -> Any:
        return self._here(stdlib.module.create_connection, address, *args, **kwargs)

    def create_server(self, address: Any, **kwargs: Any) -> Any:
        return self._here(stdlib.module.create_server, address, **kwargs)

    def has_dualstack_ipv6(self) -> bool:
        return self._here(stdlib.module.has_dualstack_ipv6)  # type: ignore[no-any-return]

    def disconnect(self, sock: api.Socket) -> None:
        endpoint = self.descriptors.get(sock.fileno()).endpoint
        assert isinstance(endpoint, Endpoint)
        endpoint.disconnect()

    def credentials(self) -> tuple[int, int, int]:
        return self._credentials

    # Names

    def getaddrinfo(self, host: Any, port: Any, *args: Any, **kwargs: Any) -> Any:
        return self._here(stdlib.module.getaddrinfo, host, port, *args, **kwargs)

    def getnameinfo(self, sockaddr: Any, flags: int, /) -> tuple[str, str]:
        return self.resolver.getnameinfo(sockaddr, flags)

    def gethostbyname(self, hostname: str, /) -> str:
        return self.resolver.gethostbyname(hostname)

    def gethostbyname_ex(self, hostname: str, /) -> tuple[str, list[str], list[str]]:
        return self.resolver.gethostbyname_ex(hostname)

    def gethostbyaddr(self, ip_address: str, /) -> tuple[str, list[str], list[str]]:
        return self.resolver.gethostbyaddr(ip_address)

    def gethostname(self) -> str:
        return self.resolver.gethostname()

    def getfqdn(self, name: str = "") -> str:
        return self._here(stdlib.module.getfqdn, name)  # type: ignore[no-any-return]

    def getservbyname(self, servicename: str, *protocolname: str) -> int:
        return self.resolver.getservbyname(servicename, *protocolname)

    def getservbyport(self, port: int, *protocolname: str) -> str:
        return self.resolver.getservbyport(port, *protocolname)

    def if_nameindex(self) -> list[tuple[int, str]]:
        return self.resolver.if_nameindex()

    # Readiness

    def select(
        self,
        rlist: Iterable[Any],
        wlist: Iterable[Any],
        xlist: Iterable[Any],
        timeout: float | None = None,
        /,
    ) -> tuple[list[Any], list[Any], list[Any]]:
        return self._here(pollers.select, rlist, wlist, xlist, timeout)  # type: ignore[no-any-return]

    def poll(self) -> Any:
        return self._here(pollers.poll)

    def epoll(self, sizehint: int = -1, flags: int = 0) -> Any:
        return self._here(pollers.epoll, sizehint, flags)

    def selector(self) -> selectors.BaseSelector:
        return self._here(stdlib.selectors.DefaultSelector)  # type: ignore[no-any-return]

    # Time and tasks

    def deadline(self, timeout_ns: int) -> int:
        """The instant, by the world's clock, that is so far from now by the host's own."""
        if self.clock_drift:
            timeout_ns = math.ceil(timeout_ns / (1 + self.clock_drift))
        return self.clock.now_ns + timeout_ns

    def sleep(self, seconds: float, /) -> None:
        length_ns = duration_ns(seconds)
        if length_ns < 0:
            raise ValueError("sleep length must be non-negative")
        self.scheduler.sleep_until(self.deadline(length_ns), seconds)

    def monotonic_ns(self) -> int:
        """The monotonic clock in nanoseconds."""
        self.scheduler.relax()
        now_ns = self.clock.now_ns
        return now_ns + round(now_ns * self.clock_drift) if self.clock_drift else now_ns

    def monotonic(self) -> float:
        return self.monotonic_ns() / SECOND_NS

    def time_ns(self) -> int:
        """The time of day in nanoseconds."""
        return EPOCH * SECOND_NS + nanoseconds(self.clock_offset) + self.monotonic_ns()

    def time(self) -> float:
        return self.time_ns() / SECOND_NS

    def spawn(
        self, function: Callable[..., Any], /, *args: Any, name: str | None = None
    ) -> SimTask:
        self.require_up()
        self._tasks_started += 1
        with self:
            return self.scheduler.spawn(
                function, args, name or f"{self.name}-{self._tasks_started}", self
            )

    def event_loop(self) -> EventLoop:
        """A new asyncio event loop of this host, whose time is the world's.

        For `asyncio.Runner(loop_factory=host.event_loop)`; several hosts may each run one.
        """
        from simnet.aio import EventLoop

        return EventLoop(host=self)

    def trio_run(self, async_fn: Callable[..., Awaitable[T]], /, *args: Any, **options: Any) -> T:
        """As `trio.run`, on this host and in virtual time; several hosts may each run one.

        It needs trio: install simnet[trio].
        """
        from simnet import trio_loop

        return trio_loop.run(self, async_fn, *args, **options)

    def trio_clock(self) -> trio.abc.Clock:
        """A clock that makes the run of trio that it is given to one on this host.

        For `trio.run(main, clock=host.trio_clock())` where somebody else calls `trio.run`.
        """
        from simnet import trio_loop

        return trio_loop.Clock(self)

    # Ending

    def leftovers(self) -> Sequence[str]:
        return self.world.leftovers(self)

    def close(self) -> None:
        left = self.leftovers()
        self.world.close_host(self)
        if left:
            warnings.warn("left open: " + "; ".join(left), ResourceWarning, stacklevel=2)

    def trace_tail(self) -> list[str]:
        """The last things that happened, for reports."""
        return self.trace.tail()

    def _here(self, function: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        """Call a function of a module on this host."""
        token = current_host.set(self)
        try:
            return function(*args, **kwargs)
        finally:
            current_host.reset(token)

    def __enter__(self) -> Self:
        _entered.set((current_host.set(self), _entered.get()))
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
        /,
    ) -> None:
        entered = _entered.get()
        assert entered is not None
        token, before = entered
        _entered.set(before)
        current_host.reset(token)
