"""Fixtures of the tests of patching."""

from tests.patching.modules import load

__all__ = ["load"]
