"""`signal.set_wakeup_fd` with a simulated descriptor, and what it takes to keep its promise.

The interpreter writes the number of a signal to a real descriptor, in C. For a simulated one that
is done here: a handler that is installed by the replaced signal() writes the number before it runs.
Handlers from before (that of SIGINT, say) write nothing; SIG_DFL and SIG_IGN never do.

A signal from outside comes when the machine has it come: what follows from it is no function of the
seed. Nor does a wait for one keep a world from its Deadlock. One that the program sends itself
(signal.raise_signal, os.kill) arrives at the place where it was sent.
"""

from __future__ import annotations

import errno
import signal as _real
import sys
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

from simnet.descriptor_calls import moving
from simnet.descriptor_calls.dispatch import (
    UNKNOWN,
    ask_the_real_one,
    entry,
    in_place_of,
    is_simulated,
)
from simnet.descriptors import Descriptor
from simnet.errors import os_error
from simnet.protocols.base import Endpoint
from simnet.protocols.pipes import WriteEnd
from simnet.trace import SEND

_real_set_wakeup_fd = _real.set_wakeup_fd
_real_signal = _real.signal
_real_getsignal = _real.getsignal


# report_wakeup_write_error of signalmodule.c, which tells it in one go since Python 3.12.
_COMPLAINT = "Exception ignored when trying to write to the signal wakeup fd"
_IN_ONE_GO = sys.version_info >= (3, 12)


def _complain(error: OSError) -> None:
    if not _IN_ONE_GO:
        print(f"{_COMPLAINT}:", file=sys.stderr)
    sys.unraisablehook(
        SimpleNamespace(
            exc_type=type(error),
            exc_value=error,
            exc_traceback=None,
            err_msg=_COMPLAINT if _IN_ONE_GO else None,
            object=None,
        )
    )


class _Wakeup:
    """Where signals are announced. One for the process, as the real one."""

    def __init__(self) -> None:
        self.descriptor: Descriptor | None = None
        self.number = -1
        self.warns = True

    def forget(self) -> int:
        """Announce them nowhere; the number so far, -1 for none."""
        number, self.number, self.descriptor = self.number, -1, None
        return number

    def announce(self, signum: int) -> None:
        """One byte, if there is room; what goes wrong is said, and goes no further."""
        if self.descriptor is None:
            return
        try:
            self._write(bytes([signum]))
        except OSError as error:
            if self.warns or error.errno != errno.EAGAIN:
                _complain(error)

    def _write(self, data: bytes) -> None:
        """What must not wait, nor let anybody else run."""
        assert self.descriptor is not None
        if self.descriptor.endpoint is None:
            raise os_error(errno.EBADF)
        thing = moving.writable(self.descriptor.endpoint)
        if isinstance(thing, Endpoint):
            count = thing.send(data, 0)
        elif isinstance(thing, WriteEnd):
            count = thing.write(data)
        else:
            raise os_error(errno.EINVAL)
        if count is None:
            raise os_error(errno.EAGAIN)
        moving.note(thing, SEND, count)


_wakeup = _Wakeup()
# Signals that may have such a handler.
_announced: dict[int, None] = {}


class _Announcing:
    """A handler that announces its signal first."""

    def __init__(self, handler: Callable[..., Any]) -> None:
        self.handler = handler

    def __call__(self, signum: int, frame: Any) -> Any:
        _wakeup.announce(signum)
        return self.handler(signum, frame)


def _set_wakeup_fd(*args: Any, **named: Any) -> int:
    """set_wakeup_fd(fd, /, *, warn_on_full_buffer=True)"""
    fd = args[0] if args else None
    if not is_simulated(fd):
        before = _real_set_wakeup_fd(*args, **named)
        return before if _wakeup.descriptor is None else _wakeup.forget()
    found = ask_the_real_one(_real_set_wakeup_fd, args, named)
    assert found is UNKNOWN
    descriptor = entry(args[0])
    if not descriptor.endpoint.nonblocking:  # type: ignore[union-attr]
        raise ValueError(f"the fd {args[0]} must be in non-blocking mode")
    real_before = _real_set_wakeup_fd(-1)
    before = real_before if _wakeup.descriptor is None else _wakeup.forget()
    _wakeup.descriptor, _wakeup.number = descriptor, args[0]
    _wakeup.warns = bool(named.get("warn_on_full_buffer", True))
    return before


def _signal(signalnum: Any, handler: Any) -> Any:
    """signal(signalnum, handler)"""
    # SIG_DFL and SIG_IGN can not be called.
    announces = callable(handler) and not isinstance(handler, (_real.Handlers, _Announcing))
    before = _real_signal(signalnum, _Announcing(handler) if announces else handler)
    if announces:
        _announced[signalnum] = None
    return _plain(before)


def _getsignal(signalnum: Any) -> Any:
    """getsignal(signalnum)"""
    return _plain(_real_getsignal(signalnum))


def _plain(handler: Any) -> Any:
    """A handler as the program gave it."""
    return handler.handler if isinstance(handler, _Announcing) else handler


def end() -> None:
    """A patch ends: signals are announced nowhere, and handlers are as the program gave them."""
    _wakeup.forget()
    while _announced:
        signalnum, _ = _announced.popitem()
        handler = _real_getsignal(signalnum)
        if isinstance(handler, _Announcing):
            _real_signal(signalnum, handler.handler)


REPLACED = {
    "set_wakeup_fd": in_place_of(_real_set_wakeup_fd, _set_wakeup_fd),
    "signal": in_place_of(_real_signal, _signal),
    "getsignal": in_place_of(_real_getsignal, _getsignal),
}
