"""The standard library's own `socket.py` and `selectors.py`, executed over the simulated modules.

A second copy of each runs here with `_socket`, `select` and a few functions of `os` replaced, so
that `socket.socket`, `makefile`, `create_server`, `socketpair` and the rest are exactly what this
version of Python has. The enumerations are the real module's, so that `sock.family is
socket.AF_INET`.
"""

from __future__ import annotations

import _socket as _real_socket
import builtins
import functools
import importlib
import importlib.util
import os
import select as _real_select
import socket as _stdlib_socket
import sys
from types import FunctionType, ModuleType, SimpleNamespace
from typing import Any

from simnet import api, pollers, sockets
from simnet.arguments import c_long, timeout_ns
from simnet.clock import Clock
from simnet.current import current_host, the_host
from simnet.descriptor_calls import REPLACED, numbers
from simnet.descriptors import DescriptorTable
from simnet.protocols.base import Endpoint

# Pure functions, types of errors and constants come from the real module; everything that would
# reach the operating system is replaced or left out.
_LEFT_OUT = {"CAPI", "socket", "SocketType", "sethostname", "getprotobyname"}
_PURE = {
    "CMSG_LEN",
    "CMSG_SPACE",
    "htonl",
    "htons",
    "inet_aton",
    "inet_ntoa",
    "inet_ntop",
    "inet_pton",
    "ntohl",
    "ntohs",
}
_RESOLVER = (
    "getaddrinfo",
    "getnameinfo",
    "gethostbyname",
    "gethostbyname_ex",
    "gethostbyaddr",
    "gethostname",
    "getservbyname",
    "getservbyport",
    "getprotobyname",
    "sethostname",
    "if_nameindex",
    "if_nametoindex",
    "if_indextoname",
)


def _socketpair(
    family: int = _stdlib_socket.AF_UNIX, type: int = _stdlib_socket.SOCK_STREAM, proto: int = 0, /
) -> tuple[sockets.socket, sockets.socket]:
    host = the_host()
    flags = type & (_stdlib_socket.SOCK_NONBLOCK | _stdlib_socket.SOCK_CLOEXEC)
    pair: list[sockets.socket] = []
    try:
        for endpoint in host.create_pair(int(family), type & ~flags, int(proto)):
            endpoint.nonblocking = bool(flags & _stdlib_socket.SOCK_NONBLOCK)
            descriptor = host.descriptors.install(endpoint)
            pair.append(sockets.socket(int(family), int(type), int(proto), descriptor.number))
    except OSError:
        # Both or none.
        for sock in pair:
            sock.close()
        raise
    return pair[0], pair[1]


def _close(fd: int, /) -> None:
    numbers.close(the_host().descriptors.get(c_long(fd)))


def _dup(fd: int, /) -> int:
    return numbers.duplicate(the_host().descriptors.get(c_long(fd)))


def _getdefaulttimeout() -> float | None:
    value = (current_host.get(None) or the_host()).default_timeout_ns
    return None if value is None else value / 1e9


def _setdefaulttimeout(timeout: float | None, /) -> None:
    the_host().default_timeout_ns = timeout_ns(timeout)


def _resolver_function(name: str) -> Any:
    def function(*args: Any, **kwargs: Any) -> Any:
        return getattr(the_host().resolver, name)(*args, **kwargs)

    function.__name__ = name
    return function


def _make_c_module() -> ModuleType:
    module = ModuleType("_socket", "Simulated sockets under the standard library's.")
    for name in dir(_real_socket):
        value = getattr(_real_socket, name)
        constant = isinstance(value, (int, type))
        if name not in _LEFT_OUT and not name.startswith("__") and (constant or name in _PURE):
            setattr(module, name, value)
    for name in _RESOLVER:
        setattr(module, name, _resolver_function(name))
    replaced = {
        "socket": sockets.socket,
        "SocketType": sockets.socket,
        "socketpair": _socketpair,
        "close": _close,
        "dup": _dup,
        "getdefaulttimeout": _getdefaulttimeout,
        "setdefaulttimeout": _setdefaulttimeout,
    }
    for name, value in replaced.items():
        setattr(module, name, value)
    return module


def _make_select_module() -> ModuleType:
    module = ModuleType("select", "Simulated readiness calls.")
    for name in dir(_real_select):
        value = getattr(_real_select, name)
        if isinstance(value, (int, type)) and name != "epoll":
            setattr(module, name, value)
    module.select = pollers.select  # type: ignore[attr-defined]
    module.poll = pollers.poll  # type: ignore[attr-defined]
    module.epoll = pollers.epoll  # type: ignore[attr-defined]
    return module


_real_os = {name: getattr(os, name) for name in REPLACED["os"]}


class Os:
    """`os`, with the functions of it that know simulated descriptors."""

    def __getattr__(self, name: str) -> Any:
        found = getattr(os, name)
        # What somebody else has put there, a test's mock say, is what is meant.
        return REPLACED["os"][name] if found is _real_os.get(name, self) else found


# selectors.py tries each poller once, while it is imported, to see whether it works.
_PROBED: Any = SimpleNamespace(
    clock=Clock(),
    descriptors=DescriptorTable(limit=8),
    next_socket_number=int,
    scheduler=SimpleNamespace(relax=int),
)


class _Package:
    """What `from . import name` looks names up in: the package, with some modules replaced."""

    def __init__(self, package: str, replaced: dict[str, Any]) -> None:
        self._package = package
        self._replaced = replaced

    def __getattr__(self, name: str) -> Any:
        found = self._replaced.get(f".{name}")
        return found or importlib.import_module(f"{self._package}.{name}")


def execute(name: str, replaced: dict[str, Any]) -> ModuleType:
    """A second copy of a standard library module, whose imports of some modules are replaced.

    A key ".name" replaces a module beside it in its package; a value None makes the import fail.
    """
    spec = importlib.util.find_spec(name)
    assert spec is not None
    assert spec.loader is not None
    code = spec.loader.get_code(name)  # type: ignore[attr-defined]
    package = name.rpartition(".")[0]
    siblings = _Package(package, replaced)

    def import_(imported: str, *args: Any, **kwargs: Any) -> Any:
        if not imported:
            return siblings
        if imported in replaced:
            if replaced[imported] is None:
                raise ImportError(f"no module {imported!r} in a simulated program")
            return replaced[imported]
        return builtins.__import__(imported, *args, **kwargs)

    copy = ModuleType(
        f"simnet.stdlib_{name.replace('.', '_')}", f"The standard library's {name}, simulated."
    )
    # Enumerations are converted by looking their module up.
    sys.modules[copy.__name__] = copy
    copy.__dict__["__package__"] = package
    copy.__dict__["__builtins__"] = {**vars(builtins), "__import__": import_}
    exec(code, copy.__dict__)
    for value in vars(copy).values():
        # What it defines says, in a `repr` too, that it is of the module that it stands in for.
        if isinstance(value, (type, FunctionType)) and value.__module__ == copy.__name__:
            value.__module__ = name
    return copy


def _make_selectors() -> ModuleType:
    token = current_host.set(_PROBED)
    try:
        copy: Any = execute("selectors", {"select": select})
    finally:
        current_host.reset(token)
    # In the original it is a built-in function, which does not become a method of the class.
    copy.SelectSelector._select = staticmethod(pollers.select)
    copy.EpollSelector.select = pollers.looks_first(copy.EpollSelector.select)
    return copy  # type: ignore[no-any-return]


def _on_its_host(method: Any) -> Any:
    """Run a method that makes sockets or names descriptors with the socket's own host current."""

    @functools.wraps(method)
    def on_its_host(self: sockets.socket, *args: Any, **kwargs: Any) -> Any:
        host = self._home
        if current_host.get(None) is host:
            return method(self, *args, **kwargs)
        token = current_host.set(host)
        try:
            return method(self, *args, **kwargs)
        finally:
            current_host.reset(token)

    return on_its_host


def _share_sentinel(copy: Any) -> None:
    """What stands for the default timeout is the real module's: programs pass it on."""
    own, shared = copy._GLOBAL_DEFAULT_TIMEOUT, _stdlib_socket._GLOBAL_DEFAULT_TIMEOUT  # type: ignore[attr-defined]
    copy._GLOBAL_DEFAULT_TIMEOUT = shared
    function = copy.create_connection
    defaults = (shared if value is own else value for value in function.__defaults__)
    function.__defaults__ = tuple(defaults)


def _make_socket_module() -> ModuleType:
    copy = execute("socket", {"_socket": c_module, "os": Os(), "selectors": selectors})
    # A pure function of two values that hardly vary, in front of slow ones.
    names = vars(copy)
    names["_intenum_converter"] = functools.lru_cache(names["_intenum_converter"])
    enums = ("AddressFamily", "SocketKind", "MsgFlag", "AddressInfo")
    for name in enums:
        setattr(copy, name, getattr(_stdlib_socket, name))
    for name in dir(_stdlib_socket):
        if type(getattr(_stdlib_socket, name)).__name__ in enums:
            setattr(copy, name, getattr(_stdlib_socket, name))
    _share_sentinel(copy)
    api.Socket.register(copy.socket)
    for name in ("accept", "dup", "sendfile", "get_inheritable", "set_inheritable"):
        setattr(copy.socket, name, _on_its_host(getattr(copy.socket, name)))
    return copy


c_module = _make_c_module()
select = _make_select_module()
selectors = _make_selectors()
module = _make_socket_module()


def describe_descriptor(number: int, opened: Any) -> str:
    """An open descriptor as the socket object for it would show itself."""
    if not isinstance(opened, Endpoint):
        return f"<descriptor {number} of {opened!r}>"
    token = current_host.set(opened.host)
    try:
        proto = opened.host.descriptors.get(number).proto
        sock = module.socket(proto=proto, fileno=number)
    finally:
        current_host.reset(token)
    text = repr(sock)
    sock.detach()
    return text
