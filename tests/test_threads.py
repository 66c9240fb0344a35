"""Threads, locks, queues and pools of the standard library, as tasks of a world."""

from __future__ import annotations

import _thread as real_thread
import concurrent.futures
import contextlib
import contextvars
import copy
import pickle
import queue as real_queue
import re
import signal
import sys
import threading as real_threading
from collections.abc import Callable, Iterator
from concurrent.futures import CancelledError
from concurrent.futures import Future as RealFuture
from concurrent.futures import TimeoutError as PoolTimeout
from typing import Any

import pytest

from simnet import locks
from simnet.decisions import Question
from simnet.errors import Deadlock, SimnetError
from simnet.exploring.runs import run
from simnet.host import Host
from simnet.locks import module as _thread
from simnet.sources import BySeed
from simnet.threads import futures, queue, threading
from simnet.world import World
from tests.exploring.races import lost_update


@pytest.fixture
def host() -> Iterator[Host]:
    """A current host; no thread of the operating system is started, and no task is left."""
    before = real_threading.active_count()
    with World() as world:
        with world.host("a") as host:
            yield host
        assert list(world.leftovers()) == []
    assert real_threading.active_count() == before


# Threads


def test_threads_run_as_tasks_in_virtual_time(host: Host) -> None:
    """Each sleeps as long as it likes, in no time at all."""
    ended: list[float] = []

    def body(seconds: float) -> None:
        host.sleep(seconds)
        ended.append(host.world.now)

    threads = [threading.Thread(target=body, args=(seconds,)) for seconds in (3, 1, 2)]
    for thread in threads:
        assert not thread.is_alive()
        thread.start()
        assert thread.is_alive()
    for thread in threads:
        thread.join()
        assert not thread.is_alive()
    assert ended == [1, 2, 3]


def test_a_join_may_time_out(host: Host) -> None:
    """In virtual time; the thread lives on."""
    thread = threading.Thread(target=host.sleep, args=(10,))
    thread.start()
    thread.join(timeout=4)
    assert host.world.now == 4
    assert thread.is_alive()
    thread.join()


def test_names_count_from_the_beginning_in_each_world() -> None:
    """Threads and pools are called the same in every run, whatever ran before it."""

    def names() -> list[str]:
        with World() as world, world.host("a"):
            threads = [threading.Thread(target=int), threading.Thread(target=int)]
            with futures.ThreadPoolExecutor(1) as pool:
                threads.append(pool.submit(threading.current_thread).result())
            return [thread.name for thread in threads]

    first = names()
    # Python 3.10 does not say what a thread runs.
    assert [name.removesuffix(" (int)") for name in first] == [
        *("Thread-1", "Thread-2", "ThreadPoolExecutor-0_0"),
    ]
    assert names() == first


def test_identities_are_the_same_in_every_run() -> None:
    """get_ident counts tasks; current_thread is the object that was started."""

    def idents() -> list[int]:
        with World() as world, world.host("a"):
            seen: list[int] = []
            threads = [
                threading.Thread(target=lambda: seen.append(threading.get_ident()))
                for _ in range(3)
            ]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
                assert thread.ident in seen
            return seen

    assert idents() == idents()
    assert len(set(idents())) == 3


def test_current_thread_and_enumerate_know_each_worlds_own(host: Host) -> None:
    """The main thread is the code outside all tasks."""
    assert threading.current_thread() is threading.main_thread()
    seen: list[Any] = []

    def body() -> None:
        seen.append(threading.current_thread())
        seen.append(list(threading.enumerate()))

    thread = threading.Thread(target=body, name="worker")
    thread.start()
    thread.join()
    assert seen[0] is thread
    assert seen[1] == [threading.main_thread(), thread]
    with World() as other, other.host("b"):
        assert list(threading.enumerate()) == [threading.main_thread()]


def test_an_exception_goes_to_the_hook(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    """threading.excepthook, and the world goes on."""
    caught: list[Any] = []
    monkeypatch.setattr(threading, "excepthook", caught.append)
    thread = threading.Thread(target=lambda: 1 // 0)
    thread.start()
    thread.join()
    assert [args.exc_type for args in caught] == [ZeroDivisionError]


def test_the_hook_of_the_process_hears_of_it_too(
    host: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Unless the program has one of its own: so pytest learns of it."""
    caught: list[Any] = []
    monkeypatch.setattr(real_threading, "excepthook", caught.append)
    thread = threading.Thread(target=lambda: 1 // 0)
    thread.start()
    thread.join()
    assert [(args.exc_type, args.thread) for args in caught] == [(ZeroDivisionError, thread)]


def test_a_thread_that_the_world_ends_is_no_failure(capsys: pytest.CaptureFixture[str]) -> None:
    """Nothing is printed for threads that still wait when it closes."""
    with World() as world, world.host("a") as host:
        threading.Thread(target=host.sleep, args=(1000,), daemon=True).start()
        host.sleep(1)
    assert capsys.readouterr().err == ""


def test_a_pool_that_the_world_ends_is_no_failure(caplog: pytest.LogCaptureFixture) -> None:
    """Nothing is said of its idle threads; what fails in one is told as ever."""
    with World() as world, world.host("a"):
        pool = futures.ThreadPoolExecutor(1)
        assert pool.submit(int).result() == 0
        failing = futures.ThreadPoolExecutor(1, initializer=int, initargs=("x",))
        assert failing.submit(int).exception() is not None
    assert [record.message for record in caplog.records] == ["Exception in initializer:"]


def test_locals_are_apart(host: Host) -> None:
    """threading.local: one set of attributes for each thread, made anew in each."""

    class Counter(threading.local):  # type: ignore[misc]
        def __init__(self, start: int) -> None:
            self.value = start

    counter = Counter(10)
    counter.value += 5
    seen: list[int] = []

    def body() -> None:
        seen.append(counter.value)
        counter.value += 1
        seen.append(counter.value)

    thread = threading.Thread(target=body)
    thread.start()
    thread.join()
    assert seen == [10, 11]
    assert counter.value == 15


def test_raw_threads_start_too(host: Host) -> None:
    """_thread.start_new_thread, and its checks of arguments."""
    seen: list[tuple[int, int]] = []
    ident = locks.module.start_new_thread(lambda x, y: seen.append((x, y)), (1,), {"y": 2})
    host.sleep(1)
    assert seen == [(1, 2)]
    assert ident > locks.MAIN_IDENT
    with pytest.raises(TypeError, match="callable"):
        locks.module.start_new_thread(1, ())
    with pytest.raises(TypeError, match="tuple"):
        locks.module.start_new_thread(print, [])


def test_what_a_raw_thread_raises_is_told_by_the_interpreters_own_hook(
    host: Host, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Which takes its own type of argument alone."""

    def raw() -> None:
        raise ValueError("nobody catches this")

    monkeypatch.setattr("sys.unraisablehook", sys.__unraisablehook__)
    locks.module.start_new_thread(raw, ())
    host.sleep(1)
    told = capsys.readouterr().err
    assert re.search("Exception ignored in thread started by:? <function .*raw", told)
    assert "ValueError: nobody catches this" in told


def test_an_exception_of_no_thread_object_names_the_task(
    host: Host, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """By the identity that the program sees."""
    # (pytest has a hook of its own there.)
    monkeypatch.setattr(real_threading, "excepthook", real_threading.__excepthook__)
    error = ValueError("lost")
    threading.excepthook(threading.ExceptHookArgs((ValueError, error, None, None)))
    assert capsys.readouterr().err == "Exception in thread 1:\nValueError: lost\n"
    threading.excepthook(threading.ExceptHookArgs((SystemExit, SystemExit(), None, None)))
    assert capsys.readouterr().err == ""


def test_main_may_interrupt_itself(host: Host) -> None:
    """At once, as the real main thread does."""
    with pytest.raises(KeyboardInterrupt):
        locks.module.interrupt_main()
    host.sleep(1)


def test_two_interruptions_are_both_heard(host: Host) -> None:
    """Also if the first raises."""
    heard: list[int] = []

    def first() -> None:
        heard.append(1)
        raise KeyError

    def both() -> None:
        host.scheduler.call_in_main(first)
        host.scheduler.call_in_main(lambda: heard.append(2))

    host.world.at(1, both)
    with pytest.raises(KeyError):
        host.sleep(5)
    assert heard == [1, 2]


def test_a_lock_shows_itself_as_the_real_one_does(host: Host) -> None:
    """Free or taken, by whom and how often."""
    for lock in (threading.Lock(), threading.RLock()):
        assert re.fullmatch(r"<unlocked (_thread\.)?.*object.* at 0x\w+>", repr(lock))
        with lock:
            assert re.fullmatch(r"<locked (_thread\.)?.*object.* at 0x\w+>", repr(lock))


@pytest.mark.skipif(sys.version_info < (3, 13), reason="it is new in Python 3.13")
def test_a_handle_is_not_done_before_it_has_begun(host: Host) -> None:
    """RuntimeError, as by the real one."""
    with pytest.raises(RuntimeError, match="thread not started"):
        locks.module._ThreadHandle()._set_done()
    handle = locks.module.start_joinable_thread(lambda: None)
    handle._set_done()
    assert handle.is_done()
    host.sleep(1)


def test_a_lock_that_may_be_taken_again_ignores_arguments(host: Host) -> None:
    """So does the real type."""
    with locks.module.RLock(1, 2, three=3) as taken:
        assert taken


def test_locks_are_made_as_the_real_ones_are(host: Host) -> None:
    """By the function, or, since Python 3.13, by the class; which takes no classes below it."""

    def told(module: Any) -> list[Any]:
        seen: list[Any] = []
        for make in (module.LockType, lambda: type("Own", (module.LockType,), {})):
            try:
                seen.append(re.sub("0x.*", "", repr(make())))
            except TypeError as error:
                seen.append(str(error))
        return seen

    assert told(locks.module) == told(real_thread)


def test_a_class_may_keep_what_makes_locks(host: Host) -> None:
    """It does not become a method."""

    class Keeper:
        make = threading.Lock
        allocate = locks.module.allocate_lock

    assert isinstance(Keeper().make(), locks.module.LockType)
    assert isinstance(Keeper().allocate(), locks.module.LockType)


@pytest.mark.parametrize("kind", [queue.Queue, queue.LifoQueue, queue.PriorityQueue])
def test_a_loop_over_a_queue_without_waiting_makes_progress(host: Host, kind: Any) -> None:
    """Whoever finds it empty or full lets others have their turn, and time passes."""
    line = kind(1)
    line.put("first")
    got: list[str] = []
    host.spawn(lambda: (host.sleep(1), got.append(line.get())))
    while True:
        try:
            line.put("second", block=False)
            break
        except queue.Full:
            pass
    assert line.get() == "second"
    host.spawn(lambda: (host.sleep(1), line.put("third")))
    while len(got) < 2:
        with contextlib.suppress(queue.Empty):
            got.append(line.get_nowait())
    assert got == ["first", "third"]


def test_what_threading_shows_is_listed(host: Host) -> None:
    """In the same order and number as of the real module."""
    assert threading.__all__ == real_threading.__all__
    # pytest puts a hook of its own into the real module.
    for name in set(threading.__all__) - {"excepthook"}:
        home = getattr(getattr(real_threading, name), "__module__", None)
        assert getattr(getattr(threading, name), "__module__", None) == home


def test_a_thread_begins_without_context_variables(host: Host) -> None:
    """As a thread of the real system; what runs code in the caller's context hands it over."""
    variable = contextvars.ContextVar("variable", default=0)
    variable.set(1)
    seen: list[int] = []
    for thread_class in (threading.Thread, real_threading.Thread):
        thread = thread_class(target=lambda: seen.append(variable.get()))
        thread.start()
        thread.join()
    with futures.ThreadPoolExecutor() as pool:
        seen.append(pool.submit(variable.get).result())
        seen.append(pool.submit(contextvars.copy_context().run, variable.get).result())
    assert seen == [0, 0, 0, 1]


def test_what_has_begun_is_not_searched_for_every_thread(host: Host) -> None:
    """So that ten thousand of them begin and end in a time that grows with their number alone."""
    go = threading.Event()
    all_threads = [threading.Thread(target=go.wait) for _ in range(3)]
    for thread in all_threads:
        thread.start()
    assert len(getattr(threading, "_shutdown_locks", ())) <= 1
    go.set()
    for thread in all_threads:
        thread.join()


def test_a_thread_needs_a_host() -> None:
    """Outside every host there is nowhere to run it."""
    with pytest.raises((SimnetError, RuntimeError)):
        threading.Thread(target=print).start()


# Locks


def test_who_waits_for_a_lock_gets_it_in_turn(host: Host) -> None:
    """First come, first served."""
    lock = threading.Lock()
    order: list[int] = []

    def body(number: int) -> None:
        with lock:
            order.append(number)
            host.sleep(1)

    threads = [threading.Thread(target=body, args=(number,)) for number in range(5)]
    lock.acquire()
    for thread in threads:
        thread.start()
    host.sleep(0)
    lock.release()
    for thread in threads:
        thread.join()
    assert sorted(order) == list(range(5))
    assert host.world.now == 5


def test_a_lock_may_be_tried_and_waited_for(host: Host) -> None:
    """acquire(False), acquire(timeout=...), and what C checks of their arguments."""
    lock = threading.Lock()
    assert lock.acquire()
    assert lock.locked()
    assert not lock.acquire(False)
    assert not lock.acquire(timeout=2.5)
    assert host.world.now == 2.5
    with pytest.raises(ValueError, match="non-blocking"):
        lock.acquire(False, 1)
    with pytest.raises(ValueError, match="timeout value must be"):
        lock.acquire(timeout=-2)
    with pytest.raises(OverflowError):
        lock.acquire(timeout=1e100)
    lock.release()
    with pytest.raises(RuntimeError, match="unlocked"):
        lock.release()


Call = Callable[[Any], object]


def outcome(call: Call, kind: Any) -> str:
    """What a call of an object of a kind does, in words."""
    try:
        result = call(kind)
    except Exception as exc:
        return f"{type(exc).__name__}: {exc}"
    return repr(result)


NAN, INF = float("nan"), float("inf")
TIMEOUTS: list[Any] = [-2, -1e-9, NAN, -INF, INF, 1e300, 2**70, "x", None, []]
WRONG: list[tuple[Any, ...]] = [
    *((True, timeout) for timeout in TIMEOUTS),
    *((False, timeout) for timeout in [*TIMEOUTS, 0, 1, -1.0]),
    (0,),
]


@pytest.mark.parametrize("arguments", WRONG)
@pytest.mark.parametrize("kind", ["Lock", "RLock"])
def test_arguments_of_acquire_are_checked_as_by_the_real_one(
    host: Host, kind: str, arguments: tuple[Any, ...]
) -> None:
    """Whether the lock is free or not; the same words."""

    def acquire(lock: Any) -> Any:
        return lock.acquire(*arguments)

    simulated, real = getattr(threading, kind)(), getattr(real_threading, kind)()
    for _ in range(2):
        assert outcome(acquire, simulated) == outcome(acquire, real)
        simulated.acquire(False)
        real.acquire(False)


@pytest.mark.parametrize("arguments", [(True, -1), (True, NAN), (True, "x"), (False, -1), (0, "x")])
def test_arguments_of_a_simple_queues_get_too(host: Host, arguments: Any) -> None:
    """A timeout means nothing to a call that does not wait."""

    def get(queue: Any) -> Any:
        return queue.get(*arguments)

    assert outcome(get, queue.SimpleQueue()) == outcome(get, real_queue.SimpleQueue())


@pytest.mark.parametrize("attempt", [pickle.dumps, copy.copy, copy.deepcopy])
@pytest.mark.parametrize("kind", ["Lock", "RLock", "local", "SimpleQueue"])
def test_what_cannot_be_copied_cannot_be_here(host: Host, kind: str, attempt: Call) -> None:
    """Nor what holds one."""
    simulated: Any = queue if kind.endswith("Queue") else threading
    real: Any = real_queue if kind.endswith("Queue") else real_threading
    there = outcome(attempt, getattr(real, kind)())
    here = outcome(attempt, getattr(simulated, kind)())
    assert here.startswith("TypeError: cannot pickle") == there.startswith("TypeError")


def test_an_rlock_counts(host: Host) -> None:
    """Its holder may take it again; another may neither take nor release it."""
    lock = threading.RLock()
    refused: list[Any] = []

    def other() -> None:
        refused.append(lock.acquire(False))
        try:
            lock.release()
        except RuntimeError as error:
            refused.append(str(error))

    with lock, lock:
        thread = threading.Thread(target=other)
        thread.start()
        thread.join()
    assert refused == [False, "cannot release un-acquired lock"]
    assert lock.acquire(False)
    lock.release()


def test_conditions_events_semaphores_and_barriers_wait(host: Host) -> None:
    """The classes that threading builds on locks."""
    event, condition = threading.Event(), threading.Condition()
    semaphore, barrier = threading.BoundedSemaphore(1), threading.Barrier(2)
    seen: list[str] = []

    def body() -> None:
        event.wait()
        seen.append("event")
        with condition:
            assert condition.wait_for(lambda: "go" in seen)
        seen.append("condition")
        with semaphore:
            seen.append("semaphore")
        barrier.wait()
        seen.append("barrier")

    thread = threading.Thread(target=body)
    thread.start()
    assert not threading.Event().wait(timeout=1)
    event.set()
    host.sleep(1)
    with condition:
        seen.append("go")
        condition.notify_all()
    semaphore.acquire()
    host.sleep(1)
    semaphore.release()
    barrier.wait()
    thread.join()
    assert seen == ["event", "go", "condition", "semaphore", "barrier"]


def test_a_condition_lets_nobody_else_run(host: Host) -> None:
    """To notify is no reason to wait, nor to put something into a queue, or to take it out."""
    waiting = queue.Queue[int]()
    task = host.spawn(int)
    steps = host.scheduler.steps
    for condition in (threading.Condition(), threading.Condition(threading.Lock())):
        with condition:
            condition.notify_all()
    waiting.put(1)
    assert waiting.get() == 1
    assert host.scheduler.steps == steps
    assert task.result() == 0


def test_a_timer_calls_back_later_or_is_cancelled(host: Host) -> None:
    """threading.Timer in virtual time."""
    called: list[float] = []
    threading.Timer(100, lambda: called.append(host.world.now)).start()
    cancelled = threading.Timer(50, lambda: called.append(-1))
    cancelled.start()
    cancelled.cancel()
    host.sleep(200)
    assert called == [100]


def test_a_deadlock_among_locks_names_the_circle() -> None:
    """Who holds what the next one waits for."""
    one, two = threading.Lock(), threading.Lock()
    with World() as world, world.host("a") as host:

        def body(first: Any, second: Any) -> None:
            with first:
                host.sleep(1)
                second.acquire()

        for locks_in_order in ((one, two), (two, one)):
            threading.Thread(target=body, args=locks_in_order, daemon=True).start()
        with pytest.raises(Deadlock) as caught:
            threading.Event().wait()
    assert "locked in a circle: 'Thread-1 (body)' -> 'Thread-2 (body)' -> 'Thread-1 (body)'" in str(
        caught.value
    )


def test_a_lock_that_its_only_holder_wants_again_is_a_deadlock(host: Host) -> None:
    """A circle of one."""
    lock = threading.Lock()
    lock.acquire()
    with pytest.raises(Deadlock, match="locked in a circle: 'main' -> 'main'"):
        lock.acquire()


def test_waiting_for_a_notification_is_no_circle(host: Host) -> None:
    """Though a condition waits for a lock that the waiter itself has taken."""
    with pytest.raises(Deadlock, match="'main': acquire") as caught:
        threading.Event().wait()
    assert "locked in a circle" not in str(caught.value)


def outside() -> Any:
    """An executor whose threads are of the real system."""
    return concurrent.futures.ThreadPoolExecutor(2)


@pytest.mark.parametrize("kind", ["Lock", "RLock"])
def test_outside_a_host_locks_keep_threads_of_the_real_system_apart(kind: str) -> None:
    """As real ones: who waits gets it when it is given back; in a time or not."""
    lock = getattr(threading, kind)()
    with outside() as pool:
        lock.acquire()
        assert not pool.submit(lock.acquire, False).result()
        assert not pool.submit(lock.acquire, timeout=0.01).result()
        waiting = pool.submit(lock.acquire)
        assert not concurrent.futures.wait([waiting], 0.02).done
        lock.release()
        assert waiting.result(10)


def test_outside_a_host_two_threads_never_have_a_lock_together() -> None:
    """Whichever way the interpreter switches between them."""
    lock = threading.Lock()
    inside: list[int] = []
    interval = sys.getswitchinterval()

    def work() -> None:
        for _ in range(300):
            with lock:
                inside.append(1)
                assert len(inside) == 1
                inside.pop()

    sys.setswitchinterval(1e-6)
    try:
        with outside() as pool:
            for done in [pool.submit(work) for _ in range(2)]:
                done.result(30)
    finally:
        sys.setswitchinterval(interval)


def test_outside_a_host_queues_events_and_conditions_serve_threads_of_the_real_system() -> None:
    """Those of a module that was imported in a patched program go on when the patch is over."""
    with World() as world, world.host("a"):
        event, jobs, simple = threading.Event(), queue.Queue(1), queue.SimpleQueue()
    with pytest.raises(real_queue.Empty):
        jobs.get(timeout=0.01)
    assert not event.wait(0.01)
    with outside() as pool:
        got = pool.submit(lambda: (jobs.get(), simple.get(), event.wait(10)))
        jobs.put(1)
        simple.put(2)
        event.set()
        assert got.result(10) == (1, 2, True)


def test_outside_a_host_nobody_waits_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    """For a lock that a task holds, or one that no other thread could give back."""
    lock = threading.Lock()
    with World() as world, world.host("a"):
        lock.acquire()
    with pytest.raises(SimnetError, match="no thread that could give it back"):
        lock.acquire()
    lock.release()
    monkeypatch.setattr(sys, "_current_frames", dict(enumerate([None])).copy)
    with lock:
        assert not lock.acquire(False)
        with pytest.raises(SimnetError, match="no thread that could give it back"):
            lock.acquire()


# Queues and pools


@pytest.mark.parametrize("make", [queue.Queue, queue.LifoQueue, queue.SimpleQueue])
def test_a_queue_waits_for_what_comes(host: Host, make: Callable[[], Any]) -> None:
    """get() blocks, times out with the real queue.Empty, and is woken."""
    items = make()
    with pytest.raises(real_queue.Empty):
        items.get(timeout=3)
    assert host.world.now == 3
    threading.Timer(10, items.put, ("item",)).start()
    assert items.get() == "item"
    assert host.world.now == 13
    with pytest.raises(real_queue.Empty):
        items.get_nowait()


def test_a_full_queue_waits_for_room(host: Host) -> None:
    """put() blocks and times out with the real queue.Full; join() waits for task_done()."""
    items = queue.Queue(maxsize=1)
    items.put(1)
    with pytest.raises(real_queue.Full):
        items.put(2, timeout=1)

    def work() -> None:
        host.sleep(5)
        items.get()
        items.task_done()

    threading.Thread(target=work).start()
    items.join()
    assert host.world.now == 6


def test_a_pool_runs_tasks(host: Host) -> None:
    """map, submit, as_completed, wait; results come in virtual time."""

    def nap(seconds: float) -> float:
        host.sleep(seconds)
        return seconds

    with futures.ThreadPoolExecutor(max_workers=3) as pool:
        assert list(pool.map(nap, [3, 2, 1])) == [3, 2, 1]
        assert host.world.now == 3
        submitted = [pool.submit(nap, seconds) for seconds in (3, 1, 2)]
        assert all(isinstance(future, RealFuture) for future in submitted)
        assert [future.result() for future in futures.as_completed(submitted)] == [1, 2, 3]
        slow = pool.submit(nap, 100)
        done, not_done = futures.wait([slow, pool.submit(nap, 1)], timeout=10)
        assert (len(done), len(not_done)) == (1, 1)
        with pytest.raises(PoolTimeout):
            slow.result(timeout=1)
        failing = pool.submit(lambda: 1 // 0)
        assert isinstance(failing.exception(), ZeroDivisionError)


def test_what_a_pool_has_not_begun_can_be_cancelled(host: Host) -> None:
    """With the real CancelledError."""
    with futures.ThreadPoolExecutor(max_workers=1) as pool:
        pool.submit(host.sleep, 10)
        second = pool.submit(host.sleep, 10)
        assert second.cancel()
        with pytest.raises(CancelledError):
            second.result()
    assert host.world.now == 10


def test_a_pool_is_as_large_on_every_machine(host: Host) -> None:
    """By default its size follows from the processors that a host claims to have."""
    with futures.ThreadPoolExecutor() as pool:
        assert pool._max_workers == 8


def test_equal_seeds_interleave_threads_equally() -> None:
    """Other seeds do otherwise: the seed matters."""

    def order(seed: int) -> list[int]:
        with World(seed) as world, world.host("a") as host:
            seen: list[int] = []

            def body(number: int) -> None:
                for _ in range(3):
                    host.sleep(0)
                    seen.append(number)

            threads = [threading.Thread(target=body, args=(number,)) for number in range(4)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            return seen

    assert order(1) == order(1)
    assert len({tuple(order(seed)) for seed in range(5)}) > 1


@pytest.mark.parametrize("kind", [threading.Thread, futures.Future], ids=["threads", "futures"])
def test_sets_of_threads_and_futures_have_the_same_order_in_every_run(kind: Any) -> None:
    """Pools join their threads in that order."""

    def order() -> list[int]:
        with World() as world, world.host("a"):
            made = [kind() for _ in range(50)]
            runs.append(made)  # their addresses are not used again
            return [made.index(each) for each in set(made)]

    runs: list[Any] = []
    assert order() == order() == order()


def test_the_main_thread_can_be_interrupted(host: Host) -> None:
    """The handler of the signal runs in it; a signal without one, or ignored, does nothing."""

    def interrupt(number: int) -> None:
        host.sleep(1)
        _thread.interrupt_main(number)

    host.spawn(interrupt, signal.SIGINT)
    with pytest.raises(KeyboardInterrupt):
        host.sleep(5)
    host.spawn(interrupt, signal.SIGUSR1)
    host.sleep(5)
    for number in (-1, 0, signal.NSIG):
        with pytest.raises(ValueError, match="signal number out of range"):
            _thread.interrupt_main(number)


class Enough(Exception):
    """Ends a run."""


class Ends(BySeed):
    """Lets others run wherever it can, and ends the run soon, as Hypothesis may."""

    def __init__(self, at: int) -> None:
        super().__init__()
        self.left = at

    def begin(self, end_run: Callable[[BaseException], None]) -> None:
        self.end_run = end_run

    def choose(self, question: Question, by_seed: Callable[[], int]) -> int:
        self.left -= 1
        if not self.left:
            self.end_run(Enough())
        return min(1, question.count - 1) if self.left > 0 else 0


def test_a_thread_that_never_began_goes_with_its_world() -> None:
    """It had been started, and the run ended before its first turn."""
    for at in range(1, 12):
        found = run(lost_update, 0, "uniform", Ends(at), {})
        assert isinstance(found.failure, Enough | None)
    with World() as other, other.host("b"):
        assert list(threading.enumerate()) == [threading.main_thread()]
