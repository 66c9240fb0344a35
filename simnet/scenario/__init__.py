"""Scenarios: stories in YAML about sockets, replayed on any backend with the same outcome.

A file has a name, a sentence on what it shows, its actors, and steps in order. A step is an actor's
call and what it must give: `returns`, `raises`, or `blocks`, and then later `completes`.
"""

from __future__ import annotations

from simnet.scenario.model import Scenario, Step
from simnet.scenario.parser import load
from simnet.scenario.places import Malformed, Mistake, Place
from simnet.scenario.runner import Failure, Report, run

__all__ = ["Failure", "Malformed", "Mistake", "Place", "Report", "Scenario", "Step", "load", "run"]
