"""The short cut of an ideal path gives what the segments give: outcomes, readiness, every byte."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from simnet import World
from tests.properties.profiles import examples
from tests.properties.tcp_programs import PROGRAMS, Steps
from tests.properties.tcp_run import Ways, difference, run

WAYS = st.sampled_from([Ways(), Ways(apart=True), Ways(apart=True, mtu=576)])


@given(steps=PROGRAMS, ways=WAYS)
@examples(400)
def test_the_short_cut_gives_what_the_segments_give(steps: Steps, ways: Ways) -> None:
    """After each step of a program: its outcome, the poll bits, the time, and the connections."""
    short = run(World(), ways, steps)
    segments = run(World(shortcut=False), ways, steps)
    found = difference(short, segments, ("short cut", "segments"))
    assert found is None, f"\n{found}"


@given(steps=PROGRAMS, ways=WAYS)
@examples(100)
def test_a_world_that_records_gives_what_one_gives_that_does_not(steps: Steps, ways: Ways) -> None:
    """To record every segment changes no outcome."""
    recorded = run(World(record=True), ways, steps)
    plain = run(World(), ways, steps)
    found = difference(recorded, plain, ("recorded", "not recorded"))
    assert found is None, f"\n{found}"
