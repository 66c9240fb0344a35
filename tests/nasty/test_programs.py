"""Programs that do everything right work in the nastiest world, and a world is still its seed's."""

from __future__ import annotations

import logging

import pytest

from simnet.nastiness import FAMILIES
from simnet.world import World
from tests.nasty.programs import PROGRAMS, run

EACH_PROGRAM = pytest.mark.parametrize("program", PROGRAMS)
# asyncio does not close a loop that it could not make.
pytestmark = [
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]


@pytest.fixture(autouse=True)
def quiet(caplog: pytest.LogCaptureFixture) -> None:
    """What event loops say of what ran out is of no interest."""
    caplog.set_level(logging.CRITICAL + 1)


def struck(world: World) -> set[str]:
    """The families that have."""
    return {str(record[3]) for record in world.trace.records() if record[1] == "nasty"}


@EACH_PROGRAM
def test_no_byte_is_lost_where_everything_is_nasty(program: str) -> None:
    """Short counts, EAGAIN, late connections, shortages: loops and second tries get over it."""
    seen: set[str] = set()
    for seed in range(6):
        seen |= struck(run(program, seed=seed, nasty=True, record=True))
    assert len(seen) > 1


@pytest.mark.parametrize("family", FAMILIES)
def test_each_family_strikes_by_itself(family: str) -> None:
    """In the programs that it concerns, within a few seeds; and no other one does."""
    seen: set[str] = set()
    seeds = iter(range(40))
    while not seen:
        seed = next(seeds)
        for name in ("streams", "datagrams", "pipes"):
            seen |= struck(run(name, seed=seed, nasty=family, record=True))
    assert seen == {family}


@EACH_PROGRAM
def test_nothing_strikes_where_nobody_asked_for_it(program: str) -> None:
    """Whatever the seed."""
    assert not struck(run(program, seed=3, record=True))


@EACH_PROGRAM
def test_a_nasty_world_is_a_function_of_its_seed(program: str) -> None:
    """Twice the same, and another seed is another story."""
    first, again, other = (run(program, seed=seed, nasty=True).trace.digest() for seed in (1, 1, 2))
    assert first == again != other


@EACH_PROGRAM
@pytest.mark.parametrize("shortcut", [True, False])
def test_a_nasty_world_in_which_nothing_is_chosen_is_a_kind_one(
    program: str, shortcut: bool
) -> None:
    """So failures shrink to worlds without nastiness. Packets are its own (the family segments)."""
    kind = run(program, decisions={}, shortcut=shortcut)
    chosen = True if not shortcut else set(FAMILIES) - {"segments"}
    nasty = run(program, decisions={}, shortcut=shortcut, nasty=chosen)
    assert nasty.trace.digest() == kind.trace.digest()
