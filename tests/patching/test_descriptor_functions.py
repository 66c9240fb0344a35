"""Functions on descriptors in a patched program, and that they are real ones again afterwards."""

from __future__ import annotations

import builtins
import fcntl
import io
import os
import signal
import subprocess
import sys
from typing import Any

import pytest

from simnet.descriptor_calls import REPLACED
from simnet.descriptors import FIRST
from simnet.world import World
from tests.patching.modules import Load

MODULES = {"os": os, "fcntl": fcntl, "io": io, "builtins": builtins, "signal": signal}
BY_NAME = [(module, name) for module, names in REPLACED.items() for name in names]

USERS = """
import fcntl, os, signal
from fcntl import fcntl as control
from io import FileIO
from os import pipe, write
from signal import getsignal

class Waker:
    write = os.write
    def __init__(self, read=os.read):
        self.reader, self.writer = pipe()
        self.read = read
    def wake(self):
        return self.write(self.writer, b"x"), self.read(self.reader, 9)
    def flags(self):
        return fcntl.fcntl(self.reader, fcntl.F_GETFL), control(self.writer, fcntl.F_GETFL)
    def files(self):
        return open(self.writer, "wb", 0), FileIO(self.reader)

KEPT = os.write, os.read, fcntl.fcntl, open, FileIO, signal.signal, os.supports_fd
"""


def exercise(module: Any) -> tuple[int, ...]:
    """Everything that it does with a pipe; the numbers of its ends."""
    waker = module.Waker()
    assert waker.wake() == (1, b"x")
    assert waker.flags() == (os.O_RDONLY, os.O_WRONLY)
    into, out = waker.files()
    with out:
        with into:
            into.write(b"through files")
        assert out.readall() == b"through files"
    return waker.reader, waker.writer


@pytest.mark.parametrize("when", ["before", "inside"])
def test_references_to_functions_on_descriptors_are_found(when: str, load: Load) -> None:
    """Names, class attributes and defaults, of modules from before the patch and from within."""
    module = load(USERS) if when == "before" else None
    with World().patch():
        module = module or load(USERS)
        assert min(exercise(module)) >= FIRST
    assert max(exercise(module)) < FIRST
    real = os.write, os.read, fcntl.fcntl, open, io.FileIO, signal.signal, os.supports_fd
    assert real == load(USERS, "a_later_module").KEPT


@pytest.mark.parametrize(("module", "name"), BY_NAME)
def test_the_real_function_is_back_after_a_patch(module: str, name: str) -> None:
    """In its own module, which meanwhile had the replacement."""
    before = vars(MODULES[module])[name]
    with World().patch():
        assert getattr(sys.modules[module], name) is REPLACED[module][name]
    assert vars(MODULES[module])[name] is before
    assert before is not REPLACED[module][name]


def test_a_signal_wakes_who_waits_for_it() -> None:
    """An alarm in virtual time is announced to a pipe, as a real signal is."""
    world = World()
    with world.patch():
        reader, writer = os.pipe()
        os.set_blocking(writer, False)
        signals: Any = sys.modules["signal"]
        before = signals.signal(signal.SIGALRM, lambda *_: None)
        signals.set_wakeup_fd(writer)
        signals.alarm(3)
        assert os.read(reader, 9) == bytes([signal.SIGALRM])
        assert world.now == 3
        assert signals.set_wakeup_fd(-1) == writer
        signals.signal(signal.SIGALRM, before)
        os.close(reader)
        os.close(writer)


def test_who_starts_processes_gets_real_pipes() -> None:
    """Test tools do, within a patch too; so they have numbers that a process can inherit."""
    with World().patch():
        module: Any = subprocess
        for end in module.os.pipe():
            assert end < FIRST
            os.close(end)
