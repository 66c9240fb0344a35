"""What a library does over an ideal link it does over a bad one too: TCP repairs it in its time."""

from __future__ import annotations

import inspect

import pytest

from tests.libraries.stories import parameters, stories
from tests.libraries.ways import Simulated

# A datagram that is lost is lost, and these send each only once.
_DATAGRAMS = {
    "test_dns.test_a_long_answer_comes_over_tcp",
    "test_socketserver.test_udp",
    "test_socketserver.test_udp_with_threads",
}
# Those that run on the real system too, where nothing takes an exact time.
STORIES = {
    name: story
    for name, story in stories().items()
    if "place" in inspect.signature(story).parameters and name not in _DATAGRAMS
}


@pytest.mark.parametrize("name", parameters(STORIES))
def test_a_bad_link_is_only_slower(name: str, simulated: Simulated) -> None:
    """Packets are late, lost, doubled and in the wrong order; the outcome is the same."""
    simulated.slow(latency=0.01, jitter=0.005, loss=0.02, duplicate=0.02, reorder=0.05)
    STORIES[name](simulated)
