"""TCP's receiving side: what each segment means in each state (tcp_input.c, tcp_minisocks.c).

As RFC 9293, section 3.10.7 has it: first reject what is unacceptable, then change anything.
"""

from __future__ import annotations

import errno
from typing import TYPE_CHECKING, cast

from simnet.addresses import is_ipv4
from simnet.protocols.base import RCV_SHUTDOWN, SEND_SHUTDOWN
from simnet.protocols.tcp_block import (
    QUICK_ACKS,
    SEQUENCE_MASK,
    UNSCALED,
    SocketState,
    Urgent,
    widen,
)
from simnet.protocols.tcp_flight import Flight
from simnet.protocols.tcp_listening import Listening
from simnet.protocols.tcp_output import reset_for
from simnet.protocols.tcp_reassembly import OutOfOrder
from simnet.protocols.tcp_stand_in import StandIn
from simnet.protocols.tcp_states import (
    CLOSE,
    CLOSE_WAIT,
    CLOSING,
    ESTABLISHED,
    FIN_HAS_COME,
    FIN_WAIT1,
    LAST_ACK,
    LISTEN,
    NEEDS_RESET,
    SYN_SENT,
    TIME_WAIT,
    Event,
    State,
)
from simnet.readiness import POLLERR, POLLIN, POLLPRI, POLLRDNORM
from simnet.wire import ACK, FIN, PSH, RST, SYN, URG, Packet, Segment, Unreachable

if TYPE_CHECKING:
    from simnet.protocols.tcp import Tcp

_DATA_READY = POLLIN | POLLRDNORM


class Input(Listening):
    """A control block that can listen to what the peer says."""

    __slots__ = ()

    def receive(self, packet: Packet) -> None:
        """A packet for this connection, or for this listener, has arrived."""
        if isinstance(packet, Segment):
            if self.state is ESTABLISHED and self._receive_as_expected(packet):
                return
            if self.state is LISTEN:
                self.receive_listening(packet)
            elif self.state is SYN_SENT:
                self._receive_syn_sent(packet)
            elif self.state is not CLOSE:
                self._receive_synchronized(packet)
        elif isinstance(packet, Unreachable):
            self._receive_unreachable(packet)

    def _receive_unreachable(self, packet: Unreachable) -> None:
        """What a router says ends an attempt to connect; later it is only a hint (tcp_v4_err).

        It is a hint too while connect() is still at work, as on a path without latency.
        """
        about = packet.about
        if not isinstance(about, Segment):
            return
        seq = widen(about.seq, self.snd_una)
        if not self.snd_una <= seq <= self.snd_nxt:
            return
        if packet.error == errno.EMSGSIZE:
            self.path_shrank()
            return
        flight = self.flight or self.start_flight()
        opening = self.state in (State.SYN_SENT, State.SYN_RECV)
        # Linux queues what it learns of a SYN by IPv4 where MSG_ERRQUEUE reads it.
        flight.error_queued = flight.error_queued or (opening and is_ipv4(about.source[0]))
        if opening and (self.listener or self.socket_state == SocketState.CONNECTING):
            self.abort(packet.error)
            return
        flight.soft_error = packet.error
        if opening:
            self.notify(POLLERR)
        elif flight.sent and seq == self.snd_una and flight.time_outs and flight.backoff:
            # Not congestion, but no way: one doubling of the time-out is undone (RFC 6069).
            flight.backoff -= 1
            due_ns = flight.sent[0].sent_ns + flight.time_out_ns()
            flight.alarm.set(max(due_ns, self.clock.now_ns))

    # SYN_SENT (RFC 9293, section 3.10.7.3)

    def _receive_syn_sent(self, segment: Segment) -> None:
        acked = widen(segment.ack, self.snd_nxt)
        if segment.flags & ACK and not self.iss < acked <= self.snd_nxt:
            if not segment.flags & RST:
                self.transmit(reset_for(segment))
            return
        if segment.flags & RST:
            if segment.flags & ACK:
                self.reset_received()
            return
        if not segment.flags & SYN:
            return
        self.learn_peer_options(segment)
        if segment.flags & ACK:
            self.snd_una = acked
            self.snd_edge = acked + segment.window
            self.follow(Event.SYN_ACKED)
            self.established()
            self.send_ack()
            self.find_peer()
            self.state_changed()
        else:
            self.follow(Event.SYN_RECEIVED)
            self.syn_attempts = 0
            self.open()

    # All later states (section 3.10.7.4)

    def _receive_synchronized(self, segment: Segment) -> None:
        seq = widen(segment.seq, self.rcv_nxt)
        if self.state is State.SYN_RECV and self.listener is not None:
            if self._is_odd_for_a_request(segment, seq):
                return
        elif not segment.flags & (ACK | RST | SYN):
            return
        if segment.flags & RST and self._resets(seq):
            self.reset_received()
            return
        if not self._is_acceptable(segment, seq):
            if segment.length and not segment.flags & (SYN | RST):
                if seq < self.rcv_nxt:
                    self._old_data_came()
                self.send_ack()
            elif not segment.flags & RST:
                self.challenge()
            return
        if segment.flags & RST:
            # RFC 5961: only the exact sequence number resets; others are challenged.
            self.challenge()
            return
        if segment.flags & SYN and not self._is_answer_to_simultaneous_open(segment, seq):
            self.challenge()
            return
        if not segment.flags & ACK or not self._process_ack(segment) or self.is_over():
            return
        if segment.flags & URG:
            self._note_urgent(segment, seq)
        if self.urgent == Urgent.NOT_YET:
            self._find_urgent_byte(segment, seq)
        self._process_text(segment, seq)
        if self.orphan and self.state is State.FIN_WAIT2:
            self.nobody_waits_for_fin()
        elif self.state is not State.CLOSE:
            self.send_what_waits()

    def _receive_as_expected(self, segment: Segment) -> bool:
        """The common case without detours: the next bytes in order, or news of ours.

        What Linux calls header prediction (tcp_rcv_established). False, and nothing done, for
        whatever else there is.
        """
        flight, una = self.flight, self.snd_una
        payload = segment.payload
        size = len(payload)
        acked = (segment.ack - una) & SEQUENCE_MASK
        edge = una + acked + (segment.window << self.snd_wscale)
        if (
            segment.flags & ~PSH != ACK
            or flight is None
            or (segment.seq - self.rcv_nxt) & SEQUENCE_MASK
            or acked > self.snd_nxt - una
            or self.urgent
            or self.out_of_order
            or self.shut
            or self.rcv_nxt + size > self.rcv_edge
            or not (size or acked or edge > self.snd_edge)
        ):
            return False
        if acked:
            self.snd_una = una + acked
            flight.acknowledged(self.snd_una, self.snd_nxt)
        if edge > self.snd_edge:
            self.snd_edge = edge
        if flight.sent and not (flight.probes or flight.soft_error):
            flight.heard_ns = self.clock.now_ns
            if flight.again < flight.lost:
                self.repeat_lost()
        else:
            self.heard_from_peer(flight)
        if acked and self.wants_room:
            self.room_made()
        if size:
            self.take_text(payload)
            self.decide_on_ack(size)
        if self.unsent.length:
            self.send_queued()
        return True

    def _resets(self, seq: int) -> bool:
        """Whether a RST has the exact number, or that of the peer's FIN.

        (tcp_reset_check: what the peer says who had not heard of our side when it closed.)
        """
        if seq == self.rcv_nxt:
            return True
        return seq == self.rcv_nxt - 1 and self.state in FIN_HAS_COME

    def _is_odd_for_a_request(self, segment: Segment, seq: int) -> bool:
        """What a peer may say whose SYN was answered, other than what any may (tcp_check_req)."""
        flags = segment.flags
        if flags & (SYN | ACK | RST) == SYN and seq + 1 == self.rcv_nxt:
            # It has not heard the answer.
            self.open_once_more()
        elif flags & (ACK | RST) == ACK and widen(segment.ack, self.iss) != self.snd_nxt:
            # It knows of another connection, whatever its number.
            self.transmit(reset_for(segment))
        elif flags & (SYN | RST) == SYN and self._is_acceptable(segment, seq):
            self.transmit(reset_for(segment))
            self.reset_received()
        else:
            return False
        return True

    def _is_acceptable(self, segment: Segment, seq: int) -> bool:
        """Whether any of it lies in the window (tcp_sequence)."""
        if self._is_answer_to_simultaneous_open(segment, seq):
            return True
        end = seq + segment.length
        return end >= self.rcv_acked and seq <= max(self.rcv_edge, self.rcv_nxt)

    def _is_answer_to_simultaneous_open(self, segment: Segment, seq: int) -> bool:
        """SYN|ACK that acknowledges our SYN and repeats the one that we have."""
        return (
            self.state is State.SYN_RECV
            and segment.flags & (SYN | ACK) == SYN | ACK
            and seq + 1 == self.rcv_nxt
            and widen(segment.ack, self.snd_nxt) == self.snd_nxt
        )

    def _process_ack(self, segment: Segment) -> bool:
        """What the acknowledgement brings about; whether the rest of the segment counts."""
        acked = widen(segment.ack, self.snd_una)
        if self.state is State.SYN_RECV:
            if not self.snd_una < acked <= self.snd_nxt:
                self.transmit(reset_for(segment))
                return False
            if self.listener is not None and self.listener.accept_queue_is_full():
                # Nobody has room for it yet: it stays as it is, and its SYN|ACK is repeated.
                return False
            self._opening_acknowledged(acked)
        if acked > self.snd_nxt or acked < self._oldest_acknowledgement:
            self.challenge()
            return False
        progress = acked > self.snd_una
        edge = self.snd_edge
        if progress:
            self.snd_una = acked
        if acked == self.snd_una:
            scale = 0 if segment.flags & SYN else self.snd_wscale
            self.snd_edge = max(edge, acked + (segment.window << scale))
        if self.flight is not None and acked == self.snd_una:
            self._tell_flight(self.flight, segment, progress, self.snd_edge != edge)
        if progress:
            self.room_made()
            if self.snd_una == self.snd_nxt and not self.fin_due:
                self._everything_acknowledged()
        return True

    @property
    def _oldest_acknowledgement(self) -> int:
        """What a peer that means this connection says at least (RFC 5961, section 5.2)."""
        return max(self.iss + 1, self.snd_una - (UNSCALED << self.snd_wscale))

    def _tell_flight(
        self, flight: Flight, segment: Segment, progress: bool, window_moved: bool
    ) -> None:
        """What is under way has arrived, or some of it has not."""
        if progress:
            flight.acknowledged(self.snd_una, self.snd_nxt)
        elif flight.sent and not (window_moved or segment.length):
            flight.duplicate(self.snd_nxt)
        self.heard_from_peer(flight)
        self.repeat_lost()

    def _opening_acknowledged(self, acked: int) -> None:
        self.snd_una = acked
        self.follow(Event.SYN_ACKED)
        self.established()
        self.find_peer()
        if self.listener is not None:
            self.listener.connection_complete(cast("Tcp", self))
        else:
            self.state_changed()
        if self.shut & SEND_SHUTDOWN:
            # It was shut down before it was connected.
            cast("Tcp", self).close_sending_half()

    def _everything_acknowledged(self) -> None:
        if self.state is FIN_WAIT1:
            self.follow(Event.FIN_ACKED)
            self.shut |= SEND_SHUTDOWN
            self.state_changed()
        elif self.state is CLOSING:
            self.follow(Event.FIN_ACKED)
            self.leave_to_stand_in(TIME_WAIT)
        elif self.state is LAST_ACK:
            self.follow(Event.FIN_ACKED)
            self.finish()

    # Text, urgent data and FIN

    def _process_text(self, segment: Segment, seq: int) -> None:
        payload = segment.payload
        fin = bool(segment.flags & FIN)
        if not payload and not fin:
            return
        if self.state in FIN_HAS_COME:
            # Nothing comes after the peer's FIN, and no other one.
            if seq >= self.rcv_nxt:
                return
            fin = False
        if (
            self.shut & RCV_SHUTDOWN
            and self.state is not State.ESTABLISHED
            and seq + len(payload) > self.rcv_nxt
        ):
            # Data after both directions were closed here (tcp_rcv_state_process).
            self.transmit(reset_for(segment))
            self.reset_received()
            return
        if seq < self.rcv_nxt:
            payload = payload[self.rcv_nxt - seq :]
            if not payload and not (fin and seq + segment.length > self.rcv_nxt):
                self._old_data_came()
                self._acknowledge_now()
                return
        elif seq > self.rcv_nxt:
            self._keep_for_later(segment, seq)
            self._acknowledge_now()
            return
        if payload:
            self.take_text(payload)
            if fin:
                self._note_size(len(segment.payload))
        if fin:
            # What came before and lies beyond the end is nonsense (tcp_fin).
            self.out_of_order = None
        filled = False
        if self.out_of_order:
            filled = self._fill_from(self.out_of_order)
            if not filled:
                # A gap was filled, or still is not: the peer is told at once (RFC 5681, 4.2).
                self.last_received_ns = self.clock.now_ns
                self._acknowledge_now()
                return
        if fin or filled:
            self.fin_received(at_once=filled)
        elif payload:
            self.decide_on_ack(len(segment.payload))

    def _old_data_came(self) -> None:
        """Its acknowledgement was lost, it seems: the next ones go out at once, more than once.

        (tcp_enter_quickack_mode)
        """
        self.quick_acks = max(self.quick_acks, self.most_quick_acks)
        self.pingpong = False

    def _acknowledge_now(self) -> None:
        """Data that may be sent now says it as well (tcp_data_snd_check comes first)."""
        before = self.snd_nxt
        self.send_what_waits()
        if self.snd_nxt == before:
            self.send_ack()

    def _keep_for_later(self, segment: Segment, seq: int) -> None:
        """It came before its turn (tcp_data_queue_ofo)."""
        if self.out_of_order is None:
            self.out_of_order = OutOfOrder()
        payload = segment.payload[: max(0, self.rcv_edge - seq)]
        if payload:
            self.out_of_order.keep(seq, payload)
        if segment.flags & FIN and len(payload) == len(segment.payload):
            self.out_of_order.fin_seq = seq + len(payload)

    def _fill_from(self, store: OutOfOrder) -> bool:
        """Take what follows now from what was kept; whether the peer's FIN is next."""
        while part := store.take(self.rcv_nxt):
            self.take_text(part)
        if store.fin_seq != self.rcv_nxt:
            return False
        store.fin_seq = None
        return True

    def take_text(self, payload: bytes) -> None:
        """Bytes in order join the queue; readers are told once there are enough."""
        self.rcv_nxt += len(payload)
        queue = self.need_queue()
        queue.append(payload)
        if self.waiters and (queue.length >= self.settings.rcvlowat or self.done):
            self.notify(_DATA_READY)

    def decide_on_ack(self, size: int) -> None:
        """Data came: acknowledge at once or later, unless it leads to data that does so."""
        self.last_received_ns = self.clock.now_ns
        if size > self.rcv_mss or self.quick_acks < 0:
            self._note_size(size)
        if self.unsent.length:
            self.send_what_waits()
            if self.rcv_acked == self.rcv_nxt:
                return
        self.acknowledge_in_time()

    def _note_size(self, size: int) -> None:
        """How the peer sends (tcp_event_data_recv)."""
        self.last_received_ns = self.clock.now_ns
        if self.quick_acks < 0:
            self.begin_quick_acks()
        if size > self.rcv_mss:
            self.rcv_mss = min(size, self.mss)

    def acknowledge_in_time(self) -> None:
        """Acknowledge at once or later (__tcp_ack_snd_check)."""
        if (
            self.quick_acks > 0 and not self.pingpong
        ) or self.rcv_nxt - self.rcv_acked > self.rcv_mss:
            self.send_ack()
        elif not self.delayed_ack_due_ns:
            self.delay_ack()

    def begin_quick_acks(self) -> None:
        """How many acknowledgements go out at once in the beginning."""
        self.quick_acks = self.most_quick_acks

    @property
    def most_quick_acks(self) -> int:
        """Enough for half the window (tcp_incr_quickack)."""
        return max(2, min(QUICK_ACKS, self.rcvbuf // (2 * self.rcv_mss)))

    def _note_urgent(self, segment: Segment, seq: int) -> None:
        """tcp_check_urg: the urgent pointer names the byte after the urgent one."""
        place = seq + max(0, segment.urgent - 1)
        copied = self.read_edge
        if place < copied or place < self.rcv_nxt:
            return
        if self.urgent and place <= self.urgent_seq:
            return
        if (
            self.urgent
            and self.urgent_seq == copied
            and not self.oobinline
            and copied != self.rcv_nxt
        ):
            # The earlier urgent byte was never read, and now it never will be.
            self.queue.drop(1)
        self.leave_quick_path()
        self.reads_plainly = False
        self.urgent = Urgent.NOT_YET
        self.urgent_seq = place

    def _find_urgent_byte(self, segment: Segment, seq: int) -> None:
        """Look for it in what arrived, which may not even be queued (tcp_urg)."""
        offset = self.urgent_seq - seq
        if 0 <= offset < len(segment.payload):
            self.urgent_byte = segment.payload[offset : offset + 1]
            self.urgent = Urgent.VALID
            self.notify(POLLPRI | _DATA_READY)

    @property
    def read_edge(self) -> int:
        """The sequence number of the next byte to be read (copied_seq)."""
        return self.rcv_nxt - self.queue.length - self.done

    def fin_received(self, at_once: bool = False) -> None:
        """The peer will send no more (tcp_fin)."""
        self.rcv_nxt += 1
        self.shut |= RCV_SHUTDOWN
        self.done = True
        self.follow(Event.FIN_RECEIVED)
        if self.state is CLOSE_WAIT:
            # Our own FIN may follow soon and carry the acknowledgement (tcp_fin).
            self.pingpong = True
        if at_once or self.state is not State.CLOSE_WAIT:
            self.send_ack()
        else:
            self.acknowledge_in_time()
        if self.state is State.TIME_WAIT:
            self.leave_to_stand_in(State.TIME_WAIT)
        elif not self.orphan:
            self.state_changed()

    # Ends

    def reset_received(self) -> None:
        """tcp_reset: which error the program sees depends on how far the connection was."""
        if self.state is State.SYN_SENT:
            self.abort(errno.ECONNREFUSED)
        elif self.state is State.CLOSE_WAIT:
            self.abort(errno.EPIPE)
        else:
            self.abort(errno.ECONNRESET)

    def abort(self, error: int) -> None:
        """The connection is gone; what had arrived can still be read."""
        never_accepted = self.state is State.SYN_RECV and self.listener is not None
        self.error = error
        self.forget_unsent()
        self.follow(Event.RESET)
        if never_accepted:
            self.orphan = True
        self.finish()

    def give_up(self, error: int) -> None:
        self.abort(error)

    def finish(self) -> None:
        """Both directions are over (tcp_done)."""
        self.shut = RCV_SHUTDOWN | SEND_SHUTDOWN
        if self.state is not CLOSE:
            self.follow(Event.RESET)
        if self.waiters:
            self.state_changed()

    def nobody_waits_for_fin(self) -> None:
        """The peer's FIN is awaited for some time, or with a negative TCP_LINGER2 not at all."""
        if self.fin_timeout_s < 0:
            self.send_reset()
            self.finish()
        else:
            self.leave_to_stand_in(State.FIN_WAIT2)

    def leave_to_stand_in(self, state: State) -> None:
        """A small stand-in keeps the connection's place while this endpoint is over."""
        stand_in = StandIn(self, state)
        self.state = State.FIN_WAIT2
        self.follow(Event.EXPIRED)
        stand_in.take_place()
        self.finish()

    def is_over(self) -> bool:
        """Whether there is no connection (any more)."""
        return self.state is CLOSE

    def needs_reset(self) -> bool:
        """Whether the peer must be told when this connection is abandoned."""
        return self.state in NEEDS_RESET
