"""Links: when packets arrive, in which order, which are dropped, and what changes on the way."""

from __future__ import annotations

import errno
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simnet.links import IDEAL, Conditions
from simnet.wire import Datagram, Unreachable
from simnet.world import World
from tests.journeys import HEADERS, SEGMENTS, Journeys, counts, in_flight
from tests.properties.profiles import examples

SECONDS = st.sampled_from([0.0, 1e-9, 0.001, 0.5, 3.0])
PROBABILITIES = st.sampled_from([0.0, 0.3, 1.0])
ORDERLY = st.fixed_dictionaries(
    {
        "latency": SECONDS,
        "jitter": SECONDS,
        "bandwidth": st.sampled_from([None, 1, 1000, 1e6, 10**10]),
        "queue": st.sampled_from([0, 1, 5, 1000]),
    }
)
ANY = st.tuples(
    ORDERLY,
    st.fixed_dictionaries(
        dict.fromkeys(("loss", "duplicate", "reorder", "corrupt"), PROBABILITIES)
    ),
).map(lambda parts: {**parts[0], **parts[1]})


# Time


def test_a_packet_takes_the_latency() -> None:
    """Exactly, in one direction; the other is not changed."""
    net = Journeys(latency=0.25)
    net.send(b"x")
    assert net.arrivals() == [(0.25, b"x")]
    assert net.world.link_between("b", "a").conditions == IDEAL


def test_a_link_is_symmetric_unless_told_otherwise() -> None:
    """Both directions get the conditions that are named."""
    world = World()
    world.host("a"), world.host("b")
    world.link("a", "b", latency=1)
    world.link("a", "b", latency=2, loss=0.5, symmetric=False)
    there, back = world.link_between("a", "b"), world.link_between("b", "a")
    assert (there.conditions.latency, there.conditions.loss) == (2, 0.5)
    assert (back.conditions.latency, back.conditions.loss) == (1, 0)


def test_jitter_is_drawn_anew_for_each_packet() -> None:
    """Up to its length, and not always the same."""
    net = Journeys(latency=1, jitter=0.5)
    for second in range(20):
        net.world.at(second * 10, net.send, b"x")
    delays = [when % 10 for when, _ in net.arrivals()]
    assert all(1 <= delay <= 1.5 for delay in delays)
    assert len({round(delay, 9) for delay in delays}) > 10


def test_bandwidth_is_bits_per_second() -> None:
    """One after the other: each takes as long as its bytes with their headers."""
    net = Journeys(bandwidth=8000)
    net.send(100 - HEADERS, 200 - HEADERS, 0)
    assert [when for when, _ in net.arrivals()] == [0.1, 0.3, 0.328]


def test_latency_comes_on_top_of_waiting_for_one_s_turn() -> None:
    """A link that was idle serves at once again."""
    net = Journeys(bandwidth=8000, latency=1)
    net.send(100 - HEADERS, 100 - HEADERS)
    net.world.at(10, net.send, 100 - HEADERS)
    assert [when for when, _ in net.arrivals()] == [1.1, 1.2, 11.1]


@pytest.mark.parametrize(("queue", "kept"), [(0, 1), (1, 2), (3, 4), (9, 5)])
def test_a_full_queue_drops_the_newest(queue: int, kept: int) -> None:
    """One is being sent, and so many wait."""
    net = Journeys(bandwidth=8000, queue=queue)
    net.send(*(bytes([number]) for number in range(5)))
    assert net.order() == [bytes([number]) for number in range(kept)]
    assert net.reasons() == ["queue full"] * (5 - kept)


def test_a_queue_has_room_again_when_a_packet_has_left() -> None:
    """It need not have arrived."""
    net = Journeys(bandwidth=8000, queue=0, latency=100)
    net.send(100 - HEADERS)
    net.world.at(0.05, net.send, 1)
    net.world.at(0.1, net.send, 2)
    assert [len(data) for data in net.order()] == [100 - HEADERS, 2]


# Order


def test_a_later_packet_with_less_jitter_does_not_overtake() -> None:
    """They arrive at the same instant, in order."""
    net = Journeys(jitter=1)
    sent = [bytes([number]) for number in range(50)]
    net.send(*sent)
    assert net.order() == sent


def test_reordering_lets_others_overtake() -> None:
    """A packet that comes later is overtaken by those behind it."""
    net = Journeys(latency=0.1, reorder=0.5)
    sent = [bytes([number]) for number in range(50)]
    net.send(*sent)
    order = net.order()
    assert order != sent
    assert sorted(order) == sent


def test_a_duplicate_arrives_twice_and_is_noted() -> None:
    """The trace counts both."""
    net = Journeys(latency=0.1, duplicate=1)
    net.send(b"x")
    assert net.order() == [b"x", b"x"]
    assert (counts(net.world)["sent"], counts(net.world)["duplicated"]) == (1, 1)


@given(
    seed=st.integers(0, 99),
    conditions=ORDERLY,
    program=st.lists(
        st.one_of(
            st.tuples(st.just("send"), st.integers(0, 3000)),
            st.tuples(st.just("wait"), SECONDS),
            st.tuples(st.just("set"), ORDERLY),
            st.tuples(st.sampled_from(["hold", "release"]), st.none()),
        ),
        max_size=20,
    ),
)
@examples(60)
def test_order_is_kept_without_reordering(
    seed: int, conditions: dict[str, Any], program: list[tuple[str, Any]]
) -> None:
    """For any latency, jitter, bandwidth and queue, also when they change, or packets are held."""
    net = Journeys(seed, **conditions)
    sent = []
    for what, value in program:
        if what == "send":
            sent.append(len(sent).to_bytes(2, "big") + bytes(value))
            net.send(sent[-1])
        elif what == "wait":
            net.a.sleep(value)
        elif what == "set":
            net.link.set(**value)
        else:
            getattr(net.link, what)()
    net.link.release()
    order = net.order()
    assert order == [data for data in sent if data in order]
    assert len(order) + net.reasons().count("queue full") == len(sent)


@given(seed=st.integers(0, 99), conditions=ORDERLY, sizes=st.lists(st.integers(0, 3000)))
@examples(60)
def test_nothing_is_faster_than_its_link(
    seed: int, conditions: dict[str, Any], sizes: list[int]
) -> None:
    """Not before the latency, nor before as much time as the bytes until then take."""
    net = Journeys(seed, **{**conditions, "queue": 1000})
    net.send(*sizes)
    total = 0
    for when, data in net.arrivals():
        total += len(data) + HEADERS
        least = conditions["latency"] + total * 8 / (conditions["bandwidth"] or float("inf"))
        assert when > least - 1e-6


@given(
    seed=st.integers(0, 99),
    conditions=ANY,
    program=st.lists(
        st.one_of(
            st.tuples(st.just("send"), st.integers(0, 3000)),
            st.tuples(st.just("wait"), SECONDS),
            st.tuples(st.just("set"), ANY),
            st.tuples(
                st.sampled_from(["hold", "release", "cut", "heal", "crash", "restart"]), st.none()
            ),
        ),
        max_size=20,
    ),
)
@examples(100)
def test_packets_are_conserved(
    seed: int, conditions: dict[str, Any], program: list[tuple[str, Any]]
) -> None:
    """Sent and doubled ones have arrived, were dropped, or are on their way: at any time."""
    net = Journeys(seed, **conditions)
    world = net.world
    actions: dict[str, Callable[[Any], Any]] = {
        "send": net.send,
        "wait": net.a.sleep,
        "set": lambda changes: net.link.set(**changes),
        "hold": lambda _: net.link.hold(),
        "release": lambda _: net.link.release(),
        "cut": lambda _: world.partition("a"),
        "heal": lambda _: world.heal(),
        "crash": lambda _: world.crash("b"),
        "restart": lambda _: net.b.up or world.restart("b"),
    }
    for what, value in program:
        actions[what](value)
        count = counts(world)
        made = count["sent"] + count["duplicated"]
        assert made == count["arrived"] + count["dropped"] + in_flight(world)
    world.heal()
    net.link.release()
    world.run()
    count = counts(world)
    assert not in_flight(world)
    assert count["sent"] + count["duplicated"] == count["arrived"] + count["dropped"]


@given(seed=st.integers(0, 9), conditions=ANY)
@examples(20)
def test_a_seed_gives_the_same_arrivals_again(seed: int, conditions: dict[str, Any]) -> None:
    """Every decision of a link comes from the seed."""

    def arrivals() -> tuple[list[tuple[float, bytes]], str]:
        net = Journeys(seed, **conditions)
        net.send(*(bytes([number]) for number in range(20)))
        return net.arrivals(), net.world.trace.digest()

    assert arrivals() == arrivals()


def test_another_seed_gives_other_arrivals() -> None:
    """Where something is left to chance."""

    def order(seed: int) -> tuple[bytes, ...]:
        net = Journeys(seed, loss=0.5)
        net.send(*(bytes([number]) for number in range(40)))
        return tuple(net.order())

    assert len({order(seed) for seed in range(5)}) == 5


def test_each_kind_of_chance_has_its_own_stream() -> None:
    """Jitter takes the same draws whether or not a link loses packets."""

    def last(**conditions: Any) -> float:
        net = Journeys(latency=1, jitter=0.5, **conditions)
        for number in range(10):
            net.world.at(number * 10, net.send, b"x")
        return net.arrivals()[-1][0]

    assert last() == last(duplicate=1e-9) == last(corrupt=1e-9)


# What changes while packets fly


def test_a_change_does_not_move_what_is_on_its_way() -> None:
    """It arrives when it was to; later packets are quicker, but do not overtake it."""
    net = Journeys(latency=10)
    net.send(b"slow")
    net.world.at(1, net.link.set, latency=2)
    net.world.at(2, net.send, b"quick")
    net.world.at(20, net.send, b"free")
    assert net.arrivals() == [(10, b"slow"), (10, b"quick"), (22, b"free")]


def test_a_link_that_becomes_ideal_keeps_the_order() -> None:
    """Until what is on its way has arrived."""
    net = Journeys(latency=1)
    net.send(b"first")
    net.link.set(latency=0)
    assert not net.link.ideal
    net.send(b"second")
    assert net.arrivals() == [(1, b"first"), (1, b"second")]
    net.send(b"third")
    assert net.arrived()[-1] == (1, b"third")


def test_an_arrival_that_sends_does_not_hide_an_earlier_one() -> None:
    """The link goes on waiting for the first of what is on its way."""
    net = Journeys(latency=1)
    net.send(b"first")
    net.world.at(0.5, net.send, b"second")

    def slow_answer(packet: Any, link: Any) -> list[Any]:
        if packet.payload == b"first":
            net.link.set(latency=5)
            net.send(b"third")
        return []

    net.world.fault(slow_answer, on_arrival=True)
    net.world.run()
    dropped = [now_ns / 1e9 for now_ns, what, *_ in net.world.trace if what == "dropped"]
    assert dropped == [1, 1.5, 6]


# Holding back


def test_what_is_held_arrives_on_release_in_its_order() -> None:
    """What was on the way, and what was sent meanwhile."""
    net = Journeys(latency=1)
    net.send(b"one")
    net.link.hold()
    net.world.at(0.5, net.send, b"two")
    net.world.run()
    assert net.arrived() == []
    assert [packet.payload for packet in net.link.in_flight] == [b"one", b"two"]
    net.world.at(30, net.link.release)
    assert net.arrivals() == [(30, b"one"), (30, b"two")]


def test_a_release_makes_nothing_faster() -> None:
    """What would not have arrived yet takes its time."""
    net = Journeys(latency=10)
    net.send(b"x")
    net.world.at(1, net.link.hold)
    net.world.at(2, net.link.release)
    assert net.arrivals() == [(10, b"x")]


def test_an_ideal_link_can_be_held() -> None:
    """It is not ideal meanwhile, and is so again."""
    net = Journeys()
    net.link.hold()
    net.link.hold()
    net.send(b"x")
    assert net.arrivals() == []
    net.link.release()
    net.link.release()
    assert net.arrivals() == [(0, b"x")]


def test_hold_and_release_of_groups() -> None:
    """Every pair of the two groups, or one way."""
    world = World()
    for name in "abcd":
        world.host(name)
    world.hold(["a", "b"], ["c"], one_way=True)
    held = {link.name for link in world.wire.links() if not link.ideal}
    assert held == {"a->c", "b->c"}
    world.hold(["a"], "d")
    world.release(["a", "b"], ["c", "d"])
    assert all(link.ideal for link in world.wire.links())


# MTU


@pytest.mark.parametrize("kind", SEGMENTS)
def test_a_segment_that_is_too_big_is_turned_back(kind: str) -> None:
    """With the MTU that is in the way; one that fits goes on."""
    net = Journeys(mtu=1000)
    fitting = SEGMENTS[kind]._replace(payload=b"")
    fitting = fitting._replace(payload=bytes(1000 - fitting.size))
    net.put(fitting, fitting._replace(payload=bytes(len(fitting.payload) + 1)))
    net.world.run()
    assert net.reasons() == ["too big"]
    told = [r for r in net.world.trace if r[1] == "sent" and r[5] == "ICMP"]
    assert [(record[8], record[10]) for record in told] == [("EMSGSIZE", 1000)]
    assert sum(r[1] == "arrived" and r[3] == "b" for r in net.world.trace) == 1


def test_routers_cut_what_may_be_cut() -> None:
    """A datagram without DF crosses whole; one whose pieces are too big does not."""
    net = Journeys(mtu=1000)
    large = net.datagram(5000)
    net.put(large, large._replace(piece=1000), large._replace(piece=1001))
    net.world.run()
    assert (len(net.arrived()), net.reasons()) == (2, ["too big"])


@pytest.mark.parametrize(("payload", "fragments"), [(972, 1), (973, 2), (1948, 2), (1949, 3)])
def test_a_datagram_is_as_many_fragments_as_it_needs(payload: int, fragments: int) -> None:
    """Each has a header of its own; all but the last carry a multiple of 8 bytes, 976 of 980."""
    net = Journeys(mtu=1000)
    assert net.link.fragments(net.datagram(payload)) == fragments


def test_a_datagram_is_lost_when_a_fragment_is() -> None:
    """One draw for each."""
    net = Journeys(mtu=1000, loss=0.5)
    draws: list[str] = []
    chance = net.link.chance

    def counted(name: str, probability: float) -> bool:
        draws.append(name)
        return bool(chance(name, 0))

    net.link.chance = counted  # type: ignore[method-assign]
    net.send(5000)
    assert draws == ["loss"] * 6


# Arguments


@pytest.mark.parametrize(
    ("conditions", "message"),
    [
        ({"latency": -1}, "latency is a number of seconds from 0 on, not -1"),
        ({"latency": float("inf")}, "latency is a number of seconds"),
        ({"latency": float("nan")}, "latency is a number of seconds"),
        ({"latency": "1"}, "latency is a number of seconds from 0 on, not '1'"),
        ({"jitter": None}, "jitter is a number of seconds"),
        ({"bandwidth": 0}, "bandwidth is a number of bits per second above 0, or None"),
        ({"bandwidth": float("inf")}, "bandwidth is a number of bits per second"),
        ({"queue": -1}, "queue is a number of packets from 0 on, not -1"),
        ({"queue": 1.5}, "queue is a number of packets"),
        ({"loss": 1.1}, "loss is a probability from 0 to 1, not 1.1"),
        ({"duplicate": True}, "duplicate is a probability"),
        ({"reorder": -0.1}, "reorder is a probability"),
        ({"corrupt": "x"}, "corrupt is a probability"),
        ({"mtu": 67}, "mtu is from 68 to 65536 bytes, not 67"),
        ({"mtu": 1500.0}, "mtu is from 68 to 65536 bytes"),
    ],
)
def test_impossible_conditions_are_refused(conditions: dict[str, Any], message: str) -> None:
    """ValueError says what is possible; nothing has changed."""
    net = Journeys(latency=0.5)
    with pytest.raises(ValueError, match=message):
        net.world.link(net.a, net.b, **conditions)
    with pytest.raises(ValueError, match=message):
        net.world.default_link(**conditions)
    assert net.link.conditions == Conditions(latency=0.5)


def test_unknown_conditions_are_refused() -> None:
    """TypeError names the nearest and all others."""
    net = Journeys()
    with pytest.raises(TypeError, match=r"no 'latencey' \(did you mean 'latency'\?\); it has lat"):
        net.world.link(net.a, net.b, latencey=1)
    with pytest.raises(TypeError, match="a link has no 'x'; it has latency, jitter, bandwidth,"):
        net.world.default_link(x=1)


def test_a_host_has_no_link_to_itself_nor_to_strangers() -> None:
    """ValueError."""
    world, other = World(), World()
    world.host("a")
    with pytest.raises(ValueError, match="'a' has no link to itself; its loopback is ideal"):
        world.link("a", "a", latency=1)
    with pytest.raises(ValueError, match="'b' is no host of this world"):
        world.link("a", "b")
    with pytest.raises(ValueError, match="is no host of this world"):
        world.link("a", other.host("b"))


# The default link


def test_the_default_link_is_that_of_pairs_without_their_own() -> None:
    """Also of those that were used before, and of those of later hosts."""
    world = World()
    a, b = world.host("a"), world.host("b")
    own = world.link(a, b, loss=0.5, symmetric=False)
    back = world.link_between(b, a)
    assert back.ideal
    world.default_link(latency=1)
    assert own.conditions == Conditions(loss=0.5)
    assert back.conditions == world.link_between(a, world.host("c")).conditions
    assert back.conditions == Conditions(latency=1)
    world.default_link(mtu=1000)
    assert back.conditions == Conditions(latency=1, mtu=1000)


def test_errors_come_back_although_the_link_is_slow() -> None:
    """What a router says of a packet that is too big arrives before anything else happens."""
    net = Journeys(latency=1, mtu=1000)
    heard: list[Any] = []
    net.a.deliver = heard.append  # type: ignore[method-assign]
    net.put(SEGMENTS["data"]._replace(payload=bytes(1000)))
    (answer,) = heard
    assert isinstance(answer, Unreachable)
    assert (answer.error, answer.mtu, net.world.now) == (errno.EMSGSIZE, 1000, 0)
    assert not isinstance(answer.about, Datagram)
