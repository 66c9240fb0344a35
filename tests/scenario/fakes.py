"""Backends that are wrong in one way each, for the tests of what is reported."""

from __future__ import annotations

import realnet


class Liar(realnet.Network):
    """Says something else than the other backends when asked for the address of a host."""

    def gethostbyname(self, hostname: str, /) -> str:
        return "a lie"

    def trace_tail(self) -> list[str]:
        """The last lines of its own trace."""
        return ["the liar lied"]


def broken() -> realnet.Network:
    """Does not start."""
    raise RuntimeError("no network today")
