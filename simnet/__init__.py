"""A deterministic in-memory network for Python code that uses sockets.

Names load on first use, so that the real backend can import `simnet.api` without the simulator.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from simnet.api import Network, Socket, Task
    from simnet.errors import (
        Deadlock,
        ForeignThread,
        NoCurrentHost,
        RealCall,
        SimnetError,
        StepLimit,
        Stuck,
        Unsupported,
    )
    from simnet.exploring.explore import explore, replay
    from simnet.exploring.keeping import keep
    from simnet.exploring.partings import diff
    from simnet.exploring.shrinking import shrink
    from simnet.fuzzing.fuzz import fuzz
    from simnet.host import Host
    from simnet.world import World

__version__ = "0.1.0"

_HOME = {
    "Network": "simnet.api",
    "Socket": "simnet.api",
    "Task": "simnet.api",
    "Deadlock": "simnet.errors",
    "ForeignThread": "simnet.errors",
    "NoCurrentHost": "simnet.errors",
    "RealCall": "simnet.errors",
    "Stuck": "simnet.errors",
    "Unsupported": "simnet.errors",
    "SimnetError": "simnet.errors",
    "StepLimit": "simnet.errors",
    "Host": "simnet.host",
    "World": "simnet.world",
    "diff": "simnet.exploring.partings",
    "explore": "simnet.exploring.explore",
    "fuzz": "simnet.fuzzing.fuzz",
    "keep": "simnet.exploring.keeping",
    "replay": "simnet.exploring.explore",
    "shrink": "simnet.exploring.shrinking",
}

__all__ = [
    "Deadlock",
    "ForeignThread",
    "Host",
    "Network",
    "NoCurrentHost",
    "RealCall",
    "SimnetError",
    "Socket",
    "StepLimit",
    "Stuck",
    "Task",
    "Unsupported",
    "World",
    "__version__",
    "diff",
    "explore",
    "fuzz",
    "keep",
    "replay",
    "shrink",
]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'simnet' has no attribute {name!r}")
    return getattr(import_module(_HOME[name]), name)


def __dir__() -> list[str]:
    return sorted(__all__)
