"""Randomness that is the world's: `random`, `secrets`, `uuid` and `os.urandom`, when asked for.

Generators that modules made earlier, for themselves or as a default argument, are seeded with the
world too. Not modelled: what C libraries draw for themselves (OpenSSL's keys and nonces).
"""

from __future__ import annotations

import os
import random
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from simnet.current import in_foreign_thread, stand_in
from simnet.decisions import Stream
from simnet.patching.places import Place, Places

_urandom = os.urandom
_getrandom = os.getrandom
_uuid1 = uuid.uuid1
# What the host's network interface is called: locally administered (RFC 9562, section 6.10).
_NODE = 0x02_00_00_00_00_00


def _stream() -> Stream:
    host = stand_in()
    assert host is not None
    return host.world.decisions.numbers("entropy")


def urandom(size: int, /) -> bytes:
    """Return a bytes object containing random bytes suitable for cryptographic use."""
    if in_foreign_thread():
        return _urandom(size)
    if not isinstance(size, int) or size < 0:
        return _urandom(size)
    return _stream().bits(8 * size).to_bytes(size, "big") if size else b""


def getrandom(size: int, flags: int = 0) -> bytes:
    """Obtain a series of random bytes."""
    if in_foreign_thread() or not isinstance(size, int) or size < 0:
        return _getrandom(size, flags)
    return urandom(size)


def uuid1(node: int | None = None, clock_seq: int | None = None) -> uuid.UUID:
    """Generate a UUID from a host ID, sequence number, and the current time."""
    if in_foreign_thread():
        return _uuid1(node, clock_seq)
    number = _stream().bits(14) if clock_seq is None else clock_seq
    return _uuid1(_NODE if node is None else node, number)


_REPLACED = ((os.urandom, urandom), (os.getrandom, getrandom), (uuid.uuid1, uuid1))
_places = Places(real for real, _ in _REPLACED)
_generator_places = Places((), random.Random)
_simulated_places = Places(simulated for _, simulated in _REPLACED)
_seed = random.Random.seed
_GLOBAL: random.Random = random._inst


def _seed_from_world(self: random.Random, a: Any = None, version: int = 2) -> None:
    """Initialize internal state from a seed; from the world's entropy if there is none."""
    if a is None and not in_foreign_thread():
        a = _stream().bits(256)
    _seed(self, a, version)


def _generators(ignore: frozenset[str]) -> list[random.Random]:
    """The global one, and those that modules have made for themselves."""
    found = {id(place.held): place.held for place in _generator_places.find(ignore)}
    found[id(_GLOBAL)] = _GLOBAL
    return [each for each in found.values() if not isinstance(each, random.SystemRandom)]


class _Block:
    """A block within which randomness is a world's, and where generators were before."""

    def __init__(self, seed: object, ignore: frozenset[str]) -> None:
        self.states = {id(each): (each, each.getstate()) for each in _generators(ignore)}
        self.stamp = uuid._last_timestamp  # type: ignore[attr-defined]
        for generator, _ in self.states.values():
            generator.seed(f"{seed}/random")
        # It keeps the numbers of uuid1() rising; worlds begin at the same time each.
        uuid._last_timestamp = None  # type: ignore[attr-defined]

    def end(self) -> None:
        """Generators go on where they were, or will when the block ends that began within it."""
        here = _blocks.index(self)
        if here + 1 < len(_blocks):
            following = _blocks[here + 1]
            following.states.update(self.states)
            following.stamp = self.stamp
        else:
            for generator, state in self.states.values():
                generator.setstate(state)
            uuid._last_timestamp = self.stamp  # type: ignore[attr-defined]
        del _blocks[here]


_blocks: list[_Block] = []
_changed: list[Place] = []


def _install(ignore: frozenset[str]) -> None:
    swapped = {id(real): simulated for real, simulated in _REPLACED}
    _changed[:] = _places.find(ignore)
    for place in _changed:
        place.put(swapped[id(place.held)])
    random.Random.seed = _seed_from_world  # type: ignore[method-assign]


def _remove(ignore: frozenset[str]) -> None:
    random.Random.seed = _seed  # type: ignore[method-assign]
    for place in _changed:
        place.put(place.held)
    _changed.clear()
    reals = {id(simulated): real for real, simulated in _REPLACED}
    for place in _simulated_places.find(ignore):
        place.put(reals[id(place.held)])


@contextmanager
def in_force(seed: object, ignore: frozenset[str]) -> Iterator[None]:
    """Within a block, randomness is the world's; afterwards generators go on where they were."""
    if not _blocks:
        _install(ignore)
    block = _Block(seed, ignore)
    _blocks.append(block)
    try:
        yield
    finally:
        block.end()
        if not _blocks:
            _remove(ignore)
