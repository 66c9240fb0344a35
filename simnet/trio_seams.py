"""Where trio reaches the operating system past its hooks: replaced while simulated runs live.

Each replacement looks at who calls: in a run on a simulated host it is the simulated thing, in any
other run of trio the real one.

* worker threads (`trio.to_thread`) are tasks of the world;
* what such a thread waits with for an answer of trio (`trio.from_thread`) waits in virtual time;
* processes are refused;
* the order in which tasks run that are ready together, which trio throws dice for, is chosen by
  the world's seed.
"""

from __future__ import annotations

import contextvars
import itertools
from collections.abc import Callable, MutableSequence
from typing import TYPE_CHECKING, Any

import outcome
import trio
import trio._core._run as _run
import trio._core._thread_cache as _thread_cache
import trio._subprocess as _subprocess
import trio._threads as _threads

from simnet import threads
from simnet.current import current_host, host_or_none
from simnet.errors import Unsupported
from simnet.keepers import TaskKeeper, local

if TYPE_CHECKING:
    from simnet.decisions import Stream
    from simnet.host import Host


class HostClock(trio.abc.Clock):
    """The clock by which a run on a simulated host is known."""

    def __init__(self, host: Host) -> None:
        self.host = host
        # Decides who goes first of the tasks that are ready.
        self.choices: Stream = host.world.decisions.stream(f"{host.name}/trio")
        # Numbers its worker threads.
        self.workers = itertools.count()


def _simulated() -> HostClock | None:
    """The clock of the run that this code is in, if it is on a simulated host."""
    runner = getattr(_run.GLOBAL_RUN_CONTEXT, "runner", None)
    clock = None if runner is None else runner.clock
    return clock if isinstance(clock, HostClock) else None


class _Dice:
    """In the place of trio's random generator."""

    def __init__(self, real: Any) -> None:
        self._real = real

    def __getattr__(self, name: str) -> Any:
        return getattr(self._real, name)

    def shuffle(self, batch: MutableSequence[Any]) -> None:
        """Tasks run from the end of a batch; the plainest choice is the oldest one first."""
        clock = _simulated()
        if clock is None:
            self._real.shuffle(batch)
            return
        batch.reverse()
        for last in range(len(batch) - 1, 0, -1):
            chosen = last - clock.choices.below(last + 1)
            batch[last], batch[chosen] = batch[chosen], batch[last]


class _ThreadCache:
    """In the place of trio's cache of worker threads."""

    def __init__(self, real: Any) -> None:
        self._real = real

    def start_thread_soon(
        self,
        function: Callable[[], Any],
        deliver: Callable[[outcome.Outcome[Any]], object],
        name: str | None = None,
    ) -> None:
        clock = _simulated()
        if clock is None:
            self._real.start_thread_soon(function, deliver, name)
            return
        host = clock.host
        # As a real thread: without the context variables of whoever starts it.
        context = contextvars.Context()
        context.run(current_host.set, host)
        thread = f"Trio thread {next(clock.workers)}"
        context.run(self._start, thread, (host, function, deliver, name))

    def _start(self, name: str, job: tuple[Any, ...]) -> None:
        threads.threading.Thread(target=self._work, args=job, name=name, daemon=True).start()

    @staticmethod
    def _work(
        host: Host, function: Callable[[], Any], deliver: Callable[..., object], name: str | None
    ) -> None:
        thread, task = threads.threading.current_thread(), host.scheduler.current
        usual_name = thread.name
        if name is not None:
            thread.name = task.name = name
        keeper = TaskKeeper(task, local(_threads.PARENT_TASK_DATA))
        keeper.begin()
        try:
            result = outcome.capture(function)
            thread.name = usual_name
            deliver(result)
        finally:
            keeper.end()


def _answered_in_virtual_time(message: type) -> type:
    """A message to trio whose sender waits as a task of the world."""

    def __init__(self: Any, *args: Any) -> None:
        message.__init__(self, *args)  # type: ignore[misc]
        if host_or_none() is not None:
            object.__setattr__(self, "queue", threads.queue.SimpleQueue())

    return type(message.__name__, (message,), {"__init__": __init__})


class _Subprocess:
    """In the place of the module `subprocess`."""

    def __init__(self, real: Any) -> None:
        self._real = real

    def __getattr__(self, name: str) -> Any:
        return getattr(self._real, name)

    def Popen(self, *args: Any, **kwargs: Any) -> Any:
        if host_or_none() is not None:
            raise Unsupported("a subprocess would run in the real system, on the real network")
        return self._real.Popen(*args, **kwargs)


# What makes the replacement of a name of a module from what is there.
_SEAMS: tuple[tuple[Any, str, Callable[[Any], Any]], ...] = (
    # Trio keeps sets of tasks: they are put in order before the dice are thrown.
    (_run, "_ALLOW_DETERMINISTIC_SCHEDULING", lambda real: True),
    (_run, "_r", _Dice),
    (_thread_cache, "THREAD_CACHE", _ThreadCache),
    (_threads, "Run", _answered_in_virtual_time),
    (_threads, "RunSync", _answered_in_virtual_time),
    (_subprocess, "subprocess", _Subprocess),
)


class _Seams:
    """Replaced from the beginning of the first simulated run to the end of the last."""

    def __init__(self) -> None:
        self._runs = 0
        self._real: list[Any] = []

    def begin(self) -> None:
        """One more simulated run."""
        if not self._runs:
            self._real = [getattr(module, name) for module, name, _ in _SEAMS]
            for (module, name, make), real in zip(_SEAMS, self._real, strict=True):
                setattr(module, name, make(real))
        self._runs += 1

    def end(self) -> None:
        """One fewer."""
        self._runs -= 1
        if not self._runs:
            for (module, name, _), real in zip(_SEAMS, self._real, strict=True):
                setattr(module, name, real)


seams = _Seams()
