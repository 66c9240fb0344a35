"""The file of a campaign: what became of each seed, in SQLite.

One process writes it, and holds it locked meanwhile. A batch is a transaction, with SQLite's
full care for the disk, so that what was kept outlives the end of the process at any instant. A seed
is the key of its run: there is no second one.
"""

from __future__ import annotations

import json
import os
import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import attrs

from simnet.campaign.setup import Setup
from simnet.campaign.summary import Summary, Way
from simnet.campaign.work import Outcome

# Says that a file is a campaign's ("simn"), and which form it has.
_APPLICATION = 0x73696D6E
_FORM = 1
_TABLES = f"""
PRAGMA application_id = {_APPLICATION};
PRAGMA user_version = {_FORM};
CREATE TABLE setup (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
-- The story is that of the earliest seed that failed so.
CREATE TABLE ways (
    way INTEGER PRIMARY KEY, signature TEXT NOT NULL UNIQUE, seed INTEGER NOT NULL, story TEXT
);
CREATE TABLE runs (
    seed INTEGER PRIMARY KEY, steps INTEGER NOT NULL, virtual_seconds REAL NOT NULL,
    way INTEGER REFERENCES ways, message TEXT
);
CREATE INDEX failures ON runs (seed, way) WHERE way IS NOT NULL;
"""
_ADD_WAY = """
INSERT INTO ways (signature, seed, story) VALUES (:signature, :seed, :story)
ON CONFLICT (signature) DO UPDATE SET seed = excluded.seed, story = excluded.story
WHERE excluded.seed < ways.seed
"""
_ADD_RUN = """
INSERT INTO runs VALUES (
    :seed, :steps, :virtual_seconds, (SELECT way FROM ways WHERE signature = :signature), :message
)
"""


class NoStore(Exception):
    """A file that cannot be this campaign's; the message says why, and what to do."""


@attrs.frozen
class Spread:
    """Between what the runs lie."""

    least_steps: int
    most_steps: int
    shortest: float
    longest: float


class Store:
    """An open file."""

    def __init__(self, path: str | os.PathLike[str], setup: Setup, fresh: bool = False) -> None:
        """Open it, or make it; with `fresh`, what is in it goes.

        NoStore if it is another campaign's, or no campaign's, or in use.
        """
        self.path = Path(path)
        with self._told("opened"):
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self._db = sqlite3.connect(self.path, timeout=0.5, isolation_level=None)
        try:
            with self._told("opened"):
                self._db.execute("PRAGMA locking_mode = EXCLUSIVE")
                self._db.execute("BEGIN EXCLUSIVE")
                self._begin(setup, fresh)
                self._db.execute("COMMIT")
        except BaseException:
            self._db.close()
            raise

    @contextmanager
    def _told(self, what: str) -> Iterator[None]:
        try:
            yield
        except (sqlite3.Error, OSError) as error:
            why = str(error)
            if "locked" in why:
                why = "another campaign is at work on it"
            elif "not a database" in why:
                why = "it is no campaign's; --store FILE names another one"
            raise NoStore(f"{self.path} cannot be {what}: {why}") from None

    def _begin(self, setup: Setup, fresh: bool) -> None:
        application = self._one("PRAGMA application_id")
        if application == 0 and not self._one("SELECT count(*) FROM sqlite_master"):
            self._make(setup)
            return
        if application != _APPLICATION:
            raise NoStore(f"{self.path} is no campaign's; --store FILE names another one")
        if fresh:
            for table in ("runs", "ways", "setup"):
                self._db.execute(f"DROP TABLE IF EXISTS {table}")
            self._make(setup)
            return
        form = self._one("PRAGMA user_version")
        if form != _FORM:
            raise NoStore(
                f"{self.path} has the form {form} of another version of simnet, not {_FORM}; "
                "--fresh starts again, --store FILE keeps both"
            )
        found = self._setup().differences(setup)
        if found:
            raise NoStore(
                f"{self.path} is of another campaign:\n"
                + "\n".join(f"  {each}" for each in found)
                + "\n--fresh starts again, --store FILE keeps both"
            )

    def _make(self, setup: Setup) -> None:
        # Not executescript(), which would end the transaction.
        for statement in _TABLES.split(";"):
            self._db.execute(statement)
        values = [(name, json.dumps(value)) for name, value in attrs.asdict(setup).items()]
        self._db.executemany("INSERT INTO setup VALUES (?, ?)", values)

    def _setup(self) -> Setup:
        values = {
            name: json.loads(value)
            for name, value in self._db.execute("SELECT name, value FROM setup")
        }
        return Setup(**{**values, "nasty": tuple(values["nasty"])})

    def _one(self, query: str, *arguments: object) -> int:
        found: int = self._db.execute(query, arguments).fetchone()[0]
        return found

    def close(self) -> None:
        """Let others have it."""
        self._db.close()

    def keep(self, outcomes: Iterable[Outcome]) -> None:
        """Keep what became of some seeds: all of them, or, if that fails, none."""
        runs = [_row(each) for each in sorted(outcomes, key=lambda each: each.seed)]
        ways: dict[object, dict[str, object]] = {}
        for row in runs:
            if row["signature"]:
                ways.setdefault(row["signature"], row)
        with self._told("written"):
            self._db.execute("BEGIN")
            try:
                self._db.executemany(_ADD_WAY, ways.values())
                self._db.executemany(_ADD_RUN, runs)
                self._db.execute("COMMIT")
            except BaseException:
                if self._db.in_transaction:
                    self._db.execute("ROLLBACK")
                raise

    def missing(self, seeds: range) -> Iterator[range]:
        """Which of some seeds have not been run, in their order."""
        query = "SELECT seed FROM runs WHERE seed BETWEEN ? AND ? ORDER BY seed"
        following = seeds.start
        for (seed,) in self._db.execute(query, (seeds.start, seeds.stop - 1)):
            if seed > following:
                yield range(following, seed)
            following = seed + 1
        if following < seeds.stop:
            yield range(following, seeds.stop)

    def failing(self, seeds: range, limit: int) -> list[int]:
        """The first of some seeds that failed."""
        query = "SELECT seed FROM runs WHERE way IS NOT NULL AND seed BETWEEN ? AND ? ORDER BY seed"
        found = self._db.execute(f"{query} LIMIT ?", (seeds.start, seeds.stop - 1, limit))
        return [seed for (seed,) in found]

    def summary(self, seeds: range) -> Summary:
        """What became of those of some seeds that were run."""
        within = (seeds.start, seeds.stop - 1)
        runs = self._one("SELECT count(*) FROM runs WHERE seed BETWEEN ? AND ?", *within)
        ways = tuple(self._ways(seeds))
        passing = None
        if ways:
            query = "SELECT max(seed) FROM runs WHERE way IS NULL AND seed BETWEEN ? AND ?"
            passing = self._one(query, seeds.start, ways[0].seed)
        return Summary(seeds, seeds, runs, ways, passing)

    def _ways(self, seeds: range) -> Iterator[Way]:
        query = """
            SELECT signature, times, first, message, story
            FROM (
                SELECT way, count(*) AS times, min(seed) AS first FROM runs
                WHERE way IS NOT NULL AND seed BETWEEN ? AND ? GROUP BY way
            ) JOIN ways USING (way) JOIN runs ON runs.seed = first
            ORDER BY first
        """
        rows = self._db.execute(query, (seeds.start, seeds.stop - 1))
        for signature, count, first, message, story in rows:
            yield Way(signature, count, first, message, story)

    def failures(self, seeds: range) -> Iterator[tuple[int, str]]:
        """Each of some seeds that failed, and how, in their order."""
        query = """
            SELECT runs.seed, signature FROM runs JOIN ways USING (way)
            WHERE runs.seed BETWEEN ? AND ? ORDER BY runs.seed
        """
        yield from self._db.execute(query, (seeds.start, seeds.stop - 1))

    def spread(self, seeds: range) -> Spread | None:
        """Between what the runs of some seeds lie; None if there are none."""
        query = """
            SELECT min(steps), max(steps), min(virtual_seconds), max(virtual_seconds) FROM runs
            WHERE seed BETWEEN ? AND ?
        """
        row = self._db.execute(query, (seeds.start, seeds.stop - 1)).fetchone()
        return None if row[0] is None else Spread(*row)


def _row(outcome: Outcome) -> dict[str, object]:
    failed = bool(outcome.signature)
    return {
        "seed": outcome.seed,
        "steps": outcome.steps,
        "virtual_seconds": outcome.virtual_seconds,
        "signature": outcome.signature,
        "message": outcome.message if failed else None,
        "story": outcome.story,
    }
