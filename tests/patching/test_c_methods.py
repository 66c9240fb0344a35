"""Methods of C types, replaced in place."""

from __future__ import annotations

import _queue
import datetime

from simnet.patching.c_methods import Methods


def test_every_instance_follows_also_one_made_before() -> None:
    """And afterwards the type is as it was."""
    queue = _queue.SimpleQueue[int]()
    methods = Methods(_queue.SimpleQueue, {"qsize": lambda self: 42})
    for _ in range(3):
        assert queue.qsize() == 0
        methods.install()
        assert queue.qsize() == 42
        methods.remove()
        assert queue.qsize() == 0


def test_special_methods_and_class_methods_follow() -> None:
    """The interpreter looks some of them up by itself."""
    methods = Methods(datetime.date, {"today": classmethod(lambda cls: cls(1999, 12, 31))})
    before = datetime.date.today()
    methods.install()
    try:
        assert datetime.date.today() == datetime.date(1999, 12, 31)
    finally:
        methods.remove()
    assert datetime.date.today() >= before


def test_a_method_that_this_version_does_not_have_is_not_added() -> None:
    """Python 3.10 has fewer."""
    methods = Methods(_queue.SimpleQueue, {"no_such_method": len})
    methods.install()
    assert not hasattr(_queue.SimpleQueue, "no_such_method")
    methods.remove()
