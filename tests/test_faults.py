"""Faults: an ordered chain of functions, those built in, partitions, and errors in them."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable
from typing import Any

import pytest

from simnet import World
from simnet.faults import Delivery
from simnet.wire import Segment
from tests.journeys import SEGMENTS, Journeys, counts

EACH_KIND = pytest.mark.parametrize("kind", SEGMENTS)


def nothing(packet: Any, link: Any) -> Iterable[Delivery]:
    """A fault that lets nothing through."""
    return []


def tagged(letter: bytes) -> Callable[[Any, Any], list[Delivery]]:
    """A fault that writes a letter at the end of each datagram."""

    def tag(packet: Any, link: Any) -> list[Delivery]:
        return [Delivery(packet._replace(payload=packet.payload + letter))]

    return tag


# Those built in


@EACH_KIND
@pytest.mark.parametrize("fault", ["loss", "corrupt"])
def test_every_kind_of_segment_is_lost(kind: str, fault: str) -> None:
    """None arrives, and the trace says why."""
    net = Journeys(latency=1, **{fault: 1.0})
    net.put(SEGMENTS[kind])
    net.world.run()
    assert (net.arrived(), net.reasons()) == ([], [fault])


@EACH_KIND
def test_every_kind_of_segment_is_doubled(kind: str) -> None:
    """Each arrives twice."""
    net = Journeys(latency=1, duplicate=1)
    net.put(SEGMENTS[kind])
    net.world.run()
    assert len(net.arrived()) == 2


@EACH_KIND
def test_every_kind_of_segment_is_delayed(kind: str) -> None:
    """By up to the latency."""
    net = Journeys(latency=1, reorder=1)
    net.put(SEGMENTS[kind])
    ((when, _),) = net.arrivals()[:1]
    assert 1 < when <= 2


@EACH_KIND
def test_a_partition_hits_every_kind_of_segment(kind: str) -> None:
    """When it is sent, and when it would arrive."""
    net = Journeys(latency=1)
    net.put(SEGMENTS[kind])
    net.world.partition("a", "b")
    net.put(SEGMENTS[kind])
    net.world.run()
    assert (net.arrived(), net.reasons()) == ([], ["partition", "partition"])


def test_what_is_lost_takes_no_capacity_but_what_is_damaged_does() -> None:
    """A damaged packet crosses the link, and its receiver drops it."""
    net = Journeys(bandwidth=8000, corrupt=1)
    net.send(972, 972)
    net.world.run()
    dropped = [now_ns / 1e9 for now_ns, what, *_ in net.world.trace if what == "dropped"]
    assert dropped == [1, 2]


# A user's own


def test_a_fault_is_on_until_it_is_removed() -> None:
    """As a context manager it takes itself off, also when an exception passes."""
    net = Journeys()
    with net.world.fault(nothing) as fault:
        assert fault.in_force
        net.send(b"lost")
    assert not fault.in_force
    net.send(b"one")
    with pytest.raises(KeyError), net.world.fault(nothing):
        raise KeyError
    net.send(b"two")
    fault.remove()
    assert net.order() == [b"one", b"two"]
    assert repr(fault) == "<fault nothing>"


def test_a_fault_of_one_link_leaves_the_others_alone() -> None:
    """Not even the other direction has it."""
    net = Journeys()
    net.link.fault(nothing)
    back = net.world.link_between("b", "a")
    assert not net.link.ideal
    assert counts(net.world)["dropped"] == 0
    net.send(b"x")
    assert net.reasons() == ["nothing"]
    net.world.wire.transmit(net.b, net.datagram(b"y")._replace(destination=("10.0.0.1", 1)))
    net.world.run()
    assert back.in_flight == []
    assert net.reasons() == ["nothing"]


def test_faults_are_asked_in_their_order() -> None:
    """The world's, then the link's, then those of the conditions."""
    net = Journeys(duplicate=1)
    net.link.fault(tagged(b"c"))
    net.world.fault(tagged(b"a"))
    net.world.fault(tagged(b"b"))
    net.send(b"-")
    assert net.order() == [b"-abc", b"-abc"]


def test_a_fault_may_send_several_each_in_its_time() -> None:
    """Delays add up along the chain, and let others overtake."""
    net = Journeys(latency=1)

    def late(packet: Any, link: Any) -> list[Delivery]:
        return [Delivery(packet, 0.5), Delivery(packet), Delivery(packet._replace(payload=b"n"))]

    def later(packet: Any, link: Any) -> list[Delivery]:
        return [Delivery(packet, 0.25)] if packet.payload == b"x" else [Delivery(packet)]

    net.world.fault(late)
    net.world.fault(later)
    net.send(b"x")
    assert net.arrivals() == [(1, b"n"), (1.25, b"x"), (1.75, b"x")]


def test_a_fault_may_watch_the_state_of_a_connection() -> None:
    """The third segment is lost: TCP repeats it."""
    with World() as world:
        server, client = world.host("server"), world.host("client")
        world.link(server, client, latency=0.01)
        numbers = itertools.count(1)

        def third(packet: Segment, link: Any) -> list[Delivery]:
            return [] if next(numbers) == 3 else [Delivery(packet)]

        with world.fault(third), server.create_server(("", 80)) as listener:
            sock = client.create_connection(("server", 80))
            with sock:
                sock.sendall(b"x")
                connection, _ = listener.accept()
                with connection:
                    assert connection.recv(10) == b"x"
        assert next(numbers) > 5


def test_a_fault_may_be_asked_on_arrival() -> None:
    """It may drop, change or double what arrives."""
    net = Journeys(latency=1)
    net.world.fault(tagged(b"!"), on_arrival=True)
    net.world.fault(lambda packet, link: [Delivery(packet)] * 2, on_arrival=True)
    net.send(b"x")
    net.world.at(0.5, net.link.fault, nothing, on_arrival=True)
    net.world.run()
    assert net.reasons()[-2:] == ["nothing", "nothing"]
    assert counts(net.world)["duplicated"] == 1


# Errors


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (None, "the fault wrong gave None, not a list of Delivery"),
        ([b"x"], "the fault wrong gave b'x', not a Delivery"),
        ([(1, 2)], r"the fault wrong gave \(1, 2\), not a Delivery"),
        ([Delivery(SEGMENTS["FIN"], -1)], "the fault wrong delays by -1, not by seconds from 0 on"),
        ([Delivery(SEGMENTS["FIN"], float("nan"))], "the fault wrong delays by nan"),
    ],
)
def test_a_wrong_answer_is_told_to_the_code_outside_all_tasks(answer: Any, message: str) -> None:
    """The packet is lost; whoever sent it does not notice."""
    net = Journeys(latency=1)

    def wrong(packet: Any, link: Any) -> Any:
        return answer

    with net.world.fault(wrong):
        sender = net.a.spawn(net.send, b"x")
        with pytest.raises((TypeError, ValueError), match=message):
            net.world.run()
    sender.result()
    assert (net.arrivals(), net.reasons()) == ([], ["wrong"])


def test_an_exception_in_a_fault_is_raised_outside_all_tasks() -> None:
    """Also when it is asked in no task at all, on arrival; tasks go on."""
    net = Journeys(latency=1)
    net.link.fault(lambda packet, link: 1 // 0, on_arrival=True)  # type: ignore[arg-type]
    sleeper = net.b.spawn(net.b.sleep, 5)
    net.send(b"x")
    with pytest.raises(ZeroDivisionError):
        net.world.run()
    net.world.run()
    assert sleeper.done


def test_a_fault_on_arrival_cannot_delay() -> None:
    """ValueError, outside all tasks; the packet arrives."""
    net = Journeys(latency=1)
    net.link.fault(lambda packet, link: [Delivery(packet, 1)], on_arrival=True)
    net.send(b"x")
    with pytest.raises(ValueError, match="a fault on arrival cannot delay a packet"):
        net.world.run()
    assert net.arrived() == [(1, b"x")]


def test_a_fault_is_a_function() -> None:
    """TypeError at once, before any packet."""
    net = Journeys()
    with pytest.raises(TypeError, match="a fault is a function of a packet and a link, not 5"):
        net.world.fault(5)  # type: ignore[arg-type]


# Partitions


@pytest.fixture
def world() -> World:
    """A world with four hosts."""
    world = World()
    for name in "abcd":
        world.host(name)
    return world


def cut(world: World) -> set[str]:
    """The pairs between which nothing gets through."""
    links = [world.link_between(x, y) for x, y in itertools.permutations(sorted(world.hosts), 2)]
    return {link.source.name + link.target.name for link in links if not link.ideal}


@pytest.mark.parametrize(
    ("groups", "one_way", "pairs"),
    [
        (["a", "b"], False, {"ab", "ba"}),
        (["a", "b"], True, {"ab"}),
        ([["a", "b"], ["c"]], False, {"ac", "ca", "bc", "cb"}),
        ([{"b", "a"}, {"c", "d"}], True, {"ac", "ad", "bc", "bd"}),
        (["a", "b", ["c"]], False, {"ab", "ba", "ac", "ca", "bc", "cb"}),
        (["a"], False, {"ab", "ac", "ad", "ba", "ca", "da"}),
        ([["a", "b"]], True, {"ac", "ad", "bc", "bd"}),
    ],
)
def test_a_partition_cuts_the_links_between_its_groups(
    world: World, groups: list[Any], one_way: bool, pairs: set[str]
) -> None:
    """And concerns no other link; healing ends it."""
    world.partition(*groups, one_way=one_way)
    assert cut(world) == pairs
    world.heal()
    assert cut(world) == set()


def test_a_host_alone_is_cut_off_from_later_hosts_too(world: World) -> None:
    """A partition of one group is against everybody else."""
    with world.partition(world.hosts["a"]):
        world.host("e")
        assert "ae" in cut(world)
    assert cut(world) == set()


def test_partitions_add_up_and_end_singly(world: World) -> None:
    """By their own end, or all at once."""
    first, second = world.partition("a", "b"), world.partition("a", "c")
    with world.partition("a", "b", one_way=True):
        first.remove()
        assert cut(world) == {"ab", "ac", "ca"}
    assert cut(world) == {"ac", "ca"}
    world.heal()
    assert not second.in_force
    assert cut(world) == set()


def test_a_partition_catches_what_is_in_flight() -> None:
    """Unless it ends before that would arrive."""
    net = Journeys(latency=10)
    net.send(b"caught")
    net.world.at(1, net.send, b"passes")
    net.world.at(9, net.world.partition, "a", "b")
    net.world.at(10.5, net.world.heal)
    assert net.order() == [b"passes"]


def test_a_partition_of_one_way_lets_answers_pass() -> None:
    """Only what goes from the first group to the second is lost."""
    net = Journeys(latency=1)
    net.world.partition("b", "a", one_way=True)
    net.send(b"x")
    assert net.order() == [b"x"]


@pytest.mark.parametrize(
    ("groups", "options", "message"),
    [
        ([], {}, "a partition needs a host in each of its groups"),
        (["a", []], {}, "a partition needs a host in each of its groups"),
        (["a", ["b", "a"]], {}, "host 'a' cannot be on two sides of a partition"),
        (["a", "x"], {}, "'x' is no host of this world"),
        (["a", "b", "c"], {"one_way": True}, "a partition of one way has one group, or two"),
    ],
)
def test_impossible_partitions_are_refused(
    world: World, groups: list[Any], options: dict[str, bool], message: str
) -> None:
    """ValueError, and nothing is cut."""
    with pytest.raises(ValueError, match=message):
        world.partition(*groups, **options)
    assert cut(world) == set()


def test_partitions_are_in_the_trace(world: World) -> None:
    """Which host was on which side, and when it healed."""
    world.partition({"c", "b"}, "a", one_way=True)
    world.heal()
    events = [record[1:] for record in world.trace]
    assert events == [("partition", (("b", 0), ("c", 0), ("a", 1)), 1), ("heal",)]
