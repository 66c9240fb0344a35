"""What a worker does: run a program with some seeds, and say what became of each.

What the program prints is thrown away: a campaign's words are its own. A run that is ended by
SystemExit, or by a cancellation that nobody caught, has failed, too.
"""

from __future__ import annotations

import io
import re
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from functools import lru_cache

import attrs

from simnet import failures
from simnet.campaign.setup import Played, Player, Setup
from simnet.exploring import keeping
from simnet.exploring.partings import diff
from simnet.scenario import writer
from simnet.scenario.layout import Unwritable

# How the signature of a run begins that ended its process: as no exception is called.
DIED = "process died: "
# As much of a message as is kept.
_LONGEST = 500
# Where an object lies in memory differs between processes, and says nothing.
_ADDRESS = re.compile(r"(?<= at )0x[0-9a-f]+")


@attrs.frozen
class Outcome:
    """What became of one seed. The story is kept where a chunk first fails in some way.

    It is the text of a scenario; None also if no file can say an argument.
    """

    seed: int
    steps: int
    virtual_seconds: float
    signature: str = ""
    message: str = ""
    story: str | None = None


@attrs.frozen
class Answer:
    """What became of a chunk of seeds, and how many seconds that took, if it tells of the next."""

    outcomes: tuple[Outcome, ...]
    seconds: float | None


@attrs.frozen
class Retold:
    """A failing run once more: in which way it failed, and where it parts from a passing one."""

    signature: str
    parting: str = ""


class _Nowhere(io.TextIOBase):
    def write(self, text: str) -> int:
        return len(text)


@contextmanager
def _silence() -> Iterator[None]:
    with redirect_stdout(_Nowhere()), redirect_stderr(_Nowhere()):
        yield


@lru_cache(maxsize=1)
def _player(setup: Setup) -> Player:
    return setup.player()


def prepare(setup: Setup) -> None:
    """Find the program, once for all seeds."""
    with _silence():
        _player(setup)


def run_seeds(setup: Setup, seeds: Sequence[int]) -> Answer:
    """Run each seed in a world of its own."""
    prepare(setup)
    with _silence():
        began = time.perf_counter()
        seen: set[str] = set()
        outcomes = []
        for seed in seeds:
            outcome = _outcome(setup, seed, seen)
            seen.add(outcome.signature)
            outcomes.append(outcome)
        return Answer(tuple(outcomes), time.perf_counter() - began)


def retell(setup: Setup, seed: int, passing: int | None) -> Retold:
    """Run a failing seed again, and compare its decisions with those of one that passed."""
    with _silence():
        failed = _played(setup, seed)
        if isinstance(failed, BaseException):
            return Retold(failures.signature(failed))
        if passing is None or not failed.run.failed:
            return Retold(failed.run.signature)
        passed = _played(setup, passing)
        if isinstance(passed, BaseException):
            return Retold(failed.run.signature)
        parting = diff(passed.run, failed.run, before=5)
        return Retold(failed.run.signature, "" if parting is None else str(parting))


def _played(setup: Setup, seed: int) -> Played | BaseException:
    """A run; or what left it that no program should let out."""
    try:
        return _player(setup)(seed)
    except KeyboardInterrupt:
        raise
    except BaseException as escaped:
        return escaped


def _outcome(setup: Setup, seed: int, seen: set[str]) -> Outcome:
    played = _played(setup, seed)
    if isinstance(played, BaseException):
        return Outcome(seed, 0, 0.0, failures.signature(played), _headline(played))
    found = played.run
    if found.failure is None:
        return Outcome(seed, found.steps, found.virtual_seconds)
    signature, message = found.signature, _headline(found.failure)
    story = None if signature in seen else _story(played, signature, message)
    return Outcome(seed, found.steps, found.virtual_seconds, signature, message, story)


def _story(played: Played, signature: str, message: str) -> str | None:
    decided = keeping.decided(played.story, played.run)
    try:
        return writer.write(keeping.failing(decided, signature, message))
    except Unwritable:
        return None


def _headline(failure: BaseException) -> str:
    try:
        text = failures.headline(failure)
    except Exception as error:
        return f"(its text cannot be made: {type(error).__name__})"
    shown = (
        each if each.isprintable() else each.encode("unicode_escape").decode() for each in text
    )
    return _ADDRESS.sub("0x...", "".join(shown))[:_LONGEST]
