"""What TCP and UDP endpoints share: addresses and binding (af_inet.c, af_inet6.c).

Not modelled: privileged ports (every host acts as root), IP_FREEBIND, devices.
"""

from __future__ import annotations

import errno
from typing import TYPE_CHECKING

from simnet import constants
from simnet.addresses import IP, InetAddress, is_any, is_ipv4, is_multicast, wildcard
from simnet.errors import os_error
from simnet.ports import PortTable
from simnet.protocols.base import Endpoint
from simnet.wire import Packet

if TYPE_CHECKING:
    from simnet.host import Host


# IP_BIND_ADDRESS_NO_PORT (ip(7)): connect() chooses the port.
_BIND_ADDRESS_NO_PORT = (0, 24)


class InetEndpoint(Endpoint):
    """An endpoint with IP addresses and ports."""

    __slots__ = (
        "address_locked",
        "bound_ip",
        "ephemeral",
        "held_with_reuseport",
        "port",
        "port_locked",
        "remote",
        "shown_ip",
        "shown_port",
        "table",
        "v6only",
    )

    def __init__(self, host: Host, family: int, type: int, proto: int, table: PortTable) -> None:
        Endpoint.__init__(self, host, family, type, proto)
        # The ports of its protocol on its host.
        self.table = table
        # What it receives on (inet_rcv_saddr), what it sends from (inet_saddr), and the port that
        # getsockname shows (inet_sport).
        self.bound_ip: IP = "0.0.0.0" if family == constants.AF_INET else "::"
        self.shown_ip: IP = self.bound_ip
        self.shown_port = 0
        # The port that it holds in the table (inet_num), 0 for none.
        self.port = 0
        self.remote: InetAddress | None = None
        # What bind() fixed survives a disconnect (SOCK_BINDADDR_LOCK, SOCK_BINDPORT_LOCK).
        self.address_locked = False
        self.port_locked = False
        # Whether connect() chose the port: then it may be shared with other destinations.
        self.ephemeral = False
        self.held_with_reuseport = False
        self.v6only = False

    # What the port table asks

    @property
    def reuses_address(self) -> bool:
        """Whether SO_REUSEADDR lets it have what others have."""
        return self.settings.reuseaddr

    @property
    def shares_address(self) -> bool:
        """Whether SO_REUSEADDR lets others have its address and port."""
        return self.settings.reuseaddr

    @property
    def shares_port(self) -> bool:
        """Whether SO_REUSEPORT lets others have its address and port."""
        return self.settings.reuseport

    def receive(self, packet: Packet) -> None:
        """A packet arrived for it."""

    def vanish(self) -> None:
        """Its host has failed: it is gone, without a word."""
        self.give_port_back()

    # Binding

    def may_rebind(self) -> bool:
        """Whether bind() is allowed in its state."""
        return not self.port

    def check_local(self, ip: IP) -> None:
        """EADDRNOTAVAIL for another host's address, EINVAL for one of another family."""
        if self.family == constants.AF_INET6 and is_ipv4(ip) and self.v6only:
            raise os_error(errno.EINVAL)
        if is_any(ip) or is_multicast(ip) or self.host.is_local(ip) or self.host.is_broadcast(ip):
            return
        raise os_error(errno.EADDRNOTAVAIL)

    def bind(self, address: InetAddress) -> None:
        ip, port = address
        if self.is_stream and not is_ipv4(ip) and is_multicast(ip):
            raise os_error(errno.EINVAL)
        self.check_local(ip)
        if not self.may_rebind():
            raise os_error(errno.EINVAL)
        v6only = self.v6only
        self.bound_ip = ip
        self.shown_ip = (
            wildcard(self.family) if is_multicast(ip) or self.host.is_broadcast(ip) else ip
        )
        if not is_ipv4(ip) and not is_any(ip):
            self.v6only = True
        no_port = port == 0 and self.settings.kept.get(_BIND_ADDRESS_NO_PORT)
        if not no_port and not self.take_port(port):
            # What it had before, from an earlier connection say, is gone (inet_reset_saddr).
            self.bound_ip = self.shown_ip = wildcard(self.family)
            self.v6only = v6only
            raise os_error(errno.EADDRINUSE)
        self.address_locked = not is_any(ip)
        self.port_locked = port != 0
        self.remote = None

    def take_port(self, port: int) -> bool:
        """Hold that port, or for 0 a free one (get_port); whether there is one to be had."""
        if port == 0:
            found = self.table.free_port(self._is_free_for_bind, odd=self.is_stream)
            if found is None:
                return False
            port = found
        elif not self.table.is_free(self, port):
            return False
        self._hold_port(port)
        return True

    def _is_free_for_bind(self, port: int) -> bool:
        return self.table.unused(port) or (
            self.table.is_free(self, port) and not self.settings.reuseaddr
        )

    def _hold_port(self, port: int) -> None:
        self.port = self.shown_port = port
        self.held_with_reuseport = self.settings.reuseport
        self.table.add(self, port)

    def give_port_back(self) -> None:
        """Hold no port any more (inet_put_port); getsockname goes on showing it."""
        if self.port:
            self.table.remove(self, self.port)
            self.port = 0
            self.ephemeral = False

    def forget_source(self) -> None:
        """Forget the address that connect() chose (inet_reset_saddr)."""
        if not self.address_locked:
            self.bound_ip = self.shown_ip = wildcard(self.family)

    # Names

    def getsockname(self) -> InetAddress:
        """One bound to a group or a broadcast address shows that, and sends from another."""
        return self.shown_ip if is_any(self.bound_ip) else self.bound_ip, self.shown_port

    def meant(self, ip: IP) -> IP:
        """The destination that an address means: the wildcard is this socket, or the loopback."""
        own = self.shown_ip
        if not is_any(ip):
            return ip
        if not is_ipv4(ip):
            return "127.0.0.1" if is_ipv4(own) else "::1"
        return own if is_ipv4(own) and not is_any(own) else "127.0.0.1"

    def reachable(self, ip: IP) -> IP:
        """What an address means, if there is a way to it.

        ENETUNREACH for an IPv4 destination of a V6ONLY socket, EAFNOSUPPORT for the reverse, as
        the kernel says.
        """
        ip = self.meant(ip)
        if is_ipv4(ip):
            if self.v6only:
                raise os_error(errno.ENETUNREACH)
        elif is_ipv4(self.shown_ip):
            raise os_error(errno.EAFNOSUPPORT)
        return ip

    def source_for(self, ip: IP) -> IP:
        """The local address to send from; ENETUNREACH if there is no way."""
        own = self.shown_ip
        return self.host.source_for(ip) if is_any(own) or is_ipv4(own) != is_ipv4(ip) else own
