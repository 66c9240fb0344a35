"""Replays scenarios on the simulator, as a script: what each gave and its digest, as JSON.

python replay.py FILE...
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from simnet import World
from simnet.api import Network
from simnet.scenario.backends import Backend
from simnet.scenario.discovery import load_all
from simnet.scenario.model import Scenario
from simnet.scenario.runner import run
from simnet.world import localhost


def replay(scenario: Scenario) -> dict[str, Any]:
    """What one scenario gave, step by step, and the digest of its world."""
    worlds: list[World] = []

    def network() -> Network:
        host = localhost()
        worlds.append(host.world)
        return host

    class Kept(World):
        def __init__(self, seed: int | str) -> None:
            super().__init__(seed)
            worlds.append(self)

    report = run(scenario, Backend("sim", network, Kept))
    digest = worlds[0].trace.digest()
    return {"status": report.status, "record": report.record, "digest": digest}


def main() -> None:
    scenarios = load_all(sys.argv[1:])
    print(json.dumps({Path(each.path).name: replay(each) for each in scenarios}))


if __name__ == "__main__":
    main()
