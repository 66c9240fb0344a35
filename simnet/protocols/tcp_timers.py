"""TCP's timers: repeating what was lost, probing a closed window, keepalive (tcp_timer.c).

How long each goes on before the connection is given up is Linux's: counts of the host's limits
(`tcp_retries2` and its kin) stand for the time that so many doublings from 200 ms would take, and
TCP_USER_TIMEOUT takes the place of all of them. The error is ETIMEDOUT, or what a router said
meanwhile.

Not modelled: a limit of the memory that orphans take (tcp_max_orphans), thin streams, repeating
several small segments as one (tcp_retrans_collapse).
"""

from __future__ import annotations

import errno

from simnet import constants
from simnet.clock import SECOND_NS, Alarm
from simnet.protocols.tcp_flight import Flight, Sent
from simnet.protocols.tcp_output import Output
from simnet.protocols.tcp_rtt import JIFFY_NS, MAX_RTO_US, MIN_RTO_US, patience_ns
from simnet.protocols.tcp_states import SYNCHRONIZED
from simnet.wire import ACK

_KEEPIDLE = (constants.IPPROTO_TCP, 4)
_KEEPINTVL = (constants.IPPROTO_TCP, 5)
_KEEPCNT = (constants.IPPROTO_TCP, 6)

# An orphan is repeated so often where tcp_orphan_retries is 0 (tcp_orphan_retries()).
_ORPHAN_RETRIES = 8


class Timers(Output):
    """A control block that does not give up at once."""

    __slots__ = ()

    def alarm_rings(self) -> None:
        flight = self.flight
        if flight is None:
            return
        if flight.sent:
            self._time_out(flight)
        elif self.has_more_to_send:
            self._probe_window(flight)
        self.flush()

    def give_up(self, error: int) -> None:
        """The peer is not there any more (tcp_write_err)."""

    # Repeating

    def _time_out(self, flight: Flight) -> None:
        """The oldest segment was not acknowledged in time (tcp_retransmit_timer)."""
        if flight.time_outs and self._is_hopeless(flight):
            self.give_up(flight.soft_error or errno.ETIMEDOUT)
            return
        flight.struck(self.snd_nxt)
        self.repeat_lost()
        flight.backoff += 1
        flight.time_outs += 1
        now_ns = self.clock.now_ns
        wait_ns = flight.time_out_ns()
        limit_ns = self.user_timeout_ns()
        if limit_ns:
            wait_ns = min(wait_ns, max(JIFFY_NS, flight.first_repeat_ns + limit_ns - now_ns))
        flight.alarm.set(now_ns + wait_ns)

    def _is_hopeless(self, flight: Flight) -> bool:
        """Whether it was repeated long enough (tcp_write_timeout)."""
        limit_ns = self.user_timeout_ns()
        if not limit_ns:
            most = self.host.limits.tcp_retries2
            limit_ns = patience_ns(self._orphan_retries(flight) if self.orphan else most)
        return self.clock.now_ns - flight.first_repeat_ns >= limit_ns

    def _orphan_retries(self, flight: Flight) -> int:
        alive = flight.time_out_ns() < MAX_RTO_US * 1000
        if flight.soft_error and not alive:
            return 0
        retries = self.host.limits.tcp_orphan_retries
        return _ORPHAN_RETRIES if not retries and alive else retries

    def repeat_lost(self) -> None:
        """Send again what counts as lost, as far as the congestion window goes."""
        flight = self.flight
        if flight is None:
            return
        while (segment := flight.next_to_repeat(self.mss)) is not None:
            self._repeat(segment)

    def _repeat(self, sent: Sent) -> None:
        flags, urgent = self.urgency(sent.flags, sent.seq)
        segment = self.segment(flags, sent.seq, sent.payload, urgent)
        self.acknowledged_now()
        self.transmit(segment)

    def path_shrank(self) -> None:
        """A router said that our segments are too large: send them again, smaller."""
        mss = self.path_mss
        if mss < self.mss and self.state in SYNCHRONIZED:
            self.mss = mss
            if self.flight is not None:
                self.flight.smaller_segments(mss)
                self.repeat_lost()

    # Probing a closed window

    def await_window(self) -> None:
        """The peer takes no more, and nothing is under way whose acknowledgement would say so.

        (tcp_check_probe_timer)
        """
        flight = self.need_flight()
        if not flight.sent and flight.alarm.due_ns is None:
            self._set_probe(flight)

    def _set_probe(self, flight: Flight, settled: bool = False) -> None:
        now_ns = self.clock.now_ns
        wait_ns = max(flight.time_out_ns(), MIN_RTO_US * 1000)
        limit_ns = self.user_timeout_ns()
        if limit_ns and flight.probing_since_ns is not None:
            wait_ns = min(wait_ns, max(JIFFY_NS, flight.probing_since_ns + limit_ns - now_ns))
        # Without an answer it ends in an error; answered, it goes on for ever.
        forever = not flight.probes and not limit_ns
        flight.alarm.set(
            now_ns + wait_ns, background=forever, awaited=forever, settled=settled and forever
        )

    def _probe_window(self, flight: Flight) -> None:
        """tcp_probe_timer, tcp_send_probe0."""
        now_ns = self.clock.now_ns
        if flight.probing_since_ns is None:
            flight.probing_since_ns = now_ns
        limit_ns = self.user_timeout_ns()
        most = self.host.limits.tcp_retries2
        hopeless = limit_ns > 0 and now_ns - flight.probing_since_ns >= limit_ns
        if self.orphan:
            most = self._orphan_retries(flight)
            alive = flight.time_out_ns() < MAX_RTO_US * 1000
            hopeless = hopeless or (not alive and flight.backoff >= most)
        if hopeless or flight.probes >= most:
            self.give_up(flight.soft_error or errno.ETIMEDOUT)
            return
        if flight.backoff < self.host.limits.tcp_retries2:
            flight.backoff += 1
        flight.probes += 1
        self._send_probe()
        self._set_probe(flight)

    def _send_probe(self) -> None:
        """A segment that the peer has had, so that it repeats its acknowledgement and window."""
        segment = self.segment(ACK, self.snd_una - 1)
        self.acknowledged_now()
        self.transmit(segment)

    def heard_from_peer(self, flight: Flight) -> None:
        """An acknowledgement came, whatever it says: the peer lives."""
        flight.heard_ns = self.clock.now_ns
        flight.soft_error = 0
        probes, flight.probes = flight.probes, 0
        if not flight.sent and flight.alarm.due_ns is not None:
            if self.snd_edge > self.snd_nxt or not self.has_more_to_send:
                # The window is open (tcp_ack_probe).
                flight.probing_since_ns = None
                flight.backoff = 0
                flight.alarm.clear()
            elif probes:
                self._set_probe(flight, settled=True)
        if probes and self.keepalive is not None and self.keepalive.due_ns is not None:
            self.keepalive.set(self.keepalive.due_ns, background=True)

    # Keepalive

    def set_keepalive(self, on: bool) -> None:
        """SO_KEEPALIVE; the first silence counts from now on (tcp_set_keepalive)."""
        before = self.settings.keepalive
        self.set(keepalive=on)
        if on and not before:
            self.watch_peer()
        elif not on and self.keepalive is not None:
            self.keepalive.stop()
            self.keepalive = None

    def watch_peer(self) -> None:
        """Probe the peer after every long silence: begin, or look when it has been long enough.

        (keepalive_time_when, tcp_sock_set_keepidle_locked)
        """
        if not self.settings.keepalive or self.state not in SYNCHRONIZED:
            return
        flight = self.need_flight()
        since_ns = self._last_heard_ns(flight)
        if self.keepalive is None:
            self.keepalive = Alarm(self.clock, self._keepalive_rings)
            since_ns = self.clock.now_ns
        idle_ns = self._keepalive_setting(_KEEPIDLE, self.host.limits.tcp_keepalive_time)
        self.keepalive.set(max(self.clock.now_ns, since_ns + idle_ns), background=True)

    def _keepalive_setting(self, name: tuple[int, int], default: int) -> int:
        return int(self.settings.kept.get(name, 0) or default) * SECOND_NS

    def _last_heard_ns(self, flight: Flight) -> int:
        return max(flight.heard_ns, self.last_received_ns)

    def _keepalive_rings(self) -> None:
        """tcp_keepalive_timer."""
        flight, alarm = self.flight, self.keepalive
        if flight is None or alarm is None or self.state not in SYNCHRONIZED:
            return
        limits = self.host.limits
        idle_ns = self._keepalive_setting(_KEEPIDLE, limits.tcp_keepalive_time)
        now_ns = self.clock.now_ns
        if flight.sent or self.has_more_to_send:
            # Their own timer finds out.
            alarm.set(now_ns + idle_ns, background=True)
            return
        silent_ns = now_ns - self._last_heard_ns(flight)
        if silent_ns < idle_ns:
            alarm.set(now_ns + idle_ns - silent_ns, background=True, settled=flight.watched)
            flight.watched = False
            return
        limit_ns = self.user_timeout_ns()
        most = int(self.settings.kept.get(_KEEPCNT, 0) or limits.tcp_keepalive_probes)
        if flight.probes and (silent_ns >= limit_ns if limit_ns else flight.probes >= most):
            self.send_reset()
            self.give_up(flight.soft_error or errno.ETIMEDOUT)
        else:
            flight.probes += 1
            flight.watched = True
            alarm.set(now_ns + self._keepalive_setting(_KEEPINTVL, limits.tcp_keepalive_intvl))
            self._send_probe()
        self.flush()
