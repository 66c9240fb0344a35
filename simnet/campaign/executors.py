"""Where chunks of seeds are run: executors by name, each behind `concurrent.futures.Executor`.

* `inline`: in this process, one after the other. A program that ends its process ends the campaign.
* `process`: in processes of this machine, one for each thread of a pool (children.py says why).
* `dask:ADDRESS`: on a Dask cluster, in processes that its workers start (cluster.py).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from typing import Any

from simnet.campaign.children import Children
from simnet.campaign.crew import Crew, NoExecutor


class Inline(Executor):
    """Does what it is given at once."""

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        future: Future[Any] = Future()
        try:
            future.set_result(fn(*args, **kwargs))
        except Exception as error:
            future.set_exception(error)
        return future


@contextmanager
def _inline(address: str, jobs: int) -> Iterator[Crew]:
    yield Crew(Inline(), lambda: 1, ahead=1)


@contextmanager
def _process(address: str, jobs: int) -> Iterator[Crew]:
    children = Children()
    with ThreadPoolExecutor(jobs) as threads:
        try:
            yield Crew(threads, lambda: jobs, children.run_seeds, children.retell)
        finally:
            threads.shutdown(wait=False, cancel_futures=True)
            children.close()


@contextmanager
def _dask(address: str, jobs: int) -> Iterator[Crew]:
    if not address:
        raise NoExecutor("--executor dask:ADDRESS, where the scheduler listens: dask:10.0.0.1:8786")
    try:
        from simnet.campaign import cluster
    except ImportError as error:
        if (error.name or "").partition(".")[0] not in ("dask", "distributed"):
            raise
        raise NoExecutor("a Dask cluster needs: pip install 'simnet[distributed]'") from None
    with cluster.crew(address) as found:
        yield found


_KINDS: dict[str, Callable[[str, int], AbstractContextManager[Crew]]] = {
    "inline": _inline,
    "process": _process,
    "dask": _dask,
}


def crew(name: str, jobs: int) -> AbstractContextManager[Crew]:
    """The executor of that name, for the length of a block; NoExecutor if there is none.

    What is under way when the block ends is ended.
    """
    kind, _, address = name.partition(":")
    if kind not in _KINDS or (address and kind != "dask"):
        raise NoExecutor(f"expected inline, process or dask:ADDRESS, found {name!r}")
    return _KINDS[kind](address, jobs)
