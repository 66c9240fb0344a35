"""The current host: whose network a call means that does not name one.

A context variable, so that tasks inherit it from whoever started them.
"""

from __future__ import annotations

from contextvars import ContextVar
from typing import TYPE_CHECKING

from simnet.errors import NoCurrentHost

if TYPE_CHECKING:
    from simnet.host import Host

current_host: ContextVar[Host] = ContextVar("simnet.current_host")


def the_host() -> Host:
    """The current host; NoCurrentHost outside every one."""
    host = current_host.get(None)
    if host is None:
        raise NoCurrentHost(
            "no simulated host is current here: use `with host:`, host.spawn(...), "
            "or the methods of the host itself"
        )
    return host
