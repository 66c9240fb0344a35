"""The cost of queued data, against the allocation that the closed forms stand for."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simnet.protocols import unix_memory
from simnet.protocols.unix_memory import PLAIN, PLAIN_COST, message_cost, piece_cost, piece_size

SIZES = st.integers(0, 300_000)


def allocated(size: int) -> int:
    """The cost of a head, found by trying the allocator's sizes one after the other."""
    needed = 320 + size + -size % 64
    block = 512
    while block < needed:
        block *= 2
    return 256 + block


@given(SIZES)
def test_a_message_is_a_head_and_pages(size: int) -> None:
    """Beyond 16064 bytes as many whole pages as it takes bring the head below that."""
    paged = 0
    while size - paged > 16064:
        paged += 4096
    assert message_cost(size) == allocated(max(0, size - paged)) + paged


@given(st.integers(1, unix_memory.STREAM_PIECE))
def test_a_piece_is_a_head_and_pages(size: int) -> None:
    """Beyond 3776 bytes the same, and what is in pages costs whole pages."""
    paged = 0
    while size - min(paged, size) > 3776:
        paged += 4096
    assert piece_cost(size) == allocated(max(0, size - paged)) + paged


def test_small_sizes_cost_the_same_in_every_form() -> None:
    """The table of the short cut agrees with both forms."""
    for size in range(PLAIN + 1):
        assert PLAIN_COST[size] == piece_cost(size) == message_cost(size)


@given(st.integers(1, 1 << 20), st.integers(4608, 1 << 20))
def test_a_write_is_cut_into_pieces_without_a_rest(size: int, sndbuf: int) -> None:
    """The pieces add up, none is empty, all but the last are as large as may be."""
    pieces: list[int] = []
    while sum(pieces) < size:
        pieces.append(piece_size(size - sum(pieces), sndbuf))
    assert sum(pieces) == size
    assert len(set(pieces[:-1])) <= 1
    assert max(pieces) == pieces[0] <= min(sndbuf // 2 - 64, 36544)


@pytest.mark.parametrize("size", [1, PLAIN])
def test_a_plain_write_is_one_piece_for_the_smallest_buffer(size: int) -> None:
    """What the short cut takes would not be cut."""
    assert piece_size(size, 4608) == size
    assert size <= 4608 - 32


@pytest.mark.parametrize(
    ("size", "expected"), [(1, 278), (192, 278), (1000, 93), (4096, 26), (10000, 13), (65536, 4)]
)
def test_how_many_messages_fit_the_default_buffer(size: int, expected: int) -> None:
    """As counted on Linux 6.18."""
    assert -(-212992 // message_cost(size)) == expected
