"""Programs with a race each, as people write them, and how each is told."""

from __future__ import annotations

from collections.abc import Callable

import attrs

from simnet.threads import queue, threading
from simnet.world import World


def lost_update(world: World) -> None:
    """Two threads read a counter, and write it back, each under the lock, but not in one go."""
    with world.host("h"):
        counter = {"value": 0}
        lock = threading.Lock()

        def increment() -> None:
            with lock:
                value = counter["value"]
            with lock:
                counter["value"] = value + 1

        run_together(increment, increment)
        assert counter["value"] == 2, "an update was lost"


def double_close(world: World) -> None:
    """Two threads close a connection that either finds open, and one closes what is not there."""
    host = world.host("h")
    with host:
        one, other = host.socketpair()
        closed: list[str] = []

        def close() -> None:
            if one.fileno() != -1:
                other.getsockname()
                closed.append("once")
                one.close()

        run_together(close, close)
        other.close()
        assert closed == ["once"], "closed twice"


def accept_after_close(world: World) -> None:
    """A server is told to stop while it is about to accept."""
    host = world.host("h")
    with host:
        listener = host.create_server(("127.0.0.1", 0))
        listener.settimeout(1)
        client = host.create_connection(listener.getsockname())
        stopping = threading.Event()

        def serve() -> None:
            if not stopping.is_set():
                listener.accept()[0].close()

        def stop() -> None:
            stopping.set()
            listener.close()

        try:
            run_together(serve, stop)
        finally:
            client.close()


def reader_and_writer(world: World) -> None:
    """Two threads take two locks in opposite orders."""
    with world.host("h"):
        reading, writing = threading.Lock(), threading.Lock()

        def read() -> None:
            with reading, writing:
                pass

        def write() -> None:
            with writing, reading:
                pass

        run_together(read, write)


def missed_wake_up(world: World) -> None:
    """A consumer looks whether there is something, and then waits, though it has come meanwhile."""
    with world.host("h"):
        items: queue.Queue[int] = queue.Queue()
        arrived = threading.Condition()

        def consume() -> None:
            if items.empty():
                with arrived:
                    arrived.wait()
            items.get_nowait()

        def produce() -> None:
            items.put(1)
            with arrived:
                arrived.notify()

        run_together(consume, produce)


def run_together(*functions: Callable[[], object]) -> None:
    """Each in a thread; the first exception of one of them is raised here."""
    errors: list[BaseException] = []

    def guarded(function: Callable[[], object]) -> None:
        try:
            function()
        except Exception as error:
            errors.append(error)

    threads = [
        threading.Thread(target=guarded, args=(function,), name=function.__name__)
        for function in functions
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if errors:
        raise errors[0]


@attrs.frozen
class Race:
    """A program, how its failure is told, and within how many runs each policy finds it."""

    program: Callable[[World], None]
    failure: str
    # Seeds of the even policy, and of priorities that change once.
    uniform: int
    pct: int
    # Schedules with one preemption, all of them.
    schedules: int

    @property
    def name(self) -> str:
        """What the program is called."""
        return self.program.__name__


RACES = (
    Race(lost_update, "AssertionError", uniform=20, pct=50, schedules=30),
    Race(double_close, "AssertionError", uniform=20, pct=50, schedules=30),
    Race(accept_after_close, "OSError", uniform=20, pct=50, schedules=30),
    Race(reader_and_writer, "Deadlock", uniform=20, pct=50, schedules=30),
    Race(missed_wake_up, "Deadlock", uniform=20, pct=50, schedules=30),
)
