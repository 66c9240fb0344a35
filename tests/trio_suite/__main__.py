"""Runs trio's own tests in a patched program: python -m tests.trio_suite [MODULE...]

A module is named as in `_core._tests.test_run`; all of them are run if none is named. Options of
pytest may follow.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile

from tests.trio_suite.plugin import MODULES


def command(*arguments: str) -> list[str]:
    """The command that runs them."""
    modules = [each for each in arguments if not each.startswith("-")] or list(MODULES)
    options = [each for each in arguments if each.startswith("-")]
    plugins = ["-p", "trio._tests.pytest_plugin", "-p", "tests.trio_suite.plugin"]
    # Their configuration is not in what is installed; ours is not meant for them.
    pytest = [sys.executable, "-m", "pytest", "-q", "-c", "/dev/null", "--rootdir", "."]
    named = [f"trio.{module}" for module in modules]
    return [*pytest, *plugins, "--timeout=60", *options, "--pyargs", *named]


def main() -> int:
    with tempfile.TemporaryDirectory() as cache:
        options = ["-o", f"cache_dir={cache}"]
        return subprocess.run([*command(*sys.argv[1:]), *options]).returncode


if __name__ == "__main__":
    sys.exit(main())
