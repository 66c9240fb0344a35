"""A pytest plugin that runs each test, with its fixtures, on a simulated host.

What is known to differ is an expected failure, or is left out where it would not end.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from simnet import World

# By module and name, with the reason.
DIFFERENCES = {
    "test_threads::test_run_in_worker_thread": (
        "the worker of a job that is done is kept by trio, and ends here"
    ),
    "test_threads::test_run_in_worker_thread_fail_to_spawn": (
        "it replaces trio's cache of threads, which a simulated run does not ask"
    ),
    "test_io::test_io_manager_statistics": "a run is not woken through a descriptor here",
    "test_guest_mode::test_warn_set_wakeup_fd_overwrite": (
        "it gives signal.set_wakeup_fd a simulated descriptor"
    ),
}
LEFT_OUT = {
    "test_guest_mode::test_guest_mode_internal_errors": (
        "it breaks trio's poller, which a simulated run replaces, and leaves the run behind"
    ),
    "test_threads::test_named_thread_os": "it gives the C library the number of a simulated thread",
    "test_run::test_TrioToken_run_sync_soon_threaded_stress_test": (
        "two threads that wake each other without end let no virtual time pass"
    ),
}
# Left are those about processes (refused), files, TLS without a network, and trio's own tools.
MODULES = (
    *(
        "_tests.test_socket",
        "_tests.test_highlevel_socket",
        "_tests.test_highlevel_open_tcp_stream",
    ),
    *("_tests.test_highlevel_open_tcp_listeners", "_tests.test_highlevel_open_unix_stream"),
    *("_tests.test_highlevel_serve_listeners", "_tests.test_threads", "_tests.test_timeouts"),
    *("_tests.test_sync", "_tests.test_channel", "_tests.test_signals", "_tests.test_testing"),
    *("_core._tests.test_io", "_core._tests.test_run", "_core._tests.test_guest_mode"),
    *("_core._tests.test_ki", "_core._tests.test_asyncgen", "_core._tests.test_local"),
    *("_core._tests.test_instrumentation", "_core._tests.test_parking_lot"),
    "_core._tests.test_mock_clock",
)


def _key(item: pytest.Item) -> str:
    assert isinstance(item, pytest.Function)
    return f"{item.module.__name__.rpartition('.')[2]}::{item.name}"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what is known to differ."""
    for item in items:
        key = _key(item)
        if key in LEFT_OUT:
            item.add_marker(pytest.mark.skip(reason=LEFT_OUT[key]))
        if key in DIFFERENCES:
            item.add_marker(pytest.mark.xfail(reason=DIFFERENCES[key], strict=True))


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_protocol(item: pytest.Item) -> Iterator[None]:
    """A world of its own for each test."""
    with World() as world:
        with world.patch(world.host("localhost", ip=["10.0.0.1", "fd00::1"])):
            return (yield)
