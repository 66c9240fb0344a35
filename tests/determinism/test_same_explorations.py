"""The same seed and policy give the same report, word for word."""

from __future__ import annotations

import pytest

from tests.determinism.explored import tell
from tests.determinism.processes import INTERPRETERS, run


@pytest.fixture(scope="module")
def told() -> dict[str, list[str]]:
    """The reports in this process."""
    return tell()


@pytest.mark.parametrize("hash_seed", ["1", "4294967295"])
def test_every_process_tells_the_same(told: dict[str, list[str]], hash_seed: str) -> None:
    """With every hash seed; also twice in one process."""
    assert run("explored.py", hash_seed=hash_seed) == told


@pytest.mark.parametrize("python", INTERPRETERS)
def test_every_python_tells_the_same(told: dict[str, list[str]], python: str) -> None:
    """Names of calls and tasks, and places in programs, are no matter of a version."""
    assert run("explored.py", python=python) == told


def test_the_reports_have_something_to_tell(told: dict[str, list[str]]) -> None:
    """Ways of failing, partings and decisions."""
    text = "\n".join(line for lines in told.values() for line in lines)
    assert "the runs part at decision" in text
    assert "AssertionError at explored.py:" in text
    assert "of them not the plainest:" in text
    assert "'a hears' in recvfrom" in text
