"""Randomness that is the world's."""

from __future__ import annotations

import os
import random
import secrets
import tempfile
import uuid
from os import urandom as early_urandom
from typing import Any

import pytest

from simnet.world import World
from tests.patching.modules import Load


def draw(seed: int) -> list[Any]:
    """One of everything."""
    with World(seed) as world, world.patch(entropy=True):
        return [
            random.random(),
            random.Random().random(),
            random.SystemRandom().random(),
            uuid.uuid4(),
            uuid.uuid1(),
            uuid.uuid1(),
            secrets.token_hex(8),
            os.urandom(5),
            early_urandom(5),
            os.urandom(0),
        ]


def test_the_seed_decides_and_matters() -> None:
    """The same seed gives the same, another one others."""
    assert draw(1) == draw(1)
    assert not {str(x) for x in draw(1)[:-1]} & {str(x) for x in draw(2)[:-1]}


def test_it_is_given_back() -> None:
    """The global generator goes on where it was; uuids rise as before."""
    random.seed(42)
    expected = [random.random(), random.random()]
    random.seed(42)
    seen = [random.random()]
    real = os.urandom
    before = uuid.uuid1()
    draw(1)
    seen.append(random.random())
    assert seen == expected
    assert os.urandom is early_urandom is real
    assert uuid.uuid1().time > before.time
    assert random.Random().random() != random.Random().random()


def test_without_being_asked_for_it_is_left_alone() -> None:
    """Two worlds of a seed draw differently."""
    drawn = []
    for _ in range(2):
        with World(1) as world, world.patch():
            drawn.append(os.urandom(16))
    assert drawn[0] != drawn[1]


def test_bad_arguments_are_the_real_functions_errors() -> None:
    """Text instead of a number; a negative one."""
    with World() as world, world.patch(entropy=True):
        with pytest.raises(TypeError):
            os.urandom("x")  # type: ignore[arg-type]
        with pytest.raises(ValueError, match="negative"):
            os.urandom(-1)


def test_patches_with_it_nest() -> None:
    """The inner world's entropy is used inside; the outer one's goes on afterwards."""

    def run(nested: bool) -> list[float]:
        with World(1) as world, world.patch(entropy=True):
            drawn = [random.random()]
            if nested:
                with World(2) as other, other.patch(entropy=True):
                    random.random()
            return [*drawn, random.random(), random.Random().random()]

    assert run(True) == run(False)


def test_names_of_temporary_files_are_the_worlds() -> None:
    """tempfile has a generator of its own, seeded when it is made."""
    with World(3) as world, world.patch(entropy=True):
        names = tempfile._RandomNameSequence()  # type: ignore[attr-defined]
        first = next(names)
    with World(3) as world, world.patch(entropy=True):
        assert next(tempfile._RandomNameSequence()) == first  # type: ignore[attr-defined]


def test_generators_of_modules_are_the_worlds_too(load: Load) -> None:
    """Also one that is the default of an argument; afterwards each goes on where it was."""
    module = load(
        "import random\n"
        "own = random.Random(5)\n"
        "system = random.SystemRandom()\n"
        "class Writer:\n"
        "    def mask(self, generator=random.Random(6)): return generator.getrandbits(32)\n"
    )

    def draw(seed: int) -> list[int]:
        with World(seed) as world, world.patch(entropy=True):
            drawn = [module.own, module.system]
            return [module.Writer().mask(), *(each.getrandbits(32) for each in drawn)]

    assert draw(1) == draw(1)
    assert not set(draw(1)) & set(draw(2))
    assert module.own.random() == random.Random(5).random()
    assert module.Writer().mask() == random.Random(6).getrandbits(32)
