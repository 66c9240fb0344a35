"""The property: the number has grown by one for each client that has added one."""

from __future__ import annotations

import asyncio
from contextlib import closing

from hypothesis import strategies as st

import simnet
from tests.examples.leases.broken import LOCKS, STORE, Client, Locks, Store, serve
from tests.examples.steady import steady

SECONDS = st.sampled_from([0, 3, 6, 9])
DRIFTS = st.sampled_from([0.0, -0.15, 0.15])  # seconds that a clock gains in each second


@steady(max_examples=120)
@simnet.fuzz(works=st.tuples(SECONDS, SECONDS), drifts=st.tuples(DRIFTS, DRIFTS), policy="fifo")
def no_update_is_lost(world, works, drifts):
    world.host("server")
    store = Store()

    async def serve_both():
        async with await serve(Locks(), LOCKS), await serve(store, STORE):
            await asyncio.sleep(60)

    def spawn(host, main, *args):
        def run():
            with closing(world.hosts[host].event_loop()) as loop:
                return loop.run_until_complete(main(*args))

        return world.hosts[host].spawn(run)

    serving = spawn("server", serve_both)
    clients = []
    for name, work, drift in zip(["one", "other"], works, drifts, strict=True):
        world.run(until=world.now + 0.5)
        world.host(name, clock_drift=drift)
        clients.append(spawn(name, Client(name, "server").add_one, work))
    done = sum(client.result() for client in clients)
    serving.result()
    assert store.number == done, f"{done} have added one, and it is {store.number}"
