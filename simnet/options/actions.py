"""The socket options that take more than a value to store, as places for the tables.

Modelled after Linux (sock.c, tcp.c, ip_sockglue.c, ipv6_sockglue.c); numbers measured on 6.18.
"""

from __future__ import annotations

import errno
import socket
import struct
from collections.abc import Callable
from typing import Any, cast

from simnet.addresses import is_ipv4
from simnet.errors import os_error
from simnet.options.tcp_info import tcp_info
from simnet.options.values import INT_MAX, Kind, Place, keep, kept_at, kind_of
from simnet.protocols.base import Endpoint
from simnet.protocols.inet import InetEndpoint
from simnet.protocols.tcp import Tcp
from simnet.protocols.tcp_states import State
from simnet.protocols.udp import Udp
from simnet.protocols.unix_base import UnixEndpoint
from simnet.readiness import POLLIN, POLLRDNORM
from simnet.wire import ETH0, LO

# Half of SOCK_MIN_SNDBUF and SOCK_MIN_RCVBUF: a size is doubled to make room for overhead.
_LEAST_SNDBUF = 4608
_LEAST_RCVBUF = 2304
# Timeouts are counted in jiffies of 1/250 second, up to MAX_SCHEDULE_TIMEOUT of them.
_SECOND_NS = 1_000_000_000
_JIFFY_NS = _SECOND_NS // 250
_MOST_SECONDS = (2**63 - 1) // 250
_NO_CREDENTIALS = (0, -1, -1)
_SND_LOCK, _RCV_LOCK = 1, 2
SO_LINGER = (socket.SOL_SOCKET, socket.SO_LINGER)
SO_PRIORITY = (socket.SOL_SOCKET, socket.SO_PRIORITY)
IP_TOS = (socket.IPPROTO_IP, socket.IP_TOS)
# Priorities by bits 1 to 4 of the type of service (ip_tos2prio in route.c).
_PRIORITIES = (0, 0, 0, 0, 2, 2, 2, 2, 6, 6, 6, 6, 4, 4, 4, 4)


# Identity


def _protocol(endpoint: Endpoint) -> int:
    kind = kind_of(endpoint)
    if kind & Kind.UNIX:
        return 0
    return socket.IPPROTO_TCP if kind & Kind.TCP else socket.IPPROTO_UDP


def _peercred(endpoint: Endpoint) -> tuple[int, int, int]:
    return endpoint.peercred if isinstance(endpoint, UnixEndpoint) else _NO_CREDENTIALS


# What streams show of groups: an accepted one, what its peer's SYN came with (tcp_v4_syn_recv_sock,
# tcp_v6_syn_recv_sock).


def _group_hops4(endpoint: Endpoint) -> int:
    assert isinstance(endpoint, Tcp)
    return (is_ipv4(endpoint.shown_ip) and endpoint.syn_hops) or 1


def _group_hops6(endpoint: Endpoint) -> int:
    assert isinstance(endpoint, Tcp)
    return endpoint.syn_hops or 1


def _group_interface(endpoint: Endpoint) -> int:
    assert isinstance(endpoint, Tcp)
    if not endpoint.syn_hops:
        return 0
    remote = endpoint.remote
    return LO if remote is None or endpoint.host.is_local(remote[0]) else ETH0


STREAM_GROUP_HOPS4 = Place(_group_hops4, lambda endpoint, value: None)
STREAM_GROUP_HOPS6 = Place(_group_hops6)
STREAM_GROUP_INTERFACE = Place(_group_interface)
TYPE = Place(lambda endpoint: endpoint.type)
DOMAIN = Place(lambda endpoint: endpoint.family)
PROTOCOL = Place(_protocol)
ACCEPTCONN = Place(lambda endpoint: int(endpoint.listening))
ERROR = Place(lambda endpoint: endpoint.take_error())
PEERCRED = Place(_peercred)


# Buffers


def _put_sndbuf(endpoint: Endpoint, size: int) -> None:
    endpoint.sndbuf = max(_LEAST_SNDBUF, min(size, INT_MAX // 2) * 2)
    endpoint.set(sndbuf_locked=True)
    if isinstance(endpoint, (UnixEndpoint, Udp)):
        endpoint.write_space()
    elif isinstance(endpoint, Tcp):
        endpoint.wants_room = True
        endpoint.room_made()


def _put_rcvbuf(endpoint: Endpoint, size: int) -> None:
    endpoint.rcvbuf = max(_LEAST_RCVBUF, min(size, INT_MAX // 2) * 2)
    endpoint.set(rcvbuf_locked=True)


def _set_sndbuf(endpoint: Endpoint, size: int) -> None:
    """A negative size counts as a large one (it is compared unsigned)."""
    limit = endpoint.host.limits.wmem_max
    _put_sndbuf(endpoint, limit if size < 0 else min(size, limit))


def _set_rcvbuf(endpoint: Endpoint, size: int) -> None:
    limit = endpoint.host.limits.rmem_max
    _put_rcvbuf(endpoint, limit if size < 0 else min(size, limit))


def _locks(endpoint: Endpoint) -> int:
    settings = endpoint.settings
    return settings.sndbuf_locked * _SND_LOCK | settings.rcvbuf_locked * _RCV_LOCK


def _set_locks(endpoint: Endpoint, locks: int) -> None:
    endpoint.set(sndbuf_locked=bool(locks & _SND_LOCK), rcvbuf_locked=bool(locks & _RCV_LOCK))


def _set_rcvlowat(endpoint: Endpoint, count: int) -> None:
    """TCP's must fit half of its buffer, which grows to that unless its size was set."""
    if count < 0:
        count = INT_MAX
    locked = endpoint.settings.rcvbuf_locked
    if isinstance(endpoint, Tcp):
        largest = endpoint.rcvbuf if locked else endpoint.host.limits.tcp_rmem_max
        count = min(count, largest // 2)
    endpoint.set(rcvlowat=count or 1)
    if isinstance(endpoint, Tcp):
        if endpoint.poll() & POLLIN:
            endpoint.notify(POLLIN | POLLRDNORM)
        if not locked:
            endpoint.rcvbuf = max(endpoint.rcvbuf, count * 2)


SNDBUF = Place(lambda endpoint: endpoint.sndbuf, _set_sndbuf)
RCVBUF = Place(lambda endpoint: endpoint.rcvbuf, _set_rcvbuf)
SNDBUFFORCE = Place(None, lambda endpoint, size: _put_sndbuf(endpoint, max(0, size)))
RCVBUFFORCE = Place(None, lambda endpoint, size: _put_rcvbuf(endpoint, max(0, size)))
BUF_LOCK = Place(_locks, _set_locks)
RCVLOWAT = Place(lambda endpoint: endpoint.settings.rcvlowat, _set_rcvlowat)


# Times


def _linger(endpoint: Endpoint) -> tuple[int, int]:
    seconds = endpoint.settings.kept.get(SO_LINGER, 0) & 0xFFFFFFFF
    on = endpoint.settings.linger_s is not None
    return int(on), seconds - (seconds >> 31 << 32)


def _set_linger(endpoint: Endpoint, value: tuple[int, int]) -> None:
    """Switched off, it keeps the seconds of before; negative ones are as many as there are."""
    on, seconds = value
    if not on:
        endpoint.set(linger_s=None)
        return
    seconds = _MOST_SECONDS if seconds < 0 else seconds
    endpoint.set(linger_s=seconds)
    keep(endpoint, SO_LINGER, seconds)


def _timeout(name: str) -> Place:
    def read(endpoint: Endpoint) -> tuple[int, int]:
        timeout_ns = getattr(endpoint.settings, name) or 0
        return timeout_ns // _SECOND_NS, timeout_ns % _SECOND_NS // 1000

    def write(endpoint: Endpoint, value: tuple[int, int]) -> None:
        seconds, micros = value
        if not 0 <= micros < 1_000_000:
            raise os_error(errno.EDOM)
        timeout_ns: int | None = None
        if seconds < 0:
            timeout_ns = 0
        elif (seconds or micros) and seconds < _MOST_SECONDS - 1:
            jiffies = -(-micros * 1000 // _JIFFY_NS)
            timeout_ns = seconds * _SECOND_NS + jiffies * _JIFFY_NS
        endpoint.set(**{name: timeout_ns})

    return Place(read, write)


LINGER = Place(_linger, _set_linger)
RCVTIMEO = _timeout("rcvtimeo_ns")
SNDTIMEO = _timeout("sndtimeo_ns")


# Devices


def index_of(endpoint: Endpoint, name: str) -> int:
    """The index of an interface of the host; 0 if it has none of that name."""
    return next((index for index, known in endpoint.host.if_nameindex() if known == name), 0)


def has_interface(endpoint: Endpoint, index: int) -> bool:
    """Whether the host has an interface of that index."""
    return endpoint.host.has_interface(index)


_DEVICE = (socket.SOL_SOCKET, socket.SO_BINDTODEVICE)


def _set_device(endpoint: Endpoint, name: str) -> None:
    if name and not index_of(endpoint, name):
        raise os_error(errno.ENODEV)
    keep(endpoint, _DEVICE, name)


BINDTODEVICE = Place(lambda endpoint: endpoint.settings.kept.get(_DEVICE, ""), _set_device)


# IP


def _set_tos(endpoint: Endpoint, tos: int) -> None:
    """TCP keeps the two lowest bits for itself (ECN). A new value sets the priority too."""
    tos &= 0xFC if isinstance(endpoint, Tcp) else 0xFF
    if tos != endpoint.settings.kept.get(IP_TOS, 0):
        keep(endpoint, IP_TOS, tos)
        keep(endpoint, SO_PRIORITY, _PRIORITIES[(tos & 0x1E) >> 1])


def _set_v6only(endpoint: Endpoint, on: int) -> None:
    inet = cast(InetEndpoint, endpoint)
    if inet.port:
        raise os_error(errno.EINVAL)
    inet.v6only = bool(on)


def path_mtu(endpoint: Endpoint, largest: int = 65535) -> int:
    """The MTU of the way to the peer; ENOTCONN without one."""
    remote = cast(InetEndpoint, endpoint).remote
    if remote is None:
        raise os_error(errno.ENOTCONN)
    return min(endpoint.host.path_mtu(remote[0]), largest)


TOS = Place(lambda endpoint: endpoint.settings.kept.get(IP_TOS, 0), _set_tos)
MTU = Place(path_mtu)
PATHMTU = Place(lambda endpoint: lambda: path_mtu(endpoint, largest=65575))
V6ONLY = Place(lambda endpoint: int(cast(InetEndpoint, endpoint).v6only), _set_v6only)


# TCP and UDP


def _maxseg(endpoint: Endpoint) -> int:
    tcp = cast(Tcp, endpoint)
    wanted: int = tcp.settings.kept.get((socket.IPPROTO_TCP, socket.TCP_MAXSEG), 0)
    if wanted and tcp.state in (State.CLOSE, State.LISTEN):
        return wanted
    return tcp.mss


def _set_keepalive(endpoint: Endpoint, on: int) -> None:
    if isinstance(endpoint, Tcp):
        endpoint.set_keepalive(bool(on))
    else:
        endpoint.set(keepalive=bool(on))


def _limited(number: int, limit: str, watched: bool = False) -> Place:
    """A number of TCP's whose default is a limit of the host's; keepalive may look at it."""
    key = (socket.IPPROTO_TCP, number)

    def read(endpoint: Endpoint) -> int:
        default: int = getattr(endpoint.host.limits, limit)
        return int(endpoint.settings.kept.get(key, default))

    def write(endpoint: Endpoint, value: int) -> None:
        keep(endpoint, key, value)
        if watched:
            cast(Tcp, endpoint).watch_peer()

    return Place(read, write)


def _set_maxseg(endpoint: Endpoint, size: int) -> None:
    keep(endpoint, (socket.IPPROTO_TCP, socket.TCP_MAXSEG), size)


def _set_quickack(endpoint: Endpoint, value: int) -> None:
    """Leave the mode that delays acknowledgements and send what is due; 0, or even, enters it.

    What is due goes with the read that empties the buffer, now if nothing is left to be read.
    """
    tcp = cast(Tcp, endpoint)
    due = bool(tcp.delayed_ack_due_ns) and tcp.state in (State.ESTABLISHED, State.CLOSE_WAIT)
    if value and due:
        tcp.pingpong = False
        if not tcp.queue.length or tcp.rcv_nxt - tcp.rcv_acked > tcp.rcv_mss:
            tcp.send_ack()
            tcp.flush()
    tcp.pingpong = not value or (due and not value & 1)
    if tcp.pingpong and tcp.quick_acks < 0:
        tcp.begin_quick_acks()


_CLAMP = (socket.IPPROTO_TCP, socket.TCP_WINDOW_CLAMP)


def _set_window_clamp(endpoint: Endpoint, size: int) -> None:
    if not size and cast(Tcp, endpoint).state is not State.CLOSE:
        raise os_error(errno.EINVAL)
    keep(endpoint, _CLAMP, max(size, _LEAST_RCVBUF // 2) if size else 0)


_FASTOPEN = (socket.IPPROTO_TCP, socket.TCP_FASTOPEN)


def _set_fastopen(endpoint: Endpoint, length: int) -> None:
    if length < 0 or cast(Tcp, endpoint).state not in (State.CLOSE, State.LISTEN):
        raise os_error(errno.EINVAL)
    keep(endpoint, _FASTOPEN, min(length, endpoint.host.limits.somaxconn))


_CONGESTION = (socket.IPPROTO_TCP, socket.TCP_CONGESTION)


def _congestion(endpoint: Endpoint) -> str:
    default = endpoint.host.limits.congestion_controls[0]
    return str(endpoint.settings.kept.get(_CONGESTION, default))


def _set_congestion(endpoint: Endpoint, name: str) -> None:
    if name not in endpoint.host.limits.congestion_controls:
        raise os_error(errno.ENOENT)
    keep(endpoint, _CONGESTION, name)


NODELAY = Place(
    lambda endpoint: int(cast(Tcp, endpoint).nodelay),
    lambda endpoint, on: cast(Tcp, endpoint).set_nodelay(bool(on)),
)
CORK = Place(
    lambda endpoint: int(cast(Tcp, endpoint).corked),
    lambda endpoint, on: cast(Tcp, endpoint).set_cork(bool(on)),
)
UDP_CORK = Place(
    lambda endpoint: int(cast(Udp, endpoint).cork),
    lambda endpoint, on: cast(Udp, endpoint).set_cork(bool(on)),
)
INFO = Place(lambda endpoint: tcp_info(cast(Tcp, endpoint)))
MAXSEG = Place(_maxseg, _set_maxseg)
QUICKACK = Place(lambda endpoint: int(not cast(Tcp, endpoint).pingpong), _set_quickack)
WINDOW_CLAMP = Place(lambda endpoint: endpoint.settings.kept.get(_CLAMP, 0), _set_window_clamp)
FASTOPEN = Place(lambda endpoint: endpoint.settings.kept.get(_FASTOPEN, 0), _set_fastopen)
CONGESTION = Place(_congestion, _set_congestion)


KEEPALIVE = Place(lambda endpoint: endpoint.settings.keepalive, _set_keepalive)
KEEPIDLE = _limited(socket.TCP_KEEPIDLE, "tcp_keepalive_time", watched=True)
KEEPINTVL = _limited(socket.TCP_KEEPINTVL, "tcp_keepalive_intvl")
KEEPCNT = _limited(socket.TCP_KEEPCNT, "tcp_keepalive_probes")
SYNCNT = _limited(socket.TCP_SYNCNT, "tcp_syn_retries")
LINGER2 = _limited(socket.TCP_LINGER2, "tcp_fin_timeout")
USER_TIMEOUT = kept_at((socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT), 0)


def linger2(seconds: int) -> int:
    """What TCP_LINGER2 keeps: 0 is the default, more than two minutes is two."""
    return -1 if seconds < 0 else min(seconds, 120) or 60


def defer_accept(seconds: int) -> int:
    """What TCP_DEFER_ACCEPT keeps: seconds rounded up to whole retransmissions, 255 at most.

    They come after 1, 2, 4, ... seconds, and every 120 in the end (secs_to_retrans).
    """
    period = timeout = 0
    for _ in range(255):
        if seconds <= period:
            break
        timeout = min(timeout * 2 or 1, 120)
        period += timeout
    return period


def path_mtu_information(mtu: Callable[[], int], length: int) -> bytes:
    """struct ip6_mtuinfo, whole or not at all; the length is looked at first."""
    if length < 32:
        raise os_error(errno.EINVAL)
    return bytes(28) + struct.pack("I", mtu())


def refuse(endpoint: Endpoint, value: Any) -> None:
    """A well-formed value of an option that is not modelled."""
    raise os_error(errno.ENOPROTOOPT)
