"""Every socket at this moment, as `ss -a` lists them: states, queues, timers, and whose they are.

The columns mean what they mean there. Of a listening socket the receive queue counts connections
that wait to be accepted, and the send queue is how many may; of UDP the queue is the memory that it
takes; of unix messages the receive queue is the first one's length. Two timers are shown that `ss`
does not know: 'delack' and 'cork'.

Different from `ss`: sockets that were never bound are listed too, and a FIN is not counted in the
receive queue (the kernel counts it until a read has returned b'').
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

import attrs

from simnet import constants
from simnet.addresses import ANY6, InetAddress, is_ipv4
from simnet.protocols.base import Endpoint
from simnet.protocols.inet import InetEndpoint
from simnet.protocols.tcp import Tcp
from simnet.protocols.tcp_stand_in import StandIn
from simnet.protocols.tcp_states import State
from simnet.protocols.udp import Udp
from simnet.protocols.unix import UnixEndpoint
from simnet.protocols.unix_stream import UnixStream
from simnet.views.story import endpoint_text

if TYPE_CHECKING:
    from simnet.host import Host
    from simnet.world import World

# ss's names of the states.
STATE_NAMES = {
    State.ESTABLISHED: "ESTAB",
    State.SYN_SENT: "SYN-SENT",
    State.SYN_RECV: "SYN-RECV",
    State.FIN_WAIT1: "FIN-WAIT-1",
    State.FIN_WAIT2: "FIN-WAIT-2",
    State.TIME_WAIT: "TIME-WAIT",
    State.CLOSE: "UNCONN",
    State.CLOSE_WAIT: "CLOSE-WAIT",
    State.LAST_ACK: "LAST-ACK",
    State.LISTEN: "LISTEN",
    State.CLOSING: "CLOSING",
}
_UNIX_PROTOCOLS = {
    constants.SOCK_STREAM: "u_str",
    constants.SOCK_DGRAM: "u_dgr",
    constants.SOCK_SEQPACKET: "u_seq",
}


@attrs.frozen
class PendingTimer:
    """A timer of a socket: 'on' (retransmission), 'persist', 'keepalive', 'timewait', ..."""

    name: str
    # Virtual seconds until it fires, and how often it fired in vain.
    seconds: float
    count: int = 0

    def __str__(self) -> str:
        return f"{self.name},{self.seconds:g}s,{self.count}"


@attrs.frozen
class SocketEntry:
    """One socket."""

    host: str
    # 'tcp', 'udp', 'u_str', 'u_dgr' or 'u_seq'.
    protocol: str
    state: str
    recv_queue: int
    send_queue: int
    local: str
    remote: str
    timers: tuple[PendingTimer, ...]
    # The socket's number in the trace.
    number: int
    # The descriptors that refer to it, and the tasks that wait in a call of it: "'name' in recv".
    descriptors: tuple[int, ...]
    waiting: tuple[str, ...]

    @property
    def owner(self) -> str:
        """Whose it is, in words; the host's own if no descriptor refers to it."""
        words = [f"fd={number}" for number in self.descriptors]
        return " ".join([*words, *self.waiting])


class Netstat(tuple[SocketEntry, ...]):
    """The sockets of one moment; `str()` is a table."""

    __slots__ = ()

    def __str__(self) -> str:
        head = ("Host", "Netid", "State", "Recv-Q", "Send-Q", "Local", "Remote", "Timer", "Owner")
        rows = [head, *map(_row, self)]
        widths = [max(len(row[column]) for row in rows) for column in range(len(head))]
        return "\n".join(
            "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
            for row in rows
        )


def _row(entry: SocketEntry) -> tuple[str, ...]:
    timers = " ".join(map(str, entry.timers))
    queues = str(entry.recv_queue), str(entry.send_queue)
    ends = entry.local, entry.remote
    return (entry.host, entry.protocol, entry.state, *queues, *ends, timers, entry.owner)


def look(world: World, host: str | None = None) -> Netstat:
    """The sockets of a world, or of one host: by host, the oldest first."""
    descriptors: dict[Endpoint, list[int]] = {}
    for number in world.descriptors.numbers():
        opened = world.descriptors.get(number).endpoint
        if isinstance(opened, Endpoint):
            descriptors.setdefault(opened, []).append(number)
    waiting = dict(_waiting(world))
    entries = []
    for each in world.hosts.values():
        if host is not None and each.name != host:
            continue
        found = dict.fromkeys([e for e in descriptors if e.host is each])
        for one in sorted(_everything(each, found), key=lambda one: one.number):
            numbers = () if isinstance(one, StandIn) else tuple(descriptors.get(one, ()))
            calls = tuple(call for number in numbers for call in waiting.get(number, ()))
            entries.append(_entry(each, one, numbers, calls))
    return Netstat(entries)


def _waiting(world: World) -> dict[int, list[str]]:
    """Who waits, and in which call, by descriptor."""
    found: dict[int, list[str]] = {}
    for task in (world.scheduler.main, *world.scheduler.tasks):
        call, subject = task.waiting or ("", None)
        fileno = getattr(subject, "fileno", None)
        if fileno is not None:
            found.setdefault(fileno(), []).append(f"{task.name!r} in {call}")
    return found


def _everything(host: Host, found: dict[Any, None]) -> Iterable[Any]:
    """Those with a descriptor, and those that nobody holds (any more, or yet)."""
    found.update(dict.fromkeys(host.tcp_ports.everybody()))
    found.update(dict.fromkeys(host.udp_ports.everybody()))
    found.update(dict.fromkeys(host.unix_names.in_flight))
    for one in list(found):
        if isinstance(one, UnixEndpoint):
            found.update(dict.fromkeys(one.backlog))
    return found


def _entry(
    host: Host, one: Any, descriptors: tuple[int, ...], calls: tuple[str, ...]
) -> SocketEntry:
    if isinstance(one, StandIn):
        protocol, state, queues = "tcp", STATE_NAMES[one.state], (0, 0)
        ends = _shown(one.key[0], one.family), _shown(one.key[1], one.family)
    elif isinstance(one, Tcp):
        protocol, state, queues = "tcp", STATE_NAMES[one.state], _tcp_queues(one)
        ends = _inet_ends(one)
    elif isinstance(one, Udp):
        protocol, state = "udp", "UNCONN" if one.remote is None else "ESTAB"
        queues, ends = (one.used, 0), _inet_ends(one)
    else:
        assert isinstance(one, UnixEndpoint)
        protocol, state = _UNIX_PROTOCOLS[one.type], one.state_name
        queues, ends = _unix_queues(one), _unix_ends(one)
    timers = tuple(_timers(one, host.clock.now_ns))
    what = host.name, protocol, state, *queues, *ends, timers
    return SocketEntry(*what, one.number, descriptors, calls)


# Addresses


def _shown(address: InetAddress, family: int) -> str:
    ip, port = address
    if family == constants.AF_INET6 and is_ipv4(ip):
        ip = f"::ffff:{ip}"
    return endpoint_text((ip, port))


def _inet_ends(one: InetEndpoint) -> tuple[str, str]:
    ip, port = one.getsockname()
    dual = one.family == constants.AF_INET6 and ip == ANY6 and not one.v6only
    local = f"*:{port or '*'}" if dual else _shown((ip, port), one.family)
    return local, "*" if one.remote is None else _shown(one.remote, one.family)


def _unix_ends(one: UnixEndpoint) -> tuple[str, str]:
    name = one.name
    if isinstance(name, bytes):
        name = "@" + name[1:].decode("utf-8", "backslashreplace")
    peer = "*" if one.peer is None else f"#{one.peer.number}"
    return f"{name or '*'} #{one.number}", peer


# Queues


def _tcp_queues(one: Tcp) -> tuple[int, int]:
    if one.state is State.LISTEN:
        return len(one.accept_queue or ()), one.backlog
    if one.state is State.CLOSE:
        return one.queue.length, 0
    return one.queue.length, one.write_edge - one.snd_una


def _unix_queues(one: UnixEndpoint) -> tuple[int, int]:
    if one.listening:
        return len(one.backlog), one.max_backlog
    if isinstance(one, UnixStream):
        return sum(len(piece[0]) for piece in one.queue) - one.consumed, one.used
    return len(one.queue[0][0]) if one.queue else 0, one.used


# Timers


def _timers(one: Any, now_ns: int) -> Iterator[PendingTimer]:
    for name, due_ns, count in _due(one):
        if due_ns is not None:
            yield PendingTimer(name, max(0, due_ns - now_ns) / 1e9, count)


def _due(one: Any) -> Iterator[tuple[str, int | None, int]]:
    if isinstance(one, StandIn):
        yield "timewait", one.leaves_ns, 0
    if not isinstance(one, Tcp):
        return
    flight = one.flight
    if one.connect_timer is not None and one.connect_timer.pending:
        yield "on", one.connect_timer.when_ns, max(0, one.syn_attempts - 1)
    elif flight is not None:
        if flight.sent:
            yield "on", flight.alarm.due_ns, flight.time_outs
        else:
            yield "persist", flight.alarm.due_ns, flight.probes
    if one.keepalive is not None:
        yield "keepalive", one.keepalive.due_ns, 0 if flight is None else flight.probes
    yield "delack", one.delayed_ack_due_ns or None, 0
    if one.cork_timer is not None and one.cork_timer.pending:
        yield "cork", one.cork_timer.when_ns, 0
