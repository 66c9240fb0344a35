"""What became of a campaign as one page that needs nothing else.

Each way of failing has a strip of all seeds, from the first to the last, that shows where it
happens. Like the report, the page is the same for the same seeds.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from html import escape
from pathlib import Path

from simnet.campaign import seeds
from simnet.campaign.setup import Setup
from simnet.campaign.store import Spread, Store
from simnet.campaign.summary import Summary, Way
from simnet.views import pages

# Into how many pieces a strip is divided, at most.
_PIECES = 200


def write(file: str | os.PathLike[str], setup: Setup, store: Store, summary: Summary) -> None:
    """Write the page; the directory that it is to be in is made."""
    path = Path(file)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(page(setup, store, summary), encoding="utf-8")


def page(setup: Setup, store: Store, summary: Summary) -> str:
    """The page as text."""
    strips = _Strips(summary.seeds)
    for seed, signature in store.failures(summary.covered):
        strips.add(seed, signature)
    head, *about = str(summary).split("\n")
    about = about[len(summary.ways) :]
    parts = {
        "theme": pages.part("simnet.views", "theme.css"),
        "style": pages.part("simnet.campaign", "campaign.css"),
        "title": escape(setup.target),
        "summary": escape(head),
        "facts": "\n".join(_facts(setup, summary, store.spread(summary.covered))),
        "all": strips.drawn(),
        "ways": "\n".join(_way(way, strips) for way in summary.ways),
        "about": f"<pre>{escape(chr(10).join(about))}</pre>" if about else "",
    }
    return pages.filled(pages.part("simnet.campaign", "campaign.html"), parts)


def _facts(setup: Setup, summary: Summary, spread: Spread | None) -> Iterable[str]:
    """Rows of a list: how it was run."""
    facts = {
        "seeds": seeds.write(summary.seeds),
        "policy": setup.policy or "none",
        "nasty": ", ".join(setup.nasty) or "none",
        "simnet": f"{setup.simnet}, Python {setup.python}",
        "code": setup.code[:12],
    }
    if setup.patience is not None:
        facts["patience"] = f"{setup.patience:g} s"
    if spread is not None:
        facts["steps of a run"] = f"{spread.least_steps} to {spread.most_steps}"
        facts["virtual time of a run"] = f"{spread.shortest:.3f} s to {spread.longest:.3f} s"
    for name, value in facts.items():
        yield f"<dt>{escape(name)}</dt><dd>{escape(value)}</dd>"


def _way(way: Way, strips: _Strips) -> str:
    story = "" if way.story is None else f"<pre>{escape(way.story)}</pre>"
    return (
        f'<section class="way"><h2>{escape(way.signature)} <small>{way.count} times</small></h2>'
        f"<p>{escape(way.message)}</p>{strips.drawn(way.signature)}"
        f'<p class="soft">first with seed {way.seed}</p>{story}</section>'
    )


class _Strips:
    """How many failures are where among the seeds, in all and for each signature."""

    def __init__(self, among: range) -> None:
        self._among = among
        self._pieces = min(_PIECES, len(among))
        self._counts: dict[str | None, dict[int, int]] = {}

    def add(self, seed: int, signature: str) -> None:
        """A seed failed so."""
        piece = (seed - self._among.start) * self._pieces // len(self._among)
        for key in (None, signature):
            counts = self._counts.setdefault(key, {})
            counts[piece] = counts.get(piece, 0) + 1

    def drawn(self, signature: str | None = None) -> str:
        """A strip; darker where a larger part of the seeds failed."""
        marks = []
        for piece, count in sorted(self._counts.get(signature, {}).items()):
            first, last = self._bounds(piece)
            share = count / (last - first + 1)
            where = f"seed {first}" if first == last else f"seeds {first} to {last}: {count}"
            marks.append(
                f'<rect x="{piece}" y="0" width="1" height="1" opacity="{0.35 + 0.65 * share:.3f}">'
                f"<title>{where}</title></rect>"
            )
        return (
            f'<svg class="strip" viewBox="0 0 {self._pieces} 1" preserveAspectRatio="none">'
            f"{''.join(marks)}</svg>"
        )

    def _bounds(self, piece: int) -> tuple[int, int]:
        start, number = self._among.start, len(self._among)
        first = -(-piece * number // self._pieces)
        following = -(-(piece + 1) * number // self._pieces)
        return start + first, start + following - 1
