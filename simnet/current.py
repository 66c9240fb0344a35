"""The current host: whose network a call means that does not name one.

A context variable, so that tasks inherit it from whoever started them. While a program is patched
(patching/), code of the world's thread whose context names no host is on the patched world's.
"""

from __future__ import annotations

import threading
from contextvars import ContextVar
from typing import TYPE_CHECKING

from simnet.errors import ForeignThread, NoCurrentHost

if TYPE_CHECKING:
    from simnet.host import Host

current_host: ContextVar[Host] = ContextVar("simnet.current_host")

# The hosts of the patches in force, the innermost last, and the thread that they hold for.
_stand_ins: list[Host] = []
_thread = 0


def push_stand_in(host: Host) -> None:
    """A program is patched: this host is current wherever no other is."""
    global _thread
    _thread = threading.get_ident()
    _stand_ins.append(host)


def pop_stand_in(host: Host) -> None:
    """A patch ends: the innermost one of this host, but maybe not of all."""
    innermost = max(i for i, each in enumerate(_stand_ins) if each is host)
    del _stand_ins[innermost]


def stand_in() -> Host | None:
    """The host of the innermost patch."""
    return _stand_ins[-1] if _stand_ins else None


def in_foreign_thread() -> bool:
    """Whether a program is patched, and this thread of the operating system is not its own."""
    return bool(_stand_ins) and threading.get_ident() != _thread


def host_or_none() -> Host | None:
    """The current host, if there is one."""
    host = current_host.get(None)
    if host is None and _stand_ins and threading.get_ident() == _thread:
        return _stand_ins[-1]
    return host


def the_host() -> Host:
    """The current host; NoCurrentHost outside every one, ForeignThread in another thread."""
    host = host_or_none()
    if host is not None:
        return host
    if in_foreign_thread():
        raise ForeignThread(
            f"thread {threading.current_thread().name!r} was started before the program was "
            "patched, and is no task of the world: start it inside the patch"
        )
    raise NoCurrentHost(
        "no simulated host is current here: use `with host:`, host.spawn(...), "
        "or the methods of the host itself"
    )
