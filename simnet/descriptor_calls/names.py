"""Functions of `os` on the names of unix sockets, which live apart from the real file system.

A name that was made on the current host (by bind(2), or in its `files`) is looked up, moved and
removed there; every other one is for the real function. Modes of such names are what bind(2) gives
them, and their times the beginning of the world.

Not modelled, and left to the real function, which does not find the name: listing directories,
permissions and owners (chmod, chown, access), links, `dir_fd`.
"""

from __future__ import annotations

import os
import stat
from typing import Any

from simnet.current import host_or_none
from simnet.descriptor_calls import status
from simnet.descriptor_calls.dispatch import in_place_of
from simnet.files import Files

_TYPES = {"socket": stat.S_IFSOCK, "directory": stat.S_IFDIR, "file": stat.S_IFREG}
_MODES = {"socket": 0o755, "directory": 0o700, "file": 0o644}
_DIRECTORIES = ("dir_fd", "src_dir_fd", "dst_dir_fd")
# The file system of the names, which is none of the machine's.
_DEVICE = 0


def _simulated(args: tuple[Any, ...], named: dict[str, Any]) -> tuple[Files, str] | None:
    """The files of the host on which a name was made, and the name; None for any other."""
    host = host_or_none()
    if host is None or not host.files.in_use:
        return None
    path: Any = args[0] if args else named.get("path", named.get("src"))
    if isinstance(path, int) or any(named.get(name) is not None for name in _DIRECTORIES):
        return None
    try:
        name = os.fsdecode(path)
    except TypeError:
        return None
    return (host.files, name) if host.files.has_made(name) else None


def _looking(real: Any, otherwise: Any) -> Any:
    def look(*args: Any, **named: Any) -> os.stat_result:
        found = _simulated(args, named) if len(args) <= 1 else None
        if found is None:
            return otherwise(*args, **named)  # type: ignore[no-any-return]
        kind, number = found[0].status(found[1])
        mode = _TYPES[kind] | _MODES[kind]
        return status.described(mode, number, _DEVICE, (os.geteuid(), os.getegid()), (0, 0, 0))

    return in_place_of(real, look)


def _removing(real: Any) -> Any:
    def remove(*args: Any, **named: Any) -> None:
        found = _simulated(args, named) if len(args) <= 1 else None
        if found is None:
            real(*args, **named)
        else:
            found[0].unlink(found[1])

    return in_place_of(real, remove)


def _moving(real: Any) -> Any:
    def move(*args: Any, **named: Any) -> None:
        found = _simulated(args, named) if len(args) <= 2 else None
        to = args[1] if len(args) > 1 else named.get("dst")
        if found is None or to is None:
            real(*args, **named)
        else:
            found[0].rename(found[1], os.fsdecode(to))

    return in_place_of(real, move)


REPLACED = {
    "stat": _looking(os.stat, status.REPLACED["stat"]),
    "lstat": _looking(os.lstat, os.lstat),
    "unlink": _removing(os.unlink),
    "remove": _removing(os.remove),
    "rename": _moving(os.rename),
    "replace": _moving(os.replace),
}
