"""What is known not to pass on the simulator, and why, from failures.yaml.

The file is a list; each entry has a `reason`, and `tests`, which are ids as unittest gives them. An
entry may have `versions`, of Python, if it is not true for all. Its `kind` is one of:

- `fails`: it should pass, and does not;
- `not modelled`: it is about something that the simulator does not have, and says so (another
  process, a family of sockets): no such test counts among those that are to pass;
- `not run`: on neither backend, since the real kernel gives no answer either.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import attrs
import yaml

FILE = Path(__file__).with_name("failures.yaml")
VERSIONS = ("3.10", "3.11", "3.12", "3.13")
RUNNING = "{}.{}".format(*sys.version_info)
FAILS, NOT_MODELLED, NOT_RUN = "fails", "not modelled", "not run"


@attrs.frozen(kw_only=True)
class Entry:
    """Tests that fail for one reason."""

    reason: str
    tests: tuple[str, ...] = attrs.field(converter=tuple)
    versions: tuple[str, ...] = attrs.field(converter=tuple, default=VERSIONS)
    kind: str = attrs.field(validator=attrs.validators.in_((FAILS, NOT_MODELLED, NOT_RUN)))


def entries() -> list[Entry]:
    """The whole file."""
    return [Entry(**entry) for entry in yaml.safe_load(FILE.read_text()) or ()]


def _here(*kinds: str) -> Iterator[tuple[str, str]]:
    for entry in entries():
        if RUNNING in entry.versions and entry.kind in kinds:
            for test in entry.tests:
                yield test, entry.reason.strip()


def known() -> dict[str, str]:
    """Tests that fail on the simulator with this version of Python: their ids and reasons."""
    return dict(_here(FAILS, NOT_MODELLED))


def not_modelled() -> frozenset[str]:
    """Those of them that are not meant to pass."""
    return frozenset(dict(_here(NOT_MODELLED)))


def not_run() -> dict[str, str]:
    """Tests that are run on neither backend."""
    return dict(_here(NOT_RUN))
