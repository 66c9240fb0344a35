"""Timing: both backends in one run, round by round, under the same conditions."""

from __future__ import annotations

import gc
import resource
import socket
import statistics
import time
import tracemalloc
from collections.abc import Callable, Iterable
from contextlib import ExitStack
from typing import Any

import attrs

import realnet
import simnet
from simnet.api import Network
from tests.benchmarks.bodies import Benchmark

SPARE_DESCRIPTORS = 200


class Kernel(realnet.Network):
    """The real backend with the standard library's own socket, which `realnet` wraps to count."""

    def socket(self, *args: Any, **kwargs: Any) -> Any:
        return socket.socket(*args, **kwargs)

    def socketpair(self, *args: Any, **kwargs: Any) -> Any:
        return socket.socketpair(*args, **kwargs)

    def create_server(self, address: Any, **kwargs: Any) -> Any:
        return socket.create_server(address, **kwargs)


def simulated() -> Network:
    """One simulated host."""
    return simnet.World().host("localhost")


BACKENDS: dict[str, Callable[[], Network]] = {"kernel": Kernel, "simulator": simulated}


@attrs.frozen
class Row:
    """One benchmark's seconds for one repetition, a number per round, and bytes where measured."""

    benchmark: Benchmark
    kernel: list[float]
    simulator: list[float]
    kernel_repetitions: int
    bytes_each: float | None = None

    def ratio(self, summary: Callable[[Iterable[float]], float] = statistics.median) -> float:
        """How many times faster the simulator is."""
        return summary(self.kernel) / summary(self.simulator)


def timed(
    operation: Callable[[int], None],
    repetitions: int,
    clock: Callable[[], float] = time.perf_counter,
) -> float:
    """Seconds for one repetition. The garbage collector runs before, and not meanwhile."""
    gc.collect()
    gc.disable()
    try:
        before = clock()
        operation(repetitions)
        return (clock() - before) / repetitions
    finally:
        gc.enable()


def raise_descriptor_limit() -> int:
    """As many descriptors as allowed; how many that is."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return hard


def _repetitions(benchmark: Benchmark, make: Callable[[], Network], seconds: float) -> int:
    """How many repetitions take about that long; finding out is a warm-up as well."""
    times = 16  # the first few of a fresh process or thread can take milliseconds
    with make() as net, ExitStack() as stack:
        operation = benchmark.prepare(net, stack)
        while True:
            operation(times)
            took = timed(operation, times) * times
            if took >= seconds / 2:
                return max(16, round(times * seconds / took))
            times *= 2


def _round(benchmark: Benchmark, make: Callable[[], Network], repetitions: int) -> float:
    """One round: a fresh network, a warm-up as long as a third of it, and the timing."""
    with make() as net, ExitStack() as stack:
        operation = benchmark.prepare(net, stack)
        if benchmark.repetitions is None:
            operation(repetitions // 3 + 1)
        return timed(operation, repetitions)


def bytes_each(benchmark: Benchmark, repetitions: int) -> float:
    """Bytes of memory of the simulator for each repetition, by tracemalloc."""
    with simulated() as net, ExitStack() as stack:
        operation = benchmark.prepare(net, stack)
        operation(repetitions // 10 + 1)
        tracemalloc.start()
        try:
            operation(repetitions)
            return tracemalloc.get_traced_memory()[0] / repetitions
        finally:
            tracemalloc.stop()


def measure(benchmark: Benchmark, *, rounds: int, seconds: float, scale: float = 1.0) -> Row:
    """All rounds of one benchmark. The backends take turns in who comes first."""
    times: dict[str, list[float]] = {name: [] for name in BACKENDS}
    counts: dict[str, int] = {}
    for name, make in BACKENDS.items():
        if benchmark.repetitions is None:
            counts[name] = _repetitions(benchmark, make, seconds)
        else:
            counts[name] = max(1, round(benchmark.repetitions * scale))
    if benchmark.repetitions is not None:
        room = (raise_descriptor_limit() - SPARE_DESCRIPTORS) // 2
        counts["kernel"] = min(counts["kernel"], room)
    for number in range(rounds):
        order = list(BACKENDS)[:: 1 if number % 2 else -1]
        for name in order:
            times[name].append(_round(benchmark, BACKENDS[name], counts[name]))
    memory = bytes_each(benchmark, counts["simulator"]) if benchmark.memory else None
    return Row(benchmark, times["kernel"], times["simulator"], counts["kernel"], memory)
