"""Packets that cross in other pieces, or in another order, than they were sent in."""

from __future__ import annotations

from functools import partial

from simnet.nastiness.base import DELAYS_NS, OpenVariation
from simnet.protocols.tcp import Tcp
from simnet.protocols.tcp_block import SEQUENCE_MASK
from simnet.protocols.udp import Udp
from simnet.wire import FIN, PSH, URG, Datagram, Segment

SEGMENTS, REORDERING = "segments", "reordering"


class Segments(OpenVariation, Tcp):
    """TCP segments that are split at any byte, or arrive together with those after them.

    RFC 9293, section 3.8: segments are cut as the sender, a proxy or a network card likes it, and
    IP keeps no order. A segment is sent in two, the second of which comes a little later; or all of
    it does, and what follows waits for it in the receiver's kernel, so that everything is there at
    once. Readers wake up with half a message, or with two. On the loopback too, where processors do
    the same among themselves.

    It does what short_reads does by other means: bytes that are not read have not come, so also
    MSG_WAITALL, SO_RCVLOWAT and readiness see them come. Such a world takes no short cut.
    """

    def transmit(self, segment: Segment) -> None:
        size = len(segment.payload)
        if not size or segment.flags & URG or not self.strikes(SEGMENTS, 3):
            super().transmit(segment)
            return
        delay_ns = self.one_of(SEGMENTS, DELAYS_NS)
        # How much of it comes at once.
        cut = self.below(SEGMENTS, size)
        if cut:
            whole, head = segment.payload, segment.flags & ~(FIN | PSH)
            super().transmit(segment._replace(payload=whole[:cut], flags=head))
            seq = (segment.seq + cut) & SEQUENCE_MASK
            segment = segment._replace(payload=whole[cut:], seq=seq)
        self.clock.call_after(delay_ns, partial(self._transmit_late, segment))

    def _transmit_late(self, segment: Segment) -> None:
        super().transmit(segment)
        self.flush()


class Reordering(OpenVariation, Udp):
    """Datagrams that are overtaken: each may come a little later than it should.

    udp(7): "no guarantees that the packets will reach the destination [...] in order". On the
    loopback too: a sender that moves from one processor to another leaves its packets there. Unix
    datagrams keep their order, as Linux says (unix(7)).
    """

    def transmit(self, envelope: Datagram, data: bytes, keep_route: bool = False) -> None:
        if self.strikes(REORDERING, 4):
            late = partial(super().transmit, envelope, data)
            self.host.clock.call_after(self.one_of(REORDERING, DELAYS_NS), late)
            self.write_space()
        else:
            # A route that is remembered is a short cut.
            super().transmit(envelope, data)
