"""Who runs next.

One task runs at a time, until it has to wait. Whoever waits switches straight to the next task that
is ready; when none is, time moves to the next timer. The code that is outside every task (a test, a
script) is a task too, the main one: while it waits, the others run.

The seed picks among several tasks that are ready; a single one needs no choice.
"""

from __future__ import annotations

import contextvars
import sys
import threading
from collections import deque
from collections.abc import Callable
from types import FrameType
from typing import TYPE_CHECKING, Any

from greenlet import GreenletExit, getcurrent, greenlet

from simnet import waits
from simnet.clock import MILLISECOND_NS, Clock, nanoseconds
from simnet.decisions import Option, Options, Stream
from simnet.errors import Deadlock, ForeignThread, SimnetError, StepLimit
from simnet.readiness import EVERYTHING, READABLE, Pollable
from simnet.tasks import HostStopped, SimTask, Unstarted, aside, end

if TYPE_CHECKING:
    from simnet.host import Host
    from simnet.policies import Picker
    from simnet.protocols.base import Endpoint

# A loop that polls without waiting takes time on a real machine. After so many fruitless calls in a
# row (EAGAIN, an empty poll, a look at the clock) time moves on here too; then after every so many,
# and at most so far at once.
SPINS_BEFORE_TIME_PASSES = 1000
SPINS_AFTER_THAT = 100
SPINNING_NS = 10 * MILLISECOND_NS
DEFAULT_MAX_STEPS = 10_000_000


class _Never(Pollable):
    """What a sleeping task waits for besides the time."""

    __slots__ = ()

    def poll(self) -> int:
        return 0


class Scheduler:
    """Runs the tasks of one world."""

    def __init__(
        self, clock: Clock, choices: Stream, max_steps: int, picker: Picker | None = None
    ) -> None:
        self.clock = clock
        self.ready: deque[SimTask] = deque()
        self.main = SimTask(self, "main", None, 0)
        self._spawned = 0
        self.current = self.main
        # Stands for what happens in no task (World.at), and may not wait.
        self._event = SimTask(self, "event", None, -1)
        self._event.ending = True
        # Something happens in no task, though one that waits is current: what the collector
        # finalises meanwhile seems to be its code, but must not give its turn away.
        self._happening = False
        # Starts every task, whose greenlet is put in the list: a greenlet takes over the depth of
        # recursion of the one that starts it, which would add up.
        self._unborn: list[greenlet] = []
        self._starter: greenlet | None = None
        self.tasks: dict[SimTask, None] = {}
        # What `threading` knows of the threads of this world, by the name of its table.
        self.threads: dict[str, dict[Any, Any]] = {}
        self.steps = 0
        self._choices = choices
        # A policy at work, in the place of choices alone.
        self._picker = picker
        # Whether the seed alone decides.
        self._plain = picker is None and type(choices) is Stream
        # Who runs next, by a choice that is made already.
        self._chosen: SimTask | None = None
        self._max_steps = max_steps
        self._thread = threading.get_ident()
        self._spins = 0
        self._until_idle = False
        self._called_in_main = False
        self._never = _Never()
        self.failed: list[SimTask] = []

    # Tasks

    def spawn(
        self, function: Callable[..., Any], args: tuple[Any, ...], name: str, host: Host
    ) -> SimTask:
        """A new task, ready to run, in a copy of the current context."""
        self.check_thread()
        if self._starter is None:
            self._starter = greenlet(_start_tasks, _root())
            self._starter.switch(self._unborn, getcurrent())
        self._spawned += 1
        task = SimTask(self, name, host, self._spawned)
        body = greenlet(lambda: task.run(function, args), _root())
        body.gr_context = contextvars.copy_context()
        task.greenlet = Unstarted(task, body)
        self.tasks[task] = None
        task.wake(EVERYTHING)
        return task

    def starter_of(self, unstarted: Unstarted) -> greenlet:
        """Whom to switch to so that a task begins."""
        assert self._starter is not None
        unstarted.task.greenlet = unstarted.body
        self._unborn.append(unstarted.body)
        return self._starter

    def task_ended(self, task: SimTask) -> None:
        """Its greenlet is about to end: hand control to whoever is next."""
        del self.tasks[task]
        if task.failed:
            self.failed.append(task)
        following = self._next()
        self.current = following
        assert isinstance(task.greenlet, greenlet)
        # The starter refers to the last one that it started: that must not keep our context.
        task.greenlet.gr_context = None
        to = following.greenlet
        assert to is not None
        task.greenlet.parent = self.starter_of(to) if isinstance(to, Unstarted) else to
        task.greenlet = None

    def happen(self, function: Callable[[], object]) -> None:
        """Call a function outside every task: it may not wait, and main gets its exception."""
        before = self.current
        with aside(before):
            self.current = self._event
            try:
                function()
            except Exception as exc:
                self.interrupt_main(exc)
            finally:
                self.current = before

    def check_thread(self) -> None:
        """A world belongs to the thread that made it."""
        if threading.get_ident() != self._thread:
            raise ForeignThread(
                f"thread {threading.current_thread().name!r} called into a simulated world that "
                "another thread runs; start the code with host.spawn(...) instead of a thread"
            )

    # Waiting

    def deadline(self, timeout: float) -> int:
        """The instant that a timeout of so many seconds from now means."""
        return self.clock.now_ns + max(0, nanoseconds(timeout))

    def wait(
        self,
        pollable: Pollable,
        mask: int,
        deadline_ns: int | None,
        call: str,
        subject: object,
        exclusive: bool = True,
    ) -> bool:
        """Suspend the current task until it is notified of one of the bits, or until a deadline.

        False once the deadline has passed.
        """
        task = self.current
        task.mask = mask
        task.exclusive = exclusive
        pollable.add_waiter(task)
        try:
            return self.suspend(deadline_ns, call, subject)
        finally:
            pollable.remove_waiter(task)

    def receive(
        self, endpoint: Endpoint, size: int, subject: object, call: str = "recv"
    ) -> bytes | None:
        """The commonest wait: a blocking receive without flags or options.

        None when it turns out not to be so plain.
        """
        if not endpoint.must_wait():
            return None
        task = self.current
        if task is self.main and threading.get_ident() != self._thread:
            self.check_thread()
        self._spins = 0
        task.waiting = call, subject
        endpoint.references += 1
        try:
            while True:
                waiters = endpoint.waiters
                if waiters is None:
                    waiters = endpoint.waiters = {}
                task.mask = READABLE
                task.exclusive = True
                waiters[task] = None
                self._switch_away(task)
                data = endpoint.recv_now(size)
                if data is not None:
                    return data
                if endpoint.must_wait():
                    continue
                if endpoint.references > 1:
                    return None
                # Closed meanwhile, and held by this call alone: it gets the end, or the error.
                received = endpoint.recv(size, 0)
                return b"" if received is None else received.data
        finally:
            task.waiting = None
            waiters = endpoint.waiters
            if waiters:
                waiters.pop(task, None)
                endpoint.hand_on()
            if endpoint.references > 1:
                endpoint.references -= 1
            else:
                endpoint.release()

    def suspend(self, deadline_ns: int | None, call: str, subject: object) -> bool:
        """Suspend the current task until it is woken, or until a deadline (then False)."""
        task = self.current
        if task is self.main:
            self.check_thread()
        if self._happening and not task.ending:
            raise SimnetError(f"{call}: what is finalised while no task runs must not wait")
        clock = self.clock
        timer = None
        if deadline_ns is not None:
            if deadline_ns <= clock.now_ns:
                self._spin()
                if not self.ready or task.ending:
                    return False
                task.wake(EVERYTHING)
            else:
                self._spins = 0
                timer = clock.call_at(deadline_ns, task.wake_now)
        else:
            self._spins = 0
        task.waiting = call, subject
        try:
            self._switch_away(task)
        finally:
            task.waiting = None
            if timer is not None:
                timer.cancel()
        return deadline_ns is None or clock.now_ns < deadline_ns

    def sleep(self, seconds: float) -> None:
        """Suspend the current task for so long; 0 lets others run once."""
        self.sleep_until(self.deadline(seconds), seconds)

    def sleep_until(self, deadline_ns: int, seconds: float) -> None:
        """Suspend the current task until an instant, which is so many seconds away by its clock."""
        while self.wait(self._never, 0, deadline_ns, "sleep", seconds):
            pass

    def relax(self) -> None:
        """A call found nothing and will not wait: give others their turn."""
        if self._happening and self.current is not self._event:
            return
        self._spin()
        if self.ready:
            task = self.current
            if not task.ending:
                self._give_way(task)

    def _give_way(self, task: SimTask) -> None:
        """Let others run before a task that goes on at once: a policy must not pick it for ever."""
        if self._picker is not None:
            self._picker.gives_way(task)
        task.wake(EVERYTHING)
        self._switch_away(task)

    def _spin(self) -> None:
        """One more fruitless call; after many of them in a row, by whomever, time passes."""
        self._spins = spins = self._spins + 1
        self.steps = steps = self.steps + 1
        if steps > self._max_steps:
            self._too_many_steps()
        if spins >= SPINS_BEFORE_TIME_PASSES:
            self._spins -= SPINS_AFTER_THAT
            self.clock.advance(SPINNING_NS)

    def _switch_away(self, task: SimTask) -> None:
        if task is self._event:
            raise SimnetError("what World.at() and World.after() call must not wait: spawn a task")
        if task.ending:
            end(task)
        ready = self.ready
        if len(ready) == 1 and self.steps < self._max_steps:
            # No choice, no time passes: what `_next` does then.
            self.steps += 1
            following = ready.popleft()
        else:
            following = self._next()
        if following is not task:
            if task is self.main:
                task.greenlet = getcurrent()
            self.current = following
            assert following.greenlet is not None
            keeper = task.keeper
            if keeper is None:
                following.greenlet.switch()
            else:
                keeper.leave()
                try:
                    following.greenlet.switch()
                finally:
                    keeper.enter()
            self.current = task
        task.scheduled = False
        if task.interruption is not None:
            interruption, task.interruption = task.interruption, None
            if isinstance(interruption, BaseException):
                raise interruption
            interruption()

    def _next(self) -> SimTask:
        """Who runs now; time moves on until somebody can."""
        ready, clock = self.ready, self.clock
        if not ready:
            clock.round += 1
        while not ready:
            if self._until_idle and not clock.expects_something:
                return self.main
            self._happening = True
            try:
                happened = clock.may_change_something and clock.fire_next()
            finally:
                self._happening = False
            if not happened:
                if not self._until_idle:
                    self.main.interruption = Deadlock("every task waits, " + self.report())
                return self.main
            self._count_step()
        self._count_step()
        if len(ready) == 1:
            return ready.popleft()
        if self._chosen is not None:
            task, self._chosen = self._chosen, None
            ready.remove(task)
            return task
        if self._plain:
            index = self._choices.below(len(ready))
        else:
            index = self._pick(tuple(ready), running=False)
        task = ready[index]
        del ready[index]
        return task

    def _pick(self, tasks: tuple[SimTask, ...], running: bool) -> int:
        """By the policy, or as was decided otherwise; a running task is the first."""
        picker = self._picker

        def by_policy() -> int:
            if picker is None:
                return self._choices.below(len(tasks))
            return picker.pick(tasks, running)

        def options() -> Options:
            return [_option(task) for task in tasks]

        return self._choices.decide(by_policy, options, running)

    def switch_point(self, call: str, subject: object) -> None:
        """The current task is about to make a call: a policy may let another one run first."""
        picker, ready, task = self._picker, self.ready, self.current
        if picker is None or not picker.preempts or not ready or task.ending:
            return
        others = tuple(each for each in ready if each is not task)
        if not others:
            return
        task.waiting = call, subject
        try:
            index = self._pick((task, *others), running=True)
            if index:
                self._chosen = others[index - 1]
                task.wake(EVERYTHING)
                self._switch_away(task)
        finally:
            task.waiting = None

    def _count_step(self) -> None:
        self.steps += 1
        if self.steps > self._max_steps:
            self._too_many_steps()

    def _too_many_steps(self) -> None:
        self.steps = 0
        self.interrupt_main(
            StepLimit(
                f"no end after {self._max_steps} steps at {self.clock.now_ns / 1e9} s; "
                "World(max_steps=...) allows more; " + self.report()
            )
        )

    def interrupt_main(self, exception: BaseException) -> None:
        """Raise it in the code outside all tasks, which runs next."""
        self.main.interruption = exception
        if not self.main.scheduled:
            self.main.scheduled = True
            self.ready.appendleft(self.main)

    def call_in_main(self, function: Callable[[], object]) -> None:
        """Let the code outside all tasks call a function, and then go on with what it waits for.

        What it raises ends that wait. An exception that is on its way there already comes first.
        """
        before = self.main.interruption
        if not isinstance(before, BaseException):
            self.main.interruption = function if before is None else _both(before, function)
            self._called_in_main = True
        if not self.main.scheduled:
            self.main.scheduled = True
            self.ready.appendleft(self.main)

    def end_run(self, exception: BaseException) -> None:
        """The code outside all tasks gets an exception: here, if it runs, or as soon as it does."""
        if self.current is self.main:
            raise exception
        self.interrupt_main(exception)

    def interrupt_waiting_on(self, host: Host) -> None:
        """A host has failed: tell those who wait on a socket of it, though they are not its own."""
        for task in (self.main, *self.tasks):
            if task.waiting is None or task is self.current or task.host is host:
                continue
            call, subject = task.waiting
            if getattr(subject, "_home", None) is host:
                what = f"host {host.name!r} crashed while {task.name!r} waited in {call} on it"
                task.interruption = SimnetError(what)
                task.wake(EVERYTHING)

    # Running from outside

    def run(self, until_ns: int | None) -> None:
        """Let the tasks run: until nothing is left to happen, or until an instant."""
        if self.current is not self.main:
            raise SimnetError("run() is for the code outside all tasks; a task waits with sleep()")
        if until_ns is None:
            self._until_idle = True
            self.main.waiting = "run", None
            try:
                self._called_in_main = True
                while self._called_in_main:
                    self._called_in_main = False
                    self._switch_away(self.main)
            finally:
                self._until_idle = False
                self.main.waiting = None
        else:
            while self.wait(self._never, 0, until_ns, "run", None):
                pass
            self._let_happen_what_is_due()
        self.raise_unseen()

    def raise_unseen(self) -> None:
        """Raise the exception of a task that ended with one for which nobody has asked, if any."""
        for task in self.failed:
            exception = task.unseen_exception()
            if exception is not None:
                raise exception

    def _let_happen_what_is_due(self) -> None:
        """Everything of this instant, and what that brings about in it."""
        clock = self.clock
        while True:
            when_ns = clock.next_ns()
            if when_ns is not None and when_ns <= clock.now_ns:
                clock.fire_next()
            elif self.ready:
                self._give_way(self.main)
            else:
                return

    def end_tasks(self, host: Host | None) -> None:
        """End every task where it stands, of one host or of all."""
        for task in [task for task in self.tasks if host is None or task.host is host]:
            body = task.greenlet
            if body is None:
                continue
            if isinstance(body, Unstarted):
                del self.tasks[task]
                if task.scheduled:
                    self.ready.remove(task)
                task.greenlet = None
                task.has_ended()
                continue
            if body is getcurrent():
                # It ends itself, or a timer fired while it was switching away: at its next wait.
                if host is not None:
                    task.interruption = HostStopped()
                    task.wake(EVERYTHING)
                continue
            del self.tasks[task]
            if task.scheduled and task in self.ready:
                self.ready.remove(task)
            task.ending = True
            body.parent = getcurrent()
            before = self.current
            with aside(before):
                self.current = task
                try:
                    body.throw(GreenletExit)
                finally:
                    self.current = before
                    task.has_ended()
        if host is None:
            self._starter = None

    # Reports

    def report(self) -> str:
        """Who waits for what, and where, one line each."""
        return waits.report(self, sys._getframe())

    def report_of_others(self, running: FrameType | None = None) -> str:
        """The same, from outside; the task that runs is left out unless its frame is given."""
        return waits.report(self, running)


def _option(task: SimTask) -> tuple[Option, object]:
    call, subject = task.calling or task.waiting or (None, None)
    return Option(task.number, task.name, call), subject


def _start_tasks(unborn: list[greenlet], back: greenlet) -> None:
    """The body of the starter. It knows nothing of its world, which it would keep alive."""
    back.switch()
    del back
    while True:
        unborn.pop().switch()


def _both(first: Callable[[], object], second: Callable[[], object]) -> Callable[[], None]:
    """Call one and then the other, also if the first raises."""

    def call() -> None:
        try:
            first()
        finally:
            second()

    return call


def _root() -> greenlet:
    """The greenlet of this operating-system thread that no other started."""
    root = getcurrent()
    while root.parent is not None:
        root = root.parent
    return root
