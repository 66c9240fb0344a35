"""Errors: the kernel's by number, and the simulator's own."""

from __future__ import annotations

import errno
import os

import pytest

from simnet import errors
from simnet.errors import Deadlock, ForeignThread, NoCurrentHost, SimnetError, StepLimit


@pytest.mark.parametrize("number", sorted(errno.errorcode))
def test_an_errno_becomes_the_exception_that_the_interpreter_would_raise(number: int) -> None:
    """The subclass, the number and the text."""
    raised = errors.os_error(number)
    expected = OSError(number, os.strerror(number))
    assert type(raised) is type(expected)
    assert raised.args == expected.args


def test_an_errno_has_a_name() -> None:
    """As reports and traces show it."""
    assert errors.name_of(errno.ECONNREFUSED) == "ECONNREFUSED"


def test_an_unknown_errno_shows_its_number() -> None:
    """It is never hidden."""
    assert errors.name_of(99999) == "99999"


@pytest.mark.parametrize("error", [Deadlock, StepLimit, ForeignThread, NoCurrentHost])
def test_the_simulators_own_errors_have_one_base(error: type[Exception]) -> None:
    """And it is no OSError: a program that expects network failures does not swallow it."""
    assert issubclass(error, SimnetError)
    assert not issubclass(error, OSError)
