"""TCP's listening side: SYNs, the connections that they begin, and the queues these wait in.

(tcp_conn_request and tcp_check_req in the kernel, syncookies.c.) A SYN that finds the accept queue
full is dropped, and so is the acknowledgement that would complete a connection: the client repeats
the one, the host its SYN|ACK because of the other. Where only the queue of incomplete connections
is full, cookies go out instead (`tcp_syncookies`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from simnet.protocols.tcp_block import (
    SEQUENCE_MASK,
    SMALL_MSS,
    UNSCALED,
    WINDOW_SCALE,
    ControlBlock,
)
from simnet.protocols.tcp_output import reset_for
from simnet.protocols.tcp_states import Event, State
from simnet.protocols.tcp_timers import Timers
from simnet.readiness import POLLIN, POLLRDNORM
from simnet.wire import ACK, RST, SYN, Segment

if TYPE_CHECKING:
    from simnet.protocols.tcp import Tcp


class Listening(Timers):
    """A control block that others connect to."""

    __slots__ = ()

    def receive_listening(self, segment: Segment) -> None:
        """A segment for the port, of no connection that exists."""
        if segment.flags & RST:
            return
        if segment.flags & ACK:
            self._recognise_cookie(segment)
        elif segment.flags & SYN and not self.accept_queue_is_full():
            # A full queue drops the SYN; the client repeats it (tcp_conn_request).
            if not self.too_many_are_incoming():
                self._begin_connection(segment)
            elif self.host.limits.tcp_syncookies:
                self._answer_with_cookie(segment)

    def _begin_connection(self, syn: Segment) -> None:
        child = self.child_for(syn.destination, syn.source, syn.hops)
        assert self.incoming is not None
        self.incoming[child.connection] = child
        child.state = State.LISTEN
        child.follow(Event.SYN_RECEIVED)
        child.learn_peer_options(syn)
        child.open()

    # Cookies

    def _answer_with_cookie(self, syn: Segment) -> None:
        local, remote = syn.destination, syn.source
        mss = min(syn.mss or SMALL_MSS, self.host.path_mss(remote[0]))
        iss = self.host.syn_cookies.issue(local, remote, syn.seq, mss, self.clock.now_ns)
        ack = (syn.seq + 1) & SEQUENCE_MASK
        window = min(self.rcvbuf, UNSCALED)
        self.transmit(Segment(local, remote, iss, ack, SYN | ACK, window, mss=mss))

    def _recognise_cookie(self, segment: Segment) -> None:
        """The answer to a cookie completes a connection; another acknowledgement is refused."""
        local, remote = segment.destination, segment.source
        iss = (segment.ack - 1) & SEQUENCE_MASK
        seq = (segment.seq - 1) & SEQUENCE_MASK
        mss = self.host.syn_cookies.recognise(local, remote, seq, iss, self.clock.now_ns)
        if mss is None:
            self.transmit(reset_for(segment))
        elif not self.accept_queue_is_full():
            child = self.child_for(local, remote, segment.hops)
            child.iss = iss
            child.state = State.SYN_RECV
            child.learn_peer_options(Segment(remote, local, seq, 0, SYN, segment.window, mss=mss))
            child.snd_una, child.snd_nxt = iss, iss + 1
            child.nagle_small_edge = child.urgent_send_edge = iss
            # Nothing was measured: the SYN|ACK is forgotten (RFC 6298, section 5.7).
            child.start_flight().round_trip.fall_back()
            child.receive(segment)

    # The queues

    def too_many_are_incoming(self) -> bool:
        """inet_csk_reqsk_queue_is_full: as many as may wait are not complete yet."""
        assert self.incoming is not None
        return len(self.incoming) > self.backlog

    def accept_queue_is_full(self) -> bool:
        """sk_acceptq_is_full: backlog + 1 connections may wait."""
        assert self.accept_queue is not None
        return len(self.accept_queue) > self.backlog

    def child_for(self, local: tuple[str, int], remote: tuple[str, int], hops: int) -> Tcp:
        """A connection of this listener's, which inherits its options; its state comes next."""
        child: Tcp = type(self)(  # type: ignore[assignment]
            self.host, self.family, self.type, self.proto
        )
        child.inherit(self)
        child.bound_ip = child.shown_ip = local[0]
        child.shown_port = local[1]
        child.remote = remote
        child.listener = self  # type: ignore[assignment]
        child.port = local[1]
        child.syn_hops = hops
        self.table.add(child, child.port)
        self.table.connections[local, remote] = child
        child.choose_iss()
        return child

    def inherit(self, listener: ControlBlock) -> None:
        """What accept(2) documents as inherited, and what Linux copies (sk_clone_lock)."""
        self.settings = settings = listener.settings
        self.reads_plainly = settings.rcvlowat <= 1
        self.sndbuf = listener.sndbuf
        self.rcvbuf = listener.rcvbuf
        self.nodelay = listener.nodelay
        self.corked = listener.corked
        self.v6only = listener.v6only
        self.address_locked = listener.address_locked
        # Of a socket that was shut down before it listened.
        self.shut = listener.shut

    def learn_peer_options(self, syn: Segment) -> None:
        """What the peer's SYN says: its sequence number, segment size and window."""
        self.rcv_nxt = syn.seq + 1
        self.rcv_acked = self.rcv_nxt
        self.rcv_edge = self.rcv_nxt + min(self.free_to_receive(), UNSCALED)
        self.snd_wscale = syn.wscale or 0
        self.rcv_wscale = 0 if syn.wscale is None else WINDOW_SCALE
        self.snd_edge = self.iss + 1 + syn.window
        self.mss = min(syn.mss or SMALL_MSS, self.largest_segment)

    def connection_complete(self, child: Tcp) -> None:
        """A connection of this listener's may be accepted."""
        assert self.incoming is not None
        assert self.accept_queue is not None
        if self.incoming:
            self.incoming.pop(child.connection, None)
        self.accept_queue[child] = None
        if self.waiters:
            self.notify(POLLIN | POLLRDNORM)
