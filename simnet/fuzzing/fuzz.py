"""`simnet.fuzz`: a Hypothesis test of a program; arguments, network, faults and schedule are drawn.

All of them are draws of one example, so that a failure shrinks in all of them at once, toward the
plainest: the simplest arguments, two hosts, no faults, first in first out. A program of coroutines
runs its own event loop; fixtures of pytest are not passed on, since no replay could have them.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import Any

import attrs
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.errors import UnsatisfiedAssumption
from hypothesis.strategies import DataObject, SearchStrategy

from simnet import targets
from simnet.exploring import keeping
from simnet.exploring.runs import Run
from simnet.fuzzing.by_seeds import BySeeds
from simnet.fuzzing.stories import Story, play_story, stories
from simnet.nastiness import families
from simnet.policies import Policy, read
from simnet.scenario.layout import Unwritable
from simnet.scenario.model import Scenario
from simnet.scenario.programs import BY_SEED, INNER, Program
from simnet.scenario.setting import Happening, Setting
from simnet.strategies import topologies

_WORLD = "world"


def fuzz(
    *,
    topology: Setting | SearchStrategy[Setting] | bool = False,
    faults: SearchStrategy[Sequence[Happening]] | Iterable[str] | bool = False,
    until: float = 10.0,
    nasty: bool | str | Iterable[str] = False,
    policy: Policy | str = "uniform",
    **arguments: SearchStrategy[Any],
) -> Callable[[Program], Callable[..., None]]:
    """Make a Hypothesis test of `program(world, **arguments)`.

    `arguments` are strategies for what the program takes besides the world. `topology` gives or
    draws hosts and links (True: `strategies.topologies()`), which the program finds in
    `world.hosts`; without it it makes its own. `faults` draws what happens to them: True, or names
    of families, for `strategies.fault_schedules` up to `until`, in virtual seconds. `nasty` names
    the families of nastiness (True: all) of which each example switches some on. `policy` says
    where a task may be preempted ("uniform": at every switch point; "fifo": nowhere, a task runs
    until it waits); who runs then is drawn.

    The test fails with what the program raises, or a task of it that nobody asked. The smallest
    failing example is kept as a scenario in simnet-failures/, and a note of the exception names the
    file and the command that replays it. TypeError if the program does not take a world and these
    arguments, or faults are asked for without hosts.

    `hypothesis.settings` apply as to any test. `deadline=None` is right on a busy machine, and with
    `report_multiple_bugs=False` the same failure is found each time: otherwise Hypothesis looks for
    others until some seconds of the wall clock have passed. `assume` works, but a replay, which is
    no test of Hypothesis, warns of it.
    """
    if faults is not False and topology is False:
        raise TypeError("faults= needs hosts that they can happen to: topology=")
    setting = topologies() if topology is True else topology
    drawn = stories(
        None if setting is False else setting,
        faults,
        until,
        families(nasty),
        read(policy) if isinstance(policy, str) else policy,
        arguments,
    )
    return partial(_test_of, drawn=drawn, arguments=arguments)


def _test_of(
    program: Program,
    drawn: SearchStrategy[Story],
    arguments: Mapping[str, SearchStrategy[Any]],
) -> Callable[..., None]:
    is_method = _check(program, arguments)
    kept = _Kept(program)

    def play(function: Program, story: Story, data: DataObject) -> None:
        found = play_story(story.scenario, function, data)
        if found.failure is None:
            return
        if not isinstance(found.failure, UnsatisfiedAssumption):
            kept.keep(story.scenario, found)
        raise found.failure

    def method(self: object, story: Story, data: DataObject) -> None:
        play(partial(program, self), story, data)

    def function(story: Story, data: DataObject) -> None:
        play(program, story, data)

    inner = method if is_method else function
    for name in ("__module__", "__name__", "__qualname__", "__doc__"):
        setattr(inner, name, getattr(program, name))
    test = given(story=drawn, data=st.data())(inner)
    setattr(test, INNER, program)
    setattr(test, BY_SEED, BySeeds(program, drawn))
    return test


def _check(program: Program, arguments: Mapping[str, object]) -> bool:
    """Whether it is a method; TypeError if it does not take what it will be given."""
    name = getattr(program, "__qualname__", repr(program))
    if inspect.iscoroutinefunction(program):
        raise TypeError(f"{name} is a coroutine function: let it run its loop, asyncio.run(...)")
    taken = list(inspect.signature(program).parameters)
    is_method = taken[:1] == ["self"]
    expected = ["self"] * is_method + [_WORLD, *arguments]
    if taken[: 1 + is_method] != expected[: 1 + is_method] or sorted(taken) != sorted(expected):
        raise TypeError(f"{name}({', '.join(taken)}): expected ({', '.join(expected)})")
    return is_method


@attrs.define
class _Kept:
    """The failures of one program: a file for each way of failing, the smallest the last."""

    program: Program
    suffixes: dict[str, str] = attrs.Factory(dict)

    def keep(self, story: Scenario, run: Run) -> None:
        """Write a failing run, and say so in a note of its exception."""
        assert run.failure is not None
        try:
            story = keeping.about(targets.name_of(self.program), story)
            number = len(self.suffixes) + 1
            suffix = self.suffixes.setdefault(run.signature, f"-{number}" if number > 1 else "")
            file = keeping.keep_story(keeping.played(story, run), suffix=suffix)
        except (targets.NoTarget, Unwritable) as error:
            note = f"not kept as a scenario: {error}"
        else:
            note = f"kept as {file}; replay it with\n    {keeping.replay_command(file)}"
        _add_note(run.failure, note)


def _add_note(error: BaseException, text: str) -> None:
    """As `add_note` of Python 3.11, which pytest shows on any version."""
    notes = [each for each in getattr(error, "__notes__", ()) if not each.startswith("simnet: ")]
    failure: Any = error
    failure.__notes__ = [*notes, f"simnet: {text}"]
