"""trio on a simulated host: trio's own scheduler, nurseries and streams, in virtual time.

A run becomes simulated by its clock, one of trio's public hooks: `trio.run(main,
clock=host.trio_clock())`, or `host.trio_run(main)`. When the run starts, the clock gives it the
host's sockets and names (public hooks too), and a poller: trio has no hook for what it waits with,
so the run's own `EpollIOManager` is made anew over a simulated epoll (the one over a real epoll,
which trio.run opens first, is closed unused). Nothing of it is shared with other runs of trio. An
instrument that lets the world run before each wait would be a hook, but trio swallows what it
raises, does not tell it what it waits for, and would still sleep in the kernel.

What trio keeps for its thread is put aside while other tasks of the world run, so that several
hosts may each run trio (keepers.py); what it does past its hooks is in trio_seams.py.

When the world cannot go on (a `Deadlock`, the host has crashed), trio's tasks are cancelled, so
that they clean up, and then the run raises what happened, whatever came of that.

Not modelled, and refused with an error: waiting for descriptors of the real system, so also
`trio.socket.socketpair()` outside `world.patch()` (use `wrap(sock)` of `host.socketpair()`);
processes. Files (`trio.Path`, `trio.open_file`) are those of the real system.
"""

from __future__ import annotations

import math
import signal
from collections.abc import Awaitable, Callable
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

import outcome
import trio
import trio._core._run as _run
from trio._core._io_epoll import EpollIOManager

from simnet import waits
from simnet.clock import nanoseconds
from simnet.current import current_host
from simnet.descriptors import FIRST
from simnet.errors import Unsupported
from simnet.keepers import ASYNC_GENERATORS, TaskKeeper, Thing, local
from simnet.pollers import wait_for_any
from simnet.readiness import POLLIN, Pollable
from simnet.trio_seams import HostClock, seams
from simnet.trio_sockets import HostnameResolver, SocketFactory, SocketType

if TYPE_CHECKING:
    from simnet.host import Host

T = TypeVar("T")

# What stands for the bell among the descriptors that an event may name.
_BELL = -1


def run(host: Host, async_fn: Callable[..., Awaitable[T]], *args: Any, **options: Any) -> T:
    """As trio.run, on a host."""
    clock = Clock(host)
    token = current_host.set(host)
    try:
        return trio.run(async_fn, *args, clock=clock, **options)
    except trio.TrioInternalError:
        if clock.interruption is not None:
            raise clock.interruption from None
        raise
    finally:
        current_host.reset(token)


def wrap(sock: Any) -> SocketType:
    """A trio socket for a simulated one, as trio.socket.from_stdlib_socket for a real one."""
    return SocketType(sock)


class Clock(HostClock):
    """The host's monotonic clock; a run that it is given to becomes a simulated one.

    Its sockets and names too, unless the program is `patched` and finds them by itself.
    """

    def __init__(self, host: Host, *, patched: bool = False) -> None:
        super().__init__(host)
        self._patched = patched
        # The deadline that trio waits for, by this clock.
        self.deadline = math.inf
        # What the world ended the run for.
        self.interruption: BaseException | None = None

    def start_clock(self) -> None:
        """The run begins."""
        host = self.host
        host.require_up()
        host.scheduler.check_thread()
        self.interruption = None
        runner: Any = _run.GLOBAL_RUN_CONTEXT.runner
        # Until now it had the real ones. This also takes its hands off signal.set_wakeup_fd, which
        # is there to end a wait in the kernel.
        runner.io_manager.close()
        runner.entry_queue.close()
        bell = _Bell(host)
        runner.entry_queue.wakeup = bell
        runner.io_manager = _IOManager(self, runner, bell)
        runner.system_context.run(current_host.set, host)
        if not self._patched:
            trio.socket.set_custom_socket_factory(SocketFactory(host))
            trio.socket.set_custom_hostname_resolver(HostnameResolver(host))

    def current_time(self) -> float:
        """In seconds."""
        return self.host.clock.now_ns * (1 + self.host.clock_drift) / 1e9

    def deadline_to_sleep_time(self, deadline: float) -> float:
        """How long until then."""
        self.deadline = deadline
        return deadline - self.current_time()


class _Bell(Pollable):
    """Wakes trio from outside its tasks, in the place of the socket pair that it has for that."""

    __slots__ = ("_host", "_rung", "_sleeper", "news")

    def __init__(self, host: Host) -> None:
        super().__init__()
        self._host = host
        self._rung = False
        self._sleeper: trio.lowlevel.Task | None = None
        # Whether it was rung since trio looked last.
        self.news = False

    def poll(self) -> int:
        return POLLIN if self.news else 0

    def wakeup_thread_and_signal_safe(self) -> None:
        """Ring; threads of the operating system are refused."""
        self._host.scheduler.check_thread()
        self._rung = self.news = True
        self.notify(POLLIN)

    def answer(self) -> None:
        """Trio has heard it: let the task run that waits for it."""
        self.news = False
        if self._sleeper is not None:
            trio.lowlevel.reschedule(self._sleeper)
            self._sleeper = None

    async def wait_woken(self) -> None:
        """Until it is rung, if it has not been."""
        if not self._rung:
            self._sleeper = trio.lowlevel.current_task()
            await trio.lowlevel.wait_task_rescheduled(self._abort)
        self._rung = False

    def _abort(self, raise_cancel: object) -> trio.lowlevel.Abort:
        self._sleeper = None
        return trio.lowlevel.Abort.SUCCEEDED

    def close(self) -> None:
        """The run is over."""


class _Tasks:
    """The tasks of a run, for reports."""

    def __init__(self, runner: Any) -> None:
        self._runner = runner

    def __repr__(self) -> str:
        tasks = sorted(self._runner.tasks, key=lambda task: task._counter)
        return f"({'; '.join(map(_where, filter(self._is_of_the_program, tasks)))})"

    def _is_of_the_program(self, task: trio.lowlevel.Task) -> bool:
        nursery = task.parent_nursery
        own = nursery is None or nursery.parent_task is self._runner.init_task
        return task is self._runner.main_task or not own


def _where(task: trio.lowlevel.Task) -> str:
    line = ""
    for frame, number in task.iter_await_frames():
        module = str(frame.f_globals.get("__name__", ""))
        if waits.outside(frame) is frame and not module.startswith("trio."):
            line = f" at {frame.f_code.co_filename}:{number} in {frame.f_code.co_name}"
    return f"{task.name}{line}"


class _IOManager(EpollIOManager):
    """trio's own, over the simulated epoll; and the beginning and end of a simulated run."""

    def __init__(self, clock: Clock, runner: Any, bell: _Bell) -> None:
        self._clock = clock
        self._bell = bell
        self._tasks = _Tasks(runner)
        self._runner = runner
        # How often the world has interrupted the run, and what is left to raise when it has done so
        # too often.
        self._interruptions = 0
        self._fatal: BaseException | None = None
        host = clock.host
        with host.nastiness.asleep():
            # trio took its own before the run began, where a failure is told as what it is.
            epoll: Any = host.epoll()
        super().__init__(epoll=epoll, force_wakeup=bell)  # type: ignore[arg-type]
        self._keeper = TaskKeeper(host.scheduler.current, *_kept(runner))
        self._keeper.begin()
        seams.begin()

    def __attrs_post_init__(self) -> None:
        """The bell is no descriptor to be registered."""

    def close(self) -> None:
        """The run is over."""
        seams.end()
        self._keeper.end()
        self._epoll.close()
        if self._clock.interruption is not None:
            self._runner.main_task_outcome = outcome.Error(self._clock.interruption)

    def get_events(self, timeout: float) -> list[tuple[int, int]]:
        """Let the world run until something has happened, or for so long."""
        try:
            return self._wait(timeout)
        except BaseException as exc:
            # To be raised within the run; outside it would leave trio in pieces.
            self._interrupted(exc)
            return []

    def _wait(self, timeout: float) -> list[tuple[int, int]]:
        host = self._clock.host
        deadline_ns: int | None = None
        # Trio waits for a day at most, also for nothing.
        if timeout < _run._MAX_TIMEOUT or self._clock.deadline < math.inf:
            deadline_ns = host.deadline(nanoseconds(timeout))
        kernel = self._epoll._kernel()  # type: ignore[attr-defined]

        def look() -> list[tuple[int, int]]:
            events: list[tuple[int, int]] = kernel.collect(len(kernel.ready))
            return [*events, (_BELL, 0)] if self._bell.news else events

        found = wait_for_any(host, [kernel, self._bell], look, deadline_ns, "trio", self._tasks)
        return found or []

    def process_events(self, events: list[tuple[int, int]]) -> None:
        """Let those tasks run that waited for them."""
        if self._fatal is not None:
            raise self._fatal
        if self._bell.news:
            self._bell.answer()
        super().process_events([event for event in events if event[0] != _BELL])

    def _interrupted(self, exc: BaseException) -> None:
        """End the run: by cancelling; then by raising in every task; then where it stands."""
        self._interruptions += 1
        if self._interruptions == 1:
            self._clock.interruption = exc
            if self._runner.system_nursery is None:
                # It has hardly begun.
                self._fatal = exc
            else:
                self._runner.system_nursery.cancel_scope.cancel()
        elif self._interruptions == 2:
            for task in sorted(self._runner.tasks, key=lambda task: task._counter):
                if task._abort_func is not None:
                    task._attempt_abort(partial(_throw, exc))
        else:
            self._fatal = exc

    async def _epoll_wait(self, fd: Any, attr_name: str) -> None:
        number = fd if isinstance(fd, int) else fd.fileno()
        if 0 <= number < FIRST:
            raise Unsupported(
                f"{fd!r} belongs to the real system, and a simulated run of trio cannot wait for "
                "it; use sockets of the host, or simnet.trio_loop.wrap(sock)"
            )
        await super()._epoll_wait(number, attr_name)


def _throw(exc: BaseException) -> None:
    raise exc


def _kept(runner: Any) -> list[Thing]:
    """What trio keeps for the thread."""
    things = [
        local(_run.GLOBAL_RUN_CONTEXT),
        local(vars(_run)["sniffio_library"]),
        ASYNC_GENERATORS,
    ]
    if runner.ki_manager.handler is not None:
        # It answers Ctrl-C while its own tasks run.
        things.append(
            Thing(
                lambda: signal.getsignal(signal.SIGINT),
                lambda handler: signal.signal(signal.SIGINT, handler),
                signal.default_int_handler,
            )
        )
    return things
