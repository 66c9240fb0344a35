"""The property: what was acknowledged is counted, and once the network has healed all agree."""

from __future__ import annotations

import random

from hypothesis import strategies as st

import simnet
from simnet import strategies as net
from tests.examples.counter.broken import Replica, add
from tests.examples.steady import steady

HOSTS = "a", "b", "c"


def count(world, seconds):
    hosts = [world.hosts[name] for name in HOSTS]
    addresses = [host.addresses[0] for host in hosts]
    replicas = []
    for host, patience in zip(hosts, [1, 1.5, 2], strict=True):
        others = [address for address in addresses if address not in host.addresses]
        replicas.append(Replica(host, others, patience))
        host.spawn(replicas[-1].run)

    def ask(second):
        hosts[0].sleep(second)
        return add(hosts[0], addresses)

    clients = [hosts[0].spawn(ask, second) for second in seconds]
    world.run(until=12)
    added = sum(client.result() for client in clients)
    counts = [replica.state[1] for replica in replicas]
    assert added <= min(counts) == max(counts) <= len(seconds), f"{added} acknowledged: {counts}"


@steady(max_examples=400)
@simnet.fuzz(
    topology=net.topologies(names=HOSTS, links=None),
    faults=["partitions"],
    until=8,
    seconds=st.lists(st.integers(0, 8), max_size=5),
    policy="fifo",
)
def acknowledged_is_counted(world, seconds):
    count(world, seconds)


def program(world):
    """The same for `simnet.explore`: the seed says who is cut off, when, and when it is asked."""
    chance = random.Random(world.seed)
    for name in HOSTS:
        world.host(name)
    begin, end = sorted(chance.sample(range(80), 2))
    world.at(begin / 10, world.partition, chance.choice(HOSTS))
    world.at(end / 10, world.heal)
    count(world, [chance.randrange(8) for _ in range(3)])
