"""Libraries of C that wait in the kernel by themselves: why a patched program cannot have them.

Programs look for uvloop and use asyncio's loop where it is missing; so they do here. gevent swaps
the standard library for calls of its own, which no other swap can go under. Who has imported one of
them before finds out when it is used. Not noticed: single functions and classes that were taken
from them before the patch; they wait in real time, on the real network.
"""

from __future__ import annotations

import importlib.abc
import sys
from collections.abc import Iterator, Mapping
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import NoReturn

from simnet.errors import Unsupported
from simnet.patching.places import INFRASTRUCTURE, Place, in_dict

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
    "pycares": (
        "pycares asks real name servers through c-ares, which no simulated network can stand "
        "under: in a patched program let names be looked up by getaddrinfo, for aiohttp with "
        "TCPConnector(resolver=aiohttp.ThreadedResolver())"
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


class _Refused(ModuleType):
    """Stands where one of them was imported before the patch."""

    def __getattr__(self, name: str) -> NoReturn:
        raise Unsupported(_REASONS[self.__name__.partition(".")[0]])


def places(
    present: Mapping[str, ModuleType], ignore: frozenset[str]
) -> Iterator[tuple[Place, ModuleType]]:
    """Where modules hold one of those present as a whole, and what is to stand there."""
    refused = {id(module): _Refused(name) for name, module in present.items() if is_one(name)}
    if not refused:
        return
    left_alone = INFRASTRUCTURE | ignore
    for name, module in list(sys.modules.items()):
        if name in left_alone or name.partition(".")[0] in left_alone:
            continue
        names = getattr(module, "__dict__", {})
        for key, value in list(names.items()):
            if id(value) in refused:
                yield in_dict(names, key), refused[id(value)]


def check() -> None:
    """Unsupported if gevent has swapped the standard library already."""
    monkey = sys.modules.get("gevent.monkey")
    if monkey is not None and monkey.is_anything_patched():
        raise Unsupported(
            "gevent.monkey has patched this program, which a simulated world cannot undo: do not "
            f"call its patch_all() where the world patches; {_REASONS['gevent']}"
        )
