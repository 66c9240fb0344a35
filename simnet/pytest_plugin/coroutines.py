"""Tests and fixtures that are coroutines: all those of a test run in one event loop of its world.

A fixture that is an asynchronous generator is one asyncio task from its beginning to its end, so
that what it enters (task groups, timeouts, cancel scopes) it leaves in the same task. Context
variables that a fixture sets are its own: the test does not see them.
"""

from __future__ import annotations

import asyncio
import inspect
import unittest
from collections.abc import AsyncGenerator, Callable, Coroutine, Iterator
from contextlib import contextmanager, suppress
from types import TracebackType
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

import pytest

from simnet.errors import SimnetError
from simnet.pytest_plugin.settings import LOOP
from simnet.pytest_plugin.state import STATE

if TYPE_CHECKING:
    from simnet.world import World

__tracebackhide__ = True

Loop = asyncio.AbstractEventLoop
# Of the tasks that are fixtures: their generators, which no task knows.
_generators: WeakKeyDictionary[asyncio.Task[Any], AsyncGenerator[Any, None]] = WeakKeyDictionary()


def is_asynchronous(function: Any) -> bool:
    """Whether it is a coroutine function or an asynchronous generator."""
    return inspect.iscoroutinefunction(function) or inspect.isasyncgenfunction(function)


def is_coroutine_test(test: pytest.Function) -> bool:
    """Whether it has to run in a loop, and does not bring one (as methods of a TestCase do)."""
    if test.cls is not None and issubclass(test.cls, unittest.TestCase):
        return False
    holder, name = _place(test)
    return inspect.iscoroutinefunction(getattr(holder, name))


def _place(test: pytest.Function) -> tuple[Any, str]:
    """Where the function is that is called: Hypothesis has it inside its own."""
    hypothesis = getattr(test.obj, "hypothesis", None)
    return (test, "obj") if hypothesis is None else (hypothesis, "inner_test")


# The loop


def lifetime(world: World) -> Iterator[Loop]:
    """The event loop of a test."""
    if not world.hosts:
        world.host("localhost")
    loop = world.event_loop()
    try:
        yield loop
    finally:
        try:
            _cancel(loop, *_all_tasks(loop))
            loop.run_until_complete(loop.shutdown_asyncgens())
            loop.run_until_complete(loop.shutdown_default_executor())
        finally:
            loop.close()


def _all_tasks(loop: Loop) -> list[asyncio.Task[Any]]:
    """In an order that is always the same: their numbers are in their names."""
    return sorted(asyncio.all_tasks(loop), key=lambda task: (len(task.get_name()), task.get_name()))


def _cancel(loop: Loop, *tasks: asyncio.Task[Any]) -> None:
    for task in tasks:
        task.cancel()
    if tasks:
        # One that waits for what never comes, while it is cancelled, is left where it is.
        with suppress(SimnetError):
            loop.run_until_complete(asyncio.wait(tasks))


def run(loop: Loop, coroutine: Coroutine[Any, Any, Any], item: pytest.Item) -> Any:
    """Run it to its end."""
    task = loop.create_task(coroutine)
    return _run_until(loop, task, task, coroutine, item)


def _run_until(
    loop: Loop, future: asyncio.Future[Any], task: asyncio.Task[Any], waits: Any, item: pytest.Item
) -> Any:
    """Run until a task has done something. What ends the loop instead is shown where it waits."""
    try:
        return loop.run_until_complete(future)
    except BaseException as error:
        waiting = [_describe(each) for each in _all_tasks(loop)]
        state = item.stash.get(STATE, None)
        if state is not None:
            state.coroutines = waiting
        if future.done():
            raise
        stack = _stack(waits)
        _cancel(loop, task)
        if isinstance(error, SimnetError):
            error.args = ("\n  ".join((str(error), *waiting)),)
        raise error.with_traceback(stack) from error.__cause__


def _frames(coroutine: Any) -> Iterator[Any]:
    """The frames of what waits, the outermost first."""
    while coroutine is not None:
        for kind in ("cr", "ag", "gi"):
            frame = getattr(coroutine, f"{kind}_frame", None)
            if frame is not None:
                yield frame
                following = "gi_yieldfrom" if kind == "gi" else f"{kind}_await"
                coroutine = getattr(coroutine, following)
                break
        else:
            return


def _stack(coroutine: Any) -> TracebackType | None:
    """A traceback to where it waits."""
    stack = None
    for frame in reversed(list(_frames(coroutine))):
        stack = TracebackType(stack, frame, frame.f_lasti, frame.f_lineno)
    return stack


def _describe(task: asyncio.Task[Any]) -> str:
    frames = list(_frames(_generators.get(task) or task.get_coro()))
    inside = frames[0] if frames else None
    # The innermost that is not asyncio's: the line of the program that waits.
    for frame in frames:
        if not str(frame.f_globals.get("__name__", "")).startswith(("asyncio.", "simnet.")):
            inside = frame
    where = ""
    if inside is not None:
        code = inside.f_code
        where = f", at {code.co_filename}:{inside.f_lineno} in {code.co_name}"
    return f"asyncio {task.get_name()!r}: waits{where}"


# Tests


@contextmanager
def synchronous_test(test: pytest.Function, loop: Loop) -> Iterator[None]:
    """Within this block the test is a function that runs the coroutine in the loop."""
    backend: Any = test.funcargs.get("anyio_backend", "asyncio")
    if (backend if isinstance(backend, str) else backend[0]) != "asyncio":
        pytest.fail(
            f"anyio's backend is {backend!r} in this test, but a test in a simulated world runs "
            "in its asyncio loop: let `anyio_backend` be 'asyncio'",
            pytrace=False,
        )
    holder, name = _place(test)
    function = getattr(holder, name)

    def synchronous(*args: Any, **kwargs: Any) -> Any:
        return run(loop, function(*args, **kwargs), test)

    setattr(holder, name, synchronous)
    try:
        yield
    finally:
        setattr(holder, name, function)


# Fixtures


def synchronous_fixture(
    request: pytest.FixtureRequest, function: Callable[..., Any]
) -> Callable[..., Iterator[Any]]:
    """A generator function that does in the loop what a coroutine or asynchronous one does."""

    def synchronous(**kwargs: Any) -> Iterator[Any]:
        loop = request.getfixturevalue(LOOP)
        bound: Any = function
        own = getattr(function, "__self__", None)
        if request.instance is not None and type(own) is type(request.instance):
            # The fixtures of a class are bound to another instance than its tests are.
            bound = bound.__func__.__get__(request.instance)
        if inspect.isasyncgenfunction(function):
            yield from _generated(loop, bound(**kwargs), request.node)
        else:
            yield run(loop, bound(**kwargs), request.node)

    return synchronous


def _generated(loop: Loop, generator: AsyncGenerator[Any, None], item: pytest.Item) -> Any:
    given: asyncio.Future[Any] = loop.create_future()
    over: asyncio.Future[None] = loop.create_future()

    async def live() -> None:
        async for value in generator:
            if given.done():
                raise RuntimeError("a fixture yields once, and this one did again")
            given.set_result(value)
            await over
        if not given.done():
            raise RuntimeError("a fixture yields once, and this one did not")

    def ended(task: asyncio.Task[None]) -> None:
        if given.done():
            return
        if task.cancelled():
            given.cancel()
        else:
            given.set_exception(task.exception() or AssertionError)

    task = loop.create_task(live())
    task.add_done_callback(ended)
    _generators[task] = generator
    yield _run_until(loop, given, task, generator, item)
    if not over.done():
        over.set_result(None)
    _run_until(loop, task, task, generator, item)
