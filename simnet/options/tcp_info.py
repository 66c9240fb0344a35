"""What TCP_INFO shows of a connection (struct tcp_info, linux/tcp.h).

The state and what follows from it are exact. Counters of retransmissions are 0, as nothing is lost
on one host; times, rates and the congestion window are those of a fresh socket.
"""

from __future__ import annotations

import struct

from simnet.clock import MILLISECOND_NS
from simnet.protocols.tcp_block import DELAYED_ACK_NS, UNSCALED, WINDOW_SCALE, ControlBlock
from simnet.protocols.tcp_states import SYNCHRONIZED, State

# The length of the structure on Linux 6.18; what is beyond the fields below is 0.
SIZE = 256
_HEAD = struct.Struct("8B24I")
_TAIL = struct.Struct("4Q6I")
_OPTION_WSCALE = 4
# A fresh socket's: time-out and round trip in microseconds, windows in segments.
_RTO_US = 1_000_000
_MIN_RTT_UNKNOWN = 2**32 - 1
_CWND = 10
_SSTHRESH = 2**31 - 1
_REORDERING = 3
_NO_PACING_LIMIT = 2**64 - 1


def tcp_info(tcp: ControlBlock) -> bytes:
    """The structure for a socket now."""
    unacked, sacked = _queued(tcp)
    connected = tcp.state in SYNCHRONIZED
    since_received_ms = 0
    if connected:
        since_received_ms = (tcp.host.clock.now_ns - tcp.last_received_ns) // MILLISECOND_NS
    head = _HEAD.pack(
        tcp.state,
        0,  # congestion avoidance state: open
        0,  # retransmits
        0,  # probes
        0,  # backoff
        _OPTION_WSCALE if connected else 0,
        (tcp.snd_wscale & 0xF) | (tcp.rcv_wscale & 0xF) << 4,
        1,  # delivery rate limited by the application
        0 if tcp.state is State.LISTEN else _RTO_US,
        DELAYED_ACK_NS // 1000 if connected else 0,
        tcp.mss if tcp.state is not State.LISTEN else 0,
        tcp.rcv_mss if connected else 0,
        unacked,
        sacked,
        0,  # lost
        0,  # retransmitted
        0,  # fackets, no longer used
        0,  # milliseconds since data was sent
        0,  # since an acknowledgement was sent, never used
        since_received_ms,
        since_received_ms,
        tcp.path_mss if connected else 0,
        min(tcp.rcvbuf, UNSCALED << WINDOW_SCALE) if connected else 0,
        0,  # smoothed round trip
        0,  # its variation
        _SSTHRESH if tcp.state is not State.LISTEN else 0,
        _CWND,
        tcp.path_mss if connected else 0,
        _REORDERING,
        0,  # round trip as the receiver sees it
        0,  # receiver's space
        0,  # all retransmissions
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
