"""Failures kept as scenario files, which replay them: `simnet run simnet-failures/NAME.yaml`."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from pathlib import Path

import attrs

from simnet import policies
from simnet.exploring.runs import Program, Run
from simnet.failures import headline
from simnet.nastiness import families
from simnet.policies import Policy
from simnet.scenario import writer
from simnet.scenario.course import sim_only
from simnet.scenario.model import Scenario, UserProgram
from simnet.scenario.places import Place
from simnet.scenario.setting import Setting
from simnet.sources import by_stream
from simnet.targets import name_of

DIRECTORY = "simnet-failures"


def story_of(
    target: str,
    seed: int | str = 0,
    policy: Policy | str | None = None,
    nasty: Iterable[str] = (),
) -> Scenario:
    """The story of a program on hosts that it makes itself."""
    text = policy if policy is None or isinstance(policy, str) else policies.write(policy)
    program = UserProgram(Place(""), target, policy=text, nasty=tuple(nasty))
    return about(target, Scenario("", "", "", (), (), Setting((), seed=seed), program=program))


def about(target: str, story: Scenario) -> Scenario:
    """A story, with the program that it is about."""
    assert story.program is not None
    name = target.rpartition(":")[2]
    program = attrs.evolve(story.program, target=target)
    return attrs.evolve(story, name=name, shows=name, program=program)


def failing(story: Scenario, signature: str, message: str) -> Scenario:
    """A story with how it failed, and what of it needs a simulator."""
    assert story.program is not None
    program = attrs.evolve(story.program, found=signature)
    return attrs.evolve(
        story,
        # Prose: with single blanks.
        shows=" ".join((f"{signature}: {message}" if message else signature).split()),
        program=program,
        sim_only=sim_only(None, story.setting, story.steps, program),
    )


def decided(story: Scenario, run: Run) -> Scenario:
    """A story that was played, with what was decided."""
    assert story.program is not None
    program = attrs.evolve(story.program, decisions=by_stream(run.decisions))
    return attrs.evolve(story, program=program)


def played(story: Scenario, run: Run) -> Scenario:
    """A story that was played and failed, with what was decided."""
    assert run.failure is not None
    return failing(decided(story, run), run.signature, headline(run.failure))


def keep_story(
    story: Scenario, directory: str | os.PathLike[str] = DIRECTORY, suffix: str = ""
) -> Path:
    """Write a story to NAME.yaml, in place of what was there, and give the file.

    Unwritable (simnet/scenario/layout.py) if an argument cannot be said in YAML.
    """
    return keep_text(writer.write(story), story.name, directory, suffix)


def keep_text(
    text: str, name: str, directory: str | os.PathLike[str] = DIRECTORY, suffix: str = ""
) -> Path:
    """The same with the text of a story."""
    Path(directory).mkdir(parents=True, exist_ok=True)
    name = re.sub(r"[^\w.-]+", "-", name).strip("-.") or "program"
    file = Path(directory) / f"{name}{suffix}.yaml"
    # Whole or not at all, also if the process is killed meanwhile.
    part = file.with_suffix(".part")
    part.write_text(text, encoding="utf-8")
    part.replace(file)
    return file


def keep(
    program: Program,
    run: Run,
    *,
    policy: Policy | str = "uniform",
    nasty: bool | str | Iterable[str] = False,
    directory: str | os.PathLike[str] = DIRECTORY,
) -> Path:
    """Write a failing run of `simnet.explore` or `simnet.shrink` as a scenario, and give the file.

    `policy` and `nasty` as in the run. ValueError for a run that has not failed; NoTarget for a
    program that no name leads to.
    """
    if not run.failed:
        raise ValueError("this run has not failed: there is nothing to keep")
    story = story_of(name_of(program), run.seed, policy, families(nasty))
    return keep_story(played(story, run), directory)


def replay_command(file: Path) -> str:
    """What to type in order to see it again."""
    return f"simnet run {file}"
