"""The sequence diagram as text and as Mermaid."""

from __future__ import annotations

import re

import pytest

from simnet import World
from simnet.views import diagram
from simnet.views.story import read
from tests.views.stories import chat_on_one_host, lossy_world, lost_syn

LOST_SYN = """\
              server                                      client
              10.0.0.1                                    10.0.0.2
    0.000000  |                                           |* socket IPv4 stream #1
    0.000000  |X------ SYN seq=0 win=65535 mss=1460 ------|  lost at client->server: first_syn
    1.000000  |<-- SYN seq=0 win=65535 mss=1460 (again) --|  +0.010000
    1.010000  |----------- RST|ACK seq=0 ack=1 ---------->|  +0.010000
    1.020000  |                                           |* connect ECONNREFUSED #1
    1.020000  |                                           |* close #1"""

LOST_SYN_IN_MERMAID = """\
sequenceDiagram
    participant h0 as server (10.0.0.1)
    participant h1 as client (10.0.0.2)
    h1-xh0: 0.000000s SYN seq=0 win=65535 mss=1460 [lost at client-#62;server: first_syn]
    h1-->>h0: 1.000000s SYN seq=0 win=65535 mss=1460 (again)
    h0->>h1: 1.010000s RST|ACK seq=0 ack=1"""


def test_a_short_story_as_text() -> None:
    """Lanes, arrows, times, a loss, a repetition, calls."""
    assert diagram.text(lost_syn(), calls=True) == LOST_SYN


def test_the_calls_are_left_out_unless_asked_for() -> None:
    """Then each line is a packet."""
    world = lost_syn()
    assert diagram.text(world).splitlines() == [
        line for line in LOST_SYN.splitlines() if "*" not in line
    ]


def test_a_short_story_in_mermaid() -> None:
    """What Mermaid would take for its own is written as its entity codes."""
    assert diagram.mermaid(lost_syn()) == LOST_SYN_IN_MERMAID


def test_a_host_that_talks_to_itself_has_two_lanes() -> None:
    """So that arrows lead somewhere."""
    lines = diagram.text(chat_on_one_host()).splitlines()
    assert lines[0].split() == ["localhost", "localhost"]
    assert lines[2].endswith("- SYN seq=0 win=65535 mss=65495 ------->|")
    assert lines[-1].endswith("|<------------ ICMP ECONNREFUSED --------------|")


@pytest.mark.parametrize("width", [40, 70, 200])
def test_every_packet_has_a_line_within_the_width(width: int) -> None:
    """Labels are cut where there is no room."""
    world = lossy_world()
    lines = diagram.text(world, width=width).splitlines()[2:]
    assert len(lines) == len(read(world.trace).passages)
    assert all(line.index("|") == 14 for line in lines)
    assert max(line.rindex("|") for line in lines) <= 14 + width
    assert len(diagram.mermaid(world).splitlines()) == 3 + len(lines)


def test_arrows_cross_the_lanes_between() -> None:
    """Between hosts that are not neighbours; to nobody they end beside their lane."""
    world = World(record=True)
    for name in ("a", "b", "c"):
        world.host(name)
    with world.hosts["c"].socket(2, 2) as sock:
        sock.sendto(b"x", ("a", 9))
        sock.sendto(b"x", ("b", 9))
    world.unknown = "silence"
    with world.hosts["a"].socket(2, 2) as sock:
        sock.sendto(b"x", ("192.0.2.7", 9))
    first, _, second, _, third = diagram.text(world).splitlines()[2:]
    assert re.fullmatch(r" +0.000000  \|<-+ UDP \d+ > 9 len=1 -+\|", first)
    assert re.fullmatch(r" +0.000000  \| +\|<-+ UDP \d+ > 9 len=1 -+\|", second)
    assert re.fullmatch(r" +0.000000  \|-X UDP \d+ > 9 len=1 +\| +\|  lost at a->: no host", third)


def test_what_is_on_its_way_at_the_end_is_not_lost() -> None:
    """It has no X, but a word."""
    world = World(record=True)
    world.host("a", ip="10.0.0.1")
    world.host("b", ip="10.0.0.2")
    world.link("a", "b", latency=1)
    with world.hosts["a"].socket(2, 2) as sock:
        sock.sendto(b"x", ("b", 9))
    line = diagram.text(world).splitlines()[-1]
    assert line.endswith(">|  on its way")
    assert "X" not in line
    assert "h0->>h1:" in diagram.mermaid(world)


@pytest.mark.parametrize("view", [diagram.text, diagram.mermaid])
def test_an_empty_world_has_an_empty_diagram(view: object) -> None:
    """And one that does not record has none."""
    assert len(view(World(record=True)).split()) <= 1  # type: ignore[operator]
    with pytest.raises(ValueError, match="record=True"):
        view(World())  # type: ignore[operator]
