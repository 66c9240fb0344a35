"""What would reach the real system from a patched program is refused, with the call and the line.

Methods of the real socket type and of real pollers are replaced in place (c_methods.py), and so
are the functions of the real modules that ask for names, start processes and threads. (An audit
hook would see the same, but slows every `id()` of the process down for ever.) An address may be
allowed: then a real socket may talk to it. Unnamed pairs of unix sockets are no network, and pass.

Test tools (places.INFRASTRUCTURE) and other threads are not watched, nor are C libraries that do
their own system calls.
"""

from __future__ import annotations

import _posixsubprocess
import _socket
import contextlib
import functools
import os
import select
import subprocess
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from types import FrameType
from typing import Any

from simnet.current import in_foreign_thread, stand_in
from simnet.errors import RealCall
from simnet.patching.c_methods import Methods, namespace
from simnet.patching.places import INFRASTRUCTURE, Place, in_class, in_dict

# An address that may be reached: a host alone, or with its port.
Allowed = str | tuple[str, int]

# ctypes.util.find_library asks the linker where a library is, in a process of its own.
_HARMLESS = frozenset(("ctypes",))

_allowed: list[frozenset[Allowed]] = []
_ignored: list[frozenset[str]] = []


def _caller() -> tuple[FrameType | None, bool]:
    """The innermost frame that is not the simulator's, and whether test tools are behind it."""
    frame: FrameType | None = sys._getframe(1)
    first = None
    ignored = INFRASTRUCTURE.union(_HARMLESS, *_ignored)
    while frame is not None:
        package = str(frame.f_globals.get("__name__", "")).partition(".")[0]
        if package in ignored:
            return first, True
        if package != "simnet":
            first = first or frame
            if package not in sys.stdlib_module_names:
                return frame, False
        frame = frame.f_back
    return first, False


def called_by_tools() -> bool:
    """Whether it is test tools that call: nothing of the program is between them and this."""
    return _caller()[1]


def _refuse(what: str, instead: str) -> None:
    frame, tools = _caller()
    if tools:
        return
    line = "" if frame is None else f", at {frame.f_code.co_filename}:{frame.f_lineno}"
    raise RealCall(f"{what}{line}: {instead}")


def _is_allowed(address: Any) -> bool:
    pair = tuple(address[:2]) if isinstance(address, tuple) else None
    host = pair[0] if pair is not None else address
    return any(pair in allowed or host in allowed for allowed in _allowed)


_EARLIER = (
    "it was made before the program was patched, or by code that the patch does not reach; "
    "make it inside, or allow its address with world.patch(allow=[...])"
)
_OUTSIDE = "it was made before the program was patched; make it inside"
_socket_methods = dict(namespace(_socket.socket))


def _check_socket(call: str, sock: Any, args: tuple[Any, ...]) -> None:
    """Refuse a call of a real socket, unless it reaches an allowed address."""
    if call == "__init__":
        # One that may be connected to an allowed address, or is one of a pair.
        if not any(_allowed) and (len(args) < 4 or args[3] is None):
            _refuse("a socket of the real system was made", _EARLIER)
        return
    address: Any = ""
    if call in _WITH_ADDRESS and args and isinstance(args[-1], (tuple, str)):
        address = args[-1]
    else:
        with contextlib.suppress(OSError):
            address = _socket_methods["getpeername"](sock)
    if sock.family == _socket.AF_UNIX and not address:
        return
    if not _is_allowed(address):
        to = f" to {address!r}" if address else ""
        _refuse(f"{call}{to} on a socket of the real system", _EARLIER)


_WITH_ADDRESS = ("bind", "connect", "connect_ex", "sendto", "sendmsg")
_WITHOUT = (
    *("__init__", "_accept", "listen", "recv", "recv_into", "recvfrom", "recvfrom_into"),
    *("recvmsg", "recvmsg_into", "send", "sendall", "sendmsg_afalg", "shutdown"),
)


def _guard(call: str, function: Callable[..., Any], check: Callable[..., None]) -> Any:
    """The function behind a check, which gets the call and its arguments."""

    @functools.wraps(function)
    def guarded(*args: Any, **kwargs: Any) -> Any:
        if stand_in() is not None and not in_foreign_thread():
            check(call, *args, **kwargs)
        return function(*args, **kwargs)

    return guarded


def _on_socket(call: str, sock: Any, *args: Any, **kwargs: Any) -> None:
    _check_socket("accept" if call == "_accept" else call, sock, args)


def _on_poller(call: str, *args: Any, **kwargs: Any) -> None:
    _refuse(f"{call} on descriptors of the real system", _EARLIER)


def _on_name(call: str, *args: Any, **kwargs: Any) -> None:
    if not (args and _is_allowed(args[0])):
        asked = ", ".join(map(repr, args))
        _refuse(f"{call}({asked}) asked the real system", "the patch does not reach that code")


def _on_process(call: str, *args: Any, **kwargs: Any) -> None:
    what = ""
    if call == "subprocess.Popen":
        what = f"({args[1]!r})"
    elif call in ("os.system", "os.posix_spawn", "os.posix_spawnp"):
        what = f"({args[0]!r})"
    _refuse(
        f"{call}{what} would start a process on the real network",
        "run its code as a task or thread of the world",
    )


def _on_timer(call: str, *args: Any, **kwargs: Any) -> None:
    _refuse(f"{call} would count real time", "use a timeout, a thread or signal.setitimer")


def _on_thread(call: str, thread: Any, *args: Any, **kwargs: Any) -> None:
    _refuse(f"{thread!r} would run outside the world", _OUTSIDE)


METHODS = (
    Methods(
        _socket.socket,
        {
            name: _guard(name, _socket_methods[name], _on_socket)
            for name in (*_WITH_ADDRESS, *_WITHOUT)
            if name in _socket_methods
        },
    ),
    *(
        Methods(cls, {"poll": _guard(f"{cls.__name__}.poll", namespace(cls)["poll"], _on_poller)})
        for cls in (select.epoll, type(select.poll()))
    ),
)

_NAME_CALLS = ("getaddrinfo", "gethostbyname", "gethostbyname_ex", "gethostbyaddr", "getnameinfo")
_PROCESS_CALLS = ("fork", "forkpty", "posix_spawn", "posix_spawnp", "system", "execv", "execve")


_TIMER_CALLS = tuple(name for name in dir(os) if name.startswith("timerfd_"))


def places() -> list[tuple[Place, Any]]:
    """Functions of the real modules, and what guards them."""
    found: list[tuple[Place, Any]] = []
    for name in _NAME_CALLS:
        place = in_dict(vars(_socket), name)
        found.append((place, _guard(name, place.held, _on_name)))
    for name in (*_PROCESS_CALLS, *_TIMER_CALLS):
        check = _on_timer if name in _TIMER_CALLS else _on_process
        for module in (os, sys.modules["posix"]):
            place = in_dict(vars(module), name)
            found.append((place, _guard(f"os.{name}", place.held, check)))
    for cls, name, call, check in (
        (subprocess.Popen, "_execute_child", "subprocess.Popen", _on_process),
        (threading.Thread, "start", "start", _on_thread),
        (ThreadPoolExecutor, "submit", "submit", _on_thread),
    ):
        place = in_class(cls, name, vars(cls)[name])
        found.append((place, _guard(call, place.held, check)))
    place = in_dict(vars(_posixsubprocess), "fork_exec")
    found.append((place, _guard("fork_exec", place.held, _on_process)))
    return found


def allow(addresses: frozenset[Allowed], ignore: frozenset[str]) -> None:
    """Let real sockets reach these addresses, and these packages anything, as well."""
    _allowed.append(addresses)
    _ignored.append(ignore)


def disallow(addresses: frozenset[Allowed], ignore: frozenset[str]) -> None:
    """Take that back."""
    _allowed.remove(addresses)
    _ignored.remove(ignore)
