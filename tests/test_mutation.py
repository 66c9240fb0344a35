"""The mutation tool itself: it kills what can be killed, and only that."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from tests.mutation import runner
from tests.mutation.operators import Mutant, draw, mutants_of
from tests.mutation.score import BELOW, MET, UNEXPLAINED, Score
from tests.mutation.survivors import load_explained

TOY = '''\
def clamp(number):
    """Not below zero. This text has no mutants."""
    if number < 0:
        return 0
    return number
'''
TEST = """\
from toy import clamp

def test_clamp():
    assert [clamp(n) for n in (-1, 0, 1)] == [0, 0, 1]
"""
ENDLESS = "while True:\n    pass\n"


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A project of one function and its test."""
    (tmp_path / "toy.py").write_text(TOY)
    (tmp_path / "test_toy.py").write_text(TEST)
    return tmp_path


def mutant(before: str, after: str) -> Mutant:
    """The toy's mutant that makes this change."""
    (found,) = (m for m in mutants_of("toy.py", TOY) if m.change == (before, after))
    return found


@pytest.mark.parametrize(
    ("before", "after", "verdict"),
    [
        ("if number < 0:", "if not (number < 0):", runner.KILLED),
        ("return number", "return None", runner.KILLED),
        ("if number < 0:", "if number <= 0:", runner.SURVIVED),  # 0 either way
    ],
)
def test_a_planted_mutant_gets_its_verdict(
    tree: Path, before: str, after: str, verdict: str
) -> None:
    """One that changes an answer is killed; an equivalent one survives; the tree is as before."""
    with runner.planted(tree, mutant(before, after)):
        assert runner.run_tests(tree, ["test_toy.py"], seconds=60) == verdict
    assert (tree / "toy.py").read_text() == TOY


def test_a_mutant_that_never_ends_is_stopped(tree: Path) -> None:
    """The time for a mutant is limited."""
    (tree / "toy.py").write_text(ENDLESS)
    assert runner.run_tests(tree, ["test_toy.py"], seconds=3) == runner.EXPIRED


@pytest.mark.parametrize(
    ("answers", "verdict"),
    [
        ([runner.KILLED], runner.KILLED),
        ([runner.EXPIRED], runner.TIMEOUT),
        ([runner.SURVIVED, runner.SURVIVED], runner.SURVIVED),
        ([runner.SURVIVED, runner.TIMEOUT], runner.TIMEOUT),
        ([runner.SURVIVED, runner.EXPIRED], runner.UNDECIDED),
    ],
)
def test_many_slow_tests_do_not_kill(
    tree: Path, monkeypatch: pytest.MonkeyPatch, answers: list[str], verdict: str
) -> None:
    """Few tests that do not end tell of an endless mutant; many may just be slow."""
    left = iter(answers)
    monkeypatch.setattr(runner, "run_tests", lambda *_, **__: next(left))
    planted = mutant("return number", "return None")
    assert runner.judge(tree, planted, ["test_toy.py::test_clamp"], most=9, seconds=9) == verdict
    assert next(left, None) is None


def score(killed: int, survived: int, explained: int, undecided: int = 0) -> Score:
    """A score with a floor of 90 per cent."""
    verdicts = {
        runner.KILLED: killed,
        runner.SURVIVED: survived,
        runner.UNDECIDED: undecided,
    }
    return Score(Counter(verdicts), explained, 90.0)


@pytest.mark.parametrize(
    ("of", "consistent", "code"),
    [
        (score(90, 10, 10), True, MET),
        (score(100, 0, 0), True, MET),
        (score(89, 11, 11), True, BELOW),
        (score(90, 10, 9), True, UNEXPLAINED),
        (score(90, 10, 10), False, UNEXPLAINED),
        (score(89, 0, 0, undecided=11), True, BELOW),
        (score(0, 0, 0), True, BELOW),
    ],
)
def test_the_exit_code_tells_whether_the_floor_is_met(
    of: Score, consistent: bool, code: int
) -> None:
    """An explanation does not count as a kill, nor does a run out of time."""
    assert of.exit_code(consistent=consistent) == code


def test_the_table_says_it_plainly() -> None:
    """Killed, survived, explained, and the score beside its floor."""
    lines = [" ".join(line.split()) for line in score(88, 10, 3, undecided=2).table()]
    assert {"mutants 100", "killed 88", "survived 12", "out of time 2"} <= set(lines)
    assert lines[-2:] == ["of these explained 3", "score 88.0 %, floor 90 %: NOT met"]


def test_every_mutant_is_another_program() -> None:
    """All are valid Python, no two are equal, and each has an identity of its own."""
    mutants = mutants_of("toy.py", TOY)
    for each in mutants:
        compile(each.mutated, "toy.py", "exec")
    assert len({each.identity for each in mutants}) == len(mutants) > 5


def test_a_sample_outlives_other_changes() -> None:
    """A line more does not change who is drawn of the rest; another seed does."""
    few = mutants_of("toy.py", TOY)
    more = mutants_of("toy.py", TOY + "\nlimit = 3\n")
    drawn = [m.identity for m in draw(few, 4, seed=1)]
    assert drawn == [m.identity for m in draw(more, 6, seed=1) if m.function][:4]
    assert drawn != [m.identity for m in draw(few, 4, seed=2)]


def test_a_survivor_shows_as_a_diff() -> None:
    """With the lines around it."""
    diff = mutant("if number < 0:", "if number <= 0:").diff
    assert "-    if number < 0:\n+    if number <= 0:" in diff


def test_explanations_are_of_mutants_that_exist() -> None:
    """survivors.yaml keeps pace with the code."""
    for each in load_explained():
        source = Path(each.path).read_text()
        assert each.identity in {m.identity for m in mutants_of(each.path, source)}, each
