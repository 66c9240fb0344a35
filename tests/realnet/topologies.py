"""A topology on the kernel, or a skipped test that says why there is none."""

from __future__ import annotations

from typing import Any

import pytest

import realnet


def topology(**limits: Any) -> realnet.Topology:
    """A fresh one; where the machine or the user cannot have it, the test is skipped."""
    try:
        return realnet.Topology(**limits)
    except realnet.Unavailable as exc:
        pytest.skip(str(exc))
