"""A Dask cluster behind `concurrent.futures.Executor`. The only module that needs `distributed`.

Each thread of each worker has a process of its own for the seeds (children.py). The program and
simnet must be installed on the workers, as they are here: a worker with another program says so. A
worker that is lost has its chunks run by others.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any

import distributed
from distributed.scheduler import KilledWorker

from simnet.campaign.children import Children
from simnet.campaign.crew import Crew, NoExecutor
from simnet.campaign.setup import Setup
from simnet.campaign.work import Answer, Retold

# How long the scheduler may be silent, in seconds.
_PATIENCE = 10.0

# Its methods have no types.
_Client: Any = distributed.Client

# Of this process, which is a worker's.
_children = Children()


def _run_seeds(setup: Setup, seeds: Sequence[int]) -> Answer:
    return _children.run_seeds(setup, seeds)


def _retell(setup: Setup, seed: int, passing: int | None) -> Retold:
    return _children.retell(setup, seed, passing)


def _rest() -> None:
    _children.rest()


@contextmanager
def crew(address: str) -> Iterator[Crew]:
    """The cluster of the scheduler at an address; NoExecutor if it cannot be reached."""
    try:
        client = _Client(address, timeout=_PATIENCE, set_as_default=False, name="simnet")
    except (OSError, ValueError) as error:
        raise NoExecutor(f"no Dask scheduler at {address}: {error}") from None
    with client:
        # An answer is of one call alone, and what failed there fails here.
        executor = client.get_executor(pure=False, retries=0)
        try:
            yield Crew(
                executor,
                _hands(client, address),
                _run_seeds,
                _retell,
                deaths=(KilledWorker,),
                cancels_waiting=False,
            )
        finally:
            if client.status == "running":
                executor.shutdown(wait=False)
                with suppress(OSError):
                    client.run(_rest, on_error="ignore")


def _hands(client: Any, address: str) -> Callable[[], int]:
    """How many threads the workers have, asked for once a second."""
    known = 0
    asked = float("-inf")

    def hands() -> int:
        nonlocal known, asked
        if client.status == "running" and time.monotonic() - asked < 1:
            return known
        while True:
            # It connects again by itself, or gives up.
            while client.status == "connecting":
                time.sleep(0.1)
            if client.status != "running":
                raise NoExecutor(f"the Dask scheduler at {address} is lost")
            try:
                known = sum(client.nthreads().values())
            except Exception:
                if client.status == "running":
                    raise
                continue
            asked = time.monotonic()
            return known

    return hands
