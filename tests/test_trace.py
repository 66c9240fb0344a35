"""The trace: its digest depends on the records alone, and a world that records keeps them all."""

from __future__ import annotations

import enum
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simnet import World
from simnet.trace import BLOCK, RECV, SEND, Trace, describe
from tests.determinism.program import Story
from tests.properties.profiles import examples

FIELDS = st.recursive(
    st.none() | st.integers() | st.text(max_size=8) | st.binary(max_size=8),
    lambda parts: st.lists(parts, max_size=3).map(tuple),
    max_leaves=4,
)
RECORDS = st.builds(
    lambda what, details: (what, *details),
    st.sampled_from([SEND, RECV, "connect", "close"]),
    st.lists(FIELDS, max_size=3),
)
STOPS = st.sets(st.integers(0, 3 * BLOCK), max_size=8)


def record(number: int) -> tuple[Any, ...]:
    """One of many different records."""
    return SEND if number % 2 else "connect", number, "text"


def dated(number: int) -> tuple[Any, ...]:
    """The same record with its time: every tenth comes a microsecond later."""
    return number // 10 * 1000, *record(number)


def filled(count: int, recording: bool = False, stops: set[int] | None = None) -> Trace:
    """A trace of so many records, folded after each of the stops."""
    trace = Trace(recording)
    for number in range(count):
        if number and number % 10 == 0:
            trace.time_moved(number // 10 * 1000)
        trace.append(record(number))
        if stops and number in stops:
            trace.fold()
    return trace


@given(count=st.integers(0, 3 * BLOCK), stops=STOPS, digested=st.booleans())
@examples(30)
def test_when_it_folds_makes_no_difference(count: int, stops: set[int], digested: bool) -> None:
    """Blocks and digest are those of a trace that folds at the end only."""
    trace, other = filled(count, stops=stops), filled(count)
    if digested:
        trace.digest()
    for number in range(100):
        trace.append(record(number))
        other.append(record(number))
    assert trace.digest() == other.digest()
    assert trace.records() == other.records()


@pytest.mark.parametrize("count", [0, 1, BLOCK - 1, BLOCK, BLOCK + 1, 3 * BLOCK])
def test_to_ask_for_the_digest_changes_nothing(count: int) -> None:
    """It is the same when asked again."""
    trace = filled(count)
    assert trace.digest() == trace.digest() == filled(count).digest()


@pytest.mark.parametrize("count", [1, BLOCK, BLOCK + 1])
@pytest.mark.parametrize("place", ["first", "last"])
def test_every_record_counts_in_the_digest(count: int, place: str) -> None:
    """One more, one fewer, or another one gives another digest."""
    trace = Trace()
    for number in range(count):
        changed = number == (0 if place == "first" else count - 1)
        trace.append((*record(number), "changed") if changed else record(number))
    others = [filled(count), filled(count - 1), filled(count + 1)]
    assert trace.digest() not in {other.digest() for other in others}


@given(records=st.lists(RECORDS, max_size=20))
@examples(100)
def test_equal_records_give_equal_digests(records: list[tuple[Any, ...]]) -> None:
    """Whether their parts are one object or several makes no difference."""
    one, other = Trace(), Trace()
    shared: dict[Any, Any] = {}
    for each in records:
        one.append(tuple(shared.setdefault((type(field), field), field) for field in each))
        other.append(tuple(copied(field) for field in each))
    assert one.digest() == other.digest()


def copied(field: Any) -> Any:
    """An equal object, not the same one where Python lets there be another."""
    if isinstance(field, tuple):
        return tuple(map(copied, field))
    if isinstance(field, str):
        return "".join(list(field))
    if isinstance(field, bytes):
        return bytes(bytearray(field))
    return int(str(field)) if isinstance(field, int) else field


def test_a_trace_that_records_keeps_everything() -> None:
    """In order, from the first."""
    count = 3 * BLOCK + 10
    assert list(filled(count, recording=True)) == [dated(number) for number in range(count)]


def test_a_trace_that_does_not_record_keeps_the_last() -> None:
    """At least a block of them, and not many more."""
    count = 5 * BLOCK + 10
    kept = filled(count).records()
    assert kept == [dated(number) for number in range(count - len(kept), count)]
    assert BLOCK // 2 <= len(kept) < 2 * BLOCK


def test_recording_alone_does_not_change_the_digest() -> None:
    """What is kept is no part of what happened."""
    assert filled(2 * BLOCK, recording=True).digest() == filled(2 * BLOCK).digest()


def test_the_tail_is_the_last_records_as_lines() -> None:
    """Seconds, what happened, and its details; the last is last."""
    trace = filled(BLOCK + 5)
    trace.time_moved(1_500_000_000)
    trace.append((RECV, 3, "EAGAIN"))
    lines = trace.tail(3)
    assert lines[-1] == "1.500000s recv 3 EAGAIN"
    assert lines[:2] == [describe(dated(number)) for number in (BLOCK + 3, BLOCK + 4)]
    assert len(trace.tail()) == 20


def test_a_word_or_its_number_read_alike() -> None:
    """What happens most often is written as a number, and shown as a word."""
    assert describe((0, SEND, 1, 64)) == "0.000000s send 1 64"
    assert describe((2_000_000_001, "close", 1)) == "2.000000s close 1"


def exact(field: Any) -> bool:
    """Whether a field is one of the types that a record is made of, and not of a subclass."""
    if type(field) is tuple:
        return all(map(exact, field))
    return type(field) in (int, str, bytes, type(None))


@pytest.mark.parametrize("recording", [False, True])
def test_records_are_made_of_plain_values(recording: bool) -> None:
    """Whatever a program does, so that they can be hashed, and alike everywhere."""
    story = Story(seed=0, record=recording)
    story.run()
    records = story.world.trace.records()
    assert [each for each in records if not exact(each)] == []
    assert records


class Number(enum.IntEnum):
    """Numbers that are not plain integers."""

    ONE = 1
    TWO = 2


def test_what_a_program_hands_over_is_recorded_plainly() -> None:
    """An enumeration, or a truth value, as an argument of a call becomes an integer."""
    world = World()
    with world.host("localhost").socket() as sock:
        sock.bind(("127.0.0.1", 0))
        sock.listen(Number.ONE)
        sock.listen(True)
        sock.setsockopt(Number.ONE, Number.TWO, Number.ONE)
        sock.shutdown(Number.TWO)
    assert [each for each in world.trace if not exact(each)] == []
    assert world.trace.digest()
