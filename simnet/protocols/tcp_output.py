"""TCP's sending side: cutting segments, acknowledging, resetting (tcp_output.c)."""

from __future__ import annotations

from simnet import constants
from simnet.addresses import is_ipv4
from simnet.clock import MILLISECOND_NS
from simnet.protocols.tcp_block import (
    DELAYED_ACK_NS,
    ODDITIES_NS,
    SEQUENCE_MASK,
    UNSCALED,
    WINDOW_SCALE,
    ControlBlock,
)
from simnet.protocols.tcp_flight import Flight
from simnet.protocols.tcp_rtt import FIRST_RTO_US, JIFFY_NS, MAX_RTO_US, MIN_RTO_US, patience_ns
from simnet.protocols.tcp_states import ESTABLISHED, State
from simnet.wire import ACK, FIN, PSH, RST, SYN, URG, Segment

_MAXSEG = (constants.IPPROTO_TCP, 2)
_SYNCNT = (constants.IPPROTO_TCP, 7)
_USER_TIMEOUT = (constants.IPPROTO_TCP, 18)


class Output(ControlBlock):
    """A control block that can speak."""

    __slots__ = ()

    def transmit(self, segment: Segment) -> None:
        """Put a segment on the wire; it arrives when the call ends (`flush`)."""
        host = self.host
        link = host.links.get(segment.destination[0])
        if link is not None and host.up:
            link.send(segment)
        else:
            host.wire.transmit(host, segment)

    def flush(self) -> None:
        """The call ends: everything on the wire arrives."""
        wire = self.host.wire
        if wire.queue:
            wire.flush()

    def segment(
        self, flags: int, seq: int, payload: bytes = b"", urgent: int = 0, window: int | None = None
    ) -> Segment:
        """A segment of this connection; it carries our acknowledgement and window."""
        source, remote = (self.shown_ip, self.shown_port), self.remote
        assert remote is not None
        ack = self.rcv_nxt & SEQUENCE_MASK if flags & ACK else 0
        if window is None:
            window = self.advertise()
        seq &= SEQUENCE_MASK
        return Segment(source, remote, seq, ack, flags, window, payload, urgent)

    def user_timeout_ns(self) -> int:
        """TCP_USER_TIMEOUT; 0 if it is not set."""
        kept = self.settings.kept
        return int(kept.get(_USER_TIMEOUT, 0)) * MILLISECOND_NS if kept else 0

    # Opening

    def send_syn(self) -> None:
        """SYN, or SYN|ACK if the peer's SYN has arrived."""
        assert self.remote is not None
        answering = self.state is State.SYN_RECV
        if not answering:
            self.rcv_wscale = WINDOW_SCALE
        window = min(self.free_to_receive(), UNSCALED)
        segment = self.segment(SYN | ACK if answering else SYN, self.iss, window=window)
        self.rcv_acked = self.rcv_nxt
        self.snd_nxt = self.iss + 1
        self.nagle_small_edge = self.urgent_send_edge = self.iss
        if not self.opened_ipv4 or is_ipv4(self.remote[0]):
            mss, hops = self.largest_segment, self.hop_limit
            # A SYN offers window scaling; its answer only what was offered (RFC 7323, 1.3).
            wscale = self.rcv_wscale or None
            self.transmit(segment._replace(mss=mss, wscale=wscale, hops=hops))

    @property
    def largest_segment(self) -> int:
        """The largest segment that we take: what the path does, or what TCP_MAXSEG says if less."""
        kept = self.settings.kept
        return min(self.path_mss, kept.get(_MAXSEG, 0) or self.path_mss) if kept else self.path_mss

    def open(self) -> None:
        """Send a SYN, or answer one, until there is an answer or there have been enough."""
        self.send_syn()
        self.syn_repeated = bool(self.syn_attempts)
        if not self.syn_attempts:
            self.opening_since_ns = self.clock.now_ns
        self.syn_attempts += 1
        self._await_opening()

    def open_once_more(self) -> None:
        """The peer repeats its SYN, and has not heard the answer (tcp_check_req)."""
        self.send_syn()
        self.syn_repeated = True
        self._await_opening()

    @property
    def _linear_timeouts(self) -> int:
        """How many SYNs are repeated a second apart."""
        answering = self.state is State.SYN_RECV
        return 0 if answering else self.host.limits.tcp_syn_linear_timeouts

    def _await_opening(self) -> None:
        repeats = self.syn_attempts - 1
        now_ns = self.clock.now_ns
        doublings = max(0, repeats - self._linear_timeouts)
        wait_ns = min(FIRST_RTO_US << doublings, MAX_RTO_US) * 1000
        limit_ns = self.user_timeout_ns()
        if limit_ns and repeats and self.listener is None:
            left_ns = self.opening_since_ns + limit_ns - now_ns
            wait_ns = min(wait_ns, max(JIFFY_NS, left_ns))
        if self.connect_timer is not None:
            self.connect_timer.cancel()
        self.connect_timer = self.clock.call_after(wait_ns, self._open_again)

    def _opened_long_enough(self) -> bool:
        """Whether no answer will come any more (tcp_write_timeout; reqsk_timer_handler)."""
        limits, repeats = self.host.limits, self.syn_attempts - 1
        requested = self.listener is not None
        usual = limits.tcp_synack_retries if requested else limits.tcp_syn_retries
        retries = int(self.settings.kept.get(_SYNCNT, 0) or usual)
        if repeats >= retries + self._linear_timeouts:
            return True
        if requested or not repeats:
            return False
        limit_ns = self.user_timeout_ns() or patience_ns(retries, FIRST_RTO_US)
        return self.clock.now_ns - self.opening_since_ns >= limit_ns

    def _open_again(self) -> None:
        if self._opened_long_enough():
            self.opening_timed_out()
        else:
            self.open()
        self.flush()

    def opening_timed_out(self) -> None:
        """No answer came in all the time there is."""

    # Data

    def send_queued(self) -> None:
        """Send what windows and Nagle's algorithm allow (tcp_write_xmit)."""
        unsent = self.unsent
        if not unsent.length:
            return
        flight = self.flight or self.need_flight()
        if not flight.sent and self.host.limits.tcp_slow_start_after_idle:
            flight.rest()
        while unsent.length:
            room = self.snd_edge - self.snd_nxt
            if room <= 0:
                if not flight.sent:
                    self.await_window()
                return
            size = min(self.mss, unsent.length, room)
            if size < self.mss and size == unsent.length and self._holds_small():
                if self.corked and not flight.sent:
                    self.hold_cork(flight)
                return
            if not flight.may_send():
                return
            self._send_data(flight, unsent.take(size))

    def send_segment_now(self, data: bytes) -> int | None:
        """The plainest send over a link: one segment that nothing holds back; otherwise None."""
        flight, size, seq = self.flight, len(data), self.snd_nxt
        if (
            flight is None
            or self.state is not ESTABLISHED
            or self.error
            or self.shut
            or self.corked
            or self.unsent.length
            or not 0 < size <= self.mss
            or seq + size > self.snd_edge
            or seq + size - self.snd_una > self.sndbuf
            or (size < self.mss and self._holds_small())
            or not self.crosses_link()
            or not flight.may_send()
        ):
            return None
        if not flight.sent and self.host.limits.tcp_slow_start_after_idle:
            flight.rest()
        self._send_data(flight, data)
        self.flush()
        return size

    def crosses_link(self) -> bool:
        """Whether the way to the peer is a link on which things may happen."""
        assert self.remote is not None
        link = self.host.links.get(self.remote[0])
        return link is not None and not link.ideal

    def await_window(self) -> None:
        """The peer's window is closed, and nothing is under way that could open it."""

    def _holds_small(self) -> bool:
        """Whether a last small segment has to wait (tcp_nagle_test)."""
        if self.urgent_send_edge > self.snd_una:
            return False
        if self.corked:
            return True
        return not self.nodelay and self.nagle_small_edge > self.snd_una

    def _send_data(self, flight: Flight, payload: bytes) -> None:
        seq = self.snd_nxt
        end = seq + len(payload)
        flags = ACK if self.unsent.length else ACK | PSH
        if self.fin_due and not self.unsent.length and end < self.snd_edge:
            # The last segment carries the FIN (tcp_send_fin).
            self.fin_due = False
            flags, end = flags | FIN, end + 1
        if len(payload) < self.mss:
            self.nagle_small_edge = end
        if self.cork_timer is not None:
            self.cork_timer.cancel()
            self.cork_timer = None
        if not self.pingpong:
            self.note_reply()
        flight.add(seq, end, flags, payload)
        urgent = 0
        if self.urgent_send_edge > seq:
            flags, urgent = self.urgency(flags, seq)
        segment = self.segment(flags, seq, payload, urgent)
        if self.delayed_ack_due_ns or self.rcv_acked != self.rcv_nxt:
            self.acknowledged_now()
        self.snd_nxt = end
        self.transmit(segment)

    def urgency(self, flags: int, seq: int) -> tuple[int, int]:
        """The flags of a segment and its urgent pointer: whether urgent data is still to come."""
        if self.urgent_send_edge > seq:
            return flags | URG, min(self.urgent_send_edge - seq, 0xFFFF)
        return flags, 0

    def send_fin(self) -> None:
        """Send what is left, then FIN; a window of zero holds both back."""
        self.fin_due = True
        self.send_what_waits()

    def push(self) -> None:
        """Send everything that the window allows, small or not."""
        nodelay, corked = self.nodelay, self.corked
        self.nodelay, self.corked = True, False
        self.send_queued()
        self.nodelay, self.corked = nodelay, corked

    def _send_fin_now(self) -> None:
        seq = self.snd_nxt
        self.fin_due = False
        self.need_flight().add(seq, seq + 1, FIN | ACK, b"")
        segment = self.segment(FIN | ACK, seq)
        self.acknowledged_now()
        self.snd_nxt = seq + 1
        self.transmit(segment)

    def send_what_waits(self) -> None:
        """The window opened or an acknowledgement came: go on, and finish with the FIN if due."""
        if not self.fin_due:
            if self.unsent.length:
                self.send_queued()
            return
        self.push()
        if self.unsent.length or not self.fin_due:
            return
        if self.snd_edge > self.snd_nxt:
            self._send_fin_now()
        elif not self.need_flight().sent:
            self.await_window()

    @property
    def write_edge(self) -> int:
        """The sequence number after everything written."""
        return self.snd_nxt + self.unsent.length

    @property
    def has_more_to_send(self) -> bool:
        """Whether data, or the FIN after it, has not been sent yet."""
        return bool(self.unsent.length) or self.fin_due

    def hold_cork(self, flight: Flight) -> None:
        """A cork holds a small segment, when nothing is under way, as long as a time-out is.

        (tcp_check_probe_timer: what is sent stops the timer, its acknowledgement sets it anew.)
        """
        if self.cork_timer is None or not self.cork_timer.pending:
            wait_ns = max(flight.time_out_ns(), MIN_RTO_US * 1000)
            self.cork_timer = self.clock.call_after(wait_ns, self._cork_pops)

    def _cork_pops(self) -> None:
        self.push()
        self.flush()

    # Acknowledging

    def note_reply(self) -> None:
        """Data goes out soon after data came in: from now on acknowledgements ride on data.

        (tcp_event_data_sent; net.ipv4.tcp_pingpong_thresh is 1.)
        """
        if self.clock.now_ns - self.last_received_ns < DELAYED_ACK_NS:
            self.pingpong = True

    def acknowledged_now(self) -> None:
        """A segment that we send acknowledges everything received."""
        if self.rcv_acked != self.rcv_nxt and self.quick_acks > 0:
            self.quick_acks -= 1
        self.rcv_acked = self.rcv_nxt
        self.delayed_ack_due_ns = 0

    def send_ack(self) -> None:
        """A bare acknowledgement."""
        segment = self.segment(ACK, self.snd_nxt)
        self.acknowledged_now()
        self.transmit(segment)

    def challenge(self) -> None:
        """Say what is true to a peer that seems not to know; not often (RFC 5961, section 7)."""
        if self.clock.now_ns - self.challenged_ns >= ODDITIES_NS:
            self.challenged_ns = self.clock.now_ns
            self.send_ack()

    def delay_ack(self) -> None:
        """Acknowledge within 40 ms, unless something else does so before.

        A FIN before which no data came is acknowledged with the next jiffy: nothing is known of how
        the peer sends (measured: the kernel's ato is 0 then).
        """
        if not self.delayed_ack_due_ns:
            delay_ns = DELAYED_ACK_NS if self.quick_acks >= 0 else JIFFY_NS
            self.delayed_ack_due_ns = self.clock.now_ns + delay_ns
            if self.ack_timer is None:
                self.arm_ack_timer()

    def arm_ack_timer(self) -> None:
        """Look again when the delayed acknowledgement is due; one timer serves many."""
        self.ack_timer = self.clock.call_at(self.delayed_ack_due_ns, self._ack_is_due)

    def _ack_is_due(self) -> None:
        self.ack_timer = None
        due_ns = self.delayed_ack_due_ns
        if not due_ns:
            return
        if due_ns > self.clock.now_ns:
            self.arm_ack_timer()
            return
        self.pingpong = False
        self.send_ack()
        self.flush()

    # Resetting

    def send_reset(self) -> None:
        """Abandon the connection (tcp_send_active_reset)."""
        self.transmit(self.segment(RST | ACK, self.snd_nxt, window=0))


def reset_for(segment: Segment) -> Segment:
    """The RST that answers a segment nobody expects (RFC 9293, section 3.10.7.1)."""
    if segment.flags & ACK:
        seq, ack, flags = segment.ack, 0, RST
    else:
        seq, ack, flags = 0, (segment.seq + segment.length) & SEQUENCE_MASK, RST | ACK
    return Segment(segment.destination, segment.source, seq, ack, flags, 0)
