"""What a campaign explores: the program, how its worlds are made, and which versions run it.

What became of a seed holds for one setup alone. The code is told by a digest (code.py) of the
program's own modules; simnet and Python by their versions; other installed packages not at all.
"""

from __future__ import annotations

import os
import platform
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import attrs

import simnet
from simnet import policies, targets
from simnet.campaign import code
from simnet.exploring import keeping
from simnet.exploring.runs import Run, run
from simnet.nastiness import families
from simnet.scenario import programs
from simnet.scenario.model import Scenario
from simnet.scenario.programs import Program
from simnet.scenario.setting import Setting
from simnet.sources import BySeed

# What each field is called in messages.
_WORDS = {
    "target": "target",
    "policy": "policy",
    "nasty": "nasty",
    "patience": "patience",
    "code": "code",
    "simnet": "version of simnet",
    "python": "version of Python",
}


class WrongSetup(ValueError):
    """Something cannot be explored as it was asked for; the message says what to do."""


@attrs.frozen
class Played:
    """What a seed stands for, and how it ended."""

    story: Scenario
    run: Run


Player = Callable[[int], Played]


@attrs.frozen
class Setup:
    """What is the same for all seeds of a campaign."""

    target: str
    policy: str | None = None
    nasty: tuple[str, ...] = ()
    # Seconds of the wall after which a run has failed; None: it may take for ever.
    patience: float | None = None
    code: str = ""
    simnet: str = simnet.__version__
    python: str = ".".join(platform.python_version_tuple()[:2])

    def program(self) -> Program:
        """The program, if it is the one that is meant; WrongSetup if it is another one here."""
        function = programs.function_of(self.target)
        here = attrs.evolve(
            self,
            code=code.digest(function),
            simnet=simnet.__version__,
            python=".".join(platform.python_version_tuple()[:2]),
        )
        found = self.differences(here)
        if found:
            raise WrongSetup(
                "a worker has another program than the campaign, or it was changed meanwhile:\n"
                + "\n".join(f"  {each}" for each in found)
            )
        return function

    def player(self) -> Player:
        """Plays a seed: the program in a world of that seed, or an example of a test."""
        function = self.program()
        by_seed = getattr(targets.resolve(self.target), programs.BY_SEED, None)
        if by_seed is not None:
            return partial(_example, self.target, function, by_seed)
        policy = None if self.policy is None else policies.read(self.policy)
        story = keeping.story_of(self.target, policy=self.policy, nasty=self.nasty)
        options = {"nasty": self.nasty} if self.nasty else {}

        def play(seed: int) -> Played:
            setting = Setting((), seed=seed)
            found = run(function, seed, policy, BySeed(), options)
            return Played(attrs.evolve(story, setting=setting), found)

        return play

    def differences(self, other: Setup) -> list[str]:
        """In what two setups differ, a line each; this one is called "the campaign"."""
        lines = []
        for name, word in _WORDS.items():
            one, two = getattr(self, name), getattr(other, name)
            if one == two:
                continue
            if name == "code":
                where = self.target.rpartition(":")[0]
                lines.append(f"{word}: {where}, or a module that it imports, is not the same")
            else:
                lines.append(f"{word}: {_shown(one)} in the campaign, {_shown(two)} here")
        return lines

    @property
    def name(self) -> str:
        """A short name, for files: "lines.check" of tests/lines.py:check."""
        where, _, function = self.target.rpartition(":")
        module = Path(where).stem if where.endswith(".py") else where.rpartition(".")[2]
        return f"{module}.{function}"


def _shown(value: object) -> str:
    if value is None or value == ():
        return "none"
    return ", ".join(value) if isinstance(value, tuple) else str(value)


def _example(target: str, function: Program, by_seed: Any, seed: int) -> Played:
    """An example of a test; a seed that stands for none passes."""
    story, found = by_seed(seed, function) or (keeping.story_of(target), Run(seed, (), 0, 0.0))
    return Played(keeping.about(target, story), found)


def make(
    target: str,
    policy: str | None = None,
    nasty: tuple[str, ...] = (),
    patience: float | None = None,
) -> Setup:
    """The setup of a program as it is now; WrongSetup or NoTarget if there is none.

    The policy is "uniform" if it is left out. A test of `simnet.fuzz` says itself what its worlds
    are like.
    """
    function = programs.function_of(target)
    if hasattr(targets.resolve(target), programs.BY_SEED):
        if policy is not None or nasty:
            raise WrongSetup(f"{target} is a test of simnet.fuzz: say policy= and nasty= there")
        policy = "none"
    where, _, name = target.rpartition(":")
    if where.endswith(".py"):
        target = f"{_from_here(Path(where))}:{name}"
    try:
        switched = families(True if nasty == ("all",) else nasty)
    except ValueError as error:
        raise WrongSetup(str(error)) from None
    text = _policy_text(policy or "uniform")
    return Setup(target, text, switched, patience, code.digest(function))


def _from_here(path: Path) -> str:
    whole, here = path.resolve(), Path.cwd()
    return whole.relative_to(here).as_posix() if whole.is_relative_to(here) else os.fspath(whole)


def _policy_text(text: str) -> str | None:
    if text.strip().lower() == "none":
        return None
    if text.strip().lower().startswith("exhaustive"):
        raise WrongSetup(
            "a campaign goes by seeds, and 'exhaustive' goes through schedules: it is for small "
            "programs, simnet.explore(program, policy=Exhaustive()) in one process"
        )
    try:
        return policies.write(policies.read(text))
    except ValueError as error:
        raise WrongSetup(str(error)) from None
