"""The examples of a test by numbers: what campaigns run, millions of them, without shrinking."""

from __future__ import annotations

import random
from typing import Any

import attrs
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.errors import UnsatisfiedAssumption
from hypothesis.strategies import DataObject, SearchStrategy

from simnet.exploring.runs import Run
from simnet.fuzzing.stories import Story, play_story
from simnet.scenario.model import Scenario
from simnet.scenario.programs import Program

# Bytes; most examples need a few hundred.
_LONGEST = 8192


class BySeeds:
    """The examples of one test, one for each seed."""

    def __init__(self, program: Program, stories: SearchStrategy[Story]) -> None:
        self._function = program
        self._played: list[tuple[Scenario, Run]] = []

        @settings(database=None, deadline=None)
        @given(story=stories, data=st.data())
        def example(story: Story, data: DataObject) -> None:
            self._played.append((story.scenario, play_story(story.scenario, self._function, data)))

        self._example: Any = example

    def __call__(self, seed: int | str, function: Program) -> tuple[Scenario, Run] | None:
        """The story and the run of a seed; None if the seed stands for no example."""
        self._function = function
        self._played.clear()
        self._example.hypothesis.fuzz_one_input(_bytes(seed))
        if not self._played:
            return None
        ((story, found),) = self._played
        if isinstance(found.failure, UnsatisfiedAssumption):
            return None
        return story, attrs.evolve(found, seed=seed)


def _bytes(seed: int | str) -> bytes:
    """What Hypothesis makes an example of."""
    return random.Random(f"{seed}/example").getrandbits(8 * _LONGEST).to_bytes(_LONGEST, "big")
