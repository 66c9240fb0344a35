"""TCP over links that lose, delay, double, reorder and cut: what was written is what is read."""

from __future__ import annotations

from functools import partial

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simnet import World
from simnet.faults import Delivery, FaultFunction
from simnet.links import Link
from simnet.protocols.tcp_states import State
from simnet.wire import Packet
from tests.properties.exchange import LAWFUL, Exchange, Plan, exchange, run_to_the_end
from tests.properties.profiles import examples

SIZES = st.lists(st.integers(1, 20_000), max_size=6)
PLANS = st.builds(
    Plan,
    upwards=SIZES,
    downwards=SIZES,
    read_size=st.sampled_from([1000, 7777, 65536]),
    pause=st.sampled_from([0.0, 0.0, 0.05, 1.0]),
    rcvbuf=st.sampled_from([None, None, 2304, 8192]),
    nodelay=st.booleans(),
)
CONDITIONS = st.fixed_dictionaries(
    {
        "latency": st.sampled_from([0.0, 0.001, 0.02, 0.3]),
        "jitter": st.sampled_from([0.0, 0.0, 0.01]),
        "bandwidth": st.sampled_from([None, None, 1e6, 64e3]),
        "queue": st.sampled_from([5, 100]),
        "loss": st.sampled_from([0.0, 0.01, 0.1, 0.4]),
        "duplicate": st.sampled_from([0.0, 0.0, 0.2]),
        "reorder": st.sampled_from([0.0, 0.0, 0.3]),
        "corrupt": st.sampled_from([0.0, 0.0, 0.05]),
        "mtu": st.sampled_from([1500, 576]),
    }
)


def run(seed: int, plan: Plan, there: dict[str, object], back: dict[str, object]) -> Exchange:
    """A plan over a link of these conditions, up to its end."""
    world = World(seed)
    begun = exchange(world, plan)
    world.link("client", "server", symmetric=False, **there)
    world.link("server", "client", symmetric=False, **back)
    run_to_the_end(begun)
    return begun


def assert_lawful(done: Exchange) -> None:
    """All has arrived, or a prefix of it and the program was told of the rest."""
    for one, other in ((done.client, done.server), (done.server, done.client)):
        assert other.wrote.startswith(one.read)
    if not done.complete:
        told = [side.error for side in (done.client, done.server) if side.error is not None]
        assert told
        assert all(isinstance(error, LAWFUL) for error in told)


@given(seed=st.integers(0, 2**32), plan=PLANS, there=CONDITIONS, back=CONDITIONS)
@examples(60)
def test_what_is_read_is_what_was_written(
    seed: int, plan: Plan, there: dict[str, object], back: dict[str, object]
) -> None:
    """In full, or a prefix of it and an error; never a hole, and never a stall."""
    done = run(seed, plan, there, back)
    assert_lawful(done)
    assert [task.name for task in done.world.scheduler.tasks] in ([], ["server"])
    done.world.close()


@given(
    seed=st.integers(0, 2**32),
    plan=PLANS,
    there=CONDITIONS,
    begin=st.sampled_from([0.0, 0.01, 0.5, 2.0]),
    length=st.sampled_from([0.1, 3.0, 30.0]),
    one_way=st.booleans(),
)
@examples(60)
def test_everything_arrives_when_the_link_heals(
    seed: int,
    plan: Plan,
    there: dict[str, object],
    begin: float,
    length: float,
    one_way: bool,
) -> None:
    """A partition of seconds is outlived by Linux's timers: nothing is lost to the program."""
    there = {**there, "loss": min(there["loss"], 0.01), "corrupt": 0.0}  # type: ignore[type-var]
    with World(seed) as world:
        begun = exchange(world, plan)
        world.link("client", "server", **there)
        world.at(begin, partial(world.partition, "client", "server", one_way=one_way))
        world.at(begin + length, world.heal)
        world.run()
        assert begun.complete, (begun.client.error, begun.server.error)


@given(
    seed=st.integers(0, 2**32),
    plan=PLANS,
    there=CONDITIONS,
    back=CONDITIONS,
    steps=st.lists(st.sampled_from([0.001, 0.02, 0.1, 0.3, 2.0]), min_size=1, max_size=20),
)
@examples(60)
def test_bytes_are_conserved(
    seed: int,
    plan: Plan,
    there: dict[str, object],
    back: dict[str, object],
    steps: list[float],
) -> None:
    """At any instant: written = read + queued + under way + still to be sent."""
    with World(seed) as world:
        begun = exchange(world, plan)
        world.link("client", "server", symmetric=False, **there)
        world.link("server", "client", symmetric=False, **back)
        for step in steps:
            world.run(until=world.now + step)
            for writer, reader, source, target in begun.directions():
                if target.state is State.SYN_SENT:
                    continue
                fin = source.snd_nxt - source.iss - 1 - (writer.accepted - source.unsent.length)
                assert fin in (0, 1)
                under_way = source.snd_nxt - target.rcv_nxt - fin + target.done
                assert under_way >= 0
                assert writer.accepted == (
                    len(reader.read) + target.queue.length + under_way + source.unsent.length
                )
                assert source.snd_una <= target.rcv_nxt


# Every packet of a small exchange, lost alone and in pairs


class LoseTheNth:
    """A fault that swallows packets by their place in the order in which they were sent."""

    def __init__(self, *places: int) -> None:
        self.places = places
        self.count = 0

    def __call__(self, packet: Packet, link: Link) -> list[Delivery]:
        self.count += 1
        return [] if self.count - 1 in self.places else [Delivery(packet)]


SMALL = Plan(upwards=(3000, 10), downwards=(2000,))


def small_exchange(fault: FaultFunction) -> Exchange:
    """A small exchange over a link with latency and a fault."""
    world = World()
    begun = exchange(world, SMALL)
    world.link("client", "server", latency=0.01)
    world.fault(fault)
    world.run()
    return begun


def packets_of_a_small_exchange() -> int:
    """How many packets it takes when nothing is lost."""
    fault = LoseTheNth()
    with small_exchange(fault).world:
        return fault.count


PACKETS = packets_of_a_small_exchange()


@pytest.mark.parametrize("place", range(PACKETS))
def test_any_one_packet_may_be_lost(place: int) -> None:
    """SYN, data, acknowledgement, FIN: each loss is made good within seconds."""
    done = small_exchange(LoseTheNth(place))
    assert done.complete
    assert not done.connections()
    assert done.world.now < 10
    done.world.close()


@pytest.mark.parametrize("first", range(PACKETS))
def test_any_two_packets_may_be_lost(first: int) -> None:
    """The repetition too, or another."""
    for second in range(first + 1, first + 12):
        done = small_exchange(LoseTheNth(first, second))
        assert done.complete, (first, second)
        assert not done.connections()
        done.world.close()


@pytest.mark.parametrize("first", range(PACKETS))
def test_any_run_of_packets_may_be_lost(first: int) -> None:
    """Six in a row, whatever they are."""
    done = small_exchange(LoseTheNth(*range(first, first + 6)))
    assert done.complete
    assert not done.connections()
    done.world.close()


def test_the_exchange_has_every_kind_of_segment() -> None:
    """Otherwise losing each of its packets would prove little."""
    seen: set[int] = set()

    def watch(packet: Packet, link: Link) -> list[Delivery]:
        seen.add(packet.flags | 256 * bool(packet.payload))  # type: ignore[union-attr]
        return [Delivery(packet)]

    small_exchange(watch).world.close()
    syn, ack, fin, psh, data = 2, 16, 1, 8, 256
    assert {syn, syn | ack, ack, fin | ack, ack | data, ack | psh | data} <= seen
