"""Fixtures for scenarios: files on disk, and backends that disagree."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from importlib.metadata import EntryPoint
from pathlib import Path
from textwrap import dedent, indent

import pytest

from simnet.scenario import Malformed, Report, Scenario, backends, load, run
from tests.conftest import BACKENDS

INSTALLED = [
    pytest.param(
        name,
        marks=[] if backends.installed(name) else pytest.mark.skip(reason=f"no backend {name}"),
    )
    for name in BACKENDS
]

Write = Callable[..., Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Write a scenario file: its steps, with a head that is the same for all."""

    def write(steps: str, *, name: str = "story.yaml", actors: str = "[a, b]") -> Path:
        head = f"name: A story\nshows: Something.\nactors: {actors}\nsteps:\n"
        path = tmp_path / name
        path.write_text(head + indent(dedent(steps).strip("\n"), "  ") + "\n", encoding="utf-8")
        return path

    return write


@pytest.fixture
def write_hosts(tmp_path: Path) -> Write:
    """Write a scenario of two hosts: its steps, and what is said of them before."""

    def write(steps: str, setting: str = "", *, name: str = "story.yaml") -> Path:
        head = (
            "name: A story\nshows: Something.\nhosts:\n  a: {ip: 10.0.0.1}\n  b: {ip: 10.0.0.2}\n"
        )
        body = indent(dedent(steps).strip("\n"), "  ")
        path = tmp_path / name
        path.write_text(f"{head}{dedent(setting)}steps:\n{body}\n", encoding="utf-8")
        return path

    return write


@pytest.fixture
def mistakes(tmp_path: Path) -> Callable[[Path], list[str]]:
    """What is wrong with a file, one text each, without its directory."""

    def mistakes(path: Path) -> list[str]:
        with pytest.raises(Malformed) as caught:
            load(str(path))
        return [str(mistake).replace(f"{tmp_path}/", "") for mistake in caught.value.mistakes]

    return mistakes


@pytest.fixture
def play(write: Write, backend: str) -> Callable[..., Report]:
    """Replay steps on the backend of the test."""

    def play(steps: str, **options: float) -> Report:
        return run(scenario_of(write(steps)), backends.load(backend), **options)

    return play


def scenario_of(path: Path) -> Scenario:
    """The scenario, with places that name only the file."""
    return load(str(path), shown_as=path.name)


def register(monkeypatch: pytest.MonkeyPatch, values: Iterable[str], both: tuple[str, ...]) -> None:
    """Register backends `name=module:factory` instead of the installed ones."""
    entries = {}
    for text in values:
        name, _, value = text.partition("=")
        entries[name] = EntryPoint(name, value, backends.GROUP)
    monkeypatch.setattr(
        backends,
        "_entries",
        lambda group=backends.GROUP: entries if group == backends.GROUP else {},
    )
    monkeypatch.setattr(backends, "BOTH", both)
