"""Simulated descriptors under every function of the standard library that takes a descriptor.

`REPLACED` holds, by module and name, what stands for the real function (or class) in a patched
program. Each tells a simulated number from a real one, which goes to the real function untouched;
see `dispatch`. A number is looked up in the current host's table.

Functions that need no replacement, since their answer for a number that is not open is the right
one: os.isatty and os.device_encoding. What is left out, and gives EBADF: descriptors in the place
of directories (`dir_fd`), extended attributes, terminals (os.login_tty, termios), processes
(os.execve, os.posix_spawn), memory maps, timers (os.timerfd_create makes real ones).
"""

from __future__ import annotations

import os
from typing import Any

from simnet.descriptor_calls import (
    control,
    file_objects,
    moving,
    names,
    numbers,
    splicing,
    status,
    wakeup,
)
from simnet.descriptor_calls.dispatch import replacement

REPLACED: dict[str, dict[str, Any]] = {
    "os": {
        "read": replacement(os.read, moving.read),
        "write": replacement(os.write, moving.write),
        "readv": replacement(os.readv, moving.readv),
        "writev": replacement(os.writev, moving.writev),
        "fdopen": file_objects.FDOPEN,
        **numbers.REPLACED,
        **status.REPLACED,
        **names.REPLACED,
        **splicing.REPLACED,
        **control.OS_REPLACED,
    },
    "fcntl": control.REPLACED,
    "io": {"open": file_objects.OPEN, "FileIO": file_objects.FileIO},
    "builtins": {"open": file_objects.OPEN},
    "signal": wakeup.REPLACED,
}
# The sets that say which functions take a descriptor say it of the replacements too.
for _name in ("supports_fd", "supports_dir_fd", "supports_follow_symlinks"):
    _real = getattr(os, _name)
    _ours = {ours for name, ours in REPLACED["os"].items() if getattr(os, name) in _real}
    REPLACED["os"][_name] = _real | _ours
