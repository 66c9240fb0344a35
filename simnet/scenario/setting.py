"""Where a story takes place: hosts and links, and what happens to them as it goes on."""

from __future__ import annotations

from collections.abc import Mapping

import attrs

from simnet.scenario.places import Place
from simnet.scenario.ways import Way


@attrs.frozen
class HostPlan:
    """A host: its addresses, the actors on it, its kernel's settings, how wrong its clock is."""

    name: str
    ips: tuple[str, ...]
    actors: tuple[str, ...]
    # Seconds, and seconds per second.
    clock_offset: float = 0.0
    clock_drift: float = 0.0
    limits: Mapping[str, float] = attrs.Factory(dict)


@attrs.frozen
class LinkPlan:
    """The conditions that are set on a way; without one, on every link that has none of its own."""

    way: Way | None
    conditions: Mapping[str, float]

    def __str__(self) -> str:
        said = ", ".join(f"{name} {value:g}" for name, value in self.conditions.items())
        return f"{self.way or 'default'}: {said}"


@attrs.frozen
class NamePlan:
    """What looking for a name gives: addresses or an error (EAI_...), after so many seconds."""

    name: str
    ips: tuple[str, ...] = ()
    fails: str | None = None
    delay: float = 0.0

    def __str__(self) -> str:
        said = self.fails or ", ".join(self.ips)
        return f"{self.name}: {said}" + (f" after {self.delay:g} s" if self.delay else "")


@attrs.frozen
class Setting:
    """The hosts of a story, links and names, and the seed of what is left to chance.

    A program may make its hosts itself: then there are none.
    """

    hosts: tuple[HostPlan, ...]
    links: tuple[LinkPlan, ...] = ()
    names: tuple[NamePlan, ...] = ()
    seed: int | str = 0
    # What is said of addresses that nobody has: a word of `World.unknown`; None: as it is at first.
    unknown: str | None = None


# What happens


@attrs.frozen
class Partition:
    """Nothing gets through any more."""

    way: Way

    def __str__(self) -> str:
        return f"partition: {self.way}"


@attrs.frozen
class Heal:
    """The partition of the same way ends."""

    way: Way

    def __str__(self) -> str:
        return f"heal: {self.way}"


@attrs.frozen
class Hold:
    """What is under way stays under way."""

    way: Way

    def __str__(self) -> str:
        return f"hold: {self.way}"


@attrs.frozen
class Release:
    """What was held back arrives."""

    way: Way

    def __str__(self) -> str:
        return f"release: {self.way}"


@attrs.frozen
class Drop:
    """The next packets of a kind are lost, so many of them."""

    source: str
    target: str
    packets: str
    count: int

    def __str__(self) -> str:
        return f"drop: {self.source} -> {self.target} (packets: {self.packets}, {self.count})"


@attrs.frozen
class Links:
    """Links change."""

    changes: tuple[LinkPlan, ...]

    def __str__(self) -> str:
        return f"links: {'; '.join(map(str, self.changes))}"


@attrs.frozen
class Names:
    """Names mean something else."""

    changes: tuple[NamePlan, ...]

    def __str__(self) -> str:
        return f"names: {'; '.join(map(str, self.changes))}"


@attrs.frozen
class Crash:
    """A host stops; its actors' calls end where they are, its sockets vanish without a word."""

    host: str

    def __str__(self) -> str:
        return f"crash: {self.host}"


@attrs.frozen
class Restart:
    """A crashed host comes up again, with nothing running."""

    host: str

    def __str__(self) -> str:
        return f"restart: {self.host}"


@attrs.frozen
class Wait:
    """Time passes; calls that are blocked go on."""

    seconds: float

    def __str__(self) -> str:
        return f"wait: {self.seconds:g}"


Event = Partition | Heal | Hold | Release | Drop | Links | Names | Crash | Restart | Wait


@attrs.frozen
class Happening:
    """A step that nobody does: an event now, or so much later while the story goes on."""

    where: Place
    event: Event
    # Seconds from now, or since the beginning of the story.
    after: float | None = None
    at: float | None = None

    @property
    def scheduled(self) -> bool:
        """Whether it happens while the story goes on."""
        return self.after is not None or self.at is not None

    def __str__(self) -> str:
        when = "" if self.after is None else f" (after {self.after:g} seconds)"
        when += "" if self.at is None else f" (at {self.at:g} seconds)"
        return f"{self.event}{when}"
