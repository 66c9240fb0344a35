"""Fuzzing: programs, faults and schedules that Hypothesis draws and shrinks together."""

from __future__ import annotations

# First of all: it says what to install where Hypothesis is not.
from simnet import strategies as _strategies  # noqa: F401
