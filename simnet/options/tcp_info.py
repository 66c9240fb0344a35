"""What TCP_INFO shows of a connection (struct tcp_info, linux/tcp.h).

The state and what follows from it are exact. The congestion window, the round trip and what was
repeated are those of a connection whose segments cross a link; on the short cut they are as of a
fresh one. Rates and counters of segments are 0.
"""

from __future__ import annotations

import struct

from simnet.clock import MILLISECOND_NS
from simnet.protocols.tcp_block import DELAYED_ACK_NS, UNSCALED, WINDOW_SCALE, ControlBlock
from simnet.protocols.tcp_flight import Flight
from simnet.protocols.tcp_states import SYNCHRONIZED, State

# The length of the structure on Linux 6.18; what is beyond the fields below is 0.
SIZE = 256
_HEAD = struct.Struct("8B24I")
_TAIL = struct.Struct("4Q6I")
_OPTION_WSCALE = 4
_MIN_RTT_UNKNOWN = 2**32 - 1
_REORDERING = 3
_NO_PACING_LIMIT = 2**64 - 1


def tcp_info(tcp: ControlBlock) -> bytes:
    """The structure for a socket now."""
    unacked, sacked = _queued(tcp)
    connected = tcp.state in SYNCHRONIZED
    since_received_ms = since_sent_ms = 0
    flight = tcp.flight if tcp.flight is not None else Flight(tcp.clock, lambda: None)
    round_trip = flight.round_trip
    now_ns = tcp.clock.now_ns
    if connected:
        since_received_ms = (now_ns - tcp.last_received_ns) // MILLISECOND_NS
        since_sent_ms = (now_ns - flight.last_sent_ns) // MILLISECOND_NS
    head = _HEAD.pack(
        tcp.state,
        flight.mode,
        flight.time_outs,
        flight.probes,
        flight.backoff,
        _OPTION_WSCALE if connected else 0,
        (tcp.snd_wscale & 0xF) | (tcp.rcv_wscale & 0xF) << 4,
        1,  # delivery rate limited by the application
        0 if tcp.state is State.LISTEN else flight.time_out_ns() // 1000,
        DELAYED_ACK_NS // 1000 if connected else 0,
        tcp.mss if tcp.state is not State.LISTEN else 0,
        tcp.rcv_mss if connected else 0,
        unacked,
        sacked,
        flight.lost,
        flight.again,
        0,  # fackets, no longer used
        since_sent_ms,
        0,  # since an acknowledgement was sent, never used
        since_received_ms,
        (now_ns - flight.heard_ns) // MILLISECOND_NS if connected else 0,
        tcp.path_mtu if connected else 0,
        min(tcp.rcvbuf, UNSCALED << WINDOW_SCALE) if connected else 0,
        round_trip.smoothed8 >> 3,
        round_trip.variation >> 2,
        flight.threshold if tcp.state is not State.LISTEN else 0,
        flight.window,
        tcp.path_mss if connected else 0,
        _REORDERING,
        0,  # round trip as the receiver sees it
        0,  # receiver's space
        flight.repeats,
    )
    tail = _TAIL.pack(
        _NO_PACING_LIMIT,
        _NO_PACING_LIMIT,
        max(0, tcp.snd_una - tcp.iss - 1) if connected else 0,
        0,  # bytes received: not counted
        0,  # segments out
        0,  # segments in
        tcp.unsent.length,
        _MIN_RTT_UNKNOWN,
        0,  # data segments in
        0,  # data segments out
    )
    return (head + tail).ljust(SIZE, b"\0")


def _queued(tcp: ControlBlock) -> tuple[int, int]:
    """Segments in flight; for a listener, connections that wait and how many may."""
    if tcp.state is State.LISTEN:
        return len(tcp.accept_queue or ()), tcp.backlog
    return -(-(tcp.snd_nxt - tcp.snd_una) // max(1, tcp.mss)), 0
