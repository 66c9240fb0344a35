"""What strategies are asked for: bounds that make no sense are told at once.

Hypothesis itself would tell at the first draw, and speak of its own strategies.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from typing import TypeVar

from simnet.scenario.places import nearest, one_of

T = TypeVar("T")


def check_range(name: str, low: float, high: float, least: float, most: float) -> None:
    """ValueError unless least <= low <= high <= most; `name` is as in `min_hosts`, without `min_`.

    An open end is an infinite one.
    """
    if not low <= high:
        raise ValueError(f"min_{name}={low!r} is above max_{name}={high!r}")
    check_between(f"min_{name}", low, least, most)
    check_between(f"max_{name}", high, least, most)


def check_between(name: str, value: float, least: float, most: float) -> None:
    """ValueError unless least <= value <= most."""
    if not least <= value <= most:
        end = f"up to {most:g}" if most != float("inf") else "on"
        raise ValueError(f"{name} is from {least:g} {end}, not {value!r}")


def chosen(what: str, asked: Iterable[str], known: Collection[str]) -> tuple[str, ...]:
    """What was asked for, in the order of what is known; ValueError for an unknown word."""
    words = (asked,) if isinstance(asked, str) else tuple(asked)
    for word in words:
        if word not in known:
            raise ValueError(
                f"{what}: expected {one_of(known)}, not {word!r}{nearest(word, known)}"
            )
    return tuple(word for word in known if word in words)


def without_repeats(what: str, items: Iterable[T]) -> Sequence[T]:
    """The items; ValueError if one comes twice."""
    listed = tuple(items)
    for item in listed:
        if listed.count(item) > 1:
            raise ValueError(f"{what}: {item!r} is there twice")
    return listed
