"""Tasks on the operating system: threads that keep their result."""

from __future__ import annotations

import threading

import pytest

from realnet.tasks import ThreadTask

PATIENCE = 10.0


def test_a_task_is_a_thread_of_its_name() -> None:
    """Beside the caller's."""
    task = ThreadTask(threading.current_thread, (), "worker")
    thread = task.result(PATIENCE)
    assert thread.name == task.name == "worker"
    assert thread is not threading.current_thread()
    assert thread.daemon


def test_a_result_is_what_the_function_returned() -> None:
    """However often it is asked for."""
    task = ThreadTask(divmod, (7, 2), "division")
    assert task.result(PATIENCE) == task.result(PATIENCE) == (3, 1)
    assert task.done


@pytest.mark.parametrize("error", [ValueError("by hand"), SystemExit(3), KeyboardInterrupt()])
def test_an_exception_is_raised_where_the_result_is_asked_for(error: BaseException) -> None:
    """Nothing is printed by the thread, whatever it is."""

    def fail() -> None:
        raise error

    task = ThreadTask(fail, (), "failure")
    assert task.join(PATIENCE)
    with pytest.raises(type(error)) as caught:
        task.result(PATIENCE)
    assert caught.value is error


def test_a_task_that_goes_on_is_not_done() -> None:
    """join says so, and result times out."""
    release = threading.Event()
    task = ThreadTask(release.wait, (PATIENCE,), "waiting")
    try:
        assert not task.done
        assert not task.join(0)
        with pytest.raises(TimeoutError, match="timed out"):
            task.result(0)
    finally:
        release.set()
    assert task.result(PATIENCE) is True
