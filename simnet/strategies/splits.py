"""Payloads in pieces: what a stream makes of messages.

A stream has no boundaries, so that what is sent in one piece may arrive in any, and the cuts that
break a parser are those in its delimiters, its lengths and its headers.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator

from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from simnet.strategies.bounds import check_between

Delimiters = bytes | Collection[bytes]


@st.composite
def _split(
    draw: st.DrawFn,
    payloads: SearchStrategy[bytes],
    near: tuple[bytes, ...],
    max_pieces: int,
) -> list[bytes]:
    payload = draw(payloads)
    if len(payload) < 2 or max_pieces == 1:
        return [payload]
    anywhere = st.integers(1, len(payload) - 1)
    rather = sorted(set(_places(payload, near)))
    place = st.one_of(st.sampled_from(rather), anywhere) if rather else anywhere
    most = min(max_pieces, len(payload)) - 1
    cuts = sorted(draw(st.lists(place, max_size=most, unique=True)))
    return [payload[start:end] for start, end in zip([0, *cuts], [*cuts, None], strict=True)]


def _places(payload: bytes, near: tuple[bytes, ...]) -> Iterator[int]:
    """Where to cut: before each delimiter, in it, and after it."""
    for delimiter in near:
        start = payload.find(delimiter)
        while start != -1:
            for place in range(start, start + len(delimiter) + 1):
                if 0 < place < len(payload):
                    yield place
            start = payload.find(delimiter, start + 1)


def splits(
    payload: bytes | SearchStrategy[bytes], near: Delimiters = (), *, max_pieces: int = 20
) -> SearchStrategy[list[bytes]]:
    r"""A payload in pieces, none of them empty, which join to it.

    `payload`: bytes, or a strategy for them. `near`: delimiters, before, in and after which half
    of the cuts are made; the others fall anywhere. Shrinks toward one piece, and toward cuts near
    a delimiter. An empty payload is one empty piece. ValueError if no piece is allowed, or for an
    empty delimiter.

    >>> simnet.strategies.splits(b"one\r\ntwo\r\n", near=b"\r\n").example()
    [b'one\r', b'\ntwo\r\n']
    """
    check_between("max_pieces", max_pieces, 1, float("inf"))
    delimiters = (near,) if isinstance(near, bytes) else tuple(near)
    if not all(delimiters):
        raise ValueError("near: a delimiter is not empty")
    payloads = st.just(payload) if isinstance(payload, bytes) else payload
    return _split(payloads, delimiters, max_pieces)
