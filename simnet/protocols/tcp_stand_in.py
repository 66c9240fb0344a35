"""What is left of a connection in TIME_WAIT, or in FIN_WAIT2 with nobody to read.

Modelled after Linux's `tcp_timewait_sock` (tcp_minisocks.c).
"""

from __future__ import annotations

from simnet.clock import SECOND_NS
from simnet.protocols.tcp_block import (
    ODDITIES_NS,
    SEQUENCE_MASK,
    TIME_WAIT_NS,
    ControlBlock,
    widen,
)
from simnet.protocols.tcp_output import reset_for
from simnet.protocols.tcp_states import CLOSE, FIN_WAIT2, TIME_WAIT, State
from simnet.wire import ACK, FIN, RST, SYN, Packet, Segment


class StandIn:
    """It holds the addresses of a connection, and answers for it."""

    __slots__ = (
        "_challenged_ns",
        "_host",
        "_line",
        "_room",
        "_settings",
        "bound_ip",
        "due_ns",
        "ephemeral",
        "family",
        "key",
        "number",
        "rcv_nxt",
        "snd_nxt",
        "state",
        "table",
        "v6only",
        "window",
    )

    def __init__(self, block: ControlBlock, state: State) -> None:
        self._host = block.host
        self._settings = block.settings
        self.state = state
        self.number = block.number
        self.key = block.connection
        self.family = block.family
        self.bound_ip = block.bound_ip
        self.v6only = block.v6only
        self.ephemeral = block.ephemeral
        self.rcv_nxt = block.rcv_nxt
        self.snd_nxt = block.snd_nxt
        self.window = block.advertise()
        self._room = self.window << block.rcv_wscale
        self.table = block.table
        self._challenged_ns = -ODDITIES_NS
        # Where it waits for its end, which comes at `due_ns`.
        wait_ns = TIME_WAIT_NS
        if state is FIN_WAIT2:
            wait_ns = block.fin_timeout_s * SECOND_NS
        self._line = self._host.clock.line(wait_ns)
        self.due_ns: int | None = None

    @property
    def reuses_address(self) -> bool:
        """SO_REUSEADDR of the socket that it stands in for."""
        return self._settings.reuseaddr

    @property
    def shares_address(self) -> bool:
        """The same: others may have the address."""
        return self._settings.reuseaddr

    @property
    def shares_port(self) -> bool:
        """SO_REUSEPORT of the socket that it stands in for."""
        return self._settings.reuseport

    def take_place(self) -> None:
        """Hold the port and the connection's addresses from now on."""
        self.table.connections[self.key] = self
        self.table.add(self, self.key[0][1])
        self._note(self.state)
        self._line.add(self)

    def _wait(self) -> None:
        """Begin to wait anew."""
        self._line.leave(self)
        if self.state is TIME_WAIT:
            self._line = self._host.clock.line(TIME_WAIT_NS)
        self._line.add(self)

    def leave(self) -> None:
        """Give everything back before its time."""
        self._line.leave(self)
        self.expire()

    def expire(self) -> None:
        """Its time has come: give everything back."""
        if self.table.connections.get(self.key) is self:
            del self.table.connections[self.key]
        self.table.remove(self, self.key[0][1])
        self._note(CLOSE)

    def _note(self, state: State) -> None:
        self._host.wire.note_state(self._host, self.number, *self.key, state.name)

    @property
    def leaves_ns(self) -> int | None:
        """When it leaves."""
        return self.due_ns

    def vanish(self) -> None:
        """Its host has failed."""
        self.leave()

    def receive(self, packet: Packet) -> None:
        """tcp_timewait_state_process."""
        if not isinstance(packet, Segment):
            return
        seq = widen(packet.seq, self.rcv_nxt)
        if self.state is FIN_WAIT2:
            self._receive_in_fin_wait(packet, seq)
        elif packet.flags & RST:
            if seq == self.rcv_nxt:
                self.leave()
        elif self._makes_way_for(packet, seq):
            self._start_anew(packet)
        elif seq != self.rcv_nxt or packet.length:
            self._wait()
            self._answer_oddity(packet)
        else:
            self._wait()

    def _receive_in_fin_wait(self, segment: Segment, seq: int) -> None:
        end = seq + segment.length
        if not self._is_in_window(seq, end):
            self._answer_oddity(segment)
        elif segment.flags & RST:
            self.leave()
        elif segment.flags & SYN and seq >= self.rcv_nxt:
            self._reset(segment)
        elif not segment.flags & ACK or end <= self.rcv_nxt or not segment.length:
            return
        elif not segment.flags & FIN or end != self.rcv_nxt + 1:
            self._reset(segment)
        else:
            self.state = TIME_WAIT
            self._note(self.state)
            self.rcv_nxt = end
            self._wait()
            self._answer()

    def _is_in_window(self, seq: int, end: int) -> bool:
        """tcp_in_window."""
        last = self.rcv_nxt + self._room
        return seq == self.rcv_nxt or (end > self.rcv_nxt and seq < last) or seq == end == last

    def _reset(self, segment: Segment) -> None:
        self.leave()
        self._host.wire.transmit(self._host, reset_for(segment))

    def _makes_way_for(self, segment: Segment, seq: int) -> bool:
        """Whether it opens a new connection, and somebody would accept it."""
        opens = segment.flags & (SYN | ACK) == SYN and seq > self.rcv_nxt
        return opens and self.table.listener(*self.key) is not None

    def _start_anew(self, syn: Segment) -> None:
        """A new connection may take the place (RFC 6191)."""
        self.leave()
        self._host.deliver(syn)

    def _answer_oddity(self, segment: Segment) -> None:
        """Data and FINs always; the rest not often (tcp_oow_rate_limited)."""
        now_ns = self._host.clock.now_ns
        if not segment.length or segment.flags & SYN:
            if now_ns - self._challenged_ns < ODDITIES_NS:
                return
            self._challenged_ns = now_ns
        self._answer()

    def _answer(self) -> None:
        local, remote = self.key
        answer = Segment(
            local,
            remote,
            self.snd_nxt & SEQUENCE_MASK,
            self.rcv_nxt & SEQUENCE_MASK,
            ACK,
            self.window,
        )
        self._host.wire.transmit(self._host, answer)
