"""The explained survivors, from survivors.yaml."""

from __future__ import annotations

from pathlib import Path

import attrs
import yaml

FILE = Path(__file__).with_name("survivors.yaml")


@attrs.frozen
class Explained:
    """A mutant that no test can notice, and why."""

    path: str
    function: str
    before: str
    after: str
    reason: str
    nth: int = 1

    @property
    def identity(self) -> tuple[str, str, str, str, int]:
        """As `operators.Mutant.identity`."""
        return self.path, self.function, self.before, self.after, self.nth


def load_explained() -> list[Explained]:
    """The entries of the file."""
    return [Explained(**entry) for entry in yaml.safe_load(FILE.read_text()) or []]
