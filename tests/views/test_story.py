"""What a trace tells: packets with their fates, relative numbers, states, calls."""

from __future__ import annotations

import errno

import pytest

from simnet import World
from simnet.codec import decode, encode
from simnet.views import diagram
from simnet.views.story import Story, label, read
from simnet.wire import Unreachable
from tests.views.stories import chat_on_one_host, lossy_world, lost_syn


def labels(story: Story) -> list[str]:
    """Every packet in words."""
    return [label(passage) for passage in story.passages]


def test_a_world_that_does_not_record_has_nothing_to_tell() -> None:
    """And says what to do."""
    with pytest.raises(ValueError, match=r"make it with World\(record=True\)"):
        read(World().trace)


def test_numbers_are_relative_and_repetitions_are_known() -> None:
    """The first SYN is lost, the second is refused."""
    story = read(lost_syn().trace)
    assert labels(story) == [
        "SYN seq=0 win=65535 mss=1460",
        "SYN seq=0 win=65535 mss=1460 (again)",
        "RST|ACK seq=0 ack=1",
    ]
    first, second, third = story.passages
    assert [(loss.where, loss.reason) for loss in first.lost] == [("client->server", "first_syn")]
    assert not first.arrived
    assert not second.lost
    times = [story.times_ns[instant] for instant in (second.sent, *second.arrived, *third.arrived)]
    assert times == [1_000_000_000, 1_010_000_000, 1_020_000_000]


def test_every_packet_of_a_trace_is_whole() -> None:
    """Its bytes are those of the packet that was sent."""
    for world in (lossy_world(), chat_on_one_host()):
        for passage in read(world.trace).passages:
            assert decode(encode(passage.packet)) == passage.packet._replace(
                **(
                    {
                        "source": (passage.packet.source[0], 0),
                        "destination": (passage.packet.destination[0], 0),
                    }
                    if isinstance(passage.packet, Unreachable)
                    else {}
                )
            )


def test_the_states_of_a_connection_follow_each_other() -> None:
    """Of the listener, of both ends, and of what stands in for one of them at last."""
    story = read(chat_on_one_host().trace)
    order: dict[int, list[str]] = {}
    for change in story.states:
        order.setdefault(change.socket, []).append(change.state)
    listener, opener, accepted = order.values()
    assert listener == ["LISTEN", "CLOSE"]
    assert opener == ["SYN_SENT", "ESTABLISHED", "CLOSE_WAIT", "LAST_ACK", "CLOSE"]
    assert accepted[:2] == ["SYN_RECV", "ESTABLISHED"]
    assert accepted[-2:] == ["CLOSE", "TIME_WAIT"]


def test_a_stand_in_says_when_it_leaves() -> None:
    """TIME_WAIT ends after a minute."""
    world = chat_on_one_host()
    world.run(until=100)
    story = read(world.trace)
    last = story.states[-1]
    assert (last.state, story.times_ns[last.instant]) == ("CLOSE", 60_000_000_000)


def test_calls_are_told_with_their_sockets() -> None:
    """As the program made them; each host's are its own."""
    story = read(lost_syn().trace)
    told = [(each.host, each.text) for each in story.happenings]
    assert told == [
        ("client", "socket IPv4 stream"),
        ("client", "connect ECONNREFUSED"),
        ("client", "close"),
    ]


def test_a_host_that_crashes_is_in_the_story() -> None:
    """And so is its coming back."""
    world = World(record=True)
    world.host("a")
    world.crash("a")
    world.restart("a")
    assert [each.text for each in read(world.trace).happenings] == ["crash", "restart"]


def test_what_befalls_the_network_is_in_the_story() -> None:
    """Of no host, but not forgotten; the diagrams have it in their first lane."""
    world = World(record=True)
    world.host("a")
    world.host("b")
    world.partition("a", "b", one_way=True)
    world.partition("b")
    world.heal()
    told = [(each.host, each.text) for each in read(world.trace).happenings]
    assert told == [
        ("", "partition: a -> b"),
        ("", "partition: b | all others"),
        ("", "heal"),
    ]
    assert "* heal" in diagram.text(world, calls=True)


def test_a_refusal_quotes_what_it_is_about() -> None:
    """Also when it is read from the trace."""
    passages = read(chat_on_one_host().trace).passages
    refused = [each.packet for each in passages if isinstance(each.packet, Unreachable)]
    assert [(each.error, each.about.payload) for each in refused] == [
        (errno.ECONNREFUSED, b"anybody?"),
        (errno.ECONNREFUSED, b"six"),
    ]


def test_duplicates_and_losses_over_a_bad_link_are_counted() -> None:
    """Each copy of a packet arrives or is lost, and only what was lost is needed again."""
    story = read(lossy_world().trace)
    assert all(each.arrived or each.lost for each in story.passages)
    assert any(len(each.arrived) == 2 for each in story.passages)
    assert any(each.remark == "again" for each in story.passages)
    assert not story.passages[0].remark
