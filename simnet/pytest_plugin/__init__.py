"""The pytest plugin: tests in a simulated world, and scenario files as test items.

A test that asks for the fixture `simnet` or `world`, or has the marker `simnet`, runs in a world of
its own (worlds.py), in an event loop of it if it is a coroutine (coroutines.py), and tells when it
fails what is needed to understand and repeat it (reports.py). Nothing of the simulator is imported,
and no hook of a running test is registered, before such a test has been collected.

Not done: tests that run in a trio loop, and fixtures of a larger scope that share a world.
"""

from __future__ import annotations

from simnet.pytest_plugin.collecting import (
    pytest_collection_finish,
    pytest_collectstart,
    pytest_generate_seeds,
    pytest_generate_tests,
    pytest_make_collect_report,
    pytest_pycollect_makeitem,
    pytest_report_collectionfinish,
)
from simnet.pytest_plugin.fixtures import loop, marked, patched, seed, world
from simnet.pytest_plugin.options import pytest_addoption, pytest_configure
from simnet.pytest_plugin.scenarios import pytest_collect_file

__all__ = [
    "loop",
    "marked",
    "patched",
    "pytest_addoption",
    "pytest_collect_file",
    "pytest_collection_finish",
    "pytest_collectstart",
    "pytest_configure",
    "pytest_generate_seeds",
    "pytest_generate_tests",
    "pytest_make_collect_report",
    "pytest_pycollect_makeitem",
    "pytest_report_collectionfinish",
    "seed",
    "world",
]
