"""The nastiness of one world: its families, their choices, and what its things are made as."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import cache
from typing import TypeVar, cast

from simnet.decisions import Decisions, Stream
from simnet.nastiness.base import TableVariation
from simnet.nastiness.registry import FAMILIES, families
from simnet.trace import Trace

T = TypeVar("T")


class Nastiness:
    """How nasty a world is."""

    def __init__(
        self, nasty: bool | str | Iterable[str], decisions: Decisions, trace: Trace
    ) -> None:
        self.families = families(nasty)
        self.trace = trace
        self.is_asleep = False
        self._decisions = decisions

    @contextmanager
    def asleep(self) -> Iterator[None]:
        """Within a block nothing strikes: for what no program does."""
        before, self.is_asleep = self.is_asleep, True
        try:
            yield
        finally:
            self.is_asleep = before

    @property
    def needs_packets(self) -> bool:
        """Whether it strikes at packets, which a short cut would do without."""
        return any(FAMILIES[family].packets for family in self.families)

    def stream(self, family: str) -> Stream:
        """The decisions of a family."""
        return self._decisions.stream(f"nasty {family}")

    def kind(self, cls: type[T]) -> type[T]:
        """The class that things of a kind are made of."""
        return cast("type[T]", _kind(cast("type", cls), self.families)) if self.families else cls

    def table(self, cls: Callable[..., T], *arguments: object) -> T:
        """A table of a kind."""
        made = self.kind(cast("type[T]", cls))(*arguments)
        if isinstance(made, TableVariation):
            made.given = self
        return made


@cache
def _kind(cls: type, chosen: tuple[str, ...]) -> type:
    """A class with the variations of some families in front of it, under its own name."""
    named = (FAMILIES[family].variations.get(cls) for family in chosen)
    variations = [variation for variation in named if variation is not None]
    if not variations:
        return cls
    return type(cls)(
        cls.__name__, (*variations, cls), {"__module__": cls.__module__, "__doc__": cls.__doc__}
    )
