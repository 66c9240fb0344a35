"""The scenarios that ship go as they are told, however the simulator plays them."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import attrs
import pytest

from simnet import World
from simnet.scenario import Scenario, load, run
from simnet.scenario.backends import Backend
from simnet.world import localhost

ROOT = Path(__file__).parent.parent.parent
SCENARIOS = [
    pytest.param(load(str(path)), id=path.stem) for path in sorted(ROOT.glob("scenarios/**/*.yaml"))
]


def of_several_hosts(parameter: Any) -> bool:
    """Whether a scenario takes a seed."""
    return parameter.values[0].setting is not None


class Recording(World):
    """A world that keeps every packet, and so takes no short cut."""

    def __init__(self, seed: int | str) -> None:
        super().__init__(seed, record=True)


PLAIN = Backend("plain", localhost, World)
RECORDING = Backend("recording", partial(localhost, record=True), Recording)


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_a_scenario_goes_the_same_way_by_segments_and_by_the_short_cut(scenario: Scenario) -> None:
    """Every outcome is as told, and the same to the last detail that is compared."""
    plain, recording = run(scenario, PLAIN), run(scenario, RECORDING)
    assert (plain.status, plain.failure) == ("ok", None)
    assert (recording.status, recording.failure) == ("ok", None)
    assert plain.record == recording.record


@pytest.mark.parametrize("scenario", [each for each in SCENARIOS if of_several_hosts(each)])
def test_a_scenario_holds_for_other_seeds(scenario: Scenario) -> None:
    """What it tells is no accident of one seed."""
    assert scenario.setting is not None
    for seed in range(1, 4):
        other = attrs.evolve(scenario, setting=attrs.evolve(scenario.setting, seed=seed))
        report = run(other, PLAIN)
        assert (report.status, report.failure, report.error) == ("ok", None, None)
