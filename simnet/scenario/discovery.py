"""Paths into scenario files."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

from simnet.scenario.model import Scenario
from simnet.scenario.parser import load
from simnet.scenario.places import Malformed, Mistake, Place

SUFFIXES = (".yaml", ".yml")


def files(path: str) -> Iterator[str]:
    """The file itself, or every scenario file below the directory, by name."""
    if not Path(path).is_dir():
        yield path
        return
    found = sorted(
        str(file) for file in Path(path).rglob("*") if file.suffix in SUFFIXES and file.is_file()
    )
    if not found:
        text = f"expected scenarios ({' or '.join(SUFFIXES)}) in the directory, found none"
        raise Malformed([Mistake(Place(path), text)])
    yield from found


def load_all(paths: Iterable[str]) -> list[Scenario]:
    """Every scenario of the paths, once; Malformed with the mistakes of all files."""
    mistakes: list[Mistake] = []
    scenarios: dict[str, Scenario] = {}
    for path in paths:
        try:
            for file in files(path):
                try:
                    if file not in scenarios:
                        scenarios[file] = load(file)
                except Malformed as malformed:
                    mistakes += malformed.mistakes
        except Malformed as malformed:
            mistakes += malformed.mistakes
    if mistakes:
        raise Malformed(mistakes)
    return list(scenarios.values())
