"""A meeting of the simulator and the kernel, which neither has anything to say against."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

import realnet
from tests.tun.meeting import Meeting


@pytest.fixture
def meeting() -> Iterator[Meeting]:
    """A meeting; the kernel finds no fault with any packet, and we with none of the kernel's."""
    try:
        made = Meeting()
    except realnet.Unavailable as exc:
        pytest.skip(str(exc))
    with made:
        yield made
        assert made.complaints() == {}
        assert not [text for text in made.refused if "ICMP" not in text and "protocol" not in text]
