"""The command `simnet explore`."""

from __future__ import annotations

import os
import shlex
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import click
from click.core import ParameterSource

from simnet.campaign import executors, html, seeds, setup
from simnet.campaign.campaign import INTERRUPTED, Campaign, Ending, Limits, interruptible
from simnet.campaign.children import NoChild
from simnet.campaign.crew import NoExecutor
from simnet.campaign.progress import Display
from simnet.campaign.setup import Setup, WrongSetup
from simnet.campaign.store import NoStore, Store
from simnet.campaign.summary import Summary
from simnet.exploring import keeping
from simnet.targets import NoTarget

_STORES = Path("simnet-campaigns")
_CODE_WRONG = 2
# What the shell says of a program that Ctrl-C ended.
_CODE_INTERRUPTED = 130


def _read_seeds(ctx: click.Context, param: click.Parameter, value: str) -> range:
    try:
        return seeds.read(value)
    except ValueError as error:
        raise click.BadParameter(str(error), ctx, param) from None


@click.command("explore")
@click.argument("target")
@click.option(
    "--seeds",
    "chosen",
    callback=_read_seeds,
    default="1000",
    show_default=True,
    metavar="N|A-B",
    help="How many seeds, from 0 on, or from which to which.",
)
@click.option(
    "--jobs",
    type=click.IntRange(min=1),
    metavar="J",
    help="How many processes. Default: as many as there are processors.",
)
@click.option(
    "--policy",
    metavar="POLICY",
    help="Who runs next: fifo, uniform, 'pct(DEPTH, STEPS)', or none, when tasks change places"
    " only where they wait. Default: uniform.",
)
@click.option(
    "--nasty",
    metavar="FAMILIES",
    help="Lawful misfortunes, by family, as 'short_reads,interrupted'; all of them: 'all'.",
)
@click.option(
    "--store",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Where what became of the seeds is kept. Default: simnet-campaigns/NAME.sqlite.",
)
@click.option(
    "--patience",
    type=click.FloatRange(min=0, min_open=True),
    metavar="SECONDS",
    help="A run that takes longer is ended with its process, and has failed. Default: none, a run"
    " may take for ever.",
)
@click.option("--fresh", is_flag=True, help="Forget what the file has, and start again.")
@click.option(
    "--executor",
    metavar="process|inline|dask:ADDRESS",
    help="Where seeds are run: in processes, in this process, or on the Dask cluster of a"
    " scheduler. Default: process; with one job, inline.",
)
@click.option(
    "--html",
    "to_html",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Write the report as a page for the browser, too.",
)
@click.option("--fail-fast", is_flag=True, help="The first failure is enough.")
@click.option(
    "--failures",
    type=click.IntRange(min=1),
    metavar="N",
    help="So many failures are enough.",
)
@click.option(
    "--for",
    "seconds",
    type=click.FloatRange(min=0, min_open=True),
    metavar="SECONDS",
    help="After so long it is enough.",
)
@click.pass_context
def command(
    ctx: click.Context,
    target: str,
    chosen: range,
    jobs: int | None,
    policy: str | None,
    nasty: str | None,
    patience: float | None,
    store: Path | None,
    fresh: bool,
    executor: str | None,
    to_html: Path | None,
    fail_fast: bool,
    failures: int | None,
    seconds: float | None,
) -> None:
    """Run a program with many seeds, and report in which ways it fails.

    TARGET is a function of a world, path/to/file.py:function or package.module:function. What
    became of each seed is kept in a file: the same command goes on where an earlier one stopped,
    and runs no seed twice. Seeds beyond those are added with a larger --seeds. When the program
    or another option has changed, it says so, and --fresh starts again.

    The first seed of each way of failing is kept as a scenario in simnet-failures, which `simnet
    run` replays.

    Ctrl-C finishes what is being run, and reports; a second one stops at once. Either way what
    was run is kept. What the program prints is not shown.

    Exit code: 0 no run failed; 1 some did; 2 wrong usage; 130 interrupted.
    """
    if fail_fast and failures is not None:
        raise click.UsageError("--fail-fast means --failures 1: one of them is enough")
    limits = Limits(1 if fail_fast else failures, seconds)
    if jobs is not None and executor not in (None, "process") and (executor, jobs) != ("inline", 1):
        raise click.UsageError(
            "--jobs is how many processes of this machine: --executor process has them, inline has "
            "none, and a cluster one for each thread of its workers"
        )
    jobs = jobs or os.cpu_count() or 1
    executor = executor or ("inline" if jobs == 1 and patience is None else "process")
    if executor == "inline" and patience is not None:
        raise click.UsageError("--patience ends processes: say --executor process")
    families = tuple(each.strip() for each in nasty.split(",")) if nasty else ()
    try:
        made = setup.make(target, policy, families, patience)
        path = store or _STORES / f"{made.name}.sqlite"
        with closing(Store(path, made, fresh)) as kept:
            code = _explore(ctx, made, chosen, kept, (executor, jobs), limits, to_html)
    except (NoTarget, WrongSetup, NoStore, NoExecutor, NoChild, OSError) as error:
        click.echo(str(error), err=True)
        code = _CODE_WRONG
    sys.exit(code)


def _explore(
    ctx: click.Context,
    made: Setup,
    chosen: range,
    store: Store,
    where: tuple[str, int],
    limits: Limits,
    to_html: Path | None,
) -> int:
    """Run the campaign, and say what became of it; the exit code."""
    with executors.crew(*where) as crew, Display() as display:
        campaign = Campaign(made, chosen, store, crew, display, limits)
        try:
            with interruptible(campaign):
                ending = campaign.run()
        except KeyboardInterrupt:
            ending = Ending(campaign.summary(), INTERRUPTED)
        except (NoTarget, WrongSetup, NoExecutor, NoChild) as error:
            _goes_on(ctx, str(error))
            return _CODE_WRONG
    click.echo(str(ending.summary))
    for file in _keep(made, ending.summary):
        click.echo(f"kept: {keeping.replay_command(file)}")
    if to_html is not None:
        html.write(to_html, made, store, ending.summary)
        click.echo(f"see {to_html}")
    if ending.stopped is not None:
        _goes_on(ctx, ending.stopped)
    if ending.stopped == INTERRUPTED:
        return _CODE_INTERRUPTED
    return 1 if ending.summary.failed else 0


def _keep(made: Setup, summary: Summary) -> Iterator[Path]:
    """Keep the first seed of each way of failing as a scenario, if a file can say it."""
    for number, way in enumerate(summary.ways, 1):
        if way.story is not None:
            name = made.target.rpartition(":")[2]
            suffix = f"-{number}" if number > 1 else ""
            yield keeping.keep_text(way.story, name, suffix=suffix)


def _goes_on(ctx: click.Context, why: str) -> None:
    click.echo(f"{why}; what was run is kept, and this goes on:\n  {_again(ctx)}", err=True)


def _again(ctx: click.Context) -> str:
    """The command that goes on: the same one, but for starting again."""
    words = ["simnet", "explore", str(ctx.params["target"])]
    for param in ctx.command.params:
        name = param.name or ""
        given = ctx.get_parameter_source(name) == ParameterSource.COMMANDLINE
        if not isinstance(param, click.Option) or not given or name == "fresh":
            continue
        value = ctx.params[name]
        words.append(param.opts[0])
        if not param.is_flag:
            words.append(seeds.write(value) if isinstance(value, range) else f"{value}")
    return shlex.join(words)
