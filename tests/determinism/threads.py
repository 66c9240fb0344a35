"""Programs of threads and asyncio in a patched program, as a script: what was seen, as JSON.

python threads.py

Unmodified code: threads that race for locks, queues, pools, conditions, timers, and thread-locals;
event loops with executors, call_soon_threadsafe, streams and timeouts; sets of threads and futures;
randomness and identities; over a link that loses packets.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import json
import queue
import random
import socket
import socketserver
import sys
import threading
import time
import uuid
from typing import Any

from simnet import World

WORKERS = 6
PORT = 80
LOCAL = threading.local()
LOCK = threading.Lock()


class Echo(socketserver.StreamRequestHandler):
    """Answers each line."""

    def handle(self) -> None:
        for line in self.rfile:
            self.wfile.write(line.upper())


class Server(socketserver.ThreadingTCPServer):
    """Each connection in a thread."""

    daemon_threads = True
    request_queue_size = 50

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that is cut off goes away with what it has not read."""
        if not isinstance(sys.exc_info()[1], ConnectionError):
            super().handle_error(request, client_address)


class Story:
    """One world and what its threads tell."""

    def __init__(self, seed: int) -> None:
        self.world = World(seed=seed)
        self.server, self.client = self.world.host("server"), self.world.host("client")
        self.world.link(self.server, self.client, latency=0.01, jitter=0.005, loss=0.05)
        self.transcript: list[str] = []

    def say(self, *words: Any) -> None:
        """Note it, with the time and the thread."""
        name = threading.current_thread().name
        ident = threading.get_ident()
        self.transcript.append(" ".join(map(str, (time.monotonic_ns(), name, ident, *words))))

    def told(self) -> dict[str, Any]:
        """Everything, at the end."""
        told = {"digest": self.world.trace.digest(), "transcript": self.transcript}
        self.world.close()
        return told

    # Threads

    def serve(self) -> None:
        with Server(("", PORT), Echo) as server:
            threading.Timer(20, server.shutdown).start()
            server.serve_forever()
        self.say("server ends")

    def work(self, jobs: queue.Queue[int], ready: threading.Condition, done: list[int]) -> None:
        LOCAL.count = 0
        with socket.create_connection(("server", PORT), timeout=5) as sock:
            lines = sock.makefile("rwb")
            while (job := jobs.get()) >= 0:
                with LOCK:
                    self.say("has the lock for", job)
                    time.sleep(0.001 * (job % 3))
                lines.write(f"job {job}\n".encode())
                lines.flush()
                LOCAL.count += 1
                self.say(lines.readline(), random.random(), uuid.uuid4())
                with ready:
                    done.append(job)
                    ready.notify()
        self.say("did", LOCAL.count)

    def of_threads(self) -> dict[str, Any]:
        """Workers on a queue, a pool, and what sets of their objects are like."""
        with self.world.patch(self.client, entropy=True):
            self.server.spawn(self.serve)
            time.sleep(0.1)
            jobs: queue.Queue[int] = queue.Queue()
            ready, done = threading.Condition(), list[int]()
            args = jobs, ready, done
            workers = {threading.Thread(target=self.work, args=args) for _ in range(WORKERS)}
            for worker in workers:
                worker.start()
            for job in [*range(3 * WORKERS), *[-1] * WORKERS]:
                jobs.put(job)
            with ready:
                assert ready.wait_for(lambda: len(done) == 3 * WORKERS, timeout=60)
            for worker in workers:
                worker.join()
                self.say("joined", worker.name)
            with concurrent.futures.ThreadPoolExecutor(3) as pool:
                futures = {pool.submit(self.nap, number) for number in range(WORKERS)}
                for future in concurrent.futures.as_completed(futures):
                    self.say("nap", future.result())
            self.say("order", done)
            time.sleep(60)
        return self.told()

    def nap(self, number: int) -> int:
        time.sleep(0.01 * random.randrange(3))
        self.say("napped", number)
        return number

    # asyncio

    async def talk(self, number: int, heard: asyncio.Queue[int]) -> None:
        loop = asyncio.get_running_loop()
        reader, writer = await asyncio.open_connection("server", PORT)
        for turn in range(3):
            writer.write(b"x" * 100 + b"\n")
            try:
                line = await asyncio.wait_for(reader.readline(), 0.03 * (turn + 1))
                self.say(number, "answered", len(line))
            except asyncio.TimeoutError:
                self.say(number, "cut off")
            self.say(await loop.run_in_executor(None, self.nap, number))
        threading.Timer(0.01, loop.call_soon_threadsafe, (heard.put_nowait, number)).start()
        writer.close()

    async def ask(self) -> None:
        heard: asyncio.Queue[int] = asyncio.Queue()
        await asyncio.sleep(0.1)
        tasks = {asyncio.create_task(self.talk(number, heard)) for number in range(WORKERS)}
        done, _ = await asyncio.wait(tasks)
        for task in done:
            self.say("done", task.get_name())
        for _ in range(WORKERS):
            self.say("heard", await heard.get())

    def of_asyncio(self) -> dict[str, Any]:
        """A loop in the main thread, another in a thread, against a server of threads."""
        with self.world.patch(self.client, entropy=True):
            self.server.spawn(self.serve)
            other = threading.Thread(target=asyncio.run, args=(self.ask(),))
            other.start()
            asyncio.run(self.ask())
            other.join()
            time.sleep(60)
        return self.told()


def tell(seed: int = 0) -> dict[str, dict[str, Any]]:
    """Every story."""
    return {"threads": Story(seed).of_threads(), "asyncio": Story(seed).of_asyncio()}


if __name__ == "__main__":
    print(json.dumps(tell()))
