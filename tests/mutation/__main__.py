"""The command; see the package's docstring."""

from __future__ import annotations

import sys
import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from queue import SimpleQueue

import attrs
import click
import yaml

from tests.mutation import rules, runner, selection
from tests.mutation.operators import Mutant, draw, mutants_of
from tests.mutation.score import Score
from tests.mutation.survivors import Explained, load_explained

KEPT = Path(".mutants")
TREE = Path()


@attrs.frozen
class Outcome:
    """A mutant and its verdict; how many tests were asked, of how many that run its line."""

    mutant: Mutant
    verdict: str
    asked: int
    of: int

    @property
    def lived(self) -> bool:
        return self.verdict not in (runner.KILLED, runner.TIMEOUT)


def all_mutants(patterns: Sequence[str]) -> list[Mutant]:
    """Of the files that match, in order."""
    paths = [path for pattern in patterns for path in sorted(TREE.glob(pattern))]
    return [mutant for path in paths for mutant in mutants_of(path.as_posix(), path.read_text())]


def measured_map(work: Path) -> selection.Map:
    """The map of the tree as it is; measured now if the kept one is of another tree."""
    target = KEPT / f"{selection.fingerprint(TREE)}.map"
    if not target.exists():
        click.echo("measuring which test runs which line; this takes several minutes")
        KEPT.mkdir(exist_ok=True)
        selection.measure(runner.copy_tree(TREE, work / "measured"), target.absolute())
    return selection.Map(target)


def run(
    mutants: Sequence[Mutant],
    tests: selection.Map,
    work: Path,
    *,
    jobs: int,
    most: int,
    limit: float,
) -> Iterator[Outcome]:
    """Verdicts in the order of the mutants, each found on one of `jobs` copies of the tree."""
    trees: SimpleQueue[Path] = SimpleQueue()
    for number in range(jobs):
        trees.put(runner.copy_tree(TREE, work / f"copy-{number}"))

    def outcome(mutant: Mutant) -> Outcome:
        names = tests.tests_for(mutant)
        tree = trees.get()
        try:
            verdict = runner.judge(tree, mutant, names, most=most, seconds=limit)
        finally:
            trees.put(tree)
        return Outcome(mutant, verdict, min(most, len(names)), len(names))

    with ThreadPoolExecutor(jobs) as pool:
        yield from pool.map(outcome, mutants)


def show(outcome: Outcome, explanation: Explained | None) -> None:
    """One survivor, readably."""
    mutant = outcome.mutant
    place = f"{mutant.path}:{mutant.lines.start} {mutant.function}"
    asked = f"{outcome.asked} of {outcome.of} tests asked"
    click.echo(f"\n{place}: {outcome.verdict} ({asked})")
    click.echo(mutant.diff)
    if explanation:
        click.echo(f"explained: {explanation.reason.strip()}")
    else:
        click.echo("not explained; its entry in survivors.yaml would begin:")
        names = ("path", "function", "before", "after", "nth")
        entry = dict(zip(names, mutant.identity, strict=True))
        click.echo(yaml.safe_dump([entry], sort_keys=False, width=1000))


@click.command()
@click.option("--sample", default=200, show_default=True, help="How many mutants to draw.")
@click.option("--seed", default=1, show_default=True, help="Which ones.")
@click.option("--jobs", default=1, show_default=True, help="How many at a time.")
@click.option("--files", multiple=True, default=rules.FILES, help="Patterns of files to mutate.")
@click.option("--most", default=1500, show_default=True, help="Tests for each mutant at most.")
@click.option("--limit", default=120.0, show_default=True, help="Seconds for each mutant at most.")
@click.option("--floor", default=90.0, show_default=True, help="Per cent that must be killed.")
@click.option("--explained", is_flag=True, help="Try the explained survivors, and nothing else.")
def main(
    sample: int,
    seed: int,
    jobs: int,
    files: tuple[str, ...],
    most: int,
    limit: float,
    floor: float,
    explained: bool,
) -> None:
    """Plant mutants in the simulator and count how many the tests notice.

    The exit code is 0 if the floor is met and every survivor is explained, 1 if it is not met, and
    3 if it is met but a survivor has no explanation, or an explanation is no longer true.
    """
    population = all_mutants(files)
    known = {each.identity: each for each in load_explained()}
    stale = known.keys() - {mutant.identity for mutant in all_mutants(rules.FILES)}
    if explained:
        chosen = [mutant for mutant in population if mutant.identity in known]
    else:
        chosen = draw(population, sample, seed)
    counts: Counter[str] = Counter()
    noticed = 0
    unexplained: list[Outcome] = []
    refuted: list[Outcome] = []
    with tempfile.TemporaryDirectory(prefix="mutants-") as name:
        tests = measured_map(Path(name))
        if tests.failed:
            click.echo(f"left out: {len(tests.failed)} tests that fail without any mutant")
        for outcome in run(chosen, tests, Path(name), jobs=jobs, most=most, limit=limit):
            counts[outcome.verdict] += 1
            click.echo(f"\r{sum(counts.values())} of {len(chosen)}", nl=False, err=True)
            explanation = known.get(outcome.mutant.identity)
            if outcome.lived:
                show(outcome, explanation)
                if not explanation:
                    unexplained.append(outcome)
                continue
            noticed += 1
            if explanation:
                refuted.append(outcome)
    for outcome in refuted:
        click.echo(f"explained, yet killed: {outcome.mutant.identity}")
    for identity in sorted(stale):
        click.echo(f"explained, yet no such mutant: {identity}")
    score = Score(counts, sum(counts.values()) - noticed - len(unexplained), floor)
    if explained:
        sys.exit(bool(refuted or stale))
    click.echo(f"\nsample {sample} of {len(population)}, seed {seed}")
    for line in score.table():
        click.echo(line)
    sys.exit(score.exit_code(consistent=not refuted and not stale))


if __name__ == "__main__":
    main()
