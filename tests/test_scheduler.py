"""Tasks: who runs when, how they end, and what is said when nothing can happen any more."""

from __future__ import annotations

import gc
import socket
import threading
import weakref
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simnet import locks
from simnet.api import Socket
from simnet.current import the_host
from simnet.errors import Deadlock, ForeignThread, NoCurrentHost, SimnetError, StepLimit
from simnet.host import Host
from simnet.tasks import ENDINGS
from simnet.world import World

FOREVER = 1e6


@pytest.fixture
def world() -> Iterator[World]:
    """A world that is closed in the end."""
    with World() as world:
        yield world


@pytest.fixture
def host(world: World) -> Host:
    """One machine of it."""
    return world.host("alpha")


def race(seed: int | str) -> list[str]:
    """The order in which several tasks write, each three times, giving way after each word."""
    with World(seed) as world:
        host = world.host("alpha")
        said: list[str] = []

        def say(word: str) -> None:
            for _ in range(3):
                said.append(word)
                host.sleep(0)

        for word in "abcde":
            host.spawn(say, word)
        world.run()
        return said


# Order


@given(st.integers())
def test_one_seed_gives_one_order(seed: int) -> None:
    """Run after run."""
    assert race(seed) == race(seed)


def test_another_seed_gives_another_order() -> None:
    """The seed is used, not only stored."""
    assert len({tuple(race(seed)) for seed in range(20)}) > 15


@given(st.integers())
def test_everybody_gets_a_turn(seed: int) -> None:
    """Whoever is picked, all is done in the end."""
    assert sorted(race(seed)) == sorted("abcde" * 3)


@given(st.lists(st.integers(0, 50), max_size=20, unique=True), st.integers())
def test_sleepers_wake_in_the_order_of_their_times(seconds: list[int], seed: int) -> None:
    """At exactly their instants, and no seed changes that."""
    with World(seed) as world:
        host = world.host("alpha")
        woken: list[float] = []

        def sleep(duration: int) -> None:
            host.sleep(duration)
            woken.append(host.monotonic())

        for duration in seconds:
            host.spawn(sleep, duration)
        world.run()
        assert woken == sorted(seconds)
        assert world.now == max(seconds, default=0)


def test_a_task_starts_when_its_starter_waits(host: Host) -> None:
    """Not before: starting one is no place where control changes hands."""
    said: list[str] = []
    task = host.spawn(said.append, "task")
    said.append("starter")
    task.join()
    assert said == ["starter", "task"]


# Results


def test_a_result_is_what_the_function_returned(host: Host) -> None:
    """With its arguments; asked for twice it is the same."""
    task = host.spawn(divmod, 7, 2)
    assert not task.done
    assert task.result() == (3, 1)
    assert task.result() == (3, 1)
    assert task.done


def test_an_exception_is_raised_where_the_result_is_asked_for(host: Host) -> None:
    """The very object."""
    error = ZeroDivisionError("by hand")

    def fail() -> None:
        raise error

    with pytest.raises(ZeroDivisionError) as caught:
        host.spawn(fail).result()
    assert caught.value is error


def test_join_says_whether_the_task_has_ended(host: Host) -> None:
    """In virtual time; an exception in it is no business of join's."""
    task = host.spawn(host.sleep, 5)
    assert not task.join(4.9)
    assert host.monotonic() == 4.9
    assert task.join(4.9)
    assert host.monotonic() == 5
    assert task.join(0)


def test_a_result_that_takes_too_long_is_a_timeout(host: Host) -> None:
    """The task goes on."""
    task = host.spawn(host.sleep, 5)
    with pytest.raises(TimeoutError, match="timed out"):
        task.result(1)
    assert task.result() is None


def test_many_may_wait_for_one_task(host: Host, world: World) -> None:
    """Each gets the result."""
    slow = host.spawn(lambda: host.sleep(1) or "done")
    waiting = [host.spawn(slow.result) for _ in range(5)]
    assert [task.result() for task in waiting] == ["done"] * 5


def test_tasks_have_names(host: Host) -> None:
    """Given, or made from the host's."""
    assert host.spawn(int, name="counter").name == "counter"
    assert host.spawn(int).name == "alpha-2"


def test_an_exception_that_nobody_asked_for_is_raised_by_run(host: Host, world: World) -> None:
    """Once; errors do not pass silently."""

    def fail() -> None:
        raise LookupError("unseen")

    host.spawn(fail)
    with pytest.raises(LookupError, match="unseen"):
        world.run()
    world.run()


def test_an_exception_that_somebody_has_seen_is_not_raised_by_run(host: Host, world: World) -> None:
    """Whoever asked has dealt with it."""

    def fail() -> None:
        raise LookupError("seen")

    with pytest.raises(LookupError):
        host.spawn(fail).result()
    world.run()


# Running a world


def test_run_goes_on_until_nothing_is_left_to_happen(host: Host, world: World) -> None:
    """Tasks that wait for what will never come are left waiting."""
    with host.create_server(("127.0.0.1", 80)) as listener:
        stuck = host.spawn(listener.accept)
        slept = host.spawn(host.sleep, 7)
        world.run()
        assert slept.done
        assert not stuck.done
        assert world.now == 7
        with host.create_connection(("127.0.0.1", 80)):
            conn, _ = stuck.result()
            conn.close()


def test_run_until_an_instant_stops_there(host: Host, world: World) -> None:
    """What is due then has happened; what is due later has not."""
    done: list[int] = []

    def at(second: int) -> None:
        host.sleep(second)
        done.append(second)

    for second in (1, 2, 3):
        host.spawn(at, second)
    world.run(until=2)
    assert done == [1, 2]
    assert world.now == 2
    world.run(until=2.5)
    assert world.now == 2.5
    world.run()
    assert done == [1, 2, 3]


def test_run_is_for_the_code_outside_all_tasks(host: Host, world: World) -> None:
    """A task waits with sleep()."""
    with pytest.raises(SimnetError, match=r"a task waits with sleep\(\)"):
        host.spawn(world.run).result()


def test_code_outside_all_tasks_may_wait_like_any(host: Host) -> None:
    """An ordinary test needs no tasks: blocking calls drive the world."""
    with host.create_server(("127.0.0.1", 80)) as listener:
        with host.create_connection(("127.0.0.1", 80)) as client:
            conn, _ = listener.accept()
            with conn:
                echo = host.spawn(lambda: conn.sendall(conn.recv(10)))
                client.sendall(b"ping")
                assert client.recv(10) == b"ping"
                echo.join()


# Ends


def test_closing_a_world_ends_its_tasks_where_they_stand() -> None:
    """Their finally blocks run, and what follows does not."""
    said: list[str] = []
    world = World()
    host = world.host("alpha")

    def wait() -> None:
        try:
            host.sleep(FOREVER)
            said.append("never")
        finally:
            said.append("cleaned up")

    task = host.spawn(wait)
    world.run(until=1)
    world.close()
    assert said == ["cleaned up"]
    assert task.done
    assert world.now == 1


def test_a_task_that_is_ended_cannot_wait_any_more() -> None:
    """Cleaning up must not take time, nor swallow the end."""
    said: list[str] = []
    world = World()
    host = world.host("alpha")

    def stubborn() -> None:
        try:
            host.sleep(FOREVER)
        finally:
            said.append("first")
            host.sleep(1)
            said.append("never")

    host.spawn(stubborn)
    world.run(until=1)
    world.close()
    assert said == ["first"]
    assert world.leftovers() == []


@pytest.mark.parametrize("error", [None, OSError("while cleaning up")])
def test_a_task_that_swallows_its_end_is_ended_all_the_same(error: Exception | None) -> None:
    """Whether it returns or raises instead."""

    def swallow(host: Host) -> None:
        try:
            host.sleep(FOREVER)
        except BaseException:
            if error is not None:
                raise error from None

    with World() as world:
        host = world.host("alpha")
        task = host.spawn(swallow, host)
        world.run(until=1)
    assert task.done
    assert world.leftovers() == []


def test_a_task_that_never_lets_go_is_left_where_it_stands() -> None:
    """A main loop that catches everything and goes on; the collector does not try again."""
    told: list[int] = []

    def stubborn(host: Host) -> None:
        while True:
            try:
                host.sleep(FOREVER)
            except BaseException:
                told.append(1)

    def run() -> None:
        with World() as world:
            host = world.host("alpha")
            tasks = [host.spawn(stubborn, host), host.spawn(host.sleep, FOREVER)]
            world.run(until=1)
        assert all(task.done for task in tasks)

    run()
    assert len(told) == ENDINGS
    gc.collect()
    assert len(told) == ENDINGS


def test_who_waits_for_a_task_that_is_ended_goes_on(world: World, host: Host) -> None:
    """Closing one host does not leave those of another waiting."""
    other = world.host("beta")
    ended = other.spawn(other.sleep, FOREVER)
    waiting = host.spawn(ended.join)
    world.run(until=1)
    world.close_host(other)
    assert waiting.result() is True


def test_a_task_that_never_began_is_ended_without_running() -> None:
    """There is nothing to clean up."""
    said: list[str] = []
    with World() as world:
        task = world.host("alpha").spawn(said.append, "ran")
    assert said == []
    assert task.done


# Nothing can happen any more


def accept_one(listener: Socket) -> None:
    """Wait for a connection."""
    listener.accept()


def caller(caught: pytest.ExceptionInfo[Deadlock]) -> str:
    """Where the test called, as a report shows it."""
    entry = caught.traceback[0]
    return f"at {__file__}:{entry.lineno + 1} in {entry.name}"


def test_a_deadlock_names_every_waiting_task_and_its_line(host: Host) -> None:
    """Host, call, socket, file and line: the whole report."""
    with host.create_server(("127.0.0.1", 80)) as listener:
        task = host.spawn(accept_one, listener, name="acceptor")
        with pytest.raises(Deadlock) as caught:
            task.join()
        line = f"{__file__}:{accept_one.__code__.co_firstlineno + 2}"
        assert str(caught.value).splitlines() == [
            "every task waits, at 0 s:",
            f"  'main': join <task 'acceptor' accept>, {caller(caught)}",
            f"  'acceptor' on host 'alpha': accept {listener!r}, at {line} in accept_one",
        ]


def test_a_deadlock_of_the_only_task_names_its_own_line(host: Host) -> None:
    """The caller's, not one inside the simulator."""
    a, b = host.socketpair()
    shown = repr(a)
    with a, b, pytest.raises(Deadlock) as caught:
        a.recv(1)
    assert str(caught.value).splitlines() == [
        "every task waits, at 0 s:",
        f"  'main': recv {shown}, {caller(caught)}",
    ]


def test_a_deadlock_tells_the_time_and_who_failed_before(host: Host) -> None:
    """A peer that died is the usual reason for waiting in vain."""

    def die() -> None:
        host.sleep(1.5)
        raise ValueError("no reason")

    host.spawn(die, name="peer")
    a, b = host.socketpair()
    with a, b, pytest.raises(Deadlock) as caught:
        a.recv(1)
    first, *_, last = str(caught.value).splitlines()
    assert first == "every task waits, at 1.5 s:"
    assert last == "  (task 'peer' has ended: ValueError: no reason)"


def test_after_a_deadlock_the_world_goes_on(host: Host) -> None:
    """Nothing is broken: what was waited for may still be brought about."""
    a, b = host.socketpair()
    with a, b:
        with pytest.raises(Deadlock):
            a.recv(1)
        b.send(b"x")
        assert a.recv(1) == b"x"


def test_waiting_with_a_deadline_is_no_deadlock(host: Host) -> None:
    """Time passes until it is over."""
    a, b = host.socketpair()
    with a, b:
        a.settimeout(30)
        with pytest.raises(TimeoutError, match="timed out"):
            a.recv(1)
    assert host.monotonic() == 30


def test_a_world_that_makes_no_progress_meets_its_limit() -> None:
    """The message says how to allow more, and who was running."""
    with World(max_steps=1000) as world:
        host = world.host("alpha")

        def spin() -> None:
            while True:
                host.sleep(0)

        task = host.spawn(spin, name="spinner")
        with pytest.raises(StepLimit, match=r"no end after 1000 steps .*\n.*max_steps|max_steps"):
            task.join()


def test_a_thread_of_the_operating_system_is_told_what_to_do(host: Host) -> None:
    """A world belongs to the thread that made it."""
    errors: list[BaseException] = []

    def call() -> None:
        try:
            host.sleep(1)
        except BaseException as error:
            errors.append(error)

    thread = threading.Thread(target=call, name="foreigner")
    thread.start()
    thread.join()
    (error,) = errors
    assert isinstance(error, ForeignThread)
    assert str(error) == (
        "thread 'foreigner' called into a simulated world that another thread runs; "
        "start the code with host.spawn(...) instead of a thread"
    )


# Loops that never wait


def test_a_busy_loop_lets_the_task_beside_it_make_progress(host: Host) -> None:
    """Each fruitless call of a non-blocking socket gives others their turn."""
    a, b = host.socketpair()
    with a, b:
        a.setblocking(False)
        beside = host.spawn(lambda: (host.sleep(0), b.send(b"at last")))
        received = b""
        while not received:
            try:
                received = a.recv(10)
            except BlockingIOError:
                continue
        beside.join()
        assert received == b"at last"


@pytest.mark.parametrize("clock", ["monotonic", "time"])
def test_a_busy_loop_until_a_deadline_ends(host: Host, clock: str) -> None:
    """Looking at the clock often enough makes time pass, to the next thing that is due."""
    task = host.spawn(host.sleep, 3)
    now = getattr(host, clock)
    end = now() + 3
    while now() < end:
        pass
    task.join()
    assert host.monotonic() == 3


def test_a_busy_loop_with_nobody_beside_it_ends(host: Host) -> None:
    """Also where nothing else is due at all."""
    end = host.monotonic() + 0.5
    while host.monotonic() < end:
        pass
    assert host.monotonic() >= 0.5


def test_two_busy_loops_beside_each_other_end(host: Host) -> None:
    """Neither keeps time from passing for the other."""

    def spin(seconds: float) -> float:
        while host.monotonic() < seconds:
            pass
        return host.monotonic()

    tasks = [host.spawn(spin, seconds) for seconds in (0.1, 0.2)]
    assert [task.result() >= seconds for task, seconds in zip(tasks, (0.1, 0.2), strict=True)]


@pytest.mark.parametrize("loops", [1, 2])
def test_loops_that_only_give_way_let_time_pass(host: Host, loops: int) -> None:
    """`sleep(0)` until something happens is a common way to wait."""
    slow = host.spawn(host.sleep, 0.5)

    def give_way() -> None:
        while not slow.done:
            host.sleep(0)

    tasks = [host.spawn(give_way) for _ in range(loops)]
    for task in tasks:
        task.join()
    assert host.monotonic() == 0.5


def test_a_busy_loop_does_not_jump_over_its_own_deadline(host: Host) -> None:
    """It overshoots by a few milliseconds, as on a real machine, whatever else is due later."""
    host.spawn(host.sleep, FOREVER)
    while host.monotonic() < 0.5:
        pass
    assert host.monotonic() < 0.52


def test_a_loop_over_a_poll_without_waiting_makes_progress(host: Host) -> None:
    """Asking for readiness with a timeout of 0 is a fruitless call too."""
    a, b = host.socketpair()
    with a, b:
        host.spawn(lambda: (host.sleep(2), b.send(b"x")))
        while not host.select([a], [], [], 0)[0]:
            pass
        assert host.monotonic() == 2


# Worlds beside and inside each other


def test_two_worlds_share_nothing() -> None:
    """Neither time nor ports."""
    with World() as one, World() as other:
        for world in (one, other):
            listener = world.host("alpha").create_server(("127.0.0.1", 80))
            listener.close()
        one.hosts["alpha"].sleep(5)
        assert (one.now, other.now) == (5, 0)


def test_a_task_may_run_a_world_of_its_own(host: Host) -> None:
    """Time inside does not move time outside."""

    def inner() -> float:
        with World() as world:
            inside = world.host("beta")
            task = inside.spawn(inside.sleep, 9)
            task.join()
            return world.now

    task = host.spawn(inner)
    assert task.result() == 9
    assert host.monotonic() == 0


# The current host


def test_a_task_runs_on_the_host_that_started_it(world: World, host: Host) -> None:
    """Whatever is current where it is started, or becomes so later."""
    other = world.host("beta")
    with other:
        task = host.spawn(lambda: (other.sleep(1), the_host())[1])
        assert task.result() is host
        assert the_host() is other


def test_tasks_of_a_task_inherit_its_host(host: Host) -> None:
    """Through as many generations as there are."""
    assert host.spawn(lambda: the_host().spawn(the_host).result()).result() is host


def test_entering_a_host_in_a_task_does_not_leak(world: World, host: Host) -> None:
    """Each task has a context of its own."""
    other = world.host("beta")

    def enter() -> None:
        with other:
            other.sleep(1)

    task = host.spawn(enter)
    with host:
        host.sleep(0.5)
        assert the_host() is host
        task.join()
        assert the_host() is host


def test_outside_every_host_there_is_no_network() -> None:
    """The error says what to do."""
    with pytest.raises(NoCurrentHost, match="with host:"):
        the_host()


def test_a_blocked_call_sees_what_another_host_does(world: World, host: Host) -> None:
    """Two machines, one scheduler."""
    server = world.host("server", ip="10.1.0.1")

    def serve(listener: Socket) -> bytes:
        conn, _ = listener.accept()
        with conn:
            return conn.recv(100)

    with server.create_server(("10.1.0.1", 80)) as listener:
        task = server.spawn(serve, listener)
        with host.socket(socket.AF_INET) as client:
            client.connect(("10.1.0.1", 80))
            client.sendall(b"from alpha")
        assert task.result() == b"from alpha"


def test_any_number_of_tasks_may_start_one_another() -> None:
    """None of them begins deeper in the stack than another."""
    with World() as world:
        host = world.host("alpha")
        begun: list[int] = []

        def begin(number: int) -> None:
            begun.append(number)
            if number < 3000:
                host.spawn(begin, number + 1)

        for _ in range(2000):
            host.spawn(begun.append, 0)
        host.spawn(begin, 1)
        world.run()
        assert len(begun) == 5000


def test_a_task_that_never_began_is_ended_too() -> None:
    """The world closes before its turn comes."""
    with World() as world:
        begun: list[int] = []
        task = world.host("alpha").spawn(begun.append, 1)
    assert task.done
    assert not begun


@pytest.mark.parametrize("waits", [False, True], ids=["by its end", "while it waits"])
def test_a_chain_of_tasks_is_no_deeper_than_one(waits: bool) -> None:
    """A task that starts the next, and so on, thousands of times: none inherits its depth."""
    with World() as world:
        host, started = world.host("a"), []

        def start_next(number: int) -> None:
            started.append(number)
            if number < 3000:
                host.spawn(start_next, number + 1)
            if waits:
                host.sleep(1)

        host.spawn(start_next, 0)
        world.run()
        assert started == list(range(3001))


def test_a_world_that_ran_tasks_can_be_collected() -> None:
    """What starts its tasks does not keep it."""
    world = World()
    host = world.host("a")
    host.spawn(host.sleep, 1).result()
    gone = weakref.ref(world)
    del world, host
    gc.collect()
    assert gone() is None


def test_what_the_collector_finalises_takes_no_wake_up_away(host: Host) -> None:
    """It runs while the scheduler lets something happen; who was woken by that runs next."""

    class Garbage:
        def __init__(self) -> None:
            self.itself = self

        def __del__(self) -> None:
            host.monotonic()  # as anything that lets others have a turn
            with pytest.raises(SimnetError, match="sleep: what is finalised while no task runs"):
                host.sleep(1)
            finalised.append(host.world.now)

    def arrive() -> None:
        lock.release()
        gc.collect()

    finalised: list[float] = []
    lock = locks.module.allocate_lock()
    with host:
        lock.acquire()
        gc.collect()
        Garbage()
        host.world.clock.call_at(1_000_000_000, arrive)
        assert lock.acquire(timeout=10)
    assert host.world.now == 1
    assert finalised == [1.0]
