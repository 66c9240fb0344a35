"""Ways between hosts: `client -> server` is one direction, `client <-> server` is both.

Several hosts may stand on either side: `client, proxy -> server`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

import attrs

from simnet.scenario.places import Mistake, Place, nearest, one_of

_NAME = re.compile(r"[^\s,]+")
_ARROW = re.compile(r"<->|->")
EXAMPLE = "'client -> server' (one direction) or 'client <-> server' (both)"


@attrs.frozen
class Way:
    """From some hosts to some others, and back if `both_ways`."""

    sources: tuple[str, ...]
    targets: tuple[str, ...]
    both_ways: bool

    def __str__(self) -> str:
        arrow = "<->" if self.both_ways else "->"
        return f"{', '.join(self.sources)} {arrow} {', '.join(self.targets)}"

    def directions(self) -> Iterator[tuple[str, str]]:
        """Each (source, target) that it means."""
        for source in self.sources:
            for target in self.targets:
                yield source, target
                if self.both_ways:
                    yield target, source


def read(
    text: str, where: Place, exact: bool, hosts: Sequence[str]
) -> tuple[Way | None, list[Mistake]]:
    """The way that a text means, and what is wrong with it."""

    def at(offset: int) -> Place:
        return attrs.evolve(where, column=where.column + offset) if exact else where

    arrows = list(_ARROW.finditer(text))
    if len(arrows) != 1:
        return None, [Mistake(where, f"expected a way such as {EXAMPLE}, found '{text}'")]
    (arrow,) = arrows
    mistakes: list[Mistake] = []
    seen: set[str] = set()
    sides: list[tuple[str, ...]] = []
    for start, end in ((0, arrow.start()), (arrow.end(), len(text))):
        names = []
        for part in _parts(text, start, end):
            offset, name = part
            if not _NAME.fullmatch(name):
                found = f"'{name}'" if name else "nothing"
                mistakes.append(Mistake(at(offset), f"expected a host's name, found {found}"))
            elif name not in hosts:
                expected = f"expected {one_of(hosts)}{nearest(name, hosts)}"
                mistakes.append(Mistake(at(offset), f"unknown host '{name}': {expected}"))
            elif name in seen:
                mistakes.append(Mistake(at(offset), f"the host '{name}' is named twice"))
            seen.add(name)
            names.append(name)
        sides.append(tuple(names))
    if mistakes:
        return None, mistakes
    return Way(sides[0], sides[1], arrow.group() == "<->"), []


def _parts(text: str, start: int, end: int) -> Iterator[tuple[int, str]]:
    """The parts between commas, with their offsets, without the blanks around them."""
    for part in text[start:end].split(","):
        yield start + len(part) - len(part.lstrip()), part.strip()
        start += len(part) + 1
