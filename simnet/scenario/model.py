"""A scenario as frozen values: what the parser makes and the runner replays."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

import attrs

from simnet.scenario.expressions import Expression, Names
from simnet.scenario.places import Place
from simnet.scenario.setting import Happening, Setting


class Pattern(Protocol):
    """What a returned value must look like. `str()` gives it in words."""

    def matches(self, value: object, names: Names) -> bool:
        """Whether the value fits, given the values of the names so far."""
        ...


@attrs.frozen
class Returns:
    """The call returns, and its value fits the pattern. No pattern: any value."""

    pattern: Pattern | None = None

    def __str__(self) -> str:
        return "returns" if self.pattern is None else f"returns {self.pattern}"


@attrs.frozen
class Raises:
    """The call raises: an errno name (ECONNREFUSED), an EAI_ name, or an exception class."""

    name: str

    def __str__(self) -> str:
        return f"raises {self.name}"


@attrs.frozen
class Blocks:
    """The call does not come back yet; a later step says how it completes."""

    def __str__(self) -> str:
        return "blocks"


Expectation = Returns | Raises | Blocks


@attrs.frozen
class Call:
    """`receiver.name(arguments)`, or `name(arguments)` for a function of the network."""

    receiver: str | None
    name: str
    arguments: Sequence[Expression]
    keywords: Mapping[str, Expression]

    def __str__(self) -> str:
        named = (f"{name}={value}" for name, value in self.keywords.items())
        receiver = "" if self.receiver is None else f"{self.receiver}."
        return f"{receiver}{self.name}({', '.join([*map(str, self.arguments), *named])})"


@attrs.frozen
class Step:
    """One actor's call, or (no call) the end of the call that it is blocked in."""

    where: Place
    actor: str
    text: str
    call: Call | None
    expect: Expectation
    # Names for the result: one for all of it, or several for the items of a tuple.
    name: str | None = None
    names: tuple[str, ...] = ()
    # How many seconds it must take; a call that blocks, until it completes.
    takes: Pattern | None = None

    def __str__(self) -> str:
        return f"{self.actor}: {self.text}"

    @property
    def expected(self) -> str:
        """What it must give, and how long that must take, in words."""
        return str(self.expect) if self.takes is None else f"{self.expect}, taking {self.takes} s"


@attrs.frozen
class UserProgram:
    """A function of a user, called with the world of the story and the arguments."""

    where: Place
    # "tests/lines.py:check" or "package.module:check" (simnet/targets.py).
    target: str
    arguments: Mapping[str, object] = attrs.Factory(dict)
    # Who runs next, as a text of simnet/policies.py; None: the seed picks where somebody waits.
    policy: str | None = None
    # In which ways the world is nasty: names of families.
    nasty: tuple[str, ...] = ()
    # What was decided, but for the plainest: stream -> place -> choice; None: the seed decides.
    decisions: Mapping[str, Mapping[int, int]] | None = None
    # How it failed when the story was kept: the signature of simnet/failures.py.
    found: str | None = None

    def __str__(self) -> str:
        said = ", ".join(f"{name}={value!r}" for name, value in self.arguments.items())
        return f"{self.target}({said})"


@attrs.frozen
class Scenario:
    """A story: who acts, what they do in order, and what each step must give.

    Or a user's program instead, which must not raise; then steps are events that happen to it.
    """

    path: str
    name: str
    shows: str
    actors: tuple[str, ...]
    steps: tuple[Step | Happening, ...]
    # Several hosts; None: the sockets of one.
    setting: Setting | None = None
    # What of it only a simulator can do, in words.
    sim_only: tuple[str, ...] = ()
    program: UserProgram | None = None

    @property
    def happenings(self) -> tuple[Happening, ...]:
        """The steps that nobody does."""
        return tuple(step for step in self.steps if isinstance(step, Happening))

    @property
    def told(self) -> tuple[Step | Happening | UserProgram, ...]:
        """Everything that is done or happens, in the order of a report."""
        return self.steps if self.program is None else (*self.steps, self.program)
