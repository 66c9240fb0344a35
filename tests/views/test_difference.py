"""Where two runs part."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

import simnet
from simnet import World
from simnet.trace import BLOCK, Trace
from tests.properties.profiles import examples
from tests.views.stories import lossy_world, lost_syn


def trace(count: int, recording: bool, changed: int | None = None, last: int = 0) -> Trace:
    """So many records, some time apart; one may be another."""
    made = Trace(recording)
    for number in range(count):
        if number and number % 10 == 0:
            made.time_moved(number * 1000)
        made.append(("event", number + (number == changed)))
        if number % 500 == 0:
            made.fold()
    if last:
        made.time_moved(last)
    return made


@pytest.mark.parametrize("recording", [True, False])
@given(
    count=st.integers(1, 3 * BLOCK),
    changed=st.integers(0, 3 * BLOCK),
    more=st.integers(0, 2 * BLOCK),
)
@examples(40)
def test_the_first_difference_is_found(
    recording: bool, count: int, changed: int, more: int
) -> None:
    """Wherever it is, if both runs keep it; otherwise it is said that it is not known."""
    changed %= count
    one, other = trace(count, recording), trace(count + more, recording, changed)
    found = simnet.diff(one, other, before=3)
    assert found is not None
    kept = max(one.window()[0], other.window()[0])
    # Every tenth record has one of time before it.
    place = changed + changed // 10
    if place < kept:
        assert not recording
        assert found.unknown == kept
    else:
        assert (found.place, found.unknown) == (place, 0)
        now_ns = changed // 10 * 10_000
        assert found.one == (now_ns, "event", changed)
        assert found.other == (now_ns, "event", changed + 1)
        assert found.before == tuple(
            (each // 10 * 10_000, "event", each)
            for each in range(changed - 3, changed)
            if each >= 0 and each + each // 10 >= kept
        )


@pytest.mark.parametrize("recording", [True, False])
@pytest.mark.parametrize("count", [0, 1, BLOCK, 4 * BLOCK])
def test_equal_runs_do_not_part(recording: bool, count: int) -> None:
    """Then there is nothing to say."""
    assert simnet.diff(trace(count, recording), trace(count, recording)) is None


def test_a_run_that_goes_on_parts_where_the_other_ends() -> None:
    """One of the two events is then the end."""
    found = simnet.diff(trace(5, True), trace(7, True))
    assert found is not None
    assert (found.place, found.one, found.other) == (5, None, (0, "event", 5))
    assert "one:   the end" in str(found)


def test_time_that_goes_on_is_a_difference() -> None:
    """Although nothing happens in it."""
    found = simnet.diff(trace(5, True), trace(5, True, last=2_000_000_000))
    assert found is not None
    assert str(found).endswith("one:   the end\n  other: 2.000000s nothing more")


def test_a_run_much_longer_than_the_other_cannot_be_compared() -> None:
    """What it did when the other ended is not kept."""
    found = simnet.diff(trace(10, False), trace(5 * BLOCK, False))
    assert found is not None
    assert found.unknown
    assert "make the worlds with record=True" in str(found)


def test_two_seeds_part_where_a_packet_is_lost() -> None:
    """What led to it comes first, and the two events last."""
    one, other = lossy_world(seed=3), lossy_world(seed=4)
    found = simnet.diff(one, other)
    assert found is not None
    text = str(found)
    assert text.startswith(f"the runs part after {found.place} records that are the same")
    assert re.search(r"\n  one:   0\.\d+s ", text)
    assert simnet.diff(one.trace, lossy_world(seed=3).trace) is None


def test_what_differs_in_two_packets_is_named() -> None:
    """By the names of their fields, and from which byte on."""

    def world(text: bytes) -> World:
        made = World(record=True)
        made.host("b", ip="10.0.0.1")
        with made.host("a", ip="10.0.0.2").socket(2, 2) as sock:
            sock.sendto(text, ("b", 9))
        return made

    found = simnet.diff(world(b"x" * 50 + b"1" + b"z" * 50), world(b"x" * 50 + b"2" + b"z" * 50))
    assert str(found).endswith("which differ in payload (from byte 50 on)")
    assert "(101 bytes)" in str(found)


def test_the_time_of_the_next_event_may_be_the_difference() -> None:
    """Then it is named too."""
    slow, quick = World(record=True), World(record=True)
    for world, seconds in ((slow, 2), (quick, 1)):
        with world.host("a").socket():
            world.hosts["a"].sleep(seconds)
    found = simnet.diff(slow, quick)
    assert str(found).endswith("which differ in time")


def test_only_runs_can_be_compared() -> None:
    """And only alike ones."""
    with pytest.raises(TypeError, match="a World or a Trace, not 'x'"):
        simnet.diff("x", World())  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="make both alike"):
        simnet.diff(lost_syn(), World())
