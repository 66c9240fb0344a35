"""The page of a campaign: well-formed, with the numbers, and the same for the same seeds."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from xml.etree import ElementTree

import pytest

from simnet.campaign import executors, html
from simnet.campaign.campaign import Campaign, Progress
from simnet.campaign.setup import Setup
from simnet.campaign.store import Store
from simnet.campaign.summary import Summary
from simnet.campaign.work import Outcome


class Unseen:
    """Shows nothing."""

    def show(self, progress: Progress) -> None:
        """Nowhere."""


@pytest.fixture
def page(made: Callable[..., Setup], tmp_path: Path) -> Callable[[str, range], str]:
    """The page of a program with some seeds."""

    def make(program: str, seeds: range) -> str:
        setup = made(program)
        store = Store(tmp_path / f"{program}.sqlite", setup)
        with executors.crew("inline", 1) as crew:
            summary = Campaign(setup, seeds, store, crew, Unseen()).run().summary
        text = html.page(setup, store, summary)
        store.close()
        return text

    return make


def texts(root: ElementTree.Element, path: str) -> list[str]:
    """The words of some elements."""
    return ["".join(each.itertext()) for each in root.iterfind(path)]


def test_it_says_what_the_report_says(page: Callable[[str, range], str]) -> None:
    """With the facts of the setup; it needs nothing else, and can be read as XML."""
    text = page("some_fail", range(60))
    root = ElementTree.fromstring(text)
    assert texts(root, ".//h1") == ["tests/campaign/programs.py:some_fail"]
    assert texts(root, ".//p[@id='summary']") == ["60 runs: 13 failed, in 2 ways"]
    ways = texts(root, ".//h2")
    assert [way.partition(" at ")[0] for way in ways] == ["ValueError", "AssertionError"]
    assert [way.split()[-2:] for way in ways] == [["9", "times"], ["4", "times"]]
    facts = dict(zip(texts(root, ".//dt"), texts(root, ".//dd"), strict=True))
    assert (facts["seeds"], facts["policy"], facts["nasty"]) == ("60", "uniform", "none")
    assert facts["virtual time of a run"] == "0.000 s to 59.000 s"
    assert "http" not in text.replace('<meta charset="utf-8"/>', "")


def test_each_way_has_a_strip_of_where_it_happens(page: Callable[[str, range], str]) -> None:
    """A mark for each seed, while there are few."""
    root = ElementTree.fromstring(page("some_fail", range(60)))
    whole, *strips = root.iterfind(".//svg")
    assert texts(strips[1], "rect/title") == ["seed 5", "seed 16", "seed 27", "seed 49"]
    assert len(whole) == 13


def test_of_many_seeds_a_mark_is_of_several(made: Callable[..., Setup], tmp_path: Path) -> None:
    """Darker the more of them failed; each seed is in one mark."""
    setup = made("some_fail")
    store = Store(tmp_path / "x.sqlite", setup)
    failed = range(0, 1001, 3)
    store.keep(
        Outcome(seed, 1, 1.0, "E at x.py:1" if seed in failed else "") for seed in range(1001)
    )
    root = ElementTree.fromstring(html.page(setup, store, store.summary(range(1001))))
    store.close()
    marks = texts(root, "body/header/svg/rect/title")
    assert len(marks) == 200
    assert marks[:2] == ["seeds 0 to 5: 2", "seeds 6 to 10: 2"]
    assert sum(int(mark.rpartition(": ")[2]) for mark in marks) == len(failed)
    shades = [float(each.get("opacity", "")) for each in root.iterfind("body/header/svg/rect")]
    assert min(shades) < max(shades) <= 1


def test_what_a_program_says_cannot_spoil_it(made: Callable[..., Setup], tmp_path: Path) -> None:
    """Nor a policy, nor a name."""
    setup = made("races", policy="pct(3, 100)")
    store = Store(tmp_path / "x.sqlite", setup)
    said = "</p><script>alert('&amp;')</script> @@ways@@"
    store.keep([Outcome(0, 1, 1.0, f"Odd at <lambda>: {said}", said, said)])
    root = ElementTree.fromstring(html.page(setup, store, store.summary(range(1))))
    store.close()
    assert said in texts(root, ".//section/p")
    assert texts(root, ".//section/p[@class='soft']") == ["first with seed 0"]
    assert texts(root, ".//section/pre") == [said]


def test_where_runs_part_is_on_it(page: Callable[[str, range], str]) -> None:
    """As in the report; and a campaign without a failure has a page, too."""
    (told,) = texts(ElementTree.fromstring(page("races", range(20))), "body/main/pre")
    assert "the runs part at decision 1" in told
    root = ElementTree.fromstring(page("passes", range(5)))
    assert texts(root, ".//p[@id='summary']") == ["5 runs: 0 failed, in 0 ways"]
    assert not texts(root, ".//section")


def test_before_anything_was_run_there_is_a_page(
    made: Callable[..., Setup], tmp_path: Path
) -> None:
    """A campaign may be interrupted at once."""
    setup = made("passes")
    store = Store(tmp_path / "x.sqlite", setup)
    summary = store.summary(range(9))
    assert summary == Summary(range(9), range(9), 0, (), None)
    html.write(tmp_path / "pages" / "x.html", setup, store, summary)
    store.close()
    root = ElementTree.fromstring((tmp_path / "pages" / "x.html").read_text())
    assert texts(root, ".//p[@id='summary']") == ["0 of 9 runs: 0 failed, in 0 ways"]
