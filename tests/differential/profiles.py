"""How many programs the state machine draws: few in every run of the suite, many at night.

`SIMNET_PROFILE=nightly pytest tests/differential` takes the large count.
"""

from __future__ import annotations

import os

from hypothesis import HealthCheck, Phase, Verbosity, settings

COUNTS = {"quick": 250, "nightly": 20_000}
STEPS_PER_PROGRAM = 40


def profile(programs: int) -> settings:
    """Only generation: a program is data, and is shortened as such (see `compare.shortest`)."""
    return settings(
        max_examples=programs,
        stateful_step_count=STEPS_PER_PROGRAM,
        phases=[Phase.generate],
        database=None,
        deadline=None,
        print_blob=False,
        verbosity=Verbosity.quiet,
        suppress_health_check=list(HealthCheck),
    )


def chosen() -> settings:
    """The profile that the environment asks for."""
    return profile(COUNTS[os.environ.get("SIMNET_PROFILE", "quick")])
