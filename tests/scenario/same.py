"""What two scenarios that tell the same story have in common: everything but places."""

from __future__ import annotations

from typing import Any

import attrs

from simnet.scenario import Scenario
from simnet.scenario.expressions import Expression
from simnet.scenario.places import Place


def story(scenario: Scenario) -> Any:
    """A scenario without its places, to compare."""
    return _bare(attrs.evolve(scenario, path=""))


def _bare(value: Any) -> Any:
    if isinstance(value, Place):
        return None
    if isinstance(value, Expression):
        return value.text
    if attrs.has(type(value)):
        names = [field.name for field in attrs.fields(type(value))]
        return type(value).__name__, {name: _bare(getattr(value, name)) for name in names}
    if isinstance(value, list | tuple):
        return type(value)(_bare(item) for item in value)
    if isinstance(value, dict):
        return {key: _bare(item) for key, item in value.items()}
    return value
