"""Network namespaces: machines of their own, as far as sockets can tell (namespaces(7)).

A namespace has no name: it lives as long as somebody holds a descriptor of it, a thread is in it,
or a socket in it is open. So nothing is left behind, however the process ends. Addresses, routes
and devices are iproute2's business.

Not modelled: file systems and processes are shared with everybody else.
"""

from __future__ import annotations

import ctypes
import fcntl
import os
import shutil
import socket
import struct
import subprocess
import threading
import weakref
from collections.abc import Iterator
from contextlib import contextmanager

from simnet.errors import Unavailable

_CLONE_NEWNET = 0x40000000  # sched.h
_SIOCGIFFLAGS, _IFF_RUNNING = 0x8913, 0x40  # bits/ioctls.h, net/if.h
_MINE = "/proc/thread-self/ns/net"
_libc = ctypes.CDLL(None, use_errno=True)


class Namespace:
    """A network of its own: no device but the loopback, which is up."""

    def __init__(self) -> None:
        if shutil.which("ip") is None:
            raise Unavailable("network namespaces: the command 'ip' (iproute2) is not installed")
        self._fd = _new_namespace()
        self._closing = weakref.finalize(self, os.close, self._fd)
        try:
            self.ip("link set lo up")
        except BaseException:
            self.close()
            raise

    @property
    def path(self) -> str:
        """A name of it for other programs, while this process holds it."""
        return f"/proc/{os.getpid()}/fd/{self._fd}"

    @contextmanager
    def entered(self) -> Iterator[None]:
        """This thread is in the namespace: sockets that it makes and programs that it starts."""
        before = os.open(_MINE, os.O_RDONLY | os.O_CLOEXEC)
        try:
            _enter(self._fd)
            try:
                yield
            finally:
                _enter(before)
        finally:
            os.close(before)

    def ip(self, *commands: str, version: int | None = None) -> None:
        """Commands of ip(8), without the word `ip`; OSError says which one failed, and why.

        `version` 4 or 6 is for commands whose addresses do not tell.
        """
        program = ["ip", *([f"-{version}"] if version else []), "-batch", "-"]
        with self.entered():
            done = subprocess.run(
                program, input="\n".join(commands), capture_output=True, text=True
            )
        if done.returncode:
            raise OSError(f"ip {' / '.join(commands)}: {done.stderr.strip()}")

    def write_sysctl(self, name: str, value: object) -> None:
        """Set a sysctl of the network, as `ipv4/tcp_syn_retries`; OSError if there is none."""
        with self.entered(), open(f"/proc/sys/net/{name}", "w") as setting:
            setting.write(str(value))

    def is_running(self, device: str) -> bool:
        """Whether a device is up and joined to another that is up (netdevice(7))."""
        with self.entered(), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
            answer = fcntl.ioctl(sock, _SIOCGIFFLAGS, struct.pack("16sH14x", device.encode(), 0))
        return bool(struct.unpack("16xH14x", answer)[0] & _IFF_RUNNING)

    def close(self) -> None:
        """Let go of it; twice is harmless. It ends with its last socket."""
        self._closing()


def at_once(ip: object) -> str:
    """For `address add`: spares an IPv6 address the time in which it looks for a duplicate."""
    return " nodad" if ":" in str(ip) else ""


def _new_namespace() -> int:
    """The descriptor of a new namespace. A thread makes it: unshare(2) moves who calls it."""
    made: list[int] = []
    failed: list[OSError] = []

    def make() -> None:
        try:
            _check(_libc.unshare(_CLONE_NEWNET))
            made.append(os.open(_MINE, os.O_RDONLY | os.O_CLOEXEC))
        except OSError as exc:
            failed.append(exc)

    thread = threading.Thread(target=make)
    thread.start()
    thread.join()
    for exc in failed:
        raise Unavailable(exc.errno, f"network namespaces: {exc.strerror} (root makes them)")
    return made[0]


def _enter(fd: int) -> None:
    _check(_libc.setns(fd, _CLONE_NEWNET))


def _check(result: int) -> None:
    if result:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
