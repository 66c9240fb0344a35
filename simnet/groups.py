"""Which sockets of a host are in which groups, on which interface.

An interface hears a group as long as one socket of the host is a member there; then sockets that
are no members hear it too, unless they insist on their own memberships (IP_MULTICAST_ALL).
"""

from __future__ import annotations

from simnet.addresses import IP, is_ipv4
from simnet.protocols.udp import Udp


class Groups:
    """The memberships of one host, by (group, index of the interface)."""

    __slots__ = ("_members",)

    def __init__(self) -> None:
        self._members: dict[tuple[IP, int], dict[Udp, None]] = {}

    def join(self, endpoint: Udp, group: IP, index: int) -> None:
        """A socket becomes a member."""
        self._members.setdefault((group, index), {})[endpoint] = None

    def leave(self, endpoint: Udp, group: IP, index: int) -> None:
        """It is none any more; harmless if it was none."""
        members = self._members.get((group, index))
        if members is not None:
            members.pop(endpoint, None)
            if not members:
                del self._members[group, index]

    def leave_all(self, endpoint: Udp) -> None:
        """A socket is closed."""
        for group, index in endpoint.memberships or ():
            self.leave(endpoint, group, index)

    def joined(self, group: IP, index: int) -> bool:
        """Whether the interface takes in what is sent to the group."""
        return (group, index) in self._members

    def hears(self, endpoint: Udp, group: IP, index: int) -> bool:
        """Whether a socket that is bound suitably gets it (ip_mc_sf_allow, inet6_mc_check)."""
        if not self.joined(group, index):
            return False
        own = endpoint.memberships or {}
        if is_ipv4(group):
            return (group, index) in own or endpoint.multicast.all
        return any(group == joined for joined, _ in own) or endpoint.multicast.all6
