"""The module `time` of a simulated host: its clocks are the world's, and sleeping is waiting.

`time`, `monotonic`, `perf_counter` and their `_ns` forms read the host's clock, and `sleep`
suspends the task; `clock_gettime` knows the clocks that tell the time of day or run from some
beginning. Pure conversions (`strftime`, `mktime`, ...) are the real module's; those that mean now
when they are given no time mean the host's. A thread that belongs to no world reads the real
clocks.

Not modelled: clocks of the processor (`process_time`, `thread_time`) are the real ones, and the
clocks of a host cannot be set.
"""

from __future__ import annotations

import errno
import threading
import time as _real
from types import ModuleType
from typing import Any, NoReturn

from simnet.current import in_foreign_thread, the_host
from simnet.errors import os_error


def sleep(seconds: float, /) -> None:
    """sleep(seconds)"""
    the_host().sleep(seconds)


def time() -> float:
    """time() -> floating point number"""
    return _real.time() if in_foreign_thread() else the_host().time()


def time_ns() -> int:
    """time_ns() -> int"""
    return _real.time_ns() if in_foreign_thread() else the_host().time_ns()


def monotonic() -> float:
    """monotonic() -> float"""
    return _real.monotonic() if in_foreign_thread() else the_host().monotonic()


def monotonic_ns() -> int:
    """monotonic_ns() -> int"""
    return _real.monotonic_ns() if in_foreign_thread() else the_host().monotonic_ns()


def perf_counter() -> float:
    """perf_counter() -> float"""
    return _real.perf_counter() if in_foreign_thread() else the_host().monotonic()


def perf_counter_ns() -> int:
    """perf_counter_ns() -> int"""
    return _real.perf_counter_ns() if in_foreign_thread() else monotonic_ns()


# clock_gettime(2): which of its clocks tell the time of day, and which run from some beginning.
_OF_DAY = ("CLOCK_REALTIME", "CLOCK_TAI")
_RUNNING = ("CLOCK_MONOTONIC", "CLOCK_MONOTONIC_RAW", "CLOCK_BOOTTIME")
_CLOCKS = {getattr(_real, name): time for name in _OF_DAY if hasattr(_real, name)}
_CLOCKS |= {getattr(_real, name): monotonic for name in _RUNNING if hasattr(_real, name)}


def clock_gettime(clk_id: int, /) -> float:
    """clock_gettime(clk_id) -> float"""
    simulated = _CLOCKS.get(clk_id)
    return _real.clock_gettime(clk_id) if simulated is None else simulated()


def clock_gettime_ns(clk_id: int, /) -> int:
    """clock_gettime_ns(clk_id) -> int"""
    simulated = _CLOCKS.get(clk_id)
    if simulated is None:
        return _real.clock_gettime_ns(clk_id)
    return time_ns() if simulated is time else monotonic_ns()


def clock_settime(clk_id: int, seconds: float, /) -> NoReturn:
    """Nobody may set the clock of a host; it is wrong by its `clock_offset`."""
    raise os_error(errno.EPERM)


def clock_settime_ns(clk_id: int, nanoseconds: int, /) -> NoReturn:
    """The same."""
    raise os_error(errno.EPERM)


def pthread_getcpuclockid(thread_id: int, /) -> int:
    """Return the clk_id of the processor clock of the thread that all tasks share."""
    if in_foreign_thread():
        return _real.pthread_getcpuclockid(thread_id)
    return _real.pthread_getcpuclockid(threading.get_ident())


def _now_if_left_out(name: str) -> Any:
    real = getattr(_real, name)

    def convert(seconds: float | None = None, /) -> Any:
        return real(time() if seconds is None else seconds)

    convert.__name__ = name
    convert.__doc__ = real.__doc__
    return convert


def _strftime(format: str, when: Any = None, /) -> str:
    """strftime(format[, tuple]) -> string"""
    return _real.strftime(format, _real.localtime(time()) if when is None else when)


def _asctime(when: Any = None, /) -> str:
    """asctime([tuple]) -> string"""
    return _real.asctime(_real.localtime(time()) if when is None else when)


REPLACED: dict[str, Any] = {
    "sleep": sleep,
    "time": time,
    "time_ns": time_ns,
    "monotonic": monotonic,
    "monotonic_ns": monotonic_ns,
    "perf_counter": perf_counter,
    "perf_counter_ns": perf_counter_ns,
    "clock_gettime": clock_gettime,
    "clock_gettime_ns": clock_gettime_ns,
    "clock_settime": clock_settime,
    "clock_settime_ns": clock_settime_ns,
    "pthread_getcpuclockid": pthread_getcpuclockid,
    "localtime": _now_if_left_out("localtime"),
    "gmtime": _now_if_left_out("gmtime"),
    "ctime": _now_if_left_out("ctime"),
    "strftime": _strftime,
    "asctime": _asctime,
}


# Programs pickle them too.
for _function in REPLACED.values():
    _function.__module__ = "time"


def make_module() -> ModuleType:
    """The module `time` with what is simulated in it."""
    module = ModuleType("time", "The time of simulated hosts.")
    module.__dict__.update({k: v for k, v in vars(_real).items() if not k.startswith("__")})
    module.__dict__.update(REPLACED)
    return module


module = make_module()
