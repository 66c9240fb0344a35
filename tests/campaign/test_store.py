"""The file of a campaign: what was kept is there, whatever ends meanwhile, and each seed once."""

from __future__ import annotations

import os
import signal
import sqlite3
import warnings
from collections.abc import Iterable
from contextlib import closing
from pathlib import Path

import attrs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simnet.campaign.setup import Setup
from simnet.campaign.store import NoStore, Spread, Store
from simnet.campaign.summary import Way
from simnet.campaign.work import Outcome
from tests.campaign.conftest import scratch

SETUP = Setup("programs.py:check", "pct(3, 100)", ("ports", "segments"), None, "abc")


def outcome(seed: int) -> Outcome:
    """What became of a seed: a function of it."""
    story = f"name: {seed}"
    if seed % 7 == 3:
        return Outcome(seed, seed, seed / 2, "ValueError at x.py:1", f"seed {seed}", story)
    if seed % 11 == 5:
        return Outcome(seed, seed, seed / 2, "KeyError at x.py:2", f"key {seed}", story)
    return Outcome(seed, seed, seed / 2)


def outcomes(seeds: Iterable[int]) -> list[Outcome]:
    """Those of some seeds."""
    return [outcome(seed) for seed in seeds]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A file that is not there yet, in a directory that is not there yet."""
    return tmp_path / "campaigns" / "x.sqlite"


def ways(among: Iterable[int]) -> tuple[Way, ...]:
    """In which ways some seeds failed."""
    failed = [each for each in outcomes(sorted(among)) if each.signature]
    firsts = {each.signature: each for each in reversed(failed)}
    found = [
        Way(
            name,
            sum(each.signature == name for each in failed),
            first.seed,
            first.message,
            first.story,
        )
        for name, first in firsts.items()
    ]
    return tuple(sorted(found, key=lambda way: way.seed))


@settings(max_examples=40)
@given(order=st.permutations(range(40)), data=st.data())
def test_what_was_kept_is_told(order: list[int], data: st.DataObject) -> None:
    """In whatever order and batches it came, and however often the file was closed meanwhile."""
    with scratch() as directory:
        path = Path(directory, "x.sqlite")
        kept: set[int] = set()
        left = list(order[: data.draw(st.integers(0, 40))])
        again = True
        while again:
            with closing(Store(path, SETUP)) as store:
                again = bool(left) and data.draw(st.booleans())
                size = data.draw(st.integers(1, 15))
                while left:
                    batch, left = left[:size], left[size:]
                    store.keep(outcomes(batch))
                    kept.update(batch)
                    if again:
                        break
                _tells_of(store, kept)


def _tells_of(store: Store, kept: set[int]) -> None:
    """It has these seeds of the first forty, and no others."""
    summary = store.summary(range(40))
    assert (summary.runs, summary.ways) == (len(kept), ways(kept))
    first = summary.ways[0].seed if summary.ways else 0
    passed = [seed for seed in kept if seed < first and not outcome(seed).signature]
    assert summary.passing == max(passed, default=None)
    missing = [seed for gap in store.missing(range(40)) for seed in gap]
    assert missing == sorted(set(range(40)) - kept)
    failed = [seed for seed in sorted(kept) if outcome(seed).signature]
    assert [seed for seed, _ in store.failures(range(40))] == failed
    assert store.failing(range(40), 3) == failed[:3]


def test_some_of_the_seeds_are_told_of_alone(path: Path) -> None:
    """Their first failures are others; the stories are those of the ways."""
    store = Store(path, SETUP)
    store.keep(outcomes(range(100)))
    summary = store.summary(range(50, 80))
    assert summary.runs == 30
    assert [(way.seed, way.story) for way in summary.ways] == [(52, "name: 3"), (60, "name: 5")]
    assert summary.passing == 51
    assert store.spread(range(50, 80)) == Spread(50, 79, 25.0, 39.5)
    assert store.spread(range(200, 300)) is None
    assert list(store.missing(range(90, 110))) == [range(100, 110)]
    store.close()


def test_a_seed_has_no_second_run(path: Path) -> None:
    """A batch that has one again is not kept at all."""
    store = Store(path, SETUP)
    store.keep(outcomes([1, 2]))
    with pytest.raises(NoStore, match=r"x\.sqlite cannot be written: UNIQUE constraint failed"):
        store.keep(outcomes([3, 2]))
    assert list(store.missing(range(4))) == [range(1), range(3, 4)]
    store.close()


def test_what_was_kept_outlives_a_kill_at_any_instant(path: Path) -> None:
    """A process that writes is killed again and again; the next one goes on where it stood."""
    seeds = range(60)
    kills = 0
    while _is_killed_while_it_writes(path, seeds, after=kills % 5):
        kills += 1
    # None of them wrote more than nine.
    assert kills >= 6
    with closing(Store(path, SETUP)) as store:
        assert store.summary(seeds).ways == ways(seeds)
        assert list(store.missing(seeds)) == []
    with closing(sqlite3.connect(path)) as db:
        assert db.execute("PRAGMA integrity_check").fetchall() == [("ok",)]


def _is_killed_while_it_writes(path: Path, seeds: range, after: int) -> bool:
    """Whether a process could be killed after so many more seeds, before it had written all."""
    told, tells = os.pipe()
    with warnings.catch_warnings():
        # Other tests may have left threads; the child needs none.
        warnings.simplefilter("ignore", DeprecationWarning)
        child = os.fork()
    if not child:
        try:
            store = Store(path, SETUP)
            left = [seed for gap in store.missing(seeds) for seed in gap]
            for number, seed in enumerate(left):
                if number > after + 4:
                    signal.pause()
                os.write(tells, b".")
                store.keep([outcome(seed)])
            os._exit(0)
        finally:
            os._exit(1)
    os.close(tells)
    with open(told, "rb") as lines:
        lines.read(after + 1)
    os.kill(child, signal.SIGKILL)
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    assert status in (0, -signal.SIGKILL)
    return status != 0


def test_another_setup_is_refused(path: Path) -> None:
    """With what differs, and what to do; nothing is lost by it."""
    store = Store(path, SETUP)
    store.keep(outcomes([1]))
    store.close()
    other = attrs.evolve(SETUP, policy="uniform", code="def")
    with pytest.raises(NoStore) as refused:
        Store(path, other)
    assert str(refused.value).splitlines() == [
        f"{path} is of another campaign:",
        "  policy: pct(3, 100) in the campaign, uniform here",
        "  code: programs.py, or a module that it imports, is not the same",
        "--fresh starts again, --store FILE keeps both",
    ]
    store = Store(path, SETUP)
    assert store.summary(range(9)).runs == 1
    store.close()
    fresh = Store(path, other, fresh=True)
    assert fresh.summary(range(9)).runs == 0
    fresh.close()
    Store(path, other).close()


def test_a_file_that_is_in_use_is_refused(path: Path) -> None:
    """Two campaigns would run the same seeds."""
    store = Store(path, SETUP)
    with pytest.raises(NoStore, match="another campaign is at work on it"):
        Store(path, SETUP)
    store.close()
    Store(path, SETUP).close()


def test_the_file_of_another_version_is_refused(path: Path) -> None:
    """And can be started again."""
    Store(path, SETUP).close()
    with sqlite3.connect(path) as db:
        db.execute("PRAGMA user_version = 99")
    db.close()
    with pytest.raises(NoStore, match="has the form 99 of another version of simnet, not 1"):
        Store(path, SETUP)
    Store(path, SETUP, fresh=True).close()
    Store(path, SETUP).close()


@pytest.mark.parametrize("fresh", [False, True])
def test_what_is_no_campaigns_is_never_touched(path: Path, fresh: bool) -> None:
    """Not with --fresh either."""
    path.parent.mkdir()
    path.write_text("a letter to a friend, of some length, so that it might be a database")
    with pytest.raises(NoStore, match="it is no campaign's; --store FILE names another one"):
        Store(path, SETUP, fresh)
    assert path.read_text().startswith("a letter")
    path.unlink()
    with sqlite3.connect(path) as db:
        db.execute("CREATE TABLE mine (x)")
    db.close()
    with pytest.raises(NoStore, match="is no campaign's; --store FILE names another one"):
        Store(path, SETUP, fresh)
    with sqlite3.connect(path) as db:
        assert db.execute("SELECT count(*) FROM mine").fetchone() == (0,)
    db.close()


def test_a_place_where_no_file_can_be_is_told(tmp_path: Path) -> None:
    """A directory, or one below a file."""
    (tmp_path / "file").touch()
    for place in (tmp_path, tmp_path / "file" / "x.sqlite"):
        with pytest.raises(NoStore, match="cannot be opened"):
            Store(place, SETUP)
