"""Pages that need nothing else, put together from parts that lie in a package's directory `page/`.

Where a part says @@name@@, another one goes.
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib.resources import files


def part(package: str, name: str) -> str:
    """A part, as it lies there."""
    return (files(package) / "page" / name).read_text(encoding="utf-8")


def filled(template: str, parts: Mapping[str, str]) -> str:
    """A part with the others in their places."""
    pieces = template.split("@@")
    return "".join(parts[piece] if index % 2 else piece for index, piece in enumerate(pieces))
