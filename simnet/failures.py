"""In which way a program failed: the exception, and the innermost line that is the program's."""

from __future__ import annotations

import sysconfig
import traceback

# Frames of this package, and of the standard library, are not where a program fails.
_OURS = "simnet"
_STANDARD = sysconfig.get_path("stdlib")
_INSTALLED = sysconfig.get_path("purelib"), sysconfig.get_path("platlib")


def signature(failure: BaseException) -> str:
    """The exception and the place: the same for all runs that fail in one way."""
    found = place(failure)
    name = type(failure).__name__
    return f"{name} at {found}" if found else name


def place(failure: BaseException) -> str:
    """The innermost line that is the program's; "" if there is none."""
    found = ""
    for frame, line in traceback.walk_tb(failure.__traceback__):
        path = frame.f_code.co_filename
        if path.startswith(_STANDARD) and not path.startswith(_INSTALLED):
            continue
        if str(frame.f_globals.get("__name__", "")).partition(".")[0] != _OURS:
            found = f"{path.rpartition('/')[2]}:{line} in {frame.f_code.co_name}"
    return found


def headline(failure: BaseException) -> str:
    """The first line of what it says."""
    return str(failure).partition("\n")[0]
