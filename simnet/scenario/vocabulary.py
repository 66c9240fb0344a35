"""The words of a scenario: what may be called, and on what.

Methods are those of `simnet.api.Socket`; functions are the network's, plus a few that a story needs
and that are said here in terms of the contract. Nothing here knows a backend.
"""

from __future__ import annotations

import array
import inspect
import io
import re
import select as _select
import socket as _socket
import struct
from collections.abc import Callable
from typing import Any

import attrs

from simnet.api import Network, Socket

# How long a helper waits for the network, in seconds of the network's own clock.
PATIENCE = 5.0

KIND_WORDS = {"socket": "a socket", "file": "a file", "value": "a value"}


@attrs.frozen
class Function:
    """A function of the network: how to run it, and the kinds of what it gives."""

    run: Callable[..., Any]
    gives: str | tuple[str, ...] = "value"
    # The parameters, where they are ours to check; the network checks its own.
    signature: inspect.Signature | None = None


# Methods

SOCKET_METHODS: dict[str, str | tuple[str, ...]] = {
    name: "value"
    for name, member in vars(Socket).items()
    if inspect.isfunction(member) and not name.startswith("_")
}
SOCKET_METHODS |= {"accept": ("socket", "value"), "dup": "socket", "makefile": "file"}
SOCKET_METHODS |= {
    "recvfrom": ("value", "value"),
    "recvfrom_into": ("value", "value"),
    "recvmsg": ("value",) * 4,
    "recvmsg_into": ("value",) * 4,
}
FILE_METHODS: dict[str, str | tuple[str, ...]] = dict.fromkeys(
    ("close", "flush", "read", "readline", "readlines", "write", "writelines"), "value"
)
METHODS = {"socket": SOCKET_METHODS, "file": FILE_METHODS}

# What these give is the machine's own: -1 apart, it is not compared between backends.
VARYING = frozenset(
    {
        *("fileno", "detach", "tempdir", "monotonic", "time"),
        *("credentials", "gethostname", "getfqdn"),
    }
)

# Whose first argument is payload: text there is sent as UTF-8.
PAYLOAD_FIRST = frozenset({"send", "sendall", "sendto", "sendmsg"})

# What may be read off a socket inside an argument.
ATTRIBUTES: dict[str, Callable[[Any], Any]] = {
    "address": lambda sock: sock.getsockname(),
    "peer": lambda sock: sock.getpeername(),
    "port": lambda sock: sock.getsockname()[1],
    "family": lambda sock: sock.family,
    "type": lambda sock: sock.type,
    "proto": lambda sock: sock.proto,
    "timeout": lambda sock: sock.timeout,
}

# Constants

_CONSTANT = re.compile(
    r"(AF|SOCK|SOL|SO|IPPROTO|TCP|MSG|SHUT|IP|IPV6|SCM|AI|NI|EAI|INADDR|SOMAXCONN|POLL|EPOLL)(_|$)"
    r"|E?POLL[A-Z]+$"
)
CONSTANTS: dict[str, Any] = {
    name: int(value)
    for module in (_socket, _select)
    for name, value in vars(module).items()
    if _CONSTANT.match(name) and isinstance(value, int)
}
CONSTANTS |= {"KiB": 1024, "MiB": 1 << 20, "true": True, "false": False, "null": None}

# Pure functions: they make arguments, and may stand inside other calls.


def as_bytes(value: Any) -> Any:
    """Text as UTF-8, in lists too; anything else as it is."""
    if isinstance(value, str):
        return value.encode()
    if isinstance(value, list | tuple):
        return [as_bytes(item) for item in value]
    return value


def linger(on: int, seconds: int) -> bytes:
    """The value of SO_LINGER."""
    return struct.pack("ii", on, seconds)


def ip(address: str) -> bytes:
    """The bytes of an IPv4 or IPv6 address, as socket options have them."""
    return _socket.inet_pton(_socket.AF_INET6 if ":" in address else _socket.AF_INET, address)


def rights(*sockets: Any) -> list[tuple[int, int, bytes]]:
    """Ancillary data that passes the descriptors of sockets."""
    descriptors = array.array("i", [sock.fileno() for sock in sockets])
    return [(_socket.SOL_SOCKET, _socket.SCM_RIGHTS, descriptors.tobytes())]


def _pure(run: Callable[..., Any]) -> Function:
    return Function(run, signature=inspect.signature(run))


PURE: dict[str, Function] = {
    "buffer": _pure(lambda size: bytearray(size)),
    "bytes": _pure(lambda value: bytes(as_bytes(value))),
    "file": _pure(lambda content: io.BytesIO(as_bytes(content))),
    "hex": _pure(lambda digits: bytes.fromhex(digits)),
    "ip": _pure(ip),
    "linger": _pure(linger),
    "rights": _pure(rights),
}

# Functions of the network

_BITS = {
    _select.POLLIN: "IN",
    _select.POLLPRI: "PRI",
    _select.POLLOUT: "OUT",
    _select.POLLERR: "ERR",
    _select.POLLHUP: "HUP",
    _select.POLLNVAL: "NVAL",
    _select.POLLRDHUP: "RDHUP",
}
_ASKED = _select.POLLIN | _select.POLLPRI | _select.POLLOUT | _select.POLLRDHUP


def readiness(net: Network, sock: Socket) -> str:
    """The poll bits of a socket now: 'IN|OUT', or '' when it is ready for nothing."""
    return _poll(net, sock, _ASKED, 0)


def wait_until(net: Network, sock: Socket, bits: str) -> str:
    """Wait until a socket has one of the poll bits; give all that it then has."""
    numbers = {name: bit for bit, name in _BITS.items()}
    mask = 0
    for name in bits.split("|"):
        if name not in numbers:
            raise ValueError(f"unknown poll bit {name!r}")
        mask |= numbers[name]
    return _poll(net, sock, mask, PATIENCE * 1000) and readiness(net, sock)


def _poll(net: Network, sock: Socket, mask: int, milliseconds: float) -> str:
    poller = net.poll()
    poller.register(sock, mask)
    bits = sum(ready for _, ready in poller.poll(milliseconds))
    return "|".join(name for bit, name in _BITS.items() if bits & bit)


def send_until_full(net: Network, sock: Socket, data: Any) -> int:
    """Send the same data again and again, without waiting, until no more is taken; count the bytes.

    A network takes a little more once the peer's side has made room, so full means: nothing was
    taken for a while.
    """
    data = as_bytes(data)
    total = 0
    idle_since = net.monotonic()
    while net.monotonic() - idle_since < 0.1:
        try:
            taken = sock.send(data, _socket.MSG_DONTWAIT)
        except BlockingIOError:
            net.sleep(0.01)
            continue
        total += taken
        if total > LARGEST_FILL:
            raise OverflowError(f"{total} bytes were taken without an end")
        idle_since = net.monotonic()
    return total


LARGEST_FILL = 256 << 20


def send_messages_until_full(net: Network, sock: Socket, data: Any, *address: Any) -> int:
    """Send the same message, without waiting, until it is not taken; count the messages."""
    data = as_bytes(data)
    for count in range(1_000_000):
        try:
            sock.sendto(data, _socket.MSG_DONTWAIT, *address) if address else sock.send(
                data, _socket.MSG_DONTWAIT
            )
        except BlockingIOError:
            return count
    raise OverflowError("a million messages were taken without an end")


def recv_exactly(net: Network, sock: Socket, count: int) -> bytes:
    """Receive that many bytes of a stream, in as many calls as it takes; fewer only at its end."""
    parts = bytearray()
    while len(parts) < count:
        part = sock.recv(count - len(parts))
        if not part:
            break
        parts += part
    return bytes(parts)


def recv_until_end(net: Network, sock: Socket) -> bytes:
    """Receive a stream until its end."""
    parts = bytearray()
    while part := sock.recv(65536):
        parts += part
    return bytes(parts)


def adopt(net: Network, ancillary: Any) -> Socket:
    """The socket whose descriptor arrived as ancillary data."""
    for level, kind, data in ancillary:
        if (level, kind) == (_socket.SOL_SOCKET, _socket.SCM_RIGHTS):
            (descriptor,) = struct.unpack("i", data)
            return net.socket(fileno=descriptor)
    raise LookupError("no descriptor arrived")


def _own(run: Callable[..., Any], gives: str = "value") -> Function:
    signature = inspect.signature(run)
    parameters = list(signature.parameters.values())[1:]
    return Function(run, gives, signature.replace(parameters=parameters))


def _of_network(name: str, gives: str | tuple[str, ...] = "value") -> Function:
    return Function(lambda net, *args, **kw: getattr(net, name)(*args, **kw), gives)


def _of_files(name: str) -> Function:
    return Function(lambda net, *args, **kw: getattr(net.files, name)(*args, **kw))


FUNCTIONS: dict[str, Function] = {
    "socket": _of_network("socket", "socket"),
    "socketpair": _of_network("socketpair", ("socket", "socket")),
    "create_connection": _of_network("create_connection", "socket"),
    "create_server": _of_network("create_server", "socket"),
    **{
        name: _of_network(name)
        for name in (
            *("has_dualstack_ipv6", "disconnect", "credentials"),
            *("getaddrinfo", "getnameinfo", "gethostbyname", "gethostbyname_ex"),
            *("gethostbyaddr", "gethostname", "getfqdn", "getservbyname", "getservbyport"),
            *("if_nameindex", "select", "sleep", "monotonic", "time"),
        )
    },
    **{
        name: _of_files(name)
        for name in ("tempdir", "mkdir", "touch", "exists", "rename", "unlink")
    },
    "readiness": _own(readiness),
    "wait_until": _own(wait_until),
    "send_until_full": _own(send_until_full),
    "send_messages_until_full": _own(send_messages_until_full),
    "recv_exactly": _own(recv_exactly),
    "recv_until_end": _own(recv_until_end),
    "adopt": _own(adopt, "socket"),
}


def takes_bytes(receiver: Any, method: str) -> bool:
    """Whether this is a binary file's write."""
    is_text = isinstance(receiver, io.TextIOBase)
    return method in ("write", "writelines") and isinstance(receiver, io.IOBase) and not is_text
