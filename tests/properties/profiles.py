"""How many examples a law is tried on: few in every run of the suite, many at night.

`SIMNET_PROFILE=nightly pytest tests/properties` takes the large counts.
"""

from __future__ import annotations

import os

from hypothesis import HealthCheck, settings

NIGHTLY = 100  # times the examples of a quick run


def examples(count: int) -> settings:
    """Settings for a law: `count` examples, always the same ones; more and other ones at night."""
    nightly = os.environ.get("SIMNET_PROFILE", "quick") == "nightly"
    return settings(
        max_examples=count * NIGHTLY if nightly else count,
        derandomize=not nightly,
        database=None,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )
