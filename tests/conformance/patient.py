"""A connected pair whose calls wait, but not for ever."""

from __future__ import annotations

from contextlib import ExitStack

from simnet.api import Network, Socket
from tests.conformance.kinds import PATIENCE, Kind


def opened(sockets: ExitStack, net: Network, kind: Kind) -> tuple[Socket, Socket]:
    """The two ends of a new pair, which wait with patience."""
    a, b = kind.make(net)
    for sock in (a, b):
        sockets.enter_context(sock).settimeout(PATIENCE)
    return a, b
