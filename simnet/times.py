"""The module `time` of a simulated host: its clocks are the world's, and sleeping is waiting.

`time`, `monotonic`, `perf_counter` and their `_ns` forms read the host's clock, and `sleep`
suspends the task. Pure conversions (`strftime`, `mktime`, ...) are the real module's; those that
mean now when they are given no time mean the host's. Not modelled: clocks of the processor
(`process_time`, `thread_time`, `clock_gettime`) are the real ones.
"""

from __future__ import annotations

import time as _real
from types import ModuleType
from typing import Any

from simnet.current import the_host

_NS = 1_000_000_000


def sleep(seconds: float, /) -> None:
    """sleep(seconds)"""
    the_host().sleep(seconds)


def time() -> float:
    """time() -> floating point number"""
    return the_host().time()


def time_ns() -> int:
    """time_ns() -> int"""
    return round(the_host().time() * _NS)


def monotonic() -> float:
    """monotonic() -> float"""
    return the_host().monotonic()


def monotonic_ns() -> int:
    """monotonic_ns() -> int"""
    return round(the_host().monotonic() * _NS)


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
    "perf_counter": monotonic,
    "perf_counter_ns": monotonic_ns,
    "localtime": _now_if_left_out("localtime"),
    "gmtime": _now_if_left_out("gmtime"),
    "ctime": _now_if_left_out("ctime"),
    "strftime": _strftime,
    "asctime": _asctime,
}


def make_module() -> ModuleType:
    """The module `time` with what is simulated in it."""
    module = ModuleType("time", "The time of simulated hosts.")
    module.__dict__.update({k: v for k, v in vars(_real).items() if not k.startswith("__")})
    module.__dict__.update(REPLACED)
    return module


module = make_module()
