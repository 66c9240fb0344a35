"""Where choices come from: named streams of pseudo-random numbers derived from one seed.

Each consumer draws from the stream of its own name, so that adding one changes no other. Only
`random.Random.getrandbits` is used: its output is the same on every supported Python version.
"""

from __future__ import annotations

import random


class Stream:
    """The choices of one consumer."""

    def __init__(self, seed: object, name: str) -> None:
        # Seeding with a string goes through SHA-512, which no hash seed can change.
        self._bits = random.Random(f"{seed}/{name}").getrandbits

    def below(self, count: int) -> int:
        """An integer in range(count); 0 is the plainest choice."""
        width = count.bit_length()
        value = self._bits(width)
        while value >= count:
            value = self._bits(width)
        return value

    def chance(self, probability: float) -> bool:
        """Whether something of that probability happens; 0 bits mean that it does not."""
        return self._bits(32) >= round((1 - probability) * 2**32)

    def bits(self, width: int) -> int:
        """An integer of that many random bits."""
        return self._bits(width)


class Decisions:
    """The streams of one world, by name."""

    def __init__(self, seed: object) -> None:
        self.seed = seed
        self._streams: dict[str, Stream] = {}

    def stream(self, name: str) -> Stream:
        """The stream of that name; the same object each time."""
        if name not in self._streams:
            self._streams[name] = Stream(self.seed, name)
        return self._streams[name]
