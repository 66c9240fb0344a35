"""Names that a world or a host knows beside those of its hosts: what a name server would say.

A name may have several addresses, take time to be found, or fail; all of it may change while the
world runs. Not modelled: name servers and their packets, time to live, caches, other records.
"""

from __future__ import annotations

import socket
from collections.abc import Iterable
from typing import Any

import attrs

from simnet.addresses import IP, numeric
from simnet.names.rules import gai, inet_aton

# The errors of looking for a name; the others are about the arguments of the call.
_FAILURES = {
    int(getattr(socket, name)): name
    for name in ("EAI_AGAIN", "EAI_FAIL", "EAI_MEMORY", "EAI_NODATA", "EAI_NONAME")
}
EVERY_OTHER = "*"


@attrs.frozen
class Entry:
    """What is said of a name: its addresses or an error, after so many seconds."""

    addresses: tuple[IP, ...] = ()
    error: int = 0
    delay: float = 0.0

    def answer(self) -> tuple[IP, ...]:
        """The addresses, or the error."""
        if self.error:
            raise gai(self.error)
        return self.addresses


class Names:
    """A table of names. An entry for `*` answers for every name that has none of its own."""

    def __init__(self) -> None:
        self._entries: dict[str, Entry] = {}

    def add(self, name: str, addresses: Any, *, delay: float = 0.0) -> None:
        """From now on a name has these addresses, in this order, instead of what it had.

        One address or several, each as a text or as the host that has it; whoever asks waits
        `delay` seconds for the answer.
        """
        single = isinstance(addresses, str) or hasattr(addresses, "addresses")
        each = [addresses] if single else addresses
        found = tuple(dict.fromkeys(ip for target in each for ip in _addresses_of(target)))
        if not found:
            raise ValueError(f"{name!r} needs an address; names.fail() makes a name that has none")
        self._set(name, Entry(found, delay=delay))

    def fail(self, name: str, error: int, *, delay: float = 0.0) -> None:
        """From now on looking for a name fails, after `delay` seconds: socket.EAI_AGAIN, say."""
        if error not in _FAILURES:
            known = ", ".join(f"socket.{each}" for each in _FAILURES.values())
            raise ValueError(f"a name fails with one of {known}, not with {error!r}")
        self._set(name, Entry(error=int(error), delay=delay))

    def remove(self, name: str) -> None:
        """Forget what was said of a name; KeyError if that was nothing."""
        del self._entries[_key(name)]

    def find(self, name: str) -> Entry | None:
        """What is said of a name, which comes in small letters."""
        return self._entries.get(name) or self._entries.get(EVERY_OTHER)

    def _set(self, name: str, entry: Entry) -> None:
        if not 0 <= entry.delay < float("inf"):
            raise ValueError(f"delay is a number of seconds from 0 on, not {entry.delay!r}")
        self._entries[_key(name)] = entry


def _addresses_of(target: Any) -> Iterable[IP]:
    if hasattr(target, "addresses"):
        return tuple(target.addresses)
    if not isinstance(target, str):
        raise TypeError(f"an address is a text or a host, not {target!r}")
    ip = numeric(target, socket.AF_INET) or numeric(target, socket.AF_INET6)
    if ip is None:
        raise ValueError(f"{target!r} is not an IPv4 or IPv6 address")
    return (ip,)


def _key(name: str) -> str:
    """A name as the resolver looks for it; ValueError for one that it never does."""
    if name == EVERY_OTHER:
        return name
    key = name.encode("idna").decode().lower()
    if not key or inet_aton(key) or numeric(key, socket.AF_INET6) or key == "localhost":
        raise ValueError(f"{name!r} is no name that is looked up")
    return key
