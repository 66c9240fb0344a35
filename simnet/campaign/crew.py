"""An executor that is ready to run seeds, and how it is asked to."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import Executor

import attrs

from simnet.campaign import work
from simnet.campaign.setup import Setup
from simnet.campaign.work import Answer, Retold


class NoExecutor(Exception):
    """A name of no executor, or one that is not to be had; the message says what to do."""


@attrs.frozen
class Crew:
    """An executor that is ready, and what it is given to do.

    `hands` says how many chunks run at a time, at the moment; it raises NoExecutor if the executor
    is lost. `deaths` are exceptions of a chunk that took workers of the executor itself with it.
    `ahead`: how many chunks are handed out for each pair of hands; `cancels_waiting`: whether
    cancelling a chunk leaves it alone when somebody is at it.
    """

    executor: Executor
    hands: Callable[[], int]
    run_seeds: Callable[[Setup, Sequence[int]], Answer] = work.run_seeds
    retell: Callable[[Setup, int, int | None], Retold] = work.retell
    deaths: tuple[type[BaseException], ...] = ()
    ahead: int = 2
    cancels_waiting: bool = True
