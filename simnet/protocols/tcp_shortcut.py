"""The short cut for an ideal path: what the segments would bring about, without the segments.

Where the wire is ideal and the other end is at hand, a connection opens, carries plain data and
closes by changing both ends at once. Whatever is not plain (a full buffer, a held small segment,
urgent data, an end that is already closing) goes by segments, from the same state: nothing is kept
here that the segments do not keep too. A property test holds both ways to the same outcomes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from simnet.addresses import InetAddress
from simnet.protocols.base import RCV_SHUTDOWN
from simnet.protocols.tcp_block import (
    DELAYED_ACK_NS,
    LOOPBACK_MTU,
    UNSCALED,
    WINDOW_SCALE,
    default_mss,
)
from simnet.protocols.tcp_input import Input
from simnet.protocols.tcp_states import (
    CLOSE,
    CLOSE_WAIT,
    ESTABLISHED,
    FIN_WAIT1,
    TIME_WAIT,
    Event,
    follow,
)
from simnet.queues import EMPTY
from simnet.readiness import POLLIN, POLLRDNORM
from simnet.wire import ACK

if TYPE_CHECKING:
    from simnet.protocols.tcp import Tcp

_DATA_READY = POLLIN | POLLRDNORM

# Where the steps lead that are taken at once, from the table.
_OPENED = follow(follow(CLOSE, Event.ACTIVE_OPEN), Event.SYN_ACKED)
_CLOSED_FIRST = follow(_OPENED, Event.FIN_SENT)
_PEER_CLOSED = follow(_OPENED, Event.FIN_RECEIVED)
_CLOSED_SECOND = follow(follow(_PEER_CLOSED, Event.FIN_SENT), Event.FIN_ACKED)
_PEER_CLOSED_TOO = follow(follow(_CLOSED_FIRST, Event.FIN_ACKED), Event.FIN_RECEIVED)


class ShortCut(Input):
    """A control block that reaches its peer directly where that makes no difference."""

    __slots__ = ()

    # Opening

    def open_directly(self, local: InetAddress, remote: InetAddress) -> bool:
        """The whole handshake with a listener that has room; False if segments must do it."""
        host = self.host
        target = host.wire.ideal_target(host, remote[0])
        if target is None or (remote, local) in target.tcp_ports.connections:
            return False
        listener: Any = target.tcp_ports.listener(remote, local)
        if listener is None or listener.shut or listener.accept_queue_is_full():
            return False
        if listener.too_many_are_incoming():
            return False
        child = listener.child_for(remote, local, self.hop_limit)
        if target is host:
            mss = default_mss(remote[0], LOOPBACK_MTU)
        else:
            mss = min(self.path_mss, child.path_mss)
        self._learn_directly(child, mss)
        child._learn_directly(self, mss)
        # The client's last ACK announces its window scaled; the server's SYN|ACK could not.
        self.advertise()
        child.snd_edge = child.snd_nxt + self.rcv_edge - self.rcv_nxt
        self.peer, child.peer = child, self
        self.quick_path = child.quick_path = not (self.shut or self.corked or child.corked)
        listener.connection_complete(child)
        if self.waiters:
            self.state_changed()
        return True

    def _learn_directly(self, other: ShortCut, mss: int) -> None:
        self.state = _OPENED
        self.snd_una = self.snd_nxt = self.iss + 1
        self.rcv_nxt = self.rcv_acked = other.iss + 1
        # Nothing is queued yet: the whole buffer is the window, unscaled on a SYN.
        self.rcv_edge = self.rcv_nxt + min(self.rcvbuf, UNSCALED)
        self.snd_edge = self.snd_nxt + min(other.rcvbuf, UNSCALED)
        self.rcv_wscale = self.snd_wscale = WINDOW_SCALE
        self.mss = mss
        self.established()

    # Data

    def send_now(self, data: bytes) -> int | None:
        peer = self.peer
        if peer is None or not self.quick_path:
            return self.send_segment_now(data)
        size = len(data)
        end = self.snd_nxt + size
        if end > self.snd_edge or end - self.snd_una > self.sndbuf or not size:
            return None
        mss = self.mss
        if size < mss or size % mss:
            if self.nagle_small_edge > self.snd_una and not self.nodelay:
                return None
            self.nagle_small_edge = end
        now_ns = self.clock.now_ns
        # Every segment acknowledges what was received and tells how much room there is.
        received = self.rcv_nxt
        edge = received + (self.rcvbuf - self.queue.length >> WINDOW_SCALE << WINDOW_SCALE)
        if edge > self.rcv_edge:
            peer.snd_edge = self.rcv_edge = edge
        if self.rcv_acked != received:
            peer.snd_una = self.rcv_acked = received
            self.delayed_ack_due_ns = 0
            if self.quick_acks > 0:
                self.quick_acks -= 1
            if peer.wants_room:
                peer.room_made()
        if not self.pingpong and now_ns - self.last_received_ns < DELAYED_ACK_NS:
            self.pingpong = True
        self.snd_nxt = end
        queue = peer.queue
        if queue is EMPTY:
            queue = peer.need_queue()
        queue.chunks.append(data)
        peer.last_received_ns = now_ns
        if size > peer.rcv_mss or not peer.pingpong:
            peer.arrive_in_parts(size, mss)
        else:
            queue.length += size
            peer.rcv_nxt = received = peer.rcv_nxt + size
            if received - peer.rcv_acked > peer.rcv_mss:
                peer.send_ack()
            elif not peer.delayed_ack_due_ns:
                peer.delayed_ack_due_ns = now_ns + DELAYED_ACK_NS
                if peer.ack_timer is None:
                    peer.arm_ack_timer()
        if peer.waiters and queue.length >= peer.settings.rcvlowat:
            peer.notify(_DATA_READY)
        return size

    def arrive_in_parts(self, size: int, mss: int) -> None:
        """As many full segments as there are, and the rest; each may be acknowledged.

        What `decide_on_ack` does for each, where nothing waits to be sent.
        """
        queue = self.queue
        if self.quick_acks < 0:
            self.begin_quick_acks()
        while size:
            part = mss if size > mss else size
            size -= part
            queue.length += part
            received = self.rcv_nxt = self.rcv_nxt + part
            if part > self.rcv_mss:
                self.rcv_mss = min(part, self.mss)
            if (
                self.quick_acks > 0 and not self.pingpong
            ) or received - self.rcv_acked > self.rcv_mss:
                self.send_ack()
            elif not self.delayed_ack_due_ns:
                self.delay_ack()

    def send_ack(self) -> None:
        peer = self.peer
        if not self.quick_path or peer is None or (peer.flight is not None and peer.flight.probes):
            # A probe waits for a segment.
            super().send_ack()
            return
        received = self.rcv_nxt
        edge = received + (self.rcvbuf - self.queue.length >> WINDOW_SCALE << WINDOW_SCALE)
        if edge > self.rcv_edge:
            peer.snd_edge = self.rcv_edge = edge
        if self.rcv_acked != received:
            peer.snd_una = self.rcv_acked = received
            if self.quick_acks > 0:
                self.quick_acks -= 1
            if peer.wants_room:
                peer.room_made()
        self.delayed_ack_due_ns = 0

    def must_wait(self) -> bool:
        return (
            self.state is ESTABLISHED
            and self.reads_plainly
            and not self.queue.length
            and not self.nonblocking
            and not (self.shut or self.error)
            and self.settings.rcvtimeo_ns is None
        )

    def recv_now(self, size: int) -> bytes | None:
        queue = self.queue
        chunks = queue.chunks
        if not chunks or not self.reads_plainly:
            return None
        data = chunks[0]
        length = len(data)
        if length <= size and not queue.offset and (len(chunks) == 1 or length == size):
            chunks.popleft()
            queue.length -= length
        else:
            data = queue.take(size)
        if (self.rcv_edge - self.rcv_nxt) * 2 <= self.rcvbuf or (
            not self.pingpong and self.delayed_ack_due_ns
        ):
            self.after_reading()
        return data

    def after_reading(self) -> None:
        """Tell the peer if reading made much room or emptied the queue (tcp_cleanup_rbuf)."""
        if self.state is CLOSE:
            return
        if self.delayed_ack_due_ns and not self.pingpong and not self.queue.length:
            self.send_ack()
            self.flush()
            return
        if self.shut & RCV_SHUTDOWN:
            return
        advertised = self.rcv_edge - self.rcv_nxt
        if advertised * 2 <= self.rcvbuf:
            free = self.free_to_receive() >> self.rcv_wscale << self.rcv_wscale
            if free and free >= advertised * 2 and free >= min(self.rcv_mss, self.rcvbuf // 2):
                self.send_ack()
                self.flush()

    def path_changed(self) -> None:
        """The way to the peer is not ideal any more.

        What went by the short cut has arrived and is not kept by its sender: its receiver
        acknowledges it now, as it may at any time.
        """
        peer = self.peer
        if peer is not None:
            for one, other in ((self, peer), (peer, self)):
                if one.rcv_acked != one.rcv_nxt and other.first_kept > other.snd_una:
                    acknowledgement = one.segment(ACK, one.snd_nxt)
                    one.acknowledged_now()
                    other.receive(acknowledgement)
        self.leave_quick_path()

    # Closing

    def finish_directly(self) -> bool:
        """Our FIN arrives at once; False if segments must bring it."""
        peer = self.peer
        if peer is None or self.snd_edge <= self.snd_nxt:
            return False
        if self.quick_path:
            self._fin_to_reader(peer)
            return True
        if (
            self.state is CLOSE_WAIT
            and peer.state is FIN_WAIT1
            and self.host.wire.ideal_target(self.host, peer.shown_ip) is not None
            and self.is_in_step_with(peer)
        ):
            self._fin_to_closer(peer)
            return True
        return False

    def _fin_to_reader(self, peer: Tcp) -> None:
        """The first FIN: the peer may go on sending, and acknowledges a little later."""
        # The FIN acknowledges what was received and tells how much room there is.
        self.send_ack()
        self.state = _CLOSED_FIRST
        self.snd_nxt += 1
        peer.quick_path = self.quick_path = False
        peer.rcv_nxt += 1
        peer.shut |= RCV_SHUTDOWN
        peer.done = True
        peer.state = _PEER_CLOSED
        peer.pingpong = True
        peer.acknowledge_in_time()
        if peer.waiters:
            peer.state_changed()

    def _fin_to_closer(self, peer: Tcp) -> None:
        """The second FIN acknowledges the first; the last acknowledgement comes back at once."""
        self.everything_arrived()
        peer.everything_arrived()
        peer.rcv_nxt += 1
        peer.snd_una = peer.snd_nxt
        peer.done = True
        peer.state = _PEER_CLOSED_TOO
        self.snd_nxt += 1
        self.snd_una = self.snd_nxt
        peer.leave_to_stand_in(TIME_WAIT)
        self.state = _CLOSED_SECOND
        self.over()
        self.finish()
