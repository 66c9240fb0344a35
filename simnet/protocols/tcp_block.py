"""The state of one TCP connection, and the small steps that everything else is made of.

Sequence numbers are kept as unbounded integers, and cut to 32 bits only in segments: comparisons
are then plain. `snd_` and `rcv_` names are those of RFC 9293, section 3.3.1; an "edge" is a
sequence number: the first one beyond a window.

Modelled after Linux: Minshall's variant of Nagle's algorithm, delayed acknowledgements with quick
and ping-pong modes (tcp_input.c), silly window avoidance by the receiver; retransmission and
congestion control (tcp_flight), reassembly (tcp_reassembly), the timers of all that (tcp_timers).

Not modelled: timestamps, selective acknowledgements, ECN, fast open, receive buffers that
grow by themselves; and the kernel's accounting of buffers in `skb` overhead: a send buffer
holds SO_SNDBUF bytes of data, a receive buffer SO_RCVBUF bytes.
"""

from __future__ import annotations

import errno
from functools import lru_cache
from typing import TYPE_CHECKING, Any, cast

from simnet import constants
from simnet.addresses import InetAddress, is_ipv4
from simnet.clock import MILLISECOND_NS, SECOND_NS, Alarm, Timer
from simnet.errors import os_error
from simnet.protocols.inet import InetEndpoint
from simnet.protocols.ip_ancillary import fields
from simnet.protocols.tcp_flight import Flight
from simnet.protocols.tcp_reassembly import OutOfOrder
from simnet.protocols.tcp_states import CLOSE, ESTABLISHED, LISTEN, TRANSITIONS, Event, State
from simnet.queues import EMPTY, ByteQueue
from simnet.readiness import POLLOUT, POLLWRNORM

if TYPE_CHECKING:
    from simnet.host import Host
    from simnet.protocols.tcp import Tcp

_LINGER2 = (constants.IPPROTO_TCP, 8)

SEQUENCE_SPACE = 1 << 32
SEQUENCE_MASK = SEQUENCE_SPACE - 1

# TCP_ATO_MIN, TCP_MAX_QUICKACKS, TCP_TIMEWAIT_LEN.
DELAYED_ACK_NS = 40 * MILLISECOND_NS
QUICK_ACKS = 16
TIME_WAIT_NS = 60 * SECOND_NS
# Segments that cannot be right are answered so often at most (net.ipv4.tcp_invalid_ratelimit).
ODDITIES_NS = 500 * MILLISECOND_NS

# The scale that we offer (any buffer that rmem_max allows fits), and the largest window that fits a
# header unscaled.
WINDOW_SCALE = 8
UNSCALED = 65535
# What a connected socket's send buffer grows to unless SO_SNDBUF was set (measured: or more).
AUTOTUNED_SNDBUF = 2626560
# The largest packet of the loopback, in bytes.
LOOPBACK_MTU = 65536
# The receiver's guess of the peer's segment size before it has seen one (TCP_MSS_DEFAULT).
SMALL_MSS = 536


class SocketState:
    """The state of the socket above the protocol (enum socket_state in linux/net.h)."""

    UNCONNECTED = 1
    CONNECTING = 2
    CONNECTED = 3
    DISCONNECTING = 4


class Urgent:
    """Where an urgent byte is (tcp_input.c: TCP_URG_NOTYET, TCP_URG_VALID, TCP_URG_READ)."""

    NONE = 0
    NOT_YET = 1
    VALID = 2
    READ = 3


class ControlBlock(InetEndpoint):
    """The variables of one connection (RFC 9293's TCB)."""

    __slots__ = (
        "accept_queue",
        "ack_timer",
        "backlog",
        "challenged_ns",
        "clock",
        "connect_timer",
        "cork_timer",
        "corked",
        "delayed_ack_due_ns",
        "done",
        "fin_due",
        "flight",
        "incoming",
        "iss",
        "keepalive",
        "last_received_ns",
        "listener",
        "mss",
        "nagle_small_edge",
        "nodelay",
        "opened_ipv4",
        "opening_since_ns",
        "orphan",
        "out_of_order",
        "peer",
        "pingpong",
        "queue",
        "quick_acks",
        "quick_path",
        "rcv_acked",
        "rcv_edge",
        "rcv_mss",
        "rcv_nxt",
        "rcv_wscale",
        "reads_plainly",
        "snd_edge",
        "snd_nxt",
        "snd_una",
        "snd_wscale",
        "socket_state",
        "state",
        "syn_attempts",
        "syn_hops",
        "syn_repeated",
        "unsent",
        "urgent",
        "urgent_byte",
        "urgent_send_edge",
        "urgent_seq",
        "wants_room",
    )

    default_sndbuf = 16384
    default_rcvbuf = 131072

    def __init__(self, host: Host, family: int, type: int, proto: int) -> None:
        InetEndpoint.__init__(self, host, family, type, proto, host.tcp_ports)
        self.clock = host.clock
        self.state = CLOSE
        self.socket_state = SocketState.UNCONNECTED
        self.iss = self.snd_una = self.snd_nxt = self.snd_edge = 0
        self.rcv_nxt = self.rcv_acked = self.rcv_edge = 0
        self.snd_wscale = self.rcv_wscale = 0
        self.mss = SMALL_MSS
        self.rcv_mss = SMALL_MSS
        # What arrived in order and was not read; what was written and not sent. Each is made when
        # it is first needed.
        self.queue = self.unsent = EMPTY
        # Whether a FIN follows it.
        self.fin_due = False
        # Nagle: the end of the last small segment sent (snd_sml); nothing small is out if acked.
        self.nagle_small_edge = 0
        self.nodelay: bool = False
        self.corked: bool = False
        self.cork_timer: Timer | None = None
        # Delayed acknowledgements: how many more go out at once, and whether data flows both ways.
        self.quick_acks = -1
        self.pingpong: bool = False
        self.last_received_ns = -DELAYED_ACK_NS
        self.delayed_ack_due_ns = 0
        self.ack_timer: Timer | None = None
        # When a segment that cannot be right was last answered (last_oow_ack_time).
        self.challenged_ns = -ODDITIES_NS
        self.connect_timer: Timer | None = None
        self.syn_attempts = 0
        self.syn_repeated = False
        self.opening_since_ns = 0
        # Accepted: the hop limit that the peer's SYN came with, which the options of groups show.
        self.syn_hops = 0
        # An IPv6 socket that has connected over IPv4 goes on speaking it (icsk_af_ops): its SYN to
        # an IPv6 address, after a disconnect, arrives nowhere.
        self.opened_ipv4 = False
        # The urgent byte: its place in the stream, its value, and how far we sent urgently.
        self.urgent = Urgent.NONE
        # No urgent byte and no low-water mark: a read takes what is there.
        self.reads_plainly = True
        self.urgent_seq = 0
        self.urgent_byte = b""
        self.urgent_send_edge = 0
        # A FIN was received (SOCK_DONE); no descriptor refers to it (SOCK_DEAD); a sender found the
        # buffer full (SOCK_NOSPACE).
        self.done = False
        self.orphan = False
        self.wants_room = False
        # Listening: how many may wait, connections not yet complete and complete ones, in order.
        self.backlog = 0
        self.incoming: dict[tuple[InetAddress, InetAddress], Tcp] | None = None
        self.accept_queue: dict[Tcp, None] | None = None
        self.listener: Tcp | None = None
        # What is sent and not acknowledged, what came before its turn, and the watch of an idle
        # peer: made when first needed.
        self.flight: Flight | None = None
        self.out_of_order: OutOfOrder | None = None
        self.keepalive: Alarm | None = None
        # The short cut: the other end, and whether the plainest data may go straight to it.
        self.peer: Tcp | None = None
        self.quick_path = False

    # States

    def follow(self, event: Event) -> None:
        """Move to the next state."""
        self.state = TRANSITIONS[self.state, event]
        wire = self.host.wire
        if wire.recording:
            local = self.shown_ip, self.shown_port
            wire.note_state(self.host, self.number, local, self.remote, self.state.name)
        self.leave_quick_path()
        if self.state is CLOSE:
            self.over()

    def leave_quick_path(self) -> None:
        """Something is not plain any more, for either direction."""
        self.quick_path = False
        if self.peer is not None:
            self.peer.quick_path = False

    def over(self) -> None:
        """Be found by no segment any more; keep the port only if bind() named it (tcp_unhash)."""
        if self.remote is not None:
            key = (self.shown_ip, self.shown_port), self.remote
            if self.table.connections.get(key) is self:
                del self.table.connections[key]
            if self.listener is not None and self.listener.incoming is not None:
                self.listener.incoming.pop(key, None)
        if self.port and not self.port_locked:
            self.give_port_back()
        peer = self.peer
        if peer is not None:
            self.peer = peer.peer = None
        self.stop_timers()

    def vanish(self) -> None:
        self.port_locked = False
        self.follow(Event.RESET)

    def stop_timers(self) -> None:
        """No timer of this connection fires any more."""
        if self.ack_timer is not None:
            self.ack_timer.cancel()
            self.ack_timer = None
        if self.connect_timer is not None:
            self.connect_timer.cancel()
            self.connect_timer = None
        if self.cork_timer is not None:
            self.cork_timer.cancel()
            self.cork_timer = None
        if self.flight is not None:
            self.flight.alarm.stop()
        if self.keepalive is not None:
            self.keepalive.stop()
            self.keepalive = None

    @property
    def shares_address(self) -> bool:
        # A listener shares with nobody (inet_csk_bind_conflict asks for sk_state != TCP_LISTEN).
        return self.settings.reuseaddr and self.state is not LISTEN

    @property
    def listening(self) -> bool:
        return self.state is LISTEN

    @property
    def state_name(self) -> str:
        return self.state.name

    @property
    def connection(self) -> tuple[InetAddress, InetAddress]:
        """(local, remote), the key of a connection."""
        assert self.remote is not None
        return (self.shown_ip, self.shown_port), self.remote

    @property
    def fin_timeout_s(self) -> int:
        """TCP_LINGER2."""
        kept = self.settings.kept
        return int(kept.get(_LINGER2, 0) or self.host.limits.tcp_fin_timeout)

    # Windows

    @property
    def hop_limit(self) -> int:
        """IP_TTL, or IPV6_UNICAST_HOPS."""
        assert self.remote is not None
        default, kept = self.host.limits.default_ttl, self.settings.kept
        return fields(kept, self.remote[0], default)[1] if kept else default

    @property
    def path_mtu(self) -> int:
        """The largest packet that the way to the peer takes."""
        assert self.remote is not None
        return self.host.path_mtu(self.remote[0])

    @property
    def path_mss(self) -> int:
        """The largest segment that the way to the peer takes."""
        assert self.remote is not None
        return self.host.path_mss(self.remote[0])

    def free_to_receive(self) -> int:
        """How many more bytes the receive buffer takes, as far as a window can say so."""
        return max(0, min(self.rcvbuf - self.queue.length, UNSCALED << self.rcv_wscale))

    def advertise(self) -> int:
        """The window for the next segment, in scaled units; the edge never moves back."""
        scale, received = self.rcv_wscale, self.rcv_nxt
        free = self.rcvbuf - self.queue.length
        if not scale:
            free = min(free, UNSCALED)
        edge = received + (free >> scale << scale)
        if edge > self.rcv_edge and free > 0:
            self.rcv_edge = edge
        return self.rcv_edge - received >> scale

    def forget_unsent(self) -> None:
        """Nothing that was written goes out any more."""
        self.unsent.clear()
        self.fin_due = False
        self.snd_una = self.snd_nxt
        if self.flight is not None:
            self.flight.clear()

    def send_room(self) -> int:
        """How many more bytes the send buffer takes; never negative."""
        return max(0, self.sndbuf - (self.snd_nxt - self.snd_una) - self.unsent.length)

    def is_writable(self) -> bool:
        """Whether poll says so: a third of the buffer is free (sk_stream_is_writeable)."""
        used = self.snd_nxt - self.snd_una + self.unsent.length
        free = self.sndbuf - used
        return free > 0 and free >= used >> 1

    def room_made(self) -> None:
        """Acknowledged bytes left the send buffer: wake writers (sk_write_space)."""
        if self.wants_room and self.is_writable():
            self.wants_room = False
            self.notify(POLLOUT | POLLWRNORM)

    # Reading

    def need_queue(self) -> ByteQueue:
        """The queue of what arrived, to append to."""
        queue = self.queue
        if queue is EMPTY:
            queue = self.queue = ByteQueue()
        return queue

    def set(self, **changes: Any) -> None:
        super().set(**changes)
        self.reads_plainly = not self.urgent and self.rcvlowat <= 1

    def forget_acknowledging(self) -> None:
        """Nothing is known of how the peer sends."""
        self.quick_acks = -1
        self.pingpong = False
        self.last_received_ns = -DELAYED_ACK_NS
        self.delayed_ack_due_ns = 0
        self.rcv_mss = SMALL_MSS

    def forget_urgent(self) -> None:
        """There is no urgent byte any more."""
        self.urgent = Urgent.NONE
        self.reads_plainly = self.rcvlowat <= 1

    # Sequence numbers

    def choose_iss(self) -> None:
        """An initial sequence number."""
        iss = self.host.next_iss() & SEQUENCE_MASK
        self.iss = self.snd_una = self.snd_nxt = iss
        self.nagle_small_edge = self.urgent_send_edge = iss

    # Connection set-up that the segments and the short cut share

    def established(self) -> None:
        """Both sides know each other: settle sizes, and see whether the path is ideal."""
        assert self.remote is not None
        if not self.settings.sndbuf_locked:
            self.sndbuf = AUTOTUNED_SNDBUF
        timer = self.connect_timer
        if timer is not None:
            timer.cancel()
            self.connect_timer = None
            round_trip = self.start_flight().round_trip
            if self.syn_repeated:
                round_trip.fall_back()
            else:
                taken_ns = self.clock.now_ns - self.opening_since_ns
                round_trip.measured(taken_ns // 1000, self.snd_una, self.snd_nxt)
        if self.settings.keepalive:
            self.watch_peer()

    def start_flight(self) -> Flight:
        """Keep what is sent from now on until it is acknowledged."""
        self.flight = Flight(self.clock, self.alarm_rings)
        return self.flight

    def need_flight(self) -> Flight:
        """The same, if that has not begun: the connection opened by the short cut, in no time."""
        flight = self.flight
        if flight is None:
            flight = self.start_flight()
            flight.round_trip.measured(0, self.snd_una, self.snd_nxt)
        return flight

    def alarm_rings(self) -> None:
        """Something sent was not acknowledged in time, or a window stayed closed."""

    def watch_peer(self) -> None:
        """Keepalive, if it is asked for."""

    def look_for_quick_path(self) -> None:
        """Take the short cut from now on if both ends are at hand and nothing is in the way."""
        peer = self.peer
        self.quick_path = (
            peer is not None
            and self.state is ESTABLISHED
            and peer.state is ESTABLISHED
            and self.is_in_step_with(peer)
            and not (self.error or peer.error or self.shut or peer.shut)
            and not (self.corked or self.urgent or peer.corked or peer.urgent)
            and self.host.wire.ideal_target(self.host, peer.shown_ip) is not None
        )
        if peer is not None:
            peer.quick_path = self.quick_path
            if self.quick_path:
                self.everything_arrived()
                peer.everything_arrived()

    def is_in_step_with(self, peer: ControlBlock) -> bool:
        """Whether all that was written on either side has arrived on the other, in order."""
        return (
            not (self.unsent.length or peer.unsent.length)
            and self.snd_nxt == peer.rcv_nxt
            and peer.snd_nxt == self.rcv_nxt
        )

    @property
    def first_kept(self) -> int:
        """From where on what was sent is kept: what went by the short cut is not."""
        flight = self.flight
        return flight.sent[0].seq if flight is not None and flight.sent else self.snd_nxt

    def everything_arrived(self) -> None:
        """Nothing that was sent can be lost any more."""
        if self.flight is not None and self.flight.sent:
            self.flight.clear()

    def find_peer(self) -> None:
        """Learn which endpoint is the other end, for the short cut."""
        assert self.remote is not None
        local, remote = self.connection
        host = self.host.wire.host_at(remote[0], self.host)
        if host is None:
            return
        other = host.tcp_ports.connections.get((remote, local))
        if isinstance(other, ControlBlock) and other is not self:
            self.peer, other.peer = cast("Tcp", other), cast("Tcp", self)

    def require_connected(self) -> None:
        """ENOTCONN unless there is a peer now (inet_getname)."""
        if self.remote is None or self.state in (State.CLOSE, State.SYN_SENT):
            raise os_error(errno.ENOTCONN)


def widen(sequence: int, near: int) -> int:
    """A 32-bit sequence number as the unbounded one next to `near`."""
    distance = (sequence - near) & SEQUENCE_MASK
    if distance >= SEQUENCE_SPACE // 2:
        distance -= SEQUENCE_SPACE
    return near + distance


@lru_cache(maxsize=1024)
def default_mss(ip: str, mtu: int) -> int:
    """The MSS of a path: its MTU less the IP and TCP headers, within 16 bits of IP length."""
    headers = 40 if is_ipv4(ip) else 60
    return min(mtu, 65535) - headers
