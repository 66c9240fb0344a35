"""A campaign counts each seed once, whatever its executor does, and tells the same of the same."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Executor, Future
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simnet.campaign import executors, setup, work
from simnet.campaign.campaign import INTERRUPTED, TIME, Campaign, Ending, Limits, Progress
from simnet.campaign.crew import Crew, NoExecutor
from simnet.campaign.executors import Inline
from simnet.campaign.setup import Setup
from simnet.campaign.store import Store
from tests.campaign.conftest import EXPECTED, PROGRAMS, SEEDS, scratch
from tests.test_layers import ROOT


class Killed(BaseException):
    """Stands for the end of the campaign's process."""


class WorkerDied(Exception):
    """An executor's word for it."""


class Watch:
    """A display that remembers what it was shown."""

    def __init__(self) -> None:
        self.shown: list[Progress] = []

    def show(self, progress: Progress) -> None:
        """Remember it."""
        self.shown.append(progress)


class Unruly(Executor):
    """Runs chunks out of order, drops some, loses workers, and is killed, as it is told."""

    def __init__(self, data: st.DataObject, ends: bool) -> None:
        self._data = data
        self._kinds = ["runs", "waits", "is dropped", "dies"] + ["kills"] * ends
        self._waiting: list[tuple[Future[Any], Callable[[], Any]]] = []

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        """What becomes of a chunk is drawn; in the end none waits for ever."""
        future: Future[Any] = Future()
        kind = self._data.draw(st.sampled_from(self._kinds))
        if fn is not work.run_seeds or kind == "runs":
            future.set_result(fn(*args))
        elif kind == "waits":
            self._waiting.append((future, lambda: fn(*args)))
        elif kind == "is dropped":
            future.cancel()
            future.set_running_or_notify_cancel()
        elif kind == "dies" and len(args[1]) > 1:
            future.set_exception(WorkerDied())
        elif kind == "dies":
            future.set_result(fn(*args))
        else:
            raise Killed
        return future

    def hands(self) -> int:
        """Asked before chunks are handed out: here those that wait go on."""
        for future, function in reversed(self._waiting):
            if not future.cancelled():
                future.set_result(function())
            else:
                future.set_running_or_notify_cancel()
        self._waiting.clear()
        return 2


@pytest.fixture(scope="module")
def some_fail() -> Setup:
    """The setup of a program."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(ROOT)
        return setup.make(f"{PROGRAMS}:some_fail")


@pytest.fixture
def store(tmp_path: Path, some_fail: Setup) -> Any:
    """A file of it."""
    store = Store(tmp_path / "x.sqlite", some_fail)
    yield store
    store.close()


def inline(some_fail: Setup, store: Store, limits: Limits | None = None) -> Ending:
    """A campaign in this process."""
    with executors.crew("inline", 1) as crew:
        return Campaign(some_fail, SEEDS, store, crew, Watch(), limits or Limits()).run()


def test_a_report_says_in_which_ways_runs_failed(some_fail: Setup, store: Store) -> None:
    """The earliest first, with the seed, and no word of when or where."""
    assert str(inline(some_fail, store).summary) == EXPECTED


@settings(max_examples=20, deadline=None)
@given(data=st.data())
def test_no_seed_is_lost_and_none_counted_twice(data: st.DataObject, some_fail: Setup) -> None:
    """However often the campaign is killed and gone on with, and whatever happens to chunks."""
    with scratch() as directory:
        path = Path(directory, "x.sqlite")
        watch = Watch()
        kills = data.draw(st.integers(0, 3))
        for ends in [*[True] * kills, False]:
            unruly = Unruly(data, ends)
            crew = Crew(unruly, unruly.hands, deaths=(WorkerDied,))
            with closing(Store(path, some_fail)) as store, suppress(Killed):
                summary = Campaign(some_fail, SEEDS, store, crew, watch).run().summary
        assert str(summary) == EXPECTED
        assert watch.shown[-1] == Progress(60, 60, 13, 2, 2, False)
        with closing(Store(path, some_fail)) as store:
            assert list(store.missing(SEEDS)) == []


@settings(max_examples=20, deadline=None)
@given(data=st.data(), enough=st.integers(1, 15))
def test_so_many_failures_are_the_first_ones(
    data: st.DataObject, enough: int, some_fail: Setup
) -> None:
    """In the order of seeds: the report is the same, whichever chunks end first."""
    with scratch() as directory:
        limits = Limits(failures=enough)
        unruly = Unruly(data, ends=False)
        crew = Crew(unruly, unruly.hands, deaths=(WorkerDied,))
        with closing(Store(Path(directory, "one.sqlite"), some_fail)) as store:
            one = inline(some_fail, store, limits)
        with closing(Store(Path(directory, "other.sqlite"), some_fail)) as store:
            other = Campaign(some_fail, SEEDS, store, crew, Watch(), limits).run()
            assert one.summary == other.summary
            assert one.summary.failed == min(enough, 13)
            assert (one.stopped, other.stopped) == (None, None)
            # What is beyond them is run when it is asked for.
            assert str(inline(some_fail, store).summary) == EXPECTED


def test_a_campaign_that_is_stopped_finishes_what_runs(some_fail: Setup, store: Store) -> None:
    """And says why it stopped, and of how many seeds it tells."""

    class Stopping(Watch):
        def show(self, progress: Progress) -> None:
            super().show(progress)
            if progress.done >= 9:
                campaign.stop(INTERRUPTED)

    watch = Stopping()
    with executors.crew("inline", 1) as crew:
        campaign = Campaign(some_fail, SEEDS, store, crew, watch)
        ending = campaign.run()
    assert ending.stopped == INTERRUPTED
    assert watch.shown[-1].interrupted
    done = ending.summary.runs
    assert 9 <= done < 60
    assert list(store.missing(SEEDS)) == [range(done, 60)]
    assert str(ending.summary).startswith(f"{done} of 60 runs: ")
    assert str(inline(some_fail, store).summary) == EXPECTED


def test_a_campaign_may_have_its_time(some_fail: Setup, store: Store) -> None:
    """What it began is finished, and kept."""
    ending = inline(some_fail, store, Limits(seconds=0.000001))
    assert ending.stopped == TIME
    assert ending.summary.runs < 60
    assert inline(some_fail, store, Limits(seconds=3600)).stopped is None


def test_what_was_run_before_counts(some_fail: Setup, store: Store) -> None:
    """It is shown from the beginning, and nothing of it is run again."""
    inline(some_fail, store)
    watch = Watch()

    class Idle(Inline):
        def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
            assert fn is not work.run_seeds
            return super().submit(fn, *args, **kwargs)

    ending = Campaign(some_fail, SEEDS, store, Crew(Idle(), lambda: 1), watch).run()
    assert str(ending.summary) == EXPECTED
    assert watch.shown == [Progress(60, 60, 13, 2, 1, False)]


def test_a_worker_that_cannot_work_ends_the_campaign(some_fail: Setup, store: Store) -> None:
    """With its words; what others did is kept."""
    answered: list[range] = []

    def sometimes(setup: Setup, seeds: Any) -> work.Answer:
        if len(answered) > 3:
            raise LookupError("no such program here")
        answered.append(seeds)
        return work.run_seeds(setup, seeds)

    crew = Crew(Inline(), lambda: 1, run_seeds=sometimes)
    with pytest.raises(LookupError, match="no such program here"):
        Campaign(some_fail, SEEDS, store, crew, Watch()).run()
    assert store.summary(SEEDS).runs == sum(map(len, answered)) > 0


def test_a_seed_that_takes_each_worker_with_it_has_failed(some_fail: Setup, store: Store) -> None:
    """It is found in its chunk; the others of the chunk are counted as ever."""

    def deadly(setup: Setup, seeds: Any) -> work.Answer:
        if 41 in seeds:
            raise WorkerDied
        return work.run_seeds(setup, seeds)

    crew = Crew(Inline(), lambda: 1, run_seeds=deadly, deaths=(WorkerDied,))
    summary = Campaign(some_fail, SEEDS, store, crew, Watch()).run().summary
    assert summary.runs == 60
    assert str(summary.ways[-1]).startswith(
        "Way(signature='process died: with its worker', count=1, seed=41"
    )


def test_a_program_that_is_no_function_of_its_seed_is_told(
    made: Callable[..., Setup], tmp_path: Path
) -> None:
    """The first failure is run again, and ends otherwise."""
    setup = made("keeps_something")
    store = Store(tmp_path / "y.sqlite", setup)
    with executors.crew("inline", 1) as crew:
        summary = Campaign(setup, range(5), store, crew, Watch()).run().summary
    store.close()
    assert str(summary).splitlines()[-1] == (
        "seed 2 passed when it was run again: does the program keep something from run to run, or "
        "ask the real clock?"
    )


def test_where_the_first_failure_parts_from_a_run_that_passed_is_told(
    made: Callable[..., Setup], tmp_path: Path
) -> None:
    """If there was one before it."""
    setup = made("races")
    store = Store(tmp_path / "y.sqlite", setup)
    with executors.crew("inline", 1) as crew:
        summary = Campaign(setup, range(20), store, crew, Watch()).run().summary
    store.close()
    lines = str(summary).splitlines()
    assert lines[2] == (
        f"the last run that passed before (one: seed {summary.passing}), and the first that "
        f"failed (other: seed {summary.ways[0].seed}):"
    )
    assert lines[3] == "the runs part at decision 1; before it:"


@pytest.mark.parametrize("name", ["", "threads", "process:2", "Dask:x"])
def test_an_executor_that_is_none_is_told(name: str) -> None:
    """With those that there are."""
    with pytest.raises(NoExecutor, match="expected inline, process or dask:ADDRESS, found"):
        executors.crew(name, 1)
