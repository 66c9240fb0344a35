"""The kernel half of AF_UNIX sockets: the three types, and pairs of them.

Modelled after Linux's `net/unix/af_unix.c`, and held to the kernel by the conformance suite. Data
does not cross a link: it goes straight from one socket into the queue of another on the same host.

Not modelled: SO_INQ, SO_PASSPIDFD and SO_PASSSEC, permissions on paths, and limits on how
many sockets exist or are in flight.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from simnet import constants
from simnet.protocols.unix_base import UnixEndpoint, connect_pair
from simnet.protocols.unix_messages import UnixDatagram, UnixSeqpacket
from simnet.protocols.unix_names import UnixAddress, UnixNames
from simnet.protocols.unix_stream import UnixStream

if TYPE_CHECKING:
    from simnet.host import Host

__all__ = [
    "TYPES",
    "UnixAddress",
    "UnixDatagram",
    "UnixEndpoint",
    "UnixNames",
    "UnixSeqpacket",
    "UnixStream",
    "connect_pair",
    "create",
]

# The class of each type; SOCK_RAW is the kernel's other name for SOCK_DGRAM here.
TYPES: dict[int, type[UnixEndpoint]] = {
    constants.SOCK_STREAM: UnixStream,
    constants.SOCK_DGRAM: UnixDatagram,
    constants.SOCK_RAW: UnixDatagram,
    constants.SOCK_SEQPACKET: UnixSeqpacket,
}


def create(host: Host, type: int, proto: int = 0) -> UnixEndpoint:
    """A new unix socket of one of `TYPES`."""
    kind = host.unix_kinds[type]
    if type == constants.SOCK_RAW:
        type = constants.SOCK_DGRAM
    return kind(host, constants.AF_UNIX, type, proto)
