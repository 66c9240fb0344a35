"""The options of SOL_SOCKET, IPPROTO_TCP and IPPROTO_UDP, as tables.

Defaults, ranges and lengths were measured on Linux 6.18. A row without `lacks` does here what it
does there; one with it is stored and read back, and `lacks` says what it would do beyond that.
"""

from __future__ import annotations

import errno
import socket
from functools import partial
from socket import IPPROTO_TCP, IPPROTO_UDP, SOL_SOCKET

from simnet.errors import os_error
from simnet.options import actions as act
from simnet.options.values import (
    ALGORITHM,
    BYTES,
    INT_MAX,
    INTERFACE,
    LINGER,
    TIMEVAL,
    UCRED,
    Kind,
    Option,
    Place,
    always,
    attribute,
    boolean,
    kept,
    refused,
    row,
    setting,
    unchanged,
    within,
)

ALL, INET, TCP, UDP, UNIX = Kind.ALL, Kind.INET, Kind.TCP, Kind.UDP, Kind.UNIX
# Options that the module `socket` does not name on every version.
SO_NO_CHECK, SO_BSDCOMPAT, SO_SNDBUFFORCE, SO_RCVBUFFORCE = 11, 14, 32, 33
SO_PEEK_OFF, SO_BUSY_POLL, SO_INCOMING_CPU, SO_BUF_LOCK, SO_PASSRIGHTS = 42, 46, 49, 72, 83
TCP_THIN_LINEAR_TIMEOUTS = 16
UDP_CORK = 1


def _only_zero(value: int) -> int:
    if value:
        raise os_error(errno.EOPNOTSUPP)
    return 0


def _segment_size(size: int) -> int:
    return int(within(88, 32767)(size)) if size else 0


_row, _kept = partial(row, SOL_SOCKET), partial(kept, SOL_SOCKET)
_NOT_HERE = refused(errno.EOPNOTSUPP)

SOCKET: tuple[Option, ...] = (
    _row("SO_TYPE", socket.SO_TYPE, ALL, act.TYPE),
    _row("SO_DOMAIN", socket.SO_DOMAIN, ALL, act.DOMAIN),
    _row("SO_PROTOCOL", socket.SO_PROTOCOL, ALL, act.PROTOCOL),
    _row("SO_ACCEPTCONN", socket.SO_ACCEPTCONN, ALL, act.ACCEPTCONN),
    _row("SO_ERROR", socket.SO_ERROR, ALL, act.ERROR),
    _row("SO_PEERCRED", socket.SO_PEERCRED, ALL, act.PEERCRED, form=UCRED),
    _row("SO_REUSEADDR", socket.SO_REUSEADDR, ALL, setting("reuseaddr"), bool),
    _row("SO_REUSEPORT", socket.SO_REUSEPORT, INET, setting("reuseport"), bool),
    _row("SO_REUSEPORT", socket.SO_REUSEPORT, UNIX, setting("reuseport"), _only_zero),
    _row("SO_BROADCAST", socket.SO_BROADCAST, ALL, setting("broadcast"), bool),
    _row("SO_OOBINLINE", socket.SO_OOBINLINE, ALL, setting("oobinline"), bool),
    _row("SO_KEEPALIVE", socket.SO_KEEPALIVE, ALL, act.KEEPALIVE, bool),
    _row("SO_SNDBUF", socket.SO_SNDBUF, ALL, act.SNDBUF),
    _row("SO_RCVBUF", socket.SO_RCVBUF, ALL, act.RCVBUF),
    _row("SO_SNDBUFFORCE", SO_SNDBUFFORCE, ALL, act.SNDBUFFORCE),
    _row("SO_RCVBUFFORCE", SO_RCVBUFFORCE, ALL, act.RCVBUFFORCE),
    _row("SO_BUF_LOCK", SO_BUF_LOCK, ALL, act.BUF_LOCK, within(0, 3)),
    _row("SO_RCVLOWAT", socket.SO_RCVLOWAT, ALL, act.RCVLOWAT),
    _row("SO_SNDLOWAT", socket.SO_SNDLOWAT, ALL, always(1)),
    _row("SO_LINGER", socket.SO_LINGER, ALL, act.LINGER, form=LINGER),
    _row("SO_RCVTIMEO", socket.SO_RCVTIMEO, ALL, act.RCVTIMEO, form=TIMEVAL),
    _row("SO_SNDTIMEO", socket.SO_SNDTIMEO, ALL, act.SNDTIMEO, form=TIMEVAL),
    _row("SO_PASSCRED", socket.SO_PASSCRED, UNIX, attribute("passcred"), bool),
    _row("SO_PASSCRED", socket.SO_PASSCRED, INET, _NOT_HERE),
    _row("SO_PASSRIGHTS", SO_PASSRIGHTS, UNIX, attribute("passrights"), bool),
    _row("SO_PASSRIGHTS", SO_PASSRIGHTS, INET, _NOT_HERE),
    _row("SO_PEEK_OFF", SO_PEEK_OFF, UNIX, attribute("peek_off")),
    # As before Linux 4.7 (UDP) and 6.9 (TCP), which answered so.
    _row("SO_PEEK_OFF", SO_PEEK_OFF, INET, _NOT_HERE),
    _row("SO_PASSSEC", socket.SO_PASSSEC, INET, _NOT_HERE),
    # Linux takes every value and keeps none.
    _row("SO_BSDCOMPAT", SO_BSDCOMPAT, ALL, Place(lambda _: 0, lambda *_: None)),
    _row(
        "SO_BINDTODEVICE",
        socket.SO_BINDTODEVICE,
        ALL,
        act.BINDTODEVICE,
        form=INTERFACE,
        lacks="confinement to one interface",
    ),
    _kept("SO_PASSSEC", socket.SO_PASSSEC, UNIX, 0, boolean, "security labels"),
    _kept("SO_DEBUG", socket.SO_DEBUG, ALL, 0, boolean, "the kernel's debugging output"),
    _kept("SO_DONTROUTE", socket.SO_DONTROUTE, ALL, 0, boolean, "avoidance of gateways"),
    _kept("SO_NO_CHECK", SO_NO_CHECK, ALL, 0, boolean, "datagrams without checksums"),
    _kept("SO_PRIORITY", socket.SO_PRIORITY, ALL, 0, unchanged, "the order of what is sent"),
    _kept("SO_MARK", socket.SO_MARK, ALL, 0, unchanged, "marks for routing and filters"),
    _kept("SO_BUSY_POLL", SO_BUSY_POLL, ALL, 0, within(0, INT_MAX), "polling of devices"),
    _kept("SO_INCOMING_CPU", SO_INCOMING_CPU, ALL, -1, unchanged, "preference of a processor"),
)

_row, _kept = partial(row, IPPROTO_TCP), partial(kept, IPPROTO_TCP)

TCP_OPTIONS: tuple[Option, ...] = (
    _row("TCP_NODELAY", socket.TCP_NODELAY, TCP, act.NODELAY),
    _row("TCP_CORK", socket.TCP_CORK, TCP, act.CORK),
    _row("TCP_QUICKACK", socket.TCP_QUICKACK, TCP, act.QUICKACK),
    _row("TCP_INFO", socket.TCP_INFO, TCP, act.INFO, form=BYTES),
    _row("TCP_MAXSEG", socket.TCP_MAXSEG, TCP, act.MAXSEG, _segment_size),
    _row(
        "TCP_WINDOW_CLAMP",
        socket.TCP_WINDOW_CLAMP,
        TCP,
        act.WINDOW_CLAMP,
        lacks="a limit to the window",
    ),
    _row("TCP_FASTOPEN", socket.TCP_FASTOPEN, TCP, act.FASTOPEN, lacks="data in the SYN"),
    _row(
        "TCP_CONGESTION",
        socket.TCP_CONGESTION,
        TCP,
        act.CONGESTION,
        form=ALGORITHM,
        lacks="CUBIC: it is NewReno by either name",
    ),
    _row("TCP_KEEPIDLE", socket.TCP_KEEPIDLE, TCP, act.KEEPIDLE, within(1, 32767)),
    _row("TCP_KEEPINTVL", socket.TCP_KEEPINTVL, TCP, act.KEEPINTVL, within(1, 32767)),
    _row("TCP_KEEPCNT", socket.TCP_KEEPCNT, TCP, act.KEEPCNT, within(1, 127)),
    _row("TCP_SYNCNT", socket.TCP_SYNCNT, TCP, act.SYNCNT, within(1, 127)),
    _row("TCP_LINGER2", socket.TCP_LINGER2, TCP, act.LINGER2, act.linger2),
    _row("TCP_USER_TIMEOUT", socket.TCP_USER_TIMEOUT, TCP, act.USER_TIMEOUT, within(0, INT_MAX)),
    _kept(
        "TCP_DEFER_ACCEPT",
        socket.TCP_DEFER_ACCEPT,
        TCP,
        0,
        act.defer_accept,
        "accept() only when data is there",
    ),
    _kept(
        "TCP_NOTSENT_LOWAT",
        socket.TCP_NOTSENT_LOWAT,
        TCP,
        0,
        unchanged,
        "writable only while little is unsent",
    ),
    _kept(
        "TCP_THIN_LINEAR_TIMEOUTS",
        TCP_THIN_LINEAR_TIMEOUTS,
        TCP,
        0,
        within(0, 1),
        "the pace of retransmission",
    ),
)

UDP_OPTIONS: tuple[Option, ...] = (row(IPPROTO_UDP, "UDP_CORK", UDP_CORK, UDP, act.UDP_CORK, bool),)
