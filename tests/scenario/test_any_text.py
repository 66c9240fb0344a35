"""Whatever is done to a scenario file, the answer is a scenario or mistakes with places."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from simnet.scenario import Malformed, load

ROOT = Path(__file__).parent.parent.parent
TEXTS = {path.name: path.read_text() for path in sorted(ROOT.glob("scenarios/**/*.yaml"))}
# Pieces of the language, in places where they do not belong.
PIECES = (
    *(": ", "- ", "[", "]", "{", "}", "'", '"', "#", "\n", "  ", " -> ", " <-> ", ",", "(", ")"),
    *("client", "server", "hosts", "ip", "links", "crash", "packets", "after", "takes", "as"),
    *("0", "-1", "1e999", "nan", "true", "null", "ü", "\t", "!!set ", "&a ", "*a", "x" * 300),
)


@st.composite
def damaged(draw: st.DrawFn) -> str:
    """One of the scenarios with a few pieces put in or taken out."""
    text = TEXTS[draw(st.sampled_from(sorted(TEXTS)))]
    for _ in range(draw(st.integers(1, 4))):
        at = draw(st.integers(0, len(text)))
        cut = draw(st.sampled_from([0, 0, 1, 2, 10]))
        text = text[:at] + draw(st.sampled_from(PIECES)) + text[at + cut :]
    return text


@settings(
    max_examples=150,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(damaged())
def test_a_damaged_file_is_understood_or_answered_with_places(tmp_path: Path, text: str) -> None:
    """Never another exception; every place lies in the file."""
    path = tmp_path / "story.yaml"
    path.write_text(text, encoding="utf-8")
    mistakes = None
    try:
        load(str(path))
    except Malformed as malformed:
        mistakes = malformed.mistakes
    if mistakes is not None:
        lines = [*text.split("\n"), ""]
        assert mistakes
        for mistake in mistakes:
            assert 1 <= mistake.where.line <= len(lines)
            assert 1 <= mistake.where.column <= len(lines[mistake.where.line - 1]) + 1
            assert mistake.text


@pytest.mark.parametrize("name", TEXTS)
def test_the_scenarios_themselves_are_understood(tmp_path: Path, name: str) -> None:
    """The texts that are damaged above are whole."""
    path = tmp_path / name
    path.write_text(TEXTS[name])
    assert load(str(path)).steps
