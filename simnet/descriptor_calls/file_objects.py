"""`open()` and `FileIO` over a simulated descriptor: raw objects, and the standard buffers on them.

The raw object is a subclass of the real FileIO that never opened anything; the buffers and the text
layer are the interpreter's own. Paths, real descriptors and openers go to the real functions.
"""

from __future__ import annotations

import errno
import io
import os
import signal
import warnings
from contextlib import suppress
from typing import Any

from simnet.arguments import view_of
from simnet.descriptor_calls import moving, numbers, status
from simnet.descriptor_calls.dispatch import (
    UNKNOWN,
    ask_the_real_one,
    entry,
    in_place_of,
    is_simulated,
)
from simnet.errors import os_error

_RealFileIO = io.FileIO
_real_open = io.open
_real_fdopen = os.fdopen
_sigtimedwait = signal.sigtimedwait
# What read() without a size asks for at a time (DEFAULT_BUFFER_SIZE of fileio.c).
_PIECE = 8192
# st_blksize of everything simulated, which open() makes its buffers of.
_BLOCK = 4096
# The attribute `mode` (mode_string of fileio.c).
_MODES = {
    "r": "rb",
    "w": "wb",
    "a": "ab",
    "x": "xb",
    "r+": "rb+",
    "w+": "rb+",
    "a+": "ab+",
    "x+": "xb+",
}


def _would_block() -> None:
    """None, with EAGAIN left behind in C's errno.

    That is where the buffers of the io module look for the number of the BlockingIOError that they
    raise. Waiting no time for no signal fails with it, and does nothing else.
    """
    _sigtimedwait((), 0)


class SimulatedFileIO(_RealFileIO):
    """io.FileIO over a simulated descriptor."""

    # The real object beneath is one that was never opened.
    def __init__(self, file: int, mode: str = "r", closefd: bool = True) -> None:
        self._number = -1
        entry(file)
        self.name = file
        self._number = file
        self._closefd = bool(closefd)
        # "+br" is as good as "r+", and "U" of Python 3.10 as "r".
        way = next((letter for letter in "rwax" if letter in mode), "r")
        mode = way + "+" * ("+" in mode)
        self._mode = _MODES[mode]
        self._reads = mode == "r" or "+" in mode
        self._writes = mode != "r"

    # What it is

    @property
    def closed(self) -> bool:
        return self._number < 0

    @property
    def closefd(self) -> bool:
        return self._closefd

    @property
    def mode(self) -> str:  # type: ignore[override]
        return self._mode

    def fileno(self) -> int:
        self._check_open()
        return self._number

    def isatty(self) -> bool:
        self._check_open()
        return False

    def readable(self) -> bool:
        self._check_open()
        return self._reads

    def writable(self) -> bool:
        self._check_open()
        return self._writes

    def seekable(self) -> bool:
        self._check_open()
        try:
            self.tell()
        except OSError:
            return False
        return True

    def __repr__(self) -> str:
        if self.closed:
            return "<_io.FileIO [closed]>"
        return f"<_io.FileIO name={self.name!r} mode={self.mode!r} closefd={self.closefd!r}>"

    def _check_open(self) -> None:
        if self._number < 0:
            raise ValueError("I/O operation on closed file")

    def _check(self, may: bool, what: str) -> None:
        self._check_open()
        if not may:
            raise io.UnsupportedOperation(f"File not open for {what}")

    # Moving bytes. None: it would have to wait, and must not.

    def read(self, size: int | None = -1, /) -> Any:
        self._check(self._reads, "reading")
        if size is None or size < 0:
            return self.readall()
        try:
            return moving.read(entry(self._number), size)
        except BlockingIOError:
            return _would_block()

    def readall(self) -> Any:
        self._check(self._reads, "reading")
        parts: list[bytes] = []
        while True:
            try:
                part = moving.read(entry(self._number), _PIECE)
            except BlockingIOError:
                return b"".join(parts) if parts else _would_block()
            if not part:
                return b"".join(parts)
            parts.append(part)

    def readinto(self, buffer: Any, /) -> Any:
        with suppress(ValueError):
            # The real object is closed; what is wrong with the buffer it says first.
            super().readinto(buffer)
        self._check(self._reads, "reading")
        view = memoryview(buffer).cast("B")
        data = self.read(len(view))
        if data is None:
            return None
        view[: len(data)] = data
        return len(data)

    def write(self, data: Any, /) -> Any:
        self._check(self._writes, "writing")
        try:
            return moving.write(entry(self._number), view_of(data))
        except BlockingIOError:
            return _would_block()

    def seek(self, pos: int, whence: int = 0, /) -> int:
        self._check_open()
        return status.lseek(entry(self._number), pos, whence)

    def tell(self) -> int:
        return self.seek(0, 1)

    def truncate(self, size: int | None = None, /) -> int:
        self._check(self._writes, "writing")
        if size is None:
            self.tell()
        entry(self._number)
        raise os_error(errno.EINVAL)

    # Ending

    def close(self) -> None:
        if self._number < 0:
            return
        try:
            io.RawIOBase.close(self)
        finally:
            number, self._number = self._number, -1
            if self._closefd:
                numbers.close(entry(number))

    def _dealloc_warn(self, source: Any) -> None:
        if self._number >= 0 and self._closefd:
            warnings.warn(f"unclosed file {source!r}", ResourceWarning, source=source, stacklevel=2)

    def __del__(self) -> None:
        if getattr(self, "_number", -1) >= 0:
            self._dealloc_warn(self)
            self.close()


class _AnyFileIO(type):
    """The class of the name `FileIO`: makes one or the other kind, and knows both."""

    def __call__(cls, *args: Any, **named: Any) -> Any:
        file = args[0] if args else named.get("file")
        if cls is not FileIO:
            return super().__call__(*args, **named)
        if not is_simulated(file):
            return _RealFileIO(*args, **named)
        found = ask_the_real_one(_RealFileIO, args, named)
        assert found is UNKNOWN
        named = {name: value for name, value in named.items() if name != "opener"}
        return SimulatedFileIO(*args[:3], **named)

    def __instancecheck__(cls, instance: Any) -> bool:
        if cls is FileIO:
            return isinstance(instance, _RealFileIO)
        return super().__instancecheck__(instance)

    def __subclasscheck__(cls, subclass: type) -> bool:
        if cls is FileIO:
            return issubclass(subclass, _RealFileIO)
        return super().__subclasscheck__(subclass)


class FileIO(_RealFileIO, metaclass=_AnyFileIO):  # type: ignore[metaclass]
    """What stands for io.FileIO. A subclass of it takes real files and descriptors only."""

    __doc__ = _RealFileIO.__doc__


FileIO.__module__, FileIO.__qualname__ = "_io", "FileIO"


def _open(*args: Any, **named: Any) -> Any:
    """open(file, mode='r', buffering=-1, encoding=None, errors=None, newline=None, ...)"""
    file = args[0] if args else named.get("file")
    if not is_simulated(file):
        return _real_open(*args, **named)
    found = ask_the_real_one(_real_open, args, named)
    return _open_simulated(*args, **named) if found is UNKNOWN else found


def _open_simulated(
    file: int,
    mode: str = "r",
    buffering: int = -1,
    encoding: str | None = None,
    errors: str | None = None,
    newline: str | None = None,
    closefd: bool = True,
    opener: Any = None,
) -> Any:
    """What open() does once its arguments are right."""
    raw = SimulatedFileIO(file, mode, closefd)
    result: Any = raw
    try:
        if buffering == 0:
            if "b" not in mode:
                raise ValueError("can't have unbuffered text I/O")
            return raw
        size = _BLOCK if buffering < 0 or buffering == 1 else buffering
        if "+" in mode:
            result = io.BufferedRandom(raw, size)
        elif raw.readable():
            result = io.BufferedReader(raw, size)
        else:
            result = io.BufferedWriter(raw, size)
        if "b" in mode:
            return result
        result = io.TextIOWrapper(result, encoding, errors, newline, buffering == 1)
        result.mode = mode
        return result
    except BaseException:
        result.close()
        raise


def _fdopen(*args: Any, **named: Any) -> Any:
    """fdopen(fd, mode='r', buffering=-1, encoding=None, *args, **kwargs)"""
    fd = args[0] if args else named.get("fd")
    if not is_simulated(fd):
        return _real_fdopen(*args, **named)
    # In a patched program its own open() is the replaced one, and gives the object.
    found = ask_the_real_one(_real_fdopen, args, named)
    if found is not UNKNOWN:
        return found
    if not args:
        args, named = (fd,), {name: value for name, value in named.items() if name != "fd"}
    return _open_simulated(*args, **named)


OPEN = in_place_of(_real_open, _open)
FDOPEN = in_place_of(_real_fdopen, _fdopen)
