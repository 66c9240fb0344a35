"""SYN cookies: connections that a flooded listener remembers nothing of (syncookies.c).

The initial sequence number of the SYN|ACK carries what is needed to recognise the answer: a hash of
the addresses, and one of four segment sizes. Window scaling does not fit in, so such connections go
without.

Not modelled: the minute counter in the hash. A cookie counts as long as its listener was flooded in
the last two minutes.
"""

from __future__ import annotations

import zlib

from simnet.addresses import InetAddress
from simnet.clock import SECOND_NS
from simnet.decisions import Stream

# The sizes that fit in two bits (msstab), and TCP_SYNCOOKIE_VALID.
_SIZES = (536, 1300, 1440, 1460)
_VALID_NS = 120 * SECOND_NS


class SynCookies:
    """The cookies of one host."""

    __slots__ = ("_flooded_ns", "_secret")

    def __init__(self, stream: Stream) -> None:
        self._secret = stream.bits(32)
        # When listeners were flooded last, by port.
        self._flooded_ns: dict[int, int] = {}

    def issue(
        self, local: InetAddress, remote: InetAddress, seq: int, mss: int, now_ns: int
    ) -> int:
        """An initial sequence number for the answer to a SYN."""
        self._flooded_ns[local[1]] = now_ns
        index = max((i for i, size in enumerate(_SIZES) if size <= mss), default=0)
        return self._hash(local, remote, seq) | index

    def recognise(
        self, local: InetAddress, remote: InetAddress, seq: int, iss: int, now_ns: int
    ) -> int | None:
        """The segment size that was agreed on with a cookie; None if it is none of ours."""
        flooded_ns = self._flooded_ns.get(local[1])
        if flooded_ns is None or now_ns - flooded_ns > _VALID_NS:
            return None
        return _SIZES[iss & 3] if self._hash(local, remote, seq) == iss & ~3 else None

    def _hash(self, local: InetAddress, remote: InetAddress, seq: int) -> int:
        return zlib.crc32(f"{self._secret} {local} {remote} {seq}".encode()) & ~3
