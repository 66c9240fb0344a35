"""TCP's system calls (tcp.c, and af_inet.c above it)."""

from __future__ import annotations

import errno
from collections.abc import Sequence

from simnet import constants
from simnet.addresses import IP, InetAddress, is_ipv4, is_loopback, is_multicast
from simnet.errors import os_error
from simnet.ports import Bound
from simnet.protocols.base import (
    RCV_SHUTDOWN,
    SEND_SHUTDOWN,
    Ancillary,
    Endpoint,
    Received,
)
from simnet.protocols.tcp_block import ControlBlock, SocketState, Urgent
from simnet.protocols.tcp_shortcut import ShortCut
from simnet.protocols.tcp_stand_in import StandIn
from simnet.protocols.tcp_states import (
    CLOSE,
    CLOSE_WAIT,
    CLOSING,
    ESTABLISHED,
    FIN_WAIT1,
    FIN_WAIT2,
    LAST_ACK,
    LISTEN,
    MAY_SEND,
    SYN_RECV,
    SYN_SENT,
    TIME_WAIT,
    Event,
)
from simnet.queues import EMPTY, ByteQueue
from simnet.readiness import (
    POLLERR,
    POLLHUP,
    POLLIN,
    POLLOUT,
    POLLPRI,
    POLLRDHUP,
    POLLRDNORM,
    POLLWRNORM,
)

_OPENING = (SYN_SENT, SYN_RECV)


class Tcp(ShortCut):
    """A TCP socket's endpoint."""

    __slots__ = ()

    # Listening

    def listen(self, backlog: int) -> None:
        if self.socket_state != SocketState.UNCONNECTED or self.state not in (
            CLOSE,
            LISTEN,
        ):
            raise os_error(errno.EINVAL)
        self.backlog = min(backlog, self.host.somaxconn)
        if self.state is LISTEN:
            return
        self.follow(Event.PASSIVE_OPEN)
        held = self.port
        if not (self.table.is_free(self, held) if held else self.take_port(0)):
            self.state = CLOSE
            raise os_error(errno.EADDRINUSE)
        self.incoming = {}
        self.accept_queue = {}
        self.table.start_listening(self, self.port)

    def accept(self) -> tuple[Endpoint, InetAddress] | None:
        if self.state is not LISTEN:
            raise os_error(errno.EINVAL)
        assert self.accept_queue is not None
        if not self.accept_queue:
            return None
        child = next(iter(self.accept_queue))
        del self.accept_queue[child]
        child.listener = None
        child.socket_state = SocketState.CONNECTED
        assert child.remote is not None
        return child, child.remote

    def put_back(self, child: Tcp) -> None:
        assert self.accept_queue is not None
        child.listener = self
        child.socket_state = SocketState.UNCONNECTED
        self.accept_queue = {child: None, **self.accept_queue}

    def _stop_listening(self) -> None:
        """Reset who was not accepted yet (inet_csk_listen_stop)."""
        self.table.stop_listening(self, self.shown_port)
        waiting, self.accept_queue = self.accept_queue or {}, None
        incoming, self.incoming = self.incoming or {}, None
        for child in [*waiting, *incoming.values()]:
            child.orphan = True
            child.abandon()

    # Connecting

    def connect(self, address: InetAddress) -> bool:
        if self.socket_state == SocketState.CONNECTED:
            raise os_error(errno.EISCONN)
        if self.socket_state == SocketState.DISCONNECTING:
            raise os_error(errno.EINVAL)
        if self.socket_state == SocketState.CONNECTING:
            if self.state in _OPENING:
                raise os_error(errno.EALREADY)
            return self._connect_ended()
        if self.state is not CLOSE:
            raise os_error(errno.EISCONN)
        self._open_to(address)
        self.socket_state = SocketState.CONNECTING
        return False

    def finish_connect(self) -> bool:
        """The outcome of an attempt: True, or False while it goes on, or its error."""
        if self.state is ESTABLISHED:
            self.socket_state = SocketState.CONNECTED
            return True
        return self.state not in _OPENING and self._connect_ended()

    def _connect_ended(self) -> bool:
        if self.state is CLOSE:
            error = self.take_error() or errno.ECONNABORTED
            self.socket_state = SocketState.UNCONNECTED
            self.abandon()
            raise os_error(error)
        self.socket_state = SocketState.CONNECTED
        return True

    def _open_to(self, address: InetAddress) -> None:
        """Choose both names and send the SYN (tcp_v4_connect)."""
        ip, source = self._route_to(address[0])
        remote = ip, address[1]
        local_port = self.port or self._choose_port(source, remote)
        key = (source, local_port), remote
        earlier = self.table.connections.get(key)
        if not local_port or not (earlier is None or _gives_way(earlier, ip)):
            self.remote = None
            raise os_error(errno.EADDRNOTAVAIL)
        self.bound_ip = self.shown_ip = source
        self.remote = remote
        if not self.port:
            self.ephemeral = True
            self._hold_port(local_port)
        if isinstance(earlier, StandIn):
            earlier.leave()
        self.table.connections[key] = self
        self.error = 0
        self.done = False
        self.flight = None
        self.choose_iss()
        four = is_ipv4(ip)
        if four:
            self.opened_ipv4 = True
        if (self.opened_ipv4 and not four) or not self.open_directly(*key):
            self.follow(Event.ACTIVE_OPEN)
            self.syn_attempts = 0
            self.open()
            self.flush()

    def _route_to(self, ip: IP) -> tuple[IP, IP]:
        """What a destination means, and the address to reach it from; the host keeps both."""
        key = self.shown_ip, self.v6only, ip
        route = self.host.routes.get(key)
        if route is None:
            meant = self.reachable(ip)
            if is_multicast(meant) or self.host.is_broadcast(meant):
                raise os_error(errno.ENETUNREACH)
            route = self.host.routes[key] = meant, self.source_for(meant)
        return route

    def _choose_port(self, source: str, remote: InetAddress) -> int:
        port = self.table.next_port(odd=False)
        if port is not None:
            return port

        def acceptable(port: int) -> bool:
            other = self.table.connections.get(((source, port), remote))
            return (other is None or _gives_way(other, remote[0])) and all(
                _is_ephemeral(member) for member in self.table.members(port)
            )

        return self.table.free_port(acceptable, odd=False) or 0

    def opening_timed_out(self) -> None:
        soft_error = self.flight.soft_error if self.flight is not None else 0
        self.abort(soft_error or errno.ETIMEDOUT)

    def abandon(self) -> None:
        """Become as new, without a word where none is due (tcp_disconnect)."""
        before = self.state
        if before is LISTEN:
            self.follow(Event.RESET)
            self._stop_listening()
        elif self.needs_reset() or (self.has_more_to_send and before in (CLOSING, LAST_ACK)):
            self.send_reset()
            self.error = errno.ECONNRESET
        elif before is SYN_SENT:
            self.error = errno.ECONNRESET
        if self.state is not CLOSE:
            self.follow(Event.RESET)
        self.queue.clear()
        self.forget_unsent()
        self.out_of_order = None
        self.forget_urgent()
        self.remote = None
        self.peer = None
        self.forget_source()
        self.shut = 0
        self.done = False
        self.forget_acknowledging()
        self.state_changed()
        self.flush()

    def disconnect(self) -> None:
        self.abandon()
        self.socket_state = SocketState.UNCONNECTED

    def take_error(self) -> int:
        error = super().take_error()
        if not error and self.flight is not None:
            # What a router said, which has ended nothing yet (sk_err_soft).
            error, self.flight.soft_error = self.flight.soft_error, 0
        return error

    def may_rebind(self) -> bool:
        return self.state is CLOSE and not self.port

    # Sending

    def send(
        self,
        data: bytes | memoryview,
        flags: int,
        address: InetAddress | None = None,
        ancillary: Sequence[Ancillary] = (),
    ) -> int | None:
        if self.state not in MAY_SEND:
            self.raise_pending()
            if self.state in _OPENING:
                return None
            raise os_error(errno.EPIPE)
        if self.error or self.shut & SEND_SHUTDOWN:
            self.raise_pending()
            raise os_error(errno.EPIPE)
        if not len(data):
            return 0
        count = min(len(data), self.send_room())
        if count < len(data):
            self.wants_room = True
        if not count:
            return None
        if self.unsent is EMPTY:
            self.unsent = ByteQueue()
        self.unsent.append(bytes(data[:count]))
        if flags & constants.MSG_OOB and count == len(data):
            self.urgent_send_edge = self.write_edge
            self.leave_quick_path()
        corked = self.corked
        self.corked = corked or bool(flags & constants.MSG_MORE)
        self.send_queued()
        self.corked = corked
        if self.unsent.length:
            self.leave_quick_path()
        self.flush()
        self.look_for_quick_path()
        return count

    def send_goes_on(self, sent: int) -> bool:
        # After some progress the count is the answer, and the error is for the next call.
        ended = self.error or self.shut & SEND_SHUTDOWN or self.state not in MAY_SEND
        return not (sent and ended)

    # Receiving

    def recv(self, size: int, flags: int, ancillary_size: int = 0) -> Received | None:
        if flags & constants.MSG_ERRQUEUE:
            raise os_error(errno.EAGAIN)
        if self.state is LISTEN:
            raise os_error(errno.ENOTCONN)
        if flags & constants.MSG_OOB:
            return self._receive_urgent(size, flags)
        waiting = self.queue.length
        data, length = self._read(size, flags)
        if length or (waiting and not size):
            return Received(data, length=length)
        if self.done:
            return Received(b"")
        self.raise_pending()
        if self.shut & RCV_SHUTDOWN:
            return Received(b"")
        if self.state is CLOSE:
            raise os_error(errno.ENOTCONN)
        return None

    def _read(self, size: int, flags: int) -> tuple[bytes, int]:
        """Bytes up to the urgent mark, and past an urgent byte that stands first."""
        queue = self.queue
        skip = 0
        if self.urgent:
            mark = self.urgent_seq - self.read_edge
            if mark == 0 and queue.length and size and not self.oobinline:
                skip = 1
                after = queue.length - 1
            elif mark <= 0 and self.oobinline:
                after = queue.length
            else:
                after = min(mark, queue.length) if mark > 0 else queue.length
            size = min(size, after)
        if flags & constants.MSG_PEEK:
            data = queue.peek(size, skip)
            return data, len(data)
        queue.drop(skip)
        if flags & constants.MSG_TRUNC:
            length = min(size, queue.length)
            queue.drop(length)
            data = b""
        else:
            data = queue.take(size)
            length = len(data)
        if self.urgent and self.read_edge > self.urgent_seq:
            self.forget_urgent()
        if length:
            self.after_reading()
        return data, length

    def _receive_urgent(self, size: int, flags: int) -> Received | None:
        """tcp_recv_urg."""
        if self.oobinline or self.urgent in (Urgent.NONE, Urgent.READ):
            raise os_error(errno.EINVAL)
        if self.state is CLOSE and not self.done:
            raise os_error(errno.ENOTCONN)
        if self.urgent == Urgent.VALID:
            if not flags & constants.MSG_PEEK:
                self.urgent = Urgent.READ
            if not size:
                return Received(b"", flags=constants.MSG_OOB | constants.MSG_TRUNC)
            return Received(self.urgent_byte, flags=constants.MSG_OOB, length=1)
        if self.state is CLOSE or self.shut & RCV_SHUTDOWN:
            return Received(b"")
        return None

    def recv_goes_on(self) -> bool:
        # An error that came meanwhile is for the next call.
        return bool(self.queue.length) or self.may_bring_more()

    def may_bring_more(self) -> bool:
        at_mark = self.urgent and self.urgent_seq == self.read_edge
        return not (at_mark or self.error or self.state is CLOSE or self.shut & RCV_SHUTDOWN)

    # ioctl(2)

    def input_length(self) -> int:
        """tcp_inq: up to the urgent byte, unless that is read inline."""
        self._check_not_listening()
        left = self.queue.length
        mark = self.urgent_seq - self.read_edge
        stops = self.urgent and not self.oobinline and 0 <= mark < left
        return mark if stops else left

    def output_length(self) -> int:
        self._check_not_listening()
        return 0 if self.state in _OPENING else self.write_edge - self.snd_una

    def at_mark(self) -> bool:
        return bool(self.urgent) and self.urgent_seq == self.read_edge

    def _check_not_listening(self) -> None:
        if self.state is LISTEN:
            raise os_error(errno.EINVAL)

    # Ending

    def shutdown(self, how: int) -> None:
        if self.socket_state == SocketState.CONNECTING:
            opening = self.state in (SYN_SENT, SYN_RECV, CLOSE)
            self.socket_state = SocketState.DISCONNECTING if opening else SocketState.CONNECTED
        halves = how + 1
        not_connected = self.state is CLOSE
        if self.state is SYN_SENT or (self.state is LISTEN and halves & RCV_SHUTDOWN):
            self.abandon()
            self.socket_state = SocketState.UNCONNECTED
        elif self.state is not LISTEN:
            self.shut |= halves
            self.leave_quick_path()
            if halves & SEND_SHUTDOWN and self.state in (ESTABLISHED, CLOSE_WAIT):
                self.close_sending_half()
        self.state_changed()
        self.flush()
        if not_connected:
            raise os_error(errno.ENOTCONN)

    def close_sending_half(self) -> None:
        """Say that no more will come."""
        if not self.finish_directly():
            self.follow(Event.FIN_SENT)
            self.send_fin()

    def close(self) -> None:
        self.shut = RCV_SHUTDOWN | SEND_SHUTDOWN
        self.orphan = True
        if self.state is LISTEN:
            self.follow(Event.RESET)
            self._stop_listening()
        elif self.state is not CLOSE:
            self._close_connection()
        if self.state is CLOSE:
            self.port_locked = False
            if self.port:
                self.give_port_back()
        if self.waiters:
            self.state_changed()
        self.flush()

    def _close_connection(self) -> None:
        """tcp_close, for each kind of end."""
        if self.queue.length:
            self.send_reset()
            self.follow(Event.RESET)
        elif self.settings.linger_s == 0:
            self.port_locked = False
            self.abandon()
            self.shut = RCV_SHUTDOWN | SEND_SHUTDOWN
        elif self.state is SYN_SENT:
            self.follow(Event.RESET)
        elif self.state in MAY_SEND:
            self.port_locked = False
            self.close_sending_half()
        elif self.state is FIN_WAIT2:
            self.nobody_waits_for_fin()
        else:
            # Also a simultaneous open that is half made: the FIN waits until it is complete.
            self.port_locked = False

    def lingers(self) -> bool:
        return bool(self.settings.linger_s) and self.state in (
            FIN_WAIT1,
            CLOSING,
            LAST_ACK,
        )

    # Names, options, readiness

    def getpeername(self) -> InetAddress:
        self.require_connected()
        assert self.remote is not None
        return self.remote

    @property
    def shares_port(self) -> bool:
        # Linux remembers in the port itself that its first holder had it (tb->fastreuseport).
        return self.settings.reuseport or self.held_with_reuseport

    def set_nodelay(self, on: bool) -> None:
        """TCP_NODELAY; switching it on sends what waits."""
        self.nodelay = on
        if on:
            self._send_what_waits_now()

    def set_cork(self, on: bool) -> None:
        """TCP_CORK; pulling it sends what nothing else holds (__tcp_sock_set_cork)."""
        self.corked = on
        self.leave_quick_path()
        if not on and self.state in MAY_SEND:
            self.send_queued()
            self.flush()

    def _send_what_waits_now(self) -> None:
        if self.unsent.length and self.state in MAY_SEND:
            self.push()
            self.flush()

    def poll(self) -> int:
        state, shut = self.state, self.shut
        if state is LISTEN:
            return POLLIN | POLLRDNORM if self.accept_queue else 0
        if state is ESTABLISHED and not (shut or self.urgent or self.error or self.flight):
            # The commonest: nothing special.
            mask = POLLIN | POLLRDNORM if self.queue.length >= self.settings.rcvlowat else 0
            if self.is_writable():
                return mask | POLLOUT | POLLWRNORM
            self.wants_room = True
            return mask
        mask = 0
        if shut == RCV_SHUTDOWN | SEND_SHUTDOWN or state is CLOSE:
            mask |= POLLHUP
        if shut & RCV_SHUTDOWN:
            mask |= POLLIN | POLLRDNORM | POLLRDHUP
        if state not in _OPENING:
            target = self.settings.rcvlowat
            if self.urgent and self.urgent_seq == self.read_edge and not self.oobinline:
                target += 1
            if self.queue.length >= target:
                mask |= POLLIN | POLLRDNORM
            if shut & SEND_SHUTDOWN or self.is_writable():
                mask |= POLLOUT | POLLWRNORM
            else:
                self.wants_room = True
            if self.urgent == Urgent.VALID:
                mask |= POLLPRI
        if self.error or (self.flight is not None and self.flight.error_queued):
            mask |= POLLERR
        return mask


def _gives_way(holder: Bound, remote_ip: IP) -> bool:
    """Whether a new connection may have its addresses: TIME_WAIT on loopback (tcp_tw_reuse 2)."""
    return isinstance(holder, StandIn) and holder.state is TIME_WAIT and is_loopback(remote_ip)


def _is_ephemeral(member: Bound) -> bool:
    return isinstance(member, (StandIn, ControlBlock)) and member.ephemeral
