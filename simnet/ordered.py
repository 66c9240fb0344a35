"""Sets that are gone through in the order of insertion, for copies of the standard library.

`create_server` opens its listening sockets in the order of a set of addresses, the threads of a
pool are joined in that of a set of threads: it would vary from run to run with the hashes of
strings and the places of objects in memory, and so would what happens. Not reached: set displays
and comprehensions, which the compiler makes, and modules that are not copied (`asyncio.all_tasks`).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, MutableMapping, MutableSet
from typing import Any
from weakref import WeakKeyDictionary


class OrderedSet(MutableSet[Any]):
    """What those modules do with a set."""

    def __init__(self, members: Iterable[Any] = ()) -> None:
        self._members = self._mapping()
        for member in members:
            self.add(member)

    @staticmethod
    def _mapping() -> MutableMapping[Any, None]:
        return {}

    def __contains__(self, member: object) -> bool:
        return member in self._members

    def __iter__(self) -> Iterator[Any]:
        return iter(self._members)

    def __len__(self) -> int:
        return len(self._members)

    def copy(self) -> OrderedSet:
        """Another one with the same members."""
        return type(self)(self)

    def add(self, value: Any) -> None:
        """Put it in, at the end if it is new."""
        self._members[value] = None

    def discard(self, value: Any) -> None:
        """Take it out; harmless if it is not there."""
        self._members.pop(value, None)


class OrderedWeakSet(OrderedSet):
    """Its members go when nobody else has them."""

    @staticmethod
    def _mapping() -> MutableMapping[Any, None]:
        return WeakKeyDictionary()
