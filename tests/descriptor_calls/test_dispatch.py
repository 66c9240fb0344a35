"""The replacements as functions: their looks, and what they leave to the real ones."""

from __future__ import annotations

import builtins
import fcntl
import io
import os
import signal
import stat
import termios
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest

from simnet.descriptor_calls import REPLACED
from tests.descriptor_calls.places import REAL, SIMULATED, Place, outcome


@pytest.mark.parametrize(
    ("module", "name"),
    [(module, name) for module, names in REPLACED.items() for name in names],
)
def test_a_replacement_looks_like_the_real_one(module: str, name: str) -> None:
    """Its name and its documentation; what is a set says of it what it says of the real one."""
    real = getattr(
        {"os": os, "fcntl": fcntl, "io": io, "signal": signal}.get(module, builtins), name
    )
    ours = REPLACED[module][name]
    if isinstance(real, set):
        assert ours > real
        return
    assert (ours.__name__, ours.__doc__) == (real.__name__, real.__doc__)
    holder = type("Holder", (), {"kept": ours})()
    assert not hasattr(holder.kept, "__self__")


PASSED_THROUGH: dict[str, Callable[[Place, Any], Any]] = {
    "files": lambda at, path: real_files(at, path),
    "status": lambda at, path: [
        at.os.stat(path).st_size,
        stat.S_ISDIR(at.os.stat(path.parent, follow_symlinks=False).st_mode),
        at.os.listdir(path.parent),
        at.os.truncate(path, 1),
        at.os.stat(path).st_size,
        outcome(at.os.chdir, path),
    ],
    "wrong arguments": lambda at, path: [
        outcome(call, *arguments)
        for call in (
            at.os.read,
            at.os.write,
            at.os.close,
            at.os.pipe,
            at.os.pipe2,
            at.os.dup2,
            at.os.closerange,
            at.os.sendfile,
            at.os.splice,
            at.os.copy_file_range,
            at.os.eventfd,
            at.fcntl.fcntl,
            at.fcntl.ioctl,
            at.io.open,
            at.io.FileIO,
            at.os.fdopen,
            signal.set_wakeup_fd if at is REAL else REPLACED["signal"]["set_wakeup_fd"],
        )
        for arguments in (("x",), ("x", "y"), (1 << 40, -1), (None,) * 9, (-1,), (-1, b"", 1, 2))
    ],
    "a real pipe": lambda at, path: real_pipe(at),
}


def real_files(at: Place, path: Any) -> Any:
    """A file of the operating system, by its name."""
    with at.io.open(path, "w") as file:
        file.write("text")
    with at.io.open(path) as file, at.io.FileIO(path) as raw, open(path, "rb", 0) as other:
        return (
            (file.read(), raw.readall(), type(raw) is type(other)),
            [isinstance(one, at.io.FileIO) for one in (file, raw, other)],
            [issubclass(one, at.io.FileIO) for one in (type(raw), SimpleNamespace)],
        )


def real_pipe(at: Place) -> Any:
    """The functions of that place on a pipe of the operating system."""
    read_end, write_end = os.pipe()
    seen = [
        at.os.write(write_end, b"hello"),
        at.fcntl.ioctl(read_end, termios.FIONREAD, b"....", False),
        at.os.read(read_end, 99),
        at.os.fstat(read_end) == os.fstat(read_end),
        at.os.get_blocking(read_end),
        at.os.dup2(write_end, write_end) == write_end,
        at.fcntl.fcntl(read_end, fcntl.F_GETFL),
    ]
    with at.os.fdopen(write_end, "w") as file:
        file.write("there")
    with at.io.open(read_end, closefd=True) as file:
        seen.append(file.read())
    return seen


@pytest.mark.parametrize("what", PASSED_THROUGH)
def test_what_is_real_goes_to_the_real_function(what: str, tmp_path: Any) -> None:
    """Without a host too: test infrastructure uses these functions beside a simulation."""
    path = tmp_path / "file"
    on_kernel = PASSED_THROUGH[what](REAL, path) if what != "status" else None
    if what == "status":
        path.write_text("text")
        on_kernel = PASSED_THROUGH[what](REAL, path)
        path.write_text("text")
    assert PASSED_THROUGH[what](SIMULATED, path) == on_kernel
