"""What a worker says of its seeds: how each ended, in words that are the same everywhere."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from pathlib import Path

import pytest

from simnet import scenario
from simnet.campaign import work
from simnet.campaign.setup import Setup, WrongSetup
from simnet.campaign.work import Outcome, Retold

Make = Callable[..., Setup]


def test_each_seed_has_its_outcome(made: Make, capfd: pytest.CaptureFixture[str]) -> None:
    """In order; what the program prints is not seen."""
    answer = work.run_seeds(made(), range(2, 7))
    assert [(each.seed, each.virtual_seconds, each.message) for each in answer.outcomes] == [
        (2, 2.0, ""),
        (3, 3.0, "seed 3"),
        (4, 4.0, ""),
        (5, 5.0, "eleven"),
        (6, 6.0, ""),
    ]
    signatures = [each.signature.partition(".py:")[0] for each in answer.outcomes]
    assert signatures == ["", "ValueError at programs", "", "AssertionError at programs", ""]
    assert answer.seconds is not None
    assert answer.seconds > 0
    assert capfd.readouterr() == ("", "")


def test_an_answer_is_small(made: Make) -> None:
    """A thousand seeds that passed are some 40 bytes each."""
    answer = work.run_seeds(made("passes"), range(1000))
    assert len(pickle.dumps(answer)) < 45_000


def test_a_story_is_told_where_a_way_of_failing_is_new(made: Make, tmp_path: Path) -> None:
    """Of the first seed of a chunk that fails so; it fails in the same way when it is replayed."""
    setup = made("races")
    first, *others = (each for each in work.run_seeds(setup, range(20)).outcomes if each.signature)
    assert first.story is not None
    assert {each.story for each in others} == {None}
    assert replayed(first.story, tmp_path).endswith("as it was found")


def replayed(story: str, directory: Path) -> str:
    """What becomes of a story."""
    file = directory / "story.yaml"
    file.write_text(story)
    report = scenario.run(scenario.load(str(file)), scenario.backends.load("sim"))
    assert report.failure is not None
    return report.failure.actual


def test_a_test_of_fuzz_is_played_by_seeds(made: Make, tmp_path: Path) -> None:
    """Each is one of its examples, with what was drawn in the story."""
    setup = made("is_fuzzed")
    answer = work.run_seeds(setup, range(100))
    failed = [each for each in answer.outcomes if each.signature]
    assert 0 < len(failed) < 100
    assert failed[0].signature.endswith(" in is_fuzzed")
    assert failed[0].story is not None
    assert "with: {size: " in failed[0].story
    assert replayed(failed[0].story, tmp_path).endswith("as it was found")
    assert work.run_seeds(setup, range(100)).outcomes == answer.outcomes
    assert made("is_fuzzed").policy is None
    with pytest.raises(WrongSetup, match=r"is a test of simnet\.fuzz"):
        made("is_fuzzed", policy="fifo")


def test_whatever_leaves_a_program_is_a_failure(made: Make) -> None:
    """With one line of text, in which nothing differs from process to process."""
    outcomes = work.run_seeds(made("escapes"), range(4)).outcomes
    told = [(each.signature.partition(" ")[0], each.message) for each in outcomes]
    assert told == [
        ("SystemExit", "left early"),
        ("CancelledError", ""),
        ("Odd", "(its text cannot be made: RuntimeError)"),
        ("ValueError", r"\x1b[31m\x00 red"),
    ]
    found = {each.message for each in work.run_seeds(made("races"), range(9)).outcomes}
    assert found == {"", "[1, 0] at <object object at 0x...>"}


def test_ctrl_c_is_for_the_campaign(made: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    """In its own process it is no failure of the seed."""

    def interrupted(*args: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("simnet.campaign.setup.run", interrupted)
    with pytest.raises(KeyboardInterrupt):
        work.run_seeds(made(), [0])


def test_a_failing_run_is_told_once_more(made: Make) -> None:
    """With the decision at which it parts from one that passed."""
    setup = made("races")
    outcomes = work.run_seeds(setup, range(20)).outcomes
    failed = next(each for each in outcomes if each.signature)
    passed = next(each for each in outcomes if not each.signature)
    retold = work.retell(setup, failed.seed, passed.seed)
    assert retold.signature == failed.signature
    assert retold.parting.startswith("the runs part at decision 1; before it:")
    assert work.retell(setup, failed.seed, None) == Retold(failed.signature)
    assert work.retell(setup, passed.seed, failed.seed) == Retold("")
    assert work.retell(made("escapes"), 0, 1).signature.startswith("SystemExit at ")


def test_an_outcome_that_passed_says_so() -> None:
    """It has no signature."""
    assert not Outcome(1, 2, 3.0).signature
