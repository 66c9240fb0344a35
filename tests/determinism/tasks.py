"""Programs of trio and anyio on two hosts, as a script: what each task saw and the digest, as JSON.

python tasks.py

Tasks that are ready together, timeouts, cancelled sends, threads and names, over a link that loses
packets: trio through its hooks, and anyio on both backends in a patched program.
"""

from __future__ import annotations

import json
from typing import Any

import anyio
import trio

from simnet import World

CLIENTS = 6


class Story:
    """One world and what its tasks tell."""

    def __init__(self, seed: int) -> None:
        self.world = World(seed=seed)
        self.server, self.client = self.world.host("server"), self.world.host("client")
        self.world.link(self.server, self.client, latency=0.01, jitter=0.005, loss=0.05)
        self.world.names.add("slow", self.server, delay=0.2)
        self.transcript: list[str] = []

    def say(self, *words: Any) -> None:
        """Note it, with the time."""
        self.transcript.append(" ".join(map(str, (self.world.clock.now_ns, *words))))

    def told(self) -> dict[str, Any]:
        """Everything, at the end."""
        left = len(self.world.leftovers())
        told = {"left": left, "digest": self.world.trace.digest(), "transcript": self.transcript}
        self.world.close()
        return told

    def patience(self, number: int, turn: int) -> float:
        """How long a client waits for an answer; one of them for less than a round trip."""
        return 0.005 if number == 1 else 0.05 * (turn + 1)

    # trio

    async def serve(self) -> None:
        with trio.move_on_after(30):
            await trio.serve_tcp(self.echo, 80, host="0.0.0.0")
        self.say("server ends")

    async def echo(self, stream: trio.SocketStream) -> None:
        try:
            async for data in stream:
                self.say("server got", len(data))
                await stream.send_all(data)
        except trio.BrokenResourceError:
            self.say("reset")

    async def talk(self, number: int) -> None:
        name = "slow" if number % 3 == 0 else "server"
        async with await trio.open_tcp_stream(name, 80) as stream:
            self.say(number, "connected")
            for turn in range(3):
                with trio.move_on_after(self.patience(number, turn)) as scope:
                    await stream.send_all(bytes([number]) * 10 ** (turn + 2))
                    await stream.receive_some()
                self.say(number, "cut off" if scope.cancelled_caught else "answered")
                await trio.lowlevel.checkpoint()
                self.say(number, await trio.to_thread.run_sync(self.work, number))

    def work(self, number: int) -> float:
        self.client.sleep(0.01 * (number % 2))
        return trio.from_thread.run_sync(trio.current_time)

    async def ask(self) -> None:
        await trio.sleep(0.1)
        async with trio.open_nursery() as nursery:
            for number in range(CLIENTS):
                nursery.start_soon(self.talk, number)

    def on_trio(self) -> dict[str, Any]:
        """Through trio's hooks."""
        task = self.server.spawn(self.server.trio_run, self.serve)
        self.client.trio_run(self.ask)
        task.result()
        return self.told()

    # anyio

    async def any_serve(self) -> None:
        listener = await anyio.create_tcp_listener(local_host="0.0.0.0", local_port=80)
        async with listener:
            with anyio.move_on_after(30):
                await listener.serve(self.any_echo)
        self.say("server ends")

    async def any_echo(self, stream: Any) -> None:
        async with stream:
            try:
                async for data in stream:
                    self.say("server got", len(data))
                    await stream.send(data)
            except anyio.BrokenResourceError:
                self.say("reset")

    async def any_talk(self, number: int) -> None:
        async with await anyio.connect_tcp("server", 80) as stream:
            for turn in range(3):
                with anyio.move_on_after(self.patience(number, turn)) as scope:
                    await stream.send(bytes([number]) * 10 ** (turn + 2))
                    await stream.receive()
                self.say(number, "cut off" if scope.cancelled_caught else "answered")
                self.say(number, await anyio.to_thread.run_sync(self.any_work))

    def any_work(self) -> int:
        return anyio.from_thread.run_sync(len, self.transcript)

    async def any_ask(self) -> None:
        await anyio.sleep(0.1)
        async with anyio.create_task_group() as group:
            for number in range(CLIENTS):
                group.start_soon(self.any_talk, number)

    def on_anyio(self, backend: str) -> dict[str, Any]:
        """Patched."""
        with self.world.patch(self.client):
            task = self.server.spawn(lambda: anyio.run(self.any_serve, backend=backend))
            anyio.run(self.any_ask, backend=backend)
            task.result()
        return self.told()


def tell(seed: int = 0) -> dict[str, dict[str, Any]]:
    """Every story."""
    return {
        "trio": Story(seed).on_trio(),
        "anyio on trio": Story(seed).on_anyio("trio"),
        "anyio on asyncio": Story(seed).on_anyio("asyncio"),
    }


if __name__ == "__main__":
    print(json.dumps(tell()))
