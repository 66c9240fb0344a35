"""Other processes: this interpreter, or any that the environment names, with a hash seed of choice.

SIMNET_PYTHONS is a list of interpreters that have simnet, separated as in PATH; without it there is
only the one that runs the tests.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import Any

import pytest

HERE = Path(__file__).parent
SCENARIOS = [str(path) for path in sorted(HERE.parent.parent.glob("scenarios/**/*.yaml"))]
PYTHONS = os.environ.get("SIMNET_PYTHONS", "").split(os.pathsep)
INTERPRETERS = list(dict.fromkeys([sys.executable, *filter(None, PYTHONS)]))
TIMEOUT = 100


@cache
def lacks(python: str) -> str | None:
    """Why an interpreter cannot run simnet; None if it can."""
    command = [python, "-c", "import simnet, simnet.world, simnet.scenario.runner"]
    try:
        # Not from the checkout, where simnet could be imported without being installed.
        done = subprocess.run(command, capture_output=True, text=True, timeout=TIMEOUT, cwd=HERE)
    except OSError as error:
        return f"{python} does not run: {error}"
    if done.returncode:
        return f"{python} cannot import simnet: {done.stderr.strip().splitlines()[-1]}"
    return None


def run(script: str, *args: str, python: str = sys.executable, hash_seed: str = "0") -> Any:
    """What a script of this directory prints; a skip if the interpreter lacks simnet."""
    reason = lacks(python)
    if reason is not None:
        pytest.skip(reason)
    done = subprocess.run(
        [python, "-W", "error", str(HERE / script), *args],
        capture_output=True,
        text=True,
        timeout=TIMEOUT,
        env={**os.environ, "PYTHONHASHSEED": hash_seed},
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)
