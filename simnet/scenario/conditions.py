"""What can be said of a link and of a kernel, and the ranges of numbers everywhere in a scenario.

The words are those of `World.link` and `World.limit`; what they do is the world's business.
"""

from __future__ import annotations

from collections.abc import Callable

import attrs

from simnet.scenario import expressions
from simnet.scenario.expressions import CannotEvaluate, evaluate
from simnet.scenario.places import Mistake, Place

# No story takes longer than four months.
LONGEST_S = 10_000_000


@attrs.frozen
class Quantity:
    """A number with a meaning: what to call it, and which values it may have."""

    words: str
    fits: Callable[[float], bool]
    whole: bool = False
    # The lowest and the highest, of whole numbers that have both.
    ends: tuple[int, int] | None = None

    def read(self, text: str, where: Place, exact: bool) -> float | Mistake:
        """The number that a text stands for; it may be computed, as in `8 * 100 * KiB`."""
        wrong = Mistake(where, f"expected {self.words}, found '{text}'")
        parsed = expressions.parse(text, where, exact)
        if isinstance(parsed, Mistake) or list(expressions.check(parsed, {})):
            return wrong
        try:
            value = evaluate(parsed, {})
        except CannotEvaluate:
            return wrong
        kinds = int if self.whole else int | float
        if not isinstance(value, kinds) or isinstance(value, bool) or not self.fits(value):
            return wrong
        return value


SECONDS = Quantity(
    f"a number of seconds from 0 to {LONGEST_S}", lambda value: 0 <= value <= LONGEST_S
)
POSITIVE_SECONDS = Quantity(
    f"a number of seconds above 0, up to {LONGEST_S}", lambda value: 0 < value <= LONGEST_S
)
OFFSET = Quantity(
    f"a number of seconds from -{LONGEST_S} to {LONGEST_S}", lambda value: abs(value) <= LONGEST_S
)
DRIFT = Quantity("seconds per second, above -1 and up to 1", lambda value: -1 < value <= 1)
COUNT = Quantity("a whole number from 1 on", lambda value: value >= 1, whole=True)
_PROBABILITY = Quantity("a probability from 0 to 1", lambda value: 0 <= value <= 1)

CONDITIONS: dict[str, Quantity] = {
    "latency": SECONDS,
    "jitter": SECONDS,
    "bandwidth": Quantity("bits per second, above 0", lambda value: 0 < value < float("inf")),
    "queue": attrs.evolve(COUNT, words="a whole number of packets from 1 on"),
    "loss": _PROBABILITY,
    "duplicate": _PROBABILITY,
    "reorder": _PROBABILITY,
    "corrupt": _PROBABILITY,
    "mtu": Quantity(
        "a whole number of bytes from 576 to 65536", lambda value: 576 <= value <= 65536, whole=True
    ),
}


def _whole(low: int, high: int) -> Quantity:
    words = f"a whole number from {low} to {high}"
    return Quantity(words, lambda value: low <= value <= high, whole=True, ends=(low, high))


# Settings of a host's kernel, by the names of sysctls, and what those take (tried on Linux 6.18).
LIMITS: dict[str, Quantity] = {
    "tcp_syn_retries": _whole(1, 127),
    "tcp_syn_linear_timeouts": _whole(0, 127),
    "tcp_synack_retries": _whole(0, 255),
    "tcp_syncookies": _whole(0, 1),
    "tcp_retries2": _whole(0, 255),
    "tcp_orphan_retries": _whole(0, 255),
    "tcp_fin_timeout": _whole(1, 32767),
    "tcp_keepalive_time": _whole(1, 32767),
    "tcp_keepalive_intvl": _whole(1, 32767),
    "tcp_keepalive_probes": _whole(1, 255),
    "somaxconn": _whole(0, 65535),
    "default_ttl": _whole(1, 255),
}
