"""Things that have run out, for now: descriptors, buffers, ports."""

from __future__ import annotations

import errno
from collections.abc import Callable, Sequence
from typing import Any

from simnet.descriptors import Descriptor, DescriptorTable, Open
from simnet.errors import os_error
from simnet.nastiness.base import OpenVariation, SocketVariation, TableVariation
from simnet.ports import PortTable
from simnet.protocols.base import Ancillary, Endpoint
from simnet.protocols.tcp import Tcp
from simnet.protocols.tcp_block import SocketState
from simnet.protocols.tcp_states import CLOSE
from simnet.protocols.udp import Udp

DESCRIPTOR_LIMITS, NO_BUFFERS, PORTS = "descriptor_limits", "no_buffers", "ports"


class DescriptorLimits(TableVariation, DescriptorTable):
    """A descriptor that is not to be had: EMFILE, or ENFILE of the whole machine.

    From whatever makes one: socket(), accept(), socketpair(), dup(), pipes, epoll, eventfd. A
    connection that accept() could not take stays in its queue; passed descriptors that find no
    place are lost, and MSG_CTRUNC says so (both measured on Linux 6.18).
    """

    def install(self, endpoint: Open, inheritable: bool = False) -> Descriptor:
        self._run_out()
        return super().install(endpoint, inheritable)

    def install_from(self, least: int, endpoint: Open, inheritable: bool) -> Descriptor:
        self._run_out()
        return super().install_from(least, endpoint, inheritable)

    def _run_out(self) -> None:
        if self.strikes(DESCRIPTOR_LIMITS, 8):
            raise os_error(self.one_of(DESCRIPTOR_LIMITS, (errno.EMFILE, errno.ENFILE)))


class NoBuffersForDatagrams(SocketVariation, Udp):
    """A datagram that finds no buffer: ENOBUFS, or ENOMEM; it is not sent.

    send(2): "The output queue for a network interface was full [...] may be caused by transient
    congestion." Linux tells that of sockets with IP_RECVERR alone (measured), and of any socket
    that it found no memory for the datagram (sock_alloc_send_pskb). Unix sockets have no such
    queue, and TCP waits.
    """

    def send(
        self,
        data: bytes | memoryview,
        flags: int,
        address: Any = None,
        ancillary: Sequence[Ancillary] = (),
    ) -> int | None:
        if self.strikes(NO_BUFFERS, 8, "send"):
            raise os_error(self.one_of(NO_BUFFERS, (errno.ENOBUFS, errno.ENOMEM)))
        return super().send(data, flags, address, ancillary)


class NoBuffersForConnections(OpenVariation, Tcp):
    """A connection that finds no memory: connect() is ENOBUFS (tcp_connect), accept() or ENOMEM.

    accept(2): "Not enough free memory." The socket may try again, and the connection waits on.
    """

    def connect(self, address: Any) -> bool:
        fresh = self.state is CLOSE and self.socket_state == SocketState.UNCONNECTED
        if fresh and self.strikes(NO_BUFFERS, 8, "connect"):
            raise os_error(errno.ENOBUFS)
        return super().connect(address)

    def accept(self) -> tuple[Endpoint, Any] | None:
        if self.accept_queue and self.strikes(NO_BUFFERS, 8, "accept"):
            raise os_error(self.one_of(NO_BUFFERS, (errno.ENOBUFS, errno.ENOMEM)))
        return super().accept()


class PortsRunOut(TableVariation, PortTable):
    """A port that the kernel should choose, and there is none: all are taken just now.

    ip(7), ip_local_port_range. connect() of TCP is EADDRNOTAVAIL, bind() to port 0 and listen()
    without bind() are EADDRINUSE, connect() and sendto() of UDP are EAGAIN (measured on Linux
    6.18). Ports that a program names are as free as ever.
    """

    def next_port(self, odd: bool) -> int | None:
        return None

    def free_port(self, acceptable: Callable[[int], bool], odd: bool) -> int | None:
        return None if self.strikes(PORTS, 6) else super().free_port(acceptable, odd)
