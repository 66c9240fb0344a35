"""Libraries of C that wait in the kernel by themselves: why a patched program cannot have them.

Programs look for uvloop and use asyncio's loop where it is missing; so they do here. gevent swaps
the standard library for calls of its own, which no other swap can go under. Not noticed: functions
of gevent that were taken before the patch; they wait in real time, on the real network.
"""

from __future__ import annotations

import importlib.abc
import sys
from importlib.machinery import ModuleSpec

from simnet.errors import Unsupported

_REASONS = {
    "uvloop": (
        "uvloop drives the kernel's own sockets through libuv, which no simulated network can "
        "stand under: in a patched program asyncio's own event loop runs instead"
    ),
    "gevent": (
        "gevent waits for the kernel's own descriptors through libev or libuv, in a hub that no "
        "simulated network can stand under: in a patched program threads are as light as its "
        "greenlets, so let the code use threads or asyncio"
    ),
}


class Finder(importlib.abc.MetaPathFinder):
    """Explains why one of them cannot be imported."""

    def find_spec(self, name: str, path: object = None, target: object = None) -> ModuleSpec | None:
        reason = _REASONS.get(name.partition(".")[0])
        if reason is not None:
            raise ImportError(reason, name=name)
        return None


def is_one(name: str) -> bool:
    """Whether a module belongs to one of them."""
    return name.partition(".")[0] in _REASONS


def check() -> None:
    """Unsupported if gevent has swapped the standard library already."""
    monkey = sys.modules.get("gevent.monkey")
    if monkey is not None and monkey.is_anything_patched():
        raise Unsupported(
            "gevent.monkey has patched this program, which a simulated world cannot undo: do not "
            f"call its patch_all() where the world patches; {_REASONS['gevent']}"
        )
