"""Some of trio's own tests, in a patched program; all of them: python -m tests.trio_suite."""

from __future__ import annotations

import importlib.util
import subprocess
from pathlib import Path

import pytest

from tests.trio_suite.__main__ import command
from tests.trio_suite.plugin import DIFFERENCES, LEFT_OUT, MODULES

ROOT = Path(__file__).parent.parent.parent
QUICK = ("_tests.test_socket", "_tests.test_highlevel_socket", "_core._tests.test_io")


def test_trios_own_tests_of_sockets_pass() -> None:
    """With strict marks for what is known to differ."""
    if importlib.util.find_spec("trio._tests.test_socket") is None:
        pytest.skip("trio is installed without its tests")
    ran = subprocess.run(
        [*command(*QUICK), "-p", "no:cacheprovider"], capture_output=True, text=True, cwd=ROOT
    )
    assert ran.returncode == 0, ran.stdout
    assert " passed" in ran.stdout


def test_every_difference_is_of_a_module_that_is_run() -> None:
    """A name that is nowhere would be a mistake in the list."""
    stems = {module.rpartition(".")[2] for module in MODULES}
    assert {name.partition("::")[0] for name in (*DIFFERENCES, *LEFT_OUT)} <= stems
