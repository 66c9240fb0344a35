"""A failure's signature names the exception and the program's own line."""

from __future__ import annotations

import json

import pytest

from simnet.errors import Deadlock
from simnet.failures import headline, place, signature
from simnet.world import World


def test_it_is_the_innermost_line_of_the_program() -> None:
    """Not the standard library's, in which it was raised."""
    with pytest.raises(ValueError, match="Expecting") as raised:
        json.loads("{")
    assert signature(raised.value).startswith("JSONDecodeError at test_failures.py:")
    assert signature(raised.value).endswith("in test_it_is_the_innermost_line_of_the_program")


def test_the_simulator_is_not_where_a_program_fails() -> None:
    """A call that nobody will ever answer is."""
    with World() as world:
        one, _ = world.host("h").socketpair()
        with pytest.raises(Deadlock) as raised:
            one.recv(1)
    assert " in test_the_simulator_is_not_where_a_program_fails" in place(raised.value)


def test_one_that_was_never_raised_has_no_place() -> None:
    """Then the exception alone has to do."""
    assert signature(KeyError("x")) == "KeyError"
    assert headline(ValueError("one\ntwo")) == "one"
