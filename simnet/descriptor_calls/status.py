"""What is known of an open file: fstat(2), and the calls that only files, directories and terminals
have an answer for.

Not modelled: the times of sockets (0, as the kernel has it) and what changes those of a pipe,
extended attributes, and descriptors in the place of directories (`dir_fd`: EBADF, as of a number
that is not open).
"""

from __future__ import annotations

import errno
import os
import stat
from typing import Any

from simnet.clock import EPOCH, SECOND_NS
from simnet.descriptor_calls.dispatch import (
    named_error,
    refusing,
    replacement,
    the_opened,
)
from simnet.descriptors import Descriptor
from simnet.errors import os_error
from simnet.protocols.opened import Inode

# Which file systems sockets, pipes and the rest are in (st_dev, measured on Linux 6.18).
_DEVICES = {"socket": 9, "pipe": 15}
_OTHER_DEVICE = 16
_BLOCK = 4096
# Values of fpathconf(3) for which glibc looks at the file.
_LIMITS = {
    "PC_LINK_MAX": 127,
    "PC_NAME_MAX": 255,
    "PC_CHOWN_RESTRICTED": 1,
    "PC_ASYNC_IO": -1,
    "PC_FILESIZEBITS": 32,
    "PC_REC_XFER_ALIGN": _BLOCK,
    "PC_ALLOC_SIZE_MIN": _BLOCK,
    "PC_REC_MIN_XFER_SIZE": _BLOCK,
}
# What posix_fadvise(2) knows.
_ADVICE = range(6)


def _inode(descriptor: Descriptor) -> Inode:
    return the_opened(descriptor).the_inode()


def fstat(descriptor: Descriptor) -> os.stat_result:
    """fstat(2)."""
    inode = _inode(descriptor)
    device = _DEVICES.get(the_opened(descriptor).kind, _OTHER_DEVICE)
    times = inode.made_ns, inode.made_ns, inode.changed_ns
    return described(inode.mode, inode.number, device, (inode.uid, inode.gid), times)


def described(
    mode: int,
    number: int,
    device: int,
    owners: tuple[int, int],
    times_ns: tuple[int | None, int | None, int | None],
) -> os.stat_result:
    """What stat(2) says of something without a size; times are since the world began, or none."""
    extra: dict[str, Any] = {"st_blksize": _BLOCK, "st_blocks": 0, "st_rdev": 0}
    seconds = []
    for name, when_ns in zip(("st_atime", "st_mtime", "st_ctime"), times_ns, strict=True):
        shown_ns = 0 if when_ns is None else EPOCH * SECOND_NS + when_ns
        extra |= {name: shown_ns / SECOND_NS, f"{name}_ns": shown_ns}
        seconds.append(shown_ns // SECOND_NS)
    return os.stat_result((mode, number, device, 1, *owners, 0, *seconds), extra)


def _stat(descriptor: Descriptor, **_: Any) -> os.stat_result:
    return fstat(descriptor)


def _fchmod(descriptor: Descriptor, mode: int) -> None:
    _change(descriptor, mode, -1, -1, None)


def _chmod(descriptor: Descriptor, mode: int, **_: Any) -> None:
    _change(descriptor, mode, -1, -1, descriptor.number)


def _fchown(descriptor: Descriptor, uid: int, gid: int) -> None:
    _change(descriptor, None, uid, gid, None)


def _chown(descriptor: Descriptor, uid: int, gid: int, **_: Any) -> None:
    _change(descriptor, None, uid, gid, descriptor.number)


def _change(descriptor: Descriptor, mode: int | None, uid: int, gid: int, path: int | None) -> None:
    """Change the mode or the owners, which all that has no file of its own refuses."""
    if the_opened(descriptor).kind not in _DEVICES:
        number = errno.EOPNOTSUPP
        raise os_error(number) if path is None else named_error(number, path)
    inode = _inode(descriptor)
    inode.changed_ns = the_opened(descriptor).host.clock.now_ns
    if mode is not None:
        inode.mode = stat.S_IFMT(inode.mode) | mode & 0o7777
    if uid != -1:
        inode.uid = uid
    if gid != -1:
        inode.gid = gid


def lseek(descriptor: Descriptor, position: int, whence: int) -> int:
    if whence not in range(5):
        raise os_error(errno.EINVAL)
    if the_opened(descriptor).kind in _DEVICES:
        raise os_error(errno.ESPIPE)
    return 0


def _fpathconf(descriptor: Descriptor, name: str | int) -> int:
    by_number = {os.pathconf_names[known]: value for known, value in _LIMITS.items()}
    by_name = os.pathconf_names[name] if isinstance(name, str) else name
    if by_name not in by_number:
        raise os_error(errno.EINVAL)
    return by_number[by_name]


def _fstatvfs(descriptor: Descriptor) -> os.statvfs_result:
    return os.statvfs_result((_BLOCK, _BLOCK, 0, 0, 0, 0, 0, 0, 0, 255))


def _posix_fadvise(descriptor: Descriptor, offset: int, length: int, advice: int) -> None:
    if the_opened(descriptor).kind == "pipe":
        raise os_error(errno.ESPIPE)
    if advice not in _ADVICE:
        raise os_error(errno.EINVAL)


def _posix_fallocate(descriptor: Descriptor, offset: int, length: int) -> None:
    thing = the_opened(descriptor)
    if not thing.may_write:
        raise os_error(errno.EBADF)
    raise os_error(errno.ESPIPE if thing.kind == "pipe" else errno.ENODEV)


def _positioned(descriptor: Descriptor, *_: Any, **__: Any) -> Any:
    """pread(2) and its kin need a position, which nothing simulated has."""
    raise os_error(errno.ESPIPE)


def _terminal(descriptor: Descriptor, *_: Any) -> Any:
    """What terminals answer: the error is the one of an unknown ioctl(2)."""
    raise os_error(errno.EINVAL if the_opened(descriptor).kind == "epoll" else errno.ENOTTY)


_INVALID = refusing(errno.EINVAL, errno.EINVAL, errno.EINVAL)
_NO_DIRECTORY = refusing(errno.ENOTDIR, errno.ENOTDIR, errno.ENOTDIR)
_NO_DIRECTORY_OF_THAT_NAME = refusing(errno.ENOTDIR, errno.ENOTDIR, errno.ENOTDIR, names=True)
_NOT_SUPPORTED = refusing(errno.EOPNOTSUPP, errno.EOPNOTSUPP, errno.EOPNOTSUPP)

REPLACED = {
    "fstat": replacement(os.fstat, fstat),
    "stat": replacement(os.stat, _stat, "path"),
    "fchmod": replacement(os.fchmod, _fchmod),
    "chmod": replacement(os.chmod, _chmod, "path"),
    "fchown": replacement(os.fchown, _fchown),
    "chown": replacement(os.chown, _chown, "path"),
    "lseek": replacement(os.lseek, lseek),
    "fpathconf": replacement(os.fpathconf, _fpathconf),
    "pathconf": replacement(os.pathconf, _fpathconf, "path"),
    "fstatvfs": replacement(os.fstatvfs, _fstatvfs),
    "statvfs": replacement(os.statvfs, _fstatvfs, "path"),
    "posix_fadvise": replacement(os.posix_fadvise, _posix_fadvise),
    "posix_fallocate": replacement(os.posix_fallocate, _posix_fallocate),
    "pread": replacement(os.pread, _positioned),
    "preadv": replacement(os.preadv, _positioned),
    "pwrite": replacement(os.pwrite, _positioned),
    "pwritev": replacement(os.pwritev, _positioned),
    "ttyname": replacement(os.ttyname, _terminal),
    "tcgetpgrp": replacement(os.tcgetpgrp, _terminal),
    "tcsetpgrp": replacement(os.tcsetpgrp, _terminal),
    "get_terminal_size": replacement(os.get_terminal_size, _terminal),
    "ftruncate": replacement(os.ftruncate, _INVALID),
    "truncate": replacement(os.truncate, _INVALID, "path"),
    "fsync": replacement(os.fsync, _INVALID, by_object=True),
    "fdatasync": replacement(os.fdatasync, _INVALID, by_object=True),
    "fchdir": replacement(os.fchdir, _NO_DIRECTORY, by_object=True),
    "chdir": replacement(os.chdir, _NO_DIRECTORY_OF_THAT_NAME, "path"),
    "listdir": replacement(os.listdir, _NO_DIRECTORY_OF_THAT_NAME, "path"),
    "scandir": replacement(os.scandir, _NO_DIRECTORY_OF_THAT_NAME, "path"),
    "utime": replacement(os.utime, _NOT_SUPPORTED, "path"),
}
