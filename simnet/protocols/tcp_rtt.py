"""How long a round trip takes, and the time-out that follows from it (RFC 6298).

The arithmetic is Linux's (tcp_rtt_estimator and __tcp_set_rto in tcp_input.c): smoothed values in
eighths and quarters of a microsecond, a variation that never falls below the least time-out.
Without timestamps only what was sent once is measured (Karn's algorithm).
"""

from __future__ import annotations

# Time-outs are whole jiffies (CONFIG_HZ is 250), rounded up.
JIFFY_US = 4_000
JIFFY_NS = JIFFY_US * 1000

# TCP_TIMEOUT_INIT, TCP_RTO_MIN, TCP_RTO_MAX, and TCP_TIMEOUT_FALLBACK: the time-out of a connection
# whose SYN was repeated, so that nothing is known (RFC 6298, section 5.7).
FIRST_RTO_US = 1_000_000
MIN_RTO_US = 200_000
MAX_RTO_US = 120_000_000
FALLBACK_RTO_US = 3_000_000


def patience_ns(retries: int, first_us: int = MIN_RTO_US) -> int:
    """The time that so many doublings of a time-out take (tcp_model_timeout)."""
    doublings = (MAX_RTO_US // first_us).bit_length() - 1
    quick = min(retries, doublings)
    return (((2 << quick) - 1) * first_us + (retries - quick) * MAX_RTO_US) * 1000


class RoundTrip:
    """The estimate of one connection, in microseconds."""

    __slots__ = ("_deviation4", "_edge", "_largest4", "rto_us", "smoothed8", "variation")

    def __init__(self) -> None:
        # Eight times the smoothed round trip (0: none was measured), four times its deviation, the
        # largest such of this round trip, and what is made of it (srtt_us, mdev_us, mdev_max_us,
        # rttvar_us).
        self.smoothed8 = 0
        self._deviation4 = 0
        self._largest4 = 0
        self.variation = 0
        # The sequence number at which this round trip ends (rtt_seq).
        self._edge = 0
        self.rto_us = FIRST_RTO_US

    def fall_back(self) -> None:
        """Nothing could be measured while the connection opened."""
        self.rto_us = self.variation = self._deviation4 = self._largest4 = FALLBACK_RTO_US

    def measured(self, sample_us: int, acked: int, following: int) -> None:
        """A round trip took so long; `acked` is acknowledged now, `following` is sent next."""
        sample_us = max(1, sample_us)
        if self.smoothed8:
            error = sample_us - (self.smoothed8 >> 3)
            self.smoothed8 += error
            if error < 0:
                error = -error - (self._deviation4 >> 2)
                # A shorter round trip than usual makes the variation grow less.
                if error > 0:
                    error >>= 3
            else:
                error -= self._deviation4 >> 2
            self._deviation4 += error
            self._largest4 = max(self._largest4, self._deviation4)
            self.variation = max(self.variation, self._largest4)
            if acked > self._edge:
                if self._largest4 < self.variation:
                    self.variation -= (self.variation - self._largest4) >> 2
                self._edge = following
                self._largest4 = MIN_RTO_US
        else:
            self.smoothed8 = sample_us << 3
            self._deviation4 = sample_us << 1
            self.variation = self._largest4 = max(self._deviation4, MIN_RTO_US)
            self._edge = following
        jiffies = -(-((self.smoothed8 >> 3) + self.variation) // JIFFY_US)
        self.rto_us = min(jiffies * JIFFY_US, MAX_RTO_US)
