"""A lock for many machines, and a store of one number that its holder may change.

Who takes the lock has it for ten seconds, lest a client that crashes keep it for ever. The client
counts them from before it asked, on a clock that nobody can set: so it gives up before the server
gives the lock to somebody else. Requests and answers are lines of words.
"""

from __future__ import annotations

import asyncio
from asyncio import StreamReader, StreamWriter
from collections.abc import Callable

LEASE = 10.0  # seconds
LOCKS, STORE = 1000, 2000  # ports


def now() -> float:
    """Seconds on the monotonic clock."""
    return asyncio.get_running_loop().time()


class Locks:
    """The server of the lock."""

    def __init__(self) -> None:
        self._holder = ""
        self._until = 0.0

    def __call__(self, request: str, client: str) -> str:
        if request == "release" and client == self._holder:
            self._until = now()
        if request == "take":
            if now() < self._until:
                return "taken"
            self._holder, self._until = client, now() + LEASE
        return "ok"


class Store:
    """The server of the number."""

    def __init__(self) -> None:
        self.number = 0

    def __call__(self, request: str, number: str = "") -> str:
        if request == "write":
            self.number = int(number)
        return str(self.number)


async def serve(service: Callable[..., str], port: int) -> asyncio.Server:
    """Answer each line of each client."""

    async def answer(reader: StreamReader, writer: StreamWriter) -> None:
        while request := await reader.readline():
            writer.write(f"{service(*request.decode().split())}\n".encode())
        writer.close()

    return await asyncio.start_server(answer, "", port)


class Client:
    """One who wants the lock, with a name of its own."""

    def __init__(self, name: str, server: str) -> None:
        self._name = name
        self._server = server

    async def _ask(self, port: int, *words: object) -> str:
        reader, writer = await asyncio.open_connection(self._server, port)
        writer.write(" ".join(map(str, words)).encode() + b"\n")
        answer = await reader.readline()
        writer.close()
        return answer.decode().strip()

    async def add_one(self, work: float) -> bool:
        """Add one to the number, which takes so many seconds of work; whether it was done."""
        asked = now()
        while await self._ask(LOCKS, "take", self._name) == "taken":
            await asyncio.sleep(1)
            asked = now()
        number = int(await self._ask(STORE, "read"))
        await asyncio.sleep(work)
        done = now() < asked + LEASE
        if done:
            await self._ask(STORE, "write", number + 1)
        await self._ask(LOCKS, "release", self._name)
        return done
