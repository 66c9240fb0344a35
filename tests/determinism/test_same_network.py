"""What chance does to packets is a function of the seed, whatever else there is in the world."""

from __future__ import annotations

from typing import Any

import pytest

from tests.determinism.network import NetworkStory
from tests.determinism.processes import INTERPRETERS, run


@pytest.fixture(scope="module")
def story() -> dict[str, Any]:
    """The story in this process."""
    return NetworkStory(seed=0).run()


@pytest.mark.parametrize("python", INTERPRETERS)
@pytest.mark.parametrize("hash_seed", ["1", "4294967295"])
def test_every_process_gives_the_same_network(
    story: dict[str, Any], python: str, hash_seed: str
) -> None:
    """The digest and what every task saw, on every interpreter and with every hash seed."""
    assert run("network.py", python=python, hash_seed=hash_seed) == story


def test_the_story_has_what_chance_can_do(story: dict[str, Any]) -> None:
    """Packets are lost, damaged, doubled and cut off, and hosts go down; tasks get on."""
    told = NetworkStory(seed=0, record=True)
    assert told.run()["transcript"]
    events = {record[1] for record in told.world.trace}
    assert {"duplicated", "dropped", "partition", "heal", "crash", "restart"} <= events
    reasons = {record[4] for record in told.world.trace if record[1] == "dropped"}
    assert {"loss", "corrupt", "partition"} <= reasons
    assert any("echoed 30000" in line for line in story["transcript"])


def test_hosts_and_links_that_nobody_uses_change_nothing(story: dict[str, Any]) -> None:
    """No draw of another link, and no event: the digest is the same."""
    assert NetworkStory(seed=0, idle=True).run() == story


def test_keeping_every_packet_changes_no_draw(story: dict[str, Any]) -> None:
    """What the tasks saw, to the nanosecond; only the trace holds more."""
    recorded = NetworkStory(seed=0, record=True).run()
    assert recorded["transcript"] == story["transcript"]
    assert recorded["digest"] != story["digest"]


def test_another_seed_gives_another_network() -> None:
    """The seed matters wherever chance does."""
    runs = [NetworkStory(seed=seed).run() for seed in range(4)]
    assert len({run["digest"] for run in runs}) == 4
    assert len({tuple(run["transcript"]) for run in runs}) == 4
