"""Payloads in pieces."""

from __future__ import annotations

import pytest
from hypothesis import given, seed, settings
from hypothesis import strategies as st

from simnet import strategies as net
from tests.strategies.plainest import plainest

REQUEST = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"


@given(st.data(), st.binary(max_size=100), st.integers(1, 10))
def test_the_pieces_join_to_the_payload(data: st.DataObject, payload: bytes, most: int) -> None:
    """None is empty, and there are no more than asked for."""
    pieces = data.draw(net.splits(payload, near=payload[:2] or (), max_pieces=most))
    assert b"".join(pieces) == payload
    assert all(pieces) or pieces == [b""]
    assert len(pieces) <= most


def test_they_shrink_toward_one_piece() -> None:
    """Also of a payload that is drawn."""
    assert plainest(net.splits(REQUEST)) == [REQUEST]
    assert len(plainest(net.splits(net.lines(min_lines=1)))) == 1


def test_payload_and_cuts_shrink_together() -> None:
    """What breaks a parser is the split, and nothing else is left."""
    pieces = net.splits(net.lines(), near=b"\r\n")
    found = plainest(pieces, lambda pieces: any(piece[-1:] == b"\r" for piece in pieces[:-1]))
    assert found == [b"\r", b"\n"]


def test_every_byte_may_stand_alone() -> None:
    """In a short payload."""
    assert plainest(net.splits(b"abcd"), lambda pieces: len(pieces) == 4)


def test_cuts_are_rather_near_delimiters() -> None:
    """In a long payload, many examples have one that would otherwise be in few."""
    payload = b"x" * 5000 + b"\r\n" + b"y" * 5000
    near: list[bool] = []
    apart: list[bool] = []

    @seed(0)
    @settings(database=None, deadline=None)
    @given(net.splits(payload, near=b"\r\n"), net.splits(payload))
    def collect(rather: list[bytes], anywhere: list[bytes]) -> None:
        for found, pieces in ((near, rather), (apart, anywhere)):
            found.append(any(piece[-1:] == b"\r" for piece in pieces))

    collect()
    assert sum(near) > len(near) / 5
    assert sum(near) > 4 * sum(apart)


def test_cuts_shrink_toward_the_first_delimiter() -> None:
    """Where it does not matter which."""
    found = plainest(net.splits(REQUEST, near=[b"\r\n", b":"]), lambda pieces: len(pieces) == 2)
    assert found == [b"GET / HTTP/1.1", b"\r\nHost: a\r\n\r\n"]


def test_impossible_bounds_are_told_at_once() -> None:
    """Before anything is drawn."""
    with pytest.raises(ValueError, match="max_pieces is from 1 on, not 0"):
        net.splits(b"", max_pieces=0)
    with pytest.raises(ValueError, match="near: a delimiter is not empty"):
        net.splits(b"", near=[b"a", b""])
