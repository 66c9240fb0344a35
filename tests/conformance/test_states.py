"""Every method in every state for every family gives what the kernel was recorded to give.

The expectations are data, recorded by `python -m tests.conformance.record_states`.
"""

from __future__ import annotations

from functools import cache

import pytest

from simnet.api import Network
from tests.conformance.record_states import expected
from tests.conformance.state_calls import CASES, METHODS, lines

_expected = cache(expected)


@pytest.mark.parametrize(
    ("family", "state", "method"), CASES, ids=["-".join(case) for case in CASES]
)
def test_method_in_state(net: Network, family: str, state: str, method: str) -> None:
    """A method, called in its typical ways on a socket in a state, gives what the kernel gives."""
    recorded = _expected(family)[state]
    assert lines(net, family, state, method) == {
        f"{method}: {label}": recorded[f"{method}: {label}"] for label in METHODS[method]
    }
