"""Conditions of links and settings of kernels, as scenarios have them.

A packet's conditions come from chance while the world runs: its seed, or whoever decides in its
place, says which packet is lost.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from simnet.scenario.conditions import CONDITIONS, LIMITS
from simnet.strategies.bounds import check_between, check_range, chosen

# How many conditions or settings are there at once: each means more draws.
MOST = 4
_MTUS = (1500, 1499, 1492, 1400, 1280, 576, 577, 9000, 65536)
_QUEUES = (1000, 100, 10, 2, 1)


def _milliseconds(most: float) -> SearchStrategy[float]:
    """Seconds, in thousandths, from the first on."""
    if most < 0.001:
        return st.just(most)
    return st.integers(1, int(most * 1000)).map(lambda count: count / 1000)


def _percent(most: float) -> SearchStrategy[float]:
    if most < 0.01:
        return st.just(most)
    return st.integers(1, int(most * 100)).map(lambda count: count / 100)


def _bandwidths(least: float) -> SearchStrategy[float]:
    """From 10 Gbit/s down."""
    powers = [float(10**power) for power in range(10, -1, -1)]
    return st.sampled_from([*(rate for rate in powers if rate > least), least])


def link_conditions(
    keys: Iterable[str] = tuple(CONDITIONS),
    *,
    max_latency: float = 1.0,
    max_jitter: float = 0.5,
    min_bandwidth: float = 10_000.0,
    max_loss: float = 0.2,
    max_duplicate: float = 0.2,
    max_reorder: float = 0.2,
    max_corrupt: float = 0.2,
    min_mtu: int = 576,
    max_mtu: int = 65536,
) -> SearchStrategy[dict[str, float]]:
    """Conditions of a link by name, as `World.link` takes them: none, or up to four of them.

    `keys` are those that may be there: latency and jitter in seconds, bandwidth in bits per second,
    queue in packets, loss, duplicate, reorder and corrupt as probabilities, mtu in bytes. A maximum
    of 0 leaves one out. Shrinks toward {}, an ideal link, and each value toward the mildest (1 ms,
    1 %, 10 Gbit/s, 1000 packets, 1500 bytes). ValueError for an unknown key, or a bound that no
    link has.

    >>> strategies.link_conditions(["latency", "loss"], max_latency=0.1).example()
    {'latency': 0.02}
    """
    seconds = {"latency": max_latency, "jitter": max_jitter}
    shares = {
        "loss": max_loss,
        "duplicate": max_duplicate,
        "reorder": max_reorder,
        "corrupt": max_corrupt,
    }
    for name, most in seconds.items():
        check_between(f"max_{name}", most, 0, 10_000_000)
    for name, most in shares.items():
        check_between(f"max_{name}", most, 0, 1)
    check_between("min_bandwidth", min_bandwidth, 1, 10**10)
    check_range("mtu", min_mtu, max_mtu, 576, 65536)
    mtus = [mtu for mtu in _MTUS if min_mtu <= mtu <= max_mtu] or [max_mtu]
    values: dict[str, SearchStrategy[float]] = {
        **{name: _milliseconds(most) for name, most in seconds.items() if most},
        "bandwidth": _bandwidths(min_bandwidth),
        "queue": st.sampled_from(_QUEUES),
        **{name: _percent(most) for name, most in shares.items() if most},
        "mtu": st.sampled_from(mtus),
    }
    return _some_of({key: values[key] for key in chosen("keys", keys, CONDITIONS) if key in values})


def host_limits(keys: Iterable[str] = tuple(LIMITS)) -> SearchStrategy[dict[str, float]]:
    """Settings of a host's kernel by the names of sysctls, as `World.limit` takes them, up to four.

    Shrinks toward {}, which leaves all as they are, and each value toward the lowest that Linux
    takes. ValueError for an unknown key.

    >>> strategies.host_limits(["tcp_syn_retries", "somaxconn"]).example()
    {'tcp_syn_retries': 2}
    """
    ends = {key: LIMITS[key].ends for key in chosen("keys", keys, LIMITS)}
    return _some_of({key: st.integers(*pair) for key, pair in ends.items() if pair is not None})


def _some_of(values: dict[str, SearchStrategy[Any]]) -> SearchStrategy[dict[str, Any]]:
    """A few of them, each with its value."""
    if not values:
        return st.just({})
    one = st.sampled_from(list(values)).flatmap(
        lambda key: values[key].map(lambda value: (key, value))
    )
    return st.lists(one, max_size=MOST, unique_by=lambda pair: pair[0]).map(dict)
