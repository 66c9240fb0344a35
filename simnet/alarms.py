"""The module `signal` of a simulated program: alarms ring in virtual time.

`alarm`, `setitimer(ITIMER_REAL)`, `getitimer` and `pause` are the world's; the handler of SIGALRM
runs in the code outside all tasks, as signals reach the main thread, and a call that it interrupts
goes on afterwards (PEP 475). Simulated descriptors can be woken (descriptor_calls/wakeup.py). All
else is the real module's: signals reach the process.

Not modelled: timers of the processor's time; an alarm that interrupts code which computes and never
waits (no time passes there: the watchdog ends it). Refused: `sigwait` and its kin.
"""

from __future__ import annotations

import signal as _real
from types import ModuleType
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

from simnet import locks
from simnet.arguments import duration_ns, plain_int
from simnet.clock import SECOND_NS, Timer
from simnet.current import in_foreign_thread, the_host
from simnet.descriptor_calls import wakeup
from simnet.errors import SimnetError
from simnet.readiness import POLLIN, Pollable

if TYPE_CHECKING:
    from simnet.scheduler import Scheduler


class _Alarm(Pollable):
    """The alarm of one world; `pause` waits for it."""

    __slots__ = ("_interval_ns", "_scheduler", "_timer", "rung")

    def __init__(self, scheduler: Scheduler) -> None:
        super().__init__()
        self._scheduler = scheduler
        self._timer: Timer | None = None
        self._interval_ns = 0
        self.rung = False

    def poll(self) -> int:
        return POLLIN if self.rung else 0

    def set(self, first_ns: int, interval_ns: int) -> tuple[int, int]:
        """Ring so far from now, and again and again; 0 is never. What was set before."""
        before = self.left()
        if self._timer is not None:
            self._timer.cancel()
        self._timer = None
        self._interval_ns = interval_ns
        if first_ns:
            self._ring_at(self._scheduler.clock.now_ns + first_ns)
        return before

    def _ring_at(self, when_ns: int) -> None:
        self._timer = self._scheduler.clock.call_at(when_ns, self._ring)

    def left(self) -> tuple[int, int]:
        """How long until it rings, and the interval, in nanoseconds."""
        timer = self._timer
        if timer is None or not timer.pending:
            return 0, self._interval_ns
        return timer.when_ns - self._scheduler.clock.now_ns, self._interval_ns

    def _ring(self) -> None:
        if self._interval_ns:
            self._ring_at(self._scheduler.clock.now_ns + self._interval_ns)
        self._scheduler.call_in_main(self._handle)

    def _handle(self) -> None:
        self.rung = True
        self.notify(POLLIN)
        handler = _real.getsignal(_real.SIGALRM)
        if callable(handler):
            handler(int(_real.SIGALRM), None)
        elif handler != _real.SIG_IGN:
            raise SimnetError("SIGALRM has no handler: it would end the process (signal(7))")


_alarms: WeakKeyDictionary[Scheduler, _Alarm] = WeakKeyDictionary()


def _alarm() -> _Alarm:
    scheduler = the_host().scheduler
    alarm = _alarms.get(scheduler)
    if alarm is None:
        alarm = _alarms[scheduler] = _Alarm(scheduler)
    return alarm


def alarm(seconds: int, /) -> int:
    """Arrange for SIGALRM to arrive after the given number of seconds."""
    if in_foreign_thread():
        return _real.alarm(seconds)
    left_ns, _ = _alarm().set(plain_int(seconds) * SECOND_NS, 0)
    # Rounded up, as the kernel rounds what is less than a second.
    return -(-left_ns // SECOND_NS)


def setitimer(which: int, seconds: float, interval: float = 0.0, /) -> tuple[float, float]:
    """Sets given itimer (one of ITIMER_REAL, ITIMER_VIRTUAL or ITIMER_PROF)."""
    if which != _real.ITIMER_REAL or in_foreign_thread():
        return _real.setitimer(which, seconds, interval)
    first_ns, interval_ns = duration_ns(seconds), duration_ns(interval)
    if first_ns < 0 or interval_ns < 0:
        raise _real.ItimerError(22, "Invalid argument")
    left = _alarm().set(first_ns, interval_ns)
    return left[0] / SECOND_NS, left[1] / SECOND_NS


def getitimer(which: int, /) -> tuple[float, float]:
    """Returns current value of given itimer."""
    if which != _real.ITIMER_REAL or in_foreign_thread():
        return _real.getitimer(which)
    left = _alarm().left()
    return left[0] / SECOND_NS, left[1] / SECOND_NS


def pause() -> None:
    """Wait until a signal arrives."""
    alarm = _alarm()
    alarm.rung = False
    while not alarm.rung:
        the_host().scheduler.wait(alarm, POLLIN, None, "pause", None)


def pthread_kill(thread_id: int, signalnum: int, /) -> None:
    """Send a signal to a thread: to the code outside all tasks, which is the main one."""
    if in_foreign_thread():
        _real.pthread_kill(thread_id, signalnum)
    elif thread_id != locks.MAIN_IDENT:
        raise SimnetError("a task is no thread of the system: signals reach the main one alone")
    elif signalnum:
        _real.raise_signal(signalnum)


def _refuse_wait(name: str) -> Any:
    real = getattr(_real, name)

    def refuse(*args: Any) -> Any:
        if in_foreign_thread():
            return real(*args)
        raise SimnetError(f"signal.{name}() would wait in real time: use pause(), or a handler")

    refuse.__name__ = name
    return refuse


REPLACED: dict[str, Any] = {
    **wakeup.REPLACED,
    "alarm": alarm,
    "setitimer": setitimer,
    "getitimer": getitimer,
    "pause": pause,
    "pthread_kill": pthread_kill,
    **{name: _refuse_wait(name) for name in ("sigwait", "sigwaitinfo", "sigtimedwait")},
}


def make_module() -> ModuleType:
    """The module `signal` with what is simulated in it."""
    module = ModuleType("signal", "Signals, with the alarms of simulated hosts.")
    module.__dict__.update({k: v for k, v in vars(_real).items() if not k.startswith("__")})
    module.__dict__.update(REPLACED)
    return module


module = make_module()
