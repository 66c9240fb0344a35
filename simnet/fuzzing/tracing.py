"""Hypothesis traces lines once it has found a failure, for its phase `explain`: not in a world.

A world of one small program runs tens of thousands of lines, and took five to ten times as long
(measured on Python 3.10 to 3.13), for each of the hundreds of runs that shrink a failure. What
Hypothesis would have said is which lines only failing examples run.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager

_TRACER = "hypothesis.internal.scrutineer"
# Of sys.monitoring, from Python 3.12 on: the number of the tool, and its name there.
_TOOL, _NAME = 3, "scrutineer"

if sys.version_info >= (3, 12):

    @contextmanager
    def untraced() -> Iterator[None]:
        """Within this block Hypothesis traces no lines; other tools do."""
        monitoring = sys.monitoring
        if monitoring.get_tool(_TOOL) != _NAME:
            yield
            return
        events = monitoring.get_events(_TOOL)
        monitoring.set_events(_TOOL, 0)
        try:
            yield
        finally:
            monitoring.set_events(_TOOL, events)

else:

    @contextmanager
    def untraced() -> Iterator[None]:
        """Within this block Hypothesis traces no lines; other tools do."""
        tracer = sys.gettrace()
        if getattr(tracer, "__module__", None) != _TRACER:
            yield
            return
        sys.settrace(None)
        try:
            yield
        finally:
            sys.settrace(tracer)
